//! The longest and the shortest times, silence, and nothing at all, under every pattern.

use core::task::{Poll, Waker};
use core::time::Duration;

use seawall_core::auto_degradation::{self, AutoDegradation};
use seawall_core::bulkhead::{self, Bulkhead, Entry, Rejected};
use seawall_core::burn_rate::{self, BurnRate, Rule};
use seawall_core::check::{self, HealthCheck, Status};
use seawall_core::circuit_breaker::{self, CircuitBreaker};
use seawall_core::degradation::Level;
use seawall_core::error_budget::{self, ErrorBudget};
use seawall_core::guard::{Policy, Report};
use seawall_core::latency_budget::{self, LatencyBudget};
use seawall_core::load_shedder::{self, LoadShedder, Priority};
use seawall_core::rate_limiter::Quota;
use seawall_core::retry::{self, Decision};
use seawall_core::window::{Sample, Span, Totals, Window};
use seawall_core::{
    Backoff, ConfigError, Deadline, Guard, Instant, Outcome, RateLimiter, Ratio, Retry, RotatingHistogram,
    Timeout,
};

use super::support::{
    MINUTE, SECOND, WRAP_OF_MICROS, WRAP_OF_MILLIS, WRAP_OF_NANOS, before, consecutive, ms, s,
};

const HALF: Ratio = Ratio::percent(50);

/// Moments shortly before the wraps of clocks of 32 bits.
fn starts() -> impl Iterator<Item = Instant> {
    [WRAP_OF_NANOS, WRAP_OF_MICROS, WRAP_OF_MILLIS]
        .into_iter()
        .flat_map(|wrap| [Duration::ZERO, Duration::from_nanos(5), SECOND, MINUTE].map(|it| before(wrap, it)))
}

/// Uses what was made, or checks that the error names the field.
fn take_or_name<T>(made: Result<T, ConfigError>, field: &str, operate: impl Fn(&T, Instant)) {
    match made {
        Ok(pattern) => {
            for now in [Instant::ZERO, Instant::from_nanos(1), s(1), Instant::NEVER, Instant::ZERO] {
                operate(&pattern, now);
            }
        }
        Err(error) => assert_eq!(error.field, field),
    }
}

#[cfg_attr(test, test)]
pub(crate) fn b64_every_duration_is_taken_or_refused_by_name() {
    for time in [Duration::ZERO, Duration::from_nanos(1), SECOND, Duration::MAX] {
        let breaker = consecutive(1).open_for(time).probe_lease_of(time);
        take_or_name(CircuitBreaker::<0>::try_new(breaker), "circuit_breaker.open_for", |breaker, now| {
            if let Ok(permit) = breaker.try_acquire(now) {
                let _ = permit.record(Outcome::Failure, now);
            }
        });
        let rate = circuit_breaker::Config::failure_rate(HALF, Span::time(time), 1);
        take_or_name(CircuitBreaker::<4>::try_new(rate), "circuit_breaker.window", |breaker, now| {
            if let Ok(permit) = breaker.try_acquire(now) {
                let _ = permit.record(Outcome::Success, now);
            }
        });
        let quota = Quota::new(3, time).burst(2);
        take_or_name(RateLimiter::try_new(quota), "rate_limiter.period", |limiter, now| {
            let _ = (limiter.try_acquire(now), limiter.available(now));
        });
        take_or_name(Window::<4>::try_new(Span::time(time)), "window.span", |window, now| {
            assert!(window.record(Sample::FAILURE, now).calls > 0);
        });
        let rotating = RotatingHistogram::<2, 16>::try_new(time);
        take_or_name(rotating, "rotating_histogram.span", |histogram, now| {
            histogram.record(1, now);
            assert!(histogram.count(now) > 0);
        });
        let budget = ErrorBudget::<4>::try_new(error_budget::Config::new(HALF, time));
        take_or_name(budget, "error_budget.span", |budget, now| {
            let _ = budget.record(false, now);
        });
        let burn = BurnRate::<1>::try_new(burn_rate::Config::new(HALF, Rule::tenths(10, time)));
        let field = if time.is_zero() { "burn_rate.long" } else { "burn_rate.short" };
        let field = if time == Duration::MAX { "burn_rate.long" } else { field };
        take_or_name(burn, field, |burn, now| {
            let _ = burn.record(false, now);
        });
        let latency = LatencyBudget::<2, 16, 4>::try_new(latency_budget::Config::new(HALF, time, time));
        take_or_name(latency, "latency_budget.span", |budget, now| {
            let _ = budget.record(time, now);
        });
        let shedder = LoadShedder::<4>::try_new(load_shedder::Config::new(1, time));
        take_or_name(shedder, "load_shedder.span", |shedder, now| {
            assert!(shedder.try_admit(Priority::Low, 1, now).is_ok());
        });
        let health = HealthCheck::<0>::try_new(check::Config::new().stale_after(time));
        take_or_name(health, "health_check.stale_after", |health, now| {
            let _ = (health.record(true, now, now), health.expire(now));
        });
        let auto = AutoDegradation::try_new(auto_degradation::Config::new(1).calm_for(time));
        take_or_name(auto, "auto_degradation.calm_for", |auto, now| {
            let _ = (auto.observe(9, now), auto.observe(0, now));
        });
        let slots = Bulkhead::<2>::try_new(bulkhead::Config::new(0).max_wait(time));
        take_or_name(slots, "bulkhead.max_concurrent", |slots, now| {
            assert!(slots.enqueue(1, now).is_err(), "there are no permits");
        });
        let backoff = Backoff::linear(time, time).at_most(time);
        take_or_name(backoff.validate().map(|()| backoff), "backoff.cap", |backoff, _| {
            for retry in [0, 1, u32::MAX] {
                assert!(backoff.delay(retry, time, u32::MAX) <= backoff.cap());
            }
        });
        let timeout = Timeout::fixed(time);
        take_or_name(timeout.validate().map(|()| timeout), "timeout", |timeout, now| {
            assert!(timeout.deadline(now, Deadline::NONE).moment() >= now);
        });
        let policy = Policy::new().deadline(time);
        take_or_name(Guard::<0, 0>::try_new(policy), "deadline", |guard, now| {
            let Ok(mut call) = guard.try_begin(Deadline::after(now, time), now) else { return };
            if let Ok(attempt) = call.try_attempt(now) {
                let _ = call.settle(attempt, Report::new(Outcome::Failure).retry_after(time), now);
            }
        });
    }
}

#[cfg_attr(test, test)]
pub(crate) fn b16_no_more_calls_are_in_flight_at_the_trip_than_there_are_slots() {
    let policy = Policy::new().bulkhead(bulkhead::Config::new(3)).circuit_breaker(consecutive(1));
    let guard = Guard::<0, 0>::new(policy);
    let begin = || guard.try_begin(Deadline::NONE, ms(0));
    let (mut first, mut second, mut third) = (begin().unwrap(), begin().unwrap(), begin().unwrap());
    assert!(begin().is_err(), "the slots are the bound");
    let attempts = [&mut first, &mut second, &mut third].map(|call| call.try_attempt(ms(0)).unwrap());
    let mut transitions = 0;
    for (call, attempt) in [first, second, third].iter_mut().zip(attempts) {
        let settled = call.settle(attempt, Report::new(Outcome::Failure), ms(1));
        transitions += u32::from(settled.transition.is_some());
    }
    assert_eq!(transitions, 1, "what was in flight at the trip changes nothing more");
    assert!(begin().is_err(), "and nothing starts after it");
}

#[cfg_attr(test, test)]
pub(crate) fn b67_health_and_levels_know_silence_and_calm_across_every_wrap() {
    for start in starts() {
        let after = |millis| start.saturating_add(Duration::from_millis(millis));
        let config = check::Config::new().rise(1).fall(1).stale_after(2 * SECOND);
        let health = HealthCheck::<0>::new(config);
        assert!(health.record(true, start, after(10)).is_some());
        for millis in (10..1_990).step_by(90) {
            assert_eq!(health.status(after(millis)), Status::Healthy, "{millis} ms after {start:?}");
        }
        assert_eq!(health.status(after(2_010)), Status::Unknown, "after {start:?}");

        let level = AutoDegradation::new(auto_degradation::Config::new(100).calm_for(2 * SECOND));
        assert!(level.observe(101, start).is_some());
        for millis in (0..1_990).step_by(90) {
            assert_eq!(level.observe(0, after(millis)), None, "{millis} ms after {start:?}");
        }
        assert!(level.observe(0, after(2_010)).is_some(), "after {start:?}");
        assert_eq!(level.level(), Level::Normal);
    }
}

#[cfg_attr(test, test)]
pub(crate) fn b67_a_rotating_histogram_forgets_across_every_wrap() {
    for start in starts() {
        let recent = RotatingHistogram::<2, 16>::new(2 * SECOND);
        recent.record(7, start);
        for millis in (0..1_000).step_by(90) {
            let now = start.saturating_add(Duration::from_millis(millis));
            assert_eq!(recent.count(now), 1, "{millis} ms after {start:?}");
        }
        assert_eq!(recent.count(start.saturating_add(2 * SECOND)), 0, "after {start:?}");
    }
}

#[cfg_attr(test, test)]
pub(crate) fn b67_free_retries_and_waits_end_across_every_wrap() {
    for start in starts() {
        let after = |millis| start.saturating_add(Duration::from_millis(millis));
        let backoff = Backoff::constant(Duration::from_millis(1));
        let retry = Retry::new(retry::Config::attempts(9, backoff).budget(Ratio::ZERO, 0, 1));
        let free = |millis| {
            let decision = retry.decide(1, Duration::ZERO, Deadline::NONE, 0, after(millis));
            matches!(decision, Decision::RetryAfter(_))
        };
        assert_eq!([0, 990, 1_010, 1_990, 2_030].map(free), [true, false, true, false, true], "{start:?}");

        let slots = Bulkhead::<1>::new(bulkhead::Config::new(1).max_wait(2 * SECOND));
        let held = slots.try_acquire(start).unwrap();
        let Ok(Entry::Waiting(mut waiter)) = slots.enqueue(1, start) else { panic!("it is full") };
        assert!(waiter.poll(Waker::noop(), after(1_999)).is_pending(), "{start:?}");
        let answer = waiter.poll(Waker::noop(), after(2_000));
        assert!(matches!(answer, Poll::Ready(Err(Rejected::WaitTimeout { .. }))), "{start:?}");
        drop(held);
    }
}

#[cfg_attr(test, test)]
pub(crate) fn b77_what_saw_nothing_says_so() {
    for now in [Instant::ZERO, s(9), Instant::NEVER] {
        assert_eq!(Window::<4>::new(Span::time(SECOND)).totals(now), Totals::ZERO);
        assert_eq!(RotatingHistogram::<2, 16>::new(SECOND).percentile(HALF, now), None);
        let budget = ErrorBudget::<4>::new(error_budget::Config::new(HALF, SECOND)).snapshot(now);
        assert_eq!((budget.availability, budget.spent_millionths, budget.exhausted), (Ratio::ONE, 0, false));
        let latency = LatencyBudget::<2, 16, 4>::new(latency_budget::Config::new(HALF, SECOND, SECOND));
        assert_eq!(latency.snapshot(now).latency, None);
        let burn = BurnRate::<4>::new(burn_rate::Config::new(HALF, Rule::FAST)).snapshot(now);
        assert_eq!((burn.long_thousandths, burn.short_thousandths, burn.raised), (0, 0, false));
        assert_eq!(HealthCheck::<0>::new(check::Config::new()).status(now), Status::Unknown);
    }
}
