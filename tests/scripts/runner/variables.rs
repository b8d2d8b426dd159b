//! What replies left behind for later lines.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};

/// Captured values by name. `now` is always there: the clock in Unix milliseconds.
#[derive(Clone, Debug, Default)]
pub struct Variables(BTreeMap<String, Vec<u8>>);

impl Variables {
    /// Keeps a value, in the place of another of the name.
    pub fn set(&mut self, name: &str, value: Vec<u8>) {
        self.0.insert(name.to_owned(), value);
    }

    /// What an expression stands for: `name`, then perhaps `.ms` or `.seq` of an id, or `.s` of a time in
    /// milliseconds, then perhaps `+5` or `-5`.
    ///
    /// # Errors
    /// Nothing was captured under the name, or the value has no such part.
    pub fn evaluate(&self, expression: &str) -> Result<Vec<u8>> {
        let (path, offset) = match expression.find(['+', '-']) {
            Some(place) => expression.split_at(place),
            None => (expression, ""),
        };
        let (name, part) = path.split_once('.').unwrap_or((path, ""));
        let value = match name {
            "now" => unix_ms().to_string().into_bytes(),
            _ => self.0.get(name).with_context(|| format!("nothing was captured as ${name}"))?.clone(),
        };
        if part.is_empty() && offset.is_empty() {
            return Ok(value);
        }
        let value = String::from_utf8(value).with_context(|| format!("${name} is no text"))?;
        let value = match part {
            "" => value,
            "ms" => value.split_once('-').context("not an id")?.0.to_owned(),
            "seq" => value.split_once('-').context("not an id")?.1.to_owned(),
            "s" => (value.parse::<i64>().context("not a time")? / 1000).to_string(),
            _ => anyhow::bail!(".{part} is no part of a value"),
        };
        if offset.is_empty() {
            return Ok(value.into_bytes());
        }
        let offset: i64 = offset.parse().with_context(|| format!("offset {offset}"))?;
        let value: i64 = value.parse().with_context(|| format!("${name} is no number: {value}"))?;
        Ok((value + offset).to_string().into_bytes())
    }
}

/// The clock.
pub fn unix_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970");
    i64::try_from(since.as_millis()).expect("milliseconds fit")
}
