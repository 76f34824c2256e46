//! What a result means for the patterns.

use super::Report;

/// Says what a result means.
///
/// Closures from `&Result<T, E>` to [`Report`] do.
///
/// # Examples
///
/// ```
/// use seawall_core::guard::{Classify, ErrorsFail, Report};
/// use seawall_core::Outcome;
///
/// let reply: Result<u8, &str> = Err("malformed");
/// assert_eq!(ErrorsFail.classify(&reply).outcome(), Outcome::Failure);
/// let forgiving = |_: &Result<u8, &str>| Report::new(Outcome::Ignored);
/// assert_eq!(forgiving.classify(&reply).outcome(), Outcome::Ignored);
/// ```
pub trait Classify<T, E> {
    /// What this result means.
    fn classify(&self, result: &Result<T, E>) -> Report;

    /// What it means that the attempt ran into its timeout: a failure worth another attempt, unless this says otherwise.
    ///
    /// An operation that must not run twice answers
    /// [`Report::timed_out`]`().`[`not_retryable`](Report::not_retryable)`()`: what timed out may have taken effect.
    fn timed_out(&self) -> Report {
        Report::timed_out()
    }
}

/// Every error is a failure worth another attempt, every value a success.
#[derive(Clone, Copy, Debug, Default)]
pub struct ErrorsFail;

impl<T, E> Classify<T, E> for ErrorsFail {
    fn classify(&self, result: &Result<T, E>) -> Report {
        Report::from(result)
    }
}

impl<T, E, F: Fn(&Result<T, E>) -> Report> Classify<T, E> for F {
    fn classify(&self, result: &Result<T, E>) -> Report {
        self(result)
    }
}
