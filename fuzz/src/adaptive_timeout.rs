//! What must hold for any attempts: a timeout follows each by exact steps, and a percentile by steps to where a list says.
//!
//! A histogram tells a percentile to one part in 2³, so there the timeout lies between the steps to both of its ends.

use std::time::Duration;

use seawall_core::adaptive_timeout::{AdaptiveTimeout, Adjustment, Config, Growth, PercentileTimeout};
use seawall_core::histogram::{Histogram, buckets_for};
use seawall_core::{Deadline, Instant, Outcome};

use crate::input::Input;

const PRECISION: u32 = 3;
const BUCKETS: usize = buckets_for(PRECISION, 1_000_000);
const HIGHEST: u64 = Histogram::<PRECISION, BUCKETS>::MAX_VALUE;

/// Whole microseconds up to this.
const MOST: u64 = (1 << 31) - 1;
/// Samples until the timeout is adjusted, and half of those after which one is forgotten at the latest.
const BATCH: usize = 10;
const HALF: usize = 50;

const OUTCOMES: [Outcome; 8] = [
    Outcome::Success,
    Outcome::Success,
    Outcome::Success,
    Outcome::Slow,
    Outcome::Failure,
    Outcome::Failure,
    Outcome::Ignored,
    Outcome::Cancelled,
];

/// Runs the script of `bytes` on both timeouts and on their models.
///
/// # Panics
///
/// If a timeout leaves its bounds or its rule.
pub fn check(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let any = |input: &mut Input<'_>| {
        Duration::from_nanos(if input.flag() { input.long() } else { input.word().into() })
    };
    let (initial, min, max) = (any(&mut input), any(&mut input), any(&mut input));
    let growth = input.pick(&[Growth::Timeouts, Growth::Failures]);
    let config = Config::new(initial).at_least(min).at_most(max).grow_on(growth);
    let [start, min, max] = [initial, min, max].map(micros);
    let Ok(follows) = AdaptiveTimeout::try_new(config) else {
        assert!(min == 0 || max > MOST || min > start || start > max);
        assert!(PercentileTimeout::<PRECISION, BUCKETS>::try_new(config).is_err());
        return;
    };
    assert!(0 < min && min <= start && start <= max && max <= MOST);
    let learns = PercentileTimeout::<PRECISION, BUCKETS>::new(config);
    let model = Model { current: start, min, max, fixed: false };
    let mut pair = Pair { follows, learns, growth, each: model, late: model, samples: Vec::new() };
    while let Some(operation) = input.operation() {
        match operation % 8 {
            0..=4 => {
                let elapsed = pair.elapsed(&mut input);
                let outcome = input.pick(&OUTCOMES);
                pair.record(outcome, elapsed);
            }
            5 => {
                let (elapsed, outcome) = (pair.elapsed(&mut input), input.pick(&OUTCOMES));
                (0..input.byte() % 64).for_each(|_| pair.record(outcome, elapsed));
            }
            6 => {
                let timeout = any(&mut input);
                let is_valid = (1..=MOST).contains(&micros(timeout));
                assert_eq!(pair.follows.set(timeout).is_ok(), is_valid);
                assert_eq!(pair.learns.set(timeout).is_ok(), is_valid);
                if is_valid {
                    (pair.each.current, pair.each.fixed) = (micros(timeout), true);
                    (pair.late.current, pair.late.fixed) = (micros(timeout), true);
                }
            }
            _ => {
                pair.follows.resume();
                pair.learns.resume();
                pair.each.resume();
                pair.late.resume();
            }
        }
        pair.compare(&mut input);
    }
}

/// In whole microseconds, as many as 32 bits hold.
fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX).min(u32::MAX.into())
}

/// A timeout in microseconds.
#[derive(Clone, Copy)]
struct Model {
    current: u64,
    min: u64,
    max: u64,
    /// Set by hand.
    fixed: bool,
}

impl Model {
    fn within(&self, micros: u64) -> u64 {
        micros.max(self.min).min(self.max)
    }

    /// Whether an attempt that failed ran into the timeout: fifteen sixteenths are enough.
    fn timed_out(&self, elapsed: u64) -> bool {
        16 * elapsed >= 15 * self.current
    }

    fn follow(&mut self, to: u64) -> Option<Adjustment> {
        let from = self.current;
        if self.fixed {
            return None;
        }
        self.current = self.within(to);
        let [from, to] = [from, self.current].map(Duration::from_micros);
        (from != to).then_some(Adjustment { from, to })
    }

    fn resume(&mut self) {
        if self.fixed {
            (self.current, self.fixed) = (self.within(self.current), false);
        }
    }

    /// Half of the way up, or a tenth of the way down, and it arrives.
    fn way_to(&self, desired: u64) -> u64 {
        if desired > self.current {
            self.current + (desired - self.current).div_ceil(2)
        } else {
            self.current - (self.current - desired).div_ceil(10)
        }
    }
}

struct Pair {
    follows: AdaptiveTimeout,
    learns: PercentileTimeout<PRECISION, BUCKETS>,
    growth: Growth,
    each: Model,
    late: Model,
    samples: Vec<u64>,
}

impl Pair {
    /// Near the timeout, or any.
    fn elapsed(&self, input: &mut Input<'_>) -> Duration {
        let nanos = match input.byte() {
            near @ 0..=127 => {
                let sixteenths = self.each.current * u64::from(near % 32) / 16;
                (sixteenths * 1000 + u64::from(input.byte()) * 16).saturating_sub(2000)
            }
            _ => input.long(),
        };
        Duration::from_nanos(nanos)
    }

    fn record(&mut self, outcome: Outcome, elapsed: Duration) {
        let adjustment = self.follows.record(outcome, elapsed);
        let took = micros(elapsed);
        let current = self.each.current;
        let expected = match outcome {
            Outcome::Success | Outcome::Slow => self.each.follow((current * 95 / 100).max(2 * took)),
            Outcome::Failure if self.each.timed_out(took) || self.growth == Growth::Failures => {
                self.each.follow((current * 11).div_ceil(10))
            }
            // Outside the bounds only what was set by hand is, and that stays.
            Outcome::Failure => self.each.follow(current),
            _ => None,
        };
        assert_eq!(adjustment, expected, "{outcome:?} after {elapsed:?}");
        self.learn(outcome, elapsed);
    }

    fn learn(&mut self, outcome: Outcome, elapsed: Duration) {
        let adjustment = self.learns.record(outcome, elapsed);
        let took = micros(elapsed);
        let counts = match outcome {
            Outcome::Success | Outcome::Slow => true,
            Outcome::Failure => self.late.timed_out(took),
            _ => false,
        };
        if counts {
            self.samples.push(took);
        }
        let seen = self.samples.len();
        assert_eq!(self.learns.samples() as usize, seen);
        if !counts || !seen.is_multiple_of(BATCH) {
            assert_eq!(adjustment, None);
            return;
        }
        // Samples are numbered from one, and forgotten by halves.
        let first = (seen / HALF).saturating_sub(1) * HALF;
        let mut recent = self.samples[first.saturating_sub(1)..].to_vec();
        assert!(recent.len() <= 2 * HALF);
        recent.sort_unstable();
        let slow = recent[(recent.len() * 95).div_ceil(100) - 1];
        let ends =
            if slow > HIGHEST { [HIGHEST; 2] } else { [slow, (slow + (slow >> PRECISION)).min(HIGHEST)] };
        let [least, most] = ends.map(|slow| self.late.within(self.late.way_to(2 * slow)));
        let to = adjustment.map_or(self.late.current, |it| micros(it.to));
        let bounds = if self.late.fixed { self.late.current..=self.late.current } else { least..=most };
        assert!(bounds.contains(&to), "{to} is not in {bounds:?}");
        assert_eq!(self.late.follow(to), adjustment);
    }

    fn compare(&self, input: &mut Input<'_>) {
        let now = Instant::from_nanos(u64::from(input.byte()) << 56);
        let call = Deadline::at(Instant::from_nanos(u64::MAX - 1));
        for (seen, is_set, limit, model) in [
            (self.follows.current(now), self.follows.is_set(), self.follows.limit(call, now), &self.each),
            (self.learns.current(now), self.learns.is_set(), self.learns.limit(call, now), &self.late),
        ] {
            assert_eq!((micros(seen), is_set), (model.current, model.fixed));
            assert!(is_set || (model.min..=model.max).contains(&model.current));
            let end = u128::from(now.as_nanos()) + seen.as_nanos();
            assert_eq!(u128::from(limit.moment().as_nanos()), end.min(u128::from(u64::MAX - 1)));
        }
    }
}
