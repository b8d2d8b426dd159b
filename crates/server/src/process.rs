//! What the operating system says of this process. Zero where it does not say.

use std::time::Duration;

const TICKS_PER_SECOND: u64 = 100;

/// Memory that is resident.
pub fn resident_bytes() -> u64 {
    bytes_of("/proc/self/status", "VmRSS:")
}

/// The most memory that ever was resident.
pub fn peak_bytes() -> u64 {
    bytes_of("/proc/self/status", "VmHWM:")
}

/// The memory of the machine.
pub fn system_bytes() -> u64 {
    bytes_of("/proc/meminfo", "MemTotal:")
}

fn bytes_of(file: &str, name: &str) -> u64 {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let kib = line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

/// Processor time spent in user and system mode.
pub fn processor_time() -> (Duration, Duration) {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name in parentheses may hold blanks; utime and stime are fields 14 and 15.
    let fields: Vec<u64> = stat
        .rsplit_once(") ")
        .map(|(_, rest)| rest.split(' ').map(|field| field.parse().unwrap_or(0)).collect())
        .unwrap_or_default();
    let ticks =
        |index: usize| Duration::from_millis(fields.get(index).unwrap_or(&0) * 1000 / TICKS_PER_SECOND);
    (ticks(11), ticks(12))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_tells_about_this_process() {
        assert!(resident_bytes() > 1024 * 1024 && peak_bytes() >= resident_bytes() / 2);
        assert!(system_bytes() > resident_bytes());
        let spin = std::time::Instant::now();
        while spin.elapsed() < Duration::from_millis(50) {
            std::hint::spin_loop();
        }
        let (user, system) = processor_time();
        assert!(user + system > Duration::ZERO);
    }
}
