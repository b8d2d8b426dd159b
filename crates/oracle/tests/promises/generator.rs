//! Correct histories: concurrent clients of the model, with lost answers, late effects and retries.

use std::collections::BTreeMap;

use rivermark_oracle::model::Broker;
use rivermark_oracle::observation::{Drained, Healed, ReplicaDigest};
use rivermark_oracle::operation::{Acknowledgement, Cursor, Delivery, GroupFrom, ReadFrom, Wait};
use rivermark_oracle::{Event, EventKind, History, Observation, Operation, Reply};
use rivermark_types::EntryId;

use crate::profile::Profile;
use crate::random::Random;

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

pub struct World {
    pub random: Random,
    pub profile: Profile,
    broker: Broker,
    history: History,
    now_ns: u64,
    clients: Vec<Client>,
    /// Operations given up on that will take effect later.
    late: Vec<Operation>,
    next_process: u64,
    pub begun: usize,
    pub seen: BTreeMap<String, Vec<EntryId>>,
    pub held: BTreeMap<(String, String), Vec<EntryId>>,
}

pub const GROUPS: [&str; 2] = ["g0", "g1"];

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
}

/// A producer sends an idempotent XADD again.
fn retriable(operation: &Operation) -> Option<Operation> {
    matches!(operation, Operation::Xadd { idempotence: Some(_), .. }).then(|| operation.clone())
}
