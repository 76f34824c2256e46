#![doc = include_str!("../README.md")]
#![no_std]
#![forbid(unsafe_code)]

#[macro_use]
mod atomic;
#[macro_use]
pub mod config;
#[macro_use]
pub mod record;
pub mod admission;
pub mod attempt;
#[cfg(feature = "chaos")]
pub mod chaos;
mod divisor;
pub mod events;
pub mod guard;
pub mod health;
pub mod measure;
pub mod outcome;
pub mod ratio;
pub mod time;

pub use admission::adaptive_concurrency::{self, AdaptiveConcurrency};
pub use admission::adaptive_rate::{self, AdaptiveRate};
pub use admission::bulkhead::{self, Bulkhead};
pub use admission::circuit_breaker::{self, CircuitBreaker};
pub use admission::keyed::circuit_breaker::KeyedCircuitBreaker;
pub use admission::keyed::{self, KeyedRateLimiter};
pub use admission::load_shedder::{self, LoadShedder};
pub use admission::rate_limiter::{self, RateLimiter, adjustable::AdjustableRateLimiter};
pub use atomic::rng::{self, Rng};
pub use attempt::adaptive_timeout::{self, AdaptiveTimeout, PercentileTimeout};
pub use attempt::backoff::{self, Backoff};
pub use attempt::deadline::{self, Deadline};
pub use attempt::hedge::{self, Hedge};
pub use attempt::retry::{self, Retry};
pub use attempt::timeout::{self, Timeout};
#[cfg(feature = "chaos")]
pub use chaos::Chaos;
pub use config::ConfigError;
pub use events::{Event, EventRing};
pub use guard::{Guard, Policy};
pub use health::auto_degradation::{self, AutoDegradation};
pub use health::burn_rate::{self, BurnRate};
pub use health::check::{self, HealthCheck};
pub use health::composite::{self, Composite};
pub use health::degradation::{self, Degradation};
pub use health::driver::{self, Driver};
pub use health::error_budget::{self, ErrorBudget};
pub use health::features::{self, Features};
pub use health::latency_budget::{self, LatencyBudget};
pub use health::threshold::{self, Threshold};
pub use measure::change::{self, ChangeDetector};
pub use measure::histogram::{self, Histogram};
pub use measure::rotating::{self, RotatingHistogram};
pub use measure::window::{self, Window};
pub use outcome::Outcome;
pub use ratio::Ratio;
pub use record::Recorder;
pub use time::{Clock, Instant, ManualClock};
