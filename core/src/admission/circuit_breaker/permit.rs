//! An admitted call, with the borrow or without.

use core::fmt;

use super::{Cause, CircuitBreaker, Settlement, State, Transition};
use crate::outcome::Outcome;
use crate::time::Instant;

/// An admitted call that must still be settled: a [`Permit`] without the borrow.
///
/// Dropping a probe's ticket loses the probe until its lease ends; nothing else is lost.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "settle the ticket with `CircuitBreaker::settle`"]
pub struct Ticket {
    pub(super) generation: u32,
    pub(super) probe: bool,
    pub(super) started: Instant,
}

/// An admitted call.
///
/// It settles once: by [`Permit::record`], or as cancelled when it is dropped.
#[must_use = "dropping it settles the call as cancelled"]
pub struct Permit<'a, const SLOTS: usize = 0> {
    pub(super) breaker: &'a CircuitBreaker<SLOTS>,
    pub(super) generation: u32,
    pub(super) probe: bool,
    pub(super) half_opens: bool,
    pub(super) started: Instant,
}

impl<const SLOTS: usize> Permit<'_, SLOTS> {
    /// Reports how the call ended.
    #[inline]
    pub fn record(self, outcome: Outcome, now: Instant) -> Settlement {
        let breaker = self.breaker;
        breaker.settle(self.into_ticket(), outcome, now)
    }

    /// Whether this call is a probe.
    pub const fn is_probe(&self) -> bool {
        self.probe
    }

    /// The transition that admitted this call, from open to half-open, if it is the first probe after the open time.
    #[inline]
    pub fn transition(&self) -> Option<Transition> {
        self.half_opens.then_some(Transition {
            from: State::Open,
            to: State::HalfOpen,
            cause: Cause::OpenTimeOver,
            generation: self.generation,
        })
    }

    /// Turns the permit into plain data, for places where the borrow cannot live.
    #[inline]
    pub fn into_ticket(self) -> Ticket {
        let ticket = Ticket { generation: self.generation, probe: self.probe, started: self.started };
        core::mem::forget(self);
        ticket
    }
}

impl<const SLOTS: usize> Drop for Permit<'_, SLOTS> {
    fn drop(&mut self) {
        let ticket = Ticket { generation: self.generation, probe: self.probe, started: self.started };
        // A cancelled call is settled without a time: it starts no phase.
        self.breaker.settle(ticket, Outcome::Cancelled, Instant::ZERO);
    }
}

impl<const SLOTS: usize> fmt::Debug for Permit<'_, SLOTS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit")
            .field("generation", &self.generation)
            .field("probe", &self.probe)
            .finish_non_exhaustive()
    }
}
