//! What must hold for any sequence of calls of any keys: each key has its own bucket, and who is in debt keeps it.

use std::time::Duration;

use seawall_core::keyed::{Config, Grant, Refund, Rejected, WhenFull};
use seawall_core::rate_limiter::Quota;
use seawall_core::{Instant, KeyedRateLimiter};

use crate::input::Input;

/// Whether words have 32 bits.
const NARROW: bool = cfg!(any(seawall_word32, not(target_has_atomic = "64")));

/// One set, so that keys compete for every entry.
const ENTRIES: usize = 4;
const KEYS: usize = 10;
/// The bucket that keys without an entry share.
const SHARED: usize = KEYS;

/// A tick is a whole number of units in both layouts, and a token a whole number of ticks, so that nothing is rounded.
const TICK: u64 = 1_000_000;
const TICKS: u64 = 16;

/// Runs the script of `bytes` on a keyed limiter and on a list of buckets without bounds.
///
/// # Panics
///
/// If a key gets more than its own bucket gives, or less.
pub fn check(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let first = input.byte();
    let (burst, shares) = (1 + u32::from(first) % 7, first >= 128);
    let forgiven = input.between(0, 2);
    let quota = Quota::new(1, Duration::from_nanos(TICKS * TICK)).burst(burst);
    let when_full = if shares { WhenFull::Share } else { WhenFull::Refuse };
    let config = Config::seeded(0).forgiving(forgiven).when_full(when_full);
    let keyed = KeyedRateLimiter::<ENTRIES>::new(quota, config);
    let mut buckets = Buckets { burst: u64::from(burst), full_at: [0; KEYS + 1], debts: [0; KEYS + 1] };
    let start = u64::from(input.half()) + 1;
    let (mut now, mut extra, mut turned_away) = (start, 0, 0);
    let mut taken: Vec<(Grant, Taken)> = Vec::new();
    while let Some(operation) = input.operation() {
        let at = Instant::from_nanos(now * TICK);
        match operation % 8 {
            0..=4 => {
                let (key, cost) = (usize::from(input.byte()) % KEYS, input.between(0, 4));
                let bucket = keyed.bucket_of_hash(hash(key));
                let asked = bucket.check(cost, at);
                let answer = bucket.try_acquire_many(cost, at);
                assert_eq!(asked.err(), answer.as_ref().err().copied(), "a question changes nothing");
                let own = buckets.wait(key, cost, now);
                match (answer, own) {
                    (Err(Rejected::ExceedsBurst { .. }), _) => assert!(cost > burst),
                    (Ok(grant), _) if grant.is_shared() => {
                        assert!(shares && cost > 0);
                        buckets.finds_no_entry(key, now);
                        assert_eq!(buckets.wait(SHARED, cost, now), 0, "all of them have one bucket");
                        buckets.take(SHARED, cost, now);
                        turned_away += 1;
                        taken.push((grant, buckets.taken(SHARED, cost)));
                    }
                    (Ok(grant), wait) => {
                        assert!(cost <= burst);
                        // What an eviction forgave is admitted beyond the key's own bucket.
                        let owed = wait.div_ceil(TICKS);
                        assert!(owed == 0 || forgiven > 0, "{owed} tokens more than its bucket holds");
                        extra += owed;
                        buckets.take(key, cost, now);
                        taken.push((grant, buckets.taken(key, cost)));
                    }
                    (Err(Rejected::Limited { retry_after }), 0) => {
                        assert!(shares, "its bucket holds as many");
                        buckets.finds_no_entry(key, now);
                        let wait = buckets.wait(SHARED, cost, now);
                        assert!(wait > 0, "the shared bucket holds as many");
                        assert_eq!(retry_after, Some(Duration::from_nanos(wait * TICK)));
                        turned_away += 1;
                    }
                    (Err(Rejected::Limited { retry_after }), wait) => {
                        if forgiven == 0 {
                            assert_eq!(retry_after, Some(Duration::from_nanos(wait * TICK)));
                        }
                    }
                    (Err(Rejected::TableFull { retry_after }), _) => {
                        assert!(!shares);
                        buckets.finds_no_entry(key, now);
                        assert!(retry_after.is_some_and(|wait| !wait.is_zero()));
                        turned_away += 1;
                    }
                    (answer, own) => panic!("{answer:?}, where the own bucket says {own}"),
                }
            }
            5 => now += u64::from(input.byte() % 32),
            6 => now += TICKS,
            // What comes back is known exactly only where no debt was forgiven.
            _ if operation > 200 && forgiven == 0 && !taken.is_empty() => {
                let (grant, one) = taken.swap_remove(input.index(taken.len()).unwrap_or(0));
                let refund = keyed.refund(grant, at);
                buckets.give_back(one, refund, now);
            }
            _ => now += u64::from(input.byte()) * TICKS / 4,
        }
        // What idles for more than 60 bursts' time on the narrow layout may be taken for one in debt.
        if now > start + if NARROW { 40 * TICKS * u64::from(burst) } else { 1 << 24 } {
            return;
        }
        let seen = keyed.snapshot(Instant::from_nanos(now * TICK));
        assert!(seen.held <= ENTRIES && seen.in_debt <= seen.held && seen.denied <= seen.in_debt);
        assert!(extra <= seen.forgiven * u64::from(forgiven), "{extra} tokens beyond what was forgiven");
        if forgiven == 0 {
            let in_debt = (0..KEYS).filter(|&key| buckets.debt(key, now) > 0).count();
            assert_eq!(seen.turned_away, turned_away);
            let denied = (0..KEYS).filter(|&key| buckets.wait(key, 1, now) > 0).count();
            assert_eq!((seen.in_debt, seen.denied), (in_debt, denied), "who is in debt keeps its entry");
        }
    }
}

/// A hash of a key, uniform in all of its bits.
fn hash(key: usize) -> u64 {
    let mut bits = (key as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    bits = (bits ^ bits >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ bits >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ bits >> 31
}

/// Tokens that were taken, from whose bucket, and when that would have been full again.
#[derive(Clone, Copy)]
struct Taken {
    key: usize,
    cost: u32,
    until: u64,
    /// How often the bucket had gone into debt.
    debts: u64,
}

/// When each key's bucket is full again, in ticks.
struct Buckets {
    burst: u64,
    full_at: [u64; KEYS + 1],
    /// How often each went into debt.
    debts: [u64; KEYS + 1],
}

impl Buckets {
    fn debt(&self, key: usize, now: u64) -> u64 {
        self.full_at[key].saturating_sub(now)
    }

    /// All entries belong to other keys, which owe something.
    fn finds_no_entry(&self, key: usize, now: u64) {
        let others = (0..KEYS).filter(|&other| other != key);
        let in_debt = others.filter(|&other| self.debt(other, now) > 0).count();
        assert!(in_debt >= ENTRIES, "only {in_debt} keys are in debt");
    }

    /// The ticks until the key's own bucket holds so many tokens.
    fn wait(&self, key: usize, cost: u32, now: u64) -> u64 {
        let wanted = self.debt(key, now) + u64::from(cost) * TICKS;
        if cost == 0 { 0 } else { wanted.saturating_sub(self.burst * TICKS) }
    }

    /// Takes tokens; what was forgiven is no debt.
    fn take(&mut self, key: usize, cost: u32, now: u64) {
        let cost = u64::from(cost) * TICKS;
        if cost > 0 {
            let debt = self.debt(key, now).min(self.burst * TICKS - cost);
            self.debts[key] += u64::from(debt == 0);
            self.full_at[key] = now + debt + cost;
        }
    }

    /// What was just taken.
    fn taken(&self, key: usize, cost: u32) -> Taken {
        Taken { key, cost, until: self.full_at[key], debts: self.debts[key] }
    }

    /// Checks what became of tokens that were given back, and has it too.
    fn give_back(&mut self, taken: Taken, refund: Refund, now: u64) {
        let Taken { key, cost, until, debts } = taken;
        // A bucket that was in debt all the time has kept its entry, and the shared one has it in any case.
        let kept = debts == self.debts[key] || key == SHARED;
        if cost > 0 && until > now && self.debt(key, now) > 0 && kept {
            assert_eq!(refund, Refund::Returned);
        }
        if refund == Refund::Returned {
            assert!(cost > 0 && until > now, "the bucket was full since");
            // What time has paid back since does not come a second time.
            let owed = (until - now).min(self.debt(key, now));
            self.full_at[key] -= owed.min(u64::from(cost) * TICKS);
        }
    }
}
