//! What must hold for any sequence of calls of any keys: each key has its own bucket, and who is in debt keeps it.

use std::time::Duration;

use seawall_core::keyed::{Config, Rejected};
use seawall_core::rate_limiter::Quota;
use seawall_core::{Instant, KeyedRateLimiter};

use crate::input::Input;

/// Whether words have 32 bits.
const NARROW: bool = cfg!(any(seawall_word32, not(target_has_atomic = "64")));

/// One set, so that keys compete for every entry.
const ENTRIES: usize = 4;
const KEYS: usize = 10;

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
    let burst = input.between(1, 7);
    let forgiven = input.between(0, 2);
    let quota = Quota::new(1, Duration::from_nanos(TICKS * TICK)).burst(burst);
    let config = Config::seeded(0).forgiving(forgiven);
    let keyed = KeyedRateLimiter::<ENTRIES>::new(quota, config);
    let mut buckets = Buckets { burst: u64::from(burst), full_at: [0; KEYS] };
    let start = u64::from(input.half()) + 1;
    let (mut now, mut extra) = (start, 0);
    while let Some(operation) = input.operation() {
        let at = Instant::from_nanos(now * TICK);
        match operation % 8 {
            0..=4 => {
                let (key, cost) = (usize::from(input.byte()) % KEYS, input.between(0, 4));
                let answer = keyed.bucket_of_hash(hash(key)).try_acquire_many(cost, at);
                let own = buckets.wait(key, cost, now);
                match (answer, own) {
                    (Err(Rejected::ExceedsBurst { .. }), _) => assert!(cost > burst),
                    (Ok(_), wait) => {
                        assert!(cost <= burst);
                        // What an eviction forgave is admitted beyond the key's own bucket.
                        let owed = wait.div_ceil(TICKS);
                        assert!(owed == 0 || forgiven > 0, "{owed} tokens more than its bucket holds");
                        extra += owed;
                        buckets.take(key, cost, now);
                    }
                    (Err(Rejected::Limited { retry_after }), wait) => {
                        assert!(wait > 0, "its bucket holds as many");
                        if forgiven == 0 {
                            assert_eq!(retry_after, Some(Duration::from_nanos(wait * TICK)));
                        }
                    }
                    (Err(Rejected::TableFull { retry_after }), _) => {
                        let others = (0..KEYS).filter(|&other| other != key);
                        let in_debt = others.filter(|&other| buckets.debt(other, now) > 0).count();
                        assert!(in_debt >= ENTRIES, "only {in_debt} keys are in debt");
                        assert!(retry_after.is_some_and(|wait| !wait.is_zero()));
                    }
                    (answer, own) => panic!("{answer:?}, where the own bucket says {own}"),
                }
            }
            5 => now += u64::from(input.byte() % 32),
            6 => now += TICKS,
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

/// When each key's bucket is full again, in ticks.
struct Buckets {
    burst: u64,
    full_at: [u64; KEYS],
}

impl Buckets {
    fn debt(&self, key: usize, now: u64) -> u64 {
        self.full_at[key].saturating_sub(now)
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
            self.full_at[key] = now + debt + cost;
        }
    }
}
