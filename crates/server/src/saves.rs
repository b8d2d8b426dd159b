//! SAVE and BGSAVE: when this node's replicas were last snapshotted on demand, and whether they are just now.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rivermark_protocol::ReplyError;
use tokio::time::Instant;

use crate::clock::unix_time;
use crate::node::Node;

/// How long a replica may take for its snapshot.
const SAVE_MAX: Duration = Duration::from_secs(600);

/// What is known of saves.
#[derive(Debug)]
pub struct Saves {
    state: Mutex<State>,
}

#[derive(Clone, Debug)]
struct State {
    last_unix_s: u64,
    last_took: Option<Duration>,
    last_failed: bool,
    /// Since when one is under way.
    since: Option<Instant>,
    /// BGSAVE SCHEDULE: another follows.
    scheduled: bool,
}

/// What INFO tells of saves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SavesTold {
    /// When the last one succeeded, or the node started.
    pub last_unix_s: u64,
    /// How long the last one took, if there was one.
    pub last_took: Option<Duration>,
    /// Whether the last one failed.
    pub last_failed: bool,
    /// For how long one has been under way.
    pub under_way: Option<Duration>,
}

impl Saves {
    /// None since the start at this time.
    pub fn new(started_unix_s: u64) -> Self {
        let state = State {
            last_unix_s: started_unix_s,
            last_took: None,
            last_failed: false,
            since: None,
            scheduled: false,
        };
        Self { state: Mutex::new(state) }
    }

    /// As things stand.
    pub fn told(&self) -> SavesTold {
        let state = self.state.lock();
        SavesTold {
            last_unix_s: state.last_unix_s,
            last_took: state.last_took,
            last_failed: state.last_failed,
            under_way: state.since.map(|since| since.elapsed()),
        }
    }

    fn begin(&self) -> Result<(), ReplyError> {
        let mut state = self.state.lock();
        if state.since.is_some() {
            return Err(ReplyError::SaveInProgress);
        }
        state.since = Some(Instant::now());
        Ok(())
    }

    /// Ends one; whether another is to follow.
    fn end(&self, failed: bool) -> bool {
        let mut state = self.state.lock();
        state.last_took = state.since.take().map(|since| since.elapsed());
        state.last_failed = failed;
        if !failed {
            state.last_unix_s = unix_time().0;
        }
        std::mem::take(&mut state.scheduled)
    }

    fn schedule(&self) {
        self.state.lock().scheduled = true;
    }
}

/// SAVE: snapshots every replica of this node.
///
/// # Errors
/// One is under way, there are no replicas, or a snapshot could not be taken.
pub async fn save(node: &Arc<Node>) -> Result<(), ReplyError> {
    node.saves.begin()?;
    let saved = run(node).await;
    if node.saves.end(saved.is_err()) {
        save_in_background(node, true)?;
    }
    saved
}

/// BGSAVE: begins to, or with `scheduled` does so after the one under way. Answers whether it was put off.
///
/// # Errors
/// One is under way and this one was not to be put off, or there are no replicas.
pub fn save_in_background(node: &Arc<Node>, scheduled: bool) -> Result<bool, ReplyError> {
    if node.raft.statuses().is_empty() {
        return Err(ReplyError::NothingToSave);
    }
    match node.saves.begin() {
        Err(_) if scheduled => {
            node.saves.schedule();
            return Ok(true);
        }
        begun => begun?,
    }
    let node = Arc::clone(node);
    tokio::spawn(async move {
        loop {
            let saved = run(&node).await;
            if let Err(error) = &saved {
                tracing::error!(%error, "a background save failed");
            }
            if !node.saves.end(saved.is_err()) || node.saves.begin().is_err() {
                return;
            }
        }
    });
    Ok(false)
}

async fn run(node: &Node) -> Result<(), ReplyError> {
    match node.raft.save(SAVE_MAX).await {
        Ok(0) => Err(ReplyError::NothingToSave),
        Ok(_) => Ok(()),
        Err(error) => Err(ReplyError::SaveFailed(error.to_string().into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time_and_one_more_on_request() {
        let saves = Saves::new(5);
        assert_eq!(saves.told().last_unix_s, 5);
        saves.begin().expect("none is under way");
        assert_eq!(saves.begin(), Err(ReplyError::SaveInProgress));
        assert!(saves.told().under_way.is_some());
        saves.schedule();
        assert!(saves.end(true), "another was asked for");
        assert_eq!((saves.told().last_unix_s, saves.told().last_failed), (5, true));
        saves.begin().expect("the other one");
        assert!(!saves.end(false));
        let told = saves.told();
        assert!(told.last_unix_s > 5 && told.last_took.is_some() && !told.last_failed);
    }
}
