//! One rate limiter, or one circuit breaker, for each key, in fixed memory.
//!
//! Use it where one client must not spend what is meant for another: an address, a tenant, a device.
//! The breaker has a page of its own ([`circuit_breaker`]) that tells what differs.
//! All keys have one quota; for a handful of keys that are known beforehand, an array of
//! [`RateLimiter`](super::rate_limiter::RateLimiter)s is simpler and exact.
//!
//! # Examples
//!
//! ```
//! use core::time::Duration;
//! use seawall_core::keyed::{Config, Entry};
//! use seawall_core::{Instant, KeyedRateLimiter, rate_limiter::Quota};
//!
//! static DEVICES: KeyedRateLimiter<64> = KeyedRateLimiter::new(Quota::per_second(10).burst(2), Config::seeded(0x5EA));
//!
//! let now = Instant::from_secs(5);
//! assert!(DEVICES.bucket("probe 7").try_acquire_many(2, now).is_ok());
//! let rejected = DEVICES.try_acquire("probe 7", now).unwrap_err();
//! assert_eq!(rejected.retry_after(), Some(Duration::from_millis(100)));
//! assert!(DEVICES.try_acquire("probe 8", now).is_ok(), "has a bucket of its own");
//!
//! // Entries that the caller gives; on a server the seed is drawn when it starts.
//! let entries: Box<[Entry]> = (0..1000).map(|_| Entry::new()).collect();
//! let clients = KeyedRateLimiter::over(Quota::per_second(100), Config::seeded(0xC11), entries).unwrap();
//! assert!(clients.try_acquire(&[10, 0, 0, 1], now).is_ok());
//! ```
//!
//! # States
//!
//! The hash of a key, SipHash-1-3 under the caller's seed, says in which set of eight entries it may stand; with fewer than
//! eight entries there is one set of them all.
//! A key that is in none of them takes the first that can go, in this order:
//!
//! 1. an empty one;
//! 2. one whose bucket is full: it is as new, so nothing is lost with it;
//! 3. one that another new key is just taking;
//! 4. the one with the least debt, up to what [`Config::forgiving`] says, one token unless it is set. That debt is forgiven.
//!
//! An entry that cannot give one token now, as a bucket that is as new could, never goes.
//! If all entries of the set stay, [`WhenFull`] decides: the key is refused, or shares one bucket with all such keys.
//!
//! # Memory layout
//!
//! An entry is one word; a tag of zero says that nobody holds it.
//!
//! ```text
//! 64 bits            63 ……………………………… 24    23 …………… 0
//! held               ARRIVAL 40           | TAG 24
//! on its way in      TAG 24 | TICKET 16   | 0
//!
//! 32 bits            31 ……………………………… 12    11 …………… 0
//! held               ARRIVAL 20           | TAG 12
//! on its way in      TAG 12 | TICKET 8    | 0
//! ```
//!
//! The arrival time is that of the limiter ([`rate_limiter`](super::rate_limiter)), in coarser units.
//! They are as short as a full bucket of 2²⁶ of them (2¹⁴ on 32 bits) allows, but no shorter than 4 ns (4 µs), nor than a 250th of
//! a token if that is less, nor than a nanosecond.
//! If possible a token is a whole number of units; else the rate is low by one part in 2²⁵ / `burst` (2¹³ / `burst`) or in 250 at
//! most, whichever is more, or where a token takes less than 250 ns by the rounding of a token to whole nanoseconds.
//!
//! An arrival time further ahead than a full burst and 2³⁰ units (2¹⁵) is in the past. So a clock may step back by
//!
//! | a token takes | 64 bits | 32 bits |
//! |---|---|---|
//! | 1 ms or more | 16 full buckets' time, and 4.29 s at least | 2 full buckets' time, and 131 ms at least |
//! | 1 µs to 1 ms | the same | 2 full buckets' time, and 104 tokens' time at least |
//! | less | 16 full buckets' time, and 1.07 s at least | 2 full buckets' time, and 32 µs at least |
//!
//! The price is paid by idle keys: an entry that nobody asks for during 16000 full buckets' time, and 18 minutes at least (61 full
//! buckets' time, and 30 times the step) can be taken for one in debt, with a chance of 1 in 1000 (1 in 20), and then refuses its
//! key for as long as the step may be at most.
//!
//! # Ordering
//!
//! (a) One exchange on the entry's word decides, and the word names the owner: a step of a key can never land in an entry
//! that another key was given, nor an eviction take an entry whose key took a step since it was looked at.
//! (b) A key comes in by two exchanges. The first makes an entry pending, the second makes it the key's, after a look at the
//! rest of the set; in between the thread takes a turn on a common word. Of two threads that bring one key in, the one with
//! the later turn sees the other's entry; a pending one gives way to a confirmed one and to a pending one before it. So a key
//! has one entry, and whoever finds it pending can bring it in: a thread that is stopped holds up nobody.
//! (c) Nothing is stale. (d) A ticket tells an attempt from later ones by the same key: a thread that is stopped between its
//! look and its exchange for exactly a multiple of 65536 (256) other arrivals could bring a key in twice.
//! (e) Models: `loom-tests/tests/keyed.rs`.
//!
//! # Progress
//!
//! For a key that has an entry a call is lock-free, and its rejection wait-free. Bringing in a new key is obstruction-free: two new
//! keys for which one entry is left take it from each other until one of them confirms it first, and no number of turns bounds that.
//! A thread that is stopped holds up nobody.
//! A call looks at no more than eight entries, a new key twice; it looks again only if another thread changed one of them.
//!
//! # Accuracy
//!
//! What holds for each key, and the test that checks it:
//!
//! - A key with an entry has the limiter's promise: never more than `burst + rate · t` tokens in any interval `t`, at any number
//!   of threads, one token more where rounding of a unit adds up
//!   (`props_keyed`: `no_key_gets_more_than_its_own_bucket_would_give`).
//! - A clock that steps back by no more than the bound above mints nothing, evicts no key that is denied, and refuses for no longer
//!   than the step (`a_step_back_mints_nothing_at_any_rate_and_evicts_no_denied_key`). Beyond it the stored time reads as past, so
//!   the step gives each key a burst, and the way back another one (`a_step_back_beyond_the_bound_gives_one_burst_each_way`).
//!   Idling costs what is said above (`a_key_that_idles_across_the_wrap_waits_no_longer_than_a_step_back_may_be`).
//! - Two threads that bring one key in make one entry, and over-admit nothing
//!   (`a_key_that_two_threads_bring_in_has_one_entry`).
//! - A key that is denied is never evicted, and with `forgiving(0)` no key in debt
//!   (`b36_a_flood_of_keys_leaves_the_throttled_throttled`, `nothing_is_forgiven_unless_it_is_set`).
//!   Otherwise an eviction gives its key at most so many tokens (`an_eviction_forgives_no_more_than_is_set`).
//! - Two keys share a bucket if they meet in one set with one tag
//!   (`keys_share_a_bucket_no_more_often_than_their_tags_say`). A stranger meets a known key with a chance of 1 in
//!   2²⁴ · `ENTRIES` / 8, and 1 in 2¹² · `ENTRIES` / 8 on 32 bits, with 1 for less than eight entries; twice that for a key whose
//!   tag is one, since no tag is zero (`strangers_meet_a_known_key_as_often_as_its_set_and_tag_say`). So a flood of *n* keys takes
//!   *n* / (2²¹ · `ENTRIES`) tokens from each key that is known, on average, and *n* / (512 · `ENTRIES`) on 32 bits: 10 000 keys
//!   take 2.4 from each of 8 entries (`a_flood_drains_a_known_key_as_often_as_it_meets_its_tag`). Both keys together never get more
//!   than one bucket. A stranger that has met a key meets it again for as long as both are asked for.
//! - A refund after its key lost its entry is stale; if the key came back since, it is taken for one of the new bucket, so that
//!   the key gains what was forgiven (`a_refund_finds_its_entry_or_is_stale`).
//! - Time and memory do not grow with the number of keys (`cost_of_a_call`).
//!
//! # Trade-offs
//!
//! A set can be full while others have room: with twice as many entries as keys in debt, one new key in 20 finds no entry, with
//! four times as many one in 900 (the tail of Poisson's distribution).
//! In a `static` the seed stands in the program: where keys come from strangers, make the limiter when the program runs, or
//! hash with a secret of your own ([`KeyedRateLimiter::bucket_of_hash`]).
//! The key's `Hash` is the one piece of the caller's code that core runs, before it touches anything.
//! Turns are counted in one word, so many threads that bring in new keys at once meet there.
//!
//! # Cost
//!
//! | call | loads | writes |
//! |---|---:|---:|
//! | known key, admitted | 2 to 9 | 1 |
//! | known key, rejected | 2 to 9 | 0 |
//! | new key, into an empty entry or one that is as new | 25 | 4 or 5 |
//! | new key, no entry to be had | 8 | 1 |

pub mod circuit_breaker;
mod config;
mod hash;
mod rate_limiter;
mod table;
#[cfg(all(test, not(loom)))]
mod tests;

pub use config::{Config, WhenFull};
pub use rate_limiter::{Bucket, Grant, KeyedRateLimiter, Refund, Rejected, Snapshot, Status};
pub use table::Entry;
