//! What each fuzz target checks, as plain functions.
//!
//! The targets in `fuzz_targets` feed them what the fuzzer invents; ordinary tests include the same files and feed
//! them the committed corpus.

pub mod circuit_breaker;
pub mod frame_decoder;
