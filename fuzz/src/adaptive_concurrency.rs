//! What must hold for any calls and latencies: a limit follows its windows, and no place is lost.
//!
//! The additive rule is exact arithmetic on plain counts. The gradient compares two moving means, which the model takes from the
//! snapshot and checks by themselves: each moves by its share of the way, and the baseline rises only where it may. Between
//! them the model does not know the last nanosecond, so the limit has to lie between the two results that the nanoseconds
//! around them give. When a probe begins is known up to the eighth by which seeds spread it.

use std::time::Duration;

use seawall_core::adaptive_concurrency::{Adjustment, Config, Permit, Reason, Snapshot};
use seawall_core::{AdaptiveConcurrency, Instant, Outcome, Ratio};

use crate::input::Input;

#[path = "adaptive_concurrency/oracle.rs"]
mod oracle;

use oracle::{Call, Ended, Model, Rule, Rules};

/// A tick of the narrow layout divides a millisecond for windows of this size, so no window ends early.
const MILLI: u64 = 1_000_000;

/// Runs the script of `bytes` on a limit and on its model.
///
/// # Panics
///
/// If the limit leaves its bounds or its rule, or a place is lost.
pub fn check(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let (config, rules) = configure(&mut input);
    let Ok(limiter) = AdaptiveConcurrency::try_new(config) else {
        assert!(!rules.are_valid(), "{rules:?}");
        return;
    };
    assert!(rules.are_valid(), "{rules:?}");
    // So late that a step back leads to no time before the origin.
    let start = u64::from(input.byte()) + 8 * rules.window;
    let mut pair = Pair {
        limiter: &limiter,
        model: Model::new(rules),
        start,
        now: start,
        newest: start,
        running: Vec::new(),
    };
    while let Some(operation) = input.operation() {
        // Far from where ticks of the narrow layout wrap.
        if rules.window > 0 && pair.newest > start + 1500 * rules.window {
            break;
        }
        pair.apply(operation, &mut input);
        pair.compare();
    }
    pair.running.clear();
    assert_eq!(limiter.snapshot().in_flight, 0, "every place comes back");
}

fn configure(input: &mut Input<'_>) -> (Config, Rules) {
    let kind = input.byte();
    let limit = |input: &mut Input<'_>| {
        if kind & 2 == 0 { u32::from(input.byte()) % 64 } else { u32::from(input.half()) % 4200 }
    };
    let (initial, min, max) = (limit(input), limit(input), limit(input));
    let samples = u32::from(input.byte()) % 33;
    let window = u64::from(input.byte()) % 41;
    let slow_after = if kind & 4 == 0 { None } else { Some(u64::from(input.byte())) };
    let backoff = share(input);
    let rule = if kind & 1 == 0 {
        Rule::Aimd { increase: input.any_word() }
    } else {
        let queue = if kind & 8 == 0 { 0 } else { input.any_word() };
        Rule::Gradient {
            tolerance: 990 + u32::from(input.half()) % 2020,
            queue,
            smoothing: share(input),
            probe_every: if kind & 16 == 0 { 0 } else { u32::from(input.byte()) % 48 },
        }
    };
    let base = match rule {
        Rule::Aimd { increase } => Config::aimd(initial).increase(increase),
        Rule::Gradient { tolerance, queue, smoothing, probe_every } => Config::gradient(initial)
            .tolerance(tolerance)
            .queue(queue)
            .smoothing(smoothing)
            .probe_every(probe_every)
            .seed(u32::from(kind)),
    };
    let mut config =
        base.between(min, max).samples(samples).window(Duration::from_millis(window)).backoff(backoff);
    if let Some(millis) = slow_after {
        config = config.slow_after(Duration::from_millis(millis));
    }
    (config, Rules { rule, initial, min, max, samples, window, slow_after, backoff })
}

/// Tenths, or any share.
fn share(input: &mut Input<'_>) -> Ratio {
    let tenths = u32::from(input.byte());
    if tenths < 128 {
        return Ratio::percent(tenths % 11 * 10);
    }
    let whole = input.any_word().max(1);
    Ratio::try_new(input.any_word().min(whole), whole).expect("a part is not above the whole")
}

struct Pair<'a> {
    limiter: &'a AdaptiveConcurrency,
    model: Model,
    start: u64,
    /// Milliseconds.
    now: u64,
    newest: u64,
    running: Vec<(Permit<'a>, Call)>,
}

impl Pair<'_> {
    fn at(&self) -> Instant {
        Instant::from_nanos(self.now * MILLI)
    }

    fn apply(&mut self, operation: u8, input: &mut Input<'_>) {
        match operation % 16 {
            0..=2 => self.acquire(),
            3 => (0..input.byte()).for_each(|_| self.acquire()),
            4..=7 => {
                let outcome = [Outcome::Success, Outcome::Success, Outcome::Slow, Outcome::Failure]
                    [usize::from(operation % 4)];
                let Some(at) = input.index(self.running.len()) else { return };
                self.end(at, outcome);
            }
            8 => {
                // Many that come back well.
                for _ in 0..input.byte() {
                    if !self.running.is_empty() {
                        self.end(0, Outcome::Success);
                    }
                }
            }
            9 => {
                let Some(at) = input.index(self.running.len()) else { return };
                let (permit, _) = self.running.swap_remove(at);
                drop(permit);
                self.model.in_flight -= 1;
            }
            10 => {
                let Some(at) = input.index(self.running.len()) else { return };
                self.end(at, Outcome::Ignored);
            }
            // Busy calls of one latency, each after the other.
            11 => {
                let (calls, latency) = (input.byte(), u64::from(input.byte()));
                for _ in 0..calls {
                    self.acquire();
                    self.pass(latency);
                    if !self.running.is_empty() {
                        self.end(0, Outcome::Success);
                    }
                    if self.newest > self.start + 1500 * self.model.rules.window.max(1) {
                        return;
                    }
                }
            }
            12 | 13 => self.pass(u64::from(input.byte())),
            14 => self.pass(self.model.rules.window * u64::from(input.byte() % 16)),
            _ => {
                // Further back a window is over at once.
                let furthest = self.newest.saturating_sub(self.model.rules.window).max(1);
                self.now = self.now.saturating_sub(input.byte().into()).max(furthest);
            }
        }
    }

    fn pass(&mut self, millis: u64) {
        self.now += millis;
        self.newest = self.newest.max(self.now);
    }

    fn acquire(&mut self) {
        let before = self.limiter.snapshot();
        let admitted = self.limiter.try_acquire(self.at());
        let call = self.model.acquire(self.now, &before, &self.limiter.snapshot());
        match (admitted, call) {
            (Ok(permit), Some(call)) => {
                assert_eq!(permit.is_probe(), call.probe);
                self.running.push((permit, call));
            }
            (Err(rejected), None) => {
                let seen = (rejected.in_flight, rejected.limit, rejected.is_probing);
                assert_eq!(seen, (self.model.in_flight, self.model.limit, self.model.probe.is_some()));
            }
            (admitted, call) => panic!("{admitted:?} where the model says {call:?}"),
        }
    }

    fn end(&mut self, at: usize, outcome: Outcome) {
        let (permit, call) = self.running.swap_remove(at);
        let before = self.limiter.snapshot();
        // A ticket settles as its permit does.
        let adjustment = if self.now.is_multiple_of(2) {
            permit.record(outcome, self.at())
        } else {
            self.limiter.settle(permit.into_ticket(), outcome, self.at())
        };
        let after = self.limiter.snapshot();
        let latency = self.now.saturating_sub(call.started);
        let ended = self.model.end(call, outcome, latency, self.now);
        let gradient = matches!(self.model.rules.rule, Rule::Gradient { .. });
        let worked = outcome.is_success() && call.probe == before.is_probing;
        let result = worked.then(|| Duration::from_millis(latency));
        if gradient {
            mean_moves(&before, &after, result, adjustment);
        }
        let Ended::Window(window) = ended else {
            assert_eq!(adjustment, None, "no window is complete");
            assert_eq!(after.baseline, before.baseline);
            return;
        };
        let expected = if gradient {
            self.model.gradient(window, adjustment, &before, &after, result, self.now)
        } else {
            self.model.additive(window)
        };
        assert_eq!(adjustment, expected, "{window:?}");
    }

    fn compare(&self) {
        let seen = self.limiter.snapshot();
        let model = &self.model;
        assert_eq!((seen.in_flight, seen.limit), (model.in_flight, model.limit));
        assert_eq!(seen.in_flight as usize, self.running.len());
        assert_eq!(seen.is_probing, model.probe.is_some());
        assert!((model.rules.min..=model.rules.max).contains(&seen.limit));
        let gradient = matches!(model.rules.rule, Rule::Gradient { .. });
        assert!(gradient || (seen.latency, seen.baseline) == (None, None));
    }
}

/// The mean goes an eighth of the way to a result, and is forgotten where a probe begins.
fn mean_moves(before: &Snapshot, after: &Snapshot, result: Option<Duration>, adjustment: Option<Adjustment>) {
    if adjustment.is_some_and(|it| it.reason == Reason::Probe) {
        assert_eq!(after.latency, None);
    } else if let Some(result) = result {
        oracle::moves(before.latency, after.latency, Some(result), 8);
    } else {
        assert_eq!(after.latency, before.latency);
    }
}
