//! The scenarios that also run on microcontrollers, as ordinary tests.
//!
//! They use core's public API alone, without `std`.
//! `on-target/build.rs` finds them by their `cfg_attr` line, so a scenario is written once and listed nowhere.

#[path = "scenarios/adaptive.rs"]
mod adaptive;
#[path = "scenarios/adaptive_rate.rs"]
mod adaptive_rate;
#[path = "scenarios/backoff.rs"]
mod backoff;
#[path = "scenarios/bounds.rs"]
mod bounds;
#[path = "scenarios/breaker.rs"]
mod breaker;
#[path = "scenarios/bulkhead.rs"]
mod bulkhead;
#[path = "scenarios/clocks.rs"]
mod clocks;
#[path = "scenarios/guard.rs"]
mod guard;
#[path = "scenarios/health.rs"]
mod health;
#[path = "scenarios/keyed.rs"]
mod keyed;
#[path = "scenarios/limiter.rs"]
mod limiter;
#[path = "scenarios/sizes.rs"]
mod sizes;
#[path = "scenarios/support.rs"]
mod support;
#[path = "scenarios/timeout.rs"]
mod timeout;
#[path = "scenarios/watching.rs"]
mod watching;
#[path = "scenarios/window.rs"]
mod window;
