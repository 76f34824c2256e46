//! Keyed limiters and breakers, as floods tell it.

use core::time::Duration;

use seawall_core::circuit_breaker::{self, Cause, Reason, Settlement, State};
use seawall_core::keyed::circuit_breaker as keyed_breaker;
use seawall_core::keyed::{Config, Rejected, WhenFull};
use seawall_core::rate_limiter::Quota;
use seawall_core::window::Span;
use seawall_core::{Backoff, Instant, KeyedCircuitBreaker, KeyedRateLimiter, Outcome, Ratio, Rng};

use super::support::{MINUTE, SECOND, ms, s};

#[cfg_attr(test, test)]
pub(crate) fn b36_a_flood_of_keys_costs_no_more_than_its_entries() {
    let keyed = KeyedRateLimiter::<32>::new(Quota::per_second(10).burst(4), Config::seeded(0xB36));
    let random = Rng::new(36);
    for _ in 0..4 {
        assert!(keyed.try_acquire("throttled", s(5)).is_ok());
    }
    let mut admitted = 0;
    for millis in 1..=1000 {
        let now = ms(5000 + millis);
        for _ in 0..2 {
            let _ = keyed.try_acquire(&random.next_u32(), now);
        }
        admitted += u32::from(keyed.try_acquire("throttled", now).is_ok());
        assert!(keyed.len() <= 32);
    }
    // One each hundred milliseconds, as without the flood; a stranger with the same tag may have taken one.
    assert!((9..=10).contains(&admitted), "{admitted}");
    assert!(keyed.evictions() > 1000);
}

#[cfg_attr(test, test)]
pub(crate) fn b36_a_full_table_says_when_there_is_room() {
    static KEYED: KeyedRateLimiter<2> =
        KeyedRateLimiter::new(Quota::new(1, Duration::from_secs(1)), Config::seeded(1));
    assert!(KEYED.try_acquire("a", s(10)).is_ok());
    assert!(KEYED.try_acquire("b", ms(10_500)).is_ok());
    let rejected = KEYED.try_acquire("c", ms(10_500)).unwrap_err();
    assert_eq!(rejected, Rejected::TableFull { retry_after: Some(Duration::from_millis(500)) });
    assert!(KEYED.try_acquire("c", s(11)).is_ok(), "a's bucket is full again");
    assert!(matches!(KEYED.try_acquire("b", s(11)), Err(Rejected::Limited { .. })), "b is throttled still");
}

#[cfg_attr(test, test)]
pub(crate) fn b36_strangers_share_one_bucket_if_they_are_told_to() {
    let config = Config::seeded(1).when_full(WhenFull::Share);
    let keyed = KeyedRateLimiter::<1>::new(Quota::per_second(1).burst(2), config);
    assert!(keyed.bucket("a").try_acquire_many(2, s(10)).is_ok());
    let shared = (0..100_u32).filter(|key| keyed.try_acquire(key, s(10)).is_ok()).count();
    assert_eq!(shared, 2);
}

#[cfg_attr(test, test)]
pub(crate) fn b80_any_number_of_keys_makes_as_many_series() {
    let keyed = KeyedRateLimiter::<16>::new(Quota::per_second(10), Config::seeded(0xB80));
    for key in 0..2000_u32 {
        let now = Instant::from_nanos(u64::from(key) * 1000 + 1);
        let _ = keyed.try_acquire(&key, now);
        assert!(keyed.hot(now).count() <= 16);
        assert!(keyed.hot(now).all(|status| status.entry < 16));
    }
    let sums = keyed.snapshot(ms(2));
    assert_eq!((sums.capacity, sums.held), (16, 16));
}

#[cfg_attr(test, test)]
pub(crate) fn b36_strangers_close_no_open_breaker() {
    static HOSTS: KeyedCircuitBreaker<16> = KeyedCircuitBreaker::new(
        circuit_breaker::Config::consecutive_failures(2).open_for(MINUTE).successes_to_close(1),
        Config::seeded(0xB36),
    );
    for _ in 0..2 {
        HOSTS.try_acquire("broken", s(1)).unwrap().record(Outcome::Failure, s(1));
    }
    for stranger in 0..1000_u32 {
        if let Ok(permit) = HOSTS.try_acquire(&stranger, s(2)) {
            permit.record(Outcome::Success, s(2));
        }
        assert!(HOSTS.len() <= 16);
    }
    assert_eq!(HOSTS.try_acquire("broken", s(2)).unwrap_err().retry_after(), Some(59 * SECOND));
    let probe = HOSTS.try_acquire("broken", s(61)).unwrap();
    assert!(matches!(probe.record(Outcome::Success, s(61)), Settlement::Changed(_)));
    assert_eq!(HOSTS.hot().count(), 0);
}

/// What time gave back since does not come a second time: over no interval more than burst + rate · t.
#[cfg_attr(test, test)]
pub(crate) fn a_refund_that_comes_late_brings_back_no_more_than_is_owed() {
    let keyed = KeyedRateLimiter::<4>::new(Quota::per_second(1).burst(10), Config::seeded(7));
    let first = keyed.bucket("a").try_acquire_many(9, s(100)).unwrap();
    assert!(keyed.bucket("a").try_acquire_many(4, s(104)).is_ok());
    keyed.refund(first, s(104));
    let more = (0..20).filter(|_| keyed.try_acquire("a", s(104)).is_ok()).count();
    assert_eq!(more, 6, "and four before: the bucket holds ten");
}

/// A host that answers each third call, and one that answers all too late: no row of failures tells either.
#[cfg_attr(test, test)]
pub(crate) fn each_host_opens_by_the_share_of_its_last_calls() {
    static HOSTS: KeyedCircuitBreaker<16> = KeyedCircuitBreaker::new(
        circuit_breaker::Config::failure_rate(Ratio::percent(60), Span::calls(10), 6)
            .slow_calls_fail(Duration::from_secs(2))
            .open_for(MINUTE)
            .successes_to_close(1),
        Config::seeded(0xA7E),
    );
    let mut opened = [None; 3];
    for round in 0..20 {
        for (host, opened) in opened.iter_mut().enumerate() {
            let Ok(permit) = HOSTS.try_acquire(&host, s(round * 10)) else { continue };
            let (outcome, took) = match host {
                0 if round % 3 != 2 => (Outcome::Failure, 0),
                1 => (Outcome::Success, 2000),
                _ => (Outcome::Success, 1999),
            };
            let settled = permit.record(outcome, ms(round * 10_000 + took));
            if let (None, Some(transition)) = (*opened, settled.transition()) {
                *opened = Some((round, transition.cause));
            }
        }
    }
    let rate = |calls, failures| Cause::FailureRate { calls, failures };
    assert_eq!(opened, [Some((5, rate(6, 4))), Some((5, rate(6, 6))), None]);
}

/// An operator takes a host out and lets another one through, while strangers come and go.
#[cfg_attr(test, test)]
pub(crate) fn a_host_that_is_held_by_hand_stays_as_it_is() {
    static HOSTS: KeyedCircuitBreaker<8> = KeyedCircuitBreaker::new(
        circuit_breaker::Config::consecutive_failures(2).open_for(MINUTE).successes_to_close(1),
        Config::seeded(0x4A2D),
    );
    let shut = HOSTS.breaker("maintenance").force_open(s(1)).unwrap();
    assert_eq!((shut.to, shut.cause), (State::Open, Cause::Manual));
    HOSTS.breaker("flaky").force_closed(s(1)).unwrap();
    HOSTS.breaker("broken").trip(s(1)).unwrap();
    let mut served = 0;
    for stranger in 0..1000_u32 {
        served += u32::from(HOSTS.try_acquire(&stranger, s(2)).is_ok());
        let flaky = HOSTS.try_acquire("flaky", s(2)).unwrap();
        assert_eq!(flaky.record(Outcome::Failure, s(2)), Settlement::Uncounted);
    }
    assert!(served > 990, "but for one with the tag of a key that is refused: {served}");
    let refused = HOSTS.try_acquire("maintenance", s(500)).unwrap_err();
    assert!(
        matches!(refused, keyed_breaker::Rejected::Refused(rejected) if rejected.reason == Reason::ForcedOpen)
    );
    assert!(HOSTS.try_acquire("broken", s(61)).is_ok(), "a trip ends");
    let sums = HOSTS.snapshot();
    assert_eq!((sums.closed + sums.half_open + sums.open, sums.open, sums.forced), (sums.held, 1, 2));
    assert_eq!(HOSTS.breaker("maintenance").reset().map(|transition| transition.to), Some(State::Closed));
    assert!(HOSTS.try_acquire("maintenance", s(500)).is_ok());
}

/// The metrics of a million keys are six numbers, and the list of those that are open is no longer than the table.
#[cfg_attr(test, test)]
pub(crate) fn b80_the_breakers_of_any_number_of_keys_make_as_many_series() {
    let hosts = KeyedCircuitBreaker::<16>::new(
        circuit_breaker::Config::consecutive_failures(1).open_for(MINUTE),
        Config::seeded(0xB80),
    );
    for host in 0..2000_u32 {
        let now = ms(u64::from(host));
        if let Ok(permit) = hosts.try_acquire(&host, now) {
            let outcome = if host % 5 == 0 { Outcome::Failure } else { Outcome::Success };
            permit.record(outcome, now);
        }
        assert!(hosts.statuses().count() <= 16);
        assert!(hosts.statuses().all(|status| status.entry < 16));
    }
    let sums = hosts.snapshot();
    assert_eq!((sums.capacity, sums.closed + sums.half_open + sums.open), (16, sums.held));
    assert_eq!(sums.open, hosts.hot().count());
    assert!(sums.open > 0);
}

/// A trip by hand is a trip, also where the times that a breaker may grow to are much longer.
#[cfg_attr(test, test)]
pub(crate) fn a_trip_by_hand_lasts_some_time_however_short_the_first_open_time_is() {
    let config = circuit_breaker::Config::consecutive_failures(1)
        .open_for_growing(Backoff::exponential(Duration::from_millis(1)), 10 * MINUTE);
    let hosts = KeyedCircuitBreaker::<4>::new(config, Config::seeded(0x7219));
    for second in 1..20 {
        let host = hosts.breaker(&second);
        assert!(host.trip(s(second)).is_ok());
        assert!(hosts.try_acquire(&second, s(second)).is_err(), "at {second} s");
    }
}
