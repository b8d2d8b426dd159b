//! One stream to and from bytes: DUMP and RESTORE.
//!
//! The bytes are a head, the stream's records as a snapshot has them, and a hash of all before. The stream has no
//! name, version or deadline in them: those belong to the key it comes to.

use bytes::Bytes;
use rivermark_types::{DatabaseIndex, StreamKey};

use super::image::stream_records;
use super::restore::{RestoreError, frame};
use super::stream_restore::StreamRestore;
use crate::codec::{DecodeError, Reader};
use crate::digest::Digest;
use crate::stream::Stream;
use crate::varint::put_varint;

/// Then the version of what follows.
const HEAD: [u8; 5] = *b"RMST\x01";
const HASH_BYTES: usize = size_of::<u64>();

/// The stream as bytes; `None` if they were more than `bytes_max`.
pub(crate) fn dump(stream: &Stream, bytes_max: usize) -> Option<Vec<u8>> {
    let key = StreamKey::new(DatabaseIndex::default(), Bytes::new());
    let bare = Stream { version: 1, deadline: None, ..stream.clone() };
    let mut out = HEAD.to_vec();
    let mut encoded = Vec::new();
    for record in stream_records(&key, &bare) {
        encoded.clear();
        record.encode(&mut encoded);
        put_varint(&mut out, encoded.len() as u64);
        out.extend_from_slice(&encoded);
        if out.len() + HASH_BYTES > bytes_max {
            return None;
        }
    }
    let hash = hash(&out);
    out.extend_from_slice(&hash);
    Some(out)
}

/// The stream that was made into these bytes.
pub(crate) fn undump(payload: &Bytes) -> Result<Stream, RestoreError> {
    let (records, found) = payload
        .len()
        .checked_sub(HASH_BYTES)
        .filter(|length| *length >= HEAD.len())
        .map(|length| (payload.slice(..length), &payload[length..]))
        .ok_or(RestoreError::Incomplete)?;
    if found != hash(&records) {
        return Err(RestoreError::DigestMismatch);
    }
    if records[..HEAD.len()] != HEAD {
        return Err(DecodeError::Invalid("dump").into());
    }
    let mut restore = StreamRestore::default();
    let mut at = HEAD.len();
    while at < records.len() {
        let (start, end) = frame(&records[at..]).ok_or(RestoreError::Incomplete)?;
        let record = records.slice(at + start..at + end);
        let mut reader = Reader::new(&record);
        let kind = reader.byte()?;
        let first = at == HEAD.len();
        if first != (kind == super::record::tag::STREAM) {
            return Err(RestoreError::Contradiction("not exactly one stream"));
        }
        restore.take(kind, &mut reader)?;
        reader.finish()?;
        at += end;
    }
    restore.close()?.map(|(_, stream)| stream).ok_or(RestoreError::Incomplete)
}

fn hash(bytes: &[u8]) -> [u8; HASH_BYTES] {
    let mut digest = Digest::default();
    digest.update(bytes);
    digest.value().to_le_bytes()
}
