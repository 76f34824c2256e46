extern crate std;

use std::string::ToString;

use super::*;
use crate::attempt::backoff::Backoff;
use crate::attempt::retry::{Config, Decision};
use crate::measure::histogram::buckets_for;

const NOW: Instant = Instant::from_secs(100);

type Micros = Histogram<7, { buckets_for(7, 10_000_000) }>;

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn hedge() -> Hedge {
    Hedge::at_percentile(Ratio::percent(95), ms(5), ms(500))
}

fn budget(cap: u32) -> Retry {
    Retry::new(Config::attempts(9, Backoff::constant(ms(1))).budget(Ratio::percent(10), cap, 0))
}

fn latencies(millis: impl IntoIterator<Item = u64>) -> Micros {
    let histogram = Micros::new();
    millis.into_iter().for_each(|millis| histogram.record(millis * 1000));
    histogram
}

fn wait(plan: Plan) -> Duration {
    match plan {
        Plan::HedgeAfter(wait) => wait,
        Plan::NoHedge(reason) => panic!("{reason}"),
    }
}

#[test]
fn the_delay_is_the_percentile_between_floor_and_ceiling() {
    let delay = |latencies: &Micros| wait(hedge().plan(0, latencies, Deadline::NONE, NOW));
    let exact = delay(&latencies(1..=100));
    assert!(exact >= ms(95) && exact < ms(96), "{exact:?}");
    assert_eq!(delay(&latencies([1; 100])), ms(5), "the floor");
    assert_eq!(delay(&latencies([5000; 100])), ms(500), "the ceiling");
    assert_eq!(delay(&latencies([1; 19])), ms(500), "too few are known");
    assert_eq!(delay(&latencies([1; 20])), ms(5));
    let trusting = hedge().least_samples(0);
    assert_eq!(trusting.delay(&latencies([]), NOW), ms(500), "none is known");
    assert_eq!(trusting.delay(&latencies([1]), NOW), ms(5));
    assert_eq!(hedge().delay(&(), NOW), ms(500));
}

#[test]
fn a_rotating_histogram_forgets_what_was_slow() {
    let recent = RotatingHistogram::<7, { buckets_for(7, 10_000_000) }>::new(Duration::from_secs(10));
    (0..100).for_each(|_| recent.record(300_000, NOW));
    assert!(hedge().delay(&recent, NOW) >= ms(300));
    let later = Instant::from_secs(200);
    assert_eq!(hedge().delay(&recent, later), ms(500), "nothing is known any more");
    (0..100).for_each(|_| recent.record(7_000, later));
    assert!((ms(7)..ms(8)).contains(&hedge().delay(&recent, later)));
}

#[test]
fn a_fixed_delay_asks_no_latencies() {
    let fixed = Hedge::after(ms(30));
    assert_eq!(wait(fixed.plan(0, &(), Deadline::NONE, NOW)), ms(30));
    assert_eq!(wait(fixed.plan(0, &latencies([9000; 50]), Deadline::NONE, NOW)), ms(30));
    let soon = Deadline::after(NOW, ms(40));
    assert_eq!(wait(fixed.plan(0, &latencies([9000; 50]), soon, NOW)), ms(30), "it needs what nobody knows");
    let few = Hedge::at_percentile(Ratio::percent(95), ms(5), ms(30));
    assert_eq!(wait(few.plan(0, &latencies([9000; 19]), soon, NOW)), ms(30), "too few to know");
    let none = Hedge::NONE;
    assert_eq!(none.plan(0, &(), Deadline::NONE, NOW), Plan::NoHedge(NoHedge::Limit));
    assert_eq!(none.start(0, &(), &budget(5), Deadline::NONE, NOW), Err(NoHedge::Limit));
}

#[test]
fn at_most_so_many_hedges_a_call() {
    let (hedge, budget) = (Hedge::after(ms(30)).at_most_hedges(2), budget(5));
    for hedges in 0..2 {
        assert_eq!(wait(hedge.plan(hedges, &(), Deadline::NONE, NOW)), ms(30));
        assert_eq!(hedge.start(hedges, &(), &budget, Deadline::NONE, NOW), Ok(()));
    }
    assert_eq!(hedge.plan(2, &(), Deadline::NONE, NOW), Plan::NoHedge(NoHedge::Limit));
    assert_eq!(hedge.start(2, &(), &budget, Deadline::NONE, NOW), Err(NoHedge::Limit));
    assert_eq!(budget.balance(), 3, "a refusal costs nothing");
}

#[test]
fn no_hedge_that_would_start_at_or_after_the_deadline() {
    let fixed = Hedge::after(ms(30));
    let plan = |left| fixed.plan(0, &(), Deadline::after(NOW, left), NOW);
    assert_eq!(plan(ms(30)), Plan::NoHedge(NoHedge::Deadline));
    assert_eq!(wait(plan(ms(30) + Duration::from_nanos(1))), ms(30));
    let budget = budget(5);
    assert_eq!(fixed.start(0, &(), &budget, Deadline::at(NOW), NOW), Err(NoHedge::Deadline));
    assert_eq!(budget.balance(), 5);
    assert_eq!(fixed.plan(0, &(), Deadline::at(NOW), Instant::NEVER), Plan::NoHedge(NoHedge::Deadline));
    let patient = Hedge::after(Duration::MAX);
    assert_eq!(patient.plan(0, &(), Deadline::after(NOW, ms(1)), NOW), Plan::NoHedge(NoHedge::Deadline));
}

#[test]
fn no_hedge_that_could_not_be_answered_in_time() {
    // The 95th percentile is 100 ms, the median 40 ms.
    let known = latencies((0..100).map(|n| if n < 94 { 40 } else { 100 }));
    let plan = |left| hedge().plan(0, &known, Deadline::after(NOW, ms(left)), NOW);
    assert_eq!(plan(130), Plan::NoHedge(NoHedge::Deadline));
    assert!(wait(plan(145)) >= ms(100));
    let budget = budget(5);
    let start = |hedge: Hedge, left| hedge.start(0, &known, &budget, Deadline::after(NOW, ms(left)), NOW);
    assert_eq!(start(hedge(), 40), Err(NoHedge::Deadline), "the attempt is later than it was to be");
    assert_eq!((start(hedge(), 45), budget.balance()), (Ok(()), 4));
    let blind = hedge().least_samples(101);
    assert_eq!(
        (start(blind, 1), start(Hedge::after(ms(5)), 1)),
        (Ok(()), Ok(())),
        "it needs what is not known"
    );
}

#[test]
fn b66_without_budget_there_is_no_hedge_and_the_attempt_goes_on() {
    let (hedge, budget) = (Hedge::after(ms(30)), budget(1));
    assert_eq!(hedge.start(0, &(), &budget, Deadline::NONE, NOW), Ok(()));
    for _ in 0..10 {
        assert_eq!(hedge.start(0, &(), &budget, Deadline::NONE, NOW), Err(NoHedge::Budget));
        assert_eq!(wait(hedge.plan(0, &(), Deadline::NONE, NOW)), ms(30), "to plan one is free");
    }
    assert_eq!(budget.balance(), 0);
    assert_eq!(
        budget.decide(1, ms(0), Deadline::NONE, 0, NOW),
        Decision::GiveUp(crate::retry::GiveUp::Budget)
    );
}

/// Every call is late, and every one fails: hedges and retries together stay within the budget.
#[test]
fn hedges_and_retries_share_one_bound() {
    let (hedge, budget) = (Hedge::after(ms(30)).at_most_hedges(3), budget(10));
    let (mut extra, calls) = (0, 1000);
    for _ in 0..calls {
        budget.call_started();
        for hedges in 0..3 {
            extra += u32::from(hedge.start(hedges, &(), &budget, Deadline::NONE, NOW).is_ok());
        }
        let retry = budget.decide(1, ms(1), Deadline::NONE, 0, NOW);
        extra += u32::from(matches!(retry, Decision::RetryAfter(_)));
    }
    assert!(extra <= 10 + calls / 10, "{extra}");
    assert!(extra >= calls / 10, "{extra}");
}

#[test]
fn a_throttled_peer_is_not_hedged() {
    let config = Config::attempts(9, Backoff::constant(ms(1))).throttle(Ratio::percent(10), 10);
    let (hedge, budget) = (Hedge::after(ms(30)), Retry::new(config));
    for _ in 0..4 {
        assert_eq!(hedge.start(0, &(), &budget, Deadline::NONE, NOW), Ok(()));
        budget.decide(1, ms(1), Deadline::NONE, 0, NOW);
    }
    budget.decide(1, ms(1), Deadline::NONE, 0, NOW);
    assert_eq!(
        hedge.start(0, &(), &budget, Deadline::NONE, NOW),
        Err(NoHedge::Budget),
        "half of the balance is gone"
    );
}

#[test]
fn where_no_latency_is_known_the_hedge_waits_for_the_ceiling() {
    assert_eq!((Latencies::count(&(), NOW), ().percentile(Ratio::percent(50), NOW)), (0, None));
    for least in [0, 1, 20] {
        let hedge = hedge().least_samples(least).at_most_hedges(3);
        assert_eq!((hedge.delay(&(), NOW), hedge.max_hedges()), (ms(500), 3));
    }
}

#[test]
fn a_floor_above_the_ceiling_is_an_error() {
    let wrong = Hedge::at_percentile(Ratio::ONE, ms(2), ms(1));
    assert_eq!(wrong.validate().unwrap_err().field, "hedge.floor");
    assert!(hedge().validate().is_ok() && Hedge::NONE.validate().is_ok());
    assert_eq!((hedge().bounds(), hedge().max_hedges()), ((ms(5), ms(500)), 1));
    assert_eq!(NoHedge::Budget.to_string(), "the retry budget is spent");
}
