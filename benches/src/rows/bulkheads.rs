//! Bulkheads.

use core::hint::black_box;

use seawall_core::bulkhead::{Bulkhead, Config};
use tokio::sync::Semaphore;

use super::{FETCH_ADD, LOAD, NOW};
use crate::measure::Row;

fn row<S: Sync + 'static>(name: &'static str, subject: S, operation: impl Fn(&S) + Sync + 'static) -> Row {
    Row::new("bulkhead", name, subject, operation)
}

fn enter<const WAITERS: usize>(bulkhead: &Bulkhead<WAITERS>) {
    let _ = black_box(bulkhead.try_acquire(black_box(NOW)));
}

fn semaphore(semaphore: &Semaphore) {
    let _ = black_box(semaphore.try_acquire());
}

pub(super) fn rows() -> Vec<Row> {
    vec![
        row("in and out", Bulkhead::<8>::new(Config::new(100)), enter).beside(&[(2, FETCH_ADD)]),
        row("full, rejected", Bulkhead::<8>::new(Config::new(0)), enter).beside(&[(1, LOAD)]),
        row("tokio Semaphore: in and out", Semaphore::new(100), semaphore).beside(&[(2, FETCH_ADD)]),
        row("tokio Semaphore: full, rejected", Semaphore::new(0), semaphore).beside(&[(1, LOAD)]),
    ]
}
