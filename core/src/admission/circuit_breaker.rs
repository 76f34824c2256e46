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
//!    ▲ ▲                   ▲ ▲                         │  │  ▲───┘
//!    │ │      1 (rule)     │ └─────── 3 (probes) ──────┘  │
//!    │ └ 6 ── Ramping ─────┘                              │
//!    │           ▲                                        │
//!    └───────────┴──────────── 4 (probes) ────────────────┘
//! ```
//!
//! 1: `record` – a trip rule is met: so many failures in a row, or a rate of failures or of slow calls over a window with
//! enough calls.
//! 2: `try_acquire` – the open time is over; the caller that makes the transition is the first probe.
//! 3: `record` – so many probes failed (one, unless told otherwise), or so large a share of them; the next open time can be
//! longer.
//! 4: `record` – so many probes succeeded, or so small a share of them failed; with a [ramp](Config::ramp), calls come back a
//! rising share at a time.
//! 5: `try_acquire` – all probes are out and the last of them is older than its lease: it is lost, and the caller is the
//! first probe of a new cycle.
//! 6: `try_acquire` – the ramp's time is over.
//!
//! Each edge but the sixth begins a new generation.
//! A result that arrives from an earlier generation is [`Settlement::Stale`] and changes nothing.
//! From outside, ramping is closed.
//!
//! The open time is the configured one, or the one that the failing peer [asks for](Config::honor_retry_after).
//! A slow success is a success, unless [it is told](Config::slow_calls_fail) to count as a failure, in a row as in a rate; where
//! there is a rule for slow calls, a probe that succeeds slowly has failed, or a breaker that slow calls tripped would close on
//! them.
//!
//! Beside the states stand three modes.
//! Forced open and forced closed hold until [`CircuitBreaker::reset`], [`CircuitBreaker::trip`] or
//! [`CircuitBreaker::shadow`], whatever time and results say.
//! In shadow mode the states change as ever and no call is refused.
//!
//! # Memory layout
//!
//! ```text
//!                   31 … 22       21 ……………………………………………………………………… 4         3 … 2    1 … 0
//! closed, ramping   GENERATION 10 | FAILURES IN A ROW 18                    | MODE 2 | PHASE 2
//! half-open         GENERATION 10 | CYCLES 4 | FAILED 5 | SUCCEEDED 5 | PROBES 4 | MODE 2 | PHASE 2
//! open              GENERATION 10 | CYCLES 4 | – 14                         | MODE 2 | PHASE 2
//! ```
//!
//! A second word holds the deadline of the phase (open time, probe lease, ramp) with the generation that it belongs to.
//! On 64-bit words it is exact to the nanosecond for times up to 26 days, on 32-bit ones early by one part in 6500 of the longest
//! of those times at most.
//! A clock that steps back, or one reading that is low, keeps the deadline: by up to the longest of those times, on 64-bit words
//! by up to 4.29 s if that is more. By more it ends the phase: a probe comes early, a ramp is over.
//! A phase that begins by a reading that is high lasts longer by as much, unless that is more than those.
//! A breaker that was not asked for 208 days, on 32-bit words for 256 of its longest times, may take its deadline to be ahead
//! once more, for as long as that.
//! The generation wraps after 1024 phases: a permit that is settled exactly 1024 phases later, each at least one open time
//! long, would count as fresh.
//! The two words, 16 bytes or 8 where words have 32 bits, are all that a breaker without a rate rule changes; configuration,
//! scale of the deadlines and random draws can serve any number of such pairs.
//! On a 64-bit host a breaker takes 304 bytes and 504 with a window of ten slots, most of it configuration.
//!
//! # Ordering
//!
//! (a) The state word is the single point of agreement: every edge is one exchange on it.
//! (b) The thread that makes an edge sets the new phase's deadline after it; whoever meets a phase without a deadline sets
//! it, so a thread that is stopped in between holds up nobody. If the peer asked for an open time and another thread was so
//! quick, the longer of the two times holds.
//! (c) The window is advisory: a result that is recorded while the breaker trips may be counted before or after the trip.
//! The window is cleared when the breaker opens and once more before it closes, while no result is recorded.
//! A thread that stops between its look at the generation and the window can add its one result to the window of a later
//! phase, and one that stops after it tripped the breaker can clear it: a rate may be off by as many calls as there are such
//! threads, or begin anew once. State and places of probes are never touched by them.
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
//! At most 15 probes are out at a time, and at most 31 results of probes decide.
//! Failures in a row are counted up to 262143, and cycles for the growth of the open time up to 15.
//! A ramp decides by draws: over few calls the share that is admitted strays from the configured one.
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
//! | ramping, success after success | 4 | 1 |
//! | open, rejected | 3 | 0 |

mod cell;
mod config;
mod permit;
mod ramp;
mod results;
mod rules;
mod state;
mod tally;
mod tenancy;
#[cfg(all(test, not(loom)))]
mod tests;
mod transition;
mod watch;

use core::fmt;
use core::time::Duration;

pub(crate) use cell::Cell;
pub use config::Config;
pub use permit::{Permit, Ticket};
pub(crate) use results::InWord;
pub(crate) use rules::{Ending, Rules};
use state::{Mode, Phase};
pub use tally::{Counts, Tally};
pub(crate) use tenancy::{Hand, Shown, Standing};
pub use transition::{Cause, Reason, Rejected, Settlement, State, Transition};

use crate::config::ConfigError;
use crate::measure::window::{Totals, Window};
use crate::outcome::Outcome;
use crate::time::Instant;

/// A circuit breaker; `SLOTS` is the number of buckets of its window, 0 if it only counts failures in a row.
///
/// A rate rule needs at least one slot; ten are usual.
/// The [module](self) has the states and an example.
pub struct CircuitBreaker<const SLOTS: usize = 0> {
    rules: Rules,
    cell: Cell,
    window: Window<SLOTS>,
}

/// How a breaker is doing.
///
/// It counts what decides; a [`Tally`] counts every call of a phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// The state, forced or not.
    pub state: State,
    /// Whether the state is held by hand.
    pub forced: bool,
    /// Whether the breaker is in shadow mode and refuses no call.
    pub shadow: bool,
    /// Whether it is closed and admits a share of the calls so far.
    pub ramping: bool,
    /// The number of the phase, modulo 1024.
    pub generation: u32,
    /// Failures in a row, while closed.
    pub consecutive_failures: u32,
    /// Probes that are out, while half-open.
    pub probes: u32,
    /// Probes that succeeded in this cycle, while half-open.
    pub successes: u32,
    /// Probes that failed in this cycle, while half-open.
    pub failed_probes: u32,
    /// The window's sums; zero without a rate rule.
    pub window: Totals,
    /// How long calls are rejected for, while open; `None` in another state or if the open time never ends. In shadow mode it
    /// is how long they would be.
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
            let rules = match Rules::try_new(config, SLOTS) {
                Ok(rules) => rules,
                Err(error) => return Err(error),
            };
            let Ok(window) = Window::try_new(config.window_span(SLOTS)) else {
                return Err(ConfigError::new(
                    "circuit_breaker.window",
                    "a whole number of nanoseconds in each slot, or between 1 and 16777216 calls",
                ));
            };
            Ok(Self { rules, cell: Cell::new(&config), window })
        }
    }

    /// A breaker with another configuration that goes on from where `earlier` is.
    ///
    /// State, mode, generation and counts are those of `earlier` at this moment, so its tickets can be settled with either.
    /// What is left of the phase stays, cut to the longest time that `config` knows; the window begins empty.
    /// Whoever owns both puts this one in the other's place; results that the other counts after this are lost with it.
    ///
    /// # Errors
    ///
    /// As [`CircuitBreaker::try_new`].
    pub fn try_resuming<const OTHER: usize>(
        config: Config,
        earlier: &CircuitBreaker<OTHER>,
        now: Instant,
    ) -> Result<Self, ConfigError> {
        let fresh = Self::try_new(config)?;
        let cell = earlier.cell.resuming(&earlier.rules, &fresh.rules, now);
        Ok(Self { cell, ..fresh })
    }

    /// Asks whether a call may start.
    ///
    /// # Errors
    ///
    /// [`Rejected`], with the time after which another try makes sense.
    #[inline]
    pub fn try_acquire(&self, now: Instant) -> Result<Permit<'_, SLOTS>, Rejected> {
        let ticket = self.cell.try_acquire(&self.rules, now)?;
        Ok(Permit { breaker: self, ticket })
    }

    /// Whether [`CircuitBreaker::try_acquire`] would reject a call now. It changes nothing.
    ///
    /// A call that a ramp may refuse passes: the draw is made when the call starts.
    ///
    /// # Errors
    ///
    /// [`Rejected`], as `try_acquire` would.
    #[inline]
    pub fn check(&self, now: Instant) -> Result<(), Rejected> {
        self.cell.check(&self.rules, now)
    }

    /// Settles a call with its [`Ticket`].
    #[inline]
    pub fn settle(&self, ticket: Ticket, outcome: Outcome, now: Instant) -> Settlement {
        self.settle_with(ticket, outcome, None, now)
    }

    /// Settles a call with its [`Ticket`] and the time after which the peer wants to be asked again; see
    /// [`Permit::record_with`].
    #[inline]
    pub fn settle_with(
        &self,
        ticket: Ticket,
        outcome: Outcome,
        retry_after: Option<Duration>,
        now: Instant,
    ) -> Settlement {
        let ending = Ending { outcome, retry_after, at: now };
        self.cell.settle(&self.rules, &self.window, &ticket, ending)
    }

    /// Opens the breaker now, for the configured time, also if it was forced: that mode is over then.
    pub fn trip(&self, now: Instant) -> Transition {
        let transition = self.cell.trip(&self.rules, now);
        self.window.clear(now);
        transition
    }

    /// Rejects every call until [`CircuitBreaker::reset`], also in shadow mode.
    pub fn force_open(&self) -> Transition {
        self.cell.force(&self.rules, Mode::ForcedOpen)
    }

    /// Admits every call, uncounted, until [`CircuitBreaker::reset`].
    pub fn force_closed(&self) -> Transition {
        self.cell.force(&self.rules, Mode::ForcedClosed)
    }

    /// Begins or ends shadow mode: results count and the state changes as ever, and no call is refused.
    ///
    /// A call that would have been refused has it from [`Permit::would_reject`], and its result counts for nothing.
    /// The phase and the calls in flight stay as they are. Only the beginning ends a forced mode, closed as new; after a
    /// forced mode that a reset or a trip ends, the mode is the [configured](Config::in_shadow) one.
    pub fn shadow(&self, on: bool) -> Transition {
        self.cell.shadow(&self.rules, on)
    }

    /// Closes the breaker as new, forced or not, without a ramp.
    pub fn reset(&self, now: Instant) -> Transition {
        self.window.clear(now);
        self.cell.reset(&self.rules)
    }

    /// How the breaker is doing. Each field is exact; fields of different words may be of slightly different moments.
    pub fn status(&self, now: Instant) -> Status {
        let state = self.cell.load();
        let (public, mode) = (state.public_state(), state.mode());
        let of = |holds: bool, count: u32| if holds { count } else { 0 };
        let probing = public == State::HalfOpen;
        Status {
            state: public,
            forced: !mode.counts(),
            shadow: mode == Mode::Shadow,
            ramping: state.phase() == Phase::Ramping,
            generation: state.generation(),
            consecutive_failures: of(public == State::Closed, state.failures()),
            probes: of(probing, state.probes()),
            successes: of(probing, state.successes()),
            failed_probes: of(probing, state.failed_probes()),
            window: self.window.totals(now),
            retry_after: self.cell.open_for(&self.rules, state, now),
        }
    }

    /// The configuration.
    pub const fn config(&self) -> &Config {
        &self.rules.config
    }
}

impl<const SLOTS: usize> fmt::Debug for CircuitBreaker<SLOTS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CircuitBreaker")
            .field("state", &self.cell.load())
            .field("config", &self.rules.config)
            .finish_non_exhaustive()
    }
}
