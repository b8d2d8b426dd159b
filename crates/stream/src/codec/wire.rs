//! How the building blocks are encoded, and the two macros that spell out structs and enums.

use bytes::Bytes;
use rivermark_types::{
    ConsumerName, DatabaseIndex, EntryId, GroupName, KeyPosition, Score, SessionId, Slot, StreamKey,
    UnixMillis,
};

use super::reader::{DecodeError, Reader};
use crate::fields::{Entries, Fields};
use crate::varint::put_varint;

/// Room reserved before the first item of a list is read: a length is only a claim.
const LIST_RESERVE_MAX: usize = 256;

/// A value with an encoding. `decode` undoes `encode`.
pub(crate) trait Wire: Sized {
    fn encode(&self, out: &mut Vec<u8>);
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError>;
}

/// A struct as its fields in the order listed.
macro_rules! wire_struct {
    ($($type:ty { $($field:ident),+ $(,)? })+) => {$(
        impl $crate::codec::WireValue for $type {
            fn encode(&self, out: &mut Vec<u8>) {
                $($crate::codec::WireValue::encode(&self.$field, out);)+
            }

            fn decode(
                reader: &mut $crate::codec::Reader<'_>,
            ) -> Result<Self, $crate::codec::DecodeError> {
                Ok(Self { $($field: $crate::codec::WireValue::decode(reader)?),+ })
            }
        }
    )+};
}

/// An enum as the tag listed and the fields of the variant. Tags listed as former are read, never written.
macro_rules! wire_enum {
    ($($type:ident { $(
        $tag:literal => $variant:ident $( ( $($field:ident),+ ) )? $( { $($named:ident),+ } )?
    ),+ $(,)? $( ; formerly $( $old:literal => $read:path ),+ $(,)? )? })+) => {$(
        impl $crate::codec::WireValue for $type {
            fn encode(&self, out: &mut Vec<u8>) {
                match self {$(
                    Self::$variant $( ( $($field),+ ) )? $( { $($named),+ } )? => {
                        out.push($tag);
                        $( $( $crate::codec::WireValue::encode($field, out); )+ )?
                        $( $( $crate::codec::WireValue::encode($named, out); )+ )?
                    }
                )+}
            }

            fn decode(
                reader: &mut $crate::codec::Reader<'_>,
            ) -> Result<Self, $crate::codec::DecodeError> {
                match reader.byte()? {
                    $( $tag => {
                        $( $( let $field = $crate::codec::WireValue::decode(reader)?; )+ )?
                        $( $( let $named = $crate::codec::WireValue::decode(reader)?; )+ )?
                        Ok(Self::$variant $( ( $($field),+ ) )? $( { $($named),+ } )?)
                    } )+
                    $( $( $old => $read(reader), )+ )?
                    tag => Err($crate::codec::DecodeError::UnknownTag { kind: stringify!($type), tag }),
                }
            }
        }
    )+};
}

pub(crate) use {wire_enum, wire_struct};

/// Stands where a value of the first release has a tag of 0 or 1, and says that fields follow which that
/// release had not. An older build refuses it as a tag it does not know.
pub(super) const EXTENDED: u8 = 2;

/// Takes [`EXTENDED`] if it is next.
pub(super) fn take_mark(reader: &mut Reader<'_>) -> Result<bool, DecodeError> {
    let marked = reader.peek() == Some(EXTENDED);
    if marked {
        reader.byte()?;
    }
    Ok(marked)
}

impl Wire for u64 {
    fn encode(&self, out: &mut Vec<u8>) {
        put_varint(out, *self);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.varint()
    }
}

impl Wire for u32 {
    fn encode(&self, out: &mut Vec<u8>) {
        put_varint(out, u64::from(*self));
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Self::try_from(reader.varint()?).map_err(|_| DecodeError::Invalid("32-bit number"))
    }
}

impl Wire for u8 {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(*self);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.byte()
    }
}

/// Zigzag, so that small negative numbers stay short.
impl Wire for i64 {
    fn encode(&self, out: &mut Vec<u8>) {
        put_varint(out, ((self << 1) ^ (self >> 63)).cast_unsigned());
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let raw = reader.varint()?;
        Ok((raw >> 1).cast_signed() ^ -(raw & 1).cast_signed())
    }
}

impl Wire for Bytes {
    fn encode(&self, out: &mut Vec<u8>) {
        put_varint(out, self.len() as u64);
        out.extend_from_slice(self);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.bytes()
    }
}

impl<T: Wire> Wire for Option<T> {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            None => out.push(0),
            Some(value) => {
                out.push(1);
                value.encode(out);
            }
        }
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match reader.byte()? {
            0 => Ok(None),
            1 => Ok(Some(T::decode(reader)?)),
            tag => Err(DecodeError::UnknownTag { kind: "Option", tag }),
        }
    }
}

impl<T: Wire> Wire for Vec<T> {
    fn encode(&self, out: &mut Vec<u8>) {
        put_varint(out, self.len() as u64);
        for item in self {
            item.encode(out);
        }
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let count = usize::try_from(reader.varint()?).map_err(|_| DecodeError::UnexpectedEnd)?;
        // Every item takes at least a byte.
        if count > reader.remaining() {
            return Err(DecodeError::UnexpectedEnd);
        }
        reader.nested(|reader| {
            let mut items = Vec::with_capacity(count.min(LIST_RESERVE_MAX));
            for _ in 0..count {
                items.push(T::decode(reader)?);
            }
            Ok(items)
        })
    }
}

impl<T: Wire> Wire for Box<T> {
    fn encode(&self, out: &mut Vec<u8>) {
        T::encode(self, out);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        T::decode(reader).map(Box::new)
    }
}

impl<A: Wire, B: Wire> Wire for (A, B) {
    fn encode(&self, out: &mut Vec<u8>) {
        self.0.encode(out);
        self.1.encode(out);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok((A::decode(reader)?, B::decode(reader)?))
    }
}

impl Wire for EntryId {
    fn encode(&self, out: &mut Vec<u8>) {
        put_varint(out, self.ms);
        put_varint(out, self.seq);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self::new(reader.varint()?, reader.varint()?))
    }
}

impl Wire for DatabaseIndex {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(self.get());
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Self::new(reader.byte()?).ok_or(DecodeError::Invalid("database"))
    }
}

impl Wire for StreamKey {
    fn encode(&self, out: &mut Vec<u8>) {
        self.database().encode(out);
        self.name().encode(out);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self::new(DatabaseIndex::decode(reader)?, reader.bytes()?))
    }
}

impl Wire for GroupName {
    fn encode(&self, out: &mut Vec<u8>) {
        self.as_bytes().encode(out);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.bytes().map(Self::new)
    }
}

impl Wire for ConsumerName {
    fn encode(&self, out: &mut Vec<u8>) {
        self.as_bytes().encode(out);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.bytes().map(Self::new)
    }
}

impl Wire for Slot {
    fn encode(&self, out: &mut Vec<u8>) {
        put_varint(out, u64::from(self.get()));
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let raw = u16::try_from(reader.varint()?).map_err(|_| DecodeError::Invalid("slot"))?;
        Self::new(raw).ok_or(DecodeError::Invalid("slot"))
    }
}

impl Wire for KeyPosition {
    fn encode(&self, out: &mut Vec<u8>) {
        put_varint(out, self.get());
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.varint().map(Self::new)
    }
}

/// Its bits.
impl Wire for Score {
    fn encode(&self, out: &mut Vec<u8>) {
        put_varint(out, self.get().to_bits());
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Self::new(f64::from_bits(reader.varint()?)).ok_or(DecodeError::Invalid("score"))
    }
}

impl Wire for UnixMillis {
    fn encode(&self, out: &mut Vec<u8>) {
        put_varint(out, self.get());
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.varint().map(Self::new)
    }
}

impl Wire for SessionId {
    fn encode(&self, out: &mut Vec<u8>) {
        put_varint(out, self.get());
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.varint().map(Self::new)
    }
}

/// An entry has at least one pair, so no pairs are refused.
impl Wire for Fields {
    fn encode(&self, out: &mut Vec<u8>) {
        self.pairs().encode(out);
        self.packed().encode(out);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let pairs = u32::decode(reader)?;
        let packed = reader.bytes()?;
        if pairs == 0 {
            return Err(DecodeError::Invalid("list of fields"));
        }
        Self::from_packed(packed, pairs).ok_or(DecodeError::Invalid("list of fields"))
    }
}

impl Wire for Entries {
    fn encode(&self, out: &mut Vec<u8>) {
        put_varint(out, self.len() as u64);
        self.packed().encode(out);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let count = u32::decode(reader)?;
        Self::from_packed(reader.bytes()?, count).ok_or(DecodeError::Invalid("list of entries"))
    }
}
