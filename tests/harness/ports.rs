//! Free ports.

use std::net::TcpListener;

use rand::Rng;

/// A port on loopback that nothing listens on, and for which the same holds at each offset given.
pub fn free_base(offsets: &[u16]) -> u16 {
    for _ in 0..1000 {
        let base = rand::rng().random_range(20_000..40_000u16);
        let all_free = offsets.iter().all(|offset| TcpListener::bind(("127.0.0.1", base + offset)).is_ok());
        if all_free {
            return base;
        }
    }
    panic!("no free ports in a thousand tries");
}
