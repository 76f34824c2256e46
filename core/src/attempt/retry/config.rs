//! When to try again, and what it costs.

use core::time::Duration;

use crate::attempt::backoff::Backoff;
use crate::config::ConfigError;
use crate::ratio::Ratio;

/// How an attempt failed, as far as its retry's cost goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Kind {
    /// In any other way.
    #[default]
    Failure,
    /// It ran into its timeout: the peer may still be at it, so a retry adds to what it has to do.
    Timeout,
    /// The peer asked for less, or for a delay.
    Throttled,
}

/// When to try again, and how often at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    pub(super) max_attempts: u32,
    pub(super) backoff: Backoff,
    pub(super) rules: Rules,
}

/// The budget's share of the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rules {
    pub(super) ratio: Ratio,
    pub(super) cap: u32,
    pub(super) per_second: u32,
    costs: Costs,
    /// Failures drain the balance, and half of it is a threshold.
    pub(super) throttles: bool,
}

/// Tokens of a retry, by the kind of the failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Costs {
    failure: u8,
    timeout: u8,
    throttled: u8,
}

wire_struct!(Config { max_attempts, backoff, rules });
wire_struct!(Rules { ratio, cap, per_second, costs, throttles });
wire_struct!(Costs { failure, timeout, throttled });

impl Costs {
    const fn of(self, kind: Kind) -> u8 {
        match kind {
            Kind::Failure => self.failure,
            Kind::Timeout => self.timeout,
            Kind::Throttled => self.throttled,
        }
    }
}

impl Rules {
    /// A token in units of the balance.
    pub(super) const fn token(&self) -> u32 {
        self.ratio.denominator()
    }

    /// A full balance in its units.
    pub(super) const fn full(&self) -> u32 {
        self.cap * self.token()
    }

    /// What a retry costs in units of the balance, `u32::MAX` if it holds fewer.
    pub(super) const fn cost(&self, kind: Kind) -> u32 {
        self.token().saturating_mul(self.costs.of(kind) as u32)
    }
}

impl Config {
    /// At most `max_attempts` attempts a call, the first one counted, with `backoff` between them.
    ///
    /// The budget is 20 % of the calls, ten tokens at most, and ten free retries a second; a retry costs one token.
    pub const fn attempts(max_attempts: u32, backoff: Backoff) -> Self {
        let costs = Costs { failure: 1, timeout: 1, throttled: 1 };
        let rules = Rules { ratio: Ratio::percent(20), cap: 10, per_second: 10, costs, throttles: false };
        Self { max_attempts, backoff, rules }
    }

    /// One attempt a call, no retry.
    pub const fn never() -> Self {
        Self::attempts(1, Backoff::constant(Duration::ZERO))
    }

    /// Retries may be `ratio` of the calls; the balance holds `cap` tokens at most and starts full; and `per_second` retries
    /// a second are free, one at a time, whatever their kind.
    #[must_use = "the configuration is returned"]
    pub const fn budget(mut self, ratio: Ratio, cap: u32, per_second: u32) -> Self {
        self.rules = Rules { ratio, cap, per_second, throttles: false, ..self.rules };
        self
    }

    /// Retries while the balance is more than half full: each failure takes its cost out, whether it is tried again or not,
    /// and each success of a call puts `ratio` of a token in. There are no free retries. A failure that says that another try
    /// makes no sense takes nothing: it says nothing about retries.
    ///
    /// This is the retry throttling of gRPC (proposal A6), `max_tokens` and `tokenRatio` there. It stops retries sooner
    /// than [`budget`](Self::budget) when much fails, and does not limit them while little does.
    #[must_use = "the configuration is returned"]
    pub const fn throttle(mut self, ratio: Ratio, max_tokens: u32) -> Self {
        self.rules = Rules { ratio, cap: max_tokens, per_second: 0, throttles: true, ..self.rules };
        self
    }

    /// A retry after a failure of this kind costs so many tokens, at least one.
    ///
    /// The AWS clients take twice as much for a timeout as for another failure.
    #[must_use = "the configuration is returned"]
    pub const fn cost(mut self, kind: Kind, tokens: u8) -> Self {
        match kind {
            Kind::Failure => self.rules.costs.failure = tokens,
            Kind::Timeout => self.rules.costs.timeout = tokens,
            Kind::Throttled => self.rules.costs.throttled = tokens,
        }
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
        (self.rules.ratio, self.rules.cap, self.rules.per_second)
    }

    /// The tokens that a retry after a failure of this kind costs.
    pub const fn cost_of(&self, kind: Kind) -> u8 {
        self.rules.costs.of(kind)
    }

    /// Whether the budget is a [`throttle`](Config::throttle).
    pub const fn is_throttle(&self) -> bool {
        self.rules.throttles
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
            self.rules.cap as u64 * self.rules.ratio.denominator() as u64 <= u32::MAX as u64,
            "retry.budget.cap",
            "at most 4294967295 divided by the denominator of the ratio"
        );
        let Costs { failure, timeout, throttled } = self.rules.costs;
        require!(failure > 0 && timeout > 0 && throttled > 0, "retry.cost", "greater than zero");
        self.backoff.validate()
    }
}
