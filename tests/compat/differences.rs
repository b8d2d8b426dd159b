//! Where Rivermark, which follows Redis 8.10, knowingly differs from the redis-server 7.0 it is compared
//! with. docs/compatibility.md lists the same for users. Each has a reason; the list is to stay short.

use rivermark_tests::Reply;

/// Why these two replies may differ, or `None` if they may not.
pub fn reason(command: &[Vec<u8>], redis: &Reply, ours: &Reply) -> Option<&'static str> {
    if !command[0].eq_ignore_ascii_case(b"EXEC") {
        return of_one(redis, ours);
    }
    if matches!(ours, Reply::Error(text) if is_refused_transaction(text)) {
        return Some("a transaction is one log entry, hence of one shard");
    }
    let (Reply::Array(redis), Reply::Array(ours)) = (redis, ours) else { return None };
    if redis.len() != ours.len() {
        return None;
    }
    let differing = redis.iter().zip(ours).filter(|(redis, ours)| redis != ours);
    let reasons: Option<Vec<_>> = differing.map(|(redis, ours)| of_one(redis, ours)).collect();
    reasons?.first().copied()
}

/// Whether the servers' states differ from this reply on, so that what follows is not comparable.
pub fn parts_ways(ours: &Reply) -> bool {
    let Reply::Error(text) = ours else { return false };
    is_refused_transaction(text) || text.ends_with("smaller than current max_deleted_entry_id")
}

fn is_refused_transaction(text: &str) -> bool {
    text.starts_with("CROSSSLOT")
}

const MAX_DELETED: &str = "8.x refuses an XSETID below the greatest deleted id, and before other checks";

fn of_one(redis: &Reply, ours: &Reply) -> Option<&'static str> {
    let Reply::Error(ours) = ours else { return None };
    match redis {
        Reply::Integer(0) if ours.starts_with("ERR Invalid stream ID") => Some(ARGUMENTS_FIRST),
        Reply::Array(_) if ours == "ERR invalid cursor" => Some("a cursor is a decimal number"),
        Reply::Simple(_) if ours.ends_with("smaller than current max_deleted_entry_id") => Some(MAX_DELETED),
        Reply::Error(redis) if redis.starts_with("ERR The ID specified in XSETID is smaller") => {
            ours.starts_with("ERR The ID specified in XSETID is smaller").then_some(MAX_DELETED)
        }
        Reply::Error(redis) if redis.starts_with("ERR Unbalanced XREAD list") => {
            ours.starts_with("ERR Unbalanced 'xread").then_some("8.0 names the command in the text")
        }
        Reply::Error(redis) => {
            let of_missing = redis == "ERR no such key"
                || redis.starts_with("NOGROUP")
                || redis.starts_with("ERR The XGROUP");
            (of_missing && ours.starts_with("ERR ")).then_some(ARGUMENTS_FIRST)
        }
        _ => None,
    }
}

const ARGUMENTS_FIRST: &str =
    "arguments are checked before a command is proposed, so before its key is looked at";
