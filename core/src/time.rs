//! Instants that the caller supplies.
//!
//! Core owns no clock: each method takes `now`, nanoseconds since the origin of the caller's clock.
//! A [`Clock`] is the one thing an adapter adds; [`ManualClock`] is the one for tests and simulations.
//!
//! # Examples
//!
//! ```
//! use core::time::Duration;
//! use seawall_core::{Clock, Instant, ManualClock};
//!
//! let clock = ManualClock::new(Instant::ZERO);
//! clock.advance(Duration::from_millis(3));
//! assert_eq!(clock.now().saturating_since(Instant::ZERO), Duration::from_millis(3));
//! ```

use core::time::Duration;

use crate::atomic::sync::{AtomicU32, Ordering};
use crate::divisor::Divisor;

/// A moment: nanoseconds since the origin of the caller's clock.
///
/// It reaches 584 years; arithmetic that would leave this range stays at its end, and [`Instant::NEVER`] is that end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

impl Instant {
    /// The clock's origin.
    pub const ZERO: Self = Self(0);
    /// The end of time: a deadline here is never reached in practice.
    pub const NEVER: Self = Self(u64::MAX);

    /// The moment `nanos` nanoseconds after the origin.
    #[inline]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// The moment `millis` milliseconds after the origin, at most [`Instant::NEVER`].
    #[inline]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// The moment `secs` seconds after the origin, at most [`Instant::NEVER`].
    #[inline]
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(1_000_000_000))
    }

    /// Nanoseconds since the origin.
    #[inline]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// This moment and `duration` more, at most [`Instant::NEVER`].
    #[inline]
    #[must_use = "the instant itself does not move"]
    pub const fn saturating_add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(nanos(duration)))
    }

    /// The time since `earlier`, zero if that is later.
    #[inline]
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// The earlier of the two.
    #[inline]
    #[must_use = "the instant itself does not move"]
    pub const fn min(self, other: Self) -> Self {
        if self.0 < other.0 { self } else { other }
    }
}

/// The duration in nanoseconds, `u64::MAX` if it is longer than 584 years.
#[inline]
pub(crate) const fn nanos(duration: Duration) -> u64 {
    let nanos = duration.as_nanos();
    if nanos > u64::MAX as u128 { u64::MAX } else { nanos as u64 }
}

/// The duration of so many nanoseconds, of which the most are kept for one without an end.
pub(crate) const fn without_end(nanos: u64) -> Duration {
    if nanos == u64::MAX { Duration::MAX } else { Duration::from_nanos(nanos) }
}

/// So many nanoseconds as a duration: [`Duration::from_nanos`], which small processors take ten times as long for.
pub(crate) const fn duration(nanos: u64) -> Duration {
    const SECOND: u32 = 1_000_000_000;
    const IN_SECONDS: Divisor = Divisor::new(SECOND as u64);
    let (secs, nanos) = IN_SECONDS.divide(nanos);
    // The remainder is what it was; so the compiler sees that there is no carry to panic about.
    Duration::new(secs, nanos as u32 % SECOND)
}

/// A source of instants.
///
/// A clock that steps back or jumps harms no pattern of this crate; each says in its documentation what it does then.
pub trait Clock {
    /// The present moment.
    fn now(&self) -> Instant;
}

impl<C: Clock + ?Sized> Clock for &C {
    #[inline]
    fn now(&self) -> Instant {
        (**self).now()
    }
}

/// A clock that stands still until it is told to move.
///
/// Any number of threads may read it; one at a time may move it.
/// It is kept in two 32-bit words, so that it works on every target.
pub struct ManualClock {
    high: AtomicU32,
    low: AtomicU32,
}

impl ManualClock {
    const_fn! {
        /// A clock that shows `start`.
        pub const fn new(start: Instant) -> Self {
            Self { high: AtomicU32::new((start.0 >> 32) as u32), low: AtomicU32::new(start.0 as u32) }
        }
    }

    /// Moves the clock on by `duration`, at most to [`Instant::NEVER`].
    pub fn advance(&self, duration: Duration) {
        self.set(self.now().saturating_add(duration));
    }

    /// Sets the clock to `moment`, which may be earlier than what it shows.
    pub fn set(&self, moment: Instant) {
        // ORDERING: a reader that sees the new high word sees the low word that was cleared before it.
        if !mutant!("clock_keeps_the_low_word") {
            self.low.store(0, Ordering::Release);
        }
        self.high.store((moment.0 >> 32) as u32, Ordering::Release);
        self.low.store(moment.0 as u32, Ordering::Release);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Instant {
        // ORDERING: acquire pairs with the stores of `set`; a high word that changed meanwhile means a torn read.
        let mut high = self.high.load(Ordering::Acquire);
        loop {
            let low = self.low.load(Ordering::Acquire);
            let again = self.high.load(Ordering::Acquire);
            if high == again || mutant!("clock_does_not_look_again") {
                return Instant(u64::from(high) << 32 | u64::from(low));
            }
            high = again;
        }
    }
}

impl core::fmt::Debug for ManualClock {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_tuple("ManualClock").field(&self.now()).finish()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use core::time::Duration;

    use super::{Clock, Instant, ManualClock, nanos};

    #[test]
    fn a_manual_clock_shows_what_it_was_set_to() {
        let clock = ManualClock::new(Instant::from_nanos(0x0123_4567_89AB_CDEF));
        assert_eq!(clock.now(), Instant::from_nanos(0x0123_4567_89AB_CDEF));
        for nanos in [0, 1, u64::from(u32::MAX), 1 << 32, 0xFFFF_FFFF_0000_0000, u64::MAX] {
            clock.set(Instant::from_nanos(nanos));
            assert_eq!(clock.now(), Instant::from_nanos(nanos));
            assert_eq!(Clock::now(&&clock), Instant::from_nanos(nanos));
        }
        clock.set(Instant::from_nanos(u64::from(u32::MAX)));
        clock.advance(Duration::from_nanos(2));
        assert_eq!(clock.now(), Instant::from_nanos((1 << 32) + 1));
        clock.advance(Duration::MAX);
        assert_eq!(clock.now(), Instant::NEVER);
    }

    #[test]
    fn the_earlier_moment_is_the_minimum() {
        let (early, late) = (Instant::from_nanos(1), Instant::from_nanos(2));
        assert_eq!([early.min(late), late.min(early), late.min(late)], [early, early, late]);
    }

    #[test]
    fn durations_beyond_the_end_of_time_end_there() {
        assert_eq!(nanos(Duration::from_nanos(u64::MAX - 1)), u64::MAX - 1);
        assert_eq!(nanos(Duration::from_nanos(u64::MAX)), u64::MAX);
        assert_eq!(nanos(Duration::from_nanos(u64::MAX) + Duration::from_nanos(1)), u64::MAX);
        assert_eq!(nanos(Duration::MAX), u64::MAX);
    }
}
