//! Calls that are watched and not ruled.

use super::Guard;
use super::call::{Attempt, Call, Report, Settled, Verdict};
use super::rejected::Pattern;
use crate::attempt::deadline::Deadline;
use crate::time::Instant;

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
        self.guard.admitted(permit.as_ref(), now);
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
        let transition = guard.attempted(attempt, judged, now);
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
