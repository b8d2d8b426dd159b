//! The model's XREADGROUP: claims, new entries, history, and a budget counted in the bytes of a reply.

use rivermark_stream::command::*;
use rivermark_stream::outcome::{Delivery, StreamClaims, StreamEntries, StreamsRead};
use rivermark_stream::{Fields, Outcome, Rejection};
use rivermark_types::{EntryId, StreamKey};

use super::naive::{Group, Item, Naive, Pending, Stream, pack, rejected};

/// What may still go out.
struct Left {
    entries: u64,
    bytes: i128,
    always: bool,
    over: bool,
}

impl Left {
    fn new(budget: &ReadBudget) -> Self {
        Self {
            entries: budget.entries.unwrap_or(u64::MAX),
            bytes: budget.bytes.map_or(i128::MAX, i128::from) - 4,
            always: budget.first == FirstEntry::Always,
            over: budget.entries == Some(0),
        }
    }

    fn take(&mut self, text: &str) -> bool {
        let bytes = text.len() as i128;
        if self.over || (bytes > self.bytes.max(0) && !self.always) {
            self.over = true;
            return false;
        }
        self.always = false;
        self.bytes = (self.bytes - bytes).max(0);
        self.entries -= 1;
        self.over = self.entries == 0;
        true
    }
}

/// An entry as a reply has it, with the stream's name before the first.
fn text(
    first: bool,
    key: &StreamKey,
    id: EntryId,
    fields: Option<&Fields>,
    delivery: Option<&Delivery>,
) -> String {
    let bulk = |length: usize| format!("${length}\r\n{}\r\n", "x".repeat(length));
    let mut text = String::new();
    if first {
        text += &format!("*2\r\n{}*1\r\n", bulk(key.name().len()));
    }
    text += &format!("*2\r\n{}", bulk(id.to_string().len()));
    text += &fields.map_or("*1\r\n".to_owned(), |fields| format!("*{}\r\n", fields.pairs() * 2));
    for (field, value) in fields.into_iter().flat_map(|fields| fields.iter()) {
        text += &bulk(field.len());
        text += &bulk(value.len());
    }
    if let Some(delivery) = delivery {
        text += &format!(":{}\r\n:{}\r\n", delivery.idle_ms, delivery.delivery_count);
    }
    text
}

impl Naive {
    pub(super) fn xreadgroup(&mut self, command: &XReadGroup, now: u64) -> Outcome {
        for (key, _) in &command.streams {
            if self.group(key, &command.group).is_none() {
                return rejected(Rejection::NoKeyOrGroupToRead(key.clone(), command.group.clone()));
            }
        }
        let mut left = Left::new(&command.budget);
        let mut claims = Vec::new();
        for (index, (key, from)) in command.streams.iter().enumerate() {
            if left.over {
                break;
            }
            let stream = self.keys.get_mut(key).expect("checked");
            let mut group = stream.groups.remove(&command.group).expect("checked");
            group.see(&command.consumer, now);
            let read = Reading { stream, key, command, now };
            let (entries, deliveries) = match from {
                GroupReadFrom::New => read.deliver(&mut group, &mut left),
                GroupReadFrom::Pending(after) => read.history(&mut group, *after, &mut left),
            };
            stream.groups.insert(command.group.clone(), group);
            let entries = pack(entries.iter().map(|(id, fields)| (*id, fields.as_ref())));
            if !entries.is_empty() || *from != GroupReadFrom::New {
                let read = StreamEntries { index: index as u32, key: key.clone(), entries };
                claims.push(StreamClaims { read, deliveries });
            }
        }
        if claims.iter().any(|claims| !claims.deliveries.is_empty()) {
            return Outcome::StreamsClaimed(claims);
        }
        let streams = claims.into_iter().map(|claims| claims.read).collect();
        Outcome::Streams(StreamsRead { streams, resolved: vec![] })
    }
}

type Shown = Vec<(EntryId, Option<Fields>)>;

struct Reading<'a> {
    stream: &'a Stream,
    key: &'a StreamKey,
    command: &'a XReadGroup,
    now: u64,
}

impl Reading<'_> {
    fn count(&self) -> usize {
        self.command.count.map_or(usize::MAX, |count| count as usize)
    }

    fn live(&self, id: EntryId) -> Option<Item> {
        self.stream.live().into_iter().find(|item| item.id == id).cloned()
    }

    fn deliver(&self, group: &mut Group, left: &mut Left) -> (Shown, Vec<Delivery>) {
        let (mut shown, mut deliveries) = (Vec::new(), Vec::new());
        let consumer = Some(self.command.consumer.clone());
        if let Some(min_idle) = self.command.claim_min_idle_ms {
            let mut turns: Vec<Pending> = group.pending.clone();
            turns.retain(|record| record.consumer.is_none() || self.now - record.time >= min_idle);
            turns.sort_by_key(|record| (record.consumer.is_some(), record.turn, record.time, record.id));
            for record in turns {
                let Some(item) = self.live(record.id) else { continue };
                if shown.len() == self.count() {
                    break;
                }
                let delivery = Delivery { idle_ms: self.now - record.time, delivery_count: record.count };
                if !left.take(&text(shown.is_empty(), self.key, item.id, Some(&item.fields), Some(&delivery)))
                {
                    break;
                }
                deliveries.push(delivery);
                shown.push((item.id, Some(item.fields)));
                let count = (record.count + 1).min(i64::MAX as u64);
                group.set(Pending {
                    id: item.id,
                    consumer: consumer.clone(),
                    time: self.now,
                    count,
                    turn: 0,
                });
                group.active(&self.command.consumer, self.now);
            }
        }
        let last = group.last_id;
        for item in self.stream.live().into_iter().filter(|item| item.id > last) {
            if shown.len() == self.count() {
                break;
            }
            let delivery = self.command.claim_min_idle_ms.map(|_| Delivery::default());
            if !left.take(&text(shown.is_empty(), self.key, item.id, Some(&item.fields), delivery.as_ref())) {
                break;
            }
            deliveries.extend(delivery);
            shown.push((item.id, Some(item.fields.clone())));
            self.deliver_new(group, item);
        }
        (shown, deliveries)
    }

    fn deliver_new(&self, group: &mut Group, item: &Item) {
        let stream = self.stream;
        let certain = group.last_id >= stream.first_id() && !stream.tombstones_after(group.last_id);
        match group.entries_read {
            Some(read) if certain => group.entries_read = Some(read + 1),
            _ if stream.entries_added > 0 => group.entries_read = stream.distance(item.id),
            _ => {}
        }
        group.last_id = item.id;
        if self.command.acknowledgement == Acknowledgement::Explicit {
            let consumer = Some(self.command.consumer.clone());
            group.set(Pending { id: item.id, consumer, time: self.now, count: 1, turn: 0 });
            group.active(&self.command.consumer, self.now);
        }
    }

    fn history(&self, group: &mut Group, after: EntryId, left: &mut Left) -> (Shown, Vec<Delivery>) {
        let own = |record: &&mut Pending| {
            record.consumer.as_ref() == Some(&self.command.consumer) && record.id > after
        };
        let mut shown = Vec::new();
        for record in group.pending.iter_mut().filter(own).take(self.count()) {
            let fields = self.live(record.id).map(|item| item.fields);
            if !left.take(&text(shown.is_empty(), self.key, record.id, fields.as_ref(), None)) {
                break;
            }
            if fields.is_some() {
                record.time = self.now;
                record.count = (record.count + 1).min(i64::MAX as u64);
            }
            shown.push((record.id, fields));
        }
        (shown, Vec::new())
    }
}
