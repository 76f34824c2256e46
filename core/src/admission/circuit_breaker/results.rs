//! Where the results of calls are that a rate looks at: in a window, or in the state word itself.

use super::state::MAX_FAILURES;
use crate::measure::window::{Sample, Totals, Window};
use crate::time::Instant;

/// The most calls whose results the word holds.
pub(super) const MAX_CALLS: u32 = MAX_FAILURES.ilog2();

// All bits of the field are used, and one of them is the mark.
const _: () = assert!(MAX_FAILURES == (1 << (MAX_CALLS + 1)) - 1);

/// What keeps the results.
pub(crate) trait Keep {
    /// Whether what is kept has to be cleared between two phases.
    const OUTLIVES_THE_PHASE: bool;

    /// Records a result, and tells the sums with it; `None` if the state word keeps them.
    fn record(&self, sample: Sample, now: Instant) -> Option<Totals>;

    /// Of how many calls these sums are to be judged, if there were `minimum`.
    fn judged(&self, minimum: u32, sums: Totals) -> Option<u32>;

    /// Forgets all of them.
    fn clear(&self, now: Instant);
}

impl<const SLOTS: usize> Keep for Window<SLOTS> {
    const OUTLIVES_THE_PHASE: bool = SLOTS > 0;

    #[inline]
    fn record(&self, sample: Sample, now: Instant) -> Option<Totals> {
        Some(Self::record(self, sample, now))
    }

    #[inline]
    fn judged(&self, minimum: u32, sums: Totals) -> Option<u32> {
        Self::judged(self, minimum, sums)
    }

    #[inline]
    fn clear(&self, now: Instant) {
        Self::clear(self, now);
    }
}

/// The state word keeps them, and begins each phase with none.
pub(crate) struct InWord;

impl Keep for InWord {
    const OUTLIVES_THE_PHASE: bool = false;

    #[inline]
    fn record(&self, _: Sample, _: Instant) -> Option<Totals> {
        None
    }

    #[inline]
    fn judged(&self, minimum: u32, sums: Totals) -> Option<u32> {
        (sums.calls >= minimum).then_some(sums.calls)
    }

    #[inline]
    fn clear(&self, _: Instant) {}
}

/// The last results of the closed phase, in the bits that count failures in a row where there is no rate.
///
/// ```text
/// 0 … 0 | MARK 1 | oldest … newest, a bit each, 1 is a failure
/// ```
///
/// The mark stands above the oldest result and says how many there are; without one there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Results(u32);

impl Results {
    pub(super) const fn of(bits: u32) -> Self {
        Self(bits)
    }

    pub(super) const fn bits(self) -> u32 {
        self.0
    }

    /// One more result, of which the last `most` stay, at most [`MAX_CALLS`].
    pub(super) const fn push(self, failed: bool, most: u32) -> Self {
        let marked = if self.0 == 0 { 1 } else { self.0 };
        let (bits, mark) = (marked << 1 | failed as u32, 1 << most);
        Self(if bits < mark { bits } else { bits & (mark - 1) | mark })
    }

    /// How many there are.
    pub(super) const fn calls(self) -> u32 {
        if self.0 == 0 { 0 } else { self.0.ilog2() }
    }

    /// How many of them failed.
    pub(super) const fn failures(self) -> u32 {
        self.0.count_ones().saturating_sub(1)
    }

    /// How many of the newest failed without a success between them.
    pub(super) const fn failures_in_a_row(self) -> u32 {
        let (ones, calls) = (self.0.trailing_ones(), self.calls());
        // Where all failed, the mark is one of the ones.
        if ones < calls { ones } else { calls }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{MAX_CALLS, Results};

    /// Each row of results up to one more than the window, for each window up to eight, and the longest.
    #[test]
    fn they_are_the_last_ones_for_each_row_and_window() {
        for most in (1..=8).chain([MAX_CALLS]) {
            for length in 0..=most.min(9) + 2 {
                for row in 0_u32..1 << length {
                    let failed = (0..length).map(|at| row >> at & 1 == 1);
                    let results = failed.clone().fold(Results::of(0), |all, failed| all.push(failed, most));
                    let kept = length.min(most);
                    let last = || (length - kept..length).map(|at| row >> at & 1 == 1);
                    assert_eq!(results.calls(), kept);
                    assert_eq!(results.failures() as usize, last().filter(|&failed| failed).count());
                    let newest = last().rev().take_while(|&failed| failed).count();
                    assert_eq!(results.failures_in_a_row() as usize, newest, "{row:b} of {most}");
                }
            }
        }
    }

    #[test]
    fn the_longest_window_fills_its_field_and_no_more() {
        let mut results = Results::of(0);
        for _ in 0..40 {
            results = results.push(true, MAX_CALLS);
            assert!(results.bits() <= super::MAX_FAILURES);
        }
        assert_eq!((results.calls(), results.failures(), results.failures_in_a_row()), (17, 17, 17));
        assert_eq!(results.push(false, MAX_CALLS).failures(), 16);
    }
}
