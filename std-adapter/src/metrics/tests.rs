use std::sync::Arc;
use std::time::Duration;

use seawall_core::degradation::{Component, Degradation};
use seawall_core::guard::{Policy, Report};
use seawall_core::{
    Backoff, Instant, ManualClock, Outcome, Ratio, bulkhead, circuit_breaker, error_budget, rate_limiter,
    retry,
};

use super::*;
use crate::guard::{Guard, Options};
use page::Page;

mod documents;
mod keyed;
mod page;

type Clock = &'static ManualClock;

fn clock() -> Clock {
    Box::leak(Box::new(ManualClock::new(Instant::from_secs(1))))
}

/// A guard with every pattern.
fn full(name: &str, clock: Clock) -> Guard<Clock> {
    let policy = Policy::new()
        .rate_limit(rate_limiter::Quota::new(50, Duration::from_millis(500)).burst(9))
        .bulkhead(bulkhead::Config::new(2).max_waiting(0))
        .circuit_breaker(circuit_breaker::Config::consecutive_failures(3).open_for(Duration::from_secs(10)))
        .retry(retry::Config::attempts(3, Backoff::constant(Duration::ZERO)))
        .error_budget(error_budget::Config::new(Ratio::percent(50), Duration::from_secs(60)).minimum_calls(2))
        .seed(1);
    let guard = Guard::with_clock(name, policy, clock).unwrap();
    guard.drive(Arc::new(Degradation::new()), Component::new(0));
    guard
}

fn metrics_of(guards: &[Guard<Clock>]) -> Metrics {
    let guards = guards.to_vec();
    Metrics::new(GuardCollector::new(move || guards.clone()))
}

#[test]
fn values_follow_what_the_guard_saw() {
    let clock = clock();
    let guard = full("storage", clock);
    let metrics = metrics_of(std::slice::from_ref(&guard));
    let first = guard.call_blocking(|_| {
        clock.advance(Duration::from_millis(40));
        let page = Page::of(&metrics);
        page.expect("dwcp_bulkhead_concurrent{bulkhead=\"storage\"}", 1.0);
        Ok::<_, &str>(())
    });
    assert!(first.is_ok());
    // Saved by the second attempt.
    let saved = guard.call_blocking(|attempt| if attempt.number() == 1 { Err("no") } else { Ok(()) });
    assert!(saved.is_ok());
    let ignored = Options::new().classify(|_: &Result<(), &str>| Report::new(Outcome::Ignored));
    assert!(guard.call_blocking_with(ignored, |_| Ok(())).is_ok());
    // Three failures open the breaker, which refuses the next call.
    assert!(guard.call_blocking(|_| Err::<(), _>("no")).is_err());
    assert!(guard.call_blocking(|_| Err::<(), _>("no")).is_err());

    let page = Page::of(&metrics);
    page.expect("dwcp_circuit_breaker_state{name=\"storage\"}", 2.0);
    page.expect("dwcp_circuit_breaker_requests_total{name=\"storage\",result=\"success\"}", 2.0);
    page.expect("dwcp_circuit_breaker_requests_total{name=\"storage\",result=\"failure\"}", 4.0);
    page.expect("dwcp_circuit_breaker_failures_total{name=\"storage\"}", 4.0);
    let change = "dwcp_circuit_breaker_state_changes_total{name=\"storage\",";
    page.expect(&format!("{change}from_state=\"closed\",to_state=\"open\"}}"), 1.0);
    page.expect(&format!("{change}from_state=\"open\",to_state=\"half-open\"}}"), 0.0);
    let duration = "dwcp_circuit_breaker_request_duration_seconds";
    page.expect(&format!("{duration}_count{{name=\"storage\"}}"), 7.0);
    page.expect(&format!("{duration}_bucket{{le=\"0.025\",name=\"storage\"}}"), 6.0);
    page.expect(&format!("{duration}_bucket{{le=\"0.05\",name=\"storage\"}}"), 7.0);
    page.expect(&format!("{duration}_bucket{{le=\"+Inf\",name=\"storage\"}}"), 7.0);
    let sum = page.samples[&format!("{duration}_sum{{name=\"storage\"}}")];
    assert!((sum - 0.04).abs() < 0.04 * 0.016, "{sum}");
    page.expect("dwcp_retry_attempts_total{policy=\"storage\",attempt=\"1\"}", 4.0);
    page.expect("dwcp_retry_attempts_total{policy=\"storage\",attempt=\"2\"}", 2.0);
    page.expect("dwcp_retry_attempts_total{policy=\"storage\",attempt=\"3\"}", 1.0);
    page.expect("dwcp_retry_success_total{policy=\"storage\"}", 1.0);
    page.expect("dwcp_retry_failures_total{policy=\"storage\",reason=\"attempts\"}", 1.0);
    page.expect("dwcp_retry_backoff_delay_seconds_count{policy=\"storage\"}", 3.0);
    page.expect("dwcp_rate_limiter_allowed_total{limiter=\"storage\"}", 4.0);
    page.expect("dwcp_rate_limiter_current_rate{limiter=\"storage\"}", 100.0);
    page.expect("dwcp_bulkhead_concurrent{bulkhead=\"storage\"}", 0.0);
    page.expect("dwcp_bulkhead_capacity{bulkhead=\"storage\"}", 2.0);
    // One of three failed where half may fail.
    page.expect("dwcp_error_budget_consumed{budget=\"storage\"}", 0.666_666);
    page.expect("dwcp_error_budget_remaining{budget=\"storage\"}", 0.333_334);
    page.expect("dwcp_error_budget_exhausted_total{budget=\"storage\"}", 0.0);
    page.expect("dwcp_calls_total{name=\"storage\",outcome=\"success\"}", 2.0);
    page.expect("dwcp_calls_total{name=\"storage\",outcome=\"failure\"}", 1.0);
    page.expect("dwcp_calls_total{name=\"storage\",outcome=\"ignored\"}", 1.0);
    page.expect("dwcp_calls_total{name=\"storage\",outcome=\"rejected\"}", 1.0);
    page.expect("dwcp_calls_rejected_total{name=\"storage\",pattern=\"circuit_breaker\"}", 1.0);
}

#[test]
fn each_refusal_is_counted_where_it_was_made() {
    let guard = full("storage", clock());
    let metrics = metrics_of(std::slice::from_ref(&guard));
    let timed_out = Options::new().classify(|_: &Result<(), &str>| Report::timed_out().not_retryable());
    assert!(guard.call_blocking_with(timed_out, |_| Err("late")).is_err());
    // Two fit, the third one inside them does not.
    let nested = guard.call_blocking(|_| {
        guard
            .call_blocking(|_| {
                let third = guard.call_blocking(|_| Ok::<_, &str>(()));
                assert!(third.is_err());
                Ok::<_, &str>(())
            })
            .map_err(|_| "refused")
    });
    assert_eq!(nested, Ok(()));
    let page = Page::of(&metrics);
    page.expect("dwcp_attempt_timeouts_total{name=\"storage\"}", 1.0);
    page.expect("dwcp_bulkhead_rejected_total{bulkhead=\"storage\"}", 1.0);
    page.expect("dwcp_calls_rejected_total{name=\"storage\",pattern=\"bulkhead\"}", 1.0);
    page.expect("dwcp_rate_limiter_allowed_total{limiter=\"storage\"}", 4.0);
    page.expect("dwcp_rate_limiter_rejected_total{limiter=\"storage\"}", 0.0);
    // The refused call took no token.
    page.expect("dwcp_rate_limiter_available_tokens{limiter=\"storage\"}", 6.0);

    for _ in 0..6 {
        assert!(guard.call_blocking(|_| Ok::<_, &str>(())).is_ok());
    }
    for _ in 0..3 {
        assert!(guard.call_blocking(|_| Ok::<_, &str>(())).is_err());
    }
    let expired = Options::new().deadline(Duration::ZERO);
    assert!(guard.call_blocking_with(expired, |_| Ok::<_, &str>(())).is_err());
    let page = Page::of(&metrics);
    page.expect("dwcp_rate_limiter_rejected_total{limiter=\"storage\"}", 3.0);
    page.expect("dwcp_rate_limiter_allowed_total{limiter=\"storage\"}", 10.0);
    page.expect("dwcp_bulkhead_rejected_total{bulkhead=\"storage\"}", 1.0);
    page.expect("dwcp_calls_rejected_total{name=\"storage\",pattern=\"rate_limiter\"}", 3.0);
    page.expect("dwcp_calls_rejected_total{name=\"storage\",pattern=\"deadline\"}", 1.0);
    page.expect("dwcp_calls_total{name=\"storage\",outcome=\"rejected\"}", 5.0);
}

#[test]
fn what_a_guard_in_shadow_mode_would_have_rejected_is_counted_by_pattern() {
    let guard =
        Guard::with_clock("storage", Policy::new().bulkhead(bulkhead::Config::new(0)), clock()).unwrap();
    let metrics = metrics_of(std::slice::from_ref(&guard));
    assert!(guard.call_blocking(|_| Ok::<_, &str>(())).is_err());
    Page::of(&metrics).expect("dwcp_calls_rejected_total{name=\"storage\",pattern=\"bulkhead\"}", 1.0);
    guard.decisions().set_shadow(true);
    assert!(guard.call_blocking(|_| Ok::<_, &str>(())).is_ok());
    let page = Page::of(&metrics);
    page.expect("dwcp_guard_shadow{name=\"storage\"}", 1.0);
    page.expect("dwcp_calls_would_be_rejected_total{name=\"storage\",pattern=\"bulkhead\"}", 1.0);
    page.expect("dwcp_calls_rejected_total{name=\"storage\",pattern=\"bulkhead\"}", 1.0);
    guard.decisions().set_shadow(false);
    Page::of(&metrics).expect("dwcp_guard_shadow{name=\"storage\"}", 0.0);
}

#[cfg(feature = "chaos")]
#[test]
fn injected_faults_are_counted_by_kind() {
    use crate::chaos::{Config, Fault, Rule};

    let guard = Guard::with_clock("storage", Policy::new(), clock()).unwrap();
    let metrics = metrics_of(std::slice::from_ref(&guard));
    assert!(!Page::of(&metrics).families.keys().any(|name| name.contains("chaos")));
    let slow = Fault::Latency { min: Duration::from_millis(1), max: Duration::from_millis(1) };
    guard.arm_chaos(&Config::new()).unwrap();
    guard.disarm_chaos();
    Page::of(&metrics).expect("dwcp_chaos_armed{name=\"storage\"}", 0.0);
    let both = Config::new().rule(Rule::new(Fault::Error, Ratio::ONE)).rule(Rule::along(slow));
    guard.arm_chaos(&both).unwrap();
    assert!(guard.call_blocking(|_| Ok::<_, &str>(())).is_err());
    let page = Page::of(&metrics);
    page.expect("dwcp_chaos_armed{name=\"storage\"}", 1.0);
    page.expect("dwcp_chaos_checks_total{name=\"storage\"}", 1.0);
    page.expect("dwcp_chaos_strikes_total{name=\"storage\"}", 1.0);
    page.expect("dwcp_chaos_injections_total{name=\"storage\",fault=\"error\"}", 1.0);
    page.expect("dwcp_chaos_injections_total{name=\"storage\",fault=\"latency\"}", 1.0);
    page.expect("dwcp_chaos_injections_total{name=\"storage\",fault=\"panic\"}", 0.0);
    guard.disarm_chaos();
    Page::of(&metrics).expect("dwcp_chaos_armed{name=\"storage\"}", 0.0);
}

#[test]
fn the_promise_about_latency_and_the_shedder_are_shown_where_they_are() {
    use seawall_core::{latency_budget, load_shedder};

    let clock = clock();
    let guard = Guard::with_clock("storage", Policy::new(), clock).unwrap();
    let (target, span) = (Duration::from_millis(100), Duration::from_secs(10));
    guard.watch_latency(latency_budget::Config::new(Ratio::percent(95), target, span)).unwrap();
    guard.shed(load_shedder::Config::new(1, span)).unwrap();
    let metrics = metrics_of(std::slice::from_ref(&guard));
    let taken = guard.call_blocking(|_| {
        clock.advance(Duration::from_millis(128));
        Err::<(), _>("slow and wrong")
    });
    assert!(taken.is_err());
    let page = Page::of(&metrics);
    page.expect("dwcp_latency_budget_violations_total{budget=\"storage\"}", 1.0);
    page.expect(
        "dwcp_load_shedder_calls_total{name=\"storage\",priority=\"normal\",result=\"admitted\"}",
        1.0,
    );
    for name in ["p50", "p95", "p99"] {
        assert!(page.families.contains_key(&format!("dwcp_latency_budget_{name}_seconds")), "{name}");
    }
}

#[test]
fn the_limits_that_follow_the_results_are_shown_where_they_are() {
    use seawall_core::{adaptive_concurrency, adaptive_rate, rate_limiter::Quota};

    let clock = clock();
    let guard = Guard::with_clock("storage", Policy::new(), clock).unwrap();
    let start = Quota::per_second(100).burst(2);
    guard.adapt_rate(adaptive_rate::Config::new(start, Duration::from_millis(10)).samples(1)).unwrap();
    guard.adapt_concurrency(adaptive_concurrency::Config::aimd(7)).unwrap();
    let metrics = metrics_of(std::slice::from_ref(&guard));
    let slow = || {
        guard.call_blocking(|_| {
            clock.advance(Duration::from_millis(20));
            Page::of(&metrics).expect("dwcp_adaptive_concurrency_in_flight{limiter=\"storage\"}", 1.0);
            Ok::<_, ()>(())
        })
    };
    assert!(slow().is_ok());
    clock.advance(Duration::from_secs(1));
    assert!(slow().is_ok());
    for _ in 0..5 {
        let _ = guard.call_blocking(|_| Ok::<_, ()>(()));
    }
    let page = Page::of(&metrics);
    page.expect("dwcp_adaptive_rate_per_second{limiter=\"storage\"}", 90.0);
    page.expect("dwcp_adaptive_rate_adjustments_total{limiter=\"storage\",direction=\"lower\"}", 1.0);
    page.expect("dwcp_adaptive_rate_adjustments_total{limiter=\"storage\",direction=\"raise\"}", 0.0);
    let refused = guard.stats().rejected_by(seawall_core::guard::Pattern::AdaptiveRate);
    assert!(refused > 0);
    let refused = f64::from(u32::try_from(refused).unwrap());
    page.expect("dwcp_adaptive_rate_rejected_total{limiter=\"storage\"}", refused);
    page.expect("dwcp_adaptive_concurrency_limit{limiter=\"storage\"}", 7.0);
    page.expect("dwcp_adaptive_concurrency_rejected_total{limiter=\"storage\"}", 0.0);
    page.expect("dwcp_calls_rejected_total{name=\"storage\",pattern=\"adaptive_rate\"}", refused);
}

#[cfg(feature = "tokio")]
#[tokio::test(start_paused = true)]
async fn waits_and_pauses_are_told_apart() {
    let policy = Policy::new()
        .bulkhead(bulkhead::Config::new(1).max_waiting(2).max_wait(Duration::from_secs(1)))
        .retry(retry::Config::attempts(2, Backoff::constant(Duration::from_millis(3))));
    let guard = Guard::with_clock("storage", policy, crate::clock::TokioClock::new()).unwrap();
    let listed = guard.clone();
    let metrics = Metrics::new(GuardCollector::new(move || [listed.clone()]));
    let first = guard.call(async |attempt| {
        tokio::time::sleep(Duration::from_millis(90)).await;
        if attempt.number() == 1 { Err("no") } else { Ok(()) }
    });
    let (second, third) = (guard.call(async |_| Ok::<_, &str>(())), guard.call(async |_| Ok::<_, &str>(())));
    let scrape = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let page = Page::of(&metrics);
        page.expect("dwcp_bulkhead_concurrent{bulkhead=\"storage\"}", 1.0);
        page.expect("dwcp_bulkhead_queued{bulkhead=\"storage\"}", 2.0);
    };
    let (first, second, third, ()) = tokio::join!(first, second, third, scrape);
    assert_eq!((first, second, third), (Ok(()), Ok(()), Ok(())));
    let page = Page::of(&metrics);
    page.expect("dwcp_bulkhead_queued{bulkhead=\"storage\"}", 0.0);
    let wait = "dwcp_bulkhead_wait_duration_seconds";
    page.expect(&format!("{wait}_bucket{{le=\"0.1\",bulkhead=\"storage\"}}"), 0.0);
    page.expect(&format!("{wait}_bucket{{le=\"0.25\",bulkhead=\"storage\"}}"), 2.0);
    page.expect(&format!("{wait}_count{{bulkhead=\"storage\"}}"), 2.0);
    let pause = "dwcp_retry_backoff_delay_seconds";
    page.expect(&format!("{pause}_bucket{{le=\"0.002\",policy=\"storage\"}}"), 0.0);
    page.expect(&format!("{pause}_bucket{{le=\"0.004\",policy=\"storage\"}}"), 1.0);
}

#[test]
fn a_scrape_lets_the_budget_of_an_idle_guard_recover() {
    let clock = clock();
    let guard = full("storage", clock);
    let metrics = metrics_of(std::slice::from_ref(&guard));
    for _ in 0..2 {
        let fatal =
            Options::new().classify(|_: &Result<(), &str>| Report::new(Outcome::Failure).not_retryable());
        assert!(guard.call_blocking_with(fatal, |_| Err::<(), _>("no")).is_err());
    }
    let page = Page::of(&metrics);
    page.expect("dwcp_degradation_level{component=\"storage\"}", 1.0);
    page.expect("dwcp_error_budget_exhausted_total{budget=\"storage\"}", 1.0);
    page.expect("dwcp_error_budget_remaining{budget=\"storage\"}", 0.0);
    page.expect("dwcp_error_budget_consumed{budget=\"storage\"}", 1.0);
    clock.advance(Duration::from_secs(61));
    let page = Page::of(&metrics);
    page.expect("dwcp_degradation_level{component=\"storage\"}", 0.0);
    page.expect("dwcp_error_budget_exhausted_total{budget=\"storage\"}", 1.0);
    page.expect("dwcp_error_budget_remaining{budget=\"storage\"}", 1.0);
}

#[test]
fn counters_never_decrease_and_buckets_add_up_while_calls_run() {
    let clock = clock();
    let guard = full("storage", clock);
    let metrics = metrics_of(std::slice::from_ref(&guard));
    std::thread::scope(|scope| {
        for thread in 0..2_u64 {
            let guard = guard.clone();
            scope.spawn(move || {
                for step in 0..2000_u64 {
                    let _ = guard.call_blocking(|_| {
                        clock.advance(Duration::from_millis(step % 70));
                        if (step * 7 + thread) % 5 < 2 { Err("no") } else { Ok(()) }
                    });
                }
            });
        }
        let mut before = Page::of(&metrics);
        for _ in 0..50 {
            let page = Page::of(&metrics);
            for (series, &value) in page.samples.iter().filter(|(series, _)| page.is_counter(series)) {
                assert!(
                    value >= before.samples[series],
                    "{series} fell from {} to {value}",
                    before.samples[series]
                );
            }
            before = page;
        }
    });
    let page = Page::of(&metrics);
    let labels = "name=\"storage\"}";
    let buckets = super::histogram::LATENCIES.map(|bound| Duration::from_nanos(bound).as_secs_f64());
    let family = "dwcp_circuit_breaker_request_duration_seconds";
    let mut below = 0.0;
    for bound in buckets.map(|bound| bound.to_string()).into_iter().chain(["+Inf".to_owned()]) {
        let count = page.samples[&format!("{family}_bucket{{le=\"{bound}\",{labels}")];
        assert!(count >= below, "{bound}");
        below = count;
    }
    page.expect(&format!("{family}_count{{{labels}"), below);
    let results = ["success", "failure"].map(|result| {
        page.samples[&format!("dwcp_circuit_breaker_requests_total{{name=\"storage\",result=\"{result}\"}}")]
    });
    page.expect(&format!("{family}_count{{{labels}"), results.iter().sum());
}

#[test]
fn open_metrics_says_the_same() {
    let clock = clock();
    let metrics = metrics_of(&[full("storage", clock), full("index", clock)]);
    let open_metrics = metrics.encode(Format::OpenMetrics);
    assert!(open_metrics.ends_with("\n# EOF\n"));
    assert!(
        open_metrics
            .contains("# TYPE dwcp_retry_success counter\ndwcp_retry_success_total{policy=\"storage\"} 0\n")
    );
    let samples = |text: &str| text.lines().filter(|line| !line.starts_with('#')).count();
    assert_eq!(samples(&open_metrics), samples(&metrics.encode(Format::Text)));
    assert!(samples(&open_metrics) <= 2 * 90, "{}", samples(&open_metrics));
}

#[test]
fn a_guard_without_a_pattern_has_no_series_of_it() {
    let guard = Guard::with_clock("bare", Policy::new(), clock()).unwrap();
    let page = Page::of(&metrics_of(&[guard]));
    let names: Vec<_> = page.families.keys().map(String::as_str).collect();
    assert_eq!(names, ["dwcp_attempt_timeouts_total", "dwcp_calls_rejected_total", "dwcp_calls_total"]);
}

#[test]
fn a_guard_is_shown_once_and_namesakes_are_told_apart() {
    let clock = clock();
    let (first, second) = (full("storage", clock), full("storage", clock));
    assert!(first.call_blocking(|_| Ok::<_, &str>(())).is_ok());
    let (list, again) = ([first.clone(), second], [first]);
    let collector = GuardCollector::new(move || list.clone()).and(move || again.clone());
    let page = Page::of(&Metrics::new(collector));
    page.expect("dwcp_calls_total{name=\"storage\",outcome=\"success\"}", 1.0);
    page.expect("dwcp_calls_total{name=\"storage#2\",outcome=\"success\"}", 0.0);
    assert!(!page.samples.keys().any(|series| series.contains("#3")));
}

#[test]
fn names_are_escaped() {
    let guard = full("a\"b\\c\nd", clock());
    let page = Page::of(&metrics_of(&[guard]));
    page.expect("dwcp_circuit_breaker_state{name=\"a\\\"b\\\\c\\nd\"}", 0.0);
}

#[test]
fn namespaces_are_checked_and_stand_side_by_side() {
    let clock = clock();
    let guards = [full("storage", clock)];
    let collector = GuardCollector::new(move || guards.clone());
    let mut metrics = Metrics::with_namespace("uplink_", collector.clone()).unwrap();
    assert_eq!(metrics.add("uplink", collector.clone()), Err(NamespaceError::Taken("uplink".to_owned())));
    for wrong in ["9lives", "up-link", "up link", "a\nb"] {
        assert_eq!(metrics.add(wrong, collector.clone()), Err(NamespaceError::Invalid(wrong.to_owned())));
    }
    metrics.add("", collector).unwrap();
    let page = Page::of(&metrics);
    page.expect("uplink_circuit_breaker_state{name=\"storage\"}", 0.0);
    page.expect("circuit_breaker_state{name=\"storage\"}", 0.0);
}

#[test]
fn a_collector_fits_a_registry_of_ones_own_and_two_of_them_are_no_panic() {
    let clock = clock();
    let guards = [full("storage", clock)];
    let collector = GuardCollector::new(move || guards.clone());
    let mut registry = Registry::with_prefix("mine");
    registry.register_collector(Box::new(collector.clone()));
    registry.register_collector(Box::new(collector));
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    assert!(text.contains("mine_circuit_breaker_state{name=\"storage\"} 0\n"));
}
