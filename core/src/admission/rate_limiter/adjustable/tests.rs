use core::time::Duration;

use super::{AdjustableRateLimiter, QuotaError};
use crate::admission::rate_limiter::{Quota, RateLimiter, Rejected};
use crate::atomic::sync::Wide;
use crate::atomic::sync::probe::{Accesses, count, interrupted, with_spurious_failures};
use crate::time::Instant;

const WIDE: bool = Wide::BITS == 64;
const SECOND: Duration = Duration::from_secs(1);
const NANO: Duration = Duration::from_nanos(1);

fn s(seconds: u64) -> Instant {
    Instant::from_secs(seconds)
}

fn ms(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

fn burst(limiter: &AdjustableRateLimiter, n: u32, now: Instant) -> u32 {
    (0..n).map(|_| u32::from(limiter.try_acquire(now).is_ok())).sum()
}

#[test]
fn b34_a_change_keeps_what_is_in_the_bucket() {
    for (from, to, there_after) in [
        (Quota::per_second(10), Quota::per_second(100), 0),
        (Quota::per_second(10), Quota::per_second(1), 0),
        (Quota::per_second(10), Quota::per_second(10).burst(1000), 0),
        (Quota::per_second(10).burst(1000), Quota::per_second(10).burst(2), 0),
    ] {
        let limiter = AdjustableRateLimiter::new(from);
        assert_eq!(burst(&limiter, 2000, s(7)), from.burst_size());
        limiter.set_quota(to, s(7)).unwrap();
        assert_eq!(limiter.available(s(7)), there_after, "{from:?} to {to:?}");
        let interval = to.period() / to.tokens();
        assert_eq!(
            burst(&limiter, 1, s(7).saturating_add(interval)),
            1,
            "a raise works within a new interval"
        );
        assert_eq!(limiter.quota(), to);
    }
    // A full bucket stays as full as the new one allows, and a larger one fills.
    let limiter = AdjustableRateLimiter::new(Quota::per_second(10));
    limiter.set_quota(Quota::per_second(10).burst(4), s(7)).unwrap();
    assert_eq!(limiter.available(s(7)), 4);
    limiter.set_quota(Quota::per_second(10).burst(100), s(7)).unwrap();
    assert_eq!((limiter.available(s(7)), limiter.available(s(8))), (4, 14));
    assert_eq!(limiter.available(s(1000)), 100);
}

#[test]
fn b34_changes_to_and_fro_and_to_the_same_add_nothing() {
    let (slow, fast) = (Quota::per_second(7).burst(5), Quota::per_second(700).burst(50));
    let limiter = AdjustableRateLimiter::new(slow);
    assert_eq!(burst(&limiter, 9, ms(7003)), 5);
    let debt = limiter.check(1, ms(7003)).unwrap_err();
    for _ in 0..1000 {
        limiter.set_quota(slow, ms(7003)).unwrap();
    }
    assert_eq!(limiter.check(1, ms(7003)), Err(debt), "the same quota is no change");
    for _ in 0..1000 {
        limiter.set_quota(fast, ms(7003)).unwrap();
        limiter.set_quota(slow, ms(7003)).unwrap();
        assert_eq!(limiter.available(ms(7003)), 0);
    }
    let after = limiter.check(1, ms(7003)).unwrap_err().retry_after().unwrap();
    let before = debt.retry_after().unwrap();
    // Two units of the coarser scale each time, of which 65536 hold its fifty tokens where words are narrow.
    let rounded = if WIDE { before / 1000 } else { Duration::from_millis(2 * 2000 * 50 * 1000 / 65536 / 7) };
    assert!((before..=before + rounded).contains(&after), "{before:?}, {after:?}");
}

/// Each quota with its own bound, over many changes.
#[test]
fn over_changes_no_more_is_granted_than_each_rate_gave() {
    let quotas = [
        Quota::per_second(10),
        Quota::per_second(999).burst(3),
        Quota::new(7, Duration::from_secs(60)).burst(20),
        Quota::per_second(1_000_003).burst(50),
        Quota::per_second(0).burst(9),
        Quota::per_second(3).burst(10),
    ];
    let limiter = AdjustableRateLimiter::new(quotas[0]);
    // In billionths of a token: what there may be at most.
    let whole = |quota: &Quota| u128::from(quota.burst_size()) * 1_000_000_000;
    let mut most = whole(&quotas[0]);
    let mut quota = quotas[0];
    let mut now = s(50);
    for step in 0..20_000_u64 {
        let passed = Duration::from_nanos(step * 7_919_113 % 40_000_003);
        now = now.saturating_add(passed);
        // Rounded up.
        let given =
            passed.as_nanos() * u128::from(quota.tokens()) * 1_000_000_000 / quota.period().as_nanos();
        most = (most + given + 1).min(whole(&quota));
        if step % 3 == 0 {
            quota = quotas[usize::try_from(step / 3).unwrap() * 5 % quotas.len()];
            limiter.set_quota(quota, now).unwrap();
            most = most.min(whole(&quota));
        }
        while limiter.try_acquire(now).is_ok() {
            let slack = if WIDE { 0 } else { 1_000_000_000 };
            assert!(most + slack >= 1_000_000_000, "step {step}, {quota:?}");
            most = most.saturating_sub(1_000_000_000);
        }
    }
}

#[test]
fn it_decides_as_the_fixed_limiter_does() {
    if !WIDE {
        return; // There its units are coarser.
    }
    for quota in [
        Quota::per_second(10),
        Quota::per_second(1).burst(4),
        Quota::per_second(1000).burst(10),
        Quota::new(1, Duration::from_millis(250)),
    ] {
        let (fixed, adjustable) = (RateLimiter::new(quota), AdjustableRateLimiter::new(quota));
        let mut now = s(3);
        for step in 0..5000_u64 {
            now = now.saturating_add(Duration::from_micros(step * 7919 % 150_000));
            let cost = u32::try_from(step % 5).unwrap();
            assert_eq!(
                fixed.try_acquire_many(cost, now).map(|_| ()),
                adjustable.try_acquire_many(cost, now).map(|_| ()),
                "{quota:?}, step {step}"
            );
            assert_eq!(fixed.available(now), adjustable.available(now));
            assert_eq!(fixed.check(1, now), adjustable.check(1, now));
        }
    }
}

#[test]
fn grants_of_an_earlier_quota_lapse_and_those_of_this_one_come_back() {
    let limiter = AdjustableRateLimiter::new(Quota::per_second(10));
    let early = limiter.try_acquire_many(4, s(5)).unwrap();
    let reserved = limiter.reserve(8, SECOND, s(5)).unwrap();
    assert_eq!((reserved.wait(s(5)), reserved.would_reject()), (Duration::from_millis(200), false));
    limiter.set_quota(Quota::per_second(20).burst(10), s(5)).unwrap();
    assert_eq!(
        limiter.check(1, s(5)).unwrap_err().retry_after(),
        Some(Duration::from_millis(150)),
        "two are owed"
    );
    limiter.refund(early, s(5));
    assert!(!limiter.cancel(reserved, s(5)));
    assert_eq!(limiter.check(1, s(5)).unwrap_err().retry_after(), Some(Duration::from_millis(150)));

    let grant = limiter.try_acquire_many(3, s(6)).unwrap();
    assert_eq!(limiter.available(s(6)), 7);
    limiter.refund(grant, s(6));
    assert_eq!(limiter.available(s(6)), 10);
    let reserved = limiter.reserve(10, SECOND, s(6)).unwrap();
    let behind = limiter.reserve(2, SECOND, s(6)).unwrap();
    assert_eq!(behind.wait(s(6)), Duration::from_millis(100));
    assert!(limiter.cancel(behind, s(6)));
    limiter.refund(reserved.into_grant(), s(6));
    assert_eq!(limiter.available(s(6)), 10);
}

/// In what order reservations of an earlier quota start can no longer be told from the arrival time.
#[test]
fn beside_reservations_of_an_earlier_quota_nothing_comes_back() {
    let quota = |size| Quota::per_second(10).burst(size);
    for (reserved, comes_back) in [(0, true), (1, false)] {
        let limiter = AdjustableRateLimiter::new(quota(4));
        assert_eq!(burst(&limiter, 9, s(5)), 4);
        let _ = limiter.reserve(reserved, SECOND, s(5)).unwrap();
        limiter.set_quota(quota(3), s(5)).unwrap();
        let mut last = limiter.reserve(2, SECOND, s(5)).unwrap();
        assert_eq!(limiter.cancel(last, s(5)), comes_back);
        // A second change keeps that, also when the debt is less than a full bucket.
        limiter.set_quota(quota(4), ms(5400)).unwrap();
        last = limiter.reserve(3, SECOND, ms(5400)).unwrap();
        assert_eq!(limiter.cancel(last, ms(5400)), comes_back);
        assert!(limiter.check(4, ms(6000)).is_ok());
        limiter.set_quota(quota(3), ms(6000)).unwrap();
        last = limiter.reserve(3, SECOND, ms(6000)).unwrap();
        assert!(limiter.cancel(last, ms(6000)), "it was full");
    }
}

/// Units of several nanoseconds: what has passed of the present one is no gift.
#[test]
fn a_change_to_coarse_units_rounds_against_the_caller() {
    let (minute, year) = (SECOND * 60, SECOND * 60 * 1440 * 365);
    for nanos in 0..50 {
        let now = Instant::from_nanos(7_000_000_000 + nanos);
        let limiter = AdjustableRateLimiter::new(Quota::new(4, minute));
        assert_eq!(burst(&limiter, 9, now), 4);
        limiter.set_quota(Quota::new(1, year).burst(4), now).unwrap();
        let wait = limiter.check(1, now).unwrap_err().retry_after().unwrap();
        assert!(wait >= year && wait <= year + year / 10_000, "{wait:?}");
    }
}

/// Seventeen changes bring the generation in the word back to where it was; the stamp tells the grants apart.
#[test]
fn a_grant_of_sixteen_changes_ago_lapses_too() {
    let (one, other) = (Quota::per_second(10), Quota::per_second(20).burst(10));
    let limiter = AdjustableRateLimiter::new(one);
    let grant = limiter.try_acquire_many(5, s(5)).unwrap();
    for change in 1..=16 {
        limiter.set_quota(if change % 2 == 0 { one } else { other }, s(5)).unwrap();
    }
    assert_eq!(limiter.available(s(5)), 5);
    limiter.refund(grant, s(5));
    assert_eq!(limiter.available(s(5)), 5);
}

#[test]
fn a_grant_lapses_with_each_of_many_changes() {
    let quotas = [Quota::per_second(10), Quota::per_second(20).burst(10)];
    let limiter = AdjustableRateLimiter::new(quotas[0]);
    for change in 1..40 {
        let now = s(10 * change);
        let grant = limiter.try_acquire(now).unwrap();
        let returned = limiter.try_acquire(now).unwrap();
        limiter.refund(returned, now);
        assert_eq!(limiter.available(now), 9, "under its own quota it comes back");
        limiter.set_quota(quotas[(change % 2) as usize], now).unwrap();
        limiter.refund(grant, now);
        assert_eq!(limiter.available(now), 9, "change {change}");
    }
}

#[test]
fn a_change_in_the_middle_of_another_is_told_that_the_limiter_is_busy() {
    extern crate std;
    let [one, other] = [20, 30].map(Quota::per_second);
    let accesses = (0..100).take_while(|&n| {
        let limiter = std::sync::Arc::new(AdjustableRateLimiter::new(Quota::per_second(10)));
        let (told, tell) = (std::sync::Arc::new(std::sync::Mutex::new(None)), limiter.clone());
        let answer = told.clone();
        let handler = move || *answer.lock().unwrap() = Some(tell.set_quota(other, s(5)));
        let reached = interrupted(n, handler, || assert_eq!(limiter.set_quota(one, s(5)), Ok(())));
        // The first two accesses claim the word of changes, and the last one lets it go.
        let expected = if reached && n > 1 { Err(QuotaError::Busy) } else { Ok(()) };
        assert_eq!(*told.lock().unwrap(), Some(expected), "access {n}");
        assert_eq!(limiter.quota(), if reached { one } else { other });
        reached
    });
    assert_eq!(accesses.count(), 31, "as many as are documented");
}

#[test]
fn what_reservations_are_owed_beyond_the_reach_of_a_new_quota_is_forgiven() {
    let limiter = AdjustableRateLimiter::new(Quota::per_second(1000));
    let day = Duration::from_secs(86_400);
    while limiter.reserve(1000, day, s(5)).is_ok() {}
    limiter.set_quota(Quota::new(1, SECOND * 60), s(5)).unwrap();
    let wait = limiter.check(1, s(5)).unwrap_err().retry_after().unwrap();
    assert!(
        wait > Duration::from_secs(60) && wait <= Duration::from_secs(if WIDE { 11 * 60 } else { 9 * 60 }),
        "{wait:?}"
    );
}

#[test]
fn t38_a_deficit_shrinks_by_the_new_rate() {
    let cycle = Duration::from_millis(250);
    let limiter = AdjustableRateLimiter::new(Quota::new(1, cycle));
    assert_eq!(burst(&limiter, 1, ms(250)), 1);
    let owed = limiter.reserve(1, cycle, ms(250)).unwrap();
    assert_eq!(owed.wait(ms(250)), cycle);
    limiter.set_quota(Quota::new(2, cycle), ms(250)).unwrap();
    assert_eq!(limiter.available(ms(500)), 1, "two came in a cycle, one was owed");
}

#[test]
fn shadow_mode_refuses_nothing_and_takes_no_tokens_for_it() {
    let limiter = AdjustableRateLimiter::new(Quota::per_second(1).burst(2));
    limiter.set_shadow(true);
    let answers: [bool; 3] = core::array::from_fn(|_| limiter.try_acquire(s(5)).unwrap().would_reject());
    assert_eq!(answers, [false, false, true]);
    assert!(limiter.try_acquire_many(7, s(5)).unwrap().would_reject());
    let reserved = limiter.reserve(2, SECOND, s(5)).unwrap();
    assert!(reserved.would_reject() && reserved.wait(s(5)) == Duration::ZERO);
    limiter.refund(reserved.into_grant(), s(5));
    assert_eq!(limiter.available(s(6)), 1);
    limiter.set_shadow(false);
    assert_eq!(limiter.try_acquire_many(7, s(5)), Err(Rejected::ExceedsBurst { cost: 7, burst: 2 }));
    assert!(limiter.try_acquire(s(5)).is_err());
}

#[test]
fn bad_quotas_are_errors_that_name_the_field_and_change_nothing() {
    let limiter = AdjustableRateLimiter::new(Quota::per_second(5));
    for (quota, field) in [
        (Quota::per_second(1).burst(0), "rate_limiter.burst"),
        (Quota::new(1, Duration::ZERO), "rate_limiter.period"),
    ] {
        let Err(QuotaError::Invalid(error)) = limiter.set_quota(quota, s(5)) else {
            panic!("must be refused")
        };
        assert_eq!(error.field, field);
    }
    assert_eq!(limiter.quota(), Quota::per_second(5));
    assert!(limiter.set_quota(Quota::per_second(1).burst(8_388_607), s(5)).is_ok());
    for burst in [8_388_608, u32::MAX] {
        let largest = limiter.set_quota(Quota::per_second(1).burst(burst), s(5));
        let bound = largest.err().map(|error| match error {
            QuotaError::Invalid(error) => error.bound,
            QuotaError::Busy => "busy",
        });
        assert_eq!(bound, (!WIDE).then_some("at most 8388607 where words have 32 bits"));
    }
    let some = AdjustableRateLimiter::new(Quota::new(1, Duration::MAX).burst(1));
    for now in [0, 1, u64::MAX / 2, u64::MAX - 1, u64::MAX] {
        let now = Instant::from_nanos(now);
        for quota in [Quota::new(1, Duration::MAX), Quota::per_second(0), Quota::new(u32::MAX, NANO).burst(1)]
        {
            some.set_quota(quota, now).unwrap();
            let _ = some.try_acquire(now);
            let _ = some.reserve(1, Duration::MAX, now);
            assert!(some.available(now) <= 1);
        }
    }
}

#[test]
fn b30_b31_p4_any_moment_and_the_end_of_time() {
    for tokens in [1, 3, 7, 1000, 1_000_003, 700_000_000] {
        for now in [0, 1, 999_999_999, u64::MAX / 2, u64::MAX - 10, u64::MAX] {
            let limiter = AdjustableRateLimiter::new(Quota::per_second(tokens).burst(4));
            assert_eq!(burst(&limiter, 9, Instant::from_nanos(now)), 4, "{tokens}/s at {now}");
        }
    }
}

/// Also under the next quota, whose units are others.
#[test]
fn idling_for_a_multiple_of_the_wrap_is_idling() {
    let quota = Quota::per_second(3).burst(7);
    let wrap = if WIDE { (1 << 59) / 3 } else { 7_000_000_000 / 3 * (1 << 11) };
    for ahead in [0, 1, 1_000_000, 2_000_000_000, 7_000_000_000] {
        for multiple in 1..=3 {
            let limiter = AdjustableRateLimiter::new(Quota::per_second(1).burst(7));
            let start = s(1).as_nanos();
            limiter.set_quota(quota, Instant::from_nanos(start)).unwrap();
            let grant = limiter.try_acquire_many(7, Instant::from_nanos(start)).unwrap();
            let now = Instant::from_nanos(start + wrap * multiple - ahead);
            assert_eq!((limiter.available(now), limiter.check(7, now)), (7, Ok(())), "before it is used");
            limiter.refund(grant, now);
            assert_eq!(burst(&limiter, 8, now), 7, "{ahead} ns before {multiple} wraps");
            limiter.set_quota(Quota::per_second(7).burst(7), now).unwrap();
            assert_eq!(burst(&limiter, 8, now), 0, "a change is no idle time");
        }
    }
}

/// A change that comes first after so long finds a full bucket, too.
#[test]
fn a_change_after_a_wrap_finds_a_full_bucket() {
    let limiter = AdjustableRateLimiter::new(Quota::per_second(3).burst(7));
    let wrap = if WIDE { (1 << 59) / 3 } else { 7_000_000_000 / 3 * (1 << 11) };
    assert_eq!(burst(&limiter, 8, s(0)), 7);
    let now = Instant::from_nanos(wrap);
    limiter.set_quota(Quota::per_second(30).burst(9), now).unwrap();
    let left = burst(&limiter, 10, now);
    assert!(left == 7 || !WIDE && left == 6, "{left}: as many tokens as there were, rounded down to a unit");
}

/// What takes nothing ends no idle time, however often it is done.
#[test]
fn what_takes_nothing_keeps_no_old_word_young() {
    let quota = Quota::per_second(3).burst(7);
    let (wrap, era) = if WIDE { ((1 << 59) / 3, 1 << 55) } else { (7_000_000_000 / 3 * (1 << 11), 1 << 39) };
    let limiter = AdjustableRateLimiter::new(quota);
    assert_eq!(burst(&limiter, 8, s(0)), 7);
    for nanos in (0..wrap).step_by(era) {
        let now = Instant::from_nanos(nanos);
        let nothing = limiter.try_acquire_many(0, now).unwrap();
        limiter.refund(nothing, now);
        assert!(limiter.try_acquire_many(8, now).is_err(), "more than the burst");
        let reserved = limiter.reserve(0, Duration::ZERO, now).unwrap();
        limiter.cancel(reserved, now);
    }
    assert_eq!(burst(&limiter, 8, Instant::from_nanos(wrap)), 7);
}

/// A call that is stopped in front of any access, while the quota changes twice, so that the slot that it reads is another's.
#[test]
fn a_call_that_is_stopped_while_its_slot_is_written_anew_begins_no_era_of_the_other_quota() {
    extern crate std;
    let now = s(if WIDE { 100 * 86_400 } else { 6_000 });
    let stopped = |n| {
        let limiter = std::sync::Arc::new(AdjustableRateLimiter::new(Quota::per_second(10).burst(10)));
        let changes = limiter.clone();
        let handler = move || {
            let _all = burst(&changes, 11, now);
            for tokens in [20, 1023] {
                changes.set_quota(Quota::per_second(tokens).burst(10), now).unwrap();
            }
        };
        let reached = interrupted(n, handler, || drop(limiter.try_acquire(now)));
        assert!(!reached || burst(&limiter, 11, now) == 0, "access {n}");
        reached
    };
    assert!((0..100).take_while(|&n| stopped(n)).count() > 8);
}

#[test]
fn threads_that_ask_while_quotas_change_get_what_each_gave() {
    extern crate std;
    let (small, large) = (Quota::per_second(1).burst(5), Quota::per_second(1).burst(8));
    let limiter = AdjustableRateLimiter::new(small);
    let admitted: u32 = std::thread::scope(|scope| {
        let askers: [_; 2] = core::array::from_fn(|_| scope.spawn(|| burst(&limiter, 5000, s(9))));
        for change in 0..1000 {
            limiter.set_quota(if change % 2 == 0 { large } else { small }, s(9)).unwrap();
        }
        askers.into_iter().map(|asker| asker.join().unwrap()).sum()
    });
    assert_eq!(admitted, 5, "no change adds a token");
}

#[test]
fn the_cost_is_as_documented_also_with_spurious_failures() {
    let limiter = AdjustableRateLimiter::new(Quota::per_second(1).burst(1));
    assert_eq!(count(|| limiter.try_acquire(s(0)).is_ok()), (Accesses { loads: 9, writes: 1 }, true));
    assert_eq!(count(|| limiter.try_acquire(s(0)).is_ok()), (Accesses { loads: 10, writes: 0 }, false));
    let change = count(|| limiter.set_quota(Quota::per_second(2), s(0)));
    assert_eq!(change, (Accesses { loads: 17, writes: 14 }, Ok(())));
    let limiter = AdjustableRateLimiter::new(Quota::per_second(1).burst(50));
    assert_eq!(with_spurious_failures(2, || burst(&limiter, 99, s(0))), 50);
    if WIDE {
        assert_eq!(size_of::<AdjustableRateLimiter>(), 128);
    }
}
