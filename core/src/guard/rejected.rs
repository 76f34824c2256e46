//! Who refused a call, and when to come back.

use core::fmt;
use core::time::Duration;

use crate::admission::load_shedder::Priority;
use crate::admission::{adaptive_concurrency, bulkhead, circuit_breaker, keyed, load_shedder, rate_limiter};
use crate::attempt::retry::GiveUp;
use crate::health::degradation::Level;

/// A guard refused a call, or an attempt of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rejected {
    /// There is too much load for the call's priority.
    LoadShedder(load_shedder::Rejected),
    /// The service is too far degraded for the call's priority.
    Degraded {
        /// The level of the service.
        level: Level,
        /// The call's priority.
        priority: Priority,
    },
    /// The rate that follows the latency is used up.
    AdaptiveRate(rate_limiter::Rejected),
    /// As many calls run as the limit that follows their results allows.
    AdaptiveConcurrency(adaptive_concurrency::Rejected),
    /// The rate limit is used up.
    RateLimiter(rate_limiter::Rejected),
    /// There was no slot.
    Bulkhead(bulkhead::Rejected),
    /// The breaker is open, or half-open with all probes out.
    CircuitBreaker(circuit_breaker::Rejected),
    /// The rate limit of the call's key is used up, or there is no room for the key.
    KeyedRateLimiter(keyed::Rejected),
    /// The breaker of the call's key refuses, or there is no room for the key.
    KeyedCircuitBreaker(keyed::circuit_breaker::Rejected),
    /// The deadline came before the call could start.
    DeadlineExpired,
    /// The call was over already: it was settled for good, or an attempt of it was refused.
    CallOver,
}

/// The pattern that refused: a short, bounded set of labels for metrics and logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Pattern {
    /// The load shedder.
    LoadShedder,
    /// The level of degradation.
    Degradation,
    /// The rate that follows the latency.
    AdaptiveRate,
    /// The limit on concurrent calls that follows their results.
    AdaptiveConcurrency,
    /// The rate limiter, of all calls or of a key.
    RateLimiter,
    /// The bulkhead.
    Bulkhead,
    /// The circuit breaker, of all calls or of a key.
    CircuitBreaker,
    /// The deadline.
    Deadline,
}

impl Pattern {
    /// All of them: what may stand around a guard, then the guard's own.
    pub const ALL: [Self; 8] = [
        Self::LoadShedder,
        Self::Degradation,
        Self::AdaptiveRate,
        Self::AdaptiveConcurrency,
        Self::RateLimiter,
        Self::Bulkhead,
        Self::CircuitBreaker,
        Self::Deadline,
    ];

    /// The pattern's name in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::LoadShedder => "load_shedder",
            Self::Degradation => "degradation",
            Self::AdaptiveRate => "adaptive_rate",
            Self::AdaptiveConcurrency => "adaptive_concurrency",
            Self::RateLimiter => "rate_limiter",
            Self::Bulkhead => "bulkhead",
            Self::CircuitBreaker => "circuit_breaker",
            Self::Deadline => "deadline",
        }
    }
}

impl Rejected {
    /// Which pattern refused.
    pub const fn pattern(&self) -> Pattern {
        match self {
            Self::LoadShedder(_) => Pattern::LoadShedder,
            Self::Degraded { .. } => Pattern::Degradation,
            Self::AdaptiveRate(_) => Pattern::AdaptiveRate,
            Self::AdaptiveConcurrency(_) => Pattern::AdaptiveConcurrency,
            Self::RateLimiter(_) | Self::KeyedRateLimiter(_) => Pattern::RateLimiter,
            Self::Bulkhead(_) => Pattern::Bulkhead,
            Self::CircuitBreaker(_) | Self::KeyedCircuitBreaker(_) => Pattern::CircuitBreaker,
            // A call that is over is never counted as refused; its own end is the nearest pattern.
            Self::DeadlineExpired | Self::CallOver => Pattern::Deadline,
        }
    }

    /// Why there is no further attempt, where this refused one after the first.
    pub const fn give_up(&self) -> GiveUp {
        match self {
            Self::DeadlineExpired => GiveUp::Deadline,
            _ => GiveUp::BreakerOpen,
        }
    }

    /// When another try makes sense, where that is known.
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::AdaptiveRate(rejected) | Self::RateLimiter(rejected) => rejected.retry_after(),
            Self::CircuitBreaker(rejected) => rejected.retry_after,
            Self::KeyedRateLimiter(rejected) => rejected.retry_after(),
            Self::KeyedCircuitBreaker(rejected) => rejected.retry_after(),
            Self::LoadShedder(_)
            | Self::Degraded { .. }
            | Self::AdaptiveConcurrency(_)
            | Self::Bulkhead(_)
            | Self::DeadlineExpired
            | Self::CallOver => None,
        }
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LoadShedder(rejected) => rejected.fmt(f),
            Self::Degraded { level, priority } => {
                write!(f, "the service is {level}, a call of {priority} priority is not served")
            }
            Self::AdaptiveRate(rejected) | Self::RateLimiter(rejected) => rejected.fmt(f),
            Self::AdaptiveConcurrency(rejected) => rejected.fmt(f),
            Self::Bulkhead(rejected) => rejected.fmt(f),
            Self::CircuitBreaker(rejected) => rejected.fmt(f),
            Self::KeyedRateLimiter(rejected) => rejected.fmt(f),
            Self::KeyedCircuitBreaker(rejected) => rejected.fmt(f),
            Self::DeadlineExpired => f.pad("deadline expired before the call could start"),
            Self::CallOver => f.pad("the call is over"),
        }
    }
}

impl core::error::Error for Rejected {}
