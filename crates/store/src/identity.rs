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
