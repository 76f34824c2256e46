//! What was counted since the breaker's state last changed.
//!
//! For pages and logs, in the sense of gobreaker's counts. A breaker decides without it, so it stands beside the breaker and
//! costs only those who want it: one write more for a success, and one to three for a failure.
//!
//! # Memory layout
//!
//! For each kind of result a counter that only grows (and wraps) and a baseline, what the counter was when the state last
//! changed; besides, what the successes and the failures were when the last row of failures began: 64 bytes in words of 64
//! bits, 32 in words of 32. There more than 2³¹ results of a kind in one phase are not told from fewer.
//!
//! # Ordering
//!
//! Baselines only move forward, so of two changes the later one holds whichever thread is faster.
//! Whoever reads a baseline or the beginning of a row reads what it was made from afterwards, and so nothing older than that.
//! Results that are counted while the state changes may fall on either side. Loom: `loom-tests/tests/circuit_breaker.rs`.

#[cfg(all(test, not(loom)))]
mod tests;

use core::fmt;

use super::Settlement;
use crate::atomic::sync::{AtomicWide, Ordering, Wide};
use crate::atomic::word::{Packed, WideWord};
use crate::outcome::Outcome;

/// Counts the results of a breaker's phase.
///
/// # Examples
///
/// ```
/// use seawall_core::circuit_breaker::{CircuitBreaker, Config, Tally};
/// use seawall_core::{Instant, Outcome};
///
/// let (breaker, tally) = (CircuitBreaker::<0>::new(Config::consecutive_failures(3)), Tally::new());
/// let now = Instant::from_secs(1);
/// for outcome in [Outcome::Failure, Outcome::Success, Outcome::Ignored] {
///     tally.note(outcome, breaker.try_acquire(now).unwrap().record(outcome, now));
/// }
/// let counts = tally.counts();
/// assert_eq!((counts.requests(), counts.successes, counts.excluded), (3, 1, 1));
/// ```
pub struct Tally {
    successes: Count,
    failures: Count,
    excluded: Count,
    /// The successes, and the failures without the first of the row, when the last row of failures began.
    row_after: AtomicWide,
    row_from: AtomicWide,
}

/// What was counted since the state last changed. Each number is exact; they may be of slightly different moments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Calls that succeeded, slowly or not.
    pub successes: u64,
    /// Calls that failed.
    pub failures: u64,
    /// Calls that ended as neither: ignored or cancelled.
    pub excluded: u64,
    /// Successes since the last failure.
    pub consecutive_successes: u64,
    /// Failures since the last success.
    pub consecutive_failures: u64,
}

impl Counts {
    /// The calls that ended, however they did.
    pub const fn requests(&self) -> u64 {
        self.successes.saturating_add(self.failures).saturating_add(self.excluded)
    }
}

impl Tally {
    const_fn! {
        /// Nothing was counted.
        pub const fn new() -> Self {
            Self {
                successes: Count::new(),
                failures: Count::new(),
                excluded: Count::new(),
                row_after: AtomicWide::new(0),
                row_from: AtomicWide::new(0),
            }
        }
    }

    /// Counts a call that ended so and was settled so; a change of state begins anew.
    ///
    /// # Complexity
    ///
    /// O(1).
    #[inline]
    pub fn note(&self, outcome: Outcome, settlement: Settlement) {
        match (settlement, outcome) {
            (Settlement::Counted, Outcome::Success | Outcome::Slow) => drop(self.successes.increment()),
            (Settlement::Counted, _) => self.note_failure(),
            (Settlement::Uncounted, Outcome::Ignored | Outcome::Cancelled) => {
                self.excluded.increment();
            }
            (Settlement::Changed(_), _) => self.clear(),
            (Settlement::Uncounted | Settlement::Stale, _) => {}
        }
    }

    fn note_failure(&self) {
        let before = self.failures.increment();
        let successes = self.successes.grown();
        // ORDERING: release; who reads the beginning of the row reads no fewer successes and failures afterwards.
        if self.row_after.load(Ordering::Relaxed) != successes {
            self.row_from.store(before, Ordering::Release);
            self.row_after.store(successes, Ordering::Release);
        }
    }

    /// Begins anew, for a change of state by hand.
    ///
    /// # Complexity
    ///
    /// O(1).
    pub fn clear(&self) {
        self.successes.clear();
        self.failures.clear();
        self.excluded.clear();
    }

    /// What was counted.
    ///
    /// # Complexity
    ///
    /// O(1).
    pub fn counts(&self) -> Counts {
        // ORDERING: acquire, see above.
        let after = self.row_after.load(Ordering::Acquire);
        let from = self.row_from.load(Ordering::Acquire);
        let since = u64::from(self.successes.grown().wrapping_sub(after));
        let row = u64::from(self.failures.grown().wrapping_sub(from));
        let (successes, failures) = (self.successes.get(), self.failures.get());
        Counts {
            successes,
            failures,
            excluded: self.excluded.get(),
            consecutive_successes: successes.min(since),
            consecutive_failures: if since == 0 { failures.min(row) } else { 0 },
        }
    }
}

impl Default for Tally {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tally").field(&self.counts()).finish()
    }
}

struct Count {
    grown: AtomicWide,
    base: WideWord,
}

#[derive(Clone, Copy)]
struct Base(Wide);

impl Packed for Base {
    type Raw = Wide;

    #[inline]
    fn unpack(raw: Wide) -> Self {
        Self(raw)
    }

    #[inline]
    fn pack(self) -> Wide {
        self.0
    }
}

impl Count {
    const_fn! {
        const fn new() -> Self {
            Self { grown: AtomicWide::new(0), base: WideWord::new(0) }
        }
    }

    /// One more; says how many there were since the beginning.
    #[inline]
    fn increment(&self) -> Wide {
        if mutant!("tally_loses_a_result") {
            let before = self.grown();
            // ORDERING: none, the line is wrong by intent.
            self.grown.store(before.wrapping_add(1), Ordering::Relaxed);
            return before;
        }
        // ORDERING: none is needed, what is counted leads to no other data.
        self.grown.fetch_add(1, Ordering::Relaxed)
    }

    fn grown(&self) -> Wide {
        // ORDERING: as above.
        self.grown.load(Ordering::Relaxed)
    }

    fn clear(&self) {
        let grown = self.grown();
        self.base.transition(|base: Base| {
            let ahead = grown.wrapping_sub(base.0).cast_signed() > 0;
            ((ahead || mutant!("tally_goes_back_to_an_older_baseline")).then_some(Base(grown)), ())
        });
    }

    fn get(&self) -> u64 {
        let base: Base = self.base.load();
        u64::from(self.grown().wrapping_sub(base.0))
    }
}
