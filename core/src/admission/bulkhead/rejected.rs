//! Why a call was not admitted.

use core::fmt;
use core::time::Duration;

/// The bulkhead did not admit a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rejected {
    /// The permits are in use, or others wait for them: come back when a call has ended, or wait.
    Full {
        /// Permits in use.
        in_use: u32,
        /// Permits in all.
        capacity: u32,
        /// Waiters that go first.
        waiting: u32,
    },
    /// As many wait as there is room for: shed this call, the queue is no use to it.
    QueueFull {
        /// Waiters now; fewer than the room if granted waiters have not collected their permits yet.
        waiting: u32,
        /// The most waiters.
        max_waiting: u32,
    },
    /// The longest wait is over.
    WaitTimeout {
        /// How long the waiter waited.
        waited: Duration,
    },
    /// There are not so many permits, however long one waits: ask for less.
    TooMany {
        /// Permits asked for.
        requested: u32,
        /// Permits in all.
        capacity: u32,
    },
    /// The bulkhead is closed and stays so: do not come back.
    Closed,
    /// This waiter has given its answer before: enter the queue again.
    Settled,
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Full { in_use, capacity, waiting } => {
                write!(f, "bulkhead is full: {in_use} of {capacity} permits in use, {waiting} waiting")
            }
            Self::QueueFull { waiting, max_waiting } => {
                write!(f, "bulkhead queue is full: {waiting} waiting, room for {max_waiting}")
            }
            Self::WaitTimeout { waited } => write!(f, "no permit came within {waited:?}"),
            Self::TooMany { requested, capacity } => {
                write!(f, "{requested} permits requested, the bulkhead has {capacity}")
            }
            Self::Closed => f.pad("bulkhead is closed"),
            Self::Settled => f.pad("waiter was polled after its answer"),
        }
    }
}

impl core::error::Error for Rejected {}
