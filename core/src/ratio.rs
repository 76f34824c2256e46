//! Shares of a whole, as integers.
//!
//! No decision of this crate uses floating-point numbers: a share is a fraction of two integers, and comparing it with
//! counts is one multiplication on each side, exact for every input.
//!
//! # Examples
//!
//! ```
//! use seawall_core::Ratio;
//!
//! const HALF: Ratio = Ratio::percent(50);
//! assert!(HALF.is_reached_by(5, 10));
//! assert!(!HALF.is_reached_by(4, 10));
//! assert_eq!(Ratio::try_new(1, 2), Ok(HALF));
//! assert_eq!(Ratio::try_new(3, 2), Err(seawall_core::ratio::InvalidRatio { numerator: 3, denominator: 2 }));
//! ```

use core::fmt;
use core::hash::{Hash, Hasher};

/// A share between nothing and the whole, both included.
///
/// Two of them are equal if their values are: `1/2` is fifty percent. The fraction itself stays as it was given.
#[derive(Clone, Copy, Debug)]
pub struct Ratio {
    numerator: u32,
    denominator: u32,
}

impl Ratio {
    /// Nothing.
    pub const ZERO: Self = Self { numerator: 0, denominator: 1 };
    /// The whole.
    pub const ONE: Self = Self { numerator: 1, denominator: 1 };

    /// `numerator` of `denominator`.
    ///
    /// # Errors
    ///
    /// If the denominator is zero or the share is more than the whole.
    pub const fn try_new(numerator: u32, denominator: u32) -> Result<Self, InvalidRatio> {
        if denominator == 0 || numerator > denominator {
            Err(InvalidRatio { numerator, denominator })
        } else {
            Ok(Self { numerator, denominator })
        }
    }

    /// `n` of a hundred.
    ///
    /// # Panics
    ///
    /// If `n` is more than 100; in a `const` this is a compile error.
    pub const fn percent(n: u32) -> Self {
        assert!(n <= 100, "a share is at most 100 percent");
        Self { numerator: n, denominator: 100 }
    }

    /// `n` of a million.
    ///
    /// # Panics
    ///
    /// If `n` is more than a million; in a `const` this is a compile error.
    pub const fn per_million(n: u32) -> Self {
        assert!(n <= 1_000_000, "a share is at most 1000000 of a million");
        Self { numerator: n, denominator: 1_000_000 }
    }

    /// The upper number of the fraction.
    pub const fn numerator(self) -> u32 {
        self.numerator
    }

    /// The lower number of the fraction, never zero.
    pub const fn denominator(self) -> u32 {
        self.denominator
    }

    /// The rest: the whole without this share.
    #[must_use = "the ratio itself does not change"]
    pub const fn complement(self) -> Self {
        Self { numerator: self.denominator - self.numerator, denominator: self.denominator }
    }

    /// Whether the two are the same share, as `==` says where it cannot be called: in a `const`.
    #[inline]
    pub const fn equals(self, other: Self) -> bool {
        self.numerator as u64 * other.denominator as u64 == other.numerator as u64 * self.denominator as u64
    }

    /// Whether `part` of `whole` is at least this share; an equal share counts, and of nothing any part does.
    #[inline]
    pub const fn is_reached_by(self, part: u32, whole: u32) -> bool {
        part as u64 * self.denominator as u64 >= whole as u64 * self.numerator as u64
    }

    /// This share of `whole`, rounded down.
    #[inline]
    pub const fn of(self, whole: u32) -> u32 {
        (whole as u64 * self.numerator as u64 / self.denominator as u64) as u32
    }
}

/// By the value: one multiplication on each side.
impl PartialEq for Ratio {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        self.equals(*other)
    }
}

impl Eq for Ratio {}

/// By the value: the share of 2³², rounded down. It is the only method that divides but [`Ratio::of`].
impl Hash for Ratio {
    fn hash<H: Hasher>(&self, state: &mut H) {
        ((u64::from(self.numerator) << 32) / u64::from(self.denominator)).hash(state);
    }
}

/// The share is no share: its denominator is zero, or it is more than the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidRatio {
    /// The upper number that was given.
    pub numerator: u32,
    /// The lower number that was given.
    pub denominator: u32,
}

impl fmt::Display for InvalidRatio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ratio {}/{} is not between 0 and 1", self.numerator, self.denominator)
    }
}

impl core::error::Error for InvalidRatio {}

#[cfg(all(test, not(loom)))]
mod tests {
    extern crate std;
    use core::hash::{Hash, Hasher};
    use std::collections::hash_map::DefaultHasher;

    use super::Ratio;

    fn hash(share: Ratio) -> u64 {
        let mut hasher = DefaultHasher::new();
        share.hash(&mut hasher);
        hasher.finish()
    }

    fn all_of(denominators: core::ops::RangeInclusive<u32>) -> impl Iterator<Item = Ratio> + Clone {
        denominators.flat_map(|d| (0..=d).map(move |n| Ratio::try_new(n, d).unwrap()))
    }

    fn greatest_common_divisor(a: u32, b: u32) -> u32 {
        if b == 0 { a } else { greatest_common_divisor(b, a % b) }
    }

    fn reduced(share: Ratio) -> (u32, u32) {
        let divisor = greatest_common_divisor(share.numerator(), share.denominator());
        (share.numerator() / divisor, share.denominator() / divisor)
    }

    #[test]
    fn shares_are_equal_exactly_if_their_reduced_fractions_are() {
        let whole = u32::MAX;
        let large = [(0, whole), (whole / 3, whole), (whole / 5, whole), (whole - 1, whole), (whole, whole)];
        let large = large.map(|(n, d)| Ratio::try_new(n, d).unwrap());
        let shares = all_of(1..=15).chain(large).chain([Ratio::try_new(whole - 2, whole - 1).unwrap()]);
        for a in shares.clone() {
            for b in shares.clone() {
                let same = reduced(a) == reduced(b);
                assert_eq!((a == b, a.equals(b)), (same, same), "{a:?} and {b:?}");
                assert!(!same || hash(a) == hash(b), "{a:?} and {b:?}");
            }
        }
    }

    #[test]
    fn a_share_is_the_same_however_it_was_written() {
        const { assert!(Ratio::percent(50).equals(Ratio::per_million(500_000))) };
        assert_eq!(Ratio::percent(50), Ratio::try_new(1, 2).unwrap());
        assert_eq!(Ratio::ONE, Ratio::percent(100));
        assert_eq!(Ratio::ZERO, Ratio::percent(0));
        assert_ne!(Ratio::try_new(u32::MAX - 1, u32::MAX).unwrap(), Ratio::ONE);
        assert_ne!(hash(Ratio::percent(49)), hash(Ratio::percent(50)));
        assert_eq!((Ratio::percent(50).numerator(), Ratio::percent(50).denominator()), (50, 100));
    }
}
