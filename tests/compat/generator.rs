//! Random command sequences, weighted so that they hit: few keys, few ids, few names, and now and then an
//! argument that is wrong.

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

/// Commands for one connection.
pub struct Sequence {
    /// Whether the connection speaks RESP3.
    pub resp3: bool,
    /// In order.
    pub commands: Vec<Vec<Vec<u8>>>,
}

/// A new sequence of up to 24 commands.
pub fn sequence(random: &mut StdRng) -> Sequence {
    let timed = (*["a", "b", "c"].choose(random).expect("keys are given")).to_owned();
    let mut generator = Generator { tagged: random.random_bool(0.5), timed, random };
    let resp3 = generator.chance(0.4);
    let mut commands: Vec<Vec<String>> = Vec::new();
    for _ in 0..generator.random.random_range(4..24) {
        if generator.tagged && generator.chance(0.05) {
            generator.transaction(&mut commands);
        } else {
            let command = generator.command();
            commands.extend(consumers_first(&command));
            commands.push(command);
        }
    }
    let bytes = |command: Vec<String>| command.into_iter().map(String::into_bytes).collect();
    Sequence { resp3, commands: commands.into_iter().map(bytes).collect() }
}

/// Since 7.2 a claim or read creates its consumer even if it gets nothing: in a comparison with 7.0 the
/// consumer is to be there already.
fn consumers_first(command: &[String]) -> Vec<Vec<String>> {
    let create = |key: &str, group: &str, consumer: &str| {
        ["XGROUP", "CREATECONSUMER", key, group, consumer].map(str::to_owned).to_vec()
    };
    match command {
        [name, key, group, consumer, ..] if name == "XCLAIM" || name == "XAUTOCLAIM" => {
            vec![create(key, group, consumer)]
        }
        [name, _, group, consumer, rest @ ..] if name == "XREADGROUP" => {
            let streams = rest.iter().skip_while(|word| *word != "STREAMS").skip(1);
            streams.map(|key| create(key, group, consumer)).collect()
        }
        _ => Vec::new(),
    }
}

struct Generator<'a> {
    random: &'a mut StdRng,
    /// Whether all keys share a slot, as transactions need.
    tagged: bool,
    /// The one key whose ids may come from the clock: two streams may be given equal ids within one
    /// millisecond or not, which no order of appearance evens out.
    timed: String,
}

const WRONG: &[&str] =
    &["", "x", "-5", "99999999999999999999", "1-2-3", "MAXLEN", "COUNT", "$", ">", "(", "0-0"];

impl Generator<'_> {
    fn chance(&mut self, probability: f64) -> bool {
        self.random.random_bool(probability)
    }

    fn pick(&mut self, words: &[&str]) -> String {
        (*words.choose(self.random).expect("words are given")).to_owned()
    }

    fn key(&mut self) -> String {
        let name = self.pick(&["a", "a", "a", "b", "c"]);
        if self.tagged { format!("{{t}}{name}") } else { name }
    }

    /// A key that may be removed as a whole: not the timed one, whose ids would start anew within one
    /// millisecond or not.
    fn removable(&mut self) -> String {
        loop {
            let key = self.key();
            if key.trim_start_matches("{t}") != self.timed {
                return key;
            }
        }
    }

    fn group(&mut self) -> String {
        self.pick(&["g", "g", "g", "h"])
    }

    fn consumer(&mut self) -> String {
        self.pick(&["alice", "bob"])
    }

    fn id(&mut self) -> String {
        let ms = self.random.random_range(1..9);
        match self.random.random_range(0..3) {
            0 => format!("{ms}"),
            _ => format!("{ms}-{}", self.random.random_range(0..4)),
        }
    }

    fn bound(&mut self) -> String {
        match self.random.random_range(0..8) {
            0 | 1 => "-".to_owned(),
            2 | 3 => "+".to_owned(),
            4 => format!("({}", self.id()),
            _ => self.id(),
        }
    }

    fn small(&mut self) -> String {
        self.random.random_range(0..6).to_string()
    }

    fn words(&mut self, text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    fn transaction(&mut self, commands: &mut Vec<Vec<String>>) {
        if self.chance(0.3) {
            let key = self.key();
            commands.push(vec!["WATCH".to_owned(), key]);
            // Redis's WATCH overlooks XGROUP, XSETID and claims; ours does not.
            if self.chance(0.3) {
                commands.push(if self.chance(0.7) { self.xadd() } else { self.range() });
            }
        }
        commands.push(self.words("MULTI"));
        for _ in 0..self.random.random_range(1..5) {
            let command = self.command();
            if !matches!(
                command[0].as_str(),
                "XREADGROUP" | "XCLAIM" | "XAUTOCLAIM" | "KEYS" | "SCAN" | "DBSIZE"
            ) {
                commands.push(command);
            }
        }
        let end = if self.chance(0.9) { "EXEC" } else { "DISCARD" };
        commands.push(self.words(end));
    }

    /// One command, spoilt now and then.
    fn command(&mut self) -> Vec<String> {
        let mut command = self.sound_command();
        // Not XADD's key: no other key than the timed one may be given ids from the clock.
        let first = if command[0] == "XADD" { 2 } else { 1 };
        if self.chance(0.06) && command.len() > first {
            let place = self.random.random_range(first..command.len());
            match self.random.random_range(0..3) {
                0 => command[place] = self.pick(WRONG),
                1 => drop(command.remove(place)),
                _ => command.insert(place, command[place].clone()),
            }
        }
        // A read must not wait: the sequence is one pipeline.
        if let Some(block) = command.iter().position(|word| word == "BLOCK")
            && command.get(block + 1).is_none_or(|ms| ms.parse::<i64>().is_ok_and(|ms| ms == 0 || ms > 20))
        {
            command.remove(block);
        }
        command
    }

    fn sound_command(&mut self) -> Vec<String> {
        match self.random.random_range(0..100) {
            0..26 => self.xadd(),
            26..34 => self.range(),
            34..40 => self.xread(),
            40..48 => self.xgroup(),
            48..60 => self.xreadgroup(),
            60..66 => self.xack(),
            66..71 => self.xpending(),
            71..76 => self.xclaim(),
            76..80 => self.xautoclaim(),
            80..85 => self.xinfo(),
            85..91 => self.removal(),
            _ => self.keyspace(),
        }
    }

    fn xadd(&mut self) -> Vec<String> {
        let mut command = vec!["XADD".to_owned(), self.key()];
        if self.chance(0.1) {
            command.push("NOMKSTREAM".to_owned());
        }
        if self.chance(0.15) {
            command.extend(self.trim());
        }
        let timed = command[1].trim_start_matches("{t}") == self.timed;
        command.push(match self.random.random_range(0..10) {
            0..5 if timed => "*".to_owned(),
            4 => format!("{}-*", self.random.random_range(1..9)),
            _ => self.id(),
        });
        for _ in 0..self.random.random_range(1..3) {
            command.push(self.pick(&["f", "field", "g"]));
            command.push(self.pick(&["1", "value", "", "a longer value with spaces"]));
        }
        command
    }

    fn trim(&mut self) -> Vec<String> {
        let mut words = if self.chance(0.6) {
            vec!["MAXLEN".to_owned(), self.pick(&["=", "~", ""]), self.small()]
        } else {
            vec!["MINID".to_owned(), self.pick(&["=", "~", ""]), self.id()]
        };
        words.retain(|word| !word.is_empty());
        if self.chance(0.15) {
            words.extend(["LIMIT".to_owned(), self.small()]);
        }
        words
    }

    fn range(&mut self) -> Vec<String> {
        let name = self.pick(&["XRANGE", "XREVRANGE", "XLEN"]);
        if name == "XLEN" {
            return vec![name, self.key()];
        }
        let mut command = vec![name, self.key(), self.bound(), self.bound()];
        if self.chance(0.4) {
            command.extend(["COUNT".to_owned(), self.pick(&["0", "1", "2", "5", "-1"])]);
        }
        command
    }

    fn streams(&mut self, ids: &[&str]) -> Vec<String> {
        let count = self.random.random_range(1..4);
        let mut words = vec!["STREAMS".to_owned()];
        words.extend((0..count).map(|_| self.key()));
        for _ in 0..count {
            let id = if self.chance(0.5) { self.pick(ids) } else { self.id() };
            words.push(id);
        }
        words
    }

    fn xread(&mut self) -> Vec<String> {
        let mut command = self.words("XREAD");
        if self.chance(0.4) {
            command.extend(["COUNT".to_owned(), self.pick(&["0", "1", "3", "-2"])]);
        }
        if self.chance(0.1) {
            command.extend(self.words("BLOCK 5"));
        }
        command.extend(self.streams(&["0", "0-0", "$"]));
        command
    }

    fn xreadgroup(&mut self) -> Vec<String> {
        let mut command = vec!["XREADGROUP".to_owned(), "GROUP".to_owned(), self.group(), self.consumer()];
        if self.chance(0.5) {
            command.extend(["COUNT".to_owned(), self.pick(&["0", "1", "2", "4"])]);
        }
        if self.chance(0.08) {
            command.extend(self.words("BLOCK 5"));
        }
        if self.chance(0.1) {
            command.push("NOACK".to_owned());
        }
        command.extend(self.streams(&[">", ">", ">", "0"]));
        command
    }

    fn xgroup(&mut self) -> Vec<String> {
        let (key, group) = (self.key(), self.group());
        let start = if self.chance(0.3) { "$".to_owned() } else { self.pick(&["0", "0", "1", "3-1"]) };
        let mut command: Vec<String> = match self.random.random_range(0..10) {
            0..6 => vec!["XGROUP".into(), "CREATE".into(), key, group, start],
            6 => vec!["XGROUP".into(), "SETID".into(), key, group, start],
            7 => return vec!["XGROUP".into(), "DESTROY".into(), key, group],
            8 => return vec!["XGROUP".into(), "CREATECONSUMER".into(), key, group, self.consumer()],
            _ => return vec!["XGROUP".into(), "DELCONSUMER".into(), key, group, self.consumer()],
        };
        if command[1] == "CREATE" && self.chance(0.6) {
            command.push("MKSTREAM".to_owned());
        }
        if self.chance(0.1) {
            command.extend(["ENTRIESREAD".to_owned(), self.small()]);
        }
        command
    }

    fn ids(&mut self) -> Vec<String> {
        (0..self.random.random_range(1..4)).map(|_| self.id()).collect()
    }

    fn xack(&mut self) -> Vec<String> {
        let mut command = vec!["XACK".to_owned(), self.key(), self.group()];
        command.extend(self.ids());
        command
    }

    fn xpending(&mut self) -> Vec<String> {
        let mut command = vec!["XPENDING".to_owned(), self.key(), self.group()];
        if self.chance(0.7) {
            if self.chance(0.3) {
                command.extend(["IDLE".to_owned(), self.pick(&["0", "99999999"])]);
            }
            command.extend([self.bound(), self.bound(), self.pick(&["0", "1", "10", "-1"])]);
            if self.chance(0.3) {
                command.push(self.consumer());
            }
        }
        command
    }

    fn xclaim(&mut self) -> Vec<String> {
        let min_idle = self.pick(&["0", "0", "0", "99999999"]);
        let mut command = vec!["XCLAIM".to_owned(), self.key(), self.group(), self.consumer(), min_idle];
        command.extend(self.ids());
        for option in ["FORCE", "JUSTID"] {
            if self.chance(0.3) {
                command.push(option.to_owned());
            }
        }
        if self.chance(0.2) {
            command.extend(self.words("RETRYCOUNT 7"));
        }
        if self.chance(0.2) {
            command.extend(["IDLE".to_owned(), self.pick(&["0", "5000", "-1"])]);
        }
        if self.chance(0.1) {
            command.extend(["LASTID".to_owned(), self.id()]);
        }
        command
    }

    fn xautoclaim(&mut self) -> Vec<String> {
        let min_idle = self.pick(&["0", "0", "99999999"]);
        let mut command = vec!["XAUTOCLAIM".to_owned(), self.key(), self.group(), self.consumer(), min_idle];
        command.push(if self.chance(0.5) { "0".to_owned() } else { self.bound() });
        if self.chance(0.4) {
            command.extend(["COUNT".to_owned(), self.pick(&["0", "1", "2"])]);
        }
        if self.chance(0.3) {
            command.push("JUSTID".to_owned());
        }
        command
    }

    fn xinfo(&mut self) -> Vec<String> {
        let key = self.key();
        match self.random.random_range(0..4) {
            0 => vec!["XINFO".into(), "STREAM".into(), key],
            1 => vec!["XINFO".into(), "STREAM".into(), key, "FULL".into(), "COUNT".into(), self.small()],
            2 => vec!["XINFO".into(), "GROUPS".into(), key],
            _ => vec!["XINFO".into(), "CONSUMERS".into(), key, self.group()],
        }
    }

    fn removal(&mut self) -> Vec<String> {
        let key = self.key();
        match self.random.random_range(0..6) {
            0..3 => {
                let mut command = vec!["XDEL".to_owned(), key];
                command.extend(self.ids());
                command
            }
            3 => {
                let mut command = vec!["XTRIM".to_owned(), key];
                command.extend(self.trim());
                command
            }
            4 => {
                let mut command = vec!["XSETID".to_owned(), key, self.id()];
                if self.chance(0.3) {
                    command.extend([
                        "ENTRIESADDED".to_owned(),
                        self.small(),
                        "MAXDELETEDID".to_owned(),
                        self.id(),
                    ]);
                }
                command
            }
            _ => vec![self.pick(&["DEL", "UNLINK"]), self.removable(), self.removable()],
        }
    }

    fn keyspace(&mut self) -> Vec<String> {
        let key = self.key();
        match self.random.random_range(0..14) {
            0 => vec!["EXISTS".into(), key, self.key()],
            1 => vec!["TYPE".into(), key],
            2 => vec!["EXPIRE".into(), self.removable(), self.pick(&["100", "5000", "0", "-1"])],
            3 => {
                // Never twice the same deadline: whether it is later by a millisecond is chance.
                let ms = self.random.random_range(1..1_000_000) * 1000;
                vec!["PEXPIRE".into(), key, ms.to_string(), self.pick(&["NX", "XX", "GT", "LT"])]
            }
            4 => vec!["EXPIREAT".into(), self.removable(), self.pick(&["1", "9999999999"])],
            5 => vec![self.pick(&["TTL", "PTTL", "EXPIRETIME", "PEXPIRETIME"]), key],
            6 => vec!["PERSIST".into(), key],
            7 => vec!["DBSIZE".into()],
            8 => vec!["KEYS".into(), self.pick(&["*", "*a", "[ab]", "x*"])],
            9 => vec!["SCAN".into(), "0".into(), "COUNT".into(), "1000".into()],
            10 => vec!["PING".into(), "hello".into()],
            11 => vec!["ECHO".into(), "hello".into()],
            12 => vec!["NOSUCH".into(), key],
            _ => vec!["CLUSTERX".into(), "INFO".into(), "a b".into()],
        }
    }
}
