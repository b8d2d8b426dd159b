//! How much of what a generated history contains.

/// What a history contains. Percentages where not said otherwise.
#[derive(Clone, Copy, Debug)]
pub struct Profile {
    pub clients: usize,
    pub operations: usize,
    pub keys: usize,
    pub deletes: usize,
    pub trims: usize,
    pub groups: usize,
    pub tails: usize,
    pub setids: usize,
    pub delconsumers: usize,
    pub noacks: usize,
    /// Answers lost, before or after the effect.
    pub unknowns: usize,
    /// Nanoseconds of the history to a millisecond of ids.
    pub ns_per_ms: u64,
    /// Reads with a COUNT.
    pub counts: usize,
}

impl Profile {
    /// Streams that only grow.
    pub const PLAIN: Self = Self {
        clients: 5,
        operations: 120,
        keys: 2,
        deletes: 0,
        trims: 0,
        groups: 0,
        tails: 0,
        setids: 0,
        delconsumers: 0,
        noacks: 0,
        unknowns: 6,
        ns_per_ms: 20,
        counts: 40,
    };
    pub const TAILS: Self = Self { tails: 25, ..Self::PLAIN };
    pub const REMOVALS: Self = Self { deletes: 12, trims: 8, operations: 90, ..Self::PLAIN };
    pub const DELETES: Self = Self { deletes: 15, unknowns: 0, ..Self::PLAIN };
    pub const GROUPS: Self = Self { groups: 65, operations: 200, ..Self::PLAIN };
    pub const ALL: Self = Self {
        groups: 45,
        operations: 200,
        tails: 5,
        deletes: 4,
        trims: 3,
        setids: 3,
        delconsumers: 2,
        noacks: 10,
        ..Self::PLAIN
    };
    /// Small enough to try every order.
    pub const TINY: Self = Self {
        clients: 3,
        operations: 7,
        keys: 1,
        deletes: 15,
        trims: 15,
        unknowns: 12,
        ns_per_ms: 1,
        ..Self::PLAIN
    };
}
