//! Single values, from what a person writes to what the core takes.

use std::fmt::Display;
use std::time::Duration;

use seawall_core::{ConfigError, Ratio};

use super::tables::Share;
use super::text::{millionths, parse_duration, parse_share};

/// Where one value stands, and the list that its problems go to.
pub(super) struct Checker<'a> {
    path: String,
    problems: &'a mut Vec<String>,
}

impl<'a> Checker<'a> {
    pub(super) fn new(path: impl Into<String>, problems: &'a mut Vec<String>) -> Self {
        Self { path: path.into(), problems }
    }

    /// The same list, one table further down.
    pub(super) fn below(&mut self, key: &str) -> Checker<'_> {
        Checker { path: format!("{}.{key}", self.path), problems: self.problems }
    }

    /// The value is wrong: `is 1.5, must be …`.
    pub(super) fn wrong(&mut self, key: &str, what: impl Display) {
        self.problems.push(format!("{}.{key} {what}", self.path));
    }

    /// The duration, if the key is there and it is one.
    pub(super) fn duration(&mut self, key: &str, text: Option<&String>) -> Option<Duration> {
        let text = text?;
        match parse_duration(text) {
            Some(duration) => Some(duration),
            None if text.trim_start().starts_with('-') => {
                self.wrong(key, format_args!("is \"{text}\", must not be negative"));
                None
            }
            None => {
                self.wrong(key, format_args!("is \"{text}\", must be a duration such as \"250ms\""));
                None
            }
        }
    }

    /// The share, if the key is there and it is one.
    pub(super) fn share(&mut self, key: &str, share: Option<&Share>) -> Option<Ratio> {
        let (ratio, text) = match share? {
            Share::Number(number) => (ratio(*number), number.to_string()),
            Share::Text(text) => (parse_share(text), format!("\"{text}\"")),
        };
        if ratio.is_none() {
            self.wrong(key, format_args!("is {text}, must be a number from 0 to 1"));
        }
        ratio
    }

    /// Whether an integer lies within its bounds, both included.
    pub(super) fn within(&mut self, min: u32, max: u32, key: &str, value: u32) -> bool {
        let within = (min..=max).contains(&value);
        if !within {
            self.wrong(key, format_args!("must be between {min} and {max}"));
        }
        within
    }

    /// Takes one step from a valid configuration to the next: one that is not valid is reported and not taken.
    pub(super) fn step<T: Copy, V>(
        &mut self,
        config: &mut T,
        value: Option<V>,
        set: impl FnOnce(T, V) -> T,
        validate: impl FnOnce(T) -> Result<(), ConfigError>,
        key: &str,
    ) {
        let Some(value) = value else { return };
        let next = set(*config, value);
        match validate(next) {
            Ok(()) => *config = next,
            Err(error) => self.wrong(key, format_args!("must be {}", error.bound)),
        }
    }
}

/// The share as a fraction of a hundred if it is one, of a million otherwise.
fn ratio(number: f64) -> Option<Ratio> {
    if !(0.0..=1.0).contains(&number) {
        return None;
    }
    // The range was checked, so the product fits.
    #[allow(clippy::cast_sign_loss)]
    millionths((number * 1e6).round() as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_exact_to_a_millionth() {
        assert_eq!(ratio(0.2), Some(Ratio::percent(20)));
        assert_eq!(ratio(0.999), Some(Ratio::per_million(999_000)));
        assert_eq!(ratio(1.0), Some(Ratio::percent(100)));
        assert_eq!(ratio(0.0), Some(Ratio::percent(0)));
    }

    #[test]
    fn no_share_is_what_is_no_number_from_nothing_to_the_whole() {
        for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.1, 1.000_001] {
            assert_eq!(ratio(number), None, "{number}");
        }
    }
}
