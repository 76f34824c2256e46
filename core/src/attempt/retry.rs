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
//! The budget is a balance of tokens: each call pays a share of a token in, each retry takes its cost out, and the balance
//! never exceeds its cap.
//! A retry costs one token, unless [`Config::cost`] says otherwise for the [`Kind`] of the failure.
//! Beside it, so many retries a second are free, for clients with little traffic.
//! (Finagle's `RetryBudget`; the costs are those of the AWS clients.)
//!
//! Over any time `t` in which `n` calls start, and with every retry costing `c` tokens or more, the retries are at most
//!
//! ```text
//! (cap + ratio · n) / c + per_second · (t + 1 s)
//! ```
//!
//! so the load is amplified by `1 + ratio / c` beside a constant and what is free. Hedges count as retries.
//!
//! As a [throttle](Config::throttle) it works by the result instead: a failure takes its cost out, a success pays the share in,
//! and there are retries only while more than half of the cap is left afterwards (gRPC, proposal A6).
//! Then the retries are at most `(cap / 2 + ratio · successes) / c`.
//!
//! # Memory layout
//!
//! The balance is one 32-bit word in units of one token / the ratio's denominator, so that it is exact; the free retries are a
//! [`RateLimiter`](crate::RateLimiter).
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
//! | a throttle's failure, or success while it is not full | 1 | 1 |

mod budget;
mod config;
#[cfg(all(test, not(loom)))]
mod tests;

use core::fmt;
use core::time::Duration;

pub use config::{Config, Kind};

use super::deadline::Deadline;
use crate::config::ConfigError;
use crate::time::Instant;
use budget::Budget;

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

/// The retry decision with its budget. The [module](self) has an example.
pub struct Retry {
    config: Config,
    budget: Budget,
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
            match Budget::try_new(config.rules) {
                Ok(budget) => Ok(Self { config, budget }),
                Err(error) => Err(error),
            }
        }
    }

    /// A call starts: it pays its share into the budget. It pays nothing into a [throttle](Config::throttle).
    #[inline]
    pub fn call_started(&self) {
        if !self.config.rules.throttles {
            self.budget.deposit(&self.config.rules);
        }
    }

    /// A call succeeded: it pays its share into a [throttle](Config::throttle), and nothing into any other budget.
    #[inline]
    pub fn call_succeeded(&self) {
        if self.config.rules.throttles {
            self.budget.deposit(&self.config.rules);
        }
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
        self.decide_as(Kind::Failure, attempts, previous, deadline, draw, now)
    }

    /// As [`Retry::decide`], after a failure of this kind, which [costs](Config::cost) as much as it is configured to.
    pub fn decide_as(
        &self,
        kind: Kind,
        attempts: u32,
        previous: Duration,
        deadline: Deadline,
        draw: u32,
        now: Instant,
    ) -> Decision {
        let delay = self.config.backoff.delay(attempts.saturating_sub(1), previous, draw);
        self.grant(kind, attempts, delay, deadline, now)
    }

    /// As [`Retry::decide`], after a delay that the peer asked for; the failure is of [`Kind::Throttled`].
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
            self.fails(Kind::Throttled);
            return Decision::GiveUp(GiveUp::Delay);
        }
        self.grant(Kind::Throttled, attempts, delay, deadline, now)
    }

    /// A call failed, and nobody asks for a retry: it takes its cost out of a [throttle](Config::throttle), and nothing out of
    /// any other budget.
    #[inline]
    pub fn call_failed(&self, kind: Kind) {
        self.fails(kind);
    }

    /// A throttle hears of every failure; whether it has room for a retry. Another budget is asked later.
    fn fails(&self, kind: Kind) -> bool {
        let rules = &self.config.rules;
        !rules.throttles || self.budget.drain(rules, kind)
    }

    /// Grants a retry after `delay` if attempts, deadline and budget allow it.
    fn grant(
        &self,
        kind: Kind,
        attempts: u32,
        delay: Duration,
        deadline: Deadline,
        now: Instant,
    ) -> Decision {
        let rules = &self.config.rules;
        let has_room = self.fails(kind);
        if attempts >= self.config.max_attempts {
            return Decision::GiveUp(GiveUp::Attempts);
        }
        if deadline.is_expired(now.saturating_add(delay)) {
            return Decision::GiveUp(GiveUp::Deadline);
        }
        if !has_room || !rules.throttles && !self.budget.withdraw(rules, kind, now) {
            return Decision::GiveUp(GiveUp::Budget);
        }
        Decision::RetryAfter(delay)
    }

    /// Whether the budget has room for an attempt beside another one, which it then pays for.
    pub(super) fn pays_for_a_hedge(&self, now: Instant) -> bool {
        let rules = &self.config.rules;
        if rules.throttles {
            self.budget.is_above_threshold(rules)
        } else {
            self.budget.withdraw(rules, Kind::Failure, now)
        }
    }

    /// The whole tokens that the balance holds; the free retries come beside them.
    pub fn balance(&self) -> u32 {
        self.budget.tokens(&self.config.rules)
    }

    /// The configuration.
    pub const fn config(&self) -> &Config {
        &self.config
    }
}

impl fmt::Debug for Retry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Retry")
            .field("balance", &self.balance())
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}
