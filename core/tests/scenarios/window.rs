//! Windows and histograms: which events count, and how exactly.

use core::time::Duration;

use seawall_core::histogram::{Histogram, buckets_for};
use seawall_core::window::{Sample, Span, Totals, Window};
use seawall_core::{Instant, Ratio};

use super::support::{SECOND, ms, s};

fn totals(calls: u32, failures: u32, slow: u32) -> Totals {
    Totals { calls, failures, slow }
}

fn ten_seconds() -> Window<10> {
    Window::new(Span::time(10 * SECOND))
}

#[cfg_attr(test, test)]
pub(crate) fn t25_five_seconds_slide() {
    let window = Window::<5>::new(Span::time(5 * SECOND));
    window.record_only(Sample::FAILURE, ms(0));
    window.record_only(Sample::SUCCESS, ms(100));
    assert_eq!(window.record(Sample::SLOW_FAILURE, ms(800)), totals(3, 2, 1));
    assert_eq!(window.totals(ms(4_800)), totals(3, 2, 1));
    assert_eq!(window.totals(ms(5_800)), Totals::ZERO);
    assert_eq!(window.record(Sample::SUCCESS, ms(5_900)), totals(1, 0, 0));
    assert_eq!(window.record(Sample::SUCCESS, ms(10_900)), totals(1, 0, 0));
}

#[cfg_attr(test, test)]
pub(crate) fn t27_the_window_is_respected() {
    let window = ten_seconds();
    let seen = [0, 2, 4, 6, 8].map(|second| {
        let before = window.totals(s(second));
        window.record_only(if second < 4 { Sample::FAILURE } else { Sample::SUCCESS }, s(second));
        window.record_only(Sample::SUCCESS, s(second));
        (before.calls, before.failures)
    });
    assert_eq!(seen, [(0, 0), (2, 1), (4, 2), (6, 2), (8, 2)]);
    assert_eq!(window.totals(s(10)), totals(8, 1, 0));
    assert_eq!(window.totals(s(12)), totals(6, 0, 0));
}

#[cfg_attr(test, test)]
pub(crate) fn t27_capacity_and_duration_are_respected() {
    let window = ten_seconds();
    for second in 0..10 {
        window.record_only(Sample::SUCCESS, s(second));
    }
    assert_eq!((window.totals(s(10)).calls, window.totals(s(11)).calls), (9, 8));

    let window = ten_seconds();
    window.record_only(Sample::SUCCESS, ms(0));
    window.record_only(Sample::SUCCESS, ms(0));
    assert_eq!((window.totals(ms(10_000)).calls, window.totals(ms(10_001)).calls), (0, 0));
}

#[cfg_attr(test, test)]
pub(crate) fn t29_a_large_window_slides() {
    let window = Window::<10>::new(Span::time(20 * SECOND));
    for second in 0..=20 {
        for _ in 0..second % 3 {
            window.record_only(Sample::SUCCESS, s(second));
        }
    }
    assert_eq!([21, 22, 23, 28].map(|second| window.totals(s(second)).calls), [20, 18, 18, 12]);
    window.record_only(Sample::SUCCESS, s(28));
    assert_eq!(window.totals(s(38)).calls, 3);
}

#[cfg_attr(test, test)]
pub(crate) fn t31_a_result_of_old_age_counts_to_the_newest_bucket() {
    let window = Window::<2>::new(Span::time(2 * SECOND));
    window.record_only(Sample::SUCCESS, s(0));
    window.record_only(Sample::SUCCESS, s(5));
    window.record_only(Sample::FAILURE, s(4));
    assert_eq!(window.totals(s(6)), totals(2, 1, 0));
    assert_eq!(window.totals(s(7)), Totals::ZERO);
}

#[cfg_attr(test, test)]
pub(crate) fn b71_after_a_pause_only_the_new_event_counts() {
    let window = ten_seconds();
    for second in 0..10 {
        window.record_only(Sample::SUCCESS, s(second));
    }
    assert_eq!(window.totals(ms(9_999)).calls, 10);
    assert_eq!(window.record(Sample::SUCCESS, s(20)), totals(1, 0, 0));
}

#[cfg_attr(test, test)]
pub(crate) fn b72_buckets_do_not_drift_with_the_polling() {
    let window = Window::<3>::new(Span::time(3 * SECOND));
    window.record_only(Sample::FAILURE, ms(0));
    for poll in 0..20 {
        let now = 1_900 * poll;
        assert_eq!(window.totals(ms(now)).calls, u32::from(now < 3_000), "at {now} ms");
    }
}

#[cfg_attr(test, test)]
pub(crate) fn b75_the_longest_pause_is_one_step() {
    let window = Window::<3>::new(Span::time(3 * SECOND));
    window.record_only(Sample::SUCCESS, Instant::ZERO);
    assert_eq!(window.record(Sample::FAILURE, Instant::NEVER), totals(1, 1, 0));
    assert!(Window::<10>::try_new(Span::time(Duration::from_nanos(5))).is_err());
}

/// A plain copy of all events is the model: sums equal those of whole, aligned buckets at every step.
#[cfg_attr(test, test)]
pub(crate) fn sums_equal_the_model_of_aligned_buckets() {
    const EVENTS: usize = 200;
    let window = Window::<4>::new(Span::time(4 * SECOND));
    let mut at = [0_u64; EVENTS];
    let (mut now, mut draw) = (0_u64, 12_345_u32);
    for i in 0..EVENTS {
        draw = draw.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        // Mostly small steps, now and then a pause longer than the window.
        now += u64::from(draw >> 24) * if draw & 0xff00 == 0 { 40 } else { 4 };
        at[i] = now;
        let live = at[..=i].iter().filter(|&&event| now / 1000 - event / 1000 < 4).count();
        assert_eq!(window.record(Sample::SUCCESS, ms(now)).calls as usize, live, "event {i} at {now} ms");
    }
}

#[cfg_attr(test, test)]
pub(crate) fn a_window_of_calls_equals_the_model_through_many_laps() {
    let window = Window::<8>::new(Span::calls(8));
    let mut last = [false; 8];
    let mut draw = 1_u32;
    for i in 0..3000 {
        draw = draw.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        last[i % 8] = draw >> 31 == 1;
        let sums = window.record(Sample::new(last[i % 8], false), Instant::ZERO);
        let failures = last.iter().filter(|&&failed| failed).count();
        assert_eq!((sums.calls as usize, sums.failures as usize), ((i + 1).min(8), failures), "call {i}");
    }
}

#[cfg_attr(test, test)]
pub(crate) fn b76_values_out_of_range_are_counted_apart() {
    static HISTOGRAM: Histogram<3, { buckets_for(3, 1000) }> = Histogram::new();
    let highest = Histogram::<3, { buckets_for(3, 1000) }>::MAX_VALUE;
    for value in [0, 1, highest - 1, highest, highest + 1, u64::MAX] {
        HISTOGRAM.record(value);
    }
    assert_eq!((HISTOGRAM.count(), HISTOGRAM.out_of_range()), (6, 2));
    assert_eq!(HISTOGRAM.percentile(Ratio::ZERO), Some(0));
    assert_eq!(HISTOGRAM.percentile(Ratio::ONE), Some(highest));
}

#[cfg_attr(test, test)]
pub(crate) fn a_percentile_is_above_the_true_value_by_less_than_its_precision() {
    static HISTOGRAM: Histogram<5, { buckets_for(5, 100_000) }> = Histogram::new();
    for value in 1..=2000 {
        HISTOGRAM.record(value * 37);
    }
    for percent in 1..=100 {
        let exact = u64::from(percent) * 20 * 37;
        let found = HISTOGRAM.percentile(Ratio::percent(percent)).unwrap();
        assert!((exact..exact + exact.div_ceil(32)).contains(&found), "P{percent}: {found}, exactly {exact}");
    }
}
