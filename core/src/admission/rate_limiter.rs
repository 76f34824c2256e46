//! How many calls may start in a time: a token bucket, kept as the generic cell rate algorithm.
//!
//! A full bucket holds `burst` tokens, and tokens come back at a steady rate.
//! It limits starts, not calls in flight ([`bulkhead`](super::bulkhead)).
//!
//! # Examples
//!
//! ```
//! use core::time::Duration;
//! use seawall_core::{rate_limiter::Quota, Instant, RateLimiter};
//!
//! static OUTBOUND: RateLimiter = RateLimiter::new(Quota::per_second(10).burst(2));
//!
//! let now = Instant::from_secs(5);
//! assert!(OUTBOUND.try_acquire(now).is_ok());
//! assert!(OUTBOUND.try_acquire(now).is_ok());
//! let rejected = OUTBOUND.try_acquire(now).unwrap_err();
//! assert_eq!(rejected.retry_after(), Some(Duration::from_millis(100)));
//! assert!(OUTBOUND.try_acquire(now.saturating_add(Duration::from_millis(100))).is_ok());
//! ```
//!
//! # States
//!
//! The algorithm (ITU-T I.371, there for ATM cells) keeps one number, the *theoretical arrival time*: the moment at which the
//! bucket will be full again.
//! A token costs one emission interval; a call is admitted if, with its cost added, that moment is at most `burst`
//! intervals ahead.
//!
//! ```text
//!            now               arrival time           now + burst × interval
//!  ───────────┼─────────────────────┼──────────────────────────┼────────► time
//!             │◄──── tokens used ──►│◄────── tokens left ─────►│
//! ```
//!
//! # Memory layout
//!
//! One word, 64 bits wide where the target has such atomics: the arrival time in units of a fraction of a nanosecond, zero
//! while the bucket is as new.
//! For `n` tokens a period, shortened, the unit is 1/n ns up to n = 1024, so that the interval is a whole number of units and
//! the long-run rate is exact; beyond that the unit is 1/1024 ns and the interval is rounded up, which makes the rate low by
//! one part in 10⁶ at 10⁶ tokens a second and by 0.1 % at 10⁹.
//! In the narrow layout a full bucket is about 2¹⁸ units, if possible such that the interval is a whole number of them; else
//! the rate is low by one part in 2¹⁷ / `burst` at most.
//!
//! Where a unit is one nanosecond or longer the wide layout never wraps.
//! Otherwise it wraps after 2⁶⁴ units (208 days for 1/1024 ns), and a value that seems to be further ahead than a full
//! burst and 73 minutes is in the past; idling for a multiple of that time can be taken for a clock that stepped back, with a
//! chance of 1 in 4096, and then refuses calls for 73 minutes at most.
//! On the narrow layout a value further ahead than 17 bursts is in the past; the chance is 1 in 1000 after idling for more than 16000
//! bursts, the lock-out at most 16 bursts' time.
//!
//! # Ordering
//!
//! (a) One exchange on the one word decides. (b) It publishes nothing else. (c) Nothing is stale. (d) The word only grows,
//! except by a refund, so an exchange cannot mistake an old value for a new one. (e) Models:
//! `loom-tests/tests/rate_limiter.rs`.
//!
//! # Progress
//!
//! Lock-free; a rejection is wait-free.
//!
//! # Trade-offs
//!
//! Never more than `burst + rate · t` tokens are granted in any interval `t`, at any number of threads (narrow layout: one
//! token more).
//! A clock that steps back mints nothing: `t` is what it goes forward by, and a step back takes nothing from that.
//! The limiter refuses for no longer than the step; on the narrow layout a step of more than 16 bursts' time gives one full
//! burst.
//! The last burst's time of the 584 years refills nothing.
//!
//! # Cost
//!
//! | call | loads | writes |
//! |---|---:|---:|
//! | admitted | 1 | 1 |
//! | rejected | 1 | 0 |

mod quota;
#[cfg(all(test, not(loom)))]
mod tests;

use core::fmt;
use core::time::Duration;

use quota::FULL;
pub use quota::Quota;
pub(super) use quota::Scale;

use crate::atomic::sync::Wide;
use crate::atomic::word::{Packed, WideWord};
use crate::config::ConfigError;
use crate::time::Instant;

/// The word: an arrival time in the scale's units, or `FULL`.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Arrival(Wide);

impl Packed for Arrival {
    type Raw = Wide;

    #[inline]
    fn unpack(raw: Wide) -> Self {
        Self(raw)
    }

    #[inline]
    fn pack(self) -> Wide {
        self.0
    }
}

/// A rate limiter. The [module](self) has an example.
pub struct RateLimiter {
    quota: Quota,
    scale: Scale,
    arrival: WideWord,
}

/// What a call took from the bucket, so that it can be given back. Dropping it keeps the tokens spent.
#[derive(Debug, PartialEq, Eq)]
pub struct Grant {
    units: Wide,
    /// When the bucket would be full again had nobody else taken anything.
    until: Wide,
}

/// The limiter refused the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rejected {
    /// There are not enough tokens now.
    Limited {
        /// When there will be, if nobody else takes them; `None` is never.
        retry_after: Option<Duration>,
    },
    /// There never will be: the call costs more than a full bucket holds.
    ExceedsBurst {
        /// The tokens that were asked for.
        cost: u32,
        /// The tokens of a full bucket.
        burst: u32,
    },
}

impl Rejected {
    /// When another try makes sense; `None` is never.
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Limited { retry_after } => *retry_after,
            Self::ExceedsBurst { .. } => None,
        }
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Limited { .. } => f.pad("rate limit exceeded"),
            Self::ExceedsBurst { cost, burst } => {
                write!(f, "cost of {cost} tokens exceeds the burst of {burst}")
            }
        }
    }
}

impl core::error::Error for Rejected {}

impl RateLimiter {
    const_fn! {
        /// A limiter with a full bucket.
        ///
        /// # Panics
        ///
        /// If [`RateLimiter::try_new`] would return an error; in a `static` this is a compile error.
        pub const fn new(quota: Quota) -> Self {
            expect_valid!(Self::try_new(quota), "rate limiter")
        }
    }

    const_fn! {
        /// A limiter with a full bucket.
        ///
        /// # Errors
        ///
        /// If the burst or the period is zero, or the burst is more than a 32-bit word can count in tokens that come back.
        pub const fn try_new(quota: Quota) -> Result<Self, ConfigError> {
            match quota.scale() {
                Ok(scale) => Ok(Self { quota, scale, arrival: WideWord::new(FULL) }),
                Err(error) => Err(error),
            }
        }
    }

    /// Takes one token.
    ///
    /// # Errors
    ///
    /// [`Rejected`], with the time after which there is a token.
    #[inline]
    pub fn try_acquire(&self, now: Instant) -> Result<Grant, Rejected> {
        self.take(self.scale.interval, now)
    }

    /// Takes `cost` tokens at once, or none.
    ///
    /// # Errors
    ///
    /// [`Rejected`], with the time after which there are so many tokens.
    #[inline]
    pub fn try_acquire_many(&self, cost: u32, now: Instant) -> Result<Grant, Rejected> {
        self.take(self.units_of(cost)?, now)
    }

    /// Whether `cost` tokens could be taken now. It changes nothing.
    ///
    /// # Errors
    ///
    /// [`Rejected`], as [`RateLimiter::try_acquire_many`] would.
    #[inline]
    pub fn check(&self, cost: u32, now: Instant) -> Result<(), Rejected> {
        let units = self.units_of(cost)?;
        let present = self.scale.present(now);
        self.after(self.arrival.load(), units, present).map(|_| ()).map_err(|short| self.limited(short, now))
    }

    /// Gives the tokens of a grant back, for a call that did not start.
    ///
    /// They come back exactly, unless the bucket may have been full in the meantime: then they would make it overflow, and
    /// they lapse.
    pub fn refund(&self, grant: &Grant, now: Instant) {
        let present = self.scale.present(now);
        self.arrival.transition(|arrival: Arrival| {
            let never_full =
                mutant!("limiter_refunds_what_lapsed") || self.scale.ahead(grant.until, present) > 0;
            let still_spent = self.scale.ahead(arrival.0, present) > 0;
            let refunds = never_full && still_spent && arrival.0 != FULL;
            let from = if mutant!("limiter_refund_forgets_later_grants") { grant.until } else { arrival.0 };
            (refunds.then(|| Arrival(self.scale.stored(from.wrapping_sub(grant.units)))), ())
        });
    }

    /// Gives the tokens of a grant back where the present moment is not known, and says whether it did.
    ///
    /// They come back exactly, unless somebody took tokens since and kept them: then they lapse.
    pub fn undo(&self, grant: &Grant) -> bool {
        self.arrival.transition(|arrival: Arrival| {
            // Had the bucket been full since, whoever took the next token would have moved the arrival time beyond the
            // grant's; so where it is not beyond, the bucket was never full.
            let beyond = arrival.0 == FULL || grant.until.wrapping_sub(arrival.0) > self.scale.tolerance;
            let undone = (!beyond || mutant!("limiter_undoes_regardless")) && grant.units > 0;
            (undone.then(|| Arrival(self.scale.stored(arrival.0.wrapping_sub(grant.units)))), undone)
        })
    }

    /// How many tokens there are now.
    pub fn available(&self, now: Instant) -> u32 {
        let arrival: Arrival = self.arrival.load();
        let used = self.debt(arrival, self.scale.present(now));
        let left = self.scale.tolerance.saturating_sub(used);
        self.scale.tokens_in(left)
    }

    /// The rate and the burst.
    pub const fn quota(&self) -> &Quota {
        &self.quota
    }

    #[inline]
    fn units_of(&self, cost: u32) -> Result<Wide, Rejected> {
        let burst = self.quota.burst_size();
        if cost > burst { Err(Rejected::ExceedsBurst { cost, burst }) } else { Ok(self.scale.units_of(cost)) }
    }

    #[inline]
    fn take(&self, units: Wide, now: Instant) -> Result<Grant, Rejected> {
        let present = self.scale.present(now);
        if units == 0 {
            return Ok(Grant { units, until: present });
        }
        let taken = self.arrival.transition(|arrival: Arrival| match self.after(arrival, units, present) {
            Ok(until) => (Some(Arrival(until)), Ok(until)),
            Err(short) => (None, Err(short)),
        });
        match taken {
            Ok(until) => Ok(Grant { units, until }),
            Err(short) => Err(self.limited(short, now)),
        }
    }

    /// The arrival time after `units` more, or by how many units they exceed the tolerance.
    #[inline]
    fn after(&self, arrival: Arrival, units: Wide, present: Wide) -> Result<Wide, Wide> {
        let debt = self.debt(arrival, present);
        let left = self.scale.tolerance.saturating_sub(debt);
        let fits = if mutant!("limiter_ignores_tolerance") { true } else { units <= left };
        if fits {
            Ok(self.scale.stored(present.wrapping_add(debt).wrapping_add(units)))
        } else {
            Err(self.short(debt, units))
        }
    }

    #[cold]
    fn short(&self, debt: Wide, units: Wide) -> Wide {
        // Both differences are exact: the debt may exceed the tolerance after a clock stepped back.
        debt.saturating_sub(self.scale.tolerance)
            .saturating_add(units - self.scale.tolerance.saturating_sub(debt).min(units))
    }

    #[inline]
    fn debt(&self, arrival: Arrival, present: Wide) -> Wide {
        if arrival.0 == FULL { 0 } else { self.scale.ahead(arrival.0, present) }
    }

    #[inline]
    fn limited(&self, short: Wide, now: Instant) -> Rejected {
        Rejected::Limited { retry_after: self.scale.wait_for(short, now) }
    }
}

impl fmt::Debug for RateLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimiter").field("quota", &self.quota).finish_non_exhaustive()
    }
}
