extern crate std;

use core::time::Duration;

use super::state::{MAX_FAILURES, Mode, Snapshot};
use super::{Cause, Cell, CircuitBreaker, Config, Permit, Reason, Rejected, Settlement, State, Ticket};
use crate::atomic::sync::Wide;
use crate::atomic::sync::probe::{Accesses, count, with_spurious_failures};
use crate::attempt::backoff::{Backoff, Jitter};
use crate::measure::window::Span;
use crate::outcome::Outcome;
use crate::ratio::Ratio;
use crate::time::Instant;

mod half_open;
mod interrupted;
mod order;
mod ramp;
mod resume;
mod shadow;

const MINUTE: Duration = Duration::from_secs(60);

fn s(seconds: u64) -> Instant {
    Instant::from_secs(seconds)
}

/// One call that ends as `outcome` at once.
fn call<const N: usize>(
    breaker: &CircuitBreaker<N>,
    outcome: Outcome,
    now: Instant,
) -> Result<Settlement, Rejected> {
    breaker.try_acquire(now).map(|permit| permit.record(outcome, now))
}

/// S success, F failure, L slow, X ignored.
fn outcome_of(letter: char) -> Outcome {
    match letter {
        'S' => Outcome::Success,
        'F' => Outcome::Failure,
        'L' => Outcome::Slow,
        _ => Outcome::Ignored,
    }
}

/// Calls that end as the letters say. All must be admitted.
fn calls<const N: usize>(breaker: &CircuitBreaker<N>, letters: &str, now: Instant) {
    for letter in letters.chars() {
        call(breaker, outcome_of(letter), now)
            .unwrap_or_else(|rejected| panic!("{letter} of {letters}: {rejected}"));
    }
}

fn state<const N: usize>(breaker: &CircuitBreaker<N>, now: Instant) -> State {
    breaker.status(now).state
}

fn consecutive(n: u32) -> Config {
    Config::consecutive_failures(n).open_for(MINUTE).successes_to_close(1)
}

/// A breaker that has just opened at time 0.
fn opened(config: Config) -> CircuitBreaker {
    let breaker = CircuitBreaker::new(config);
    calls(&breaker, &"F".repeat(config.consecutive_failures as usize), s(0));
    assert_eq!(state(&breaker, s(0)), State::Open);
    breaker
}

#[test]
fn t01_the_story_of_gobreaker() {
    let breaker = CircuitBreaker::<0>::new(consecutive(6));
    calls(&breaker, "FFFFF", s(0));
    assert_eq!((state(&breaker, s(0)), breaker.status(s(0)).consecutive_failures), (State::Closed, 5));
    calls(&breaker, "S", s(0));
    assert_eq!(breaker.status(s(0)).consecutive_failures, 0);
    calls(&breaker, "F", s(0));
    assert_eq!(breaker.status(s(0)).consecutive_failures, 1);
    calls(&breaker, "FFFFF", s(0));
    assert_eq!((state(&breaker, s(0)), breaker.status(s(0)).consecutive_failures), (State::Open, 0));
    assert!(call(&breaker, Outcome::Success, s(0)).is_err());
    assert!(call(&breaker, Outcome::Success, s(59)).is_err());
    let probe = call(&breaker, Outcome::Failure, s(60)).unwrap().transition().unwrap();
    assert_eq!(
        (probe.from, probe.to, probe.cause),
        (State::HalfOpen, State::Open, Cause::ProbesFailed { failures: 1 })
    );
    assert!(call(&breaker, Outcome::Success, s(119)).is_err());
    let closing = call(&breaker, Outcome::Success, s(120)).unwrap().transition().unwrap();
    assert_eq!((closing.from, closing.to), (State::HalfOpen, State::Closed));
    assert_eq!(closing.cause, Cause::ProbesSucceeded { successes: 1 });
}

#[test]
fn t07_failures_in_a_row_of_failsafe_go() {
    let breaker = CircuitBreaker::<0>::new(consecutive(3));
    calls(&breaker, "FSFF", s(0));
    assert_eq!(state(&breaker, s(0)), State::Closed);
    calls(&breaker, "F", s(0));
    assert_eq!(state(&breaker, s(0)), State::Open);
    let breaker = CircuitBreaker::<0>::new(consecutive(2));
    calls(&breaker, &"SF".repeat(20), s(0));
    assert_eq!(state(&breaker, s(0)), State::Closed);
}

fn rate(percent: u32, span: Span, minimum: u32) -> Config {
    Config::failure_rate(Ratio::percent(percent), span, minimum).open_for(MINUTE)
}

#[test]
fn t09_a_success_that_completes_the_minimum_trips() {
    let breaker = CircuitBreaker::<10>::new(rate(50, Span::time(Duration::from_secs(20)), 5));
    calls(&breaker, "FFFS", s(1));
    assert_eq!(state(&breaker, s(1)), State::Closed);
    let opened = call(&breaker, Outcome::Success, s(1)).unwrap().transition().unwrap();
    assert_eq!(opened.cause, Cause::FailureRate { calls: 5, failures: 3 });
    assert!(breaker.try_acquire(s(1)).is_err());
}

#[test]
fn t11_slow_calls_trip_and_the_cause_is_kept() {
    let span = Span::time(Duration::from_secs(100));
    let half = Ratio::percent(50);
    let four = Duration::from_secs(4);
    let breaker = CircuitBreaker::<10>::new(Config::slow_call_rate(half, four, span, 5));
    let mut last = Settlement::Stale;
    for (outcome, millis) in [
        (Outcome::Failure, 5000),
        (Outcome::Success, 5000),
        (Outcome::Failure, 100),
        (Outcome::Success, 100),
        (Outcome::Success, 4000),
    ] {
        assert_eq!(state(&breaker, s(1)), State::Closed);
        last = breaker.try_acquire(s(1)).unwrap().record(outcome, Instant::from_millis(1000 + millis));
    }
    assert_eq!(last.transition().unwrap().cause, Cause::SlowCallRate { calls: 5, slow: 3 });

    let breaker = CircuitBreaker::<10>::new(Config::slow_call_rate(half, four, span, 2));
    calls(&breaker, "SSL", s(1));
    assert_eq!(state(&breaker, s(1)), State::Closed, "one of three is less than a half");

    // With a failure rate beside it, the rule that is met first is the one that is told.
    let both = Config::failure_rate(half, span, 2).or_slow_call_rate(half, four);
    let breaker = CircuitBreaker::<10>::new(both);
    calls(&breaker, "S", s(1));
    let slow = breaker.try_acquire(s(1)).unwrap().record(Outcome::Success, s(5));
    assert_eq!(slow.transition().unwrap().cause, Cause::SlowCallRate { calls: 2, slow: 1 });
    let error =
        CircuitBreaker::<10>::try_new(Config::slow_call_rate(half, Duration::ZERO, span, 1)).unwrap_err();
    assert_eq!(error.field, "circuit_breaker.slow_call_duration");
}

#[test]
fn b15_the_open_time_grows_a_step_a_cycle_and_starts_over_when_closed() {
    let schedule = Backoff::exponential(Duration::from_secs(10));
    let config = consecutive(1).open_for_growing(schedule, Duration::from_secs(35));
    let breaker = CircuitBreaker::<0>::new(config);
    let mut now = 0;
    calls(&breaker, "F", s(now));
    for open in [10, 20, 35, 35] {
        assert_eq!(breaker.status(s(now)).retry_after, Some(Duration::from_secs(open)));
        assert!(breaker.try_acquire(s(now + open - 1)).is_err());
        now += open;
        calls(&breaker, "F", s(now));
    }
    now += 35;
    calls(&breaker, "S", s(now));
    calls(&breaker, "F", s(now));
    assert_eq!(breaker.status(s(now)).retry_after, Some(Duration::from_secs(10)));
    for cycle in 1..200 {
        now += breaker.status(s(now)).retry_after.unwrap().as_secs();
        calls(&breaker, "F", s(now));
        let open = if cycle == 1 { 20 } else { 35 };
        assert_eq!(breaker.status(s(now)).retry_after, Some(Duration::from_secs(open)), "cycle {cycle}");
    }
}

#[test]
fn b15_the_jitter_of_the_open_time_keeps_breakers_out_of_step() {
    let schedule = Backoff::constant(MINUTE).jitter(Jitter::Equal);
    let open_times: std::collections::BTreeSet<_> = (0..20)
        .map(|seed| {
            let breaker = opened(consecutive(1).open_for_growing(schedule, MINUTE).seed(seed));
            let open = breaker.status(s(0)).retry_after.unwrap();
            assert!((MINUTE / 3..=MINUTE).contains(&open), "{open:?}");
            open
        })
        .collect();
    assert!(open_times.len() > 15, "{open_times:?}");
}

#[test]
fn t13_or_only_a_failure_trips_as_in_polly() {
    let config = rate(75, Span::time(Duration::from_secs(10)), 4);
    let polly = CircuitBreaker::<10>::new(config.evaluate_on_failure_only());
    calls(&polly, "FFFS", s(1));
    assert_eq!(state(&polly, s(1)), State::Closed);
    let resilience4j = CircuitBreaker::<10>::new(config);
    calls(&resilience4j, "FFFS", s(1));
    assert_eq!(state(&resilience4j, s(1)), State::Open);
}

#[test]
fn t14_ratios_of_calls_of_failsafe_go() {
    let breaker =
        CircuitBreaker::<3>::new(Config::failure_rate(Ratio::try_new(2, 3).unwrap(), Span::calls(3), 3));
    calls(&breaker, "FS", s(0));
    assert_eq!(state(&breaker, s(0)), State::Closed);
    calls(&breaker, "F", s(0));
    assert_eq!(state(&breaker, s(0)), State::Open);
    let breaker = CircuitBreaker::<4>::new(rate(75, Span::calls(4), 4));
    calls(&breaker, &"SF".repeat(20), s(0));
    assert_eq!(state(&breaker, s(0)), State::Closed);
}

#[test]
fn t15_a_count_window_that_must_be_full_as_in_recloser() {
    let breaker = CircuitBreaker::<10>::new(rate(50, Span::calls(10), 10));
    calls(&breaker, "FFFFFFFFF", s(0));
    assert_eq!(state(&breaker, s(0)), State::Closed);
    calls(&breaker, "S", s(0));
    assert!(breaker.try_acquire(s(0)).is_err());
    let breaker = CircuitBreaker::<10>::new(rate(50, Span::calls(10), 10));
    calls(&breaker, "SSSSSFFFF", s(0));
    calls(&breaker, "F", s(0));
    assert!(breaker.try_acquire(s(0)).is_err());
}

#[test]
fn t20_one_probe_an_open_time_when_probes_are_lost() {
    let breaker = CircuitBreaker::<10>::new(
        rate(50, Span::time(Duration::from_secs(10)), 2).open_for(Duration::from_secs(30)),
    );
    calls(&breaker, "FF", s(0));
    assert!(breaker.try_acquire(s(29)).is_err());
    let first = breaker.try_acquire(s(30)).unwrap().into_ticket();
    assert_eq!(state(&breaker, s(30)), State::HalfOpen);
    let rejected = breaker.try_acquire(s(30)).unwrap_err();
    assert_eq!((rejected.state, rejected.retry_after), (State::HalfOpen, Some(Duration::from_secs(30))));
    let third = breaker.try_acquire(s(60)).unwrap();
    assert!(breaker.try_acquire(s(60)).is_err(), "b4: exactly one new probe");
    assert_eq!(breaker.settle(first, Outcome::Failure, s(61)), Settlement::Stale);
    assert_eq!(state(&breaker, s(61)), State::HalfOpen);
    assert_eq!(third.record(Outcome::Success, s(62)), Settlement::Counted);
}

#[test]
fn t22_a_late_failure_moves_no_deadline() {
    let breaker = CircuitBreaker::<0>::new(consecutive(2));
    let late = breaker.try_acquire(s(0)).unwrap();
    calls(&breaker, "FF", s(0));
    assert_eq!(late.record(Outcome::Failure, s(40)), Settlement::Stale);
    assert_eq!(breaker.status(s(40)).retry_after, Some(Duration::from_secs(20)));
}

#[test]
fn b1_a_dropped_probe_gives_its_place_back() {
    let breaker = opened(consecutive(1));
    for _ in 0..10_000 {
        drop(breaker.try_acquire(s(60)).unwrap());
    }
    let probe = breaker.try_acquire(s(60)).unwrap();
    assert!(breaker.try_acquire(s(60)).is_err(), "the quota is still one");
    assert_eq!(breaker.status(s(60)).successes, 0);
    drop(probe);
}

#[test]
fn b2_an_ignored_probe_gives_its_place_back_and_its_successor_decides() {
    let breaker = opened(consecutive(1).probes(4).successes_to_close(4));
    calls(&breaker, "SSSX", s(60));
    assert_eq!((state(&breaker, s(60)), breaker.status(s(60)).successes), (State::HalfOpen, 3));
    calls(&breaker, "S", s(60));
    assert_eq!(state(&breaker, s(60)), State::Closed);
}

#[test]
fn what_says_nothing_is_uncounted_while_its_phase_lasts_and_under_a_hand_and_stale_otherwise() {
    for outcome in [Outcome::Ignored, Outcome::Cancelled] {
        let breaker = CircuitBreaker::<0>::new(consecutive(1));
        assert_eq!(call(&breaker, outcome, s(0)), Ok(Settlement::Uncounted));
        let [late, later] = [0, 1].map(|_| breaker.try_acquire(s(0)).unwrap());
        calls(&breaker, "F", s(0));
        let probe = breaker.try_acquire(s(60)).unwrap();
        assert_eq!(late.record(outcome, s(60)), Settlement::Stale);
        breaker.force_closed();
        assert_eq!(later.record(outcome, s(60)), Settlement::Uncounted);
        assert_eq!(probe.record(outcome, s(60)), Settlement::Uncounted);
        let shadowed = CircuitBreaker::<0>::new(consecutive(1).in_shadow());
        calls(&shadowed, "F", s(0));
        let [refused, late] = [0, 1].map(|_| shadowed.try_acquire(s(1)).unwrap());
        assert_eq!(refused.record(Outcome::Failure, s(1)), Settlement::Uncounted);
        shadowed.reset(s(1));
        assert_eq!(late.record(outcome, s(1)), Settlement::Stale);
    }
}

#[test]
fn b5_b6_p13_a_stale_result_changes_nothing() {
    for outcome in [Outcome::Success, Outcome::Failure, Outcome::Ignored, Outcome::Cancelled] {
        let breaker = CircuitBreaker::<0>::new(consecutive(1).probes(3).successes_to_close(3));
        let old = breaker.try_acquire(s(0)).unwrap();
        calls(&breaker, "F", s(0));
        let probes: std::vec::Vec<Permit<'_>> = (0..2).map(|_| breaker.try_acquire(s(60)).unwrap()).collect();
        let before = breaker.status(s(60));
        assert_eq!(old.record(outcome, s(60)), Settlement::Stale);
        assert_eq!(breaker.status(s(60)), before);
        let third = breaker.try_acquire(s(60)).unwrap();
        assert!(breaker.try_acquire(s(60)).is_err());
        drop((probes, third));
    }
}

#[test]
fn a_probe_of_an_earlier_cycle_changes_nothing() {
    let breaker = opened(consecutive(1).probes(2).successes_to_close(2));
    let slow = breaker.try_acquire(s(60)).unwrap();
    calls(&breaker, "F", s(60));
    let probe = breaker.try_acquire(s(120)).unwrap();
    assert_eq!(slow.record(Outcome::Success, s(121)), Settlement::Stale);
    assert_eq!((breaker.status(s(121)).probes, breaker.status(s(121)).successes), (1, 0));
    drop(probe);
}

#[test]
fn b7_p7_exactly_as_many_probes_as_configured_at_the_deadline() {
    for quota in [1, 2, 5] {
        let breaker = opened(consecutive(1).probes(quota));
        let barrier = std::sync::Barrier::new(4);
        let admitted: usize = std::thread::scope(|scope| {
            let threads: std::vec::Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        barrier.wait();
                        (0..50)
                            .filter_map(|_| breaker.try_acquire(s(60)).ok())
                            .map(Permit::into_ticket)
                            .count()
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(admitted, quota as usize);
    }
}

#[test]
fn b8_two_threads_that_cross_the_threshold_make_one_transition() {
    for _ in 0..200 {
        let breaker = CircuitBreaker::<0>::new(consecutive(2));
        let barrier = std::sync::Barrier::new(4);
        let transitions: usize = std::thread::scope(|scope| {
            let threads: std::vec::Vec<_> = (0..4)
                .map(|_| {
                    let permit = breaker.try_acquire(s(0)).unwrap();
                    scope.spawn(|| {
                        barrier.wait();
                        usize::from(permit.record(Outcome::Failure, s(0)).transition().is_some())
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(transitions, 1);
        assert_eq!(breaker.status(s(0)).generation, 1);
    }
}

#[test]
fn b9_a_rate_or_a_deadline_that_is_just_reached_counts() {
    let breaker = CircuitBreaker::<10>::new(rate(50, Span::time(Duration::from_secs(10)), 2));
    calls(&breaker, "SF", s(0));
    assert_eq!(state(&breaker, s(0)), State::Open);
    if Wide::BITS == 64 {
        assert!(breaker.try_acquire(Instant::from_nanos(59_999_999_999)).is_err());
    }
    assert!(breaker.try_acquire(s(60)).is_ok());
}

#[test]
fn b13_manual_control_is_stronger_than_time_and_results() {
    let breaker = CircuitBreaker::<0>::new(consecutive(1));
    let before = breaker.try_acquire(s(0)).unwrap();
    let forced = breaker.force_open();
    assert_eq!((forced.from, forced.to, forced.cause), (State::Closed, State::Open, Cause::Manual));
    assert_eq!(breaker.try_acquire(s(600)).unwrap_err().retry_after, None);
    assert_eq!(before.record(Outcome::Success, s(601)), Settlement::Stale);
    assert!(breaker.status(s(600)).forced);
    breaker.force_closed();
    for _ in 0..10 {
        assert_eq!(call(&breaker, Outcome::Failure, s(700)).unwrap(), Settlement::Uncounted);
    }
    assert_eq!(state(&breaker, s(700)), State::Closed);
    breaker.reset(s(700));
    calls(&breaker, "F", s(700));
    assert_eq!(state(&breaker, s(700)), State::Open);
    let again = breaker.reset(s(701));
    assert_eq!((again.from, again.to), (State::Open, State::Closed));
    let noop = breaker.reset(s(701));
    assert_eq!(noop.from, noop.to, "cb10: a reset of a closed breaker is no change");
    breaker.trip(s(702));
    assert_eq!(breaker.status(s(702)).retry_after, Some(MINUTE));
    for cycle in 0..100 {
        let now = s(1000 + cycle * 60);
        calls(&breaker, "S", now);
        assert_eq!(state(&breaker, now), State::Closed);
        calls(&breaker, "F", now);
    }
}

/// The deadline's word must keep up with generations that begin by hand, or it takes the next phase for an old one.
#[test]
fn b13_any_number_of_resets_leaves_the_next_open_phase_its_time() {
    for resets in [1, 511, 512, 600, 1023, 1024, 1500] {
        let breaker = CircuitBreaker::<0>::new(consecutive(1));
        for _ in 0..resets {
            breaker.reset(s(0));
        }
        calls(&breaker, "F", s(10));
        assert_eq!(breaker.status(s(10)).retry_after, Some(MINUTE), "after {resets} resets");
        assert!(breaker.try_acquire(s(69)).is_err() && breaker.try_acquire(s(70)).is_ok());
    }
}

#[test]
fn b14_p8_p11_an_open_time_without_end() {
    for now in [s(0), Instant::from_nanos(u64::MAX - 1), Instant::NEVER] {
        let breaker = CircuitBreaker::<0>::new(consecutive(3).open_for(Duration::MAX));
        calls(&breaker, "FFF", now);
        assert_eq!(breaker.try_acquire(Instant::NEVER).unwrap_err().retry_after, None);
    }
    let breaker = CircuitBreaker::<0>::new(consecutive(1));
    calls(&breaker, "F", Instant::from_nanos(u64::MAX - 5));
    assert!(
        breaker.try_acquire(Instant::NEVER).is_err(),
        "60 s later than 5 ns before the end of time is never"
    );
}

#[test]
fn b17_b18_p9_values_outside_their_bounds_are_named() {
    let field = |config: Config| CircuitBreaker::<10>::try_new(config).unwrap_err().field;
    assert_eq!(field(consecutive(0)), "circuit_breaker.consecutive_failures");
    assert_eq!(field(consecutive(262_144)), "circuit_breaker.consecutive_failures");
    assert_eq!(field(consecutive(1).open_for(Duration::ZERO)), "circuit_breaker.open_for");
    assert_eq!(field(consecutive(1).probes(0)), "circuit_breaker.probes");
    assert_eq!(field(consecutive(1).probes(16)), "circuit_breaker.probes");
    assert_eq!(field(consecutive(1).successes_to_close(0)), "circuit_breaker.successes_to_close");
    assert_eq!(field(consecutive(1).probe_lease_of(Duration::ZERO)), "circuit_breaker.probe_lease");
    let span = Span::time(Duration::from_secs(10));
    assert_eq!(field(rate(0, span, 1)), "circuit_breaker.failure_rate");
    assert_eq!(field(rate(50, span, 0)), "circuit_breaker.minimum_calls");
    assert_eq!(field(rate(50, Span::calls(10), 11)), "circuit_breaker.minimum_calls");
    assert_eq!(field(rate(50, Span::calls(0), 1)), "circuit_breaker.minimum_calls");
    assert_eq!(field(rate(50, Span::time(Duration::from_nanos(5)), 1)), "circuit_breaker.window");
    assert_eq!(
        CircuitBreaker::<0>::try_new(rate(50, span, 1)).unwrap_err().field,
        "circuit_breaker.failure_rate",
        "a breaker without slots has no window"
    );
}

#[test]
fn the_window_starts_empty_in_every_closed_phase() {
    let config = rate(50, Span::time(Duration::from_secs(600)), 4).successes_to_close(1).open_for(MINUTE);
    let breaker = CircuitBreaker::<10>::new(config);
    calls(&breaker, "SSFF", s(0));
    assert_eq!(breaker.status(s(0)).window.calls, 0);
    calls(&breaker, "S", s(60));
    assert_eq!((state(&breaker, s(60)), breaker.status(s(60)).window.calls), (State::Closed, 0));
    calls(&breaker, "FFS", s(60));
    assert_eq!(state(&breaker, s(60)), State::Closed, "the failures before the trip are forgotten");
}

#[test]
fn t06_every_result_of_ten_threads_is_counted() {
    let breaker = CircuitBreaker::<10>::new(
        Config::failure_rate(Ratio::ONE, Span::time(Duration::from_secs(10)), 1).open_for(MINUTE),
    );
    std::thread::scope(|scope| {
        for _ in 0..10 {
            scope.spawn(|| {
                for _ in 0..10_000 {
                    call(&breaker, Outcome::Success, s(5)).unwrap();
                }
            });
        }
    });
    assert_eq!(breaker.status(s(5)).window.calls, 100_000);
}

#[test]
fn the_generation_wraps_without_harm() {
    let breaker = CircuitBreaker::<0>::new(consecutive(1));
    for cycle in 0..3000 {
        let now = s(cycle * 100);
        calls(&breaker, "F", now);
        assert!(breaker.try_acquire(now).is_err());
        calls(&breaker, "S", s(cycle * 100 + 60));
    }
    assert_eq!(state(&breaker, s(300_000)), State::Closed);
}

#[test]
fn b26_a_clock_that_steps_back_neither_opens_for_long_nor_admits_early() {
    let breaker = CircuitBreaker::<0>::new(consecutive(1));
    calls(&breaker, "F", s(1000));
    assert!(breaker.try_acquire(s(999)).is_err(), "a step within the open time keeps it open");
    assert!(breaker.try_acquire(s(1059)).is_err());
    assert!(breaker.try_acquire(s(10)).is_ok(), "a longer one ends it");
}

/// The table in the module's documentation.
#[test]
fn cost_of_a_call() {
    let breaker = CircuitBreaker::<0>::new(consecutive(2));
    let (accesses, _) = count(|| call(&breaker, Outcome::Success, s(0)));
    assert_eq!(accesses, Accesses { loads: 2, writes: 0 });
    let (accesses, _) = count(|| call(&breaker, Outcome::Failure, s(0)));
    assert_eq!(accesses, Accesses { loads: 3, writes: 1 });
    calls(&breaker, "F", s(0));
    let (accesses, rejected) = count(|| breaker.try_acquire(s(1)).is_err());
    assert!(rejected);
    assert_eq!(accesses, Accesses { loads: 3, writes: 0 });
    let ramping = opened(consecutive(1).ramp(MINUTE, Ratio::ONE));
    calls(&ramping, "SS", s(60));
    let (accesses, _) = count(|| call(&ramping, Outcome::Success, s(61)));
    assert_eq!(accesses, Accesses { loads: 4, writes: 1 });
    let breaker = CircuitBreaker::<10>::new(rate(50, Span::time(Duration::from_secs(10)), 10));
    calls(&breaker, "S", s(0));
    let (accesses, _) = count(|| call(&breaker, Outcome::Success, s(0)));
    assert_eq!(accesses.writes, 1, "{accesses:?}");
}

#[test]
fn the_sizes_are_as_documented() {
    assert_eq!(size_of::<Cell>() as u32, if Wide::BITS == 64 { 16 } else { 8 });
    if size_of::<usize>() == 8 && Wide::BITS == 64 {
        assert_eq!((size_of::<CircuitBreaker<0>>(), size_of::<CircuitBreaker<10>>()), (304, 504));
        assert_eq!((size_of::<Permit<'_>>(), size_of::<Ticket>()), (24, 16));
    }
}

#[test]
fn spurious_failures_change_no_decision() {
    with_spurious_failures(2, || {
        let breaker = opened(consecutive(3).probes(2).successes_to_close(2));
        let probes = [breaker.try_acquire(s(60)).unwrap(), breaker.try_acquire(s(60)).unwrap()];
        assert!(breaker.try_acquire(s(60)).is_err());
        let last = probes.map(|probe| probe.record(Outcome::Success, s(61)))[1];
        assert_eq!(last.transition().unwrap().to, State::Closed);
    });
}

#[test]
fn a_window_that_no_rule_needs_has_any_number_of_slots() {
    assert!(CircuitBreaker::<0>::try_new(consecutive(1)).is_ok());
    assert!(CircuitBreaker::<7>::try_new(consecutive(1)).is_ok());
}

#[test]
fn failures_in_a_row_stay_within_their_bits() {
    let closed = Snapshot::closed(Mode::Normal);
    let most = (0..MAX_FAILURES).fold(closed, |state, _| state.count_failure());
    assert_eq!((most.failures(), most.count_failure()), (MAX_FAILURES, most));
    assert_eq!(most.forgive(), closed);
}

/// What a ticket was admitted as comes back from the bits of its word, beside every generation.
#[test]
fn a_ticket_keeps_its_kind_and_its_generation() {
    use super::permit::Kind;
    let reasons = [Reason::Open, Reason::ForcedOpen, Reason::ProbesOut, Reason::Ramping];
    let kinds = [Kind::Plain, Kind::Probe, Kind::FirstProbe].into_iter().chain(reasons.map(Kind::Refused));
    for kind in kinds {
        let mut state = Snapshot::closed(Mode::Normal);
        for generation in 0..1024 {
            let ticket = Ticket::new(state, kind, s(7));
            assert_eq!((ticket.kind(), ticket.generation(), ticket.started()), (kind, generation, s(7)));
            state = state.trip();
        }
    }
}
