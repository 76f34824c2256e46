//! The keys of a breaker, and of what learns beside it.

use std::time::Duration;

use seawall::config::Policies;
use seawall::core::{Backoff, Ratio};

use crate::{parse, problems};

#[test]
fn everything_that_a_breaker_can_be_told_has_a_key() {
    use seawall::core::circuit_breaker::Config;
    use seawall::core::window::Span;
    use seawall::core::{Ratio, retry};

    let text = r#"
        [send]
        shadow = true
        deadline = "forever"
        [send.adaptive_timeout]
        initial = "1.5s"
        at_most = "1m"
        grow_on = "failures"
        [send.circuit_breaker]
        failure_rate = { share = "50%", window = "10s", minimum_calls = 5 }
        slow_call_rate = { share = "1/3", slow = "2s" }
        open_for = "1s"
        open_for_growing = { multiplier = 3.0, max_delay = "1m" }
        probes = 4
        probe_failures_to_open = 2
        close_below = { share = 0.25, of = 8 }
        probe_lease = "5s"
        probe_timeout = "500ms"
        honor_retry_after = "2m"
        ramp = { over = "30s", from = "10%" }
        shadow = true
        seed = 7
        [send.retry]
        throttle = { ratio = 0.1, max_tokens = 100 }
        cost = { timeout = 2 }
        [sync.circuit_breaker]
        slow_call_rate = { share = 0.5, slow = "1s", calls = 20 }
        [receive.circuit_breaker]
        failure_rate = { share = 0.5, calls = 20, slow = "2s" }
    "#;
    let policies = parse(text).unwrap();
    let policy = policies.send.policy;
    let secs = Duration::from_secs;
    let ratio = |part, whole| Ratio::try_new(part, whole).unwrap();
    let preset = Policies::default().send.policy;
    let expected = preset
        .circuit_breaker_config()
        .unwrap()
        .open_for_growing(Backoff::exponential(secs(1)).factor(3000), secs(60))
        .probes(4)
        .probe_failures_to_open(2)
        .close_below(Ratio::percent(25), 8)
        .probe_lease_of(secs(5))
        .probe_timeout(Duration::from_millis(500))
        .honor_retry_after(secs(120))
        .ramp(secs(30), Ratio::percent(10))
        .in_shadow()
        .seed(7)
        .or_failure_rate(Ratio::percent(50), Span::time(secs(10)), 5)
        .or_slow_call_rate(ratio(1, 3), secs(2));
    assert_eq!(policy.circuit_breaker_config(), Some(&expected));
    assert!(policy.is_shadow() && policy.deadline_limit() == Duration::MAX);
    assert_eq!(policy.adaptive_timeout_config().unwrap().initial(), Duration::from_millis(1500));
    let retry = preset.retry_config().throttle(Ratio::percent(10), 100).cost(retry::Kind::Timeout, 2);
    assert_eq!(policy.retry_config(), &retry);
    let slow: Config = Policies::default()
        .sync
        .policy
        .circuit_breaker_config()
        .unwrap()
        .or_slow_call_rate_over(Ratio::percent(50), secs(1), Span::calls(20), 10);
    assert_eq!(policies.sync.policy.circuit_breaker_config(), Some(&slow));
    let failing: Config = Policies::default()
        .receive
        .policy
        .circuit_breaker_config()
        .unwrap()
        .or_failure_rate(Ratio::percent(50), Span::calls(20), 10)
        .slow_calls_fail(secs(2));
    assert_eq!(policies.receive.policy.circuit_breaker_config(), Some(&failing));
}

#[test]
fn slow_calls_fail_or_have_a_share_of_their_own() {
    let text = r#"
        [send.circuit_breaker]
        failure_rate = { share = 0.5, calls = 20, slow = "2s" }
        slow_call_rate = { share = 0.5, slow = "1s" }
        [receive.circuit_breaker]
        failure_rate = { share = 0.5, calls = 20, slow = "0s" }
    "#;
    let found = problems(text);
    for expected in [
        "send.circuit_breaker.slow_call_rate.slow must be left out where slow calls fail: failure_rate.slow is given",
        "receive.circuit_breaker.failure_rate.slow must be greater than zero",
    ] {
        assert!(found.iter().any(|problem| problem.contains(expected)), "{expected}: {found:?}");
    }
}

/// Ten calls are the least that a rate looks at, unless its window never holds so many.
#[test]
fn the_least_calls_of_a_rate_are_ten_or_all_of_a_shorter_window() {
    use seawall::core::window::Span;

    let preset = *Policies::default().send.policy.circuit_breaker_config().unwrap();
    for (calls, least) in [(5, 5), (10, 10), (100, 10)] {
        let text = format!("[send.circuit_breaker]\nfailure_rate = {{ share = 0.5, calls = {calls} }}\n");
        let policy = parse(&text).unwrap().send.policy;
        let expected = preset.or_failure_rate(Ratio::percent(50), Span::calls(calls), least);
        assert_eq!(policy.circuit_breaker_config(), Some(&expected));
    }
}
