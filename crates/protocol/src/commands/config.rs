//! `CONFIG GET|SET|RESETSTAT|REWRITE|HELP ...`

use super::args::Arguments;
use super::parsed::{NodeCommand, Parsed};
use crate::reply_error::ReplyError;

/// `CONFIG GET pattern [pattern ...]`
pub(super) fn get(mut arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    let patterns = (0..arguments.left()).map(|_| arguments.bytes()).collect::<Result<_, _>>()?;
    Ok(Parsed::Node(NodeCommand::ConfigGet(patterns)))
}

/// `CONFIG SET parameter value [parameter value ...]`
pub(super) fn set(mut arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    if !arguments.left().is_multiple_of(2) {
        return Err(ReplyError::Syntax);
    }
    let mut parameters: Vec<(bytes::Bytes, bytes::Bytes)> = Vec::new();
    while arguments.left() > 0 {
        let (name, value) = (arguments.bytes()?, arguments.bytes()?);
        if parameters.iter().any(|(other, _)| other.eq_ignore_ascii_case(&name)) {
            return Err(ReplyError::ConfigRefused(name, bytes::Bytes::from_static(b"duplicate parameter")));
        }
        parameters.push((name, value));
    }
    Ok(Parsed::Node(NodeCommand::ConfigSet(parameters)))
}

/// `CONFIG RESETSTAT`
pub(super) fn reset_statistics(_: Arguments<'_>) -> Result<Parsed, ReplyError> {
    Ok(Parsed::Node(NodeCommand::ConfigResetStatistics))
}

/// `CONFIG REWRITE`
pub(super) fn rewrite(_: Arguments<'_>) -> Result<Parsed, ReplyError> {
    Ok(Parsed::Node(NodeCommand::ConfigRewrite))
}

/// `CONFIG HELP`
pub(super) fn help(arguments: Arguments<'_>) -> Result<Parsed, ReplyError> {
    super::help::reply(
        &arguments,
        &[
            "GET <pattern> [<pattern> ...]",
            "    Return the parameters that match and their values.",
            "RESETSTAT",
            "    Set the counters of INFO to zero.",
            "REWRITE",
            "    Write the configuration to its file.",
            "SET <parameter> <value> [<parameter> <value> ...]",
            "    Set parameters, all or none.",
        ],
    )
}
