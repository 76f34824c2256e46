//! What a guard tells others: transitions, the edges of its budget, and the level of the component that it drives.

use core::future::ready;
use core::time::Duration;
use std::sync::Arc;

use seawall::clock::TokioClock;
use seawall::core::circuit_breaker::{self, Cause, State};
use seawall::core::degradation::{Component, Degradation, Level};
use seawall::core::error_budget::{self, Edge};
use seawall::core::guard::Pattern;
use seawall::core::{Backoff, EventRing, Ratio, events::EventKind, retry};
use seawall::{Guard, Policy};
use tokio::time::advance;

use crate::{BREAKER, guard, millis, poll_once};

fn kinds(events: &EventRing<64>) -> Vec<EventKind> {
    let mut cursor = events.cursor();
    core::iter::from_fn(|| events.read(&mut cursor)).map(|event| event.kind).collect()
}

fn transitions(guard: &Guard<TokioClock>) -> Vec<(State, State, Cause)> {
    kinds(guard.events())
        .into_iter()
        .filter_map(|kind| match kind {
            EventKind::Breaker(transition) => Some((transition.from, transition.to, transition.cause)),
            _ => None,
        })
        .collect()
}

async fn call(guard: &Guard<TokioClock>, success: bool) -> bool {
    guard.call(|_| ready(if success { Ok(()) } else { Err(()) })).await.is_ok()
}

#[tokio::test(start_paused = true)]
async fn each_transition_is_an_event_with_its_cause() {
    let guard = guard(BREAKER);
    assert!(!call(&guard, false).await && !call(&guard, false).await);
    advance(millis(1001)).await;
    assert!(!call(&guard, false).await, "the probe fails");
    advance(millis(1001)).await;
    assert!(call(&guard, true).await);
    let tripped = Cause::ConsecutiveFailures { failures: 2 };
    assert_eq!(
        transitions(&guard),
        [
            (State::Closed, State::Open, tripped),
            (State::Open, State::HalfOpen, Cause::OpenTimeOver),
            (State::HalfOpen, State::Open, Cause::ProbesFailed { failures: 1 }),
            (State::Open, State::HalfOpen, Cause::OpenTimeOver),
            (State::HalfOpen, State::Closed, Cause::ProbesSucceeded { successes: 1 }),
        ]
    );
    let stats = guard.stats();
    assert_eq!(stats.transitions(State::Open, State::HalfOpen), 2);
    assert_eq!(stats.transitions(State::Closed, State::Open), 1);
}

#[tokio::test(start_paused = true)]
async fn the_breaker_is_steered_by_hand() {
    let guard = guard(BREAKER);
    guard.force_open();
    advance(Duration::from_secs(3600)).await;
    assert!(!call(&guard, true).await, "until it is reset");
    guard.force_closed();
    for _ in 0..5 {
        assert!(!call(&guard, false).await);
    }
    assert!(call(&guard, true).await, "failures do not open it");
    guard.reset();
    assert!(call(&guard, true).await);
    let all = transitions(&guard);
    assert!(all.iter().all(|(.., cause)| *cause == Cause::Manual), "{all:?}");
    assert_eq!(all.len(), 3);
    assert_eq!(guard.stats().transitions(State::Closed, State::Open), 1);
    assert_eq!(guard.stats().transitions(State::Open, State::Closed), 1);
}

/// 50 % of at least two calls within ten seconds.
const BUDGET: Policy = Policy::new()
    .error_budget(error_budget::Config::new(Ratio::percent(50), Duration::from_secs(10)).minimum_calls(2));

#[tokio::test(start_paused = true)]
async fn the_budget_sets_the_level_of_its_component_and_takes_it_back() {
    let guard = guard(BUDGET);
    let degradation = Arc::new(Degradation::new());
    let (own, other) = (Component::new(2), Component::new(3));
    guard.drive(Arc::clone(&degradation), own);
    guard.drive(Arc::clone(&degradation), other);
    assert!(!call(&guard, false).await && !call(&guard, false).await);
    assert_eq!(degradation.component_level(own), Level::Degraded);
    assert_eq!(degradation.component_level(other), Level::Normal, "it keeps the first");
    assert_eq!(guard.retry_tallies().budget_exhausted, 1);

    advance(Duration::from_secs(5)).await;
    guard.refresh();
    assert_eq!(degradation.level(), Level::Degraded, "nothing recovered yet");
    advance(Duration::from_secs(10)).await;
    guard.refresh();
    guard.refresh();
    assert_eq!(degradation.level(), Level::Normal, "time alone took it back");
    let edges = kinds(guard.events());
    assert!(matches!(
        edges[..],
        [
            EventKind::Budget(Edge::Exhausted),
            EventKind::Level(_),
            EventKind::Budget(Edge::Recovered),
            EventKind::Level(_)
        ]
    ));
}

/// The edge is told once, so losing it would leave the component at its old level.
#[tokio::test(start_paused = true)]
async fn the_edge_of_a_call_whose_retry_was_refused_is_told_too() {
    let budget = error_budget::Config::new(Ratio::percent(50), Duration::from_secs(10)).minimum_calls(1);
    let guard =
        guard(BREAKER.retry(retry::Config::attempts(3, Backoff::constant(millis(10)))).error_budget(budget));
    let degradation = Arc::new(Degradation::new());
    guard.drive(Arc::clone(&degradation), Component::new(0));
    let mut failing = Box::pin(guard.call(|_| ready(Err::<(), _>(()))));
    assert!(poll_once(failing.as_mut()).await.is_pending());
    guard.force_open();
    assert!(failing.await.is_err());
    assert_eq!(degradation.level(), Level::Degraded);
}

#[tokio::test(start_paused = true)]
async fn rejections_by_our_own_patterns_spend_no_budget() {
    let breaker = circuit_breaker::Config::consecutive_failures(1).open_for(Duration::from_secs(60));
    let guard = guard(BUDGET.circuit_breaker(breaker));
    assert!(!call(&guard, false).await);
    for _ in 0..100 {
        assert!(!call(&guard, true).await);
    }
    let account = guard.decisions().error_budget().unwrap().snapshot(guard.now());
    assert_eq!((account.calls, account.failures), (1, 1));
    assert_eq!(guard.stats().rejected_by(Pattern::CircuitBreaker), 100);
}
