//! How an attempt ended.

use core::time::Duration;

use seawall_core::guard::{Classify, Error, Report};
use seawall_core::retry::GiveUp;

/// How an attempt ended.
pub(crate) enum Ended<T, E> {
    /// Its operation returned.
    Returned(Result<T, E>),
    /// Its time was over, after so long.
    TimedOut(Duration),
    /// Chaos ended it in place of the operation.
    #[cfg(feature = "chaos")]
    Injected(seawall_core::chaos::Kind),
}

impl<T, E> Ended<T, E> {
    /// What it means.
    pub(super) fn report(&self, classify: &impl Classify<T, E>) -> Report {
        match self {
            Self::Returned(result) => classify.classify(result),
            Self::TimedOut(_) => classify.timed_out(),
            #[cfg(feature = "chaos")]
            Self::Injected(_) => Report::new(seawall_core::Outcome::Failure),
        }
    }

    /// What the caller gets if it was the last of so many.
    pub(super) fn into_result(self, attempts: u32, gave_up: Option<GiveUp>) -> Result<T, Error<E>> {
        match self {
            // A value that was worth another try is still the operation's answer.
            Self::Returned(Ok(value)) => Ok(value),
            Self::Returned(Err(error)) => Err(Error::Failed { error, attempts, gave_up }),
            Self::TimedOut(limit) => Err(Error::TimedOut { limit, attempts, gave_up }),
            #[cfg(feature = "chaos")]
            Self::Injected(fault) => Err(Error::Injected { fault, attempts, gave_up }),
        }
    }
}
