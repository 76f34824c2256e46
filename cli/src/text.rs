//! Numbers as people read them.

use crate::report::Report;

/// A count with thin groups of three digits: `12 345`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(' ');
        }
        grouped.push(digit);
    }
    grouped
}

/// A share of a whole in percent: `98.7 %`, and a dash if there is no whole.
///
/// Only a part that is the whole is written as a hundred, and only a part that is nothing as zero.
pub(crate) fn share(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "–".to_owned();
    }
    let permille = (u128::from(part) * 1000 + u128::from(whole) / 2) / u128::from(whole);
    let permille = match permille {
        1000 if part < whole => 999,
        0 if part > 0 => 1,
        exact => exact,
    };
    format!("{}.{} %", permille / 10, permille % 10)
}

/// A waiting time with three significant digits: `850 µs`, `3.21 ms`, `1.50 s`.
pub(crate) fn duration(micros: u64) -> String {
    match micros {
        0..1_000 => format!("{micros} µs"),
        1_000..10_000 => format!("{}.{:02} ms", micros / 1_000, micros % 1_000 / 10),
        10_000..100_000 => format!("{}.{} ms", micros / 1_000, micros % 1_000 / 100),
        100_000..1_000_000 => format!("{} ms", micros / 1_000),
        1_000_000..10_000_000 => format!("{}.{:02} s", micros / 1_000_000, micros % 1_000_000 / 10_000),
        _ => format!("{}.{} s", micros / 1_000_000, micros % 1_000_000 / 100_000),
    }
}

/// A time of the run: `12.4 s`.
pub(crate) fn moment(at_ms: u64) -> String {
    format!("{}.{} s", at_ms / 1000, at_ms % 1000 / 100)
}

/// A ratio with two digits, or a dash.
pub(crate) fn ratio(ratio: Option<f64>) -> String {
    ratio.map_or_else(|| "–".to_owned(), |ratio| format!("{ratio:.2}"))
}

/// A number with one decimal if it has one.
pub(crate) fn short_decimal(number: f64) -> String {
    let text = format!("{number:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

/// How a client stands, in one line.
pub(crate) fn figures(report: &Report) -> String {
    let Report { books, recent, .. } = report;
    let mut line = format!(
        "sent {}  succeeded {}  rejected {}  failed {}  p50/p95/p99 {}/{}/{}  attempts {}",
        books.sent,
        books.succeeded,
        books.all_rejected(),
        books.all_failed(),
        duration(recent.p50_us),
        duration(recent.p95_us),
        duration(recent.p99_us),
        ratio(books.amplification()),
    );
    if let Some(guarding) = &report.guarding {
        use std::fmt::Write as _;
        // Writing to a string cannot fail.
        _ = write!(
            line,
            "  breaker {}  limiter {:.0}/s  bulkhead {}/{}  budget {:.0} %  level {}",
            guarding.breaker.label(),
            guarding.limiter_rate,
            guarding.bulkhead_in_use,
            guarding.bulkhead_capacity,
            guarding.error_budget_remaining * 100.0,
            guarding.degradation,
        );
    }
    line
}

#[cfg(test)]
mod tests {
    use super::{count, duration, moment, ratio, share, short_decimal};

    #[test]
    fn counts_are_grouped() {
        assert_eq!([0, 999, 1000, 1_234_567].map(count), ["0", "999", "1 000", "1 234 567"]);
    }

    #[test]
    fn shares_do_not_round_a_flaw_away() {
        assert_eq!(share(1, 3), "33.3 %");
        assert_eq!(share(10_000, 10_000), "100.0 %");
        assert_eq!(share(9_999, 10_000), "99.9 %");
        assert_eq!(share(1, 1_000_000), "0.1 %");
        assert_eq!(share(0, 10), "0.0 %");
        assert_eq!(share(0, 0), "–");
        assert_eq!(share(u64::MAX, u64::MAX), "100.0 %");
    }

    #[test]
    fn durations_keep_three_digits() {
        let cases = [0, 999, 1_000, 3_217, 32_170, 321_700, 1_500_000, 32_170_000];
        assert_eq!(
            cases.map(duration),
            ["0 µs", "999 µs", "1.00 ms", "3.21 ms", "32.1 ms", "321 ms", "1.50 s", "32.1 s"]
        );
        assert_eq!([2.0, 2.5, 0.0].map(short_decimal), ["2", "2.5", "0"]);
        assert_eq!(moment(12_449), "12.4 s");
        assert_eq!([ratio(Some(1.0)), ratio(None)], ["1.00", "–"]);
    }
}
