//! How long admitted waiters waited.

use core::time::Duration;

use crate::atomic::sync::{Counter, Wide};
use crate::atomic::word::{Packed, Word};
use crate::time::nanos;

/// The total is kept in so many nanoseconds: one where the word has 64 bits, 100 µs where it has 32.
const UNIT: u64 = if Wide::BITS == 64 { 1 } else { 100_000 };

/// The longest wait in microseconds.
#[derive(Clone, Copy)]
struct Longest(u32);

impl Packed for Longest {
    type Raw = u32;

    fn unpack(raw: u32) -> Self {
        Self(raw)
    }

    fn pack(self) -> u32 {
        self.0
    }
}

/// The waits of calls that were admitted from the queue. Calls that did not wait are not among them.
///
/// In firmware the count wraps at 2³² and the total, which is kept in tenths of a millisecond there, after five days of
/// waiting; the difference of two snapshots is right up to that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Waits {
    /// How many calls waited and were admitted.
    pub admitted: u64,
    /// How long they waited, all together.
    pub total: Duration,
    /// How long one of them waited at most, to the microsecond and up to 71 minutes.
    pub longest: Duration,
}

impl Waits {
    /// How long one of them waited on average, zero if there are none.
    pub fn mean(&self) -> Duration {
        let count = u128::from(self.admitted.max(1));
        // The mean of durations below 584 years is one.
        Duration::from_nanos((self.total.as_nanos() / count) as u64)
    }

    /// The waits since `earlier`, of the same bulkhead; the longest is that of all times.
    #[must_use = "the waits themselves do not change"]
    pub fn since(&self, earlier: &Self) -> Self {
        let count = self.admitted.wrapping_sub(earlier.admitted) & u64::from(Wide::MAX);
        let ticks = ticks(self.total).wrapping_sub(ticks(earlier.total)) & u64::from(Wide::MAX);
        Self { admitted: count, total: duration(ticks), longest: self.longest }
    }
}

/// The words that the waits are counted in.
pub(super) struct Counts {
    admitted: Counter,
    total: Counter,
    longest: Word,
}

impl Counts {
    const_fn! {
        pub(super) const fn new() -> Self {
            Self { admitted: Counter::new(), total: Counter::new(), longest: Word::new(0) }
        }
    }

    /// A waiter was admitted.
    pub(super) fn record(&self, waited: Duration) {
        self.admitted.increment();
        if waited.is_zero() {
            return;
        }
        self.total.add(ticks(waited) as Wide);
        let micros = waited.as_micros().min(u32::MAX.into()) as u32;
        if mutant!("bulkhead_longest_wait_in_two_steps") {
            let Longest(longest) = self.longest.load();
            return self.longest.transition(|_: Longest| (Some(Longest(longest.max(micros))), ()));
        }
        self.longest.transition(|Longest(longest)| ((micros > longest).then_some(Longest(micros)), ()));
    }

    pub(super) fn get(&self) -> Waits {
        let Longest(longest) = self.longest.load();
        Waits {
            admitted: self.admitted.get(),
            total: duration(self.total.get()),
            longest: Duration::from_micros(longest.into()),
        }
    }
}

const fn ticks(duration: Duration) -> u64 {
    nanos(duration) / UNIT
}

const fn duration(ticks: u64) -> Duration {
    Duration::from_nanos(ticks.saturating_mul(UNIT))
}
