//! Whole guards.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use seawall_core::guard::{Policy, Report, Stats, Verdict};
use seawall_core::rate_limiter::Quota;
use seawall_core::{
    Backoff, Deadline, Guard, Instant, Outcome, Ratio, bulkhead, circuit_breaker, error_budget, retry,
};

use crate::{THREADS, sum, threads};

/// Every pattern takes part, none so tight that nothing passes.
fn policy() -> Policy {
    Policy::new()
        .rate_limit(Quota::per_second(100_000).burst(300))
        .bulkhead(bulkhead::Config::new(3))
        .circuit_breaker(
            circuit_breaker::Config::consecutive_failures(20).open_for(Duration::from_micros(50)),
        )
        .retry(retry::Config::attempts(3, Backoff::constant(Duration::ZERO)))
        .error_budget(error_budget::Config::new(Ratio::percent(99), Duration::from_secs(3600)))
        .timeout(Duration::from_secs(60))
}

fn settled(stats: &Stats) -> u64 {
    stats.successes + stats.failures + stats.ignored + stats.cancelled + stats.rejected()
}

/// Every call is counted once, and no more run than there are slots.
pub(crate) fn decisions(round: u32) {
    let guard: Guard<4, 10> = Guard::new(policy());
    let running = AtomicU32::new(0);
    threads(|thread| {
        for i in 0..100_u64 {
            let now = Instant::from_nanos(u64::from(round) * 1_000 + i * 9_000);
            let Ok(mut call) = guard.try_begin(Deadline::NONE, now) else { continue };
            assert!(running.fetch_add(1, Ordering::AcqRel) < 3);
            while let Ok(attempt) = call.try_attempt(now) {
                let outcome = match (i + u64::from(thread)) % 7 {
                    0 | 1 => Outcome::Failure,
                    2 => Outcome::Ignored,
                    _ => Outcome::Success,
                };
                if !matches!(call.settle(attempt, Report::new(outcome), now).verdict, Verdict::RetryAfter(_))
                {
                    break;
                }
            }
            running.fetch_sub(1, Ordering::AcqRel);
            drop(call);
        }
    });
    assert_eq!(settled(&guard.stats()), u64::from(THREADS * 100));
    assert_eq!(guard.bulkhead().map(|bulkhead| bulkhead.snapshot().in_use), Some(0));
}

/// The same through the adapter, whose threads wait for their slots.
pub(crate) fn guard(_round: u32) {
    let guard = seawall::Guard::new("stress", policy()).expect("the policy is valid");
    let running = AtomicU32::new(0);
    let ran = sum(|thread| {
        (0..50)
            .map(|i| {
                let mut ran = 0;
                let result = guard.call_blocking(|_| {
                    assert!(running.fetch_add(1, Ordering::AcqRel) < 3);
                    ran += 1;
                    running.fetch_sub(1, Ordering::AcqRel);
                    if (i + thread) % 5 == 0 { Err("fails") } else { Ok(()) }
                });
                assert!(result.is_err() || ran > 0);
                ran
            })
            .sum()
    });
    let stats = guard.stats();
    assert_eq!(settled(&stats), u64::from(THREADS * 50));
    assert_eq!(u64::from(ran), stats.successes + stats.failures + stats.retries);
    assert_eq!(guard.latencies().count(), u64::from(ran));
}
