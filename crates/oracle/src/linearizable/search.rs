//! Decides a stream with removals by searching for an order.
//!
//! Events are walked in time order with the set of states the stream can be in. When an operation ends,
//! each state must have it in its order already or be extended, by operations that are outstanding,
//! until it has; a state that cannot is dropped, and if none is left there is no order. This is the
//! just-in-time search of Wing, Gong and Lowe with two savings: adds are taken in chain order only, and
//! a read joins the order as soon as a state fits it, which loses nothing because it changes nothing.
//! What is left to branch on are removals that overlap with other operations or whose outcome is
//! unknown. The search gives up, undecided, after [`STEPS_MAX`] branchings.

use std::collections::{BTreeSet, HashSet};

use rivermark_types::EntryId;

use crate::call::Call;
use crate::chain::Chain;
use crate::evidence::StreamEvidence;
use crate::linearizable::config::Config;
use crate::linearizable::{Read, Shape};
use crate::operation::{Operation, Precision, Reply, TrimBound};
use crate::violation::{Invariant, Violation};

/// Branchings after which a stream is left undecided.
const STEPS_MAX: usize = 100_000;

/// What the search found.
pub(crate) enum Outcome {
    /// There is an order.
    Linearizable,
    /// There is none.
    Violated(Violation),
    /// The bound was met.
    Undecided,
}

/// Searches for an order of everything in `stream`.
pub(crate) fn check(stream: &StreamEvidence<'_>, chain: &Chain<'_>, reads: &[Read<'_>]) -> Outcome {
    let items = items_of(stream, chain, reads);
    let mut moments: Vec<(u64, bool, usize)> = Vec::new();
    for (index, item) in items.iter().enumerate() {
        moments.push((item.from_ns, false, index));
        if item.by_ns != u64::MAX {
            moments.push((item.by_ns, true, index));
        }
    }
    moments.sort_unstable();
    let mut search = Search { chain, items: &items, open: Vec::new(), steps: 0 };
    let mut configs = vec![Config::default()];
    for (_, ends, index) in moments {
        if !ends {
            search.open.push(index);
            configs.iter_mut().for_each(|config| search.settle_one(config, index));
            continue;
        }
        let before = configs.len();
        let Some(kept) = search.extend(configs, index) else { return Outcome::Undecided };
        search.open.retain(|open| *open != index);
        if kept.is_empty() {
            return Outcome::Violated(search.explain(stream, index, before));
        }
        configs = kept;
    }
    Outcome::Linearizable
}

/// What an operation does to, or says of, the stream.
enum Step<'a> {
    Add {
        place: usize,
        max_len: Option<u64>,
    },
    AddUnseen {
        max_len: Option<u64>,
    },
    /// `gaps` are where the entries of unknown ids would be, if they are those of unseen ones.
    Delete {
        places: Vec<usize>,
        gaps: Vec<usize>,
        removed: Option<u64>,
    },
    Trim {
        bound: TrimBound,
        precision: Precision,
        removed: Option<u64>,
    },
    Look(&'a Shape),
}

struct Item<'a> {
    call: Option<&'a Call>,
    from_ns: u64,
    by_ns: u64,
    step: Step<'a>,
}

fn items_of<'a>(stream: &StreamEvidence<'a>, chain: &Chain<'a>, reads: &'a [Read<'a>]) -> Vec<Item<'a>> {
    let mut items = Vec::new();
    let mut push = |call: &'a Call, step| {
        items.push(Item { call: Some(call), from_ns: call.invoked_ns, by_ns: call.effective_by_ns(), step });
    };
    for (place, link) in chain.links.iter().enumerate() {
        for writer in &link.writers {
            push(writer, Step::Add { place, max_len: max_len_of(writer) });
        }
    }
    for call in &chain.unseen {
        push(call, Step::AddUnseen { max_len: max_len_of(call) });
    }
    for call in stream.calls.iter().filter(|call| call.may_have_happened()) {
        let removed = match call.reply() {
            Some(Reply::Count { count }) => Some(*count),
            _ => None,
        };
        match &call.operation {
            Operation::Xdel { ids, .. } => {
                let places = ids.iter().filter_map(|id| chain.position(*id)).collect();
                let unknown: BTreeSet<_> = ids.iter().filter(|id| chain.position(**id).is_none()).collect();
                let gap = |id: &&EntryId| chain.links.partition_point(|link| link.id < **id);
                let gaps = unknown.iter().map(gap).collect();
                push(call, Step::Delete { places, gaps, removed });
            }
            Operation::Xtrim { bound, precision, .. } => {
                push(call, Step::Trim { bound: *bound, precision: *precision, removed });
            }
            _ => {}
        }
    }
    for read in reads {
        let (from_ns, by_ns) = (read.from_ns, read.by_ns);
        items.push(Item { call: read.call, from_ns, by_ns, step: Step::Look(&read.shape) });
    }
    items
}

fn max_len_of(call: &Call) -> Option<u64> {
    match &call.operation {
        Operation::Xadd { max_len, .. } => *max_len,
        _ => None,
    }
}

struct Search<'a> {
    chain: &'a Chain<'a>,
    items: &'a [Item<'a>],
    /// Operations begun and not ended.
    open: Vec<usize>,
    steps: usize,
}

impl Search<'_> {
    /// The states that follow from `configs` with `index` in their order; none if the bound was met.
    fn extend(&mut self, configs: Vec<Config>, index: usize) -> Option<Vec<Config>> {
        let alone = configs.len() == 1;
        let mut todo = configs;
        let mut seen: HashSet<Config> = HashSet::new();
        let mut kept = Vec::new();
        while let Some(mut config) = todo.pop() {
            if self.is_done(&config, index) {
                config.done.remove(&index);
                kept.push(config);
                continue;
            }
            let mut next = self.successors(config);
            // One way on needs no memory: nothing else can arrive at the same state.
            if alone && todo.is_empty() && seen.is_empty() && kept.is_empty() && next.len() == 1 {
                todo.append(&mut next);
                continue;
            }
            self.steps += next.len();
            if self.steps > STEPS_MAX {
                return None;
            }
            todo.extend(next.into_iter().filter(|config| seen.insert(config.clone())));
        }
        if kept.len() > 1 {
            let mut distinct = HashSet::new();
            kept.retain(|config: &Config| distinct.insert(config.clone()));
        }
        Some(kept)
    }

    fn is_done(&self, config: &Config, index: usize) -> bool {
        match self.items[index].step {
            Step::Add { place, .. } => config.added > place,
            _ => config.done.contains(&index),
        }
    }

    /// Every state one operation further.
    fn successors(&self, config: Config) -> Vec<Config> {
        let mut found = Vec::new();
        let mut next_add = None;
        for index in self.open.iter().copied() {
            match &self.items[index].step {
                Step::Look(_) => {}
                // Which of several retries adds the entry makes no difference.
                Step::Add { place, .. } => {
                    if *place == config.added {
                        next_add = Some(index);
                    }
                }
                _ if config.done.contains(&index) => {}
                _ => self.take(&config, index, &mut found),
            }
        }
        if let Some(index) = next_add {
            let Step::Add { max_len, .. } = self.items[index].step else { return found };
            let mut next = config;
            next.add(max_len);
            found.push(next);
        }
        found.iter_mut().for_each(|config| self.settle(config));
        found
    }

    /// The states after the removal, or unseen add, `index`.
    fn take(&self, config: &Config, index: usize, found: &mut Vec<Config>) {
        let mut done = config.clone();
        done.done.insert(index);
        let fits = |count: usize, removed: &Option<u64>| match removed {
            Some(removed) => *removed == count as u64,
            // A removal of unknown outcome that removes nothing need not be in the order.
            None => count > 0,
        };
        match &self.items[index].step {
            Step::AddUnseen { max_len } => {
                done.add_unseen(*max_len);
                found.push(done);
            }
            Step::Delete { places, gaps, removed } => {
                let count = done.delete(places);
                let mut each = vec![(count, done)];
                for gap in gaps {
                    let also = each.iter().filter_map(|(count, config)| {
                        let mut config = config.clone();
                        config.delete_unseen(*gap).then_some((count + 1, config))
                    });
                    let also: Vec<_> = also.collect();
                    each.extend(also);
                }
                let fitting = each.into_iter().filter(|(count, _)| fits(*count, removed));
                found.extend(fitting.map(|(_, config)| config));
            }
            Step::Trim { bound, precision, removed } => {
                let counts = config.trimmable(self.chain, *bound, *precision);
                for count in counts.filter(|count| fits(*count, removed)) {
                    let mut next = done.clone();
                    next.trim(count);
                    found.push(next);
                }
            }
            Step::Add { .. } | Step::Look(_) => {}
        }
    }

    /// Puts every outstanding read that fits into the order.
    fn settle(&self, config: &mut Config) {
        self.open.iter().for_each(|index| self.settle_one(config, *index));
    }

    fn settle_one(&self, config: &mut Config, index: usize) {
        let Step::Look(shape) = &self.items[index].step else { return };
        let fits = match shape {
            Shape::Length(length) => config.len() == *length,
            Shape::Forward(shown) => config.shows(shown, true),
            Shape::Backward(shown) => config.shows(shown, false),
            Shape::Resolved(place) => config.added <= *place,
        };
        if fits {
            config.done.insert(index);
        }
    }

    fn explain(&self, stream: &StreamEvidence<'_>, index: usize, states: usize) -> Violation {
        let item = &self.items[index];
        let who = item.call.map_or_else(|| "the observation at the end".to_owned(), ToString::to_string);
        let overlapping: Vec<&Call> = self.open.iter().filter_map(|open| self.items[*open].call).collect();
        let among: Vec<String> = overlapping
            .iter()
            .filter(|call| item.call.is_none_or(|own| own.event != call.event))
            .map(ToString::to_string)
            .take(8)
            .collect();
        let message = format!(
            "stream {:?}: no order of the operations before it explains what {who} was told ({states} states \
             were possible; outstanding with it: {})",
            stream.key,
            if among.is_empty() { "nothing".to_owned() } else { among.join(", ") },
        );
        let calls: Vec<&Call> = item.call.into_iter().chain(overlapping).collect();
        Violation::new(Invariant::LinearizableReads, &calls, message)
    }
}
