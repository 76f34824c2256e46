extern crate std;

use core::time::Duration;
use std::boxed::Box;
use std::vec::Vec;

use super::{Config, Entry, KeyedRateLimiter, Refund, Rejected, WhenFull};
use crate::admission::rate_limiter::Quota;
use crate::atomic::sync::{Wide, probe};
use crate::config::ConfigError;
use crate::time::Instant;

/// One token a second.
const SLOW: Quota = Quota::new(1, Duration::from_secs(1));
const CONFIG: Config = Config::seeded(7);

fn s(seconds: u64) -> Instant {
    Instant::from_secs(seconds)
}

fn ms(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

/// The hash of the key with this tag in the first set.
fn tag(tag: u32) -> u64 {
    u64::from(tag)
}

/// A limiter whose keys have each taken so many tokens at ten seconds.
fn with_debts<const N: usize>(quota: Quota, config: Config, debts: &[u32]) -> KeyedRateLimiter<N> {
    let keyed = KeyedRateLimiter::<N>::new(quota, config);
    for (key, &debt) in debts.iter().enumerate() {
        keyed.bucket_of_hash(tag(key as u32 + 1)).try_acquire_many(debt, s(10)).unwrap();
    }
    keyed
}

fn knows<const N: usize>(keyed: &KeyedRateLimiter<N>, key: u32) -> bool {
    keyed.bucket_of_hash(tag(key)).status(s(10)).is_some()
}

#[test]
fn each_key_has_a_bucket_of_its_own() {
    let keyed = KeyedRateLimiter::<16>::new(SLOW.burst(2), CONFIG);
    for key in ["a", "b", "c"] {
        assert!(keyed.try_acquire(key, s(5)).is_ok());
        assert!(keyed.try_acquire(key, s(5)).is_ok());
        let wait = Some(Duration::from_secs(1));
        assert_eq!(keyed.try_acquire(key, s(5)), Err(Rejected::Limited { retry_after: wait }));
        assert_eq!(keyed.bucket(key).check(1, s(5)), Err(Rejected::Limited { retry_after: wait }));
        assert!(keyed.bucket(key).check(1, s(6)).is_ok());
        assert_eq!(keyed.bucket(key).status(s(6)).unwrap().available, 1);
    }
    assert_eq!(keyed.len(), 3);
    assert_eq!(keyed.bucket("d").status(s(5)), None);
    assert_eq!(keyed.len(), 3, "looking makes no entry");
}

#[test]
fn a_cost_above_the_burst_and_a_cost_of_nothing_touch_no_entry() {
    let keyed = KeyedRateLimiter::<1>::new(SLOW.burst(2), CONFIG);
    let refused = Err(Rejected::ExceedsBurst { cost: 3, burst: 2 });
    assert_eq!(keyed.bucket("a").try_acquire_many(3, s(1)), refused);
    let nothing = keyed.bucket("a").try_acquire_many(0, s(1)).unwrap();
    assert_eq!(keyed.refund(nothing, s(1)), Refund::Lapsed);
    assert!(keyed.is_empty());
    // Also where there is no room.
    keyed.bucket("b").try_acquire_many(2, s(1)).unwrap();
    assert!(!keyed.is_empty());
    assert!(keyed.bucket("a").try_acquire_many(0, s(1)).is_ok());
    assert!(keyed.bucket("a").check(0, s(1)).is_ok());
}

#[test]
fn the_emptiest_goes_first() {
    // Entry by entry: one token of debt, none, two.
    let keyed = with_debts::<4>(SLOW.burst(4), CONFIG.forgiving(2), &[2, 1, 3]);
    assert!(keyed.bucket_of_hash(tag(4)).try_acquire(s(11)).is_ok(), "into the empty entry");
    assert_eq!(keyed.evictions(), 0);
    assert!(keyed.bucket_of_hash(tag(5)).try_acquire(s(11)).is_ok());
    assert!(!knows(&keyed, 2), "was full again");
    assert_eq!((keyed.evictions(), keyed.snapshot(s(11)).forgiven), (1, 0));
    assert!(keyed.bucket_of_hash(tag(6)).try_acquire_many(3, s(11)).is_ok());
    assert!(!knows(&keyed, 1), "owed as much as two others, and came first");
    assert_eq!((keyed.evictions(), keyed.snapshot(s(11)).forgiven), (2, 1));
    assert!(keyed.bucket_of_hash(tag(7)).try_acquire_many(3, s(11)).is_ok());
    assert!(!knows(&keyed, 5) && knows(&keyed, 3) && knows(&keyed, 6), "owed one, not two");
    assert!(keyed.bucket_of_hash(tag(8)).try_acquire_many(3, s(11)).is_ok());
    assert!(!knows(&keyed, 4));
    assert!(keyed.bucket_of_hash(tag(9)).try_acquire_many(3, s(11)).is_ok());
    assert!(!knows(&keyed, 3), "owed two");
    let full = keyed.bucket_of_hash(tag(10)).try_acquire(s(11)).unwrap_err();
    assert!(matches!(full, Rejected::TableFull { .. }));
    assert_eq!(keyed.bucket_of_hash(tag(10)).check(1, s(11)), Err(full));
    let wait = full.retry_after().unwrap();
    assert!(wait <= Duration::from_secs(1) && wait > Duration::from_millis(999), "{wait:?}");
    assert!(keyed.bucket_of_hash(tag(10)).try_acquire(s(12)).is_ok(), "as it was told");
}

#[test]
fn an_entry_that_denies_never_goes_and_one_that_could_pay_does() {
    for burst in [1, 2, 5] {
        let keyed = with_debts::<1>(SLOW.burst(burst), CONFIG.forgiving(burst), &[burst]);
        let wait = Some(Duration::from_secs(1));
        let full = Rejected::TableFull { retry_after: wait };
        assert_eq!(keyed.try_acquire("new", s(10)), Err(full));
        assert_eq!(keyed.bucket_of_hash(tag(1)).status(s(10)).unwrap().available, 0);
        assert!(keyed.try_acquire("new", s(11)).is_ok(), "one token came back, {burst}");
    }
}

#[test]
fn nothing_is_forgiven_unless_it_is_set() {
    let keyed = with_debts::<1>(SLOW.burst(4), CONFIG.forgiving(0), &[1]);
    let just_before = Instant::from_nanos(s(11).as_nanos() - 1_000_000);
    assert!(matches!(keyed.try_acquire("new", just_before), Err(Rejected::TableFull { .. })));
    assert!(keyed.try_acquire("new", s(11)).is_ok());
    assert_eq!(keyed.snapshot(s(11)).forgiven, 0);
    assert_eq!(keyed.snapshot(s(11)).turned_away, 1);
}

#[test]
fn an_eviction_forgives_no_more_than_is_set() {
    for forgiven in 0..6 {
        for debt in 1..=6 {
            let keyed = with_debts::<1>(SLOW.burst(6), CONFIG.forgiving(forgiven), &[debt]);
            let goes = debt <= forgiven && debt < 6;
            assert_eq!(keyed.try_acquire("new", s(10)).is_ok(), goes, "{debt} of {forgiven}");
        }
    }
}

#[test]
fn what_finds_no_room_shares_a_bucket_if_it_is_set() {
    let keyed = with_debts::<1>(SLOW.burst(2), CONFIG.when_full(WhenFull::Share), &[2]);
    let first = keyed.try_acquire("b", s(10)).unwrap();
    assert!(first.is_shared());
    assert!(keyed.bucket("c").check(1, s(10)).is_ok());
    assert!(keyed.try_acquire("c", s(10)).unwrap().is_shared());
    let wait = Some(Duration::from_secs(1));
    assert_eq!(keyed.try_acquire("d", s(10)), Err(Rejected::Limited { retry_after: wait }));
    assert_eq!(keyed.bucket("d").check(1, s(10)), Err(Rejected::Limited { retry_after: wait }));
    assert_eq!(keyed.refund(first, s(10)), Refund::Returned);
    assert!(keyed.try_acquire("d", s(10)).unwrap().is_shared());
    assert_eq!((keyed.len(), keyed.snapshot(s(10)).turned_away), (1, 4), "the shared one is not counted");
    assert!(!keyed.try_acquire("d", s(11)).unwrap().is_shared(), "an entry can be had again");
}

#[test]
fn a_refund_finds_its_entry_or_is_stale() {
    let keyed = KeyedRateLimiter::<1>::new(SLOW.burst(3), CONFIG);
    let grant = keyed.bucket("a").try_acquire_many(2, s(10)).unwrap();
    assert_eq!(keyed.refund(grant, s(10)), Refund::Returned);
    assert_eq!(keyed.bucket("a").status(s(10)).unwrap().available, 3);
    let grant = keyed.try_acquire("a", s(10)).unwrap();
    assert_eq!(keyed.refund(grant, s(11)), Refund::Lapsed, "the bucket was full");
    let grant = keyed.try_acquire("a", s(20)).unwrap();
    let other = keyed.bucket("b").try_acquire_many(3, s(20)).unwrap();
    assert_eq!(keyed.refund(grant, s(20)), Refund::Stale, "b took the entry");
    assert_eq!(keyed.bucket("b").status(s(20)).unwrap().available, 0);
    assert!(keyed.bucket("b").forget());
    assert!(!keyed.bucket("b").forget());
    assert_eq!(keyed.refund(other, s(20)), Refund::Stale);
    let other = keyed.bucket("b").try_acquire_many(3, s(20)).unwrap();
    assert!(keyed.bucket("b").forget());
    keyed.bucket("b").try_acquire_many(2, s(20)).unwrap();
    assert_eq!(keyed.refund(other, s(20)), Refund::Returned, "taken for one of the new bucket");
    assert_eq!(keyed.bucket("b").status(s(20)).unwrap().available, 3, "which is full at most");
}

#[test]
fn keys_share_a_bucket_no_more_often_than_their_tags_say() {
    let keyed = KeyedRateLimiter::<8>::new(SLOW.burst(2), CONFIG);
    let bits = if Wide::BITS == 64 { 24 } else { 12 };
    keyed.bucket_of_hash(5).try_acquire_many(2, s(10)).unwrap();
    for bit in 0..64 {
        let other = keyed.bucket_of_hash(5 | 1 << bit).status(s(10));
        // Bits 0 and 2 are set already; there is one set, so the upper half tells nothing apart.
        assert_eq!(other.is_some(), bit == 0 || bit == 2 || bit >= bits, "bit {bit}");
    }
    assert!(keyed.bucket_of_hash(0).try_acquire(s(10)).is_ok(), "no tag is zero");
    assert_eq!(keyed.bucket_of_hash(1).status(s(10)).unwrap().available, 1);
    // The upper half picks the set: half of the keys each.
    let keyed = KeyedRateLimiter::<16>::new(SLOW, CONFIG);
    keyed.bucket_of_hash(5).try_acquire(s(10)).unwrap();
    assert!(keyed.bucket_of_hash(5 | 0x7FFF_FFFF << 32).status(s(10)).is_some());
    let other = keyed.bucket_of_hash(5 | 0x8000_0000 << 32);
    assert!(other.status(s(10)).is_none());
    assert!(other.try_acquire(s(10)).is_ok());
    assert_eq!(other.status(s(10)).map(|status| status.entry), Some(8));
}

/// Of uniform hashes one in `sets · 2^tag` meets a known key, and two of those whose tag is one: no tag is zero.
#[test]
fn strangers_meet_a_known_key_as_often_as_its_set_and_tag_say() {
    // On wide words the twelve bits of the tag above these are zero here; the test before this one shows that they count.
    let hashes = || (0..1 << 12).flat_map(|tag| [0, 1 << 63].map(|set| set | tag));
    for (known, meet) in [(5, 1), (1, 2), (1 << 63 | 4095, 1)] {
        let keyed = KeyedRateLimiter::<16>::new(SLOW, CONFIG);
        keyed.bucket_of_hash(known).try_acquire(s(10)).unwrap();
        let met = hashes().filter(|&hash| keyed.bucket_of_hash(hash).status(s(10)).is_some());
        assert_eq!(met.count(), meet, "{known:x}");
    }
}

#[test]
fn every_entry_is_used() {
    for (entries, keys) in [(1, 1), (7, 7), (8, 8), (24, 400)] {
        let entries: Vec<Entry> = (0..entries).map(|_| Entry::new()).collect();
        let keyed = KeyedRateLimiter::over(SLOW, CONFIG, &entries[..]).unwrap();
        let admitted = (0..keys).filter(|key| keyed.try_acquire(key, s(10)).is_ok()).count();
        assert_eq!((admitted, keyed.len()), (entries.len(), entries.len()));
        let mut hot: Vec<u32> = keyed.hot(s(10)).map(|status| status.entry).collect();
        hot.dedup();
        assert_eq!(hot.len(), entries.len(), "an index each");
    }
}

#[test]
fn sums_and_hot_entries_say_how_all_are_doing() {
    let keyed = with_debts::<8>(SLOW.burst(3), CONFIG, &[1, 2, 3]);
    let sums = keyed.snapshot(s(10));
    assert_eq!((sums.capacity, sums.held, sums.in_debt, sums.denied), (8, 3, 3, 1));
    let sums = keyed.snapshot(s(12));
    assert_eq!((sums.held, sums.in_debt, sums.denied), (3, 1, 0));
    assert_eq!(keyed.hot(s(12)).map(|status| status.available).collect::<Vec<_>>(), [2]);
    assert_eq!(keyed.hot(s(13)).count(), 0);
}

#[test]
fn a_clock_that_steps_back_mints_nothing() {
    let keyed = KeyedRateLimiter::<8>::new(SLOW.burst(2), CONFIG);
    keyed.bucket("a").try_acquire_many(2, s(100)).unwrap();
    for back in [99, 98] {
        assert!(matches!(keyed.try_acquire("a", s(back)), Err(Rejected::Limited { .. })), "{back}");
    }
    assert!(keyed.try_acquire("a", s(101)).is_ok());
}

/// How far back a clock may step where a token takes so many nanoseconds and a bucket no more than 1/16 s (1/100 s on 32 bits).
fn step_back_of(interval: u64) -> Duration {
    let (units, longest) = if Wide::BITS == 64 { (1 << 30, 4) } else { (1 << 15, 4000) };
    Duration::from_nanos(units * (interval / 250).clamp(1, longest))
}

fn before(now: Instant, step: Duration) -> Instant {
    Instant::from_nanos(now.as_nanos() - step.as_nanos() as u64)
}

#[test]
fn a_step_back_mints_nothing_at_any_rate_and_evicts_no_denied_key() {
    assert_eq!(step_back_of(1_000_000).as_millis(), if Wide::BITS == 64 { 4294 } else { 131 });
    for rate in [1000, 30_000, 100_003, 1_000_000, 7_000_001, 1_000_000_000] {
        for burst in [1, 3] {
            let step = step_back_of(1_000_000_000 / u64::from(rate));
            let keyed = KeyedRateLimiter::<1>::new(Quota::per_second(rate).burst(burst), CONFIG.forgiving(0));
            let clocks = [s(10), before(s(10), step), before(s(10), step / 3)];
            let mut admitted = 0;
            for call in 0..600 {
                let now = clocks[call % 3];
                admitted += u32::from(keyed.try_acquire("a", now).is_ok());
                if admitted == burst {
                    assert!(keyed.try_acquire("b", now).is_err(), "{rate}");
                }
            }
            assert_eq!(admitted, burst, "{rate}");
            assert_eq!(keyed.bucket("a").status(s(10)).unwrap().available, 0, "{rate}");
        }
    }
}

#[test]
fn a_step_back_beyond_the_bound_gives_one_burst_each_way() {
    let keyed = KeyedRateLimiter::<1>::new(Quota::per_second(1000).burst(3), CONFIG.forgiving(0));
    let most = step_back_of(1_000_000);
    let beyond = most + Duration::from_nanos(if Wide::BITS == 64 { 4 } else { 4000 });
    let calls = |now| (0..10).filter(|_| keyed.try_acquire("a", now).is_ok()).count();
    assert_eq!(calls(s(10)), 3);
    assert_eq!(calls(before(s(10), most)), 0, "just within it");
    assert_eq!(calls(before(s(10), beyond)), 3);
    assert_eq!(calls(s(10)), 3);
}

#[test]
fn a_key_that_idles_across_the_wrap_waits_no_longer_than_a_step_back_may_be() {
    let keyed = KeyedRateLimiter::<1>::new(Quota::per_second(1000).burst(1), CONFIG);
    let (unit, bits) = if Wide::BITS == 64 { (4, 40) } else { (4000, 20) };
    assert!(keyed.try_acquire("a", s(10)).is_ok());
    // The arrival time seems to be ahead by the longest step back again.
    let wrapped = before(Instant::from_nanos(s(10).as_nanos() + (unit << bits)), step_back_of(1_000_000));
    let wait = keyed.try_acquire("a", wrapped).unwrap_err().retry_after().unwrap();
    assert_eq!(wait, step_back_of(1_000_000) + Duration::from_millis(1));
    assert!(keyed.try_acquire("a", wrapped.saturating_add(wait)).is_ok());
    let just_before = Instant::from_nanos(wrapped.as_nanos() - unit);
    keyed.bucket("a").forget();
    assert!(keyed.try_acquire("a", s(10)).is_ok());
    assert!(keyed.try_acquire("a", just_before).is_ok(), "idled for less");
}

#[test]
fn the_end_of_time_and_its_beginning_panic_nowhere() {
    let longest = Quota::new(1, Duration::MAX);
    let shortest = Quota::new(u32::MAX, Duration::from_nanos(1)).burst(16_383);
    let never = Quota::new(0, Duration::from_secs(1)).burst(16_383);
    for quota in [SLOW, SLOW.burst(16_383), longest, shortest, never] {
        let config = CONFIG.forgiving(u32::MAX).when_full(WhenFull::Share);
        let keyed = KeyedRateLimiter::<1>::new(quota, config);
        for now in [0, 1, u64::MAX / 2, u64::MAX - 1, u64::MAX, 0] {
            let now = Instant::from_nanos(now);
            for key in 0..3 {
                for cost in [0, 1, quota.burst_size(), u32::MAX] {
                    let granted = keyed.bucket(&key).try_acquire_many(cost, now);
                    assert_eq!(
                        cost > quota.burst_size(),
                        matches!(granted, Err(Rejected::ExceedsBurst { .. }))
                    );
                    if let Ok(grant) = granted {
                        keyed.refund(grant, now);
                    }
                    let _ = keyed.bucket(&key).check(cost, now);
                }
            }
            assert!(keyed.snapshot(now).held <= 1);
        }
    }
}

#[test]
fn bad_configuration_names_its_field_and_bound() {
    fn refused<const N: usize>(quota: Quota) -> ConfigError {
        KeyedRateLimiter::<N>::try_new(quota, CONFIG).unwrap_err()
    }
    assert_eq!(refused::<0>(SLOW).field, "keyed.entries");
    assert_eq!(refused::<9>(SLOW).bound, "between 1 and 7, or a multiple of 8");
    assert_eq!(refused::<8>(SLOW.burst(0)).field, "rate_limiter.burst");
    assert_eq!(refused::<8>(Quota::new(1, Duration::ZERO)).field, "rate_limiter.period");
    assert_eq!(KeyedRateLimiter::over(SLOW, CONFIG, &[][..]).unwrap_err().field, "keyed.entries");
    let widest = KeyedRateLimiter::<8>::try_new(SLOW.burst(16_384), CONFIG);
    assert_eq!(widest.is_ok(), Wide::BITS == 64);
    assert!(KeyedRateLimiter::<8>::try_new(SLOW.burst(16_383), CONFIG).is_ok());
}

#[test]
fn neither_seed_nor_key_is_printed() {
    let (config, entries) = (Config::seeded(0xABCD_EF12), [Entry::new()]);
    let keyed = KeyedRateLimiter::over(SLOW, config, &entries[..]).unwrap();
    keyed.bucket_of_hash(0x12_3456).try_acquire(s(1)).unwrap();
    let printed = std::format!("{keyed:?} {:?} {:?} {:?}", config, entries[0], keyed.bucket(&1));
    for secret in [0xABCD_EF12_u64, 0x12_3456] {
        assert!(
            !printed.contains(&std::format!("{secret}")) && !printed.contains(&std::format!("{secret:x}"))
        );
    }
}

#[test]
fn an_entry_is_one_word() {
    assert_eq!(size_of::<Entry>(), size_of::<Wide>());
    let boxed: Box<[Entry]> = (0..8).map(|_| Entry::default()).collect();
    assert!(KeyedRateLimiter::over(SLOW, CONFIG, boxed).is_ok());
}

#[test]
fn cost_of_a_call() {
    let keyed = KeyedRateLimiter::<8>::new(SLOW.burst(2), CONFIG.forgiving(0));
    let take = |key: u32, now| {
        let (accesses, _) = probe::count(|| keyed.bucket_of_hash(tag(key)).try_acquire(now));
        (accesses.loads, accesses.writes)
    };
    assert_eq!(take(1, s(10)), (25, 4), "new, into an empty entry: two looks, two turns, two exchanges");
    assert_eq!(take(1, s(10)), (2, 1), "known");
    assert_eq!(take(1, s(10)), (2, 0), "rejected");
    for key in 2..=8 {
        take(key, s(10));
    }
    assert_eq!(take(8, s(10)), (9, 1), "known, in the last entry");
    assert_eq!(take(9, s(10)), (8, 1), "no entry to be had");
    assert_eq!(take(9, s(12)), (25, 5), "new, into one that is as new");
}

#[test]
fn spurious_failures_change_nothing() {
    let keyed = KeyedRateLimiter::<8>::new(SLOW.burst(3), CONFIG);
    probe::with_spurious_failures(2, || {
        let admitted = (0..40).filter(|call| keyed.try_acquire(&(call % 4), ms(5)).is_ok()).count();
        assert_eq!((admitted, keyed.len()), (12, 4));
    });
}
