//! What operators, exporters and consoles send: errors must be equal, other replies of the same shape, in both
//! protocols.

use std::collections::BTreeSet;

use rivermark_tests::{Cluster, Connection, RedisServer, Reply};

/// What is compared of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Compared {
    /// Everything.
    Whole,
    /// Types of the protocol, all the way down; of a list that of its first item, of a map its first pair.
    Shape,
    /// Only the type.
    Type,
}

use Compared::{Shape, Type, Whole};

const COMMANDS: &[(&str, Compared)] = &[
    ("CONFIG SET slowlog-log-slower-than 0 latency-monitor-threshold 1", Whole),
    ("CLIENT SETNAME operator", Whole),
    ("CLIENT GETNAME", Whole),
    ("CLIENT ID", Shape),
    ("CLIENT INFO", Type),
    ("CLIENT LIST", Type),
    ("CLIENT LIST TYPE normal", Type),
    ("CLIENT LIST TYPE nonsense", Whole),
    ("CLIENT LIST ID 9999999 8888888", Whole),
    ("CLIENT LIST ID x", Whole),
    ("CLIENT LIST ID", Whole),
    ("CLIENT LIST nonsense", Whole),
    ("CLIENT KILL 1.2.3.4:5", Whole),
    ("CLIENT KILL ID 9999999", Whole),
    ("CLIENT KILL ID 0", Whole),
    ("CLIENT KILL ADDR 1.2.3.4:5 LADDR 1.2.3.4:6 SKIPME yes", Whole),
    ("CLIENT KILL TYPE pubsub", Whole),
    ("CLIENT KILL TYPE nonsense", Whole),
    ("CLIENT KILL USER nobody", Whole),
    ("CLIENT KILL SKIPME maybe", Whole),
    ("CLIENT KILL NONSENSE 1", Whole),
    ("CLIENT PAUSE 0", Whole),
    ("CLIENT PAUSE x", Whole),
    ("CLIENT PAUSE 1 NONSENSE", Whole),
    ("CLIENT UNPAUSE", Whole),
    ("CLIENT UNBLOCK 9999999", Whole),
    ("CLIENT UNBLOCK 1 NONSENSE", Whole),
    ("CLIENT UNBLOCK x", Whole),
    ("CLIENT REPLY nonsense", Whole),
    ("CLIENT REPLY on", Whole),
    ("CLIENT NO-EVICT on", Whole),
    ("CLIENT NO-EVICT off", Whole),
    ("CLIENT NO-EVICT nonsense", Whole),
    ("CLIENT GETREDIR", Whole),
    ("CLIENT TRACKINGINFO", Whole),
    ("CLIENT TRACKING off", Whole),
    ("CLIENT CACHING yes", Whole),
    ("CLIENT HELP", Type),
    ("COMMAND COUNT", Shape),
    ("COMMAND INFO nonsense", Whole),
    ("COMMAND GETKEYS XADD s * f v", Whole),
    ("COMMAND GETKEYS RENAME a b", Whole),
    ("COMMAND GETKEYSANDFLAGS XADD s * f v", Whole),
    ("COMMAND GETKEYSANDFLAGS COPY a b", Whole),
    ("COMMAND GETKEYSANDFLAGS XREADGROUP GROUP g c STREAMS a b > >", Whole),
    ("COMMAND GETKEYSANDFLAGS PING x", Whole),
    ("COMMAND LIST FILTERBY MODULE none", Whole),
    ("COMMAND LIST FILTERBY ACLCAT transaction", Shape),
    ("COMMAND LIST FILTERBY PATTERN xadd", Whole),
    ("COMMAND LIST FILTERBY NONSENSE x", Whole),
    ("COMMAND DOCS nonsense", Whole),
    ("CONFIG GET maxmemory-policy", Whole),
    ("CONFIG GET databases appendf?ync*nothing", Whole),
    ("CONFIG GET nonsense*", Whole),
    ("CONFIG GET latency-monitor-threshold", Whole),
    ("CONFIG GET slowlog-log-slower-tha?", Whole),
    ("CONFIG SET nonsense 1", Whole),
    ("CONFIG SET timeout x", Whole),
    ("CONFIG SET timeout 1 timeout 2", Whole),
    ("CONFIG SET slowlog-max-len -1 timeout 5", Type),
    ("CONFIG GET timeout", Whole),
    ("CONFIG SET timeout", Whole),
    ("CONFIG RESETSTAT", Whole),
    ("CONFIG NONSENSE", Whole),
    ("INFO", Type),
    ("INFO commandstats latencystats", Type),
    ("INFO nonsense", Whole),
    ("SLOWLOG GET", Shape),
    ("SLOWLOG GET 0", Whole),
    ("SLOWLOG GET -2", Whole),
    ("SLOWLOG GET x", Whole),
    ("SLOWLOG GET 1 2", Whole),
    ("SLOWLOG LEN", Shape),
    ("SLOWLOG RESET", Whole),
    ("SLOWLOG NONSENSE", Whole),
    ("LATENCY LATEST", Type),
    ("LATENCY HISTORY nonsense", Whole),
    ("LATENCY GRAPH nonsense", Whole),
    ("LATENCY RESET nonsense", Whole),
    ("LATENCY HISTOGRAM nonsense", Whole),
    ("LATENCY HISTOGRAM client|id", Shape),
    ("LATENCY DOCTOR", Type),
    ("LATENCY NONSENSE", Whole),
    ("MEMORY DOCTOR", Type),
    ("MEMORY STATS", Type),
    ("MEMORY USAGE none", Whole),
    ("MEMORY NONSENSE", Whole),
    ("OBJECT ENCODING none", Whole),
    ("OBJECT FREQ none", Whole),
    ("OBJECT REFCOUNT none", Whole),
    ("ROLE", Type),
    ("LASTSAVE", Shape),
    ("BGSAVE nonsense", Whole),
    ("SAVE nonsense", Whole),
    ("SHUTDOWN ABORT", Whole),
    ("SHUTDOWN nonsense", Whole),
    ("SHUTDOWN SAVE NOSAVE", Whole),
    ("SHUTDOWN NOW ABORT", Whole),
    ("DEBUG SLEEP 0", Whole),
    ("DEBUG", Whole),
    ("TIME", Shape),
    ("LOLWUT VERSION 99", Type),
    ("WAIT 0 0", Whole),
    ("RESET", Whole),
    ("MONITOR", Whole),
    ("RESET", Whole),
];

/// Fields of CLIENT LIST in 7.0 that are not told here, and why.
const FIELDS_LEFT_OUT: &[(&str, &str)] = &[
    ("argv-mem", "arguments lie in the input buffer"),
    ("rbs", "there is one output buffer, see omem"),
    ("rbp", "there is one output buffer, see omem"),
];

fn open(port: u16, protocol: &str) -> Connection {
    let mut connection = Connection::open(port).expect("the server listens");
    assert!(!connection.command(&["HELLO", protocol]).expect("the server answers").is_error());
    connection
}

fn ask(connection: &mut Connection, line: &str) -> Reply {
    let words: Vec<&str> = line.split(' ').collect();
    connection.command(&words).expect("the server answers")
}

fn comparable(reply: &Reply, compared: Compared) -> Reply {
    let kind = |name: &str| Reply::Simple(format!("<{name}>"));
    let first = |items: &[Reply]| items.first().map(|item| comparable(item, compared)).into_iter().collect();
    match (compared, reply) {
        (Whole, reply) => reply.clone(),
        (_, Reply::Error(text)) => Reply::Error(text.split(' ').next().unwrap_or_default().to_owned()),
        (_, Reply::Simple(_)) => kind("simple"),
        (_, Reply::Integer(_)) => kind("integer"),
        (_, Reply::Bulk(_)) => kind("bulk"),
        (_, Reply::Double(_)) => kind("double"),
        (Shape, Reply::Array(items)) => Reply::Array(first(items)),
        (Shape, Reply::Set(items)) => Reply::Set(first(items)),
        (Shape, Reply::Map(pairs)) => {
            let pair = |(name, value): &(Reply, Reply)| (comparable(name, Shape), comparable(value, Shape));
            Reply::Map(pairs.first().map(pair).into_iter().collect())
        }
        (Type, Reply::Array(_)) => kind("array"),
        (Type, Reply::Set(_)) => kind("set"),
        (Type, Reply::Map(_)) => kind("map"),
        (_, other) => other.clone(),
    }
}

#[test]
fn operators_get_replies_of_the_same_shape() {
    let redis = RedisServer::start(&[]);
    let cluster = Cluster::start(1, 1);
    let mut differing = Vec::new();
    for protocol in ["2", "3"] {
        let (mut theirs, mut ours) = (open(redis.port(), protocol), open(cluster.port(0), protocol));
        for (line, compared) in COMMANDS {
            let (theirs, ours) = (ask(&mut theirs, line), ask(&mut ours, line));
            if comparable(&theirs, *compared) != comparable(&ours, *compared) {
                differing
                    .push(format!("RESP{protocol} {line}\n  redis     {theirs:?}\n  rivermark {ours:?}"));
            }
        }
    }
    assert!(differing.is_empty(), "{} differ:\n{}", differing.len(), differing.join("\n"));
}

#[test]
fn client_list_has_the_fields_of_redis_in_their_order() {
    let redis = RedisServer::start(&[]);
    let cluster = Cluster::start(1, 1);
    let fields = |port| -> Vec<String> {
        let line = ask(&mut open(port, "2"), "CLIENT INFO").text().expect("a line");
        line.split_whitespace().map(|word| word.split('=').next().unwrap_or_default().to_owned()).collect()
    };
    let (theirs, ours) = (fields(redis.port()), fields(cluster.port(0)));
    let left_out = |name: &&String| !FIELDS_LEFT_OUT.iter().any(|(known, _)| known == name);
    let expected: Vec<&String> = theirs.iter().filter(left_out).collect();
    let told: BTreeSet<&String> = theirs.iter().collect();
    let common: Vec<&String> = ours.iter().filter(|name| told.contains(name)).collect();
    assert_eq!(common, expected);
}

#[test]
fn info_has_no_section_or_common_field_that_redis_writes_otherwise() {
    let redis = RedisServer::start(&[]);
    let cluster = Cluster::start(1, 1);
    for asked in ["INFO", "INFO all", "INFO everything", "INFO default", "INFO server cpu keyspace"] {
        let titles = |port| -> Vec<String> {
            let text = ask(&mut open(port, "2"), asked).text().expect("a text");
            text.split("\r\n").filter(|line| line.starts_with('#')).map(str::to_owned).collect()
        };
        assert_eq!(titles(cluster.port(0)), titles(redis.port()), "{asked}");
    }
}
