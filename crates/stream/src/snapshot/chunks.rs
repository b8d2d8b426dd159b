//! Records, framed and cut into chunks.

use rivermark_types::limits::SNAPSHOT_CHUNK_BYTES_MAX;

use super::record::{End, Record};
use crate::digest::Digest;

/// The chunks of a snapshot.
pub struct Chunks<'a> {
    records: Option<Box<dyn Iterator<Item = Record<'a>> + Send + 'a>>,
    count: u64,
    digest: Digest,
    encoded: Vec<u8>,
    /// Framed records, not yet cut.
    waiting: Vec<u8>,
}

impl<'a> Chunks<'a> {
    pub(super) fn new(records: impl Iterator<Item = Record<'a>> + Send + 'a) -> Self {
        Self {
            records: Some(Box::new(records)),
            count: 0,
            digest: Digest::default(),
            encoded: Vec::new(),
            waiting: Vec::new(),
        }
    }

    fn push(&mut self, record: &Record<'_>) {
        self.encoded.clear();
        record.encode(&mut self.encoded);
        self.count += 1;
        self.digest.update(&self.encoded);
        self.frame();
    }

    fn end(&mut self) {
        self.encoded.clear();
        let end = End { records: self.count, digest: self.digest.value() };
        Record::End(&end).encode(&mut self.encoded);
        self.frame();
    }

    fn frame(&mut self) {
        crate::varint::put_varint(&mut self.waiting, self.encoded.len() as u64);
        self.waiting.extend_from_slice(&self.encoded);
    }
}

impl Iterator for Chunks<'_> {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        while self.waiting.len() < SNAPSHOT_CHUNK_BYTES_MAX {
            let Some(records) = &mut self.records else { break };
            match records.next() {
                Some(record) => self.push(&record),
                None => {
                    self.records = None;
                    self.end();
                }
            }
        }
        if self.waiting.is_empty() {
            return None;
        }
        let rest = self.waiting.split_off(self.waiting.len().min(SNAPSHOT_CHUNK_BYTES_MAX));
        Some(std::mem::replace(&mut self.waiting, rest))
    }
}
