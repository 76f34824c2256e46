//! A rate that follows the latency of the calls that it admits.
//!
//! For a dependency whose capacity is not known or changes: it admits fewer calls in a time when they take too long, and
//! more when they are fast and the limit is what holds them back.
//! Where the capacity is known there is the [`rate_limiter`](super::rate_limiter); where calls queue at the dependency, a bound
//! on those that run at once, [`adaptive_concurrency`](super::adaptive_concurrency), finds out sooner.
//!
//! # Examples
//!
//! ```
//! use core::time::Duration;
//! use seawall_core::{adaptive_rate::Config, rate_limiter::Quota, AdaptiveRate, Instant, Outcome};
//!
//! static UPLINK: AdaptiveRate =
//!     AdaptiveRate::new(Config::new(Quota::per_second(1000), Duration::from_millis(100)));
//!
//! for _ in 0..20 {
//!     assert!(UPLINK.try_acquire(Instant::from_secs(1)).is_ok());
//!     let adjustment = UPLINK.record(Outcome::Success, Duration::from_millis(130), Instant::from_secs(1));
//!     assert_eq!(adjustment, None);
//! }
//! let adjustment = UPLINK.record(Outcome::Success, Duration::from_millis(130), Instant::from_secs(2)).unwrap();
//! assert_eq!(adjustment.to.rate_in_thousandths(), 900_000);
//! ```
//!
//! # The rule
//!
//! Time is cut into windows, aligned at the clock's origin. The first result of a window judges the one before, once:
//!
//! ```text
//! 95th percentile > 120 % of the target                      rate − 10 %
//! 95th percentile < 80 %, and the limit held traffic back    rate + 5 %
//! otherwise, or too few samples                              as it is
//! ```
//!
//! - The limit *held traffic back* if it refused a call or let one wait, or if the results are at least half as many as the
//!   window's tokens. So a rate does not grow where nobody needs it.
//! - A window that nobody judges within the next one is too old: after a pause the rate is what it was.
//! - A *failure* counts as a call that took the target's time, or its own if that was longer: failures that come back fast
//!   do not raise the rate, and timeouts lower it. Ignored and cancelled calls count for nothing.
//! - The latency is what the caller says: of the operation alone, without the time in queues and pauses of its own making.
//! - The rate moves in thousandths of a token a period (whole tokens above 4294967), by one at least; the burst keeps its share of
//!   the rate, and is one token at least, so that a rate below one a second admits calls too.
//!
//! # Memory layout
//!
//! An [`AdjustableRateLimiter`], the number of the present window, a word that says whether traffic was held back, 176 buckets
//! for latencies and three statistics: about 1.7 KB with its configuration on a 64-bit host, 1 KB in firmware.
//! Windows are numbered modulo 2³²: a pause of just so many windows lets the last one be judged.
//!
//! Latencies are counted in parts of the target, 320 to one, so that 80 % and 120 % are where buckets begin: the
//! percentile is known to one part in 16, and which side of the thresholds it is on exactly.
//!
//! # Ordering
//!
//! (a) The exchange on the window's number elects the one that judges; the limiter's own words decide about calls.
//! (b) The elected one takes the counts out of the buckets, each by one exchange, so a sample is judged once.
//! (c) A result that is recorded while a window is judged counts to it or to the next. An elected one that is stopped
//! meanwhile and comes late finds the limiter busy, or moves the rate that it meets.
//! (d) The number comes back after 2³² windows. (e) Models: `loom-tests/tests/adaptive_rate.rs`.
//!
//! # Progress
//!
//! Admission is that of the limiter, lock-free. `record`: wait-free but for the one that judges, which is lock-free.
//!
//! # Trade-offs
//!
//! The window should last for some latencies.
//! A percentile beyond 51 times the target is told as that.
//! If the clock steps back by up to eight windows, results count to the newest one; beyond that the window begins anew.
//!
//! # Cost
//!
//! | call | loads | writes |
//! |---|---:|---:|
//! | admitted | 9 | 1 |
//! | rejected | 11 | 0, and 1 for the first of a window |
//! | `record` | 1 | 1 |
//! | `record`, judging and changing the rate | 19 | 196 |

mod config;
#[cfg(all(test, not(loom)))]
mod tests;

use core::fmt;
use core::time::Duration;

pub use config::Config;

use super::rate_limiter::adjustable::{AdjustableRateLimiter, Grant, Reservation};
use super::rate_limiter::{Quota, Rejected};
use crate::atomic::sync::{AtomicU32, Counter, Ordering};
use crate::atomic::word::{Packed, Word};
use crate::config::ConfigError;
use crate::measure::histogram::{Histogram, Snapshot as Latencies, buckets_for};
use crate::outcome::Outcome;
use crate::ratio::Ratio;
use crate::time::{Instant, nanos};

/// Parts of the target in which latencies are counted.
const TARGET: u64 = 320;
/// 80 % and 120 % of the target, each where a bucket begins.
const FAST: u64 = TARGET * 4 / 5;
const SLOW: u64 = TARGET * 6 / 5;
/// Loom needs no more than to tell fast from slow, and less to explore.
const PRECISION: u32 = if cfg!(loom) { 1 } else { 4 };
const BUCKETS: usize = buckets_for(PRECISION, if cfg!(loom) { 1023 } else { 16_383 });

const P95: Ratio = Ratio::percent(95);

/// A result this many windows behind the newest one counts to it.
const WINDOWS_BEHIND: u32 = 8;

/// A rate that changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Adjustment {
    /// What it was.
    pub from: Quota,
    /// What it is.
    pub to: Quota,
    /// The 95th percentile of the window, at most one part in 16 above the true one.
    pub p95: Duration,
    /// The results of the window.
    pub samples: u64,
}

impl Adjustment {
    /// Whether more calls are admitted now.
    pub const fn is_raise(&self) -> bool {
        self.to.tokens() > self.from.tokens()
    }
}

/// The counts and figures of one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot {
    /// The present rate and burst.
    pub quota: Quota,
    /// The lowest rate.
    pub min: Quota,
    /// The highest rate.
    pub max: Quota,
    /// The latency that is aimed at.
    pub target: Duration,
    /// The 95th percentile of the window that was judged last, if one was.
    pub p95: Option<Duration>,
    /// How often the rate was raised.
    pub raised: u64,
    /// How often it was lowered.
    pub lowered: u64,
}

/// The number of the present window.
#[derive(Clone, Copy)]
struct Number(u32);

impl Number {
    /// How many windows `other` is after this one, zero if it is a little behind.
    const fn passed(self, other: u32) -> u32 {
        if self.0.wrapping_sub(other) <= WINDOWS_BEHIND { 0 } else { other.wrapping_sub(self.0) }
    }
}

impl Packed for Number {
    type Raw = u32;

    fn unpack(raw: u32) -> Self {
        Self(raw)
    }

    fn pack(self) -> u32 {
        self.0
    }
}

/// A rate that follows latencies. The [module](self) has the rule and an example.
pub struct AdaptiveRate {
    config: Config,
    limiter: AdjustableRateLimiter,
    window: Word,
    /// Not zero if the limit held traffic back in the present window.
    held_back: AtomicU32,
    latencies: Histogram<PRECISION, BUCKETS>,
    /// Of the window that was judged last, in parts of the target and one more; zero if none was.
    p95: AtomicU32,
    raised: Counter,
    lowered: Counter,
}

impl AdaptiveRate {
    const_fn! {
        /// A rate that begins as configured, with a full bucket.
        ///
        /// # Panics
        ///
        /// If [`AdaptiveRate::try_new`] would return an error; in a `static` this is a compile error.
        pub const fn new(config: Config) -> Self {
            expect_valid!(Self::try_new(config), "adaptive rate")
        }
    }

    const_fn! {
        /// A rate that begins as configured, with a full bucket.
        ///
        /// # Errors
        ///
        /// As [`Config::validate`].
        pub const fn try_new(config: Config) -> Result<Self, ConfigError> {
            if let Err(error) = config.validate() {
                return Err(error);
            }
            let limiter = match AdjustableRateLimiter::try_new(config.initial_quota()) {
                Ok(limiter) => limiter,
                Err(error) => return Err(error),
            };
            Ok(Self {
                config,
                limiter,
                window: Word::new(0),
                held_back: AtomicU32::new(0),
                latencies: Histogram::new(),
                p95: AtomicU32::new(0),
                raised: Counter::new(),
                lowered: Counter::new(),
            })
        }
    }

    /// Takes one token.
    ///
    /// # Errors
    ///
    /// [`Rejected`], with the time after which there is a token.
    #[inline]
    pub fn try_acquire(&self, now: Instant) -> Result<Grant, Rejected> {
        self.try_acquire_many(1, now)
    }

    /// Takes `cost` tokens at once, or none.
    ///
    /// # Errors
    ///
    /// [`Rejected`], with the time after which there are so many tokens.
    #[inline]
    pub fn try_acquire_many(&self, cost: u32, now: Instant) -> Result<Grant, Rejected> {
        let granted = self.limiter.try_acquire_many(cost, now);
        match &granted {
            // What exceeds the burst no rate would admit.
            Err(Rejected::ExceedsBurst { .. }) => {}
            Ok(grant) if !grant.would_reject() || self.exceeds_burst(cost) => {}
            _ => self.hold_back(),
        }
        granted
    }

    /// Takes `cost` tokens that may not be there yet; as [`AdjustableRateLimiter::reserve`].
    ///
    /// # Errors
    ///
    /// [`Rejected`], with the wait that would be needed, if that is longer than `max_wait`; then nothing is taken.
    pub fn reserve(&self, cost: u32, max_wait: Duration, now: Instant) -> Result<Reservation, Rejected> {
        let reserved = self.limiter.reserve(cost, max_wait, now);
        match &reserved {
            Err(Rejected::ExceedsBurst { .. }) => {}
            Ok(reservation) if reservation.would_reject() && self.exceeds_burst(cost) => {}
            Ok(reservation) if reservation.ready_at() <= now && !reservation.would_reject() => {}
            _ => self.hold_back(),
        }
        reserved
    }

    /// Gives a reservation back, and says whether all its tokens came back; as [`AdjustableRateLimiter::cancel`].
    pub fn cancel(&self, reservation: Reservation, now: Instant) -> bool {
        self.limiter.cancel(reservation, now)
    }

    /// Gives the tokens of a grant back, for a call that did not start; as [`AdjustableRateLimiter::refund`].
    pub fn refund(&self, grant: Grant, now: Instant) {
        self.limiter.refund(grant, now);
    }

    /// Whether `cost` tokens could be taken now. It changes nothing, and shadow mode does not change it.
    ///
    /// # Errors
    ///
    /// [`Rejected`], as [`AdaptiveRate::try_acquire_many`] would.
    pub fn check(&self, cost: u32, now: Instant) -> Result<(), Rejected> {
        self.limiter.check(cost, now)
    }

    /// How many tokens there are now.
    pub fn available(&self, now: Instant) -> u32 {
        self.limiter.available(now)
    }

    /// Switches shadow mode: then nothing is refused, and what would have been takes no tokens. The rate is followed as ever.
    pub fn set_shadow(&self, on: bool) {
        self.limiter.set_shadow(on);
    }

    /// Whether shadow mode is on.
    pub fn is_shadow(&self) -> bool {
        self.limiter.is_shadow()
    }

    /// Tells how a call ended and how long the operation took; returns the change of the rate, if this result makes one.
    ///
    /// # Complexity
    ///
    /// O(1), and O(buckets) for the first result of a window.
    #[inline]
    pub fn record(&self, outcome: Outcome, latency: Duration, now: Instant) -> Option<Adjustment> {
        let parts = self.parts_of(latency);
        let parts = match outcome {
            Outcome::Success => parts,
            Outcome::Failure => parts.max(TARGET),
            // The caller calls it slow, whatever it took.
            Outcome::Slow => parts.max(SLOW),
            Outcome::Ignored | Outcome::Cancelled => return None,
        };
        let number = (now.as_nanos() / self.config.window) as u32;
        let present: Number = self.window.load();
        let adjustment = if present.passed(number) == 0 { None } else { self.turn(number, now) };
        self.latencies.record(parts);
        adjustment
    }

    /// The counts and figures now.
    pub fn snapshot(&self) -> Snapshot {
        let (min, max) = self.config.bounds();
        // ORDERING: none is needed, the figure leads to no other data.
        let p95 = self.p95.load(Ordering::Relaxed);
        Snapshot {
            quota: self.limiter.quota(),
            min: self.config.quota_of(min),
            max: self.config.quota_of(max),
            target: self.config.target(),
            p95: p95.checked_sub(1).map(|parts| self.latency_of(parts.into())),
            raised: self.raised.get(),
            lowered: self.lowered.get(),
        }
    }

    /// The configuration.
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// Shadow mode does not tell what exceeds the burst from what has to wait.
    #[cold]
    fn exceeds_burst(&self, cost: u32) -> bool {
        cost > self.limiter.quota().burst_size()
    }

    #[cold]
    fn hold_back(&self) {
        // ORDERING: none is needed, the mark leads to no other data; at the boundary of a window it may fall on either side.
        if self.held_back.load(Ordering::Relaxed) == 0 {
            self.held_back.store(1, Ordering::Relaxed);
        }
    }

    /// Begins the window of this number, unless somebody else does, and judges the one before.
    #[cold]
    fn turn(&self, number: u32, now: Instant) -> Option<Adjustment> {
        let passed = self.window.transition(|present: Number| {
            let passed = present.passed(number);
            ((passed > 0).then_some(Number(number)), passed)
        });
        let passed = if mutant!("adaptive_rate_elects_everybody") { 1 } else { passed };
        if passed == 0 {
            return None;
        }
        let latencies = self.take();
        // ORDERING: as in `hold_back`.
        let held_back = self.held_back.swap(0, Ordering::Relaxed) != 0;
        if passed > 1 {
            return None;
        }
        self.judge(&latencies, held_back, now)
    }

    fn take(&self) -> Latencies<PRECISION, BUCKETS> {
        if mutant!("adaptive_rate_judges_a_sample_twice") {
            self.latencies.snapshot()
        } else {
            self.latencies.take()
        }
    }

    fn judge(
        &self,
        latencies: &Latencies<PRECISION, BUCKETS>,
        held_back: bool,
        now: Instant,
    ) -> Option<Adjustment> {
        let samples = latencies.count();
        if samples < u64::from(self.config.samples) {
            return None;
        }
        let p95 = latencies.percentile(P95)?;
        // ORDERING: as in `snapshot`.
        self.p95.store((p95 + 1) as u32, Ordering::Relaxed);
        let (lowest, highest) = self.config.bounds();
        let step = |quota: Quota| {
            let rate = quota.tokens();
            let next = if p95 >= SLOW {
                (rate - rate.div_ceil(10)).max(lowest)
            } else if p95 < FAST && (held_back || self.uses_half(samples, &quota)) {
                rate.saturating_add((rate / 20).max(1)).min(highest)
            } else {
                rate
            };
            (next != rate).then(|| self.config.quota_of(next))
        };
        // Whoever comes too late to change the rate drops its judgement.
        let (from, to) = self.limiter.adjust(step, now).ok()??;
        let adjustment = Adjustment { from, to, p95: self.latency_of(p95), samples };
        if adjustment.is_raise() { &self.raised } else { &self.lowered }.increment();
        Some(adjustment)
    }

    /// Whether so many results are at least half of a window's tokens.
    fn uses_half(&self, samples: u64, quota: &Quota) -> bool {
        let tokens = u128::from(quota.tokens()) * u128::from(self.config.window);
        u128::from(samples) * 2 * u128::from(nanos(quota.period())) >= tokens
    }

    /// The latency in parts of the target: below `FAST` if it is less than that, and from `SLOW` on if it is more.
    #[inline]
    fn parts_of(&self, latency: Duration) -> u64 {
        let scaled = nanos(latency).saturating_mul(TARGET);
        if scaled <= self.config.target * FAST {
            scaled / self.config.target
        } else {
            (scaled - 1) / self.config.target
        }
    }

    /// The upper end of so many parts.
    fn latency_of(&self, parts: u64) -> Duration {
        let nanos = u128::from(self.config.target) * u128::from(parts + 1) / u128::from(TARGET);
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

impl fmt::Debug for AdaptiveRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdaptiveRate").field("snapshot", &self.snapshot()).finish_non_exhaustive()
    }
}
