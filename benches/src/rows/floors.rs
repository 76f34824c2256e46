//! The bare instructions.

use core::hint::black_box;
use core::sync::atomic::{AtomicU64, Ordering};

use seawall::SystemClock;
use seawall_core::Clock as _;

use super::{CLOCK, FETCH_ADD, FIVE, LOAD, LOAD_CAS, THREE};
use crate::measure::Row;

#[derive(Default)]
#[repr(align(128))]
struct Padded(AtomicU64);

fn row<S: Default + Sync + 'static>(name: &'static str, operation: impl Fn(&S) + Sync + 'static) -> Row {
    Row::new("floor", name, S::default(), operation)
}

pub(super) fn rows() -> Vec<Row> {
    vec![
        row("empty closure", |()| {
            black_box(());
        }),
        row(LOAD, |word: &AtomicU64| {
            black_box(word.load(Ordering::Relaxed));
        }),
        row(FETCH_ADD, |word: &AtomicU64| {
            black_box(word.fetch_add(1, Ordering::Relaxed));
        }),
        row(LOAD_CAS, |word: &AtomicU64| {
            let mut old = word.load(Ordering::Relaxed);
            while let Err(newer) =
                word.compare_exchange_weak(old, old.wrapping_add(1), Ordering::AcqRel, Ordering::Relaxed)
            {
                old = newer;
            }
            black_box(old);
        }),
        row(THREE, |words: &[AtomicU64; 3]| {
            for word in words {
                black_box(word.fetch_add(1, Ordering::Relaxed));
            }
        }),
        row(CLOCK, |()| {
            black_box(SystemClock.now());
        }),
        row("std Instant::now", |()| {
            black_box(std::time::Instant::now());
        }),
        row(FIVE, |words: &[Padded; 5]| {
            black_box(SystemClock.now());
            for Padded(word) in words {
                black_box(word.fetch_add(1, Ordering::Relaxed));
            }
            black_box(SystemClock.now());
        }),
        row("std Mutex: lock, add 1, unlock", |sum: &std::sync::Mutex<u64>| {
            *sum.lock().expect("nothing panics while it is locked") += 1;
        }),
    ]
}
