//! Stops calling a dependency that fails, and finds out carefully whether it is back.
//!
//! Put one breaker in front of each dependency that can fail on its own.
//! It is not a rate limit ([`rate_limiter`](super::rate_limiter)) and does not bound the calls in flight
//! ([`bulkhead`](super::bulkhead)): calls that were admitted before it opens run on.
//!
//! # Examples
//!
//! ```
//! use core::time::Duration;
//! use seawall_core::{circuit_breaker::Config, CircuitBreaker, Clock, Instant, ManualClock, Outcome};
//!
//! static UPLINK: CircuitBreaker =
//!     CircuitBreaker::new(Config::consecutive_failures(2).open_for(Duration::from_secs(30)));
//!
//! let clock = ManualClock::new(Instant::ZERO);
//! for _ in 0..2 {
//!     let permit = UPLINK.try_acquire(clock.now()).unwrap();
//!     permit.record(Outcome::Failure, clock.now());
//! }
//! let rejected = UPLINK.try_acquire(clock.now()).unwrap_err();
//! assert_eq!(rejected.retry_after, Some(Duration::from_secs(30)));
//! clock.advance(Duration::from_secs(30));
//! assert!(UPLINK.try_acquire(clock.now()).is_ok(), "the first probe");
//! ```
//!
//! # States
//!
//! ```text
//!            1 (rule)                   2 (time)
//!  Closed ──────────────► Open ─────────────────────► HalfOpen ─┐ 5 (lease)
//!    ▲                     ▲                           │  │  ▲───┘
//!    │                     └───────────────────────────┘  │
//!    └────────────── 4 (M successes) ──── 3 (a failure) ──┘
//! ```
//!
//! 1: `record` – a trip rule is met: so many failures in a row, or a rate of failures or of slow calls over a window with
//! enough calls.
//! 2: `try_acquire` – the open time is over; the caller that makes the transition is the first probe.
//! 3: `record` – a probe failed; the next open time can be longer.
//! 4: `record` – enough probes succeeded.
//! 5: `try_acquire` – all probes are out and the last of them is older than its lease: it is lost, and the caller is the
//! first probe of a new cycle.
//!
//! Each edge begins a new generation.
//! A result that arrives from an earlier generation is [`Settlement::Stale`] and changes nothing.
//! Beside the states stand two modes, set by hand: forced open and forced closed.
//! They hold until [`CircuitBreaker::reset`] or [`CircuitBreaker::trip`], whatever time and results say.
//!
//! # Memory layout
//!
//! ```text
//!            31 … 22       21 ……………………………………………… 4     3 … 2   1 … 0
//! closed     GENERATION 10 | FAILURES IN A ROW 18        | MODE 2 | PHASE 2
//! half-open  GENERATION 10 | CYCLES 6 | SUCCESSES 6 | PROBES 6 | MODE 2 | PHASE 2
//! open       GENERATION 10 | CYCLES 6 | – 12               | MODE 2 | PHASE 2
//! ```
//!
//! A second word holds the deadline of the phase (open time, probe lease) with the generation that it belongs to; see
//! `atomic/timer.rs` for its accuracy.
//! The generation wraps after 1024 phases: a permit that is settled exactly 1024 phases later, each at least one open time
//! long, would count as fresh.
//!
//! # Ordering
//!
//! (a) The state word is the single point of agreement: every edge is one exchange on it.
//! (b) The thread that makes an edge sets the new phase's deadline after it; whoever meets a phase without a deadline sets
//! it, so a thread that is stopped in between holds up nobody.
//! (c) The window is advisory: a result that is recorded while the breaker trips may be counted before or after the trip.
//! The window is cleared when the breaker opens and once more before it closes, while no result is recorded.
//! (d) For the wrap of the generation see above.
//! (e) Models: `loom-tests/tests/circuit_breaker.rs`.
//!
//! # Progress
//!
//! Admission by a closed breaker is wait-free: one load.
//! Everything else is lock-free; on targets without compare-and-swap it is as good as the critical section of
//! `portable-atomic`.
//!
//! # Trade-offs
//!
//! Calls that run when the breaker trips are not counted as anything when they end.
//! At most 63 probes are out at a time.
//! Failures in a row are counted up to 262143, and cycles for the growth of the open time up to 63.
//!
//! # Cost
//!
//! Atomic accesses of an admitted call, admission and settlement together, counted by `cost_of_a_call` in the tests:
//!
//! | call | loads | writes |
//! |---|---:|---:|
//! | closed, consecutive rule, success after success | 2 | 0 |
//! | closed, consecutive rule, failure | 3 | 1 |
//! | closed, failure rate over time, success | see `window` | 1 |
//! | open, rejected | 2 | 0 |

mod config;
mod permit;
mod state;
#[cfg(all(test, not(loom)))]
mod tests;
mod transition;

use core::fmt;
use core::time::Duration;

pub use config::Config;
pub use permit::{Permit, Ticket};
use state::{Mode, Phase, Snapshot};
pub use transition::{Cause, Rejected, Settlement, State, Transition};

use crate::atomic::rng::Rng;
use crate::atomic::timer::{Remaining, Timer};
use crate::atomic::word::Word;
use crate::config::ConfigError;
use crate::measure::window::{Sample, Totals, Window};
use crate::outcome::Outcome;
use crate::time::Instant;

/// A circuit breaker; `SLOTS` is the number of buckets of its window, 0 if it only counts failures in a row.
///
/// A rate rule needs at least one slot; ten are usual.
/// The [module](self) has the states and an example.
pub struct CircuitBreaker<const SLOTS: usize = 0> {
    config: Config,
    state: Word,
    timer: Timer,
    window: Window<SLOTS>,
    jitter: Rng,
}

/// How a breaker is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// The state, forced or not.
    pub state: State,
    /// Whether the state is held by hand.
    pub forced: bool,
    /// The number of the phase, modulo 1024.
    pub generation: u32,
    /// Failures in a row, while closed.
    pub consecutive_failures: u32,
    /// Probes that are out, while half-open.
    pub probes: u32,
    /// Probes that succeeded in this cycle, while half-open.
    pub successes: u32,
    /// The window's sums; zero without a rate rule.
    pub window: Totals,
    /// How long calls are rejected for, while open; `None` while calls pass or if the open time never ends.
    pub retry_after: Option<Duration>,
}

impl<const SLOTS: usize> CircuitBreaker<SLOTS> {
    const_fn! {
        /// A closed breaker.
        ///
        /// # Panics
        ///
        /// If [`CircuitBreaker::try_new`] would return an error; in a `static` this is a compile error.
        pub const fn new(config: Config) -> Self {
            expect_valid!(Self::try_new(config), "circuit breaker")
        }
    }

    const_fn! {
        /// A closed breaker.
        ///
        /// # Errors
        ///
        /// If a value of `config` lies outside its bound, or the window does not fit `SLOTS`.
        pub const fn try_new(config: Config) -> Result<Self, ConfigError> {
            if let Err(error) = config.validate(SLOTS) {
                return Err(error);
            }
            let Ok(window) = Window::try_new(config.window_span(SLOTS)) else {
                return Err(ConfigError::new(
                    "circuit_breaker.window",
                    "a whole number of nanoseconds in each slot, or between 1 and 16777216 calls",
                ));
            };
            Ok(Self {
                config,
                state: Word::new(Snapshot::CLOSED.raw()),
                timer: Timer::new(config.longest_interval()),
                window,
                jitter: Rng::new(config.seed),
            })
        }
    }

    /// Asks whether a call may start.
    ///
    /// # Errors
    ///
    /// [`Rejected`], with the time after which another try makes sense.
    #[inline]
    pub fn try_acquire(&self, now: Instant) -> Result<Permit<'_, SLOTS>, Rejected> {
        let state: Snapshot = self.state.load();
        if state.is_plain_closed() {
            return Ok(self.permit(state, false, false, now));
        }
        self.try_acquire_slow(now)
    }

    /// Whether [`CircuitBreaker::try_acquire`] would reject a call now. It changes nothing.
    ///
    /// # Errors
    ///
    /// [`Rejected`], as `try_acquire` would.
    #[inline]
    pub fn check(&self, now: Instant) -> Result<(), Rejected> {
        let state: Snapshot = self.state.load();
        if state.is_plain_closed() { Ok(()) } else { self.check_slow(state, now) }
    }

    /// Settles a call with its [`Ticket`].
    #[inline]
    pub fn settle(&self, ticket: Ticket, outcome: Outcome, now: Instant) -> Settlement {
        match outcome {
            Outcome::Success => self.settle_success(&ticket, now),
            Outcome::Failure => self.settle_failure(&ticket, now),
            Outcome::Ignored | Outcome::Cancelled => self.settle_nothing(&ticket),
        }
    }

    /// Opens the breaker now, for the configured time, also if it was forced: that mode is over then.
    pub fn trip(&self, now: Instant) -> Transition {
        let transition = self.by_hand(Snapshot::trip, now.saturating_add(self.open_time(0)));
        self.window.clear(now);
        transition
    }

    /// Rejects every call until [`CircuitBreaker::reset`].
    pub fn force_open(&self) -> Transition {
        self.by_hand(|state| state.force(Mode::ForcedOpen), Instant::ZERO)
    }

    /// Admits every call, uncounted, until [`CircuitBreaker::reset`].
    pub fn force_closed(&self) -> Transition {
        self.by_hand(|state| state.force(Mode::ForcedClosed), Instant::ZERO)
    }

    /// Closes the breaker as new, forced or not.
    pub fn reset(&self, now: Instant) -> Transition {
        self.window.clear(now);
        self.by_hand(Snapshot::close, Instant::ZERO)
    }

    fn by_hand(&self, step: impl Fn(Snapshot) -> Snapshot, deadline: Instant) -> Transition {
        let transition = self.state.transition(|state: Snapshot| {
            let next = step(state);
            (Some(next), state.transition_to(next, Cause::Manual))
        });
        // A phase without an end sets a deadline, too: after 512 generations without one the next would seem to be old.
        self.timer.arm(transition.generation, deadline);
        transition
    }

    /// How the breaker is doing. Each field is exact; fields of different words may be of slightly different moments.
    pub fn status(&self, now: Instant) -> Status {
        let state: Snapshot = self.state.load();
        let public = state.public_state();
        let retry_after = match self.check(now) {
            Err(rejected) if public == State::Open => rejected.retry_after,
            _ => None,
        };
        let closed = public == State::Closed;
        let probing = public == State::HalfOpen;
        Status {
            state: public,
            forced: state.mode() != Mode::Normal,
            generation: state.generation(),
            consecutive_failures: if closed { state.failures() } else { 0 },
            probes: if probing { state.probes() } else { 0 },
            successes: if probing { state.successes() } else { 0 },
            window: self.window.totals(now),
            retry_after,
        }
    }

    /// The configuration.
    pub const fn config(&self) -> &Config {
        &self.config
    }

    #[inline]
    fn permit(&self, state: Snapshot, probe: bool, half_opens: bool, started: Instant) -> Permit<'_, SLOTS> {
        Permit { breaker: self, generation: state.generation(), probe, half_opens, started }
    }

    #[cold]
    fn check_slow(&self, state: Snapshot, now: Instant) -> Result<(), Rejected> {
        self.check_state(state, now)
    }

    #[inline]
    fn check_state(&self, state: Snapshot, now: Instant) -> Result<(), Rejected> {
        match (state.mode(), state.phase()) {
            (Mode::ForcedClosed, _) | (Mode::Normal, Phase::Closed) => Ok(()),
            (Mode::ForcedOpen, _) => Err(Rejected { state: State::Open, retry_after: None }),
            (Mode::Normal, Phase::HalfOpen) if state.probes() < self.config.probes => Ok(()),
            (Mode::Normal, phase) => match self.timer.remaining(state.generation(), now) {
                // A later generation is under way; the caller's next step sees it.
                Remaining::Reached | Remaining::Superseded => Ok(()),
                Remaining::Ahead(retry_after) => Err(Rejected { state: phase.public(), retry_after }),
                Remaining::Unset => {
                    let interval = self.interval_of(state);
                    if !mutant!("breaker_leaves_the_deadline_to_another") {
                        self.timer.arm(state.generation(), now.saturating_add(interval));
                    }
                    Err(Rejected { state: phase.public(), retry_after: finite(interval) })
                }
            },
        }
    }

    #[cold]
    fn try_acquire_slow(&self, now: Instant) -> Result<Permit<'_, SLOTS>, Rejected> {
        loop {
            let seen: Snapshot = self.state.load();
            self.check_state(seen, now)?;
            let (mode, phase) = (seen.mode(), seen.phase());
            if mode == Mode::ForcedClosed || phase == Phase::Closed {
                return Ok(self.permit(seen, false, false, now));
            }
            // The state that was checked is the state that is replaced; if it moved on, the check runs again.
            let begins_cycle = phase == Phase::Open || seen.probes() >= self.config.probes;
            let next = if begins_cycle { seen.begin_cycle() } else { seen.take_probe() };
            let taken = self.state.transition(|state: Snapshot| {
                let unchanged = if mutant!("breaker_admits_loser_of_the_race") {
                    state.phase() == phase || state.phase() == Phase::HalfOpen
                } else {
                    state == seen
                };
                if unchanged { (Some(next), true) } else { (None, false) }
            });
            if taken {
                self.timer.rearm(next.generation(), now.saturating_add(self.config.probe_lease()));
                return Ok(self.permit(next, true, phase == Phase::Open, now));
            }
        }
    }

    fn settle_nothing(&self, ticket: &Ticket) -> Settlement {
        if !ticket.probe {
            return Settlement::Uncounted;
        }
        self.state.transition(|state: Snapshot| {
            if is_current(state, ticket) && state.phase() == Phase::HalfOpen {
                (Some(state.return_probe()), Settlement::Uncounted)
            } else {
                (None, Settlement::Stale)
            }
        })
    }

    fn settle_success(&self, ticket: &Ticket, now: Instant) -> Settlement {
        let state: Snapshot = self.state.load();
        if !is_current(state, ticket) {
            return not_counted(state);
        }
        if state.phase() == Phase::Closed {
            let rate_met = self.rate_rule(ticket, false, now);
            if rate_met.is_none() && state.failures() == 0 {
                return Settlement::Counted;
            }
            return self.settle_closed(ticket, now, rate_met, Snapshot::forgive);
        }
        if state.successes() + 1 >= self.config.successes {
            // Nothing is recorded while half-open, so what the next phase starts from stays clear.
            self.window.clear(now);
        }
        self.state.transition(|state: Snapshot| {
            if !is_current(state, ticket) {
                return (None, not_counted(state));
            }
            let successes = state.successes() + 1;
            if successes < self.config.successes {
                return (Some(state.count_success()), Settlement::Counted);
            }
            let closed = state.close();
            let transition = state.transition_to(closed, Cause::ProbesSucceeded { successes });
            (Some(closed), Settlement::Changed(transition))
        })
    }

    fn settle_failure(&self, ticket: &Ticket, now: Instant) -> Settlement {
        let state: Snapshot = self.state.load();
        if !is_current(state, ticket) {
            return not_counted(state);
        }
        if state.phase() == Phase::Closed {
            let rate_met = self.rate_rule(ticket, true, now);
            return self.settle_closed(ticket, now, rate_met, Snapshot::count_failure);
        }
        let (settlement, opened) = self.enter_open(now, |state| {
            if is_current(state, ticket) {
                (Step::To(state.trip_again(), Cause::ProbeFailed), Settlement::Counted)
            } else {
                (Step::Stay, not_counted(state))
            }
        });
        opened.map_or(settlement, Settlement::Changed)
    }

    /// Counts a result of the closed phase in the state word, and trips if a rule is met.
    fn settle_closed(
        &self,
        ticket: &Ticket,
        now: Instant,
        rate_met: Option<Cause>,
        count: fn(Snapshot) -> Snapshot,
    ) -> Settlement {
        let (settlement, opened) = self.enter_open(now, |state| {
            if !is_current(state, ticket) {
                return (Step::Stay, not_counted(state));
            }
            let counted = count(state);
            let failures = counted.failures();
            let counts_rows = self.config.consecutive_failures != 0;
            let step = if counts_rows && failures >= self.config.consecutive_failures {
                Step::To(state.trip(), Cause::ConsecutiveFailures { failures })
            } else if let Some(cause) = rate_met {
                Step::To(state.trip(), cause)
            } else if counts_rows && counted != state {
                Step::Count(counted)
            } else {
                Step::Stay
            };
            (step, Settlement::Counted)
        });
        opened.map_or(settlement, Settlement::Changed)
    }

    /// Makes a step that may enter the open phase, and sets that phase's deadline if it did.
    fn enter_open<T>(
        &self,
        now: Instant,
        mut step: impl FnMut(Snapshot) -> (Step, T),
    ) -> (T, Option<Transition>) {
        let (out, opened) = self.state.transition(|state: Snapshot| match step(state) {
            (Step::Stay, out) => (None, (out, None)),
            (Step::Count(next), out) => (Some(next), (out, None)),
            (Step::To(next, cause), out) => {
                (Some(next), (out, Some((state.transition_to(next, cause), next))))
            }
        });
        let Some((transition, next)) = opened else { return (out, None) };
        self.timer.arm(transition.generation, now.saturating_add(self.open_time(next.cycles())));
        self.window.clear(now);
        (out, Some(transition))
    }

    /// Records a call if there is a rate rule, and says why the breaker is to trip if one is met.
    fn rate_rule(&self, ticket: &Ticket, failed: bool, now: Instant) -> Option<Cause> {
        let rates = self.config.rates?;
        let slow = rates.slow.is_some_and(|(_, limit)| now.saturating_since(ticket.started) >= limit);
        let sample = match (failed, slow) {
            (false, false) => Sample::SUCCESS,
            (false, true) => Sample::SLOW_SUCCESS,
            (true, false) => Sample::FAILURE,
            (true, true) => Sample::SLOW_FAILURE,
        };
        let Totals { calls, failures, slow, .. } = self.window.record(sample, now);
        if calls < rates.minimum_calls || (self.config.evaluates_on_failure_only && !failed) {
            None
        } else if rates.failures.is_some_and(|share| share.is_reached_by(failures, calls)) {
            Some(Cause::FailureRate { calls, failures })
        } else if rates.slow.is_some_and(|(share, _)| share.is_reached_by(slow, calls)) {
            Some(Cause::SlowCallRate { calls, slow })
        } else {
            None
        }
    }

    fn interval_of(&self, state: Snapshot) -> Duration {
        match state.phase() {
            Phase::HalfOpen => self.config.probe_lease(),
            _ => self.open_time(state.cycles()),
        }
    }

    /// How long the breaker stays open after `cycles` failed probes.
    fn open_time(&self, cycles: u32) -> Duration {
        self.config.open.delay(cycles, Duration::ZERO, self.jitter.next_u32())
    }
}

/// What a result does to the state word.
enum Step {
    /// Nothing.
    Stay,
    /// It is counted, and the phase stays.
    Count(Snapshot),
    /// It opens the breaker.
    To(Snapshot, Cause),
}

/// Whether the ticket belongs to the phase that holds, and the phase counts results.
fn is_current(state: Snapshot, ticket: &Ticket) -> bool {
    let same =
        if mutant!("breaker_ignores_generation") { true } else { state.generation() == ticket.generation };
    same && state.mode() == Mode::Normal
}

fn not_counted(state: Snapshot) -> Settlement {
    if state.mode() == Mode::ForcedClosed { Settlement::Uncounted } else { Settlement::Stale }
}

/// The interval, or `None` if it is as good as endless.
const fn finite(interval: Duration) -> Option<Duration> {
    if interval.as_nanos() >= u64::MAX as u128 { None } else { Some(interval) }
}

impl<const SLOTS: usize> fmt::Debug for CircuitBreaker<SLOTS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state: Snapshot = self.state.load();
        f.debug_struct("CircuitBreaker")
            .field("state", &state)
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}
