//! The checkers are checked: correct histories pass, and each kind of broken promise, put into a correct
//! history, is found by the invariant that is there for it.

mod choices;
mod exhaustive;
mod generator;
mod linearizable;
mod mutation;
mod mutations_of_groups;
mod mutations_of_streams;
mod profile;
mod random;
mod scale;
mod soundness;
mod written;
