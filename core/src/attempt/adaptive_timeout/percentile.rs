//! The timeout that follows a percentile.

use core::fmt;
use core::time::Duration;

use super::{Adjustment, Config, Current, micros, timed_out};
use crate::atomic::sync::{AtomicU32, Ordering};
use crate::attempt::deadline::Deadline;
use crate::config::ConfigError;
use crate::measure::rotating::RotatingHistogram;
use crate::outcome::Outcome;
use crate::ratio::Ratio;
use crate::time::Instant;

/// An adjustment comes after so many samples; two in models, where each takes many executions.
const BATCH: u32 = if cfg!(loom) { 2 } else { 10 };
/// A sample is forgotten after so many others at the latest, and after half as many at the earliest.
const HISTORY: u64 = 100;
const SHARE: Ratio = Ratio::percent(95);

/// A timeout of twice the 95th percentile of the latest attempts. The [parent module](super) has the rule.
///
/// The histogram counts microseconds, to one part in 2^`PRECISION`, rounded up;
/// [`buckets_for`](crate::histogram::buckets_for) says how many `BUCKETS` a range needs.
/// A latency above the range counts as its upper end, so the range should reach to half the longest timeout.
///
/// # Examples
///
/// ```
/// use core::time::Duration;
/// use seawall_core::adaptive_timeout::{Config, PercentileTimeout};
/// use seawall_core::{Instant, Outcome, histogram::buckets_for};
///
/// // To one part in 8, up to ten seconds.
/// static SEND: PercentileTimeout<3, { buckets_for(3, 10_000_000) }> =
///     PercentileTimeout::new(Config::new(Duration::from_secs(1)));
///
/// for _ in 0..9 {
///     assert!(SEND.record(Outcome::Success, Duration::from_millis(50)).is_none());
/// }
/// let adjustment = SEND.record(Outcome::Success, Duration::from_millis(50)).unwrap();
/// assert!(adjustment.to > Duration::from_millis(909) && adjustment.to < Duration::from_millis(914), "a tenth of the way");
/// assert_eq!(SEND.current(Instant::ZERO), adjustment.to);
/// ```
///
/// # Memory layout
///
/// The word of the timeout, a count of the samples, and a [`RotatingHistogram`] whose time is that count: a sample is
/// forgotten after 50 to 100 others, and its age in seconds does not matter. The count wraps after 2³² samples; then the
/// history begins anew.
///
/// # Ordering
///
/// Counting a sample is one addition, so each tenth sample has one caller, which is elected to adjust.
/// What overlapping callers have counted and not yet recorded is missing from its percentile.
///
/// # Progress
///
/// A sample is wait-free, and lock-free where it adjusts.
pub struct PercentileTimeout<const PRECISION: u32, const BUCKETS: usize> {
    current: Current,
    samples: AtomicU32,
    recent: RotatingHistogram<PRECISION, BUCKETS>,
}

impl<const PRECISION: u32, const BUCKETS: usize> PercentileTimeout<PRECISION, BUCKETS> {
    const_fn! {
        /// A timeout that has seen no attempt.
        ///
        /// # Panics
        ///
        /// If [`PercentileTimeout::try_new`] would return an error; in a `static` this is a compile error.
        pub const fn new(config: Config) -> Self {
            expect_valid!(Self::try_new(config), "adaptive_timeout")
        }
    }

    const_fn! {
        /// A timeout that has seen no attempt.
        ///
        /// # Errors
        ///
        /// As [`Config::validate`].
        pub const fn try_new(config: Config) -> Result<Self, ConfigError> {
            if let Err(error) = config.validate() {
                return Err(error);
            }
            Ok(Self {
                current: Current::new(config),
                samples: AtomicU32::new(0),
                recent: RotatingHistogram::new(Duration::from_nanos(HISTORY)),
            })
        }
    }

    /// The time that an attempt is given now, apart from the call's deadline.
    ///
    /// `now` takes no part in it; all patterns of this crate are asked in the same way.
    #[inline]
    pub fn current(&self, _now: Instant) -> Duration {
        self.current.get()
    }

    /// When an attempt that starts now must be over: at its timeout or at the call's deadline, whichever comes first.
    #[inline]
    pub fn limit(&self, call: Deadline, now: Instant) -> Deadline {
        Deadline::after(now, self.current(now)).min(call)
    }

    /// An attempt ended so after `elapsed`; returns the timeout's change, if there is one.
    ///
    /// # Complexity
    ///
    /// O(1), and O(`BUCKETS`) for one sample in ten.
    pub fn record(&self, outcome: Outcome, elapsed: Duration) -> Option<Adjustment> {
        let elapsed = micros(elapsed);
        let counts = match outcome {
            Outcome::Success | Outcome::Slow => true,
            Outcome::Failure => timed_out(elapsed, self.current.micros()),
            _ => false,
        };
        if !counts {
            return None;
        }
        let sample = self.count();
        let at = Instant::from_nanos(sample.into());
        self.recent.record(elapsed.into(), at);
        if !sample.is_multiple_of(BATCH) {
            return None;
        }
        let slow = self.recent.percentile(SHARE, at)?;
        let desired = slow.saturating_mul(2).min(u32::MAX.into()) as u32;
        self.current.adjust(|current| approach(current, desired))
    }

    /// Counts a sample, and returns its number, from one.
    fn count(&self) -> u32 {
        if mutant!("percentile_timeout_counts_in_two_steps") {
            // ORDERING: none, the lines are wrong by intent.
            let next = self.samples.load(Ordering::Relaxed).wrapping_add(1);
            self.samples.store(next, Ordering::Relaxed);
            return next;
        }
        // ORDERING: none is needed, the count leads to no other data.
        self.samples.fetch_add(1, Ordering::Relaxed).wrapping_add(1)
    }

    /// Sets the timeout by hand: it stays so, whatever is recorded, until [`resume`](Self::resume).
    ///
    /// It may lie outside the bounds.
    ///
    /// # Errors
    ///
    /// If it is less than a microsecond or more than [`MAX_TIMEOUT`](super::MAX_TIMEOUT); then nothing changes.
    pub fn set(&self, timeout: Duration) -> Result<(), ConfigError> {
        self.current.set(timeout)
    }

    /// Adapts again, from the timeout that was set by hand, moved into the bounds.
    pub fn resume(&self) {
        self.current.resume();
    }

    /// Whether the timeout was set by hand.
    pub fn is_set(&self) -> bool {
        self.current.is_set()
    }

    /// How many attempts were samples; it wraps at 2³².
    pub fn samples(&self) -> u32 {
        // ORDERING: none is needed, the count leads to no other data.
        self.samples.load(Ordering::Relaxed)
    }

    /// The configuration.
    pub const fn config(&self) -> &Config {
        &self.current.config
    }
}

impl<const PRECISION: u32, const BUCKETS: usize> fmt::Debug for PercentileTimeout<PRECISION, BUCKETS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PercentileTimeout")
            .field("current", &self.current.get())
            .field("is_set", &self.is_set())
            .field("samples", &self.samples())
            .field("config", &self.current.config)
            .finish_non_exhaustive()
    }
}

/// Half the way up to `desired`, or a tenth of the way down, rounded so that it arrives.
const fn approach(current: u32, desired: u32) -> u32 {
    if desired > current {
        current + (desired - current).div_ceil(2)
    } else {
        current - (current - desired).div_ceil(10)
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
