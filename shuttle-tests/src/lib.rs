//! Models of `seawall-core` that are too large to be tried in every order; see `tests/`. Here is what they share.
//!
//! Loom tries every order of a few steps, with every value that a weak memory may show.
//! Shuttle tries some thousand orders of many steps, drawn at random and by priorities that change a few times
//! (PCT: Burckhardt and others, *A Randomized Scheduler with Probabilistic Guarantees of Finding Bugs*, 2010), on a memory
//! that shows every thread the newest value.
#![cfg(shuttle)]

use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use shuttle::{Config, Runner};

/// How many orders each scheduler tries, unless `SEAWALL_SCHEDULES` says otherwise.
const SCHEDULES: usize = 10_000;

/// Where the draws begin, unless `SEAWALL_SEED` says otherwise: a change that passes does so again.
const SEED: u64 = 0x5EA_3A11;

/// The changes of priority in one order; a defect that takes no more than that many is found with a known probability.
const DEPTH: usize = 3;

/// A value that every thread of a model may borrow. It is leaked in each execution.
pub fn leak<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}

/// Runs the model in some thousand orders.
///
/// # Panics
///
/// If the model does, or if all its threads wait; the order is printed then.
pub fn explore(model: fn()) {
    let schedules = number("SEAWALL_SCHEDULES").map_or(SCHEDULES, |number| number as usize);
    let seed = number("SEAWALL_SEED").unwrap_or(SEED);
    run(RandomScheduler::new_from_seed(seed, schedules), model);
    run(PctScheduler::new_from_seed(seed, DEPTH, schedules), model);
}

fn run(scheduler: impl Scheduler + 'static, model: fn()) {
    let mut config = Config::default();
    // Core's orderings are loom's business.
    config.silence_warnings = true;
    Runner::new(scheduler, config).run(model);
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}
