//! Where a quota lies while deciders read it.

use core::time::Duration;

use super::{Scale, TAG};
use crate::admission::rate_limiter::quota::Quota;
use crate::atomic::era::{Era, Length};
use crate::atomic::sync::{AtomicU32, AtomicWide, Ordering, Wide};
use crate::divisor::Divisor;
use crate::time::{Instant, nanos};

/// A quota and its scale, each word of its own moment.
///
/// Who reads it looks at the bucket's generation before and after, or exchanges the bucket's word: then what was read belongs
/// together.
pub(super) struct Slot {
    /// Which change wrote it.
    stamp: AtomicU32,
    tokens: AtomicU32,
    burst: AtomicU32,
    period: [AtomicU32; 2],
    /// The units of a nanosecond, and above them the length of an era.
    per_nano: AtomicU32,
    unit: [AtomicU32; 2],
    interval: AtomicWide,
    tolerance: AtomicWide,
    /// When the bucket was used last under this quota.
    era: Era<MARK_BITS>,
}

impl Slot {
    const_fn! {
        pub(super) const fn new(quota: Quota, scale: Scale) -> Self {
            let [period_low, period_high] = halves(nanos(quota.period()));
            let [unit_low, unit_high] = halves(scale.unit.get());
            Self {
                stamp: AtomicU32::new(0),
                tokens: AtomicU32::new(quota.tokens()),
                burst: AtomicU32::new(quota.burst_size()),
                period: [AtomicU32::new(period_low), AtomicU32::new(period_high)],
                per_nano: AtomicU32::new(with_era(&scale)),
                unit: [AtomicU32::new(unit_low), AtomicU32::new(unit_high)],
                interval: AtomicWide::new(scale.interval),
                tolerance: AtomicWide::new(scale.tolerance),
                era: Era::new(),
            }
        }
    }

    pub(super) fn write(&self, stamp: u32, quota: &Quota, scale: &Scale, now: Instant) {
        let [period_low, period_high] = halves(nanos(quota.period()));
        let [unit_low, unit_high] = halves(scale.unit.get());
        store(&self.stamp, stamp);
        store(&self.tokens, quota.tokens());
        store(&self.burst, quota.burst_size());
        store(&self.period[0], period_low);
        store(&self.period[1], period_high);
        store(&self.per_nano, with_era(scale));
        store(&self.unit[0], unit_low);
        store(&self.unit[1], unit_high);
        store_wide(&self.interval, scale.interval);
        store_wide(&self.tolerance, scale.tolerance);
        self.era.set(length(scale, stamp), now);
    }

    /// Whether the bucket was used in the era of `now` already, or has none.
    #[inline]
    pub(super) fn is_in_its_era(&self, scale: &Scale, now: Instant) -> bool {
        !scale.has_eras() || self.era.is_present(length(scale, self.stamp()), now)
    }

    /// Whether the bucket, which was not used for an era or more, is full whatever it seems to be.
    #[inline]
    pub(super) fn is_past(&self, scale: &Scale, now: Instant) -> bool {
        scale.has_eras() && self.era.is_past(length(scale, self.stamp()), now)
    }

    /// Begins the era of `now`; see [`Era::begin`].
    ///
    /// The era is marked with its quota, and its length is looked at after it. So who is stopped while the slot is written for
    /// another quota finds another era, or leaves one that is overwritten at the end of that.
    pub(super) fn begin_era(&self, now: Instant) -> bool {
        self.era.begin(now, || load(&self.per_nano) >> ERA_LOG2)
    }

    #[inline]
    pub(super) fn scale(&self) -> Scale {
        let unit = joined([load(&self.unit[0]), load(&self.unit[1])]);
        // Two halves that do not belong together could be no unit, by which nobody can divide.
        let both = load(&self.per_nano);
        Scale::of_parts(
            both & PER_NANO,
            both >> ERA_LOG2,
            Divisor::new(unit.max(1)),
            load_wide(&self.interval),
            load_wide(&self.tolerance),
        )
    }

    #[inline]
    pub(super) fn stamp(&self) -> u32 {
        load(&self.stamp)
    }

    pub(super) fn quota(&self) -> Quota {
        let period = joined([load(&self.period[0]), load(&self.period[1])]);
        Quota::new(load(&self.tokens), Duration::from_nanos(period)).burst(load(&self.burst))
    }
}

/// Where the length of an era begins in its word; below it are the units of a nanosecond, 1024 at most.
const ERA_LOG2: u32 = 16;
const PER_NANO: u32 = (1 << ERA_LOG2) - 1;

/// The bits of the stamp that an era is marked with.
const MARK_BITS: u32 = 8;
const MARK: u32 = (1 << MARK_BITS) - 1;

const fn length(scale: &Scale, stamp: u32) -> Length {
    Length { log2: scale.era_log2(), mark: stamp & MARK }
}

const fn with_era(scale: &Scale) -> u32 {
    scale.era_log2() << ERA_LOG2 | scale.per_nano as u32
}

/// A word's low half and its high half.
const fn halves(value: u64) -> [u32; 2] {
    [value as u32, (value >> u32::BITS) as u32]
}

const fn joined([low, high]: [u32; 2]) -> u64 {
    (high as u64) << u32::BITS | low as u64
}

// ORDERING: a slot is written after the bucket's word left its generation, and each word is stored with release and loaded with
// acquire: whoever meets a newer word of a slot also meets the newer generation, in a look or an exchange that follows.
#[inline]
fn load(word: &AtomicU32) -> u32 {
    word.load(if mutant!("quota_slot_relaxed") { Ordering::Relaxed } else { Ordering::Acquire })
}

#[inline]
fn load_wide(word: &AtomicWide) -> Wide {
    word.load(if mutant!("quota_slot_relaxed") { Ordering::Relaxed } else { Ordering::Acquire })
}

fn store(word: &AtomicU32, value: u32) {
    word.store(value, if mutant!("quota_slot_relaxed") { Ordering::Relaxed } else { Ordering::Release });
}

fn store_wide(word: &AtomicWide, value: Wide) {
    word.store(value, if mutant!("quota_slot_relaxed") { Ordering::Relaxed } else { Ordering::Release });
}

const _: () = assert!(TAG > 1, "the bucket's word has room for a generation");
