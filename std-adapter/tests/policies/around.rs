//! What stands around a guard.

use std::time::Duration;

use seawall::config::PolicyTable;
use seawall::core::rate_limiter::Quota;
use seawall::core::{Ratio, adaptive_concurrency, adaptive_rate, latency_budget, load_shedder};
use seawall::guard::Surroundings;

use crate::{parse, problems};

#[test]
fn what_stands_around_a_guard_is_said_in_tables_of_its_own() {
    let text = r#"
        [send.adaptive_rate]
        rate = 1000
        target = "100ms"
        min = 100
        max = 10000
        samples = 100
        [send.adaptive_concurrency]
        rule = "gradient"
        initial = 20
        smoothing = "50%"
        [send.latency_budget]
        slo = 0.95
        target = "100ms"
        window = "1h"
        [send.load_shedder]
        max_load = 80
    "#;
    let policies = parse(text).unwrap();
    let around = policies.send.around;
    let start = Quota::per_second(1000);
    let rate =
        adaptive_rate::Config::new(start, Duration::from_millis(100)).between(100, 10_000).samples(100);
    assert_eq!(around.adaptive_rate, Some(rate));
    let limit = adaptive_concurrency::Config::gradient(20).smoothing(Ratio::percent(50));
    assert_eq!(around.adaptive_concurrency, Some(limit));
    let promise = latency_budget::Config::new(
        Ratio::percent(95),
        Duration::from_millis(100),
        Duration::from_secs(3600),
    );
    assert_eq!(around.latency_budget, Some(promise));
    assert_eq!(around.load_shedder, Some(load_shedder::Config::new(80, Duration::from_secs(10))));
    assert_eq!(policies.receive.around, Surroundings::NONE);
    assert_eq!(policies.unprotected().send.around, Surroundings::NONE);

    let guard = policies.send.guard("send").unwrap();
    assert!(guard.adaptive_rate().is_some() && guard.adaptive_concurrency().is_some());
    assert!(guard.latency_budget().is_some() && guard.shedder().is_some());

    let off: PolicyTable = toml::from_str("adaptive_rate = { enabled = false }").unwrap();
    let applied = off.apply("send", &policies.send).unwrap();
    assert_eq!(applied.around, Surroundings { adaptive_rate: None, ..around });
}

#[test]
fn what_is_wrong_with_what_stands_around_is_said_with_its_path() {
    let text = r#"
        [send.adaptive_rate]
        target = "soon"
        [receive.adaptive_rate]
        rate = 10
        target = "10ms"
        min = 11
        [sync.adaptive_rate]
        rate = 10
        target = "0s"
        [consensus.adaptive_rate]
        rate = 10
        per = "0s"
        target = "1s"
        [send.adaptive_concurrency]
        samples = 40
        [receive.adaptive_concurrency]
        initial = 10
        samples = 40
        [sync.adaptive_concurrency]
        initial = 10
        queue = 3
        [send.latency_budget]
        slo = 2
        window = "1s"
        [receive.latency_budget]
        slo = 0.9
        target = "1s"
        window = "0s"
        [send.load_shedder]
        span = "0s"
        [receive.load_shedder]
        max_load = 1
        span = "0s"
    "#;
    let found = problems(text);
    for expected in [
        "send.adaptive_rate.rate is missing: there is no preset for it",
        "send.adaptive_rate.target is \"soon\", must be a duration such as \"250ms\"",
        "receive.adaptive_rate.initial must be between the bounds",
        "sync.adaptive_rate.target must be greater than zero, a year at most",
        "consensus.adaptive_rate.per must be greater than zero",
        "send.adaptive_concurrency.initial is missing: there is no preset for it",
        "receive.adaptive_concurrency.samples must be between 1 and 31",
        "sync.adaptive_concurrency.queue must be left out unless rule is \"gradient\"",
        "send.latency_budget.slo is 2, must be a number from 0 to 1",
        "send.latency_budget.target is missing: there is no preset for it",
        "receive.latency_budget.window must be a whole, positive number of nanoseconds in each slot",
        "send.load_shedder.max_load is missing: there is no preset for it",
        "receive.load_shedder.span must be a whole, positive number of nanoseconds in each slot",
    ] {
        assert!(found.iter().any(|found| found == expected), "{expected:?} is not in {found:#?}");
    }
}
