//! What the log stores, as plain values: leaders, log ids, votes and entries.

use std::collections::VecDeque;

use bytes::{Buf, Bytes};
use rivermark_types::{LogIndex, NodeId, Term};

/// The leader that proposed a log entry, or the candidate a vote is for. Ordered by term, then node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeaderId {
    /// The term led or campaigned for.
    pub term: Term,
    /// The node; zero where the consensus engine keeps only terms in log ids.
    pub node: NodeId,
}

/// The identity of a log entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogId {
    /// Who proposed it.
    pub leader: LeaderId,
    /// Where it stands in its shard's log.
    pub index: LogIndex,
}

/// A shard's vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vote {
    /// Whom the vote is for.
    pub leader: LeaderId,
    /// True once a quorum granted it.
    pub committed: bool,
}

/// A log entry to append. The parts are stored one after the other and never copied in memory if large.
#[derive(Clone, Debug)]
pub struct LogEntry {
    /// The entry's identity.
    pub id: LogId,
    /// Its encoded payload.
    pub payload: EncodedPayload,
}

/// A log entry read back.
#[derive(Clone, Debug)]
pub struct StoredEntry {
    /// The entry's identity.
    pub id: LogId,
    /// Its encoded payload: the parts as appended if still in memory, one part if read from disk.
    pub payload: EncodedPayload,
}

/// An encoded payload in one or more shared parts. Reads through [`Buf`]; `copy_to_bytes` shares memory
/// when the bytes asked for lie within one part.
#[derive(Clone, Debug, Default)]
pub struct EncodedPayload {
    parts: VecDeque<Bytes>,
}

impl EncodedPayload {
    /// The length of all parts.
    pub fn len(&self) -> usize {
        self.parts.iter().map(Bytes::len).sum()
    }

    /// True if there is no byte.
    pub fn is_empty(&self) -> bool {
        self.parts.iter().all(Bytes::is_empty)
    }

    /// The parts in order.
    pub fn parts(&self) -> impl Iterator<Item = &Bytes> + Clone {
        self.parts.iter()
    }

    /// All bytes in one piece: shared if there is one part, else copied.
    pub fn into_bytes(mut self) -> Bytes {
        let length = self.len();
        self.copy_to_bytes(length)
    }
}

impl From<Vec<Bytes>> for EncodedPayload {
    fn from(parts: Vec<Bytes>) -> Self {
        Self { parts: parts.into_iter().filter(|part| !part.is_empty()).collect() }
    }
}

impl From<Bytes> for EncodedPayload {
    fn from(bytes: Bytes) -> Self {
        vec![bytes].into()
    }
}

impl Buf for EncodedPayload {
    fn remaining(&self) -> usize {
        self.len()
    }

    fn chunk(&self) -> &[u8] {
        self.parts.front().map_or(&[], |part| part.as_ref())
    }

    fn advance(&mut self, mut count: usize) {
        while count > 0 {
            let part = self.parts.front_mut().expect("advance stays within the payload");
            let step = count.min(part.len());
            part.advance(step);
            count -= step;
            if part.is_empty() {
                self.parts.pop_front();
            }
        }
    }

    fn copy_to_bytes(&mut self, length: usize) -> Bytes {
        match self.parts.front_mut() {
            Some(part) if part.len() == length => self.parts.pop_front().expect("there is a part"),
            Some(part) if part.len() > length => part.split_to(length),
            _ => {
                assert!(length <= self.len(), "copy_to_bytes stays within the payload");
                let mut bytes = bytes::BytesMut::with_capacity(length);
                bytes::BufMut::put(&mut bytes, self.take(length));
                bytes.freeze()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload() -> EncodedPayload {
        vec![Bytes::from_static(b"head"), Bytes::new(), Bytes::from_static(b"body")].into()
    }

    #[test]
    fn reads_across_parts_and_shares_within_one() {
        let mut buf = payload();
        assert_eq!((buf.len(), buf.parts().count()), (8, 2));
        assert_eq!(buf.copy_to_bytes(2), "he");
        assert_eq!(buf.copy_to_bytes(4), "adbo");
        assert_eq!(buf.remaining(), 2);
        assert_eq!(buf.copy_to_bytes(2), "dy");
        assert!(buf.is_empty() && !buf.has_remaining());
        assert_eq!(payload().into_bytes(), "headbody");
        let body = Bytes::from(vec![7; 64]);
        let shared = EncodedPayload::from(body.clone()).into_bytes();
        assert_eq!(shared.as_ptr(), body.as_ptr(), "one part is not copied");
    }
}
