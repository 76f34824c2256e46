//! Patterns in an order of your own, chosen by type: a tuple of them admits as one.
//!
//! A [`Guard`](super::Guard) has one order, its pauses and its books. Where that is too much, a tuple of two to six
//! patterns is the least that admits through all of them and settles them all: a pattern that is left out costs neither
//! memory nor time.
//! What a guard has no place for stands around it as such a tuple: a rate or a limit that follows the results, a promise
//! about latency, an objective of its own, a shedder, the level of the service, the bucket or the breaker of a tenant.
//!
//! # Examples
//!
//! ```
//! use core::time::Duration;
//! use seawall_core::guard::{Admit, Rejected, Took};
//! use seawall_core::{bulkhead, circuit_breaker, rate_limiter::Quota};
//! use seawall_core::{Bulkhead, CircuitBreaker, Instant, Outcome, RateLimiter};
//!
//! static DOOR: (CircuitBreaker, RateLimiter, Bulkhead) = (
//!     CircuitBreaker::new(circuit_breaker::Config::consecutive_failures(5)),
//!     RateLimiter::new(Quota::per_second(100)),
//!     Bulkhead::new(bulkhead::Config::new(1)),
//! );
//!
//! let now = Instant::from_secs(1);
//! let permits = DOOR.try_acquire(now)?;
//! assert!(matches!(DOOR.try_acquire(now), Err(Rejected::Bulkhead(_))));
//! let (breaker, _, _) = DOOR.settle(permits, Took::new(Outcome::Success, Duration::from_millis(3)), now);
//! assert_eq!(breaker.transition(), None);
//! assert!(DOOR.check(now).is_ok());
//! # Ok::<(), Rejected>(())
//! ```
//!
//! # The rule
//!
//! The patterns are asked in the order of the tuple. If one refuses, what those before it gave comes back in the opposite
//! order, as if nobody had asked: a token exactly, a slot, a probe.
//! A tuple of references to patterns composes too, and tuples of tuples; `None` in place of a part admits everything.
//!
//! A call that was admitted is settled once: by [`Admit::settle`] with how it ended, which returns what that changed part by
//! part, or by [`Admit::give_back`] if it was never tried.
//! Of a call that is tried more than once, [`Admit::observe`] tells how the attempts before the last one ended.
//!
//! # Memory layout
//!
//! The patterns side by side and nothing else.
//!
//! # Progress
//!
//! As the patterns; it waits for nothing.

mod parts;

use core::time::Duration;

use super::rejected::Rejected;
use crate::outcome::Outcome;
use crate::time::Instant;

pub use parts::{Serve, Shed};

/// How a call ended: what its patterns learn from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Took {
    outcome: Outcome,
    latency: Duration,
}

impl Took {
    /// It ended as `outcome` says; the operation itself, without queues and pauses of our own making, took `latency`.
    pub const fn new(outcome: Outcome, latency: Duration) -> Self {
        Self { outcome, latency }
    }

    /// How it ended.
    pub const fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// Whether it says something about the dependency: results that are ignored, and calls that were cancelled, do not.
    pub const fn is_telling(&self) -> bool {
        !matches!(self.outcome, Outcome::Ignored | Outcome::Cancelled)
    }

    /// How long the operation took.
    pub const fn latency(&self) -> Duration {
        self.latency
    }
}

/// What admits calls; the [module](self) has an example.
pub trait Admit {
    /// What an admitted call holds.
    type Permit<'a>
    where
        Self: 'a;

    /// What the end of a call changed.
    type Change;

    /// Admits a call, or refuses it.
    ///
    /// # Errors
    ///
    /// [`Rejected`], with the pattern that refused; then nothing is taken.
    fn try_acquire(&self, now: Instant) -> Result<Self::Permit<'_>, Rejected>;

    /// Whether a call would be admitted now; it takes nothing.
    ///
    /// # Errors
    ///
    /// As [`Admit::try_acquire`].
    fn check(&self, now: Instant) -> Result<(), Rejected>;

    /// Takes a permit back that was not used: what it took comes back, and nothing is counted as success or failure.
    ///
    /// To drop it is enough where the permit knows what to do then, as those of a breaker and of a bulkhead.
    #[inline]
    fn give_back<'a>(&'a self, permit: Self::Permit<'a>, _now: Instant) {
        drop(permit);
    }

    /// Learns how an attempt of an admitted call ended that was not the call's last; the last one is [settled](Admit::settle).
    ///
    /// Only what follows each attempt does something here: a rate that follows the latency, a promise about it.
    #[inline]
    fn observe(&self, _took: Took, _now: Instant) {}

    /// Takes the permit of a call that has ended, and learns how.
    fn settle<'a>(&'a self, permit: Self::Permit<'a>, took: Took, now: Instant) -> Self::Change;
}

impl<'r, A: Admit> Admit for &'r A {
    type Permit<'a>
        = A::Permit<'r>
    where
        Self: 'a;
    type Change = A::Change;

    #[inline]
    fn try_acquire(&self, now: Instant) -> Result<A::Permit<'r>, Rejected> {
        let part: &'r A = self;
        part.try_acquire(now)
    }

    #[inline]
    fn check(&self, now: Instant) -> Result<(), Rejected> {
        (**self).check(now)
    }

    #[inline]
    fn give_back<'a>(&'a self, permit: A::Permit<'r>, now: Instant) {
        let part: &'r A = self;
        part.give_back(permit, now);
    }

    #[inline]
    fn observe(&self, took: Took, now: Instant) {
        (**self).observe(took, now);
    }

    #[inline]
    fn settle<'a>(&'a self, permit: A::Permit<'r>, took: Took, now: Instant) -> A::Change {
        let part: &'r A = self;
        part.settle(permit, took, now)
    }
}

/// No part at all.
impl Admit for () {
    type Permit<'a> = ();
    type Change = ();

    #[inline]
    fn try_acquire(&self, _now: Instant) -> Result<(), Rejected> {
        Ok(())
    }

    #[inline]
    fn check(&self, _now: Instant) -> Result<(), Rejected> {
        Ok(())
    }

    #[inline]
    fn settle(&self, (): (), _took: Took, _now: Instant) {}
}

/// A part that may be left out at run time.
impl<A: Admit> Admit for Option<A> {
    type Permit<'a>
        = Option<A::Permit<'a>>
    where
        Self: 'a;
    type Change = Option<A::Change>;

    #[inline]
    fn try_acquire(&self, now: Instant) -> Result<Self::Permit<'_>, Rejected> {
        self.as_ref().map(|part| part.try_acquire(now)).transpose()
    }

    #[inline]
    fn check(&self, now: Instant) -> Result<(), Rejected> {
        self.as_ref().map_or(Ok(()), |part| part.check(now))
    }

    #[inline]
    fn give_back<'a>(&'a self, permit: Self::Permit<'a>, now: Instant) {
        if let Some((part, permit)) = self.as_ref().zip(permit) {
            part.give_back(permit, now);
        }
    }

    #[inline]
    fn observe(&self, took: Took, now: Instant) {
        if let Some(part) = self {
            part.observe(took, now);
        }
    }

    #[inline]
    fn settle<'a>(&'a self, permit: Self::Permit<'a>, took: Took, now: Instant) -> Self::Change {
        let (part, permit) = self.as_ref().zip(permit)?;
        Some(part.settle(permit, took, now))
    }
}

/// Asks one part after the other; the parts before it stand in brackets, the last one first.
macro_rules! acquire {
    ($tuple:ident, $now:ident, [$($before:ident $b:tt)*]) => {};
    ($tuple:ident, $now:ident, [$($before:ident $b:tt)*] $part:ident $n:tt $($rest:tt)*) => {
        let $part = match $tuple.$n.try_acquire($now) {
            Ok(permit) => permit,
            Err(rejected) => {
                if !mutant!("compose_keeps_what_it_took") {
                    $($tuple.$b.give_back($before, $now);)*
                }
                return Err(rejected);
            }
        };
        acquire!($tuple, $now, [$part $n $($before $b)*] $($rest)*);
    };
}

macro_rules! tuple {
    ($($part:ident: $type:ident $n:tt),+) => {
        impl<$($type: Admit),+> Admit for ($($type,)+) {
            type Permit<'a> = ($($type::Permit<'a>,)+) where Self: 'a;
            type Change = ($($type::Change,)+);

            #[inline]
            fn try_acquire(&self, now: Instant) -> Result<Self::Permit<'_>, Rejected> {
                acquire!(self, now, [] $($part $n)+);
                Ok(($($part,)+))
            }

            #[inline]
            fn check(&self, now: Instant) -> Result<(), Rejected> {
                $(self.$n.check(now)?;)+
                Ok(())
            }

            #[inline]
            fn give_back<'a>(&'a self, ($($part,)+): Self::Permit<'a>, now: Instant) {
                $(self.$n.give_back($part, now);)+
            }

            #[inline]
            fn observe(&self, took: Took, now: Instant) {
                $(self.$n.observe(took, now);)+
            }

            #[inline]
            fn settle<'a>(
                &'a self,
                ($($part,)+): Self::Permit<'a>,
                took: Took,
                now: Instant,
            ) -> Self::Change {
                ($(self.$n.settle($part, took, now),)+)
            }
        }
    };
}

tuple!(a: A 0, b: B 1);
tuple!(a: A 0, b: B 1, c: C 2);
tuple!(a: A 0, b: B 1, c: C 2, d: D 3);
tuple!(a: A 0, b: B 1, c: C 2, d: D 3, e: E 4);
tuple!(a: A 0, b: B 1, c: C 2, d: D 3, e: E 4, f: F 5);

#[cfg(all(test, not(loom)))]
mod tests;
