//! Blocked readers, from the router's side: a wait is parked at the leader of each of its shards and
//! follows that leadership around until it is served, times out or is dropped.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::select_all;
use rivermark_types::NodeId;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};

use super::counters::Counters;
use super::endpoint::{Registration, WaitCondition, WaitEvent};
use super::leader::{LeaderTracker, Seeker};

/// Why a wait came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// A condition held a moment ago: run the whole command again. If it finds nothing, call
    /// [`Wait::woken`] again; if it is served, drop the [`Wait`] soon, because entries of a group are kept
    /// for it.
    Woken,
    /// The deadline passed.
    TimedOut,
    /// The deadline passed while a shard had no leader to wait at.
    NoLeader,
}

/// A blocked read. It keeps its place in every queue until it is dropped, which ends it at once.
pub struct Wait {
    parked: Vec<Parked>,
    deadline: Option<Instant>,
    counters: Arc<Counters>,
}

impl Wait {
    pub(super) fn new(
        conditions: Vec<(Arc<LeaderTracker>, WaitCondition)>,
        deadline: Option<Instant>,
        counters: Arc<Counters>,
    ) -> Self {
        counters.waits.add(conditions.len() as u64);
        let parked: Vec<Parked> =
            conditions.into_iter().map(|(tracker, condition)| Parked::new(tracker, condition)).collect();
        Self { parked, deadline, counters }
    }

    /// Waits until a condition holds or the deadline passes. May be called again after [`Wake::Woken`].
    /// Cancelling the call loses nothing.
    pub async fn woken(&mut self) -> Wake {
        for parked in &mut self.parked {
            parked.rearm();
        }
        let deadline = self.deadline;
        let any = async {
            if self.parked.is_empty() {
                return std::future::pending().await;
            }
            select_all(self.parked.iter_mut().map(|parked| Box::pin(parked.woken()))).await;
        };
        let woken = match deadline {
            Some(deadline) => timeout_at(deadline, any).await.is_ok(),
            None => {
                any.await;
                true
            }
        };
        match woken {
            true => Wake::Woken,
            false if self.parked.iter().all(|parked| parked.registration.is_some()) => Wake::TimedOut,
            false => Wake::NoLeader,
        }
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        self.counters.waits.subtract(self.parked.len() as u64);
    }
}

/// One shard's share of a wait.
struct Parked {
    tracker: Arc<LeaderTracker>,
    condition: WaitCondition,
    seeker: Seeker,
    believed: watch::Receiver<Option<NodeId>>,
    /// Where it is parked, if it is.
    registration: Option<Registration>,
    /// Woken and not yet rearmed.
    woken: bool,
    /// How long to stay away from the leaders after they refused.
    pause: Option<Duration>,
}

impl Parked {
    fn new(tracker: Arc<LeaderTracker>, condition: WaitCondition) -> Self {
        let seeker = Seeker::new(&tracker);
        let believed = tracker.subscribe();
        Self { tracker, condition, seeker, believed, registration: None, woken: false, pause: None }
    }

    fn rearm(&mut self) {
        if std::mem::take(&mut self.woken)
            && let Some(registration) = &self.registration
        {
            registration.rearm();
        }
    }

    /// Every await here may be given up and begun again: what was learned is kept in `self`.
    async fn woken(&mut self) {
        loop {
            if let Some(pause) = self.pause {
                tokio::select! {
                    () = sleep(pause) => {}
                    Ok(()) = self.believed.changed() => self.follow(),
                }
                self.pause = None;
            }
            if self.registration.is_none()
                && let Some(endpoint) = self.tracker.endpoint(self.seeker.target())
            {
                let registration =
                    Registration::new(&*endpoint, self.tracker.shard(), self.condition.clone());
                self.registration = Some(registration);
            }
            let event = tokio::select! {
                event = event_of(self.registration.as_mut()) => event,
                Ok(()) = self.believed.changed() => {
                    self.follow();
                    continue;
                }
            };
            match event {
                WaitEvent::Woken => {
                    self.woken = true;
                    self.seeker.succeeded(&self.tracker);
                    return;
                }
                WaitEvent::Moved { leader } => {
                    self.registration = None;
                    self.pause = self.seeker.refused(&self.tracker, leader);
                }
                WaitEvent::Unreachable => {
                    self.registration = None;
                    self.pause = self.seeker.unreachable(&self.tracker);
                }
            }
        }
    }

    /// Goes to the leader others found, if it is another.
    fn follow(&mut self) {
        let believed = *self.believed.borrow_and_update();
        if let Some(leader) = believed.filter(|leader| *leader != self.seeker.target()) {
            self.registration = None;
            self.seeker.follow(leader);
        }
    }
}

async fn event_of(registration: Option<&mut Registration>) -> WaitEvent {
    match registration {
        Some(registration) => registration.event().await,
        None => WaitEvent::Unreachable,
    }
}
