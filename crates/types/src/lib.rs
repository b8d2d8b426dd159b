//! The vocabulary every crate shares: ids, keys, names, time, limits.
//!
//! Nothing here knows a clock's reading, a socket or a file. A value of these types has been
//! validated: code that receives one need not check it again.

mod entry_id;
mod ids;
mod iso_time;
mod keys;
pub mod limits;
mod names;
mod score;
mod slot;
mod time;
mod time_id;

pub use entry_id::{EntryId, ParseEntryIdError};
pub use ids::{ConnectionId, LogIndex, NodeId, SessionId, ShardId, Term};
pub use iso_time::IsoTime;
pub use keys::{DatabaseIndex, KeyPosition, StreamKey};
pub use names::{ConsumerName, GroupName};
pub use score::Score;
pub use slot::{SLOT_COUNT, Slot, hash_tag};
pub use time::{Clock, UnixMillis};
pub use time_id::TimeId;
