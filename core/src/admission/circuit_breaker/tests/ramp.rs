//! How traffic comes back.

use super::*;
use crate::atomic::rng::Rng;

const SPAN: Duration = Duration::from_secs(100);

/// A breaker that closed from half-open at 60 s.
fn recovered(config: Config) -> CircuitBreaker {
    let breaker = opened(config);
    calls(&breaker, "S", s(60));
    assert_eq!(state(&breaker, s(60)), State::Closed);
    breaker
}

/// How many of a thousand calls are admitted; each succeeds at once.
fn admitted(breaker: &CircuitBreaker, now: Instant) -> usize {
    (0..1000).filter(|_| call(breaker, Outcome::Success, now).is_ok()).count()
}

#[test]
fn the_share_that_is_admitted_rises_to_the_whole() {
    let breaker = recovered(consecutive(1).ramp(SPAN, Ratio::percent(10)).seed(7));
    for (now, share) in [(60, 100), (85, 325), (110, 550), (135, 775), (155, 955)] {
        let admitted = admitted(&breaker, s(now));
        assert!(admitted.abs_diff(share) <= 50, "{admitted} of 1000 at {now} s, {share} expected");
        assert!(breaker.status(s(now)).ramping);
        assert!(breaker.check(s(now)).is_ok(), "the draw is made when the call starts");
    }
    assert_eq!(admitted(&breaker, s(160)), 1000);
    assert!(!breaker.status(s(160)).ramping);
    let (accesses, _) = count(|| call(&breaker, Outcome::Success, s(161)));
    assert_eq!(accesses, Accesses { loads: 2, writes: 0 }, "nothing of the ramp is left");
}

#[test]
fn the_draws_of_the_seed_pick_the_calls() {
    let quarter = Ratio::percent(25);
    let breaker = recovered(consecutive(1).ramp(SPAN, quarter).seed(3));
    // The first draw was for the open time.
    let draws = Rng::new(3);
    draws.next_u32();
    for _ in 0..500 {
        assert_eq!(breaker.try_acquire(s(60)).is_ok(), draws.next_u32() < u32::MAX / 4 + 1);
    }
}

#[test]
fn who_is_not_drawn_is_told_so() {
    let breaker = recovered(consecutive(1).ramp(SPAN, Ratio::ZERO));
    let rejected = breaker.try_acquire(s(60)).unwrap_err();
    assert_eq!((rejected.state, rejected.reason), (State::Closed, Reason::Ramping));
    assert_eq!(rejected.retry_after, Some(SPAN));
    assert_eq!(std::format!("{rejected}"), "circuit breaker has just closed and admits a share of the calls");
    assert!(breaker.try_acquire(s(160)).is_ok(), "and was told the truth");
    let endless = recovered(consecutive(1).ramp(Duration::MAX, Ratio::ZERO));
    assert_eq!(endless.try_acquire(Instant::NEVER).unwrap_err().retry_after, None);
}

#[test]
fn a_trip_during_the_ramp_is_a_trip_like_any_other() {
    let config =
        consecutive(3).open_for_growing(Backoff::exponential(MINUTE), 5 * MINUTE).ramp(SPAN, Ratio::ONE);
    let breaker = recovered(config);
    calls(&breaker, "FSFF", s(70));
    assert_eq!(breaker.status(s(70)).consecutive_failures, 2);
    let opened = call(&breaker, Outcome::Failure, s(70)).unwrap().transition().unwrap();
    assert_eq!((opened.from, opened.to), (State::Closed, State::Open));
    assert_eq!(opened.cause, Cause::ConsecutiveFailures { failures: 3 });
    assert_eq!(breaker.status(s(70)).retry_after, Some(MINUTE), "closed in between: the first open time");
    assert!(!breaker.status(s(70)).ramping);
}

#[test]
fn calls_and_counts_of_the_ramp_belong_to_the_closed_phase() {
    let breaker = recovered(consecutive(3).ramp(SPAN, Ratio::ONE));
    let in_flight = breaker.try_acquire(s(70)).unwrap();
    calls(&breaker, "F", s(70));
    let generation = breaker.status(s(70)).generation;
    calls(&breaker, "F", s(160));
    assert_eq!(breaker.status(s(160)).generation, generation);
    let opened = in_flight.record(Outcome::Failure, s(161)).transition().unwrap();
    assert_eq!(opened.cause, Cause::ConsecutiveFailures { failures: 3 });
}

#[test]
fn only_probes_begin_a_ramp() {
    let breaker = opened(consecutive(1).ramp(SPAN, Ratio::ZERO));
    breaker.reset(s(1));
    assert!(breaker.try_acquire(s(1)).is_ok());
    breaker.force_closed();
    assert!(breaker.try_acquire(s(1)).is_ok());
    let breaker = recovered(consecutive(1).ramp(SPAN, Ratio::ZERO));
    breaker.reset(s(60));
    assert!(breaker.try_acquire(s(60)).is_ok(), "a reset ends it");
}

#[test]
fn b26_a_clock_that_steps_back_into_the_ramp_begins_it_again_and_one_further_back_ends_it() {
    let breaker = recovered(consecutive(1).ramp(SPAN, Ratio::ZERO));
    assert!(breaker.try_acquire(s(30)).is_err());
    assert!(breaker.status(s(30)).ramping);
    let breaker = opened(consecutive(1).ramp(SPAN, Ratio::ZERO));
    calls(&breaker, "S", s(1000));
    assert!(breaker.try_acquire(s(10)).is_ok());
    assert!(!breaker.status(s(10)).ramping);
}

#[test]
fn a_ramp_until_the_end_of_time_panics_nowhere() {
    for over in [Duration::from_nanos(1), Duration::MAX] {
        let breaker = CircuitBreaker::<0>::new(consecutive(1).ramp(over, Ratio::percent(50)));
        let opened = Instant::from_nanos(u64::MAX - 100_000_000_000);
        calls(&breaker, "F", opened);
        calls(&breaker, "S", opened.saturating_add(MINUTE));
        let _ = call(&breaker, Outcome::Success, Instant::NEVER);
        let _ = call(&breaker, Outcome::Success, Instant::ZERO);
    }
}

/// What the word of the deadline forgot by a wrap costs two intervals at most.
#[test]
fn idle_across_the_wrap_the_ramp_is_over_two_intervals_later() {
    for over in [Duration::from_millis(1), SPAN, Duration::from_secs(86_400)] {
        let longest = over.max(MINUTE);
        // Up to the middle of time, so that the wait ends in it.
        let times = (0..64).map_while(|doublings| over.checked_mul(1_u32.checked_shl(doublings)?));
        for idle in times.take_while(|idle| idle.as_nanos() < u128::from(u64::MAX / 2)) {
            let breaker = recovered(consecutive(1).ramp(over, Ratio::ZERO));
            let now = s(60).saturating_add(idle);
            let Err(rejected) = breaker.try_acquire(now) else { continue };
            let Some(wait) = rejected.retry_after else { panic!("{rejected:?} after {idle:?}") };
            assert!(wait <= longest * 2 + longest / 100, "{wait:?} after {idle:?}");
            assert!(breaker.try_acquire(now.saturating_add(wait)).is_ok());
        }
    }
}
