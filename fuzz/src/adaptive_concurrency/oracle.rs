//! The model of an adaptive limit: plain counts, and bounds where the limit compares means.

use std::time::Duration;

use seawall_core::adaptive_concurrency::{Adjustment, Reason, Snapshot};
use seawall_core::{Outcome, Ratio};

/// A probe that calls hold up ends after so many windows, or after so many times what they take; after so many windows at last.
const PROBE_WINDOWS: u64 = 8;
const PROBE_LATENCIES: u128 = 4;
const LONGEST_PROBE_WINDOWS: u64 = 256;
/// Words are of 32 bits, where a tick is a millisecond at most for windows of this size.
const NARROW: bool = cfg!(any(seawall_word32, not(target_has_atomic = "64")));
/// The first probe, and one that has to be repeated, comes after so many windows.
const SOON: u32 = 16;
/// Latencies are counted in parts of a microsecond, 64 of them, up to 2³¹.
const PART_NANOS: u128 = 16;
const LONGEST: Duration = Duration::from_nanos(((1 << 31) - 1) * 1000 / 64);

#[derive(Clone, Copy, Debug)]
pub(super) enum Rule {
    Aimd { increase: u32 },
    Gradient { tolerance: u32, queue: u32, smoothing: Ratio, probe_every: u32 },
}

/// A configuration. Times are milliseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    pub(super) rule: Rule,
    pub(super) initial: u32,
    pub(super) min: u32,
    pub(super) max: u32,
    pub(super) samples: u32,
    pub(super) window: u64,
    pub(super) slow_after: Option<u64>,
    pub(super) backoff: Ratio,
}

impl Rules {
    pub(super) fn are_valid(&self) -> bool {
        let rule = match self.rule {
            Rule::Aimd { increase } => increase > 0,
            Rule::Gradient { tolerance, smoothing, .. } => {
                (1000..=3000).contains(&tolerance) && smoothing.numerator() > 0
            }
        };
        let bounds = 0 < self.min && self.min <= self.initial && self.initial <= self.max && self.max <= 4095;
        let backs_off = self.backoff.numerator() < self.backoff.denominator();
        rule && bounds && backs_off && (1..=31).contains(&self.samples) && self.slow_after != Some(0)
    }

    fn within(&self, limit: u64) -> u32 {
        let limit = u32::try_from(limit).unwrap_or(u32::MAX);
        limit.max(self.min).min(self.max)
    }
}

/// A call that runs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call {
    pub(super) started: u64,
    pub(super) probe: bool,
    busy: bool,
}

/// What a result led to.
pub(super) enum Ended {
    Nothing,
    Window(Whole),
}

/// A complete window.
#[derive(Clone, Copy, Debug)]
pub(super) struct Whole {
    bad: bool,
    busy: bool,
    probe: bool,
}

/// A probe that is on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Probe {
    saved: u32,
    /// Whether one of its calls came back well.
    measured: bool,
}

pub(super) struct Model {
    pub(super) rules: Rules,
    pub(super) limit: u32,
    pub(super) in_flight: u32,
    pub(super) probe: Option<Probe>,
    /// The results of the present window, each bad or not and busy or not.
    results: Vec<(bool, bool)>,
    /// When the present window is long enough.
    over: u64,
    /// When a probe has lasted too long, in nanoseconds: not before the first, and for certain at the second.
    probe_over: [u128; 2],
    /// Busy windows since the last probe.
    windows: u32,
    /// Whether the next probe comes soon; `None` is either.
    soon: Option<bool>,
}

impl Model {
    pub(super) fn new(rules: Rules) -> Self {
        Self {
            rules,
            limit: rules.initial,
            in_flight: 0,
            probe: None,
            results: Vec::new(),
            over: 0,
            probe_over: [0; 2],
            windows: 0,
            soon: Some(true),
        }
    }

    /// At least half of the limit is in use.
    fn is_busy(&self) -> bool {
        2 * u64::from(self.in_flight) >= self.limit.into()
    }

    /// A call asks; the limiter was in one way before, and is in another one after it.
    pub(super) fn acquire(&mut self, now: u64, before: &Snapshot, after: &Snapshot) -> Option<Call> {
        let [may, must] = self.probe_over.map(|over| u128::from(now) * 1_000_000 >= over);
        let held_up = self.in_flight >= self.limit && self.rules.window > 0;
        if let Some(probe) = self.probe.filter(|_| held_up && (must || may && !after.is_probing)) {
            // Its calls do not come back, or not so soon.
            let baseline = if probe.measured { after.latency } else { before.baseline };
            assert_eq!(after.baseline, baseline, "the baseline is the latency of what came back");
            let bad = self.results.iter().any(|&(bad, _)| bad);
            let saved = if bad { self.less(probe.saved) } else { probe.saved.into() };
            self.end_probe(self.rules.within(saved));
            self.soon = is_lower(before.baseline, after.baseline, probe.measured);
        } else {
            assert_eq!(after.baseline, before.baseline);
        }
        if self.in_flight >= self.limit {
            return None;
        }
        self.in_flight += 1;
        Some(Call { started: now, probe: self.probe.is_some(), busy: self.is_busy() })
    }

    fn end_probe(&mut self, limit: u32) {
        self.probe = None;
        self.limit = self.rules.within(limit.into());
        self.results.clear();
        self.windows = 0;
    }

    pub(super) fn end(&mut self, call: Call, outcome: Outcome, latency: u64, now: u64) -> Ended {
        let was_busy = self.is_busy();
        self.in_flight -= 1;
        let slow = self.rules.slow_after.is_some_and(|slow| latency >= slow);
        let bad = match outcome {
            Outcome::Success => slow,
            Outcome::Slow | Outcome::Failure => true,
            _ => return Ended::Nothing,
        };
        if call.probe != self.probe.is_some() {
            return Ended::Nothing;
        }
        if let Some(probe) = &mut self.probe {
            probe.measured |= outcome.is_success();
        }
        self.results.push((bad, call.busy || was_busy));
        if self.results.len() < self.rules.samples as usize || now < self.over {
            return Ended::Nothing;
        }
        let bad = self.results.iter().any(|&(bad, _)| bad);
        let busy = self.results.iter().any(|&(_, busy)| busy);
        self.results.clear();
        if self.rules.window > 0 {
            self.over = self.over.max(now + self.rules.window);
        }
        Ended::Window(Whole { bad, busy, probe: self.probe.is_some() })
    }

    /// What is left of a limit after a bad window.
    fn less(&self, limit: u32) -> u64 {
        of(self.rules.backoff, limit.into())
    }

    fn follow(&mut self, to: u64, reason: Reason) -> Option<Adjustment> {
        let (from, to) = (self.limit, self.rules.within(to));
        self.limit = to;
        (from != to).then_some(Adjustment { from, to, reason })
    }

    pub(super) fn additive(&mut self, window: Whole) -> Option<Adjustment> {
        let Rule::Aimd { increase } = self.rules.rule else { return None };
        if window.bad {
            self.follow(self.less(self.limit), Reason::Bad)
        } else if window.busy {
            self.follow(u64::from(self.limit) + u64::from(increase), Reason::Room)
        } else {
            None
        }
    }

    /// Takes over what the limiter did, if it may do so.
    pub(super) fn gradient(
        &mut self,
        window: Whole,
        seen: Option<Adjustment>,
        before: &Snapshot,
        after: &Snapshot,
        result: Option<Duration>,
        now: u64,
    ) -> Option<Adjustment> {
        let Rule::Gradient { probe_every, .. } = self.rules.rule else { return None };
        if let Some(probe) = self.probe.filter(|_| window.probe) {
            let baseline = if probe.measured { after.latency } else { before.baseline };
            assert_eq!(after.baseline, baseline, "the baseline is the latency of the probe");
            let limit = self.limit;
            let saved = if window.bad { self.less(probe.saved) } else { probe.saved.into() };
            self.end_probe(self.rules.within(saved));
            self.soon = is_lower(before.baseline, after.baseline, probe.measured);
            let (from, to) = (limit, self.limit);
            return (from != to).then_some(Adjustment { from, to, reason: Reason::ProbeOver });
        }
        let lowest = self.limit == self.rules.min;
        if window.busy && !window.bad && !lowest && probe_every > 0 {
            self.windows += 1;
            let first = probe_every.min(SOON);
            let is_due = |soon| {
                if soon {
                    self.windows >= first
                } else {
                    // An eighth of them may be spread.
                    self.windows >= probe_every - probe_every / 8
                }
            };
            let probes = after.is_probing;
            let (may, must) = match self.soon {
                Some(true) => (is_due(true), is_due(true)),
                Some(false) => (is_due(false), self.windows >= probe_every),
                None => (is_due(true) || is_due(false), self.windows >= probe_every),
            };
            assert!(may || !probes, "a probe after {} windows of {probe_every}", self.windows);
            assert!(probes || !must, "no probe after {} windows of {probe_every}", self.windows);
            if probes {
                assert_eq!(after.baseline, before.baseline);
                self.probe = Some(Probe { saved: self.limit, measured: false });
                let over =
                    self.probe_time(before.latency, result).map(|time| u128::from(now) * 1_000_000 + time);
                self.probe_over = over;
                return self.follow(u64::from(self.limit) / 4, Reason::Probe);
            }
        }
        assert!(!after.is_probing);
        baseline_moves(before.baseline, after, !window.busy || lowest);
        let [least, most] = self.targets(after).map(|target| self.way_to(target, window));
        let to = seen.map_or(self.limit, |it| it.to);
        let bounds = [least, most].map(|limit| self.rules.within(limit));
        assert!((bounds[0]..=bounds[1]).contains(&to), "{to} is not in {bounds:?}, {after:?}");
        let reason = if window.bad {
            Reason::Bad
        } else if to < self.limit {
            Reason::Latency
        } else {
            Reason::Room
        };
        self.follow(to.into(), reason)
    }

    /// How long a probe lasts at least and at most, in nanoseconds, when the mean of the latency went on to `result`.
    fn probe_time(&self, before: Option<Duration>, result: Option<Duration>) -> [u128; 2] {
        let windows = |n| u128::from(n * self.rules.window) * 1_000_000;
        let [before, result] =
            [before, result.map(|it| it.min(LONGEST))].map(|it| it.map(|it| it.as_nanos()));
        let mean = match (before, result) {
            (Some(before), Some(result)) if result > before => before + (result - before) / 8,
            (Some(before), Some(result)) => before - (before - result) / 8,
            (before, result) => before.or(result).unwrap_or_default(),
        };
        let early = if NARROW { 1_000_000 } else { 0 };
        let slack = 4 * PART_NANOS;
        [(mean.saturating_sub(slack), early), (mean + slack, 0)].map(|(mean, early)| {
            let latencies = mean * PROBE_LATENCIES;
            latencies.max(windows(PROBE_WINDOWS)).min(windows(LONGEST_PROBE_WINDOWS)) - early.min(windows(1))
        })
    }

    /// Where the limit should go, at least and at most: the means are known to a part.
    fn targets(&self, seen: &Snapshot) -> [u64; 2] {
        let Rule::Gradient { tolerance, queue, .. } = self.rules.rule else { return [0; 2] };
        let limit = u64::from(self.limit);
        let queue = if queue == 0 { limit.isqrt() } else { queue.into() };
        let (Some(latency), Some(baseline)) = (seen.latency, seen.baseline) else {
            return [limit + queue; 2];
        };
        let share = |latency: u128, baseline: u128| {
            let best = baseline * u128::from(tolerance);
            let exact = u128::from(limit) * best / (latency.max(1) * 1000);
            u64::try_from(exact).unwrap_or(u64::MAX).min(limit).max(limit / 2)
        };
        let (latency, baseline) = (latency.as_nanos(), baseline.as_nanos());
        [share(latency + 1, baseline), share(latency, baseline + 1)]
            .map(|share| (share + queue).min(u32::MAX.into()))
    }

    /// How far the limit goes there in this window.
    fn way_to(&self, target: u64, window: Whole) -> u64 {
        let Rule::Gradient { smoothing, .. } = self.rules.rule else { return 0 };
        let limit = u64::from(self.limit);
        if window.bad {
            target.min(self.less(self.limit))
        } else if target < limit {
            limit - of(smoothing, limit - target)
        } else if window.busy {
            let (part, whole) = (u128::from(smoothing.numerator()), u128::from(smoothing.denominator()));
            let way = (u128::from(target - limit) * part).div_ceil(whole);
            limit + u64::try_from(way).unwrap_or(u64::MAX)
        } else {
            limit
        }
    }
}

/// This share of so many, rounded down.
fn of(share: Ratio, whole: u64) -> u64 {
    let exact = u128::from(whole) * u128::from(share.numerator()) / u128::from(share.denominator());
    u64::try_from(exact).unwrap_or(u64::MAX)
}

/// Whether the baseline became lower by a quarter or more; `None` if the nanoseconds do not tell.
fn is_lower(before: Option<Duration>, after: Option<Duration>, measured: bool) -> Option<bool> {
    let (Some(before), Some(after), true) = (before, after, measured) else { return Some(false) };
    let (left, right) = (after.as_nanos() * 4, before.as_nanos() * 3);
    if left.abs_diff(right) < 8 * PART_NANOS { None } else { Some(left < right) }
}

/// The baseline follows a lower latency by half, and a higher one by an eighth where it may.
fn baseline_moves(before: Option<Duration>, seen: &Snapshot, may_rise: bool) {
    let rises = seen.latency.zip(before).is_some_and(|(latency, before)| latency > before);
    if rises && !may_rise {
        assert_eq!(seen.baseline, before, "what calls take while they queue because of us is no baseline");
    } else {
        moves(before, seen.baseline, seen.latency, if rises { 8 } else { 2 });
    }
}

/// A mean goes one of `parts` of the way to a value, to the part by which it is counted.
pub(super) fn moves(before: Option<Duration>, after: Option<Duration>, to: Option<Duration>, parts: u128) {
    let Some(to) = to.map(|to| to.min(LONGEST).as_nanos()) else {
        assert_eq!(after, before);
        return;
    };
    let after = after.expect("a value was seen").as_nanos();
    let Some(before) = before.map(|before| before.as_nanos()) else {
        assert!(after.abs_diff(to) <= PART_NANOS, "{after} is not {to}");
        return;
    };
    let (way, moved) = (before.abs_diff(to), before.abs_diff(after));
    assert!((before.min(to)..=before.max(to) + PART_NANOS).contains(&after), "{before} to {to}: {after}");
    assert!(moved + 2 >= way / parts && moved <= way / parts + PART_NANOS + 2, "{before} to {to}: {after}");
}
