//! The breaker's table.

use std::time::Duration;

use seawall_core::circuit_breaker::Config;
use seawall_core::window::Span;
use seawall_core::{Backoff, CircuitBreaker, ConfigError, Policy, Ratio};

use super::{OFF, delays};
use crate::config::tables;
use crate::config::values::Checker;
use crate::guard::SLOTS;

pub(super) fn breaker(
    table: Option<&tables::CircuitBreaker>,
    base: &Policy,
    check: &mut Checker<'_>,
) -> Option<Config> {
    let preset = base.circuit_breaker_config().copied();
    let Some(table) = table else { return preset };
    if table.enabled == OFF {
        return None;
    }
    let open_for = check.duration("open_for", table.open_for.as_ref());
    let lease = check.duration("probe_lease", table.probe_lease.as_ref());
    let (rate, slow) = rates(table, check);
    if matches!((&rate, &slow), (Some(None), _) | (_, Some(None))) {
        return None;
    }
    let (rate, slow) = (rate.flatten(), slow.flatten());
    let mut config = match (preset, table.consecutive_failures, rate, slow) {
        (Some(preset), ..) => preset,
        // A rule that is valid and is replaced at once by the one that was asked for.
        (None, Some(_), ..) => Config::consecutive_failures(1),
        (None, None, Some(rule), _) => Config::failure_rate(rule.share, rule.span, rule.minimum),
        (None, None, None, Some(rule)) => {
            Config::slow_call_rate(rule.share, rule.slow, rule.span, rule.minimum)
        }
        (None, None, None, None) => {
            let what = "is missing, and so are failure_rate and slow_call_rate: there is no preset";
            check.wrong("consecutive_failures", what);
            return None;
        }
    };
    let valid = |config| CircuitBreaker::<SLOTS>::try_new(config).map(drop);
    let mut step =
        |value, set: fn(Config, u32) -> Config, key| check.step(&mut config, value, set, valid, key);
    step(table.consecutive_failures, Config::or_consecutive_failures, "consecutive_failures");
    step(table.probes, Config::probes, "probes");
    step(table.successes_to_close, Config::successes_to_close, "successes_to_close");
    check.step(&mut config, open_for, Config::open_for, valid, "open_for");
    if let Some(table) = &table.open_for_growing {
        // A base whose open time grows keeps its schedule; one whose does not has the first time of the new one.
        let given = config.open_times();
        let is_constant = *given == Backoff::constant(given.base()).at_most(given.base());
        let first = if is_constant { Backoff::exponential(given.base()) } else { *given };
        let schedule = delays(table, &first, &mut check.below("open_for_growing"));
        let grow = |config: Config, schedule: Backoff| config.open_for_growing(schedule, schedule.cap());
        check.step(&mut config, Some(schedule), grow, valid, "open_for_growing.initial_delay");
    }
    check.step(&mut config, lease, Config::probe_lease_of, valid, "probe_lease");
    config = half_open(table, config, check);
    if let Some(seed) = table.seed {
        config = config.seed(seed);
    }
    match (rate, slow) {
        (Some(rate), Some(slow)) => {
            config = config
                .or_failure_rate(rate.share, rate.span, rate.minimum)
                .or_slow_call_rate(slow.share, slow.slow);
        }
        (Some(rate), None) => {
            config = config.or_failure_rate(rate.share, rate.span, rate.minimum);
            if rate.slow < Duration::MAX {
                config = config.slow_calls_fail(rate.slow);
            }
        }
        (None, Some(slow)) => {
            config = config.or_slow_call_rate_over(slow.share, slow.slow, slow.span, slow.minimum);
        }
        (None, None) => {}
    }
    if let Some(only) = table.evaluate_on_failure_only {
        config = config.evaluate_on_success(!only);
    }
    Some(config)
}

/// A rate rule: absent, wrong, or as it is.
type Given = Option<Option<RateRule>>;

/// The rules for failures and for slow calls.
fn rates(table: &tables::CircuitBreaker, check: &mut Checker<'_>) -> (Given, Given) {
    let rate = table.failure_rate.as_ref().map(|rate| {
        let window = RateWindow::of(rate.window.as_ref(), rate.calls, rate.minimum_calls);
        let slow = rate.slow.as_ref();
        rate_rule("failure_rate", &rate.share, slow, &window, &mut check.below("failure_rate"))
    });
    let slow = table.slow_call_rate.as_ref().map(|slow| {
        let own = RateWindow::of(slow.window.as_ref(), slow.calls, slow.minimum_calls);
        let shared = table.failure_rate.as_ref();
        let window = match shared {
            Some(rate) if own == RateWindow::default() => {
                RateWindow::of(rate.window.as_ref(), rate.calls, rate.minimum_calls)
            }
            _ => own,
        };
        let mut check = check.below("slow_call_rate");
        if shared.is_some() && own != RateWindow::default() {
            check.wrong("window", "must be left out beside failure_rate: a breaker has one window");
            return None;
        }
        if shared.is_some_and(|rate| rate.slow.is_some()) {
            check.wrong("slow", "must be left out where slow calls fail: failure_rate.slow is given");
            return None;
        }
        rate_rule("slow_call_rate", &slow.share, Some(&slow.slow), &window, &mut check)
    });
    (rate, slow)
}

/// What happens from half-open on.
fn half_open(table: &tables::CircuitBreaker, mut config: Config, check: &mut Checker<'_>) -> Config {
    let valid = |config| CircuitBreaker::<SLOTS>::try_new(config).map(drop);
    check.step(
        &mut config,
        table.probe_failures_to_open,
        Config::probe_failures_to_open,
        valid,
        "probe_failures_to_open",
    );
    if let Some(below) = &table.close_below {
        let mut check = check.below("close_below");
        let share = check.share("share", Some(&below.share)).map(|share| (share, below.of));
        let of = check.within(1, 31, "of", below.of);
        let set = |config: Config, (share, of)| config.close_below(share, of);
        check.step(&mut config, share.filter(|_| of), set, valid, "share");
    }
    let calls = table.half_open_calls;
    check.step(&mut config, calls, Config::half_open_calls, valid, "half_open_calls");
    let limit = check.duration("probe_timeout", table.probe_timeout.as_ref());
    check.step(&mut config, limit, Config::probe_timeout, valid, "probe_timeout");
    let honored = check.duration("honor_retry_after", table.honor_retry_after.as_ref());
    check.step(&mut config, honored, Config::honor_retry_after, valid, "honor_retry_after");
    if let Some(ramp) = &table.ramp {
        let mut check = check.below("ramp");
        let over = check.duration("over", Some(&ramp.over));
        let from = check.share("from", ramp.from.as_ref()).unwrap_or(Ratio::ZERO);
        check.step(&mut config, over, |config: Config, over| config.ramp(over, from), valid, "over");
    }
    if let Some(on) = table.shadow {
        config = config.shadow(on);
    }
    config
}

/// The window of a rate as it is written.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct RateWindow<'a> {
    window: Option<&'a String>,
    calls: Option<u32>,
    minimum: Option<u32>,
}

impl<'a> RateWindow<'a> {
    fn of(window: Option<&'a String>, calls: Option<u32>, minimum: Option<u32>) -> Self {
        Self { window, calls, minimum }
    }
}

/// A rate rule that was checked.
#[derive(Clone, Copy)]
struct RateRule {
    share: Ratio,
    slow: Duration,
    span: Span,
    minimum: u32,
}

/// The rate rule, if all of it is valid; `slow` says which calls are slow, [`Duration::MAX`] that none is.
fn rate_rule(
    rule: &str,
    share: &tables::Share,
    slow: Option<&String>,
    window: &RateWindow<'_>,
    check: &mut Checker<'_>,
) -> Option<RateRule> {
    let share = check.share("share", Some(share));
    let slow = slow.map_or(Some(Duration::MAX), |text| check.duration("slow", Some(text)));
    let span = check.duration("window", window.window);
    // A window of fewer calls would never reach ten.
    let minimum = window.minimum.unwrap_or_else(|| window.calls.map_or(10, |calls| calls.min(10)));
    let (span, key) = match (window.window, window.calls) {
        (None, Some(calls)) => (Span::calls(calls), "calls"),
        (Some(_), None) => (Span::time(span?), "window"),
        _ => {
            check.wrong("window", "or calls must be given, and not both");
            return None;
        }
    };
    let (share, slow) = (share?, slow?);
    let config = if rule == "failure_rate" {
        Config::failure_rate(share, span, minimum).slow_calls_fail(slow)
    } else {
        Config::slow_call_rate(share, slow, span, minimum)
    };
    match CircuitBreaker::<SLOTS>::try_new(config) {
        Ok(_) => Some(RateRule { share, slow, span, minimum }),
        Err(ConfigError { field, bound, .. }) => {
            let key = match field {
                "circuit_breaker.failure_rate" | "circuit_breaker.slow_call_rate" => "share",
                "circuit_breaker.slow_call_duration" => "slow",
                "circuit_breaker.minimum_calls" => "minimum_calls",
                _ => key,
            };
            check.wrong(key, format_args!("must be {bound}"));
            None
        }
    }
}
