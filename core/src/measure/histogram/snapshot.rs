//! A histogram at rest.

use core::fmt;

use super::{bounds_of, rank, value_at, widen};
use crate::atomic::sync::Wide;
use crate::ratio::Ratio;

/// The counts of a [`Histogram`](super::Histogram) at one moment, or between two, or the recent ones of a
/// [`RotatingHistogram`](crate::measure::rotating::RotatingHistogram).
#[derive(Clone, PartialEq, Eq)]
pub struct Snapshot<const PRECISION: u32, const BUCKETS: usize> {
    pub(super) buckets: [Wide; BUCKETS],
    pub(super) out_of_range: Wide,
}

/// The values that one bucket counts, and how many there were.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// The lowest value of the bucket.
    pub lowest: u64,
    /// The highest value of the bucket.
    pub highest: u64,
    /// How many values fell in it.
    pub count: u64,
}

impl<const PRECISION: u32, const BUCKETS: usize> Snapshot<PRECISION, BUCKETS> {
    /// No values.
    pub const fn new() -> Self {
        Self { buckets: [0; BUCKETS], out_of_range: 0 }
    }

    /// The counters' raw values, that of the values out of range at last.
    pub(in crate::measure) fn of(words: impl Iterator<Item = Wide>) -> Self {
        let mut snapshot = Self::new();
        let counts = snapshot.buckets.iter_mut().chain([&mut snapshot.out_of_range]);
        counts.zip(words).for_each(|(count, word)| *count = word);
        snapshot
    }

    /// How many values were counted, in range or not.
    pub fn count(&self) -> u64 {
        self.counts().fold(self.out_of_range(), u64::saturating_add)
    }

    /// How many values were above the range.
    pub const fn out_of_range(&self) -> u64 {
        widen(self.out_of_range)
    }

    /// The value that `share` of all values do not exceed; `None` if there are none.
    ///
    /// It is the upper end of a bucket. For a share of nothing it is the smallest value.
    pub fn percentile(&self, share: Ratio) -> Option<u64> {
        let rank = match self.count() {
            0 => return None,
            total => rank(share, total),
        };
        let in_range = value_at::<PRECISION>(self.counts(), rank).ok();
        Some(in_range.unwrap_or(super::Histogram::<PRECISION, BUCKETS>::MAX_VALUE))
    }

    /// The buckets that counted something, from the lowest values on.
    pub fn buckets(&self) -> impl Iterator<Item = Bucket> {
        self.counts().enumerate().filter(|&(_, count)| count != 0).map(|(bucket, count)| {
            let (lowest, highest) = bounds_of(PRECISION, bucket);
            Bucket { lowest, highest, count }
        })
    }

    /// What was counted after `earlier`, a snapshot of the same histogram, which forgot nothing in between.
    #[must_use = "the snapshot itself does not change"]
    pub fn since(&self, earlier: &Self) -> Self {
        let mut difference = self.clone();
        for (count, before) in difference.buckets.iter_mut().zip(earlier.buckets) {
            *count = count.wrapping_sub(before);
        }
        difference.out_of_range = self.out_of_range.wrapping_sub(earlier.out_of_range);
        difference
    }

    /// Adds the counts of `other`; a count stays at its largest value.
    pub fn merge(&mut self, other: &Self) {
        for (count, n) in self.buckets.iter_mut().zip(other.buckets) {
            *count = count.saturating_add(n);
        }
        self.out_of_range = self.out_of_range.saturating_add(other.out_of_range);
    }

    fn counts(&self) -> impl Iterator<Item = u64> {
        self.buckets.iter().map(|&count| widen(count))
    }
}

impl<const PRECISION: u32, const BUCKETS: usize> Default for Snapshot<PRECISION, BUCKETS> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const PRECISION: u32, const BUCKETS: usize> fmt::Debug for Snapshot<PRECISION, BUCKETS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot")
            .field("count", &self.count())
            .field("out_of_range", &self.out_of_range())
            .field("p50", &self.percentile(Ratio::percent(50)))
            .field("p99", &self.percentile(Ratio::percent(99)))
            .finish_non_exhaustive()
    }
}
