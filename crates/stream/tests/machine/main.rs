//! The machine's rules that are about more than one command: sessions, transactions, expiry, waiting,
//! scanning, snapshots.

mod blocks;
mod claiming;
mod expiry;
mod moving;
mod scores;
mod sessions;
mod snapshots;
mod transactions;
mod waiting;

use bytes::Bytes;
use rivermark_stream::command::*;
use rivermark_stream::invariants::check;
use rivermark_stream::{Applied, Batch, Command, Fields, Machine, Outcome, Part, PartBuilder, PartOutcome};
use rivermark_types::{ConsumerName, DatabaseIndex, EntryId, GroupName, SessionId, StreamKey, UnixMillis};

fn key(name: &'static str) -> StreamKey {
    StreamKey::new(DatabaseIndex::new(0).expect("database 0 exists"), Bytes::from_static(name.as_bytes()))
}

fn group(name: &'static str) -> GroupName {
    GroupName::new(Bytes::from_static(name.as_bytes()))
}

fn id(ms: u64) -> EntryId {
    EntryId::new(ms, 0)
}

fn at(ms: u64) -> UnixMillis {
    UnixMillis::new(ms)
}

fn xadd(name: &'static str) -> Command {
    Command::XAdd(XAdd {
        key: key(name),
        missing_key: MissingKey::Create,
        trim: None,
        id: NewEntryId::Auto,
        fields: Fields::from_pairs([(&b"f"[..], &b"v"[..])]),
    })
}

fn xgroup_create(name: &'static str, start: GroupStart) -> Command {
    Command::XGroupCreate(XGroupCreate {
        target: GroupRef { key: key(name), group: group("g") },
        start,
        missing_key: MissingKey::Create,
        entries_read: None,
    })
}

fn xreadgroup(name: &'static str, count: u64) -> Command {
    Command::XReadGroup(XReadGroup {
        group: group("g"),
        consumer: ConsumerName::new(Bytes::from_static(b"c")),
        count: Some(count),
        budget: ReadBudget::UNLIMITED,
        claim_min_idle_ms: None,
        acknowledgement: Acknowledgement::Explicit,
        streams: vec![(key(name), GroupReadFrom::New)],
    })
}

fn expire_in(name: &'static str, ms: i64) -> Command {
    Command::Expire(Expire {
        key: key(name),
        deadline: Deadline::InMs(ms),
        condition: ExpireCondition::Always,
        existing_only: ExistingOnly::No,
    })
}

fn part(session: u64, first_sequence: u64, acknowledged_below: u64, commands: &[Command]) -> Part {
    let mut part = PartBuilder::new(SessionId::new(session), first_sequence, acknowledged_below);
    commands.iter().for_each(|command| part.push(command));
    part.finish()
}

fn apply_parts(machine: &mut Machine, stamp: u64, parts: Vec<Part>) -> Applied {
    let applied = machine.apply(&Batch { stamp: at(stamp), parts });
    check(machine).expect("the invariants hold");
    applied
}

/// Applies commands of no session.
fn apply(machine: &mut Machine, stamp: u64, commands: &[Command]) -> Applied {
    apply_parts(machine, stamp, vec![part(0, 0, 0, commands)])
}

fn outcomes(applied: Applied) -> Vec<Outcome> {
    match applied.parts.into_iter().next() {
        Some(PartOutcome::Applied(outcomes)) => outcomes,
        other => panic!("not applied: {other:?}"),
    }
}
