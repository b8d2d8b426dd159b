//! Outcomes in the reference's bytes, RESP2 and RESP3.

use bytes::BytesMut;
use rivermark_protocol::reply::write_outcome;
use rivermark_protocol::{Protocol, ReplyWriter};
use rivermark_stream::fields::EntriesBuilder;
use rivermark_stream::outcome::{
    AutoClaimed, Claimed, ConsumerFull, ConsumerInfo, Delivery, GroupFull, GroupInfo, IdempotenceInfo,
    KeyType, PendingEntry, PendingRecord, PendingSummary, ScanPage, StreamClaims, StreamEntries, StreamFull,
    StreamHead, StreamInfo, StreamsRead,
};
use rivermark_stream::{Entries, Outcome, Rejection};
use rivermark_types::KeyPosition;

use crate::check::{consumer, group, id, key};

fn written(outcome: &Outcome, protocol: Protocol) -> String {
    let mut out = BytesMut::new();
    write_outcome(outcome, &mut ReplyWriter::new(&mut out, protocol));
    String::from_utf8(out.to_vec()).expect("tests use text").replace("\r\n", " ").trim_end().to_owned()
}

/// Lines are told apart by blanks here, which no test's data has.
fn check(outcome: &Outcome, resp2: &str, resp3: &str) {
    assert_eq!(written(outcome, Protocol::Resp2), resp2);
    assert_eq!(written(outcome, Protocol::Resp3), resp3);
}

fn same(outcome: &Outcome, expected: &str) {
    check(outcome, expected, expected);
}

fn entries() -> Entries {
    let mut entries = EntriesBuilder::default();
    entries.begin(id(1, 1), 2);
    entries.pair(b"a", b"1");
    entries.pair(b"a", b"");
    entries.deleted(id(2, 0));
    entries.finish()
}

fn one_entry() -> Entries {
    let mut entries = EntriesBuilder::default();
    entries.begin(id(1, 1), 1);
    entries.pair(b"a", b"1");
    entries.finish()
}

#[test]
fn scalars() {
    same(&Outcome::Done, "+OK");
    same(&Outcome::Integer(-2), ":-2");
    check(&Outcome::Nil, "$-1", "_");
    check(&Outcome::NilArray, "*-1", "_");
    check(&Outcome::WatchFailed, "*-1", "_");
    same(&Outcome::EntryId(id(1, 2)), "$3 1-2");
    same(&Outcome::EntryIds(vec![id(1, 2)]), "*1 $3 1-2");
    same(&Outcome::KeyType(KeyType::None), "+none");
    same(&Outcome::KeyType(KeyType::Stream), "+stream");
    same(&Outcome::Keys(vec![key("a"), key("b")]), "*2 $1 a $1 b");
    same(&Outcome::Transaction(vec![Outcome::Done, Outcome::Integer(1)]), "*2 +OK :1");
    same(&Outcome::Integers(vec![-1, 1, 2]), "*3 :-1 :1 :2");
    same(&Outcome::Bytes("a b".into()), "$3 a b");
    same(&Outcome::KeyVersions(vec![0, 7]), "*2 :0 :7");
}

#[test]
fn entries_and_deleted_ones() {
    check(
        &Outcome::Entries(entries()),
        "*2 *2 $3 1-1 *4 $1 a $1 1 $1 a $0  *2 $3 2-0 *-1",
        "*2 *2 $3 1-1 *4 $1 a $1 1 $1 a $0  *2 $3 2-0 _",
    );
    same(&Outcome::Entries(Entries::default()), "*0");
}

#[test]
fn streams_are_a_map_in_resp3() {
    let stream = |name, entries| StreamEntries { index: 0, key: key(name), entries };
    let read = |streams| Outcome::Streams(StreamsRead { streams, resolved: Vec::new() });
    check(&read(Vec::new()), "*-1", "_");
    check(
        &read(vec![stream("s", one_entry()), stream("s", Entries::default())]),
        "*2 *2 $1 s *1 *2 $3 1-1 *2 $1 a $1 1 *2 $1 s *0",
        "%2 $1 s *1 *2 $3 1-1 *2 $1 a $1 1 $1 s *0",
    );
}

#[test]
fn claimed_entries_tell_of_their_delivery() {
    let stream = |name, entries, deliveries| StreamClaims {
        read: StreamEntries { index: 0, key: key(name), entries },
        deliveries,
    };
    let claimed = Outcome::StreamsClaimed(vec![
        stream("s", one_entry(), vec![Delivery { idle_ms: 70, delivery_count: 2 }]),
        stream("t", one_entry(), Vec::new()),
        stream("u", Entries::default(), Vec::new()),
    ]);
    let (s, t) = ("*1 *4 $3 1-1 *2 $1 a $1 1 :70 :2", "*1 *2 $3 1-1 *2 $1 a $1 1");
    check(
        &claimed,
        &format!("*3 *2 $1 s {s} *2 $1 t {t} *2 $1 u *0"),
        &format!("%3 $1 s {s} $1 t {t} $1 u *0"),
    );
}

#[test]
fn scan_pages() {
    let page = |next, keys| Outcome::ScanPage(ScanPage { next, keys });
    same(&page(None, vec![key("a")]), "*2 $1 0 *1 $1 a");
    same(&page(Some(KeyPosition::new(u64::MAX)), Vec::new()), "*2 $20 18446744073709551615 *0");
}

#[test]
fn claims() {
    let claimed =
        |claimed| Outcome::AutoClaimed(AutoClaimed { cursor: id(0, 0), claimed, deleted: vec![id(9, 9)] });
    same(&claimed(Claimed::Entries(one_entry())), "*3 $3 0-0 *1 *2 $3 1-1 *2 $1 a $1 1 *1 $3 9-9");
    same(&claimed(Claimed::Ids(vec![id(1, 1)])), "*3 $3 0-0 *1 $3 1-1 *1 $3 9-9");
}

#[test]
fn pending() {
    let summary =
        |count, range, consumers| Outcome::PendingSummary(PendingSummary { count, range, consumers });
    check(&summary(0, None, Vec::new()), "*4 :0 $-1 $-1 *-1", "*4 :0 _ _ _");
    same(
        &summary(3, Some((id(1, 1), id(2, 2))), vec![(consumer("c"), 3)]),
        "*4 :3 $3 1-1 $3 2-2 *1 *2 $1 c $1 3",
    );
    let entry = PendingEntry { id: id(1, 1), consumer: consumer("c"), idle_ms: Some(5), delivery_count: 2 };
    same(&Outcome::PendingRange(vec![entry]), "*1 *4 $3 1-1 $1 c :5 :2");
    let nobodys = PendingEntry { id: id(1, 1), consumer: consumer(""), idle_ms: None, delivery_count: 0 };
    same(&Outcome::PendingRange(vec![nobodys]), "*1 *4 $3 1-1 $0  :-1 :0");
    same(&Outcome::PendingRange(Vec::new()), "*0");
}

fn head() -> StreamHead {
    StreamHead {
        length: 1,
        blocks: 1,
        last_id: id(1, 1),
        max_deleted_id: id(0, 0),
        entries_added: 1,
        first_id: id(1, 1),
        idempotence: IdempotenceInfo {
            duration_s: 100,
            pairs_max: 200,
            producers: 1,
            pairs: 2,
            added: 3,
            duplicates: 4,
        },
    }
}

const HEAD: &str = "$6 length :1 $15 radix-tree-keys :1 $16 radix-tree-nodes :2 $17 last-generated-id $3 1-1 \
                    $20 max-deleted-entry-id $3 0-0 $13 entries-added :1 $23 recorded-first-entry-id $3 1-1 \
                    $13 idmp-duration :100 $12 idmp-maxsize :200 $12 pids-tracked :1 $12 iids-tracked :2 \
                    $10 iids-added :3 $15 iids-duplicates :4";

#[test]
fn stream_info() {
    let info = |last_entry| {
        Outcome::StreamInfo(Box::new(StreamInfo {
            head: head(),
            groups: 2,
            first_entry: one_entry(),
            last_entry,
        }))
    };
    let tail = "$6 groups :2 $11 first-entry *2 $3 1-1 *2 $1 a $1 1 $10 last-entry";
    check(&info(Entries::default()), &format!("*32 {HEAD} {tail} $-1"), &format!("%16 {HEAD} {tail} _"));
    check(
        &info(one_entry()),
        &format!("*32 {HEAD} {tail} *2 $3 1-1 *2 $1 a $1 1"),
        &format!("%16 {HEAD} {tail} *2 $3 1-1 *2 $1 a $1 1"),
    );
}

#[test]
fn stream_full() {
    let record =
        PendingRecord { id: id(1, 1), consumer: consumer("c"), delivery_time_ms: 9, delivery_count: 2 };
    let member = ConsumerFull {
        name: consumer("c"),
        seen_time_ms: 8,
        active_time_ms: None,
        pending_count: 1,
        pending: vec![record.clone()],
    };
    let group = GroupFull {
        name: group("g"),
        last_delivered_id: id(1, 1),
        entries_read: Some(1),
        lag: None,
        pending_count: 1,
        nacked_count: 5,
        pending: vec![record],
        consumers: vec![member.clone(), ConsumerFull { active_time_ms: Some(7), ..member }],
    };
    let full = StreamFull { head: head(), entries: one_entry(), groups: vec![group] };
    let expected = |map: &dyn Fn(usize) -> String, null: &str| {
        let member = |active: &str| {
            format!(
                "{} $4 name $1 c $9 seen-time :8 $11 active-time :{active} $9 pel-count :1 \
                 $7 pending *1 *3 $3 1-1 :9 :2",
                map(5)
            )
        };
        format!(
            "{} {HEAD} $7 entries *1 *2 $3 1-1 *2 $1 a $1 1 $6 groups *1 {} $4 name $1 g \
             $17 last-delivered-id $3 1-1 $12 entries-read :1 $3 lag {null} $9 pel-count :1 $12 nacked-count :5 \
             $7 pending *1 *4 $3 1-1 $1 c :9 :2 $9 consumers *2 {} {}",
            map(15),
            map(8),
            member("-1"),
            member("7")
        )
    };
    check(
        &Outcome::StreamFull(Box::new(full)),
        &expected(&|pairs| format!("*{}", pairs * 2), "$-1"),
        &expected(&|pairs| format!("%{pairs}"), "_"),
    );
}

#[test]
fn groups_and_consumers() {
    let info = GroupInfo {
        name: group("g"),
        consumers: 1,
        pending: 2,
        last_delivered_id: id(1, 1),
        entries_read: None,
        lag: Some(3),
    };
    let told = "$4 name $1 g $9 consumers :1 $7 pending :2 $17 last-delivered-id $3 1-1 $12 entries-read";
    check(
        &Outcome::Groups(vec![info]),
        &format!("*1 *12 {told} $-1 $3 lag :3"),
        &format!("*1 %6 {told} _ $3 lag :3"),
    );
    let info = |inactive_ms| ConsumerInfo { name: consumer("c"), pending: 1, idle_ms: 2, inactive_ms };
    let told = "$4 name $1 c $7 pending :1 $4 idle :2 $8 inactive";
    check(
        &Outcome::Consumers(vec![info(None), info(Some(5))]),
        &format!("*2 *8 {told} :-1 *8 {told} :5"),
        &format!("*2 %4 {told} :-1 %4 {told} :5"),
    );
}

#[test]
fn rejections() {
    let check = |rejection: Rejection, expected: &str| same(&Outcome::Rejected(rejection), expected);
    let (s, g) = (|| key("s"), || group("g"));
    check(Rejection::NoSuchKey, "-ERR no such key");
    check(Rejection::GroupExists, "-BUSYGROUP Consumer Group name already exists");
    check(Rejection::NoKeyOrGroup(s(), g()), "-NOGROUP No such key 's' or consumer group 'g'");
    check(
        Rejection::NoKeyOrGroupToRead(s(), g()),
        "-NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option",
    );
    check(Rejection::NoGroup(s(), g()), "-NOGROUP No such consumer group 'g' for key name 's'");
    check(
        Rejection::KeyRequiredByXGroup,
        "-ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the \
         MKSTREAM option to create an empty stream automatically.",
    );
    check(
        Rejection::IdTooSmall,
        "-ERR The ID specified in XADD is equal or smaller than the target stream top item",
    );
    check(
        Rejection::IdsExhausted,
        "-ERR The stream has exhausted the last possible ID, unable to add more items",
    );
    let xsetid = "-ERR The ID specified in XSETID is smaller than";
    check(Rejection::SetIdBelowGivenMaxDeleted, &format!("{xsetid} the provided max_deleted_entry_id"));
    check(Rejection::SetIdBelowMaxDeleted, &format!("{xsetid} current max_deleted_entry_id"));
    check(Rejection::SetIdBelowLastEntry, &format!("{xsetid} the target stream top item"));
    check(
        Rejection::EntriesAddedBelowLength,
        "-ERR The entries_added specified in XSETID is smaller than the target stream length",
    );
    check(Rejection::NoSuchEntry, "-ERR No such message in stream");
    check(
        Rejection::IdempotentIdTaken,
        "-ERR IID already exists for this producer with a different stream ID",
    );
    check(Rejection::KeyExists, "-BUSYKEY Target key name already exists.");
    check(Rejection::PayloadInvalid, "-ERR DUMP payload version or checksum are wrong");
    check(Rejection::DumpTooLarge, "-ERR The stream is larger than what RESTORE accepts");
    check(Rejection::RangeTooLarge, "-ERR The range holds more than the server returns at once, use COUNT");
    check(
        Rejection::IdleTimeNotTracked,
        "-ERR The time of last access is not tracked, so there is no idle time.",
    );
    check(
        Rejection::AccessFrequencyNotTracked,
        "-ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when \
         switching between policies at runtime LRU and LFU data will take some time to adjust.",
    );
}
