//! `XADD key [NOMKSTREAM] [MAXLEN|MINID [=|~] threshold [LIMIT n]] <*|id|ms-*> field value ...`
//!
//! The first word that is no option is the id, so an unknown option is told as an invalid id.

use rivermark_stream::command::{MissingKey, NewEntryId, XAdd};
use rivermark_stream::{Command, Fields};
use rivermark_types::EntryId;

use super::args::Arguments;
use super::ids;
use super::parsed::Parsed;
use super::trim::TrimOptions;
use crate::reply_error::ReplyError;

pub(super) fn parse(mut arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    let key = arguments.key()?;
    let mut missing_key = MissingKey::Create;
    let mut trim = TrimOptions::default();
    loop {
        if arguments.peek() == Some(b"*") {
            break;
        } else if arguments.option("NOMKSTREAM", 0) {
            missing_key = MissingKey::Keep;
        } else if !trim.take(&mut arguments)? {
            break;
        }
    }
    let id = arguments.take().map(new_entry_id).transpose()?;
    let trim = trim.finish()?;
    let id = id.ok_or_else(|| arguments.wrong_arity())?;
    let fields = fields(&mut arguments)?;
    if id == NewEntryId::Exact(EntryId::MIN) {
        return Err(ReplyError::EntryIdZero);
    }
    Ok(Parsed::Command(Command::XAdd(XAdd { key, missing_key, trim, id, fields })))
}

fn new_entry_id(text: &[u8]) -> Result<NewEntryId, ReplyError> {
    if text == b"*" {
        return Ok(NewEntryId::Auto);
    }
    match text.strip_suffix(b"-*") {
        Some(ms) if !ms.contains(&b'-') => Ok(NewEntryId::AutoSequence(ids::strict(ms)?.ms)),
        _ => Ok(NewEntryId::Exact(ids::strict(text)?)),
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
