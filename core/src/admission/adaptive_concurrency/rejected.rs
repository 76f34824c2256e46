//! Why a call was not admitted.

use core::fmt;

/// As many calls run as may: come back when one has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rejected {
    /// Calls that run; more than the limit only after it fell.
    pub in_flight: u32,
    /// Calls that may run.
    pub limit: u32,
    /// Whether the limit is down to measure the baseline.
    pub is_probing: bool,
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "concurrency limit reached: {} in flight, {} allowed", self.in_flight, self.limit)
    }
}

impl core::error::Error for Rejected {}
