//! The machine's snapshot: the topology today, further parts of the machine beside it later.

use bytes::Bytes;

use super::topology;
use crate::codec::{DecodeError, Reader, UnknownFields, Writer};
use crate::topology::Topology;

pub(crate) fn encode(state: &Topology) -> Bytes {
    let mut writer = Writer::new();
    writer.message(1, |w| topology::write(w, state));
    writer.into_bytes()
}

pub(crate) fn decode(bytes: &[u8]) -> Result<Topology, DecodeError> {
    let mut reader = Reader::new(bytes, UnknownFields::Refuse)?;
    let mut state = None;
    while let Some((tag, field)) = reader.next()? {
        match tag {
            1 => state = Some(topology::read(field.message()?)?),
            _ => reader.unknown("snapshot field", tag)?,
        }
    }
    state.ok_or(DecodeError::Missing("topology"))
}
