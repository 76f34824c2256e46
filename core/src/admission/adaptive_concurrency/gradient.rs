//! The latencies that the gradient compares. All of this is advisory: the limit is decided by the state.

use core::time::Duration;

use super::config::{Config, GradientRule};
use crate::atomic::bits::Field;
use crate::atomic::rng::Rng;
use crate::atomic::word::{Packed, Word};

/// Parts of a microsecond.
const PARTS: u64 = 64;
/// One result weighs so many parts of the mean.
const WEIGHT: u32 = 8;

const LATENCY: Field = Field::lowest(31);
const PROBE: Field = LATENCY.then(1);
const _: () = assert!(PROBE.end() == u32::BITS);

const SAVED: Field = Field::lowest(12);
const WINDOWS: Field = SAVED.then(16);

/// The most windows between probes.
pub(super) const MAX_WINDOWS: u32 = WINDOWS.max();

/// A moving mean of the results of one phase, zero if there were none.
#[derive(Clone, Copy)]
struct Mean {
    latency: u32,
    probe: bool,
}

/// A latency, zero if there is none.
#[derive(Clone, Copy)]
struct Latency(u32);

/// The limit before the probe, and how many windows pass until the next one.
#[derive(Clone, Copy)]
struct Memory {
    saved: u32,
    windows: u32,
}

impl Packed for Mean {
    type Raw = u32;

    #[inline]
    fn unpack(raw: u32) -> Self {
        Self { latency: LATENCY.get(raw), probe: PROBE.get(raw) == 1 }
    }

    #[inline]
    fn pack(self) -> u32 {
        PROBE.set(self.latency, self.probe.into())
    }
}

impl Packed for Latency {
    type Raw = u32;

    fn unpack(raw: u32) -> Self {
        Self(raw)
    }

    fn pack(self) -> u32 {
        self.0
    }
}

impl Packed for Memory {
    type Raw = u32;

    fn unpack(raw: u32) -> Self {
        Self { saved: SAVED.get(raw), windows: WINDOWS.get(raw) }
    }

    fn pack(self) -> u32 {
        WINDOWS.set(self.saved, self.windows)
    }
}

/// What a window is judged by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Figures {
    pub(super) latency: u32,
    pub(super) baseline: u32,
}

impl Figures {
    /// Where the limit should go.
    pub(super) fn target(self, limit: u32, rule: GradientRule) -> u32 {
        let queue = if rule.queue == 0 { limit.isqrt() } else { rule.queue };
        let (latency, best) =
            (u64::from(self.latency) * 1000, u64::from(self.baseline) * u64::from(rule.tolerance));
        // Without latencies there is no gradient.
        let share = if latency <= best {
            limit
        } else {
            let exact = u64::from(limit) * best / latency;
            (exact as u32).max(limit / 2)
        };
        share.saturating_add(queue)
    }
}

/// The words beside the state.
pub(super) struct Gradient {
    mean: Word,
    baseline: Word,
    memory: Word,
    spread: Rng,
}

impl Gradient {
    const_fn! {
        pub(super) const fn new(seed: u32, windows: u32) -> Self {
            Self {
                mean: Word::new(0),
                baseline: Word::new(0),
                memory: Word::new(WINDOWS.set(0, windows)),
                spread: Rng::new(seed),
            }
        }
    }

    /// A success took so many nanoseconds.
    pub(super) fn learn(&self, nanos: u64, probe: bool) {
        // One part at least: zero is no latency.
        let parts = (nanos / 1000).saturating_mul(PARTS).saturating_add(nanos % 1000 * PARTS / 1000);
        let latency = parts.clamp(1, LATENCY.max().into()) as u32;
        let step = |mean: Mean| {
            if mean.probe != probe {
                return (None, ());
            }
            let next = match mean.latency {
                0 => latency,
                old if latency > old => old + (latency - old).div_ceil(WEIGHT),
                old => old - (old - latency).div_ceil(WEIGHT),
            };
            (Some(Mean { latency: next, probe }), ())
        };
        if mutant!("concurrency_learns_in_two_steps") {
            let (next, ()) = step(self.mean.load());
            return self.mean.transition(|_: Mean| (next, ()));
        }
        self.mean.transition(step);
    }

    /// The latency of the window, and the baseline, which follows it.
    pub(super) fn figures(&self, may_rise: bool) -> Figures {
        let Mean { latency, .. } = self.mean.load();
        let baseline = self.baseline.transition(|Latency(old)| {
            let next = match old {
                _ if latency == 0 => old,
                0 => latency,
                _ if latency < old => old - (old - latency).div_ceil(2),
                _ if may_rise => old + (latency - old).div_ceil(8),
                _ => old,
            };
            ((next != old).then_some(Latency(next)), next)
        });
        Figures { latency, baseline }
    }

    /// Whether a probe begins now, with `limit` to come back to.
    pub(super) fn is_probe_due(&self, config: &Config, limit: u32) -> bool {
        if config.windows_between_probes() == 0 {
            return false;
        }
        let due = self.memory.transition(|memory: Memory| match memory.windows {
            0 | 1 => (Some(Memory { saved: limit, windows: 0 }), true),
            windows => (Some(Memory { windows: windows - 1, ..memory }), false),
        });
        if due {
            self.mean.transition(|_: Mean| (Some(Mean { latency: 0, probe: true }), ()));
        }
        due
    }

    /// Ends a probe, unless another call did: the latency of its results, if it has any, is the baseline, and the next one is some
    /// windows away, sooner if that is lower by a quarter or more. Returns the limit from before it.
    pub(super) fn end_probe(&self, config: &Config) -> u32 {
        let ended = self.mean.transition(|mean: Mean| {
            let next = mean.probe.then_some(Mean { probe: false, ..mean });
            (next, mean.probe.then_some(mean.latency))
        });
        let Some(latency) = ended else { return self.memory.load::<Memory>().saved };
        let soon = latency > 0
            && self.baseline.transition(|Latency(old)| (Some(Latency(latency)), latency <= old - old / 4));
        let every = config.windows_between_probes();
        let windows = if soon { config.soon() } else { every - self.spread.below(every / 8 + 1) };
        self.memory.transition(|memory: Memory| (Some(Memory { windows, ..memory }), memory.saved))
    }

    pub(super) fn latency(&self) -> Option<Duration> {
        let Mean { latency, .. } = self.mean.load();
        duration(latency)
    }

    pub(super) fn baseline(&self) -> Option<Duration> {
        let Latency(latency) = self.baseline.load();
        duration(latency)
    }
}

/// So many parts of a microsecond, `None` if there are none.
fn duration(parts: u32) -> Option<Duration> {
    (parts > 0).then(|| Duration::from_nanos(u64::from(parts) * 1000 / PARTS))
}
