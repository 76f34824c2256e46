//! Which era of time a word was used in last, so that an idle time as long as its units take to wrap is not taken for none.

use super::sync::{AtomicU32, Ordering};
use crate::time::Instant;

/// The era of the last use, beside a word whose units wrap after four eras or more.
///
/// Two eras after the last use and later the word's times tell nothing: so much is said by [`Era::is_past`], and by
/// [`Era::begin`] to the one that is to write the word anew.
///
/// Eras are numbered modulo 2³². A clock that steps back begins none, unless by more than [`BEHIND`]: then it begins one as
/// if it had gone ahead.
///
/// # Ordering
///
/// Who begins an era has loaded the word before, and then exchanges just that value for one that is as new. Whoever used
/// the word in between, on whatever it said, has changed it, and then it stays. So nobody's use is lost.
pub(crate) struct Era(AtomicU32);

/// By how many eras a moment may be behind the last use.
const BEHIND: u32 = 16;

impl Era {
    const_fn! {
        pub(crate) const fn new() -> Self {
            Self(AtomicU32::new(0))
        }
    }

    /// The era of a moment, where an era is 2 to the power of `log2` nanoseconds.
    #[inline]
    const fn of(now: Instant, log2: u32) -> u32 {
        (now.as_nanos() >> log2) as u32
    }

    /// Makes the era of `now` that of the last use.
    pub(crate) fn set(&self, log2: u32, now: Instant) {
        // ORDERING: none is needed, the exchange on the word decides.
        self.0.store(Self::of(now, log2), Ordering::Relaxed);
    }

    /// Whether the word was used in the era of `now` already.
    #[inline]
    pub(crate) fn is_present(&self, log2: u32, now: Instant) -> bool {
        // ORDERING: as above.
        self.0.load(Ordering::Relaxed) == Self::of(now, log2)
    }

    /// Whether a whole era or more went by since the last use.
    #[inline]
    pub(crate) fn is_past(&self, log2: u32, now: Instant) -> bool {
        // ORDERING: as above.
        is_past(self.0.load(Ordering::Relaxed), Self::of(now, log2))
    }

    /// Begins the era of `now`, and says whether a whole era or more went by since the last use; to one caller an era.
    #[cold]
    pub(crate) fn begin(&self, log2: u32, now: Instant) -> bool {
        let next = Self::of(now, log2);
        let seen = self.0.load(Ordering::Relaxed);
        if seen.wrapping_sub(next) <= BEHIND {
            return false;
        }
        // ORDERING: the caller's load of the word, which acquires, stays before it.
        let began = self.0.compare_exchange(seen, next, Ordering::AcqRel, Ordering::Relaxed);
        began.is_ok() && is_past(seen, next)
    }
}

/// Whether there is a whole era between two, of which the second is the later one.
const fn is_past(seen: u32, next: u32) -> bool {
    next.wrapping_sub(seen) != 1 && seen.wrapping_sub(next) > BEHIND
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    const LOG2: u32 = 10;

    fn at(era: u64) -> Instant {
        Instant::from_nanos((era << LOG2) + 7)
    }

    #[test]
    fn only_a_whole_era_without_a_use_tells() {
        for start in [0, 5, u64::from(u32::MAX) - 1, u64::from(u32::MAX), u64::from(u32::MAX) + 3] {
            let era = Era(AtomicU32::new(start as u32));
            assert!(era.is_present(LOG2, at(start)) && !era.is_past(LOG2, at(start)));
            assert!(!era.begin(LOG2, at(start)), "it has begun");
            assert!(!era.is_present(LOG2, at(start + 1)) && !era.is_past(LOG2, at(start + 1)));
            assert!(!era.begin(LOG2, at(start + 1)), "the era before was used");
            assert!(era.is_present(LOG2, at(start + 1)));
            assert!(era.is_past(LOG2, at(start + 3)));
            assert!(era.begin(LOG2, at(start + 3)) && !era.begin(LOG2, at(start + 3)), "once");
            // A clock that steps back, or is behind that of another core.
            for back in [start, start + 2] {
                assert!(!era.is_past(LOG2, at(back)) && !era.begin(LOG2, at(back)));
            }
            assert!(era.is_present(LOG2, at(start + 3)), "the era goes on");
        }
    }

    #[test]
    fn what_is_further_behind_is_ahead() {
        for (behind, told) in [(1, false), (BEHIND, false), (BEHIND + 1, true), (1 << 31, true)] {
            let era = Era(AtomicU32::new(7));
            let back = at(u64::from(7_u32.wrapping_sub(behind)));
            assert_eq!((era.is_past(LOG2, back), era.begin(LOG2, back)), (told, told), "{behind}");
            assert_eq!(era.is_present(LOG2, back), told);
        }
    }
}
