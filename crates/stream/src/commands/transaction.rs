//! EXEC: all steps at once, or none.

use super::Change;
use crate::command::{Step, Transaction};
use crate::outcome::Outcome;
use crate::queries::{self, AskedBy, View};

/// Runs the steps in order, unless a watched key changed since. A step that is refused does not stop those
/// after it, as in Redis.
pub(super) fn apply(change: &mut Change<'_>, transaction: &Transaction) -> Outcome {
    let unchanged =
        |(key, version): &(_, u64)| change.keyspace.get(key).map_or(0, |stream| stream.version) == *version;
    if !transaction.watches.iter().all(unchanged) {
        return Outcome::WatchFailed;
    }
    let run = |step: &Step| match step {
        Step::Command(command) => super::apply(change, command),
        Step::Query(query) => {
            let view = View {
                keyspace: change.keyspace,
                settings: change.settings,
                now: change.stamp,
                asked_by: AskedBy::Transaction,
            };
            queries::answer(&view, query)
        }
    };
    Outcome::Transaction(transaction.steps.iter().map(run).collect())
}
