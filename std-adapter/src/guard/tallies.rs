//! Counts that the metrics want beyond the core's, all of them off the path of an ordinary call.

use std::sync::atomic::{AtomicU64, Ordering};

use seawall_core::error_budget::Edge;
use seawall_core::guard::Stats;
use seawall_core::retry::GiveUp;

/// The labels of the attempts' numbers: the last stands for itself and all higher ones.
pub const ATTEMPT_LABELS: [&str; 6] = ["1", "2", "3", "4", "5", "6+"];

const REASONS: usize = 7;

/// What was counted of retries and of the error budget's edges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetryTallies {
    /// Attempts by their number; see [`ATTEMPT_LABELS`].
    pub attempts: [u64; ATTEMPT_LABELS.len()],
    /// Calls that succeeded with a retry.
    pub recovered: u64,
    /// Calls that failed, by the reason why there was no further attempt.
    pub gave_up: GiveUps,
    /// How often the error budget was exhausted.
    pub budget_exhausted: u64,
}

/// Calls that failed, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GiveUps([u64; REASONS]);

impl GiveUps {
    /// The label of each reason in metrics, and its count.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        const NAMES: [&str; REASONS] =
            ["not_retryable", "attempts", "deadline", "budget", "breaker_open", "delay", "other"];
        NAMES.into_iter().zip(self.0)
    }
}

const fn index(reason: GiveUp) -> usize {
    match reason {
        GiveUp::NotRetryable => 0,
        GiveUp::Attempts => 1,
        GiveUp::Deadline => 2,
        GiveUp::Budget => 3,
        GiveUp::BreakerOpen => 4,
        GiveUp::Delay => 5,
        _ => 6,
    }
}

#[derive(Default)]
pub(super) struct Tallies {
    /// Attempts from the second on.
    retries: [AtomicU64; ATTEMPT_LABELS.len() - 1],
    recovered: AtomicU64,
    gave_up: [AtomicU64; REASONS],
    budget_exhausted: AtomicU64,
}

// ORDERING: statistics lead to no other data, so relaxed is enough throughout.
impl Tallies {
    pub(super) fn attempt(&self, number: u32) {
        if number > 1 {
            let index = (number as usize - 2).min(self.retries.len() - 1);
            self.retries[index].fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn recovered(&self) {
        self.recovered.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn gave_up(&self, reason: GiveUp) {
        self.gave_up[index(reason)].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn budget_edge(&self, edge: Edge) {
        if edge == Edge::Exhausted {
            self.budget_exhausted.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The counts. First attempts are not counted by themselves: each settled call made one.
    pub(super) fn read(&self, stats: &Stats) -> RetryTallies {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let mut attempts = [0; ATTEMPT_LABELS.len()];
        attempts[0] = stats.successes + stats.failures + stats.ignored;
        for (attempts, retries) in attempts[1..].iter_mut().zip(&self.retries) {
            *attempts = read(retries);
        }
        RetryTallies {
            attempts,
            recovered: read(&self.recovered),
            gave_up: GiveUps(self.gave_up.each_ref().map(read)),
            budget_exhausted: read(&self.budget_exhausted),
        }
    }
}
