//! `COMMAND ...`: the table told to clients. Names, flags and shapes as the reference has them, as cluster
//! clients route by them.

use bytes::Bytes;

use super::args::Arguments;
use super::parsed::Parsed;
use super::resolve;
use super::spec::{CommandSpec, KeySpec};
use super::table;
use crate::reply_error::ReplyError;
use crate::resp::{Frame, Request};

fn reply(frame: Frame) -> Result<Parsed, ReplyError> {
    Ok(Parsed::Reply(frame))
}

/// `COMMAND`
pub(super) fn all(_: Arguments<'_>) -> Result<Parsed, ReplyError> {
    reply(Frame::Array(table::all().map(description).collect()))
}

/// `COMMAND COUNT`
pub(super) fn count(_: Arguments<'_>) -> Result<Parsed, ReplyError> {
    reply(Frame::Integer(i64::try_from(table::all().count()).unwrap_or(i64::MAX)))
}

/// `COMMAND INFO [name ...]`
pub(super) fn info(mut arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    if arguments.left() == 0 {
        return all(arguments);
    }
    let mut frames = Vec::new();
    while let Some(name) = arguments.take() {
        frames.push(table::find_full(name).map_or(Frame::Null, description));
    }
    reply(Frame::Array(frames))
}

/// `COMMAND DOCS [name ...]`
pub(super) fn docs(mut arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    let mut frames = Vec::new();
    if arguments.left() == 0 {
        frames.extend(table::all().map(documentation));
    }
    while let Some(name) = arguments.take() {
        frames.extend(table::find_full(name).map(documentation));
    }
    reply(Frame::Map(frames))
}

/// `COMMAND LIST [FILTERBY MODULE name | ACLCAT category | PATTERN glob]`
pub(super) fn list(mut arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    let mut filter: Box<dyn Fn(&CommandSpec) -> bool> = Box::new(|_| true);
    if arguments.left() > 0 {
        if arguments.left() != 3 || !arguments.option("FILTERBY", 2) {
            return Err(ReplyError::Syntax);
        }
        if arguments.option("MODULE", 1) {
            filter = Box::new(|_| false);
        } else if arguments.option("ACLCAT", 1) {
            let category = arguments.text()?;
            filter = Box::new(move |spec| {
                spec.categories.names().any(|name| name.as_bytes().eq_ignore_ascii_case(category))
            });
        } else if arguments.option("PATTERN", 1) {
            let pattern = arguments.text()?;
            filter =
                Box::new(move |spec| rivermark_stream::glob::glob_matches(pattern, spec.name.as_bytes()));
        } else {
            return Err(ReplyError::Syntax);
        }
    }
    let mut names = Vec::new();
    for spec in table::all() {
        let subcommands = spec.subcommands.iter().filter(|spec| filter(spec));
        names.extend(filter(spec).then_some(spec).into_iter().chain(subcommands).map(name));
    }
    reply(Frame::Array(names))
}

/// `COMMAND GETKEYS command [argument ...]`
pub(super) fn get_keys(arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    let (_, keys) = keys_told(&arguments)?;
    reply(Frame::Array(keys.into_iter().map(Frame::Bulk).collect()))
}

/// `COMMAND GETKEYSANDFLAGS command [argument ...]`
pub(super) fn get_keys_and_flags(arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    let (spec, keys) = keys_told(&arguments)?;
    let with_flags = |(place, key)| {
        let flags = access(spec.access_of_key(place));
        Frame::Array(vec![Frame::Bulk(key), flags])
    };
    reply(Frame::Array(keys.into_iter().enumerate().map(with_flags).collect()))
}

/// The command that follows, and its keys.
fn keys_told(arguments: &Arguments<'_>) -> Result<(&'static CommandSpec, Vec<Bytes>), ReplyError> {
    let request = Request::from_arguments(arguments.request().iter().skip(arguments.position()));
    let spec = match resolve::resolve(&request) {
        Ok(spec) => spec,
        Err(ReplyError::WrongArity(_)) => return Err(ReplyError::GetKeysArity),
        Err(_) => return Err(ReplyError::GetKeysUnknownCommand),
    };
    if spec.keys == KeySpec::None {
        return Err(ReplyError::GetKeysNoKeys);
    }
    Ok((spec, spec.keys_of(&request)?.filter_map(|index| request.bytes(index)).collect()))
}

/// `COMMAND HELP`
pub(super) fn help(arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    super::help::reply(
        &arguments,
        &[
            "(no subcommand)",
            "    Describe every command.",
            "COUNT",
            "    Return how many commands there are.",
            "DOCS [<command-name> ...]",
            "    Document commands.",
            "GETKEYS <full-command>",
            "    Return the keys of a command.",
            "GETKEYSANDFLAGS <full-command>",
            "    Return the keys of a command and what it does to them.",
            "INFO [<command-name> ...]",
            "    Describe commands.",
            "LIST [FILTERBY (MODULE <name>|ACLCAT <category>|PATTERN <pattern>)]",
            "    Return the names of commands.",
        ],
    )
}

fn name(spec: &CommandSpec) -> Frame {
    Frame::literal(spec.name)
}

/// A command as COMMAND INFO has it: ten elements, subcommands nested.
fn description(spec: &CommandSpec) -> Frame {
    let simple = |names: &mut dyn Iterator<Item = &'static str>| names.map(Frame::simple).collect();
    let (first, last, step) = match spec.keys {
        // The last key relative to the end, as the reference tells it.
        KeySpec::Range { first, last } => (as_integer(first), last as i64, 1),
        KeySpec::None | KeySpec::Streams { .. } => (0, 0, 0),
    };
    let categories = spec.categories.names().map(|name| Frame::Simple(format!("@{name}").into()));
    Frame::Array(vec![
        name(spec),
        Frame::Integer(i64::from(spec.arity)),
        Frame::Set(simple(&mut spec.flags.names())),
        Frame::Integer(first),
        Frame::Integer(last),
        Frame::Integer(step),
        Frame::Set(categories.collect()),
        Frame::Set(spec.tips.iter().map(|tip| Frame::literal(tip)).collect()),
        Frame::Set(key_specifications(spec)),
        Frame::Set(spec.subcommands.iter().map(description).collect()),
    ])
}

/// One, or two where the last key is treated differently.
fn key_specifications(spec: &CommandSpec) -> Vec<Frame> {
    let by_index =
        |first, relative| (search("index", [("index", Frame::Integer(first))]), range(relative, 0));
    let described = |access: &[&'static str], (begin, find): (Frame, Frame)| {
        let access = access.iter().map(|flag| Frame::simple(flag)).collect();
        Frame::fields([("flags", Frame::Set(access)), ("begin_search", begin), ("find_keys", find)])
    };
    match spec.keys {
        KeySpec::None => Vec::new(),
        KeySpec::Range { first, last } => {
            let relative = if last < 0 { last as i64 } else { 0 };
            let mut found = vec![described(spec.key_access, by_index(as_integer(first), relative))];
            found.extend(spec.destination_access.map(|access| described(access, by_index(last as i64, 0))));
            found
        }
        KeySpec::Streams { from } => {
            let from = Frame::Integer(as_integer(from));
            let begin = search("keyword", [("keyword", Frame::literal("STREAMS")), ("startfrom", from)]);
            vec![described(spec.key_access, (begin, range(-1, 2)))]
        }
    }
}

fn access(flags: &[&'static str]) -> Frame {
    Frame::Set(flags.iter().map(|flag| Frame::simple(flag)).collect())
}

fn search<const N: usize>(kind: &'static str, spec: [(&'static str, Frame); N]) -> Frame {
    Frame::fields([("type", Frame::literal(kind)), ("spec", Frame::fields(spec))])
}

fn range(last: i64, limit: i64) -> Frame {
    let integers = [("lastkey", last), ("keystep", 1), ("limit", limit)];
    search("range", integers.map(|(name, value)| (name, Frame::Integer(value))))
}

/// A command's name and what COMMAND DOCS tells of it.
fn documentation(spec: &'static CommandSpec) -> (Frame, Frame) {
    let mut fields = vec![
        ("summary", Frame::literal(spec.summary)),
        ("since", Frame::literal(spec.since)),
        ("group", Frame::literal(spec.group.name())),
        ("complexity", Frame::literal(spec.complexity)),
    ];
    if !spec.subcommands.is_empty() {
        fields.push(("subcommands", Frame::Map(spec.subcommands.iter().map(documentation).collect())));
    }
    (Frame::Bulk(Bytes::from_static(spec.name.as_bytes())), Frame::fields(fields))
}

fn as_integer(index: usize) -> i64 {
    i64::try_from(index).unwrap_or(i64::MAX)
}
