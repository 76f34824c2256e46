//! The tokens that retries are paid from.

use super::config::{Kind, Rules};
use crate::admission::rate_limiter::{Quota, RateLimiter};
use crate::atomic::word::{Packed, Word};
use crate::config::ConfigError;
use crate::time::Instant;

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

/// The balance, and the free retries beside it.
pub(super) struct Budget {
    balance: Word,
    free: RateLimiter,
}

impl Budget {
    const_fn! {
        /// A full balance; the rules were validated.
        pub(super) const fn try_new(rules: Rules) -> Result<Self, ConfigError> {
            match RateLimiter::try_new(Quota::per_second(rules.per_second).burst(1)) {
                Ok(free) => Ok(Self { balance: Word::new(rules.full()), free }),
                Err(error) => Err(error),
            }
        }
    }

    /// Puts the ratio of a token in.
    #[inline]
    pub(super) fn deposit(&self, rules: &Rules) {
        let (share, full) = (rules.ratio.numerator(), rules.full());
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

    /// Takes the cost of a retry out of the balance, or else a free retry.
    pub(super) fn withdraw(&self, rules: &Rules, kind: Kind, now: Instant) -> bool {
        let cost = rules.cost(kind);
        let paid = self.balance.transition(|Balance(units)| {
            let rest = if mutant!("retry_overdraws") {
                Some(units.saturating_sub(cost))
            } else {
                units.checked_sub(cost)
            };
            (rest.map(Balance), rest.is_some())
        });
        paid || (rules.per_second > 0 && self.free.try_acquire(now).is_ok())
    }

    /// Takes the cost of a failure out of the balance, as far as it goes; whether what is left is above the threshold.
    pub(super) fn drain(&self, rules: &Rules, kind: Kind) -> bool {
        let cost = rules.cost(kind);
        let early = mutant!("retry_judges_before_it_drains") && {
            let Balance(units) = self.balance.load();
            rules.is_above(units.saturating_sub(cost))
        };
        self.balance.transition(|Balance(units)| {
            let rest = units.saturating_sub(cost);
            ((rest != units).then_some(Balance(rest)), early || rules.is_above(rest))
        })
    }

    /// Whether the balance is above the threshold.
    pub(super) fn is_above_threshold(&self, rules: &Rules) -> bool {
        let Balance(units) = self.balance.load();
        rules.is_above(units)
    }

    /// The whole tokens that the balance holds.
    pub(super) fn tokens(&self, rules: &Rules) -> u32 {
        let Balance(units) = self.balance.load();
        units / rules.token()
    }
}

impl Rules {
    const fn is_above(&self, units: u32) -> bool {
        units > self.full() / 2
    }
}
