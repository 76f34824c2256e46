//! What watches and tells: a guard in shadow mode, its ring of events, tuples of patterns, and what drives a level.

use core::time::Duration;

use seawall_core::check::{self, HealthCheck};
use seawall_core::circuit_breaker::{self, Cause, State};
use seawall_core::degradation::{Component, Degradation, Level};
use seawall_core::driver::{self, Driver};
use seawall_core::events::EventKind;
use seawall_core::guard::{Admit, Pattern, Policy, Report, Verdict};
use seawall_core::rate_limiter::Quota;
use seawall_core::{
    Bulkhead, CircuitBreaker, Deadline, EventRing, Guard, Instant, Outcome, RateLimiter, bulkhead,
};

use super::support::{SECOND, s};

const BREAKER: circuit_breaker::Config =
    circuit_breaker::Config::consecutive_failures(2).open_for(Duration::from_secs(30)).successes_to_close(1);

fn settle(guard: &Guard<0, 10>, outcome: Outcome, now: Instant) -> Verdict {
    let mut call = guard.try_begin(Deadline::NONE, now).unwrap();
    let attempt = call.try_attempt(now).unwrap();
    call.settle(attempt, Report::new(outcome), now).verdict
}

#[cfg_attr(test, test)]
pub(crate) fn a_guard_in_shadow_mode_counts_and_refuses_nothing() {
    let policy =
        Policy::new().rate_limit(Quota::per_second(1).burst(2)).circuit_breaker(BREAKER).shadow(true);
    let guard: Guard<0, 10> = Guard::new(policy);
    for _ in 0..5 {
        assert_eq!(settle(&guard, Outcome::Failure, s(1)), Verdict::Done);
    }
    let snapshot = guard.snapshot(s(1));
    let would = snapshot.stats.shadow;
    assert_eq!((would.reject_by(Pattern::RateLimiter), would.reject_by(Pattern::CircuitBreaker)), (3, 3));
    assert_eq!((snapshot.stats.failures, snapshot.stats.rejected()), (5, 0));
    assert_eq!((snapshot.breaker.unwrap().state, snapshot.limiter.unwrap().available), (State::Open, 0));
    assert!(guard.set_shadow(false));
    assert_eq!(guard.try_begin(Deadline::NONE, s(1)).unwrap_err().pattern(), Pattern::RateLimiter);
}

#[cfg_attr(test, test)]
pub(crate) fn a_ring_has_the_transitions_of_its_guard_in_order_and_with_reasons() {
    static RING: EventRing<4> = EventRing::new();
    static UPLINK: Guard<0, 10> = Guard::new(Policy::new().circuit_breaker(BREAKER)).note_into(&RING);
    let mut cursor = RING.cursor();
    for (outcome, now) in [(Outcome::Failure, s(1)), (Outcome::Failure, s(2)), (Outcome::Success, s(32))] {
        settle(&UPLINK, outcome, now);
    }
    for (at, cause) in [
        (s(2), Cause::ConsecutiveFailures { failures: 2 }),
        (s(32), Cause::OpenTimeOver),
        (s(32), Cause::ProbesSucceeded { successes: 1 }),
    ] {
        let event = RING.read(&mut cursor).unwrap();
        let EventKind::Breaker(transition) = event.kind else { panic!("the breaker's") };
        assert_eq!((event.at, transition.cause), (at, cause));
    }
    assert_eq!(RING.read(&mut cursor), None);
}

#[cfg_attr(test, test)]
pub(crate) fn b3_a_tuple_that_refuses_gives_back_what_it_took() {
    let door = (
        CircuitBreaker::<0>::new(BREAKER),
        RateLimiter::new(Quota::per_second(1).burst(3)),
        Bulkhead::<0>::new(bulkhead::Config::new(1)),
    );
    let (permit, _token, slot) = door.try_acquire(s(1)).unwrap();
    for _ in 0..10 {
        assert_eq!(door.try_acquire(s(1)).unwrap_err().pattern(), Pattern::Bulkhead);
    }
    assert_eq!((door.1.available(s(1)), door.2.snapshot().in_use), (2, 1));
    let _ = permit.record(Outcome::Success, s(1));
    drop(slot);
    assert!(door.check(s(1)).is_ok());
}

#[cfg_attr(test, test)]
pub(crate) fn hc7_a_failed_health_check_degrades_and_recovery_takes_its_time() {
    static SERVICE: Degradation = Degradation::new();
    static STORE: HealthCheck = HealthCheck::new(check::Config::new().rise(1).fall(2));
    static DRIVER: Driver = Driver::new(
        driver::Config::new(Component::new(3))
            .worst(Level::SeverelyDegraded)
            .calm_for(Duration::from_secs(10)),
    );
    let checked = |success, now| {
        STORE.record(success, now, now);
        DRIVER.observe(&STORE, &SERVICE, now);
        SERVICE.level()
    };
    let levels = [(false, 1), (false, 2), (true, 3), (true, 12), (true, 21), (true, 22)]
        .map(|(success, second)| checked(success, s(second)));
    let (normal, degraded, severe) = (Level::Normal, Level::Degraded, Level::SeverelyDegraded);
    assert_eq!(levels, [normal, severe, severe, degraded, degraded, normal]);
    assert_eq!(
        DRIVER.observe(&Level::Emergency, &SERVICE, s(23).saturating_add(SECOND)).unwrap().to,
        Level::Emergency
    );
}
