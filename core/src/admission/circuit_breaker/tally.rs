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

#[cfg(all(test, not(loom)))]
mod tests {
    extern crate std;

    use super::{Counts, Tally};
    use crate::admission::circuit_breaker::{CircuitBreaker, Config, State};
    use crate::atomic::sync::{
        Wide,
        probe::{Accesses, count},
    };
    use crate::outcome::Outcome;
    use crate::time::Instant;
    use core::time::Duration;

    struct Counted {
        breaker: CircuitBreaker,
        tally: Tally,
    }

    impl Counted {
        fn new(failures: u32) -> Self {
            let config = Config::consecutive_failures(failures)
                .open_for(Duration::from_secs(60))
                .successes_to_close(1);
            Self { breaker: CircuitBreaker::new(config), tally: Tally::new() }
        }

        /// Successes, failures, excluded, and the two rows after these calls, all of which must be admitted.
        fn after(&self, letters: &str, seconds: u64) -> [u64; 5] {
            let now = Instant::from_secs(seconds);
            for letter in letters.chars() {
                let outcome = match letter {
                    'S' => Outcome::Success,
                    'F' => Outcome::Failure,
                    'X' => Outcome::Ignored,
                    _ => Outcome::Cancelled,
                };
                let permit = self.breaker.try_acquire(now).expect(letters);
                self.tally.note(outcome, permit.record(outcome, now));
            }
            let counts = self.tally.counts();
            let Counts { successes, failures, excluded, consecutive_successes, consecutive_failures } =
                counts;
            assert_eq!(counts.requests(), successes + failures + excluded);
            [successes, failures, excluded, consecutive_successes, consecutive_failures]
        }
    }

    #[test]
    fn t01_the_counts_of_gobreaker() {
        let counted = Counted::new(6);
        assert_eq!(counted.after("FFFFF", 0), [0, 5, 0, 0, 5]);
        assert_eq!(counted.after("S", 0), [1, 5, 0, 1, 0]);
        assert_eq!(counted.after("F", 0), [1, 6, 0, 0, 1]);
        assert_eq!(counted.after("FFFFF", 0), [0; 5]);
        assert_eq!(counted.breaker.status(Instant::ZERO).state, State::Open);
        assert!(counted.breaker.try_acquire(Instant::from_secs(59)).is_err());
        assert_eq!(counted.after("F", 60), [0; 5]);
        assert_eq!(counted.after("S", 120), [0; 5]);
        assert_eq!(counted.breaker.status(Instant::from_secs(120)).state, State::Closed);
        assert_eq!(counted.after("F", 120), [0, 1, 0, 0, 1]);
    }

    #[test]
    fn t05_excluded_calls_are_requests() {
        let counted = Counted::new(6);
        assert_eq!(counted.after("XXC", 0), [0, 0, 3, 0, 0]);
        assert_eq!(counted.after("SSS", 0), [3, 0, 3, 3, 0]);
        assert_eq!(counted.after("FF", 0), [3, 2, 3, 0, 2]);
        counted.tally.clear();
        assert_eq!(counted.after("", 0), [0; 5]);
        assert_eq!(counted.after("F", 0), [0, 1, 0, 0, 1], "the row before the change is over");
    }

    #[test]
    fn t06_every_result_of_many_threads_is_counted() {
        let (all_good, mixed) = (Counted::new(100), Counted::new(10_000));
        std::thread::scope(|scope| {
            for _ in 0..10 {
                scope.spawn(|| all_good.after(&"S".repeat(10_000), 0));
            }
        });
        assert_eq!(all_good.after("", 0), [100_000, 0, 0, 100_000, 0]);
        std::thread::scope(|scope| {
            for _ in 0..12 {
                scope.spawn(|| {
                    for letter in "SFXC".repeat(25).chars() {
                        let now = Instant::ZERO;
                        let outcome = match letter {
                            'S' => Outcome::Success,
                            'F' => Outcome::Failure,
                            _ => Outcome::Ignored,
                        };
                        let permit = mixed.breaker.try_acquire(now).unwrap();
                        mixed.tally.note(outcome, permit.record(outcome, now));
                    }
                });
            }
        });
        let counts = mixed.tally.counts();
        assert_eq!((counts.requests(), counts.successes, counts.failures), (1200, 300, 300));
    }

    #[test]
    fn results_that_come_late_or_count_for_nothing_are_not_there() {
        let counted = Counted::new(1);
        let late = counted.breaker.try_acquire(Instant::ZERO).unwrap();
        assert_eq!(counted.after("F", 0), [0; 5]);
        counted.tally.note(Outcome::Success, late.record(Outcome::Success, Instant::ZERO));
        counted.breaker.force_closed();
        assert_eq!(counted.after("SF", 0), [0; 5]);
    }

    #[test]
    fn the_cost_is_as_documented() {
        let counted = Counted::new(9);
        counted.after("SF", 0);
        let settlement = counted.breaker.try_acquire(Instant::ZERO).unwrap();
        let settlement = settlement.record(Outcome::Failure, Instant::ZERO);
        let (accesses, ()) = count(|| counted.tally.note(Outcome::Success, settlement));
        assert_eq!(accesses, Accesses { loads: 0, writes: 1 });
        let (accesses, ()) = count(|| counted.tally.note(Outcome::Failure, settlement));
        assert_eq!(accesses.writes, 3);
        let (accesses, ()) = count(|| counted.tally.note(Outcome::Failure, settlement));
        assert_eq!(accesses.writes, 1);
        assert_eq!(size_of::<Tally>() as u32, Wide::BITS);
    }
}
