//! One shard's session: takes submissions from connections, keeps parts in flight to the leader, finds the
//! leader again when it moves, and answers the callers.
//!
//! The fast path has no timer and no channel of its own a command: a submission waits in [`Intake`], one
//! wake-up of the task takes all that wait as one part. The decisions are those of `window`.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::{BoxStream, FuturesUnordered};
use rivermark_stream::{Command, Outcome};
use rivermark_types::limits::{BATCHES_IN_FLIGHT_MAX, SESSION_REFRESH_MS};
use rivermark_types::{NodeId, SessionId};
use tokio::sync::watch;
use tokio::time::{Instant, Sleep};

use super::client::{ClientOptions, Reply, Submitted, Unavailable};
use super::counters::Counters;
use super::endpoint::{ProposeAnswer, Refusal};
use super::intake::Intake;
use super::leader::{LeaderTracker, Seeker};
use super::window::{Attempt, Caller, Step, Window};

/// A leader that has not answered for so long is asked about at the other replicas.
pub(super) const SILENCE_SUSPECT: Duration = Duration::from_millis(500);

const REFRESH: Duration = Duration::from_millis(SESSION_REFRESH_MS);

/// Gives out session ids that no other incarnation of any node gives out.
pub(super) struct SessionIds(u64);

impl SessionIds {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> SessionId {
        self.0 += 1;
        SessionId::new(self.0)
    }
}

/// The callers' handle of a shard's session. Dropping it ends the session's task.
pub(super) struct Session {
    intake: Arc<Intake>,
}

impl Session {
    pub(super) fn start(
        tracker: Arc<LeaderTracker>,
        ids: SessionIds,
        options: ClientOptions,
        counters: Arc<Counters>,
    ) -> Self {
        let intake = Arc::new(Intake::new(options, Arc::clone(&counters)));
        let task = Task::new(tracker, ids, Arc::clone(&intake), options.patience(), counters);
        tokio::spawn(task.run());
        Self { intake }
    }

    /// Returns once the queue is below its bounds.
    pub(super) async fn room(&self) {
        self.intake.room().await;
    }

    /// Queues commands; the order of calls is their order in the session.
    pub(super) fn submit(&self, commands: &[Command]) -> Submitted {
        self.intake.submit(commands)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.intake.close();
    }
}

/// How freely the task sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pace {
    /// The leader takes parts: several at a time.
    Streaming,
    /// The last answer was a refusal: one part, to see whether the target leads.
    Probing,
    /// Nothing before this instant.
    Pausing(Instant),
}

type Answered = BoxFuture<'static, (Attempt, ProposeAnswer)>;

struct Task {
    tracker: Arc<LeaderTracker>,
    ids: SessionIds,
    intake: Arc<Intake>,
    patience: Duration,
    counters: Arc<Counters>,
    window: Window<Reply>,
    seeker: Seeker,
    pace: Pace,
    under_way: FuturesUnordered<Answered>,
    /// Changes of the belief who leads, ours included.
    believed: watch::Receiver<Option<NodeId>>,
    /// The leaders this node's replicas see, or hear of from other nodes.
    local_leaders: Option<BoxStream<'static, Option<NodeId>>>,
    /// The last of them.
    told: Option<NodeId>,
    /// An inquiry about a silent leader.
    inquiry: Option<BoxFuture<'static, ()>>,
    /// When the window last sent or got something.
    active: Instant,
    /// Rings at `alarm_at` or, being set lazily, before.
    alarm: Pin<Box<Sleep>>,
}

enum Happened {
    Answer(Attempt, ProposeAnswer),
    Filled,
    LocalLeader(Option<Option<NodeId>>),
    Believed,
    Inquired,
    Alarm,
}

impl Task {
    fn new(
        tracker: Arc<LeaderTracker>,
        mut ids: SessionIds,
        intake: Arc<Intake>,
        patience: Duration,
        counters: Arc<Counters>,
    ) -> Self {
        counters.sessions.increase();
        let now = Instant::now();
        Self {
            window: Window::new(ids.next()),
            seeker: Seeker::new(&tracker),
            pace: Pace::Streaming,
            under_way: FuturesUnordered::new(),
            believed: tracker.subscribe(),
            local_leaders: tracker.local_leaders(),
            told: None,
            inquiry: None,
            active: now,
            alarm: Box::pin(tokio::time::sleep_until(now + REFRESH)),
            tracker,
            ids,
            intake,
            patience,
            counters,
        }
    }

    async fn run(mut self) {
        while !self.intake.is_closed() {
            self.send();
            self.set_alarm();
            match self.next().await {
                Happened::Answer(attempt, answer) => {
                    self.answered(attempt, answer);
                    while let Some(Some((attempt, answer))) = self.under_way.next().now_or_never() {
                        self.answered(attempt, answer);
                    }
                }
                Happened::Filled => {}
                Happened::LocalLeader(Some(leader)) => self.told(leader),
                Happened::LocalLeader(None) => self.local_leaders = None,
                Happened::Believed => {
                    let believed = *self.believed.borrow_and_update();
                    believed.into_iter().for_each(|leader| self.led_by(leader));
                }
                Happened::Inquired => {
                    self.inquiry = None;
                    self.active = Instant::now();
                }
                Happened::Alarm => self.alarm_rang(),
            }
        }
        self.close();
    }

    async fn next(&mut self) -> Happened {
        tokio::select! {
            Some((attempt, answer)) = self.under_way.next() => Happened::Answer(attempt, answer),
            () = self.intake.filled() => Happened::Filled,
            leader = next_of(&mut self.local_leaders) => Happened::LocalLeader(leader),
            Ok(()) = self.believed.changed() => Happened::Believed,
            () = done(&mut self.inquiry) => Happened::Inquired,
            () = &mut self.alarm => Happened::Alarm,
        }
    }

    /// Sends what the pace allows: parts to be sent again first, then what waits in the intake.
    fn send(&mut self) {
        let outstanding_max = match self.pace {
            Pace::Streaming => BATCHES_IN_FLIGHT_MAX,
            Pace::Probing => 1,
            Pace::Pausing(until) if Instant::now() < until => return,
            Pace::Pausing(_) => {
                self.pace = Pace::Probing;
                1
            }
        };
        loop {
            if let Some((attempt, part, again)) = self.window.send_next(outstanding_max) {
                self.send_part(attempt, &part, again);
            } else if self.window.outstanding() < outstanding_max && self.window.len() < BATCHES_IN_FLIGHT_MAX
            {
                let submissions = self.intake.take_part();
                if submissions.is_empty() {
                    return;
                }
                self.window.push(submissions, Instant::now());
            } else {
                return;
            }
        }
    }

    fn send_part(&mut self, attempt: Attempt, part: &rivermark_stream::batch::Part, again: bool) {
        self.counters.proposals.increase();
        if again {
            self.counters.retries.increase();
        }
        self.active = Instant::now();
        let count = part.count;
        let mut encoded = Vec::with_capacity(part.commands.len() + PART_HEADER_BYTES);
        part.encode(&mut encoded);
        let answer = match self.tracker.endpoint(self.seeker.target()) {
            Some(endpoint) => endpoint.propose(self.tracker.shard(), encoded.into(), count),
            None => Box::pin(std::future::ready(Err(Refusal::Unreachable))),
        };
        self.under_way.push(Box::pin(answer.map(move |answer| (attempt, answer))));
    }

    fn answered(&mut self, attempt: Attempt, answer: ProposeAnswer) {
        match self.window.answered(attempt, answer) {
            Step::Ignore => {}
            Step::Deliver(callers, outcomes) => {
                self.pace = Pace::Streaming;
                self.active = Instant::now();
                self.seeker.succeeded(&self.tracker);
                self.deliver(callers, outcomes);
            }
            // The machine answered, so the target leads.
            Step::Resend => self.pace = Pace::Probing,
            Step::Renew => {
                self.counters.sessions.increase();
                let unknown = self.window.renew(self.ids.next());
                self.fail(unknown, Unavailable::OutcomeUnknown);
                self.under_way.clear();
                self.pace = Pace::Probing;
            }
            Step::Retry(refusal) => {
                let asked = self.seeker.target();
                let pause = match refusal {
                    Refusal::NotLeader { leader } => self.seeker.refused(&self.tracker, leader),
                    // It led when it took the part; whether it still does it knows best.
                    Refusal::OutcomeUnknown => self.seeker.refused(&self.tracker, None),
                    Refusal::Overloaded => self.seeker.busy(),
                    Refusal::ShuttingDown | Refusal::Unreachable | Refusal::LinkBroken => {
                        self.seeker.unreachable(&self.tracker)
                    }
                };
                if self.seeker.target() != asked {
                    self.window.give_up();
                    self.under_way.clear();
                }
                self.pace = pause.map_or(Pace::Probing, |pause| Pace::Pausing(Instant::now() + pause));
            }
        }
    }

    /// Others of this node want to know it too. What is said again is no news, and may be outdated.
    fn told(&mut self, leader: Option<NodeId>) {
        if std::mem::replace(&mut self.told, leader) == leader {
            return;
        }
        if let Some(leader) = leader {
            self.tracker.learned(leader);
            self.led_by(leader);
        }
    }

    /// Goes to the leader at once if it is another than the one asked, and does not wait for that one.
    fn led_by(&mut self, leader: NodeId) {
        if leader != self.seeker.target() {
            self.window.give_up();
            self.under_way.clear();
            self.seeker.follow(leader);
            self.pace = Pace::Probing;
        } else if matches!(self.pace, Pace::Pausing(_)) {
            self.pace = Pace::Probing;
        }
    }

    /// The alarm is only ever moved forward to an earlier instant, so a busy session does not touch it.
    fn set_alarm(&mut self) {
        let mut at = self.active + REFRESH;
        if let Some(oldest) = self.window.oldest() {
            at = at.min(oldest + self.patience);
        }
        if self.window.outstanding() > 0 && self.inquiry.is_none() {
            at = at.min(self.active + SILENCE_SUSPECT);
        }
        if let Pace::Pausing(until) = self.pace {
            at = at.min(until);
        }
        if at < self.alarm.deadline() || self.alarm.is_elapsed() {
            self.alarm.as_mut().reset(at);
        }
    }

    fn alarm_rang(&mut self) {
        let now = Instant::now();
        if let Some(limit) = now.checked_sub(self.patience) {
            self.expire(limit);
        }
        let silent_for = now - self.active;
        if self.window.outstanding() > 0 && silent_for >= SILENCE_SUSPECT && self.inquiry.is_none() {
            self.inquiry = Some(self.tracker.suspect(self.seeker.target()));
        }
        if silent_for >= REFRESH {
            self.active = now;
            if self.window.is_empty() && self.window.is_begun() {
                self.window.push(Vec::new(), now);
            }
        }
        if self.local_leaders.is_none() {
            self.local_leaders = self.tracker.local_leaders();
        }
    }

    fn expire(&mut self, limit: Instant) {
        if self.window.oldest().is_none_or(|oldest| oldest > limit) {
            return;
        }
        let (ids, window) = (&mut self.ids, &mut self.window);
        let (not_applied, unknown) = window.expire(limit, || ids.next());
        self.fail(not_applied, Unavailable::NoLeader);
        self.fail(unknown, Unavailable::OutcomeUnknown);
        let queued = self.intake.take_expired(limit);
        self.fail(queued, Unavailable::NoLeader);
    }

    fn close(&mut self) {
        let (not_applied, unknown) = self.window.close();
        self.fail(not_applied, Unavailable::NoLeader);
        self.fail(unknown, Unavailable::OutcomeUnknown);
        let queued = self.intake.take_all();
        self.fail(queued, Unavailable::NoLeader);
    }

    fn deliver(&mut self, callers: Vec<Caller<Reply>>, mut outcomes: Vec<Outcome>) {
        self.intake.settle(&callers);
        let mut callers = callers.into_iter();
        let last = callers.next_back();
        let mut rest = outcomes.drain(..);
        for caller in callers {
            let own = rest.by_ref().take(caller.count as usize).collect();
            let _ = caller.reply.send(Ok(own));
        }
        if let Some(caller) = last {
            let _ = caller.reply.send(Ok(rest.collect()));
        }
    }

    fn fail(&mut self, callers: Vec<Caller<Reply>>, error: Unavailable) {
        self.intake.settle(&callers);
        for caller in callers {
            let _ = caller.reply.send(Err(error));
        }
    }
}

/// Upper bound of the numbers before a part's commands.
const PART_HEADER_BYTES: usize = 64;

async fn next_of(leaders: &mut Option<BoxStream<'static, Option<NodeId>>>) -> Option<Option<NodeId>> {
    match leaders {
        Some(leaders) => leaders.next().await,
        None => std::future::pending().await,
    }
}

async fn done(inquiry: &mut Option<BoxFuture<'static, ()>>) {
    match inquiry {
        Some(inquiry) => inquiry.await,
        None => std::future::pending().await,
    }
}
