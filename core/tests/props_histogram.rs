//! The histogram against an exact model, and beside `hdrhistogram`.
#![cfg(not(loom))]
#![allow(missing_docs)]

use proptest::collection::vec;
use proptest::prelude::*;
use seawall_core::Ratio;
use seawall_core::measure::histogram::{Histogram, buckets_for};

const PRECISION: u32 = 5;
const MAX: u64 = 1 << 40;
type Fine = Histogram<PRECISION, { buckets_for(PRECISION, MAX) }>;

/// Values of every size, not only large ones.
fn value() -> impl Strategy<Value = u64> {
    (0_u32..40, any::<u64>()).prop_map(|(bits, value)| value % (1 << bits))
}

fn share() -> impl Strategy<Value = Ratio> {
    (1_u32..=1_000_000).prop_flat_map(|denominator| {
        (0..=denominator).prop_map(move |numerator| Ratio::try_new(numerator, denominator).unwrap())
    })
}

/// The smallest value that at least this share of all values do not exceed.
fn exact(sorted: &[u64], share: Ratio) -> u64 {
    let rank = (sorted.len() as u64 * u64::from(share.numerator())).div_ceil(share.denominator().into());
    sorted[rank.max(1) as usize - 1]
}

proptest! {
    #[test]
    fn a_percentile_is_not_below_the_exact_one_and_above_by_less_than_the_precision(
        mut values in vec(value(), 1..400), share in share(),
    ) {
        let histogram = Fine::new();
        for &value in &values {
            histogram.record(value);
        }
        values.sort_unstable();
        let (exact, seen) = (exact(&values, share), histogram.percentile(share).unwrap());
        prop_assert!(exact <= seen && (seen - exact) << PRECISION <= exact, "{} for {}", seen, exact);
        prop_assert_eq!(histogram.snapshot().percentile(share), Some(seen));
    }

    #[test]
    fn two_ranks_of_the_same_data_agree_with_hdrhistogram(
        values in vec(value(), 1..400), parts in vec(0_u32..=64, 2),
    ) {
        let ours = Fine::new();
        let mut theirs = hdrhistogram::Histogram::<u64>::new_with_bounds(1, MAX, 3).unwrap();
        for &value in &values {
            ours.record(value);
            theirs.record(value).unwrap();
        }
        for part in parts {
            // Shares that a binary fraction holds exactly, or the two would differ by a rank.
            let seen = ours.percentile(Ratio::try_new(part, 64).unwrap()).unwrap();
            let oracle = theirs.value_at_quantile(f64::from(part) / 64.0);
            // Both round up within a bucket: theirs by one part in 1000 at most, ours by one in 32.
            prop_assert!(seen >= oracle - oracle / 1000, "{} for {}", seen, oracle);
            prop_assert!(seen <= oracle + (oracle >> PRECISION), "{} for {}", seen, oracle);
        }
    }

    #[test]
    fn merging_and_subtracting_are_as_if_recorded_together_and_apart(
        left in vec(any::<u64>(), 0..100), right in vec(any::<u64>(), 0..100),
    ) {
        let (a, b, both) = (Fine::new(), Fine::new(), Fine::new());
        for (values, one) in [(&left, &a), (&right, &b)] {
            for &value in values {
                one.record(value);
                both.record(value);
            }
        }
        prop_assert_eq!(both.snapshot().since(&a.snapshot()), b.snapshot());
        a.merge(&b.snapshot());
        prop_assert_eq!(a.snapshot(), both.snapshot());
        prop_assert_eq!(both.count(), (left.len() + right.len()) as u64);
        prop_assert_eq!(
            both.out_of_range(),
            left.iter().chain(&right).filter(|&&value| value > Fine::MAX_VALUE).count() as u64
        );
    }

    #[test]
    fn each_value_is_counted_in_the_bucket_that_holds_it(value in any::<u64>(), n in 1_u32..) {
        let histogram = Histogram::<3, { buckets_for(3, u64::MAX) }>::new();
        histogram.record_n(value, n);
        let snapshot = histogram.snapshot();
        let buckets: Vec<_> = snapshot.buckets().collect();
        prop_assert_eq!(buckets.len(), 1);
        prop_assert!(buckets[0].lowest <= value && value <= buckets[0].highest);
        prop_assert_eq!(buckets[0].count, u64::from(n));
    }
}
