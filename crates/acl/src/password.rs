//! Passwords are kept as SHA-256, as Redis keeps them: meant for long random ones (ACL GENPASS), which need no
//! slow hash, so that logging in stays cheap.

use rivermark_cluster::users::{PasswordHash, Passwords};
use sha2::{Digest, Sha256};

/// The hash of a password.
pub fn hash(password: &[u8]) -> PasswordHash {
    PasswordHash(Sha256::digest(password).into())
}

/// Reads a hash as it is written: 64 hexadecimal digits in lower case.
pub fn parse_hash(text: &[u8]) -> Option<PasswordHash> {
    let mut bytes = [0; 32];
    if text.len() != 2 * bytes.len() {
        return None;
    }
    for (byte, digits) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        *byte = digit(digits[0])? << 4 | digit(digits[1])?;
    }
    Some(PasswordHash(bytes))
}

/// Writes a hash.
pub fn hash_text(hash: &PasswordHash) -> String {
    hash.0.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether a password is one that is accepted.
pub fn is_accepted(passwords: &Passwords, given: &[u8]) -> bool {
    match passwords {
        Passwords::NotAsked => true,
        Passwords::AnyOf(accepted) => {
            let given = hash(given);
            accepted.iter().fold(false, |found, one| found | equal_in_constant_time(&one.0, &given.0))
        }
    }
}

/// Takes as long for a hash that is almost right as for one that is all wrong.
fn equal_in_constant_time(known: &[u8; 32], given: &[u8; 32]) -> bool {
    let difference = known.iter().zip(given).fold(0, |all, (a, b)| std::hint::black_box(all | (a ^ b)));
    std::hint::black_box(difference) == 0
}

fn digit(text: u8) -> Option<u8> {
    match text {
        b'0'..=b'9' => Some(text - b'0'),
        b'a'..=b'f' => Some(text - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OF_PW: &str = "30c952fab122c3f9759f02a6d95c3758b246b4fee239957b2d4fee46e26170c4";

    #[test]
    fn hashes_are_those_of_redis() {
        assert_eq!(hash_text(&hash(b"pw")), OF_PW);
        assert_eq!(parse_hash(OF_PW.as_bytes()), Some(hash(b"pw")));
        for bad in [&OF_PW[1..], &OF_PW.to_uppercase(), &OF_PW.replace('3', "g"), "", &format!("{OF_PW}0")] {
            assert_eq!(parse_hash(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn any_of_several_passwords_is_accepted_and_nothing_else() {
        let two = Passwords::AnyOf(vec![hash(b"one"), hash(b"two")]);
        assert!(is_accepted(&two, b"one") && is_accepted(&two, b"two"));
        for wrong in ["", "on", "oneone", "One", "onetwo"] {
            assert!(!is_accepted(&two, wrong.as_bytes()), "{wrong}");
        }
        assert!(!is_accepted(&Passwords::AnyOf(Vec::new()), b""));
        assert!(is_accepted(&Passwords::NotAsked, b"whatever"));
    }
}
