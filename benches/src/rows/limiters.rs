//! Rate limiters.

use core::hint::black_box;
use core::num::NonZeroU32;

use governor::clock::FakeRelativeClock;
use governor::{Quota as GovernorQuota, RateLimiter as Governor};
use seawall::SystemClock;
use seawall_core::rate_limiter::{Quota, RateLimiter};
use seawall_core::{Clock as _, Instant};

use super::{CLOCK, LOAD, LOAD_CAS, NOW};
use crate::measure::Row;

/// More tokens than a run takes, at a standing clock too.
pub(super) const PLENTY: Quota = Quota::per_second(1_000_000_000).burst(u32::MAX);

fn row<S: Sync + 'static>(name: &'static str, subject: S, operation: impl Fn(&S) + Sync + 'static) -> Row {
    Row::new("limiter", name, subject, operation)
}

fn acquire(limiter: &RateLimiter, now: Instant) {
    let _ = black_box(limiter.try_acquire(black_box(now)));
}

pub(super) fn rows() -> Vec<Row> {
    let empty = RateLimiter::new(Quota::per_second(1).burst(1));
    acquire(&empty, NOW);
    let plenty = GovernorQuota::per_second(NonZeroU32::MAX);
    let frozen = Governor::direct_with_clock(plenty, FakeRelativeClock::default());
    let one = GovernorQuota::per_second(NonZeroU32::MIN);
    let exhausted = Governor::direct_with_clock(one, FakeRelativeClock::default());
    assert!(exhausted.check().is_ok(), "the one token");
    vec![
        row("admitted, caller's time", RateLimiter::new(PLENTY), |limiter| acquire(limiter, NOW))
            .beside(&[(1, LOAD_CAS)]),
        row("rejected, caller's time", empty, |limiter| acquire(limiter, NOW)).beside(&[(1, LOAD)]),
        row("admitted, system clock", RateLimiter::new(PLENTY), |limiter| {
            acquire(limiter, SystemClock.now());
        })
        .beside(&[(1, LOAD_CAS), (1, CLOCK)]),
        row("governor 0.10: admitted, standing clock", frozen, |limiter| {
            let _ = black_box(limiter.check());
        })
        .beside(&[(1, LOAD_CAS)]),
        row("governor 0.10: rejected, standing clock", exhausted, |limiter| {
            let _ = black_box(limiter.check());
        })
        .beside(&[(1, LOAD)]),
        row("governor 0.10: admitted, its own clock", Governor::direct(plenty), |limiter| {
            let _ = black_box(limiter.check());
        })
        .beside(&[(1, LOAD_CAS), (1, CLOCK)]),
    ]
}
