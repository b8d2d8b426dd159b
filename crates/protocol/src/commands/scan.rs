//! `SCAN cursor [MATCH pattern] [COUNT n] [TYPE type]`

use rivermark_types::KeyPosition;

use super::args::{Arguments, clipped};
use super::parsed::{KeyspaceCommand, Parsed, ScanRequest, ScanTypes};
use crate::reply_error::ReplyError;

const COUNT_DEFAULT: u64 = 10;

pub(super) fn parse(mut arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    let cursor = cursor(arguments.text()?).ok_or(ReplyError::InvalidCursor)?;
    let mut scan = ScanRequest {
        database: arguments.database(),
        cursor: KeyPosition::new(cursor),
        count: COUNT_DEFAULT,
        pattern: None,
        types: ScanTypes::Streams,
    };
    while arguments.left() > 0 {
        if arguments.option("COUNT", 1) {
            scan.count = u64::try_from(arguments.integer()?).map_err(|_| ReplyError::Syntax)?;
            if scan.count == 0 {
                return Err(ReplyError::Syntax);
            }
        } else if arguments.option("MATCH", 1) {
            scan.pattern = Some(arguments.bytes()?);
        } else if arguments.option("TYPE", 1) {
            scan.types = types(&mut arguments)?;
        } else {
            return Err(ReplyError::Syntax);
        }
    }
    Ok(Parsed::Keyspace(KeyspaceCommand::Scan(scan)))
}

fn cursor(text: &[u8]) -> Option<u64> {
    let digits = text.iter().all(u8::is_ascii_digit).then_some(text)?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn types(arguments: &mut Arguments<'_>) -> Result<ScanTypes, ReplyError> {
    const OTHERS: [&str; 5] = ["string", "list", "set", "zset", "hash"];
    let name = arguments.bytes()?;
    let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
    if is("stream") {
        Ok(ScanTypes::Streams)
    } else if OTHERS.into_iter().any(is) {
        Ok(ScanTypes::Nothing)
    } else {
        Err(ReplyError::UnknownType(clipped(&name)))
    }
}
