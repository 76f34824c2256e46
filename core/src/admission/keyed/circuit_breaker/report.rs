//! What a keyed breaker tells.

use core::fmt;
use core::time::Duration;

use crate::admission::circuit_breaker::{self, State};

/// The breaker refused the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rejected {
    /// The key's breaker refuses it.
    Refused(circuit_breaker::Rejected),
    /// The key has no entry, and the breakers in all that it could have refuse calls.
    TableFull {
        /// When the first of them can be had; `None` if that is not known. Exact to the millisecond above.
        retry_after: Option<Duration>,
    },
}

impl Rejected {
    /// When another try makes sense; `None` if that is not known.
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused(rejected) => rejected.retry_after,
            Self::TableFull { retry_after } => *retry_after,
        }
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(rejected) => rejected.fmt(f),
            Self::TableFull { .. } => f.pad("no room for another key"),
        }
    }
}

impl core::error::Error for Rejected {}

/// How the breaker of a known key is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// The index of its entry, which another key may have later.
    pub entry: u32,
    /// Its state, forced or not.
    pub state: State,
    /// Whether it is held by hand.
    pub forced: bool,
    /// Failures in a row while closed, as far back as the window of a rate goes.
    pub consecutive_failures: u32,
    /// The last calls that a rate looks at, while closed; zero without a rate.
    pub calls: u32,
    /// The failed ones among them.
    pub failures: u32,
}

/// All breakers in sums, as many numbers for any number of keys: labels of metrics that are bounded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot {
    /// How many entries there are.
    pub capacity: usize,
    /// How many of them a key holds.
    pub held: usize,
    /// How many of those are closed, forced or not.
    pub closed: usize,
    /// How many are half-open.
    pub half_open: usize,
    /// How many are open, forced or not.
    pub open: usize,
    /// How many are held open or closed by hand.
    pub forced: usize,
    /// Keys that lost their entry to another one, ever.
    pub evictions: u64,
    /// How many of those had failures, or were not closed and their time was over.
    pub forgiven: u64,
    /// Calls of keys that found no entry, ever.
    pub turned_away: u64,
}
