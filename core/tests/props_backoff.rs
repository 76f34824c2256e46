//! What every schedule of delays keeps to, and the schedules against exact arithmetic.

use core::time::Duration;

use proptest::prelude::*;
use seawall_core::Backoff;
use seawall_core::backoff::Jitter;

fn duration() -> impl Strategy<Value = Duration> {
    prop_oneof![
        Just(Duration::ZERO),
        Just(Duration::from_nanos(1)),
        Just(Duration::MAX),
        (0_u64..5000).prop_map(Duration::from_millis),
        any::<u64>().prop_map(Duration::from_nanos),
    ]
}

fn schedule() -> impl Strategy<Value = Backoff> {
    prop_oneof![
        duration().prop_map(Backoff::constant),
        (duration(), duration()).prop_map(|(base, step)| Backoff::linear(base, step)),
        (duration(), 1100_u32..=100_000).prop_map(|(base, factor)| Backoff::exponential(base).factor(factor)),
        duration().prop_map(Backoff::fibonacci),
        duration().prop_map(Backoff::decorrelated),
    ]
}

fn jitter() -> impl Strategy<Value = Jitter> {
    prop_oneof![
        Just(Jitter::None),
        (0_u8..=100).prop_map(Jitter::PlusMinus),
        Just(Jitter::Equal),
        Just(Jitter::Full),
    ]
}

fn retry() -> impl Strategy<Value = u32> {
    prop_oneof![0_u32..70, any::<u32>(), Just(u32::MAX)]
}

/// What a delay can be: nanoseconds in 64 bits.
fn clamped(nanos: u128, cap: Duration) -> Duration {
    let nanos = nanos.min(u128::from(u64::MAX)).min(cap.as_nanos());
    Duration::from_nanos(u64::try_from(nanos).expect("it was clamped"))
}

fn nanos(duration: Duration) -> u128 {
    duration.as_nanos().min(u128::from(u64::MAX))
}

/// The Fibonacci number, or the highest in 64 bits.
fn fibonacci(n: u32) -> u128 {
    let (mut a, mut b) = (1_u128, 1_u128);
    for _ in 0..n {
        if b > u128::from(u64::MAX) {
            break;
        }
        (a, b) = (b, a + b);
    }
    a
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn no_delay_exceeds_the_cap_and_none_is_zero_unless_it_has_to_be(
        schedule in schedule(),
        jitter in jitter(),
        cap in duration(),
        retry in retry(),
        previous in duration(),
        draw in any::<u32>(),
    ) {
        let backoff = schedule.at_most(cap).jitter(jitter);
        prop_assert!(backoff.validate().is_ok());
        let delay = backoff.delay(retry, previous, draw);
        prop_assert!(delay <= cap);
        let base_is_zero = schedule.delay(0, Duration::ZERO, 0).is_zero();
        if !base_is_zero && !cap.is_zero() {
            prop_assert!(!delay.is_zero());
        }
    }

    #[test]
    fn a_larger_draw_is_no_shorter_delay(
        schedule in schedule(),
        jitter in jitter(),
        retry in retry(),
        previous in duration(),
        draws in any::<[u32; 2]>(),
    ) {
        let backoff = schedule.jitter(jitter);
        let [one, other] = draws.map(|draw| backoff.delay(retry, previous, draw));
        prop_assert_eq!(draws[0] <= draws[1] && one > other, false);
        prop_assert_eq!(draws[1] <= draws[0] && other > one, false);
    }

    #[test]
    fn delays_without_jitter_never_fall(schedule in schedule(), retry in retry(), more in 0_u32..100) {
        let later = schedule.delay(retry.saturating_add(more), Duration::ZERO, 0);
        prop_assert!(schedule.delay(retry, Duration::ZERO, 0) <= later);
    }

    #[test]
    fn jitter_stays_within_its_bounds(
        base in duration(),
        jitter in jitter(),
        draw in prop_oneof![Just(0), Just(u32::MAX), any::<u32>()],
    ) {
        let delay = nanos(Backoff::constant(base).jitter(jitter).delay(0, Duration::ZERO, draw));
        let plain = nanos(base);
        let (low, high) = match jitter {
            Jitter::PlusMinus(percent) => {
                let part = plain * u128::from(percent) / 100;
                (plain - part, (plain + part).min(u128::from(u64::MAX)))
            }
            Jitter::Equal => (plain - plain / 2, plain),
            Jitter::Full => (0, plain),
            _ => (plain, plain),
        };
        prop_assert!(low <= delay && delay <= high, "{low} <= {delay} <= {high}");
        if draw == u32::MAX {
            prop_assert_eq!(delay, high);
        }
    }

    #[test]
    fn schedules_are_those_of_exact_arithmetic(
        base in duration(),
        step in duration(),
        cap in duration(),
        retry in retry(),
    ) {
        let delay = |backoff: Backoff| backoff.at_most(cap).delay(retry, Duration::ZERO, 0);
        let base_nanos = nanos(base);
        prop_assert_eq!(delay(Backoff::constant(base)), clamped(base_nanos, cap));
        let linear = base_nanos + nanos(step) * u128::from(retry);
        prop_assert_eq!(delay(Backoff::linear(base, step)), clamped(linear, cap));
        let doubled = if retry < 64 { base_nanos << retry } else { base_nanos * u128::from(u64::MAX) };
        prop_assert_eq!(delay(Backoff::exponential(base)), clamped(doubled, cap));
        let fibonacci = base_nanos.saturating_mul(fibonacci(retry));
        prop_assert_eq!(delay(Backoff::fibonacci(base)), clamped(fibonacci, cap));
    }

    /// Each step is rounded down to a nanosecond, or up where it would stand still.
    #[test]
    fn an_exponential_delay_is_close_to_the_power(
        base in 1_u64..10_000_000_000,
        factor in 1100_u32..=10_000,
        retry in 0_u32..40,
    ) {
        let delay = |retry| {
            Backoff::exponential(Duration::from_nanos(base)).factor(factor).delay(retry, Duration::ZERO, 0).as_nanos()
        };
        let (now, next) = (delay(retry), delay(retry + 1));
        let exact = now * u128::from(factor) / 1000;
        let clamped = exact.min(u128::from(u64::MAX));
        prop_assert!(next == clamped || next == now + 1, "{now} then {next}, not {exact}");
    }

    #[test]
    fn a_decorrelated_delay_is_between_the_base_and_three_times_the_one_before(
        base in duration(),
        previous in duration(),
        draw in any::<u32>(),
        jitter in jitter(),
    ) {
        let delay = nanos(Backoff::decorrelated(base).jitter(jitter).delay(9, previous, draw));
        let most = (3 * nanos(base).max(nanos(previous))).min(u128::from(u64::MAX));
        prop_assert!(nanos(base) <= delay && delay <= most);
    }
}
