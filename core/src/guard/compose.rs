//! Patterns in an order of your own, chosen by type: a tuple of them admits as one.
//!
//! A [`Guard`](super::Guard) has one order, its pauses and its books. Where that is too much, a tuple of two to six
//! patterns is the least that admits through all of them: a pattern that is left out costs neither memory nor time.
//!
//! # Examples
//!
//! ```
//! use seawall_core::guard::{Admit, Rejected};
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
//! let (permit, _token, slot) = DOOR.try_acquire(now)?;
//! assert!(matches!(DOOR.try_acquire(now), Err(Rejected::Bulkhead(_))));
//! permit.record(Outcome::Success, now);
//! drop(slot);
//! assert!(DOOR.check(now).is_ok());
//! # Ok::<(), Rejected>(())
//! ```
//!
//! # The rule
//!
//! The patterns are asked in the order of the tuple. If one refuses, what those before it gave comes back in the opposite
//! order, as if nobody had asked: a token exactly, a slot, a probe.
//! A tuple of references to patterns composes too, and tuples of tuples.
//!
//! # Memory layout
//!
//! The patterns side by side and nothing else.
//!
//! # Progress
//!
//! As the patterns; it waits for nothing.

use super::rejected::Rejected;
use crate::admission::bulkhead::{self, Bulkhead};
use crate::admission::circuit_breaker::{self, CircuitBreaker};
use crate::admission::load_shedder::{LoadShedder, Priority};
use crate::admission::rate_limiter::{Grant, RateLimiter};
use crate::time::Instant;

/// What admits calls; the [module](self) has an example.
pub trait Admit {
    /// What an admitted call holds.
    type Permit<'a>
    where
        Self: 'a;

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
    fn give_back<'a>(&'a self, permit: Self::Permit<'a>, now: Instant);
}

impl Admit for RateLimiter {
    type Permit<'a> = Grant;

    #[inline]
    fn try_acquire(&self, now: Instant) -> Result<Grant, Rejected> {
        self.try_acquire(now).map_err(Rejected::RateLimiter)
    }

    #[inline]
    fn check(&self, now: Instant) -> Result<(), Rejected> {
        if self.is_shadow() { Ok(()) } else { self.check(1, now).map_err(Rejected::RateLimiter) }
    }

    #[inline]
    fn give_back(&self, grant: Grant, now: Instant) {
        self.refund(&grant, now);
    }
}

impl<const WAITERS: usize> Admit for Bulkhead<WAITERS> {
    type Permit<'a> = bulkhead::Permit<'a, WAITERS>;

    #[inline]
    fn try_acquire(&self, now: Instant) -> Result<Self::Permit<'_>, Rejected> {
        self.try_acquire(now).map_err(Rejected::Bulkhead)
    }

    /// As of this moment: the slot may be another's before it is asked for.
    #[inline]
    fn check(&self, _now: Instant) -> Result<(), Rejected> {
        self.check(1).map_err(Rejected::Bulkhead)
    }

    #[inline]
    fn give_back<'a>(&'a self, permit: Self::Permit<'a>, _now: Instant) {
        drop(permit);
    }
}

impl<const SLOTS: usize> Admit for CircuitBreaker<SLOTS> {
    type Permit<'a> = circuit_breaker::Permit<'a, SLOTS>;

    #[inline]
    fn try_acquire(&self, now: Instant) -> Result<Self::Permit<'_>, Rejected> {
        self.try_acquire(now).map_err(Rejected::CircuitBreaker)
    }

    #[inline]
    fn check(&self, now: Instant) -> Result<(), Rejected> {
        self.check(now).map_err(Rejected::CircuitBreaker)
    }

    #[inline]
    fn give_back<'a>(&'a self, permit: Self::Permit<'a>, _now: Instant) {
        drop(permit);
    }
}

/// A load shedder as one call meets it: with the call's priority and the load of the moment.
///
/// # Examples
///
/// ```
/// use core::time::Duration;
/// use seawall_core::guard::{Admit, Shed};
/// use seawall_core::load_shedder::{self, LoadShedder, Priority};
/// use seawall_core::{bulkhead, Bulkhead, Instant};
///
/// static DOOR: LoadShedder = LoadShedder::new(load_shedder::Config::new(100, Duration::from_secs(10)));
/// static SLOTS: Bulkhead = Bulkhead::new(bulkhead::Config::new(10));
///
/// let load = 80;
/// assert!((Shed::new(&DOOR, Priority::High, load), &SLOTS).try_acquire(Instant::from_secs(1)).is_ok());
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Shed<'s, const SLOTS: usize = 10> {
    shedder: &'s LoadShedder<SLOTS>,
    priority: Priority,
    load: u32,
}

impl<'s, const SLOTS: usize> Shed<'s, SLOTS> {
    /// `shedder` for a call of `priority` at `load`.
    pub const fn new(shedder: &'s LoadShedder<SLOTS>, priority: Priority, load: u32) -> Self {
        Self { shedder, priority, load }
    }
}

impl<const SLOTS: usize> Admit for Shed<'_, SLOTS> {
    type Permit<'a>
        = ()
    where
        Self: 'a;

    #[inline]
    fn try_acquire(&self, now: Instant) -> Result<(), Rejected> {
        self.shedder.try_admit(self.priority, self.load, now).map_err(Rejected::LoadShedder)
    }

    /// Nothing is refused: who is shed is drawn when the call comes.
    #[inline]
    fn check(&self, _now: Instant) -> Result<(), Rejected> {
        Ok(())
    }

    /// The call has arrived all the same.
    #[inline]
    fn give_back(&self, (): (), _now: Instant) {}
}

impl<'r, A: Admit> Admit for &'r A {
    type Permit<'a>
        = A::Permit<'r>
    where
        Self: 'a;

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
