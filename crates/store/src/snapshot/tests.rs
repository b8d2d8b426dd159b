//! What a snapshot file promises.
