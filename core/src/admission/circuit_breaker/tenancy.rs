//! A cell that many keys have one after the other: between two of them it is sealed.
//!
//! A sealed cell is forced closed, which no key's cell ever is: nothing is counted in it, and no ticket from before is current.

use core::time::Duration;

use super::cell::{Cell, Rules};
use super::permit::{Admission, Ticket};
use super::state::{Mode, Phase, Snapshot};
use super::{Config, State};
use crate::atomic::timer::{Remaining, Timer};
use crate::atomic::word::Word;
use crate::time::Instant;

/// What would be lost with the key that has the cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Nothing: it is nobody's.
    Sealed,
    /// So many failures in a row.
    Closed { failures: u32 },
    /// A probe: the time for which calls are refused is over.
    Over,
    /// Calls are refused, for so long; `None` is for ever.
    Refusing(Option<Duration>),
}

/// The moment at which a cell stood so.
#[derive(Clone, Copy)]
pub(crate) struct Seen(Snapshot);

impl Cell {
    const_fn! {
        /// A cell that is nobody's yet.
        pub(crate) const fn sealed() -> Self {
            Self { state: Word::new(Snapshot::closed(Mode::ForcedClosed).raw()), timer: Timer::new() }
        }
    }

    /// How the cell stands.
    pub(crate) fn standing(&self, rules: &Rules, now: Instant) -> (Seen, Standing) {
        let state = self.load();
        if state.mode() == Mode::ForcedClosed {
            return (Seen(state), Standing::Sealed);
        }
        let closed = Standing::Closed { failures: state.failures() };
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

    /// The state, and the failures in a row while it is closed.
    pub(crate) fn public(&self) -> (State, u32) {
        let state = self.load();
        (state.public_state(), if state.is_closed() { state.failures() } else { 0 })
    }

    /// The cell as it is, for one who does not ask how it stands.
    pub(crate) fn seen(&self) -> Seen {
        Seen(self.load())
    }

    /// Whether it is nobody's.
    pub(crate) fn is_sealed(&self) -> bool {
        self.load().mode() == Mode::ForcedClosed
    }

    /// Seals the cell, unless it changed since it was seen.
    pub(crate) fn seal(&self, rules: &Rules, seen: Seen) -> bool {
        self.pass_on(rules, seen, seen.0.force(Mode::ForcedClosed))
    }

    /// Closes a sealed cell as new, unless it changed since it was seen.
    pub(crate) fn unseal(&self, rules: &Rules, seen: Seen) -> bool {
        self.pass_on(rules, seen, seen.0.step_by_hand(Phase::Closed, rules.config.mode()))
    }

    fn pass_on(&self, rules: &Rules, seen: Seen, next: Snapshot) -> bool {
        let passed = self.state.transition(|state: Snapshot| {
            let same = state == seen.0 || mutant!("keyed_seals_what_changed");
            (same.then_some(next), same)
        });
        if passed {
            // As for each phase without an end: after 512 generations without a deadline the next would seem to be old.
            self.timer.arm(rules.scale, next.generation(), Instant::ZERO);
        }
        passed
    }
}

impl Rules {
    /// What the cells are configured by.
    pub(crate) const fn config(&self) -> &Config {
        &self.config
    }
}

impl Admission {
    /// The ticket alone.
    pub(crate) fn into_ticket(self) -> Ticket {
        self.ticket
    }
}

impl Ticket {
    /// The same ticket, for a holder that settles when it is dropped.
    pub(crate) const fn again(&self) -> Self {
        Self { generation: self.generation, kind: self.kind, started: self.started }
    }
}
