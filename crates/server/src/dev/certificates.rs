//! A CA of its own for a cluster on one machine: certificates of the nodes, and one for clients.
//!
//! They are valid for this machine's loopback names alone, for as long as the data folder lives.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};

const FOLDER: &str = "tls";
const NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// Where the files are.
pub(super) struct Certificates {
    folder: PathBuf,
}

/// A certificate and its key.
pub(super) struct Pair {
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
}

impl Certificates {
    /// Those in the data folder, made anew if any of them is missing.
    pub(super) fn prepare(data_dir: &Path, nodes: u16) -> anyhow::Result<Self> {
        let own = Self { folder: data_dir.join(FOLDER) };
        let pairs = (1..=u64::from(nodes)).map(|id| own.node(id)).chain([own.client()]);
        let mut wanted = pairs.flat_map(|pair| [pair.certificate, pair.key]).chain([own.authority()]);
        if !wanted.all(|path| path.is_file()) {
            own.make(nodes).with_context(|| format!("making certificates in {}", own.folder.display()))?;
        }
        Ok(own)
    }

    pub(super) fn authority(&self) -> PathBuf {
        self.folder.join("ca.crt")
    }

    pub(super) fn node(&self, id: u64) -> Pair {
        self.pair(&format!("node-{id}"))
    }

    pub(super) fn client(&self) -> Pair {
        self.pair("client")
    }

    fn pair(&self, name: &str) -> Pair {
        Pair {
            certificate: self.folder.join(format!("{name}.crt")),
            key: self.folder.join(format!("{name}.key")),
        }
    }

    fn make(&self, nodes: u16) -> anyhow::Result<()> {
        use ExtendedKeyUsagePurpose::{ClientAuth, ServerAuth};
        fs::create_dir_all(&self.folder)?;
        let mut params = named("Rivermark development CA", &[])?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        for id in 1..=u64::from(nodes) {
            let mut params = named(&format!("Rivermark node {id}"), &NAMES)?;
            // Nodes dial each other.
            params.extended_key_usages = vec![ServerAuth, ClientAuth];
            sign(params, &authority, &self.node(id))?;
        }
        let mut params = named("Rivermark client", &[])?;
        params.extended_key_usages = vec![ClientAuth];
        sign(params, &authority, &self.client())?;
        write_secret(&self.folder.join("ca.key"), &authority.key().serialize_pem())?;
        fs::write(self.authority(), authority.pem())?;
        Ok(())
    }
}

fn named(name: &str, hosts: &[&str]) -> anyhow::Result<CertificateParams> {
    let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
    let mut params = CertificateParams::new(hosts)?;
    params.distinguished_name.push(DnType::CommonName, name);
    Ok(params)
}

fn sign(
    mut params: CertificateParams,
    authority: &CertifiedIssuer<'_, KeyPair>,
    pair: &Pair,
) -> anyhow::Result<()> {
    params.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, authority)?;
    write_secret(&pair.key, &key.serialize_pem())?;
    Ok(fs::write(&pair.certificate, certificate.pem())?)
}

fn write_secret(path: &Path, text: &str) -> anyhow::Result<()> {
    let mut file = fs::File::options().create(true).write(true).truncate(true).mode(0o600).open(path)?;
    Ok(file.write_all(text.as_bytes())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_made_once_and_again_if_one_is_lost() {
        let folder = tempfile::TempDir::new().expect("a folder");
        let read = |path: PathBuf| fs::read(path).expect("a file");
        let made = Certificates::prepare(folder.path(), 2).expect("made");
        let first = read(made.node(2).certificate);
        Certificates::prepare(folder.path(), 2).expect("there");
        assert_eq!(read(made.node(2).certificate), first);
        fs::remove_file(made.client().key).expect("it was there");
        Certificates::prepare(folder.path(), 2).expect("made again");
        assert_ne!(read(made.node(2).certificate), first);
    }
}
