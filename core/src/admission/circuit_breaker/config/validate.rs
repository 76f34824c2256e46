//! Which configurations are refused.

use core::time::Duration;

use super::Config;
use crate::admission::circuit_breaker::results::MAX_CALLS;
use crate::admission::circuit_breaker::state::{MAX_FAILURES, MAX_PROBES, MAX_RESULTS};
use crate::admission::circuit_breaker::watch::Slow;
use crate::config::ConfigError;

impl Config {
    /// Whether a breaker that is one of many, each for a key, does all that is set.
    pub(in crate::admission::circuit_breaker) const fn validate_for_keys(&self) -> Result<(), ConfigError> {
        require!(
            self.probe_timeout.get().is_none(),
            "circuit_breaker.probe_timeout",
            "left out where each key has a breaker"
        );
        require!(
            self.honored.get().is_none(),
            "circuit_breaker.honor_retry_after",
            "left out where each key has a breaker"
        );
        require!(!self.shadow, "circuit_breaker.shadow", "left out where each key has a breaker");
        // The word has a bit for each result.
        require!(
            !matches!(self.watch.slow, Slow::Rate(..)),
            "circuit_breaker.slow_call_rate",
            "left out where each key has a breaker; slow calls can count as failed"
        );
        if let Some(rates) = self.watch.rates {
            let calls = match rates.span.as_calls() {
                Some(calls) => calls,
                None => 0,
            };
            require!(
                calls > 0 && calls <= MAX_CALLS,
                "circuit_breaker.window",
                "between 1 and 17 calls where each key has a breaker"
            );
            require!(
                self.consecutive_failures <= calls,
                "circuit_breaker.consecutive_failures",
                "at most the calls of the window where each key has a breaker"
            );
        }
        self.validate_rules()
    }

    /// How many probes can report before the half-open phase is decided.
    const fn most_results(&self) -> u32 {
        match (self.judged_probes, self.failed_probes) {
            (Some(of), _) => of as u32,
            (None, Some(failures)) => self.successes as u32 + failures as u32 - 1,
            (None, None) => self.successes as u32,
        }
    }

    pub(in crate::admission::circuit_breaker) const fn validate(
        &self,
        slots: usize,
    ) -> Result<(), ConfigError> {
        if let Err(error) = self.validate_rules() {
            return Err(error);
        }
        require!(
            self.watch.rates.is_none() || slots > 0,
            "circuit_breaker.failure_rate",
            "left out, or the breaker given window slots"
        );
        Ok(())
    }

    const fn validate_rules(&self) -> Result<(), ConfigError> {
        require!(
            self.consecutive_failures <= MAX_FAILURES,
            "circuit_breaker.consecutive_failures",
            "between 1 and 262143"
        );
        if let Slow::Rate(share, _) = self.watch.slow {
            require!(
                self.watch.rates.is_some(),
                "circuit_breaker.slow_call_rate",
                "given a window: or_failure_rate or or_slow_call_rate_over"
            );
            require!(share.numerator() > 0, "circuit_breaker.slow_call_rate", "greater than zero");
        }
        if let Some(slow) = self.watch.slow.limit() {
            require!(!slow.is_zero(), "circuit_breaker.slow_call_duration", "greater than zero");
        }
        require!(
            self.consecutive_failures > 0 || self.watch.rates.is_some(),
            "circuit_breaker.slow_calls_fail",
            "beside a rule for failures: or_failure_rate or or_consecutive_failures"
        );
        if let Some(rates) = self.watch.rates {
            if let Some(share) = rates.failures {
                require!(share.numerator() > 0, "circuit_breaker.failure_rate", "greater than zero");
            }
            require!(rates.minimum_calls > 0, "circuit_breaker.minimum_calls", "greater than zero");
            if let Some(calls) = rates.span.as_calls() {
                require!(
                    rates.minimum_calls <= calls,
                    "circuit_breaker.minimum_calls",
                    "at most the calls of the window"
                );
            }
        }
        if let Err(error) = self.open.validate() {
            return Err(error);
        }
        let first = self.open.delay(0, Duration::ZERO, 0);
        require!(!first.is_zero(), "circuit_breaker.open_for", "greater than zero");
        require!(!self.probe_lease().is_zero(), "circuit_breaker.probe_lease", "greater than zero");
        require!(
            self.probes >= 1 && self.probes as u32 <= MAX_PROBES,
            "circuit_breaker.probes",
            "between 1 and 15"
        );
        require!(is_result(self.successes), "circuit_breaker.successes_to_close", "between 1 and 31");
        if let Some(failed) = self.failed_probes {
            require!(is_result(failed), "circuit_breaker.probe_failures_to_open", "between 1 and 31");
        }
        if let Some(of) = self.judged_probes {
            require!(is_result(of), "circuit_breaker.close_below.of", "between 1 and 31");
            require!(
                self.judged_share.numerator() > 0,
                "circuit_breaker.close_below.share",
                "greater than zero"
            );
        }
        let calls = self.half_open_calls as u32;
        require!(
            calls == 0 || (calls >= self.most_results() && calls <= MAX_PROBES + MAX_RESULTS),
            "circuit_breaker.half_open_calls",
            "as many as it can take to decide, and at most 46"
        );
        require!(!self.probe_timeout.is_zero(), "circuit_breaker.probe_timeout", "greater than zero");
        require!(!self.honored.is_zero(), "circuit_breaker.honor_retry_after", "greater than zero");
        require!(!self.ramp_over.is_zero(), "circuit_breaker.ramp", "greater than zero");
        Ok(())
    }
}

const fn is_result(n: u8) -> bool {
    n >= 1 && n as u32 <= MAX_RESULTS
}
