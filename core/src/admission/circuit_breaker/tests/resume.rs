//! Another configuration that keeps the state.

use super::*;

fn resumed(config: Config, earlier: &CircuitBreaker, now: Instant) -> CircuitBreaker {
    CircuitBreaker::try_resuming(config, earlier, now).unwrap()
}

#[test]
fn b19_what_is_left_of_the_open_time_is_kept() {
    let breaker = opened(consecutive(1));
    let ten = Duration::from_secs(10);
    for (config, left) in [
        (consecutive(3).open_for(5 * MINUTE), ten / 2),
        // A time that the new configuration does not know is cut to its longest one.
        (consecutive(3).open_for(ten / 5), ten / 5),
        (consecutive(3).open_for(ten / 5).honor_retry_after(MINUTE), ten / 2),
    ] {
        let next = resumed(config, &breaker, s(55));
        assert_eq!((state(&next, s(55)), next.status(s(55)).retry_after), (State::Open, Some(left)));
        assert!(next.try_acquire(s(60)).unwrap().is_probe());
        calls(&next, "S", s(60));
        calls(&next, "FF", s(61));
        assert_eq!(state(&next, s(61)), State::Closed, "the new rule holds");
    }
    let endless = opened(consecutive(1).open_for(Duration::MAX));
    assert_eq!(resumed(consecutive(1), &endless, s(5)).status(s(5)).retry_after, Some(MINUTE));
    let next = resumed(consecutive(1).open_for(Duration::MAX), &endless, s(5));
    assert_eq!(next.try_acquire(Instant::NEVER).unwrap_err().retry_after, None);
}

#[test]
fn b19_calls_in_flight_settle_with_the_new_breaker() {
    let breaker = CircuitBreaker::<0>::new(consecutive(3));
    calls(&breaker, "F", s(0));
    let ticket = breaker.try_acquire(s(0)).unwrap().into_ticket();
    let next = resumed(consecutive(2), &breaker, s(1));
    assert_eq!(next.status(s(1)).consecutive_failures, 1);
    let opened = next.settle(ticket, Outcome::Failure, s(1)).transition().unwrap();
    assert_eq!(opened.cause, Cause::ConsecutiveFailures { failures: 2 });

    let breaker = super::opened(consecutive(1).probes(2).successes_to_close(3));
    calls(&breaker, "S", s(60));
    let probes = [0, 1].map(|_| breaker.try_acquire(s(60)).unwrap().into_ticket());
    let next = resumed(consecutive(1).probes(1).successes_to_close(2), &breaker, s(61));
    let rejected = next.try_acquire(s(61)).unwrap_err();
    assert_eq!((rejected.reason, rejected.retry_after), (Reason::ProbesOut, Some(59 * MINUTE / 60)));
    let [one, other] = probes.map(|probe| next.settle(probe, Outcome::Success, s(62)));
    assert_eq!(one.transition().unwrap().cause, Cause::ProbesSucceeded { successes: 2 });
    assert_eq!(other, Settlement::Stale);
}

#[test]
fn rows_and_ramps_that_the_new_configuration_does_not_know_are_over() {
    let breaker = opened(consecutive(1).ramp(MINUTE, Ratio::ZERO));
    calls(&breaker, "S", s(60));
    let ramp = consecutive(1).ramp(MINUTE, Ratio::ZERO);
    assert_eq!(resumed(ramp, &breaker, s(60)).try_acquire(s(60)).unwrap_err().retry_after, Some(MINUTE));
    let next = resumed(ramp, &breaker, s(90));
    assert!(next.status(s(119)).ramping && next.try_acquire(s(120)).is_ok());
    assert!(!next.status(s(120)).ramping);
    let next = resumed(consecutive(1), &breaker, s(61));
    assert!(next.try_acquire(s(61)).is_ok() && !next.status(s(61)).ramping);

    let breaker = CircuitBreaker::<0>::new(consecutive(3));
    calls(&breaker, "FF", s(0));
    let by_rate = rate(50, Span::time(Duration::from_secs(10)), 2);
    let next = CircuitBreaker::<10>::try_resuming(by_rate, &breaker, s(0)).unwrap();
    assert_eq!((next.status(s(0)).consecutive_failures, next.status(s(0)).window.calls), (0, 0));
    let error = CircuitBreaker::<0>::try_resuming(by_rate, &breaker, s(0)).unwrap_err();
    assert_eq!(error.field, "circuit_breaker.failure_rate");
}

/// The deadline's word must know the generation, however far it is.
#[test]
fn the_generation_goes_on() {
    for resets in [1, 511, 512, 513, 1023] {
        let mut breaker = CircuitBreaker::<0>::new(consecutive(1));
        for _ in 0..resets {
            breaker.reset(s(0));
        }
        breaker.force_open();
        let forced = resumed(consecutive(1), &breaker, s(9));
        assert!(forced.status(s(9)).forced && forced.try_acquire(s(9000)).is_err());
        breaker.reset(s(9));
        breaker = resumed(consecutive(1), &breaker, s(10));
        assert_eq!(breaker.status(s(10)).generation, (resets + 2) % 1024);
        calls(&breaker, "F", s(10));
        assert_eq!(breaker.status(s(10)).retry_after, Some(MINUTE), "after {resets} resets");
    }
}

#[test]
fn b19_nobody_sees_half_of_each_configuration_while_others_call() {
    let breakers = [opened(consecutive(1)), opened(consecutive(1).open_for(MINUTE * 2))];
    let current = std::sync::RwLock::new(std::sync::Arc::new(breakers));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..500 {
                    let breakers = current.read().unwrap().clone();
                    for breaker in breakers.iter() {
                        let left = breaker.try_acquire(s(30)).unwrap_err().retry_after.unwrap();
                        assert!(left == MINUTE / 2 || left == MINUTE * 3 / 2, "{left:?}");
                    }
                }
            });
        }
        for _ in 0..200 {
            let before = current.read().unwrap().clone();
            let [one, other] = &*before;
            let swapped = [resumed(*one.config(), one, s(30)), resumed(*other.config(), other, s(30))];
            *current.write().unwrap() = std::sync::Arc::new(swapped);
        }
    });
}
