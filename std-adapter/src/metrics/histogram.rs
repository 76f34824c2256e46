//! Prometheus' histograms, made of finer ones.

use crate::guard::{Durations, DurationsSnapshot};

/// The boundaries in nanoseconds that Prometheus' libraries begin with.
pub(super) const LATENCIES: [u64; 11] = [
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
    2_500_000_000,
    5_000_000_000,
    10_000_000_000,
];

/// One millisecond, and nine times the double.
pub(super) const PAUSES: [u64; 10] = [
    1_000_000,
    2_000_000,
    4_000_000,
    8_000_000,
    16_000_000,
    32_000_000,
    64_000_000,
    128_000_000,
    256_000_000,
    512_000_000,
];

/// A histogram with upper bounds in seconds; its buckets do not include those before.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Classic {
    pub(super) sum: f64,
    pub(super) count: u64,
    pub(super) buckets: Vec<(f64, u64)>,
}

impl Classic {
    pub(super) fn of(durations: &Durations, bounds: &[u64]) -> Self {
        Self::of_snapshot(&durations.snapshot(), bounds)
    }

    fn of_snapshot(durations: &DurationsSnapshot, bounds: &[u64]) -> Self {
        let mut counts = vec![0; bounds.len() + 1];
        // Twice the sum in integers: adding to a count can never make it smaller.
        let mut doubled = u128::from(durations.out_of_range()) * 2 * u128::from(Durations::MAX_VALUE);
        for bucket in durations.buckets() {
            counts[bounds.partition_point(|&bound| bound < bucket.highest)] += bucket.count;
            doubled += u128::from(bucket.count) * (u128::from(bucket.lowest) + u128::from(bucket.highest));
        }
        counts[bounds.len()] += durations.out_of_range();
        let ends = bounds.iter().map(|&bound| seconds(bound)).chain([f64::INFINITY]);
        Self { sum: seconds(doubled) / 2.0, count: counts.iter().sum(), buckets: ends.zip(counts).collect() }
    }
}

/// The nearest number of seconds.
// A number of nanoseconds beyond 2⁵³ loses its last digits, which mean nothing at that size.
#[allow(clippy::cast_precision_loss)]
fn seconds(nanos: impl Into<u128>) -> f64 {
    nanos.into() as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_counted_at_most_three_percent_too_high_and_never_too_low() {
        for &bound in LATENCIES.iter().chain(&PAUSES) {
            for value in [bound / 100 * 97, bound - 1, bound, bound + 1, bound + bound / 100] {
                let durations = Durations::new();
                durations.record(value);
                let classic = Classic::of(&durations, &[bound]);
                let below = classic.buckets[0].1;
                assert!(below == 0 || value <= bound, "{value} is not below {bound}");
                assert!(below == 1 || value * 100 > bound * 97, "{value} is below {bound}");
            }
        }
    }

    #[test]
    fn sums_are_right_to_less_than_two_percent() {
        let durations = Durations::new();
        let mut sum = 0_u64;
        for step in 1..2000_u64 {
            let value = step * step * 1001;
            durations.record(value);
            sum += value;
        }
        let classic = Classic::of(&durations, &LATENCIES);
        assert_eq!(classic.count, 1999);
        assert!((classic.sum / seconds(sum) - 1.0).abs() < 0.016, "{} {sum}", classic.sum);
    }

    #[test]
    fn what_is_out_of_range_is_counted() {
        let durations = Durations::new();
        durations.record(u64::MAX);
        let classic = Classic::of(&durations, &PAUSES);
        assert_eq!((classic.count, classic.buckets.last()), (1, Some(&(f64::INFINITY, 1))));
    }

    #[test]
    fn boundaries_are_those_of_the_table() {
        let bounds: Vec<_> = LATENCIES.iter().map(|&bound| seconds(bound)).collect();
        assert_eq!(bounds, [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0]);
        assert!(PAUSES.iter().zip(&PAUSES[1..]).all(|(lower, upper)| upper / lower == 2));
        assert_eq!((seconds(PAUSES[0]), PAUSES.len()), (0.001, 10));
    }
}
