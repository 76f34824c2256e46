//! What goes wrong in a run, and when: made from a seed before the run, as data.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Replies of the half-dead phase are counted in cycles of this length; the schedule says which of a cycle are lost.
const LOSS_CYCLE: u32 = 100;
/// Replies of a cycle that are lost.
const LOST_OF_A_CYCLE: usize = 10;
/// Messages of the slow phase take their added latency in turn from a list of this length.
const LATENCIES: usize = 64;
/// Bounds of the latency that the slow phase adds to each direction.
const ADDED_LATENCY_US: std::ops::Range<u32> = 25_000..60_000;
/// Seconds of the half-dead phase for each reset connection.
const SECONDS_PER_RESET: f64 = 0.5;

/// A part of the story that the demonstration tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Phase {
    /// The link is as good as loopback is.
    Healthy,
    /// Every message and every reply is delayed.
    Slow,
    /// Connections are reset, and some replies are lost.
    HalfDead,
    /// The server process stands still, then is killed.
    Dead,
    /// The server runs again and the link is good.
    Healed,
}

impl Phase {
    /// The parts in their order, each with its share of the run in percent.
    pub(crate) const STORY: [(Self, u64); 5] =
        [(Self::Healthy, 20), (Self::Slow, 15), (Self::HalfDead, 20), (Self::Dead, 20), (Self::Healed, 25)];

    /// The name of the part.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Slow => "slow",
            Self::HalfDead => "half dead",
            Self::Dead => "dead",
            Self::Healed => "healed",
        }
    }

    /// What happens in it, in a few words.
    pub(crate) const fn story(self) -> &'static str {
        match self {
            Self::Healthy => "the link is good",
            Self::Slow => "latency is added in both directions",
            Self::HalfDead => "connections are reset, replies are lost",
            Self::Dead => "the server stands still, then is killed",
            Self::Healed => "the server runs again, the link is good",
        }
    }
}

/// Something that happens at a time of the schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Action {
    /// A part of the story begins.
    Enter(Phase),
    /// The connection at place `pick`, counted round the open ones by age, is reset.
    Reset { pick: u16 },
    /// The server process is stopped; its connections stay open and say nothing.
    StopServer,
    /// The server process is killed.
    KillServer,
    /// The server process is started again on its old port.
    StartServer,
}

/// An action and its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Event {
    pub(crate) at_ms: u64,
    pub(crate) action: Action,
}

/// Where a part of the story begins and ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Span {
    pub(crate) phase: Phase,
    pub(crate) from_ms: u64,
    pub(crate) to_ms: u64,
}

/// All faults of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Schedule {
    pub(crate) seed: u64,
    pub(crate) duration_ms: u64,
    pub(crate) phases: Vec<Span>,
    /// What happens, in order of time.
    pub(crate) events: Vec<Event>,
    /// Latency that the slow phase adds, taken in turn by each message or reply, in microseconds.
    pub(crate) added_latency_us: Vec<u32>,
    /// Length of the cycle in which `lost_replies` counts.
    pub(crate) loss_cycle: u32,
    /// Places within a cycle of replies that are lost while the link is half dead, in order.
    pub(crate) lost_replies: Vec<u32>,
}

impl Schedule {
    /// The faults of a run of `duration`; the same arguments make the same schedule.
    pub(crate) fn new(seed: u64, duration: Duration) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let duration_ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);

        let mut phases = Vec::with_capacity(Phase::STORY.len());
        let (mut events, mut share) = (Vec::new(), 0);
        for (phase, percent) in Phase::STORY {
            let from_ms = duration_ms * share / 100;
            share += percent;
            let to_ms = duration_ms * share / 100;
            phases.push(Span { phase, from_ms, to_ms });
            let length = to_ms - from_ms;
            match phase {
                Phase::Healthy | Phase::Slow => {}
                Phase::HalfDead => events.extend(resets(&mut rng, from_ms, length)),
                Phase::Dead => {
                    events.push(Event { at_ms: from_ms, action: Action::StopServer });
                    events.push(Event { at_ms: from_ms + length * 2 / 5, action: Action::KillServer });
                }
                Phase::Healed => events.push(Event { at_ms: from_ms, action: Action::StartServer }),
            }
            events.push(Event { at_ms: from_ms, action: Action::Enter(phase) });
        }
        events.sort_by_key(|event| (event.at_ms, !matches!(event.action, Action::Enter(_))));

        let added_latency_us = (0..LATENCIES).map(|_| rng.u32(ADDED_LATENCY_US)).collect();
        let mut lost_replies = rng.choose_multiple(0..LOSS_CYCLE, LOST_OF_A_CYCLE);
        lost_replies.sort_unstable();
        Self { seed, duration_ms, phases, events, added_latency_us, loss_cycle: LOSS_CYCLE, lost_replies }
    }

    /// The same story told in another time: every event keeps its share of the run, the latencies stay as they are.
    pub(crate) fn scaled_to(&self, duration: Duration) -> Self {
        let target = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let scale = |at_ms: u64| at_ms * target / self.duration_ms.max(1);
        let mut scaled = self.clone();
        scaled.duration_ms = target;
        for span in &mut scaled.phases {
            (span.from_ms, span.to_ms) = (scale(span.from_ms), scale(span.to_ms));
        }
        for event in &mut scaled.events {
            event.at_ms = scale(event.at_ms);
        }
        scaled
    }

    /// How long the run takes.
    pub(crate) const fn duration(&self) -> Duration {
        Duration::from_millis(self.duration_ms)
    }

    /// The part of the story at this time.
    pub(crate) fn phase_at(&self, at_ms: u64) -> Phase {
        self.phases.iter().rev().find(|span| span.from_ms <= at_ms).map_or(Phase::Healthy, |span| span.phase)
    }

    /// When the link is good again.
    pub(crate) fn healed_at_ms(&self) -> u64 {
        self.phases
            .iter()
            .find(|span| span.phase == Phase::Healed)
            .map_or(self.duration_ms, |span| span.from_ms)
    }

    /// What the slow phase adds to its `nth` message or reply.
    pub(crate) fn added_latency(&self, nth: u64) -> Duration {
        let place = nth % self.added_latency_us.len().max(1) as u64;
        let micros = usize::try_from(place).ok().and_then(|place| self.added_latency_us.get(place));
        Duration::from_micros(micros.copied().unwrap_or_default().into())
    }

    /// Whether the `nth` reply of the half-dead phase is lost.
    pub(crate) fn is_lost(&self, nth: u64) -> bool {
        let place = nth % u64::from(self.loss_cycle.max(1));
        u32::try_from(place).is_ok_and(|place| self.lost_replies.binary_search(&place).is_ok())
    }
}

/// Resets spread over the half-dead phase: one in each equal part of it, at a random time of the part.
fn resets(rng: &mut fastrand::Rng, from_ms: u64, length_ms: u64) -> Vec<Event> {
    #[allow(clippy::cast_precision_loss, clippy::cast_sign_loss)]
    let count = ((length_ms as f64 / 1000.0 / SECONDS_PER_RESET).ceil() as u64).max(2);
    let part = length_ms / count;
    (0..count)
        .map(|nth| Event {
            // The last tenth of each part stays free, so that no rounding moves a reset out of its phase.
            at_ms: from_ms + nth * part + rng.u64(0..(part * 9 / 10).max(1)),
            action: Action::Reset { pick: rng.u16(..) },
        })
        .collect()
}

#[cfg(test)]
mod tests;
