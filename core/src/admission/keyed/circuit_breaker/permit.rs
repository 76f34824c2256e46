//! An admitted call of a key, with the borrow or without.

use core::fmt;

use super::view::{SHARED, View};
use crate::admission::circuit_breaker::{self, Settlement};
use crate::admission::keyed::table::Owned;
use crate::outcome::Outcome;
use crate::time::Instant;

/// An admitted call that must still be settled: a [`Permit`] without the borrow.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "settle the ticket with `KeyedCircuitBreaker::settle`"]
pub struct Ticket {
    /// The entry; `SHARED` is the one for keys that found none.
    pub(super) at: u32,
    pub(super) owner: Owned,
    pub(super) of_breaker: circuit_breaker::Ticket,
}

/// An admitted call.
///
/// It settles once: by [`Permit::record`], or as cancelled when it is dropped.
#[must_use = "dropping it settles the call as cancelled"]
pub struct Permit<'a> {
    pub(super) keyed: View<'a>,
    pub(super) ticket: Ticket,
}

impl Permit<'_> {
    /// Reports how the call ended.
    #[inline]
    pub fn record(self, outcome: Outcome, now: Instant) -> Settlement {
        let keyed = self.keyed;
        keyed.settle(&self.into_ticket(), outcome, now)
    }

    /// Whether the call was admitted by the breaker that keys without an entry share.
    pub const fn is_shared(&self) -> bool {
        self.ticket.at == SHARED
    }

    /// Turns the permit into plain data, for places where the borrow cannot live.
    #[inline]
    pub fn into_ticket(self) -> Ticket {
        let Ticket { at, owner, ref of_breaker } = self.ticket;
        let ticket = Ticket { at, owner, of_breaker: of_breaker.again() };
        core::mem::forget(self);
        ticket
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        // A cancelled call is settled without a time: it starts no phase.
        self.keyed.settle(&self.ticket, Outcome::Cancelled, Instant::ZERO);
    }
}

impl fmt::Debug for Permit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").finish_non_exhaustive()
    }
}
