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
//! assert_eq!(Ratio::try_new(3, 2), Err(seawall_core::ratio::InvalidRatio { numerator: 3, denominator: 2 }));
//! ```

use core::fmt;

/// A share between nothing and the whole, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
