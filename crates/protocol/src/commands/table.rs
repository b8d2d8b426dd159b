//! The command table: every command there is, found by name.
//!
//! Rows are grouped by family, one file each. Names are looked up in an open-addressed index that the compiler
//! builds: one hash of the name as sent, no copy, case ignored.

mod connection;
mod differences;
mod keys;
mod node;
mod streams;
mod users;

use super::spec::CommandSpec;

const FAMILIES: [&[CommandSpec]; 5] =
    [streams::COMMANDS, keys::COMMANDS, connection::COMMANDS, node::COMMANDS, users::COMMANDS];

/// Places in the index: a power of two, several times the number of commands.
const PLACES: usize = 512;
const EMPTY: (u8, u8) = (u8::MAX, u8::MAX);
/// For each place the family and the row within it.
static INDEX: [(u8, u8); PLACES] = build_index();

/// Every command, subcommands left to their containers.
pub fn all() -> impl Iterator<Item = &'static CommandSpec> {
    FAMILIES.into_iter().flatten()
}

/// The command of this name, in any case.
pub fn find(name: &[u8]) -> Option<&'static CommandSpec> {
    let mut place = hash(name) % PLACES;
    loop {
        let (family, row) = INDEX[place];
        if (family, row) == EMPTY {
            return None;
        }
        let spec = &FAMILIES[family as usize][row as usize];
        if spec.name.as_bytes().eq_ignore_ascii_case(name) {
            return Some(spec);
        }
        place = (place + 1) % PLACES;
    }
}

/// The command or subcommand of this full name, `xadd` or `xgroup|create`, in any case.
pub fn find_full(name: &[u8]) -> Option<&'static CommandSpec> {
    match name.iter().position(|byte| *byte == b'|') {
        None => find(name),
        Some(bar) => find(&name[..bar])?.subcommand(&name[bar + 1..]),
    }
}

/// What differs from the command of Redis of this full name, and why.
pub fn differences() -> impl Iterator<Item = (&'static str, &'static str)> {
    differences::DIFFERENCES.iter().copied()
}

/// FNV-1a over the name in lower case.
const fn hash(name: &[u8]) -> usize {
    let mut hash = 0x811c_9dc5_u32;
    let mut at = 0;
    while at < name.len() {
        hash = (hash ^ name[at].to_ascii_lowercase() as u32).wrapping_mul(0x0100_0193);
        at += 1;
    }
    (hash ^ (hash >> 15)) as usize
}

const fn build_index() -> [(u8, u8); PLACES] {
    let mut index = [EMPTY; PLACES];
    let mut family = 0;
    while family < FAMILIES.len() {
        let mut row = 0;
        while row < FAMILIES[family].len() {
            let mut place = hash(FAMILIES[family][row].name.as_bytes()) % PLACES;
            while index[place].0 != EMPTY.0 {
                place = (place + 1) % PLACES;
            }
            index[place] = (family as u8, row as u8);
            row += 1;
        }
        family += 1;
    }
    index
}
