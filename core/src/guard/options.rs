//! What one call asks for beyond its guard's policy.

use core::time::Duration;

use super::ErrorsFail;
use crate::admission::load_shedder::Priority;
use crate::attempt::deadline::Deadline;
use crate::time::Instant;

/// What one call asks for beyond its guard's policy; the adapters' guards take it.
///
/// # Examples
///
/// ```
/// use core::time::Duration;
/// use seawall_core::guard::{Classify, Options, Report};
/// use seawall_core::{Deadline, Instant, Outcome};
///
/// let options = Options::new().deadline(Duration::from_secs(1)).classify(|result: &Result<u16, u8>| match result {
///     Err(7) => Report::new(Outcome::Ignored),
///     other => Report::from(other),
/// });
/// assert_eq!(options.classifier().classify(&Err(7)).outcome(), Outcome::Ignored);
/// assert_eq!(options.deadline_from(Instant::from_secs(1)), Deadline::at(Instant::from_secs(2)));
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use = "pass the options to a call"]
pub struct Options<K = ErrorsFail> {
    limit: Duration,
    priority: Priority,
    classify: K,
}

impl Options {
    /// The policy's deadline, normal priority, and every error is a failure.
    pub const fn new() -> Self {
        Self { limit: Duration::MAX, priority: Priority::Normal, classify: ErrorsFail }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self::new()
    }
}

impl<K> Options<K> {
    /// The whole call must be over in this time, or in the policy's if that is shorter.
    pub const fn deadline(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Says what results mean, by a closure from a result to a [`Report`](super::Report) or by any
    /// [`Classify`](super::Classify).
    pub fn classify<N>(self, classify: N) -> Options<N> {
        Options { limit: self.limit, priority: self.priority, classify }
    }

    /// What the call is worth, where some have to go: to a load shedder, or to a service that is degraded.
    pub const fn priority(mut self, priority: Priority) -> Self {
        self.priority = priority;
        self
    }

    /// What the call is worth.
    pub const fn worth(&self) -> Priority {
        self.priority
    }

    /// The deadline of a call that begins now.
    pub const fn deadline_from(&self, now: Instant) -> Deadline {
        Deadline::after(now, self.limit)
    }

    /// What says what results mean.
    pub const fn classifier(&self) -> &K {
        &self.classify
    }
}
