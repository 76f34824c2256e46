//! What must hold for any values: a histogram answers as their sorted list does, within its documented error.

use std::time::Duration;

use seawall_core::histogram::{Histogram, Snapshot, buckets_for};
use seawall_core::rotating::RotatingHistogram;
use seawall_core::{Instant, Ratio};

use crate::input::Input;

const PRECISION: u32 = 3;
const BUCKETS: usize = buckets_for(PRECISION, 100_000);
const HIGHEST: u64 = Histogram::<PRECISION, BUCKETS>::MAX_VALUE;

/// Up to so many epochs behind the newest one, a value counts to it; as documented.
const EPOCHS_BEHIND: u64 = 8;

/// Runs the script of `bytes` on a histogram, or on one that forgets.
///
/// # Panics
///
/// If it is further off than it says.
pub fn check(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    if input.flag() {
        rotating(&mut input);
    } else {
        plain(&mut input);
    }
}

/// Whether `seen` is what the documentation says of these values' percentile.
fn is_right(values: &[u64], share: Ratio, seen: Option<u64>) -> bool {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let rank = (sorted.len() as u128 * u128::from(share.numerator()))
        .div_ceil(u128::from(share.denominator()))
        .max(1);
    let exact = usize::try_from(rank - 1).ok().and_then(|index| sorted.get(index).copied());
    match (exact, seen) {
        (None, None) => true,
        (Some(exact), Some(seen)) if exact > HIGHEST => seen == HIGHEST,
        (Some(exact), Some(seen)) => seen >= exact && seen - exact <= exact >> PRECISION,
        _ => false,
    }
}

fn share(input: &mut Input<'_>) -> Ratio {
    let percent = u32::from(input.byte());
    if percent <= 100 {
        return Ratio::percent(percent);
    }
    let whole = input.any_word().max(1);
    Ratio::try_new(input.word() % whole, whole).expect("a part is less than the whole")
}

/// Counts of many equal values are tested without a list of them.
fn out_of_range(values: &[u64]) -> u64 {
    values.iter().filter(|&&value| value > HIGHEST).count() as u64
}

fn same_snapshot(snapshot: &Snapshot<PRECISION, BUCKETS>, values: &[u64], share: Ratio) {
    assert_eq!(snapshot.count(), values.len() as u64);
    assert_eq!(snapshot.out_of_range(), out_of_range(values));
    let seen = snapshot.percentile(share);
    assert!(is_right(values, share, seen), "{seen:?} is not {share:?} of {values:?}");
    let (mut sum, mut above) = (0, None);
    for bucket in snapshot.buckets() {
        assert!(above.is_none_or(|above| bucket.lowest > above) && bucket.lowest <= bucket.highest);
        let inside = values.iter().filter(|&&value| (bucket.lowest..=bucket.highest).contains(&value));
        assert_eq!(inside.count() as u64, bucket.count);
        sum += bucket.count;
        above = Some(bucket.highest);
    }
    assert_eq!(sum + out_of_range(values), values.len() as u64, "every value in range has a bucket");
}

fn plain(input: &mut Input<'_>) {
    let histogram = Histogram::<PRECISION, BUCKETS>::new();
    let mut values: Vec<u64> = Vec::new();
    let mut earlier = (histogram.snapshot(), 0);
    while let Some(operation) = input.operation() {
        match operation % 8 {
            0..=2 => {
                let value = input.long();
                histogram.record(value);
                values.push(value);
            }
            3 => {
                let (value, times) = (u64::from(input.half()), input.between(0, 20));
                histogram.record_n(value, times);
                values.extend((0..times).map(|_| value));
            }
            4 => {
                let taken = histogram.take();
                same_snapshot(&taken, &values, share(input));
                if input.flag() {
                    histogram.merge(&taken);
                } else {
                    values.clear();
                }
                earlier = (histogram.snapshot(), values.len());
            }
            5 => {
                let snapshot = histogram.snapshot();
                let share = share(input);
                same_snapshot(&snapshot, &values, share);
                same_snapshot(&snapshot.since(&earlier.0), &values[earlier.1..], share);
                let mut merged = earlier.0.clone();
                merged.merge(&snapshot.since(&earlier.0));
                assert!(merged == snapshot, "a snapshot is an earlier one and what came since");
                earlier = (snapshot, values.len());
            }
            6 if operation > 200 => {
                histogram.clear();
                values.clear();
                earlier = (histogram.snapshot(), 0);
            }
            _ => {
                let share = share(input);
                let seen = histogram.percentile(share);
                assert!(is_right(&values, share, seen), "{seen:?} is not {share:?} of {values:?}");
            }
        }
        assert_eq!(histogram.count(), values.len() as u64);
        assert_eq!(histogram.out_of_range(), out_of_range(&values));
    }
}

fn rotating(input: &mut Input<'_>) {
    let epoch = input.long().clamp(1, 1 << 50);
    let histogram = RotatingHistogram::<PRECISION, BUCKETS>::new(Duration::from_nanos(2 * epoch));
    let mut now = input.start(epoch);
    let mut newest = 0;
    let mut list: Vec<(u64, u64)> = Vec::new();
    while let Some(operation) = input.operation() {
        match operation % 8 {
            0..=3 => {
                let value = input.long();
                if newest > now / epoch + EPOCHS_BEHIND {
                    // Everything begins anew.
                    list.clear();
                    newest = 0;
                }
                newest = newest.max(now / epoch);
                histogram.record(value, Instant::from_nanos(now));
                list.push((newest, value));
            }
            4 => now = now.saturating_add(epoch),
            5 => now = now.saturating_add(epoch.saturating_mul(u64::from(input.byte())) / 16),
            6 => now = now.saturating_add(input.long()),
            _ => now = now.saturating_sub(epoch.saturating_mul(u64::from(input.byte())) / 16),
        }
        if now / epoch > 1 << 29 {
            // Numbers of epochs start over far beyond this; the module's own tests go there.
            return;
        }
        if newest > now / epoch + EPOCHS_BEHIND {
            continue;
        }
        let at = newest.max(now / epoch);
        let recent: Vec<u64> =
            list.iter().filter(|(epoch, _)| epoch + 2 > at).map(|&(_, value)| value).collect();
        let now = Instant::from_nanos(now);
        assert_eq!(histogram.count(now), recent.len() as u64);
        assert_eq!(histogram.out_of_range(now), out_of_range(&recent));
        let share = Ratio::percent(u32::from(operation) % 101);
        let seen = histogram.percentile(share, now);
        assert!(is_right(&recent, share, seen), "{seen:?} is not {share:?} of {recent:?}");
        let snapshot = histogram.snapshot(now);
        assert_eq!((snapshot.count(), snapshot.out_of_range()), (recent.len() as u64, out_of_range(&recent)));
        assert_eq!(snapshot.percentile(share), seen);
    }
}
