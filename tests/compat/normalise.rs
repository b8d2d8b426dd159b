//! Makes replies of two servers comparable: generated ids become their order of appearance, times and
//! sizes of the storage engine become words.

use std::collections::BTreeMap;

use rivermark_tests::Reply;

/// The replies with everything that may differ between two runs replaced.
pub fn replies(commands: &[Vec<Vec<u8>>], replies: &[Reply]) -> Vec<Reply> {
    let mut ids = GeneratedIds::default();
    let relaxed = commands.iter().any(|command| moves_lag(command));
    let mut in_transaction = Vec::new();
    commands
        .iter()
        .zip(replies)
        .map(|(command, reply)| {
            let reply = ids.replace(reply);
            match word(command, 0).as_str() {
                "EXEC" => {
                    let queued = std::mem::take(&mut in_transaction);
                    exec(&queued, reply, relaxed)
                }
                "MULTI" | "DISCARD" => {
                    in_transaction.clear();
                    reply
                }
                _ => {
                    if reply == Reply::Simple("QUEUED".to_owned()) {
                        in_transaction.push(command.clone());
                    }
                    one(command, reply, relaxed)
                }
            }
        })
        .collect()
}

fn exec(queued: &[Vec<Vec<u8>>], reply: Reply, relaxed: bool) -> Reply {
    match reply {
        Reply::Array(items) if items.len() == queued.len() => Reply::Array(
            queued.iter().zip(items).map(|(command, item)| one(command, item, relaxed)).collect(),
        ),
        other => other,
    }
}

/// Trims, deletions and ENTRIESREAD change what 7.0 and 8.x tell of entries-read and lag (streams-spec 3.1).
fn moves_lag(command: &[Vec<u8>]) -> bool {
    matches!(word(command, 0).as_str(), "XTRIM" | "XDEL" | "XSETID")
        || command
            .iter()
            .any(|w| matches!(w.to_ascii_uppercase().as_slice(), b"MAXLEN" | b"MINID" | b"ENTRIESREAD"))
}

fn word(command: &[Vec<u8>], index: usize) -> String {
    command.get(index).map(|word| String::from_utf8_lossy(word).to_uppercase()).unwrap_or_default()
}

fn one(command: &[Vec<u8>], reply: Reply, relaxed: bool) -> Reply {
    match (word(command, 0).as_str(), word(command, 1).as_str()) {
        ("XPENDING", _) => pending(reply),
        ("XINFO", _) => info(reply, relaxed),
        ("TTL" | "PTTL" | "EXPIRETIME" | "PEXPIRETIME", _) => match reply {
            Reply::Integer(value) if value > 0 => masked("time"),
            other => other,
        },
        ("KEYS", _) => sorted(reply),
        ("SCAN", _) => match reply {
            Reply::Array(items) if items.len() == 2 => sorted(items[1].clone()),
            other => other,
        },
        _ => reply,
    }
}

fn masked(what: &str) -> Reply {
    Reply::Simple(format!("<{what}>"))
}

fn sorted(reply: Reply) -> Reply {
    match reply {
        Reply::Array(mut items) => {
            items.sort_by_key(|item| item.text());
            Reply::Array(items)
        }
        other => other,
    }
}

fn pending(reply: Reply) -> Reply {
    let Reply::Array(rows) = reply else { return reply };
    let row = |row: Reply| match row {
        Reply::Array(mut cells) if cells.len() == 4 => {
            cells[2] = masked("idle");
            Reply::Array(cells)
        }
        other => other,
    };
    Reply::Array(rows.into_iter().map(row).collect())
}

/// Masks times and engine numbers, and leaves out what 7.0 does not tell.
fn info(reply: Reply, relaxed: bool) -> Reply {
    match reply {
        Reply::Map(pairs) => Reply::Map(fields(pairs, relaxed)),
        Reply::Array(items) => {
            let names = items.len() % 2 == 0 && !items.is_empty() && items.iter().step_by(2).all(is_name);
            if names {
                let mut items = items.into_iter();
                let mut pairs = Vec::new();
                while let (Some(name), Some(value)) = (items.next(), items.next()) {
                    pairs.push((name, value));
                }
                Reply::Array(
                    fields(pairs, relaxed).into_iter().flat_map(|(name, value)| [name, value]).collect(),
                )
            } else {
                Reply::Array(items.into_iter().map(|item| info(item, relaxed)).collect())
            }
        }
        // Delivery times in XINFO STREAM FULL.
        Reply::Integer(value) if value > 1_600_000_000_000 => masked("time"),
        other => other,
    }
}

const NAMES: &[&str] = &[
    "length",
    "radix-tree-keys",
    "radix-tree-nodes",
    "last-generated-id",
    "max-deleted-entry-id",
    "entries-added",
    "recorded-first-entry-id",
    "groups",
    "first-entry",
    "last-entry",
    "entries",
    "name",
    "last-delivered-id",
    "entries-read",
    "lag",
    "pel-count",
    "pending",
    "consumers",
    "seen-time",
    "active-time",
    "idle",
    "inactive",
    "idmp-duration",
    "idmp-maxsize",
    "pids-tracked",
    "iids-tracked",
    "iids-added",
    "iids-duplicates",
    "nacked-count",
];

fn is_name(reply: &Reply) -> bool {
    reply.text().is_some_and(|text| NAMES.contains(&text.as_str()))
}

fn fields(pairs: Vec<(Reply, Reply)>, relaxed: bool) -> Vec<(Reply, Reply)> {
    pairs
        .into_iter()
        .filter_map(|(name, value)| {
            let value = match name.text().unwrap_or_default().as_str() {
                // Newer than 7.0.
                "active-time" | "inactive" | "nacked-count" | "idmp-duration" | "idmp-maxsize"
                | "pids-tracked" | "iids-tracked" | "iids-added" | "iids-duplicates" => return None,
                "radix-tree-keys" | "radix-tree-nodes" => masked("engine"),
                "seen-time" | "idle" => masked("time"),
                "entries-read" | "lag" if relaxed => masked("since 8.0"),
                "first-entry" | "last-entry" | "entries" => value,
                _ => info(value, relaxed),
            };
            Some((name, value))
        })
        .collect()
}

/// Ids made from the clock, in order of appearance.
#[derive(Default)]
struct GeneratedIds(BTreeMap<String, usize>);

impl GeneratedIds {
    fn replace(&mut self, reply: &Reply) -> Reply {
        let all = |items: &[Reply], ids: &mut Self| items.iter().map(|item| ids.replace(item)).collect();
        match reply {
            Reply::Bulk(bytes) => match self.ordinal(bytes) {
                Some(ordinal) => Reply::Bulk(format!("<id {ordinal}>").into_bytes()),
                None => reply.clone(),
            },
            Reply::Array(items) => Reply::Array(all(items, self)),
            Reply::Set(items) => Reply::Set(all(items, self)),
            Reply::Push(items) => Reply::Push(all(items, self)),
            Reply::Map(pairs) => Reply::Map(
                pairs.iter().map(|(name, value)| (self.replace(name), self.replace(value))).collect(),
            ),
            other => other.clone(),
        }
    }

    fn ordinal(&mut self, bytes: &[u8]) -> Option<usize> {
        let text = std::str::from_utf8(bytes).ok()?;
        let (ms, seq) = text.split_once('-')?;
        let generated = ms.len() == 13 && ms.parse::<u64>().is_ok() && seq.parse::<u64>().is_ok();
        let next = self.0.len();
        generated.then(|| *self.0.entry(text.to_owned()).or_insert(next))
    }
}
