//! Chunks back to a machine.

use std::collections::VecDeque;

use bytes::Bytes;
use rivermark_types::SessionId;

use super::record::{End, MAGIC, SessionHead, SettingsTail, Start, VERSION, tag};
use super::stream_restore::StreamRestore;
use crate::codec::{DecodeError, Reader, WireValue};
use crate::digest::Digest;
use crate::keyspace::Keyspace;
use crate::machine::Machine;
use crate::outcome::Outcome;
use crate::session::{Session, Sessions};
use crate::varint::take_varint;

/// The bytes are no whole snapshot, or a damaged one. The restore cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RestoreError {
    /// A record does not decode.
    #[error("a snapshot record is damaged: {0}")]
    Record(#[from] DecodeError),
    /// A record is out of place, or contradicts one before.
    #[error("the snapshot contradicts itself: {0}")]
    Contradiction(&'static str),
    /// The snapshot's hash is not that of its records.
    #[error("the snapshot's hash is not that of its records")]
    DigestMismatch,
    /// The last record is missing.
    #[error("the snapshot ends early")]
    Incomplete,
}

/// Builds a machine from a snapshot's chunks, in order.
#[derive(Debug, Default)]
pub struct SnapshotRestore {
    /// The beginning of a record whose end has not come.
    waiting: Vec<u8>,
    start: Option<Start>,
    keyspace: Keyspace,
    sessions: Sessions,
    stream: StreamRestore,
    session: Option<(SessionId, Session)>,
    records: u64,
    digest: Digest,
    ended: bool,
}

impl SnapshotRestore {
    /// Nothing restored yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next chunk. Chunks may be cut anew, but not be out of order.
    ///
    /// # Errors
    /// [`RestoreError`]; the restore is of no use afterwards.
    pub fn push(&mut self, chunk: &[u8]) -> Result<(), RestoreError> {
        self.waiting.extend_from_slice(chunk);
        if frame(&self.waiting).is_none() {
            return Ok(());
        }
        let bytes = Bytes::from(std::mem::take(&mut self.waiting));
        let mut at = 0;
        while let Some((start, end)) = frame(&bytes[at..]) {
            self.take(&bytes.slice(at + start..at + end))?;
            at += end;
        }
        self.waiting = bytes[at..].to_vec();
        Ok(())
    }

    /// The machine.
    ///
    /// # Errors
    /// [`RestoreError`] unless the chunks were one whole, undamaged snapshot.
    pub fn finish(self) -> Result<Machine, RestoreError> {
        match self.start {
            Some(start) if self.ended && self.waiting.is_empty() => {
                let Self { keyspace, sessions, .. } = self;
                let Start { settings, last_stamp, .. } = start;
                Ok(Machine { keyspace, sessions, settings, last_stamp })
            }
            _ => Err(RestoreError::Incomplete),
        }
    }

    fn take(&mut self, record: &Bytes) -> Result<(), RestoreError> {
        if self.ended {
            return Err(RestoreError::Contradiction("records after the end"));
        }
        let mut reader = Reader::new(record);
        let kind = reader.byte()?;
        if self.start.is_none() != (kind == tag::START) {
            return Err(RestoreError::Contradiction("not exactly one start"));
        }
        if kind == tag::END {
            self.take_end(&End::decode(&mut reader)?)?;
            return Ok(reader.finish()?);
        }
        self.digest.update(record);
        self.records += 1;
        match kind {
            tag::START => self.take_start(&mut reader)?,
            tag::SETTINGS => self.take_settings(&SettingsTail::decode(&mut reader)?)?,
            tag::STREAM => {
                self.close_stream()?;
                self.stream.take(kind, &mut reader)?;
                if self.stream.version().is_none_or(|version| version > self.keyspace.version()) {
                    return Err(RestoreError::Contradiction("a key version not given out"));
                }
            }
            tag::SESSION => self.take_session(&SessionHead::decode(&mut reader)?)?,
            tag::OUTCOME => {
                // In memory of its own: an outcome lives long, a chunk should not.
                let own = Bytes::copy_from_slice(record);
                reader = Reader::new(&own);
                reader.byte()?;
                let outcome = Outcome::decode(&mut reader)?;
                self.take_outcome(outcome)?;
                return Ok(reader.finish()?);
            }
            tag => self.stream.take(tag, &mut reader)?,
        }
        Ok(reader.finish()?)
    }

    fn take_start(&mut self, reader: &mut Reader<'_>) -> Result<(), RestoreError> {
        for expected in MAGIC {
            if reader.byte()? != expected {
                return Err(RestoreError::Record(DecodeError::Invalid("snapshot")));
            }
        }
        match reader.byte()? {
            VERSION => {}
            version => return Err(DecodeError::UnknownVersion(version).into()),
        }
        let start = Start::decode(reader)?;
        self.keyspace.restore_version(start.version);
        self.start = Some(start);
        Ok(())
    }

    fn take_settings(&mut self, tail: &SettingsTail) -> Result<(), RestoreError> {
        match &mut self.start {
            Some(start) if self.records == 2 => {
                start.settings.idempotent_s = tail.idempotent_s;
                start.settings.idempotent_pairs_max = tail.idempotent_pairs_max;
                Ok(())
            }
            _ => Err(RestoreError::Contradiction("settings out of place")),
        }
    }

    fn take_session(&mut self, head: &SessionHead) -> Result<(), RestoreError> {
        self.close_stream()?;
        self.close_session()?;
        let session = Session { next: head.next, outcomes: VecDeque::new(), last_seen: head.last_seen };
        self.session = Some((head.id, session));
        Ok(())
    }

    fn take_outcome(&mut self, outcome: Outcome) -> Result<(), RestoreError> {
        let (_, session) =
            self.session.as_mut().ok_or(RestoreError::Contradiction("an outcome of no session"))?;
        session.outcomes.push_back(outcome);
        Ok(())
    }

    fn take_end(&mut self, end: &End) -> Result<(), RestoreError> {
        if (end.records, end.digest) != (self.records, self.digest.value()) {
            return Err(RestoreError::DigestMismatch);
        }
        self.close_stream()?;
        self.close_session()?;
        self.ended = true;
        Ok(())
    }

    fn close_stream(&mut self) -> Result<(), RestoreError> {
        let Some((key, stream)) = self.stream.close()? else { return Ok(()) };
        if self.keyspace.restore(key, stream) {
            Ok(())
        } else {
            Err(RestoreError::Contradiction("a key twice"))
        }
    }

    fn close_session(&mut self) -> Result<(), RestoreError> {
        let Some((id, session)) = self.session.take() else { return Ok(()) };
        let remembered = session.outcomes.len() as u64;
        if remembered >= session.next || id == SessionId::NONE || !self.sessions.restore(id, session) {
            return Err(RestoreError::Contradiction("a session"));
        }
        Ok(())
    }
}

/// Where the first record of `bytes` begins and ends, if it is all there.
pub(super) fn frame(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut rest = bytes;
    let length = usize::try_from(take_varint(&mut rest)?).ok()?;
    let start = bytes.len() - rest.len();
    let end = start.checked_add(length)?;
    (end <= bytes.len()).then_some((start, end))
}
