//! Runs a section and compares what comes with what is written.

use std::io::ErrorKind;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use rivermark_tests::Reply;

use crate::expected::Expected;
use crate::matching::{Protocol, matches};
use crate::script::{Action, Alternative, Outcome, Place, Section, Step};
use crate::target::{Client, Connections, PATIENCE, PAUSE, Target};
use crate::variables::Variables;
use crate::words::Word;

/// What a step met.
#[derive(Clone, Debug)]
pub enum Got {
    /// What was written.
    Expected,
    /// A reply that is not the one written, or none was written.
    Reply(Reply),
    /// The connection was closed.
    Closed,
    /// Anything else.
    Trouble(String),
}

/// Runs all steps, also past one that got another reply, but not past trouble: what a step met, in order.
///
/// # Errors
/// A server does not answer at all.
pub fn run(section: &Section, target: Target, ports: Vec<u16>, protocol: Protocol) -> Result<Vec<Got>> {
    let connections = Connections::open(ports, protocol)?;
    let mut run = Run { target, connections, variables: Variables::default() };
    let mut met = Vec::new();
    for step in &section.steps {
        // After trouble nothing can be told from what a connection says.
        met.push(match met.last() {
            Some(Got::Trouble(_)) => Got::Trouble("not run, because of the trouble before".to_owned()),
            _ => run.step(step).unwrap_or_else(|error| Got::Trouble(format!("{error:#}"))),
        });
    }
    Ok(met)
}

/// The expectation that holds in a place.
pub fn expectation(alternatives: &[Alternative], target: Target, protocol: Protocol) -> Option<&Expected> {
    let of = |only| alternatives.iter().find(|alternative| alternative.only == only);
    let redis = (target == Target::Redis).then(|| of(Some(Place::Redis))).flatten();
    let found = redis.or_else(|| of(Some(Place::Protocol(protocol)))).or_else(|| of(None));
    found.map(|alternative| &alternative.expected)
}

struct Run {
    target: Target,
    connections: Connections,
    variables: Variables,
}

impl Run {
    fn step(&mut self, step: &Step) -> Result<Got> {
        let client = self.connections.named(&step.connection)?;
        match &step.action {
            Action::Send(words) => client.send(&command(words, &self.variables)?)?,
            Action::SendUntil(words) => return self.send_until(step, words),
            Action::Read => {}
        }
        match &step.outcome {
            Outcome::Waits => self.waits(step),
            Outcome::NoReply => {
                client.expect_none();
                Ok(Got::Expected)
            }
            Outcome::Closed => Ok(match reply(client)? {
                Got::Closed => Got::Expected,
                other => other,
            }),
            Outcome::Unwritten => reply(client),
            Outcome::Reply(alternatives) => {
                let got = reply(client)?;
                let Got::Reply(reply) = got else { return Ok(got) };
                Ok(self.compare(step, alternatives, reply))
            }
        }
    }

    fn compare(&mut self, step: &Step, alternatives: &[Alternative], reply: Reply) -> Got {
        let protocol = self.protocol_after(step, &reply);
        let expected = expectation(alternatives, self.target, protocol);
        let holds = expected.is_some_and(|it| matches(it, &reply, protocol, &mut self.variables));
        if holds { Got::Expected } else { Got::Reply(reply) }
    }

    /// HELLO and RESET change what the connection speaks, their own replies included.
    fn protocol_after(&mut self, step: &Step, reply: &Reply) -> Protocol {
        let client = self.connections.named(&step.connection).expect("the step has used it");
        if let Action::Send(words) = &step.action {
            let word = |index: usize| match words.get(index) {
                Some(Word::Literal(bytes)) => bytes.to_ascii_uppercase(),
                _ => Vec::new(),
            };
            client.protocol = match (word(0).as_slice(), word(1).as_slice(), reply) {
                (b"HELLO", b"2", Reply::Array(_)) | (b"RESET", _, Reply::Simple(_)) => Protocol::Resp2,
                (b"HELLO", b"3", Reply::Map(_)) => Protocol::Resp3,
                _ => client.protocol,
            };
        }
        client.protocol
    }

    fn send_until(&mut self, step: &Step, words: &[Word]) -> Result<Got> {
        let Outcome::Reply(alternatives) = &step.outcome else { bail!("until needs a reply to wait for") };
        let deadline = Instant::now() + PATIENCE;
        loop {
            let client = self.connections.named(&step.connection)?;
            client.send(&command(words, &self.variables)?)?;
            let got = match reply(client)? {
                Got::Reply(reply) => self.compare(step, alternatives, reply),
                other => other,
            };
            if matches!(got, Got::Expected | Got::Closed) || Instant::now() > deadline {
                return Ok(got);
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// A reply that came instead is read, so that the next step gets its own.
    fn waits(&mut self, step: &Step) -> Result<Got> {
        let blocked = self.connections.wait_until_blocked();
        let client = self.connections.named(&step.connection)?;
        if client.has_input() {
            return reply(client);
        }
        blocked.context("the server does not let the command wait")?;
        Ok(Got::Expected)
    }
}

fn command(words: &[Word], variables: &Variables) -> Result<Vec<Vec<u8>>> {
    words.iter().map(|word| word.bytes(variables)).collect()
}

fn reply(client: &mut Client) -> Result<Got> {
    match client.reply() {
        Ok(reply) => Ok(Got::Reply(reply)),
        Err(error) => match error.kind() {
            ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => Ok(Got::Closed),
            ErrorKind::WouldBlock | ErrorKind::TimedOut => bail!("no reply within {PATIENCE:?}"),
            _ => Err(error.into()),
        },
    }
}
