use core::time::Duration;

use super::{AdaptiveRate, Adjustment, Config};
use crate::admission::rate_limiter::Quota;
use crate::atomic::sync::Wide;
use crate::atomic::sync::probe::{Accesses, count, interrupted};
use crate::outcome::Outcome;
use crate::time::Instant;

const SECOND: Duration = Duration::from_secs(1);
const TARGET: Duration = Duration::from_millis(100);
const SLOW: Duration = Duration::from_millis(200);
const FAST: Duration = Duration::from_millis(20);

fn s(seconds: u64) -> Instant {
    Instant::from_secs(seconds)
}

fn rate(config: Config) -> AdaptiveRate {
    AdaptiveRate::new(config)
}

fn thousand() -> Config {
    Config::new(Quota::per_second(1000).burst(100), TARGET).between(100, 10_000)
}

/// So many results in the second after `now`, with as many asked for; the adjustments that they made.
fn second(
    limiter: &AdaptiveRate,
    n: u32,
    latency: Duration,
    outcome: Outcome,
    now: Instant,
) -> Option<Adjustment> {
    let mut adjustment = None;
    for i in 0..n {
        let now = now.saturating_add(SECOND * i / n);
        let _ = limiter.try_acquire(now);
        if let Some(made) = limiter.record(outcome, latency, now) {
            assert_eq!(adjustment.replace(made), None, "once a window");
        }
    }
    adjustment
}

fn thousandths(limiter: &AdaptiveRate) -> u64 {
    limiter.snapshot().quota.rate_in_thousandths()
}

#[test]
fn s2_3_the_rate_falls_by_a_tenth_and_rises_by_a_twentieth() {
    let limiter = rate(thousand());
    assert_eq!(second(&limiter, 600, SLOW, Outcome::Success, s(10)), None);
    let fell = second(&limiter, 600, FAST, Outcome::Success, s(11)).unwrap();
    assert_eq!((fell.from.rate_in_thousandths(), fell.to.rate_in_thousandths()), (1_000_000, 900_000));
    assert_eq!((fell.samples, fell.to.burst_size(), fell.is_raise()), (600, 90, false));
    assert!(fell.p95 >= SLOW && fell.p95 <= SLOW + SLOW / 16, "{:?}", fell.p95);
    assert_eq!(limiter.snapshot().p95, Some(fell.p95));
    assert!(!Adjustment { to: fell.from, ..fell }.is_raise());
    let rose = second(&limiter, 600, TARGET, Outcome::Success, s(12)).unwrap();
    assert_eq!((rose.to.rate_in_thousandths(), rose.is_raise()), (945_000, true));
    assert_eq!(
        second(&limiter, 600, TARGET, Outcome::Success, s(13)),
        None,
        "between the thresholds it stays"
    );
    let snapshot = limiter.snapshot();
    assert_eq!((snapshot.raised, snapshot.lowered, snapshot.target), (1, 1, TARGET));
    assert_eq!(
        (snapshot.min.rate_in_thousandths(), snapshot.max.rate_in_thousandths()),
        (100_000, 10_000_000)
    );
}

#[test]
fn the_thresholds_are_exact() {
    let nanos = Duration::from_nanos;
    for (latency, from, to) in [
        (nanos(120_000_000), 1_000_000, 1_000_000),
        (nanos(120_000_001), 1_000_000, 900_000),
        (nanos(80_000_000), 1_000_000, 1_000_000),
        (nanos(79_999_999), 1_000_000, 1_050_000),
        (Duration::ZERO, 1_000_000, 1_050_000),
        (Duration::MAX, 1_000_000, 900_000),
    ] {
        let limiter = rate(thousand());
        assert_eq!(thousandths(&limiter), from);
        second(&limiter, 600, latency, Outcome::Success, s(10));
        second(&limiter, 1, TARGET, Outcome::Success, s(11));
        assert_eq!(thousandths(&limiter), to, "{latency:?}");
    }
}

#[test]
fn what_the_caller_calls_slow_is_slow_whatever_it_took() {
    let limiter = rate(thousand());
    second(&limiter, 600, FAST, Outcome::Slow, s(10));
    second(&limiter, 1, TARGET, Outcome::Success, s(11));
    assert_eq!(thousandths(&limiter), 900_000);
}

#[test]
fn the_95th_percentile_decides() {
    for (slow, to) in [(5, 1_000_000), (6, 900_000)] {
        let limiter = rate(thousand());
        second(&limiter, 100 - slow, TARGET, Outcome::Success, s(10));
        for _ in 0..slow {
            assert_eq!(limiter.record(Outcome::Success, SLOW, s(10)), None);
        }
        second(&limiter, 1, TARGET, Outcome::Success, s(11));
        assert_eq!(thousandths(&limiter), to, "{slow} of a hundred");
    }
}

#[test]
fn rl2_one_burst_of_slow_calls_steps_once() {
    let limiter = rate(thousand());
    for i in 0..1000 {
        assert_eq!(limiter.record(Outcome::Success, SLOW, s(10).saturating_add(SECOND * i / 1001)), None);
    }
    let steps = (11..100_u64).filter(|&now| second(&limiter, 30, TARGET, Outcome::Success, s(now)).is_some());
    assert_eq!(steps.count(), 1);
    assert_eq!(thousandths(&limiter), 900_000);
}

#[test]
fn b54_a_limit_that_holds_nothing_back_does_not_rise() {
    let limiter = rate(thousand());
    for now in 10..10_010 {
        assert_eq!(second(&limiter, 40, FAST, Outcome::Success, s(now)), None);
    }
    assert_eq!(thousandths(&limiter), 1_000_000);
    // Half of the tokens, or one refusal, is enough.
    assert_eq!(second(&limiter, 499, FAST, Outcome::Success, s(20_000)), None);
    assert_eq!(second(&limiter, 500, FAST, Outcome::Success, s(20_001)), None);
    assert!(second(&limiter, 40, FAST, Outcome::Success, s(20_002)).unwrap().is_raise());
    assert_eq!(second(&limiter, 40, FAST, Outcome::Success, s(20_003)), None);
    assert!(limiter.try_acquire_many(1000, s(20_003)).is_err(), "no rate would admit it");
    assert_eq!(second(&limiter, 40, FAST, Outcome::Success, s(20_004)), None);
    while limiter.try_acquire(s(20_004)).is_ok() {}
    assert!(second(&limiter, 40, FAST, Outcome::Success, s(20_005)).unwrap().is_raise());
    second(&limiter, 40, FAST, Outcome::Success, s(20_006));
    let late = Instant::from_millis(20_006_999);
    assert_eq!(limiter.reserve(100, SECOND, late).unwrap().ready_at(), late);
    assert!(limiter.reserve(100, SECOND, late).unwrap().ready_at() > late, "somebody waits");
    assert!(second(&limiter, 40, FAST, Outcome::Success, s(20_007)).unwrap().is_raise());
}

/// A limit holds traffic back where a call is refused or waits, or would be in shadow mode; too large a cost says nothing.
#[test]
fn what_holds_traffic_back_lets_the_rate_rise() {
    type Act = fn(&AdaptiveRate);
    let take_all = |limiter: &AdaptiveRate| {
        let reserved = limiter.reserve(100, Duration::ZERO, s(10)).unwrap();
        assert!(reserved.ready_at() == s(10) && !reserved.would_reject());
    };
    let acts: [(bool, bool, Act); 9] = [
        (false, false, |_| {}),
        (false, true, |limiter| assert!(limiter.reserve(1, SECOND, s(10)).unwrap().ready_at() > s(10))),
        (false, true, |limiter| assert!(limiter.reserve(1, Duration::ZERO, s(10)).is_err())),
        (false, false, |limiter| assert!(limiter.reserve(1000, SECOND, s(10)).is_err())),
        (true, false, |_| {}),
        (true, true, |limiter| assert!(limiter.reserve(1, Duration::ZERO, s(10)).unwrap().would_reject())),
        (true, true, |limiter| assert!(limiter.try_acquire(s(10)).unwrap().would_reject())),
        (true, true, |limiter| assert!(limiter.try_acquire_many(100, s(10)).unwrap().would_reject())),
        (true, false, |limiter| assert!(limiter.try_acquire_many(101, s(10)).unwrap().would_reject())),
    ];
    for (case, (shadow, held_back, act)) in acts.into_iter().enumerate() {
        let limiter = rate(thousand());
        limiter.set_shadow(shadow);
        for _ in 0..40 {
            assert_eq!(limiter.record(Outcome::Success, FAST, s(10)), None);
        }
        take_all(&limiter);
        act(&limiter);
        let rose = limiter.record(Outcome::Success, FAST, s(11));
        assert_eq!(rose.is_some_and(|rose| rose.is_raise()), held_back, "{case}");
    }
}

#[test]
fn tokens_are_asked_for_and_come_back_as_those_of_the_limiter() {
    let limiter = rate(thousand());
    let grant = limiter.try_acquire_many(60, s(10)).unwrap();
    assert_eq!((limiter.available(s(10)), limiter.check(41, s(10)).is_ok()), (40, false));
    limiter.refund(grant, s(10));
    assert_eq!((limiter.available(s(10)), limiter.check(100, s(10)).is_ok()), (100, true));
    let [first, last] = [0, 1].map(|_| limiter.reserve(100, SECOND, s(10)).unwrap());
    assert!(limiter.check(1, s(10)).is_err());
    assert!(limiter.cancel(last, s(10)), "nobody reserved behind it");
    assert!(!limiter.cancel(first, s(11)), "its time is past");
}

/// A thread that is stopped before it begins a window does not take the others back to it.
#[test]
fn who_comes_late_to_begin_a_window_sets_nobody_back() {
    extern crate std;
    let late = |n| {
        let limiter = std::sync::Arc::new(rate(thousand().samples(1)));
        assert_eq!(limiter.record(Outcome::Success, SLOW, s(10)), None);
        let other = limiter.clone();
        let handler = move || _ = other.record(Outcome::Success, SLOW, s(12));
        let reached = interrupted(n, handler, || _ = limiter.record(Outcome::Success, SLOW, s(11)));
        // However the two share the windows, the third result is of one that began already.
        let before = limiter.snapshot().lowered;
        limiter.record(Outcome::Success, SLOW, s(12));
        assert_eq!(limiter.snapshot().lowered, before, "access {n}");
        reached
    };
    let accesses = (0..1000).take_while(|&n| late(n)).count();
    assert!((10..1000).contains(&accesses));
}

#[test]
fn rl5_failures_that_come_back_fast_do_not_raise_and_slow_ones_lower() {
    let limiter = rate(thousand());
    second(&limiter, 600, FAST, Outcome::Failure, s(10));
    assert_eq!(second(&limiter, 540, FAST, Outcome::Success, s(11)), None);
    second(&limiter, 60, FAST, Outcome::Failure, s(11));
    assert_eq!(second(&limiter, 600, SLOW, Outcome::Failure, s(12)), None, "a tenth of the calls failed");
    let fell = second(&limiter, 600, FAST, Outcome::Cancelled, s(13));
    assert_eq!(fell, None, "who gave up says nothing");
    second(&limiter, 600, SLOW, Outcome::Failure, s(14));
    assert!(!second(&limiter, 1, FAST, Outcome::Success, s(15)).unwrap().is_raise());
}

#[test]
fn after_a_pause_the_rate_is_what_it_was() {
    for pause in [2, 3, 10, 1000, 1 << 31, (1 << 32) + 2] {
        let limiter = rate(thousand());
        second(&limiter, 600, SLOW, Outcome::Success, s(10));
        assert_eq!(second(&limiter, 600, TARGET, Outcome::Success, s(10 + pause)), None, "{pause} s");
        assert_eq!(second(&limiter, 1, TARGET, Outcome::Success, s(11 + pause)), None, "{pause} s");
    }
}

#[test]
fn b53_the_rate_stays_between_its_bounds_and_comes_back() {
    let limiter = rate(thousand());
    let mut now = 10;
    let mut windows = |latency, n: u32| {
        for _ in 0..n {
            second(&limiter, 6000, latency, Outcome::Success, s(now));
            now += 1;
        }
        thousandths(&limiter)
    };
    for extreme in [Duration::MAX, Duration::ZERO, SLOW, FAST] {
        let rate = windows(extreme, 60);
        assert_eq!(rate, if extreme > TARGET { 100_000 } else { 10_000_000.min(rate) }, "{extreme:?}");
        assert!((100_000..=10_000_000).contains(&rate));
    }
    assert_eq!(windows(FAST, 100), 10_000_000);
    assert_eq!(windows(SLOW, 100), 100_000);
    // Ninety percent of a thousand, by a twentieth each.
    assert!(windows(FAST, 47) >= 900_000);
}

#[test]
fn rl3_below_one_a_second_calls_are_still_admitted() {
    let slow = Config::new(Quota::new(30, Duration::from_secs(60)), TARGET).between(1, 60).samples(1);
    let limiter = rate(slow.window(Duration::from_secs(10)));
    let mut now = 10;
    for _ in 0..100 {
        second(&limiter, 5, SLOW, Outcome::Success, s(now));
        now += 10;
    }
    let snapshot = limiter.snapshot();
    assert_eq!((snapshot.quota.rate_in_thousandths(), snapshot.quota.burst_size()), (16, 1), "one a minute");
    let admitted = (0..600).filter(|second| limiter.try_acquire(s(now + 1000 + second)).is_ok()).count();
    assert_eq!(admitted, 10);
    // The smallest steps up are thousandths, so it comes back.
    for _ in 0..200 {
        second(&limiter, 20, FAST, Outcome::Success, s(now + 2000));
        now += 10;
    }
    assert_eq!(thousandths(&limiter), 1000, "sixty a minute");
}

#[test]
fn few_samples_leave_the_rate() {
    let limiter = rate(thousand().samples(20));
    second(&limiter, 19, SLOW, Outcome::Success, s(10));
    assert_eq!(second(&limiter, 20, SLOW, Outcome::Success, s(11)), None);
    assert!(second(&limiter, 1, SLOW, Outcome::Success, s(12)).is_some());
}

#[test]
fn a_clock_that_steps_back_judges_nothing_twice() {
    let limiter = rate(thousand());
    let mut adjustments = 0;
    for i in 0..10_000_u32 {
        let now = if i % 2 == 0 { s(20) } else { s(15) };
        adjustments += u32::from(limiter.record(Outcome::Success, SLOW, now).is_some());
    }
    assert_eq!(adjustments, 0);
    assert!(limiter.record(Outcome::Success, SLOW, s(21)).is_some());
    for now in [s(3), s(4), Instant::ZERO, Instant::NEVER] {
        second(&limiter, 30, SLOW, Outcome::Success, now);
    }
    assert!(thousandths(&limiter) >= 729_000);
}

#[test]
fn rates_beyond_thousandths_move_in_whole_tokens() {
    let limiter = rate(
        Config::new(Quota::per_second(100_000_000).burst(1000), TARGET).between(1, 200_000_000).samples(1),
    );
    limiter.record(Outcome::Success, SLOW, s(10));
    let fell = limiter.record(Outcome::Success, SLOW, s(11)).unwrap();
    assert_eq!((fell.to.tokens(), fell.to.burst_size()), (90_000_000, 900));
}

#[test]
fn bad_values_are_errors_that_name_the_field() {
    let quota = Quota::per_second(1000);
    for (config, field) in [
        (Config::new(quota, Duration::ZERO), "adaptive_rate.target"),
        (Config::new(quota, Duration::MAX), "adaptive_rate.target"),
        (Config::new(quota, TARGET).window(Duration::ZERO), "adaptive_rate.window"),
        (Config::new(quota, TARGET).samples(0), "adaptive_rate.samples"),
        (Config::new(quota, TARGET).between(0, 5000), "adaptive_rate.min"),
        (Config::new(quota, TARGET).between(5000, 100), "adaptive_rate.initial"),
        (Config::new(Quota::per_second(0), TARGET), "adaptive_rate.initial"),
        (Config::new(quota.burst(0), TARGET), "rate_limiter.burst"),
        (Config::new(Quota::new(1000, Duration::ZERO), TARGET), "rate_limiter.period"),
    ] {
        assert_eq!(config.validate().unwrap_err().field, field);
        assert_eq!(AdaptiveRate::try_new(config).unwrap_err().field, field);
    }
    let year = Duration::from_secs(365 * 86_400);
    assert!(Config::new(quota, year).validate().is_ok());
    assert!(Config::new(quota, year + Duration::from_nanos(1)).validate().is_err());
    let config = Config::new(quota, TARGET).between(300, 5000);
    assert_eq!((config.min(), config.max()), (300, 5000));
    // The burst of the highest rate would be 2³²: as many tokens as there can be, or too many for a narrow word.
    let largest = Config::new(Quota::per_second(1).burst(1 << 20), TARGET).between(1, 1 << 12);
    let burst = AdaptiveRate::try_new(largest).map(|limiter| limiter.snapshot().max.burst_size());
    if Wide::BITS == 64 {
        assert_eq!(burst, Ok(u32::MAX));
    } else {
        assert_eq!(burst.unwrap_err().field, "rate_limiter.burst");
    }
    let extreme =
        Config::new(Quota::new(1, Duration::MAX), TARGET).between(1, 1_000_000).window(Duration::MAX);
    let limiter = rate(extreme.samples(1));
    for now in [0, 1, u64::MAX / 2, u64::MAX - 1, u64::MAX].map(Instant::from_nanos) {
        let _ = limiter.try_acquire(now);
        let _ = limiter.record(Outcome::Success, Duration::MAX, now);
        let _ = limiter.snapshot();
    }
}

#[test]
fn b55_threads_judge_each_window_once() {
    extern crate std;
    let limiter = rate(thousand().samples(1));
    second(&limiter, 30, SLOW, Outcome::Success, s(9));
    for window in 10..30_u64 {
        let adjustments: u32 = std::thread::scope(|scope| {
            let threads: [_; 4] = core::array::from_fn(|_| {
                scope.spawn(|| {
                    (0..50)
                        .map(|_| u32::from(limiter.record(Outcome::Success, SLOW, s(window)).is_some()))
                        .sum::<u32>()
                })
            });
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert!(adjustments <= 1, "{adjustments} in one window");
    }
    let lowered = limiter.snapshot().lowered;
    assert!((1..=20).contains(&lowered), "{lowered}");
}

#[test]
fn the_cost_is_as_documented() {
    let limiter = rate(thousand().samples(1));
    assert_eq!(count(|| limiter.try_acquire_many(100, s(1)).is_ok()).0, Accesses { loads: 9, writes: 1 });
    assert_eq!(count(|| limiter.try_acquire(s(1)).is_err()).0, Accesses { loads: 11, writes: 1 });
    assert_eq!(count(|| limiter.try_acquire(s(1)).is_err()).0, Accesses { loads: 11, writes: 0 });
    second(&limiter, 1, SLOW, Outcome::Success, s(2));
    assert_eq!(count(|| limiter.record(Outcome::Success, SLOW, s(2))).0, Accesses { loads: 1, writes: 1 });
    let (judging, made) = count(|| limiter.record(Outcome::Success, SLOW, s(3)));
    assert!(made.is_some());
    assert_eq!(judging, Accesses { loads: 19, writes: 196 });
}

/// In shadow mode the limiter answers a call that no bucket holds as one that has to wait.
#[test]
fn what_exceeds_the_burst_holds_nothing_back_in_shadow_mode_either() {
    for shadow in [false, true] {
        let limiter = rate(thousand().samples(1));
        limiter.set_shadow(shadow);
        assert_eq!(limiter.record(Outcome::Success, FAST, s(10)), None);
        assert_eq!(limiter.try_acquire_many(101, s(10)).is_ok(), shadow);
        assert_eq!(limiter.reserve(101, SECOND, s(10)).is_ok(), shadow);
        assert_eq!(limiter.record(Outcome::Success, FAST, s(11)), None, "shadow mode {shadow}");
    }
}
