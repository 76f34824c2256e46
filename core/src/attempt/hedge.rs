//! Whether a second attempt starts beside one that takes long, and when.
//!
//! A hedge is for the slow tail of operations that may run twice: the first answer is taken, the other attempt is cancelled.
//! For attempts that fail see [`retry`](super::retry), whose budget hedges share: when much is tried again, nothing is hedged.
//!
//! # Examples
//!
//! ```
//! use core::time::Duration;
//! use seawall_core::hedge::{Hedge, NoHedge, Plan};
//! use seawall_core::{retry, Backoff, Deadline, Instant, Ratio, Retry};
//!
//! const HEDGE: Hedge = Hedge::after(Duration::from_millis(30));
//! static BUDGET: Retry = Retry::new(retry::Config::never().budget(Ratio::percent(5), 1, 0));
//!
//! let sent = Instant::from_secs(1);
//! let call = Deadline::after(sent, Duration::from_millis(200));
//! // When the attempt is sent: how long to wait for its answer alone.
//! let Plan::HedgeAfter(wait) = HEDGE.plan(0, &(), call, sent) else { panic!() };
//! // No answer until then: may the hedge start?
//! let late = sent.saturating_add(wait);
//! assert_eq!(HEDGE.start(0, &(), &BUDGET, call, late), Ok(()));
//! let refused = HEDGE.start(0, &(), &BUDGET, call, late);
//! assert_eq!(refused, Err(NoHedge::Budget), "another call of the same peer: its attempt goes on");
//! ```
//!
//! # The rule
//!
//! The delay is fixed, or a percentile of the latencies that were seen, between a floor and a ceiling; as long as too few
//! were seen it is the ceiling.
//! With the 95th percentile one call in twenty is late enough for a hedge, and the budget bounds them if all become late.
//!
//! There is no hedge after the last one that the configuration allows, none that could not be answered before the deadline
//! (it needs the median of the latencies, as far as that is known), and none that the budget does not pay for.
//! The deadline is asked twice, when the hedge is planned and when it is to start: the attempt can be older by then than it was
//! to be, and the latencies others.
//! The token is taken when the hedge starts, not when it is planned, so an answer in time costs nothing.
//! A refusal changes nothing for the attempt that runs.
//!
//! A hedge is an attempt like any other: it has to be admitted by the breaker and counted by it, and a peer that asks for a
//! delay asks for no hedge either.
//!
//! # Cost
//!
//! For a percentile `plan` reads the histogram four times and `start` twice, for a fixed delay they read nothing; `start` is one
//! exchange besides.

use core::fmt;
use core::time::Duration;

use super::deadline::Deadline;
use super::retry::Retry;
use crate::config::ConfigError;
use crate::measure::histogram::Histogram;
use crate::measure::rotating::RotatingHistogram;
use crate::ratio::Ratio;
use crate::time::{Instant, nanos};

/// How late an attempt is when a hedge starts beside it, and how many do. The [module](self) has the rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hedge {
    /// The percentile; without it the delay is fixed.
    share: Option<Ratio>,
    /// Nanoseconds.
    floor: u64,
    ceiling: u64,
    least_samples: u32,
    max_hedges: u32,
}

/// What is planned for an attempt that starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plan {
    /// If there is no answer after this time, ask [`Hedge::start`].
    HedgeAfter(Duration),
    /// Wait for the answer.
    NoHedge(NoHedge),
}

/// Why there is no hedge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NoHedge {
    /// The call has had its hedges.
    Limit,
    /// The hedge could not be answered before the call's deadline.
    Deadline,
    /// The retry budget is spent.
    Budget,
}

impl fmt::Display for NoHedge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Limit => "all hedges are used",
            Self::Deadline => "the deadline comes before the answer of a hedge",
            Self::Budget => "the retry budget is spent",
        })
    }
}

impl core::error::Error for NoHedge {}

/// The latencies that were seen.
///
/// The histograms of this crate are, if they count microseconds; `()` is if none are known.
pub trait Latencies {
    /// How many are known.
    fn count(&self, now: Instant) -> u64;
    /// The latency that this share of them do not exceed; `None` if none are known.
    fn percentile(&self, share: Ratio, now: Instant) -> Option<Duration>;
}

impl Latencies for () {
    fn count(&self, _now: Instant) -> u64 {
        0
    }

    fn percentile(&self, _share: Ratio, _now: Instant) -> Option<Duration> {
        None
    }
}

impl<const PRECISION: u32, const BUCKETS: usize> Latencies for Histogram<PRECISION, BUCKETS> {
    fn count(&self, _now: Instant) -> u64 {
        self.count()
    }

    fn percentile(&self, share: Ratio, _now: Instant) -> Option<Duration> {
        self.percentile(share).map(Duration::from_micros)
    }
}

impl<const PRECISION: u32, const BUCKETS: usize> Latencies for RotatingHistogram<PRECISION, BUCKETS> {
    fn count(&self, now: Instant) -> u64 {
        self.count(now)
    }

    fn percentile(&self, share: Ratio, now: Instant) -> Option<Duration> {
        self.percentile(share, now).map(Duration::from_micros)
    }
}

impl Hedge {
    /// No hedges.
    pub const NONE: Self = Self::after(Duration::MAX).at_most_hedges(0);

    /// One hedge, `delay` after the attempt.
    pub const fn after(delay: Duration) -> Self {
        let delay = nanos(delay);
        Self { share: None, floor: delay, ceiling: delay, least_samples: 0, max_hedges: 1 }
    }

    /// One hedge, when the attempt is later than `share` of those before: between `floor` and `ceiling`, and at the ceiling
    /// until twenty are known.
    ///
    /// # Examples
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall_core::hedge::{Hedge, Plan};
    /// use seawall_core::{histogram::buckets_for, Deadline, Histogram, Instant, Ratio};
    ///
    /// const HEDGE: Hedge =
    ///     Hedge::at_percentile(Ratio::percent(95), Duration::from_millis(2), Duration::from_millis(500));
    /// let micros: Histogram<5, { buckets_for(5, 1_000_000) }> = Histogram::new();
    /// (1..=100).for_each(|millis| micros.record(millis * 1000));
    /// let Plan::HedgeAfter(wait) = HEDGE.plan(0, &micros, Deadline::NONE, Instant::ZERO) else { panic!() };
    /// assert!((95..=98).contains(&wait.as_millis()));
    /// ```
    pub const fn at_percentile(share: Ratio, floor: Duration, ceiling: Duration) -> Self {
        Self {
            share: Some(share),
            floor: nanos(floor),
            ceiling: nanos(ceiling),
            least_samples: 20,
            max_hedges: 1,
        }
    }

    /// At most `n` hedges a call, each the delay after the one before; none for zero.
    #[must_use = "the hedge is returned"]
    pub const fn at_most_hedges(mut self, n: u32) -> Self {
        self.max_hedges = n;
        self
    }

    /// The percentile is trusted from `n` latencies on.
    #[must_use = "the hedge is returned"]
    pub const fn least_samples(mut self, n: u32) -> Self {
        self.least_samples = n;
        self
    }

    /// The hedges of a call at most.
    pub const fn max_hedges(&self) -> u32 {
        self.max_hedges
    }

    /// The shortest and the longest delay.
    pub const fn bounds(&self) -> (Duration, Duration) {
        (Duration::from_nanos(self.floor), Duration::from_nanos(self.ceiling))
    }

    /// Checks the values.
    ///
    /// # Errors
    ///
    /// If the floor is above the ceiling.
    pub const fn validate(&self) -> Result<(), ConfigError> {
        require!(self.floor <= self.ceiling, "hedge.floor", "at most the ceiling");
        Ok(())
    }

    /// The delay at present.
    pub fn delay(&self, latencies: &impl Latencies, now: Instant) -> Duration {
        let (floor, ceiling) = self.bounds();
        let Some(share) = self.share else { return floor };
        if latencies.count(now) < self.least_samples.into() {
            return ceiling;
        }
        latencies.percentile(share, now).map_or(ceiling, |late| late.max(floor).min(ceiling))
    }

    /// What to do about an attempt that starts now, of a call that has had `hedges` hedges.
    ///
    /// It takes nothing from the budget.
    pub fn plan(&self, hedges: u32, latencies: &impl Latencies, deadline: Deadline, now: Instant) -> Plan {
        if hedges >= self.max_hedges {
            return Plan::NoHedge(NoHedge::Limit);
        }
        let delay = self.delay(latencies, now);
        if self.is_too_late(latencies, deadline, now, delay) {
            return Plan::NoHedge(NoHedge::Deadline);
        }
        Plan::HedgeAfter(delay)
    }

    /// Whether a hedge that starts after `delay` could not be answered before the deadline.
    fn is_too_late(
        &self,
        latencies: &impl Latencies,
        deadline: Deadline,
        now: Instant,
        delay: Duration,
    ) -> bool {
        let known = self.share.is_some() && latencies.count(now) >= self.least_samples.into();
        let needs = if known { latencies.percentile(Ratio::percent(50), now) } else { None };
        deadline.is_expired(now.saturating_add(delay).saturating_add(needs.unwrap_or_default()))
    }

    /// Starts a hedge of a call that has had `hedges` of them and whose delay is over; the budget pays for it.
    ///
    /// # Errors
    ///
    /// Why not; then nothing is paid, and the attempt that runs goes on.
    pub fn start(
        &self,
        hedges: u32,
        latencies: &impl Latencies,
        budget: &Retry,
        deadline: Deadline,
        now: Instant,
    ) -> Result<(), NoHedge> {
        if hedges >= self.max_hedges {
            Err(NoHedge::Limit)
        } else if self.is_too_late(latencies, deadline, now, Duration::ZERO) {
            Err(NoHedge::Deadline)
        } else if budget.pays_for_a_hedge(now) {
            Ok(())
        } else {
            Err(NoHedge::Budget)
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
