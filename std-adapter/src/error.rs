//! What a protected call returns when it returns no value.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use seawall_core::guard::Rejected;
use seawall_core::retry::GiveUp;

/// A protected call did not succeed. Each failure says which pattern caused it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error<E> {
    /// A pattern refused the call before it started: the operation did not run.
    Rejected(Rejected),
    /// The last attempt ran into its timeout. It may have taken effect.
    TimedOut(TimedOut),
    /// The last attempt returned an error.
    Failed(Failed<E>),
}

/// The last attempt ran into its timeout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TimedOut {
    /// The time that the attempt was given.
    pub limit: Duration,
    /// The attempts of the call, this one included.
    pub attempts: u32,
    /// Why there was no other one.
    pub gave_up: Option<GiveUp>,
}

/// The last attempt returned an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failed<E> {
    /// The operation's own error.
    pub error: E,
    /// The attempts of the call, this one included.
    pub attempts: u32,
    /// Why there was no other one; `None` if the error was none that counts.
    pub gave_up: Option<GiveUp>,
}

impl<E> Error<E> {
    /// Whether the operation certainly never ran.
    pub const fn is_rejected(&self) -> bool {
        matches!(self, Self::Rejected(_))
    }

    /// When another try makes sense, where that is known.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Rejected(rejected) => rejected.retry_after(),
            _ => None,
        }
    }

    /// The operation's own error, if it returned one.
    pub fn into_inner(self) -> Option<E> {
        match self {
            Self::Failed(failed) => Some(failed.error),
            _ => None,
        }
    }
}

impl<E: fmt::Display> fmt::Display for Error<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (attempts, gave_up) = match self {
            Self::Rejected(rejected) => return write!(f, "rejected: {rejected}"),
            Self::TimedOut(TimedOut { limit, attempts, gave_up }) => {
                write!(f, "timed out after {limit:?}")?;
                (*attempts, *gave_up)
            }
            Self::Failed(Failed { error, attempts, gave_up }) => {
                error.fmt(f)?;
                (*attempts, *gave_up)
            }
        };
        match gave_up {
            Some(reason) => write!(f, " (attempt {attempts}; {reason})"),
            None => write!(f, " (attempt {attempts})"),
        }
    }
}

impl<E: StdError + 'static> StdError for Error<E> {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Rejected(rejected) => Some(rejected),
            Self::TimedOut(_) => None,
            Self::Failed(failed) => Some(&failed.error),
        }
    }
}
