//! What must hold for any readings: a component is driven to the level that a list of readings says, and back with patience.

use std::time::Duration;

use seawall_core::auto_degradation::{self, AutoDegradation};
use seawall_core::change::Verdict;
use seawall_core::check::Status;
use seawall_core::composite::{Composite, Rule};
use seawall_core::degradation::{Component, Degradation, Level, LevelChange};
use seawall_core::driver::{Config, Driver, Signal};
use seawall_core::{Instant, Ratio};

use crate::input::Input;

const MILLI: u64 = 1_000_000;
/// The last component is set by hand, the one before by a measure, the others by drivers.
const COMPONENTS: usize = 4;
const MEASURED: usize = 2;
const BY_HAND: usize = 3;

/// Runs the script of `bytes` on drivers and on the lists of what they were shown.
///
/// # Panics
///
/// If a level is not the list's, or a change is not told.
pub fn check(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let held = [(); 3].map(|()| Held::read(&mut input));
    let worst = [(); 2].map(|()| input.pick(&Level::ALL));
    let threshold = input.long();
    let config = |n: usize, held: &Held| {
        Config::new(Component::new(u8::try_from(n).expect("there are few components")))
            .worst(worst[n])
            .worse_after(held.worse_after)
            .calm_for(Duration::from_millis(held.calm))
    };
    let [Ok(first), Ok(second)] = [0, 1].map(|n| Driver::try_new(config(n, &held[n]))) else {
        assert!((0..2).any(|n| worst[n] == Level::Normal || !held[n].is_valid()));
        return;
    };
    assert!((0..2).all(|n| worst[n] != Level::Normal && held[n].is_valid()));
    let setting = auto_degradation::Config::new(threshold)
        .recovery(Ratio::percent(50))
        .worse_after(held[MEASURED].worse_after)
        .calm_for(Duration::from_millis(held[MEASURED].calm));
    let Ok(measure) = AutoDegradation::try_new(setting) else {
        assert!(!held[MEASURED].is_valid());
        return;
    };
    let mut pair = Pair {
        drivers: [first, second],
        worst,
        measure,
        threshold,
        members: Composite::new(2, Rule::All),
        service: Degradation::new(),
        healthy: [false; 2],
        levels: [Level::Normal; COMPONENTS],
        held,
        // A step back leads to no time before the origin.
        now: 1_000,
    };
    while let Some(operation) = input.operation() {
        let before = pair.whole();
        let change = pair.apply(operation, &mut input);
        let after = pair.whole();
        assert_eq!(change, (before != after).then_some(LevelChange { from: before, to: after }));
        pair.compare();
    }
}

struct Pair {
    drivers: [Driver; 2],
    worst: [Level; 2],
    measure: AutoDegradation,
    threshold: u64,
    members: Composite,
    service: Degradation,
    healthy: [bool; 2],
    levels: [Level; COMPONENTS],
    held: [Held; 3],
    /// Milliseconds.
    now: u64,
}

impl Pair {
    fn at(&self) -> Instant {
        Instant::from_nanos(self.now * MILLI)
    }

    fn whole(&self) -> Level {
        self.levels.iter().copied().max().expect("there are components")
    }

    fn apply(&mut self, operation: u8, input: &mut Input<'_>) -> Option<LevelChange> {
        let n = usize::from(operation / 16 % 2);
        match operation % 16 {
            0..=2 => {
                let level = input.pick(&Level::ALL);
                self.show(n, &level, level)
            }
            3 => {
                let status = input.pick(&[Status::Unknown, Status::Healthy, Status::Unhealthy]);
                self.show(n, &status, self.unless(n, status != Status::Unhealthy))
            }
            4 => {
                let anomaly = Verdict::Anomalous { score_tenths: 40, above: true };
                let verdict = input.pick(&[Verdict::Learning, Verdict::Normal, anomaly]);
                self.show(n, &verdict, self.unless(n, verdict != anomaly))
            }
            5 | 6 => {
                let (member, reported) = (input.byte() % 2, input.flag());
                self.healthy[usize::from(member)] = reported;
                self.members.report(member, reported);
                let level = self.unless(n, self.healthy == [true; 2]);
                let change = self.drivers[n].observe(&self.members, &self.service, self.at());
                self.follow(n, level);
                change
            }
            7..=9 => {
                let value = near(self.threshold, input);
                self.measure(value)
            }
            10..=12 => {
                self.now += u64::from(input.byte());
                self.keep()
            }
            13 => {
                self.now = self.now.saturating_sub(u64::from(input.byte())).max(200);
                None
            }
            14 => self.set(BY_HAND, input.pick(&Level::ALL)),
            // What else sets a driver's component is overwritten at its next change.
            _ => self.set(n, input.pick(&Level::ALL)),
        }
    }

    fn unless(&self, n: usize, well: bool) -> Level {
        if well { Level::Normal } else { self.worst[n] }
    }

    /// A reading of a signal that calls for this level.
    fn show(&mut self, n: usize, signal: &impl Signal, level: Level) -> Option<LevelChange> {
        let change = self.drivers[n].observe(signal, &self.service, self.at());
        self.follow(n, level);
        change
    }

    fn follow(&mut self, n: usize, level: Level) {
        if self.held[n].observe(level, level, self.now).is_some() {
            self.levels[n] = self.held[n].level;
        }
    }

    fn measure(&mut self, value: u64) -> Option<LevelChange> {
        // Its lower bounds are half of the upper ones.
        let (reached, holds) = (level_of(value, self.threshold), level_of_twice(value, self.threshold));
        let expected = self.held[MEASURED].observe(reached, holds, self.now);
        assert_eq!(self.measure.observe(value, self.at()), expected, "{value} of {}", self.threshold);
        self.set(MEASURED, self.held[MEASURED].level)
    }

    fn set(&mut self, n: usize, level: Level) -> Option<LevelChange> {
        self.levels[n] = level;
        self.service.set_level(component(n), level)
    }

    /// Shows the level again that is held, so that no pause is as long as a wrap of the ticks.
    fn keep(&mut self) -> Option<LevelChange> {
        for n in 0..self.drivers.len() {
            if self.held[n].is_idle(self.now) {
                let level = self.held[n].level;
                assert_eq!(self.show(n, &level, level), None);
            }
        }
        if self.held[MEASURED].is_idle(self.now) {
            return self.measure(upper_bound(self.held[MEASURED].level, self.threshold));
        }
        None
    }

    fn compare(&self) {
        assert_eq!(self.service.level(), self.whole());
        for (n, &level) in self.levels.iter().enumerate() {
            assert_eq!(self.service.component_level(component(n)), level);
        }
        for (driver, held) in self.drivers.iter().zip(&self.held) {
            assert_eq!(driver.level(), held.level);
        }
        assert_eq!(self.measure.level(), self.held[MEASURED].level);
    }
}

fn component(n: usize) -> Component {
    Component::new(u8::try_from(n).expect("there are few components"))
}

/// The level of a value: above one, one and a half, and two thresholds.
fn level_of(value: u64, threshold: u64) -> Level {
    let (twice, threshold) = (2 * u128::from(value), u128::from(threshold));
    Level::ALL[[2, 3, 4].iter().filter(|&&halves| twice > halves * threshold).count()]
}

/// The level of twice the value.
fn level_of_twice(value: u64, threshold: u64) -> Level {
    let (four, threshold) = (4 * u128::from(value), u128::from(threshold));
    Level::ALL[[2, 3, 4].iter().filter(|&&halves| four > halves * threshold).count()]
}

/// A value near one of the bounds, or any.
fn near(threshold: u64, input: &mut Input<'_>) -> u64 {
    let near = input.byte();
    if near > 200 {
        return input.long();
    }
    let quarters = u128::from(threshold) * u128::from(near % 9) / 4 + u128::from(near % 3);
    u64::try_from(quarters).unwrap_or(u64::MAX).saturating_sub(1)
}

/// The highest value that does not make this level worse, as far as there is one.
fn upper_bound(level: Level, threshold: u64) -> u64 {
    let halves = [2, 3, 4, 5][level as usize];
    u64::try_from(u128::from(threshold) * halves / 2).unwrap_or(u64::MAX)
}

/// A level by a list of readings, with plain time.
struct Held {
    worse_after: u32,
    calm: u64,
    level: Level,
    /// How many readings in a row were worse than the level.
    worse: u32,
    /// When a reading last held the level.
    since: u64,
}

impl Held {
    fn read(input: &mut Input<'_>) -> Self {
        // A tick of the narrow layout divides a millisecond for times of this size.
        let (worse_after, calm) = (u32::from(input.byte()) % 17, u64::from(input.byte() % 60));
        Self { worse_after, calm, level: Level::Normal, worse: 0, since: 0 }
    }

    fn is_valid(&self) -> bool {
        (1..=15).contains(&self.worse_after)
    }

    /// Whether so long a pause comes near a wrap of the ticks: 256 times the time to be calm.
    fn is_idle(&self, now: u64) -> bool {
        self.level > Level::Normal && now > self.since + 100 * self.calm
    }

    /// A reading that reaches one level, and holds one that is no better.
    fn observe(&mut self, reached: Level, holds: Level, now: u64) -> Option<LevelChange> {
        let from = self.level;
        self.worse = if reached > from { self.worse + 1 } else { 0 };
        if reached > from && self.worse >= self.worse_after {
            (self.level, self.since, self.worse) = (reached, now, 0);
        } else if from > Level::Normal {
            let stepped_back = self.since.saturating_sub(now) > self.calm;
            if holds >= from {
                self.since = if stepped_back { now } else { self.since.max(now) };
            } else if self.calm == 0 || stepped_back || now >= self.since + self.calm {
                let better = Level::ALL.iter().rposition(|&level| level < from).expect("it is not the best");
                (self.level, self.since, self.worse) = (Level::ALL[better], now, 0);
            }
        }
        (from != self.level).then_some(LevelChange { from, to: self.level })
    }
}
