extern crate std;
use std::vec::Vec;
use std::{format, thread};

use super::*;
use crate::atomic::sync::probe;

const BUCKETS: usize = buckets_for(5, 60_000_000);
type Micros = Histogram<5, BUCKETS>;

#[test]
fn a_histogram_stands_in_a_static_and_has_the_documented_size() {
    static LATENCY: Micros = Histogram::new();
    LATENCY.record(7);
    assert_eq!(LATENCY.percentile(Ratio::percent(50)), Some(7));
    assert_eq!(size_of::<Micros>(), (BUCKETS + 1) * size_of::<Wide>());
    assert!(format!("{LATENCY:?}").contains("count: 1"));
}

#[test]
fn every_value_is_within_its_bucket_and_buckets_do_not_overlap() {
    for precision in [0, 1, 3, 7, MAX_PRECISION] {
        let all = buckets_for(precision, u64::MAX);
        assert_eq!(all, bucket_of(precision, u64::MAX) + 1);
        let mut next = 0;
        for bucket in 0..all {
            let (lowest, highest) = bounds_of(precision, bucket);
            assert_eq!(lowest, next, "{precision} {bucket}");
            assert_eq!(bucket_of(precision, lowest), bucket);
            assert_eq!(bucket_of(precision, highest), bucket);
            assert!(u128::from(highest - lowest) << precision <= u128::from(lowest), "{precision} {bucket}");
            next = highest.wrapping_add(1);
        }
        assert_eq!(next, 0, "the last bucket ends with the largest value");
    }
}

#[test]
fn b76_values_at_and_beyond_the_range_are_counted() {
    let histogram = Micros::new();
    let max = Micros::MAX_VALUE;
    assert!(max >= 60_000_000);
    for value in [0, 1, max - 1, max, max + 1, u64::MAX] {
        histogram.record(value);
    }
    assert_eq!((histogram.count(), histogram.out_of_range()), (6, 2));
    let in_buckets: u64 = histogram.snapshot().buckets().map(|bucket| bucket.count).sum();
    assert_eq!(in_buckets + histogram.out_of_range(), histogram.count());
    let at = |n| histogram.percentile(Ratio::try_new(n, 6).unwrap());
    assert_eq!([at(0), at(1), at(2)], [Some(0), Some(0), Some(1)]);
    assert_eq!([at(3), at(4), at(5), at(6)], [Some(max); 4]);
}

/// The counts were taken between the count of all and the search.
#[test]
fn a_rank_that_was_taken_meanwhile_is_the_highest_that_is_left() {
    let histogram = Micros::new();
    assert_eq!(histogram.beyond(Some(3)), Some(3));
    histogram.record(u64::MAX);
    assert_eq!(histogram.beyond(Some(3)), Some(Micros::MAX_VALUE));
}

#[test]
fn b76_a_histogram_of_all_values_has_nothing_out_of_range() {
    let histogram = Histogram::<0, { buckets_for(0, u64::MAX) }>::new();
    histogram.record(u64::MAX);
    assert_eq!(histogram.out_of_range(), 0);
    assert_eq!(histogram.percentile(Ratio::ONE), Some(u64::MAX));
}

#[test]
fn b77_an_empty_histogram_has_no_percentile() {
    let histogram = Micros::new();
    assert_eq!(histogram.percentile(Ratio::percent(99)), None);
    assert_eq!(histogram.snapshot().percentile(Ratio::ONE), None);
}

#[test]
fn counts_saturate_and_ranks_stay_in_range() {
    let mut snapshot = Snapshot::<5, BUCKETS>::new();
    snapshot.buckets[3] = Wide::MAX;
    snapshot.buckets[9] = Wide::MAX;
    let same = snapshot.clone();
    snapshot.merge(&same);
    assert_eq!(snapshot.buckets[3], Wide::MAX);
    assert_eq!(snapshot.percentile(Ratio::ZERO), Some(3));
    assert!(snapshot.percentile(Ratio::ONE).is_some());
    assert_eq!(rank(Ratio::ONE, u64::MAX), u64::MAX);
    assert_eq!(rank(Ratio::ZERO, 5), 1);
    assert_eq!(rank(Ratio::percent(50), 5), 3);
}

#[test]
fn the_difference_of_two_snapshots_is_what_came_between() {
    let histogram = Micros::new();
    histogram.record_n(10, 5);
    let before = histogram.snapshot();
    histogram.record_n(40, 3);
    histogram.record(u64::MAX);
    let between = histogram.snapshot().since(&before);
    assert_eq!((between.count(), between.out_of_range()), (4, 1));
    assert_eq!(between.percentile(Ratio::percent(50)), Some(40));
    assert_eq!(between.buckets().count(), 1);
    // A 32-bit bucket may have wrapped between the two.
    let mut wrapped = before.clone();
    wrapped.buckets[10] = Wide::MAX;
    assert_eq!(before.since(&wrapped).buckets[10], 6);
}

#[test]
fn what_is_taken_is_gone_and_can_be_merged_back() {
    let histogram = Micros::new();
    histogram.record_n(3, 2);
    histogram.record_n(u64::MAX, 4);
    let taken = histogram.take();
    assert_eq!((taken.count(), histogram.count()), (6, 0));
    histogram.merge(&taken);
    assert_eq!(histogram.snapshot(), taken);
    histogram.clear();
    assert_eq!(histogram.snapshot(), Snapshot::default());
}

#[test]
fn costs_are_as_documented() {
    let histogram = Micros::new();
    let cost = |call: &dyn Fn()| {
        let (accesses, ()) = probe::count(call);
        (accesses.loads as usize, accesses.writes as usize)
    };
    assert_eq!(cost(&|| histogram.record(77)), (0, 1));
    assert_eq!(cost(&|| histogram.record_n(u64::MAX, 9)), (0, 1));
    assert_eq!(cost(&|| assert_eq!(histogram.snapshot().count(), 10)), (BUCKETS + 1, 0));
    assert_eq!(cost(&|| histogram.clear()), (0, BUCKETS + 1));
    let percentile = cost(&|| assert_eq!(histogram.percentile(Ratio::ONE), None));
    assert_eq!(percentile, (BUCKETS + 1, 0));
}

#[test]
fn many_threads_lose_nothing() {
    const THREADS: u64 = 4;
    const VALUES: u64 = 20_000;
    let histogram = Micros::new();
    let taken = thread::scope(|scope| {
        for thread in 0..THREADS {
            let histogram = &histogram;
            scope.spawn(move || (0..VALUES).for_each(|value| histogram.record(value << thread)));
        }
        (0..50).map(|_| histogram.take().count()).collect::<Vec<_>>()
    });
    assert_eq!(taken.iter().sum::<u64>() + histogram.count(), THREADS * VALUES);
}
