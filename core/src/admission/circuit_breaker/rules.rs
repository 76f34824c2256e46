//! What any number of breakers can share: how a configuration judges what it sees.

use core::time::Duration;

use super::results::Keep;
use super::state::{Phase, Snapshot};
use super::watch::{Rates, Slow};
use super::{Cause, Config, Settlement, Ticket};
use crate::atomic::rng::Rng;
use crate::atomic::timer::Scale;
use crate::config::ConfigError;
use crate::measure::window::Totals;
use crate::outcome::Outcome;
use crate::time::Instant;

/// What any number of [`Cell`](super::cell::Cell)s decide by.
pub(crate) struct Rules {
    pub(super) config: Config,
    pub(super) scale: Scale,
    draws: Rng,
}

/// How a call ended.
#[derive(Clone, Copy)]
pub(crate) struct Ending {
    pub(crate) outcome: Outcome,
    /// After what time the peer wants to be asked again, if it said so.
    pub(crate) retry_after: Option<Duration>,
    pub(crate) at: Instant,
}

/// What a result does to the state word.
pub(super) enum Step {
    /// Nothing.
    Stay(Settlement),
    /// It is counted, and the phase stays.
    Count(Snapshot),
    /// It opens or closes the breaker.
    To(Snapshot, Cause),
    /// It is to close the breaker, and what is kept must be cleared before.
    Clear,
}

impl Rules {
    const_fn! {
        /// The rules of a breaker with a window of so many slots.
        pub(crate) const fn try_new(config: Config, slots: usize) -> Result<Self, ConfigError> {
            match config.validate(slots) {
                Ok(()) => Ok(Self::of(config)),
                Err(error) => Err(error),
            }
        }
    }

    const_fn! {
        /// The rules of a configuration that is valid.
        pub(super) const fn of(config: Config) -> Self {
            Self { config, scale: Scale::patient(config.longest_interval()), draws: Rng::new(config.seed) }
        }
    }

    /// How long the breaker stays open when it opens for the time `cycles` + 1 in a row.
    pub(super) fn open_time(&self, cycles: u32) -> Duration {
        self.config.open.delay(cycles, Duration::ZERO, self.draws.next_u32())
    }

    /// How long the phase lasts; zero for one without an end.
    pub(super) fn interval_of(&self, state: Snapshot) -> Duration {
        match (state.phase(), self.config.ramp_config()) {
            (Phase::Open, _) => self.open_time(state.cycles()),
            (Phase::HalfOpen, _) => self.config.probe_lease(),
            (Phase::Ramping, Some(ramp)) => ramp.over,
            (Phase::Ramping, None) | (Phase::Closed, _) => Duration::ZERO,
        }
    }

    /// Whether the ramp admits a call when so much time is left.
    pub(super) fn ramp_admits(&self, left: Option<Duration>) -> bool {
        let draw = self.draws.next_u32();
        self.config.ramp_config().is_none_or(|ramp| ramp.admits(left.unwrap_or(Duration::MAX), draw))
    }

    /// Why the breaker is to trip, if these sums say so; the last call failed or not.
    #[inline]
    pub(super) fn rate_met(
        &self,
        rates: Rates,
        kept: &impl Keep,
        sums: Totals,
        failed: bool,
    ) -> Option<Cause> {
        if self.config.evaluates_on_failure_only && !failed {
            return None;
        }
        let Totals { failures, slow, .. } = sums;
        let calls = kept.judged(rates.minimum_calls, sums)?;
        match self.config.watch.slow {
            _ if rates.failures.is_some_and(|share| share.is_reached_by(failures, calls)) => {
                Some(Cause::FailureRate { calls, failures })
            }
            Slow::Rate(share, _) if share.is_reached_by(slow, calls) => {
                Some(Cause::SlowCallRate { calls, slow })
            }
            _ => None,
        }
    }

    /// Whether a probe that ended so has failed: also if it was slow, where slow calls trip the breaker or fail.
    pub(super) fn is_failed_probe(&self, ticket: &Ticket, ending: Ending) -> bool {
        let slow = self.config.watch.slow;
        ending.outcome == Outcome::Failure || (slow.limit().is_some() && slow.is(ticket, ending))
    }

    /// Whether the half-open phase `state` admits another probe.
    pub(super) fn has_room_for_a_probe(&self, state: Snapshot) -> bool {
        let calls = u32::from(self.config.half_open_calls);
        let admitted = state.probes() + state.successes() + state.failed_probes();
        state.probes() < u32::from(self.config.probes) && (calls == 0 || admitted < calls)
    }

    /// What the results of the probes up to `counted` say, the last of which failed or not.
    pub(super) fn judge_probes(&self, state: Snapshot, counted: Snapshot, failed: bool) -> Step {
        let (successes, failures) = (counted.successes(), counted.failed_probes());
        let close = |cause| Step::To(state.close(self.config.ramp_config().is_some()), cause);
        let most = match (self.config.failed_probes, self.config.close_share()) {
            (Some(most), _) => u32::from(most),
            (None, None) => 1,
            (None, Some(_)) => u32::MAX,
        };
        if failed && failures >= most {
            return Step::To(state.trip_again(), Cause::ProbesFailed { failures });
        }
        match self.config.close_share() {
            None if successes >= u32::from(self.config.successes) => {
                close(Cause::ProbesSucceeded { successes })
            }
            Some((share, of)) if successes + failures >= of => {
                let calls = successes + failures;
                let cause = Cause::ProbeRate { calls, failures };
                if share.is_reached_by(failures, calls) {
                    Step::To(state.trip_again(), cause)
                } else {
                    close(cause)
                }
            }
            _ => Step::Count(counted),
        }
    }
}
