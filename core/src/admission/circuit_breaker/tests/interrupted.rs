//! Calls in the middle of which others run, as an interrupt handler would: what holds wherever that is.

use super::*;
use crate::atomic::sync::probe::interrupted;
use std::boxed::Box;

const SPAN: Duration = Duration::from_secs(100);

/// Runs `act` with `handler` in front of each of its accesses in turn, and after it; `check` looks at what is left.
fn at_each_access<const N: usize, A: 'static, B>(
    make: impl Fn() -> CircuitBreaker<N>,
    handler: fn(&CircuitBreaker<N>) -> A,
    act: fn(&CircuitBreaker<N>) -> B,
    check: impl Fn(&CircuitBreaker<N>, u32),
) {
    let interrupts = |n: u32| {
        let breaker: &'static CircuitBreaker<N> = Box::leak(Box::new(make()));
        let reached = interrupted(n, move || _ = handler(breaker), || _ = act(breaker));
        check(breaker, n);
        reached
    };
    assert!((0..200).take_while(|&n| interrupts(n)).count() < 200);
}

fn fail(breaker: &CircuitBreaker) -> Result<Settlement, Rejected> {
    call(breaker, Outcome::Failure, s(0))
}

/// Who meets a phase without a deadline sets it, so that a thread that is stopped before it does holds up nobody.
#[test]
fn an_open_phase_without_a_deadline_gets_one_from_whoever_meets_it() {
    let meet = |breaker: &CircuitBreaker| {
        if let Err(refused) = breaker.try_acquire(s(0)) {
            assert_eq!((refused.reason, refused.retry_after), (Reason::Open, Some(MINUTE)));
            assert!(breaker.try_acquire(s(59)).is_err());
            assert!(breaker.try_acquire(s(60)).unwrap().is_probe());
        }
    };
    at_each_access(|| CircuitBreaker::new(consecutive(1)), meet, fail, |_, _| {});
    let endless = |breaker: &CircuitBreaker| {
        if let Err(refused) = breaker.try_acquire(s(0)) {
            assert_eq!(refused.retry_after, None);
        }
    };
    let config = consecutive(1).open_for(Duration::MAX);
    at_each_access(|| CircuitBreaker::new(config), endless, fail, |_, _| {});
}

#[test]
fn shadow_mode_that_begins_between_a_trip_and_its_deadline_leaves_the_open_time() {
    at_each_access(
        || CircuitBreaker::new(consecutive(1)),
        |breaker| breaker.shadow(true),
        fail,
        |breaker, n| assert_eq!(breaker.status(s(0)).retry_after, Some(MINUTE), "access {n}"),
    );
}

#[test]
fn what_the_peer_asks_for_holds_whoever_met_the_phase_first() {
    at_each_access(
        || CircuitBreaker::<0>::new(consecutive(1).honor_retry_after(5 * MINUTE)),
        |breaker| drop(breaker.try_acquire(s(0))),
        |breaker| {
            let permit = breaker.try_acquire(s(0)).unwrap();
            permit.record_with(Outcome::Failure, Some(5 * MINUTE), s(0));
        },
        |breaker, n| assert_eq!(breaker.status(s(0)).retry_after, Some(5 * MINUTE), "access {n}"),
    );
}

#[test]
fn a_ramp_that_is_over_closes_no_breaker_that_opened_meanwhile() {
    at_each_access(
        || {
            let breaker = opened(consecutive(1).ramp(SPAN, Ratio::ONE));
            calls(&breaker, "S", s(60));
            breaker
        },
        |breaker| call(breaker, Outcome::Failure, s(150)),
        |breaker| drop(breaker.try_acquire(s(160))),
        |breaker, n| assert_eq!(state(breaker, s(160)), State::Open, "access {n}"),
    );
}

/// A result of the closed phase may be recorded late, after the trip has cleared the window.
#[test]
fn the_window_of_a_breaker_that_closed_is_empty_whatever_was_in_flight() {
    at_each_access(
        || CircuitBreaker::<10>::new(rate(50, Span::time(SPAN), 5).successes_to_close(1)),
        |breaker| breaker.trip(s(1)),
        |breaker| call(breaker, Outcome::Success, s(1)),
        |breaker, n| {
            calls(breaker, "S", s(61));
            assert_eq!(
                (state(breaker, s(61)), breaker.status(s(61)).window.calls),
                (State::Closed, 0),
                "{n}"
            );
        },
    );
}
