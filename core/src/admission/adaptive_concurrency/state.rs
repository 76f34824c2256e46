//! The word that decides and its transitions, as pure functions.

use super::config::{Config, GradientRule, Rule};
use super::gradient::Figures;
use super::{Adjustment, Reason, Rejected};
use crate::atomic::bits::Field;
use crate::atomic::word::Packed;

const IN_FLIGHT: Field = Field::lowest(12);
const LIMIT: Field = IN_FLIGHT.then(12);
const SAMPLES: Field = LIMIT.then(5);
const BAD: Field = SAMPLES.then(1);
const BUSY: Field = BAD.then(1);
const PROBE: Field = BUSY.then(1);
const _: () = assert!(PROBE.end() == u32::BITS);

/// The highest limit.
pub(super) const MAX_LIMIT: u32 = LIMIT.max();
/// The most samples that a window waits for.
pub(super) const MAX_SAMPLES: u32 = SAMPLES.max();

/// The word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct State {
    pub(super) in_flight: u32,
    pub(super) limit: u32,
    /// Results of the present window; it stays at its end while the window has to last longer.
    pub(super) samples: u32,
    pub(super) bad: bool,
    pub(super) busy: bool,
    /// The limit is down to measure the baseline.
    pub(super) probe: bool,
}

impl Packed for State {
    type Raw = u32;

    #[inline]
    fn unpack(raw: u32) -> Self {
        Self {
            in_flight: IN_FLIGHT.get(raw),
            limit: LIMIT.get(raw),
            samples: SAMPLES.get(raw),
            bad: BAD.get(raw) == 1,
            busy: BUSY.get(raw) == 1,
            probe: PROBE.get(raw) == 1,
        }
    }

    #[inline]
    fn pack(self) -> u32 {
        let counts = SAMPLES.set(LIMIT.set(self.in_flight, self.limit), self.samples);
        let flags = BUSY.set(BAD.set(counts, self.bad.into()), self.busy.into());
        PROBE.set(flags, self.probe.into())
    }
}

/// How it was when a call was admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The call is one of a probe.
    pub(super) probe: bool,
    /// At least half of the limit was in use.
    pub(super) busy: bool,
}

/// A complete window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) limit: u32,
    pub(super) bad: bool,
    pub(super) busy: bool,
    pub(super) probe: bool,
}

/// What a result led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Settled {
    /// It was counted, or was stale.
    Counted,
    /// It completed a window, and the limit was adjusted with it.
    Adjusted(Option<Adjustment>),
    /// It completed a window, which the caller is elected to judge.
    Window(Window),
}

impl State {
    /// The raw word of a limit that nobody uses.
    pub(super) const fn raw(limit: u32) -> u32 {
        LIMIT.set(0, limit)
    }

    /// Takes a place.
    #[inline]
    pub(super) fn admit(self) -> (Option<Self>, Result<Place, Rejected>) {
        if self.in_flight >= self.limit && !mutant!("concurrency_over_admits") {
            let rejected = Rejected { in_flight: self.in_flight, limit: self.limit, is_probing: self.probe };
            return (None, Err(rejected));
        }
        let next = Self { in_flight: self.in_flight + 1, ..self };
        (Some(next), Ok(Place { probe: self.probe, busy: next.is_busy() }))
    }

    const fn is_busy(self) -> bool {
        self.in_flight * 2 >= self.limit
    }

    /// Gives a place back.
    #[inline]
    pub(super) const fn release(self) -> Self {
        Self { in_flight: self.in_flight.saturating_sub(1), ..self }
    }

    /// Gives a place back and counts the result; `due` says whether the window has lasted long enough.
    #[inline]
    pub(super) fn settle(
        self,
        place: Place,
        bad: bool,
        config: &Config,
        due: impl Fn() -> bool,
    ) -> (Option<Self>, Settled) {
        let mut next = self.release();
        if place.probe != self.probe && !mutant!("concurrency_counts_stale_results") {
            return (Some(next), Settled::Counted);
        }
        next.samples = (self.samples + 1).min(config.samples);
        next.bad |= bad;
        next.busy |= place.busy || self.is_busy();
        if next.samples < config.samples || !due() {
            return (Some(next), Settled::Counted);
        }
        let window = Window { limit: self.limit, bad: next.bad, busy: next.busy, probe: self.probe };
        (next.bad, next.busy) = (false, false);
        if !mutant!("concurrency_elects_the_next_one_too") {
            next.samples = 0;
        }
        let Rule::Aimd { increase } = config.rule else { return (Some(next), Settled::Window(window)) };
        let (limit, reason) = if window.bad {
            (config.backoff.of(self.limit), Reason::Bad)
        } else if window.busy {
            (self.limit.saturating_add(increase), Reason::Room)
        } else {
            (self.limit, Reason::Room)
        };
        let (next, adjustment) = next.with_limit(limit, reason, config);
        (Some(next), Settled::Adjusted(adjustment))
    }

    /// The same with another limit, within the bounds.
    fn with_limit(self, limit: u32, reason: Reason, config: &Config) -> (Self, Option<Adjustment>) {
        let to = limit.clamp(config.min, config.max);
        let changed = to != self.limit;
        (Self { limit: to, ..self }, changed.then_some(Adjustment { from: self.limit, to, reason }))
    }

    /// Follows the gradient of a window.
    pub(super) fn follow(
        self,
        window: Window,
        figures: Figures,
        rule: GradientRule,
        config: &Config,
    ) -> (Option<Self>, Option<Adjustment>) {
        if self.probe {
            return (None, None);
        }
        let target = figures.target(self.limit, rule);
        let (limit, reason) = if window.bad {
            (target.min(config.backoff.of(self.limit)), Reason::Bad)
        } else if target < self.limit {
            // Rounded to the old limit: near its balance the limit rests.
            (self.limit - rule.smoothing.of(self.limit - target), Reason::Latency)
        } else if window.busy {
            // Rounded to the new one: it grows by one at least.
            let rest = rule.smoothing.complement().of(target - self.limit);
            (target - rest, Reason::Room)
        } else {
            return (None, None);
        };
        let (next, adjustment) = self.with_limit(limit, reason, config);
        (adjustment.map(|_| next), adjustment)
    }

    /// Lowers the limit to measure the baseline.
    pub(super) fn begin_probe(self, config: &Config) -> (Option<Self>, Option<Adjustment>) {
        if self.probe {
            return (None, None);
        }
        let (next, adjustment) = self.with_limit(self.limit / 4, Reason::Probe, config);
        (Some(Self { probe: true, ..next }.fresh()), adjustment)
    }

    /// The limit is again what it was, or a step lower if the calls of the probe ended badly.
    pub(super) fn end_probe(
        self,
        saved: u32,
        bad: bool,
        config: &Config,
    ) -> (Option<Self>, Option<Adjustment>) {
        if !self.probe {
            return (None, None);
        }
        let limit = if bad { config.backoff.of(saved) } else { saved };
        let (next, adjustment) = self.with_limit(limit, Reason::ProbeOver, config);
        (Some(Self { probe: false, ..next }.fresh()), adjustment)
    }

    /// The same at the beginning of a window.
    const fn fresh(self) -> Self {
        Self { samples: 0, bad: false, busy: false, ..self }
    }
}
