//! Retry, or give up, and why.
//!
//! Three things bound the retries: the attempts of one call, its deadline, and a budget that all calls share.
//! The budget is what keeps a fault from becoming an outage: when everything fails, retries add a fixed share to the load and
//! no more.
//!
//! # Examples
//!
//! ```
//! use core::time::Duration;
//! use seawall_core::{retry::{Config, Decision, GiveUp}, Backoff, Deadline, Instant, Retry};
//!
//! static RETRY: Retry = Retry::new(Config::attempts(2, Backoff::constant(Duration::from_millis(10))));
//!
//! let now = Instant::from_secs(1);
//! RETRY.call_started();
//! let first = RETRY.decide(1, Duration::ZERO, Deadline::NONE, 0, now);
//! assert_eq!(first, Decision::RetryAfter(Duration::from_millis(10)));
//! let second = RETRY.decide(2, Duration::from_millis(10), Deadline::NONE, 0, now);
//! assert_eq!(second, Decision::GiveUp(GiveUp::Attempts));
//! ```
//!
//! # States
//!
//! The budget is a balance of tokens: each call pays a share of a token in, each retry takes one out, and the balance never
//! exceeds its cap.
//! Beside it, so many retries a second are free, for clients with little traffic.
//! (Finagle's `RetryBudget`; gRPC proposal A6.)
//!
//! Over any time `t` in which `n` calls start, the retries are at most `cap + ratio · n + per_second · (t + 1 s)`.
//!
//! # Memory layout
//!
//! The balance is one 32-bit word in units of one token / the ratio's denominator, so that it is exact; the free retries are a
//! [`RateLimiter`].
//!
//! # Ordering
//!
//! (a) Each deposit and each withdrawal is one exchange on the balance. (b) It publishes nothing else. (c) Nothing is stale.
//! (d) Sums do not care about ABA. (e) Models: `loom-tests/tests/retry_budget.rs`.
//!
//! # Progress
//!
//! Lock-free. A deposit into a full balance is wait-free.
//!
//! # Cost
//!
//! | call | loads | writes |
//! |---|---:|---:|
//! | a call starts, balance full | 1 | 0 |
//! | a call starts, balance not full | 1 | 1 |
//! | a retry is granted from the balance | 1 | 1 |

#[cfg(all(test, not(loom)))]
mod tests;

use core::fmt;
use core::time::Duration;

use super::backoff::Backoff;
use super::deadline::Deadline;
use crate::admission::rate_limiter::{Quota, RateLimiter};
use crate::atomic::word::{Packed, Word};
use crate::config::ConfigError;
use crate::ratio::Ratio;
use crate::time::Instant;

/// When to try again, and how often at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    max_attempts: u32,
    backoff: Backoff,
    budget: Budget,
}

wire_struct!(Config { max_attempts, backoff, budget });

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Budget {
    ratio: Ratio,
    cap: u32,
    per_second: u32,
}

wire_struct!(Budget { ratio, cap, per_second });

impl Config {
    /// At most `max_attempts` attempts a call, the first one counted, with `backoff` between them.
    ///
    /// The budget is 20 % of the calls, ten tokens at most, and ten free retries a second.
    pub const fn attempts(max_attempts: u32, backoff: Backoff) -> Self {
        Self { max_attempts, backoff, budget: Budget { ratio: Ratio::percent(20), cap: 10, per_second: 10 } }
    }

    /// One attempt a call, no retry.
    pub const fn never() -> Self {
        Self::attempts(1, Backoff::constant(Duration::ZERO))
    }

    /// Retries may be `ratio` of the calls; the balance holds `cap` tokens at most and starts full; and `per_second` retries
    /// a second are free, one at a time.
    #[must_use = "the configuration is returned"]
    pub const fn budget(mut self, ratio: Ratio, cap: u32, per_second: u32) -> Self {
        self.budget = Budget { ratio, cap, per_second };
        self
    }

    /// The same with other attempts, and the same budget.
    #[must_use = "the configuration is returned"]
    pub const fn with_attempts(mut self, max_attempts: u32, backoff: Backoff) -> Self {
        self.max_attempts = max_attempts;
        self.backoff = backoff;
        self
    }

    /// The share of the calls, the tokens at most, and the free retries a second of the [`budget`](Config::budget).
    pub const fn budget_parts(&self) -> (Ratio, u32, u32) {
        (self.budget.ratio, self.budget.cap, self.budget.per_second)
    }

    /// The attempts of a call.
    pub const fn max_attempts(&self) -> u32 {
        self.max_attempts
    }

    /// The delays.
    pub const fn backoff(&self) -> &Backoff {
        &self.backoff
    }

    /// Checks the values.
    ///
    /// # Errors
    ///
    /// If a value lies outside its bound.
    pub const fn validate(&self) -> Result<(), ConfigError> {
        require!(self.max_attempts > 0, "retry.max_attempts", "greater than zero");
        require!(
            self.budget.cap as u64 * self.budget.ratio.denominator() as u64 <= u32::MAX as u64,
            "retry.budget.cap",
            "at most 4294967295 divided by the denominator of the ratio"
        );
        self.backoff.validate()
    }
}

/// The decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Try again after this time. The retry is paid for.
    RetryAfter(Duration),
    /// Return the result.
    GiveUp(GiveUp),
}

/// Why there is no retry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum GiveUp {
    /// The result says that trying again does not help.
    NotRetryable,
    /// The call has had its attempts.
    Attempts,
    /// The call's deadline comes before the next attempt could start.
    Deadline,
    /// The peer asks for a longer delay than the backoff's cap.
    Delay,
    /// The retry budget is spent.
    Budget,
    /// The circuit breaker is open.
    BreakerOpen,
}

impl fmt::Display for GiveUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::NotRetryable => "the result is not retryable",
            Self::Attempts => "all attempts are used",
            Self::Deadline => "the deadline comes before the next attempt",
            Self::Delay => "the peer asks for a longer delay than the cap",
            Self::Budget => "the retry budget is spent",
            Self::BreakerOpen => "the circuit breaker is open",
        })
    }
}

/// The balance in units of one token / the ratio's denominator.
#[derive(Clone, Copy)]
struct Balance(u32);

impl Packed for Balance {
    type Raw = u32;

    #[inline]
    fn unpack(raw: u32) -> Self {
        Self(raw)
    }

    #[inline]
    fn pack(self) -> u32 {
        self.0
    }
}

/// The retry decision with its budget. The [module](self) has an example.
pub struct Retry {
    config: Config,
    balance: Word,
    free: RateLimiter,
}

impl Retry {
    const_fn! {
        /// A retry decision whose budget starts full.
        ///
        /// # Panics
        ///
        /// If [`Retry::try_new`] would return an error; in a `static` this is a compile error.
        pub const fn new(config: Config) -> Self {
            expect_valid!(Self::try_new(config), "retry")
        }
    }

    const_fn! {
        /// A retry decision whose budget starts full.
        ///
        /// # Errors
        ///
        /// If a value of `config` lies outside its bound.
        pub const fn try_new(config: Config) -> Result<Self, ConfigError> {
            if let Err(error) = config.validate() {
                return Err(error);
            }
            let free = match RateLimiter::try_new(Quota::per_second(config.budget.per_second).burst(1)) {
                Ok(free) => free,
                Err(error) => return Err(error),
            };
            Ok(Self { config, balance: Word::new(full(&config.budget)), free })
        }
    }

    /// A call starts: it pays its share into the budget.
    #[inline]
    pub fn call_started(&self) {
        let budget = &self.config.budget;
        let (share, full) = (budget.ratio.numerator(), full(budget));
        let deposits_blindly =
            mutant!("retry_checks_the_cap_before_the_deposit") && self.balance.load::<Balance>().0 < full;
        self.balance.transition(|Balance(units)| {
            if deposits_blindly {
                (Some(Balance(units.saturating_add(share))), ())
            } else if units >= full {
                (None, ())
            } else {
                (Some(Balance(units.saturating_add(share).min(full))), ())
            }
        });
    }

    /// Whether a call that has made `attempts` attempts, the last one a failure worth another try, gets one more.
    ///
    /// `previous` is the delay before the last attempt, `draw` is uniformly random.
    /// A retry that is granted is taken from the budget.
    pub fn decide(
        &self,
        attempts: u32,
        previous: Duration,
        deadline: Deadline,
        draw: u32,
        now: Instant,
    ) -> Decision {
        let delay = self.config.backoff.delay(attempts.saturating_sub(1), previous, draw);
        self.grant(attempts, delay, deadline, now)
    }

    /// As [`Retry::decide`], after a delay that the peer asked for.
    ///
    /// A delay beyond the backoff's cap is no reason to hold the call, and what it holds, for so long: it gives up.
    pub fn decide_with_delay(
        &self,
        attempts: u32,
        delay: Duration,
        deadline: Deadline,
        now: Instant,
    ) -> Decision {
        if attempts < self.config.max_attempts && delay > self.config.backoff.cap() {
            return Decision::GiveUp(GiveUp::Delay);
        }
        self.grant(attempts, delay, deadline, now)
    }

    /// Grants a retry after `delay` if attempts, deadline and budget allow it.
    fn grant(&self, attempts: u32, delay: Duration, deadline: Deadline, now: Instant) -> Decision {
        if attempts >= self.config.max_attempts {
            return Decision::GiveUp(GiveUp::Attempts);
        }
        if deadline.is_expired(now.saturating_add(delay)) {
            return Decision::GiveUp(GiveUp::Deadline);
        }
        if !self.withdraw(now) {
            return Decision::GiveUp(GiveUp::Budget);
        }
        Decision::RetryAfter(delay)
    }

    /// The whole retries that the balance holds, without the free ones.
    pub fn balance(&self) -> u32 {
        let Balance(units) = self.balance.load();
        units / self.config.budget.ratio.denominator()
    }

    /// The configuration.
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// Takes one retry from the budget.
    fn withdraw(&self, now: Instant) -> bool {
        let token = self.config.budget.ratio.denominator();
        let paid = self.balance.transition(|Balance(units)| {
            let rest = if mutant!("retry_overdraws") {
                Some(units.saturating_sub(token))
            } else {
                units.checked_sub(token)
            };
            (rest.map(Balance), rest.is_some())
        });
        paid || (self.config.budget.per_second > 0 && self.free.try_acquire(now).is_ok())
    }
}

/// The units of a full balance.
const fn full(budget: &Budget) -> u32 {
    budget.cap * budget.ratio.denominator()
}

impl fmt::Debug for Retry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Retry")
            .field("balance", &self.balance())
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}
