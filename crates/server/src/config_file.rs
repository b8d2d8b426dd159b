//! CONFIG REWRITE: changes values in the configuration file and leaves everything else of it as it is, comments included.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use toml_edit::{DocumentMut, value};

/// Writes these parameters into the file. A parameter that the file does not name is added only if its value is not the
/// default.
///
/// # Errors
/// The file cannot be read, is no TOML any more, or cannot be written; then it is as it was.
pub fn rewrite(file: &Path, parameters: Vec<(&'static str, String)>) -> anyhow::Result<()> {
    let text = std::fs::read_to_string(file)?;
    let rewritten = rewritten(&text, &parameters, &serde_json::to_value(crate::config::Config::default())?)?;
    replace(file, rewritten.as_bytes())?;
    Ok(())
}

fn rewritten(
    text: &str,
    parameters: &[(&'static str, String)],
    defaults: &serde_json::Value,
) -> anyhow::Result<String> {
    let mut document: DocumentMut = text.parse()?;
    // What is no key of the file must not get into it: it would be refused at the next start.
    for (name, text) in parameters.iter().filter(|(name, _)| defaults.get(name).is_some()) {
        // The default tells which type a key has.
        let (new, is_default) = match &defaults[*name] {
            serde_json::Value::Bool(default) => (value(text == "yes"), *default == (text == "yes")),
            serde_json::Value::Number(default) => (value(text.parse::<i64>()?), default.to_string() == *text),
            _ => (value(text.as_str()), defaults[*name] == text.as_str()),
        };
        match document.get_mut(name) {
            Some(item) => {
                let Some(mut new) = new.into_value().ok() else { continue };
                // What stands around the value: blanks, and the comment behind it.
                if let Some(old) = item.as_value() {
                    *new.decor_mut() = old.decor().clone();
                }
                *item = new.into();
            }
            None if is_default => {}
            None => {
                document.insert(name, new);
            }
        }
    }
    Ok(document.to_string())
}

/// A crash leaves the old file or the new one.
fn replace(file: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(".rewritten");
    let temporary = file.with_file_name(name);
    let mut new = File::create(&temporary)?;
    new.set_permissions(std::fs::metadata(file)?.permissions())?;
    new.write_all(bytes)?;
    new.sync_all()?;
    std::fs::rename(&temporary, file)?;
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn after(text: &str, parameters: &[(&'static str, &str)]) -> String {
        let parameters: Vec<_> =
            parameters.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        let defaults = serde_json::to_value(Config::default()).expect("a struct");
        rewritten(text, &parameters, &defaults).expect("TOML")
    }

    #[test]
    fn values_change_and_comments_stay() {
        let text = "# a node\nmaxclients = 5 # few\nport = 7000\n\nprotected-mode = true\n";
        assert_eq!(
            after(text, &[("maxclients", "6"), ("protected-mode", "no"), ("requirepass", "pq")]),
            "# a node\nmaxclients = 6 # few\nport = 7000\n\nprotected-mode = false\nrequirepass = \"pq\"\n"
        );
    }

    #[test]
    fn defaults_are_not_added_but_take_the_place_of_what_stands_there() {
        let default = Config::default().slowlog_max_len.to_string();
        assert_eq!(after("port = 1\n", &[("slowlog-max-len", &default)]), "port = 1\n");
        let text = "slowlog-max-len = 7\n";
        assert_eq!(after(text, &[("slowlog-max-len", &default)]), format!("slowlog-max-len = {default}\n"));
    }

    #[test]
    fn every_tunable_is_read_back_from_its_file() {
        let config = Config { maxclients: 77, ..Config::default() };
        let tunables = crate::tunables::Tunables::new(&config);
        tunables.set("slowlog-log-slower-than", "-1");
        tunables.set("requirepass", "se\"cr\\et");
        tunables.set("protected-mode", "no");
        let names = crate::tunables::NAMES.into_iter();
        let parameters = names.filter_map(|name| Some((name, tunables.get(name)?))).collect();
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), "[[initial-nodes]]\nid = 1\n").expect("written");
        rewrite(file.path(), parameters).expect("rewritten");
        let text = std::fs::read_to_string(file.path()).expect("there");
        let read: toml::Table = text.parse().expect("TOML");
        assert_eq!(read["maxclients"].as_integer(), Some(77));
        assert_eq!(read["slowlog-log-slower-than"].as_integer(), Some(-1));
        assert_eq!(read["requirepass"].as_str(), Some("se\"cr\\et"));
        assert_eq!(read["protected-mode"].as_bool(), Some(false));
        assert!(read["initial-nodes"].is_array(), "{text}");
    }
}
