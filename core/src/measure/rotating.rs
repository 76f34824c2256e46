//! Knows the percentiles of what was recorded lately.
//!
//! A [`histogram`](super::histogram) forgets nothing; this one forgets after a span of time, by halves.
//! Where only the number of values above a bound matters, a [`window`](super::window) is smaller, and exact.
//!
//! # Examples
//!
//! ```
//! use core::time::Duration;
//! use seawall_core::measure::{histogram::buckets_for, rotating::RotatingHistogram};
//! use seawall_core::{Instant, Ratio};
//!
//! // Microseconds up to a minute, to one part in 16, of the last minute.
//! static LATENCY: RotatingHistogram<4, { buckets_for(4, 60_000_000) }> =
//!     RotatingHistogram::new(Duration::from_secs(60));
//!
//! LATENCY.record(500, Instant::from_secs(1));
//! LATENCY.record(20, Instant::from_secs(40));
//! let median = |secs| LATENCY.percentile(Ratio::percent(50), Instant::from_secs(secs));
//! assert_eq!([median(41), median(61), median(91)], [Some(20), Some(20), None]);
//! assert_eq!(LATENCY.count(Instant::from_secs(61)), 1);
//!
//! // Of two threads together, each with a histogram of its own.
//! static OTHER: RotatingHistogram<4, { buckets_for(4, 60_000_000) }> =
//!     RotatingHistogram::new(Duration::from_secs(60));
//! OTHER.record(61_000_000, Instant::from_secs(61));
//! let mut both = LATENCY.snapshot(Instant::from_secs(61));
//! both.merge(&OTHER.snapshot(Instant::from_secs(61)));
//! assert_eq!((both.count(), both.out_of_range()), (2, 1));
//! assert_eq!(both.percentile(Ratio::percent(50)), Some(20));
//! ```
//!
//! # States
//!
//! Time is cut into epochs of half a span, aligned at the clock's origin. One histogram only ever grows; a *boundary* is
//! a copy of its counts from when an epoch began, and there are two, one for even epochs and one for odd ones.
//!
//! ```text
//!        1                     2
//! epoch ───► next epoch, BUSY ───► next epoch
//! ```
//!
//! 1: `record` finds that a new epoch has begun: by one exchange it becomes the one that copies the counts into the
//! boundary of the new epoch. 2: it has copied them. Whoever loses the exchange only records.
//!
//! What was recorded lately is the counts less the boundary of the epoch before, which the new copy does not touch.
//! If that epoch passed without a record the new one stands ALONE: it counts from its own boundary.
//!
//! # Memory layout
//!
//! ```text
//! 31 …… 2 EPOCH │ 1 ALONE │ 0 BUSY
//! ```
//!
//! One word, the histogram and two copies of it: 8 · (3 · `BUCKETS` + 3) + 16 bytes on a
//! 64-bit host, about half of that in firmware.
//! Epochs wrap after 2³⁰: after a pause of just that long, give or take an epoch, what was recorded before may be taken
//! for recent.
//!
//! # Accuracy
//!
//! - *Time.* A value counts from when it is recorded for more than half a span and never for longer than a span.
//! - *Concurrency.* A value that is recorded while a boundary is taken may fall on either side of it, that is, expire one
//!   epoch early. While the thread that takes a boundary is interrupted, values expire late; if it stays away for an
//!   epoch or longer, by that much.
//! - *The clock steps back*, or a thread comes late: up to eight epochs behind, values count to the newest epoch, and
//!   nothing expires until the clock has caught up. Further behind, everything begins anew.
//! - *Size.* Each percentile is as close as the histogram's. A value above the range counts as the largest one that has a bucket,
//!   and [`out_of_range`](RotatingHistogram::out_of_range) tells how many recent ones there are.
//!
//! # Ordering
//!
//! (a) The word is where threads agree on the epoch and on who takes its boundary.
//! (b) A boundary is stored with release after its epoch was claimed, and loaded with acquire between two looks at the
//! word: a reader that met a count of a newer boundary also meets the newer word, and begins again.
//! (c) Each count is of its own moment. (d) An old word comes back after 2³⁰ epochs.
//! (e) Loom: `loom-tests/tests/rotating.rs`.
//!
//! # Progress
//!
//! `record`: wait-free. Reading: lock-free, it begins again only if an epoch began meanwhile.
//!
//! # Cost
//!
//! Atomic operations, asserted by the tests:
//!
//! | call | loads | writes |
//! |---|---|---|
//! | `record` | 1 | 1 |
//! | `record`, first of its epoch | `BUCKETS` + 2 | `BUCKETS` + 4 |
//! | `percentile` | at most 4 · `BUCKETS` + 4 | 0 |
//! | `snapshot`, `count` | 2 · `BUCKETS` + 4 | 0 |
//! | `out_of_range` | 4 | 0 |

use core::fmt;
use core::time::Duration;

use crate::atomic::sync::{AtomicU32, AtomicWide, Ordering, Wide};
use crate::config::ConfigError;
use crate::measure::histogram::{Histogram, Snapshot, rank, value_at, widen};
use crate::ratio::Ratio;
use crate::time::{Instant, nanos};

/// Epochs are numbered modulo this.
const LAP: u32 = 1 << 30;
/// An event this many epochs behind the newest one counts to it; one that is further behind begins anew.
const EPOCHS_BEHIND: u32 = 8;

/// What the word holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct State(u32);

impl State {
    const BUSY: u32 = 1;
    const ALONE: u32 = 2;
    /// The first epoch, which follows none.
    const START: Self = Self(Self::ALONE);

    const fn epoch(self) -> u32 {
        self.0 >> 2
    }

    const fn is_busy(self) -> bool {
        self.0 & Self::BUSY != 0
    }

    const fn is_alone(self) -> bool {
        self.0 & Self::ALONE != 0
    }

    /// How many epochs `epoch` is after this one, zero if it is a little behind.
    const fn passed(self, epoch: u32) -> u32 {
        let behind = self.epoch().wrapping_sub(epoch) % LAP;
        if behind <= EPOCHS_BEHIND { 0 } else { epoch.wrapping_sub(self.epoch()) % LAP }
    }

    /// Edge 1: `epoch`, which is this far after the present one, begins.
    const fn begin(epoch: u32, passed: u32) -> Self {
        let alone = if passed == 1 { 0 } else { Self::ALONE };
        Self(epoch << 2 | alone | Self::BUSY)
    }

    /// Edge 2.
    const fn settle(self) -> Self {
        Self(self.0 & !Self::BUSY)
    }

    /// Which boundary holds what was there before the values that count at `epoch`; `None` if none count.
    const fn base(self, epoch: u32) -> Option<usize> {
        let own = self.epoch() as usize & 1;
        let older = own ^ 1;
        match (self.passed(epoch), self.is_alone(), self.is_busy()) {
            (0, false, _) | (1, false, true) => Some(older),
            (0, true, false) | (1, _, false) => Some(own),
            _ => None,
        }
    }
}

/// The counts of one moment, of which each is one word.
struct Boundary<const BUCKETS: usize> {
    buckets: [AtomicWide; BUCKETS],
    out_of_range: AtomicWide,
}

impl<const BUCKETS: usize> Boundary<BUCKETS> {
    const_fn! {
        const fn new() -> Self {
            Self { buckets: array_of!(BUCKETS, AtomicWide::new(0)), out_of_range: AtomicWide::new(0) }
        }
    }
}

/// A histogram of the last span of time; see the [module](self).
pub struct RotatingHistogram<const PRECISION: u32, const BUCKETS: usize> {
    /// Nanoseconds.
    epoch: u64,
    state: AtomicU32,
    counts: Histogram<PRECISION, BUCKETS>,
    boundaries: [Boundary<BUCKETS>; 2],
}

impl<const PRECISION: u32, const BUCKETS: usize> RotatingHistogram<PRECISION, BUCKETS> {
    const_fn! {
        /// An empty histogram that forgets after `span`.
        ///
        /// # Panics
        ///
        /// If [`try_new`](Self::try_new) would return an error; in a `static` this is a compile error.
        pub const fn new(span: Duration) -> Self {
            expect_valid!(Self::try_new(span), "rotating_histogram")
        }
    }

    const_fn! {
        /// An empty histogram that forgets after `span`.
        ///
        /// # Errors
        ///
        /// If the span is less than two nanoseconds.
        pub const fn try_new(span: Duration) -> Result<Self, ConfigError> {
            let epoch = nanos(span) / 2;
            require!(epoch > 0, "rotating_histogram.span", "at least two nanoseconds");
            Ok(Self {
                epoch,
                state: AtomicU32::new(State::START.0),
                counts: Histogram::new(),
                boundaries: [Boundary::new(), Boundary::new()],
            })
        }
    }

    /// Counts `value`.
    ///
    /// # Complexity
    ///
    /// O(1), and O(`BUCKETS`) for the first value of an epoch.
    #[inline]
    pub fn record(&self, value: u64, now: Instant) {
        let epoch = self.epoch_of(now);
        // ORDERING: acquire, as every look at the word.
        let state = State(self.state.load(Ordering::Acquire));
        if state.passed(epoch) > 0 && !state.is_busy() {
            self.begin(state, epoch);
        }
        self.counts.record(value);
    }

    /// Edges 1 and 2, unless another thread makes them.
    #[cold]
    fn begin(&self, state: State, epoch: u32) {
        let begun = State::begin(epoch, state.passed(epoch));
        if mutant!("rotating_epoch_in_two_steps") {
            // ORDERING: release, but the exchange is missing by intent.
            self.state.store(begun.0, Ordering::Release);
        } else if self
            .state
            // ORDERING: acquire orders the copy after the one of whoever wrote the boundary before; release lets a
            // reader that meets a value of the copy also meet this claim.
            .compare_exchange(state.0, begun.0, Ordering::AcqRel, Ordering::Relaxed)
            .is_err()
        {
            return;
        }
        let slot = if mutant!("rotating_overwrites_the_base") { epoch ^ 1 } else { epoch };
        let boundary = &self.boundaries[slot as usize & 1];
        let order = if mutant!("rotating_values_relaxed") { Ordering::Relaxed } else { Ordering::Release };
        for (copy, count) in boundary.buckets.iter().chain([&boundary.out_of_range]).zip(self.counts.words())
        {
            // ORDERING: release, see the claim.
            copy.store(count, order);
        }
        // ORDERING: release; a reader that sees the boundary settled sees its values.
        self.state.store(begun.settle().0, Ordering::Release);
    }

    /// The value that `share` of the recent values do not exceed; `None` if there are none.
    ///
    /// # Complexity
    ///
    /// O(`BUCKETS`), without a copy.
    pub fn percentile(&self, share: Ratio, now: Instant) -> Option<u64> {
        self.read(now, |base| {
            // Values that come between the two passes only move the rank up, so it is always reached.
            let total = self.recent(base).fold(0, u64::saturating_add);
            if total == 0 {
                return None;
            }
            let in_range = value_at::<PRECISION>(self.recent(base).take(BUCKETS), rank(share, total));
            Some(in_range.unwrap_or(Histogram::<PRECISION, BUCKETS>::MAX_VALUE))
        })
        .flatten()
    }

    /// How many values are recent, in range or not.
    ///
    /// # Complexity
    ///
    /// O(`BUCKETS`).
    pub fn count(&self, now: Instant) -> u64 {
        self.read(now, |base| self.recent(base).fold(0, u64::saturating_add)).unwrap_or(0)
    }

    /// How many recent values were above [`Histogram::MAX_VALUE`].
    ///
    /// # Complexity
    ///
    /// O(1).
    pub fn out_of_range(&self, now: Instant) -> u64 {
        self.read(now, |base| {
            // ORDERING: acquire, see `read`; the boundary before the count, which is then not behind it.
            let before = base.out_of_range.load(Ordering::Acquire);
            widen(self.counts.raw_out_of_range().wrapping_sub(before))
        })
        .unwrap_or(0)
    }

    /// A copy of the counts of the recent values, which can be merged with others of its shape.
    ///
    /// # Complexity
    ///
    /// O(`BUCKETS`).
    pub fn snapshot(&self, now: Instant) -> Snapshot<PRECISION, BUCKETS> {
        self.read(now, |base| Snapshot::of(self.recent_words(base))).unwrap_or_default()
    }

    /// What `read` makes of the boundary before the recent values, if there are any.
    fn read<T>(&self, now: Instant, read: impl Fn(&Boundary<BUCKETS>) -> T) -> Option<T> {
        let epoch = self.epoch_of(now);
        // ORDERING: acquire; the boundary that the word speaks of is there.
        let mut state = self.state.load(Ordering::Acquire);
        loop {
            let out = read(&self.boundaries[State(state).base(epoch)?]);
            // ORDERING: acquire for the next round; for this one the values were loaded with acquire, and one of a newer
            // boundary shows the newer word here.
            let again = self.state.load(Ordering::Acquire);
            let torn = State(again).epoch() != State(state).epoch();
            if !torn || mutant!("rotating_torn_boundary") {
                return Some(out);
            }
            state = again;
        }
    }

    /// The counts since `base`, those out of range at last.
    fn recent(&self, base: &Boundary<BUCKETS>) -> impl Iterator<Item = u64> {
        self.recent_words(base).map(widen)
    }

    fn recent_words(&self, base: &Boundary<BUCKETS>) -> impl Iterator<Item = Wide> {
        // Each boundary is read before the count, which is then not behind it.
        let before = base.buckets.iter().chain([&base.out_of_range]).map(|word| {
            // ORDERING: acquire, see `read`.
            word.load(Ordering::Acquire)
        });
        before.zip(self.counts.words()).map(|(before, count)| count.wrapping_sub(before))
    }

    #[inline]
    const fn epoch_of(&self, now: Instant) -> u32 {
        (now.as_nanos() / self.epoch % LAP as u64) as u32
    }
}

impl<const PRECISION: u32, const BUCKETS: usize> fmt::Debug for RotatingHistogram<PRECISION, BUCKETS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // ORDERING: none is needed, nothing follows from it.
        let state = State(self.state.load(Ordering::Relaxed));
        f.debug_struct("RotatingHistogram")
            .field("epoch", &state.epoch())
            .field("since_start", &self.counts)
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
