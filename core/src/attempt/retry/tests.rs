use core::time::Duration;

use super::{Config, Decision, GiveUp, Retry};
use crate::attempt::backoff::Backoff;
use crate::attempt::deadline::Deadline;
use crate::ratio::Ratio;
use crate::time::Instant;

const DELAY: Duration = Duration::from_millis(10);
const START: Instant = Instant::from_secs(100);

fn retry(max_attempts: u32, ratio: Ratio, cap: u32, per_second: u32) -> Retry {
    Retry::new(Config::attempts(max_attempts, Backoff::constant(DELAY)).budget(ratio, cap, per_second))
}

fn ask(retry: &Retry, now: Instant) -> Decision {
    retry.decide(1, Duration::ZERO, Deadline::NONE, 0, now)
}

#[test]
fn b61_the_first_attempt_counts() {
    let retry = retry(3, Ratio::ONE, 100, 0);
    let decisions = [1, 2, 3, 4].map(|n| retry.decide(n, DELAY, Deadline::NONE, 0, START));
    let (again, over) = (Decision::RetryAfter(DELAY), Decision::GiveUp(GiveUp::Attempts));
    assert_eq!(decisions, [again, again, over, over]);
    assert!(Retry::try_new(Config::attempts(0, Backoff::constant(DELAY))).is_err());
    assert_eq!(ask(&Retry::new(Config::never()), START), Decision::GiveUp(GiveUp::Attempts));
}

#[test]
fn b60_no_retry_that_would_start_at_or_after_the_deadline() {
    let retry = retry(9, Ratio::ONE, 100, 0);
    let with = |left| retry.decide(1, Duration::ZERO, Deadline::after(START, left), 0, START);
    assert_eq!(with(DELAY), Decision::GiveUp(GiveUp::Deadline));
    assert_eq!(with(DELAY + Duration::from_nanos(1)), Decision::RetryAfter(DELAY));
    assert_eq!(retry.balance(), 99, "only the granted retry was paid for");
}

#[test]
fn a_peer_may_ask_for_a_longer_delay() {
    let retry = retry(9, Ratio::ONE, 100, 0);
    let asked = Duration::from_secs(3);
    assert_eq!(retry.decide_with_delay(1, asked, Deadline::NONE, START), Decision::RetryAfter(asked));
}

#[test]
fn a_peer_cannot_hold_a_call_for_longer_than_the_cap() {
    let cap = Duration::from_secs(5);
    let config = Config::attempts(9, Backoff::constant(DELAY).at_most(cap)).budget(Ratio::ONE, 100, 0);
    let retry = Retry::new(config);
    let ask = |asked| retry.decide_with_delay(1, asked, Deadline::NONE, START);
    assert_eq!(ask(cap), Decision::RetryAfter(cap));
    assert_eq!(ask(Duration::from_millis(u32::MAX.into())), Decision::GiveUp(GiveUp::Delay));
    assert_eq!(retry.balance(), 99, "only the granted retry was paid for");
}

#[test]
fn b62_the_balance_is_never_overdrawn_and_never_above_its_cap() {
    let retry = retry(9, Ratio::percent(20), 3, 0);
    for _ in 0..1000 {
        retry.call_started();
    }
    assert_eq!(retry.balance(), 3);
    let granted = (0..100).filter(|_| matches!(ask(&retry, START), Decision::RetryAfter(_))).count();
    assert_eq!(granted, 3);
    assert_eq!(ask(&retry, START), Decision::GiveUp(GiveUp::Budget));
    for _ in 0..4 {
        retry.call_started();
        assert_eq!(ask(&retry, START), Decision::GiveUp(GiveUp::Budget));
    }
    retry.call_started();
    assert_eq!(ask(&retry, START), Decision::RetryAfter(DELAY), "five calls pay for one retry");
}

/// The bound in the module's documentation, with everything failing.
#[test]
fn amplification_is_bounded() {
    let (ratio, cap, per_second) = (Ratio::percent(20), 10, 5);
    let retry = retry(4, ratio, cap, per_second);
    let mut now = START;
    let mut retries = 0;
    let calls = 10_000;
    for _ in 0..calls {
        retry.call_started();
        for attempt in 1..4 {
            match retry.decide(attempt, DELAY, Deadline::NONE, 0, now) {
                Decision::RetryAfter(_) => retries += 1,
                Decision::GiveUp(_) => break,
            }
        }
        now = now.saturating_add(Duration::from_millis(2));
    }
    let bound = cap + ratio.of(calls) + per_second * (20 + 1);
    assert!(retries <= bound, "{retries} retries, at most {bound}");
    assert!(retries >= ratio.of(calls), "the budget is there to be used: {retries}");
}

#[test]
fn free_retries_come_at_their_rate() {
    let retry = retry(9, Ratio::ZERO, 0, 2);
    let mut granted = 0;
    for millis in 0..10_000 {
        let now = START.saturating_add(Duration::from_millis(millis));
        granted += u32::from(matches!(ask(&retry, now), Decision::RetryAfter(_)));
    }
    assert_eq!(granted, 20);
}

#[test]
fn a_cap_that_the_word_cannot_hold_is_an_error() {
    let config = Config::attempts(2, Backoff::constant(DELAY)).budget(Ratio::per_million(1), 5000, 0);
    assert_eq!(Retry::try_new(config).unwrap_err().field, "retry.budget.cap");
}

#[test]
fn the_cost_is_as_documented() {
    use crate::atomic::sync::probe::{Accesses, count};
    let retry = retry(9, Ratio::percent(20), 3, 0);
    let (full, ()) = count(|| retry.call_started());
    assert_eq!(full, Accesses { loads: 1, writes: 0 });
    let (granted, _) = count(|| ask(&retry, START));
    assert_eq!(granted, Accesses { loads: 1, writes: 1 });
    let (deposit, ()) = count(|| retry.call_started());
    assert_eq!(deposit, Accesses { loads: 1, writes: 1 });
}
