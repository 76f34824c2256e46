//! The families: names, help and what each shows of a guard.

use std::fmt;

use prometheus_client::encoding::DescriptorEncoder;
use seawall_core::circuit_breaker::State;
use seawall_core::error_budget::Snapshot as Account;
use seawall_core::guard::Pattern;
use seawall_core::load_shedder::Priority;
use seawall_core::{Clock, Ratio, bulkhead, guard as decision};

use super::collector::Reading;
use super::histogram::{Classic, LATENCIES, PAUSES};
use super::writer::{Labels, Writer};
use crate::guard::ATTEMPT_LABELS;

pub(super) const STATES: [State; 3] = [State::Closed, State::HalfOpen, State::Open];

pub(super) const fn state_label(state: State) -> &'static str {
    match state {
        State::Closed => "closed",
        State::HalfOpen => "half-open",
        State::Open => "open",
    }
}

/// Writes every family that has a series.
pub(super) fn write_all<C: Clock>(encoder: DescriptorEncoder, guards: &[Reading<C>]) -> fmt::Result {
    let mut writer = Writer(encoder);
    circuit_breaker(&mut writer, guards)?;
    retry(&mut writer, guards)?;
    rate_limiter(&mut writer, guards)?;
    adaptive_rate(&mut writer, guards)?;
    bulkhead(&mut writer, guards)?;
    adaptive_concurrency(&mut writer, guards)?;
    error_budget(&mut writer, guards)?;
    latency_budget(&mut writer, guards)?;
    load_shedder(&mut writer, guards)?;
    shadow(&mut writer, guards)?;
    #[cfg(feature = "chaos")]
    chaos(&mut writer, guards)?;
    whole(&mut writer, guards)
}

fn circuit_breaker<C: Clock>(writer: &mut Writer, guards: &[Reading<C>]) -> fmt::Result {
    let having = || guards.iter().filter(|guard| guard.guard.decisions().breaker().is_some());
    writer.gauge(
        "circuit_breaker_state",
        "Circuit breaker state (0=closed, 1=half-open, 2=open)",
        having().filter_map(|guard| {
            let status = guard.guard.decisions().breaker()?.status(guard.now);
            Some((guard.labels("name"), status.state as u64))
        }),
    )?;
    writer.counter(
        "circuit_breaker_requests",
        "Total number of requests through circuit breaker",
        having().flat_map(|guard| {
            // A retry that the open breaker refused is an attempt that it refused.
            let retries = guard.tallies.gave_up.iter().filter(|(reason, _)| *reason == "breaker_open");
            let rejected = guard.stats.rejected_by(Pattern::CircuitBreaker)
                + retries.map(|(_, count)| count).sum::<u64>();
            let failures = guard.failed_attempts();
            [("success", guard.stats.successes), ("failure", failures), ("rejected", rejected)]
                .map(|(result, count)| (guard.labels_and("name", "result", result), count))
        }),
    )?;
    writer.counter(
        "circuit_breaker_failures",
        "Total number of circuit breaker failures",
        having().map(|guard| (guard.labels("name"), guard.failed_attempts())),
    )?;
    writer.counter(
        "circuit_breaker_state_changes",
        "Total number of circuit breaker state changes",
        having().flat_map(|guard| {
            let pairs = STATES.into_iter().flat_map(|from| STATES.map(|to| (from, to)));
            pairs.filter(|(from, to)| from != to).map(|(from, to)| {
                let mut labels = guard.labels_and("name", "from_state", state_label(from));
                labels.push(("to_state", state_label(to)));
                (labels, guard.stats.transitions(from, to))
            })
        }),
    )?;
    writer.histogram(
        "circuit_breaker_request_duration_seconds",
        "Circuit breaker request duration in seconds",
        having().map(|guard| (guard.labels("name"), Classic::of(guard.guard.latencies(), &LATENCIES))),
    )
}

fn retry<C: Clock>(writer: &mut Writer, guards: &[Reading<C>]) -> fmt::Result {
    let attempts = |guard: &Reading<C>| guard.guard.decisions().retry().config().max_attempts();
    let having = || guards.iter().filter(|guard| attempts(guard) > 1);
    writer.counter(
        "retry_attempts",
        "Total number of retry attempts",
        having().flat_map(|guard| {
            let counts = ATTEMPT_LABELS.into_iter().zip(guard.tallies.attempts);
            counts
                .take(attempts(guard) as usize)
                .map(|(attempt, count)| (guard.labels_and("policy", "attempt", attempt), count))
        }),
    )?;
    writer.counter(
        "retry_success",
        "Total number of successful retries",
        having().map(|guard| (guard.labels("policy"), guard.tallies.recovered)),
    )?;
    writer.counter(
        "retry_failures",
        "Total number of failed retries",
        having().flat_map(|guard| {
            let reasons = guard.tallies.gave_up.iter();
            reasons.map(|(reason, count)| (guard.labels_and("policy", "reason", reason), count))
        }),
    )?;
    writer.histogram(
        "retry_backoff_delay_seconds",
        "Retry backoff delay in seconds",
        having().map(|guard| (guard.labels("policy"), Classic::of(guard.guard.pauses(), &PAUSES))),
    )?;
    writer.gauge(
        "retry_budget_balance",
        "Retries that the retry budget still holds",
        having().map(|guard| (guard.labels("policy"), guard.guard.decisions().retry().balance())),
    )
}

fn rate_limiter<C: Clock>(writer: &mut Writer, guards: &[Reading<C>]) -> fmt::Result {
    let having = || guards.iter().filter_map(|guard| Some((guard, guard.guard.decisions().limiter()?)));
    writer.counter(
        "rate_limiter_allowed",
        "Total number of allowed requests",
        having().map(|(guard, _)| {
            let stats = &guard.stats;
            let passed = stats.successes + stats.failures + stats.ignored + stats.cancelled;
            (guard.labels("limiter"), passed + stats.rejected_by(Pattern::Bulkhead))
        }),
    )?;
    writer.counter(
        "rate_limiter_rejected",
        "Total number of rejected requests",
        having().map(|(guard, _)| (guard.labels("limiter"), guard.stats.rejected_by(Pattern::RateLimiter))),
    )?;
    writer.gauge(
        "rate_limiter_current_rate",
        "Current rate limit",
        having().map(|(guard, limiter)| {
            let quota = limiter.quota();
            (guard.labels("limiter"), f64::from(quota.tokens()) / quota.period().as_secs_f64())
        }),
    )?;
    writer.gauge(
        "rate_limiter_available_tokens",
        "Tokens that are available now",
        having().map(|(guard, limiter)| (guard.labels("limiter"), limiter.available(guard.now))),
    )
}

fn adaptive_rate<C: Clock>(writer: &mut Writer, guards: &[Reading<C>]) -> fmt::Result {
    let having = || {
        let rates = guards.iter().filter_map(|guard| Some((guard, guard.guard.adaptive_rate()?)));
        rates.map(|(guard, rate)| (guard, rate.snapshot()))
    };
    writer.gauge(
        "adaptive_rate_per_second",
        "Present rate, which follows the latency",
        having().map(|(guard, now)| {
            let rate = f64::from(now.quota.tokens()) / now.quota.period().as_secs_f64();
            (guard.labels("limiter"), rate)
        }),
    )?;
    writer.counter(
        "adaptive_rate_adjustments",
        "Total number of changes of the rate by direction",
        having().flat_map(|(guard, now)| {
            [("raise", now.raised), ("lower", now.lowered)]
                .map(|(direction, count)| (guard.labels_and("limiter", "direction", direction), count))
        }),
    )?;
    writer.counter(
        "adaptive_rate_rejected",
        "Total number of requests that the rate rejected",
        having().map(|(guard, _)| (guard.labels("limiter"), guard.stats.rejected_by(Pattern::AdaptiveRate))),
    )
}

fn adaptive_concurrency<C: Clock>(writer: &mut Writer, guards: &[Reading<C>]) -> fmt::Result {
    let having = || {
        let limits = guards.iter().filter_map(|guard| Some((guard, guard.guard.adaptive_concurrency()?)));
        limits.map(|(guard, limit)| (guard, limit.snapshot()))
    };
    writer.gauge(
        "adaptive_concurrency_limit",
        "Number of concurrent executions allowed, which follows their results",
        having().map(|(guard, now)| (guard.labels("limiter"), now.limit)),
    )?;
    writer.gauge(
        "adaptive_concurrency_in_flight",
        "Current number of concurrent executions",
        having().map(|(guard, now)| (guard.labels("limiter"), now.in_flight)),
    )?;
    writer.counter(
        "adaptive_concurrency_rejected",
        "Total number of requests that the limit rejected",
        having().map(|(guard, _)| {
            (guard.labels("limiter"), guard.stats.rejected_by(Pattern::AdaptiveConcurrency))
        }),
    )
}

fn bulkhead<C: Clock>(writer: &mut Writer, guards: &[Reading<C>]) -> fmt::Result {
    let having: Vec<(&Reading<C>, bulkhead::Snapshot)> = guards
        .iter()
        .filter_map(|guard| Some((guard, guard.guard.decisions().bulkhead()?.snapshot())))
        .collect();
    let gauge = |read: fn(&bulkhead::Snapshot) -> u32| {
        having.iter().map(move |(guard, snapshot)| (guard.labels("bulkhead"), read(snapshot)))
    };
    writer.gauge(
        "bulkhead_concurrent",
        "Current number of concurrent executions",
        gauge(|now| now.in_use),
    )?;
    writer.gauge("bulkhead_queued", "Current number of queued requests", gauge(|now| now.waiting))?;
    writer.gauge(
        "bulkhead_capacity",
        "Number of concurrent executions allowed",
        gauge(|now| now.capacity),
    )?;
    writer.counter(
        "bulkhead_rejected",
        "Total number of rejected requests",
        having
            .iter()
            .map(|(guard, _)| (guard.labels("bulkhead"), guard.stats.rejected_by(Pattern::Bulkhead))),
    )?;
    writer.histogram(
        "bulkhead_wait_duration_seconds",
        "Bulkhead wait duration in seconds",
        having
            .iter()
            .map(|(guard, _)| (guard.labels("bulkhead"), Classic::of(guard.guard.waits(), &LATENCIES))),
    )
}

fn error_budget<C: Clock>(writer: &mut Writer, guards: &[Reading<C>]) -> fmt::Result {
    let having: Vec<(&Reading<C>, Account)> = guards
        .iter()
        .filter_map(|guard| Some((guard, guard.guard.decisions().error_budget()?.snapshot(guard.now))))
        .collect();
    let gauge = |read: fn(&Account) -> f64| {
        having.iter().map(move |(guard, account)| (guard.labels("budget"), read(account)))
    };
    writer.gauge(
        "error_budget_remaining",
        "Remaining error budget (0-1)",
        gauge(|account| {
            f64::from(account.remaining.numerator()) / f64::from(account.remaining.denominator())
        }),
    )?;
    writer.gauge(
        "error_budget_consumed",
        "Consumed error budget (0-1)",
        gauge(|account| f64::from(account.spent_millionths.min(1_000_000)) / 1e6),
    )?;
    writer.counter(
        "error_budget_exhausted",
        "Total number of times error budget was exhausted",
        having.iter().map(|(guard, _)| (guard.labels("budget"), guard.tallies.budget_exhausted)),
    )
}

fn latency_budget<C: Clock>(writer: &mut Writer, guards: &[Reading<C>]) -> fmt::Result {
    let having = || guards.iter().filter_map(|guard| Some((guard, guard.guard.latency_budget()?)));
    for (n, name, help) in [
        (50, "latency_budget_p50_seconds", "Latency budget 50th percentile in seconds"),
        (95, "latency_budget_p95_seconds", "Latency budget 95th percentile in seconds"),
        (99, "latency_budget_p99_seconds", "Latency budget 99th percentile in seconds"),
    ] {
        let percentile = having().filter_map(|(guard, budget)| {
            let latency = budget.percentile(Ratio::percent(n), guard.now)?;
            Some((guard.labels("budget"), latency.as_secs_f64()))
        });
        writer.gauge(name, help, percentile)?;
    }
    writer.counter(
        "latency_budget_violations",
        "Total number of latency budget violations",
        having().map(|(guard, _)| (guard.labels("budget"), guard.guard.latency_violations())),
    )
}

fn load_shedder<C: Clock>(writer: &mut Writer, guards: &[Reading<C>]) -> fmt::Result {
    let having = || guards.iter().filter_map(|guard| Some((guard, guard.guard.shedder()?)));
    writer.counter(
        "load_shedder_calls",
        "Total number of calls at the load shedder by priority and result",
        having().flat_map(|(guard, shedder)| {
            Priority::ALL.into_iter().flat_map(move |priority| {
                let stats = shedder.stats(priority);
                [("admitted", stats.admitted), ("shed", stats.shed)].map(|(result, count)| {
                    let mut labels = guard.labels_and("name", "priority", priority.name());
                    labels.push(("result", result));
                    (labels, count)
                })
            })
        }),
    )
}

/// What is told of guards that are or were in shadow mode.
fn shadow<C: Clock>(writer: &mut Writer, guards: &[Reading<C>]) -> fmt::Result {
    let having = || {
        guards.iter().filter(|guard| {
            guard.guard.decisions().is_shadow() || guard.stats.shadow != decision::Would::default()
        })
    };
    writer.gauge(
        "guard_shadow",
        "Whether calls are only watched (1) or ruled (0)",
        having().map(|guard| (guard.labels("name"), u64::from(guard.guard.decisions().is_shadow()))),
    )?;
    writer.counter(
        "calls_would_be_rejected",
        "Total number of calls in shadow mode that a pattern would have rejected",
        having().flat_map(|guard| {
            let would = guard.stats.shadow;
            by_pattern(guard, move |pattern| would.reject_by(pattern))
        }),
    )
}

/// What is told of guards that chaos was armed on.
#[cfg(feature = "chaos")]
fn chaos<C: Clock>(writer: &mut Writer, guards: &[Reading<C>]) -> fmt::Result {
    use crate::chaos::{ChaosStats, Kind};

    let having: Vec<(&Reading<C>, ChaosStats)> = guards
        .iter()
        .map(|guard| (guard, guard.guard.chaos()))
        .filter(|(_, chaos)| chaos.armings > 0)
        .collect();
    writer.gauge(
        "chaos_armed",
        "Whether faults are injected (1) or not (0)",
        having.iter().map(|(guard, chaos)| (guard.labels("name"), u64::from(chaos.armed))),
    )?;
    writer.counter(
        "chaos_checks",
        "Total number of attempts that chaos decided on",
        having.iter().map(|(guard, chaos)| (guard.labels("name"), chaos.checks)),
    )?;
    writer.counter(
        "chaos_strikes",
        "Total number of attempts that chaos struck",
        having.iter().map(|(guard, chaos)| (guard.labels("name"), chaos.strikes)),
    )?;
    writer.counter(
        "chaos_injections",
        "Total number of injected faults by kind",
        having.iter().flat_map(|(guard, chaos)| {
            Kind::ALL.map(|kind| (guard.labels_and("name", "fault", kind.name()), chaos.injections(kind)))
        }),
    )
}

/// What is told of every guard.
fn whole<C: Clock>(writer: &mut Writer, guards: &[Reading<C>]) -> fmt::Result {
    writer.gauge(
        "degradation_level",
        "Level of degradation (0=normal, 1=degraded, 2=severely degraded, 3=emergency)",
        guards.iter().filter_map(|guard| {
            let (degradation, component) = guard.guard.degradation()?;
            Some((guard.labels("component"), degradation.component_level(component) as u64))
        }),
    )?;
    writer.counter(
        "calls",
        "Total number of calls by outcome",
        guards.iter().flat_map(|guard| {
            let stats = &guard.stats;
            let counts = [
                ("success", stats.successes),
                ("failure", stats.failures),
                ("ignored", stats.ignored),
                ("cancelled", stats.cancelled),
                ("rejected", stats.rejected()),
            ];
            counts.map(|(outcome, count)| (guard.labels_and("name", "outcome", outcome), count))
        }),
    )?;
    writer.counter(
        "calls_rejected",
        "Total number of rejected calls by the pattern that rejected",
        guards.iter().flat_map(|guard| {
            let stats = guard.stats;
            by_pattern(guard, move |pattern| stats.rejected_by(pattern))
        }),
    )?;
    writer.counter(
        "attempt_timeouts",
        "Total number of attempts that timed out",
        guards.iter().map(|guard| (guard.labels("name"), guard.stats.timeouts)),
    )
}

/// A count of each pattern that refuses calls.
fn by_pattern<C>(
    guard: &Reading<C>,
    count: impl Fn(Pattern) -> u64,
) -> impl Iterator<Item = (Labels<'_>, u64)> {
    let labels = |pattern: Pattern| guard.labels_and("name", "pattern", pattern.name());
    Pattern::ALL.into_iter().map(move |pattern| (labels(pattern), count(pattern)))
}

impl<C> Reading<C> {
    fn labels(&self, key: &'static str) -> Labels<'_> {
        vec![(key, &self.label)]
    }

    fn labels_and<'a>(&'a self, key: &'static str, second: &'static str, value: &'a str) -> Labels<'a> {
        vec![(key, &self.label), (second, value)]
    }
}
