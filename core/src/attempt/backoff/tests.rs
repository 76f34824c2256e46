use core::time::Duration;

use super::{Backoff, Jitter, ONES, between};

const SECOND: Duration = Duration::from_secs(1);

fn delays<const N: usize>(backoff: Backoff) -> [u64; N] {
    core::array::from_fn(|retry| backoff.delay(retry as u32, Duration::ZERO, 0).as_secs())
}

/// The draw that stands for the real number `share` between 0 and 1.
fn draw(hundredths: u64) -> u32 {
    (u64::from(u32::MAX) * hundredths / 100) as u32
}

#[test]
fn t43_schedules_of_polly() {
    assert_eq!(delays(Backoff::constant(SECOND)), [1, 1, 1]);
    assert_eq!(delays(Backoff::linear(SECOND, SECOND)), [1, 2, 3]);
    assert_eq!(delays(Backoff::exponential(SECOND)), [1, 2, 4]);
    assert_eq!(delays(Backoff::fibonacci(SECOND)), [1, 1, 2, 3, 5, 8]);
    assert_eq!(delays(Backoff::constant(10 * SECOND).at_most(SECOND)), [1, 1]);
}

#[test]
fn t43_jitter_of_polly_is_a_quarter_either_way() {
    let near = |delay: Duration, millis: u64| delay.as_millis().abs_diff(u128::from(millis)) <= 1;
    let constant = Backoff::constant(SECOND).jitter(Jitter::PERCENT_25);
    for (hundredths, millis) in [(0, 750), (40, 950), (60, 1050), (100, 1250)] {
        assert!(near(constant.delay(0, Duration::ZERO, draw(hundredths)), millis));
    }
    let linear = Backoff::linear(SECOND, SECOND).jitter(Jitter::PERCENT_25);
    for (hundredths, millis) in [(0, 2250), (40, 2850), (50, 3000), (60, 3150), (100, 3750)] {
        assert!(near(linear.delay(2, Duration::ZERO, draw(hundredths)), millis));
    }
}

#[test]
fn t43_other_peers() {
    let failsafe_go = Backoff::exponential(2 * SECOND).at_most(30 * SECOND);
    assert_eq!(delays(failsafe_go), [2, 4, 8, 16, 30, 30]);
    let failsafe_rs = Backoff::exponential(10 * SECOND).at_most(100 * SECOND);
    assert_eq!(delays(failsafe_rs), [10, 20, 40, 80, 100, 100]);
    let recloser = Backoff::exponential(SECOND).at_most(5 * SECOND);
    assert_eq!([0, 1, 2, 4, 10].map(|n| recloser.delay(n, Duration::ZERO, 0).as_secs()), [1, 2, 4, 5, 5]);
    let resilience4j = Backoff::exponential(Duration::from_millis(100)).at_most(Duration::from_secs(100));
    assert!(
        (0..10)
            .all(|n| resilience4j.delay(n, Duration::ZERO, 0) < resilience4j.delay(n + 1, Duration::ZERO, 0))
    );
    assert_eq!(resilience4j.delay(12, Duration::ZERO, 0), Duration::from_secs(100));
}

#[test]
fn p12_a_start_below_a_second_is_legal() {
    let backoff = Backoff::exponential(Duration::from_millis(100)).at_most(SECOND);
    assert_eq!([0, 1, 2, 3].map(|n| backoff.delay(n, Duration::ZERO, 0).as_millis()), [100, 200, 400, 800]);
}

#[test]
fn b58_no_attempt_number_overflows() {
    let attempts = [0, 1, 2, 31, 32, 63, 64, 65, 1000, 1023, 1024, 1025, u32::MAX];
    for base in [Duration::ZERO, Duration::from_nanos(1), SECOND, Duration::from_secs(86_400), Duration::MAX]
    {
        for cap in [Duration::MAX, base, 30 * SECOND] {
            for backoff in [
                Backoff::constant(base),
                Backoff::linear(base, base),
                Backoff::exponential(base),
                Backoff::exponential(base).factor(1100),
                Backoff::exponential(base).factor(100_000),
                Backoff::fibonacci(base),
            ] {
                let backoff = backoff.at_most(cap);
                let mut before = Duration::ZERO;
                for retry in attempts {
                    let delay = backoff.delay(retry, before, 0);
                    assert!(
                        delay >= before && delay <= cap,
                        "{backoff:?} retry {retry}: {delay:?} after {before:?}"
                    );
                    assert_eq!(delay.is_zero(), base.is_zero() || cap.is_zero());
                    before = delay;
                }
            }
        }
    }
}

#[test]
fn b59_jitter_stays_within_its_bounds_for_every_draw() {
    let base = Duration::from_nanos(1_000_003);
    for draw in [0, 1, u32::MAX / 2, u32::MAX - 1, u32::MAX] {
        let with = |jitter| Backoff::constant(base).jitter(jitter).delay(0, Duration::ZERO, draw);
        assert_eq!(with(Jitter::None), base);
        assert!((Duration::from_nanos(1)..=base).contains(&with(Jitter::Full)));
        assert!((base / 2..=base).contains(&with(Jitter::Equal)));
        assert!((base * 9 / 10..=base * 11 / 10).contains(&with(Jitter::PERCENT_10)));
        assert!(!with(Jitter::PlusMinus(100)).is_zero());
        let capped = Backoff::constant(base).at_most(base).jitter(Jitter::PERCENT_25);
        assert!(capped.delay(0, Duration::ZERO, draw) <= base, "the cap applies after the jitter");
        let decorrelated = Backoff::decorrelated(base).at_most(10 * base);
        assert!((base..=6 * base).contains(&decorrelated.delay(1, 2 * base, draw)));
    }
}

#[test]
fn b59_full_jitter_reaches_both_ends() {
    let backoff = Backoff::constant(SECOND).jitter(Jitter::Full);
    assert_eq!(backoff.delay(0, Duration::ZERO, 0), Duration::from_nanos(1));
    assert_eq!(backoff.delay(0, Duration::ZERO, u32::MAX), SECOND);
}

#[test]
fn a_value_outside_its_bound_is_named() {
    let error = Backoff::exponential(SECOND).factor(1000).validate().unwrap_err();
    assert_eq!((error.field, error.bound), ("backoff.factor", "between 1.1 and 100"));
    let error = Backoff::constant(SECOND).jitter(Jitter::PlusMinus(101)).validate().unwrap_err();
    assert_eq!(error.field, "backoff.jitter");
}

#[test]
fn plus_minus_takes_the_exact_share_of_delays_that_no_hundred_divides() {
    let spread = |nanos, percent| {
        let backoff = Backoff::constant(Duration::from_nanos(nanos)).jitter(Jitter::PlusMinus(percent));
        [0, u32::MAX].map(|draw| backoff.delay(0, Duration::ZERO, draw).as_nanos())
    };
    assert_eq!(spread(199, 50), [100, 298]);
    assert_eq!(spread(250, 10), [225, 275]);
    assert_eq!(spread(7, 30), [5, 9], "two of seven, rounded down");
    assert_eq!(spread(1_000, 100), [1, 2_000], "never zero");
    assert_eq!(spread(1_000, 200), spread(1_000, 100), "no more than the whole");
    assert_eq!(spread(0, 10), [0, 0]);
    assert_eq!(spread(0, 100), [0, 0]);
}

#[test]
fn growth_rounds_each_step_down_and_never_stands_still() {
    let delays = |nanos, factor| {
        let backoff = Backoff::exponential(Duration::from_nanos(nanos)).factor(factor);
        [0, 1, 2, 3].map(|retry| backoff.delay(retry, Duration::ZERO, 0).as_nanos())
    };
    assert_eq!(delays(1_500, 1_500), [1_500, 2_250, 3_375, 5_062]);
    assert_eq!(delays(7, 3_000), [7, 21, 63, 189]);
    assert_eq!(delays(1, 1_100), [1, 2, 3, 4], "a tenth of so little is nothing");
    assert_eq!(delays(10_000, 0), delays(10_000, 1_100), "a factor that shrinks is none");
    assert_eq!(delays(10_000, 1_099), [10_000, 11_000, 12_100, 13_310]);
}

#[test]
fn a_share_of_a_span_is_that_of_exact_arithmetic() {
    let rng = crate::Rng::new(1);
    let spans = core::iter::repeat_with(|| {
        let span = u64::from(rng.next_u32()) << 32 | u64::from(rng.next_u32());
        span >> rng.below(u64::BITS)
    });
    let edges = [0, 1, ONES - 1, ONES, ONES + 1, 2 * ONES, ONES * ONES, u64::MAX - 1, u64::MAX];
    for span in edges.into_iter().chain(spans.take(20_000)) {
        for draw in [0, 1, rng.next_u32(), u32::MAX - 1, u32::MAX] {
            let exact = u128::from(span) * u128::from(draw) / u128::from(u32::MAX);
            assert_eq!(u128::from(between(0, span, draw)), exact, "{draw} of {span}");
        }
    }
}
