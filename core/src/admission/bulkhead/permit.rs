//! What an admitted call holds.

use core::fmt;
use core::mem;
use core::time::Duration;

use super::Bulkhead;
use crate::time::nanos;

/// Permits of an admitted call, until it is dropped.
#[must_use = "dropping it returns the permits"]
pub struct Permit<'a, const WAITERS: usize> {
    bulkhead: &'a Bulkhead<WAITERS>,
    weight: u32,
    /// Nanoseconds.
    waited: u64,
}

impl<'a, const WAITERS: usize> Permit<'a, WAITERS> {
    pub(super) const fn new(bulkhead: &'a Bulkhead<WAITERS>, weight: u32) -> Self {
        Self { bulkhead, weight, waited: 0 }
    }

    /// The permits of a call that waited for them.
    pub(super) const fn waiting(bulkhead: &'a Bulkhead<WAITERS>, weight: u32, waited: Duration) -> Self {
        Self { bulkhead, weight, waited: nanos(waited) }
    }

    /// How long the call waited for its permits, until it was polled; zero if it was admitted at once.
    pub const fn waited(&self) -> Duration {
        Duration::from_nanos(self.waited)
    }

    /// How many permits it holds.
    pub const fn weight(&self) -> u32 {
        self.weight
    }

    /// Gives up the borrow: the permits stay taken until [`Bulkhead::release`] gets the ticket.
    pub const fn into_ticket(self) -> Ticket {
        let ticket = Ticket { weight: self.weight };
        mem::forget(self);
        ticket
    }
}

impl<const WAITERS: usize> Drop for Permit<'_, WAITERS> {
    fn drop(&mut self) {
        self.bulkhead.give_back(self.weight);
    }
}

impl<const WAITERS: usize> fmt::Debug for Permit<'_, WAITERS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").field("weight", &self.weight).finish_non_exhaustive()
    }
}

/// The permits of an admitted call, for places where a borrow cannot live.
///
/// It cannot be copied, so it is given back at most once:
///
/// ```compile_fail,E0382
/// use seawall_core::{bulkhead::Config, Bulkhead, Instant};
///
/// let bulkhead = Bulkhead::<0>::new(Config::new(1));
/// let ticket = bulkhead.try_acquire(Instant::ZERO).unwrap().into_ticket();
/// bulkhead.release(ticket);
/// bulkhead.release(ticket);
/// ```
#[derive(Debug, PartialEq, Eq)]
#[must_use = "without `Bulkhead::release` the permits are lost"]
pub struct Ticket {
    weight: u32,
}

impl Ticket {
    /// Uses the ticket up.
    pub(super) const fn redeem(self) -> u32 {
        self.weight
    }

    /// How many permits it stands for.
    pub const fn weight(&self) -> u32 {
        self.weight
    }
}
