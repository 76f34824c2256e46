//! Tables of keyed patterns beside guards.

use std::sync::Arc;
use std::time::Duration;

use seawall_core::rate_limiter::Quota;
use seawall_core::{Instant, KeyedCircuitBreaker, KeyedRateLimiter, Outcome, circuit_breaker, keyed};

use super::page::Page;
use super::{clock, full};
use crate::metrics::{Format, GuardCollector, KeyedCollector, Metrics, NAMESPACE, NamespaceError};

const SEED: keyed::Config = keyed::Config::seeded(7).forgiving(0);

/// The series of a family whose name has one of these parts.
fn series(page: &Page, part: &str) -> usize {
    page.samples.keys().filter(|series| series.contains(part)).count()
}

#[test]
fn a_table_of_limiters_is_told_in_sums() {
    let table = Arc::new(KeyedRateLimiter::<4>::new(Quota::per_second(1).burst(2), SEED));
    let read = Arc::clone(&table);
    let metrics = Metrics::new(
        KeyedCollector::new().rate_limiter("clients", move || read.snapshot(Instant::from_secs(5))),
    );
    let page = Page::of(&metrics);
    page.lint();
    page.expect("dwcp_keyed_rate_limiter_capacity{limiter=\"clients\"}", 4.0);
    page.expect("dwcp_keyed_rate_limiter_entries{limiter=\"clients\"}", 0.0);

    let now = Instant::from_secs(5);
    for key in 0..4 {
        assert!(table.bucket(&key).try_acquire(now).is_ok());
    }
    assert!(table.try_acquire(&0, now).is_ok());
    assert!(table.try_acquire(&0, now).is_err());
    // No entry goes, since each key is in debt and nothing is forgiven.
    assert!(table.try_acquire(&4, now).is_err() && table.try_acquire(&5, now).is_err());
    let page = Page::of(&metrics);
    page.expect("dwcp_keyed_rate_limiter_entries{limiter=\"clients\"}", 4.0);
    page.expect("dwcp_keyed_rate_limiter_in_debt{limiter=\"clients\"}", 4.0);
    page.expect("dwcp_keyed_rate_limiter_denied{limiter=\"clients\"}", 1.0);
    page.expect("dwcp_keyed_rate_limiter_turned_away_total{limiter=\"clients\"}", 2.0);
    page.expect("dwcp_keyed_rate_limiter_evictions_total{limiter=\"clients\"}", 0.0);
    page.expect("dwcp_keyed_rate_limiter_forgiven_total{limiter=\"clients\"}", 0.0);

    // Later some are as new, and go.
    assert!(table.try_acquire(&6, now.saturating_add(Duration::from_secs(60))).is_ok());
    let page = Page::of(&metrics);
    page.expect("dwcp_keyed_rate_limiter_evictions_total{limiter=\"clients\"}", 1.0);
    assert_eq!(page.samples.len(), 7, "as many for any number of keys");
}

#[test]
fn a_table_of_breakers_is_told_by_state() {
    static HOSTS: KeyedCircuitBreaker<4> = KeyedCircuitBreaker::new(
        circuit_breaker::Config::consecutive_failures(1).open_for(Duration::from_secs(10)),
        SEED,
    );
    let metrics = Metrics::new(KeyedCollector::new().circuit_breaker("hosts", || HOSTS.snapshot()));
    let now = Instant::from_secs(5);
    HOSTS.try_acquire("alpha", now).unwrap().record(Outcome::Success, now);
    for host in ["beta", "gamma"] {
        HOSTS.try_acquire(host, now).unwrap().record(Outcome::Failure, now);
    }
    HOSTS.breaker("delta").force_open(now).unwrap();
    let later = now.saturating_add(Duration::from_secs(10));
    let probe = HOSTS.try_acquire("gamma", later).unwrap();
    let page = Page::of(&metrics);
    page.lint();
    let entries = |state| format!("dwcp_keyed_circuit_breaker_entries{{name=\"hosts\",state=\"{state}\"}}");
    page.expect(&entries("closed"), 1.0);
    page.expect(&entries("half-open"), 1.0);
    page.expect(&entries("open"), 2.0);
    page.expect("dwcp_keyed_circuit_breaker_capacity{name=\"hosts\"}", 4.0);
    page.expect("dwcp_keyed_circuit_breaker_forced{name=\"hosts\"}", 1.0);
    drop(probe);

    // It takes the place of one that is as new, and the next one of one whose time is over.
    HOSTS.try_acquire("epsilon", later).unwrap().record(Outcome::Failure, later);
    assert!(HOSTS.try_acquire("zeta", later).is_ok());
    for host in ["eta", "theta"] {
        let _ = HOSTS.try_acquire(host, later).map(|permit| permit.record(Outcome::Failure, later));
    }
    let page = Page::of(&metrics);
    let now = HOSTS.snapshot();
    assert!(now.evictions > 0 && now.forgiven > 0 && now.turned_away > 0, "{now:?}");
    for (name, count) in
        [("evictions", now.evictions), ("forgiven", now.forgiven), ("turned_away", now.turned_away)]
    {
        let series = format!("dwcp_keyed_circuit_breaker_{name}_total{{name=\"hosts\"}}");
        page.expect(&series, f64::from(u32::try_from(count).unwrap()));
    }
    assert_eq!(page.samples.len(), 8);
}

#[test]
fn tables_stand_beside_guards_in_one_namespace() {
    let guards = [full("storage", clock())];
    let guards = GuardCollector::new(move || guards.clone());
    let snapshot = keyed::Snapshot::default;
    let tables = KeyedCollector::new().rate_limiter("a", snapshot).rate_limiter("a", snapshot);
    let taken = || Err(NamespaceError::Taken(NAMESPACE.to_owned()));

    let mut metrics = Metrics::new(guards.clone());
    metrics.add(NAMESPACE, tables.clone()).unwrap();
    assert_eq!(metrics.add("dwcp_", tables.clone()), taken());
    assert_eq!(metrics.add(NAMESPACE, guards.clone()), taken());
    metrics.add("edge", tables.clone()).unwrap();
    let page = Page::of(&metrics);
    page.expect("dwcp_circuit_breaker_state{name=\"storage\"}", 0.0);
    page.expect("dwcp_keyed_rate_limiter_entries{limiter=\"a\"}", 0.0);
    page.expect("dwcp_keyed_rate_limiter_entries{limiter=\"a#2\"}", 0.0);
    assert_eq!((series(&page, "edge_keyed"), series(&page, "keyed_circuit_breaker")), (14, 0));
    assert_eq!(metrics.encode(Format::OpenMetrics).matches("# EOF").count(), 1);

    let mut metrics = Metrics::new(tables);
    metrics.add(NAMESPACE, guards.clone()).unwrap();
    assert_eq!(metrics.add(NAMESPACE, guards), taken());
    assert_eq!(Page::of(&metrics).families.len(), page.families.len() - 7);
}
