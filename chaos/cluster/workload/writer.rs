//! Appends entries with payloads of its own. Every other entry is idempotent and sent again until its
//! outcome is known; the rest are sent once.

use rand::Rng;
use rivermark_oracle::Operation;
use rivermark_oracle::operation::Idempotence;

use super::running::Turn;
use crate::client::Answer;

/// After this many sends the outcome stays unknown.
const SENDS_MAX: u32 = 20;

/// Appends one entry.
pub fn act(turn: &mut Turn) {
    let number = turn.turns.to_string();
    let producer = format!("producer-{}", turn.number);
    let payload = format!("{}-{number}", turn.number);
    let idempotence = turn.random.random_bool(0.5).then_some(Idempotence { producer, number });
    let sends = if idempotence.is_some() { SENDS_MAX } else { 1 };
    for _ in 0..sends {
        let add = Operation::Xadd {
            key: turn.key.clone(),
            payload: payload.clone(),
            idempotence: idempotence.clone(),
            max_len: None,
        };
        match turn.client.call(add) {
            Answer::Unknown | Answer::Unsent => {}
            Answer::Reply(_) | Answer::Refused(_) => return,
        }
    }
}
