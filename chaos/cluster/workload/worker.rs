//! A consumer of a group: takes new entries, acks most of them, and takes over what others left.

use std::time::Duration;

use anyhow::{Result, bail};
use rand::Rng;
use rivermark_oracle::Operation;
use rivermark_oracle::operation::{Acknowledgement, ClaimForm, Delivery, GroupFrom, Reply, Wait};
use rivermark_types::EntryId;

use super::running::Turn;
use super::streams::GROUP;
use crate::client::{Answer, Client};

const COUNT_MAX: usize = 20;
/// Entries idle this long are taken over: long enough that a worker that is alive has acked.
const IDLE: Duration = Duration::from_secs(2);
const DRAIN_COUNT: usize = 100;
/// Attempts without an answer before draining is given up.
const DRAIN_FAILURES_MAX: u32 = 100;

/// Takes entries and acks them.
pub fn act(turn: &mut Turn) {
    let consumer = format!("worker-{}", turn.number);
    let (key, count) = (turn.key.clone(), turn.random.random_range(1..=COUNT_MAX));
    let take = if turn.random.random_ratio(1, 8) {
        Operation::Xautoclaim {
            key,
            group: GROUP.to_owned(),
            consumer,
            min_idle_ms: u64::try_from(IDLE.as_millis()).expect("seconds"),
            start: EntryId::MIN,
            count,
            form: ClaimForm::Entries,
        }
    } else {
        let wait = if turn.random.random_bool(0.3) { Wait::Block } else { Wait::No };
        take_new(&turn.key, consumer, count, wait)
    };
    let taken = match turn.client.call(take) {
        Answer::Reply(Reply::Deliveries { entries } | Reply::Claimed { entries, .. }) => entries,
        _ => return,
    };
    if !taken.is_empty() && turn.random.random_bool(0.9) {
        turn.client.call(ack(&turn.key, &taken));
    }
}

/// Takes new entries of a stream's group until there are none, and acks them: how many there were.
///
/// # Errors
/// If the cluster does not answer.
pub fn drain(client: &mut Client, key: &str) -> Result<usize> {
    let (mut drained, mut failures) = (0, 0);
    loop {
        match client.call(take_new(key, "drain".to_owned(), DRAIN_COUNT, Wait::No)) {
            Answer::Reply(Reply::Deliveries { entries }) if entries.is_empty() => return Ok(drained),
            Answer::Reply(Reply::Deliveries { entries }) => {
                drained += entries.len();
                client.call(ack(key, &entries));
            }
            other => {
                failures += 1;
                if failures == DRAIN_FAILURES_MAX {
                    bail!("draining {key}: {other:?}");
                }
            }
        }
    }
}

fn take_new(key: &str, consumer: String, count: usize, wait: Wait) -> Operation {
    Operation::Xreadgroup {
        key: key.to_owned(),
        group: GROUP.to_owned(),
        consumer,
        from: GroupFrom::New,
        count: Some(count),
        wait,
        acknowledgement: Acknowledgement::Expected,
    }
}

fn ack(key: &str, taken: &[Delivery]) -> Operation {
    let ids = taken.iter().map(|delivery| delivery.id).collect();
    Operation::Xack { key: key.to_owned(), group: GROUP.to_owned(), ids }
}
