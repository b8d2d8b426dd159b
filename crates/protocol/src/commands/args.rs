//! A cursor over the arguments that follow a command's name.

use bytes::Bytes;
use rivermark_types::{ConsumerName, DatabaseIndex, GroupName, StreamKey};

use crate::reply_error::ReplyError;
use crate::resp::{Request, parse_integer};

/// What is left to read of a request. Running out is the wrong-arity error of the command.
#[derive(Clone, Debug)]
pub(super) struct Arguments<'a> {
    command: &'static str,
    request: &'a Request,
    next: usize,
    database: DatabaseIndex,
}

impl<'a> Arguments<'a> {
    pub fn new(command: &'static str, request: &'a Request, next: usize, database: DatabaseIndex) -> Self {
        Self { command, request, next, database }
    }

    /// The command's full name.
    pub fn command(&self) -> &'static str {
        self.command
    }

    /// The command's first word as the client wrote it.
    pub fn command_as_sent(&self) -> Bytes {
        clipped(&self.request.bytes(0).unwrap_or_default())
    }

    /// The whole request, the name included.
    pub fn request(&self) -> &'a Request {
        self.request
    }

    /// The database SELECTed.
    pub fn database(&self) -> DatabaseIndex {
        self.database
    }

    /// How many arguments are left.
    pub fn left(&self) -> usize {
        self.request.len().saturating_sub(self.next)
    }

    /// The index in the request of the next argument.
    pub fn position(&self) -> usize {
        self.next
    }

    /// The next argument, not taken.
    pub fn peek(&self) -> Option<&'a [u8]> {
        self.request.get(self.next)
    }

    /// Takes the next argument if there is one.
    pub fn take(&mut self) -> Option<&'a [u8]> {
        let argument = self.peek()?;
        self.next += 1;
        Some(argument)
    }

    /// Takes the next argument.
    pub fn text(&mut self) -> Result<&'a [u8], ReplyError> {
        self.take().ok_or_else(|| self.wrong_arity())
    }

    /// Takes the next argument, sharing the request's buffer.
    pub fn bytes(&mut self) -> Result<Bytes, ReplyError> {
        let bytes = self.request.bytes(self.next).ok_or_else(|| self.wrong_arity())?;
        self.next += 1;
        Ok(bytes)
    }

    /// Takes a key.
    pub fn key(&mut self) -> Result<StreamKey, ReplyError> {
        Ok(StreamKey::new(self.database, self.bytes()?))
    }

    /// Takes all that is left as keys.
    pub fn keys(&mut self) -> Result<Vec<StreamKey>, ReplyError> {
        (0..self.left()).map(|_| self.key()).collect()
    }

    /// Takes a group's name.
    pub fn group(&mut self) -> Result<GroupName, ReplyError> {
        Ok(GroupName::new(self.bytes()?))
    }

    /// Takes a consumer's name.
    pub fn consumer(&mut self) -> Result<ConsumerName, ReplyError> {
        Ok(ConsumerName::new(self.bytes()?))
    }

    /// Takes an integer.
    pub fn integer(&mut self) -> Result<i64, ReplyError> {
        self.integer_or(ReplyError::NotAnInteger)
    }

    /// Takes an integer, with an error of the command's own.
    pub fn integer_or(&mut self, error: ReplyError) -> Result<i64, ReplyError> {
        parse_integer(self.text()?).ok_or(error)
    }

    /// Takes the next argument if it is this word and at least `operands` more follow it. What a word lacks
    /// operands for is no option: the command decides what it is then.
    pub fn option(&mut self, word: &str, operands: usize) -> bool {
        let matches = self.left() > operands
            && self.peek().is_some_and(|argument| argument.eq_ignore_ascii_case(word.as_bytes()));
        self.next += usize::from(matches);
        matches
    }

    /// Refuses what is left.
    pub fn end(&self) -> Result<(), ReplyError> {
        if self.left() == 0 { Ok(()) } else { Err(ReplyError::Syntax) }
    }

    pub fn wrong_arity(&self) -> ReplyError {
        ReplyError::wrong_arity(self.command)
    }

    /// The error of a known subcommand with an impossible tail.
    pub fn subcommand_syntax(&self) -> ReplyError {
        let container = self.command.split('|').next().unwrap_or_default();
        let as_sent = self.request.bytes(1).unwrap_or_default();
        ReplyError::SubcommandSyntax(clipped(&as_sent), Bytes::from(container.to_ascii_uppercase()))
    }
}

/// At most 128 bytes of a text that is told back in an error.
pub(super) fn clipped(text: &Bytes) -> Bytes {
    text.slice(..text.len().min(128))
}
