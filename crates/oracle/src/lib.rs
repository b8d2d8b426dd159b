//! Histories, a naive model of the broker, and one checker per promise.
//!
//! A test drives a cluster, writes down what each client asked and was told ([`history`]), reads the end
//! state ([`observation`]), and asks [`checker::check`] whether the promises were kept. Simulation and
//! chaos share this crate, so that "correct" has one definition; what is promised and how each check
//! decides is in `docs/consistency.md`.
//!
//! A reported violation is certain: no order of the recorded operations explains what was seen. The
//! reverse does not hold; what a check cannot decide it says so ([`checker::Report::undecided`]).
//!
//! The crate knows nothing of Raft, RESP or the server.

pub mod builder;
mod call;
mod chain;
pub mod checker;
mod evidence;
pub mod history;
mod id_text;
pub mod invariants;
mod linearizable;
pub mod model;
pub mod observation;
pub mod operation;
mod removals;
mod violation;

pub use call::{Call, End};
pub use checker::{Report, Verdict, check};
pub use evidence::{Evidence, GroupEvidence, Handed, Handing, Sighting, StreamEvidence};
pub use history::{Event, EventKind, History, HistoryError};
pub use observation::Observation;
pub use operation::{Operation, Reply};
pub use violation::{Findings, Invariant, Violation};
