//! What must hold for any levels and measures: the whole is as bad as its worst part, and gets better with patience.

use std::time::Duration;

use seawall_core::auto_degradation::{AutoDegradation, Config};
use seawall_core::degradation::{Component, Degradation, Level, LevelChange, MAX_COMPONENTS};
use seawall_core::{Instant, Ratio};

use crate::input::Input;

const MILLI: u64 = 1_000_000;

/// Runs the script of `bytes` on the levels of components, one of which is set by a measure.
///
/// # Panics
///
/// If a level is wrong, or a change is not told.
pub fn check(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let threshold = input.long();
    let whole = input.pick(&[1, 100, u32::MAX]);
    let recovery = Ratio::try_new(input.any_word().min(whole), whole).expect("a part is not above the whole");
    // Whole milliseconds: a tick of the narrow layout divides them for a time of this size.
    let calm = u64::from(input.byte() % 60);
    let config = Config::new(threshold).recovery(recovery).calm_for(Duration::from_millis(calm));
    let Ok(auto) = AutoDegradation::try_new(config) else {
        assert_eq!(recovery.numerator(), 0);
        return;
    };
    let service = Degradation::new();
    let mut levels = [Level::Normal; MAX_COMPONENTS as usize];
    let mut measured = Measured { threshold, recovery, calm, level: 0, held: 0 };
    // A step back leads to no time before the origin.
    let mut now = 1_000;
    while let Some(operation) = input.operation() {
        let before = worst(&levels);
        let change = match operation % 16 {
            0..=4 => {
                let (n, level) = (input.byte() % 20, input.pick(&Level::ALL));
                let Ok(component) = Component::try_new(n) else {
                    assert!(n >= MAX_COMPONENTS);
                    continue;
                };
                levels[usize::from(n)] = level;
                service.set_level(component, level)
            }
            5 if operation > 128 => {
                levels.fill(Level::Normal);
                service.recover_all()
            }
            6..=10 => {
                // Near one of the bounds, or anything.
                let value = match input.byte() {
                    near @ 0..=200 => {
                        let at = u128::from(threshold) * u128::from(near % 5) / 2;
                        u64::try_from(at)
                            .unwrap_or(u64::MAX)
                            .saturating_add(u64::from(near % 3))
                            .saturating_sub(1)
                    }
                    _ => input.long(),
                };
                let from = Level::ALL[measured.level];
                measured.observe(value, now);
                let to = Level::ALL[measured.level];
                let change = auto.observe(value, Instant::from_nanos(now * MILLI));
                assert_eq!(change, (from != to).then_some(LevelChange { from, to }), "{value} at {now} ms");
                assert_eq!(auto.level(), to);
                levels[0] = to;
                service.set_level(Component::new(0), to)
            }
            11 | 12 => {
                // Ticks wrap after 256 times the time to be calm at least.
                now += u64::from(input.byte());
                if measured.level > 0 && now > measured.held + 100 * calm {
                    let level = Level::ALL[measured.level];
                    // One that holds the level, so that no pause is as long as a wrap.
                    let holds = hold(threshold, level);
                    auto.observe(holds, Instant::from_nanos(now * MILLI));
                    measured.observe(holds, now);
                    assert_eq!(auto.level(), Level::ALL[measured.level]);
                    levels[0] = auto.level();
                }
                service.set_level(Component::new(0), levels[0])
            }
            13 => {
                now = now.saturating_sub(u64::from(input.byte())).max(200);
                None
            }
            14 => {
                share(&mut input);
                None
            }
            _ => service.set_level(Component::new(1), levels[1]),
        };
        let after = worst(&levels);
        assert_eq!(change, (before != after).then_some(LevelChange { from: before, to: after }));
        assert_eq!(service.level(), after);
        for (n, &level) in (0..).zip(&levels) {
            assert_eq!(service.component_level(Component::new(n)), level);
        }
    }
}

fn worst(levels: &[Level]) -> Level {
    levels.iter().copied().max().expect("there are components")
}

/// A value that holds this level or a worse one if there is any.
fn hold(threshold: u64, level: Level) -> u64 {
    match level {
        Level::Normal => 0,
        _ => threshold.saturating_mul(3),
    }
}

/// How many of the bounds 1, 1.5 and 2 times the threshold are below `value` times `whole / part`.
fn passed(value: u64, threshold: u64, share: Ratio) -> usize {
    // In parts of 2³² and more, so the products are split to fit.
    let side = |number: u64, by: u32, times: u128| {
        let product = u128::from(number) * u128::from(by);
        product.checked_mul(times).expect("two numbers of 64 and 32 bits, times four")
    };
    let scaled = side(value, share.denominator(), 2);
    [2, 3, 4].iter().filter(|&&times| scaled > side(threshold, share.numerator(), times)).count()
}

/// The level by a measure, with plain time.
struct Measured {
    threshold: u64,
    recovery: Ratio,
    calm: u64,
    level: usize,
    /// When a value last held the level.
    held: u64,
}

impl Measured {
    fn observe(&mut self, value: u64, now: u64) {
        let reached = passed(value, self.threshold, Ratio::ONE);
        let holds = passed(value, self.threshold, self.recovery) >= self.level;
        let stepped_back = self.held.saturating_sub(now) > self.calm;
        if reached > self.level {
            (self.level, self.held) = (reached, now);
        } else if self.level > 0 && holds {
            self.held = if stepped_back { now } else { self.held.max(now) };
        } else if self.level > 0 {
            let is_calm = now.checked_sub(self.held).is_some_and(|it| it >= self.calm);
            if is_calm || stepped_back || self.calm == 0 {
                (self.level, self.held) = (self.level - 1, now);
            }
        }
    }
}

/// The rule for shares is the rule for values of one whole.
fn share(input: &mut Input<'_>) {
    let (part, whole) = (input.any_word(), input.any_word());
    let base = input.any_word().max(1);
    let share = Ratio::try_new(input.any_word().min(base), base).expect("a part is not above the whole");
    let seen = Level::for_rate(part, whole, share);
    let left = 2 * u128::from(part) * u128::from(share.denominator());
    let right = u128::from(whole) * u128::from(share.numerator());
    let passed = [2, 3, 4].iter().filter(|&&times| left > right * times).count();
    assert_eq!(seen, Level::ALL[if whole == 0 { 0 } else { passed }]);
}
