mod reservations;

use core::time::Duration;

use super::{Quota, RateLimiter, Rejected};
use crate::atomic::sync::Wide;
use crate::atomic::sync::probe::{Accesses, count, with_spurious_failures};
use crate::time::Instant;

const WIDE: bool = Wide::BITS == 64;
/// The largest burst: a token is a unit at least, and a narrow word has room for so many of them.
const LARGEST: u32 = if WIDE { u32::MAX } else { u32::MAX >> 5 };
const YEAR: Duration = Duration::from_secs(365 * 86_400);

fn at(nanos: u64) -> Instant {
    Instant::from_nanos(nanos)
}

fn millis(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

/// Asks `n` times at one moment; how many were admitted.
fn burst(limiter: &RateLimiter, n: u32, now: Instant) -> u32 {
    (0..n).map(|_| u32::from(limiter.try_acquire(now).is_ok())).sum()
}

fn wait(limiter: &RateLimiter, cost: u32, now: Instant) -> Option<Duration> {
    limiter.check(cost, now).err().and_then(|rejected| rejected.retry_after())
}

#[test]
fn t32_limiter_burst_1_and_3_of_golang() {
    let limiter = RateLimiter::new(Quota::per_second(10).burst(1));
    assert_eq!(
        [0, 0, 0, 100, 100, 100].map(|t| limiter.try_acquire(millis(t)).is_ok()),
        [true, false, false, true, false, false]
    );
    assert!(limiter.try_acquire_many(2, millis(200)).is_err());
    assert!(limiter.try_acquire(millis(200)).is_ok());
    assert!(limiter.try_acquire(millis(200)).is_err());

    let limiter = RateLimiter::new(Quota::per_second(10).burst(3));
    let script: [(u64, u32, u32, bool); 15] = [
        (0, 3, 2, true),
        (0, 1, 2, false),
        (0, 1, 1, true),
        (0, 0, 1, false),
        (100, 1, 4, false),
        (200, 2, 1, true),
        (300, 2, 1, true),
        (400, 2, 1, true),
        (400, 1, 1, true),
        (400, 0, 1, false),
        (400, 0, 1, false),
        (900, 3, 3, true),
        (900, 0, 0, true),
        (900, 0, 1, false),
        (1000, 1, 1, true),
    ];
    for (t, tokens, n, admitted) in script {
        assert_eq!(limiter.available(millis(t)), tokens, "at {t} ms");
        assert_eq!(limiter.try_acquire_many(n, millis(t)).is_ok(), admitted, "{n} at {t} ms");
    }
}

#[test]
fn t36_governor() {
    let limiter = RateLimiter::new(Quota::per_second(2));
    assert_eq!(
        [0, 1, 2, 1002, 1003, 1004].map(|t| limiter.try_acquire(millis(t)).is_ok()),
        [true, true, false, true, true, false]
    );
    let limiter = RateLimiter::new(Quota::per_second(4));
    assert_eq!(
        [0, 0, 1, 1001, 1002, 1003].map(|t| limiter.try_acquire_many(2, millis(t)).is_ok()),
        [true, true, false, true, true, false]
    );
    let limiter = RateLimiter::new(Quota::per_second(5));
    for cost in [15, 7, 6] {
        assert_eq!(limiter.try_acquire_many(cost, at(0)), Err(Rejected::ExceedsBurst { cost, burst: 5 }));
    }
    assert!(limiter.try_acquire_many(5, at(0)).is_ok());
}

#[test]
fn b23_idling_gives_no_extra_cell() {
    let limiter = RateLimiter::new(Quota::per_second(5));
    assert_eq!(burst(&limiter, 6, millis(0)), 5);
    assert_eq!(burst(&limiter, 6, millis(2000)), 5);
}

#[test]
fn b22_any_idle_time_gives_exactly_one_burst() {
    let days = |days: f64| Duration::from_secs_f64(days * 86_400.0);
    for (tokens, size) in [(5, 5), (1000, 100), (3, 7), (1_000_003, 10)] {
        let quota = Quota::per_second(tokens).burst(size);
        // On narrow words a bucket that fills in less than two milliseconds has so short eras that their numbers wrap just then.
        let ages =
            if WIDE || tokens < 1_000_000 { Duration::from_nanos(u64::MAX - 1) } else { days(210_000.0) };
        for idle in [days(1.0 / 24.0), days(0.5), days(49.7), ages] {
            let limiter = RateLimiter::new(quota);
            assert_eq!(burst(&limiter, size + 1, at(0)), size);
            let later = at(0).saturating_add(idle);
            assert_eq!(burst(&limiter, size + 1, later), size, "{tokens}/s after {idle:?}");
        }
    }
}

/// Where a few tokens a period make units finer than a nanosecond, and on narrow words, units wrap.
const WRAPPING: Quota = Quota::per_second(3).burst(7);
const WRAP: u64 = if WIDE { u64::MAX / 2 / 3 } else { 7_000_000_000 / 3 * (1 << 13) };

#[test]
fn idling_for_a_multiple_of_the_wrap_is_idling() {
    // Also where the time that was left to refill it, and that of a step back, seem to be ahead again.
    for ahead in [0, 1, 1_000_000, 2_000_000_000, 7_000_000_000] {
        for multiple in 1..=3 {
            let limiter = RateLimiter::new(WRAPPING);
            assert_eq!(burst(&limiter, 8, at(0)), 7);
            let now = at(WRAP * multiple - ahead);
            assert_eq!((limiter.available(now), limiter.check(7, now)), (7, Ok(())), "before it is used");
            assert_eq!(burst(&limiter, 8, now), 7, "{ahead} ns before {multiple} wraps");
        }
    }
}

/// What is given back, or waited for, is that of the era in which it was taken.
#[test]
fn what_was_taken_an_era_ago_comes_back_with_the_rest_and_not_again() {
    let taken = || {
        let limiter = RateLimiter::new(WRAPPING);
        let grant = limiter.try_acquire_many(7, at(0)).unwrap();
        let reserved = limiter.reserve(1, Duration::MAX, at(0)).unwrap();
        (limiter, grant, reserved)
    };
    let now = at(WRAP);
    let (limiter, grant, _) = taken();
    limiter.refund(grant, now);
    assert_eq!(burst(&limiter, 8, now), 7);
    let (limiter, _, reserved) = taken();
    assert!(!limiter.cancel(reserved, now), "its time is past");
    assert_eq!(burst(&limiter, 8, now), 7);
    let (limiter, ..) = taken();
    assert_eq!(limiter.reserve(7, Duration::ZERO, now).unwrap().ready_at(), now);
    assert_eq!(burst(&limiter, 8, now), 0);
}

/// What takes nothing ends no idle time, however often it is done.
#[test]
fn what_takes_nothing_keeps_no_old_word_young() {
    let limiter = RateLimiter::new(WRAPPING);
    let era = 1 << limiter.scale.era_log2();
    assert_eq!(burst(&limiter, 8, at(0)), 7);
    for nanos in (0..WRAP).step_by(era) {
        let nothing = limiter.try_acquire_many(0, at(nanos)).unwrap();
        limiter.refund(nothing, at(nanos));
        let reserved = limiter.reserve(0, Duration::ZERO, at(nanos)).unwrap();
        limiter.cancel(reserved, at(nanos));
    }
    assert_eq!(burst(&limiter, 8, at(WRAP)), 7);
}

/// A clock that steps back further than is told apart gives one burst, and what it was ahead by hides no idle time afterwards.
#[test]
fn idle_time_after_a_step_back_of_eras_is_idle_time() {
    for eras in [1, 2, 5] {
        let limiter = RateLimiter::new(WRAPPING);
        let era = 1 << limiter.scale.era_log2();
        assert_eq!(burst(&limiter, 8, at(6 * era)), 7);
        let back = (6 - eras) * era;
        assert_eq!(burst(&limiter, 8, at(back)), 7);
        assert_eq!(burst(&limiter, 8, at(back)), 0);
        assert_eq!(burst(&limiter, 8, at(back + WRAP)), 7, "{eras} eras back");
    }
}

/// An era begins while the bucket is in use: nothing comes back but what time gives.
#[test]
fn an_era_that_begins_while_calls_ask_mints_nothing() {
    let limiter = RateLimiter::new(WRAPPING);
    let era = 1 << limiter.scale.era_log2();
    assert!((WRAP / 8..=WRAP / 4).contains(&era), "{era}");
    for start in (1..28).map(|n| n * era) {
        let before = at(start - 1);
        let _ = burst(&limiter, 8, before);
        assert_eq!(burst(&limiter, 8, at(start)), 0);
        assert_eq!(burst(&limiter, 8, before), 0, "a clock that is behind");
    }
    // Neither does a jump back and forth, for as long as the bucket takes to fill.
    let (late, early) = (at(28 * era), at(25 * era));
    assert_eq!(burst(&limiter, 8, late), 7);
    assert_eq!(burst(&limiter, 8, early), 7, "beyond what a step back may be: one burst");
    assert_eq!(burst(&limiter, 8, early), 0);
}

#[test]
fn b30_b31_a_new_limiter_has_its_burst_at_any_moment() {
    for tokens in [1, 3, 7, 1000, 1_000_003, 700_000_000] {
        for now in [0, 1, 999_999_999, u64::MAX / 2, u64::MAX - 10, u64::MAX] {
            let limiter = RateLimiter::new(Quota::per_second(tokens).burst(4));
            assert_eq!(burst(&limiter, 9, at(now)), 4, "{tokens}/s at {now}");
        }
    }
}

#[test]
fn b21_p1_p2_p5_p6_no_period_and_no_cost_overflows() {
    for period in [
        Duration::from_nanos(1),
        Duration::from_secs(1),
        100 * YEAR / 365,
        100 * YEAR,
        584 * YEAR,
        Duration::MAX,
    ] {
        for size in [1, 2, 10, LARGEST] {
            for now in [0, u64::MAX / 2, u64::MAX] {
                let limiter = RateLimiter::new(Quota::new(1, period).burst(size));
                for cost in [size.saturating_add(1), 199, 37, 13, 7] {
                    if cost > size {
                        assert!(limiter.try_acquire_many(cost, at(now)).is_err());
                    }
                }
                if WIDE || period > Duration::from_nanos(1) {
                    assert_eq!(burst(&limiter, 10, at(now)), size.min(10), "{period:?}, {size}, {now}");
                }
            }
        }
    }
    let all_at_once = RateLimiter::new(Quota::new(1, 100 * YEAR).burst(LARGEST));
    assert!(all_at_once.try_acquire_many(LARGEST, at(0)).is_ok());
    assert!(all_at_once.try_acquire(at(0)).is_err());
}

#[test]
fn p4_the_end_of_time_mints_nothing() {
    let limiter = RateLimiter::new(Quota::per_second(1));
    let now = at(u64::MAX - 10);
    assert_eq!([now; 3].map(|now| limiter.try_acquire(now).is_ok()), [true, false, false]);
}

#[test]
fn p3_a_rate_near_one_a_nanosecond_keeps_its_bound() {
    for (rate, bound) in [(700_000_000, 701_000), (600_000_000, 601_000)] {
        let limiter = RateLimiter::new(Quota::per_second(rate).burst(1000));
        let admitted: u32 = (0..1_000_000).map(|t| u32::from(limiter.try_acquire(at(t)).is_ok())).sum();
        assert!(admitted <= bound, "{admitted} of at most {bound}");
        if WIDE {
            assert!(admitted >= bound - 1001, "{admitted}");
        }
    }
}

#[test]
fn b24_the_long_run_rate_does_not_drift() {
    // A thousand seconds in steps that do not divide the interval, and a thousand million in steps of one second.
    for rate in [3, 7, 13, 999] {
        let limiter = RateLimiter::new(Quota::per_second(rate).burst(rate));
        let steps: u64 = 1_000_000;
        let mut admitted = 0_u64;
        for step in 0..steps {
            while limiter.try_acquire(at(step * 1_000_033)).is_ok() {
                admitted += 1;
            }
        }
        let due = u128::from(rate) * u128::from((steps - 1) * 1_000_033) / 1_000_000_000;
        let admitted = u128::from(admitted);
        if WIDE {
            assert!((due..=due + u128::from(rate)).contains(&admitted), "{rate}/s: {admitted} of {due}");
        } else {
            assert!(
                (due - due * u128::from(rate) / (1 << 17)..=due + u128::from(rate) + 1).contains(&admitted),
                "{rate}/s: {admitted} of {due}"
            );
        }
    }
    if WIDE {
        for rate in [3, 7, 13, 999, 1_000_003, 700_000_000] {
            let limiter = RateLimiter::new(Quota::per_second(rate).burst(rate));
            let admitted: u64 = (0..1_000_000)
                .map(|second| {
                    if limiter.try_acquire_many(rate, Instant::from_secs(second)).is_ok() {
                        u64::from(rate)
                    } else {
                        0
                    }
                })
                .sum();
            let due = u64::from(rate) * 999_999;
            // A whole burst a second is asked for, so a rate that is low by a trace misses whole seconds now and then.
            assert!(admitted <= due + u64::from(rate), "{rate}/s: {admitted} of {due}");
            if rate != 1_000_003 {
                assert_eq!(admitted, due + u64::from(rate), "{rate}/s");
            }
        }
    }
}

#[test]
fn the_rate_is_low_by_no_more_than_documented() {
    if !WIDE {
        return;
    }
    // Primes, so that nothing is shortened: one part in a million at 10⁶/s, 0.1 % at 10⁹/s.
    for (rate, parts) in [(1_000_003_u32, 1_000_000_u64), (999_999_937, 1000)] {
        let limiter = RateLimiter::new(Quota::per_second(rate).burst(1000));
        let interval_parts = (limiter.scale.interval >> super::TAG) as u64;
        let exact = 1024_u128 * 1_000_000_000 / u128::from(rate);
        assert!(u128::from(interval_parts) - exact <= 1 + exact / u128::from(parts), "{rate}/s");
    }
}

#[test]
fn the_narrow_rate_is_low_by_no_more_than_documented() {
    if WIDE {
        return;
    }
    for (tokens, period, size) in [
        (3, 1_000_000_000_u64, 7),
        (7, 1_000_000_000, 1),
        (13, 60_000_000_000, 100),
        (999, 1_000_000_000, 999),
        (1, 997, 3),
    ] {
        let scale = RateLimiter::new(Quota::new(tokens, Duration::from_nanos(period)).burst(size)).scale;
        // What a token takes and what it should take, in parts of a nanosecond divided by the tokens and the units.
        let units =
            u128::from(scale.interval >> super::TAG) * u128::from(scale.unit.get()) * u128::from(tokens);
        let exact = u128::from(period) * u128::from(scale.per_nano.max(1));
        assert!(
            (units - exact) * (1 << 17) <= exact * u128::from(size),
            "{tokens} per {period} ns, burst {size}"
        );
    }
}

#[test]
fn b25_fast_polling_loses_no_fraction() {
    let limiter = RateLimiter::new(Quota::per_second(1000).burst(1));
    let admitted: u32 =
        (0..1_000_000).map(|step| u32::from(limiter.try_acquire(at(step * 97)).is_ok())).sum();
    assert!((97..=98).contains(&admitted), "{admitted}");
}

#[test]
fn b26_a_clock_that_steps_back_mints_nothing_and_locks_out_for_the_step_at_most() {
    let limiter = RateLimiter::new(Quota::per_second(1).burst(2));
    let (early, late) = (Instant::from_secs(90), Instant::from_secs(100));
    let admitted: u32 = (0..1000).map(|i| burst(&limiter, 3, if i % 2 == 0 { late } else { early })).sum();
    assert_eq!(admitted, 2, "as many as at one moment");
    assert!(limiter.try_acquire(Instant::from_secs(101)).is_ok());
    if WIDE {
        let limiter = RateLimiter::new(Quota::per_second(3).burst(2));
        let (early, late) = (Instant::from_secs(0), Instant::from_secs(1000));
        let admitted: u32 =
            (0..1000).map(|i| burst(&limiter, 3, if i % 2 == 0 { late } else { early })).sum();
        assert_eq!(admitted, 2);
    }
}

#[test]
fn a_step_back_beyond_the_bound_gives_one_burst() {
    let limiter = RateLimiter::new(Quota::per_second(3).burst(3));
    let late = Instant::from_secs(100_000);
    assert_eq!(burst(&limiter, 9, late), 3);
    let bound = if WIDE { 74 * 60 } else { 18 };
    assert_eq!(burst(&limiter, 9, Instant::from_secs(100_000 - bound / 2)), 0);
    assert_eq!(burst(&limiter, 9, Instant::from_secs(100_000 - bound)), 3);
}

#[test]
fn b32_retry_after_is_exact() {
    for (tokens, period, size) in [
        (1, Duration::from_secs(1), 1),
        (3, Duration::from_secs(1), 2),
        (1000, Duration::from_secs(1), 10),
        (999, Duration::from_millis(77), 10),
        (1_000_003, Duration::from_secs(1), 5),
        (1, 20 * YEAR, 4),
    ] {
        let limiter = RateLimiter::new(Quota::new(tokens, period).burst(size));
        let now = at(123_456_789);
        assert_eq!(burst(&limiter, size, now), size);
        for cost in 1..=size {
            let wait = wait(&limiter, cost, now).expect("it comes back");
            let ready = now.saturating_add(wait);
            assert!(
                limiter.check(cost, ready).is_ok(),
                "{tokens} per {period:?}, cost {cost}, after {wait:?}"
            );
            assert!(
                limiter.check(cost, at(ready.as_nanos() - 1)).is_err(),
                "{tokens} per {period:?}, cost {cost}"
            );
        }
        assert_eq!(wait(&limiter, size + 1, now), None, "never");
    }
}

#[test]
fn b33_no_rate_gives_one_burst_and_zeros_are_errors() {
    let limiter = RateLimiter::new(Quota::per_second(0).burst(3));
    assert_eq!(burst(&limiter, 9, at(0)), 3);
    assert_eq!(limiter.try_acquire(at(u64::MAX)), Err(Rejected::Limited { retry_after: None }));
    assert_eq!(RateLimiter::try_new(Quota::new(1, Duration::ZERO)).unwrap_err().field, "rate_limiter.period");
    assert_eq!(RateLimiter::try_new(Quota::per_second(1).burst(0)).unwrap_err().field, "rate_limiter.burst");
    for burst in [LARGEST.saturating_add(1), u32::MAX] {
        let too_large = RateLimiter::try_new(Quota::per_second(1).burst(burst));
        let told = too_large.err().map(|error| (error.field, error.bound));
        let expected = ("rate_limiter.burst", "at most 134217727 where words have 32 bits");
        assert_eq!(told, (!WIDE).then_some(expected));
    }
}

#[test]
fn a_rate_in_thousandths_is_rounded_down_and_never_overflows() {
    let rate = |tokens, period| Quota::new(tokens, Duration::from_nanos(period)).rate_in_thousandths();
    assert_eq!([rate(3, 1_000_000_000), rate(1, 60_000_000_000), rate(0, 0)], [3000, 16, 0]);
    assert_eq!([rate(18_446_744, 1), rate(18_446_745, 1)], [18_446_744_000_000_000_000, u64::MAX]);
}

#[test]
fn b29_many_threads_get_one_burst() {
    extern crate std;
    let limiter = RateLimiter::new(Quota::per_second(1).burst(5));
    let admitted: u32 = std::thread::scope(|scope| {
        let threads: [_; 4] =
            core::array::from_fn(|_| scope.spawn(|| burst(&limiter, 100, Instant::from_secs(9))));
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(admitted, 5);
    for n in [2, 5, 100] {
        let limiter = RateLimiter::new(Quota::per_second(1));
        let admitted: u32 = std::thread::scope(|scope| {
            let threads: std::vec::Vec<_> =
                (0..n).map(|_| scope.spawn(|| burst(&limiter, 1, Instant::from_secs(9)))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(admitted, 1, "T40, {n} threads");
    }
}

#[test]
fn b37_a_limiter_is_its_words_and_nothing_else() {
    assert!(!core::mem::needs_drop::<RateLimiter>());
    let admitted: u32 = (0..100_000)
        .map(|_| burst(&RateLimiter::new(Quota::per_second(1).burst(1)), 2, Instant::from_secs(9)))
        .sum();
    assert_eq!(admitted, 100_000);
}

#[test]
fn the_cost_is_as_documented_also_with_spurious_failures() {
    let limiter = RateLimiter::new(Quota::per_second(1).burst(1));
    let (admitted, grant) = count(|| limiter.try_acquire(at(0)));
    assert!(grant.is_ok());
    let wraps = u32::from(!WIDE);
    assert_eq!(admitted, Accesses { loads: 1 + wraps, writes: 1 });
    let (rejected, grant) = count(|| limiter.try_acquire(at(0)));
    assert!(grant.is_err());
    assert_eq!(rejected, Accesses { loads: 2 + wraps, writes: 0 });
    let grant = limiter.try_acquire(millis(1000)).unwrap();
    let (lapsed, ()) = count(|| limiter.refund(grant, millis(2000)));
    assert_eq!(lapsed, Accesses { loads: 1 + wraps, writes: 0 });
    // Where units wrap.
    let limiter = RateLimiter::new(WRAPPING);
    let loads = |now, cost| count(|| limiter.try_acquire_many(cost, now).is_ok()).0;
    let _new = loads(at(0), 1);
    assert_eq!(loads(at(0), 1), Accesses { loads: 2, writes: 1 });
    let era = 1 << limiter.scale.era_log2();
    assert_eq!(loads(at(era), 1), Accesses { loads: 4, writes: 2 });
    assert_eq!(loads(at(3 * era), 1), Accesses { loads: 5, writes: 3 });
    let limiter = RateLimiter::new(Quota::per_second(1).burst(50));
    assert_eq!(with_spurious_failures(2, || burst(&limiter, 99, at(0))), 50);
}

#[test]
fn shadow_mode_refuses_nothing_and_takes_no_tokens_for_it() {
    let limiter = RateLimiter::new(Quota::per_second(1).burst(2));
    limiter.set_shadow(true);
    let answers: [bool; 4] =
        core::array::from_fn(|_| limiter.try_acquire(millis(5000)).unwrap().would_reject());
    assert_eq!(answers, [false, false, true, true]);
    let far = limiter.try_acquire_many(9, millis(5000)).unwrap();
    assert!(far.would_reject() && !limiter.undo(far));
    let reserved = limiter.reserve(2, Duration::from_secs(1), millis(5000)).unwrap();
    assert!(reserved.would_reject() && reserved.ready_at() == millis(5000));
    limiter.refund(reserved.into_grant(), millis(5000));
    assert_eq!(limiter.available(millis(6000)), 1, "what was let through besides took nothing");
    assert!(limiter.check(1, millis(5000)).is_err(), "what it would do can be asked");
    limiter.set_shadow(false);
    assert!(limiter.try_acquire(millis(5000)).is_err());
}
