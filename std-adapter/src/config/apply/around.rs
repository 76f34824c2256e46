//! The tables of what stands around a guard.

use std::time::Duration;

use seawall_core::rate_limiter::Quota;
use seawall_core::{
    AdaptiveConcurrency, AdaptiveRate, ConfigError, LatencyBudget, LoadShedder, adaptive_concurrency,
    adaptive_rate, latency_budget, load_shedder,
};

use super::OFF;
use crate::config::tables::{self, PolicyTable};
use crate::config::values::Checker;
use crate::guard::{SLOTS, Surroundings};

/// Applies the tables to what stood there before.
pub(super) fn around(table: &PolicyTable, base: Surroundings, check: &mut Checker<'_>) -> Surroundings {
    Surroundings {
        adaptive_rate: part(table.adaptive_rate.as_ref(), base.adaptive_rate, |table| {
            rate(table, &mut check.below("adaptive_rate"))
        }),
        adaptive_concurrency: part(table.adaptive_concurrency.as_ref(), base.adaptive_concurrency, |table| {
            concurrency(table, &mut check.below("adaptive_concurrency"))
        }),
        latency_budget: part(table.latency_budget.as_ref(), base.latency_budget, |table| {
            latency(table, &mut check.below("latency_budget"))
        }),
        load_shedder: part(table.load_shedder.as_ref(), base.load_shedder, |table| {
            shedder(table, &mut check.below("load_shedder"))
        }),
    }
}

/// A table takes the place of the base's part; there are no presets for its keys.
pub(super) fn part<T: tables::Part, V>(
    table: Option<&T>,
    base: Option<V>,
    make: impl FnOnce(&T) -> Option<V>,
) -> Option<V> {
    match table {
        None => base,
        Some(table) if table.enabled() == OFF => None,
        Some(table) => make(table),
    }
}

/// A value that has no default.
pub(super) fn needed<T>(value: Option<T>, key: &str, check: &mut Checker<'_>) -> Option<T> {
    if value.is_none() {
        check.wrong(key, "is missing: there is no preset for it");
    }
    value
}

/// A duration that has no default; one that cannot be read is told as that, and not as missing.
pub(super) fn needed_time(text: Option<&String>, key: &str, check: &mut Checker<'_>) -> Option<Duration> {
    needed(text, key, check)?;
    check.duration(key, text)
}

/// The configuration, if it is valid; else what is wrong with it, by the key of its field: keys that are not named as their
/// fields are stand in `keys`, behind these.
fn checked<T>(
    config: T,
    result: Result<(), ConfigError>,
    keys: &[(&str, &str)],
    check: &mut Checker<'_>,
) -> Option<T> {
    let error = match result {
        Ok(()) => return Some(config),
        Err(error) => error,
    };
    let field = error.field.rsplit('.').next().unwrap_or(error.field);
    let key = keys.iter().find(|(name, _)| *name == field).map_or(field, |(_, key)| key);
    check.wrong(key, format_args!("must be {}", error.bound));
    None
}

fn rate(table: &tables::AdaptiveRate, check: &mut Checker<'_>) -> Option<adaptive_rate::Config> {
    let rate = needed(table.rate, "rate", check);
    let target = needed_time(table.target.as_ref(), "target", check);
    let period = check.duration("per", table.per.as_ref()).unwrap_or(Duration::from_secs(1));
    let window = check.duration("window", table.window.as_ref());
    let mut quota = Quota::new(rate?, period);
    if let Some(burst) = table.burst {
        quota = quota.burst(burst);
    }
    let mut config = adaptive_rate::Config::new(quota, target?);
    config = config.between(table.min.unwrap_or(config.min()), table.max.unwrap_or(config.max()));
    if let Some(window) = window {
        config = config.window(window);
    }
    if let Some(samples) = table.samples {
        config = config.samples(samples);
    }
    checked(config, AdaptiveRate::try_new(config).map(drop), &[("period", "per")], check)
}

fn concurrency(
    table: &tables::AdaptiveConcurrency,
    check: &mut Checker<'_>,
) -> Option<adaptive_concurrency::Config> {
    use adaptive_concurrency::Config;

    let initial = needed(table.initial, "initial", check);
    let window = check.duration("window", table.window.as_ref());
    let slow_after = check.duration("slow_after", table.slow_after.as_ref());
    let backoff = check.share("backoff", table.backoff.as_ref());
    let smoothing = check.share("smoothing", table.smoothing.as_ref());
    let rule = table.rule.unwrap_or_default();
    for (key, given, of) in [
        ("increase", table.increase.is_some(), tables::Rule::Aimd),
        ("tolerance", table.tolerance.is_some(), tables::Rule::Gradient),
        ("queue", table.queue.is_some(), tables::Rule::Gradient),
        ("smoothing", table.smoothing.is_some(), tables::Rule::Gradient),
        ("probe_every", table.probe_every.is_some(), tables::Rule::Gradient),
        ("seed", table.seed.is_some(), tables::Rule::Gradient),
    ] {
        if given && rule != of {
            let name = if of == tables::Rule::Aimd { "aimd" } else { "gradient" };
            check.wrong(key, format_args!("must be left out unless rule is \"{name}\""));
            return None;
        }
    }
    let mut config = match rule {
        tables::Rule::Aimd => Config::aimd(initial?),
        tables::Rule::Gradient => Config::gradient(initial?),
    };
    let (min, max) = config.bounds();
    config = config.between(table.min.unwrap_or(min), table.max.unwrap_or(max));
    macro_rules! take {
        ($($key:ident = $value:expr),*) => { $(if let Some(value) = $value { config = config.$key(value); })* };
    }
    take!(
        samples = table.samples,
        window = window,
        slow_after = slow_after,
        backoff = backoff,
        increase = table.increase,
        tolerance = table.tolerance,
        queue = table.queue,
        smoothing = smoothing,
        probe_every = table.probe_every,
        seed = table.seed
    );
    checked(config, AdaptiveConcurrency::try_new(config).map(drop), &[], check)
}

fn latency(table: &tables::LatencyBudget, check: &mut Checker<'_>) -> Option<latency_budget::Config> {
    needed(table.slo.as_ref(), "slo", check);
    let slo = check.share("slo", table.slo.as_ref());
    let target = needed_time(table.target.as_ref(), "target", check);
    let window = needed_time(table.window.as_ref(), "window", check);
    let mut config = latency_budget::Config::new(slo?, target?, window?);
    if let Some(n) = table.minimum_calls {
        config = config.minimum_calls(n);
    }
    let made: Result<LatencyBudget, _> = LatencyBudget::try_new(config);
    checked(config, made.map(drop), &[("objective", "slo"), ("span", "window")], check)
}

fn shedder(table: &tables::LoadShedder, check: &mut Checker<'_>) -> Option<load_shedder::Config> {
    let max_load = needed(table.max_load, "max_load", check);
    let span = check.duration("span", table.span.as_ref()).unwrap_or(Duration::from_secs(10));
    let mut config = load_shedder::Config::new(max_load?, span);
    if let Some(seed) = table.seed {
        config = config.seed(seed);
    }
    checked(config, LoadShedder::<SLOTS>::try_new(config).map(drop), &[], check)
}
