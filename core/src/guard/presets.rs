//! The policies of DWCP, the node-to-node protocol of the `NovaCron` cluster manager.
//!
//! The numbers are those of the original's manager (S1), one policy for each operation.
//! Its bulkheads let 200, 200, 100 and 50 calls wait; here as many wait as the guard has slots for.

use core::time::Duration;

use super::Policy;
use crate::admission::{bulkhead, circuit_breaker, rate_limiter::Quota};
use crate::attempt::backoff::{Backoff, Jitter};
use crate::attempt::retry;
use crate::health::error_budget;
use crate::ratio::Ratio;

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// What the four operations have in common.
const fn dwcp(
    (failures, timeout, open): (u32, Duration, Duration),
    (slots, wait): (u32, Duration),
    (retries, delay, cap): (u32, Duration, Duration),
    slo: Ratio,
) -> Policy {
    let backoff = Backoff::exponential(delay).at_most(cap).jitter(Jitter::PERCENT_10);
    Policy::new()
        .circuit_breaker(circuit_breaker::Config::consecutive_failures(failures).open_for(open))
        .bulkhead(bulkhead::Config::new(slots).max_wait(wait))
        .retry(retry::Config::attempts(retries + 1, backoff))
        .timeout(timeout)
        .error_budget(error_budget::Config::new(slo, secs(3600)))
}

impl Policy {
    /// Sending a message: 1000 a second, 100 at a time, 3 retries, a breaker of 5 failures and 60 s, 99.9 % over an hour.
    pub const fn dwcp_send() -> Self {
        dwcp((5, secs(30), secs(60)), (100, secs(5)), (3, millis(100), secs(5)), Ratio::per_million(999_000))
            .rate_limit(Quota::per_second(1000))
    }

    /// Receiving a message: as sending.
    pub const fn dwcp_receive() -> Self {
        Self::dwcp_send()
    }

    /// Synchronizing state: 50 at a time, 5 retries, a breaker of 3 failures and 30 s, 99.5 % over an hour.
    pub const fn dwcp_sync() -> Self {
        dwcp((3, secs(10), secs(30)), (50, secs(10)), (5, millis(200), secs(10)), Ratio::per_million(995_000))
    }

    /// Consensus rounds: 20 at a time, 5 retries, a breaker of 3 failures and 30 s, 99.5 % over an hour.
    pub const fn dwcp_consensus() -> Self {
        dwcp((3, secs(10), secs(30)), (20, secs(15)), (5, millis(500), secs(30)), Ratio::per_million(995_000))
    }
}
