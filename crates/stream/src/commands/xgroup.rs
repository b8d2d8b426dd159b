//! XGROUP: groups and their consumers come and go.

use std::sync::Arc;

use rivermark_types::EntryId;

use super::{Change, integer};
use crate::command::{ConsumerRef, GroupRef, GroupStart, MissingKey, XGroupCreate, XGroupSetId};
use crate::consumer::Created;
use crate::effect::Effect;
use crate::group::Group;
use crate::keyspace::StreamMut;
use crate::outcome::{Outcome, Rejection};
use crate::stream::Stream;

/// XGROUP CREATE.
pub(super) fn create(change: &mut Change<'_>, command: &XGroupCreate) -> Outcome {
    let GroupRef { key, group } = &command.target;
    let mut stream = match command.missing_key {
        MissingKey::Create => change.keyspace.get_or_create(key),
        MissingKey::Keep => match change.keyspace.get_mut(key) {
            Some(stream) => stream,
            None => return Outcome::Rejected(Rejection::KeyRequiredByXGroup),
        },
    };
    if stream.groups.contains_key(group) {
        return Outcome::Rejected(Rejection::GroupExists);
    }
    let new = Group::new(
        start_id(&stream, command.start),
        command.entries_read.map(|read| read.min(stream.entries_added)),
    );
    stream.groups.insert(group.detached(), Arc::new(new));
    stream.touch();
    Outcome::Done
}

/// XGROUP SETID.
pub(super) fn set_id(change: &mut Change<'_>, command: &XGroupSetId) -> Outcome {
    let mut stream = match stream_of(change, &command.target) {
        Ok(stream) => stream,
        Err(rejection) => return Outcome::Rejected(rejection),
    };
    let start = start_id(&stream, command.start);
    let entries_added = stream.entries_added;
    let Some(group) = stream.group_mut(&command.target.group) else {
        return Outcome::Rejected(no_group(&command.target));
    };
    let moved_back = start < group.last_id;
    group.last_id = start;
    group.entries_read = command.entries_read.map(|read| read.min(entries_added));
    stream.touch();
    if moved_back {
        let GroupRef { key, group } = command.target.clone();
        change.effects.push(Effect::GroupMoved(key, group));
    }
    Outcome::Done
}

/// XGROUP DESTROY: 1, or 0 if there is no such group.
pub(super) fn destroy(change: &mut Change<'_>, target: &GroupRef) -> Outcome {
    let mut stream = match stream_of(change, target) {
        Ok(stream) => stream,
        Err(rejection) => return Outcome::Rejected(rejection),
    };
    if stream.groups.remove(&target.group).is_none() {
        return Outcome::Integer(0);
    }
    stream.touch();
    change.effects.push(Effect::GroupRemoved(target.key.clone(), target.group.clone()));
    Outcome::Integer(1)
}

/// XGROUP CREATECONSUMER: 1, or 0 if it was there.
pub(super) fn create_consumer(change: &mut Change<'_>, target: &ConsumerRef) -> Outcome {
    let stamp = change.stamp;
    with_group(change, target, |group| match group.consumers.find_or_create(&target.consumer, stamp) {
        (_, Created::Yes) => (Outcome::Integer(1), Touched::Yes),
        (_, Created::No) => (Outcome::Integer(0), Touched::No),
    })
}

/// XGROUP DELCONSUMER: how many pending entries went with it.
pub(super) fn delete_consumer(change: &mut Change<'_>, target: &ConsumerRef) -> Outcome {
    with_group(change, target, |group| {
        let Some(consumer) = group.consumers.remove(&target.consumer) else {
            return (Outcome::Integer(0), Touched::No);
        };
        for (id, ()) in consumer.pending.iter() {
            group.pending.remove(*id);
        }
        (integer(consumer.pending.len() as u64), Touched::Yes)
    })
}

enum Touched {
    Yes,
    No,
}

fn with_group(
    change: &mut Change<'_>,
    target: &ConsumerRef,
    act: impl FnOnce(&mut Group) -> (Outcome, Touched),
) -> Outcome {
    let target = GroupRef { key: target.key.clone(), group: target.group.clone() };
    let mut stream = match stream_of(change, &target) {
        Ok(stream) => stream,
        Err(rejection) => return Outcome::Rejected(rejection),
    };
    let Some(group) = stream.group_mut(&target.group) else {
        return Outcome::Rejected(no_group(&target));
    };
    let (outcome, touched) = act(group);
    if matches!(touched, Touched::Yes) {
        stream.touch();
    }
    outcome
}

fn stream_of<'a>(change: &'a mut Change<'_>, target: &GroupRef) -> Result<StreamMut<'a>, Rejection> {
    change.keyspace.get_mut(&target.key).ok_or(Rejection::KeyRequiredByXGroup)
}

fn no_group(target: &GroupRef) -> Rejection {
    Rejection::NoGroup(target.key.detached(), target.group.detached())
}

fn start_id(stream: &Stream, start: GroupStart) -> EntryId {
    match start {
        GroupStart::Last => stream.last_id,
        GroupStart::After(id) => id,
    }
}
