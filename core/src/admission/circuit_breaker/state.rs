//! The state word and its transitions.

use core::fmt;

use super::{Cause, State, Transition};
use crate::atomic::bits::Field;
use crate::atomic::timer::STAMP_BITS;
use crate::atomic::word::Packed;

const PHASE: Field = Field::lowest(2);
const MODE: Field = PHASE.then(2);
/// Closed: failures in a row.
const FAILURES: Field = MODE.then(18);
/// Half-open: probes that are out, in the lower bits of the same range.
const PROBES: Field = MODE.then(6);
/// Half-open: probes that succeeded.
const SUCCESSES: Field = PROBES.then(6);
/// Open and half-open: how often a probe failed since the breaker was last closed.
const CYCLES: Field = SUCCESSES.then(6);
const GENERATION: Field = FAILURES.then(STAMP_BITS);

const _: () = assert!(GENERATION.end() == u32::BITS);
const _: () = assert!(CYCLES.end() <= FAILURES.end());
// A fresh word is a closed breaker in normal mode.
const _: () = assert!(Phase::Closed as u32 == 0 && Mode::Normal as u32 == 0);

pub(super) const MAX_FAILURES: u32 = FAILURES.max();
pub(super) const MAX_PROBES: u32 = PROBES.max();

/// The phase that the word is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Closed = 0,
    HalfOpen = 1,
    Open = 2,
}

impl Phase {
    pub(super) const fn public(self) -> State {
        match self {
            Self::Closed => State::Closed,
            Self::HalfOpen => State::HalfOpen,
            Self::Open => State::Open,
        }
    }
}

/// Who decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Normal = 0,
    ForcedOpen = 1,
    ForcedClosed = 2,
}

/// A moment of the word.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Snapshot(u32);

impl Packed for Snapshot {
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

impl Snapshot {
    pub(super) const CLOSED: Self = Self(0);

    pub(super) const fn raw(self) -> u32 {
        self.0
    }

    pub(super) const fn phase(self) -> Phase {
        match PHASE.get(self.0) {
            0 => Phase::Closed,
            1 => Phase::HalfOpen,
            _ => Phase::Open,
        }
    }

    pub(super) const fn mode(self) -> Mode {
        match MODE.get(self.0) {
            0 => Mode::Normal,
            1 => Mode::ForcedOpen,
            _ => Mode::ForcedClosed,
        }
    }

    /// Closed and not forced: the case of nearly every call.
    pub(super) const fn is_plain_closed(self) -> bool {
        PHASE.get(self.0) == 0 && MODE.get(self.0) == 0
    }

    pub(super) const fn public_state(self) -> State {
        match self.mode() {
            Mode::Normal => self.phase().public(),
            Mode::ForcedOpen => State::Open,
            Mode::ForcedClosed => State::Closed,
        }
    }

    pub(super) const fn generation(self) -> u32 {
        GENERATION.get(self.0)
    }

    pub(super) const fn failures(self) -> u32 {
        FAILURES.get(self.0)
    }

    pub(super) const fn probes(self) -> u32 {
        PROBES.get(self.0)
    }

    pub(super) const fn successes(self) -> u32 {
        SUCCESSES.get(self.0)
    }

    /// Open and half-open: how often a probe failed since the breaker was last closed, at most 63.
    pub(super) const fn cycles(self) -> u32 {
        CYCLES.get(self.0)
    }

    /// The public form of the change from this moment to `next`.
    pub(super) const fn transition_to(self, next: Self, cause: Cause) -> Transition {
        Transition {
            from: self.public_state(),
            to: next.public_state(),
            cause,
            generation: next.generation(),
        }
    }

    /// The next generation, in `phase` and `mode`, with nothing counted.
    const fn begin(self, phase: Phase, mode: Mode) -> Self {
        let word = GENERATION.set(0, self.generation().wrapping_add(1));
        Self(MODE.set(PHASE.set(word, phase as u32), mode as u32))
    }

    /// Edge 1, and by hand.
    pub(super) const fn trip(self) -> Self {
        self.begin(Phase::Open, Mode::Normal)
    }

    /// Edge 3.
    pub(super) const fn trip_again(self) -> Self {
        let cycles = self.cycles();
        let cycles = if cycles < CYCLES.max() { cycles + 1 } else { cycles };
        Self(CYCLES.set(self.trip().0, cycles))
    }

    /// Edges 2 and 5: half-open, with the caller as the first probe.
    pub(super) fn begin_cycle(self) -> Self {
        if mutant!("breaker_reclaims_within_the_cycle") && self.probes() > 0 {
            return self;
        }
        Self(CYCLES.set(self.begin(Phase::HalfOpen, Mode::Normal).0, self.cycles())).take_probe()
    }

    /// Edge 4, and the reset by hand.
    pub(super) fn close(self) -> Self {
        if mutant!("breaker_reset_keeps_the_generation") && self.is_plain_closed() {
            return self.forgive();
        }
        self.begin(Phase::Closed, Mode::Normal)
    }

    /// By hand.
    pub(super) const fn force(self, mode: Mode) -> Self {
        self.begin(Phase::Closed, mode)
    }

    pub(super) const fn take_probe(self) -> Self {
        Self(PROBES.set(self.0, self.probes() + 1))
    }

    pub(super) const fn return_probe(self) -> Self {
        Self(PROBES.set(self.0, self.probes().saturating_sub(1)))
    }

    pub(super) const fn count_success(self) -> Self {
        let returned = self.return_probe();
        Self(SUCCESSES.set(returned.0, self.successes() + 1))
    }

    /// One more failure in a row, at most as many as the field holds.
    pub(super) const fn count_failure(self) -> Self {
        let failures = self.failures();
        Self(FAILURES.set(self.0, if failures < MAX_FAILURES { failures + 1 } else { failures }))
    }

    /// A success ends the row of failures.
    pub(super) const fn forgive(self) -> Self {
        Self(FAILURES.set(self.0, 0))
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Snapshot");
        out.field("generation", &self.generation()).field("mode", &self.mode()).field("phase", &self.phase());
        match self.phase() {
            Phase::Closed => out.field("failures", &self.failures()),
            Phase::HalfOpen => out
                .field("probes", &self.probes())
                .field("successes", &self.successes())
                .field("cycles", &self.cycles()),
            Phase::Open => out.field("cycles", &self.cycles()),
        };
        out.finish()
    }
}
