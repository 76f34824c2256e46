//! What the word of a bucket holds, and what can happen to it.

use core::time::Duration;

use super::grant::{Grant, Reservation};
use super::scale::{FULL, Scale};
use crate::atomic::sync::Wide;
use crate::atomic::word::Packed;
use crate::time::Instant;

/// Whether tokens came back from before reservations that are still to start; above it lies the generation, if the word has
/// one, and above that the arrival time.
const GAP: Wide = 1;

/// A bucket: its arrival time in the scale's units, or `FULL`, with `TAG` bits below.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Bucket<const TAG: u32>(Wide);

impl<const TAG: u32> Packed for Bucket<TAG> {
    type Raw = Wide;

    #[inline]
    fn unpack(raw: Wide) -> Self {
        Self(raw)
    }

    #[inline]
    fn pack(self) -> Wide {
        self.0
    }
}

impl<const TAG: u32> Bucket<TAG> {
    /// A full bucket of the first generation, as a raw word.
    pub(super) const NEW: Wide = FULL;

    /// How many generations have a number of their own.
    pub(super) const GENERATIONS: u32 = 1 << (TAG - 1);

    #[inline]
    pub(super) const fn arrival(self) -> Wide {
        self.0 >> TAG << TAG
    }

    #[inline]
    pub(super) const fn has_gap(self) -> bool {
        self.0 & GAP != 0
    }

    /// Which quota the arrival time is counted for.
    #[inline]
    pub(super) const fn generation(self) -> u32 {
        (self.0 >> 1) as u32 & (Self::GENERATIONS - 1)
    }

    /// A bucket of the same generation.
    #[inline]
    fn moved(self, arrival: Wide, gap: bool) -> Self {
        Self(arrival | (self.0 & !(Wide::MAX << TAG) & !GAP) | Wide::from(gap))
    }

    /// The same bucket, when it has filled.
    pub(super) fn filled(self) -> Self {
        self.moved(FULL, false)
    }

    /// A bucket of the generation that `stamp` ends in.
    pub(super) fn of_generation(stamp: u32, arrival: Wide, gap: bool) -> Self {
        let generation = stamp & (Self::GENERATIONS - 1);
        Self(arrival | (Wide::from(generation) << 1) | Wide::from(gap))
    }

    #[inline]
    pub(super) const fn debt(self, scale: &Scale<TAG>, present: Wide) -> Wide {
        scale.debt(self.arrival(), present)
    }

    /// The bucket without `units`, or by how many they exceed what is there.
    #[inline]
    pub(super) fn take(self, scale: &Scale<TAG>, units: Wide, present: Wide) -> Result<Self, Wide> {
        let debt = self.debt(scale, present);
        let left = scale.tolerance.saturating_sub(debt);
        let fits = if mutant!("limiter_ignores_tolerance") { true } else { units <= left };
        if fits { Ok(self.without(scale, debt, units, present)) } else { Err(scale.excess(debt, units)) }
    }

    #[inline]
    fn without(self, scale: &Scale<TAG>, debt: Wide, units: Wide, present: Wide) -> Self {
        let arrival = scale.stored(present.wrapping_add(debt).wrapping_add(units));
        self.moved(arrival, self.has_gap() && debt > 0)
    }

    /// The bucket without `units`, and the time after which they are there; or by how many they exceed what is there now.
    pub(super) fn reserve(
        self,
        scale: &Scale<TAG>,
        units: Wide,
        max_wait: Duration,
        now: Instant,
    ) -> Result<(Self, Duration), Wide> {
        let present = scale.present(now);
        let excess = match self.take(scale, units, present) {
            Ok(taken) => return Ok((taken, Duration::ZERO)),
            Err(excess) => excess,
        };
        let debt = self.debt(scale, present);
        let has_room = excess <= scale.reach() && scale.has_room(present, debt, units);
        match scale.wait_for(excess, now) {
            Some(wait) if has_room && wait <= max_wait => {
                Ok((self.without(scale, debt, units, present), wait))
            }
            _ => Err(excess),
        }
    }

    /// The bucket with what comes back of a grant, and whether that is all of it; `None` if nothing does.
    pub(super) fn refund(self, scale: &Scale<TAG>, grant: &Grant, present: Wide) -> Option<(Self, bool)> {
        let back = scale.back(self.arrival(), self.has_gap(), grant.units, grant.until, present);
        let from = if mutant!("limiter_refund_forgets_later_grants") { grant.until } else { self.arrival() };
        let gap = (self.has_gap() || back.leaves_gap) && !mutant!("limiter_leaves_no_gap");
        let refunded = self.moved(scale.stored(from.wrapping_sub(back.units)), gap);
        (back.units > 0).then_some((refunded, back.units == grant.units))
    }

    /// As [`refund`](Self::refund), unless the reservation's time is past.
    pub(super) fn cancel(
        self,
        scale: &Scale<TAG>,
        reservation: &Reservation,
        now: Instant,
    ) -> Option<(Self, bool)> {
        if now > reservation.ready_at {
            None
        } else {
            self.refund(scale, &reservation.grant, scale.present(now))
        }
    }

    /// The bucket with all of a grant, at whatever moment; `None` if somebody took tokens since.
    pub(super) fn undo(self, scale: &Scale<TAG>, grant: &Grant) -> Option<Self> {
        // Had the bucket been full since, whoever took the next token would have moved the arrival time beyond the grant's;
        // so where it is not beyond, the bucket was never full.
        let arrival = self.arrival();
        let beyond = arrival == FULL || grant.until.wrapping_sub(arrival) > scale.tolerance || self.has_gap();
        let undone = (!beyond || mutant!("limiter_undoes_regardless")) && grant.is_taken();
        undone.then(|| self.moved(scale.stored(arrival.wrapping_sub(grant.units)), self.has_gap()))
    }

    /// The whole tokens that are there.
    pub(super) fn available(self, scale: &Scale<TAG>, present: Wide) -> u32 {
        scale.tokens_in(scale.tolerance.saturating_sub(self.debt(scale, present)))
    }
}
