//! Random rules for users, to a real redis-server and to Rivermark: the same rules are refused with the same words,
//! users are shown alike, and may run the same commands on the same keys.
//!
//! `COMPAT_USERS` (default 300) and `COMPAT_SEED` choose the run. What 7.0 shows as a user's command rules is
//! worked out anew from what the user may run, while 7.2 and later keep the rules: so what a user may run is compared
//! command by command, and how it is written is not.

use rand::Rng;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rivermark_tests::{Cluster, Connection, RedisServer, Reply};

use crate::environment_number;

const RULES: &[&str] = &[
    "on",
    "off",
    "ON",
    "nopass",
    "resetpass",
    ">pw",
    ">other",
    "<pw",
    "<nope",
    "#30c952fab122c3f9759f02a6d95c3758b246b4fee239957b2d4fee46e26170c4",
    "!30c952fab122c3f9759f02a6d95c3758b246b4fee239957b2d4fee46e26170c4",
    "#short",
    "skip-sanitize-payload",
    "sanitize-payload",
    "reset",
    "clearselectors",
    "",
    "allkeys",
    "~*",
    "resetkeys",
    "~a*",
    "~?",
    "~[ab]",
    "%R~a*",
    "%W~a*",
    "%RW~b",
    "%wr~c",
    "%R~c",
    "%X~a",
    "&x",
    "&y*",
    "&*",
    "allchannels",
    "resetchannels",
    "+@all",
    "-@all",
    "allcommands",
    "nocommands",
    "+@read",
    "-@read",
    "+@write",
    "-@write",
    "+@stream",
    "-@stream",
    "+@keyspace",
    "-@keyspace",
    "+@dangerous",
    "-@dangerous",
    "+@admin",
    "-@ADMIN",
    "+@slow",
    "-@slow",
    "+@fast",
    "-@fast",
    "+@connection",
    "-@connection",
    "+@transaction",
    "-@transaction",
    "+@blocking",
    "-@blocking",
    "+@nope",
    "+xadd",
    "-xadd",
    "+XLEN",
    "-xlen",
    "+config",
    "-config",
    "+config|get",
    "-config|get",
    "+config|set",
    "-config|SET",
    "+config|nope",
    "+xgroup|create",
    "-xgroup|create",
    "+xgroup",
    "+client|id",
    "-client",
    "+select|1",
    "+select|2",
    "-select",
    "+select",
    "-select|1",
    "+config|get|x",
    "+select|",
    "+nope",
    "-nope",
    "nonsense",
    "(+xlen ~q)",
    "(+@read %R~q*)",
    "(+@all -@write ~*)",
    "(%W~w +del +xadd)",
    "(+nope)",
    "(on)",
    "()",
    "(+xlen",
    "~z)",
    "(",
    ")",
];

const KEYS: &[&str] = &["a", "ab", "b", "c", "q", "qq", "w", "x"];

/// Commands of both with arguments enough; `K` is any key.
const REQUESTS: &[&str] = &[
    "XADD K * f v",
    "XLEN K",
    "XRANGE K - +",
    "XREVRANGE K + -",
    "XDEL K 1",
    "XTRIM K MAXLEN 1",
    "XREAD STREAMS K 0",
    "XREAD COUNT 1 STREAMS K K 0 0",
    "XREADGROUP GROUP g c STREAMS K >",
    "XREADGROUP GROUP streams c STREAMS K K > 0",
    "XACK K g 1",
    "XCLAIM K g c 0 1",
    "XAUTOCLAIM K g c 0 0",
    "XPENDING K g",
    "XGROUP CREATE K g $",
    "XGROUP DESTROY K g",
    "XGROUP HELP",
    "XINFO STREAM K",
    "XINFO GROUPS K",
    "XSETID K 1-1",
    "DEL K K",
    "UNLINK K",
    "EXISTS K K",
    "TOUCH K",
    "TYPE K",
    "EXPIRE K 1",
    "TTL K",
    "PERSIST K",
    "RENAME K K",
    "RENAMENX K K",
    "COPY K K",
    "DUMP K",
    "RESTORE K 0 x",
    "OBJECT ENCODING K",
    "MEMORY USAGE K",
    "KEYS *",
    "SCAN 0",
    "DBSIZE",
    "RANDOMKEY",
    "FLUSHDB",
    "FLUSHALL",
    "PING",
    "ECHO x",
    "SELECT 0",
    "SELECT 1",
    "SELECT 2",
    "MULTI",
    "EXEC",
    "DISCARD",
    "WATCH K",
    "UNWATCH",
    "INFO",
    "TIME",
    "ROLE",
    "LASTSAVE",
    "WAIT 0 0",
    "COMMAND",
    "COMMAND COUNT",
    "CONFIG GET x",
    "CONFIG SET a b",
    "CONFIG RESETSTAT",
    "CLIENT ID",
    "CLIENT LIST",
    "CLIENT KILL a",
    "CLIENT SETNAME n",
    "SLOWLOG GET",
    "LATENCY LATEST",
    "CLUSTER INFO",
    "CLUSTER REPLICAS x",
    "ACL WHOAMI",
    "ACL SETUSER u",
    "ACL CAT",
    "ACL LOG",
    "ACL GENPASS",
    "AUTH u p",
    "HELLO 3",
    "QUIT",
    "RESET",
    "XREAD STREAMS K",
    "XADD K",
    "NOPE K",
    "XGROUP NOPE K",
];

type Command = Vec<Vec<u8>>;

fn command(line: &str) -> Command {
    line.split(' ').map(|word| word.as_bytes().to_vec()).collect()
}

/// ACL SETUSER with some rules; a selector is one argument or several.
fn set_user(random: &mut StdRng, user: &str) -> Command {
    let mut words = command(&format!("ACL SETUSER {user}"));
    let mut open = false;
    for _ in 0..random.random_range(1..7) {
        let rule = *RULES.choose(random).expect("rules are given");
        let opens = rule.starts_with('(') && !rule.ends_with(')');
        let splits = rule.starts_with('(') && random.random_bool(0.5);
        // Redis forgets a selector that is open when another is opened; here that is an error.
        if open && (opens || splits) {
            continue;
        }
        open |= opens;
        if splits { words.extend(command(rule)) } else { words.push(rule.as_bytes().to_vec()) }
    }
    words
}

fn commands(random: &mut StdRng, number: u64) -> Vec<Command> {
    let user = format!("user{number}");
    let mut commands = vec![command(&format!("ACL SETUSER {user} reset"))];
    for _ in 0..random.random_range(1..4) {
        commands.push(set_user(random, &user));
        commands.push(command(&format!("ACL GETUSER {user}")));
    }
    commands.extend([command("ACL LIST"), command("ACL USERS")]);
    for request in REQUESTS {
        let mut key = |word: &str| {
            let key = if word == "K" { KEYS.choose(random).expect("keys are given") } else { word };
            key.to_owned()
        };
        let request: Vec<String> = request.split(' ').map(&mut key).collect();
        commands.push(command(&format!("ACL DRYRUN {user} {}", request.join(" "))));
    }
    commands
}

/// What the user itself is told, on a connection of its own.
fn tries(number: u64) -> Vec<Command> {
    let login = format!("AUTH user{number} pw");
    [
        &login,
        "ACL WHOAMI",
        "PING",
        "XLEN a",
        "XLEN zz",
        "XRANGE q - +",
        "DEL w",
        "CONFIG GET x",
        "SELECT 1",
        "KEYS *",
    ]
    .into_iter()
    .map(command)
    .collect()
}

fn removal(number: u64) -> Vec<Command> {
    vec![command(&format!("ACL DELUSER user{number} nobody")), command(&format!("ACL GETUSER user{number}"))]
}

/// A reply without what 7.0 says differently from later releases.
fn normalised(command: &Command, reply: Reply) -> Reply {
    let subcommand = command.get(1).map(Vec::as_slice).unwrap_or_default();
    match reply {
        Reply::Error(text) if text.starts_with("NOPERM") => {
            // `User bob has no permissions to run …`, `this user has …`; `… to access a key`, `… one of the keys …`.
            let what =
                if text.contains(" run ") { text.rsplit(" run ").next().unwrap_or_default() } else { "key" };
            Reply::Error(what.to_owned())
        }
        Reply::Bulk(text) if subcommand == b"DRYRUN" => {
            let text = String::from_utf8_lossy(&text).into_owned();
            let user = format!("User {} has", String::from_utf8_lossy(&command[2]));
            Reply::Bulk(text.replace("This user has", &user).into_bytes())
        }
        Reply::Array(items) if subcommand == b"LIST" => {
            Reply::Array(items.into_iter().map(without_rules).collect())
        }
        reply if subcommand == b"GETUSER" => without_field(reply),
        other => other,
    }
}

/// A line of ACL LIST without its command rules, nor what 7.2 adds to the user that begins.
fn without_rules(line: Reply) -> Reply {
    let Some(text) = line.text() else { return line };
    let kept = |word: &&str| {
        let rule = word.trim_start_matches('(').starts_with(['+', '-']);
        let begins_with = text.starts_with("user default ") && *word == "sanitize-payload";
        !rule && !begins_with
    };
    // What closes a selector stands at the end of its rules.
    let closed = text.replace(')', " )");
    Reply::Bulk(closed.split(' ').filter(kept).collect::<Vec<_>>().join(" ").into_bytes())
}

/// The map of ACL GETUSER, or of one of its selectors, without the values of `commands`.
fn without_field(reply: Reply) -> Reply {
    let is_commands = |name: &Reply| name.text().as_deref() == Some("commands");
    match reply {
        Reply::Map(pairs) => {
            let kept = |(name, value): (Reply, Reply)| {
                let value = if is_commands(&name) { Reply::Null } else { without_field(value) };
                (name, value)
            };
            Reply::Map(pairs.into_iter().map(kept).collect())
        }
        Reply::Array(items) => {
            let mut after = false;
            let kept = |item: Reply| {
                let hidden = std::mem::replace(&mut after, is_commands(&item));
                if hidden { Reply::Null } else { without_field(item) }
            };
            Reply::Array(items.into_iter().map(kept).collect())
        }
        other => other,
    }
}

/// A connection to each server.
struct Pair {
    redis: Connection,
    rivermark: Connection,
}

impl Pair {
    fn open(ports: (u16, u16), resp3: bool) -> Self {
        let open = |port| {
            let mut connection = Connection::open(port).expect("the server listens");
            if resp3 {
                connection.command(&["HELLO", "3"]).expect("the server answers");
            }
            connection
        };
        Self { redis: open(ports.0), rivermark: open(ports.1) }
    }

    /// The first command whose replies differ, with both.
    fn difference(&mut self, commands: &[Command]) -> Option<String> {
        let theirs = self.redis.pipeline(commands).expect("redis answers");
        let ours = self.rivermark.pipeline(commands).expect("rivermark answers");
        commands.iter().zip(theirs).zip(ours).find_map(|((command, theirs), ours)| {
            let (theirs, ours) = (normalised(command, theirs), normalised(command, ours));
            (theirs != ours)
                .then(|| format!("{}\n  redis     {theirs:?}\n  rivermark {ours:?}", shown(command)))
        })
    }
}

fn shown(command: &Command) -> String {
    command.iter().map(|word| format!("{:?} ", word.escape_ascii().to_string())).collect()
}

#[test]
fn random_rules_make_equal_users() {
    let (users, seed) = (environment_number("COMPAT_USERS", 300), environment_number("COMPAT_SEED", 1));
    let redis = RedisServer::start(&[]);
    let cluster = Cluster::start(3, 3);
    for number in 0..users {
        let mut random = StdRng::seed_from_u64(seed.wrapping_mul(1_000_003).wrapping_add(number));
        let ports = (redis.port(), cluster.port((number % 3) as u16));
        let resp3 = random.random_bool(0.5);
        let commands = commands(&mut random, number);
        let mut pair = Pair::open(ports, resp3);
        let found = pair
            .difference(&commands)
            .or_else(|| Pair::open(ports, resp3).difference(&tries(number)))
            .or_else(|| pair.difference(&removal(number)));
        if let Some(found) = found {
            let setup = commands.iter().filter(|command| command[1] == b"SETUSER");
            let setup: String = setup.map(|command| shown(command) + "\n").collect();
            panic!("user {number}:\n{setup}{found}");
        }
    }
    println!("{users} users, seed {seed}: equal replies");
}
