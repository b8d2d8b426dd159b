//! The three files: read as bytes, which tell whether anything changed, then parsed.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::error::TlsError;
use crate::config::Config;

const CERTIFICATE: &str = "tls-cert-file";
const KEY: &str = "tls-key-file";
const AUTHORITY: &str = "tls-ca-cert-file";

/// Where the files are.
#[derive(Clone, Debug)]
pub(super) struct Files {
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
    /// `None` if nobody's certificate is checked.
    pub(super) authority: Option<PathBuf>,
}

/// What they hold.
#[derive(PartialEq, Eq)]
pub(super) struct Contents {
    certificate: Vec<u8>,
    key: Vec<u8>,
    authority: Option<Vec<u8>>,
}

/// What that means.
pub(super) struct Material {
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) key: PrivateKeyDer<'static>,
    /// Empty if nobody's certificate is checked.
    pub(super) roots: Arc<RootCertStore>,
}

impl Files {
    pub(super) fn of(config: &Config) -> Self {
        let authority = &config.tls_ca_cert_file;
        Self {
            certificate: config.tls_cert_file.clone(),
            key: config.tls_key_file.clone(),
            authority: (!authority.as_os_str().is_empty()).then(|| authority.clone()),
        }
    }

    pub(super) fn read(&self) -> Result<Contents, TlsError> {
        let read = |key, path: &Path| {
            std::fs::read(path).map_err(|source| TlsError::Unreadable { key, path: path.to_owned(), source })
        };
        Ok(Contents {
            certificate: read(CERTIFICATE, &self.certificate)?,
            key: read(KEY, &self.key)?,
            authority: self.authority.as_ref().map(|path| read(AUTHORITY, path)).transpose()?,
        })
    }

    pub(super) fn parse(&self, contents: &Contents) -> Result<Material, TlsError> {
        let chain = certificates(CERTIFICATE, &self.certificate, &contents.certificate)?;
        let key = PrivateKeyDer::from_pem_slice(&contents.key).map_err(|source| TlsError::NotPem {
            key: KEY,
            path: self.key.clone(),
            source,
        })?;
        let mut roots = RootCertStore::empty();
        if let (Some(path), Some(pem)) = (&self.authority, &contents.authority) {
            for certificate in certificates(AUTHORITY, path, pem)? {
                roots
                    .add(certificate)
                    .map_err(|source| TlsError::Authority { path: path.clone(), source })?;
            }
        }
        Ok(Material { chain, key, roots: Arc::new(roots) })
    }
}

fn certificates(
    key: &'static str,
    path: &Path,
    pem: &[u8],
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let all = all.map_err(|source| TlsError::NotPem { key, path: path.to_owned(), source })?;
    if all.is_empty() { Err(TlsError::Empty { key, path: path.to_owned() }) } else { Ok(all) }
}
