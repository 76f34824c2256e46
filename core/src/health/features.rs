//! Which features does a level leave switched on?
//!
//! A set of up to 32 features, and one set for each [`Level`].
//!
//! # Examples
//!
//! ```
//! use seawall_core::health::degradation::Level;
//! use seawall_core::health::features::{Features, FeaturesByLevel};
//!
//! const SEARCH: Features = Features::of(0);
//! const THUMBNAILS: Features = Features::of(1);
//! const ORDERS: Features = Features::of(2);
//!
//! static LEFT: FeaturesByLevel = FeaturesByLevel::new(Features::ALL)
//!     .degraded(Features::ALL.without(THUMBNAILS))
//!     .severely_degraded(ORDERS.with(SEARCH))
//!     .emergency(ORDERS);
//!
//! assert!(LEFT.at(Level::Normal).contains(THUMBNAILS));
//! assert!(!LEFT.at(Level::Degraded).contains(THUMBNAILS));
//! assert!(LEFT.at(Level::Emergency).contains(ORDERS));
//! ```
//!
//! # Cost
//!
//! A comparison of bits; no state.

use core::fmt;

use crate::health::degradation::Level;

/// How many features there are room for.
pub const MAX_FEATURES: u8 = 32;

/// A set of features.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Features(u32);

impl Features {
    /// No feature.
    pub const NONE: Self = Self(0);
    /// Every feature.
    pub const ALL: Self = Self(u32::MAX);

    /// The set of feature `n` alone.
    ///
    /// # Panics
    ///
    /// If `n` is not below [`MAX_FEATURES`]; in a `const` this is a compile error.
    pub const fn of(n: u8) -> Self {
        assert!(n < MAX_FEATURES, "a feature's number is below 32");
        Self(1 << n)
    }

    /// The set whose features are the bits of `bits` that are set.
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// The features as bits.
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// These features and the others.
    #[must_use = "the set itself does not change"]
    pub const fn with(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// These features except the others.
    #[must_use = "the set itself does not change"]
    pub const fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }

    /// Whether all of the others are among these.
    #[inline]
    pub const fn contains(self, others: Self) -> bool {
        self.0 & others.0 == others.0
    }
}

impl fmt::Debug for Features {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Features ")?;
        f.debug_set().entries((0..MAX_FEATURES).filter(|&n| self.contains(Self::of(n)))).finish()
    }
}

/// The features that each level leaves switched on. Two are equal if they do so at every level, however it was said.
#[derive(Clone, Copy, Debug)]
pub struct FeaturesByLevel {
    sets: [Features; Level::ALL.len()],
    /// A bit for each level but the normal one of which something was said.
    said: u8,
}

impl PartialEq for FeaturesByLevel {
    fn eq(&self, other: &Self) -> bool {
        self.sets == other.sets
    }
}

impl Eq for FeaturesByLevel {}

impl FeaturesByLevel {
    /// `features` at every level.
    pub const fn new(features: Features) -> Self {
        Self { sets: [features; Level::ALL.len()], said: 0 }
    }

    /// What is left when the service is degraded, and when it is worse, unless something else is said of that, before or after.
    #[must_use = "the sets are returned"]
    pub const fn degraded(self, features: Features) -> Self {
        self.say(Level::Degraded, features)
    }

    /// What is left when it is severely degraded, and in an emergency, unless something else is said of that, before or after.
    #[must_use = "the sets are returned"]
    pub const fn severely_degraded(self, features: Features) -> Self {
        self.say(Level::SeverelyDegraded, features)
    }

    /// What is left in an emergency.
    #[must_use = "the sets are returned"]
    pub const fn emergency(self, features: Features) -> Self {
        self.say(Level::Emergency, features)
    }

    const fn say(mut self, level: Level, features: Features) -> Self {
        let mut at = level as usize;
        self.sets[at] = features;
        self.said |= 1 << at;
        at += 1;
        while at < self.sets.len() && self.said >> at & 1 == 0 {
            self.sets[at] = features;
            at += 1;
        }
        self
    }

    /// What is left at `level`.
    ///
    /// # Complexity
    ///
    /// O(1).
    #[inline]
    pub const fn at(&self, level: Level) -> Features {
        self.sets[level as usize]
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    extern crate std;
    use std::format;

    use super::{Features, FeaturesByLevel};
    use crate::health::degradation::Level;

    #[test]
    fn sets_are_equal_if_every_level_has_the_same() {
        let said = FeaturesByLevel::new(Features::ALL).degraded(Features::NONE);
        assert_eq!(said, said.severely_degraded(Features::NONE).emergency(Features::NONE));
        assert_ne!(said, FeaturesByLevel::new(Features::ALL));
    }

    #[test]
    fn sets_follow_their_bits() {
        let (a, b) = (Features::of(0), Features::of(31));
        assert_eq!(a.with(b).bits(), 0x8000_0001);
        assert_eq!(a.with(b).without(a), b);
        assert!(a.with(b).contains(a) && !a.contains(a.with(b)));
        assert!(Features::NONE.contains(Features::NONE) && Features::ALL.contains(Features::ALL));
        assert_eq!(Features::from_bits(5), Features::of(2).with(a));
        assert_eq!(format!("{:?}", a.with(b)), "Features {0, 31}");
    }

    #[test]
    fn a_worse_level_has_what_the_better_one_has_unless_it_is_said() {
        let at = |sets: FeaturesByLevel| Level::ALL.map(|level| sets.at(level).bits());
        let all = FeaturesByLevel::new(Features::from_bits(7));
        assert_eq!(at(all), [7, 7, 7, 7]);
        let degraded = all.degraded(Features::from_bits(3));
        assert_eq!(at(degraded), [7, 3, 3, 3]);
        assert_eq!(at(degraded.severely_degraded(Features::of(0))), [7, 3, 1, 1]);
        assert_eq!(at(degraded.emergency(Features::NONE)), [7, 3, 3, 0]);
        assert_eq!(at(degraded.severely_degraded(Features::of(2)).degraded(Features::of(1))), [7, 2, 4, 4]);
    }

    #[test]
    fn in_which_order_levels_are_set_does_not_matter() {
        type Set = fn(FeaturesByLevel) -> FeaturesByLevel;
        let degraded: Set = |sets| sets.degraded(Features::from_bits(7));
        let severely: Set = |sets| sets.severely_degraded(Features::of(1));
        let emergency: Set = |sets| sets.emergency(Features::NONE);
        let all = FeaturesByLevel::new(Features::ALL);
        let sets = emergency(severely(degraded(all)));
        assert_eq!(Level::ALL.map(|level| sets.at(level).bits()), [u32::MAX, 7, 2, 0]);
        for [a, b, c] in [
            [degraded, emergency, severely],
            [severely, degraded, emergency],
            [severely, emergency, degraded],
            [emergency, degraded, severely],
            [emergency, severely, degraded],
        ] {
            assert_eq!(c(b(a(all))), sets);
        }
        assert_eq!(degraded(emergency(all)).at(Level::Emergency), Features::NONE);
        assert_eq!(degraded(emergency(all)).at(Level::SeverelyDegraded), Features::from_bits(7));
        let twice = emergency(all.emergency(Features::of(3)));
        assert_eq!(degraded(twice).at(Level::Emergency), Features::NONE, "the last word on a level holds");
    }

    #[test]
    #[should_panic(expected = "below 32")]
    fn a_feature_beyond_the_set_is_refused() {
        let _ = Features::of(32);
    }
}
