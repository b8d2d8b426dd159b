//! Entry ids in histories are `ms-seq` text, so that a line reads as the client saw it.

use rivermark_types::EntryId;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub(crate) fn serialize<S: Serializer>(id: &EntryId, serializer: S) -> Result<S::Ok, S::Error> {
    id.to_string().serialize(serializer)
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<EntryId, D::Error> {
    let text = String::deserialize(deserializer)?;
    EntryId::parse(text.as_bytes(), 0).map_err(|_| D::Error::custom(format!("{text:?} is no entry id")))
}

/// Lists of ids.
pub(crate) mod list {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(ids: &[EntryId], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(ids.iter().map(EntryId::to_string))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<EntryId>, D::Error> {
        let texts = Vec::<String>::deserialize(d)?;
        let parse = |text: String| {
            EntryId::parse(text.as_bytes(), 0)
                .map_err(|_| D::Error::custom(format!("{text:?} is no entry id")))
        };
        texts.into_iter().map(parse).collect()
    }
}
