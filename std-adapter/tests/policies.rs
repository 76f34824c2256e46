//! Policy files: those of the repository, and what is wrong with others.
#![cfg(feature = "dwcp")]

use std::time::Duration;

use seawall::config::{Invalid, OperationPolicy, Policies, PolicyFile, PolicyTable};
use seawall::core::backoff::Jitter;
use seawall::core::rate_limiter::Quota;
use seawall::core::{Backoff, Ratio, adaptive_concurrency, adaptive_rate, latency_budget, load_shedder};
use seawall::guard::Surroundings;
use seawall::{Guard, Policy};

fn file(name: &str) -> PolicyFile {
    let path = format!("{}/../policies/{name}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    text.parse().unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn parse(text: &str) -> Result<Policies, Invalid> {
    text.parse::<PolicyFile>().map(|file| file.policies)
}

fn problems(text: &str) -> Vec<String> {
    parse(text).expect_err("the file is wrong").problems().to_vec()
}

#[test]
fn the_presets_written_out_are_the_presets() {
    assert_eq!(file("dwcp.toml").policies, Policies::default());
}

#[test]
fn an_empty_file_is_the_presets() {
    assert_eq!(parse(""), Ok(Policies::default()));
    assert_eq!(parse("[send]\n[sync.retry]\n"), Ok(Policies::default()));
}

/// What the story of twenty seconds at 500 messages a second needs of the policy; its numbers are there to be played with.
#[test]
fn the_demo_fits_its_story() {
    let policies = file("demo.toml").policies;
    let OperationPolicy { policy, idempotent, .. } = policies.send;
    assert!(idempotent, "a message whose reply was lost may be sent again");
    let attempt = policy.timeout_config().limit();
    assert!(attempt < policy.deadline_limit(), "there is time for a second attempt");
    let quota = policy.rate_limit_config().unwrap();
    assert!(f64::from(quota.tokens()) / quota.period().as_secs_f64() > 500.0, "the limit is not felt");
    let (ratio, ..) = policy.retry_config().budget_parts();
    assert!(ratio.of(100) <= 30, "the amplification stays below 1.3");
    let guard = Guard::new("send", policy).unwrap();
    let breaker = guard.decisions().breaker().unwrap();
    breaker.trip(guard.now());
    let open = breaker.status(guard.now()).retry_after.unwrap();
    assert!(open <= Duration::from_secs(1), "it closes soon after the link has healed");
    assert_eq!(policies.consensus, Policies::default().consensus, "what is left out is the preset");
}

#[test]
fn a_key_changes_what_it_names_and_leaves_the_rest() {
    let policies = parse("[sync.bulkhead]\nmax_concurrent = 7\n[send.retry]\njitter = \"none\"\n").unwrap();
    let preset = Policies::default();
    let bulkhead = preset.sync.policy.bulkhead_config().unwrap().try_with_permits(7).unwrap();
    assert_eq!(policies.sync.policy, preset.sync.policy.bulkhead(bulkhead));
    let retry = preset.send.policy.retry_config();
    let retry = retry.with_attempts(4, retry.backoff().jitter(Jitter::None));
    assert_eq!(policies.send.policy, preset.send.policy.retry(retry));
}

#[test]
fn a_part_can_be_turned_off() {
    let text = "
        [send]
        rate_limiter = { enabled = false }
        bulkhead = { enabled = false }
        circuit_breaker = { enabled = false }
        retry = { enabled = false }
        error_budget = { enabled = false }
    ";
    let timeout = Duration::from_secs(30);
    assert_eq!(parse(text).unwrap().send.policy, Policy::new().timeout(timeout));
}

#[test]
fn every_schedule_can_be_named() {
    let ms = Duration::from_millis;
    let expected = [
        ("constant", Backoff::constant(ms(10))),
        ("linear", Backoff::linear(ms(10), ms(5))),
        ("exponential", Backoff::exponential(ms(10))),
        ("fibonacci", Backoff::fibonacci(ms(10))),
        ("decorrelated", Backoff::decorrelated(ms(10))),
    ];
    for (name, backoff) in expected {
        let increment = if name == "linear" { "increment = '5ms'" } else { "" };
        let text = format!(
            "[send.retry]\nbackoff = '{name}'\ninitial_delay = '10ms'\nmax_delay = '1s'\njitter = 'equal'\n{increment}"
        );
        let policy = parse(&text).unwrap().send.policy;
        assert_eq!(
            policy.retry_config().backoff(),
            &backoff.at_most(ms(1000)).jitter(Jitter::Equal),
            "{name}"
        );
    }
}

#[test]
fn all_that_is_wrong_is_said_at_once_each_with_its_path() {
    let text = r#"
        [send]
        timeout = "0s"
        deadline = "-1s"
        [send.rate_limiter]
        per = "0s"
        burst = 0
        [send.bulkhead]
        max_concurrent = 5000
        max_waiting = 257
        [receive.circuit_breaker]
        consecutive_failures = 0
        open_for = "0s"
        probes = 64
        successes_to_close = 0
        probe_lease = "soon"
        [sync.circuit_breaker]
        failure_rate = { share = nan, window = "2s" }
        [sync.retry]
        max_attempts = 0
        multiplier = 1.0
        jitter = 101
        budget = { ratio = inf }
        [sync.rate_limiter]
        per = "1s"
        [consensus.error_budget]
        slo = -0.5
        window = "0s"
        [transport]
        ping_interval = "0s"
        max_frame = 1
    "#;
    let found = problems(text);
    let expected = [
        "send.deadline is \"-1s\", must not be negative",
        "send.timeout must be greater than zero",
        "send.rate_limiter.per must be greater than zero",
        "send.rate_limiter.burst must be greater than zero",
        "send.bulkhead.max_concurrent must be at most 4095",
        "send.bulkhead.max_waiting must be at most 256",
        "receive.circuit_breaker.probe_lease is \"soon\", must be a duration such as \"250ms\"",
        "receive.circuit_breaker.consecutive_failures must be between 1 and 262143",
        "receive.circuit_breaker.probes must be between 1 and 15",
        "receive.circuit_breaker.successes_to_close must be between 1 and 31",
        "receive.circuit_breaker.open_for must be greater than zero",
        "sync.rate_limiter.rate is missing: there is no preset for it",
        "sync.circuit_breaker.failure_rate.share is NaN, must be a number from 0 to 1",
        "sync.retry.multiplier is 1, must be between 1.1 and 100",
        "sync.retry.jitter must be at most 100 percent",
        "sync.retry.max_attempts must be greater than zero",
        "sync.retry.budget.ratio is inf, must be a number from 0 to 1",
        "consensus.error_budget.slo is -0.5, must be a number from 0 to 1",
        "consensus.error_budget.window must be",
    ];
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected), "{found:?} instead of {expected:?}");
    }
    assert_eq!(
        &found[expected.len()..],
        [
            "transport.max_frame is 1, must be 4096 to 16777216",
            "transport.ping_interval is 0ns, must be 1ms to 24h"
        ]
    );
}

#[test]
fn an_unknown_key_is_named_with_its_place() {
    let [problem] = &problems("[send]\ntimeout = '1s'\n[send.retry]\nmax_atempts = 3\n")[..] else {
        panic!("one problem")
    };
    assert!(
        problem.starts_with("line 4, column 1: unknown field `max_atempts`, expected one of"),
        "{problem}"
    );
    assert!(problem.contains("max_attempts"), "{problem}");
    let [problem] = &problems("[sent]\n")[..] else { panic!("one problem") };
    assert!(problem.starts_with("line 1, column 2: unknown field `sent`"), "{problem}");
}

#[test]
fn a_value_of_the_wrong_type_and_text_that_is_no_toml_have_their_place() {
    for (text, line) in [
        ("[send]\ntimeout = 250\n", 2),
        ("[send.rate_limiter]\nrate = -5\n", 2),
        ("[send.retry]\nbackoff = 'quadratic'\n", 2),
        ("[send.retry]\njitter = 'some'\n", 2),
        ("[send]\n\nretry = {\n", 3),
        ("[send]\n[send]\n", 2),
    ] {
        let problems = problems(text);
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].starts_with(&format!("line {line}, ")), "{text:?}: {problems:?}");
    }
}

#[test]
fn unprotected_keeps_the_timeout_and_retries_without_a_budget() {
    let policy = Policies::default().unprotected().send.policy;
    assert_eq!(policy.timeout_config().limit(), Duration::from_secs(30));
    assert_eq!(policy.retry_config().max_attempts(), 4);
    assert_eq!(policy.circuit_breaker_config(), None);
    assert_eq!(policy.rate_limit_config(), None);
    assert_eq!(policy.bulkhead_config(), None);
    let (_, cap, _) = policy.retry_config().budget_parts();
    assert_eq!(cap, u32::MAX);
    assert!(Guard::new("send", policy).is_ok());
}

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

#[test]
fn what_a_table_leaves_out_stays_as_the_base_has_it() {
    use seawall::core::adaptive_timeout::{self, Growth};
    use seawall::core::circuit_breaker::Config;
    use seawall::core::window::Span;

    let secs = Duration::from_secs;
    let rate = Config::failure_rate(Ratio::percent(50), Span::time(secs(10)), 10).open_for(secs(30));
    let learned = adaptive_timeout::Config::new(secs(1)).grow_on(Growth::Failures);
    let both = Policy::new().timeout(secs(30)).adaptive_timeout(learned);
    let with = |text: &str, policy: Policy| {
        let table: PolicyTable = toml::from_str(text).unwrap();
        table.apply("send", &OperationPolicy::new(policy)).unwrap().policy
    };
    let breaker = |text: &str, config: Config| {
        let changed = with(&format!("[circuit_breaker]\n{text}"), Policy::new().circuit_breaker(config));
        *changed.circuit_breaker_config().unwrap()
    };

    assert_eq!(breaker("shadow = false", rate.in_shadow()), rate);
    assert_eq!(breaker("shadow = true", rate), rate.in_shadow());
    assert_eq!(breaker("probes = 1", rate.in_shadow()), rate.in_shadow());
    let failures_only = rate.evaluate_on_failure_only();
    assert_eq!(breaker("evaluate_on_failure_only = false", failures_only), rate);
    assert_eq!(breaker("probes = 1", failures_only), failures_only);

    let grows = |schedule, longest| rate.open_for_growing(schedule, longest);
    let doubling = Backoff::exponential(secs(30));
    assert_eq!(breaker("open_for_growing = { max_delay = '5m' }", rate), grows(doubling, secs(300)));
    let linear = Backoff::linear(secs(5), secs(5));
    assert_eq!(
        breaker("open_for_growing = { max_delay = '2m' }", grows(linear, secs(60))),
        grows(linear, secs(120))
    );
    let from_new = "open_for = '7s'\nopen_for_growing = { max_delay = '1m' }";
    assert_eq!(breaker(from_new, grows(linear, secs(60))), grows(Backoff::exponential(secs(7)), secs(60)));

    let longer = with("adaptive_timeout = { at_most = '10m' }", both);
    assert_eq!(longer, both.adaptive_timeout(learned.at_most(secs(600))));
    let timeouts = with("adaptive_timeout = { grow_on = 'timeouts' }", both);
    assert_eq!(timeouts.adaptive_timeout_config().unwrap().growth(), Growth::Timeouts);

    let fixed = Policy::new().timeout(secs(30));
    let in_place = with("adaptive_timeout = { initial = '1s' }", fixed);
    assert_eq!(in_place, Policy::new().adaptive_timeout(adaptive_timeout::Config::new(secs(1))));
    let beside = with("timeout = '20s'\nadaptive_timeout = { initial = '1s' }", fixed);
    assert_eq!(beside.timeout_config().limit(), secs(20));
    assert_eq!(with("adaptive_timeout = { enabled = false }", fixed), fixed);
}

#[test]
fn a_learned_timeout_is_compared_with_its_first_one() {
    let policies = parse("send.adaptive_timeout = { initial = '2s' }").unwrap();
    assert_eq!(policies.send.policy.timeout_config(), Policy::new().timeout_config());
    assert_eq!(policies.unprotected().send.policy.timeout_config().limit(), Duration::from_secs(2));
}

#[test]
fn what_is_wrong_with_the_newer_keys_is_said_with_its_path() {
    let text = r#"
        [send.adaptive_timeout]
        initial = "1ms"
        [send.circuit_breaker]
        slow_call_rate = { share = "2/1", slow = "0s" }
        [receive.circuit_breaker]
        failure_rate = { share = 0.5, window = "10s" }
        slow_call_rate = { share = 0.5, slow = "1s", window = "5s" }
        [sync.circuit_breaker]
        close_below = { share = 0, of = 32 }
        ramp = { over = "0s" }
        probe_timeout = "0s"
        honor_retry_after = "0s"
        probe_failures_to_open = 32
        [sync.retry]
        budget = { cap = 1 }
        throttle = { ratio = "x", max_tokens = 1 }
        cost = { failure = 0 }
    "#;
    let found = problems(text);
    for expected in [
        "send.adaptive_timeout.initial must be between the bounds",
        "send.circuit_breaker.slow_call_rate.share is \"2/1\", must be a number from 0 to 1",
        "receive.circuit_breaker.slow_call_rate.window must be left out beside failure_rate: a breaker has one window",
        "sync.circuit_breaker.close_below.of must be between 1 and 31",
        "sync.circuit_breaker.ramp.over must be greater than zero",
        "sync.circuit_breaker.probe_timeout must be greater than zero",
        "sync.circuit_breaker.honor_retry_after must be greater than zero",
        "sync.circuit_breaker.probe_failures_to_open must be between 1 and 31",
        "sync.retry.throttle must be left out beside budget",
        "sync.retry.throttle.ratio is \"x\", must be a number from 0 to 1",
        "sync.retry.cost.failure must be greater than zero",
    ] {
        assert!(found.iter().any(|found| found == expected), "{expected:?} is not in {found:#?}");
    }
}

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
