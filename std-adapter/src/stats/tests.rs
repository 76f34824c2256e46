use std::sync::Arc;

use seawall_core::degradation::{Component, Degradation};
use seawall_core::guard::Policy;
use seawall_core::{
    Backoff, Instant, ManualClock, bulkhead, circuit_breaker, error_budget, rate_limiter, retry,
};
use serde_json::{Value, json};

use super::*;
use crate::guard::Guard;

fn full() -> Policy {
    Policy::new()
        .rate_limit(rate_limiter::Quota::new(100, Duration::from_millis(500)).burst(40))
        .bulkhead(bulkhead::Config::new(7).max_waiting(3).max_wait(Duration::from_millis(5)))
        .circuit_breaker(circuit_breaker::Config::consecutive_failures(2).open_for(Duration::from_secs(10)))
        .retry(retry::Config::attempts(2, Backoff::constant(Duration::ZERO)))
        .error_budget(error_budget::Config::new(Ratio::percent(50), Duration::from_secs(60)).minimum_calls(1))
        .seed(1)
}

#[test]
fn a_guard_reads_as_what_was_done_to_it() {
    let clock = ManualClock::new(Instant::from_secs(5));
    let guard = Guard::with_clock("storage", full(), &clock).unwrap();
    let degradation = Arc::new(Degradation::new());
    guard.drive(Arc::clone(&degradation), Component::new(3));
    let success = guard.call_blocking(|_| {
        clock.advance(Duration::from_millis(20));
        let bulkhead = GuardStats::of(&guard).bulkhead.unwrap();
        assert_eq!((bulkhead.in_use, bulkhead.waiting), (1, 0));
        Ok::<_, &str>(())
    });
    assert!(success.is_ok());
    assert_eq!(GuardStats::of(&guard).error_budget.unwrap().remaining.to_bits(), 1_f64.to_bits());
    // The second call fails twice, which opens the breaker; the third one is refused.
    for _ in 0..2 {
        assert!(guard.call_blocking(|_| Err::<(), _>("no")).is_err());
    }
    assert!(guard.call_blocking(|_| Err::<(), _>("no")).is_err());
    clock.advance(Duration::from_secs(4));

    let stats = Stats::of([&guard]);
    let guard = stats.guard("storage").unwrap();
    assert_eq!((guard.calls.successes, guard.calls.failures), (1, 1));
    assert_eq!((guard.calls.rejected.circuit_breaker, guard.calls.total()), (2, 4));
    assert_eq!((guard.retry.retries, guard.retry.gave_up["attempts"]), (1, 1));
    assert_eq!(guard.latency.count, 3);
    let p99 = guard.latency.p99.unwrap();
    assert!((20_000..20_700).contains(&p99.as_micros()), "{p99:?}");
    let breaker = guard.circuit_breaker.as_ref().unwrap();
    assert_eq!((breaker.state, breaker.retry_after), (State::Open, Some(Duration::from_secs(6))));
    let last = breaker.last_transition.as_ref().unwrap();
    assert_eq!((last.from, last.to, last.at), (State::Closed, State::Open, Duration::from_millis(5020)));
    let limiter = guard.rate_limiter.unwrap();
    assert_eq!((limiter.burst, limiter.available), (40, 40));
    assert_eq!(limiter.rate_per_second.to_bits(), 200_f64.to_bits());
    let bulkhead = guard.bulkhead.unwrap();
    assert_eq!((bulkhead.capacity, bulkhead.max_waiting, bulkhead.in_use), (7, 3, 0));
    let budget = guard.error_budget.unwrap();
    assert_eq!((budget.calls, budget.failures, budget.exhausted), (2, 1, false));
    assert_eq!(
        [budget.availability, budget.remaining, budget.spent].map(f64::to_bits),
        [0.5, 0.0, 1.0].map(f64::to_bits)
    );
    assert_eq!(guard.degradation.unwrap().component, 3);
}

#[test]
fn json_has_seconds_and_the_names_of_the_metrics_and_comes_back_as_it_was() {
    let clock = ManualClock::new(Instant::from_secs(5));
    let guard = Guard::with_clock("storage", full(), &clock).unwrap();
    guard.drive(Arc::new(Degradation::new()), Component::new(0));
    assert!(guard.call_blocking(|_| Err::<(), _>("no")).is_err());
    clock.advance(Duration::from_secs(10));
    // The probe, which closes the breaker.
    assert!(guard.call_blocking(|_| Ok::<_, &str>(())).is_ok());

    let stats = Stats::of([&guard]);
    let json = serde_json::to_value(&stats).unwrap();
    let first = &json["guards"][0];
    assert_eq!(first["now_seconds"], json!(15.0));
    assert_eq!(first["latency"]["p50_seconds"], json!(0.0));
    assert_eq!(first["circuit_breaker"]["retry_after_seconds"], Value::Null);
    assert_eq!(
        first["events"][0],
        json!({"pattern": "circuit_breaker", "at_seconds": 5.0, "from": "closed", "to": "open",
               "cause": "2 failures in a row"})
    );
    assert_eq!(first["events"][1], json!({"pattern": "error_budget", "at_seconds": 5.0, "exhausted": true}));
    assert_eq!(
        first["events"][2],
        json!({"pattern": "degradation", "at_seconds": 5.0, "from": "normal", "to": "degraded"})
    );
    assert_eq!(first["events"][3]["to"], json!("half-open"));
    let back: Stats = serde_json::from_value(json).unwrap();
    assert_eq!(back, stats);
}

#[test]
fn a_guard_without_patterns_has_none() {
    let guard = Guard::new("bare", Policy::new()).unwrap();
    let stats = GuardStats::of(&guard);
    assert_eq!((stats.circuit_breaker, stats.rate_limiter, stats.bulkhead), (None, None, None));
    assert_eq!((stats.error_budget, stats.degradation, stats.latency.p50), (None, None, None));
}

#[cfg(feature = "chaos")]
#[test]
fn chaos_is_shown_where_it_was_ever_armed() {
    use crate::chaos::{Config, Fault, Rule};

    let guard = Guard::new("storage", Policy::new()).unwrap();
    assert_eq!(GuardStats::of(&guard).chaos, None);
    guard.arm_chaos(&Config::new().rule(Rule::new(Fault::Error, Ratio::ONE))).unwrap();
    guard.disarm_chaos();
    let chaos = GuardStats::of(&guard).chaos.unwrap();
    assert_eq!((chaos.armed, chaos.armings, chaos.checks, chaos.strikes), (false, 1, 0, 0));
    guard.arm_chaos(&Config::new().rule(Rule::new(Fault::Error, Ratio::ONE))).unwrap();
    assert!(guard.call_blocking(|_| Ok::<_, ()>(())).is_err());
    let json = serde_json::to_value(Stats::of([&guard])).unwrap();
    let chaos = &json["guards"][0]["chaos"];
    assert_eq!((&chaos["armed"], &chaos["armings"], &chaos["strikes"]), (&json!(true), &json!(2), &json!(1)));
    assert_eq!((&chaos["injections"]["error"], &chaos["injections"]["cpu"]), (&json!(1), &json!(0)));
}

#[test]
fn slow_calls_are_named_as_the_cause() {
    let clock = ManualClock::new(Instant::from_secs(5));
    let span = seawall_core::window::Span::time(Duration::from_secs(60));
    let rule = circuit_breaker::Config::slow_call_rate(Ratio::percent(50), Duration::from_secs(1), span, 3);
    let guard = Guard::with_clock("storage", Policy::new().circuit_breaker(rule), &clock).unwrap();
    let call = |seconds| {
        let result = guard.call_blocking(|_| {
            clock.advance(Duration::from_secs(seconds));
            Ok::<_, &str>(())
        });
        assert!(result.is_ok());
        GuardStats::of(&guard).circuit_breaker.unwrap()
    };
    call(0);
    let breaker = call(2);
    assert_eq!((breaker.window_calls, breaker.window_failures, breaker.window_slow), (2, 0, 1));
    assert_eq!(call(2).last_transition.unwrap().cause, "2 of 3 calls were slow");
}

/// What the program writes into a guard's ring is in its statistics, in words, and comes back from them.
#[test]
fn events_of_the_program_read_as_what_happened() {
    use seawall_core::adaptive_concurrency::{Adjustment, Reason};
    use seawall_core::check::{Cause, Status, Transition};
    use seawall_core::events::{Event, EventKind};
    use seawall_core::{adaptive_rate, burn_rate, composite};

    let guard = Guard::with_clock("storage", full(), ManualClock::new(Instant::from_secs(5))).unwrap();
    let push = |kind: EventKind| guard.events().push(Event::new(Instant::from_secs(2), kind));
    let causes = [
        (Cause::Successes(1), "1 success in a row"),
        (Cause::Successes(2), "2 successes in a row"),
        (Cause::Failures(1), "1 failure in a row"),
        (Cause::Failures(3), "3 failures in a row"),
        (Cause::SuccessRate { successes: 4, results: 9 }, "4 of 9 checks succeeded"),
        (Cause::Stale, "no check began for too long"),
        (Cause::Reset, "by hand"),
    ];
    let reasons = [
        (Reason::Bad, "calls failed or took too long"),
        (Reason::Room, "the limit was in use, and calls came back well"),
        (Reason::Latency, "calls take longer than without a queue"),
        (Reason::Probe, "the latency without a queue is measured"),
        (Reason::ProbeOver, "the latency without a queue is known"),
    ];
    let mut expected = Vec::new();
    for (cause, text) in causes {
        push(Transition { from: Status::Unknown, to: Status::Unhealthy, cause }.into());
        expected.push(json!({"pattern": "health_check", "at_seconds": 2.0, "from": "unknown", "to": "unhealthy", "cause": text}));
    }
    for (reason, text) in reasons {
        push(Adjustment { from: 10, to: 9, reason }.into());
        expected.push(json!({"pattern": "adaptive_concurrency", "at_seconds": 2.0, "from": 10, "to": 9, "reason": text}));
    }
    let (from, to) = (rate_limiter::Quota::per_second(100), rate_limiter::Quota::per_second(90));
    push(adaptive_rate::Adjustment { from, to, p95: Duration::from_millis(250), samples: 9 }.into());
    expected.push(
        json!({"pattern": "adaptive_rate", "at_seconds": 2.0, "from": 100, "to": 90, "p95_seconds": 0.25}),
    );
    for (edge, raised) in [(burn_rate::Edge::Raised, true), (burn_rate::Edge::Cleared, false)] {
        push(edge.into());
        expected.push(json!({"pattern": "burn_rate", "at_seconds": 2.0, "raised": raised}));
    }
    for (edge, healthy) in [(composite::Edge::Healthy, true), (composite::Edge::Unhealthy, false)] {
        push(edge.into());
        expected.push(json!({"pattern": "composite", "at_seconds": 2.0, "healthy": healthy}));
    }
    let stats = Stats::of([&guard]);
    let written = serde_json::to_value(&stats).unwrap();
    assert_eq!(written["guards"][0]["events"], Value::Array(expected));
    assert_eq!(serde_json::from_value::<Stats>(written).unwrap(), stats);
}
