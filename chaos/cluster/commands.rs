//! Operations of the history as commands of the product, and the product's replies as the history's.

use rivermark_oracle::Operation;
use rivermark_oracle::operation::{
    ClaimForm, Cursor, Delivery, Entry, GroupFrom, Idempotence, ReadFrom, Reply, Wait,
};
use rivermark_tests::Reply as Wire;
use rivermark_types::EntryId;

/// The entry field that holds the payload token.
const FIELD: &str = "payload";
/// How long a blocking read waits: short, so that clients go on.
const BLOCK_MS: &str = "300";

/// The command's words, none for an operation that this workload does not send.
pub fn words(operation: &Operation) -> Option<Vec<String>> {
    let mut words = Words::default();
    match operation {
        Operation::Xadd { key, payload, idempotence, max_len: None } => {
            words.add(["XADD", key]);
            if let Some(Idempotence { producer, number }) = idempotence {
                words.add(["IDMP", producer, number]);
            }
            words.add(["*", FIELD, payload]);
        }
        Operation::Xlen { key } => words.add(["XLEN", key]),
        Operation::Xrange { key, start, end, count } => {
            words.add(["XRANGE", key, &start.to_string(), &end.to_string()]);
            words.count(*count);
        }
        Operation::Xrevrange { key, start, end, count } => {
            words.add(["XREVRANGE", key, &end.to_string(), &start.to_string()]);
            words.count(*count);
        }
        Operation::Xread { key, from: ReadFrom::After(id), count, wait } => {
            words.add(["XREAD"]);
            words.count(*count);
            words.wait(*wait);
            words.add(["STREAMS", key, &id.to_string()]);
        }
        Operation::XgroupCreate { key, group, cursor: Cursor::At(id) } => {
            words.add(["XGROUP", "CREATE", key, group, &id.to_string(), "MKSTREAM"]);
        }
        Operation::Xreadgroup { key, group, consumer, from: GroupFrom::New, count, wait, .. } => {
            words.add(["XREADGROUP", "GROUP", group, consumer]);
            words.count(*count);
            words.wait(*wait);
            words.add(["STREAMS", key, ">"]);
        }
        Operation::Xack { key, group, ids } => {
            words.add(["XACK", key, group]);
            words.0.extend(ids.iter().map(EntryId::to_string));
        }
        Operation::Xautoclaim {
            key,
            group,
            consumer,
            min_idle_ms,
            start,
            count,
            form: ClaimForm::Entries,
        } => {
            words.add(["XAUTOCLAIM", key, group, consumer, &min_idle_ms.to_string(), &start.to_string()]);
            words.count(Some(*count));
        }
        _ => return None,
    }
    Some(words.0)
}

#[derive(Default)]
struct Words(Vec<String>);

impl Words {
    fn add<const N: usize>(&mut self, words: [&str; N]) {
        self.0.extend(words.map(str::to_owned));
    }

    fn count(&mut self, count: Option<usize>) {
        if let Some(count) = count {
            self.add(["COUNT", &count.to_string()]);
        }
    }

    fn wait(&mut self, wait: Wait) {
        if wait == Wait::Block {
            self.add(["BLOCK", BLOCK_MS]);
        }
    }
}

/// What a reply says, none if it is not of the kind the command answers.
pub fn understand(operation: &Operation, wire: &Wire) -> Option<Reply> {
    match operation {
        Operation::Xadd { .. } => id(wire).map(|id| Reply::Added { id }),
        Operation::Xlen { .. } | Operation::Xack { .. } => match wire {
            Wire::Integer(count) => u64::try_from(*count).ok().map(|count| Reply::Count { count }),
            _ => None,
        },
        Operation::Xrange { .. } | Operation::Xrevrange { .. } => {
            entries(wire).map(|entries| Reply::Entries { entries })
        }
        Operation::Xread { key, .. } => match of_one_stream(wire, key)? {
            Some(list) => entries(list).map(|entries| Reply::Entries { entries }),
            None => Some(Reply::Entries { entries: Vec::new() }),
        },
        Operation::XgroupCreate { .. } => (wire.text()? == "OK").then_some(Reply::Done),
        Operation::Xreadgroup { key, .. } => match of_one_stream(wire, key)? {
            Some(list) => deliveries(list).map(|entries| Reply::Deliveries { entries }),
            None => Some(Reply::Deliveries { entries: Vec::new() }),
        },
        Operation::Xautoclaim { .. } => {
            let [next, claimed, deleted] = array(wire)? else { return None };
            let deleted = array(deleted)?.iter().map(id).collect::<Option<_>>()?;
            Some(Reply::Claimed { next: id(next)?, entries: deliveries(claimed)?, deleted })
        }
        _ => None,
    }
}

/// The list of XREAD's one stream; `Some(None)` for a null reply.
fn of_one_stream<'a>(wire: &'a Wire, key: &str) -> Option<Option<&'a Wire>> {
    if matches!(wire, Wire::NilArray | Wire::NilBulk | Wire::Null) {
        return Some(None);
    }
    let [stream] = array(wire)? else { return None };
    let [name, list] = array(stream)? else { return None };
    (name.text()? == key).then_some(Some(list))
}

/// The entries of a reply of XRANGE's form.
pub fn entries(wire: &Wire) -> Option<Vec<Entry>> {
    let complete = |delivery: Delivery| Some(Entry { id: delivery.id, payload: delivery.payload? });
    deliveries(wire)?.into_iter().map(complete).collect()
}

fn deliveries(wire: &Wire) -> Option<Vec<Delivery>> {
    array(wire)?.iter().map(delivery).collect()
}

fn delivery(wire: &Wire) -> Option<Delivery> {
    let [id_part, fields] = array(wire)? else { return None };
    let payload = match fields {
        Wire::NilArray | Wire::NilBulk | Wire::Null => None,
        _ => match array(fields)? {
            [name, payload] if name.text()? == FIELD => Some(payload.text()?),
            _ => return None,
        },
    };
    Some(Delivery { id: id(id_part)?, payload })
}

/// An entry id.
pub fn id(wire: &Wire) -> Option<EntryId> {
    EntryId::parse(wire.text()?.as_bytes(), 0).ok()
}

fn array(wire: &Wire) -> Option<&[Wire]> {
    match wire {
        Wire::Array(items) => Some(items),
        _ => None,
    }
}
