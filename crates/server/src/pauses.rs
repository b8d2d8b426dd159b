//! CLIENT PAUSE: holds commands back on this node for a while.

use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use rivermark_protocol::commands::parsed::PauseScope;
use std::sync::Arc;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// The pause in force, if any.
#[derive(Clone, Debug, Default)]
pub struct Pauses {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    active: Mutex<Option<Active>>,
    changed: Notify,
}

#[derive(Clone, Copy, Debug)]
struct Active {
    until: Instant,
    scope: PauseScope,
}

impl Pauses {
    /// Begins a pause, or lengthens and widens the one in force.
    pub fn pause(&self, time: Duration, scope: PauseScope) {
        let until = Instant::now() + time;
        let mut active = self.shared.active.lock();
        *active = Some(match *active {
            Some(Active { until: known, scope: PauseScope::All }) if known > Instant::now() => {
                Active { until: known.max(until), scope: PauseScope::All }
            }
            Some(Active { until: known, .. }) => Active { until: known.max(until), scope },
            None => Active { until, scope },
        });
    }

    /// Ends it.
    pub fn end(&self) {
        *self.shared.active.lock() = None;
        self.shared.changed.notify_waiters();
    }

    /// Resolves when a request that writes (or not) may go on; `None` if it may at once.
    pub fn holds(&self, writes: bool) -> Option<BoxFuture<'static, ()>> {
        let mut active = self.shared.active.lock();
        let Active { until, scope } = (*active)?;
        if until <= Instant::now() {
            *active = None;
            return None;
        }
        if scope == PauseScope::Writes && !writes {
            return None;
        }
        let shared = Arc::clone(&self.shared);
        let ended = async move { shared.changed.notified().await };
        Some(
            async move {
                tokio::select! { () = sleep_until(until) => {}, () = ended => {} }
            }
            .boxed(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_pause_of_writes_lets_reads_through() {
        let pauses = Pauses::default();
        assert!(pauses.holds(true).is_none());
        pauses.pause(Duration::from_secs(5), PauseScope::Writes);
        assert!(pauses.holds(false).is_none());
        let began = Instant::now();
        pauses.holds(true).expect("writes are held").await;
        assert_eq!(began.elapsed(), Duration::from_secs(5));
        assert!(pauses.holds(true).is_none());
    }

    #[tokio::test]
    async fn unpause_ends_it_at_once() {
        let pauses = Pauses::default();
        pauses.pause(Duration::from_secs(3600), PauseScope::All);
        let held = tokio::spawn(pauses.holds(false).expect("all are held"));
        while !held.is_finished() {
            tokio::task::yield_now().await;
            pauses.end();
        }
    }
}
