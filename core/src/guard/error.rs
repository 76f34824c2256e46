//! What a protected call returns when it returns no value.

use core::error::Error as CoreError;
use core::fmt;
use core::time::Duration;

use super::Rejected;
use crate::attempt::retry::GiveUp;

/// A protected call did not succeed. Each failure says which pattern caused it.
///
/// Core's own methods never return it; it stands here because the adapters, which run operations, share it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error<E> {
    /// A pattern refused the call before it started: the operation did not run.
    Rejected(Rejected),
    /// The last attempt ran into its timeout. It may have taken effect.
    TimedOut {
        /// The time that the attempt was given.
        limit: Duration,
        /// The attempts of the call, this one included.
        attempts: u32,
        /// Why there was no other one.
        gave_up: Option<GiveUp>,
    },
    /// The last attempt returned an error.
    Failed {
        /// The operation's own error.
        error: E,
        /// The attempts of the call, this one included.
        attempts: u32,
        /// Why there was no other one; `None` if the error was none that counts.
        gave_up: Option<GiveUp>,
    },
    /// Chaos ended the last attempt in place of the operation.
    #[cfg(feature = "chaos")]
    Injected {
        /// What struck.
        fault: crate::chaos::Kind,
        /// The attempts of the call, this one included.
        attempts: u32,
        /// Why there was no other one.
        gave_up: Option<GiveUp>,
    },
}

impl<E> Error<E> {
    /// Whether the operation certainly never ran.
    pub const fn is_rejected(&self) -> bool {
        matches!(self, Self::Rejected(_))
    }

    /// When another try makes sense, where that is known.
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Rejected(rejected) => rejected.retry_after(),
            _ => None,
        }
    }

    /// The operation's own error, if it returned one.
    pub fn into_inner(self) -> Option<E> {
        match self {
            Self::Failed { error, .. } => Some(error),
            _ => None,
        }
    }
}

impl<E: fmt::Display> fmt::Display for Error<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (attempts, gave_up) = match self {
            Self::Rejected(rejected) => return write!(f, "rejected: {rejected}"),
            Self::TimedOut { limit, attempts, gave_up } => {
                write!(f, "timed out after {limit:?}")?;
                (attempts, gave_up)
            }
            Self::Failed { error, attempts, gave_up } => {
                error.fmt(f)?;
                (attempts, gave_up)
            }
            #[cfg(feature = "chaos")]
            Self::Injected { fault, attempts, gave_up } => {
                write!(f, "injected fault: {}", fault.name())?;
                (attempts, gave_up)
            }
        };
        match gave_up {
            Some(reason) => write!(f, " (attempt {attempts}; {reason})"),
            None => write!(f, " (attempt {attempts})"),
        }
    }
}

impl<E: CoreError + 'static> CoreError for Error<E> {
    fn source(&self) -> Option<&(dyn CoreError + 'static)> {
        match self {
            Self::Rejected(rejected) => Some(rejected),
            Self::TimedOut { .. } => None,
            Self::Failed { error, .. } => Some(error),
            #[cfg(feature = "chaos")]
            Self::Injected { .. } => None,
        }
    }
}
