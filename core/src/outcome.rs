//! How an attempt ended.

/// What the caller saw of one attempt, as far as resilience is concerned.
///
/// The caller classifies its own results; a server's adapter has classifiers for the usual ones.
///
/// # Examples
///
/// ```
/// use seawall_core::Outcome;
///
/// let reply: Result<u8, &str> = Err("connection reset");
/// assert_eq!(Outcome::from(&reply), Outcome::Failure);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// The dependency did its work.
    Success,
    /// The dependency did its work, and the caller calls it slow: a success, and a slow call however long it took.
    Slow,
    /// The dependency failed: it counts against it.
    Failure,
    /// The attempt says nothing about the dependency (a malformed request, say): the slot comes back, nothing is
    /// counted.
    Ignored,
    /// The caller gave up before there was a result: the slot comes back, nothing is counted.
    ///
    /// A permit that is dropped without a report settles so.
    Cancelled,
}

impl Outcome {
    /// Whether the dependency did its work, slowly or not.
    pub const fn is_success(self) -> bool {
        matches!(self, Self::Success | Self::Slow)
    }
}

impl<T, E> From<&Result<T, E>> for Outcome {
    fn from(result: &Result<T, E>) -> Self {
        if result.is_ok() { Self::Success } else { Self::Failure }
    }
}
