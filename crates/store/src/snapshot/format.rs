//! The bytes of a snapshot file: header, chunks, footer (`docs/formats.md`, "Store files").
//!
//! Every checksum starts from the file's identity (shard, covered log index, sequence), so bytes of
//! another snapshot, or a chunk in another's place, do not verify.

use std::fmt;
use std::path::Path;

use bytes::{Buf, Bytes};
use rivermark_types::limits::{SNAPSHOT_CHUNK_BYTES_MAX, SNAPSHOT_META_BYTES_MAX};
use rivermark_types::{LogIndex, ShardId};

use crate::error::{Corruption, StorageError, StoreError};

const HEADER_MAGIC: [u8; 8] = *b"RVMKSNAP";
const FOOTER_MAGIC: [u8; 8] = *b"RVMKSEND";
const VERSION: u32 = 1;

/// Magic, version, shard, covered index, sequence, meta length. The meta and a CRC32C follow.
pub(super) const HEADER_FIXED_LENGTH: usize = 8 + 4 + 4 + 8 + 8 + 4;
/// Length, CRC32C.
pub(super) const CHUNK_PREFIX_LENGTH: usize = 4 + 4;
/// Magic, chunk count, content bytes, CRC of CRCs, CRC32C.
pub(super) const FOOTER_LENGTH: usize = 8 + 8 + 8 + 4 + 4;
const CRC_LENGTH: usize = 4;

/// Where a snapshot stands among those of its shard: the log index it covers, then the order in which
/// they were begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    pub(super) covered: LogIndex,
    pub(super) sequence: u64,
}

/// Which file some bytes belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileIdentity {
    pub(super) shard: ShardId,
    pub(super) rank: Rank,
}

/// What the file ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Footer {
    pub(super) chunk_count: u64,
    /// Bytes of all chunks, without their prefixes.
    pub(super) content_bytes: u64,
    /// CRC32C over the chunks' checksums.
    pub(super) chunks_crc: u32,
}

impl Rank {
    const DIGITS: usize = 20;

    /// Parses the stem of a file name.
    pub(super) fn parse(stem: &str) -> Option<Self> {
        let (covered, sequence) = stem.split_once('-')?;
        let number = |text: &str| {
            let sound = text.len() == Self::DIGITS && text.bytes().all(|byte| byte.is_ascii_digit());
            if sound { text.parse::<u64>().ok() } else { None }
        };
        Some(Self { covered: LogIndex::new(number(covered)?), sequence: number(sequence)? })
    }
}

impl fmt::Display for Rank {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:020}-{:020}", self.covered.get(), self.sequence)
    }
}

impl FileIdentity {
    /// What all checksums of the file continue from.
    pub(super) fn seed(self) -> u32 {
        let mut bytes = [0; 20];
        bytes[..4].copy_from_slice(&self.shard.get().to_le_bytes());
        bytes[4..12].copy_from_slice(&self.rank.covered.get().to_le_bytes());
        bytes[12..].copy_from_slice(&self.rank.sequence.to_le_bytes());
        crc32c::crc32c(&bytes)
    }

    /// The header with its meta and checksum.
    pub(super) fn encode_header(self, meta: &[u8]) -> Vec<u8> {
        let meta_length = u32::try_from(meta.len()).expect("the writer bounds the meta");
        let mut bytes = Vec::with_capacity(HEADER_FIXED_LENGTH + meta.len() + CRC_LENGTH);
        bytes.extend_from_slice(&HEADER_MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&self.shard.get().to_le_bytes());
        bytes.extend_from_slice(&self.rank.covered.get().to_le_bytes());
        bytes.extend_from_slice(&self.rank.sequence.to_le_bytes());
        bytes.extend_from_slice(&meta_length.to_le_bytes());
        bytes.extend_from_slice(meta);
        let crc = crc32c::crc32c_append(self.seed(), &bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// The checksum of the chunk with this number, counted from 0.
    pub(super) fn chunk_crc(self, number: u64, chunk: &[u8]) -> u32 {
        let seed = crc32c::crc32c_append(self.seed(), &number.to_le_bytes());
        let length = u32::try_from(chunk.len()).expect("the writer bounds chunks");
        crc32c::crc32c_append(crc32c::crc32c_append(seed, &length.to_le_bytes()), chunk)
    }
}

/// The length of the whole header whose fixed part this is, if that could be one.
pub(super) fn header_length(path: &Path, fixed: &[u8]) -> Result<usize, Corruption> {
    if !fixed.starts_with(&HEADER_MAGIC) {
        return Err(Corruption::new(path, 0, "not a snapshot file"));
    }
    let meta_offset = HEADER_FIXED_LENGTH - 4;
    let meta_length = (&fixed[meta_offset..]).get_u32_le() as usize;
    if meta_length > SNAPSHOT_META_BYTES_MAX {
        return Err(Corruption::new(path, meta_offset as u64, "meta length"));
    }
    Ok(HEADER_FIXED_LENGTH + meta_length + CRC_LENGTH)
}

/// The meta of a whole header, verified to be that of the file `expected`.
pub(super) fn decode_header(path: &Path, header: &[u8], expected: FileIdentity) -> Result<Bytes, StoreError> {
    let (body, mut crc) = header.split_at(header.len() - CRC_LENGTH);
    let mut fields = &body[HEADER_MAGIC.len()..];
    let version = fields.get_u32_le();
    let shard = ShardId::new(fields.get_u32_le());
    let covered = LogIndex::new(fields.get_u64_le());
    let found = FileIdentity { shard, rank: Rank { covered, sequence: fields.get_u64_le() } };
    if crc.get_u32_le() != crc32c::crc32c_append(found.seed(), body) {
        return Err(Corruption::new(path, 0, "checksum of the header").into());
    }
    if version != VERSION {
        return Err(StorageError::unknown_version(path).into());
    }
    if found != expected {
        return Err(Corruption::new(path, 0, "header of another snapshot").into());
    }
    Ok(Bytes::copy_from_slice(&body[HEADER_FIXED_LENGTH..]))
}

impl Footer {
    /// The footer with its checksum.
    pub(super) fn encode(&self, file: FileIdentity) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(FOOTER_LENGTH);
        bytes.extend_from_slice(&FOOTER_MAGIC);
        bytes.extend_from_slice(&self.chunk_count.to_le_bytes());
        bytes.extend_from_slice(&self.content_bytes.to_le_bytes());
        bytes.extend_from_slice(&self.chunks_crc.to_le_bytes());
        let crc = crc32c::crc32c_append(file.seed(), &bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// The footer of the file; `None` if these bytes are not it.
    pub(super) fn decode(bytes: &[u8], file: FileIdentity) -> Option<Self> {
        let (body, mut crc) = bytes.split_at_checked(FOOTER_LENGTH - CRC_LENGTH)?;
        if !body.starts_with(&FOOTER_MAGIC) || crc.get_u32_le() != crc32c::crc32c_append(file.seed(), body) {
            return None;
        }
        let mut fields = &body[FOOTER_MAGIC.len()..];
        Some(Self {
            chunk_count: fields.get_u64_le(),
            content_bytes: fields.get_u64_le(),
            chunks_crc: fields.get_u32_le(),
        })
    }

    /// Bytes the chunks take in the file; `None` if that overflows.
    pub(super) fn chunk_area_length(&self) -> Option<u64> {
        self.chunk_count.checked_mul(CHUNK_PREFIX_LENGTH as u64)?.checked_add(self.content_bytes)
    }
}

/// Adds a chunk's checksum to the checksum of checksums.
pub(super) fn fold_crc(chunks_crc: u32, chunk_crc: u32) -> u32 {
    crc32c::crc32c_append(chunks_crc, &chunk_crc.to_le_bytes())
}

/// The two fields before a chunk's bytes: its length and its checksum.
pub(super) fn encode_chunk_prefix(length: usize, crc: u32) -> [u8; CHUNK_PREFIX_LENGTH] {
    let length = u32::try_from(length).expect("the writer bounds chunks");
    let mut prefix = [0; CHUNK_PREFIX_LENGTH];
    prefix[..4].copy_from_slice(&length.to_le_bytes());
    prefix[4..].copy_from_slice(&crc.to_le_bytes());
    prefix
}

/// The length and checksum of a chunk; `None` if the length is beyond any chunk's.
pub(super) fn decode_chunk_prefix(mut prefix: &[u8]) -> Option<(usize, u32)> {
    let length = prefix.get_u32_le() as usize;
    let crc = prefix.get_u32_le();
    (length <= SNAPSHOT_CHUNK_BYTES_MAX).then_some((length, crc))
}
