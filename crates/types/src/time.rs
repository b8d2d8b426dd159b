//! Time as data. Only the edge of the process reads a clock; everything below is handed a reading.

/// Milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixMillis(u64);

impl UnixMillis {
    /// The instant `ms` milliseconds after the epoch.
    pub const fn new(ms: u64) -> Self {
        Self(ms)
    }

    /// Milliseconds since the epoch.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Milliseconds from `earlier` to `self`; zero if `earlier` is later.
    pub const fn since_ms(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// A source of wall-clock time: the operating system's in production, a seeded one in simulation.
pub trait Clock: Send + Sync + 'static {
    /// The present. May step back; callers that need monotone stamps keep the greatest seen.
    fn now(&self) -> UnixMillis;
}
