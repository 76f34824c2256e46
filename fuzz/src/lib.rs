//! What each fuzz target checks, as plain functions.
//!
//! The targets in `fuzz_targets` feed them what the fuzzer invents; ordinary tests include the same files and feed
//! them the committed corpus.

pub mod adaptive_concurrency;
pub mod adaptive_rate;
pub mod adaptive_timeout;
pub mod adjustable;
pub mod bulkhead;
pub mod change_detector;
pub mod chaos;
pub mod circuit_breaker;
pub mod composite;
pub mod degradation;
pub mod driver;
pub mod error_budget;
pub mod event_ring;
pub mod frame_decoder;
pub mod guard;
pub mod health_check;
pub mod hedge;
pub mod histogram;
pub mod input;
pub mod keyed;
pub mod keyed_breaker;
pub mod load_shedder;
pub mod rate_limiter;
pub mod record_log;
pub mod record_replay;
pub mod retry;
pub mod window;
