//! Calls that are watched and not ruled.

use super::Guard;
use super::call::{Attempt, Call, Report, Settled, Verdict};
use super::rejected::Pattern;
use crate::admission::circuit_breaker::Permit;
use crate::atomic::word::{Packed, Word};
use crate::attempt::deadline::Deadline;
use crate::time::Instant;

/// Whether calls are only watched: one word, which each call reads once.
pub(super) struct Switch(Word);

#[derive(Clone, Copy)]
struct On(bool);

impl Packed for On {
    type Raw = u32;

    #[inline]
    fn unpack(raw: u32) -> Self {
        Self(raw != 0)
    }

    #[inline]
    fn pack(self) -> u32 {
        u32::from(self.0)
    }
}

impl Switch {
    const_fn! {
        pub(super) const fn new(on: bool) -> Self {
            Self(Word::new(on as u32))
        }
    }

    #[inline]
    pub(super) fn is_on(&self) -> bool {
        self.0.load::<On>().0
    }

    /// Says what it was.
    pub(super) fn set(&self, on: bool) -> bool {
        self.0.transition(|before: On| ((before.0 != on).then_some(On(on)), before.0))
    }
}

impl<const WAITERS: usize, const SLOTS: usize> Guard<WAITERS, SLOTS> {
    #[cold]
    pub(super) fn begin_in_shadow(&self, deadline: Deadline, now: Instant) -> Call<'_, WAITERS, SLOTS> {
        if Deadline::after(now, self.deadline()).min(deadline).is_expired(now) {
            self.counters.would_reject(Pattern::Deadline);
        }
        let grant = self.limiter.as_ref().and_then(|limiter| {
            limiter.try_acquire(now).inspect_err(|_| self.counters.would_reject(Pattern::RateLimiter)).ok()
        });
        let slot = self.bulkhead.as_ref().and_then(|bulkhead| {
            bulkhead.try_acquire(now).inspect_err(|_| self.counters.would_reject(Pattern::Bulkhead)).ok()
        });
        Call::new(self, grant, slot, deadline, now).in_shadow()
    }
}

impl<'a, const WAITERS: usize, const SLOTS: usize> Call<'a, WAITERS, SLOTS> {
    /// Whether the call is only watched.
    pub(super) fn is_shadow(&self) -> bool {
        if mutant!("guard_looks_at_the_switch_again") {
            return self.guard.shadow.is_on();
        }
        self.shadow
    }

    #[cold]
    pub(super) fn attempt_in_shadow(&mut self, now: Instant) -> Attempt<'a, SLOTS> {
        let counters = &self.guard.counters;
        let permit = self.guard.breaker.as_ref().and_then(|breaker| {
            breaker.try_acquire(now).inspect_err(|_| counters.would_reject(Pattern::CircuitBreaker)).ok()
        });
        if let Some(transition) = permit.as_ref().and_then(Permit::transition) {
            self.guard.changed(transition, now);
        }
        if permit.as_ref().and_then(Permit::would_reject).is_some() {
            counters.would_reject(Pattern::CircuitBreaker);
        }
        self.attempts = self.attempts.saturating_add(1);
        Attempt { permit, number: self.attempts, started: now, deadline: self.deadline }
    }

    #[cold]
    pub(super) fn settle_in_shadow(
        &mut self,
        attempt: Attempt<'a, SLOTS>,
        report: Report,
        now: Instant,
    ) -> Settled {
        let guard = self.guard;
        let call = Deadline::after(self.began, guard.deadline());
        // A result and the deadline in one moment is a result.
        let over = guard.attempt_deadline(attempt.permit.as_ref(), attempt.started, call);
        let judged = if now > over.moment() {
            guard.counters.would_time_out();
            Report::timed_out()
        } else {
            report
        };
        guard.learn(judged.outcome(), attempt.started, now);
        let peer = judged.peer_delay();
        let transition =
            attempt.permit.and_then(|permit| permit.record_with(judged.outcome(), peer, now).transition());
        if let Some(transition) = transition {
            guard.changed(transition, now);
        }
        if !self.open {
            return Settled { verdict: Verdict::Done, transition, budget: None };
        }
        if let Verdict::RetryAfter(_) = self.decide(judged, now) {
            guard.counters.would_retry();
        }
        let budget = self.finish(report.outcome(), now);
        Settled { verdict: Verdict::Done, transition, budget }
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
