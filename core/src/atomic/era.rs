//! Which era of time a word was used in last, so that an idle time as long as its units take to wrap is not taken for none.

use super::sync::{AtomicU32, Ordering};
use crate::time::Instant;

/// The era of the last use, beside a word whose units wrap after four eras or more.
///
/// Two eras after the last use and later the word's times tell nothing: so much is said by [`Era::is_past`], and by
/// [`Era::begin`] to the one that is to write the word anew. What uses nothing of the word begins no era.
///
/// The lowest bits number the eras, modulo their room. The `MARK_BITS` above them are a mark of the caller's: an era of another
/// mark is neither present nor past.
///
/// A clock that is behind by an era begins none; one that is further behind does, as if it had gone ahead.
///
/// # Ordering
///
/// Who begins an era has loaded the word before, and then exchanges just that value for one that is as new. Whoever used
/// the word in between, on whatever it said, has changed it, and then it stays. So nobody's use is lost.
pub(crate) struct Era<const MARK_BITS: u32>(AtomicU32);

/// The length of an era, 2 to the power of `log2` nanoseconds, and the mark.
#[derive(Clone, Copy)]
pub(crate) struct Length {
    pub(crate) log2: u32,
    pub(crate) mark: u32,
}

impl<const MARK_BITS: u32> Era<MARK_BITS> {
    const_fn! {
        pub(crate) const fn new() -> Self {
            Self(AtomicU32::new(0))
        }
    }

    /// The era of a moment.
    #[inline]
    const fn of(now: Instant, length: Length) -> u32 {
        let number = (now.as_nanos() >> length.log2) as u32 & (u32::MAX >> MARK_BITS);
        if MARK_BITS == 0 { number } else { length.mark << (u32::BITS - MARK_BITS) | number }
    }

    /// Makes the era of `now` that of the last use.
    pub(crate) fn set(&self, length: Length, now: Instant) {
        // ORDERING: release; who meets the mark also meets what was written before.
        self.0.store(Self::of(now, length), Ordering::Release);
    }

    /// Whether the word was used in the era of `now` already.
    #[inline]
    pub(crate) fn is_present(&self, length: Length, now: Instant) -> bool {
        // ORDERING: none is needed, the exchange on the word decides.
        self.0.load(Ordering::Relaxed) == Self::of(now, length)
    }

    /// Whether a whole era or more went by since the last use.
    #[inline]
    pub(crate) fn is_past(&self, length: Length, now: Instant) -> bool {
        // ORDERING: as above.
        Self::is_after(self.0.load(Ordering::Relaxed), Self::of(now, length))
    }

    /// Begins the era of `now`, and says whether a whole era or more went by since the last use; to one caller an era.
    ///
    /// The length is asked for once the era is known, whose mark stays.
    #[cold]
    pub(crate) fn begin(&self, now: Instant, log2: impl FnOnce() -> u32) -> bool {
        // ORDERING: acquire pairs with `set`.
        let seen = self.0.load(Ordering::Acquire);
        let mark = if MARK_BITS == 0 { 0 } else { seen >> (u32::BITS - MARK_BITS) };
        let next = Self::of(now, Length { log2: log2(), mark });
        if Self::behind(seen, next) <= 1 {
            return false;
        }
        // ORDERING: the caller's load of the word, which acquires, stays before it.
        let began = self.0.compare_exchange(seen, next, Ordering::AcqRel, Ordering::Relaxed);
        began.is_ok() && Self::is_after(seen, next)
    }

    /// By how many eras `next` is behind `seen`.
    const fn behind(seen: u32, next: u32) -> u32 {
        seen.wrapping_sub(next) & (u32::MAX >> MARK_BITS)
    }

    /// Whether there is a whole era between two of one mark, of which the second is the later one.
    const fn is_after(seen: u32, next: u32) -> bool {
        let same = MARK_BITS == 0 || (seen ^ next) >> (u32::BITS - MARK_BITS) == 0;
        same && Self::behind(next, seen) != 1 && Self::behind(seen, next) > 1
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    const LOG2: u32 = 10;
    const PLAIN: Length = Length { log2: LOG2, mark: 0 };

    fn at(era: u64) -> Instant {
        Instant::from_nanos((era << LOG2) + 7)
    }

    fn begins<const MARK_BITS: u32>(era: &Era<MARK_BITS>, length: Length, now: Instant) -> bool {
        era.begin(now, || length.log2)
    }

    /// Eras are told apart wherever their numbers wrap.
    fn only_a_whole_era_without_a_use_tells<const MARK_BITS: u32>(length: Length) {
        let all = u64::from(u32::MAX >> MARK_BITS);
        for start in [0, 5, all - 1, all, all + 3] {
            let era = Era::<MARK_BITS>::new();
            era.set(length, at(start));
            assert!(era.is_present(length, at(start)) && !era.is_past(length, at(start)));
            assert!(!begins(&era, length, at(start)), "it has begun");
            assert!(!era.is_present(length, at(start + 1)) && !era.is_past(length, at(start + 1)));
            assert!(!begins(&era, length, at(start + 1)), "the era before was used");
            assert!(era.is_present(length, at(start + 1)));
            assert!(!era.is_past(length, at(start + 2)) && era.is_past(length, at(start + 3)));
            assert!(begins(&era, length, at(start + 3)) && !begins(&era, length, at(start + 3)), "once");
            // A clock that steps back a little, or is behind that of another core.
            assert!(!era.is_past(length, at(start + 2)) && !begins(&era, length, at(start + 2)));
            assert!(era.is_present(length, at(start + 3)), "the era goes on");
            // And one that steps back further.
            assert!(era.is_past(length, at(start + 1)) && begins(&era, length, at(start + 1)));
            assert!(era.is_present(length, at(start + 1)));
        }
    }

    #[test]
    fn eras_are_numbered_in_all_of_the_word_or_below_a_mark() {
        only_a_whole_era_without_a_use_tells::<0>(PLAIN);
        only_a_whole_era_without_a_use_tells::<8>(Length { log2: LOG2, mark: 0 });
        only_a_whole_era_without_a_use_tells::<8>(Length { log2: LOG2, mark: 255 });
    }

    #[test]
    fn an_era_of_another_mark_is_neither_present_nor_past() {
        let [one, other] = [3, 4].map(|mark| Length { log2: LOG2, mark });
        let era = Era::<8>::new();
        era.set(one, at(5));
        assert!(!era.is_present(other, at(5)) && !era.is_past(other, at(50)));
        assert!(begins(&era, other, at(50)) && era.is_present(one, at(50)), "the mark stays");
    }

    /// Who was stopped after it asked for the length finds another mark, and exchanges nothing.
    #[test]
    fn an_era_that_was_set_meanwhile_is_left_alone() {
        let [one, other] = [3, 4].map(|mark| Length { log2: LOG2, mark });
        let era = Era::<8>::new();
        era.set(one, at(5));
        let set_meanwhile = || {
            era.set(other, at(5));
            LOG2
        };
        assert!(!era.begin(at(50), set_meanwhile) && era.is_present(other, at(5)));
    }
}
