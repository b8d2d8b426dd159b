//! The format on disk, version 1. All integers are little-endian.
//!
//! A segment is a file of fixed size: a header of 4096 bytes, then frames, then zeros or the remains of
//! an earlier use. The header holds, twice (at 0 and at 512), so that one bad sector cannot hide it:
//!
//! ```text
//!  0 magic "RVMKRLOG"   8 version u32   12 CRC32C of the rest u32
//! 16 segment id u64     24 salt u64     32 length of the file u64
//! ```
//!
//! A frame is 64 bytes, the payload, and zeros up to a multiple of 8:
//!
//! ```text
//!  0 CRC32C of bytes 4..64 u32    4 payload length u32   8 CRC32C of the payload u32
//! 12 kind u8   13 flags u8   14 zero u16   16 shard u32   20 place in its group commit u32
//! 24 sequence u64   32 shard sequence u64   40 index u64   48 term u64   56 node u64
//! ```
//!
//! Both checksums start from a seed made of the segment's id and salt, so that frames left over from an
//! earlier use of a recycled file, and frames quoted inside a payload, never pass. `sequence` numbers
//! all frames of the log without gaps; `sequence - place` is the first frame of the group commit, and
//! everything before it was synced when this frame was written: recovery tells a torn tail from damage
//! by it. `shard sequence` numbers a shard's frames without gaps, so that a lost frame is attributed.
//!
//! A flag says that an optional value is present (`HAS_ID`) or that a vote is committed.

use std::ops::Range;

use bytes::Bytes;
use rivermark_types::{LogIndex, NodeId, ShardId, Term};

use crate::entry::{LeaderId, LogId, Vote};
use crate::hard_state::HardState;

/// Bytes before the first frame of a segment.
pub(crate) const SEGMENT_HEADER_BYTES: u64 = 4096;
/// Bytes of a frame before its payload.
pub(crate) const FRAME_BYTES: usize = 64;
/// The version written; also the greatest that can be read.
pub(crate) const VERSION: u32 = 1;

const MAGIC: &[u8; 8] = b"RVMKRLOG";
const HEADER_LENGTH: usize = 40;
const HEADER_COPIES: [usize; 2] = [0, 512];
const ALIGNMENT: usize = 8;
const FLAG_HAS_ID: u8 = 1;
const FLAG_COMMITTED: u8 = 2;

/// The identity of one use of a segment file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    pub(crate) id: u64,
    pub(crate) salt: u64,
    /// Length of the file: a shorter one was cut.
    pub(crate) length: u64,
}

/// Why a header cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum HeaderError {
    Damaged,
    Version(u32),
}

impl SegmentHeader {
    pub(crate) fn encode(self) -> Vec<u8> {
        let mut bytes = vec![0; SEGMENT_HEADER_BYTES as usize];
        let mut copy = [0; HEADER_LENGTH];
        copy[..8].copy_from_slice(MAGIC);
        copy[8..12].copy_from_slice(&VERSION.to_le_bytes());
        copy[16..24].copy_from_slice(&self.id.to_le_bytes());
        copy[24..32].copy_from_slice(&self.salt.to_le_bytes());
        copy[32..40].copy_from_slice(&self.length.to_le_bytes());
        let crc = header_crc(&copy);
        copy[12..16].copy_from_slice(&crc.to_le_bytes());
        for at in HEADER_COPIES {
            bytes[at..at + HEADER_LENGTH].copy_from_slice(&copy);
        }
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, HeaderError> {
        let mut error = HeaderError::Damaged;
        for at in HEADER_COPIES {
            let Some(copy) = bytes.get(at..at + HEADER_LENGTH) else { continue };
            if &copy[..8] != MAGIC || u32_at(copy, 12) != header_crc(copy) {
                continue;
            }
            match u32_at(copy, 8) {
                VERSION => {
                    let (id, salt, length) = (u64_at(copy, 16), u64_at(copy, 24), u64_at(copy, 32));
                    return Ok(Self { id, salt, length });
                }
                version => error = HeaderError::Version(version),
            }
        }
        Err(error)
    }

    /// What both checksums of every frame of this segment start from.
    pub(crate) fn seed(self) -> u32 {
        crc32c::crc32c_append(crc32c::crc32c(&self.id.to_le_bytes()), &self.salt.to_le_bytes())
    }
}

fn header_crc(copy: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&copy[..12]), &copy[16..HEADER_LENGTH])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

/// What a frame says, its payload aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Record {
    /// A log entry; the payload is its encoding.
    Entry(LogId),
    /// The shard's vote.
    Vote(Vote),
    /// Entries after this index are gone; `None`: all entries are.
    Truncate(Option<LogIndex>),
    /// Entries up to this one are gone.
    Purge(LogId),
    /// The shard's commit index, a hint.
    Committed(Option<LogId>),
    /// Everything but entries: the payload is a [`HardState`]. Starts segments and sessions.
    HardState,
    /// The shard is as if it had never been.
    Forget,
    /// Nothing, of no shard: its being there says that all before it was synced.
    Mark,
}

impl Record {
    fn kind(self) -> u8 {
        match self {
            Self::Entry(_) => 1,
            Self::Vote(_) => 2,
            Self::Truncate(_) => 3,
            Self::Purge(_) => 4,
            Self::Committed(_) => 5,
            Self::HardState => 6,
            Self::Forget => 7,
            Self::Mark => 8,
        }
    }

    /// Flags, index, leader.
    fn fields(self) -> (u8, u64, LeaderId) {
        match self {
            Self::Entry(id) | Self::Purge(id) | Self::Committed(Some(id)) => {
                (FLAG_HAS_ID, id.index.get(), id.leader)
            }
            Self::Vote(vote) => (if vote.committed { FLAG_COMMITTED } else { 0 }, 0, vote.leader),
            Self::Truncate(Some(index)) => (FLAG_HAS_ID, index.get(), LeaderId::default()),
            Self::Truncate(None) | Self::Committed(None) | Self::HardState | Self::Forget | Self::Mark => {
                (0, 0, LeaderId::default())
            }
        }
    }

    fn decode(kind: u8, flags: u8, index: u64, leader: LeaderId) -> Option<Self> {
        let index = LogIndex::new(index);
        let id = LogId { leader, index };
        let has_id = flags & FLAG_HAS_ID != 0;
        Some(match kind {
            1 => Self::Entry(id),
            2 => Self::Vote(Vote { leader, committed: flags & FLAG_COMMITTED != 0 }),
            3 => Self::Truncate(has_id.then_some(index)),
            4 => Self::Purge(id),
            5 => Self::Committed(has_id.then_some(id)),
            6 => Self::HardState,
            7 => Self::Forget,
            8 => Self::Mark,
            _ => return None,
        })
    }
}

/// A frame's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) record: Record,
    pub(crate) shard: ShardId,
    /// Number among all frames, from 1.
    pub(crate) sequence: u64,
    /// Number of the first frame of the same group commit.
    pub(crate) group_start: u64,
    /// Number among the shard's frames, from 1; zero for marks.
    pub(crate) shard_sequence: u64,
    pub(crate) payload_length: u32,
    payload_crc: u32,
}

impl Frame {
    pub(crate) fn new(
        record: Record,
        shard: ShardId,
        sequence: u64,
        group_start: u64,
        shard_sequence: u64,
    ) -> Self {
        Self { record, shard, sequence, group_start, shard_sequence, payload_length: 0, payload_crc: 0 }
    }

    /// Completes the frame for a payload given in parts.
    pub(crate) fn with_payload<'a>(mut self, seed: u32, parts: impl Iterator<Item = &'a Bytes>) -> Self {
        (self.payload_length, self.payload_crc) = parts.fold((0, seed), |(length, crc), part| {
            let part_length = u32::try_from(part.len()).expect("payloads fit a segment");
            (length + part_length, crc32c::crc32c_append(crc, part))
        });
        self
    }

    pub(crate) fn encode(&self, seed: u32) -> [u8; FRAME_BYTES] {
        let (flags, index, leader) = self.record.fields();
        let place = u32::try_from(self.sequence - self.group_start).expect("a group fits memory");
        let mut bytes = [0; FRAME_BYTES];
        bytes[4..8].copy_from_slice(&self.payload_length.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.payload_crc.to_le_bytes());
        bytes[12] = self.record.kind();
        bytes[13] = flags;
        bytes[16..20].copy_from_slice(&self.shard.get().to_le_bytes());
        bytes[20..24].copy_from_slice(&place.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.sequence.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.shard_sequence.to_le_bytes());
        bytes[40..48].copy_from_slice(&index.to_le_bytes());
        bytes[48..56].copy_from_slice(&leader.term.get().to_le_bytes());
        bytes[56..64].copy_from_slice(&leader.node.get().to_le_bytes());
        let crc = crc32c::crc32c_append(seed, &bytes[4..]);
        bytes[..4].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Reads the frame at the start of `bytes` and checks it and its payload, whose range it returns.
    pub(crate) fn decode(bytes: &[u8], seed: u32) -> Option<(Self, Range<usize>)> {
        let header = bytes.get(..FRAME_BYTES)?;
        // Cheap refusals first: recovery tries every eighth byte behind a bad frame.
        if header[12] == 0 || header[14..16] != [0, 0] {
            return None;
        }
        if u32_at(header, 0) != crc32c::crc32c_append(seed, &header[4..]) {
            return None;
        }
        let leader = LeaderId { term: Term::new(u64_at(header, 48)), node: NodeId::new(u64_at(header, 56)) };
        let sequence = u64_at(header, 24);
        let frame = Self {
            record: Record::decode(header[12], header[13], u64_at(header, 40), leader)?,
            shard: ShardId::new(u32_at(header, 16)),
            sequence,
            group_start: sequence.checked_sub(u64::from(u32_at(header, 20)))?,
            shard_sequence: u64_at(header, 32),
            payload_length: u32_at(header, 4),
            payload_crc: u32_at(header, 8),
        };
        let payload = FRAME_BYTES..FRAME_BYTES.checked_add(frame.payload_length as usize)?;
        let payload_bytes = bytes.get(payload.clone())?;
        // A frame without payload stores zero, not the seed.
        let crc = if payload_bytes.is_empty() {
            frame.payload_crc
        } else {
            crc32c::crc32c_append(seed, payload_bytes)
        };
        (crc == frame.payload_crc).then_some((frame, payload))
    }

    /// Bytes of the whole frame with its padding.
    pub(crate) fn size(&self) -> usize {
        size_with_payload(self.payload_length as usize)
    }
}

/// Bytes of a frame with a payload of this length.
pub(crate) fn size_with_payload(length: usize) -> usize {
    (FRAME_BYTES + length).next_multiple_of(ALIGNMENT)
}

/// Offset of the next sound frame at or after `from`, which must be a multiple of 8.
pub(crate) fn find_frame(bytes: &[u8], from: usize, seed: u32) -> Option<usize> {
    (from..bytes.len().saturating_sub(FRAME_BYTES - 1))
        .step_by(ALIGNMENT)
        .find(|at| Frame::decode(&bytes[*at..], seed).is_some())
}

/// Encodes a hard state as a frame's payload.
pub(crate) fn encode_hard_state(state: &HardState) -> Bytes {
    let mut bytes = Vec::with_capacity(96);
    let flags = u8::from(state.corrupt)
        | u8::from(state.vote.is_some()) << 1
        | u8::from(state.vote.is_some_and(|vote| vote.committed)) << 2
        | u8::from(state.committed.is_some()) << 3
        | u8::from(state.range.purged.is_some()) << 4
        | u8::from(state.range.next.is_some()) << 5;
    bytes.extend_from_slice(&[flags, 0, 0, 0, 0, 0, 0, 0]);
    let mut put = |value: u64| bytes.extend_from_slice(&value.to_le_bytes());
    for leader in [
        state.vote.map(|vote| vote.leader).unwrap_or_default(),
        state.committed.map(|id| id.leader).unwrap_or_default(),
        state.range.purged.map(|id| id.leader).unwrap_or_default(),
    ] {
        put(leader.term.get());
        put(leader.node.get());
    }
    put(state.committed.map_or(0, |id| id.index.get()));
    put(state.range.purged.map_or(0, |id| id.index.get()));
    put(state.range.first);
    put(state.range.next.unwrap_or(0));
    bytes.into()
}

/// Reads a hard state; `None` if the payload is not one.
pub(crate) fn decode_hard_state(bytes: &[u8]) -> Option<HardState> {
    if bytes.len() != 88 {
        return None;
    }
    let flag = |bit: u8| bytes[0] & (1 << bit) != 0;
    let word = |n: usize| u64_at(bytes, 8 + 8 * n);
    let leader = |n: usize| LeaderId { term: Term::new(word(2 * n)), node: NodeId::new(word(2 * n + 1)) };
    let id = |n: usize, index: u64| LogId { leader: leader(n), index: LogIndex::new(index) };
    Some(HardState {
        corrupt: flag(0),
        vote: flag(1).then(|| Vote { leader: leader(0), committed: flag(2) }),
        committed: flag(3).then(|| id(1, word(6))),
        range: crate::hard_state::LogRange {
            purged: flag(4).then(|| id(2, word(7))),
            first: word(8),
            next: flag(5).then(|| word(9)),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(id: u64, salt: u64) -> SegmentHeader {
        SegmentHeader { id, salt, length: 8192 }
    }

    fn id() -> LogId {
        LogId { leader: LeaderId { term: Term::new(7), node: NodeId::new(2) }, index: LogIndex::new(9) }
    }

    fn encoded(record: Record, payload: &'static [u8], seed: u32) -> (Frame, Vec<u8>) {
        let payload = Bytes::from_static(payload);
        let frame =
            Frame::new(record, ShardId::new(3), 12, 10, 5).with_payload(seed, std::iter::once(&payload));
        let mut bytes = frame.encode(seed).to_vec();
        bytes.extend_from_slice(&payload);
        bytes.resize(frame.size(), 0);
        (frame, bytes)
    }

    #[test]
    fn frames_round_trip() {
        let vote = Vote { leader: id().leader, committed: true };
        for record in [
            Record::Entry(id()),
            Record::Vote(vote),
            Record::Vote(Vote { committed: false, ..vote }),
            Record::Truncate(Some(LogIndex::new(4))),
            Record::Truncate(None),
            Record::Purge(id()),
            Record::Committed(Some(id())),
            Record::Committed(None),
            Record::HardState,
            Record::Forget,
            Record::Mark,
        ] {
            let (frame, bytes) = encoded(record, b"payload", 5);
            assert_eq!(Frame::decode(&bytes, 5), Some((frame, 64..71)), "{record:?}");
        }
        assert!(Frame::decode(&encoded(Record::Entry(id()), b"", 5).1, 5).is_some());
    }

    #[test]
    fn frames_of_another_use_of_the_file_never_pass() {
        let seed = header(4, 11).seed();
        let (_, bytes) = encoded(Record::Entry(id()), b"payload", seed);
        for other in [header(5, 11), header(4, 12), header(0, 0)] {
            assert_eq!(Frame::decode(&bytes, other.seed()), None, "{other:?}");
        }
    }

    #[test]
    fn every_flipped_bit_of_a_frame_is_noticed() {
        let (_, bytes) = encoded(Record::Entry(id()), b"payload.", 5);
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Frame::decode(&damaged, 5), None, "bit {bit}");
        }
        assert_eq!(Frame::decode(&bytes[..bytes.len() - 1], 5), None, "cut");
    }

    #[test]
    fn headers_survive_the_loss_of_one_copy() {
        let mut bytes = header(4, 11).encode();
        bytes[3] ^= 1;
        assert_eq!(SegmentHeader::decode(&bytes), Ok(header(4, 11)));
        bytes[520] ^= 1;
        assert_eq!(SegmentHeader::decode(&bytes), Err(HeaderError::Damaged));
        assert_eq!(SegmentHeader::decode(&[]), Err(HeaderError::Damaged));
    }
}
