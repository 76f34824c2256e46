//! What must hold for any values: the mean stays among them, and what is told as unlike the others is.

use seawall_core::change::{ChangeDetector, Config, MAX_VALUE, Verdict};

use crate::input::Input;

/// Runs the script of `bytes` on a change detector.
///
/// # Panics
///
/// If a verdict contradicts the documented rule.
pub fn check(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let (shift, warm_up) = (u32::from(input.byte() % 8), u32::from(input.byte() % 65));
    let (tolerance, least) = (input.any_word() % 1002, input.any_word());
    let config = Config::new().weight_shift(shift).warm_up(warm_up).tolerance(tolerance).least_spread(least);
    let is_valid = (1..=6).contains(&shift)
        && (1..=63).contains(&warm_up)
        && (1..=1000).contains(&tolerance)
        && (1..=MAX_VALUE).contains(&least);
    let detector = ChangeDetector::try_new(config);
    assert_eq!(detector.is_ok(), is_valid);
    let Ok(detector) = detector else { return };
    let mut values: Vec<u32> = Vec::new();
    while let Some(operation) = input.operation() {
        if operation == 255 {
            detector.reset();
            values.clear();
            continue;
        }
        let value = match operation % 4 {
            0 => input.any_word(),
            1 => u32::from(input.byte()),
            2 => detector.mean().saturating_add(u32::from(input.byte() % 8)),
            _ => detector
                .mean()
                .saturating_add(tolerance * detector.deviation().max(least).min(MAX_VALUE / tolerance)),
        };
        let (mean, deviation) = (detector.mean(), detector.deviation());
        let verdict = detector.observe(value);
        let value = value.min(MAX_VALUE);
        is_right(verdict, value, mean, deviation, tolerance, least, values.len() < warm_up as usize);
        values.push(value);
        let (lowest, highest) = (values.iter().min(), values.iter().max());
        let (lowest, highest) = (lowest.copied().unwrap_or(0), highest.copied().unwrap_or(0));
        assert!((lowest..=highest).contains(&detector.mean()), "a mean lies among the values");
        assert!(detector.deviation() <= highest - lowest + 1, "no value is further from the mean");
        if lowest == highest {
            assert_eq!((detector.mean(), detector.deviation()), (lowest, 0), "equal values have no spread");
        }
    }
}

/// The figures that are shown are rounded to units, so they leave a little room.
fn is_right(
    verdict: Verdict,
    value: u32,
    mean: u32,
    deviation: u32,
    tolerance: u32,
    least: u32,
    learns: bool,
) {
    // In half units.
    let distance = (2 * i64::from(value) - 2 * i64::from(mean)).abs();
    let tolerance = i64::from(tolerance);
    let least_spread = 2 * i64::from(least);
    let (low, high) = (2 * i64::from(deviation) - 1, 2 * i64::from(deviation) + 1);
    let (low, high) = (low.max(least_spread), high.max(least_spread));
    match verdict {
        _ if learns => assert_eq!(verdict, Verdict::Learning),
        Verdict::Learning => panic!("it has seen enough"),
        Verdict::Normal => assert!(distance - 1 <= tolerance * high, "{value} is far from {mean}"),
        Verdict::Anomalous { score_tenths, above } => {
            assert!(distance + 1 > tolerance * low, "{value} is near {mean}");
            assert!(i64::from(score_tenths) >= 10 * tolerance, "a score above the tolerance");
            assert!(i64::from(score_tenths) * low <= 10 * (distance + 1));
            assert_eq!(above, value > mean || value == mean && above);
        }
    }
}
