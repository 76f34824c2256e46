//! Where a quota lies while deciders read it.

use core::time::Duration;

use super::{Scale, TAG};
use crate::admission::rate_limiter::quota::Quota;
use crate::atomic::sync::{AtomicU32, AtomicWide, Ordering, Wide};
use crate::divisor::Divisor;
use crate::time::nanos;

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
    per_nano: AtomicU32,
    unit: [AtomicU32; 2],
    interval: AtomicWide,
    tolerance: AtomicWide,
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
                per_nano: AtomicU32::new(scale.per_nano),
                unit: [AtomicU32::new(unit_low), AtomicU32::new(unit_high)],
                interval: AtomicWide::new(scale.interval),
                tolerance: AtomicWide::new(scale.tolerance),
            }
        }
    }

    pub(super) fn write(&self, stamp: u32, quota: &Quota, scale: &Scale) {
        let [period_low, period_high] = halves(nanos(quota.period()));
        let [unit_low, unit_high] = halves(scale.unit.get());
        store(&self.stamp, stamp);
        store(&self.tokens, quota.tokens());
        store(&self.burst, quota.burst_size());
        store(&self.period[0], period_low);
        store(&self.period[1], period_high);
        store(&self.per_nano, scale.per_nano);
        store(&self.unit[0], unit_low);
        store(&self.unit[1], unit_high);
        store_wide(&self.interval, scale.interval);
        store_wide(&self.tolerance, scale.tolerance);
    }

    #[inline]
    pub(super) fn scale(&self) -> Scale {
        let unit = joined([load(&self.unit[0]), load(&self.unit[1])]);
        // Two halves that do not belong together could be no unit, by which nobody can divide.
        Scale::of_parts(
            load(&self.per_nano),
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
