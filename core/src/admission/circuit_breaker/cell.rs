//! The two words of a breaker and all that is done to them, apart from what many breakers can share.

use core::time::Duration;

use super::permit::Kind;
use super::results::{Keep, MAX_CALLS};
use super::rules::{Ending, Rules, Step};
use super::state::{Mode, Phase, Snapshot};
use super::watch::Rates;
use super::{Cause, Config, Reason, Rejected, Settlement, Ticket, Transition};
use crate::atomic::timer::{Remaining, Timer};
use crate::atomic::word::Word;
use crate::measure::window::{Sample, Totals};
use crate::outcome::Outcome;
use crate::time::{Instant, nanos};

/// The state of one breaker.
///
/// Whoever keeps it passes the same [`Rules`] each time, and the same [`Keep`].
pub(crate) struct Cell {
    pub(super) state: Word,
    pub(super) timer: Timer,
}

/// What a phase has to say to a call.
enum Judgment {
    Admitted,
    /// Admitted as a probe, if this is the next state.
    Probe(Snapshot),
    /// A draw decides; so much time is left.
    Ramping(Option<Duration>),
    RampOver,
}

impl Cell {
    const_fn! {
        /// A closed breaker.
        pub(crate) const fn new(config: &Config) -> Self {
            Self { state: Word::new(Snapshot::closed(config.mode()).raw()), timer: Timer::new() }
        }
    }

    /// A breaker that goes on from where another one is, which may have other rules.
    pub(super) fn resuming(&self, own: &Rules, rules: &Rules, now: Instant) -> Self {
        let seen = self.load();
        let state = seen.under(rules.config.consecutive_failures != 0, rules.config.ramp_config().is_some());
        let longest = rules.config.longest_interval();
        let left = match self.timer.remaining(own.scale, seen.generation(), now) {
            // A phase without an end stays one where the new rules have such phases.
            Remaining::Ahead(None) if nanos(rules.interval_of(state)) == u64::MAX => Duration::MAX,
            Remaining::Ahead(left) => left.unwrap_or(longest).min(longest),
            Remaining::Unset => rules.interval_of(state),
            Remaining::Reached | Remaining::Superseded => Duration::ZERO,
        };
        let timer = Timer::armed(rules.scale, state.generation(), rules.scale.end(now, left));
        Self { state: Word::new(state.raw()), timer }
    }

    #[inline]
    pub(super) fn load(&self) -> Snapshot {
        self.state.load()
    }

    /// Asks whether a call may start.
    #[inline]
    pub(crate) fn try_acquire(&self, rules: &Rules, now: Instant) -> Result<Ticket, Rejected> {
        let state = self.load();
        if state.is_plain_closed() {
            return Ok(Ticket::new(state, Kind::Plain, now));
        }
        self.try_acquire_slow(rules, now)
    }

    /// Whether [`Cell::try_acquire`] would refuse a call now; a ramp is not asked.
    #[inline]
    pub(crate) fn check(&self, rules: &Rules, now: Instant) -> Result<(), Rejected> {
        let state = self.load();
        if state.is_plain_closed() { Ok(()) } else { self.check_slow(rules, state, now) }
    }

    #[cold]
    fn check_slow(&self, rules: &Rules, state: Snapshot, now: Instant) -> Result<(), Rejected> {
        if state.mode() == Mode::Shadow { Ok(()) } else { self.judge(rules, state, now).map(drop) }
    }

    /// After what time the open phase of `state` ends; `None` if it never does, or another phase holds.
    pub(super) fn open_for(&self, rules: &Rules, state: Snapshot, now: Instant) -> Option<Duration> {
        match self.judge(rules, state, now) {
            Err(Rejected { reason: Reason::Open, retry_after, .. }) => retry_after,
            _ => None,
        }
    }

    fn judge(&self, rules: &Rules, seen: Snapshot, now: Instant) -> Result<Judgment, Rejected> {
        let (mode, phase) = (seen.mode(), seen.phase());
        if mode == Mode::ForcedOpen {
            return Err(Rejected::new(Reason::ForcedOpen, None));
        }
        if mode == Mode::ForcedClosed || phase == Phase::Closed {
            return Ok(Judgment::Admitted);
        }
        if phase == Phase::HalfOpen && rules.has_room_for_a_probe(seen) {
            return Ok(Judgment::Probe(seen.take_probe()));
        }
        let left = match self.timer.remaining(rules.scale, seen.generation(), now) {
            // If a later generation is under way, the caller's next step sees it.
            Remaining::Reached | Remaining::Superseded if phase == Phase::Ramping => {
                return Ok(Judgment::RampOver);
            }
            Remaining::Reached | Remaining::Superseded => return Ok(Judgment::Probe(seen.begin_cycle())),
            Remaining::Ahead(left) => left,
            Remaining::Unset => {
                let interval = rules.interval_of(seen);
                if !mutant!("breaker_leaves_the_deadline_to_another") {
                    self.timer.arm(rules.scale, seen.generation(), rules.scale.end(now, interval));
                }
                finite(interval)
            }
        };
        match phase {
            Phase::Ramping => Ok(Judgment::Ramping(left)),
            Phase::HalfOpen => Err(Rejected::new(Reason::ProbesOut, left)),
            _ => Err(Rejected::new(Reason::Open, left)),
        }
    }

    #[cold]
    fn try_acquire_slow(&self, rules: &Rules, now: Instant) -> Result<Ticket, Rejected> {
        loop {
            let seen = self.load();
            let rejected = match self.judge(rules, seen, now) {
                Ok(Judgment::Admitted) => return Ok(Ticket::new(seen, Kind::Plain, now)),
                Ok(Judgment::Probe(next)) => {
                    if self.replace(seen, next) {
                        let lease = rules.scale.end(now, rules.config.probe_lease());
                        self.timer.rearm(rules.scale, next.generation(), lease);
                        let half_opens = seen.phase() == Phase::Open;
                        let kind = if half_opens { Kind::FirstProbe } else { Kind::Probe };
                        return Ok(Ticket::new(next, kind, now));
                    }
                    continue;
                }
                Ok(Judgment::RampOver) => {
                    self.replace(seen, seen.end_ramp());
                    continue;
                }
                Ok(Judgment::Ramping(left)) if rules.ramp_admits(left) => {
                    return Ok(Ticket::new(seen, Kind::Plain, now));
                }
                Ok(Judgment::Ramping(left)) => Rejected::new(Reason::Ramping, left),
                Err(rejected) => rejected,
            };
            return if seen.mode() == Mode::Shadow {
                Ok(Ticket::refused(seen, rejected))
            } else {
                Err(rejected)
            };
        }
    }

    /// Makes the step from the state that was judged, unless it has moved on: then the judgment runs again.
    fn replace(&self, seen: Snapshot, next: Snapshot) -> bool {
        self.state.transition(|state: Snapshot| {
            let unchanged = if mutant!("breaker_admits_loser_of_the_race") {
                state.phase() == seen.phase() || state.phase() == Phase::HalfOpen
            } else if mutant!("breaker_ends_a_ramp_that_is_over") && seen.phase() == Phase::Ramping {
                return (Some(state.end_ramp()), true);
            } else {
                state == seen
            };
            if unchanged { (Some(next), true) } else { (None, false) }
        })
    }

    /// Settles a call.
    #[inline]
    pub(crate) fn settle<K: Keep>(
        &self,
        rules: &Rules,
        kept: &K,
        ticket: &Ticket,
        ending: Ending,
    ) -> Settlement {
        let refused = matches!(ticket.kind(), Kind::Refused(_)) && !mutant!("breaker_counts_refused_calls");
        if refused || matches!(ending.outcome, Outcome::Ignored | Outcome::Cancelled) {
            return self.settle_nothing(ticket);
        }
        let state = self.load();
        if !is_current(state, ticket) {
            return not_counted(state);
        }
        if !state.is_closed() {
            return self.settle_probe(rules, kept, ticket, ending, state);
        }
        let slow = rules.config.watch.slow;
        let failed = slow.has_failed(ticket, ending);
        let rate_met = match rules.config.watch.rates {
            None => None,
            Some(rates) => match kept.record(Sample::new(failed, slow.is(ticket, ending)), ending.at) {
                Some(sums) => rules.rate_met(rates, kept, sums, failed),
                None => return self.settle_in_word(rules, kept, ticket, ending, (failed, rates), state),
            },
        };
        if !failed && rate_met.is_none() && state.failures() == 0 {
            return Settlement::Counted;
        }
        self.settle_closed(rules, kept, ticket, ending, (failed, rate_met))
    }

    #[cold]
    fn settle_nothing(&self, ticket: &Ticket) -> Settlement {
        if !ticket.is_probe() {
            let state = self.load();
            return if is_current(state, ticket) { Settlement::Uncounted } else { not_counted(state) };
        }
        self.state.transition(|state: Snapshot| {
            if is_current(state, ticket) && state.phase() == Phase::HalfOpen {
                (Some(state.return_probe()), Settlement::Uncounted)
            } else {
                (None, not_counted(state))
            }
        })
    }

    /// Counts a result of the closed phase in the state word, and trips if a rule is met.
    fn settle_closed(
        &self,
        rules: &Rules,
        kept: &impl Keep,
        ticket: &Ticket,
        ending: Ending,
        (failed, rate_met): (bool, Option<Cause>),
    ) -> Settlement {
        let row = rules.config.consecutive_failures;
        self.make_step(rules, kept, ending, |state, _| {
            if !is_current(state, ticket) {
                return Step::Stay(not_counted(state));
            }
            let counted = if failed { state.count_failure() } else { state.forgive() };
            let failures = counted.failures();
            if row != 0 && failures >= row {
                Step::To(state.trip(), Cause::ConsecutiveFailures { failures })
            } else if let Some(cause) = rate_met {
                Step::To(state.trip(), cause)
            } else if row != 0 && counted != state {
                Step::Count(counted)
            } else {
                Step::Stay(Settlement::Counted)
            }
        })
    }

    /// Counts a result of the closed phase among the last ones in the state word, and trips if a rule is met.
    fn settle_in_word(
        &self,
        rules: &Rules,
        kept: &impl Keep,
        ticket: &Ticket,
        ending: Ending,
        (failed, rates): (bool, Rates),
        seen: Snapshot,
    ) -> Settlement {
        let row = rules.config.consecutive_failures;
        let most = rates.span.as_calls().unwrap_or(MAX_CALLS).min(MAX_CALLS);
        self.make_step(rules, kept, ending, |state, _| {
            if !is_current(state, ticket) {
                return Step::Stay(not_counted(state));
            }
            let base = if mutant!("keyed_judges_by_an_old_window") { seen } else { state };
            let counted = base.count_result(failed, most);
            let results = counted.results();
            let failures = results.failures_in_a_row();
            if row != 0 && failures >= row {
                return Step::To(state.trip(), Cause::ConsecutiveFailures { failures });
            }
            let sums = Totals { calls: results.calls(), failures: results.failures(), ..Totals::ZERO };
            match rules.rate_met(rates, kept, sums, failed) {
                Some(cause) => Step::To(state.trip(), cause),
                // A success that follows successes alone leaves a full window as it is.
                None if counted == state => Step::Stay(Settlement::Counted),
                None => Step::Count(counted),
            }
        })
    }

    /// Counts a result of the half-open phase, and opens or closes the breaker if it decides.
    #[cold]
    fn settle_probe<K: Keep>(
        &self,
        rules: &Rules,
        kept: &K,
        ticket: &Ticket,
        ending: Ending,
        seen: Snapshot,
    ) -> Settlement {
        let failed = rules.is_failed_probe(ticket, ending);
        self.make_step(rules, kept, ending, |state, cleared| {
            if !is_current(state, ticket) {
                return Step::Stay(not_counted(state));
            }
            let base = if mutant!("breaker_judges_probes_by_an_old_count") { seen } else { state };
            match rules.judge_probes(state, base.count_probe(failed), failed) {
                // Nothing is recorded while half-open, so what the next phase starts from stays clear.
                Step::To(next, _) if next.is_closed() && K::OUTLIVES_THE_PHASE && !cleared => Step::Clear,
                step => step,
            }
        })
    }

    /// Makes a step, and what it takes to begin the next phase if it led to one.
    ///
    /// `step` is told whether what is kept was cleared at its request.
    fn make_step(
        &self,
        rules: &Rules,
        kept: &impl Keep,
        ending: Ending,
        step: impl Fn(Snapshot, bool) -> Step,
    ) -> Settlement {
        let mut cleared = false;
        loop {
            let (state, made) = self.state.transition(|state: Snapshot| {
                let made = step(state, cleared);
                let next = match made {
                    Step::Count(next) | Step::To(next, _) => Some(next),
                    Step::Stay(_) | Step::Clear => None,
                };
                (next, (state, made))
            });
            match made {
                Step::Stay(settlement) => return settlement,
                Step::Count(_) => return Settlement::Counted,
                Step::Clear => kept.clear(ending.at),
                Step::To(next, cause) => {
                    self.begin_phase(rules, next, ending);
                    if next.phase() == Phase::Open {
                        kept.clear(ending.at);
                    }
                    return Settlement::Changed(state.transition_to(next, cause));
                }
            }
            cleared = true;
        }
    }

    /// Sets the deadline of a phase that a result began.
    fn begin_phase(&self, rules: &Rules, next: Snapshot, ending: Ending) {
        let generation = next.generation();
        match rules.config.honored(ending.retry_after).filter(|_| next.phase() == Phase::Open) {
            // Whoever met the phase first may have given it the configured time; the longer one holds then.
            Some(asked) if !mutant!("breaker_lets_the_configured_open_time_win") => {
                self.timer.rearm(rules.scale, generation, rules.scale.end(ending.at, asked));
            }
            Some(asked) => self.timer.arm(rules.scale, generation, rules.scale.end(ending.at, asked)),
            None => {
                let interval = rules.interval_of(next);
                self.timer.arm(rules.scale, generation, rules.scale.end(ending.at, interval));
            }
        }
    }

    /// Opens the breaker by hand.
    pub(crate) fn trip(&self, rules: &Rules, now: Instant) -> Transition {
        let deadline = rules.scale.end(now, rules.open_time(0));
        self.by_hand(rules, |state| state.step_by_hand(Phase::Open, rules.config.mode()), deadline)
    }

    /// Closes the breaker by hand.
    pub(crate) fn reset(&self, rules: &Rules) -> Transition {
        self.by_hand(rules, |state| state.step_by_hand(Phase::Closed, rules.config.mode()), Instant::ZERO)
    }

    pub(super) fn force(&self, rules: &Rules, mode: Mode) -> Transition {
        self.by_hand(rules, |state| state.force(mode), Instant::ZERO)
    }

    /// Changes to shadow mode or back.
    pub(crate) fn shadow(&self, rules: &Rules, on: bool) -> Transition {
        let (state, next) = self.state.transition(|state: Snapshot| {
            let next = state.shadow(on);
            (Some(next), (state, next))
        });
        if next.generation() != state.generation() {
            self.timer.arm(rules.scale, next.generation(), Instant::ZERO);
        }
        state.transition_to(next, Cause::Manual)
    }

    fn by_hand(&self, rules: &Rules, step: impl Fn(Snapshot) -> Snapshot, deadline: Instant) -> Transition {
        let transition = self.state.transition(|state: Snapshot| {
            let next = step(state);
            (Some(next), state.transition_to(next, Cause::Manual))
        });
        // A phase without an end sets a deadline, too: after 512 generations without one the next would seem to be old.
        self.timer.arm(rules.scale, transition.generation, deadline);
        transition
    }
}

/// Whether the ticket belongs to the phase that holds, and the phase counts results.
#[inline]
fn is_current(state: Snapshot, ticket: &Ticket) -> bool {
    let same =
        if mutant!("breaker_ignores_generation") { true } else { state.generation() == ticket.generation() };
    same && state.mode().counts()
}

fn not_counted(state: Snapshot) -> Settlement {
    if state.mode() == Mode::ForcedClosed { Settlement::Uncounted } else { Settlement::Stale }
}

/// The interval, or `None` if it is as good as endless.
const fn finite(interval: Duration) -> Option<Duration> {
    if nanos(interval) == u64::MAX { None } else { Some(interval) }
}
