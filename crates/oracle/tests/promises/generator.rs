//! Correct histories: concurrent clients of the model, with lost answers, late effects and retries.

use std::collections::BTreeMap;

use rivermark_oracle::model::Broker;
use rivermark_oracle::observation::{Drained, Healed, ReplicaDigest};
use rivermark_oracle::operation::{
    Acknowledgement, ClaimForm, Cursor, Delivery, GroupFrom, Idempotence, Precision, ReadFrom, TrimBound,
    Wait,
};
use rivermark_oracle::{Event, EventKind, History, Observation, Operation, Reply};
use rivermark_types::EntryId;

use crate::random::Random;

/// What a history contains. Percentages where not said otherwise.
#[derive(Clone, Copy, Debug)]
pub struct Profile {
    pub clients: usize,
    pub operations: usize,
    pub keys: usize,
    pub deletes: usize,
    pub trims: usize,
    pub groups: usize,
    pub tails: usize,
    pub setids: usize,
    pub delconsumers: usize,
    pub noacks: usize,
    /// Answers lost, before or after the effect.
    pub unknowns: usize,
    /// Nanoseconds of the history to a millisecond of ids.
    pub ns_per_ms: u64,
}

impl Profile {
    /// Streams that only grow.
    pub const PLAIN: Self = Self {
        clients: 5,
        operations: 120,
        keys: 2,
        deletes: 0,
        trims: 0,
        groups: 0,
        tails: 0,
        setids: 0,
        delconsumers: 0,
        noacks: 0,
        unknowns: 6,
        ns_per_ms: 20,
    };
    pub const TAILS: Self = Self { tails: 25, ..Self::PLAIN };
    pub const REMOVALS: Self = Self { deletes: 12, trims: 8, operations: 90, ..Self::PLAIN };
    pub const DELETES: Self = Self { deletes: 15, ..Self::PLAIN };
    pub const GROUPS: Self = Self { groups: 65, operations: 200, ..Self::PLAIN };
    pub const ALL: Self = Self {
        groups: 45,
        operations: 200,
        tails: 5,
        deletes: 4,
        trims: 3,
        setids: 3,
        delconsumers: 2,
        noacks: 10,
        ..Self::PLAIN
    };
    /// Small enough to try every order.
    pub const TINY: Self = Self {
        clients: 3,
        operations: 7,
        keys: 1,
        deletes: 15,
        trims: 15,
        unknowns: 12,
        ns_per_ms: 1,
        ..Self::PLAIN
    };
}

/// A history and its end.
#[derive(Clone, Debug)]
pub struct Generated {
    pub history: History,
    pub observation: Observation,
}

/// The history of `seed`.
pub fn generate(seed: u64, profile: Profile) -> Generated {
    let mut world = World::new(seed, profile);
    world.create_groups();
    while world.begun < profile.operations {
        let client = world.random.below(profile.clients);
        world.step(client);
        if world.random.percent(3) {
            world.apply_late();
        }
    }
    for client in 0..profile.clients {
        world.finish(client);
    }
    while !world.late.is_empty() {
        world.apply_late();
    }
    world.conclude()
}

enum State {
    Idle,
    Sent(Operation),
    Waiting { operation: Operation, after: EntryId, parked: bool },
    Applied(Operation, Option<Reply>),
}

struct Client {
    process: u64,
    state: State,
    retry: Option<Operation>,
}

struct World {
    random: Random,
    profile: Profile,
    broker: Broker,
    history: History,
    now_ns: u64,
    clients: Vec<Client>,
    /// Operations given up on that will take effect later.
    late: Vec<Operation>,
    next_process: u64,
    begun: usize,
    seen: BTreeMap<String, Vec<EntryId>>,
    held: BTreeMap<(String, String), Vec<EntryId>>,
}

const GROUPS: [&str; 2] = ["g0", "g1"];
const CONSUMERS: [&str; 3] = ["c0", "c1", "c2"];

impl World {
    fn new(seed: u64, profile: Profile) -> Self {
        let clients = (0..profile.clients as u64)
            .map(|process| Client { process, state: State::Idle, retry: None })
            .collect();
        Self {
            random: Random::new(seed),
            profile,
            broker: Broker::new(),
            history: History::default(),
            now_ns: 0,
            clients,
            late: Vec::new(),
            next_process: profile.clients as u64,
            begun: 0,
            seen: BTreeMap::new(),
            held: BTreeMap::new(),
        }
    }

    fn now_ms(&self) -> u64 {
        self.now_ns / self.profile.ns_per_ms + 1
    }

    fn tick(&mut self) {
        self.now_ns += 1 + self.random.below(6) as u64;
    }

    fn event(&mut self, process: u64, kind: EventKind) {
        self.tick();
        self.history.events.push(Event { time_ns: self.now_ns, process, kind });
    }

    fn apply(&mut self, operation: &Operation) -> Option<Reply> {
        self.tick();
        let now_ms = self.now_ms();
        self.broker.apply(operation, now_ms).ok()
    }

    fn apply_late(&mut self) {
        if let Some(operation) = self.random.take(&mut self.late) {
            self.apply(&operation);
        }
    }

    fn create_groups(&mut self) {
        if self.profile.groups == 0 {
            return;
        }
        for key in 0..self.profile.keys {
            for group in GROUPS {
                let cursor = if self.random.percent(70) { Cursor::At(EntryId::MIN) } else { Cursor::Newest };
                let operation =
                    Operation::XgroupCreate { key: format!("s{key}"), group: group.into(), cursor };
                self.run(operation);
            }
        }
    }

    /// One operation with nothing in between.
    fn run(&mut self, operation: Operation) -> Option<Reply> {
        let process = self.next_process;
        self.next_process += 1;
        self.event(process, EventKind::Invoke { operation: operation.clone() });
        let reply = self.apply(&operation);
        self.end(process, reply.clone());
        reply
    }

    fn end(&mut self, process: u64, reply: Option<Reply>) {
        let kind = match reply {
            Some(reply) => EventKind::Ok { reply },
            None => EventKind::Fail { error: "ERR refused".to_owned() },
        };
        self.event(process, kind);
    }

    /// The client hears nothing and goes on as another process.
    fn give_up(&mut self, client: usize, retry: Option<Operation>) {
        let process = self.clients[client].process;
        self.event(process, EventKind::Unknown { reason: "timed out".to_owned() });
        self.clients[client] = Client { process: self.next_process, state: State::Idle, retry };
        self.next_process += 1;
    }

    fn step(&mut self, client: usize) {
        let process = self.clients[client].process;
        match std::mem::replace(&mut self.clients[client].state, State::Idle) {
            State::Idle => {
                let retry = self.clients[client].retry.take();
                let operation = retry.unwrap_or_else(|| self.choose());
                self.begun += 1;
                self.event(process, EventKind::Invoke { operation: operation.clone() });
                self.clients[client].state = State::Sent(operation);
            }
            State::Sent(operation) => self.serve(client, operation),
            State::Waiting { operation, after, parked } => self.wait(client, operation, after, parked),
            State::Applied(operation, reply) => {
                if self.random.percent(self.profile.unknowns) {
                    let retry = retriable(&operation);
                    self.give_up(client, retry);
                } else {
                    self.remember(&operation, reply.as_ref());
                    self.end(process, reply);
                }
            }
        }
    }

    fn serve(&mut self, client: usize, operation: Operation) {
        if self.random.percent(self.profile.unknowns) {
            if self.random.percent(50) {
                self.late.push(operation.clone());
            }
            let retry = retriable(&operation);
            self.give_up(client, retry);
            return;
        }
        if self.random.percent(2) {
            let process = self.clients[client].process;
            self.end(process, None);
            return;
        }
        if let Operation::Xread { key, from, wait: Wait::Block, .. } = &operation {
            let after = match from {
                ReadFrom::After(id) => *id,
                ReadFrom::Newest => self.broker.stream(key).map_or(EntryId::MIN, |s| s.last_id()),
            };
            self.clients[client].state = State::Waiting { operation, after, parked: false };
            return;
        }
        let reply = self.apply(&operation);
        self.clients[client].state = State::Applied(operation, reply);
    }

    fn wait(&mut self, client: usize, operation: Operation, after: EntryId, parked: bool) {
        let process = self.clients[client].process;
        if !parked && self.random.percent(60) {
            self.event(process, EventKind::Parked);
            self.clients[client].state = State::Waiting { operation, after, parked: true };
            return;
        }
        let there = self.look(&operation, after);
        let nothing = matches!(&there, Some(Reply::Entries { entries }) if entries.is_empty());
        // A reader is served late now and then, when several entries have come; it rarely times out.
        let serve = if nothing { self.random.percent(10) } else { self.random.percent(40) };
        self.clients[client].state = if serve {
            State::Applied(operation, there)
        } else {
            State::Waiting { operation, after, parked }
        };
    }

    fn look(&mut self, operation: &Operation, after: EntryId) -> Option<Reply> {
        let Operation::Xread { key, count, .. } = operation else { return None };
        let (key, count, from) = (key.clone(), *count, ReadFrom::After(after));
        self.apply(&Operation::Xread { key, from, count, wait: Wait::No })
    }

    /// Brings a client's operation to an end.
    fn finish(&mut self, client: usize) {
        let process = self.clients[client].process;
        match std::mem::replace(&mut self.clients[client].state, State::Idle) {
            State::Idle => {}
            State::Sent(operation) if operation.may_wait() => self.give_up(client, None),
            State::Sent(operation) => {
                let reply = self.apply(&operation);
                self.end(process, reply);
            }
            State::Waiting { operation, after, .. } => {
                let reply = self.look(&operation, after);
                self.end(process, reply);
            }
            State::Applied(_, reply) => self.end(process, reply),
        }
    }

    fn conclude(mut self) -> Generated {
        let healed = Healed { at_ns: self.now_ns + 1, budget_ns: 100 };
        self.tick();
        if self.profile.groups > 0 {
            for key in 0..self.profile.keys {
                for group in GROUPS {
                    while self.drain(key, group) {}
                }
            }
        }
        let digest = |node| ReplicaDigest { shard: 1, node, applied: 9, digest: "d1".to_owned() };
        let observation = Observation {
            streams: self.broker.observe(Drained::Yes),
            replicas: (1..=3).map(digest).collect(),
            healed: Some(healed),
        };
        Generated { history: self.history, observation }
    }

    fn drain(&mut self, key: usize, group: &str) -> bool {
        let operation = Operation::Xreadgroup {
            key: format!("s{key}"),
            group: group.to_owned(),
            consumer: "drain".to_owned(),
            from: GroupFrom::New,
            count: Some(10),
            wait: Wait::No,
            acknowledgement: Acknowledgement::Expected,
        };
        matches!(self.run(operation), Some(Reply::Deliveries { entries }) if !entries.is_empty())
    }

    fn remember(&mut self, operation: &Operation, reply: Option<&Reply>) {
        let key = operation.key().to_owned();
        match reply {
            Some(Reply::Added { id }) => self.seen.entry(key).or_default().push(*id),
            Some(Reply::Entries { entries }) => {
                self.seen.entry(key).or_default().extend(entries.iter().map(|entry| entry.id));
            }
            Some(Reply::Deliveries { entries } | Reply::Claimed { entries, .. }) => {
                let ids = entries.iter().map(|delivery: &Delivery| delivery.id);
                let group = operation.group().unwrap_or_default().to_owned();
                self.held.entry((key, group)).or_default().extend(ids);
            }
            _ => {}
        }
    }

    fn choose(&mut self) -> Operation {
        let key = format!("s{}", self.random.below(self.profile.keys));
        let roll = self.random.below(100);
        let profile = self.profile;
        let mut bound = profile.groups;
        if roll < bound {
            return self.choose_group(key);
        }
        bound += profile.deletes;
        if roll < bound {
            let ids = (0..=self.random.below(2)).filter_map(|_| self.known_id(&key)).collect();
            return Operation::Xdel { key, ids };
        }
        bound += profile.trims;
        if roll < bound {
            return self.choose_trim(key);
        }
        bound += profile.tails;
        if roll < bound {
            let after = self.known_id(&key).filter(|_| self.random.percent(40));
            let from = after.map_or(ReadFrom::Newest, ReadFrom::After);
            return Operation::Xread { key, from, count: self.choose_count(), wait: Wait::Block };
        }
        if self.random.percent(45) { self.choose_add(key) } else { self.choose_read(key) }
    }

    fn choose_add(&mut self, key: String) -> Operation {
        let payload = format!("p{}", self.begun);
        let idempotence = self
            .random
            .percent(30)
            .then(|| Idempotence { producer: "producer".to_owned(), number: self.begun.to_string() });
        let max_len =
            (self.profile.trims > 0 && self.random.percent(10)).then(|| self.random.below(6) as u64);
        Operation::Xadd { key, payload, idempotence, max_len }
    }

    fn choose_trim(&mut self, key: String) -> Operation {
        let bound = match self.known_id(&key).filter(|_| self.random.percent(50)) {
            Some(id) => TrimBound::MinId(id),
            None => TrimBound::MaxLen(self.random.below(8) as u64),
        };
        let precision = if self.random.percent(70) { Precision::Exact } else { Precision::Approximate };
        Operation::Xtrim { key, bound, precision }
    }

    fn choose_count(&mut self) -> Option<usize> {
        self.random.percent(40).then(|| 1 + self.random.below(4))
    }

    fn choose_read(&mut self, key: String) -> Operation {
        let start = self.known_id(&key).filter(|_| self.random.percent(40)).unwrap_or(EntryId::MIN);
        let end = self.known_id(&key).filter(|_| self.random.percent(40)).unwrap_or(EntryId::MAX);
        let count = self.choose_count();
        match self.random.below(5) {
            0 | 1 => Operation::Xrange { key, start, end, count },
            2 => Operation::Xrevrange { key, start, end, count },
            3 => Operation::Xlen { key },
            _ => Operation::Xread { key, from: ReadFrom::After(start), count, wait: Wait::No },
        }
    }

    fn choose_group(&mut self, key: String) -> Operation {
        let group = (*self.random.pick(&GROUPS).expect("not empty")).to_owned();
        let consumer = (*self.random.pick(&CONSUMERS).expect("not empty")).to_owned();
        if self.random.percent(self.profile.setids) {
            let cursor = self.known_id(&key).map_or(Cursor::Newest, Cursor::At);
            return Operation::XgroupSetid { key, group, cursor };
        }
        if self.random.percent(self.profile.delconsumers) {
            return Operation::XgroupDelconsumer { key, group, consumer };
        }
        let held = self.held.entry((key.clone(), group.clone())).or_default();
        let form = if self.random.percent(25) { ClaimForm::IdsOnly } else { ClaimForm::Entries };
        let min_idle_ms = self.random.below(3) as u64;
        match self.random.below(10) {
            0..=3 => Operation::Xreadgroup {
                from: GroupFrom::New,
                count: self.choose_count(),
                wait: if self.random.percent(50) { Wait::No } else { Wait::Block },
                acknowledgement: if self.random.percent(self.profile.noacks) {
                    Acknowledgement::None
                } else {
                    Acknowledgement::Expected
                },
                key,
                group,
                consumer,
            },
            4 => Operation::Xreadgroup {
                from: GroupFrom::History(EntryId::MIN),
                count: self.choose_count(),
                wait: Wait::No,
                acknowledgement: Acknowledgement::Expected,
                key,
                group,
                consumer,
            },
            5..=7 if !held.is_empty() => {
                let ids =
                    (0..=self.random.below(3)).filter_map(|_| self.random.pick(held).copied()).collect();
                Operation::Xack { key, group, ids }
            }
            8 if !held.is_empty() => {
                let ids = vec![held[self.random.below(held.len())]];
                Operation::Xclaim { key, group, consumer, min_idle_ms, ids, form }
            }
            _ => {
                let (start, count) = (EntryId::MIN, 1 + self.random.below(5));
                Operation::Xautoclaim { key, group, consumer, min_idle_ms, start, count, form }
            }
        }
    }

    fn known_id(&mut self, key: &str) -> Option<EntryId> {
        let seen = self.seen.get(key).filter(|seen| !seen.is_empty())?;
        Some(seen[self.random.below(seen.len())])
    }
}

/// A producer sends an idempotent XADD again.
fn retriable(operation: &Operation) -> Option<Operation> {
    matches!(operation, Operation::Xadd { idempotence: Some(_), .. }).then(|| operation.clone())
}
