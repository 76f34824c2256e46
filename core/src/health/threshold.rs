//! Is a measured value within its bounds?
//!
//! For what a [health check](super::check) looks at: free memory, a queue's length, a temperature.
//! Values are compared and nothing else, so any ordered type will do: integers, fixed-point numbers, and at the edge of a
//! system also `f64`. A value that is not a number is within no bounds.
//!
//! # Examples
//!
//! ```
//! use seawall_core::Threshold;
//!
//! const LOAD: Threshold<f64> = Threshold::at_most(0.8);
//! const FREE_PAGES: Threshold<u32> = Threshold::between(16, 1024);
//!
//! assert!(LOAD.is_met_by(0.8) && !LOAD.is_met_by(0.81));
//! assert!(!LOAD.is_met_by(f64::NAN));
//! assert!(!FREE_PAGES.is_met_by(15));
//! ```
//!
//! # Cost
//!
//! Two comparisons at most; no state.

use core::cmp::Ordering;

use crate::config::ConfigError;

/// The bounds that a value keeps; both are included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Threshold<T> {
    min: Option<T>,
    max: Option<T>,
}

impl<T: Copy> Threshold<T> {
    /// From `min` to `max`, both included.
    ///
    /// Nothing lies within bounds that are out of order or not numbers: such a threshold is met by no value.
    /// [`try_between`](Self::try_between) refuses them.
    pub const fn between(min: T, max: T) -> Self {
        Self { min: Some(min), max: Some(max) }
    }

    /// `min` or more.
    pub const fn at_least(min: T) -> Self {
        Self { min: Some(min), max: None }
    }

    /// `max` or less.
    pub const fn at_most(max: T) -> Self {
        Self { min: None, max: Some(max) }
    }
}

impl<T: Copy + PartialOrd> Threshold<T> {
    /// From `min` to `max`, both included.
    ///
    /// # Errors
    ///
    /// If `min` is above `max`, or one of them is not a number.
    pub fn try_between(min: T, max: T) -> Result<Self, ConfigError> {
        let in_order = min.partial_cmp(&max).is_some_and(Ordering::is_le);
        require!(in_order, "threshold.min", "a number not above threshold.max");
        Ok(Self::between(min, max))
    }

    /// Whether `value` is within the bounds; a bound belongs to them, and what is not a number does not.
    ///
    /// # Complexity
    ///
    /// O(1).
    #[inline]
    pub fn is_met_by(&self, value: T) -> bool {
        // Only what equals itself has a place among the others.
        let ordered = value.partial_cmp(&value).is_some();
        ordered && self.min.is_none_or(|min| value >= min) && self.max.is_none_or(|max| value <= max)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    extern crate std;
    use std::string::ToString;

    use super::Threshold;

    #[test]
    fn both_bounds_belong_to_the_range() {
        let cpu = Threshold::between(0_i64, 80);
        let within = [i64::MIN, -1, 0, 1, 79, 80, 81, i64::MAX].map(|value| cpu.is_met_by(value));
        assert_eq!(within, [false, false, true, true, true, true, false, false]);
        assert!(Threshold::at_least(5_u8).is_met_by(u8::MAX) && !Threshold::at_least(5_u8).is_met_by(4));
        assert!(Threshold::at_most(5_u8).is_met_by(0) && !Threshold::at_most(5_u8).is_met_by(6));
    }

    #[test]
    fn hc3_what_is_not_a_number_is_unhealthy() {
        const LOAD: Threshold<f64> = Threshold::between(-1.5, 80.0);
        let everything = [
            Threshold::at_least(f64::NEG_INFINITY),
            Threshold::at_most(f64::INFINITY),
            LOAD,
            Threshold::at_most(1.0),
        ];
        for threshold in everything {
            assert!(!threshold.is_met_by(f64::NAN) && !threshold.is_met_by(-f64::NAN));
        }
        assert!(LOAD.is_met_by(-1.5) && LOAD.is_met_by(80.0) && LOAD.is_met_by(-0.0));
        assert!(!LOAD.is_met_by(80.000_000_1) && !LOAD.is_met_by(f64::INFINITY));
        assert!(everything[1].is_met_by(f64::INFINITY));
    }

    #[test]
    fn bounds_out_of_order_are_refused_or_met_by_nothing() {
        let error = Threshold::try_between(2, 1).unwrap_err();
        assert_eq!(error.to_string(), "threshold.min must be a number not above threshold.max");
        assert!(
            Threshold::try_between(0.0, f64::NAN).is_err() && Threshold::try_between(f64::NAN, 0.0).is_err()
        );
        assert!(Threshold::try_between(1, 1).unwrap().is_met_by(1));
        assert!((0..4).all(|value| !Threshold::between(2, 1).is_met_by(value)));
        assert!(!Threshold::between(f64::NAN, 1.0).is_met_by(0.5));
    }
}
