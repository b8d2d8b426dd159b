//! Who this data folder belongs to, and how many times its node has started.
//!
//! Invariant: once [`NodeIdentity::open`] returned, its incarnation is durable and greater than that of
//! every earlier start on this folder, so whatever is derived from (node, incarnation) is never minted
//! twice. A folder of another node is refused: two nodes answering by one id would let one of them vote
//! twice.
//!
//! A missing file is a first start; a damaged one is an error, never a first start. That the folder was
//! not emptied behind a node the cluster still knows is for the cluster to check, by node id.

use std::fmt;
use std::path::{Path, PathBuf};

use bytes::Buf;
use rivermark_fs::FileSystem;
use rivermark_types::NodeId;

use crate::error::{Corruption, StorageError, StoreError};
use crate::replace::{create_directory, read_file, replace_file};

const FILE_NAME: &str = "identity";
const MAGIC: [u8; 8] = *b"RVMKIDEN";
const VERSION: u32 = 1;
/// Magic, version, cluster, node, incarnation, CRC32C.
const LENGTH: usize = 8 + 4 + 16 + 8 + 8 + 4;

/// A cluster, named at random when it was founded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClusterId(u128);

/// What a data folder says of its node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeIdentity {
    /// The cluster the node was created in.
    pub cluster: ClusterId,
    /// The node.
    pub node: NodeId,
    /// Starts of the node on this folder, this one included: 1 for the first.
    pub incarnation: u64,
}

/// Why a data folder cannot serve a node.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The folder is another node's.
    #[error("{} belongs to node {found}, not to the configured node {configured}", path.display())]
    OtherNode {
        /// The identity file.
        path: PathBuf,
        /// The node it names.
        found: NodeId,
        /// The node that tried to start.
        configured: NodeId,
    },
    /// The file could not be read or written, or is damaged.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ClusterId {
    /// Wraps the raw number.
    pub const fn new(raw: u128) -> Self {
        Self(raw)
    }

    /// The raw number.
    pub const fn get(self) -> u128 {
        self.0
    }
}

impl fmt::Display for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl NodeIdentity {
    /// Starts `node` on `directory`: counts the incarnation up, durably. The first start writes
    /// `first_cluster`; later ones keep the cluster they find, which the caller compares with its
    /// peers'.
    ///
    /// # Errors
    /// [`IdentityError::OtherNode`] if the folder is another node's; a damaged or unwritable file.
    pub fn open(
        fs: &dyn FileSystem,
        directory: &Path,
        node: NodeId,
        first_cluster: ClusterId,
    ) -> Result<Self, IdentityError> {
        let path = directory.join(FILE_NAME);
        let last = Self::read(fs, directory)?;
        let last = last.unwrap_or(Self { cluster: first_cluster, node, incarnation: 0 });
        if last.node != node {
            return Err(IdentityError::OtherNode { path, found: last.node, configured: node });
        }
        let incarnation = last.incarnation.checked_add(1).expect("no node starts 2^64 times");
        let identity = Self { incarnation, ..last };
        create_directory(fs, directory).map_err(StoreError::from)?;
        // Durable before it is handed out: a crash after this may skip a number, never repeat one.
        replace_file(fs, &path, &identity.encode()).map_err(StoreError::from)?;
        Ok(identity)
    }

    /// The identity a folder holds, without starting it; `None` before the first start.
    ///
    /// # Errors
    /// A damaged or unreadable file.
    pub fn read(fs: &dyn FileSystem, directory: &Path) -> Result<Option<Self>, StoreError> {
        let path = directory.join(FILE_NAME);
        match read_file(fs, &path, LENGTH)? {
            None => Ok(None),
            Some(bytes) => Ok(Some(Self::decode(&path, &bytes)?)),
        }
    }

    fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(LENGTH);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&self.cluster.0.to_le_bytes());
        bytes.extend_from_slice(&self.node.get().to_le_bytes());
        bytes.extend_from_slice(&self.incarnation.to_le_bytes());
        let crc = crc32c::crc32c(&bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        bytes
    }

    fn decode(path: &Path, bytes: &[u8]) -> Result<Self, StoreError> {
        let corrupt = |offset: usize, what| Corruption::new(path, offset as u64, what);
        let mut fields = &bytes[MAGIC.len()..];
        let version = fields.get_u32_le();
        let cluster = ClusterId(fields.get_u128_le());
        let node = NodeId::new(fields.get_u64_le());
        let incarnation = fields.get_u64_le();
        let crc = fields.get_u32_le();
        if !bytes.starts_with(&MAGIC) {
            return Err(corrupt(0, "not an identity file").into());
        }
        if crc != crc32c::crc32c(&bytes[..LENGTH - 4]) {
            return Err(corrupt(LENGTH - 4, "checksum of the identity").into());
        }
        if version != VERSION {
            return Err(StorageError::unknown_version(path).into());
        }
        Ok(Self { cluster, node, incarnation })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rivermark_fs::{CrashOptions, OsFileSystem, SimulatedFileSystem};

    const CLUSTER: ClusterId = ClusterId::new(0x0123_4567_89ab_cdef_0011_2233_4455_6677);
    const NODE: NodeId = NodeId::new(7);

    fn start(fs: &dyn FileSystem) -> Result<NodeIdentity, IdentityError> {
        NodeIdentity::open(fs, Path::new("/node"), NODE, CLUSTER)
    }

    #[test]
    fn every_start_counts_and_keeps_the_first_cluster() {
        let directory = tempfile::tempdir().unwrap();
        let folder = directory.path().join("data");
        assert_eq!(NodeIdentity::read(&OsFileSystem, &folder).unwrap(), None);
        for incarnation in 1..=3 {
            let offered = ClusterId::new(CLUSTER.get() + u128::from(incarnation) - 1);
            let identity = NodeIdentity::open(&OsFileSystem, &folder, NODE, offered).unwrap();
            assert_eq!(identity, NodeIdentity { cluster: CLUSTER, node: NODE, incarnation });
            assert_eq!(NodeIdentity::read(&OsFileSystem, &folder).unwrap(), Some(identity));
        }
        assert_eq!(CLUSTER.to_string(), "0123456789abcdef0011223344556677");
    }

    #[test]
    fn a_folder_of_another_node_is_refused_and_unchanged() {
        let fs = SimulatedFileSystem::new();
        start(&fs).unwrap();
        let refused = NodeIdentity::open(&fs, Path::new("/node"), NodeId::new(8), CLUSTER);
        let Err(IdentityError::OtherNode { found, configured, .. }) = refused else { panic!("{refused:?}") };
        assert_eq!((found, configured), (NODE, NodeId::new(8)));
        assert_eq!(start(&fs).unwrap().incarnation, 2);
    }

    #[test]
    fn every_bit_flip_and_truncation_is_refused() {
        let fs = SimulatedFileSystem::new();
        start(&fs).unwrap();
        let path = Path::new("/node").join(FILE_NAME);
        let check = |damaged: SimulatedFileSystem, context: String| {
            let result = start(&damaged);
            let corrupt = matches!(result, Err(IdentityError::Store(StoreError::Corruption(_))));
            assert!(corrupt, "{context}: {result:?}");
        };
        for bit in 0..LENGTH as u64 * 8 {
            let damaged = fs.copy();
            damaged.flip_bit(&path, bit);
            check(damaged, format!("bit {bit}"));
        }
        for length in 0..LENGTH as u64 {
            let damaged = fs.copy();
            damaged.truncate_file(&path, length);
            check(damaged, format!("cut to {length}"));
        }
    }

    #[test]
    fn a_crash_at_any_operation_never_repeats_an_incarnation() {
        let rehearsal = SimulatedFileSystem::new();
        start(&rehearsal).unwrap();
        let first_start = rehearsal.operations();
        start(&rehearsal).unwrap();
        let second_start = rehearsal.operations();
        for cut in 1..=second_start + 1 {
            for seed in 0..20 {
                let fs = SimulatedFileSystem::new();
                fs.cut_power_at(cut);
                let handed_out =
                    [start(&fs), start(&fs)].into_iter().flatten().map(|id| id.incarnation).max();
                let after = fs.crash(CrashOptions::random(seed));
                let next = start(&after).unwrap().incarnation;
                let handed_out = handed_out.unwrap_or(0);
                assert!(next > handed_out, "cut at {cut}, seed {seed}: {next} after {handed_out}");
                assert_eq!(handed_out > 0, cut > first_start);
            }
        }
    }
}
