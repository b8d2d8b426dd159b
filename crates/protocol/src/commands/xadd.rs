//! `XADD key [NOMKSTREAM] [KEEPREF|DELREF|ACKED] [IDMPAUTO producer | IDMP producer id]
//! [MAXLEN|MINID [=|~] threshold [LIMIT n]] <*|id|ms-*> field value ...`
//!
//! The first word that is no option is the id, so an unknown option is told as an invalid id.

use bytes::Bytes;
use rivermark_stream::command::{IdempotentId, MissingKey, NewEntryId, XAdd};
use rivermark_stream::{Command, Fields};
use rivermark_types::EntryId;

use super::args::Arguments;
use super::content_id::content_id;
use super::ids;
use super::parsed::Parsed;
use super::trim::TrimOptions;
use crate::reply_error::ReplyError;

pub(super) fn parse(mut arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    let key = arguments.key()?;
    let mut missing_key = MissingKey::Create;
    let (mut trim, mut producer) = (TrimOptions::default(), None);
    loop {
        if arguments.peek() == Some(b"*") {
            break;
        } else if arguments.option("NOMKSTREAM", 0) {
            missing_key = MissingKey::Keep;
        } else if !take_producer(&mut arguments, &mut producer)? && !trim.take(&mut arguments)? {
            break;
        }
    }
    let id = arguments.take().map(new_entry_id).transpose()?;
    if producer.is_some() && id.as_ref().is_some_and(|id| *id != NewEntryId::Auto) {
        return Err(ReplyError::IdempotentWithId);
    }
    let trim = trim.finish()?;
    let id = id.ok_or_else(|| arguments.wrong_arity())?;
    let fields = fields(&mut arguments)?;
    if id == NewEntryId::Exact(EntryId::MIN) {
        return Err(ReplyError::EntryIdZero);
    }
    let id = match producer {
        None => id,
        Some((producer, chosen)) => {
            let id = chosen.unwrap_or_else(|| content_id(&fields));
            NewEntryId::Idempotent(IdempotentId { producer, id })
        }
    };
    Ok(Parsed::Command(Command::XAdd(XAdd { key, missing_key, trim, id, fields })))
}

/// A producer and the id it chose, none with IDMPAUTO.
type Producer = (Bytes, Option<Bytes>);

/// Takes IDMP or IDMPAUTO if it is next with all it needs; else it will be told as an invalid id.
fn take_producer(arguments: &mut Arguments<'_>, producer: &mut Option<Producer>) -> Result<bool, ReplyError> {
    let chosen = arguments.option("IDMP", 2);
    if !chosen && !arguments.option("IDMPAUTO", 1) {
        return Ok(false);
    }
    if producer.is_some() {
        return Err(ReplyError::IdempotentTwice);
    }
    let name = arguments.bytes()?;
    if name.is_empty() {
        let option = if chosen { "IDMP" } else { "IDMPAUTO" };
        return Err(ReplyError::IdempotentProducerEmpty(Bytes::from_static(option.as_bytes())));
    }
    let id = if chosen { Some(arguments.bytes()?) } else { None };
    if id.as_ref().is_some_and(Bytes::is_empty) {
        return Err(ReplyError::IdempotentIdOptionEmpty);
    }
    *producer = Some((name, id));
    Ok(true)
}

fn new_entry_id(text: &[u8]) -> Result<NewEntryId, ReplyError> {
    if text == b"*" {
        return Ok(NewEntryId::Auto);
    }
    match text.strip_suffix(b"-*") {
        Some(ms) => Ok(NewEntryId::AutoSequence(ids::millisecond(ms)?)),
        None => Ok(NewEntryId::Exact(ids::strict(text)?)),
    }
}

fn fields(arguments: &mut Arguments<'_>) -> Result<Fields, ReplyError> {
    let left = arguments.left();
    if left == 0 || !left.is_multiple_of(2) {
        return Err(arguments.wrong_arity());
    }
    let (first, request) = (arguments.position(), arguments.request());
    let argument = |index: usize| request.get(index).unwrap_or_default();
    Ok(Fields::from_pairs((first..request.len()).step_by(2).map(|at| (argument(at), argument(at + 1)))))
}
