//! Writes what a shard answered, in the shapes of the reference.
//!
//! Entries go from their packed form straight into the connection's buffer: no allocation an entry.

mod info;

use rivermark_stream::fields::FieldsIter;
use rivermark_stream::outcome::{
    AutoClaimed, Claimed, KeyType, PendingEntry, PendingSummary, ScanPage, StreamClaims, StreamsRead,
};
use rivermark_stream::{Entries, Outcome};
use rivermark_types::{EntryId, KeyPosition, StreamKey};

use crate::reply_error::ReplyError;
use crate::resp::{Protocol, ReplyWriter};

/// Writes an outcome as the reply to the command or query it answers.
pub fn write_outcome(outcome: &Outcome, writer: &mut ReplyWriter<'_>) {
    match outcome {
        Outcome::Done => writer.ok(),
        Outcome::Integer(value) => writer.integer(*value),
        Outcome::Nil => writer.null(),
        Outcome::NilArray | Outcome::WatchFailed => writer.null_array(),
        Outcome::EntryId(id) => writer.entry_id(*id),
        Outcome::EntryIds(ids) => write_ids(ids, writer),
        Outcome::Entries(entries) => write_entries(entries, writer),
        Outcome::Streams(streams) => write_streams(streams, writer),
        Outcome::StreamsClaimed(streams) => write_claims(streams, writer),
        Outcome::AutoClaimed(claimed) => auto_claimed(claimed, writer),
        Outcome::PendingSummary(summary) => pending_summary(summary, writer),
        Outcome::PendingRange(pending) => pending_range(pending, writer),
        Outcome::StreamInfo(stream) => info::stream(stream, writer),
        Outcome::StreamFull(stream) => info::stream_full(stream, writer),
        Outcome::Groups(groups) => info::groups(groups, writer),
        Outcome::Consumers(consumers) => info::consumers(consumers, writer),
        Outcome::KeyType(KeyType::None) => writer.simple("none"),
        Outcome::KeyType(KeyType::Stream) => writer.simple("stream"),
        Outcome::Keys(keys) => write_keys(keys, writer),
        Outcome::ScanPage(page) => scan_page(page, writer),
        Outcome::KeyspaceCounts(counts) => {
            writer.array(counts.len());
            for count in counts {
                writer.array(3);
                writer.integer(i64::from(count.database));
                writer.unsigned(count.keys);
                writer.unsigned(count.expiring);
            }
        }
        Outcome::KeyVersions(versions) => {
            writer.array(versions.len());
            versions.iter().for_each(|version| writer.unsigned(*version));
        }
        Outcome::Integers(values) => {
            writer.array(values.len());
            values.iter().for_each(|value| writer.integer(*value));
        }
        Outcome::Bytes(bytes) => writer.bulk(bytes),
        Outcome::Transaction(outcomes) => {
            writer.array(outcomes.len());
            outcomes.iter().for_each(|outcome| write_outcome(outcome, writer));
        }
        Outcome::Rejected(rejection) => writer.error(&ReplyError::from(rejection)),
    }
}

/// Writes one page of SCAN: the cursor, then the keys. No cursor is the end, told as zero.
pub fn write_scan_page(next: Option<KeyPosition>, keys: &[StreamKey], writer: &mut ReplyWriter<'_>) {
    writer.array(2);
    writer.bulk_integer(next.map_or(0, KeyPosition::get));
    write_keys(keys, writer);
}

/// Writes the names of keys.
pub fn write_keys(keys: &[StreamKey], writer: &mut ReplyWriter<'_>) {
    writer.array(keys.len());
    keys.iter().for_each(|key| writer.bulk(key.name()));
}

/// Writes what was read of several streams; nothing is the null array.
pub fn write_streams(read: &StreamsRead, writer: &mut ReplyWriter<'_>) {
    if read.streams.is_empty() {
        return writer.null_array();
    }
    streams_head(read.streams.len(), writer);
    for stream in &read.streams {
        stream_head(&stream.key, writer);
        write_entries(&stream.entries, writer);
    }
}

/// Writes what XREADGROUP read with CLAIM: with each entry, what was known of its delivery before.
fn write_claims(streams: &[StreamClaims], writer: &mut ReplyWriter<'_>) {
    streams_head(streams.len(), writer);
    for StreamClaims { read, deliveries } in streams {
        stream_head(&read.key, writer);
        if deliveries.is_empty() {
            write_entries(&read.entries, writer);
            continue;
        }
        writer.array(read.entries.len());
        for (entry, delivery) in read.entries.iter().zip(deliveries) {
            writer.array(4);
            write_id_and_fields(entry.id, entry.fields, writer);
            writer.unsigned(delivery.idle_ms);
            writer.unsigned(delivery.delivery_count);
        }
    }
}

fn streams_head(count: usize, writer: &mut ReplyWriter<'_>) {
    match writer.protocol() {
        Protocol::Resp2 => writer.array(count),
        Protocol::Resp3 => writer.map(count),
    }
}

fn stream_head(key: &StreamKey, writer: &mut ReplyWriter<'_>) {
    if writer.protocol() == Protocol::Resp2 {
        writer.array(2);
    }
    writer.bulk(key.name());
}

fn scan_page(page: &ScanPage, writer: &mut ReplyWriter<'_>) {
    write_scan_page(page.next, &page.keys, writer);
}

fn write_entries(entries: &Entries, writer: &mut ReplyWriter<'_>) {
    writer.array(entries.len());
    for entry in entries.iter() {
        write_entry(entry.id, entry.fields, writer);
    }
}

fn write_entry(id: EntryId, fields: Option<FieldsIter<'_>>, writer: &mut ReplyWriter<'_>) {
    writer.array(2);
    write_id_and_fields(id, fields, writer);
}

fn write_id_and_fields(id: EntryId, fields: Option<FieldsIter<'_>>, writer: &mut ReplyWriter<'_>) {
    writer.entry_id(id);
    let Some(fields) = fields else { return writer.null_array() };
    // The iterator knows exactly how many pairs are left.
    writer.array(fields.size_hint().0 * 2);
    for (field, value) in fields {
        writer.bulk(field);
        writer.bulk(value);
    }
}

fn write_ids(ids: &[EntryId], writer: &mut ReplyWriter<'_>) {
    writer.array(ids.len());
    ids.iter().for_each(|id| writer.entry_id(*id));
}

fn auto_claimed(answer: &AutoClaimed, writer: &mut ReplyWriter<'_>) {
    writer.array(3);
    writer.entry_id(answer.cursor);
    match &answer.claimed {
        Claimed::Entries(entries) => write_entries(entries, writer),
        Claimed::Ids(ids) => write_ids(ids, writer),
    }
    write_ids(&answer.deleted, writer);
}

fn pending_summary(summary: &PendingSummary, writer: &mut ReplyWriter<'_>) {
    writer.array(4);
    writer.unsigned(summary.count);
    match summary.range {
        Some((lowest, greatest)) => {
            writer.entry_id(lowest);
            writer.entry_id(greatest);
        }
        None => {
            writer.null();
            writer.null();
        }
    }
    if summary.consumers.is_empty() {
        return writer.null_array();
    }
    writer.array(summary.consumers.len());
    for (consumer, count) in &summary.consumers {
        writer.array(2);
        writer.bulk(consumer.as_bytes());
        writer.bulk_integer(*count);
    }
}

fn pending_range(pending: &[PendingEntry], writer: &mut ReplyWriter<'_>) {
    writer.array(pending.len());
    for entry in pending {
        writer.array(4);
        writer.entry_id(entry.id);
        writer.bulk(entry.consumer.as_bytes());
        match entry.idle_ms {
            Some(idle_ms) => writer.unsigned(idle_ms),
            None => writer.integer(-1),
        }
        writer.unsigned(entry.delivery_count);
    }
}
