//! The clocks of a server.
//!
//! [`SystemClock`] is monotonic and reads the processor's time stamp counter where it can (`quanta`), which costs half of
//! `std::time::Instant::now()`.
//! `TokioClock` follows tokio's time, which tests can pause and move by hand.

use std::sync::LazyLock;

use seawall_core::{Clock, Instant};

/// The origin that all system clocks of this process share: the moment at which the first of them was read.
static ORIGIN: LazyLock<(quanta::Clock, u64)> = LazyLock::new(|| {
    let clock = quanta::Clock::new();
    let origin = clock.raw();
    (clock, origin)
});

/// The system's monotonic clock. Every value of this type shows the same time.
///
/// # Examples
///
/// ```
/// use seawall::core::Clock;
/// use seawall::SystemClock;
///
/// let earlier = SystemClock.now();
/// assert!(SystemClock.now() >= earlier);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[inline]
    fn now(&self) -> Instant {
        let (clock, origin) = &*ORIGIN;
        Instant::from_nanos(clock.delta_as_nanos(*origin, clock.raw()))
    }
}

/// Tokio's clock, which stands still in a runtime whose time is paused.
///
/// # Examples
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
/// use std::time::Duration;
/// use seawall::clock::TokioClock;
/// use seawall::core::Clock;
///
/// let clock = TokioClock::new();
/// let start = clock.now();
/// tokio::time::sleep(Duration::from_secs(3600)).await;
/// assert!(clock.now().saturating_since(start) >= Duration::from_secs(3600));
/// # });
/// ```
#[cfg(feature = "tokio")]
#[derive(Clone, Copy, Debug)]
pub struct TokioClock {
    origin: tokio::time::Instant,
}

#[cfg(feature = "tokio")]
impl TokioClock {
    /// A clock whose origin is now.
    pub fn new() -> Self {
        Self { origin: tokio::time::Instant::now() }
    }
}

#[cfg(feature = "tokio")]
impl Default for TokioClock {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(feature = "tokio")]
impl Clock for TokioClock {
    fn now(&self) -> Instant {
        Instant::ZERO.saturating_add(tokio::time::Instant::now().saturating_duration_since(self.origin))
    }
}
