//! Clocks that wrap, stand still, jump and step back, under each pattern.
//!
//! Firmware often derives its instants from a counter of 32 bits; the patterns themselves keep short words there.
//! So each story begins at several moments around the wraps of such counters, and has to end in the same way.

use core::time::Duration;

use seawall_core::circuit_breaker::{CircuitBreaker, State};
use seawall_core::error_budget::{self, Edge, ErrorBudget};
use seawall_core::rate_limiter::Quota;
use seawall_core::window::{Sample, Span, Window};
use seawall_core::{
    AdjustableRateLimiter, Clock, Instant, KeyedCircuitBreaker, ManualClock, Outcome, RateLimiter, Ratio,
    keyed,
};

use super::support::{
    DAY, MINUTE, SECOND, WIDE, WRAP_OF_MICROS, WRAP_OF_MILLIS, WRAP_OF_NANOS, before, burst, calls,
    consecutive, ms, s, state,
};

const MILLI: Duration = Duration::from_millis(1);

/// Moments from which a story of some seconds or minutes runs across a wrap.
fn starts() -> impl Iterator<Item = Instant> {
    [WRAP_OF_NANOS, WRAP_OF_MICROS, WRAP_OF_MILLIS].into_iter().flat_map(|wrap| {
        [Duration::from_nanos(5), Duration::from_millis(5), SECOND, 3 * SECOND, MINUTE, Duration::ZERO]
            .map(|ahead| before(wrap, ahead))
    })
}

#[cfg_attr(test, test)]
pub(crate) fn b67_a_breaker_opens_for_its_time_across_every_wrap() {
    for start in starts() {
        let breaker = CircuitBreaker::<0>::new(consecutive(1));
        calls(&breaker, "F", start);
        for seconds in 0..60 {
            let now = start.saturating_add(Duration::from_secs(seconds));
            assert_eq!(state(&breaker, now), State::Open, "{seconds} s after {start:?}");
            assert!(breaker.try_acquire(now).is_err(), "{seconds} s after {start:?}");
        }
        let later = start.saturating_add(MINUTE);
        calls(&breaker, "S", later);
        assert_eq!(state(&breaker, later), State::Closed, "after {start:?}");
    }
}

#[cfg_attr(test, test)]
pub(crate) fn b67_a_limiter_admits_its_rate_across_every_wrap() {
    for start in starts() {
        let limiter = RateLimiter::new(Quota::per_second(10).burst(3));
        assert_eq!(burst(&limiter, 9, start), 3);
        for step in 1..=50 {
            let due = start.saturating_add(step * Duration::from_millis(100));
            let (early, late) = (before(due, MILLI), due.saturating_add(MILLI));
            assert_eq!(burst(&limiter, 2, early), 0, "step {step} after {start:?}");
            assert_eq!(burst(&limiter, 2, late), 1, "step {step} after {start:?}");
        }
    }
}

#[cfg_attr(test, test)]
pub(crate) fn b67_a_window_forgets_what_is_old_across_every_wrap() {
    for start in starts() {
        // Buckets are aligned at the origin, so the story begins with a bucket.
        let start = s(start.as_nanos() / 1_000_000_000);
        let window = Window::<5>::new(Span::time(5 * SECOND));
        for second in 0..20 {
            let now = start.saturating_add(Duration::from_secs(second));
            let sums = window.record(Sample::FAILURE, now);
            assert_eq!(u64::from(sums.failures), (second + 1).min(5), "{second} s after {start:?}");
        }
        assert_eq!(window.totals(start.saturating_add(24 * SECOND)).calls, 0, "after {start:?}");
    }
}

#[cfg_attr(test, test)]
pub(crate) fn b67_an_error_budget_recovers_across_every_wrap() {
    for start in starts() {
        let start = s(start.as_nanos() / 1_000_000_000);
        let at = |seconds| start.saturating_add(Duration::from_secs(seconds));
        let config = error_budget::Config::new(Ratio::percent(90), MINUTE).minimum_calls(10);
        let budget = ErrorBudget::<10>::new(config);
        for second in 0..10 {
            let edge = budget.record(second < 8, at(second));
            assert_eq!(edge, (second == 9).then_some(Edge::Exhausted), "{second} s after {start:?}");
        }
        assert!(budget.is_exhausted(at(30)));
        assert_eq!(budget.check(at(70)), Some(Edge::Recovered), "after {start:?}");
    }
}

#[cfg_attr(test, test)]
pub(crate) fn b67_a_clock_that_reads_a_rollover_low_once_mints_nothing() {
    let limiter = RateLimiter::new(Quota::per_second(1).burst(2));
    let now = s(100_000);
    assert_eq!(burst(&limiter, 3, now), 2);
    for low in [Duration::from_nanos(65_536), Duration::from_micros(65_536), 10 * SECOND] {
        assert_eq!(burst(&limiter, 3, before(now, low)), 0, "{low:?} low");
        assert_eq!(burst(&limiter, 3, now), 0, "after {low:?} low");
    }
    assert_eq!(burst(&limiter, 3, now.saturating_add(SECOND)), 1);

    let breaker = CircuitBreaker::<0>::new(consecutive(1));
    calls(&breaker, "F", now);
    assert!(breaker.try_acquire(before(now, Duration::from_micros(65_536))).is_err());
    assert_eq!(breaker.status(now).retry_after, Some(MINUTE));
}

/// Also where the phases are shorter than what it reads low by, on 64-bit words.
#[cfg_attr(test, test)]
pub(crate) fn b67_one_low_reading_ends_no_phase() {
    const SHORT: Duration = Duration::from_millis(50);
    let lows: &[u64] = if WIDE { &[10, 50, 66, 131, 2_000, 4_200] } else { &[10, 49] };
    for low in lows.iter().map(|millis| Duration::from_millis(*millis)) {
        let now = s(100_000);
        let breaker = CircuitBreaker::<0>::new(consecutive(1).open_for(SHORT));
        calls(&breaker, "F", now);
        assert!(breaker.try_acquire(before(now, low)).is_err(), "open, {low:?} low");
        let probe = breaker.try_acquire(now.saturating_add(SHORT)).unwrap();
        assert!(
            breaker.try_acquire(before(now.saturating_add(SHORT), low)).is_err(),
            "a probe is out, {low:?}"
        );
        drop(probe);

        let keyed = KeyedCircuitBreaker::<1>::new(consecutive(1).open_for(SHORT), keyed::Config::seeded(7));
        keyed.try_acquire("a", now).unwrap().record(Outcome::Failure, now);
        assert!(
            keyed.try_acquire("b", before(now, low)).is_err(),
            "an open key keeps its entry, {low:?} low"
        );
        assert!(keyed.try_acquire("a", now).is_err());
    }
}

#[cfg_attr(test, test)]
pub(crate) fn b22_a_long_pause_gives_exactly_one_burst() {
    let hours = |n: u64| Duration::from_secs(n * 3600);
    let ages = Duration::from_nanos(u64::MAX - 1);
    for (tokens, size) in [(1, 1), (3, 10), (5, 5), (7, 3), (60, 60), (999, 7), (1000, 100)] {
        for pause in [hours(1), hours(12), Duration::from_millis(1 << 32), 365 * DAY, ages / 2, ages] {
            for start in [Instant::ZERO, s(7)] {
                let limiter = RateLimiter::new(Quota::per_second(tokens).burst(size));
                let adjustable = AdjustableRateLimiter::new(Quota::per_second(tokens).burst(size));
                let later = start.saturating_add(pause);
                for now in [start, later] {
                    assert_eq!(burst(&limiter, size + 1, now), size, "{tokens} a second after {pause:?}");
                    let admitted = (0..=size).filter(|_| adjustable.try_acquire(now).is_ok()).count();
                    assert_eq!(admitted, size as usize, "{tokens} a second after {pause:?}");
                }
            }
        }
    }
}

#[cfg_attr(test, test)]
pub(crate) fn b22_a_breaker_that_nobody_asked_for_days_gives_one_probe() {
    for pause in [MINUTE, Duration::from_secs(3600), DAY / 2, Duration::from_millis(1 << 32), 365 * DAY] {
        let breaker = CircuitBreaker::<0>::new(consecutive(1));
        calls(&breaker, "F", s(7));
        let later = s(7).saturating_add(pause);
        let probe = breaker.try_acquire(later).unwrap();
        assert!(probe.is_probe() && breaker.try_acquire(later).is_err(), "after {pause:?}");
    }
}

#[cfg_attr(test, test)]
pub(crate) fn b22_a_window_that_nobody_used_for_days_is_empty() {
    for pause in [DAY / 2, Duration::from_millis(1 << 32), 365 * DAY] {
        let window = Window::<10>::new(Span::time(10 * SECOND));
        for second in 0..10 {
            window.record_only(Sample::FAILURE, s(second));
        }
        let later = s(7).saturating_add(pause);
        assert_eq!(window.totals(later).calls, 0, "after {pause:?}");
        assert_eq!(window.record(Sample::SUCCESS, later).calls, 1, "after {pause:?}");
    }
}

#[cfg_attr(test, test)]
pub(crate) fn b26_a_clock_that_swings_mints_nothing() {
    let limiter = RateLimiter::new(Quota::per_second(1).burst(2));
    let admitted: u32 = (0..1000).map(|i| burst(&limiter, 3, s(if i % 2 == 0 { 100 } else { 90 }))).sum();
    assert_eq!(admitted, 2, "as many as at one moment");
    assert_eq!(burst(&limiter, 3, s(101)), 1);
}

#[cfg_attr(test, test)]
pub(crate) fn b26_a_step_back_locks_out_for_no_longer_than_the_step() {
    let limiter = RateLimiter::new(Quota::per_second(1).burst(2));
    assert_eq!(burst(&limiter, 3, s(1000)), 2);
    let admitted = (0..=12).map(|second| burst(&limiter, 1, s(990 + second))).sum::<u32>();
    assert_eq!(admitted, 2, "at 1001 s and at 1002 s");

    let breaker = CircuitBreaker::<0>::new(consecutive(1));
    calls(&breaker, "F", s(1000));
    assert!(breaker.try_acquire(s(970)).is_err());
    assert!(breaker.try_acquire(s(1059)).is_err());
    assert!(breaker.try_acquire(s(1060)).is_ok(), "the deadline did not move");
}

#[cfg_attr(test, test)]
pub(crate) fn b74_a_window_keeps_its_events_when_the_clock_steps_back() {
    let window = Window::<10>::new(Span::time(10 * SECOND));
    for second in 90..=100 {
        window.record_only(Sample::SUCCESS, s(second));
    }
    assert_eq!(window.totals(s(100)).calls, 10);
    assert_eq!(window.record(Sample::FAILURE, s(99)).calls, 11);
    assert_eq!(window.record(Sample::FAILURE, s(61)).calls, 12);
    assert_eq!(window.totals(s(109)).calls, 3, "late events belong to the newest bucket");
    assert_eq!(window.totals(s(110)).calls, 0);
}

#[cfg_attr(test, test)]
pub(crate) fn b31_a_new_limiter_has_its_burst_at_any_moment() {
    for tokens in [1, 3, 7, 1000] {
        for now in [0, 1, 999_999_999, (1 << 32) - 1, 1 << 32, u64::MAX / 2, u64::MAX - 10, u64::MAX] {
            let limiter = RateLimiter::new(Quota::per_second(tokens).burst(4));
            assert_eq!(burst(&limiter, 9, Instant::from_nanos(now)), 4, "{tokens} a second at {now} ns");
        }
    }
}

#[cfg_attr(test, test)]
pub(crate) fn a_manual_clock_reads_what_it_was_set_to() {
    static CLOCK: ManualClock = ManualClock::new(Instant::ZERO);
    for moment in [WRAP_OF_NANOS, before(WRAP_OF_NANOS, Duration::from_nanos(1)), ms(3), Instant::NEVER] {
        CLOCK.set(moment);
        assert_eq!(CLOCK.now(), moment);
    }
    CLOCK.set(before(WRAP_OF_NANOS, Duration::from_nanos(1)));
    CLOCK.advance(Duration::from_nanos(1));
    assert_eq!(CLOCK.now(), WRAP_OF_NANOS);
    let breaker = CircuitBreaker::<0>::new(consecutive(1));
    assert!(
        breaker.try_acquire(CLOCK.now()).map(|permit| permit.record(Outcome::Success, CLOCK.now())).is_ok()
    );
}
