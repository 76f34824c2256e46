//! A rate that follows latencies: the original's rule, without what was wrong with it.

use core::time::Duration;

use seawall_core::adaptive_rate::{AdaptiveRate, Adjustment, Config};
use seawall_core::rate_limiter::Quota;
use seawall_core::{Instant, Outcome};

use super::support::{SECOND, s};

const TARGET: Duration = Duration::from_millis(100);
const SLOW: Duration = Duration::from_millis(200);
const FAST: Duration = Duration::from_millis(20);

/// A hundred a second, between ten and a thousand.
const HUNDRED: Config = Config::new(Quota::per_second(100), TARGET);

/// A second in which so many calls ask, and those that are admitted take so long; the change that they made.
fn second(rate: &AdaptiveRate, asking: u32, latency: Duration, from: Instant) -> Option<Adjustment> {
    let mut made = None;
    for call in 0..asking {
        let now = from.saturating_add(SECOND * call / asking);
        if rate.try_acquire(now).is_ok() {
            made = rate.record(Outcome::Success, latency, now).or(made);
        }
    }
    made
}

fn thousandths(rate: &AdaptiveRate) -> u64 {
    rate.snapshot().quota.rate_in_thousandths()
}

#[cfg_attr(test, test)]
pub(crate) fn s2_3_it_falls_while_calls_are_slow_and_rises_while_they_are_fast() {
    static RATE: AdaptiveRate = AdaptiveRate::new(HUNDRED);
    for step in 0..4 {
        second(&RATE, 200, SLOW, s(10 + step));
    }
    assert_eq!(thousandths(&RATE), 72_900, "a tenth less after each of three");
    for step in 4..6 {
        second(&RATE, 200, FAST, s(10 + step));
    }
    assert_eq!(thousandths(&RATE), 68_890, "the last slow second, then a twentieth more");
    let mut last = 0;
    for step in 6..65 {
        let rose = second(&RATE, 2000, FAST, s(10 + step));
        assert!(rose.is_none_or(|it| it.is_raise() && it.to.burst_size() >= last));
        last = rose.map_or(last, |it| it.to.burst_size());
    }
    assert_eq!((thousandths(&RATE), last), (1_000_000, 1000), "its burst with it");
}

#[cfg_attr(test, test)]
pub(crate) fn rl2_one_burst_of_slow_calls_steps_once() {
    let rate = AdaptiveRate::new(HUNDRED);
    for _ in 0..100 {
        assert_eq!(rate.record(Outcome::Success, SLOW, s(10)), None);
    }
    let steps = (11..40).filter(|&now| second(&rate, 30, TARGET, s(now)).is_some()).count();
    assert_eq!((steps, thousandths(&rate)), (1, 90_000));
}

#[cfg_attr(test, test)]
pub(crate) fn rl3_below_one_a_second_it_never_blocks_everything() {
    let config = Config::new(Quota::new(10, Duration::from_secs(60)), TARGET).between(1, 100);
    let rate = AdaptiveRate::new(config.samples(1).window(60 * SECOND));
    for minute in 1..60 {
        let _ = rate.record(Outcome::Success, SLOW, s(60 * minute));
    }
    assert_eq!((thousandths(&rate), rate.snapshot().quota.burst_size()), (16, 1));
    let admitted = (0..10).filter(|minute| rate.try_acquire(s(4000 + 60 * minute)).is_ok()).count();
    assert_eq!(admitted, 10, "one a minute");
}

#[cfg_attr(test, test)]
pub(crate) fn rl5_failures_that_come_back_fast_do_not_raise_it() {
    let rate = AdaptiveRate::new(HUNDRED);
    for now in 10..30 {
        for _ in 0..100 {
            assert_eq!(rate.record(Outcome::Failure, Duration::from_millis(1), s(now)), None);
        }
    }
    assert_eq!(thousandths(&rate), 100_000);
}

#[cfg_attr(test, test)]
pub(crate) fn b53_it_stays_between_its_bounds_whatever_the_latency() {
    let rate = AdaptiveRate::new(HUNDRED);
    let mut now = 10;
    for (latency, bound) in [(Duration::MAX, 10_000), (Duration::ZERO, 1_000_000), (SLOW, 10_000)] {
        for _ in 0..100 {
            for _ in 0..600 {
                let _ = rate.record(Outcome::Success, latency, s(now));
            }
            now += 1;
            assert!((10_000..=1_000_000).contains(&thousandths(&rate)));
        }
        assert_eq!(thousandths(&rate), bound, "{latency:?}");
    }
}

#[cfg_attr(test, test)]
pub(crate) fn b54_it_does_not_rise_while_nobody_needs_it() {
    let rate = AdaptiveRate::new(HUNDRED);
    for now in 10..510 {
        assert_eq!(second(&rate, 40, FAST, s(now)), None);
    }
    assert_eq!(thousandths(&rate), 100_000);
    assert_eq!(second(&rate, 50, FAST, s(510)), None);
    assert_eq!(second(&rate, 50, FAST, s(511)).unwrap().to.rate_in_thousandths(), 105_000);
}

#[cfg_attr(test, test)]
pub(crate) fn b56_calls_that_say_nothing_count_for_nothing() {
    let rate = AdaptiveRate::new(HUNDRED);
    for now in 10..20 {
        for outcome in [Outcome::Ignored, Outcome::Cancelled] {
            for _ in 0..50 {
                assert_eq!(rate.record(outcome, SLOW, s(now)), None);
            }
        }
    }
    assert_eq!(thousandths(&rate), 100_000);
}

#[cfg_attr(test, test)]
pub(crate) fn b57_what_is_old_does_not_rule_after_a_pause() {
    for pause in [2, 100, 1 << 30] {
        let rate = AdaptiveRate::new(HUNDRED);
        second(&rate, 100, SLOW, s(10));
        assert_eq!(second(&rate, 100, TARGET, s(10 + pause + 1)), None, "after {pause} s");
        assert_eq!(thousandths(&rate), 100_000);
    }
}
