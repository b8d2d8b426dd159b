//! What a connection's buffers hold and what its socket carried: atomics its task writes and CLIENT LIST reads.

use std::sync::atomic::{AtomicI32, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

/// As of the last time the connection waited for something.
#[derive(Debug, Default)]
pub struct Levels {
    descriptor: AtomicI32,
    input_bytes: AtomicUsize,
    input_capacity: AtomicUsize,
    output_bytes: AtomicUsize,
    output_capacity: AtomicUsize,
    /// Bit 0: waits to read; bit 1: waits to write.
    interest: AtomicUsize,
    total_input: AtomicU64,
    total_output: AtomicU64,
    /// Since it connected, in milliseconds, until bytes last came or went.
    active_ms: AtomicU64,
}

/// A buffer's fill.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fill {
    /// Bytes in it.
    pub bytes: usize,
    /// Bytes it takes in memory.
    pub capacity: usize,
}

impl Fill {
    /// Of a buffer.
    pub fn of(buffer: &bytes::BytesMut) -> Self {
        Self { bytes: buffer.len(), capacity: buffer.capacity() }
    }
}

impl Levels {
    /// Notes the socket's number.
    pub fn set_descriptor(&self, descriptor: i32) {
        self.descriptor.store(descriptor, Ordering::Relaxed);
    }

    /// The socket's number.
    pub fn descriptor(&self) -> i32 {
        self.descriptor.load(Ordering::Relaxed)
    }

    /// Notes what the buffers hold.
    pub fn set_buffers(&self, input: Fill, output: Fill) {
        self.input_bytes.store(input.bytes, Ordering::Relaxed);
        self.input_capacity.store(input.capacity, Ordering::Relaxed);
        self.output_bytes.store(output.bytes, Ordering::Relaxed);
        self.output_capacity.store(output.capacity, Ordering::Relaxed);
    }

    /// What was read and not decoded.
    pub fn input(&self) -> Fill {
        Fill {
            bytes: self.input_bytes.load(Ordering::Relaxed),
            capacity: self.input_capacity.load(Ordering::Relaxed),
        }
    }

    /// What was not sent yet.
    pub fn output(&self) -> Fill {
        Fill {
            bytes: self.output_bytes.load(Ordering::Relaxed),
            capacity: self.output_capacity.load(Ordering::Relaxed),
        }
    }

    /// Notes what the socket is waited for.
    pub fn set_interest(&self, reads: bool, writes: bool) {
        self.interest.store(usize::from(reads) | usize::from(writes) << 1, Ordering::Relaxed);
    }

    /// What the socket is waited for, as CLIENT LIST writes it.
    pub fn events(&self) -> &'static str {
        ["", "r", "w", "rw"][self.interest.load(Ordering::Relaxed) & 3]
    }

    /// Counts bytes read.
    pub fn add_input(&self, bytes: u64) {
        self.total_input.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Counts bytes written.
    pub fn add_output(&self, bytes: u64) {
        self.total_output.fetch_add(bytes, Ordering::Relaxed);
    }

    /// All bytes read and all bytes written.
    pub fn totals(&self) -> (u64, u64) {
        (self.total_input.load(Ordering::Relaxed), self.total_output.load(Ordering::Relaxed))
    }

    pub(super) fn touch(&self, age: Duration) {
        let ms = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
        self.active_ms.store(ms, Ordering::Relaxed);
    }

    pub(super) fn last_active(&self) -> Duration {
        Duration::from_millis(self.active_ms.load(Ordering::Relaxed))
    }
}
