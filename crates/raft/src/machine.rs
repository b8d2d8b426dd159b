//! The machine of a shard, of either kind, as replication sees it: payloads in, outcomes and effects out,
//! an image that can be taken at any moment.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use rivermark_cluster::{Command, Topology};
use rivermark_stream::command::Settings;
use rivermark_stream::{Batch, Effect, SnapshotRestore};
use rivermark_types::limits::SNAPSHOT_CHUNK_BYTES_MAX;
use rivermark_types::{ShardId, UnixMillis};

use crate::type_config::Applied;

/// A shard's machine.
pub(crate) enum Machine {
    Streams(Box<rivermark_stream::Machine>),
    Metadata(rivermark_cluster::Machine),
}

/// A payload, decoded: done before the machine is locked.
pub(crate) enum Decoded {
    Batch(Batch),
    Command(Box<Command>),
}

/// A machine's state at one moment, independent of what the machine does next.
pub(crate) enum Image {
    Streams(rivermark_stream::Snapshot),
    Metadata(Bytes),
}

impl Decoded {
    /// Decodes a payload of `shard`.
    ///
    /// # Errors
    /// This build does not know it: applying anything else would make replicas differ.
    pub(crate) fn from_payload(shard: ShardId, payload: &Bytes) -> io::Result<Self> {
        let undecodable =
            |error: &dyn std::error::Error| io::Error::new(io::ErrorKind::InvalidData, error.to_string());
        if shard == ShardId::METADATA {
            let command = Command::decode(payload).map_err(|error| undecodable(&error))?;
            Ok(Self::Command(Box::new(command)))
        } else {
            Batch::decode(payload).map(Self::Batch).map_err(|error| undecodable(&error))
        }
    }

    /// Whether it asks for nothing: a mark in the log, at which replicas can be compared.
    pub(crate) fn is_checkpoint(&self) -> bool {
        match self {
            Self::Batch(batch) => batch.parts.is_empty(),
            Self::Command(command) => {
                matches!(&**command, Command::SetSettings(values) if values.is_empty())
            }
        }
    }

    /// The stamp of a batch.
    pub(crate) fn stamp(&self) -> Option<UnixMillis> {
        match self {
            Self::Batch(batch) => Some(batch.stamp),
            Self::Command(_) => None,
        }
    }
}

impl Machine {
    /// The machine a shard begins with.
    pub(crate) fn new(shard: ShardId) -> Self {
        if shard == ShardId::METADATA {
            Self::Metadata(rivermark_cluster::Machine::new())
        } else {
            Self::Streams(Box::new(rivermark_stream::Machine::new(Settings::default())))
        }
    }

    pub(crate) fn apply(&mut self, decoded: &Decoded) -> (Applied, Vec<Effect>) {
        match (self, decoded) {
            (Self::Streams(machine), Decoded::Batch(batch)) => {
                let applied = machine.apply(batch);
                (Applied::Parts(applied.parts), applied.effects)
            }
            (Self::Metadata(machine), Decoded::Command(command)) => {
                (Applied::Metadata(machine.apply(command)), Vec::new())
            }
            _ => unreachable!("payloads are decoded by the shard's kind, as the machine was made"),
        }
    }

    /// The greatest stamp applied; zero for metadata.
    pub(crate) fn stamp(&self) -> UnixMillis {
        match self {
            Self::Streams(machine) => machine.last_stamp(),
            Self::Metadata(_) => UnixMillis::default(),
        }
    }

    /// The cluster, of the metadata shard.
    pub(crate) fn topology(&self) -> Option<Arc<Topology>> {
        match self {
            Self::Streams(_) => None,
            Self::Metadata(machine) => Some(machine.topology()),
        }
    }

    /// The machine of a stream shard.
    pub(crate) fn streams(&self) -> Option<&rivermark_stream::Machine> {
        match self {
            Self::Streams(machine) => Some(machine),
            Self::Metadata(_) => None,
        }
    }

    pub(crate) fn image(&self) -> Image {
        match self {
            Self::Streams(machine) => Image::Streams(machine.snapshot()),
            Self::Metadata(machine) => Image::Metadata(machine.snapshot()),
        }
    }

    /// The machine an image's chunks describe.
    ///
    /// # Errors
    /// A chunk could not be read, or the chunks describe no machine.
    pub(crate) fn restore(
        shard: ShardId,
        mut chunks: impl Iterator<Item = io::Result<Bytes>>,
    ) -> io::Result<Self> {
        let invalid = |error: String| io::Error::new(io::ErrorKind::InvalidData, error);
        if shard == ShardId::METADATA {
            let bytes = chunks.try_fold(Vec::new(), |mut bytes, chunk| {
                bytes.extend_from_slice(&chunk?);
                io::Result::Ok(bytes)
            })?;
            let machine = rivermark_cluster::Machine::restore(&bytes);
            return Ok(Self::Metadata(machine.map_err(|error| invalid(error.to_string()))?));
        }
        let mut restore = SnapshotRestore::new();
        for chunk in chunks {
            restore.push(&chunk?).map_err(|error| invalid(error.to_string()))?;
        }
        let machine = restore.finish().map_err(|error| invalid(error.to_string()))?;
        Ok(Self::Streams(Box::new(machine)))
    }
}

impl Image {
    /// The digest of the machine it was taken of.
    pub(crate) fn digest(&self) -> u64 {
        match self {
            Self::Streams(snapshot) => snapshot.digest(),
            Self::Metadata(bytes) => rivermark_cluster::Machine::digest_of(bytes),
        }
    }

    /// The image in pieces that fit a snapshot's chunks.
    pub(crate) fn chunks(&self) -> Box<dyn Iterator<Item = Bytes> + '_> {
        match self {
            Self::Streams(snapshot) => Box::new(snapshot.chunks().map(Bytes::from)),
            Self::Metadata(bytes) => Box::new(
                (0..bytes.len())
                    .step_by(SNAPSHOT_CHUNK_BYTES_MAX)
                    .map(|start| bytes.slice(start..bytes.len().min(start + SNAPSHOT_CHUNK_BYTES_MAX))),
            ),
        }
    }
}
