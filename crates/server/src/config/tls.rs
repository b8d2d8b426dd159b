//! The configuration of TLS: names and meaning are those of Redis.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Config, ConfigError};

/// Whether clients on the TLS port must show a certificate (`tls-auth-clients`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum AuthClients {
    /// They must, and the CA must have signed it.
    #[default]
    Yes,
    /// They are not asked for one.
    No,
    /// They may; one that is shown must be signed by the CA.
    Optional,
}

impl AuthClients {
    /// The word for it in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::Optional => "optional",
        }
    }
}

impl Config {
    /// Whether any port of this node speaks TLS.
    pub fn uses_tls(&self) -> bool {
        self.tls_port != 0 || self.tls_cluster
    }

    /// Whether any certificate of others is checked.
    fn checks_certificates(&self) -> bool {
        self.tls_cluster || (self.tls_port != 0 && self.tls_auth_clients != AuthClients::No)
    }

    pub(super) fn check_tls(&self) -> Result<(), ConfigError> {
        let fail = |key, reason: &str| Err(ConfigError::Invalid { key, reason: reason.to_owned() });
        if self.port == 0 && self.tls_port == 0 {
            return fail("port", "must not be 0 unless tls-port is set: clients could not connect");
        }
        if self.port == self.tls_port {
            return fail("tls-port", "must differ from port");
        }
        let missing = |path: &Path| path.as_os_str().is_empty();
        if self.uses_tls() {
            if missing(&self.tls_cert_file) {
                return fail("tls-cert-file", "must be set for tls-port and tls-cluster");
            }
            if missing(&self.tls_key_file) {
                return fail("tls-key-file", "must be set for tls-port and tls-cluster");
            }
        }
        if self.checks_certificates() && missing(&self.tls_ca_cert_file) {
            return fail(
                "tls-ca-cert-file",
                "must be set for tls-cluster, and unless tls-auth-clients is no",
            );
        }
        Ok(())
    }
}
