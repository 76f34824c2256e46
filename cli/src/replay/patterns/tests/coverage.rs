//! Every public method of what a script can hold has a word, or a reason why it has none.

use super::super::find;
use std::collections::BTreeSet;
use std::path::Path;

/// Files of core, the types in them that a script can hold, and the pattern whose words ask them.
const HELD: &[(&str, &[&str], &str)] = &[
    ("admission/circuit_breaker.rs", &["CircuitBreaker"], "circuit_breaker"),
    ("admission/circuit_breaker/permit.rs", &["Permit"], "circuit_breaker"),
    ("admission/keyed/circuit_breaker.rs", &["KeyedCircuitBreaker", "Breaker"], "keyed_circuit_breaker"),
    ("admission/keyed/circuit_breaker/permit.rs", &["Permit"], "keyed_circuit_breaker"),
    ("admission/rate_limiter.rs", &["RateLimiter"], "rate_limiter"),
    ("admission/rate_limiter/grant.rs", &["Grant", "Reservation"], "rate_limiter"),
    ("admission/rate_limiter/adjustable.rs", &["AdjustableRateLimiter"], "adjustable_rate_limiter"),
    ("admission/rate_limiter/adjustable/grant.rs", &["Grant", "Reservation"], "adjustable_rate_limiter"),
    ("admission/keyed/rate_limiter.rs", &["KeyedRateLimiter", "Bucket", "Grant"], "keyed_rate_limiter"),
    ("admission/adaptive_rate.rs", &["AdaptiveRate"], "adaptive_rate"),
    ("admission/bulkhead.rs", &["Bulkhead"], "bulkhead"),
    ("admission/bulkhead/permit.rs", &["Permit", "Ticket"], "bulkhead"),
    ("admission/bulkhead/waiter.rs", &["Waiter"], "bulkhead"),
    ("admission/adaptive_concurrency.rs", &["AdaptiveConcurrency"], "adaptive_concurrency"),
    ("admission/adaptive_concurrency/permit.rs", &["Permit"], "adaptive_concurrency"),
    ("admission/load_shedder.rs", &["LoadShedder"], "load_shedder"),
    ("attempt/backoff.rs", &["Backoff"], "backoff"),
    ("attempt/retry.rs", &["Retry"], "retry"),
    ("attempt/hedge.rs", &["Hedge"], "hedge"),
    ("attempt/timeout.rs", &["Timeout"], "timeout"),
    ("attempt/adaptive_timeout.rs", &["AdaptiveTimeout"], "adaptive_timeout"),
    ("attempt/adaptive_timeout/percentile.rs", &["PercentileTimeout"], "percentile_timeout"),
    ("attempt/deadline.rs", &["Deadline"], "deadline"),
    ("health/error_budget.rs", &["ErrorBudget"], "error_budget"),
    ("health/latency_budget.rs", &["LatencyBudget"], "latency_budget"),
    ("health/burn_rate.rs", &["BurnRate"], "burn_rate"),
    ("health/degradation.rs", &["Degradation", "Level"], "degradation"),
    ("health/auto_degradation.rs", &["AutoDegradation"], "auto_degradation"),
    ("health/driver.rs", &["Driver"], "driver"),
    ("health/features.rs", &["FeaturesByLevel", "Features"], "features"),
    ("health/check.rs", &["HealthCheck", "Status"], "health_check"),
    ("health/threshold.rs", &["Threshold"], "threshold"),
    ("health/composite.rs", &["Composite"], "composite"),
    ("measure/window.rs", &["Window"], "window"),
    ("measure/histogram.rs", &["Histogram"], "histogram"),
    ("measure/histogram/snapshot.rs", &["Snapshot"], "histogram"),
    ("measure/rotating.rs", &["RotatingHistogram"], "rotating_histogram"),
    ("measure/change.rs", &["ChangeDetector"], "change_detector"),
    ("events.rs", &["EventRing", "Cursor"], "event_ring"),
    ("chaos.rs", &["Chaos"], "chaos"),
    ("guard.rs", &["Guard"], "guard"),
    ("guard/notes.rs", &["Guard"], "guard"),
    ("guard/snapshot.rs", &["Guard"], "guard"),
    ("guard/call.rs", &["Call", "Attempt", "About"], "guard"),
    ("guard/struck.rs", &["About"], "guard"),
    ("guard/waiting.rs", &["Waiting"], "guard"),
];

/// Methods without a word of their own, and what says the same.
const WITHOUT: &[(&str, &[&str], &str)] = &[
    ("keyed_circuit_breaker", &["breaker", "breaker_of_hash"], "key and hash are arguments"),
    ("keyed_circuit_breaker", &["breaker_config"], "config"),
    ("keyed_rate_limiter", &["bucket", "bucket_of_hash"], "key and hash are arguments"),
    ("backoff", &["factor", "at_most", "jitter", "starting_at"], "they make a schedule: keys"),
    ("backoff", &["base", "cap", "spread"], "config"),
    ("backoff", &["validate"], "done to each policy"),
    ("hedge", &["at_most_hedges", "least_samples"], "they make a hedge: keys"),
    ("hedge", &["max_hedges", "bounds"], "config"),
    ("hedge", &["validate"], "done to each policy"),
    ("timeout", &["validate"], "done to each policy"),
    ("degradation", &["name"], "each level is printed as its name"),
    ("health_check", &["name"], "each status is printed as its name"),
    ("features", &["degraded", "severely_degraded", "emergency"], "they make a table: keys"),
    ("features", &["bits"], "printed by at"),
    ("features", &["with", "without"], "sets of features are lists in a script"),
    ("histogram", &["buckets"], "printed by snapshot"),
    ("guard", &["adaptive_timeout", "timeout"], "config, and timeout_at"),
    (
        "guard",
        &["limiter", "bulkhead", "breaker", "retry", "error_budget"],
        "snapshot and config have the parts",
    ),
    ("guard", &["note_into"], "a key"),
    ("guard", &["remaining"], "printed by about"),
    ("guard", &["held_up", "struck"], "call with chaos"),
    ("guard", &["starting_at"], "for adapters, whose attempts start later than core says"),
];

/// The type that an `impl` is of.
fn type_of(head: &str) -> Option<&str> {
    let rest = head.strip_prefix("impl")?;
    let rest = rest.split(" for ").next()?.trim_end_matches('{').trim();
    // Generics stand before a space, and behind the name.
    let name = if rest.starts_with('<') { rest.split_once("> ").map(|(_, rest)| rest)? } else { rest };
    name.split('<').next()
}

/// The public methods of some types that stand in a file.
fn methods(text: &str, types: &[&str]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut is_asked = false;
    let text = text.split("\nmod tests {").next().unwrap_or(text);
    let lines: Vec<&str> = text.lines().collect();
    for (number, line) in lines.iter().enumerate() {
        if line.starts_with("impl") {
            let end = lines[number..].iter().position(|line| line.ends_with('{')).unwrap_or(0);
            let head =
                lines[number..=number + end].iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ");
            is_asked = type_of(&head).is_some_and(|name| types.contains(&name)) && !head.contains(" for ");
        }
        let line = line.trim();
        let Some((_, method)) = line.split_once("fn ").filter(|_| is_asked && line.starts_with("pub "))
        else {
            continue;
        };
        let name = method.split(['(', '<']).next().unwrap_or_default();
        let first = if method.ends_with('(') { lines[number + 1] } else { method };
        if first.contains("self") {
            found.insert(name.to_owned());
        }
    }
    found
}

#[test]
fn every_method_of_what_a_script_can_hold_has_a_word_or_a_reason() {
    let core = Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/src");
    let mut missing = Vec::new();
    let mut excused = BTreeSet::new();
    for (file, types, pattern) in HELD {
        let methods = methods(&std::fs::read_to_string(core.join(file)).unwrap(), types);
        assert!(!methods.is_empty(), "{file} has no public method of {types:?}");
        let words: BTreeSet<_> = find(pattern).unwrap().operations().iter().map(|known| known.name).collect();
        for method in methods {
            let reason = WITHOUT.iter().find(|(of, names, _)| of == pattern && names.contains(&&*method));
            match (words.contains(&*method), reason) {
                (true, _) => {}
                (false, Some(_)) => _ = excused.insert((*pattern, method)),
                (false, None) => missing.push(format!("{method} of {types:?}: {pattern} has no such word")),
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
    for (pattern, names, _) in WITHOUT {
        for name in *names {
            assert!(excused.contains(&(*pattern, (*name).to_owned())), "{pattern}.{name} needs no reason");
        }
    }
}
