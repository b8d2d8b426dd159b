//! Bytes as the first release wrote them: still written where they say all there is to say, and still read.

use bytes::Bytes;
use rivermark_types::{ConsumerName, DatabaseIndex, EntryId, GroupName, StreamKey};

use super::*;
use crate::command::*;
use crate::fields::Fields;
use crate::outcome::*;
use crate::query::*;

fn key() -> StreamKey {
    StreamKey::new(DatabaseIndex::new(0).expect("database 0 exists"), Bytes::from_static(b"s"))
}

fn written(command: &Command) -> Vec<u8> {
    let mut encoded = Vec::new();
    encode_command(command, &mut encoded);
    encoded
}

#[test]
fn xadd() {
    let trim = Trim {
        keep: TrimKeep::MaxLength(1000),
        precision: TrimPrecision::Blocks { limit: None },
        references: References::Keep,
    };
    let command = |references| {
        Command::XAdd(XAdd {
            key: key(),
            missing_key: MissingKey::Create,
            trim: Some(Trim { references, ..trim }),
            id: NewEntryId::Auto,
            fields: Fields::from_pairs([(&b"f"[..], &b"v"[..])]),
        })
    };
    let expected = [1, 0, 1, b's', 0, 1, 0, 0xe8, 7, 1, 0, 0, 1, 4, 1, b'f', 1, b'v'];
    assert_eq!(written(&command(References::Keep)), expected);
    let expected = [1, 0, 1, b's', 0, 1, 2, 1, 0, 0xe8, 7, 1, 0, 0, 1, 4, 1, b'f', 1, b'v'];
    assert_eq!(written(&command(References::Drop)), expected);
}

#[test]
fn xreadgroup_and_xread() {
    let read = XReadGroup {
        group: GroupName::new(Bytes::from_static(b"g")),
        consumer: ConsumerName::new(Bytes::from_static(b"c")),
        count: Some(5),
        budget: ReadBudget::UNLIMITED,
        claim_min_idle_ms: None,
        acknowledgement: Acknowledgement::Explicit,
        streams: vec![(key(), GroupReadFrom::New)],
    };
    let expected = [10, 1, b'g', 1, b'c', 1, 5, 0, 1, 0, 1, b's', 0];
    assert_eq!(written(&Command::XReadGroup(read.clone())), expected);
    let claim = XReadGroup { claim_min_idle_ms: Some(9), ..read };
    let expected = [10, 1, b'g', 1, b'c', 2, 0, 0, 0, 1, 9, 1, 5, 0, 1, 0, 1, b's', 0];
    assert_eq!(written(&Command::XReadGroup(claim)), expected);

    let mut encoded = Vec::new();
    let streams = vec![(key(), ReadFrom::Last)];
    let read = XRead { count: Some(5), budget: ReadBudget::UNLIMITED, streams };
    encode_query(&Query::XRead(read), &mut encoded);
    assert_eq!(encoded, [3, 1, 5, 1, 0, 1, b's', 1]);
}

#[test]
fn former_settings() {
    let former = Bytes::from_static(&[37, 7, 9]);
    let settings = Settings { block_entries_max: 7, block_bytes_max: 9, ..Settings::default() };
    assert_eq!(decode_command(&mut Reader::new(&former)), Ok(Command::Configure(settings)));
    assert_eq!(written(&Command::Configure(settings)), [38, 7, 9, 100, 100]);
}

#[test]
fn former_descriptions_of_streams() {
    let head = [1, 2, 3, 0, 0, 0, 4, 5, 0];
    let told = StreamHead {
        length: 1,
        blocks: 2,
        last_id: EntryId::new(3, 0),
        max_deleted_id: EntryId::MIN,
        entries_added: 4,
        first_id: EntryId::new(5, 0),
        idempotence: IdempotenceInfo::default(),
    };
    let info = Bytes::from([&[12][..], &head, &[6, 0, 0, 0, 0]].concat());
    let Ok(Outcome::StreamInfo(info)) = decode_outcome(&mut Reader::new(&info)) else { panic!("no info") };
    assert_eq!((info.head, info.groups), (told.clone(), 6));
    let group = [1, 1, b'g', 3, 0, 1, 7, 0, 1, 1, 3, 0, 1, b'c', 8, 9, 0];
    let full = Bytes::from([&[13][..], &head, &[0, 0], &group].concat());
    let mut reader = Reader::new(&full);
    let Ok(Outcome::StreamFull(full)) = decode_outcome(&mut reader) else { panic!("no info") };
    assert!(reader.is_empty());
    assert_eq!(full.head, told);
    let group = &full.groups[0];
    assert_eq!((group.pending_count, group.nacked_count, group.entries_read), (1, 0, Some(7)));
    assert_eq!((group.pending[0].delivery_time_ms, group.pending[0].delivery_count), (8, 9));
}
