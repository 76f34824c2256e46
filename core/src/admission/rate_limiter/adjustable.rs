//! A rate limiter whose quota can change while calls ask.
//!
//! It decides as a [`RateLimiter`](super::RateLimiter) does, and [`set_quota`](AdjustableRateLimiter::set_quota) keeps what
//! is in the bucket.
//! Where the quota never changes the fixed limiter is smaller and faster; where it is to follow the latency of the calls
//! there is the [`adaptive_rate`](crate::admission::adaptive_rate).
//!
//! # Examples
//!
//! ```
//! use core::time::Duration;
//! use seawall_core::{rate_limiter::Quota, AdjustableRateLimiter, Instant};
//!
//! static INBOUND: AdjustableRateLimiter = AdjustableRateLimiter::new(Quota::per_second(2));
//!
//! let now = Instant::from_secs(5);
//! assert!(INBOUND.try_acquire_many(2, now).is_ok());
//! INBOUND.set_quota(Quota::per_second(10), now)?;
//! let rejected = INBOUND.try_acquire(now).unwrap_err();
//! assert_eq!(rejected.retry_after(), Some(Duration::from_millis(100)), "no token was added, and none was lost");
//! # Ok::<_, seawall_core::rate_limiter::adjustable::QuotaError>(())
//! ```
//!
//! # States
//!
//! A change keeps the tokens that are there, and those that are owed to reservations:
//!
//! ```text
//! tokens there before    tokens there after
//! more than new burst ─► new burst           a full bucket stays as full as the new burst allows
//! others              ─► as many             a larger bucket fills at the new rate
//! fewer than none     ─► as many             reservations keep their times
//! ```
//!
//! Parts of a token are rounded down, to a unit or two. The same quota again changes nothing.
//! What is owed to reservations beyond the reach of the new quota (see the limiter's `reserve`) is forgiven.
//! A grant or reservation of an earlier quota gives nothing back: its tokens lapse.
//!
//! # Memory layout
//!
//! ```text
//! 63 (31) ……… 5 ARRIVAL TIME │ 4 … 1 GENERATION │ 0 GAP
//! ```
//!
//! One word as wide as the target exchanges, two slots for quotas, each with the number of the last era in which it was used, a
//! word for who changes them, and the switch of shadow mode: 128 bytes on a 64-bit host.
//! The generation's lowest bit says in which slot the quota lies; the other slot is where the next change writes.
//!
//! The arrival time has four bits fewer than that of the fixed limiter.
//! Wide words wrap after 2⁵⁹ units: 18 years for a nanosecond, 6 days for 1/1024 ns. A value that seems to be further ahead
//! than a full burst and 18 minutes is in the past.
//! Narrow words count 2¹⁶ units a burst, so the rate is low by one part in 2¹⁵ / `burst` at most, and wrap after some 2000
//! bursts.
//!
//! # Ordering
//!
//! (a) One exchange on the bucket's word decides, and one publishes a quota with the bucket converted to it.
//! (b) A change claims the word of changes, writes the slot that is not in use, and exchanges the bucket's word for one of
//! the next generation. A decider reads the slot of the generation that it saw; its exchange fails if the generation moved,
//! and a refusal looks at the generation again. The first use of an era, a quarter of the wrap, is as with the fixed limiter.
//! (c) `quota` is of the moment of its second look. (d) A decider that sleeps during exactly sixteen changes, between which no
//! call was admitted and no time passed, could exchange a word of another quota. (e) Models:
//! `loom-tests/tests/rate_limiter.rs`.
//!
//! # Progress
//!
//! Deciding is lock-free: a thread that is stopped inside `set_quota` holds up no call. It holds up other changes, which are
//! told that the limiter is [`Busy`](QuotaError::Busy).
//!
//! # Trade-offs
//!
//! Under one quota the bounds are those of the fixed limiter.
//! Over a change no more is granted than what was there and what each rate gave while it held.
//!
//! # Cost
//!
//! | call | loads | writes |
//! |---|---:|---:|
//! | admitted | 9 | 1 |
//! | rejected | 10 | 0 |
//! | `set_quota` | 17 | 14 |

mod grant;
mod slot;
#[cfg(all(test, not(loom)))]
mod tests;

use core::fmt;
use core::time::Duration;

pub use grant::{Grant, QuotaError, Reservation};
use slot::Slot;

use super::bucket::Bucket;
use super::scale::FULL;
use super::{Grant as Taken, Quota, Rejected, Reservation as Reserved};
use crate::atomic::switch::Switch;
use crate::atomic::sync::Wide;
use crate::atomic::word::{Packed, WideWord, Word};
use crate::config::ConfigError;
use crate::time::Instant;

/// The bits below the arrival time: four for the generation, one for the gap.
const TAG: u32 = 5;
type Scale = super::scale::Scale<TAG>;
type State = Bucket<TAG>;

/// A rate limiter whose quota can change. The [module](self) has an example.
pub struct AdjustableRateLimiter {
    bucket: WideWord,
    slots: [Slot; 2],
    changes: Word,
    shadow: Switch,
}

/// The word of changes: how many there were, and whether one is under way.
#[derive(Clone, Copy)]
struct Changes(u32);

impl Changes {
    const BUSY: u32 = 1;

    const fn is_busy(self) -> bool {
        self.0 & Self::BUSY != 0
    }

    const fn stamp(self) -> u32 {
        self.0 >> 1
    }

    const fn claim(self) -> Self {
        Self(self.0 | Self::BUSY)
    }

    const fn settle(stamp: u32) -> Self {
        Self(stamp << 1)
    }
}

impl Packed for Changes {
    type Raw = u32;

    fn unpack(raw: u32) -> Self {
        Self(raw)
    }

    fn pack(self) -> u32 {
        self.0
    }
}

impl AdjustableRateLimiter {
    const_fn! {
        /// A limiter with a full bucket.
        ///
        /// # Panics
        ///
        /// If [`AdjustableRateLimiter::try_new`] would return an error; in a `static` this is a compile error.
        pub const fn new(quota: Quota) -> Self {
            expect_valid!(Self::try_new(quota), "rate limiter")
        }
    }

    const_fn! {
        /// A limiter with a full bucket.
        ///
        /// # Errors
        ///
        /// If the burst or the period is zero, or the burst is more than a 32-bit word can count in tokens that come back.
        pub const fn try_new(quota: Quota) -> Result<Self, ConfigError> {
            match quota.scale() {
                Ok(scale) => Ok(Self {
                    bucket: WideWord::new(State::NEW),
                    slots: [Slot::new(quota, scale), Slot::new(quota, scale)],
                    changes: Word::new(0),
                    shadow: Switch::new(false),
                }),
                Err(error) => Err(error),
            }
        }
    }

    /// Takes one token.
    ///
    /// # Errors
    ///
    /// [`Rejected`], with the time after which there is a token.
    #[inline]
    pub fn try_acquire(&self, now: Instant) -> Result<Grant, Rejected> {
        self.try_acquire_many(1, now)
    }

    /// Takes `cost` tokens at once, or none.
    ///
    /// # Errors
    ///
    /// [`Rejected`], with the time after which there are so many tokens.
    #[inline]
    pub fn try_acquire_many(&self, cost: u32, now: Instant) -> Result<Grant, Rejected> {
        let decided = self.decide_at(cost, now, |slot, scale, bucket, units| {
            let present = scale.present(now);
            let units = match units {
                Ok(0) => return (None, Ok(Grant { taken: Taken::nothing(present), stamp: 0 })),
                Ok(units) => units,
                Err(rejected) => return (None, Err((rejected, present))),
            };
            match bucket.take(scale, units, present) {
                Ok(next) => {
                    let taken = Taken { units, until: next.arrival() };
                    (Some(next), Ok(Grant { taken, stamp: slot.stamp() }))
                }
                Err(excess) => (None, Err((limited(scale, excess, now), present))),
            }
        });
        decided.or_else(|(rejected, present)| self.refuse(rejected, present))
    }

    /// Takes `cost` tokens that may not be there yet, for a call that waits for them; as
    /// [`RateLimiter::reserve`](super::RateLimiter::reserve) does.
    ///
    /// Whatever `max_wait` is, eight full buckets' time is the longest wait on the narrow layout, and the wide one has room for 9
    /// minutes.
    ///
    /// # Errors
    ///
    /// [`Rejected`], with the wait that would be needed, if that is longer than `max_wait`; then nothing is taken.
    pub fn reserve(&self, cost: u32, max_wait: Duration, now: Instant) -> Result<Reservation, Rejected> {
        let at =
            |taken, ready_at, stamp| Reservation { reserved: Reserved { grant: taken, ready_at }, stamp };
        let decided = self.decide_at(cost, now, |slot, scale, bucket, units| {
            let present = scale.present(now);
            let units = match units {
                Ok(0) => return (None, Ok(at(Taken::nothing(present), now, 0))),
                Ok(units) => units,
                Err(rejected) => return (None, Err((rejected, present))),
            };
            match bucket.reserve(scale, units, max_wait, now) {
                Ok((next, wait)) => {
                    let taken = Taken { units, until: next.arrival() };
                    (Some(next), Ok(at(taken, now.saturating_add(wait), slot.stamp())))
                }
                Err(excess) => (None, Err((limited(scale, excess, now), present))),
            }
        });
        decided.or_else(|(rejected, present)| {
            let Grant { taken, stamp } = self.refuse(rejected, present)?;
            Ok(at(taken, now, stamp))
        })
    }

    /// Gives a reservation back, and says whether all its tokens came back; as
    /// [`RateLimiter::cancel`](super::RateLimiter::cancel) does.
    ///
    /// One of an earlier quota lapses.
    pub fn cancel(&self, reservation: Reservation, now: Instant) -> bool {
        self.bucket.transition(|bucket: State| {
            let slot = self.slot(bucket);
            let scale = slot.scale();
            let back = seen(slot, &scale, bucket, now).cancel(&scale, &reservation.reserved, now);
            match back.filter(|_| slot.stamp() == reservation.stamp) {
                Some((cancelled, all)) => (Some(cancelled), all),
                None => (None, false),
            }
        })
    }

    /// Whether `cost` tokens could be taken now. It changes nothing, and shadow mode does not change it.
    ///
    /// # Errors
    ///
    /// [`Rejected`], as [`AdjustableRateLimiter::try_acquire_many`] would.
    pub fn check(&self, cost: u32, now: Instant) -> Result<(), Rejected> {
        self.decide(|slot, bucket| {
            let scale = slot.scale();
            let checked = units_of(&scale, cost).and_then(|units| {
                seen(slot, &scale, bucket, now)
                    .take(&scale, units, scale.present(now))
                    .map(|_| ())
                    .map_err(|excess| limited(&scale, excess, now))
            });
            (None, checked)
        })
    }

    /// Gives the tokens of a grant back, for a call that did not start; as
    /// [`RateLimiter::refund`](super::RateLimiter::refund) does.
    ///
    /// Those of an earlier quota lapse. A grant of another limiter that had as many changes gives back here what was taken there.
    pub fn refund(&self, grant: Grant, now: Instant) {
        self.bucket.transition(|bucket: State| {
            let slot = self.slot(bucket);
            let scale = slot.scale();
            let back = seen(slot, &scale, bucket, now).refund(&scale, &grant.taken, scale.present(now));
            let same = slot.stamp() == grant.stamp || mutant!("quota_refunds_an_earlier_grant");
            (back.filter(|_| same).map(|(refunded, _)| refunded), ())
        });
    }

    /// Changes the quota, and keeps what is in the bucket; see the [module](self).
    ///
    /// Every call is decided under the old quota or the new one. The same quota again changes nothing.
    ///
    /// # Errors
    ///
    /// [`QuotaError`], and the old quota stays: the new one is invalid, or another caller is changing it.
    ///
    /// # Complexity
    ///
    /// Some 128-bit divisions, and on the narrow layout up to 4096 short ones where a token's interval is a whole number of
    /// nanoseconds that no round unit divides.
    pub fn set_quota(&self, quota: Quota, now: Instant) -> Result<(), QuotaError> {
        self.adjust(|present| (present != quota).then_some(quota), now).map(|_| ())
    }

    /// Changes the quota to what `step` makes of it, and returns both; `None` if `step` does.
    pub(in crate::admission) fn adjust(
        &self,
        step: impl FnOnce(Quota) -> Option<Quota>,
        now: Instant,
    ) -> Result<Option<(Quota, Quota)>, QuotaError> {
        let claimed = self.changes.transition(|changes: Changes| {
            let free = !changes.is_busy() || mutant!("quota_ignores_other_changes");
            (free.then_some(changes.claim()), free.then_some(changes.stamp()))
        });
        let stamp = claimed.ok_or(QuotaError::Busy)?;
        // Nobody else changes the quota now, and what `step` returns is checked before it is seen.
        let from = self.quota();
        let (stamp, changed) = match step(from).map(|to| to.scale().map(|scale| (to, scale))) {
            None => (stamp, Ok(None)),
            Some(Err(error)) => (stamp, Err(QuotaError::Invalid(error))),
            Some(Ok((to, scale))) => (self.publish(stamp, &to, &scale, now), Ok(Some((from, to)))),
        };
        self.changes.transition(|_: Changes| (Some(Changes::settle(stamp)), ()));
        changed
    }

    /// What a claimed change does; the stamp that holds afterwards.
    fn publish(&self, stamp: u32, quota: &Quota, scale: &Scale, now: Instant) -> u32 {
        let bucket: State = self.bucket.load();
        let present = self.slot(bucket);
        let old = present.scale();
        let next = stamp.wrapping_add(1) & (u32::MAX >> 1);
        let slot = if mutant!("quota_overwrites_the_slot_in_use") { present } else { self.slot_of(next) };
        slot.write(next, quota, scale, now);
        self.bucket.transition(|bucket: State| {
            let (arrival, gap) = convert(seen(present, &old, bucket, now), &old, scale, now);
            let generation = if mutant!("quota_keeps_its_generation") { bucket.generation() } else { next };
            (Some(State::of_generation(generation, arrival, gap)), ())
        });
        next
    }

    /// What [`AdjustableRateLimiter::try_new`] would say.
    pub(in crate::admission) const fn validate(quota: &Quota) -> Result<(), ConfigError> {
        match quota.scale::<TAG>() {
            Ok(_) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Switches shadow mode: then nothing is refused, and what would have been takes no tokens.
    ///
    /// [`Grant::would_reject`] tells. Calls on which the limiter is deciding may see either mode.
    pub fn set_shadow(&self, on: bool) {
        self.shadow.set(on);
    }

    /// Whether shadow mode is on.
    pub fn is_shadow(&self) -> bool {
        self.shadow.is_on()
    }

    /// How many tokens there are now.
    pub fn available(&self, now: Instant) -> u32 {
        self.decide(|slot, bucket| {
            let scale = slot.scale();
            (None, seen(slot, &scale, bucket, now).available(&scale, scale.present(now)))
        })
    }

    /// The present rate and burst.
    pub fn quota(&self) -> Quota {
        self.decide(|slot, _| (None, slot.quota()))
    }

    /// A transition under the quota of the bucket's generation; one that leaves the bucket alone is of one quota too.
    #[inline]
    fn decide<T>(&self, mut step: impl FnMut(&Slot, State) -> (Option<State>, T)) -> T {
        loop {
            let (seen, out) = self.bucket.transition(|bucket: State| {
                let (next, out) = step(self.slot(bucket), bucket);
                (next, (next.is_none().then_some(bucket.generation()), out))
            });
            let Some(generation) = seen else { return out };
            let now: State = self.bucket.load();
            if now.generation() == generation || mutant!("quota_refuses_by_half_a_quota") {
                return out;
            }
        }
    }

    /// A transition that takes `cost` tokens at `now`, which sees to it that an idle time as long as the units take to wrap is not
    /// taken for none.
    #[inline]
    fn decide_at<T>(
        &self,
        cost: u32,
        now: Instant,
        mut step: impl FnMut(&Slot, &Scale, State, Result<Wide, Rejected>) -> (Option<State>, T),
    ) -> T {
        let mut begun = false;
        loop {
            let decided = self.decide(|slot, bucket| {
                let scale = slot.scale();
                let units = units_of(&scale, cost);
                // What takes nothing ends no idle time.
                let takes = units.as_ref().is_ok_and(|&units| units > 0);
                if takes && !begun && !slot.is_in_its_era(&scale, now) {
                    return (None, Err(bucket));
                }
                let (next, out) = step(slot, &scale, bucket, units);
                (next, Ok(out))
            });
            match decided {
                Ok(out) => return out,
                Err(seen) => self.begin_era(seen, now),
            }
            begun = true;
        }
    }

    /// As that of the fixed limiter; `seen` also is of the quota that it was looked at under.
    #[cold]
    fn begin_era(&self, seen: State, now: Instant) {
        if self.slot(seen).begin_era(now) {
            self.bucket.transition(|bucket: State| {
                let same = bucket == seen || mutant!("quota_refills_what_was_taken_meanwhile");
                (same.then(|| bucket.filled()), ())
            });
        }
    }

    #[inline]
    fn slot(&self, bucket: State) -> &Slot {
        self.slot_of(bucket.generation())
    }

    #[inline]
    fn slot_of(&self, stamp: u32) -> &Slot {
        &self.slots[stamp as usize & 1]
    }

    #[inline]
    fn refuse(&self, rejected: Rejected, present: Wide) -> Result<Grant, Rejected> {
        if self.shadow.is_on() {
            Ok(Grant { taken: Taken::refused(present), stamp: 0 })
        } else {
            Err(rejected)
        }
    }
}

/// The bucket as a call at `now` finds it.
#[inline]
fn seen(slot: &Slot, scale: &Scale, bucket: State, now: Instant) -> State {
    if slot.is_past(scale, now) { bucket.filled() } else { bucket }
}

/// The units of `cost` tokens. Of a slot that is being written no product overflows either.
#[inline]
fn units_of(scale: &Scale, cost: u32) -> Result<Wide, Rejected> {
    match scale.interval.checked_mul(Wide::from(cost)) {
        Some(units) if units <= scale.tolerance => Ok(units),
        _ => Err(Rejected::ExceedsBurst { cost, burst: scale.tokens_in(scale.tolerance) }),
    }
}

#[cold]
fn limited(scale: &Scale, excess: Wide, now: Instant) -> Rejected {
    Rejected::Limited { retry_after: scale.wait_for(excess, now) }
}

/// The arrival time under the new scale, and whether the order of reservations is lost.
fn convert(bucket: State, old: &Scale, new: &Scale, now: Instant) -> (Wide, bool) {
    const UNIT: i128 = 1 << TAG;
    let debt = bucket.debt(old, old.present(now));
    let whole = i128::from(new.tolerance);
    // In units of the old scale, then of the new one, rounded down. What is being divided has less than 125 bits.
    let left = i128::from(old.tolerance) - i128::from(debt);
    let exact = (left * i128::from(new.interval)).div_euclid(i128::from(old.interval));
    let begun = if new.is_between_units(now) { UNIT } else { 0 };
    let left = if exact >= whole { whole } else { exact.div_euclid(UNIT) * UNIT - begun };
    let debt = (whole - left).min(i128::from(new.tolerance) + i128::from(new.reach()));
    // No more than the reach beyond a full bucket, so it fits.
    let units = Wide::try_from(debt).unwrap_or(Wide::MAX);
    // A full bucket is full from this moment on, which at the clock's origin is as one that is new.
    let as_new = units == 0 && now == Instant::ZERO;
    let arrival = if as_new { FULL } else { new.stored(new.present(now).wrapping_add(units)) };
    (arrival, (bucket.has_gap() && debt > 0) || debt > whole)
}

impl fmt::Debug for AdjustableRateLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdjustableRateLimiter").field("quota", &self.quota()).finish_non_exhaustive()
    }
}
