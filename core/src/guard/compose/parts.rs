//! The patterns as parts of a composition.

use super::{Admit, Took};
use crate::admission::adaptive_concurrency::{self, AdaptiveConcurrency};
use crate::admission::adaptive_rate::{self, AdaptiveRate};
use crate::admission::bulkhead::{self, Bulkhead};
use crate::admission::circuit_breaker::{self, CircuitBreaker};
use crate::admission::keyed;
use crate::admission::load_shedder::{LoadShedder, Priority};
use crate::admission::rate_limiter::adjustable::{self, AdjustableRateLimiter};
use crate::admission::rate_limiter::{Grant, RateLimiter};
use crate::guard::rejected::Rejected;
use crate::health::degradation::Degradation;
use crate::health::error_budget::{Edge, ErrorBudget};
use crate::health::latency_budget::LatencyBudget;
use crate::outcome::Outcome;
use crate::time::Instant;

impl Admit for RateLimiter {
    type Permit<'a> = Grant;
    type Change = ();

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
        self.refund(grant, now);
    }

    /// Its token is spent.
    #[inline]
    fn settle(&self, _grant: Grant, _took: Took, _now: Instant) {}
}

/// It refuses as a [`RateLimiter`] does.
impl Admit for AdjustableRateLimiter {
    type Permit<'a> = adjustable::Grant;
    type Change = ();

    #[inline]
    fn try_acquire(&self, now: Instant) -> Result<adjustable::Grant, Rejected> {
        self.try_acquire(now).map_err(Rejected::RateLimiter)
    }

    #[inline]
    fn check(&self, now: Instant) -> Result<(), Rejected> {
        if self.is_shadow() { Ok(()) } else { self.check(1, now).map_err(Rejected::RateLimiter) }
    }

    /// A token of an earlier quota does not come back.
    #[inline]
    fn give_back(&self, grant: adjustable::Grant, now: Instant) {
        self.refund(grant, now);
    }

    /// Its token is spent.
    #[inline]
    fn settle(&self, _grant: adjustable::Grant, _took: Took, _now: Instant) {}
}

impl<const WAITERS: usize> Admit for Bulkhead<WAITERS> {
    type Permit<'a> = bulkhead::Permit<'a, WAITERS>;
    type Change = ();

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
    fn settle<'a>(&'a self, permit: Self::Permit<'a>, _took: Took, _now: Instant) {
        drop(permit);
    }
}

impl<const SLOTS: usize> Admit for CircuitBreaker<SLOTS> {
    type Permit<'a> = circuit_breaker::Permit<'a, SLOTS>;
    type Change = circuit_breaker::Settlement;

    #[inline]
    fn try_acquire(&self, now: Instant) -> Result<Self::Permit<'_>, Rejected> {
        self.try_acquire(now).map_err(Rejected::CircuitBreaker)
    }

    #[inline]
    fn check(&self, now: Instant) -> Result<(), Rejected> {
        self.check(now).map_err(Rejected::CircuitBreaker)
    }

    /// Whether the call was slow is measured from its admission.
    #[inline]
    fn settle<'a>(
        &'a self,
        permit: Self::Permit<'a>,
        took: Took,
        now: Instant,
    ) -> circuit_breaker::Settlement {
        permit.record(took.outcome(), now)
    }
}

/// The bucket of one key, as [`KeyedRateLimiter::bucket`](keyed::KeyedRateLimiter::bucket) gives it.
///
/// # Examples
///
/// ```
/// use seawall_core::guard::Admit;
/// use seawall_core::{Bulkhead, Instant, KeyedRateLimiter, bulkhead, keyed, rate_limiter::Quota};
///
/// static TENANTS: KeyedRateLimiter<64> = KeyedRateLimiter::new(Quota::per_second(1), keyed::Config::seeded(7));
/// static SLOTS: Bulkhead = Bulkhead::new(bulkhead::Config::new(1));
///
/// let now = Instant::from_secs(1);
/// let permits = (TENANTS.bucket("a"), &SLOTS).try_acquire(now);
/// assert!(permits.is_ok());
/// assert!((TENANTS.bucket("b"), &SLOTS).try_acquire(now).is_err());
/// assert!(TENANTS.bucket("b").check(1, now).is_ok(), "the token came back");
/// ```
impl Admit for keyed::Bucket<'_> {
    type Permit<'a>
        = keyed::Grant
    where
        Self: 'a;
    type Change = ();

    #[inline]
    fn try_acquire(&self, now: Instant) -> Result<keyed::Grant, Rejected> {
        self.try_acquire(now).map_err(Rejected::KeyedRateLimiter)
    }

    #[inline]
    fn check(&self, now: Instant) -> Result<(), Rejected> {
        self.check(1, now).map_err(Rejected::KeyedRateLimiter)
    }

    /// A token does not come back if the key lost its entry since.
    #[inline]
    fn give_back(&self, grant: keyed::Grant, now: Instant) {
        self.refund(grant, now);
    }

    /// Its token is spent.
    #[inline]
    fn settle(&self, _grant: keyed::Grant, _took: Took, _now: Instant) {}
}

/// The breaker of one key, as [`KeyedCircuitBreaker::breaker`](keyed::circuit_breaker::KeyedCircuitBreaker::breaker) gives it.
impl<'k> Admit for keyed::circuit_breaker::Breaker<'k> {
    type Permit<'a>
        = keyed::circuit_breaker::Permit<'k>
    where
        Self: 'a;
    type Change = circuit_breaker::Settlement;

    #[inline]
    fn try_acquire(&self, now: Instant) -> Result<Self::Permit<'_>, Rejected> {
        self.try_acquire(now).map_err(Rejected::KeyedCircuitBreaker)
    }

    #[inline]
    fn check(&self, now: Instant) -> Result<(), Rejected> {
        self.check(now).map_err(Rejected::KeyedCircuitBreaker)
    }

    /// Whether the call was slow is measured from its admission.
    #[inline]
    fn settle<'a>(
        &'a self,
        permit: Self::Permit<'a>,
        took: Took,
        now: Instant,
    ) -> circuit_breaker::Settlement {
        permit.record(took.outcome(), now)
    }
}

impl Admit for AdaptiveRate {
    type Permit<'a> = adjustable::Grant;
    type Change = Option<adaptive_rate::Adjustment>;

    #[inline]
    fn try_acquire(&self, now: Instant) -> Result<adjustable::Grant, Rejected> {
        self.try_acquire(now).map_err(Rejected::AdaptiveRate)
    }

    #[inline]
    fn check(&self, now: Instant) -> Result<(), Rejected> {
        if self.is_shadow() { Ok(()) } else { self.check(1, now).map_err(Rejected::AdaptiveRate) }
    }

    #[inline]
    fn give_back(&self, grant: adjustable::Grant, now: Instant) {
        self.refund(grant, now);
    }

    #[inline]
    fn observe(&self, took: Took, now: Instant) {
        // What it changed is told by its snapshots.
        let _ = self.record(took.outcome(), took.latency(), now);
    }

    #[inline]
    fn settle(
        &self,
        _grant: adjustable::Grant,
        took: Took,
        now: Instant,
    ) -> Option<adaptive_rate::Adjustment> {
        self.record(took.outcome(), took.latency(), now)
    }
}

impl Admit for AdaptiveConcurrency {
    type Permit<'a> = adaptive_concurrency::Permit<'a>;
    type Change = Option<adaptive_concurrency::Adjustment>;

    #[inline]
    fn try_acquire(&self, now: Instant) -> Result<Self::Permit<'_>, Rejected> {
        self.try_acquire(now).map_err(Rejected::AdaptiveConcurrency)
    }

    /// As of this moment: the place may be another's before it is asked for.
    #[inline]
    fn check(&self, now: Instant) -> Result<(), Rejected> {
        self.check(now).map_err(Rejected::AdaptiveConcurrency)
    }

    #[inline]
    fn settle<'a>(
        &'a self,
        permit: Self::Permit<'a>,
        took: Took,
        now: Instant,
    ) -> Option<adaptive_concurrency::Adjustment> {
        self.settle_after(permit.into_ticket(), took.outcome(), took.latency(), now)
    }
}

/// A promise about latency refuses nobody; it learns how long calls took.
impl<const PRECISION: u32, const BUCKETS: usize> Admit for LatencyBudget<PRECISION, BUCKETS> {
    type Permit<'a> = ();
    type Change = Option<Edge>;

    #[inline]
    fn try_acquire(&self, _now: Instant) -> Result<(), Rejected> {
        Ok(())
    }

    #[inline]
    fn check(&self, _now: Instant) -> Result<(), Rejected> {
        Ok(())
    }

    #[inline]
    fn observe(&self, took: Took, now: Instant) {
        // Whether it is exhausted is told by its snapshots.
        let _ = self.settle((), took, now);
    }

    /// Results that say nothing about the dependency, and calls that were cancelled, break no promise and keep none.
    #[inline]
    fn settle(&self, (): (), took: Took, now: Instant) -> Option<Edge> {
        if took.is_telling() { self.record(took.latency(), now) } else { None }
    }
}

/// An objective refuses nobody; it learns whether calls succeeded, once each: attempts before the last one are not counted.
impl<const SLOTS: usize> Admit for ErrorBudget<SLOTS> {
    type Permit<'a> = ();
    type Change = Option<Edge>;

    #[inline]
    fn try_acquire(&self, _now: Instant) -> Result<(), Rejected> {
        Ok(())
    }

    #[inline]
    fn check(&self, _now: Instant) -> Result<(), Rejected> {
        Ok(())
    }

    /// Results that say nothing about the dependency, and calls that were cancelled, are no calls of the objective.
    #[inline]
    fn settle(&self, (): (), took: Took, now: Instant) -> Option<Edge> {
        if took.is_telling() { self.record(took.outcome() != Outcome::Failure, now) } else { None }
    }
}

/// The level of a service as one call meets it: with the call's priority.
///
/// # Examples
///
/// ```
/// use seawall_core::degradation::{Component, Degradation, Level};
/// use seawall_core::guard::{Admit, Serve};
/// use seawall_core::load_shedder::Priority;
/// use seawall_core::Instant;
///
/// static SERVICE: Degradation = Degradation::new();
///
/// SERVICE.set_level(Component::new(0), Level::Emergency);
/// assert!(Serve::new(&SERVICE, Priority::Normal).try_acquire(Instant::ZERO).is_err());
/// assert!(Serve::new(&SERVICE, Priority::Critical).try_acquire(Instant::ZERO).is_ok());
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Serve<'s> {
    service: &'s Degradation,
    priority: Priority,
}

impl<'s> Serve<'s> {
    /// What `service` says to a call of `priority`.
    pub const fn new(service: &'s Degradation, priority: Priority) -> Self {
        Self { service, priority }
    }
}

impl Admit for Serve<'_> {
    type Permit<'a>
        = ()
    where
        Self: 'a;
    type Change = ();

    #[inline]
    fn try_acquire(&self, now: Instant) -> Result<(), Rejected> {
        self.check(now)
    }

    #[inline]
    fn check(&self, _now: Instant) -> Result<(), Rejected> {
        let (level, priority) = (self.service.level(), self.priority);
        if level.admits(priority) { Ok(()) } else { Err(Rejected::Degraded { level, priority }) }
    }

    #[inline]
    fn settle(&self, (): (), _took: Took, _now: Instant) {}
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

/// A call that is given back has arrived all the same, and counts in the traffic.
impl<const SLOTS: usize> Admit for Shed<'_, SLOTS> {
    type Permit<'a>
        = ()
    where
        Self: 'a;
    type Change = ();

    #[inline]
    fn try_acquire(&self, now: Instant) -> Result<(), Rejected> {
        self.shedder.try_admit(self.priority, self.load, now).map_err(Rejected::LoadShedder)
    }

    /// Nothing is refused: who is shed is drawn when the call comes.
    #[inline]
    fn check(&self, _now: Instant) -> Result<(), Rejected> {
        Ok(())
    }

    #[inline]
    fn settle(&self, (): (), _took: Took, _now: Instant) {}
}
