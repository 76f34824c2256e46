//! May a call start?

pub mod adaptive_concurrency;
pub mod adaptive_rate;
pub mod bulkhead;
pub mod circuit_breaker;
pub mod keyed;
pub mod load_shedder;
pub mod rate_limiter;
