//! Policy files: those of the repository, and what is wrong with others.
#![cfg(feature = "dwcp")]

use std::time::Duration;

use seawall::config::{Invalid, OperationPolicy, Policies, PolicyFile, PolicyTable};
use seawall::core::backoff::Jitter;
use seawall::core::{Backoff, Ratio};
use seawall::{Guard, Policy};

#[path = "policies/around.rs"]
mod around;
#[path = "policies/breaker.rs"]
mod breaker;
#[path = "policies/chaos.rs"]
mod chaos;

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
