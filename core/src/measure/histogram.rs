//! Counts values, such as latencies, so that percentiles can be read at any time.
//!
//! The range of values is cut into buckets that are narrow for small values and wide for large ones, so that every value
//! is known to the same relative error.
//! It keeps no time: for "the last minute" take a [`Snapshot`] now and then and ask [`Snapshot::since`], or see
//! [`rotating`](super::rotating).
//! For rates over a window see [`window`](super::window).
//!
//! # Examples
//!
//! ```
//! use seawall_core::Ratio;
//! use seawall_core::measure::histogram::{Histogram, buckets_for};
//!
//! // Microseconds up to a minute, to one part in 32.
//! static LATENCY: Histogram<5, { buckets_for(5, 60_000_000) }> = Histogram::new();
//!
//! for micros in 1..=1000 {
//!     LATENCY.record(micros);
//! }
//! let p99 = LATENCY.percentile(Ratio::percent(99));
//! assert!((990..990 + 990 / 32).contains(&p99.unwrap()));
//! ```
//!
//! # Memory layout
//!
//! With `P` = `PRECISION`, and *e* the number of bits of a value above `P` + 1:
//!
//! ```text
//! value     1 x x x x x … x      the highest bit is at P + e
//!           └─ P + 1 ─┘└ e ┘     bucket = e · 2ᴾ + (value >> e)
//! ```
//!
//! Values below 2ᴾ⁺¹ have a bucket each. Above, each power of two has 2ᴾ buckets, so a bucket's width is at most its
//! lowest value / 2ᴾ.
//! A bucket is a 64-bit counter on servers and a 32-bit one in firmware, where it wraps; the difference of two snapshots
//! is right as long as fewer than 2³² values fell in one bucket between them.
//! One more counter takes the values above the range.
//!
//! # Ordering
//!
//! (a) Each bucket is one word. (b) No bucket leads to other data, so nothing is published. (c) A snapshot that is taken
//! while others record holds some of their values and not others, as if each had been recorded before or after.
//! (d) No word is reset but by [`take`](Histogram::take), which returns what it resets. (e) Loom:
//! `loom-tests/tests/histogram.rs`.
//!
//! # Progress
//!
//! Wait-free, everything.
//!
//! # Trade-offs
//!
//! A percentile is never below the true value, and above it by less than one part in 2ᴾ (`props_histogram.rs`).
//! Values above the range are counted and take their place in the ranks, but their size is not known: where a
//! percentile falls among them, it is [`MAX_VALUE`](Histogram::MAX_VALUE), and
//! [`out_of_range`](Histogram::out_of_range) says how many there are.
//!
//! # Cost
//!
//! Atomic operations, asserted by the tests:
//!
//! | call | loads | writes |
//! |---|---|---|
//! | `record` | 0 | 1 |
//! | `snapshot` | `BUCKETS` + 1 | 0 |
//! | `percentile` | at most 2 · `BUCKETS` + 2 | 0 |
//! | `take` | 0 | `BUCKETS` + 1 |

mod snapshot;

use core::fmt;

use crate::atomic::sync::{AtomicWide, Ordering, Wide};
use crate::ratio::Ratio;

pub use snapshot::{Bucket, Snapshot};

/// The largest precision.
pub const MAX_PRECISION: u32 = 16;

/// How many buckets a [`Histogram`] of this precision needs for values up to `max_value`.
///
/// # Panics
///
/// If the precision is more than [`MAX_PRECISION`]; in a `const` this is a compile error.
pub const fn buckets_for(precision: u32, max_value: u64) -> usize {
    assert!(precision <= MAX_PRECISION, "the precision is at most 16 bits");
    bucket_of(precision, max_value) + 1
}

/// The bucket that counts `value`.
#[inline]
const fn bucket_of(precision: u32, value: u64) -> usize {
    let bits = u64::BITS - value.leading_zeros();
    let dropped = bits.saturating_sub(precision + 1);
    ((dropped as usize) << precision) + (value >> dropped) as usize
}

/// The lowest and the highest value that `bucket` counts.
const fn bounds_of(precision: u32, bucket: usize) -> (u64, u64) {
    let dropped = (bucket >> precision).saturating_sub(1) as u32;
    let kept = bucket - ((dropped as usize) << precision);
    let lowest = (kept as u64) << dropped;
    (lowest, lowest + ((1 << dropped) - 1))
}

/// The rank, from one, of the value that `share` of `total` values do not exceed.
pub(super) fn rank(share: Ratio, total: u64) -> u64 {
    let exact = (u128::from(total) * u128::from(share.numerator())).div_ceil(share.denominator().into());
    // A share is at most the whole, so the rank is at most the total.
    (exact as u64).max(1)
}

/// Counts of values in buckets of one relative width; see the [module](self).
///
/// `PRECISION` is the number of bits that are kept of a value besides its highest: the error is below one part in
/// 2^`PRECISION`. [`buckets_for`] says how many `BUCKETS` a range needs.
pub struct Histogram<const PRECISION: u32, const BUCKETS: usize> {
    buckets: [AtomicWide; BUCKETS],
    out_of_range: AtomicWide,
}

impl<const PRECISION: u32, const BUCKETS: usize> Histogram<PRECISION, BUCKETS> {
    const_fn! {
        /// An empty histogram.
        ///
        /// A precision above [`MAX_PRECISION`], no buckets, or more than the values of 64 bits fill, do not compile:
        ///
        /// ```compile_fail
        /// use seawall_core::measure::histogram::Histogram;
        /// static NONE: Histogram<5, 0> = Histogram::new();
        /// ```
        pub const fn new() -> Self {
            const {
                assert!(BUCKETS > 0, "a histogram has at least one bucket");
                assert!(
                    BUCKETS <= buckets_for(PRECISION, u64::MAX),
                    "a histogram has no more buckets than 64-bit values fill"
                );
            }
            Self { buckets: array_of!(BUCKETS, AtomicWide::new(0)), out_of_range: AtomicWide::new(0) }
        }
    }

    /// The largest value that has a bucket.
    pub const MAX_VALUE: u64 = bounds_of(PRECISION, BUCKETS - 1).1;

    /// Counts `value`.
    ///
    /// # Complexity
    ///
    /// O(1), one `fetch_add`.
    #[inline]
    pub fn record(&self, value: u64) {
        self.add(value, 1);
    }

    /// Counts `value` as often as `n` says.
    ///
    /// # Complexity
    ///
    /// O(1), one `fetch_add`.
    #[inline]
    pub fn record_n(&self, value: u64, n: u32) {
        self.add(value, Wide::from(n));
    }

    #[inline]
    fn add(&self, value: u64, n: Wide) {
        let counter = self.buckets.get(bucket_of(PRECISION, value)).unwrap_or(&self.out_of_range);
        if mutant!("histogram_lost_update") {
            // ORDERING: none, the line is wrong by intent.
            counter.store(counter.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
            return;
        }
        // ORDERING: none is needed, a count leads to no other data.
        counter.fetch_add(n, Ordering::Relaxed);
    }

    /// How many values were counted, in range or not.
    ///
    /// # Complexity
    ///
    /// O(`BUCKETS`).
    pub fn count(&self) -> u64 {
        self.counts().fold(self.out_of_range(), u64::saturating_add)
    }

    /// How many values were above [`MAX_VALUE`](Self::MAX_VALUE).
    pub fn out_of_range(&self) -> u64 {
        widen(self.raw_out_of_range())
    }

    /// The raw counter of those.
    pub(super) fn raw_out_of_range(&self) -> Wide {
        // ORDERING: as in `add`.
        self.out_of_range.load(Ordering::Relaxed)
    }

    /// The value that `share` of all values do not exceed; `None` if nothing was counted.
    ///
    /// It is the upper end of a bucket. For a share of nothing it is the smallest value.
    ///
    /// # Complexity
    ///
    /// O(`BUCKETS`), without a copy.
    pub fn percentile(&self, share: Ratio) -> Option<u64> {
        let rank = match self.count() {
            0 => return None,
            total => rank(share, total),
        };
        match value_at::<PRECISION>(self.counts(), rank) {
            Ok(value) => Some(value),
            Err(highest) => self.beyond(highest),
        }
    }

    /// The value of a rank that the buckets do not reach: it is out of range, or the counts were just taken.
    fn beyond(&self, highest: Option<u64>) -> Option<u64> {
        if self.out_of_range() > 0 || mutant!("histogram_rank_of_what_was_taken") {
            Some(Self::MAX_VALUE)
        } else {
            highest
        }
    }

    /// A copy of the counts.
    ///
    /// # Complexity
    ///
    /// O(`BUCKETS`).
    pub fn snapshot(&self) -> Snapshot<PRECISION, BUCKETS> {
        Snapshot::of(self.words())
    }

    /// Takes the counts out: each value is in this snapshot or stays, and none is in both.
    ///
    /// A share of the counts that somebody else looks at should rather be the difference of two snapshots.
    ///
    /// # Complexity
    ///
    /// O(`BUCKETS`).
    pub fn take(&self) -> Snapshot<PRECISION, BUCKETS> {
        Snapshot::of(self.buckets.iter().chain([&self.out_of_range]).map(take))
    }

    /// Adds the counts of `other`.
    ///
    /// # Complexity
    ///
    /// O(`BUCKETS`).
    pub fn merge(&self, other: &Snapshot<PRECISION, BUCKETS>) {
        for (counter, &n) in self.buckets.iter().zip(&other.buckets) {
            if n != 0 {
                // ORDERING: as in `add`.
                counter.fetch_add(n, Ordering::Relaxed);
            }
        }
        // ORDERING: as in `add`.
        self.out_of_range.fetch_add(other.out_of_range, Ordering::Relaxed);
    }

    /// Forgets every value that was counted before; one that is counted meanwhile is forgotten or stays.
    ///
    /// # Complexity
    ///
    /// O(`BUCKETS`).
    pub fn clear(&self) {
        for counter in self.buckets.iter().chain([&self.out_of_range]) {
            take(counter);
        }
    }

    /// Each counter's raw value, that of the values out of range at last.
    pub(super) fn words(&self) -> impl Iterator<Item = Wide> {
        // ORDERING: as in `add`.
        self.buckets.iter().chain([&self.out_of_range]).map(|counter| counter.load(Ordering::Relaxed))
    }

    fn counts(&self) -> impl Iterator<Item = u64> {
        // ORDERING: as in `add`.
        self.buckets.iter().map(|counter| widen(counter.load(Ordering::Relaxed)))
    }
}

impl<const PRECISION: u32, const BUCKETS: usize> Default for Histogram<PRECISION, BUCKETS> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const PRECISION: u32, const BUCKETS: usize> fmt::Debug for Histogram<PRECISION, BUCKETS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Histogram")
            .field("count", &self.count())
            .field("out_of_range", &self.out_of_range())
            .field("max_value", &Self::MAX_VALUE)
            .finish_non_exhaustive()
    }
}

fn take(counter: &AtomicWide) -> Wide {
    if mutant!("histogram_take_in_two_steps") {
        // ORDERING: none, the lines are wrong by intent.
        let taken = counter.load(Ordering::Relaxed);
        counter.store(0, Ordering::Relaxed);
        return taken;
    }
    // ORDERING: as in `add`.
    counter.swap(0, Ordering::Relaxed)
}

/// The upper end of the bucket where `counts` reach `rank`, or else of the last bucket that counts something.
pub(super) fn value_at<const PRECISION: u32>(
    counts: impl Iterator<Item = u64>,
    rank: u64,
) -> Result<u64, Option<u64>> {
    let (mut seen, mut highest) = (0_u64, None);
    for (bucket, count) in counts.enumerate().filter(|&(_, count)| count != 0) {
        let value = bounds_of(PRECISION, bucket).1;
        seen = seen.saturating_add(count);
        if seen >= rank {
            return Ok(value);
        }
        highest = Some(value);
    }
    Err(highest)
}

// The narrow word of firmware needs the cast.
#[allow(clippy::unnecessary_cast)]
pub(super) const fn widen(count: Wide) -> u64 {
    count as u64
}

#[cfg(all(test, not(loom)))]
mod tests;
