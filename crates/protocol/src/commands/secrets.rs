//! Which arguments are nobody's business: they are left out of the slow log and of MONITOR.

use super::spec::CommandSpec;
use crate::resp::Request;

/// Parameters of CONFIG SET whose value is a secret.
const SECRET_PARAMETERS: [&[u8]; 3] = [b"requirepass", b"masterauth", b"tls-key-file-pass"];

impl CommandSpec {
    /// Whether the argument at `index` of a request of this command is a secret.
    pub fn is_secret(&self, request: &Request, index: usize) -> bool {
        let before = |back: usize| index.checked_sub(back).and_then(|at| request.get(at)).unwrap_or_default();
        match self.name {
            "auth" => index > 0,
            "hello" => [1, 2].into_iter().any(|back| before(back).eq_ignore_ascii_case(b"auth")),
            "config|set" => {
                // Parameters stand at even places, from the third word on.
                index >= 3
                    && index % 2 == 1
                    && SECRET_PARAMETERS.iter().any(|name| before(1).eq_ignore_ascii_case(name))
            }
            // Names and rules alike: a rule may be a password.
            "acl|setuser" => index >= 2,
            _ => false,
        }
    }
}
