extern crate std;

use std::{format, thread};

use super::*;
use crate::atomic::sync::probe::{Accesses, count, with_spurious_failures};

const NOW: Instant = Instant::from_secs(100);

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn starting_at(millis: u64) -> AdaptiveTimeout {
    AdaptiveTimeout::new(Config::new(ms(millis)))
}

/// An attempt that needs `needs`, under the present timeout; whether it came through.
fn attempt(timeout: &AdaptiveTimeout, needs: Duration) -> bool {
    let given = timeout.current(NOW);
    let done = needs <= given;
    let outcome = if done { Outcome::Success } else { Outcome::Failure };
    timeout.record(outcome, needs.min(given));
    done
}

#[test]
fn s2_6_a_success_shortens_by_a_twentieth_down_to_twice_the_latency() {
    let timeout = starting_at(1000);
    assert_eq!(timeout.record(Outcome::Success, ms(1)), Some(Adjustment { from: ms(1000), to: ms(950) }));
    assert_eq!(timeout.record(Outcome::Success, ms(470)).unwrap().to, ms(940), "twice the latency");
    assert_eq!(timeout.record(Outcome::Success, ms(700)).unwrap().to, ms(1400), "also where that is longer");
    assert_eq!(timeout.record(Outcome::Slow, ms(800)).unwrap().to, ms(1600), "a slow success is one");
}

#[test]
fn s2_6_a_timeout_lengthens_by_a_tenth() {
    let timeout = starting_at(1000);
    assert_eq!(timeout.record(Outcome::Failure, ms(1000)).unwrap().to, ms(1100));
    assert_eq!(timeout.record(Outcome::Failure, ms(1200)).unwrap().to, ms(1210));
}

#[test]
fn s2_6_the_bounds_are_ten_milliseconds_and_five_minutes_unless_configured() {
    let timeout = starting_at(1000);
    for _ in 0..100 {
        timeout.record(Outcome::Success, Duration::ZERO);
    }
    assert_eq!(timeout.current(NOW), ms(10));
    assert_eq!(timeout.record(Outcome::Success, Duration::ZERO), None, "it is as short as it gets");
    timeout.record(Outcome::Success, Duration::MAX);
    assert_eq!(timeout.current(NOW), Duration::from_secs(300));
    assert_eq!(timeout.record(Outcome::Failure, Duration::MAX), None, "it is as long as it gets");

    let own = AdaptiveTimeout::new(Config::new(ms(5)).at_least(ms(2)).at_most(ms(6)));
    own.record(Outcome::Failure, ms(5));
    own.record(Outcome::Failure, ms(6));
    assert_eq!(own.current(NOW), ms(6));
    for _ in 0..100 {
        own.record(Outcome::Success, Duration::ZERO);
    }
    assert_eq!(own.current(NOW), ms(2));
}

/// A hundred fast calls shorten a second to ten milliseconds; then everything is five milliseconds slower.
#[test]
fn tm1_attempts_that_time_out_count_so_a_slower_peer_is_reached_again() {
    let timeout = starting_at(1000);
    assert!((0..100).all(|_| attempt(&timeout, ms(6))));
    let short = timeout.current(NOW);
    assert_eq!(short, ms(12));
    for slower in [11, 13, 20, 120, 12_000] {
        let lost = (0..1000).take_while(|_| !attempt(&timeout, ms(slower))).count();
        let steps = core::iter::successors(Some(11_000), |micros| Some(micros + micros / 10));
        let bound = steps.take_while(|&micros| micros < slower * 1000).count();
        assert!(lost <= bound, "{lost} attempts of {slower} ms lost, at most {bound}");
        assert!((0..100).all(|_| attempt(&timeout, ms(slower))), "and it stays reached");
        timeout.set(ms(11)).unwrap();
        timeout.resume();
    }
}

#[test]
fn tm5_what_is_set_by_hand_stays_until_told_otherwise() {
    let timeout = starting_at(100);
    timeout.set(ms(5)).unwrap();
    assert!(timeout.is_set());
    for outcome in [Outcome::Success, Outcome::Failure] {
        assert_eq!(timeout.record(outcome, ms(500)), None);
        assert_eq!(timeout.current(NOW), ms(5), "also outside the bounds");
    }
    timeout.resume();
    assert!(!timeout.is_set());
    assert_eq!(timeout.current(NOW), ms(10), "moved into the bounds");
    assert_eq!(timeout.record(Outcome::Failure, ms(10)).unwrap().to, ms(11));
    timeout.resume();
    assert_eq!(timeout.current(NOW), ms(11), "nothing to resume");
    assert_eq!(timeout.set(Duration::from_nanos(999)).unwrap_err().field, "adaptive_timeout.set");
    assert!(timeout.set(MAX_TIMEOUT + Duration::from_micros(1)).is_err());
    assert_eq!(timeout.current(NOW), ms(11));
    assert!(timeout.set(MAX_TIMEOUT).is_ok());
    assert_eq!(timeout.current(NOW), MAX_TIMEOUT);
}

#[test]
fn tm5_a_failure_that_comes_soon_does_not_shorten_the_timeout() {
    let timeout = starting_at(1000);
    for _ in 0..1000 {
        assert_eq!(timeout.record(Outcome::Failure, ms(1)), None);
        assert_eq!(timeout.record(Outcome::Ignored, ms(5000)), None);
        assert_eq!(timeout.record(Outcome::Cancelled, ms(5000)), None);
    }
    assert_eq!(timeout.current(NOW), ms(1000));
    let eager = AdaptiveTimeout::new(Config::new(ms(1000)).grow_on(Growth::Failures));
    assert_eq!(eager.record(Outcome::Failure, ms(1)).unwrap().to, ms(1100));
    assert_eq!(eager.record(Outcome::Ignored, ms(1)), None);
}

#[test]
fn many_that_time_out_together_lengthen_it_once() {
    let timeout = starting_at(1000);
    let adjusted = (0..1000).filter(|_| timeout.record(Outcome::Failure, ms(1001)).is_some()).count();
    assert_eq!((adjusted, timeout.current(NOW)), (1, ms(1100)));
}

#[test]
fn a_timer_that_is_a_little_early_is_no_lock_in() {
    let timeout = starting_at(1000);
    assert!(timeout.record(Outcome::Failure, Duration::from_micros(937_500)).is_some());
    let timeout = starting_at(1000);
    assert!(timeout.record(Outcome::Failure, Duration::from_micros(937_499)).is_none());
}

#[test]
fn it_never_reaches_past_the_calls_own_deadline() {
    let timeout = starting_at(200);
    let call = Deadline::after(NOW, ms(150));
    assert_eq!(timeout.limit(call, NOW), call);
    assert_eq!(timeout.limit(Deadline::NONE, NOW), Deadline::after(NOW, ms(200)));
    assert_eq!(timeout.limit(Deadline::after(NOW, ms(201)), NOW), Deadline::after(NOW, ms(200)));
    assert!(timeout.limit(Deadline::NONE, Instant::NEVER).is_none(), "the end of time");
    let over = Deadline::at(Instant::from_secs(99));
    assert_eq!(timeout.limit(over, NOW), over);
}

#[test]
fn a_value_outside_its_bound_is_named() {
    let named =
        |config: Config| AdaptiveTimeout::try_new(config).map_or_else(|error| error.field, |_| "fine");
    let config = Config::new(ms(100));
    assert_eq!(named(config), "fine");
    assert_eq!(named(Config::new(ms(9))), "adaptive_timeout.initial");
    assert_eq!(named(Config::new(Duration::MAX)), "adaptive_timeout.initial");
    assert_eq!(named(config.at_least(Duration::from_nanos(999))), "adaptive_timeout.at_least");
    assert_eq!(named(config.at_most(Duration::MAX)), "adaptive_timeout.at_most");
    assert_eq!(named(config.at_most(MAX_TIMEOUT)), "fine");
    assert_eq!(named(config.at_least(ms(101))), "adaptive_timeout.initial");
    assert_eq!(named(config.at_least(ms(2)).at_most(ms(1))), "adaptive_timeout.at_least");
    assert_eq!((config.initial(), config.bounds()), (ms(100), (ms(10), Duration::from_secs(300))));
}

#[test]
fn the_smallest_timeouts_move_too() {
    let micro = Duration::from_micros(1);
    let timeout = AdaptiveTimeout::new(Config::new(micro).at_least(micro));
    assert_eq!(timeout.record(Outcome::Failure, micro).unwrap().to, 2 * micro);
    assert_eq!(timeout.record(Outcome::Success, Duration::ZERO).unwrap().to, micro);
    assert_eq!(timeout.record(Outcome::Success, Duration::ZERO), None);
}

#[test]
fn no_elapsed_time_panics_and_the_bounds_always_hold() {
    let timeout = AdaptiveTimeout::new(Config::new(MAX_TIMEOUT).at_most(MAX_TIMEOUT));
    for elapsed in
        [Duration::ZERO, Duration::from_nanos(1), MAX_TIMEOUT, Duration::from_nanos(u64::MAX), Duration::MAX]
    {
        for outcome in [Outcome::Failure, Outcome::Success, Outcome::Ignored, Outcome::Cancelled] {
            timeout.record(outcome, elapsed);
            assert!((ms(10)..=MAX_TIMEOUT).contains(&timeout.current(NOW)));
        }
    }
}

#[test]
fn four_threads_take_serial_steps_only() {
    let timeout = AdaptiveTimeout::new(Config::new(ms(1000)).grow_on(Growth::Failures));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut adjusted = 0;
                for _ in 0..5 {
                    adjusted += u32::from(timeout.record(Outcome::Failure, Duration::ZERO).is_some());
                }
                assert_eq!(adjusted, 5);
            });
        }
    });
    let serial = (0..20).fold(1_000_000_u32, |micros, _| micros + micros.div_ceil(10));
    assert_eq!(timeout.current(NOW), Duration::from_micros(serial.into()));
}

#[test]
fn exchanges_that_fail_spuriously_change_nothing() {
    for n in 2..6 {
        with_spurious_failures(n, || {
            s2_6_a_success_shortens_by_a_twentieth_down_to_twice_the_latency();
            tm5_what_is_set_by_hand_stays_until_told_otherwise();
        });
    }
}

#[test]
fn cost_of_a_call_and_size() {
    let timeout = starting_at(1000);
    let (read, _) = count(|| timeout.limit(Deadline::NONE, NOW));
    assert_eq!(read, Accesses { loads: 1, writes: 0 });
    let (adjusted, _) = count(|| timeout.record(Outcome::Success, ms(1)));
    assert_eq!(adjusted, Accesses { loads: 1, writes: 1 });
    let (idle, _) = count(|| timeout.record(Outcome::Failure, ms(1)));
    assert_eq!(idle, Accesses { loads: 1, writes: 0 });
    assert_eq!(size_of::<AdaptiveTimeout>(), 20);
    assert!(format!("{timeout:?}").contains("current: 950ms, is_set: false"));
}

#[test]
fn the_word_survives_packing() {
    for micros in [0, 1, MICROS.max()] {
        for fixed in [false, true] {
            let state = State::unpack(State { micros, fixed }.pack());
            assert_eq!((state.micros, state.fixed), (micros, fixed));
        }
    }
}
