//! What the scenarios have in common.

use core::time::Duration;

use seawall_core::circuit_breaker::{CircuitBreaker, Config, Rejected, Settlement, State};
use seawall_core::{Instant, Outcome, RateLimiter};

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const DAY: Duration = Duration::from_secs(86_400);

/// Whether core keeps its limiters' and timers' words in 64 bits here.
pub(crate) const WIDE: bool = cfg!(all(target_has_atomic = "64", not(seawall_word32)));

/// After so many milliseconds a clock that counts them in 32 bits starts over: 49.7 days.
pub(crate) const WRAP_OF_MILLIS: Instant = Instant::from_millis(1 << 32);
/// The same for microseconds: 71.6 minutes.
pub(crate) const WRAP_OF_MICROS: Instant = Instant::from_nanos((1 << 32) * 1000);
/// The same for nanoseconds: 4.3 seconds.
pub(crate) const WRAP_OF_NANOS: Instant = Instant::from_nanos(1 << 32);

pub(crate) fn s(seconds: u64) -> Instant {
    Instant::from_secs(seconds)
}

pub(crate) fn ms(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

/// The moment `duration` before `moment`.
pub(crate) fn before(moment: Instant, duration: Duration) -> Instant {
    moment
        .saturating_since(Instant::ZERO)
        .saturating_sub(duration)
        .as_nanos()
        .try_into()
        .map_or(Instant::NEVER, Instant::from_nanos)
}

/// One call that ends as `outcome` at once.
pub(crate) fn call<const N: usize>(
    breaker: &CircuitBreaker<N>,
    outcome: Outcome,
    now: Instant,
) -> Result<Settlement, Rejected> {
    breaker.try_acquire(now).map(|permit| permit.record(outcome, now))
}

/// S success, F failure, L slow, X ignored.
pub(crate) fn outcome_of(letter: char) -> Outcome {
    match letter {
        'S' => Outcome::Success,
        'F' => Outcome::Failure,
        'L' => Outcome::Slow,
        _ => Outcome::Ignored,
    }
}

/// Calls that end as the letters say. All must be admitted.
pub(crate) fn calls<const N: usize>(breaker: &CircuitBreaker<N>, letters: &str, now: Instant) {
    for letter in letters.chars() {
        assert!(call(breaker, outcome_of(letter), now).is_ok(), "{letter} of {letters} is refused");
    }
}

pub(crate) fn state<const N: usize>(breaker: &CircuitBreaker<N>, now: Instant) -> State {
    breaker.status(now).state
}

/// A breaker that trips after `n` failures in a row, opens for a minute and closes after one success.
pub(crate) fn consecutive(n: u32) -> Config {
    Config::consecutive_failures(n).open_for(MINUTE).successes_to_close(1)
}

/// How many of `tries` calls at one moment the limiter admits.
pub(crate) fn burst(limiter: &RateLimiter, tries: u32, now: Instant) -> u32 {
    (0..tries).map(|_| u32::from(limiter.try_acquire(now).is_ok())).sum()
}
