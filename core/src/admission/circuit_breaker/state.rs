//! The state word and its transitions.

use core::fmt;

use super::results::Results;
use super::{Cause, State, Transition};
use crate::atomic::bits::Field;
use crate::atomic::timer::STAMP_BITS;
use crate::atomic::word::Packed;

const PHASE: Field = Field::lowest(2);
const MODE: Field = PHASE.then(2);
/// Closed and ramping: failures in a row, or the last results where the word keeps them.
const FAILURES: Field = MODE.then(18);
/// Half-open: probes that are out, in the lower bits of the same range.
const PROBES: Field = MODE.then(4);
/// Half-open: probes that succeeded.
const SUCCESSES: Field = PROBES.then(5);
/// Half-open: probes that failed.
const FAILED: Field = SUCCESSES.then(5);
/// Open and half-open: how often the breaker opened again since it was last closed.
const CYCLES: Field = FAILED.then(4);
const GENERATION: Field = FAILURES.then(STAMP_BITS);

const _: () = assert!(GENERATION.end() == u32::BITS);
const _: () = assert!(CYCLES.end() == FAILURES.end());
// A fresh word is a closed breaker in normal mode.
const _: () = assert!(Phase::Closed as u32 == 0 && Mode::Normal as u32 == 0);
// Each kind of result is counted as far as all kinds together.
const _: () = assert!(SUCCESSES.max() == FAILED.max());

pub(super) const MAX_FAILURES: u32 = FAILURES.max();
/// Probes that may be out at a time.
pub(super) const MAX_PROBES: u32 = PROBES.max();
/// Results of probes that are counted in a cycle.
pub(super) const MAX_RESULTS: u32 = SUCCESSES.max();

/// The phase that the word is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Closed = 0,
    HalfOpen = 1,
    Open = 2,
    /// Closed, and so far only a share of the calls is admitted.
    Ramping = 3,
}

impl Phase {
    pub(super) const fn public(self) -> State {
        match self {
            Self::Closed | Self::Ramping => State::Closed,
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
    /// The phases change as in normal mode, and no call is refused.
    Shadow = 3,
}

impl Mode {
    /// Whether results count.
    pub(super) const fn counts(self) -> bool {
        matches!(self, Self::Normal | Self::Shadow)
    }
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
    /// Closed, in normal mode or in shadow mode.
    pub(super) const fn closed(mode: Mode) -> Self {
        Self(MODE.set(0, mode as u32))
    }

    pub(super) const fn raw(self) -> u32 {
        self.0
    }

    pub(super) const fn phase(self) -> Phase {
        match PHASE.get(self.0) {
            0 => Phase::Closed,
            1 => Phase::HalfOpen,
            2 => Phase::Open,
            _ => Phase::Ramping,
        }
    }

    pub(super) const fn mode(self) -> Mode {
        match MODE.get(self.0) {
            0 => Mode::Normal,
            1 => Mode::ForcedOpen,
            2 => Mode::ForcedClosed,
            _ => Mode::Shadow,
        }
    }

    /// Closed in normal mode and without a ramp: the case of nearly every call.
    pub(super) const fn is_plain_closed(self) -> bool {
        PHASE.get(self.0) == 0 && MODE.get(self.0) == 0
    }

    /// Closed, with a ramp or without.
    pub(super) const fn is_closed(self) -> bool {
        matches!(self.phase(), Phase::Closed | Phase::Ramping)
    }

    pub(super) const fn public_state(self) -> State {
        match self.mode() {
            Mode::Normal | Mode::Shadow => self.phase().public(),
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

    /// The last results, where the word keeps them.
    pub(super) const fn results(self) -> Results {
        Results::of(FAILURES.get(self.0))
    }

    pub(super) const fn probes(self) -> u32 {
        PROBES.get(self.0)
    }

    pub(super) const fn successes(self) -> u32 {
        SUCCESSES.get(self.0)
    }

    pub(super) const fn failed_probes(self) -> u32 {
        FAILED.get(self.0)
    }

    /// Open and half-open: how often the breaker opened again since it was last closed, at most 15.
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

    /// The mode of the next phase, for an edge that is not by hand.
    fn kept_mode(self) -> Mode {
        if mutant!("breaker_leaves_shadow_with_the_phase") { Mode::Normal } else { self.mode() }
    }

    /// Edge 1.
    pub(super) fn trip(self) -> Self {
        self.begin(Phase::Open, self.kept_mode())
    }

    /// Edge 3.
    pub(super) fn trip_again(self) -> Self {
        let cycles = self.cycles();
        let cycles = if cycles < CYCLES.max() { cycles + 1 } else { cycles };
        Self(CYCLES.set(self.trip().0, cycles))
    }

    /// Edges 2 and 5: half-open, with the caller as the first probe.
    pub(super) fn begin_cycle(self) -> Self {
        if mutant!("breaker_reclaims_within_the_cycle") && self.probes() > 0 {
            return self;
        }
        Self(CYCLES.set(self.begin(Phase::HalfOpen, self.kept_mode()).0, self.cycles())).take_probe()
    }

    /// Edge 4, with a ramp or without.
    pub(super) fn close(self, ramps: bool) -> Self {
        self.begin(if ramps { Phase::Ramping } else { Phase::Closed }, self.kept_mode())
    }

    /// Edge 6: the calls in flight and what was counted belong to the closed phase as before.
    pub(super) const fn end_ramp(self) -> Self {
        Self(PHASE.set(self.0, Phase::Closed as u32))
    }

    /// The state under another configuration, which may know neither rows nor ramps.
    pub(super) const fn under(self, row: bool, ramp: bool) -> Self {
        match self.phase() {
            Phase::Ramping if !ramp => self.end_ramp().under(row, ramp),
            Phase::Closed | Phase::Ramping if !row => self.forgive(),
            _ => self,
        }
    }

    /// By hand: open or closed, in `mode` from now on if the mode was a forced one.
    pub(super) fn step_by_hand(self, phase: Phase, mode: Mode) -> Self {
        if mutant!("breaker_reset_keeps_the_generation") && self.is_plain_closed() && phase == Phase::Closed {
            return self.forgive();
        }
        self.begin(phase, if self.mode().counts() { self.mode() } else { mode })
    }

    /// By hand.
    pub(super) const fn force(self, mode: Mode) -> Self {
        self.begin(Phase::Closed, mode)
    }

    /// Nobody's: forced closed in a phase that no forced breaker is in.
    pub(super) const fn seal(self) -> Self {
        self.begin(Phase::Open, Mode::ForcedClosed)
    }

    pub(super) const fn is_sealed(self) -> bool {
        matches!((self.mode(), self.phase()), (Mode::ForcedClosed, Phase::Open))
    }

    /// By hand: in or out of shadow mode, within the phase. Shadow mode ends a forced one; its end does not.
    pub(super) const fn shadow(self, on: bool) -> Self {
        match (self.mode(), on) {
            (Mode::Normal | Mode::Shadow, _) => {
                let mode = if on { Mode::Shadow } else { Mode::Normal };
                Self(MODE.set(self.0, mode as u32))
            }
            (_, true) => self.force(Mode::Shadow),
            (_, false) => self,
        }
    }

    pub(super) const fn take_probe(self) -> Self {
        Self(PROBES.set(self.0, self.probes() + 1))
    }

    pub(super) const fn return_probe(self) -> Self {
        Self(PROBES.set(self.0, self.probes().saturating_sub(1)))
    }

    /// The result of a probe, which frees its place.
    pub(super) fn count_probe(self, failed: bool) -> Self {
        let returned = self.return_probe();
        if !failed {
            return Self(SUCCESSES.set(returned.0, self.successes() + 1));
        }
        if mutant!("breaker_forgets_a_failed_probe") {
            return returned;
        }
        Self(FAILED.set(returned.0, self.failed_probes() + 1))
    }

    /// One more failure in a row, at most as many as the field holds.
    pub(super) const fn count_failure(self) -> Self {
        let failures = self.failures();
        Self(FAILURES.set(self.0, if failures < MAX_FAILURES { failures + 1 } else { failures }))
    }

    /// One more result, where the word keeps the last `most` of them.
    pub(super) const fn count_result(self, failed: bool, most: u32) -> Self {
        Self(FAILURES.set(self.0, self.results().push(failed, most).bits()))
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
            Phase::Closed | Phase::Ramping => out.field("failures", &self.failures()),
            Phase::HalfOpen => out
                .field("probes", &self.probes())
                .field("successes", &self.successes())
                .field("failed", &self.failed_probes())
                .field("cycles", &self.cycles()),
            Phase::Open => out.field("cycles", &self.cycles()),
        };
        out.finish()
    }
}
