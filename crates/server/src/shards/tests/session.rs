use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use rivermark_stream::{Command, Outcome, Query};
use rivermark_types::ShardId;
use rivermark_types::limits::{COMMAND_BYTES_MAX, SESSION_IDLE_MS_MAX};
use tokio::time::{Instant, sleep};

use super::leaders::{Cluster, Turn, add, key};
use crate::shards::client::{ClientOptions, ShardClients, Unavailable};
use crate::shards::endpoint::WaitCondition;
use crate::shards::waits::Wake;

const SHARD: ShardId = ShardId::new(1);

fn clients(cluster: &Arc<Cluster>, has_replica: bool) -> Arc<ShardClients> {
    let options = ClientOptions { retry_ms_max: 15_000, ..ClientOptions::default() };
    ShardClients::new(cluster.directory(has_replica), 1 << 20, options, Arc::default())
}

/// Runs on paused time: sleeps pass at once when nothing else can happen.
fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(test);
}

fn turns() -> impl Strategy<Value = Vec<(Turn, u8)>> {
    let turn = prop_oneof![
        6 => Just(Turn::Apply),
        1 => Just(Turn::RefuseNameless),
        1 => Just(Turn::RefuseAndMove),
        1 => Just(Turn::ApplyAndForget),
        1 => Just(Turn::ApplyAndBreak),
        1 => Just(Turn::KeepForLater),
        1 => Just(Turn::KeepAndHang),
        1 => Just(Turn::Unreachable),
        1 => Just(Turn::Overloaded),
    ];
    prop::collection::vec((turn, any::<u8>()), 0..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Design P2 and P4: whatever leaders do, each command is applied once, in the order of submission,
    /// and every caller gets its outcome.
    #[test]
    fn every_command_is_applied_once_and_in_order(
        script in turns(),
        bursts in prop::collection::vec((1u64..40, 0u64..6), 1..12),
        has_replica: bool,
    ) {
        run(async move {
            let cluster = Cluster::new(script);
            let clients = clients(&cluster, has_replica);
            let mut answers = Vec::new();
            let mut next = 0;
            for (commands, pause_ms) in bursts {
                let commands = next..next + commands;
                next = commands.end;
                answers.push((commands.clone(), clients.submit(SHARD, commands.map(add).collect())));
                sleep(Duration::from_millis(pause_ms)).await;
            }
            let mut last_id = None;
            for (commands, answer) in answers {
                let outcomes = answer.await.expect("there always is a leader in the end");
                assert_eq!(outcomes.len() as u64, commands.end - commands.start);
                for outcome in outcomes {
                    let Outcome::EntryId(id) = outcome else { panic!("XADD answers an id") };
                    assert!(Some(id) > last_id, "in order");
                    last_id = Some(id);
                }
            }
            // Copies that turn up late change nothing.
            cluster.settle();
            assert_eq!(cluster.values(), (0..next).collect::<Vec<_>>());
            let counters = clients.counters();
            assert_eq!((counters.queued_commands.get(), counters.queued_bytes.get()), (0, 0));
        });
    }

    /// With leaders gone for longer than the patience, an error never lies: what was refused was not
    /// applied, what was answered was applied once, in order.
    #[test]
    fn errors_tell_the_truth(
        script in turns(),
        bursts in prop::collection::vec((1u64..10, 0u64..9_000, 0u8..4), 1..12),
    ) {
        run(async move {
            let cluster = Cluster::new(script);
            let clients = clients(&cluster, false);
            let mut answers = Vec::new();
            let mut next = 0;
            for (commands, pause_ms, leader) in bursts {
                cluster.set_leader((leader > 0).then_some(u64::from(leader)));
                let commands = next..next + commands;
                next = commands.end;
                answers.push((commands.clone(), clients.submit(SHARD, commands.map(add).collect())));
                sleep(Duration::from_millis(pause_ms)).await;
            }
            let mut surely = Vec::new();
            let mut perhaps = Vec::new();
            for (commands, answer) in answers {
                match answer.await {
                    Ok(_) => surely.extend(commands),
                    Err(Unavailable::OutcomeUnknown) => perhaps.extend(commands),
                    Err(Unavailable::NoLeader) => {}
                    Err(Unavailable::CommandTooLarge) => panic!("they are small"),
                }
            }
            cluster.set_leader(Some(1));
            cluster.settle();
            let values = cluster.values();
            let mut once = values.clone();
            once.sort_unstable();
            once.dedup();
            assert_eq!(once.len(), values.len(), "nothing twice: {values:?}");
            assert!(values.iter().all(|value| surely.contains(value) || perhaps.contains(value)), "{values:?}");
            let answered: Vec<u64> = values.into_iter().filter(|value| surely.contains(value)).collect();
            assert_eq!(answered, surely, "all that was answered, in order");
        });
    }
}

#[test]
fn what_was_never_taken_is_reported_as_not_applied() {
    run(async {
        let cluster = Cluster::new([]);
        cluster.set_leader(None);
        let clients = clients(&cluster, true);
        let began = Instant::now();
        assert_eq!(clients.submit(SHARD, vec![add(1)]).await, Err(Unavailable::NoLeader));
        let waited = began.elapsed();
        assert!(waited >= Duration::from_secs(15) && waited < Duration::from_secs(16), "{waited:?}");
        cluster.set_leader(Some(2));
        clients.submit(SHARD, vec![add(2)]).await.expect("a leader came");
        assert_eq!(cluster.values(), [2]);
    });
}

#[test]
fn what_may_have_been_applied_is_reported_as_such_and_not_repeated() {
    run(async {
        let cluster = Cluster::new([(Turn::KeepForLater, 0)]);
        let clients = clients(&cluster, true);
        let first = clients.submit(SHARD, vec![add(1)]);
        sleep(Duration::from_millis(10)).await;
        cluster.set_leader(None);
        let later = clients.submit(SHARD, vec![add(2)]);
        assert_eq!(first.await, Err(Unavailable::OutcomeUnknown));
        // The second waits a little longer and meets a leader: it must not wait for the first.
        cluster.set_leader(Some(3));
        later.await.expect("a leader came");
        cluster.settle();
        assert_eq!(cluster.values(), [2, 1]);
    });
}

#[test]
fn a_silent_leader_is_left_for_the_one_others_name() {
    run(async {
        let cluster = Cluster::new([(Turn::KeepAndHang, 0)]);
        let clients = clients(&cluster, false);
        let began = Instant::now();
        clients.submit(SHARD, vec![add(1)]).await.expect("another leads");
        assert!(began.elapsed() < Duration::from_millis(600), "{:?}", began.elapsed());
        cluster.settle();
        assert_eq!(cluster.values(), [1]);
    });
}

#[test]
fn a_local_replica_tells_of_the_new_leader_at_once() {
    run(async {
        let cluster = Cluster::new([(Turn::KeepAndHang, 0)]);
        let clients = clients(&cluster, true);
        let began = Instant::now();
        clients.submit(SHARD, vec![add(1)]).await.expect("another leads");
        assert!(began.elapsed() < Duration::from_millis(20), "{:?}", began.elapsed());
    });
}

#[test]
fn an_idle_session_is_kept_alive() {
    run(async {
        let cluster = Cluster::new([]);
        let clients = clients(&cluster, true);
        clients.submit(SHARD, vec![add(1)]).await.expect("applied");
        for _ in 0..6 {
            let before = cluster.proposals();
            sleep(Duration::from_millis(SESSION_IDLE_MS_MAX / 5)).await;
            cluster.pass(Duration::from_millis(SESSION_IDLE_MS_MAX / 5));
            assert!(cluster.proposals() > before, "refreshed");
        }
        clients.submit(SHARD, vec![add(2)]).await.expect("applied");
        assert_eq!(clients.counters().sessions.get(), 1);
        assert_eq!(cluster.values(), [1, 2]);
    });
}

#[test]
fn a_forgotten_session_is_replaced_without_a_word() {
    run(async {
        let cluster = Cluster::new([]);
        let clients = clients(&cluster, true);
        clients.submit(SHARD, vec![add(1)]).await.expect("applied");
        cluster.pass(Duration::from_millis(SESSION_IDLE_MS_MAX * 2));
        let answers: Vec<_> = (2..20).map(|number| clients.submit(SHARD, vec![add(number)])).collect();
        for answer in answers {
            answer.await.expect("never sent before, so sent anew");
        }
        assert_eq!(clients.counters().sessions.get(), 2);
        assert_eq!(cluster.values(), (1..20).collect::<Vec<_>>());
    });
}

#[test]
fn a_forgotten_session_leaves_doubt_about_what_was_sent() {
    run(async {
        let script = [(Turn::Apply, 0), (Turn::ApplyAndForget, 0), (Turn::Overloaded, 0)];
        let cluster = Cluster::new(script);
        let clients = clients(&cluster, true);
        clients.submit(SHARD, vec![add(1)]).await.expect("applied");
        let doubtful = clients.submit(SHARD, vec![add(2)]);
        sleep(Duration::from_millis(30)).await;
        cluster.pass(Duration::from_millis(SESSION_IDLE_MS_MAX * 2));
        let fresh = clients.submit(SHARD, vec![add(3)]);
        assert_eq!(doubtful.await, Err(Unavailable::OutcomeUnknown));
        fresh.await.expect("never sent before");
        assert_eq!(cluster.values(), [1, 2, 3]);
    });
}

#[test]
fn a_full_queue_holds_callers_back() {
    run(async {
        let cluster = Cluster::new([]);
        cluster.set_leader(None);
        let options = ClientOptions { queue_commands_max: 10, ..ClientOptions::default() };
        let clients = ShardClients::new(cluster.directory(true), 1, options, Arc::default());
        let mut answers = Vec::new();
        for number in 0..10 {
            clients.room(SHARD).await;
            answers.push(clients.submit(SHARD, vec![add(number)]));
        }
        let held = tokio::time::timeout(Duration::from_secs(1), clients.room(SHARD)).await;
        assert!(held.is_err(), "the queue is full");
        cluster.set_leader(Some(2));
        tokio::time::timeout(Duration::from_secs(1), clients.room(SHARD)).await.expect("room again");
        for answer in answers {
            answer.await.expect("applied");
        }
    });
}

#[test]
fn large_submissions_are_split_and_larger_commands_refused() {
    run(async {
        let cluster = Cluster::new([]);
        let clients = clients(&cluster, true);
        let outcomes = clients.submit(SHARD, (0..10_000).map(add).collect()).await.expect("applied");
        assert_eq!(outcomes.len(), 10_000);
        assert_eq!(cluster.values(), (0..10_000).collect::<Vec<_>>());
        assert!(clients.counters().proposals.get() >= 3);
        assert_eq!(clients.submit(SHARD, Vec::new()).await, Ok(Vec::new()));

        let Command::XAdd(mut huge) = add(0) else { unreachable!() };
        huge.fields = rivermark_stream::Fields::from_pairs([(&b"n"[..], &vec![b'0'; COMMAND_BYTES_MAX][..])]);
        let refused = clients.submit(SHARD, vec![add(1), Command::XAdd(huge)]).await;
        assert_eq!(refused, Err(Unavailable::CommandTooLarge));
    });
}

#[test]
fn submissions_made_while_parts_are_under_way_join_into_one() {
    run(async {
        let cluster = Cluster::new([]);
        let clients = clients(&cluster, true);
        let answers: Vec<_> = (0..1000).map(|number| clients.submit(SHARD, vec![add(number)])).collect();
        for answer in answers {
            assert_eq!(answer.await.expect("applied").len(), 1);
        }
        assert!(cluster.proposals() < 10, "{} parts", cluster.proposals());
        assert_eq!(cluster.values(), (0..1000).collect::<Vec<_>>());
    });
}

#[test]
fn queries_and_waits_follow_the_leader() {
    run(async {
        let cluster = Cluster::new([]);
        let clients = clients(&cluster, false);
        for leader in [1, 3, 2] {
            cluster.set_leader(Some(leader));
            let answer = clients.query(SHARD, vec![Query::XLen(key("s"))]).await;
            assert_eq!(answer, Ok(vec![Outcome::Integer(0)]));
            let condition = WaitCondition::Entries(vec![(key("s"), Default::default())]);
            let mut wait = clients.wait(vec![(SHARD, condition)], None);
            assert_eq!(wait.woken().await, Wake::Woken);
        }
        cluster.set_leader(None);
        let late = clients.query(SHARD, vec![Query::XLen(key("s"))]).await;
        assert_eq!(late, Err(Unavailable::NoLeader));
        let deadline = Instant::now() + Duration::from_secs(1);
        let condition = WaitCondition::Entries(Vec::new());
        let mut wait = clients.wait(vec![(SHARD, condition)], Some(deadline));
        assert_eq!(wait.woken().await, Wake::NoLeader);
        assert_eq!(Instant::now().duration_since(deadline).as_millis() / 10, 0);
        drop(wait);
        assert_eq!(clients.counters().waits.get(), 0);
    });
}

#[test]
fn the_end_of_the_clients_answers_everyone() {
    run(async {
        let cluster = Cluster::new([(Turn::KeepAndHang, 0)]);
        cluster.set_leader(Some(1));
        let clients = clients(&cluster, false);
        let sent = clients.submit(SHARD, vec![add(1)]);
        sleep(Duration::from_millis(5)).await;
        drop(clients);
        assert_eq!(sent.await, Err(Unavailable::OutcomeUnknown));
    });
}
