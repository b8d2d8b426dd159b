//! Blocked readers of groups: what wakes them, on whichever node they and the leader are, and what they take.

use std::thread::sleep;
use std::time::{Duration, Instant};

use rivermark_tests::resp::encode;
use rivermark_tests::{Cluster, Connection, Reply};

const NODES: u16 = 3;

fn ask(connection: &mut Connection, command: &str) -> Reply {
    let words: Vec<&str> = command.split(' ').collect();
    connection.command(&words).expect("an answer")
}

fn send(connection: &mut Connection, command: &str) {
    let words: Vec<&str> = command.split(' ').collect();
    connection.send(&encode(&words)).expect("sent");
}

/// Waits until a node has so many blocked clients.
fn wait_for_blocked(cluster: &Cluster, node: u16, clients: usize) {
    let line = format!("blocked_clients:{clients}\r\n");
    cluster.wait_until("blocked clients", |cluster| {
        let info = ask(&mut cluster.connect(node), "INFO clients");
        info.text().is_some_and(|text| text.contains(&line))
    });
}

/// Makes a stream of one entry, which is pending for the consumer `first` of the group `g`; the entry's id.
fn deliver(cluster: &Cluster, key: &str) -> String {
    let mut connection = cluster.connect(0);
    ask(&mut connection, &format!("XGROUP CREATE {key} g 0 MKSTREAM"));
    let id = ask(&mut connection, &format!("XADD {key} * a 1")).text().expect("an id");
    let read = ask(&mut connection, &format!("XREADGROUP GROUP g first STREAMS {key} >"));
    assert!(matches!(read, Reply::Array(_)), "{read:?}");
    id
}

/// The entries of the only stream of a reply in RESP2.
fn entries(reply: &Reply) -> &[Reply] {
    assert_eq!(reply.items().len(), 1, "{reply:?}");
    reply.items()[0].items()[1].items()
}

#[test]
fn a_pending_entry_that_grows_old_wakes_who_claims_on_every_node() {
    let cluster = Cluster::start(NODES, 3);
    for node in 0..NODES {
        let key = format!("old:{node}");
        let id = deliver(&cluster, &key);
        let mut reader = cluster.connect(node);
        let read =
            ask(&mut reader, &format!("XREADGROUP GROUP g second CLAIM 700 BLOCK 30000 STREAMS {key} >"));
        let entry = &entries(&read)[0];
        assert_eq!(entry.items()[0].text(), Some(id), "{read:?}");
        let [_, _, Reply::Integer(idle), Reply::Integer(count)] = entry.items() else { panic!("{read:?}") };
        assert!(*idle >= 700, "{read:?}");
        assert_eq!(*count, 1);
    }
}

#[test]
fn a_deadline_that_passes_during_an_election_is_no_error() {
    let mut cluster = Cluster::start(NODES, 3);
    let keys: Vec<String> = (0..6).map(|number| format!("short:{number}")).collect();
    for key in &keys {
        ask(&mut cluster.connect(0), &format!("XGROUP CREATE {key} g 0 MKSTREAM"));
    }
    // Whichever node leads a stream's shard, one of the three kills hits it while readers wait there.
    for victim in 0..NODES {
        let readers: Vec<_> = keys
            .iter()
            .flat_map(|key| {
                let group = format!("XREADGROUP GROUP g c BLOCK 300 STREAMS {key} >");
                [(1, group), (2, format!("XREAD BLOCK 300 STREAMS {key} $"))]
            })
            .map(|(distance, read)| {
                let mut connection = cluster.connect((victim + distance) % NODES);
                std::thread::spawn(move || {
                    let until = Instant::now() + Duration::from_secs(4);
                    while Instant::now() < until {
                        assert_eq!(ask(&mut connection, &read), Reply::NilArray, "{read}");
                    }
                })
            })
            .collect();
        sleep(Duration::from_millis(500));
        cluster.kill(victim);
        for reader in readers {
            reader.join().expect("no error reply");
        }
        cluster.restart(victim);
    }
}

#[test]
fn an_entry_given_back_wakes_who_claims_at_once() {
    let cluster = Cluster::start(NODES, 3);
    let id = deliver(&cluster, "s");
    let mut reader = cluster.connect(1);
    send(&mut reader, "XREADGROUP GROUP g second CLAIM 3600000 BLOCK 0 STREAMS s >");
    wait_for_blocked(&cluster, 1, 1);
    assert_eq!(ask(&mut cluster.connect(2), &format!("XNACK s g FAIL IDS 1 {id}")), Reply::Integer(1));
    assert_eq!(entries(&reader.reply().expect("woken"))[0].items()[0].text(), Some(id));
}

#[test]
fn a_wait_for_what_nobody_has_yet_ends_at_its_deadline() {
    let cluster = Cluster::start(NODES, 3);
    deliver(&cluster, "s");
    let mut reader = cluster.connect(1);
    let began = Instant::now();
    let read = ask(&mut reader, "XREADGROUP GROUP g second CLAIM 3600000 BLOCK 300 STREAMS s >");
    assert_eq!(read, Reply::NilArray);
    assert!(began.elapsed() >= Duration::from_millis(300));
}

#[test]
fn who_claims_is_woken_by_the_next_leader() {
    let mut cluster = Cluster::start(NODES, 3);
    // Whichever node leads the stream's shard, one of the three kills hits it.
    for victim in 0..NODES {
        let key = format!("moved:{victim}");
        let id = deliver(&cluster, &key);
        let reader_node = (victim + 1) % NODES;
        let mut reader = cluster.connect(reader_node);
        send(&mut reader, &format!("XREADGROUP GROUP g second CLAIM 3000 BLOCK 60000 STREAMS {key} >"));
        wait_for_blocked(&cluster, reader_node, 1);
        cluster.kill(victim);
        let read = reader.reply().expect("the reader is answered");
        let entry = &entries(&read)[0];
        assert_eq!(entry.items()[0].text(), Some(id), "{read:?}");
        assert!(matches!(entry.items()[2], Reply::Integer(idle) if idle >= 3000), "{read:?}");
        let pending = ask(&mut cluster.connect(reader_node), &format!("XPENDING {key} g - + 9"));
        assert_eq!(pending.items().len(), 1);
        assert_eq!(
            pending.items()[0].items()[3],
            Reply::Integer(2),
            "delivered twice, not more: {pending:?}"
        );
        cluster.restart(victim);
    }
}

#[test]
fn one_entry_grown_old_is_one_readers() {
    let cluster = Cluster::start(NODES, 3);
    deliver(&cluster, "s");
    let mut readers: Vec<Connection> = (0..6).map(|number| cluster.connect(number % NODES)).collect();
    for (number, reader) in readers.iter_mut().enumerate() {
        send(reader, &format!("XREADGROUP GROUP g c{number} COUNT 1 CLAIM 500 BLOCK 900 STREAMS s >"));
    }
    let replies: Vec<Reply> = readers.iter_mut().map(|reader| reader.reply().expect("an answer")).collect();
    let served = replies.iter().filter(|reply| **reply != Reply::NilArray).count();
    // Whoever claims it has it for 500 ms, and then the next may.
    assert!((1..=2).contains(&served), "{replies:?}");
}

#[test]
fn a_blocked_reader_runs_its_command_again_whatever_woke_it() {
    let cluster = Cluster::start(NODES, 3);
    for (number, (end, code)) in [
        ("DEL s", "NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option"),
        (
            "XGROUP DESTROY s g",
            "NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option",
        ),
        ("FLUSHALL", "NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option"),
    ]
    .into_iter()
    .enumerate()
    {
        for claim in ["", "CLAIM 3600000 "] {
            deliver(&cluster, "s");
            let node = number as u16;
            let mut reader = cluster.connect(node);
            send(&mut reader, &format!("XREADGROUP GROUP g second {claim}BLOCK 0 STREAMS s >"));
            wait_for_blocked(&cluster, node, 1);
            ask(&mut cluster.connect((node + 1) % NODES), end);
            assert_eq!(reader.reply().expect("an answer"), Reply::Error(code.to_owned()), "{end}");
            ask(&mut cluster.connect(node), "FLUSHALL");
        }
    }
}

/// Six streams, which are on all three shards, with so many entries each.
fn fill(cluster: &Cluster, entries: usize) -> Vec<String> {
    let keys: Vec<String> = (0..6).map(|number| format!("b{number}")).collect();
    let mut connection = cluster.connect(0);
    for key in &keys {
        ask(&mut connection, &format!("XGROUP CREATE {key} g 0 MKSTREAM"));
        for entry in 1..=entries {
            ask(&mut connection, &format!("XADD {key} {entry}-0 n {entry}"));
        }
    }
    keys
}

fn budgeted(options: &str, keys: &[String]) -> String {
    format!("XREADGROUP GROUP g c {options} STREAMS {} {}", keys.join(" "), ["> "; 6].concat().trim_end())
}

/// Each stream's name and how many entries came of it.
fn counts(reply: &Reply) -> Vec<(String, usize)> {
    let count = |stream: &Reply| (stream.items()[0].text().expect("a name"), stream.items()[1].items().len());
    reply.items().iter().map(count).collect()
}

#[test]
fn a_budget_is_spent_over_the_shards_in_the_order_of_the_streams() {
    let cluster = Cluster::start(NODES, 3);
    let keys = fill(&cluster, 10);
    let mut connection = cluster.connect(1);
    let of = |number: usize, count| (keys[number].clone(), count);
    let read = ask(&mut connection, &budgeted("MAXCOUNT 25", &keys));
    assert_eq!(counts(&read), [of(0, 10), of(1, 10), of(2, 5)]);
    let read = ask(&mut connection, &budgeted("COUNT 3 MAXCOUNT 7", &keys));
    assert_eq!(counts(&read), [of(2, 3), of(3, 3), of(4, 1)]);
    // The first entry always goes out, and the next would be beyond the bound.
    let read = ask(&mut connection, &budgeted("MAXSIZE 1", &keys));
    assert_eq!(counts(&read), [of(2, 1)]);
    let read = ask(&mut connection, &budgeted("MAXCOUNT 1000 MAXSIZE 1000000", &keys));
    assert_eq!(counts(&read), [of(2, 1), of(3, 7), of(4, 9), of(5, 10)]);
    // Nothing was delivered that did not go out.
    for key in &keys {
        let pending = ask(&mut connection, &format!("XPENDING {key} g"));
        assert_eq!(pending.items()[0], Reply::Integer(10), "{key}");
    }
}

#[test]
fn a_blocked_reader_with_a_budget_takes_no_more_than_it_says() {
    let cluster = Cluster::start(NODES, 3);
    let keys = fill(&cluster, 0);
    let mut reader = cluster.connect(2);
    send(&mut reader, &budgeted("MAXCOUNT 2 BLOCK 0", &keys));
    wait_for_blocked(&cluster, 2, 1);
    let mut writer = cluster.connect(0);
    let entries = ["MULTI", "XADD b3 1-0 n 1", "XADD b3 2-0 n 2", "XADD b3 3-0 n 3", "EXEC"];
    entries.into_iter().for_each(|command| drop(ask(&mut writer, command)));
    assert_eq!(counts(&reader.reply().expect("woken")), [("b3".to_owned(), 2)]);
    let read = ask(&mut reader, &budgeted("MAXCOUNT 2", &keys));
    assert_eq!(counts(&read), [("b3".to_owned(), 1)]);
}

#[test]
fn a_budget_is_spent_once_though_leaders_die() {
    let mut cluster = Cluster::start(NODES, 3);
    for victim in 0..NODES {
        let keys = fill(&cluster, 300);
        let node = (victim + 1) % NODES;
        let mut reader = cluster.connect(node);
        let mut taken = 0;
        let mut rounds = 0;
        loop {
            if rounds == 10 {
                cluster.kill(victim);
            }
            let read = ask(&mut reader, &budgeted("MAXCOUNT 17", &keys));
            if read == Reply::NilArray {
                break;
            }
            assert!(!read.is_error(), "{read:?}");
            let count: usize = counts(&read).into_iter().map(|(_, count)| count).sum();
            assert!(count <= 17, "{read:?}");
            taken += count;
            rounds += 1;
            // Every entry that left a shard is in a reply, so only the last may fall short.
            assert!(count == 17 || taken == 1800, "{taken} taken, {count} in this reply");
        }
        assert_eq!(taken, 1800);
        for key in &keys {
            let pending = ask(&mut reader, &format!("XPENDING {key} g"));
            assert_eq!(pending.items()[0], Reply::Integer(300), "{key}");
        }
        ask(&mut reader, "FLUSHALL");
        cluster.restart(victim);
        sleep(Duration::from_secs(1));
    }
}
