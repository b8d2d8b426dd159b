//! XINFO's answers: maps with the names and the order of the reference.

use rivermark_stream::Entries;
use rivermark_stream::outcome::{
    ConsumerFull, ConsumerInfo, GroupFull, GroupInfo, IdempotenceInfo, PendingRecord, StreamFull, StreamHead,
    StreamInfo,
};

use crate::resp::ReplyWriter;

pub(super) fn stream(info: &StreamInfo, writer: &mut ReplyWriter<'_>) {
    writer.map(16);
    head(&info.head, writer);
    field("groups", info.groups, writer);
    for (name, entries) in [("first-entry", &info.first_entry), ("last-entry", &info.last_entry)] {
        writer.bulk(name.as_bytes());
        optional_entry(entries, writer);
    }
}

pub(super) fn stream_full(info: &StreamFull, writer: &mut ReplyWriter<'_>) {
    writer.map(15);
    head(&info.head, writer);
    writer.bulk(b"entries");
    super::write_entries(&info.entries, writer);
    writer.bulk(b"groups");
    writer.array(info.groups.len());
    info.groups.iter().for_each(|group| group_full(group, writer));
}

pub(super) fn groups(groups: &[GroupInfo], writer: &mut ReplyWriter<'_>) {
    writer.array(groups.len());
    for group in groups {
        writer.map(6);
        writer.bulk(b"name");
        writer.bulk(group.name.as_bytes());
        field("consumers", group.consumers, writer);
        field("pending", group.pending, writer);
        writer.bulk(b"last-delivered-id");
        writer.entry_id(group.last_delivered_id);
        optional_field("entries-read", group.entries_read, writer);
        optional_field("lag", group.lag, writer);
    }
}

pub(super) fn consumers(consumers: &[ConsumerInfo], writer: &mut ReplyWriter<'_>) {
    writer.array(consumers.len());
    for consumer in consumers {
        writer.map(4);
        writer.bulk(b"name");
        writer.bulk(consumer.name.as_bytes());
        field("pending", consumer.pending, writer);
        field("idle", consumer.idle_ms, writer);
        field_or_never("inactive", consumer.inactive_ms, writer);
    }
}

/// The thirteen fields both forms begin with.
fn head(head: &StreamHead, writer: &mut ReplyWriter<'_>) {
    field("length", head.length, writer);
    field("radix-tree-keys", head.blocks, writer);
    // The reference's tree has a root and about one node a key.
    field("radix-tree-nodes", head.blocks.saturating_add(1), writer);
    for (name, id) in [("last-generated-id", head.last_id), ("max-deleted-entry-id", head.max_deleted_id)] {
        writer.bulk(name.as_bytes());
        writer.entry_id(id);
    }
    field("entries-added", head.entries_added, writer);
    writer.bulk(b"recorded-first-entry-id");
    writer.entry_id(head.first_id);
    let IdempotenceInfo { duration_s, pairs_max, producers, pairs, added, duplicates } = head.idempotence;
    field("idmp-duration", duration_s, writer);
    field("idmp-maxsize", pairs_max, writer);
    field("pids-tracked", producers, writer);
    field("iids-tracked", pairs, writer);
    field("iids-added", added, writer);
    field("iids-duplicates", duplicates, writer);
}

fn group_full(group: &GroupFull, writer: &mut ReplyWriter<'_>) {
    writer.map(8);
    writer.bulk(b"name");
    writer.bulk(group.name.as_bytes());
    writer.bulk(b"last-delivered-id");
    writer.entry_id(group.last_delivered_id);
    optional_field("entries-read", group.entries_read, writer);
    optional_field("lag", group.lag, writer);
    field("pel-count", group.pending_count, writer);
    field("nacked-count", group.nacked_count, writer);
    writer.bulk(b"pending");
    writer.array(group.pending.len());
    for record in &group.pending {
        writer.array(4);
        writer.entry_id(record.id);
        writer.bulk(record.consumer.as_bytes());
        delivery(record, writer);
    }
    writer.bulk(b"consumers");
    writer.array(group.consumers.len());
    group.consumers.iter().for_each(|consumer| consumer_full(consumer, writer));
}

fn consumer_full(consumer: &ConsumerFull, writer: &mut ReplyWriter<'_>) {
    writer.map(5);
    writer.bulk(b"name");
    writer.bulk(consumer.name.as_bytes());
    field("seen-time", consumer.seen_time_ms, writer);
    field_or_never("active-time", consumer.active_time_ms, writer);
    field("pel-count", consumer.pending_count, writer);
    writer.bulk(b"pending");
    writer.array(consumer.pending.len());
    for record in &consumer.pending {
        writer.array(3);
        writer.entry_id(record.id);
        delivery(record, writer);
    }
}

fn delivery(record: &PendingRecord, writer: &mut ReplyWriter<'_>) {
    writer.unsigned(record.delivery_time_ms);
    writer.unsigned(record.delivery_count);
}

fn optional_entry(entries: &Entries, writer: &mut ReplyWriter<'_>) {
    match entries.iter().next() {
        Some(entry) => super::write_entry(entry.id, entry.fields, writer),
        None => writer.null(),
    }
}

fn field(name: &str, value: u64, writer: &mut ReplyWriter<'_>) {
    writer.bulk(name.as_bytes());
    writer.unsigned(value);
}

fn optional_field(name: &str, value: Option<u64>, writer: &mut ReplyWriter<'_>) {
    match value {
        Some(value) => field(name, value, writer),
        None => {
            writer.bulk(name.as_bytes());
            writer.null();
        }
    }
}

fn field_or_never(name: &str, value: Option<u64>, writer: &mut ReplyWriter<'_>) {
    match value {
        Some(value) => field(name, value, writer),
        None => {
            writer.bulk(name.as_bytes());
            writer.integer(-1);
        }
    }
}
