//! The patterns that a script can name, one file each.

pub(super) mod answers;
mod auto_degradation;
mod backoff;
mod bulkhead;
mod burn_rate;
mod change_detector;
mod circuit_breaker;
mod composite;
mod deadline;
mod degradation;
mod error_budget;
mod event_ring;
mod features;
pub(super) mod guard;
mod health_check;
mod histogram;
mod latency_budget;
mod load_shedder;
mod policy;
mod rate_limiter;
mod retry;
mod rotating_histogram;
mod threshold;
mod timeout;
mod window;

use super::schema::Pattern;

/// Every pattern, in the order of the reference.
pub(super) fn all() -> impl Iterator<Item = &'static dyn Pattern> {
    [
        guard::PATTERN,
        circuit_breaker::PATTERN,
        rate_limiter::PATTERN,
        bulkhead::PATTERN,
        load_shedder::PATTERN,
        backoff::PATTERN,
        retry::PATTERN,
        timeout::PATTERN,
        deadline::PATTERN,
        error_budget::PATTERN,
        latency_budget::PATTERN,
        burn_rate::PATTERN,
        degradation::PATTERN,
        auto_degradation::PATTERN,
        features::PATTERN,
        health_check::PATTERN,
        threshold::PATTERN,
        composite::PATTERN,
        window::PATTERN,
        histogram::PATTERN,
        rotating_histogram::PATTERN,
        change_detector::PATTERN,
        event_ring::PATTERN,
    ]
    .into_iter()
}

/// The pattern of this name.
pub(super) fn find(name: &str) -> Option<&'static dyn Pattern> {
    all().find(|pattern| pattern.info().name == name)
}

#[cfg(test)]
mod tests;
