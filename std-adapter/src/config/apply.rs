//! From tables to policies, value by value, each checked where it is applied.

mod around;
mod breaker;
#[cfg(feature = "chaos")]
mod chaos;

use std::time::Duration;

use seawall_core::backoff::{Backoff, Jitter};
use seawall_core::rate_limiter::{Quota, RateLimiter};
use seawall_core::{
    Bulkhead, ErrorBudget, Policy, Ratio, Retry, adaptive_timeout, bulkhead, error_budget, retry,
};

use super::OperationPolicy;
use super::tables::{self, JitterKey, JitterName, PolicyTable, Schedule};
use super::values::Checker;
use crate::guard::{SLOTS, WAITERS};

/// Applies a table to a preset; what is wrong goes to `problems`.
pub(super) fn policy(
    table: &PolicyTable,
    name: &str,
    preset: &OperationPolicy,
    problems: &mut Vec<String>,
) -> OperationPolicy {
    let base = &preset.policy;
    let mut check = Checker::new(name, problems);
    let mut policy = Policy::new();
    if let Some(seed) = table.seed.or(base.jitter_seed()) {
        policy = policy.seed(seed);
    }
    let mut time = |key, text: Option<&String>, preset| {
        let limit = check.duration(key, text);
        if limit.is_some_and(|limit| limit.is_zero()) {
            check.wrong(key, "must be greater than zero");
        }
        limit.unwrap_or(preset)
    };
    policy = policy.deadline(time("deadline", table.deadline.as_ref(), base.deadline_limit()));
    // A timeout that is learned takes the place of the base's, which would cut it.
    let learned = table.adaptive_timeout.as_ref().is_some_and(|learned| learned.enabled != OFF);
    let replaced = learned && base.adaptive_timeout_config().is_none();
    let fixed = if replaced { Duration::MAX } else { base.timeout_config().limit() };
    policy = policy.timeout(time("timeout", table.timeout.as_ref(), fixed));
    policy = policy.shadow(table.shadow.unwrap_or(base.is_shadow()));
    if let Some(quota) = rate_limiter(table.rate_limiter.as_ref(), base, &mut check.below("rate_limiter")) {
        policy = policy.rate_limit(quota);
    }
    if let Some(config) = bulkhead(table.bulkhead.as_ref(), base, &mut check.below("bulkhead")) {
        policy = policy.bulkhead(config);
    }
    if let Some(config) =
        breaker::breaker(table.circuit_breaker.as_ref(), base, &mut check.below("circuit_breaker"))
    {
        policy = policy.circuit_breaker(config);
    }
    policy = policy.retry(retry(table.retry.as_ref(), base, &mut check.below("retry")));
    if let Some(config) = budget(table.error_budget.as_ref(), base, &mut check.below("error_budget")) {
        policy = policy.error_budget(config);
    }
    if let Some(config) =
        adaptive_timeout(table.adaptive_timeout.as_ref(), base, &mut check.below("adaptive_timeout"))
    {
        policy = policy.adaptive_timeout(config);
    }
    let around = around::around(table, preset.around, &mut check);
    #[cfg(not(feature = "chaos"))]
    if table.chaos.as_ref().is_some_and(|chaos| chaos.enabled != OFF) {
        check.wrong("chaos", "needs a build with the feature `chaos`; enabled = false keeps it for one");
    }
    OperationPolicy {
        policy,
        around,
        #[cfg(feature = "chaos")]
        chaos: around::part(table.chaos.as_ref(), preset.chaos, |table| {
            Some(chaos::chaos(table, &mut check.below("chaos")))
        }),
        idempotent: table.idempotent.unwrap_or(preset.idempotent),
    }
}

/// The timeout of the policy, or the first of one that is learned, and naive retries.
pub(super) fn unprotected(policy: &Policy) -> Policy {
    let pause = Backoff::constant(Duration::from_millis(50));
    let learned = policy.adaptive_timeout_config().map_or(Duration::MAX, adaptive_timeout::Config::initial);
    Policy::new()
        .timeout(policy.timeout_config().limit().min(learned))
        .retry(retry::Config::attempts(4, pause).budget(Ratio::ONE, u32::MAX, 0))
}

const OFF: Option<bool> = Some(false);

fn rate_limiter(
    table: Option<&tables::RateLimiter>,
    base: &Policy,
    check: &mut Checker<'_>,
) -> Option<Quota> {
    let preset = base.rate_limit_config().copied();
    let Some(table) = table else { return preset };
    if table.enabled == OFF {
        return None;
    }
    let period = check.duration("per", table.per.as_ref());
    let Some(rate) = table.rate.or(preset.map(|quota| quota.tokens())) else {
        check.wrong("rate", "is missing: there is no preset for it");
        return None;
    };
    let preset_period = preset.map_or(Duration::from_secs(1), |quota| quota.period());
    let mut quota = Quota::new(rate, preset_period);
    let valid = |quota| RateLimiter::try_new(quota).map(drop);
    if table.rate.is_none()
        && let Some(preset) = preset
    {
        quota = quota.burst(preset.burst_size());
    }
    check.step(
        &mut quota,
        period,
        |quota, per| Quota::new(quota.tokens(), per).burst(quota.burst_size()),
        valid,
        "per",
    );
    check.step(&mut quota, table.burst, Quota::burst, valid, "burst");
    Some(quota)
}

fn bulkhead(
    table: Option<&tables::Bulkhead>,
    base: &Policy,
    check: &mut Checker<'_>,
) -> Option<bulkhead::Config> {
    let preset = base.bulkhead_config().copied();
    let Some(table) = table else { return preset };
    if table.enabled == OFF {
        return None;
    }
    let max_wait = check.duration("max_wait", table.max_wait.as_ref());
    let resized = match (table.max_concurrent, preset) {
        (None, None) => {
            check.wrong("max_concurrent", "is missing: there is no preset for it");
            return None;
        }
        (None, Some(preset)) => Ok(preset),
        (Some(n), None) => bulkhead::Config::try_new(n),
        (Some(n), Some(preset)) => preset.try_with_permits(n),
    };
    let mut config = resized.unwrap_or_else(|error| {
        check.wrong("max_concurrent", format_args!("must be {}", error.bound));
        bulkhead::Config::new(1)
    });
    if let Some(wait) = max_wait {
        config = config.max_wait(wait);
    }
    let waiting = table.max_waiting;
    if waiting.is_some_and(|n| n as usize > WAITERS) {
        check.wrong("max_waiting", format_args!("must be at most {WAITERS}"));
    } else {
        let valid = |config| Bulkhead::<WAITERS>::try_new(config).map(drop);
        check.step(&mut config, waiting, bulkhead::Config::max_waiting, valid, "max_waiting");
    }
    Some(config)
}

fn retry(table: Option<&tables::Retry>, base: &Policy, check: &mut Checker<'_>) -> retry::Config {
    let mut config = *base.retry_config();
    let Some(table) = table else { return config };
    if table.enabled == OFF {
        return retry::Config::never();
    }
    let backoff = delays(&table.delays(), config.backoff(), check);
    let valid = |config| Retry::try_new(config).map(drop);
    config = config.with_attempts(config.max_attempts(), backoff);
    let attempts = |config: retry::Config, n| config.with_attempts(n, *config.backoff());
    check.step(&mut config, table.max_attempts, attempts, valid, "max_attempts");
    if let Some(cost) = &table.cost {
        let mut check = check.below("cost");
        for (kind, tokens, key) in [
            (retry::Kind::Failure, cost.failure, "failure"),
            (retry::Kind::Timeout, cost.timeout, "timeout"),
            (retry::Kind::Throttled, cost.throttled, "throttled"),
        ] {
            check.step(&mut config, tokens, |config: retry::Config, n| config.cost(kind, n), valid, key);
        }
    }
    if let Some(throttle) = &table.throttle {
        if table.budget.is_some() {
            check.wrong("throttle", "must be left out beside budget");
        }
        let mut check = check.below("throttle");
        let parts = check.share("ratio", Some(&throttle.ratio)).map(|ratio| (ratio, throttle.max_tokens));
        let set = |config: retry::Config, (ratio, max)| config.throttle(ratio, max);
        check.step(&mut config, parts, set, valid, "max_tokens");
    }
    if let Some(budget) = &table.budget {
        let mut check = check.below("budget");
        let (ratio, cap, per_second) = config.budget_parts();
        let ratio = check.share("ratio", budget.ratio.as_ref()).unwrap_or(ratio);
        let parts = (ratio, budget.cap.unwrap_or(cap), budget.per_second.unwrap_or(per_second));
        let set = |config: retry::Config, (ratio, cap, free)| config.budget(ratio, cap, free);
        check.step(&mut config, Some(parts), set, valid, "cap");
    }
    config
}

/// The schedule of delays that the keys make of another one.
fn delays(table: &tables::Delays, base: &Backoff, check: &mut Checker<'_>) -> Backoff {
    let initial = check.duration("initial_delay", table.initial_delay.as_ref());
    let increment = check.duration("increment", table.increment.as_ref());
    let cap = check.duration("max_delay", table.max_delay.as_ref());
    let delay = initial.unwrap_or(base.base());
    let mut backoff = match table.backoff {
        None => base.starting_at(delay),
        Some(schedule) => {
            let fresh = match schedule {
                Schedule::Constant => Backoff::constant(delay),
                Schedule::Linear => Backoff::linear(delay, increment.unwrap_or(delay)),
                Schedule::Exponential => Backoff::exponential(delay),
                Schedule::Fibonacci => Backoff::fibonacci(delay),
                Schedule::Decorrelated => Backoff::decorrelated(delay),
            };
            fresh.at_most(base.cap()).jitter(base.spread())
        }
    };
    if let Some(cap) = cap {
        backoff = backoff.at_most(cap);
    }
    if table.increment.is_some() && table.backoff != Some(Schedule::Linear) {
        check.wrong("increment", "must be left out unless backoff is \"linear\"");
    }
    let factor = table.multiplier.and_then(|multiplier| {
        // Half a thousandth beyond the bounds still rounds to them.
        let thousandths = (multiplier * 1000.0).round();
        if !(1100.0..=100_000.0).contains(&thousandths) {
            check.wrong("multiplier", format_args!("is {multiplier}, must be between 1.1 and 100"));
            return None;
        }
        // The range was checked.
        #[allow(clippy::cast_sign_loss)]
        Some(thousandths as u32)
    });
    if factor.is_some() && table.backoff.is_some_and(|schedule| schedule != Schedule::Exponential) {
        check.wrong("multiplier", "must be left out unless backoff is \"exponential\"");
    }
    let jitter = table.jitter.map(|jitter| match jitter {
        JitterKey::Named(JitterName::None) => Jitter::None,
        JitterKey::Named(JitterName::Equal) => Jitter::Equal,
        JitterKey::Named(JitterName::Full) => Jitter::Full,
        JitterKey::Percent(percent) => Jitter::PlusMinus(percent),
    });
    check.step(&mut backoff, factor, Backoff::factor, |backoff| backoff.validate(), "multiplier");
    check.step(&mut backoff, jitter, Backoff::jitter, |backoff| backoff.validate(), "jitter");
    backoff
}

fn budget(
    table: Option<&tables::ErrorBudget>,
    base: &Policy,
    check: &mut Checker<'_>,
) -> Option<error_budget::Config> {
    use error_budget::Config;

    let preset = base.error_budget_config().copied();
    let Some(table) = table else { return preset };
    if table.enabled == OFF {
        return None;
    }
    let slo = check.share("slo", table.slo.as_ref());
    let window = check.duration("window", table.window.as_ref());
    let mut config = match (preset, slo, window) {
        (Some(preset), None, None) => preset,
        (Some(preset), slo, None) => Config::new(slo.unwrap_or(preset.objective()), preset.span()),
        (Some(preset), slo, Some(window)) => Config::new(slo.unwrap_or(preset.objective()), window),
        (None, Some(slo), Some(window)) => Config::new(slo, window),
        (None, ..) => {
            for (key, given) in [("slo", table.slo.is_some()), ("window", table.window.is_some())] {
                if !given {
                    check.wrong(key, "is missing: there is no preset for it");
                }
            }
            return None;
        }
    };
    if let Err(error) = ErrorBudget::<SLOTS>::try_new(config) {
        let key = if error.field.contains("objective") { "slo" } else { "window" };
        check.wrong(key, format_args!("must be {}", error.bound));
        return None;
    }
    let valid = |config| ErrorBudget::<SLOTS>::try_new(config).map(drop);
    check.step(&mut config, table.minimum_calls, Config::minimum_calls, valid, "minimum_calls");
    Some(config)
}

fn adaptive_timeout(
    table: Option<&tables::AdaptiveTimeout>,
    base: &Policy,
    check: &mut Checker<'_>,
) -> Option<adaptive_timeout::Config> {
    use adaptive_timeout::{Config, Growth};

    let preset = base.adaptive_timeout_config().copied();
    let Some(table) = table else { return preset };
    if table.enabled == OFF {
        return None;
    }
    let initial = check.duration("initial", table.initial.as_ref()).or(preset.map(|preset| preset.initial()));
    let Some(initial) = initial else {
        check.wrong("initial", "is missing: there is no preset for it");
        return None;
    };
    let mut config = Config::new(initial);
    let (mut least, mut most) = preset.map_or(config.bounds(), |preset| preset.bounds());
    least = check.duration("at_least", table.at_least.as_ref()).unwrap_or(least);
    most = check.duration("at_most", table.at_most.as_ref()).unwrap_or(most);
    config = config.at_least(least).at_most(most);
    config = config.grow_on(match table.grow_on {
        Some(tables::GrowOn::Failures) => Growth::Failures,
        Some(tables::GrowOn::Timeouts) => Growth::Timeouts,
        None => preset.map_or(Growth::Timeouts, |preset| preset.growth()),
    });
    match config.validate() {
        Ok(()) => Some(config),
        Err(error) => {
            let key = error.field.rsplit('.').next().unwrap_or(error.field);
            check.wrong(key, format_args!("must be {}", error.bound));
            None
        }
    }
}

#[cfg(feature = "dwcp")]
pub(super) fn transport(
    table: &tables::TransportTable,
    problems: &mut Vec<String>,
) -> crate::dwcp::TransportConfig {
    use crate::dwcp::{NodeId, TransportConfig};

    let mut config = TransportConfig::default();
    let mut check = Checker::new("transport", problems);
    if let Some(name) = &table.node_id {
        match NodeId::new(name) {
            Ok(id) => config.node_id = id,
            Err(error) => check.wrong("node_id", format_args!("is \"{name}\": {error}")),
        }
    }
    macro_rules! take {
        (numbers [$($number:ident)*] durations [$($duration:ident)*]) => {
            $(if let Some(value) = table.$number { config.$number = value; })*
            $(if let Some(value) = check.duration(stringify!($duration), table.$duration.as_ref()) {
                config.$duration = value;
            })*
        };
    }
    take!(
        numbers [max_frame max_inflight max_inflight_bytes writer_queue missed_pings max_connections]
        durations [
            connect_timeout handshake_timeout ping_interval frame_timeout write_timeout request_timeout
            reconnect_initial reconnect_max reconnect_reset drain_limit
        ]
    );
    if let Err(error) = config.validate() {
        problems.extend(error.violations().iter().map(|violation| format!("transport.{violation}")));
    }
    config
}
