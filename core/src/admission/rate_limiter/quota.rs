//! A rate and a burst.

use core::time::Duration;

use super::scale::{Room, Scale};
use crate::atomic::sync::Wide;
use crate::config::ConfigError;
use crate::time::nanos;

/// So many tokens a period, at most a burst of them at once.
///
/// # Examples
///
/// ```
/// use core::time::Duration;
/// use seawall_core::rate_limiter::Quota;
///
/// const STEADY: Quota = Quota::per_second(1000);
/// const SLOW: Quota = Quota::new(3, Duration::from_secs(60)).burst(1);
/// assert_eq!(STEADY.burst_size(), 1000);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    tokens: u32,
    burst: u32,
    /// Nanoseconds: half the size of a [`Duration`].
    period: u64,
}

wire_struct!(Quota { tokens, burst, period });

impl Quota {
    /// `tokens` each `period`, and as many in a burst (at least one).
    ///
    /// With no tokens the bucket never refills: a burst once, then nothing.
    pub const fn new(tokens: u32, period: Duration) -> Self {
        Self { tokens, period: nanos(period), burst: if tokens == 0 { 1 } else { tokens } }
    }

    /// `tokens` a second, and as many in a burst.
    pub const fn per_second(tokens: u32) -> Self {
        Self::new(tokens, Duration::from_secs(1))
    }

    /// The same rate with a bucket of `burst` tokens.
    #[must_use = "the quota is returned"]
    pub const fn burst(mut self, burst: u32) -> Self {
        self.burst = burst;
        self
    }

    /// Tokens a period.
    pub const fn tokens(&self) -> u32 {
        self.tokens
    }

    /// The period.
    pub const fn period(&self) -> Duration {
        Duration::from_nanos(self.period)
    }

    /// Tokens of a full bucket.
    pub const fn burst_size(&self) -> u32 {
        self.burst
    }

    /// Thousandths of a token that come back in a second, rounded down.
    pub const fn rate_in_thousandths(&self) -> u64 {
        let thousandths =
            self.tokens as u128 * 1_000_000_000_000 / if self.period == 0 { 1 } else { self.period } as u128;
        if thousandths > u64::MAX as u128 { u64::MAX } else { thousandths as u64 }
    }

    /// The units for this quota in a word with `TAG` bits below the arrival time; see the limiter's documentation.
    pub(super) const fn scale<const TAG: u32>(&self) -> Result<Scale<TAG>, ConfigError> {
        let fits = self.burst as u64 <= Room::of_word(TAG).most_tokens;
        if TAG > 1 {
            require!(fits, "rate_limiter.burst", "at most 8388607 where words have 32 bits");
        } else {
            require!(fits, "rate_limiter.burst", "at most 134217727 where words have 32 bits");
        }
        self.scale_in(Room::of_word(TAG))
    }

    /// The same for arrival times that have so much room.
    pub(in crate::admission) const fn scale_in<const TAG: u32>(
        &self,
        room: Room,
    ) -> Result<Scale<TAG>, ConfigError> {
        require!(self.burst > 0, "rate_limiter.burst", "greater than zero");
        require!(self.period > 0, "rate_limiter.period", "greater than zero");
        if self.tokens == 0 {
            return Ok(Scale::standing_still(self.burst));
        }
        require!(
            self.burst as u64 <= (Wide::MAX >> 4) as u64,
            "rate_limiter.burst",
            "at most 268435455 where words have 32 bits"
        );
        let divisor = gcd(self.period, self.tokens as u64);
        let (period, tokens) = (self.period / divisor, (self.tokens as u64 / divisor) as u32);
        Ok(Scale::choose(period, tokens, self.burst, room))
    }
}

/// The greatest common divisor; of zero and `b` it is `b`.
const fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}
