//! Queries find the leader by themselves, each on its caller's task: the leader serves all that wait with
//! one round of its read barrier, so joining them here would only add a hand-over.

use std::sync::Arc;

use rivermark_stream::{Outcome, Query};
use rivermark_types::NodeId;
use tokio::time::{Instant, sleep, timeout_at};

use super::client::{ClientOptions, Unavailable};
use super::counters::Counters;
use super::endpoint::Refusal;
use super::leader::{LeaderTracker, Seeker};
use super::session::SILENCE_SUSPECT;

/// Asks until a leader answers. A query changes nothing, so every failure may be retried.
pub(super) async fn query(
    tracker: Arc<LeaderTracker>,
    queries: Arc<[Query]>,
    options: ClientOptions,
    counters: Arc<Counters>,
) -> Result<Vec<Outcome>, Unavailable> {
    let deadline = Instant::now() + options.patience();
    let asked = timeout_at(deadline, ask(&tracker, &queries, &counters)).await;
    asked.map_err(|_| Unavailable::NoLeader)
}

async fn ask(tracker: &Arc<LeaderTracker>, queries: &Arc<[Query]>, counters: &Counters) -> Vec<Outcome> {
    let mut believed = tracker.subscribe();
    let mut seeker = Seeker::new(tracker);
    loop {
        counters.queries.increase();
        let answer = match tracker.endpoint(seeker.target()) {
            Some(endpoint) => endpoint.query(tracker.shard(), Arc::clone(queries)),
            None => Box::pin(std::future::ready(Err(Refusal::Unreachable))),
        };
        tokio::pin!(answer);
        let answer = loop {
            tokio::select! {
                answer = &mut answer => break Some(answer),
                _ = believed.changed() => {
                    let leader = *believed.borrow_and_update();
                    if let Some(leader) = leader.filter(|leader| *leader != seeker.target()) {
                        seeker.follow(leader);
                        break None;
                    }
                }
                () = silence(tracker, seeker.target()) => {}
            }
        };
        let pause = match answer {
            None => continue,
            Some(Ok(outcomes)) => {
                seeker.succeeded(tracker);
                return outcomes;
            }
            Some(Err(Refusal::NotLeader { leader })) => seeker.refused(tracker, leader),
            Some(Err(Refusal::Overloaded | Refusal::OutcomeUnknown)) => seeker.busy(),
            Some(Err(Refusal::ShuttingDown | Refusal::Unreachable | Refusal::LinkBroken)) => {
                seeker.unreachable(tracker)
            }
        };
        let Some(pause) = pause else { continue };
        tokio::select! {
            () = sleep(pause) => {}
            _ = believed.changed() => {
                let leader = *believed.borrow_and_update();
                leader.into_iter().for_each(|leader| seeker.follow(leader));
            }
        }
    }
}

/// Passes once a long silence was looked into.
async fn silence(tracker: &Arc<LeaderTracker>, silent: NodeId) {
    sleep(SILENCE_SUSPECT).await;
    tracker.suspect(silent).await;
}
