//! The share of calls that is admitted while traffic comes back.

use core::time::Duration;

use crate::ratio::Ratio;
use crate::time::nanos;

/// The whole, as a number of draws out of 2³².
const WHOLE: u64 = 1 << 32;

/// A rise from a share to the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ramp {
    pub(super) over: Duration,
    pub(super) from: Ratio,
}

impl Ramp {
    /// Whether a call with this draw is admitted so long before the ramp ends.
    pub(super) const fn admits(self, left: Duration, draw: u32) -> bool {
        (draw as u64) < self.share(left)
    }

    /// The share so long before the end, in 2³²nds, right to 8 of them.
    const fn share(self, left: Duration) -> u64 {
        let over = nanos(self.over);
        let elapsed = over.saturating_sub(nanos(left));
        // Both of at most 31 bits, so that their product with a share fits 64.
        let shift = 33_u32.saturating_sub(over.leading_zeros());
        let from = (self.from.numerator() as u64 * WHOLE) / self.from.denominator() as u64;
        from + (WHOLE - from) * (elapsed >> shift) / (over >> shift)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{Ramp, WHOLE};
    use crate::ratio::Ratio;
    use core::time::Duration;

    #[test]
    fn the_share_equals_the_exact_one_to_a_part_in_a_billion() {
        let shares =
            [Ratio::ZERO, Ratio::percent(10), Ratio::try_new(u32::MAX - 1, u32::MAX).unwrap(), Ratio::ONE];
        let times = [1, 2, 999, 1 << 31, (1 << 31) + 1, 30_000_000_000, u64::MAX / 2, u64::MAX];
        for (from, over) in shares.into_iter().flat_map(|from| times.map(|over| (from, over))) {
            let ramp = Ramp { over: Duration::from_nanos(over), from };
            for part in 0..=16_u128 {
                let elapsed = (u128::from(over) * part / 16) as u64;
                let share = ramp.share(Duration::from_nanos(over - elapsed));
                let start = u128::from(from.numerator()) * u128::from(WHOLE) / u128::from(from.denominator());
                let rise = (u128::from(WHOLE) - start) * u128::from(elapsed) / u128::from(over);
                let exact = (start + rise) as u64;
                assert!(share.abs_diff(exact) <= 8, "{ramp:?} at {elapsed}: {share}, exact {exact}");
                assert!(share <= WHOLE);
            }
        }
    }

    #[test]
    fn it_begins_with_the_first_share_and_ends_with_the_whole() {
        let ramp = Ramp { over: Duration::from_secs(10), from: Ratio::percent(25) };
        let edge = (WHOLE / 4) as u32;
        // A clock that stepped back leaves more than the whole time.
        for left in [10, 20] {
            assert!(ramp.admits(Duration::from_secs(left), edge - 1));
            assert!(!ramp.admits(Duration::from_secs(left), edge));
        }
        assert!(ramp.admits(Duration::ZERO, u32::MAX));
        assert!(!Ramp { from: Ratio::ZERO, ..ramp }.admits(ramp.over, 0), "nothing is nothing");
        assert!(Ramp { from: Ratio::ONE, ..ramp }.admits(ramp.over, u32::MAX));
        assert!(Ramp { over: Duration::MAX, ..ramp }.admits(Duration::MAX, edge - 1));
    }
}
