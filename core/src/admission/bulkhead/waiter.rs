//! A caller that waits for its turn.

use core::fmt;
use core::task::{Poll, Waker};

use super::{Bulkhead, Permit, Rejected};
use crate::atomic::wait_queue::{Place, Slot};
use crate::attempt::deadline::Deadline;
use crate::time::Instant;

/// How a call came in.
#[derive(Debug)]
#[must_use = "dropping it gives up the permits or the place in the queue"]
pub enum Entry<'a, const WAITERS: usize> {
    /// It was admitted at once.
    Admitted(Permit<'a, WAITERS>),
    /// It waits for its turn.
    Waiting(Waiter<'a, WAITERS>),
}

/// A place in the queue.
///
/// To drop it is to give up: its place, or the permits that it was granted but had not collected, go to the next one.
#[must_use = "dropping it gives up the place in the queue"]
pub struct Waiter<'a, const WAITERS: usize> {
    bulkhead: &'a Bulkhead<WAITERS>,
    /// The slot, until the answer was given.
    slot: Option<&'a Slot>,
    need: u32,
    since: Instant,
    deadline: Instant,
}

impl<'a, const WAITERS: usize> Waiter<'a, WAITERS> {
    pub(super) fn new(bulkhead: &'a Bulkhead<WAITERS>, slot: &'a Slot, need: u32, now: Instant) -> Self {
        let deadline = now.saturating_add(bulkhead.max_wait());
        Self { bulkhead, slot: Some(slot), need, since: now, deadline }
    }

    /// When the wait is over: poll again at this moment, whether woken or not; [`Instant::NEVER`] does not come.
    pub const fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Asks whether it is this waiter's turn, and leaves `waker` to be woken when it is.
    ///
    /// A grant wins over the deadline, also if both came since the last poll.
    ///
    /// # Errors
    ///
    /// [`Rejected::WaitTimeout`] from the deadline on, [`Rejected::Closed`] after [`Bulkhead::close`],
    /// [`Rejected::TooMany`] if the bulkhead shrank below what this waiter needs, and [`Rejected::Settled`] if the answer
    /// was given before.
    pub fn poll(&mut self, waker: &Waker, now: Instant) -> Poll<Result<Permit<'a, WAITERS>, Rejected>> {
        let Some(slot) = self.slot else { return Poll::Ready(Err(Rejected::Settled)) };
        if let Some(verdict) = slot.collect() {
            return Poll::Ready(self.answer(verdict, now));
        }
        if Deadline::at(self.deadline).is_expired(now) {
            let verdict = slot.leave();
            return Poll::Ready(self.answer(verdict, now));
        }
        slot.register(waker);
        if mutant!("bulkhead_no_check_after_register") {
            return Poll::Pending;
        }
        // A verdict may have come before the waker was there.
        match slot.collect() {
            Some(verdict) => Poll::Ready(self.answer(verdict, now)),
            None => Poll::Pending,
        }
    }

    fn answer(&mut self, verdict: Place, now: Instant) -> Result<Permit<'a, WAITERS>, Rejected> {
        self.slot = None;
        let waited = now.saturating_since(self.since);
        match verdict {
            Place::Granted => {
                self.bulkhead.waits.record(waited);
                Ok(Permit::waiting(self.bulkhead, self.need, waited))
            }
            Place::TooMany { capacity } => Err(Rejected::TooMany { requested: self.need, capacity }),
            Place::Closed => Err(Rejected::Closed),
            _ => {
                self.bulkhead.left();
                Err(Rejected::WaitTimeout { waited })
            }
        }
    }
}

impl<const WAITERS: usize> Drop for Waiter<'_, WAITERS> {
    fn drop(&mut self) {
        if let Some(slot) = self.slot.take() {
            match slot.leave() {
                Place::Cancelled => self.bulkhead.left(),
                Place::Granted if !mutant!("bulkhead_drop_keeps_grant") => {
                    self.bulkhead.give_back(self.need);
                }
                _ => {}
            }
        }
    }
}

impl<const WAITERS: usize> fmt::Debug for Waiter<'_, WAITERS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiter")
            .field("need", &self.need)
            .field("deadline", &self.deadline)
            .field("settled", &self.slot.is_none())
            .finish_non_exhaustive()
    }
}
