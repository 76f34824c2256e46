//! A call that waits for a slot.

use core::fmt;
use core::task::{Poll, Waker};

use super::{Call, Guard, Rejected};
use crate::admission::bulkhead;
use crate::admission::rate_limiter::Grant;
use crate::attempt::deadline::Deadline;
use crate::time::Instant;

/// A call that waits for a slot. Dropping it gives its place and its token back.
#[must_use = "dropping it cancels the call"]
pub struct Waiting<'a, const WAITERS: usize, const SLOTS: usize> {
    pub(super) guard: &'a Guard<WAITERS, SLOTS>,
    pub(super) grant: Option<Grant>,
    pub(super) waiter: Option<bulkhead::Waiter<'a, WAITERS>>,
    pub(super) deadline: Deadline,
    pub(super) since: Instant,
}

impl<'a, const WAITERS: usize, const SLOTS: usize> Waiting<'a, WAITERS, SLOTS> {
    /// When the wait ends at the latest: the bulkhead's limit or the call's deadline.
    pub fn deadline(&self) -> Instant {
        self.waiter.as_ref().map_or(Instant::NEVER, |waiter| waiter.deadline().min(self.deadline.moment()))
    }

    /// Asks whether the slot is there; `waker` is woken when it may be.
    ///
    /// The caller polls again at [`Waiting::deadline`]; a slot and the deadline in one moment: the slot wins.
    /// After it was ready, it stays pending.
    pub fn poll(&mut self, waker: &Waker, now: Instant) -> Poll<Result<Call<'a, WAITERS, SLOTS>, Rejected>> {
        let Some(waiter) = &mut self.waiter else { return Poll::Pending };
        match waiter.poll(waker, now) {
            Poll::Pending if self.deadline.is_expired(now) => {
                // Dropping the waiter passes its turn on, or the slot if it came this instant.
                self.waiter = None;
                self.guard.refund(self.grant.take(), now);
                Poll::Ready(Err(self.guard.refuse(Rejected::DeadlineExpired)))
            }
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(slot)) => {
                self.waiter = None;
                Poll::Ready(Ok(Call::new(self.guard, self.grant.take(), Some(slot), self.deadline, now)))
            }
            Poll::Ready(Err(rejected)) => {
                self.waiter = None;
                Poll::Ready(Err(self.guard.refuse_slot(self.grant.take(), rejected, now)))
            }
        }
    }

    /// Gives the place up.
    ///
    /// Dropping it does the same, but its token then comes back only if nobody took one since, for want of the present moment.
    pub fn cancel(mut self, now: Instant) {
        if self.waiter.take().is_some() {
            self.guard.counters.cancelled();
            self.guard.refund(self.grant.take(), now);
        }
    }

    /// When the call asked for a slot.
    pub const fn since(&self) -> Instant {
        self.since
    }
}

impl<const WAITERS: usize, const SLOTS: usize> Drop for Waiting<'_, WAITERS, SLOTS> {
    fn drop(&mut self) {
        if self.waiter.take().is_some() {
            self.guard.counters.cancelled();
            if !mutant!("guard_drops_a_waiter_but_not_its_token") {
                self.guard.undo(self.grant.take());
            }
        }
    }
}

impl<const WAITERS: usize, const SLOTS: usize> fmt::Debug for Waiting<'_, WAITERS, SLOTS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiting")
            .field("since", &self.since)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}
