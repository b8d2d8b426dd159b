//! COMMAND: what cluster clients route by. Each command that redis-server 7.0 knows too must be described alike, whole:
//! arity, flags, keys, categories, tips, key specifications, in both protocols.

use std::collections::BTreeMap;

use rivermark_tests::{Cluster, Connection, RedisServer, Reply};

/// Command, what of its description, and why it may differ.
const DIFFERENCES: &[(&str, Part, &str)] = &[
    ("acl|deluser", Part::Tips, "7.2 and later tell that it is for all nodes"),
    ("acl|setuser", Part::Tips, "7.2 and later tell that it is for all nodes"),
    ("command|getkeys", Part::Arity, "8.x takes commands without arguments"),
    ("command|getkeysandflags", Part::Arity, "8.x takes commands without arguments"),
    ("xadd", Part::KeySpecifications, "what a person should know of a key is not told"),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Arity,
    Flags,
    Keys,
    Categories,
    Tips,
    KeySpecifications,
}

type Row = BTreeMap<Part, Reply>;

#[test]
fn commands_are_described_as_redis_describes_them() {
    let redis = RedisServer::start(&[]);
    let cluster = Cluster::start(1, 1);
    for protocol in ["2", "3"] {
        let (theirs, ours) = (table(redis.port(), protocol), table(cluster.port(0), protocol));
        let mut differing = Vec::new();
        let mut used = Vec::new();
        for (name, row) in ours.iter().filter_map(|(name, row)| Some((name, (row, theirs.get(name)?)))) {
            for (part, (ours, theirs)) in
                row.0.iter().map(|(part, ours)| (*part, (ours, &row.1[part]))).filter(|(_, (a, b))| a != b)
            {
                match DIFFERENCES.iter().find(|(known, of, _)| known == name && *of == part) {
                    Some(known) => used.push(known),
                    None => differing
                        .push(format!("{name} {part:?}\n  redis     {theirs:?}\n  rivermark {ours:?}")),
                }
            }
        }
        assert!(differing.is_empty(), "RESP{protocol}:\n{}", differing.join("\n"));
        let stale: Vec<_> = DIFFERENCES.iter().filter(|known| !used.contains(known)).collect();
        assert!(stale.is_empty(), "these do not differ: {stale:?}");
        assert!(ours.len() > 150, "the table was read");
    }
}

/// Every command and subcommand, by its full name.
fn table(port: u16, protocol: &str) -> BTreeMap<String, Row> {
    let mut connection = Connection::open(port).expect("the server listens");
    assert!(!connection.command(&["HELLO", protocol]).expect("the server answers").is_error());
    let mut rows = BTreeMap::new();
    for described in connection.command(&["COMMAND"]).expect("the server answers").items() {
        add(described, &mut rows);
    }
    rows
}

fn add(described: &Reply, rows: &mut BTreeMap<String, Row>) {
    let [name, arity, flags, first, last, step, categories, tips, specifications, subcommands] =
        described.items()
    else {
        panic!("not ten parts: {described:?}")
    };
    let row = [
        (Part::Arity, arity.clone()),
        (Part::Flags, flags.clone()),
        (Part::Keys, Reply::Array(vec![first.clone(), last.clone(), step.clone()])),
        (Part::Categories, categories.clone()),
        (Part::Tips, tips.clone()),
        (Part::KeySpecifications, specifications.clone()),
    ];
    let row = row.into_iter().map(|(part, reply)| (part, in_order(part, reply))).collect();
    rows.insert(name.text().expect("a name"), row);
    subcommands.items().iter().for_each(|subcommand| add(subcommand, rows));
}

/// Sets and tips have no order that means anything.
fn in_order(part: Part, reply: Reply) -> Reply {
    let sorted = |mut items: Vec<Reply>| {
        items.sort_by_key(Reply::text);
        items
    };
    match reply {
        Reply::Set(items) => Reply::Set(sorted(items)),
        Reply::Array(items) if matches!(part, Part::Flags | Part::Categories | Part::Tips) => {
            Reply::Array(sorted(items))
        }
        Reply::Array(items) => Reply::Array(items.into_iter().map(|item| in_order(part, item)).collect()),
        Reply::Map(pairs) => {
            Reply::Map(pairs.into_iter().map(|(name, value)| (name, in_order(part, value))).collect())
        }
        other => other,
    }
}
