//! Patterns of every type as parts.

use super::{Asked, Composition, Permits};
use crate::replay::fields::Fields;
use crate::replay::patterns::adaptive_concurrency::adjustment as limit_adjustment;
use crate::replay::patterns::adaptive_rate::adjustment as rate_adjustment;
use crate::replay::patterns::answers::edge;
use crate::replay::patterns::bulkhead::Seats;
use crate::replay::patterns::circuit_breaker::{self, Station};
use crate::replay::patterns::error_budget::Budget;
use crate::replay::patterns::{keyed, keyed_circuit_breaker, keyed_rate_limiter};
use seawall::core::guard::{Admit, Rejected, Serve, Shed, Took};
use seawall::core::keyed::Bucket;
use seawall::core::keyed::circuit_breaker::Breaker;
use seawall::core::load_shedder::LoadShedder;
use seawall::core::{
    AdaptiveConcurrency, AdaptiveRate, AdjustableRateLimiter, Degradation, Instant, LatencyBudget,
    RateLimiter,
};
use std::any::Any;

/// What an admitted call holds of one part.
pub(super) type Held = Box<dyn Any>;

/// A pattern of any type as a part.
pub(super) trait Part {
    fn try_acquire(&self, asked: &Asked, now: Instant) -> Result<Held, Rejected>;
    fn check(&self, asked: &Asked, now: Instant) -> Result<(), Rejected>;
    fn give_back(&self, held: Held, now: Instant);
    fn observe(&self, took: Took, now: Instant);
    /// Settles, and prints what that changed.
    fn settle(&self, held: Held, took: Took, now: Instant) -> Fields;
    /// How many parts it is, itself counted.
    fn parts(&self) -> usize {
        1
    }
    /// Whether it has a state for each key.
    fn is_keyed(&self) -> bool {
        false
    }
}

/// A pattern that asks for nothing but the moment, and what prints its change.
struct Plain<A: Admit + 'static>(&'static A, fn(A::Change, &mut Fields));

impl<A: Admit> Part for Plain<A>
where
    A::Permit<'static>: Any,
{
    fn try_acquire(&self, _: &Asked, now: Instant) -> Result<Held, Rejected> {
        self.0.try_acquire(now).map(|permit| Box::new(permit) as Held)
    }

    fn check(&self, _: &Asked, now: Instant) -> Result<(), Rejected> {
        self.0.check(now)
    }

    fn give_back(&self, held: Held, now: Instant) {
        if let Ok(permit) = held.downcast::<A::Permit<'static>>() {
            self.0.give_back(*permit, now);
        }
    }

    fn observe(&self, took: Took, now: Instant) {
        self.0.observe(took, now);
    }

    fn settle(&self, held: Held, took: Took, now: Instant) -> Fields {
        let mut fields = Fields::default();
        if let Ok(permit) = held.downcast::<A::Permit<'static>>() {
            self.1(self.0.settle(*permit, took, now), &mut fields);
        }
        fields
    }
}

/// A pattern that looks at the call's priority, and gives nothing that is to be settled.
struct ByPriority<F>(F);

impl<A: Admit, F: Fn(&Asked) -> A> Part for ByPriority<F> {
    fn try_acquire(&self, asked: &Asked, now: Instant) -> Result<Held, Rejected> {
        self.0(asked).try_acquire(now).map(|_| Box::new(()) as Held)
    }

    fn check(&self, asked: &Asked, now: Instant) -> Result<(), Rejected> {
        self.0(asked).check(now)
    }

    fn give_back(&self, _: Held, _: Instant) {}

    fn observe(&self, _: Took, _: Instant) {}

    fn settle(&self, _: Held, _: Took, _: Instant) -> Fields {
        Fields::default()
    }
}

/// The state of the call's key in a table; its permit goes back to that of the same key.
struct ByKey<A, P, F>(F, fn(A, P, Took, Instant) -> Fields);

impl<A, P, F> Part for ByKey<A, P, F>
where
    A: for<'a> Admit<Permit<'a> = P> + 'static,
    P: Any,
    F: Fn(&keyed::Asked) -> A,
{
    fn try_acquire(&self, asked: &Asked, now: Instant) -> Result<Held, Rejected> {
        let of_key = self.0(&asked.key);
        let permit = of_key.try_acquire(now)?;
        Ok(Box::new((of_key, permit)))
    }

    fn check(&self, asked: &Asked, now: Instant) -> Result<(), Rejected> {
        self.0(&asked.key).check(now)
    }

    fn give_back(&self, held: Held, now: Instant) {
        if let Ok(held) = held.downcast::<(A, P)>() {
            let (of_key, permit) = *held;
            of_key.give_back(permit, now);
        }
    }

    /// None of them follows attempts.
    fn observe(&self, _: Took, _: Instant) {}

    fn settle(&self, held: Held, took: Took, now: Instant) -> Fields {
        let Ok(held) = held.downcast::<(A, P)>() else { return Fields::default() };
        let (of_key, permit) = *held;
        self.1(of_key, permit, took, now)
    }

    fn is_keyed(&self) -> bool {
        true
    }
}

/// A composition is a part as its parts are, and prints what changed in them.
struct Nested(&'static Composition);

impl Part for Nested {
    fn try_acquire(&self, asked: &Asked, now: Instant) -> Result<Held, Rejected> {
        self.0.admit(asked, now).map(|permits| Box::new(permits) as Held)
    }

    fn check(&self, asked: &Asked, now: Instant) -> Result<(), Rejected> {
        self.0.asking(asked).check(now)
    }

    fn give_back(&self, held: Held, now: Instant) {
        if let Ok(permits) = held.downcast::<Permits>() {
            self.0.give_back(*permits, now);
        }
    }

    fn observe(&self, took: Took, now: Instant) {
        self.0.observe(took, now);
    }

    fn settle(&self, held: Held, took: Took, now: Instant) -> Fields {
        let mut fields = Fields::default();
        if let Ok(permits) = held.downcast::<Permits>() {
            fields.put("changes", self.0.settle(*permits, took, now));
        }
        fields
    }

    fn parts(&self) -> usize {
        self.0.0.iter().map(|(_, part)| part.parts()).sum::<usize>() + 1
    }

    fn is_keyed(&self) -> bool {
        self.0.is_keyed()
    }
}

/// The slots of the breakers that a script can make.
macro_rules! breaker {
    ($it:ident, $($slots:literal)*) => {
        $(if let Some(station) = $it.downcast_ref::<Station<$slots>>() {
            return Some(Box::new(Plain(station, |settlement, out| {
                circuit_breaker::print_settlement(out, settlement);
            })));
        })*
    };
}

/// An instance as a part.
pub(super) fn part(it: &'static dyn Any) -> Option<Box<dyn Part>> {
    if let Some(limiter) = it.downcast_ref::<RateLimiter>() {
        return Some(Box::new(Plain(limiter, |(), _| {})));
    }
    if let Some(limiter) = it.downcast_ref::<AdjustableRateLimiter>() {
        return Some(Box::new(Plain(limiter, |(), _| {})));
    }
    if let Some(composition) = it.downcast_ref::<Composition>() {
        return Some(Box::new(Nested(composition)));
    }
    if let Some(rate) = it.downcast_ref::<AdaptiveRate>() {
        return Some(Box::new(Plain(rate, |change, out| {
            out.put("adjustment", change.map(rate_adjustment));
        })));
    }
    if let Some(limit) = it.downcast_ref::<AdaptiveConcurrency>() {
        return Some(Box::new(Plain(limit, |change, out| {
            out.put("adjustment", change.map(limit_adjustment));
        })));
    }
    if let Some(seats) = it.downcast_ref::<Seats>() {
        return Some(Box::new(Plain(seats.bulkhead(), |(), _| {})));
    }
    if let Some(budget) = it.downcast_ref::<LatencyBudget>() {
        return Some(Box::new(Plain(budget, |crossed, out| {
            out.put("edge", crossed.map(edge));
        })));
    }
    if let Some(budget) = it.downcast_ref::<Budget>() {
        return Some(Box::new(Plain(budget, |crossed, out| {
            out.put("edge", crossed.map(edge));
        })));
    }
    if let Some(table) = it.downcast_ref::<keyed_rate_limiter::Keyed>() {
        let settle = |bucket: Bucket<'static>, grant, took, now| {
            bucket.settle(grant, took, now);
            Fields::default()
        };
        return Some(Box::new(ByKey(|key: &keyed::Asked| keyed_rate_limiter::bucket_of(table, key), settle)));
    }
    if let Some(table) = it.downcast_ref::<keyed_circuit_breaker::Keyed>() {
        let settle = |breaker: Breaker<'static>, permit, took, now| {
            let mut fields = Fields::default();
            circuit_breaker::print_settlement(&mut fields, breaker.settle(permit, took, now));
            fields
        };
        return Some(Box::new(ByKey(
            |key: &keyed::Asked| keyed_circuit_breaker::breaker_of(table, key),
            settle,
        )));
    }
    if let Some(service) = it.downcast_ref::<Degradation>() {
        return Some(Box::new(ByPriority(|asked: &Asked| Serve::new(service, asked.priority))));
    }
    if let Some(shedder) = it.downcast_ref::<LoadShedder>() {
        return Some(Box::new(ByPriority(|asked: &Asked| Shed::new(shedder, asked.priority, asked.load))));
    }
    breaker!(it, 1 2 3 4 5 6 8 10 12 15 16 20 24 30 32 50 60 64 100 120 128 256 1000);
    None
}
