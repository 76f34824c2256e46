use core::time::Duration;

use super::{Config, Decision, GiveUp, Kind, Retry};
use crate::attempt::backoff::Backoff;
use crate::attempt::deadline::Deadline;
use crate::guard::{Guard, Policy, Report};
use crate::outcome::Outcome;
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
    let (success, ()) = count(|| retry.call_succeeded());
    assert_eq!(success, Accesses { loads: 0, writes: 0 });
    let throttle = Config::attempts(9, Backoff::constant(DELAY)).throttle(Ratio::percent(10), 10);
    let throttle = Retry::new(throttle);
    let (failure, _) = count(|| ask(&throttle, START));
    assert_eq!(failure, Accesses { loads: 1, writes: 1 });
}

fn fail(retry: &Retry, kind: Kind) -> bool {
    let decision = retry.decide_as(kind, 1, Duration::ZERO, Deadline::NONE, 0, START);
    matches!(decision, Decision::RetryAfter(_))
}

#[test]
fn a_retry_costs_what_its_kind_costs() {
    let config = Config::attempts(9, Backoff::constant(DELAY)).budget(Ratio::percent(20), 10, 0);
    let retry = Retry::new(config.cost(Kind::Timeout, 2).cost(Kind::Throttled, 5));
    for (kind, left) in [(Kind::Timeout, 8), (Kind::Failure, 7), (Kind::Throttled, 2)] {
        assert!(fail(&retry, kind));
        assert_eq!(retry.balance(), left);
    }
    let asked = retry.decide_with_delay(1, DELAY, Deadline::NONE, START);
    assert_eq!(asked, Decision::GiveUp(GiveUp::Budget), "a delay is asked for by a peer that throttles");
    assert!(fail(&retry, Kind::Timeout));
    assert!(!fail(&retry, Kind::Failure));
    assert_eq!(retry.balance(), 0);
    assert_eq!(
        [Kind::Failure, Kind::Timeout, Kind::Throttled].map(|kind| retry.config().cost_of(kind)),
        [1, 2, 5]
    );
}

/// The bound in the module's documentation, for each kind and for a mix of them.
#[test]
fn amplification_is_bounded_by_the_costs() {
    let (ratio, cap, per_second, calls) = (Ratio::percent(20), 12, 3, 10_000);
    let kinds = [Kind::Failure, Kind::Timeout, Kind::Throttled];
    let config = Config::attempts(4, Backoff::constant(DELAY)).budget(ratio, cap, per_second);
    let config = config.cost(Kind::Timeout, 2).cost(Kind::Throttled, 6);
    let run = |kind_of: &dyn Fn(u32) -> Kind| {
        let retry = Retry::new(config);
        let (mut now, mut retries, mut tokens) = (START, 0, 0);
        for call in 0..calls {
            retry.call_started();
            for attempt in 1..4 {
                let kind = kind_of(call + attempt);
                match retry.decide_as(kind, attempt, DELAY, Deadline::NONE, 0, now) {
                    Decision::RetryAfter(_) => {
                        retries += 1;
                        tokens += u32::from(config.cost_of(kind));
                    }
                    Decision::GiveUp(_) => break,
                }
            }
            now = now.saturating_add(Duration::from_millis(2));
        }
        (retries, tokens)
    };
    let free = per_second * (20 + 1);
    for kind in kinds {
        let (retries, _) = run(&|_| kind);
        let cost = u32::from(config.cost_of(kind));
        let bound = (cap + ratio.of(calls)) / cost + free;
        assert!(retries <= bound, "{kind:?}: {retries} retries, at most {bound}");
        assert!(retries >= ratio.of(calls) / cost, "{kind:?}: the budget is there to be used: {retries}");
    }
    let (retries, tokens) = run(&|n| kinds[n as usize % 3]);
    assert!(retries <= cap + ratio.of(calls) + free, "{retries}");
    assert!(
        tokens <= cap + ratio.of(calls) + 6 * free,
        "{tokens} tokens, of which the free ones are not taken"
    );
}

#[test]
fn b62_a_throttle_stops_retries_at_half_of_its_tokens() {
    let config = Config::attempts(9, Backoff::constant(DELAY)).throttle(Ratio::percent(50), 10);
    let retry = Retry::new(config);
    let granted = [(); 6].map(|()| fail(&retry, Kind::Failure));
    assert_eq!(granted, [true, true, true, true, false, false], "10 tokens: 9 8 7 6, then 5 4");
    retry.call_started();
    assert_eq!(retry.balance(), 4, "a call that starts pays nothing");
    for granted in [false, true] {
        (0..4).for_each(|_| retry.call_succeeded());
        assert_eq!(fail(&retry, Kind::Failure), granted, "4 and 2 less 1 is half, 5 and 2 less 1 is more");
    }
}

#[test]
fn b62_a_throttle_hears_of_failures_that_are_not_tried_again() {
    let config = Config::attempts(2, Backoff::constant(DELAY)).throttle(Ratio::percent(10), 4);
    let retry = Retry::new(config.cost(Kind::Timeout, 3));
    let last = retry.decide(2, DELAY, Deadline::NONE, 0, START);
    assert_eq!((last, retry.balance()), (Decision::GiveUp(GiveUp::Attempts), 3));
    let late = retry.decide(1, DELAY, Deadline::at(START), 0, START);
    assert_eq!((late, retry.balance()), (Decision::GiveUp(GiveUp::Deadline), 2));
    retry.call_failed(Kind::Failure);
    assert_eq!(retry.balance(), 1);
    assert!(!fail(&retry, Kind::Timeout));
    assert_eq!(retry.balance(), 0, "never below zero");
    for _ in 0..1000 {
        retry.call_succeeded();
    }
    assert_eq!(retry.balance(), 4, "never above its cap");
}

/// As many retries as half of the tokens and what successes paid in, however failures and successes come.
#[test]
fn amplification_of_a_throttle_is_bounded() {
    let config = Config::attempts(9, Backoff::constant(DELAY)).throttle(Ratio::percent(10), 10);
    for failing_percent in [5, 10, 50, 90, 100] {
        let (retry, rng) = (Retry::new(config), crate::Rng::new(failing_percent));
        let (mut retries, mut successes) = (0, 0);
        for _ in 0..10_000 {
            if rng.below(100) < failing_percent {
                retries += u32::from(fail(&retry, Kind::Failure));
            } else {
                retry.call_succeeded();
                successes += 1;
            }
        }
        assert!(
            retries <= 5 + successes / 10,
            "{failing_percent} %: {retries} retries, {successes} successes"
        );
    }
}

/// Cancelled in an attempt, cancelled while it pauses, and expired before the first: attempts 1, 1, 0.
#[test]
fn b60_no_attempt_after_the_deadline_wherever_it_falls() {
    let attempts_until = |deadline: Deadline, takes: Duration| {
        let retry = retry(9, Ratio::ONE, 100, 0);
        let (mut now, mut attempts, mut last) = (START, 0, None);
        while !deadline.is_expired(now) {
            attempts += 1;
            now = now.saturating_add(takes);
            match retry.decide(attempts, DELAY, deadline, 0, now) {
                Decision::RetryAfter(pause) => now = now.saturating_add(pause),
                Decision::GiveUp(reason) => {
                    last = Some(reason);
                    break;
                }
            }
        }
        (attempts, last)
    };
    let gave_up = Some(GiveUp::Deadline);
    assert_eq!(attempts_until(Deadline::after(START, DELAY), 2 * DELAY), (1, gave_up), "in an attempt");
    assert_eq!(
        attempts_until(Deadline::after(START, DELAY), DELAY / 2),
        (1, gave_up),
        "in a pause, which is not begun"
    );
    assert_eq!(attempts_until(Deadline::at(START), DELAY), (0, None), "before the first");
    assert_eq!(attempts_until(Deadline::at(Instant::ZERO), DELAY), (0, None));
}

#[test]
fn a_cost_of_nothing_is_an_error() {
    let config = Config::attempts(2, Backoff::constant(DELAY)).cost(Kind::Timeout, 0);
    assert_eq!(Retry::try_new(config).unwrap_err().field, "retry.cost");
    let dear = Config::attempts(2, Backoff::constant(DELAY)).cost(Kind::Timeout, 255);
    let dear = Retry::new(dear.budget(Ratio::per_million(1), 4294, 0));
    assert!(fail(&dear, Kind::Timeout), "no product overflows");
    let throttle = Config::attempts(2, Backoff::constant(DELAY)).throttle(Ratio::per_million(1), 4295);
    assert!(throttle.is_throttle());
    assert_eq!(Retry::try_new(throttle).unwrap_err().field, "retry.budget.cap");
}

/// Settles one call of a guard as the reports say; the tokens that are left.
fn guarded(config: Config, reports: &[Report]) -> u32 {
    let guard: Guard<0, 0> = Guard::new(Policy::new().retry(config));
    let mut call = guard.try_begin(Deadline::NONE, START).unwrap();
    for &report in reports {
        let attempt = call.try_attempt(START).unwrap();
        let _ = call.settle(attempt, report, START);
    }
    guard.retry().balance()
}

#[test]
fn a_guard_pays_by_the_kind_of_the_failure() {
    let config = Config::attempts(3, Backoff::constant(DELAY)).budget(Ratio::ZERO, 20, 0);
    let config = config.cost(Kind::Timeout, 2).cost(Kind::Throttled, 5);
    let failure = Report::new(Outcome::Failure);
    assert_eq!(guarded(config, &[failure, Report::timed_out()]), 17);
    assert_eq!(guarded(config, &[failure.retry_after(DELAY), Report::new(Outcome::Success)]), 15);
    let throttle = config.throttle(Ratio::ONE, 10);
    assert_eq!(
        guarded(throttle, &[failure, failure, Report::timed_out()]),
        6,
        "also the last one, for which there is none"
    );
    assert_eq!(guarded(throttle, &[failure, failure, Report::new(Outcome::Success)]), 9);
    assert_eq!(guarded(throttle, &[failure.not_retryable()]), 10, "it says nothing about retries");
}
