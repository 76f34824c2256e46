extern crate std;
use std::string::ToString;
use std::vec::Vec;
use std::{format, thread};

use super::*;
use crate::atomic::sync::{Wide, probe};
use crate::measure::histogram::buckets_for;

/// Of values up to 15, exactly, in epochs of 30 seconds.
const BUCKETS: usize = buckets_for(3, 15);
type Small = RotatingHistogram<3, BUCKETS>;

fn small() -> Small {
    RotatingHistogram::new(Duration::from_secs(60))
}

fn secs(secs: u64) -> Instant {
    Instant::from_secs(secs)
}

#[test]
fn it_stands_in_a_static_and_has_the_documented_size() {
    static LATENCY: Small = RotatingHistogram::new(Duration::from_secs(60));
    LATENCY.record(7, secs(1));
    assert_eq!(LATENCY.percentile(Ratio::percent(50), secs(1)), Some(7));
    if Wide::BITS == 64 {
        assert_eq!(size_of::<Small>(), 8 * (3 * BUCKETS + 3) + 16);
    }
    assert!(format!("{LATENCY:?}").contains("epoch: 0"));
}

#[test]
fn values_expire_after_half_a_span_to_a_span() {
    let histogram = small();
    for second in 0..30 {
        histogram.record(second % 16, secs(second));
    }
    assert_eq!(histogram.count(secs(59)), 30);
    assert_eq!(histogram.count(secs(60)), 0, "nothing began the second epoch");
    histogram.record(9, secs(59));
    assert_eq!([29, 59, 60, 89, 90].map(|second| histogram.count(secs(second))), [31, 31, 1, 1, 0]);
    histogram.record(1, secs(60));
    assert_eq!([60, 89, 90, 119, 120].map(|second| histogram.count(secs(second))), [2, 2, 1, 1, 0]);
}

#[test]
fn an_epoch_that_begins_is_busy_until_its_boundary_is_there() {
    for passed in [1, 2] {
        let begun = State::begin(5, passed);
        assert!(begun.is_busy() && !begun.settle().is_busy());
        assert_eq!((begun.epoch(), begun.is_alone()), (5, passed == 2));
        assert_eq!((begun.base(6), begun.settle().base(6)), ((passed == 1).then_some(0), Some(1)));
    }
}

/// Against a list of values with their epochs, in every pattern of pauses.
#[test]
fn counts_and_percentiles_equal_the_model() {
    let mut seed = 7_u64;
    let mut draw = |bound: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) % bound
    };
    for _ in 0..200 {
        let histogram = small();
        let mut values = Vec::new();
        let mut now = draw(1000);
        for _ in 0..60 {
            now += [0, 1, 10, 31, 61, 200][draw(6) as usize];
            let value = draw(20);
            histogram.record(value, secs(now));
            values.push((now / 30, value));
            let mut recent: Vec<_> = values
                .iter()
                .filter(|&&(epoch, _)| now / 30 - epoch < 2)
                .map(|&(_, value)| value.min(15))
                .collect();
            recent.sort_unstable();
            assert_eq!(histogram.count(secs(now)), recent.len() as u64);
            let beyond = values.iter().filter(|&&(epoch, value)| now / 30 - epoch < 2 && value > 15).count();
            let snapshot = histogram.snapshot(secs(now));
            assert_eq!((snapshot.count(), snapshot.out_of_range()), (recent.len() as u64, beyond as u64));
            assert_eq!(histogram.out_of_range(secs(now)), beyond as u64);
            for percent in [0, 1, 50, 90, 100] {
                let index = (recent.len() * percent).div_ceil(100).max(1) - 1;
                let share = Ratio::percent(percent as u32);
                assert_eq!(histogram.percentile(share, secs(now)), Some(recent[index]));
                assert_eq!(snapshot.percentile(share), Some(recent[index]));
            }
        }
    }
}

#[test]
fn b71_a_long_pause_leaves_nothing() {
    let histogram = small();
    (0..10).for_each(|second| histogram.record(3, secs(second)));
    for pause in [60, 3_600, 1 << 32] {
        assert_eq!(histogram.count(secs(pause)), 0);
        assert_eq!(histogram.percentile(Ratio::ONE, secs(pause)), None);
    }
    histogram.record(5, secs(1 << 33));
    assert_eq!(histogram.count(secs(1 << 33)), 1);
}

#[test]
fn b74_a_clock_that_steps_back_loses_nothing_or_begins_anew() {
    let histogram = small();
    histogram.record(1, secs(1_000));
    histogram.record(2, secs(1_000 - 8 * 30));
    assert_eq!(histogram.count(secs(1_000 - 8 * 30)), 2);
    assert_eq!(histogram.count(secs(1_000)), 2);
    histogram.record(3, secs(100));
    assert_eq!((histogram.count(secs(100)), histogram.count(secs(1_000))), (1, 0));
}

#[test]
fn idle_across_the_wrap_is_recent_for_two_epochs() {
    let histogram = RotatingHistogram::<3, BUCKETS>::new(Duration::from_nanos(2));
    histogram.record(1, Instant::from_nanos(100));
    let wrap = u64::from(LAP);
    let count = |nanos| histogram.count(Instant::from_nanos(nanos));
    assert_eq!([wrap / 2, wrap + 91, wrap + 102].map(count), [0; 3]);
    assert_eq!((wrap + 92..wrap + 102).map(count).sum::<u64>(), 10);
    assert_eq!(count(u64::MAX), 0);
}

#[test]
fn values_out_of_range_take_their_place_in_the_ranks() {
    let histogram = small();
    for value in [3, 16, u64::MAX] {
        histogram.record(value, secs(1));
    }
    assert_eq!(histogram.percentile(Ratio::percent(33), secs(1)), Some(3));
    assert_eq!(histogram.percentile(Ratio::percent(34), secs(1)), Some(15));
    assert_eq!(histogram.count(secs(1)), 3);
}

#[test]
fn snapshots_of_recent_values_merge_and_go_into_a_histogram() {
    let (one, other) = (small(), small());
    one.record(3, secs(1));
    one.record(99, secs(31));
    other.record(5, secs(31));
    other.record(98, secs(61));
    let mut both = one.snapshot(secs(61));
    both.merge(&other.snapshot(secs(61)));
    assert_eq!((both.count(), both.out_of_range()), (3, 2), "3 is no longer recent");
    assert_eq!(both.percentile(Ratio::percent(33)), Some(5));
    assert_eq!(both.buckets().map(|bucket| (bucket.lowest, bucket.count)).collect::<Vec<_>>(), [(5, 1)]);
    let all = Histogram::<3, BUCKETS>::new();
    all.merge(&both);
    assert_eq!((all.count(), all.out_of_range(), all.percentile(Ratio::ONE)), (3, 2, Some(15)));
    // Each recent value counts once, through the change of an epoch and after it.
    assert_eq!([89, 90, 119, 120].map(|second| one.out_of_range(secs(second))), [1, 0, 0, 0]);
    assert_eq!([91, 120].map(|second| other.out_of_range(secs(second))), [1, 0]);
    assert_eq!(one.snapshot(secs(90)), Snapshot::new());
}

#[test]
fn b75_a_span_without_two_halves_is_refused() {
    let error = Small::try_new(Duration::from_nanos(1)).unwrap_err().to_string();
    assert_eq!(error, "rotating_histogram.span must be at least two nanoseconds");
    for span in [Duration::from_nanos(2), Duration::MAX] {
        let histogram = Small::new(span);
        for now in [0, 1, u64::MAX / 2, u64::MAX] {
            histogram.record(4, Instant::from_nanos(now));
            assert!(histogram.count(Instant::from_nanos(now)) > 0);
        }
    }
}

#[test]
fn costs_are_as_documented() {
    let histogram = small();
    let cost = |call: &dyn Fn()| {
        let (accesses, ()) = probe::count(call);
        (accesses.loads as usize, accesses.writes as usize)
    };
    assert_eq!(cost(&|| histogram.record(1, secs(1))), (1, 1));
    assert_eq!(cost(&|| histogram.record(15, secs(31))), (BUCKETS + 2, BUCKETS + 4));
    assert_eq!(
        cost(&|| assert_eq!(histogram.percentile(Ratio::ONE, secs(31)), Some(15))),
        (4 * BUCKETS + 4, 0)
    );
    assert_eq!(cost(&|| assert_eq!(histogram.snapshot(secs(31)).count(), 2)), (2 * BUCKETS + 4, 0));
    assert_eq!(cost(&|| assert_eq!(histogram.count(secs(31)), 2)), (2 * BUCKETS + 4, 0));
    assert_eq!(cost(&|| assert_eq!(histogram.out_of_range(secs(31)), 0)), (4, 0));
}

#[test]
fn many_threads_lose_nothing_that_stays_recent() {
    let histogram = small();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..10_000).for_each(|n| histogram.record(n % 16, secs(n % 30))));
        }
        for _ in 0..1_000 {
            assert!(histogram.percentile(Ratio::ONE, secs(29)).is_none_or(|value| value < 16));
        }
    });
    assert_eq!(histogram.count(secs(29)), 40_000);
}
