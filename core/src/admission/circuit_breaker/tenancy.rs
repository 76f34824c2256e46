//! A cell that many keys have one after the other: between two of them it is sealed.
//!
//! A sealed cell is forced closed while open, which no key's cell ever is: nothing is counted in it, and no ticket from before is
//! current.

use core::time::Duration;

use super::cell::Cell;
use super::rules::Rules;
use super::state::{Mode, Phase, Snapshot};
use super::{Cause, Config, State, Transition};
use crate::atomic::timer::{Remaining, Timer};
use crate::atomic::word::Word;
use crate::config::ConfigError;
use crate::time::Instant;

/// What would be lost with the key that has the cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Nothing: it is nobody's.
    Sealed,
    /// So many failures: in a row, or among the last results.
    Closed { failures: u32 },
    /// A probe: the time for which calls are refused is over.
    Over,
    /// Calls are refused, for so long; `None` is for ever.
    Refusing(Option<Duration>),
    /// The state that a hand holds it in.
    Forced,
}

/// What is done to the breaker of one key by hand, or to its cell when the key comes and goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hand {
    Trip,
    ForceOpen,
    ForceClosed,
    Reset,
    Seal,
}

/// What a cell tells of itself.
pub(crate) struct Shown {
    pub(crate) state: State,
    pub(crate) forced: bool,
    pub(crate) failures_in_a_row: u32,
    pub(crate) calls: u32,
    pub(crate) failures: u32,
}

/// The moment at which a cell stood so.
#[derive(Clone, Copy)]
pub(crate) struct Seen(Snapshot);

impl Seen {
    /// Whether it was nobody's.
    pub(crate) const fn is_sealed(self) -> bool {
        self.0.is_sealed()
    }
}

impl Cell {
    const_fn! {
        /// A cell that is nobody's yet.
        pub(crate) const fn sealed() -> Self {
            Self { state: Word::new(Snapshot::closed(Mode::Normal).seal().raw()), timer: Timer::new() }
        }
    }

    /// How the cell stands.
    pub(crate) fn standing(&self, rules: &Rules, now: Instant) -> (Seen, Standing) {
        let state = self.load();
        if state.is_sealed() {
            return (Seen(state), Standing::Sealed);
        }
        if !state.mode().counts() && !mutant!("keyed_evicts_what_is_forced") {
            return (Seen(state), Standing::Forced);
        }
        let in_word = rules.config.watch.rates.is_some();
        let failures = if in_word { state.results().failures() } else { state.failures() };
        let closed = Standing::Closed { failures };
        let standing = if state.phase() == Phase::Closed {
            closed
        } else {
            match self.timer.remaining(rules.scale, state.generation(), now) {
                Remaining::Reached | Remaining::Superseded if state.phase() == Phase::Ramping => closed,
                Remaining::Reached | Remaining::Superseded => Standing::Over,
                Remaining::Ahead(left) => Standing::Refusing(left),
                Remaining::Unset => {
                    // The thread that began the phase was stopped, and its key may never ask again.
                    let interval = rules.interval_of(state);
                    self.timer.arm(rules.scale, state.generation(), rules.scale.end(now, interval));
                    Standing::Refusing(Some(interval))
                }
            }
        };
        (Seen(state), standing)
    }

    /// How the breaker is doing.
    pub(crate) fn shown(&self, rules: &Rules) -> Shown {
        let state = self.load();
        let of = |holds: bool, count: u32| if holds { count } else { 0 };
        let (is_closed, in_word, results) =
            (state.is_closed(), rules.config.watch.rates.is_some(), state.results());
        let row = if in_word { results.failures_in_a_row() } else { state.failures() };
        Shown {
            state: state.public_state(),
            forced: !state.mode().counts(),
            failures_in_a_row: of(is_closed, row),
            calls: of(is_closed && in_word, results.calls()),
            failures: of(is_closed && in_word, results.failures()),
        }
    }

    /// The cell as it is, for one who does not ask how it stands.
    pub(crate) fn seen(&self) -> Seen {
        Seen(self.load())
    }

    /// Whether it is nobody's.
    pub(crate) fn is_sealed(&self) -> bool {
        self.load().is_sealed()
    }

    /// Does what a hand does to the cell, unless it changed since it was seen; an open time begins at `now`.
    pub(crate) fn change(&self, rules: &Rules, seen: Seen, hand: Hand, now: Instant) -> Option<Transition> {
        let (next, deadline) = match hand {
            Hand::Trip => {
                let deadline = rules.scale.end(now, rules.open_time(0));
                (seen.0.step_by_hand(Phase::Open, rules.config.mode()), deadline)
            }
            Hand::ForceOpen => (seen.0.force(Mode::ForcedOpen), Instant::ZERO),
            Hand::ForceClosed => (seen.0.force(Mode::ForcedClosed), Instant::ZERO),
            Hand::Reset => (seen.0.step_by_hand(Phase::Closed, rules.config.mode()), Instant::ZERO),
            Hand::Seal => (seen.0.seal(), Instant::ZERO),
        };
        let passed = self.state.transition(|state: Snapshot| {
            let same = state == seen.0 || mutant!("keyed_seals_what_changed");
            (same.then_some(next), same)
        });
        passed.then(|| {
            // As for each phase without an end: after 512 generations without a deadline the next would seem to be old.
            self.timer.arm(rules.scale, next.generation(), deadline);
            seen.0.transition_to(next, Cause::Manual)
        })
    }
}

impl Rules {
    const_fn! {
        /// The rules of breakers of which each is a key's.
        pub(crate) const fn for_keys(config: Config) -> Result<Self, ConfigError> {
            match config.validate_for_keys() {
                Ok(()) => Ok(Self::of(config)),
                Err(error) => Err(error),
            }
        }
    }

    /// What the cells are configured by.
    pub(crate) const fn config(&self) -> &Config {
        &self.config
    }
}
