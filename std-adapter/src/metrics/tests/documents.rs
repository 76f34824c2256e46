//! The names, against the documents that Seawall comes from and against its own documentation.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use seawall_core::{Ratio, adaptive_concurrency, adaptive_rate, latency_budget, load_shedder, rate_limiter};

use super::page::Page;
use super::{Clock, clock, full, metrics_of};
use crate::guard::Guard;
use crate::metrics::{KeyedCollector, NAMESPACE};

/// The families that the documents name, of the patterns that there are: name, type, labels, help.
const TABLE: &[(&str, &str, &str, &str)] = &[
    ("circuit_breaker_state", "gauge", "name", "Circuit breaker state (0=closed, 1=half-open, 2=open)"),
    (
        "circuit_breaker_requests_total",
        "counter",
        "name result",
        "Total number of requests through circuit breaker",
    ),
    ("circuit_breaker_failures_total", "counter", "name", "Total number of circuit breaker failures"),
    (
        "circuit_breaker_state_changes_total",
        "counter",
        "from_state name to_state",
        "Total number of circuit breaker state changes",
    ),
    (
        "circuit_breaker_request_duration_seconds",
        "histogram",
        "name",
        "Circuit breaker request duration in seconds",
    ),
    ("retry_attempts_total", "counter", "attempt policy", "Total number of retry attempts"),
    ("retry_success_total", "counter", "policy", "Total number of successful retries"),
    ("retry_failures_total", "counter", "policy reason", "Total number of failed retries"),
    ("retry_backoff_delay_seconds", "histogram", "policy", "Retry backoff delay in seconds"),
    ("rate_limiter_allowed_total", "counter", "limiter", "Total number of allowed requests"),
    ("rate_limiter_rejected_total", "counter", "limiter", "Total number of rejected requests"),
    ("rate_limiter_current_rate", "gauge", "limiter", "Current rate limit"),
    ("bulkhead_concurrent", "gauge", "bulkhead", "Current number of concurrent executions"),
    ("bulkhead_queued", "gauge", "bulkhead", "Current number of queued requests"),
    ("bulkhead_rejected_total", "counter", "bulkhead", "Total number of rejected requests"),
    ("bulkhead_wait_duration_seconds", "histogram", "bulkhead", "Bulkhead wait duration in seconds"),
    ("error_budget_remaining", "gauge", "budget", "Remaining error budget (0-1)"),
    ("error_budget_consumed", "gauge", "budget", "Consumed error budget (0-1)"),
    ("error_budget_exhausted_total", "counter", "budget", "Total number of times error budget was exhausted"),
];

#[test]
fn families_have_the_names_types_labels_and_words_of_the_documents() {
    let clock = clock();
    let page = Page::of(&metrics_of(&[full("storage", clock)]));
    for &(name, kind, labels, help) in TABLE {
        let family = page.families.get(&format!("dwcp_{name}"));
        let (found_kind, found_help, found) = family.unwrap_or_else(|| panic!("there is no {name}"));
        let found: Vec<_> = found.iter().map(String::as_str).filter(|label| *label != "le").collect();
        assert_eq!((found_kind.as_str(), found.join(" ").as_str()), (kind, labels), "{name}");
        assert_eq!(found_help, help, "{name}");
    }
}

/// A guard with everything around it, too, of which each part has something to show.
fn everything(name: &str, clock: Clock) -> Guard<Clock> {
    let guard = full(name, clock);
    let (target, span) = (Duration::from_millis(100), Duration::from_secs(10));
    guard.adapt_rate(adaptive_rate::Config::new(rate_limiter::Quota::per_second(100), target)).unwrap();
    guard.adapt_concurrency(adaptive_concurrency::Config::aimd(7)).unwrap();
    guard.watch_latency(latency_budget::Config::new(Ratio::percent(95), target, span)).unwrap();
    guard.shed(load_shedder::Config::new(1, span)).unwrap();
    guard.decisions().set_shadow(true);
    assert!(guard.call_blocking(|_| Ok::<_, ()>(())).is_ok());
    #[cfg(feature = "chaos")]
    guard.arm_chaos(&crate::chaos::Config::new()).unwrap();
    guard
}

/// The families of a table in the documentation, with their types and labels; those of chaos only where it is.
fn documented(page: &str) -> BTreeMap<String, (String, BTreeSet<String>)> {
    let rows = page.lines().filter_map(|line| line.strip_prefix("//! | `"));
    rows.map(|row| {
        let cells: Vec<_> = row.split(" | ").collect();
        let labels = cells[2].split(", ").map(|label| label.trim_matches('`').to_owned()).collect();
        (format!("dwcp_{}", cells[0].trim_matches('`')), (cells[1].to_owned(), labels))
    })
    .filter(|(name, _)| cfg!(feature = "chaos") || !name.starts_with("dwcp_chaos"))
    .collect()
}

#[test]
fn the_documentation_lists_every_family_with_its_type_and_labels() {
    let mut metrics = metrics_of(&[everything("storage", clock())]);
    // As many series as a guard has at most, but for three attempts that it does not make.
    let series = Page::of(&metrics).samples.len();
    assert!(series <= 132 - 3, "{series}");
    let tables = KeyedCollector::new().rate_limiter("clients", Default::default);
    metrics.add(NAMESPACE, tables.circuit_breaker("hosts", Default::default)).unwrap();
    let page = Page::of(&metrics);
    page.lint();
    assert_eq!(documented(include_str!("../../metrics.rs")), page.written());
}
