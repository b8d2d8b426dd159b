//! Joins what several shards read.

use crate::allowance::{Allowance, delivery_bytes, stream_head_bytes};
use crate::command::ReadBudget;
use crate::fields::{Entries, EntriesBuilder};
use crate::outcome::{Outcome, StreamClaims, StreamEntries, StreamsRead};

/// `places` tells, for each share, which of the request's streams it has. What exceeds the budget is cut off:
/// of a read that changes nothing, as XREADGROUP with a budget never comes here.
pub(super) fn join_streams(
    outcomes: Vec<Outcome>,
    places: &[Vec<u32>],
    budget: &ReadBudget,
) -> Result<Outcome, Outcome> {
    let asked = places.iter().map(Vec::len).sum();
    let (mut all, mut resolved) = (Vec::new(), Vec::new());
    for (outcome, places) in outcomes.into_iter().zip(places) {
        let share = match outcome {
            Outcome::StreamsClaimed(claims) => claims,
            Outcome::Streams(share) => {
                // XREADGROUP resolves nothing.
                if !share.resolved.is_empty() {
                    resolved.resize(asked, Default::default());
                    super::place(&mut resolved, share.resolved, places);
                }
                unclaimed(share.streams)
            }
            stray => return Err(stray),
        };
        for mut claims in share {
            let stream = &mut claims.read;
            let place = usize::try_from(stream.index).ok().and_then(|index| places.get(index));
            stream.index = place.copied().unwrap_or(stream.index);
            all.push(claims);
        }
    }
    all.sort_by_key(|claims| claims.read.index);
    if *budget != ReadBudget::UNLIMITED {
        cut(&mut all, budget);
    }
    Ok(joined(all, resolved))
}

/// As one machine would answer.
pub(super) fn joined(claims: Vec<StreamClaims>, resolved: Vec<rivermark_types::EntryId>) -> Outcome {
    if claims.iter().any(|claims| !claims.deliveries.is_empty()) {
        return Outcome::StreamsClaimed(claims);
    }
    Outcome::Streams(StreamsRead {
        streams: claims.into_iter().map(|claims| claims.read).collect(),
        resolved,
    })
}

/// Streams read without CLAIM, as those with.
pub(super) fn unclaimed(streams: Vec<StreamEntries>) -> Vec<StreamClaims> {
    streams.into_iter().map(|read| StreamClaims { read, deliveries: Vec::new() }).collect()
}

fn cut(all: &mut Vec<StreamClaims>, budget: &ReadBudget) {
    let mut allowance = Allowance::new(budget);
    all.retain_mut(|claims| {
        let stream = &mut claims.read;
        let mut head = stream_head_bytes(&stream.key);
        let fits = |entry: &crate::fields::EntryRef<'_>| allowance.take(entry, std::mem::take(&mut head));
        let kept = stream.entries.iter().take_while(fits).count();
        if kept < stream.entries.len() {
            stream.entries = first_of(&stream.entries, kept);
        }
        kept > 0
    });
}

fn first_of(entries: &Entries, count: usize) -> Entries {
    let mut out = EntriesBuilder::default();
    for entry in entries.iter().take(count) {
        match entry.fields {
            None => out.deleted(entry.id),
            Some(fields) => {
                out.begin(entry.id, fields.size_hint().0 as u32);
                fields.for_each(|(field, value)| out.pair(field, value));
            }
        }
    }
    out.finish()
}

/// Takes off an allowance what a shard delivered.
pub(super) fn spend(allowance: &mut Allowance, share: &[StreamClaims]) {
    for claims in share {
        let mut head = stream_head_bytes(&claims.read.key);
        for (place, entry) in claims.read.entries.iter().enumerate() {
            let delivery = claims.deliveries.get(place);
            let claim = delivery.map_or(0, |one| delivery_bytes(one.idle_ms, one.delivery_count));
            allowance.take(&entry, std::mem::take(&mut head) + claim);
        }
    }
}
