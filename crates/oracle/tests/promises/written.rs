//! Short histories by hand: the text form, what is no history, and what rests on one rule.

use rivermark_oracle::builder::{HistoryBuilder, added, entries, entry, xadd, xlen, xrange_all};
use rivermark_oracle::observation::FinalStream;
use rivermark_oracle::operation::{ReadFrom, Wait};
use rivermark_oracle::{
    History, HistoryError, Invariant, Observation, Operation, Reply, Report, Verdict, check,
};
use rivermark_types::EntryId;

fn verdict(history: &History) -> Report {
    check(history, None).expect("a valid history")
}

fn ending_with(list: &[(u64, &str)]) -> Observation {
    let entries = list.iter().map(|(ms, payload)| entry(*ms, payload)).collect();
    let stream = FinalStream { entries, ..FinalStream::default() };
    Observation { streams: [("s".to_owned(), stream)].into(), ..Observation::default() }
}

fn tail() -> Operation {
    Operation::Xread { key: "s".to_owned(), from: ReadFrom::Newest, count: None, wait: Wait::Block }
}

#[test]
fn the_text_form_is_kept() {
    let text = "\
{\"time_ns\":1,\"process\":1,\"event\":\"invoke\",\"operation\":{\"command\":\"xadd\",\"key\":\"s\",\"payload\":\"a\"}}
{\"time_ns\":2,\"process\":1,\"event\":\"ok\",\"reply\":{\"reply\":\"added\",\"id\":\"5-0\"}}
{\"time_ns\":3,\"process\":2,\"event\":\"invoke\",\"operation\":{\"command\":\"xread\",\"key\":\"s\",\"from\":\"newest\",\"wait\":\"block\"}}
{\"time_ns\":4,\"process\":2,\"event\":\"parked\"}
{\"time_ns\":5,\"process\":2,\"event\":\"info\",\"reason\":\"timed out\"}
";
    let mut builder = HistoryBuilder::new();
    builder.run(1, xadd("s", "a"), added(5)).invoke(2, tail()).parked(2).unknown(2);
    assert_eq!(History::read(text.as_bytes()).expect("well formed"), builder.build());
    let mut written = Vec::new();
    builder.build().write(&mut written).expect("memory");
    assert_eq!(String::from_utf8(written).expect("text"), text);
}

#[test]
fn what_no_client_can_have_done_is_refused() {
    let refused = |build: fn(&mut HistoryBuilder) -> &mut HistoryBuilder| {
        let mut builder = HistoryBuilder::new();
        build(&mut builder);
        check(&builder.build(), None).expect_err("no history")
    };
    let busy = refused(|b| b.invoke(1, xlen("s")).invoke(1, xlen("s")));
    assert!(matches!(busy, HistoryError::Busy { event: 1, process: 1 }), "{busy}");
    let idle = refused(|b| b.ok(1, Reply::Done));
    assert!(matches!(idle, HistoryError::Idle { event: 0, process: 1 }), "{idle}");
    let retired = refused(|b| b.invoke(1, xlen("s")).unknown(1).invoke(1, xlen("s")));
    assert!(matches!(retired, HistoryError::Retired { event: 2, process: 1 }), "{retired}");
    let mismatch = refused(|b| b.run(1, xlen("s"), Reply::Done));
    assert!(matches!(mismatch, HistoryError::ReplyMismatch { event: 1 }), "{mismatch}");
    let reused = refused(|b| b.run(1, xadd("s", "a"), added(1)).invoke(2, xadd("s", "a")));
    assert!(matches!(reused, HistoryError::PayloadReused { event: 2, .. }), "{reused}");
    let mut back = HistoryBuilder::new().invoke(1, xlen("s")).fail(1).build();
    back.events[1].time_ns = 0;
    let back = check(&back, None).expect_err("no history");
    assert!(matches!(back, HistoryError::TimeBack { event: 1, before_ns: 1, time_ns: 0 }), "{back}");
    let garbage = History::read(&b"\n{\"time_ns\":1}\n"[..]).expect_err("no event");
    assert!(matches!(garbage, HistoryError::Json { line: 2, .. }), "{garbage}");
}

#[test]
fn an_unknown_add_may_take_effect_after_later_operations() {
    let mut builder = HistoryBuilder::new();
    builder.invoke(1, xadd("s", "late")).unknown(1);
    builder.run(2, xlen("s"), Reply::Count { count: 0 });
    builder.run(2, xadd("s", "a"), added(1));
    builder.run(2, xrange_all("s"), entries(&[(1, "a")]));
    builder.run(2, xrange_all("s"), entries(&[(1, "a"), (2, "late")]));
    assert_eq!(verdict(&builder.build()).verdict, Verdict::Sound);
    // Once seen it stays.
    builder.run(2, xrange_all("s"), entries(&[(1, "a")]));
    assert_eq!(verdict(&builder.build()).violations[0].invariant, Invariant::LinearizableReads);
}

#[test]
fn an_unseen_add_counts() {
    let mut builder = HistoryBuilder::new();
    builder.invoke(1, xadd("s", "unseen")).unknown(1);
    builder.run(2, xlen("s"), Reply::Count { count: 1 });
    assert_eq!(verdict(&builder.build()).verdict, Verdict::Sound);
    builder.run(2, xlen("s"), Reply::Count { count: 0 });
    assert_eq!(verdict(&builder.build()).verdict, Verdict::Violated);
}

#[test]
fn two_readers_do_not_see_an_add_in_either_order() {
    // Both adds overlap with both reads; the ids still forbid seeing b without a.
    let mut builder = HistoryBuilder::new();
    builder.invoke(1, xadd("s", "a")).invoke(2, xadd("s", "b")).invoke(3, xrange_all("s"));
    builder.ok(3, entries(&[(2, "b")])).ok(1, added(1)).ok(2, added(2));
    let report = verdict(&builder.build());
    assert_eq!(report.violations[0].invariant, Invariant::LinearizableReads, "{report}");
    assert!(report.violations[0].message.contains("1-0"), "{report}");
}

#[test]
fn a_loss_says_where_it_is() {
    let mut builder = HistoryBuilder::new();
    for (number, payload) in [(1, "a"), (2, "b"), (3, "c")] {
        builder.run(1, xadd("s", payload), added(number));
    }
    let lost = |list: &[(u64, &str)]| {
        let report = check(&builder.build(), Some(&ending_with(list))).expect("valid");
        let found = report.violations.into_iter();
        let mut found = found.filter(|violation| violation.invariant == Invariant::AcknowledgedPresent);
        found.next().expect("a loss")
    };
    let middle = lost(&[(1, "a"), (3, "c")]);
    assert!(middle.message.ends_with("missing from the middle"), "{middle}");
    assert_eq!(middle.events, [2]);
    assert!(lost(&[(1, "a"), (2, "b")]).message.ends_with("missing from the end"));
}

#[test]
fn a_tail_reader_is_owed_entries_only_once_it_is_known_to_wait() {
    let history = |parked: bool| {
        let mut builder = HistoryBuilder::new();
        builder.invoke(1, tail());
        if parked {
            builder.parked(1);
        }
        builder.run(2, xadd("s", "a"), added(1)).run(2, xadd("s", "b"), added(2));
        builder.ok(1, entries(&[(2, "b")])).build()
    };
    // Unless it is, `$` may have been resolved after the first entry.
    assert_eq!(verdict(&history(false)).verdict, Verdict::Sound);
    let report = verdict(&history(true));
    assert!(report.violations.iter().any(|violation| violation.invariant == Invariant::TailReaders));
    assert!(report.violations.iter().any(|violation| violation.invariant == Invariant::LinearizableReads));
}

#[test]
fn a_reader_that_resumes_sees_no_gap() {
    let from = ReadFrom::After(EntryId::new(1, 0));
    let resume = Operation::Xread { key: "s".to_owned(), from, count: None, wait: Wait::Block };
    let mut builder = HistoryBuilder::new();
    for (number, payload) in [(1, "a"), (2, "b"), (3, "c")] {
        builder.run(1, xadd("s", payload), added(number));
    }
    builder.run(2, resume, entries(&[(3, "c")]));
    let report = verdict(&builder.build());
    assert_eq!(report.violations[0].invariant, Invariant::LinearizableReads, "{report}");
}

#[test]
fn a_report_is_written_and_read_back() {
    let mut builder = HistoryBuilder::new();
    builder.run(1, xadd("s", "a"), added(1)).run(1, xlen("s"), Reply::Count { count: 0 });
    let report = verdict(&builder.build());
    assert_eq!(report.counts.acknowledged, 1);
    let text = serde_json::to_string(&report).expect("plain data");
    assert_eq!(serde_json::from_str::<Report>(&text).expect("just written"), report);
    assert!(report.to_string().starts_with("Violated: 2 answered"), "{report}");
}
