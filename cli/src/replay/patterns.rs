//! The patterns that a script can name, one file each.
#![expect(
    clippy::unnecessary_wraps,
    clippy::trivially_copy_pass_by_ref,
    reason = "operations are entries of tables: they are all of one type"
)]

mod adaptive_concurrency;
mod adaptive_rate;
mod adaptive_timeout;
pub(super) mod answers;
mod auto_degradation;
mod backoff;
mod bulkhead;
mod burn_rate;
mod change_detector;
mod chaos;
mod circuit_breaker;
mod composite;
mod composition;
mod deadline;
mod degradation;
mod driver;
mod error_budget;
mod event_ring;
mod features;
pub(super) mod guard;
mod health_check;
mod hedge;
mod histogram;
mod keyed;
mod keyed_circuit_breaker;
mod keyed_rate_limiter;
mod latency_budget;
mod load_shedder;
mod policy;
mod rate_limiter;
mod retry;
mod rotating_histogram;
mod threshold;
mod timeout;
mod window;

/// The instance of a pattern whose number of slots is a part of its type.
macro_rules! by_slots {
    ($slots:expr, $of:ident::bind $args:tt, $($size:literal)*) => {
        match $slots {
            $($size => $of::<$size>::bind $args,)*
            other => Err(vec![format!("slots is {other}, must be one of {}", [$($size),*].map(|n: u32| n.to_string()).join(", "))]),
        }
    };
}
use by_slots;

use super::schema::Pattern;

/// Every pattern, in the order of the reference.
pub(super) fn all() -> impl Iterator<Item = &'static dyn Pattern> {
    [
        guard::PATTERN,
        composition::PATTERN,
        circuit_breaker::PATTERN,
        keyed_circuit_breaker::PATTERN,
        rate_limiter::PATTERN,
        rate_limiter::ADJUSTABLE_PATTERN,
        keyed_rate_limiter::PATTERN,
        adaptive_rate::PATTERN,
        bulkhead::PATTERN,
        adaptive_concurrency::PATTERN,
        load_shedder::PATTERN,
        backoff::PATTERN,
        retry::PATTERN,
        hedge::PATTERN,
        timeout::PATTERN,
        adaptive_timeout::PATTERN,
        adaptive_timeout::PERCENTILE_PATTERN,
        deadline::PATTERN,
        error_budget::PATTERN,
        latency_budget::PATTERN,
        burn_rate::PATTERN,
        degradation::PATTERN,
        auto_degradation::PATTERN,
        driver::PATTERN,
        features::PATTERN,
        health_check::PATTERN,
        threshold::PATTERN,
        composite::PATTERN,
        window::PATTERN,
        histogram::PATTERN,
        rotating_histogram::PATTERN,
        change_detector::PATTERN,
        event_ring::PATTERN,
        chaos::PATTERN,
    ]
    .into_iter()
}

/// The pattern of this name.
pub(super) fn find(name: &str) -> Option<&'static dyn Pattern> {
    all().find(|pattern| pattern.info().name == name)
}

#[cfg(test)]
mod tests;
