//! MAXLEN, MINID, LIMIT, KEEPREF, DELREF, ACKED: the trimming options of XADD and XTRIM.

use rivermark_stream::command::{References, Trim, TrimKeep, TrimPrecision};

use super::args::Arguments;
use super::{ids, references};
use crate::reply_error::ReplyError;

/// Trimming options as they are met, in any order.
#[derive(Debug, Default)]
pub(super) struct TrimOptions {
    keep: Option<TrimKeep>,
    approximate: bool,
    limit: Option<u64>,
    references: Option<References>,
}

impl TrimOptions {
    /// Takes a trimming option if one is next.
    pub fn take(&mut self, arguments: &mut Arguments<'_>) -> Result<bool, ReplyError> {
        if arguments.option("MAXLEN", 1) {
            self.sign(arguments)?;
            let length = arguments.integer()?;
            let length = u64::try_from(length).map_err(|_| ReplyError::NegativeMaxLength)?;
            self.keep = Some(TrimKeep::MaxLength(length));
        } else if arguments.option("MINID", 1) {
            self.sign(arguments)?;
            self.keep = Some(TrimKeep::MinId(ids::strict(arguments.text()?)?));
        } else if arguments.option("LIMIT", 1) {
            let limit = arguments.integer()?;
            self.limit = Some(u64::try_from(limit).map_err(|_| ReplyError::NegativeLimit)?);
        } else {
            return Ok(references::take(arguments, &mut self.references));
        }
        Ok(true)
    }

    /// What all options together ask for, which is a trim.
    pub fn finish_required(self) -> Result<Trim, ReplyError> {
        if self.keep.is_none() && self.limit.is_none_or(|limit| limit == 0) {
            return Err(ReplyError::TrimMissing);
        }
        self.finish()?.ok_or(ReplyError::TrimMissing)
    }

    /// What all options together ask for.
    pub fn finish(self) -> Result<Option<Trim>, ReplyError> {
        let Some(keep) = self.keep else {
            return match self.limit {
                None => Ok(None),
                Some(0) => Err(ReplyError::LimitWithoutApproximation),
                Some(_) => Err(ReplyError::LimitWithoutTrim),
            };
        };
        let precision = match (self.approximate, self.limit) {
            (true, limit) => TrimPrecision::Blocks { limit },
            (false, None) => TrimPrecision::Exact,
            (false, Some(_)) => return Err(ReplyError::LimitWithoutApproximation),
        };
        Ok(Some(Trim { keep, precision, references: self.references.unwrap_or_default() }))
    }

    /// `=` or `~`, which count as such only if the threshold follows.
    fn sign(&mut self, arguments: &mut Arguments<'_>) -> Result<(), ReplyError> {
        if self.keep.is_some() {
            return Err(ReplyError::TrimTwice);
        }
        self.approximate = arguments.option("~", 1);
        if !self.approximate {
            arguments.option("=", 1);
        }
        Ok(())
    }
}
