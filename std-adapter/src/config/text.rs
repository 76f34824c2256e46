//! Durations and shares as people write them, read exactly.

use std::time::Duration;

use seawall_core::Ratio;

/// The duration that a text such as `"250ms"`, `"1.5s"` or `"1m 30s"` stands for; `"forever"` is [`Duration::MAX`].
///
/// `None` if the text is no duration, is negative, is longer than [`Duration::MAX`] or has a part of a nanosecond.
///
/// # Examples
///
/// ```
/// use seawall::config::parse_duration;
/// use std::time::Duration;
///
/// assert_eq!(parse_duration("1m 30.5s"), Some(Duration::from_millis(90_500)));
/// assert_eq!(parse_duration("forever"), Some(Duration::MAX));
/// assert_eq!(parse_duration("90"), None, "a number without a unit could be anything");
/// ```
pub fn parse_duration(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    if rest == "forever" {
        return Some(Duration::MAX);
    }
    // Part by part: the library's own sum of 2^64 - 1 seconds and another second's worth of a smaller unit panics.
    let mut total = Duration::ZERO;
    loop {
        let unit = rest.find(char::is_alphabetic)?;
        let after = rest.get(unit..)?;
        let end = unit + after.find(|c: char| !c.is_alphabetic()).unwrap_or(after.len());
        let (part, others) = rest.split_at(end);
        total = total.checked_add(humantime::parse_duration(part).ok()?)?;
        rest = others.trim_start();
        if rest.is_empty() {
            return Some(total);
        }
    }
}

/// The share that a text such as `"50%"`, `"1/3"` or `"0.5"` stands for; `None` if it is none from nothing to the whole.
///
/// A fraction is exact, everything else is exact to a millionth.
///
/// # Examples
///
/// ```
/// use seawall::{config::parse_share, core::Ratio};
///
/// assert_eq!(parse_share("50%"), Some(Ratio::percent(50)));
/// assert_eq!(parse_share("1/3"), Ratio::try_new(1, 3).ok());
/// assert_eq!(parse_share("1.5"), None);
/// ```
pub fn parse_share(text: &str) -> Option<Ratio> {
    let text = text.trim();
    if let Some((part, whole)) = text.split_once('/') {
        return Ratio::try_new(part.trim().parse().ok()?, whole.trim().parse().ok()?).ok();
    }
    let (number, scale) = match text.strip_suffix('%') {
        Some(number) => (number.trim_end(), 10_000),
        None => (text, 1_000_000),
    };
    millionths(u32::try_from(decimal(number, scale)?).ok()?)
}

/// The share of so many millionths, as a fraction of a hundred if it is one.
pub(super) fn millionths(n: u32) -> Option<Ratio> {
    match n {
        0..=1_000_000 if n.is_multiple_of(10_000) => Some(Ratio::percent(n / 10_000)),
        0..=1_000_000 => Some(Ratio::per_million(n)),
        _ => None,
    }
}

/// `scale` times a decimal number; `None` if the text is none or the result is not whole.
fn decimal(text: &str, scale: u128) -> Option<u128> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    if !is_number(whole) || !is_number(fraction) {
        return None;
    }
    let fraction = fraction.trim_end_matches('0');
    let part = if fraction.is_empty() {
        0
    } else {
        let denominator = 10_u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
        let numerator = fraction.parse::<u128>().ok()?.checked_mul(scale)?;
        if !numerator.is_multiple_of(denominator) {
            return None;
        }
        numerator / denominator
    };
    whole.parse::<u128>().ok()?.checked_mul(scale)?.checked_add(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_exact_sums() {
        let nanos = |text| parse_duration(text).map(|duration| duration.as_nanos());
        for (text, expected) in [
            ("0s", 0),
            ("1ns", 1),
            ("1.5us", 1_500),
            ("250ms", 250_000_000),
            (" 1m 30.5 s ", 90_500_000_000),
            ("1h30min", 5_400_000_000_000),
            ("0.000000001s", 1),
            ("18446744073.709551615s", u128::from(u64::MAX)),
            ("18446744073709551615s", u128::from(u64::MAX) * 1_000_000_000),
            ("1.500000s", 1_500_000_000),
        ] {
            assert_eq!(nanos(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn no_duration_is_what_is_none() {
        for text in [
            "",
            " ",
            "s",
            "1",
            "1.s",
            ".5s",
            "1..5s",
            "-1s",
            "1 s 2",
            "1x",
            "1e3s",
            "0.5ns",
            "1.0000000001s",
            "NaN",
            "infs",
            "18446744073709551615s 1000ms",
            "99999999999999999999999999999999999999999s",
            "1s,2s",
            "٣s",
        ] {
            assert_eq!(parse_duration(text), None, "{text:?}");
        }
    }

    #[test]
    fn shares_are_percentages_fractions_and_decimals() {
        let of = |part, whole| Ratio::try_new(part, whole).ok();
        for (text, expected) in [
            ("50%", of(50, 100)),
            ("0.1 %", of(1_000, 1_000_000)),
            ("2/3", of(2, 3)),
            ("0.999", of(999_000, 1_000_000)),
            ("1", of(100, 100)),
            ("0", of(0, 100)),
        ] {
            assert_eq!(parse_share(text), expected, "{text}");
        }
        for text in ["", "%", "101%", "1.1", "3/2", "1/0", "-1/2", "NaN", "0.0000001", "half", "1/2/3"] {
            assert_eq!(parse_share(text), None, "{text:?}");
        }
    }
}
