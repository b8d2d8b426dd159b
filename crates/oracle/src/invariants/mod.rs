//! One promise a file. Each `check` takes the evidence and returns what contradicts the promise.

pub mod acked_stays_acked;
pub mod acknowledged_present;
pub mod applied_once;
pub mod cursor_forward;
pub mod deleted_stays_deleted;
pub mod delivered_at_least_once;
pub mod delivery_counts;
pub mod ids_increase;
pub mod linearizable_reads;
pub mod one_consumer;
pub mod only_attempted;
pub mod pending_exact;
pub mod replicas_agree;
pub mod responsive;
pub mod tail_readers;
