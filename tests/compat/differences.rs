//! Where Rivermark, which follows Redis 8.10, knowingly differs from the redis-server 7.0 it is compared
//! with. docs/compatibility.md lists the same for users. Each has a reason; the list is to stay short.

use rivermark_tests::Reply;

/// Why these two replies may differ, or `None` if they may not.
pub fn reason(command: &[Vec<u8>], redis: &Reply, ours: &Reply) -> Option<&'static str> {
    let (Reply::Error(redis), Reply::Error(ours)) = (redis, ours) else { return None };
    let name = String::from_utf8_lossy(&command[0]).to_uppercase();
    if redis.starts_with("ERR Unbalanced XREAD list") && ours.starts_with("ERR Unbalanced 'xread") {
        return Some("8.0 names the command in the text");
    }
    if name == "EXEC" && ours.starts_with("CROSSSLOT") {
        return Some("a transaction is one log entry, hence of one shard");
    }
    None
}
