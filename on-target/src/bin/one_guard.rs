//! A guard in a `static` and one protected call: what firmware pays in flash and RAM.

#![no_std]
#![no_main]

use core::hint::black_box;
use core::time::Duration;

use seawall_core::guard::{Policy, Report, Verdict};
use seawall_core::rate_limiter::Quota;
use seawall_core::{Backoff, Deadline, Guard, Instant, bulkhead, circuit_breaker, retry};
use seawall_on_target as _;

static UPLINK: Guard<0, 0> = Guard::new(
    Policy::new()
        .rate_limit(Quota::per_second(10))
        .bulkhead(bulkhead::Config::new(1))
        .circuit_breaker(circuit_breaker::Config::consecutive_failures(5).open_for(Duration::from_secs(30)))
        .retry(retry::Config::attempts(3, Backoff::exponential(Duration::from_millis(50))))
        .timeout(Duration::from_millis(200)),
);

/// Calls once through the guard, and says whether the call succeeded.
fn send(mut now: Instant) -> bool {
    let Ok(mut call) = UPLINK.try_begin(Deadline::NONE, now) else { return false };
    while let Ok(attempt) = call.try_attempt(now) {
        let result: Result<(), ()> = black_box(Ok(()));
        match call.settle(attempt, Report::from(&result), now).verdict {
            Verdict::RetryAfter(delay) => now = now.saturating_add(delay),
            _ => return result.is_ok(),
        }
    }
    false
}

#[cortex_m_rt::entry]
fn main() -> ! {
    semihosting::process::exit(i32::from(!send(black_box(Instant::from_secs(1)))))
}
