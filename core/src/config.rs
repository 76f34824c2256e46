//! What is wrong with a configuration.

use core::fmt;

/// A configuration value lies outside its bound.
///
/// Every `try_new` of this crate returns it; the `const` constructors panic with the same words, which in a `static` is a
/// compile error.
///
/// # Examples
///
/// ```
/// use seawall_core::{circuit_breaker, CircuitBreaker};
///
/// let error = CircuitBreaker::<0>::try_new(circuit_breaker::Config::consecutive_failures(0)).unwrap_err();
/// assert_eq!(error.to_string(), "circuit_breaker.consecutive_failures must be between 1 and 262143");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConfigError {
    /// The field, with its pattern in front: `circuit_breaker.open_for`.
    pub field: &'static str,
    /// What the field must be: `greater than zero`.
    pub bound: &'static str,
}

impl ConfigError {
    pub(crate) const fn new(field: &'static str, bound: &'static str) -> Self {
        Self { field, bound }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} must be {}", self.field, self.bound)
    }
}

impl core::error::Error for ConfigError {}

/// Returns early with a [`ConfigError`] unless the condition holds.
macro_rules! require {
    ($condition:expr, $field:literal, $bound:literal) => {
        if !$condition {
            return Err($crate::config::ConfigError::new($field, $bound));
        }
    };
}

/// The value, or a panic with the error's own words, in a `const fn`.
macro_rules! expect_valid {
    ($result:expr, $pattern:literal) => {
        match $result {
            Ok(value) => value,
            Err(_) => panic!(concat!(
                "invalid ",
                $pattern,
                " configuration: see its `try_new` for the field and the bound"
            )),
        }
    };
}
