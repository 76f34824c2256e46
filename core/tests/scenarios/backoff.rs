//! Delays between attempts, and the budget that bounds them.

use core::time::Duration;

use seawall_core::backoff::Jitter;
use seawall_core::hedge::{NoHedge, Plan};
use seawall_core::retry::{Config, Decision, GiveUp, Kind};
use seawall_core::{Backoff, Deadline, Hedge, Ratio, Retry};

use super::support::{DAY, SECOND, s};

fn delays<const N: usize>(backoff: Backoff) -> [u64; N] {
    core::array::from_fn(|retry| backoff.delay(retry as u32, Duration::ZERO, 0).as_secs())
}

/// The draw that stands for the real number `hundredths` / 100.
fn draw(hundredths: u64) -> u32 {
    (u64::from(u32::MAX) * hundredths / 100) as u32
}

#[cfg_attr(test, test)]
pub(crate) fn t43_schedules() {
    assert_eq!(delays(Backoff::constant(SECOND)), [1, 1, 1]);
    assert_eq!(delays(Backoff::linear(SECOND, SECOND)), [1, 2, 3]);
    assert_eq!(delays(Backoff::exponential(SECOND)), [1, 2, 4]);
    assert_eq!(delays(Backoff::fibonacci(SECOND)), [1, 1, 2, 3, 5, 8]);
    assert_eq!(delays(Backoff::constant(10 * SECOND).at_most(SECOND)), [1, 1]);
    assert_eq!(delays(Backoff::exponential(2 * SECOND).at_most(30 * SECOND)), [2, 4, 8, 16, 30, 30]);
    assert_eq!(delays(Backoff::exponential(10 * SECOND).at_most(100 * SECOND)), [10, 20, 40, 80, 100, 100]);
    let custom = Backoff::exponential(SECOND).at_most(5 * SECOND);
    assert_eq!([0, 1, 2, 4, 10].map(|n| custom.delay(n, Duration::ZERO, 0).as_secs()), [1, 2, 4, 5, 5]);
}

#[cfg_attr(test, test)]
pub(crate) fn t43_jitter_of_a_quarter_either_way() {
    let near = |delay: Duration, millis: u64| delay.as_millis().abs_diff(u128::from(millis)) <= 1;
    let constant = Backoff::constant(SECOND).jitter(Jitter::PERCENT_25);
    for (hundredths, millis) in [(0, 750), (40, 950), (60, 1050), (100, 1250)] {
        assert!(near(constant.delay(0, Duration::ZERO, draw(hundredths)), millis));
    }
    let linear = Backoff::linear(SECOND, SECOND).jitter(Jitter::PERCENT_25);
    for (hundredths, millis) in [(0, 2250), (40, 2850), (50, 3000), (60, 3150), (100, 3750)] {
        assert!(near(linear.delay(2, Duration::ZERO, draw(hundredths)), millis));
    }
}

#[cfg_attr(test, test)]
pub(crate) fn t43_no_attempt_number_overflows() {
    let longest = Backoff::exponential(DAY);
    assert_eq!(longest.delay(1000, Duration::ZERO, 0), Duration::from_nanos(u64::MAX));
    assert_eq!(longest.at_most(2 * DAY).delay(1000, Duration::ZERO, 0), 2 * DAY);
    for backoff in [Backoff::exponential(SECOND), Backoff::fibonacci(SECOND), Backoff::linear(SECOND, SECOND)]
    {
        let backoff = backoff.at_most(30 * SECOND);
        for attempt in [1, 2, 3, 4, 10, 31, 32, 63, 64, 65, 100, 1000, 1024, 1025, u32::MAX] {
            let delay = backoff.delay(attempt, Duration::ZERO, 0);
            assert!(!delay.is_zero() && delay <= 30 * SECOND, "attempt {attempt}: {delay:?}");
        }
    }
}

#[cfg_attr(test, test)]
pub(crate) fn t43_a_hundred_milliseconds_grow_to_a_cap_of_a_hundred_seconds() {
    let backoff = Backoff::exponential(Duration::from_millis(100)).at_most(100 * SECOND);
    let delay = |n| backoff.delay(n, Duration::ZERO, 0);
    for n in 0..10 {
        assert!(delay(n) < delay(n + 1), "retry {n}");
    }
    assert_eq!([delay(10), delay(11)], [100 * SECOND; 2]);
}

/// When everything fails, a budget of a tenth lets a tenth of the calls be retried, beside what it held at first.
#[cfg_attr(test, test)]
pub(crate) fn the_retry_budget_bounds_the_amplification() {
    let config = Config::attempts(10, Backoff::constant(SECOND)).budget(Ratio::percent(10), 5, 0);
    let retry = Retry::new(config);
    let mut retries = 0;
    for _ in 0..1000 {
        retry.call_started();
        for attempt in 1..10 {
            match retry.decide(attempt, SECOND, Deadline::NONE, 0, s(100)) {
                Decision::RetryAfter(_) => retries += 1,
                Decision::GiveUp(reason) => {
                    assert_eq!(reason, GiveUp::Budget);
                    break;
                }
            }
        }
    }
    assert_eq!(
        retries, 104,
        "five at first and one for each ten calls, less the one that the full balance refused"
    );
}

/// A timeout that costs two tokens is tried again half as often.
#[cfg_attr(test, test)]
pub(crate) fn the_cost_of_a_kind_divides_the_amplification() {
    let config = Config::attempts(10, Backoff::constant(SECOND)).budget(Ratio::percent(10), 6, 0);
    for (cost, bound) in [(1, 106), (2, 53), (6, 17)] {
        let retry = Retry::new(config.cost(Kind::Timeout, cost));
        let mut retries = 0;
        for _ in 0..1000 {
            retry.call_started();
            let decision = retry.decide_as(Kind::Timeout, 1, SECOND, Deadline::NONE, 0, s(100));
            retries += u32::from(matches!(decision, Decision::RetryAfter(_)));
        }
        assert!((bound - 2..=bound).contains(&retries), "cost {cost}: {retries} retries");
    }
}

/// gRPC's retry throttling, proposal A6: ten tokens, half of one for a success.
#[cfg_attr(test, test)]
pub(crate) fn b62_a_throttle_stops_at_half_of_its_tokens_and_recovers_by_successes() {
    let config = Config::attempts(10, Backoff::constant(SECOND)).throttle(Ratio::percent(50), 10);
    let retry = Retry::new(config);
    let fails = || matches!(retry.decide(1, SECOND, Deadline::NONE, 0, s(1)), Decision::RetryAfter(_));
    assert_eq!([(); 6].map(|()| fails()), [true, true, true, true, false, false]);
    (0..4).for_each(|_| retry.call_succeeded());
    assert!(!fails());
    (0..4).for_each(|_| retry.call_succeeded());
    assert!(fails());
}

#[cfg_attr(test, test)]
pub(crate) fn b66_a_hedge_shares_the_budget_and_its_refusal_is_no_failure() {
    let hedge = Hedge::after(SECOND);
    let budget = Retry::new(Config::never().budget(Ratio::percent(10), 2, 0));
    let call = Deadline::at(s(10));
    assert_eq!(hedge.plan(0, &(), call, s(1)), Plan::HedgeAfter(SECOND));
    for expected in [Ok(()), Ok(()), Err(NoHedge::Budget)] {
        assert_eq!(hedge.start(0, &(), &budget, call, s(2)), expected);
    }
    assert_eq!(hedge.start(1, &(), &budget, call, s(2)), Err(NoHedge::Limit));
    assert_eq!(hedge.plan(0, &(), call, s(9)), Plan::NoHedge(NoHedge::Deadline));
}
