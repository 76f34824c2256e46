//! Where each number comes from.

use seawall_core::guard::Pattern;
use seawall_core::load_shedder::{self, Priority};
use seawall_core::{Clock, Instant, Ratio};

use super::{
    AdaptiveConcurrencyStats, AdaptiveRateStats, BreakerStats, BulkheadStats, CallStats, DegradationStats,
    ErrorBudgetStats, GuardStats, Happened, LatencyBudgetStats, LatencyStats, LimiterStats, RejectionStats,
    RetryStats, ShadowStats, ShedStats, event,
};
use crate::guard::Guard;

impl GuardStats {
    /// Reads a guard.
    ///
    /// Each number is exact; numbers of calls that run meanwhile may be of slightly different moments.
    pub fn of<C: Clock>(guard: &Guard<C>) -> Self {
        let now = guard.now();
        let events = event::all(guard);
        Self {
            name: guard.name().to_owned(),
            now: now.saturating_since(Instant::ZERO),
            calls: CallStats::of(guard),
            latency: LatencyStats::of(&guard.latencies().snapshot()),
            timeouts: guard.stats().timeouts,
            shadow: ShadowStats::of(guard),
            circuit_breaker: BreakerStats::of(guard, &events, now),
            rate_limiter: LimiterStats::of(guard, now),
            bulkhead: BulkheadStats::of(guard),
            retry: RetryStats::of(guard),
            error_budget: ErrorBudgetStats::of(guard, now),
            latency_budget: LatencyBudgetStats::of(guard, now),
            adaptive_rate: AdaptiveRateStats::of(guard),
            adaptive_concurrency: guard.adaptive_concurrency().map(|limit| {
                let now = limit.snapshot();
                AdaptiveConcurrencyStats { in_flight: now.in_flight, limit: now.limit }
            }),
            load_shedder: guard.shedder().map(|shedder| {
                let of =
                    |priority: Priority| (priority.name().to_owned(), ShedStats::of(shedder.stats(priority)));
                Priority::ALL.map(of).into()
            }),
            #[cfg(feature = "chaos")]
            chaos: super::ChaosStats::of(guard),
            degradation: DegradationStats::of(guard),
            events,
        }
    }
}

impl CallStats {
    fn of<C: Clock>(guard: &Guard<C>) -> Self {
        let stats = guard.stats();
        Self {
            successes: stats.successes,
            failures: stats.failures,
            ignored: stats.ignored,
            cancelled: stats.cancelled,
            rejected: RejectionStats::of(|pattern| stats.rejected_by(pattern)),
        }
    }
}

impl RejectionStats {
    fn of(count: impl Fn(Pattern) -> u64) -> Self {
        Self {
            load_shedder: count(Pattern::LoadShedder),
            degradation: count(Pattern::Degradation),
            adaptive_rate: count(Pattern::AdaptiveRate),
            adaptive_concurrency: count(Pattern::AdaptiveConcurrency),
            rate_limiter: count(Pattern::RateLimiter),
            bulkhead: count(Pattern::Bulkhead),
            circuit_breaker: count(Pattern::CircuitBreaker),
            deadline: count(Pattern::Deadline),
        }
    }
}

impl ShadowStats {
    fn of<C: Clock>(guard: &Guard<C>) -> Self {
        let would = guard.stats().shadow;
        Self {
            on: guard.decisions().is_shadow(),
            would_reject: RejectionStats::of(|pattern| would.reject_by(pattern)),
            would_retry: would.retry,
            would_time_out: would.time_out,
        }
    }
}

impl BreakerStats {
    fn of<C: Clock>(guard: &Guard<C>, events: &[Happened], now: Instant) -> Option<Self> {
        let status = guard.decisions().breaker()?.status(now);
        let last_transition = events.iter().rev().find_map(|event| match event {
            Happened::CircuitBreaker(transition) => Some(transition.clone()),
            _ => None,
        });
        Some(Self {
            state: status.state,
            forced: status.forced,
            consecutive_failures: status.consecutive_failures,
            probes: status.probes,
            probe_successes: status.successes,
            window_calls: status.window.calls,
            window_failures: status.window.failures,
            window_slow: status.window.slow,
            retry_after: status.retry_after,
            last_transition,
        })
    }
}

impl LimiterStats {
    fn of<C: Clock>(guard: &Guard<C>, now: Instant) -> Option<Self> {
        let limiter = guard.decisions().limiter()?;
        let quota = limiter.quota();
        Some(Self {
            available: limiter.available(now),
            rate_per_second: f64::from(quota.tokens()) / quota.period().as_secs_f64(),
            burst: quota.burst_size(),
        })
    }
}

impl BulkheadStats {
    fn of<C: Clock>(guard: &Guard<C>) -> Option<Self> {
        let snapshot = guard.decisions().bulkhead()?.snapshot();
        Some(Self {
            in_use: snapshot.in_use,
            waiting: snapshot.waiting,
            capacity: snapshot.capacity,
            max_waiting: snapshot.max_waiting,
            closed: snapshot.closed,
            wait: LatencyStats::of(&guard.waits().snapshot()),
        })
    }
}

impl RetryStats {
    fn of<C: Clock>(guard: &Guard<C>) -> Self {
        let tallies = guard.retry_tallies();
        let retry = guard.decisions().retry();
        Self {
            max_attempts: retry.config().max_attempts(),
            retries: guard.stats().retries,
            recovered: tallies.recovered,
            gave_up: tallies.gave_up.iter().map(|(reason, count)| (reason.to_owned(), count)).collect(),
            balance: retry.balance(),
            pause: LatencyStats::of(&guard.pauses().snapshot()),
        }
    }
}

impl ErrorBudgetStats {
    fn of<C: Clock>(guard: &Guard<C>, now: Instant) -> Option<Self> {
        let budget = guard.decisions().error_budget()?;
        let account = budget.snapshot(now);
        Some(Self {
            objective: share(budget.objective()),
            availability: share(account.availability),
            calls: account.calls,
            failures: account.failures,
            allowed_failures: account.allowed_failures,
            remaining: share(account.remaining),
            spent: f64::from(account.spent_millionths) / 1e6,
            exhausted: account.exhausted,
            exhausted_total: guard.retry_tallies().budget_exhausted,
        })
    }
}

impl LatencyBudgetStats {
    fn of<C: Clock>(guard: &Guard<C>, now: Instant) -> Option<Self> {
        let budget = guard.latency_budget()?;
        let account = budget.snapshot(now);
        Some(Self {
            target: budget.target(),
            objective: share(budget.share()),
            compliance: share(account.compliance),
            calls: account.calls,
            violations: account.violations,
            remaining: share(account.remaining),
            exhausted: account.exhausted,
            exhausted_total: guard.latency_exhausted(),
            violations_total: guard.latency_violations(),
        })
    }
}

impl AdaptiveRateStats {
    fn of<C: Clock>(guard: &Guard<C>) -> Option<Self> {
        let now = guard.adaptive_rate()?.snapshot();
        Some(Self {
            rate_per_second: f64::from(now.quota.tokens()) / now.quota.period().as_secs_f64(),
            target: now.target,
            p95: now.p95.unwrap_or_default(),
            raised: now.raised,
            lowered: now.lowered,
        })
    }
}

impl ShedStats {
    const fn of(stats: load_shedder::Stats) -> Self {
        Self { admitted: stats.admitted, shed: stats.shed }
    }
}

#[cfg(feature = "chaos")]
impl super::ChaosStats {
    fn of<C: Clock>(guard: &Guard<C>) -> Option<Self> {
        use crate::chaos::Kind;

        let chaos = guard.chaos();
        (chaos.armings > 0).then(|| Self {
            armed: chaos.armed,
            armings: chaos.armings,
            checks: chaos.checks,
            strikes: chaos.strikes,
            injections: Kind::ALL.map(|kind| (kind.name().to_owned(), chaos.injections(kind))).into(),
        })
    }
}

impl DegradationStats {
    fn of<C: Clock>(guard: &Guard<C>) -> Option<Self> {
        let (degradation, component) = guard.degradation()?;
        Some(Self {
            component: component.number(),
            level: degradation.component_level(component),
            overall: degradation.level(),
        })
    }
}

fn share(ratio: Ratio) -> f64 {
    f64::from(ratio.numerator()) / f64::from(ratio.denominator())
}
