//! Addresses of nodes: `host:port`, `192.0.2.1:port` or `[2001:db8::1]:port`.
//!
//! Only the shape is checked. Whether a name resolves is for whoever dials it.

use rivermark_types::limits::ADDRESS_BYTES_MAX;

/// Host, without the brackets of IPv6, and port; `None` if the text is no address.
pub fn split(address: &str) -> Option<(&str, u16)> {
    if address.len() > ADDRESS_BYTES_MAX {
        return None;
    }
    let (host, port) = address.rsplit_once(':')?;
    let host = match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']').filter(|inner| inner.contains(':'))?,
        None if host.contains(':') => return None,
        None => host,
    };
    let host_bytes = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:%".contains(&byte);
    if host.is_empty() || !host.bytes().all(host_bytes) {
        return None;
    }
    if port.is_empty() || !port.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    port.parse().ok().filter(|port| *port != 0).map(|port| (host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_and_port_or_nothing() {
        let check = |text: &str, expected: Option<(&str, u16)>| assert_eq!(split(text), expected, "{text:?}");
        check("127.0.0.1:6379", Some(("127.0.0.1", 6379)));
        check("node-1.rivermark.svc:65535", Some(("node-1.rivermark.svc", 65535)));
        check("[::1]:6379", Some(("::1", 6379)));
        check("[fe80::1%eth0]:1", Some(("fe80::1%eth0", 1)));
        for bad in [
            "", ":", "a", ":1", "a:", "a:0", "a:65536", "a:-1", "a:+1", "a b:1", "a\n:1", "::1:6379",
            "[a]:1", "[]:1", "[::1:1", "a,b:1", "a@b:1",
        ] {
            check(bad, None);
        }
        check(&format!("{}:1", "a".repeat(ADDRESS_BYTES_MAX)), None);
    }
}
