//! How many calls may start in a time: a token bucket, kept as the generic cell rate algorithm.
//!
//! A full bucket holds `burst` tokens, and tokens come back at a steady rate.
//! It limits starts, not calls in flight ([`bulkhead`](super::bulkhead)).
//!
//! # Examples
//!
//! ```
//! use core::time::Duration;
//! use seawall_core::{rate_limiter::Quota, Instant, RateLimiter};
//!
//! static OUTBOUND: RateLimiter = RateLimiter::new(Quota::per_second(10).burst(2));
//!
//! let now = Instant::from_secs(5);
//! assert!(OUTBOUND.try_acquire(now).is_ok());
//! assert!(OUTBOUND.try_acquire(now).is_ok());
//! let rejected = OUTBOUND.try_acquire(now).unwrap_err();
//! assert_eq!(rejected.retry_after(), Some(Duration::from_millis(100)));
//! assert!(OUTBOUND.try_acquire(now.saturating_add(Duration::from_millis(100))).is_ok());
//! ```
//!
//! # States
//!
//! The algorithm (ITU-T I.371, there for ATM cells) keeps one number, the *theoretical arrival time*: the moment at which the
//! bucket will be full again.
//! A token costs one emission interval; a call is admitted if, with its cost added, that moment is at most `burst`
//! intervals ahead.
//!
//! ```text
//!            now               arrival time           now + burst × interval
//!  ───────────┼─────────────────────┼──────────────────────────┼────────► time
//!             │◄──── tokens used ──►│◄────── tokens left ─────►│
//! ```
//!
//! [`reserve`](RateLimiter::reserve) lets the arrival time go further ahead, and the call start when it is no more than a full
//! bucket ahead.
//! What a reservation gives back leaves a *gap* if others reserved behind it; until the bucket is full nothing else comes
//! back then.
//!
//! # Memory layout
//!
//! ```text
//! 63 (31) ……… 1 ARRIVAL TIME │ 0 GAP
//! ```
//!
//! One word, 64 bits wide where the target has such atomics: the arrival time in units of a fraction of a nanosecond, zero
//! while the bucket is as new; the number of the last era in which it was used; and the switch of shadow mode.
//! For `n` tokens a period, shortened, the unit is 1/n ns up to n = 1024, so that the interval is a whole number of units and
//! the long-run rate is exact; beyond that the unit is 1/1024 ns and the interval is rounded up.
//! In the narrow layout a full bucket is about 2¹⁸ units, if possible such that the interval is a whole number of them.
//!
//! Where a unit is one nanosecond or longer the wide layout never wraps; time stands still after 2⁶³ units, which are 292 years
//! or more.
//! Otherwise it wraps after 2⁶³ units (104 days for 1/1024 ns), and a value that seems to be further ahead than a full
//! burst and 73 minutes is in the past.
//! On the narrow layout a value further ahead than 17 bursts is in the past, and the word wraps after 8000 bursts or more.
//! An *era* is a quarter of that or a little less; a bucket that was not used for a whole one is full, whatever its word says.
//!
//! # Accuracy
//!
//! Each sentence names the test that checks it, in `core/src/admission/rate_limiter/tests.rs` (t), in
//! `core/tests/props_rate_limiter.rs` (p) or in `loom-tests/tests/rate_limiter.rs` (m).
//!
//! - *Over-admission: none.* Over any interval `t` no more than `burst + rate · t` tokens are granted, but for those that are
//!   given back in it, which may be granted again (p `over_no_interval_more_than_the_burst_and_what_the_rate_gives`), to any
//!   number of threads
//!   (m `limiter_never_grants_more_than_the_burst_to_racing_threads`); narrow layout: one token more.
//!   Reserved calls keep the same bound by when they may start, which is rounded up to a nanosecond
//!   (p `reserved_starts_keep_the_bound_whatever_is_given_back`).
//! - *Decisions and waits* are those of exact arithmetic, to the nanosecond, for up to 1024 tokens a shortened period on the wide
//!   layout (p `decisions_and_waits_are_those_of_exact_arithmetic`).
//! - *Long-run rate.* Exact there (t `b24_the_long_run_rate_does_not_drift`); beyond, low by one part in 10⁶ at 10⁶ tokens
//!   a second and by 0.1 % at 10⁹ (t `the_rate_is_low_by_no_more_than_documented`).
//!   Narrow layout: exact where the interval is a whole number of units, else low by one part in 2¹⁷ / `burst` at most
//!   (t `the_narrow_rate_is_low_by_no_more_than_documented`).
//! - *A clock that steps back* mints nothing: `t` is what it goes forward by, and a step back takes nothing from that. The
//!   limiter refuses for no longer than the step
//!   (t `b26_a_clock_that_steps_back_mints_nothing_and_locks_out_for_the_step_at_most`). A step of more than 73 minutes where wide units
//!   wrap, or of more than 16 bursts' time on the narrow layout, gives one full burst
//!   (t `a_step_back_beyond_the_bound_gives_one_burst`); reservations under way take up to half of that.
//!   A thread that is stopped for longer than that between its look at the clock and its call is such a step, too, and each one
//!   may mint a burst. Who cannot rule that out looks at the clock again after what may stop the thread.
//! - *Idling* gives exactly one burst, however long (t `b22_any_idle_time_gives_exactly_one_burst`,
//!   t `idling_for_a_multiple_of_the_wrap_is_idling`). Two that ask together first after that long are granted it once; one of
//!   them may still find the word as it was (m `the_first_calls_of_an_era_share_one_burst`). Narrow layout, where a bucket
//!   fills in less than 2 ms: not for pauses of whole multiples of 2³² eras, 2³¹ buckets' times at least, which may be taken for a step
//!   back, and then calls are refused for 36 ms at most.
//! - *The end of time:* the last burst's time before time stands still refills nothing (t `p4_the_end_of_time_mints_nothing`).
//!
//! # Ordering
//!
//! (a) One exchange on the one word decides. (b) It publishes nothing else. (c) Nothing is stale but the switch of shadow
//! mode. The first call of an era elects itself by an exchange on the era, and then exchanges just the word that it saw
//! before for a full bucket: what was taken in between stays taken. (d) The word only grows, except by what is given back, so an exchange cannot mistake an old value for a new one.
//! (e) Models: `loom-tests/tests/rate_limiter.rs`.
//!
//! # Progress
//!
//! Lock-free; a rejection is wait-free.
//!
//! # Trade-offs
//!
//! A reservation that is cancelled loses what others reserved behind it, as in the limiter of golang: their starts stand, and
//! a token from before them would be gone by then if the bucket had been full in between.
//!
//! There is no cycle at whose end all permits come back: such a limiter lets twice its limit pass at the boundary of two
//! cycles.
//!
//! # Cost
//!
//! | call | loads | writes |
//! |---|---:|---:|
//! | admitted, reserved | 1 | 1 |
//! | rejected | 2 | 0 |
//! | the same where units wrap | 1 more | 0 more |
//! | the first of an era | 3 more, and 4 after an idle one | 1 more, and 2 after an idle one |

pub mod adjustable;
mod bucket;
mod grant;
mod quota;
pub(super) mod scale;
#[cfg(all(test, not(loom)))]
mod tests;

use core::fmt;
use core::time::Duration;

use bucket::Bucket;
pub use grant::{Grant, Rejected, Reservation};
pub use quota::Quota;

use crate::atomic::era::Era;
use crate::atomic::switch::Switch;
use crate::atomic::sync::Wide;
use crate::atomic::word::WideWord;
use crate::config::ConfigError;
use crate::time::Instant;

/// The bits below the arrival time: whether there is a gap.
const TAG: u32 = 1;
type Scale = scale::Scale<TAG>;
type State = Bucket<TAG>;

/// A rate limiter. The [module](self) has an example.
pub struct RateLimiter {
    quota: Quota,
    scale: Scale,
    bucket: WideWord,
    /// When the bucket was used last, where its units wrap.
    era: Era<0>,
    /// Whether the limiter refuses nothing. Only a call that is to be refused looks.
    shadow: Switch,
}

impl RateLimiter {
    const_fn! {
        /// A limiter with a full bucket.
        ///
        /// # Panics
        ///
        /// If [`RateLimiter::try_new`] would return an error; in a `static` this is a compile error.
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
                    quota,
                    scale,
                    bucket: WideWord::new(State::NEW),
                    era: Era::new(),
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
        self.take(self.scale.interval, now)
    }

    /// Takes `cost` tokens at once, or none.
    ///
    /// # Errors
    ///
    /// [`Rejected`], with the time after which there are so many tokens.
    #[inline]
    pub fn try_acquire_many(&self, cost: u32, now: Instant) -> Result<Grant, Rejected> {
        match self.units_of(cost) {
            Ok(units) => self.take(units, now),
            Err(rejected) => self.refuse(rejected, self.scale.present(now)),
        }
    }

    /// Takes `cost` tokens that may not be there yet, for a call that waits for them.
    ///
    /// The call may start at [`Reservation::ready_at`], with no other look at the limiter; who comes later waits longer.
    /// Whatever `max_wait` is, eight full buckets' time is the longest wait on the narrow layout; the wide one has room for
    /// 36 minutes where its units are finer than a nanosecond, and for years elsewhere.
    ///
    /// # Errors
    ///
    /// [`Rejected`], with the wait that would be needed, if that is longer than `max_wait`; then nothing is taken.
    ///
    /// # Examples
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall_core::{rate_limiter::Quota, Instant, RateLimiter};
    ///
    /// let limiter = RateLimiter::new(Quota::per_second(10).burst(1));
    /// let now = Instant::from_secs(5);
    /// let at_most = Duration::from_millis(150);
    /// assert_eq!(limiter.reserve(1, at_most, now)?.wait(now), Duration::ZERO);
    /// let second = limiter.reserve(1, at_most, now)?;
    /// assert_eq!(second.wait(now), Duration::from_millis(100));
    /// let third = limiter.reserve(1, at_most, now).unwrap_err();
    /// assert_eq!(third.retry_after(), Some(Duration::from_millis(200)));
    /// assert!(limiter.cancel(second, now));
    /// # Ok::<_, seawall_core::rate_limiter::Rejected>(())
    /// ```
    pub fn reserve(&self, cost: u32, max_wait: Duration, now: Instant) -> Result<Reservation, Rejected> {
        let present = self.scale.present(now);
        let units = match self.units_of(cost) {
            Ok(0) => return Ok(Reservation { grant: Grant::nothing(present), ready_at: now }),
            Ok(units) => units,
            Err(rejected) => {
                let grant = self.refuse(rejected, present)?;
                return Ok(Reservation { grant, ready_at: now });
            }
        };
        self.enter_era(now);
        let reserved =
            self.bucket.transition(|bucket: State| match bucket.reserve(&self.scale, units, max_wait, now) {
                Ok((taken, wait)) => (Some(taken), Ok((taken.arrival(), wait))),
                Err(excess) => (None, Err(excess)),
            });
        match reserved {
            Ok((until, wait)) => {
                Ok(Reservation { grant: Grant { units, until }, ready_at: now.saturating_add(wait) })
            }
            Err(excess) => {
                let grant = self.fall_short(excess, now, present)?;
                Ok(Reservation { grant, ready_at: now })
            }
        }
    }

    /// Gives a reservation back, and says whether all its tokens came back.
    ///
    /// They come back exactly if nobody reserved behind it. Otherwise as many lapse as others reserved behind, since their
    /// starts stand; and once tokens came back in this way, no others do until the bucket is full.
    /// Nothing comes back when the reservation's time is past: it may have been used.
    /// For a call that did not start although it could, there is [`Reservation::into_grant`] and [`RateLimiter::refund`].
    pub fn cancel(&self, reservation: Reservation, now: Instant) -> bool {
        if self.is_past(now) {
            return false;
        }
        self.bucket.transition(|bucket: State| match bucket.cancel(&self.scale, &reservation, now) {
            Some((cancelled, all)) => (Some(cancelled), all),
            None => (None, false),
        })
    }

    /// Whether `cost` tokens could be taken now. It changes nothing, and shadow mode does not change it.
    ///
    /// # Errors
    ///
    /// [`Rejected`], as [`RateLimiter::try_acquire_many`] would.
    #[inline]
    pub fn check(&self, cost: u32, now: Instant) -> Result<(), Rejected> {
        let units = self.units_of(cost)?;
        if units == 0 {
            return Ok(());
        }
        self.bucket_at(now)
            .take(&self.scale, units, self.scale.present(now))
            .map(|_| ())
            .map_err(|excess| self.limited(excess, now))
    }

    /// Gives the tokens of a grant back, for a call that did not start.
    ///
    /// Those come back that time has not given back since: time pays for what was taken first, and what it paid for may have
    /// been taken again, or have found the bucket full. A grant that is given back at once comes back whole.
    /// Where grants from before this one were given back, that time is known only by so much, and as much more may come back.
    /// Those that others reserved behind lapse, too.
    ///
    /// A grant that is older than an era is to be dropped: its time is known only up to the wrap of the units.
    /// One of another limiter gives back here what was taken there; there are never more tokens than a full bucket has.
    ///
    /// # Examples
    ///
    /// A grant comes back once.
    ///
    /// ```compile_fail,E0382
    /// # use seawall_core::{rate_limiter::Quota, Instant, RateLimiter};
    /// # let (limiter, now) = (RateLimiter::new(Quota::per_second(10)), Instant::ZERO);
    /// let grant = limiter.try_acquire(now).unwrap();
    /// limiter.refund(grant, now);
    /// limiter.refund(grant, now);
    /// ```
    pub fn refund(&self, grant: Grant, now: Instant) {
        if self.is_past(now) {
            return;
        }
        let present = self.scale.present(now);
        self.bucket.transition(|bucket: State| {
            (bucket.refund(&self.scale, &grant, present).map(|(refunded, _)| refunded), ())
        });
    }

    /// Gives the tokens of a grant back where the present moment is not known, and says whether it did.
    ///
    /// They come back exactly, unless somebody took tokens since and kept them: then they lapse. Of grants that are all to come
    /// back, the last one is first.
    pub fn undo(&self, grant: Grant) -> bool {
        self.bucket.transition(|bucket: State| {
            let undone = bucket.undo(&self.scale, &grant);
            (undone, undone.is_some())
        })
    }

    /// Switches shadow mode: then nothing is refused, and what would have been takes no tokens.
    ///
    /// [`Grant::would_reject`] tells. Calls on which the limiter is deciding may see either mode.
    pub fn set_shadow(&self, on: bool) {
        self.shadow.set(on);
    }

    /// Whether it is in shadow mode.
    pub fn is_shadow(&self) -> bool {
        self.shadow.is_on()
    }

    /// How many tokens there are now.
    pub fn available(&self, now: Instant) -> u32 {
        self.bucket_at(now).available(&self.scale, self.scale.present(now))
    }

    /// The rate and the burst.
    pub const fn quota(&self) -> &Quota {
        &self.quota
    }

    #[inline]
    fn units_of(&self, cost: u32) -> Result<Wide, Rejected> {
        let burst = self.quota.burst_size();
        if cost > burst { Err(Rejected::ExceedsBurst { cost, burst }) } else { Ok(self.scale.units_of(cost)) }
    }

    #[inline]
    fn take(&self, units: Wide, now: Instant) -> Result<Grant, Rejected> {
        let present = self.scale.present(now);
        if units == 0 {
            return Ok(Grant::nothing(present));
        }
        self.enter_era(now);
        let taken = self.bucket.transition(|bucket: State| match bucket.take(&self.scale, units, present) {
            Ok(taken) => (Some(taken), Ok(taken.arrival())),
            Err(excess) => (None, Err(excess)),
        });
        match taken {
            Ok(until) => Ok(Grant { units, until }),
            Err(excess) => self.fall_short(excess, now, present),
        }
    }

    /// Sees to it that an idle time as long as the units take to wrap is not taken for none.
    ///
    /// Only who takes tokens does: what comes back ends no idle time, and a refusal is one only while the word is young.
    #[inline]
    fn enter_era(&self, now: Instant) {
        if self.scale.has_eras() && !self.era.is_present(self.scale.era(), now) {
            self.begin_era(now);
        }
    }

    #[cold]
    fn begin_era(&self, now: Instant) {
        let seen: State = self.bucket.load();
        if self.era.begin(now, || self.scale.era_log2()) {
            // Who was between this and that found the bucket as it was, and took from it or did not.
            self.bucket.transition(|bucket: State| {
                let same = bucket == seen || mutant!("limiter_refills_what_was_taken_meanwhile");
                (same.then(|| bucket.filled()), ())
            });
        }
    }

    /// Whether the bucket was not used for so long that it is full, whatever its word says.
    #[inline]
    fn is_past(&self, now: Instant) -> bool {
        self.scale.has_eras() && self.era.is_past(self.scale.era(), now)
    }

    /// The bucket as a call at `now` finds it.
    fn bucket_at(&self, now: Instant) -> State {
        let bucket: State = self.bucket.load();
        if self.is_past(now) { bucket.filled() } else { bucket }
    }

    #[cold]
    fn fall_short(&self, excess: Wide, now: Instant, present: Wide) -> Result<Grant, Rejected> {
        self.refuse(self.limited(excess, now), present)
    }

    #[inline]
    fn limited(&self, excess: Wide, now: Instant) -> Rejected {
        Rejected::Limited { retry_after: self.scale.wait_for(excess, now) }
    }

    /// The refusal, or a grant of nothing in shadow mode.
    #[cold]
    fn refuse(&self, rejected: Rejected, present: Wide) -> Result<Grant, Rejected> {
        if self.shadow.is_on() { Ok(Grant::refused(present)) } else { Err(rejected) }
    }
}

impl fmt::Debug for RateLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimiter").field("quota", &self.quota).finish_non_exhaustive()
    }
}
