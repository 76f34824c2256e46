//! An admitted call, with the borrow or without.

use core::fmt;

use super::state::Place;
use super::{AdaptiveConcurrency, Adjustment};
use crate::outcome::Outcome;
use crate::time::Instant;

/// An admitted call that must still be settled: a [`Permit`] without the borrow.
///
/// It cannot be copied, so it settles at most once:
///
/// ```compile_fail,E0382
/// use seawall_core::{adaptive_concurrency::Config, AdaptiveConcurrency, Instant, Outcome};
///
/// let limiter = AdaptiveConcurrency::new(Config::aimd(1));
/// let ticket = limiter.try_acquire(Instant::ZERO).unwrap().into_ticket();
/// limiter.settle(ticket, Outcome::Success, Instant::ZERO);
/// limiter.settle(ticket, Outcome::Success, Instant::ZERO);
/// ```
#[derive(Debug, PartialEq, Eq)]
#[must_use = "without `AdaptiveConcurrency::settle` the place is lost"]
pub struct Ticket {
    pub(super) started: Instant,
    pub(super) place: Place,
}

/// An admitted call.
///
/// It settles once: by [`Permit::record`], or as cancelled when it is dropped.
#[must_use = "dropping it settles the call as cancelled"]
pub struct Permit<'a> {
    pub(super) limiter: &'a AdaptiveConcurrency,
    pub(super) ticket: Ticket,
}

impl Permit<'_> {
    /// Reports how the call ended; returns the change of the limit, if this result makes one.
    #[inline]
    pub fn record(self, outcome: Outcome, now: Instant) -> Option<Adjustment> {
        let limiter = self.limiter;
        limiter.settle(self.into_ticket(), outcome, now)
    }

    /// Gives up the borrow: the place stays taken until [`AdaptiveConcurrency::settle`] gets the ticket.
    #[inline]
    pub fn into_ticket(self) -> Ticket {
        let ticket = Ticket { started: self.ticket.started, place: self.ticket.place };
        core::mem::forget(self);
        ticket
    }

    /// Whether the call helps to measure the latency without a queue.
    pub const fn is_probe(&self) -> bool {
        self.ticket.place.probe
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.limiter.release();
    }
}

impl fmt::Debug for Permit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").field("ticket", &self.ticket).finish_non_exhaustive()
    }
}
