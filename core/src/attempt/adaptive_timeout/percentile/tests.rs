extern crate std;

use std::{format, thread, vec, vec::Vec};

use super::*;
use crate::atomic::sync::probe::{Accesses, count};
use crate::attempt::adaptive_timeout::{MAX_TIMEOUT, micros};
use crate::measure::histogram::buckets_for;

const NOW: Instant = Instant::from_secs(100);

/// To one part in 128, up to twenty seconds.
type Fine = PercentileTimeout<7, { buckets_for(7, 20_000_000) }>;

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn starting_at(millis: u64) -> Fine {
    Fine::new(Config::new(ms(millis)))
}

fn attempt(timeout: &Fine, needs: Duration) -> bool {
    let given = timeout.current(NOW);
    let done = needs <= given;
    let outcome = if done { Outcome::Success } else { Outcome::Failure };
    timeout.record(outcome, needs.min(given));
    done
}

/// Whether two durations are equal up to the histogram's error, twice over, since twice the percentile is taken.
fn near(one: Duration, other: Duration) -> bool {
    one.abs_diff(other) <= other / 50
}

#[test]
fn it_waits_for_ten_samples_and_goes_a_tenth_down_and_half_up() {
    let timeout = starting_at(1000);
    let adjustments: Vec<_> = (0..20).filter_map(|_| timeout.record(Outcome::Success, ms(50))).collect();
    assert_eq!(adjustments.len(), 2);
    assert!(near(adjustments[0].to, ms(910)), "{adjustments:?}");
    assert!(near(adjustments[1].to, ms(829)), "{adjustments:?}");
    let up = starting_at(1000);
    let adjustment = (0..10).find_map(|_| up.record(Outcome::Slow, ms(1500))).unwrap();
    assert!(near(adjustment.to, ms(2000)), "half of the way from 1 s to 3 s: {adjustment:?}");
}

#[test]
fn it_arrives_at_twice_the_percentile() {
    for (start, latency) in [(1000, 20), (20, 900)] {
        let timeout = starting_at(start);
        for _ in 0..2000 {
            timeout.record(Outcome::Success, ms(latency));
        }
        assert!(near(timeout.current(NOW), ms(2 * latency)), "{timeout:?}");
        assert!(timeout.current(NOW) >= ms(2 * latency), "never below it");
    }
}

#[test]
fn one_slow_attempt_in_a_hundred_does_not_lengthen_it() {
    let timeout = starting_at(100);
    for n in 0..5000 {
        let latency = if n % 100 == 99 { ms(90) } else { ms(10) };
        timeout.record(Outcome::Success, latency);
    }
    assert!(near(timeout.current(NOW), ms(20)), "{timeout:?}");
}

/// Fast calls shorten the timeout to its floor; then everything is five milliseconds slower.
#[test]
fn tm1_attempts_that_time_out_are_samples_so_a_slower_peer_is_reached_again() {
    for (fast, slow) in [(5, 11), (6, 30), (10, 500), (10, 9000)] {
        let timeout = starting_at(1000);
        assert!((0..2000).all(|_| attempt(&timeout, ms(fast))));
        let short = timeout.current(NOW);
        assert!(near(short, ms(2 * fast)), "{timeout:?}");
        // Each batch of attempts that time out lengthens it by half, as long as 19 in 20 of the samples do not hide it.
        let lost = (0..1000).take_while(|_| !attempt(&timeout, ms(slow))).count();
        let steps = core::iter::successors(Some(2000 * fast), |micros| Some(micros * 3 / 2));
        let batches = steps.take_while(|&micros| micros < slow * 1000).count();
        assert!(lost <= 10 * (batches + 1), "{lost} of {slow} ms lost");
        for _ in 0..200 {
            attempt(&timeout, ms(slow));
        }
        assert!((0..1000).all(|_| attempt(&timeout, ms(slow))), "and it stays reached: {timeout:?}");
    }
}

#[test]
fn tm5_failures_that_come_soon_are_no_samples() {
    let timeout = starting_at(1000);
    for _ in 0..1000 {
        assert_eq!(timeout.record(Outcome::Failure, ms(1)), None);
        assert_eq!(timeout.record(Outcome::Ignored, ms(1)), None);
        assert_eq!(timeout.record(Outcome::Cancelled, ms(2000)), None);
    }
    assert_eq!((timeout.samples(), timeout.current(NOW)), (0, ms(1000)));
}

#[test]
fn tm5_what_is_set_by_hand_stays_until_told_otherwise() {
    let timeout = starting_at(1000);
    timeout.set(ms(5)).unwrap();
    for _ in 0..100 {
        assert_eq!(timeout.record(Outcome::Success, ms(3)), None);
    }
    assert_eq!((timeout.current(NOW), timeout.is_set()), (ms(5), true));
    assert!(timeout.set(MAX_TIMEOUT + Duration::from_micros(1)).is_err());
    timeout.resume();
    assert_eq!((timeout.current(NOW), timeout.is_set()), (ms(10), false));
}

#[test]
fn what_is_old_is_forgotten_after_a_hundred_samples() {
    let timeout = starting_at(1000);
    for _ in 0..500 {
        timeout.record(Outcome::Success, ms(1000));
    }
    for _ in 0..100 {
        timeout.record(Outcome::Success, ms(10));
    }
    let before = timeout.current(NOW);
    let after = (0..10).find_map(|_| timeout.record(Outcome::Success, ms(10))).unwrap();
    assert_eq!(after.from, before);
    assert!(near(after.to, (before * 9 + ms(20)) / 10), "{after:?}");
}

#[test]
fn the_bounds_hold_for_every_latency() {
    let timeout = starting_at(1000);
    for latency in [Duration::ZERO, MAX_TIMEOUT, Duration::from_nanos(u64::MAX), Duration::MAX] {
        for _ in 0..1000 {
            timeout.record(Outcome::Success, latency);
            assert!((ms(10)..=Duration::from_secs(300)).contains(&timeout.current(NOW)));
        }
        let at_the_end = if latency.is_zero() { ms(10) } else { Duration::from_micros(2 * 20_054_015) };
        assert!(near(timeout.current(NOW), at_the_end), "the range ends at twenty seconds: {timeout:?}");
    }
    assert!(Fine::try_new(Config::new(ms(1))).is_err());
}

#[test]
fn it_never_reaches_past_the_calls_own_deadline() {
    let timeout = starting_at(200);
    let call = Deadline::after(NOW, ms(150));
    assert_eq!(timeout.limit(call, NOW), call);
    assert_eq!(timeout.limit(Deadline::NONE, NOW), Deadline::after(NOW, ms(200)));
}

#[test]
fn the_count_of_samples_wraps_and_the_history_begins_anew() {
    let timeout = starting_at(100);
    timeout.samples.store(u32::MAX - 55, Ordering::Relaxed);
    for _ in 0..200 {
        timeout.record(Outcome::Success, ms(50));
        assert!(near(timeout.current(NOW), ms(100)), "{timeout:?}");
    }
    assert_eq!(timeout.samples(), 144);
}

#[test]
fn each_tenth_sample_of_four_threads_elects_one_caller() {
    let timeout = starting_at(20_000);
    let adjusted: usize = thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| (0..25).filter_map(|_| timeout.record(Outcome::Success, ms(1))).count()))
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!((adjusted, timeout.samples()), (10, 100));
}

#[test]
fn steps_arrive() {
    for (from, to) in [(1, 1000), (1000, 1), (7, 8), (8, 7), (5, 5), (u32::MAX, 1), (1, u32::MAX)] {
        let mut current = from;
        let steps = vec![(); 1000].into_iter().take_while(|()| {
            let next = approach(current, to);
            let moved = next != current;
            current = next;
            moved
        });
        assert!(steps.count() < 300);
        assert_eq!(current, to);
    }
}

#[test]
fn cost_of_a_call_and_size() {
    let timeout = starting_at(1000);
    let (one, _) = count(|| timeout.record(Outcome::Success, ms(1)));
    assert_eq!(one, Accesses { loads: 1, writes: 2 });
    let (late, _) = count(|| timeout.record(Outcome::Failure, ms(1000)));
    assert_eq!(late, Accesses { loads: 2, writes: 2 });
    assert!(format!("{timeout:?}").contains("samples: 2"));
    assert_eq!(micros(Duration::MAX), u32::MAX);
}
