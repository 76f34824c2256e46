extern crate std;
use core::time::Duration;
use std::vec::Vec;
use std::{format, thread};

use super::*;
use crate::atomic::sync::probe;

fn ten_seconds() -> Window<10> {
    Window::new(Span::time(Duration::from_secs(10)))
}

fn at(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

fn totals(calls: u32, failures: u32, slow: u32) -> Totals {
    Totals { calls, failures, slow }
}

#[test]
fn a_window_stands_in_a_static_and_has_the_documented_size() {
    static WINDOW: Window<4> = Window::new(Span::calls(4));
    assert_eq!(WINDOW.record(Sample::SLOW_FAILURE, Instant::ZERO), totals(1, 1, 1));
    assert_eq!(size_of::<Window<10>>(), 288);
    assert_eq!(size_of::<Window<0>>(), 88);
    assert!(format!("{WINDOW:?}").contains("slots: 4"));
}

#[test]
fn without_slots_nothing_is_recorded() {
    let window = Window::<0>::new(Span::calls(5));
    assert_eq!(window.record(Sample::FAILURE, at(1)), Totals::ZERO);
    window.clear(at(2));
    assert_eq!(window.totals(at(3)), Totals::ZERO);
    assert_eq!(probe::count(|| window.record(Sample::FAILURE, at(1))).0.writes, 0);
}

#[test]
fn each_kind_of_sample_is_counted_where_it_belongs() {
    let window = ten_seconds();
    assert_eq!(window.record(Sample::SUCCESS, at(0)), totals(1, 0, 0));
    assert_eq!(window.record(Sample::FAILURE, at(0)), totals(2, 1, 0));
    assert_eq!(window.record(Sample::SLOW_SUCCESS, at(0)), totals(3, 1, 1));
    assert_eq!(window.record(Sample::SLOW_FAILURE, at(0)), totals(4, 2, 2));
    assert_eq!(Sample::new(true, true), Sample::SLOW_FAILURE);
}

#[test]
fn costs_are_as_documented() {
    let window = ten_seconds();
    for second in 0..20 {
        window.record_only(Sample::SUCCESS, Instant::from_secs(second));
    }
    let cost = |call: &dyn Fn() -> Totals| {
        let (accesses, _) = probe::count(call);
        (accesses.loads, accesses.writes)
    };
    let add = |window: &Window<10>, now| {
        window.record_only(Sample::SUCCESS, now);
        Totals::ZERO
    };
    let now = Instant::from_secs(100);
    assert_eq!(cost(&|| add(&window, now)), (16, 7));
    assert_eq!(cost(&|| add(&window, now)), (1, 1));
    assert_eq!(cost(&|| window.totals(now)), (22, 0));
    for second in 101..110 {
        window.record_only(Sample::SUCCESS, Instant::from_secs(second));
    }
    let now = Instant::from_secs(109);
    assert_eq!(cost(&|| window.totals(now)), (12, 0));
    assert_eq!(cost(&|| window.record(Sample::SUCCESS, now)), (13, 1));
    window.clear(now);
    assert_eq!(cost(&|| window.totals(now)), (16, 0));

    let window = Window::<10>::new(Span::calls(100));
    window.record_only(Sample::SUCCESS, now);
    assert_eq!(cost(&|| add(&window, now)), (6, 1));
}

// How the windows of others went wrong.

#[test]
fn b71_after_a_pause_only_the_new_event_counts() {
    let window = ten_seconds();
    for second in 0..10 {
        window.record_only(Sample::SUCCESS, Instant::from_secs(second));
    }
    assert_eq!(window.totals(at(9_999)).calls, 10);
    assert_eq!(window.record(Sample::SUCCESS, Instant::from_secs(20)), totals(1, 0, 0));
}

#[test]
fn b72_buckets_do_not_drift_with_the_polling() {
    let window = Window::<3>::new(Span::time(Duration::from_secs(3)));
    window.record_only(Sample::FAILURE, at(0));
    for poll in 0..20 {
        let now = 1_900 * poll;
        let expected = u32::from(now < 3_000);
        assert_eq!(window.totals(at(now)).calls, expected, "at {now} ms");
    }
}

#[test]
fn b74_a_clock_that_steps_back_loses_nothing_and_clears_nothing() {
    let window = ten_seconds();
    for second in 90..=100 {
        window.record_only(Sample::SUCCESS, Instant::from_secs(second));
    }
    assert_eq!(window.totals(Instant::from_secs(100)).calls, 10);
    assert_eq!(window.record(Sample::FAILURE, Instant::from_secs(99)), totals(11, 1, 0));
    assert_eq!(window.record(Sample::FAILURE, Instant::from_secs(61)), totals(12, 2, 0));
    // The late events belong to the newest bucket.
    assert_eq!(window.totals(Instant::from_secs(109)), totals(3, 2, 0));
    assert_eq!(window.totals(Instant::from_secs(110)), Totals::ZERO);
}

#[test]
fn b74_a_clock_that_was_set_far_back_starts_the_window_anew() {
    let window = ten_seconds();
    for second in 1_000..1_010 {
        window.record_only(Sample::FAILURE, Instant::from_secs(second));
    }
    assert_eq!(window.totals(Instant::from_secs(100)), Totals::ZERO);
    assert_eq!(window.record(Sample::SUCCESS, Instant::from_secs(100)), totals(1, 0, 0));
    assert_eq!(window.record(Sample::SUCCESS, Instant::from_secs(101)), totals(2, 0, 0));
    // Nothing comes to life again when the clock passes the old instants a second time.
    for second in 111..1_020 {
        assert_eq!(window.totals(Instant::from_secs(second)), Totals::ZERO, "at {second} s");
    }
}

#[test]
fn b74_a_boundary_that_was_never_replaced_may_count_once_more() {
    // Found by the fuzz target `window`: with so few events two slots keep what they held before the clock was set back.
    let window = ten_seconds();
    window.record_only(Sample::FAILURE, Instant::from_secs(40));
    window.record_only(Sample::FAILURE, Instant::from_secs(207));
    assert_eq!(window.record(Sample::SUCCESS, Instant::from_secs(3)), totals(3, 2, 0));
    assert_eq!(window.totals(Instant::from_secs(49)), totals(3, 2, 0));
    assert_eq!(window.totals(Instant::from_secs(50)), Totals::ZERO);
    assert_eq!(window.record(Sample::SUCCESS, Instant::from_secs(53)), totals(1, 0, 0));
}

#[test]
fn b74_what_was_cleared_stays_so_when_the_clock_is_set_back() {
    // Found by the fuzz target `window`: the next event gave up the clearing, as one of long ago.
    let window = ten_seconds();
    window.record_only(Sample::FAILURE, Instant::from_secs(100));
    window.clear(Instant::from_secs(1_000));
    assert_eq!(window.record(Sample::SUCCESS, Instant::from_secs(101)), totals(1, 0, 0));
}

#[test]
fn b75_a_bucket_is_a_whole_number_of_nanoseconds() {
    let span = Duration::from_nanos(5);
    let refused = Window::<10>::try_new(Span::time(span)).unwrap_err();
    assert_eq!(refused.field, "window.span");
    assert!(Window::<5>::try_new(Span::time(span)).is_ok());
    assert!(Window::<3>::try_new(Span::time(span)).is_err());
    assert!(Window::<1>::try_new(Span::time(Duration::ZERO)).is_err());
    assert!(Window::<1>::try_new(Span::calls(0)).is_err());
}

#[test]
fn b75_the_longest_pause_is_one_step() {
    let window = Window::<3>::new(Span::time(Duration::from_secs(3)));
    window.record_only(Sample::SUCCESS, Instant::ZERO);
    let (accesses, sums) = probe::count(|| window.record(Sample::FAILURE, Instant::NEVER));
    assert_eq!(sums, totals(1, 1, 0));
    assert!(accesses.loads + accesses.writes < 60, "{accesses:?}");
}

#[test]
fn b77_an_empty_window_has_zero_sums() {
    assert_eq!(ten_seconds().totals(Instant::NEVER), Totals::ZERO);
    assert_eq!(Window::<3>::new(Span::calls(3)).totals(Instant::ZERO), Totals::ZERO);
}

#[test]
fn b78_sums_near_the_end_of_the_counters_saturate() {
    let window = ten_seconds();
    for counter in &window.counters {
        counter.store(u32::MAX - 1, Ordering::Relaxed);
    }
    assert_eq!(window.totals(at(0)), totals(u32::MAX, u32::MAX, u32::MAX));
}

// Sliding windows of other libraries, with their numbers.

#[test]
fn t25_sliding_time_window_of_five_seconds() {
    let window = Window::<5>::new(Span::time(Duration::from_secs(5)));
    window.record_only(Sample::FAILURE, at(0));
    window.record_only(Sample::SUCCESS, at(100));
    assert_eq!(window.record(Sample::SLOW_FAILURE, at(800)), totals(3, 2, 1));
    assert_eq!(window.totals(at(4_800)), totals(3, 2, 1));
    assert_eq!(window.totals(at(5_800)), Totals::ZERO);
    assert_eq!(window.record(Sample::SUCCESS, at(5_900)), totals(1, 0, 0));
    assert_eq!(window.record(Sample::SUCCESS, at(10_900)), totals(1, 0, 0));
}

#[test]
fn t27_the_window_is_respected() {
    let window = ten_seconds();
    let secs = Instant::from_secs;
    let mut seen = Vec::new();
    for (second, second_sample) in
        [(0, Sample::FAILURE), (2, Sample::FAILURE), (4, Sample::SUCCESS), (6, Sample::SUCCESS)]
    {
        seen.push((window.totals(secs(second)).calls, window.totals(secs(second)).failures));
        window.record_only(Sample::SUCCESS, secs(second));
        window.record_only(second_sample, secs(second));
    }
    assert_eq!(seen, [(0, 0), (2, 1), (4, 2), (6, 2)]);
    assert_eq!(window.totals(secs(8)), totals(8, 2, 0));
    window.record_only(Sample::SUCCESS, secs(8));
    window.record_only(Sample::SUCCESS, secs(8));
    assert_eq!(window.totals(secs(10)), totals(8, 1, 0));
    assert_eq!(window.totals(secs(12)), totals(6, 0, 0));
}

#[test]
fn t27_the_capacity_and_the_duration_are_respected() {
    let window = ten_seconds();
    for second in 0..10 {
        window.record_only(Sample::SUCCESS, Instant::from_secs(second));
    }
    assert_eq!(window.totals(Instant::from_secs(10)).calls, 9);
    assert_eq!(window.totals(Instant::from_secs(11)).calls, 8);

    let window = ten_seconds();
    window.record_only(Sample::SUCCESS, at(0));
    window.record_only(Sample::SUCCESS, at(0));
    assert_eq!(window.totals(at(10_000)).calls, 0);
    assert_eq!(window.totals(at(10_001)).calls, 0);
}

#[test]
fn t29_sliding_over_a_large_window() {
    let window = Window::<10>::new(Span::time(Duration::from_secs(20)));
    let add = |n: u64, second| {
        for _ in 0..n {
            window.record_only(Sample::SUCCESS, Instant::from_secs(second));
        }
    };
    for second in 0..=20 {
        add(second % 3, second);
    }
    let sum = |second| window.totals(Instant::from_secs(second)).calls;
    assert_eq!([sum(21), sum(22), sum(23), sum(28)], [20, 18, 18, 12]);
    add(1, 28);
    assert_eq!(sum(38), 3);
}

#[test]
fn t31_a_result_of_old_age_counts_to_the_newest_bucket() {
    let window = Window::<2>::new(Span::time(Duration::from_secs(2)));
    window.record_only(Sample::SUCCESS, Instant::from_secs(0));
    window.record_only(Sample::SUCCESS, Instant::from_secs(5));
    window.record_only(Sample::FAILURE, Instant::from_secs(4));
    assert_eq!(window.record(Sample::FAILURE, Instant::from_secs(2)), totals(3, 2, 0));
    assert_eq!(window.totals(Instant::from_secs(6)), totals(3, 2, 0));
    assert_eq!(window.totals(Instant::from_secs(7)), Totals::ZERO);
}

// Wrap.

#[test]
fn idle_across_the_wrap_costs_at_most_four_spans() {
    const LAP: u64 = 1 << 31;
    let at_bucket = |bucket: u64| Instant::from_nanos(bucket * 100);
    let window = Window::<10>::new(Span::time(Duration::from_micros(1)));
    let newest = LAP + 1;
    for (n, bucket) in (newest - 100..=newest).enumerate() {
        assert_eq!(window.record(Sample::SUCCESS, at_bucket(bucket)).calls, (n as u32 + 1).min(10));
    }
    for (bucket, seen) in [
        (newest + 9, 1),
        (newest + 10, 0),
        (newest + LAP / 4, 0),
        (newest + LAP / 2, 0),
        // The four spans before the numbers come round.
        (newest + LAP - 50, 0),
        (newest + LAP - 49, 10),
        (newest + LAP, 10),
        (newest + LAP + 9, 1),
        (newest + LAP + 10, 0),
    ] {
        assert_eq!(window.totals(at_bucket(bucket)).calls, seen, "bucket {bucket}");
    }
}

#[test]
fn calls_are_exact_through_the_wrap_of_the_counters() {
    for calls_before in [u32::MAX - 25, (1 << 31) - 35, u32::MAX / 2 - 20] {
        // The sums are asked for after each call, or after some: then it is a call that finds the lap over.
        for asked_after in [1, 10] {
            let window = Window::<10>::new(Span::calls(10));
            // As if so many successes had been recorded and forgotten.
            window.counters[0].store(calls_before, Ordering::Relaxed);
            window.left_behind.store(window.shape.calls_per_lap() * (calls_before >> 31), Ordering::Relaxed);
            let bucket = window.upcoming(Instant::ZERO);
            for (stamp, boundary) in window.stamps.iter().zip(&window.boundaries) {
                stamp.store(bucket.number << 1, Ordering::Relaxed);
                boundary[0].store(calls_before, Ordering::Relaxed);
            }
            for call in 1..=50 {
                window.record_only(Sample::new(call % 3 == 0, false), Instant::ZERO);
                if call % asked_after == 0 {
                    let sums = window.totals(Instant::ZERO);
                    assert_eq!(sums.calls, call.min(10), "call {call} after {calls_before}");
                    assert_eq!(sums.failures, call / 3 - call.saturating_sub(10) / 3);
                }
            }
        }
    }
}

// Clear.

#[test]
fn a_baseline_is_given_up_before_its_number_comes_round() {
    let window = ten_seconds();
    window.clear(Instant::from_secs(0));
    assert_eq!(window.clearing.load(Ordering::Relaxed), ONE_CLEAR | HELD);
    window.record_only(Sample::SUCCESS, Instant::from_secs(60));
    assert_eq!(window.clearing.load(Ordering::Relaxed), ONE_CLEAR | HELD);
    window.record_only(Sample::SUCCESS, Instant::from_secs(61));
    assert_eq!(window.clearing.load(Ordering::Relaxed), ONE_CLEAR);
    assert_eq!(window.totals(Instant::from_secs(61)).calls, 2);
    for clears in 2..5 {
        window.clear(Instant::from_secs(61));
        assert_eq!(
            window.clearing.load(Ordering::Relaxed),
            (clears * ONE_CLEAR) | HELD,
            "each has its number"
        );
    }
}

#[test]
fn a_clear_forgets_and_nothing_comes_back() {
    let window = ten_seconds();
    for second in 0..10 {
        window.record_only(Sample::FAILURE, Instant::from_secs(second));
        if second == 4 {
            window.clear(Instant::from_secs(second));
            assert_eq!(window.totals(Instant::from_secs(second)), Totals::ZERO);
        }
    }
    let sums: Vec<u32> = (9..22).map(|second| window.totals(Instant::from_secs(second)).failures).collect();
    assert_eq!(sums, [5, 5, 5, 5, 5, 5, 4, 3, 2, 1, 0, 0, 0]);
}

#[test]
fn a_clear_by_a_late_thread_holds_until_the_newest_bucket_has_expired() {
    let window = ten_seconds();
    window.record_only(Sample::FAILURE, Instant::from_secs(30));
    window.clear(Instant::from_secs(1));
    for second in 0..60 {
        assert_eq!(window.totals(Instant::from_secs(second)), Totals::ZERO, "at {second} s");
    }
}

#[test]
fn a_clear_of_calls_forgets_them() {
    let window = Window::<5>::new(Span::calls(5));
    for _ in 0..7 {
        window.record_only(Sample::FAILURE, Instant::ZERO);
    }
    window.clear(Instant::ZERO);
    for expected in [1, 2, 3, 4, 5, 5] {
        assert_eq!(window.record(Sample::SUCCESS, Instant::ZERO), totals(expected, 0, 0));
    }
}

#[test]
fn a_window_that_is_read_while_it_is_cleared_is_empty() {
    let window = ten_seconds();
    window.record_only(Sample::FAILURE, at(0));
    window.clearing.store(BUSY, Ordering::Relaxed);
    assert_eq!(window.totals(at(0)), Totals::ZERO);
    for _ in 0..2 {
        window.clear(at(0));
        assert_eq!(window.clearing.load(Ordering::Relaxed), BUSY | AGAIN);
    }
}

// Interrupted threads.

#[test]
fn a_boundary_whose_thread_sleeps_is_passed_over() {
    let window = ten_seconds();
    for second in 0..10 {
        window.record_only(Sample::SUCCESS, Instant::from_secs(second));
    }
    let stamp = &window.stamps[3];
    stamp.store(stamp.load(Ordering::Relaxed) | BUSY, Ordering::Relaxed);
    for second in 10..14 {
        window.record_only(Sample::SUCCESS, Instant::from_secs(second));
    }
    // Bucket 13 has no boundary of its own.
    assert_eq!(window.totals(Instant::from_secs(13)).calls, 10);
    assert_eq!(window.record(Sample::SUCCESS, Instant::from_secs(14)).calls, 11 - 1);
    assert_eq!(window.totals(Instant::from_secs(22)).calls, 2 - 1);
}

#[test]
fn many_threads_lose_nothing_and_count_nothing_twice() {
    const THREADS: u32 = 4;
    const EVENTS: u32 = 20_000;
    let window = Window::<8>::new(Span::time(Duration::from_nanos(u64::from(EVENTS) * 8)));
    let last_calls = Window::<8>::new(Span::calls(1 << 20));
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (window, last_calls) = (&window, &last_calls);
            scope.spawn(move || {
                for event in 0..EVENTS {
                    let sample = Sample::new(event & 1 == 0, thread & 1 == 0);
                    let now = Instant::from_nanos(u64::from(event * 7));
                    let sums = window.record(sample, now);
                    assert!(sums.calls <= THREADS * EVENTS && sums.failures <= sums.calls);
                    last_calls.record_only(sample, now);
                }
            });
        }
    });
    let all = THREADS * EVENTS;
    let end = Instant::from_nanos(u64::from(EVENTS) * 7);
    assert_eq!(window.totals(end), totals(all, all / 2, all / 2));
    assert_eq!(last_calls.totals(end), totals(all, all / 2, all / 2));
}

/// Of windows of every length, with buckets of one call and of several, before and after a clear.
#[test]
fn a_window_knows_of_what_its_sums_leave_out() {
    for calls in [1, 2, 3, 4, 5, 7, 40, 41] {
        let window = Window::<4>::new(Span::calls(calls));
        for _ in 0..3 {
            for seen in 1..=3 * calls {
                let sums = window.record(Sample::SUCCESS, Instant::ZERO);
                for minimum in 1..=calls {
                    let expected = (seen >= minimum).then_some(sums.calls.max(minimum));
                    assert_eq!(window.judged(minimum, sums), expected, "{minimum} of {seen} in {calls}");
                }
                assert_eq!(window.judged(2 * calls + 1, sums), None, "more than it is ever over");
            }
            window.clear(Instant::ZERO);
        }
        // Long after the baseline was given up.
        for _ in 0..100 * calls {
            window.record_only(Sample::SUCCESS, Instant::ZERO);
        }
        assert!(window.judged(calls, window.record(Sample::SUCCESS, Instant::ZERO)).is_some());
    }
    let time = Window::<4>::new(Span::time(Duration::from_secs(4)));
    let sums = time.record(Sample::SUCCESS, Instant::ZERO);
    assert_eq!([time.judged(1, sums), time.judged(2, sums)], [Some(1), None]);
}
