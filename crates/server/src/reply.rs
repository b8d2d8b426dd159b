//! Every layer's error to a client's, and outcomes to bytes: the one place where they meet.

use bytes::{Bytes, BytesMut};
use rivermark_protocol::commands::CommandSpec;
use rivermark_protocol::reply::write_outcome;
use rivermark_protocol::{Frame, Protocol, ReplyError, ReplyWriter};
use rivermark_raft::ProposeError;
use rivermark_router::Redirect;
use rivermark_router::redirect::Target;
use rivermark_stream::Outcome;
use rivermark_stream::outcome::KeyType;

use crate::shards::Unavailable;

/// How an outcome is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// As the outcome's kind is.
    Plain,
    /// OBJECT ENCODING: the name of the encoding, or null.
    Encoding,
}

/// What a request is answered with, when it is not written at once.
#[derive(Debug)]
pub enum Answer {
    /// A reply.
    Frame(Frame),
    /// What the shards answered.
    Outcome(Outcome),
    /// EXEC: each command's reply.
    Transaction(Vec<AnsweredStep>),
}

/// A command of a transaction, answered.
#[derive(Debug)]
pub struct AnsweredStep {
    /// The command.
    pub spec: &'static CommandSpec,
    /// What the client spoke at that point.
    pub protocol: Protocol,
    /// How an outcome is shown.
    pub shape: Shape,
    /// What it is answered with.
    pub answer: Answer,
}

impl From<Frame> for Answer {
    fn from(frame: Frame) -> Self {
        Self::Frame(frame)
    }
}

impl From<ReplyError> for Answer {
    fn from(error: ReplyError) -> Self {
        Self::Frame(Frame::Error(error))
    }
}

impl From<Unavailable> for Answer {
    fn from(error: Unavailable) -> Self {
        reply_error(error).into()
    }
}

impl From<Result<Outcome, Unavailable>> for Answer {
    fn from(result: Result<Outcome, Unavailable>) -> Self {
        result.map_or_else(Self::from, Self::Outcome)
    }
}

/// What a client is told when its shard could not serve it.
pub fn reply_error(error: Unavailable) -> ReplyError {
    match error {
        Unavailable::NoLeader => ReplyError::ClusterDown,
        Unavailable::OutcomeUnknown => ReplyError::OutcomeUnknown,
        Unavailable::CommandTooLarge => ReplyError::CommandTooLarge,
    }
}

/// What a client is told when the cluster's metadata could not be changed.
pub fn metadata_error(error: &ProposeError) -> ReplyError {
    match error {
        ProposeError::NotLeader { .. } => ReplyError::ClusterDown,
        ProposeError::Overloaded => ReplyError::Overloaded,
        ProposeError::ShuttingDown => ReplyError::ShuttingDown,
        ProposeError::OutcomeUnknown => ReplyError::OutcomeUnknown,
    }
}

/// What a client is told that must go elsewhere.
pub fn redirected(redirect: Redirect) -> ReplyError {
    let place = |target: Target| {
        let address = format!("{}:{}", target.host, target.port);
        (Bytes::from(target.slot.get().to_string()), Bytes::from(address))
    };
    match redirect {
        Redirect::Moved(target) => {
            let (slot, address) = place(target);
            ReplyError::Moved(slot, address)
        }
        Redirect::Ask(target) => {
            let (slot, address) = place(target);
            ReplyError::Ask(slot, address)
        }
        Redirect::TryAgain => ReplyError::TryAgain,
        Redirect::CrossSlot => ReplyError::CrossSlot,
        Redirect::SlotNotServed => ReplyError::SlotNotServed,
        Redirect::Down => ReplyError::ClusterDown,
    }
}

/// Writes a shard's answer. The code if it is an error.
pub fn write(
    writer: &mut ReplyWriter<'_>,
    shape: Shape,
    result: Result<Outcome, Unavailable>,
) -> Option<&'static str> {
    match (shape, result) {
        (_, Err(error)) => {
            let error = reply_error(error);
            writer.error(&error);
            return Some(error.code());
        }
        (Shape::Encoding, Ok(Outcome::KeyType(KeyType::Stream))) => writer.bulk(b"stream"),
        (Shape::Encoding, Ok(_)) => writer.null(),
        (Shape::Plain, Ok(outcome)) => {
            write_outcome(&outcome, writer);
            if let Outcome::Rejected(rejection) = &outcome {
                return Some(ReplyError::from(rejection).code());
            }
        }
    }
    None
}

/// Writes a reply that is known. The code if it is an error.
pub fn write_frame(writer: &mut ReplyWriter<'_>, frame: &Frame) -> Option<&'static str> {
    writer.frame(frame);
    match frame {
        Frame::Error(error) => Some(error.code()),
        _ => None,
    }
}

/// Writes an answer. The code if it is an error; `each` is told of every command of a transaction, and its code.
pub fn write_answer(
    out: &mut BytesMut,
    protocol: Protocol,
    shape: Shape,
    answer: Answer,
    each: &mut dyn FnMut(&'static CommandSpec, Option<&'static str>),
) -> Option<&'static str> {
    let mut writer = ReplyWriter::new(out, protocol);
    match answer {
        Answer::Frame(frame) => write_frame(&mut writer, &frame),
        Answer::Outcome(outcome) => write(&mut writer, shape, Ok(outcome)),
        Answer::Transaction(steps) => {
            writer.array(steps.len());
            for AnsweredStep { spec, protocol, shape, answer } in steps {
                let code = write_answer(out, protocol, shape, answer, each);
                each(spec, code);
            }
            None
        }
    }
}

/// An error of the node itself, not of the request.
pub fn internal(what: impl std::fmt::Display) -> ReplyError {
    ReplyError::Internal(Bytes::from(what.to_string()))
}
