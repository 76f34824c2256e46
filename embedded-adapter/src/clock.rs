//! Embassy's clock.

use embassy_time::TICK_HZ;
use seawall_core::{Clock, Instant};

const NANOS: u64 = 1_000_000_000;

/// The clock of the firmware's time driver; its resolution is one tick (1 µs unless the driver says otherwise).
///
/// # Examples
///
/// ```
/// use seawall_embassy::core::Clock;
/// use seawall_embassy::EmbassyClock;
///
/// assert_eq!(EmbassyClock.now().as_nanos(), 0, "the mock driver starts at zero");
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct EmbassyClock;

impl Clock for EmbassyClock {
    #[inline]
    fn now(&self) -> Instant {
        Instant::from_nanos(to_nanos(embassy_time::Instant::now().as_ticks()))
    }
}

/// The moment `ticks` ticks after the start, in nanoseconds; rounded down if a tick is no whole number of them.
const fn to_nanos(ticks: u64) -> u64 {
    let whole = (ticks / TICK_HZ).saturating_mul(NANOS);
    // The rest is less than a second, so the product stays below 2^30 times the tick rate.
    whole.saturating_add((ticks % TICK_HZ).saturating_mul(NANOS) / TICK_HZ)
}

/// The first tick that is not before `nanos`.
pub(crate) const fn to_ticks(nanos: u64) -> u64 {
    let whole = (nanos / NANOS).saturating_mul(TICK_HZ);
    whole.saturating_add((nanos % NANOS).saturating_mul(TICK_HZ).div_ceil(NANOS))
}

#[cfg(test)]
mod tests {
    use super::{TICK_HZ, to_nanos, to_ticks};

    #[test]
    fn ticks_and_nanoseconds_agree_and_nothing_overflows() {
        for ticks in [0, 1, TICK_HZ - 1, TICK_HZ, 1 << 40, u64::MAX / 2] {
            let nanos = to_nanos(ticks);
            if nanos < u64::MAX {
                assert_eq!(to_ticks(nanos), ticks);
            }
        }
        assert_eq!(to_nanos(u64::MAX), u64::MAX);
        assert_eq!(to_ticks(1), 1, "a timer must not fire before its time");
        assert!(to_ticks(u64::MAX) > 0);
    }
}
