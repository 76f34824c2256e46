//! What a window is told, and what it tells.

/// How many kinds of samples there are.
pub(crate) const KINDS: usize = 4;

/// What is counted of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Sample {
    failure: bool,
    slow: bool,
}

impl Sample {
    /// A call that did its work in time.
    pub const SUCCESS: Self = Self::new(false, false);
    /// A call that failed in time.
    pub const FAILURE: Self = Self::new(true, false);
    /// A call that did its work too slowly.
    pub const SLOW_SUCCESS: Self = Self::new(false, true);
    /// A call that failed, and took too long for it.
    pub const SLOW_FAILURE: Self = Self::new(true, true);

    /// The sample with these two properties.
    pub const fn new(failure: bool, slow: bool) -> Self {
        Self { failure, slow }
    }

    /// The sample that has counter `kind`, of which the two lowest bits count.
    pub(crate) const fn of_kind(kind: usize) -> Self {
        Self::new(kind & 1 != 0, kind & 2 != 0)
    }

    /// Whether the call failed.
    pub const fn is_failure(self) -> bool {
        self.failure
    }

    /// Whether the call was slow.
    pub const fn is_slow(self) -> bool {
        self.slow
    }

    /// The place of the sample's counter.
    pub(super) const fn index(self) -> usize {
        self.failure as usize | (self.slow as usize) << 1
    }
}

/// Sums over a window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Totals {
    /// All calls; at most `u32::MAX`.
    pub calls: u32,
    /// The calls that failed, slow or not.
    pub failures: u32,
    /// The calls that were slow, failed or not.
    pub slow: u32,
}

impl Totals {
    /// Nothing was recorded.
    pub const ZERO: Self = Self { calls: 0, failures: 0, slow: 0 };

    /// The sums of the four counts.
    pub(super) const fn of(counts: [u32; KINDS]) -> Self {
        let [success, failure, slow_success, slow_failure] = counts;
        let failures = failure.saturating_add(slow_failure);
        Self {
            calls: success.saturating_add(slow_success).saturating_add(failures),
            failures,
            slow: slow_success.saturating_add(slow_failure),
        }
    }
}
