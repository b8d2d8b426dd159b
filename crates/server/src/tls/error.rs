//! Why certificates cannot be used: every error names the file to mend.

use std::path::PathBuf;

use rustls::pki_types::pem;
use rustls::server::VerifierBuilderError;

/// Certificates that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{key} {}: {source}", .path.display())]
    Unreadable {
        /// The configuration key that names the file.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file is not the PEM it should be.
    #[error("{key} {}: not PEM as expected: {source}", .path.display())]
    NotPem {
        /// The configuration key that names the file.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// What was found.
        source: pem::Error,
    },
    /// A file holds no certificate.
    #[error("{key} {}: holds no certificate", .path.display())]
    Empty {
        /// The configuration key that names the file.
        key: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// The certificate and the key are not of each other, or of a kind that is not known.
    #[error("tls-cert-file {} with tls-key-file {}: {source}", .certificate.display(), .key.display())]
    Pair {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// What does not fit.
        source: rustls::Error,
    },
    /// A CA's certificate is not acceptable as one.
    #[error("tls-ca-cert-file {}: {source}", .path.display())]
    Authority {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: rustls::Error,
    },
    /// No verifier could be made of the CA's certificates.
    #[error("tls-ca-cert-file {}: {source}", .path.display())]
    Verifier {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: VerifierBuilderError,
    },
}
