//! What is done to one attempt.

use core::time::Duration;

use super::config::{Fault, Kind};
use crate::ratio::Ratio;

/// What is done to one attempt: first the loads begin, then it waits for the delay, then it ends as said or goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Strike {
    /// How late the attempt begins, or how long it is without an answer: all delays together.
    pub delay: Duration,
    /// How it ends without the operation; `None` if the operation runs.
    pub ending: Option<Ending>,
    /// Processors that are kept busy meanwhile.
    pub cpu: Option<Cpu>,
    /// Memory that is taken.
    pub memory: Option<Held>,
    /// A temporary file that is written.
    pub disk: Option<Held>,
}

/// How an attempt ends that chaos struck.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ending {
    /// It fails.
    Error,
    /// It has timed out.
    TimedOut,
    /// It panics.
    Panic,
    /// The dependency cannot be reached.
    Unreachable,
}

/// Processors that are kept busy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cpu {
    /// How many threads.
    pub threads: u32,
    /// The share of the time for which each is busy.
    pub share: Ratio,
    /// How long.
    pub time: Duration,
}

/// Bytes that are held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// How many.
    pub bytes: u32,
    /// How long.
    pub time: Duration,
}

impl Ending {
    /// The kind of fault that ends an attempt so.
    pub const fn kind(self) -> Kind {
        match self {
            Self::Error => Kind::Error,
            Self::TimedOut => Kind::Timeout,
            Self::Panic => Kind::Panic,
            Self::Unreachable => Kind::Partition,
        }
    }
}

impl Strike {
    /// The strike of an attempt in a partition.
    pub(super) fn unreachable() -> Self {
        Self { ending: Some(Ending::Unreachable), ..Self::default() }
    }

    /// Adds a fault. Delays add up; of endings and of loads of one kind the first one holds.
    pub(super) fn add(&mut self, fault: Fault, draw: u32) {
        match fault {
            Fault::Latency { min, max } => self.delay = self.delay.saturating_add(between(min, max, draw)),
            Fault::Error => self.end(Ending::Error),
            Fault::Timeout { after } => {
                if self.ending.is_none() {
                    self.delay = self.delay.saturating_add(after);
                }
                self.end(Ending::TimedOut);
            }
            Fault::Panic => self.end(Ending::Panic),
            Fault::Partition { .. } => self.end(Ending::Unreachable),
            Fault::Cpu { threads, share, time } => {
                self.cpu.get_or_insert(Cpu { threads, share, time });
            }
            Fault::Memory { bytes, time } => {
                self.memory.get_or_insert(Held { bytes, time });
            }
            Fault::Disk { bytes, time } => {
                self.disk.get_or_insert(Held { bytes, time });
            }
        }
    }

    fn end(&mut self, ending: Ending) {
        self.ending.get_or_insert(ending);
    }
}

/// A time from `min` up to and without `max`; `min` if they are equal.
fn between(min: Duration, max: Duration, draw: u32) -> Duration {
    let range = max.saturating_sub(min).as_nanos();
    // At most an hour of nanoseconds, 42 bits, times 32.
    let above = (range * u128::from(draw)) >> 32;
    min.saturating_add(Duration::from_nanos(above as u64))
}
