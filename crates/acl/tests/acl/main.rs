//! What rules make of a user, how it is shown, and what it may do then.

mod changes;
mod checks;
mod round_trip;
