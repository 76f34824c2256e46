//! A circuit breaker for each key, all with one configuration.
//!
//! Use it where what is called is many: hosts, shards, tenants of a peer.
//! Its table is that of the keyed limiter ([`keyed`](super)); what differs is told here.
//!
//! # Examples
//!
//! ```
//! use core::time::Duration;
//! use seawall_core::circuit_breaker::Config;
//! use seawall_core::{Instant, KeyedCircuitBreaker, Outcome, keyed};
//!
//! static HOSTS: KeyedCircuitBreaker<64> = KeyedCircuitBreaker::new(
//!     Config::consecutive_failures(1).open_for(Duration::from_secs(30)),
//!     keyed::Config::seeded(0x5EA),
//! );
//!
//! let now = Instant::from_secs(5);
//! HOSTS.try_acquire("alpha", now).unwrap().record(Outcome::Failure, now);
//! assert_eq!(HOSTS.try_acquire("alpha", now).unwrap_err().retry_after(), Some(Duration::from_secs(30)));
//! assert!(HOSTS.try_acquire("beta", now).is_ok());
//!
//! HOSTS.breaker("gamma").force_open(now).unwrap();
//! assert!(HOSTS.try_acquire("gamma", now).is_err());
//! assert_eq!((HOSTS.snapshot().open, HOSTS.snapshot().forced), (2, 1));
//! ```
//!
//! By the share of failures among the last ten calls of a key, if there were at least five; a call that takes two seconds is
//! as good as failed:
//!
//! ```
//! use core::time::Duration;
//! use seawall_core::{KeyedCircuitBreaker, Ratio, circuit_breaker::Config, keyed, window::Span};
//!
//! static TENANTS: KeyedCircuitBreaker<64> = KeyedCircuitBreaker::new(
//!     Config::failure_rate(Ratio::percent(50), Span::calls(10), 5).slow_calls_fail(Duration::from_secs(2)),
//!     keyed::Config::seeded(0x5EA),
//! );
//! ```
//!
//! # States
//!
//! Each key's breaker trips by failures in a row, by a rate over its last calls, or by both, and has the states of a
//! [`CircuitBreaker`](crate::CircuitBreaker), an open time that [grows](circuit_breaker::Config::open_for_growing) with each failed
//! probe among them.
//! [By hand](Breaker::force_open) one key is held open or closed, tripped or reset; the others are not touched.
//!
//! A key that is in no entry of its set takes the first that can go: an empty one, one whose breaker is closed without
//! failures, one that another key is just taking, then a closed one with the fewest failures, in a row or among the last calls, and
//! last one whose time is over, since it would admit a probe now.
//! A breaker that refuses calls or is forced never goes; if all of a set are such, [`WhenFull`](super::WhenFull) decides, and no
//! time is told to wait for if all are forced.
//! A clock that steps back further than a [`CircuitBreaker`](crate::CircuitBreaker) stands may let an open key go.
//! Between two keys a breaker is *sealed*: it belongs to nobody, and every ticket from before is stale.
//!
//! ```text
//!            1 confirm                    2 seal                     3 claim
//!   sealed ─────────────► a key's own ─────────────► sealed, key written ─────────────► on its way in
//! ```
//!
//! 1: the key comes in; the breaker is closed as new, in the next generation.
//! 2: another key needs the place; the exchange fails if the breaker changed since it was looked at.
//! 3: it is written over. Whoever finds a sealed breaker under its own key takes it as an empty one, so a thread that is
//! stopped between 2 and 3 holds up nobody.
//!
//! # Memory layout
//!
//! An entry is 24 bytes, 12 where words have 32 bits, with a rate or without: its owner, and the two words of a
//! [`CircuitBreaker`](crate::CircuitBreaker).
//! With a rate, the 18 bits of the state word that count failures in a row hold the last results themselves:
//!
//! ```text
//!         31 … 22         21 ……………………………………………………… 4                        3 … 2    1 … 0
//! closed  GENERATION 10 | 0 … 0, MARK 1, RESULTS, the newest lowest | MODE 2 | PHASE 2
//! ```
//!
//! A result is a bit, set if the call failed; the mark above the oldest says how many there are.
//! So the window is of the last 1 to 17 calls, exactly, the row of failures can be read from it, and a result is counted and judged
//! by the one exchange that also trips.
//! A longer window or one of time takes more words, which no exchange covers; a slow call has no bit of its own, it
//! [fails](circuit_breaker::Config::slow_calls_fail) or is not told from others.
//! A sealed breaker is one that is forced closed and open at once.
//!
//! # Ordering
//!
//! (a) What the key may lose is decided by the exchange that seals, on the breaker's state word: a breaker that opened in
//! between stays. (b) A call looks at the owner again after its admission, so it is admitted by its own breaker. A ticket carries
//! its entry, its owner's ticket and the generation. (c) A stranger that was stopped between its look and its admission may begin
//! a cycle of probes that was due, and gives its probe back. A change by hand is one exchange too, from a state that was loaded
//! before a look that found the key still there: it lands in the key's own breaker or in none, and then begins again.
//! (d) The generation wraps after 512 keys in one entry; the owner is compared besides.
//! (e) Models: `loom-tests/tests/keyed_breaker.rs`.
//!
//! # Trade-offs
//!
//! Results of calls that were in flight when their key lost its entry are stale, and its failures, its window and how far its open
//! time had grown are forgotten.
//! Many open keys that never come back are kept for their open time only; then they go when another key needs the place.
//! A key that is forced holds its entry until it is released. Eight of them in one set, or all in a table of fewer entries, leave it
//! to [`WhenFull`](super::WhenFull) what becomes of every other key of the set; [`Snapshot::forced`] tells how many there are.
//! A permit is as small as a table's should be. It does not tell whether the call is a probe, what a shadow would have answered or
//! that it half-opened its breaker, and takes no retry-after of the peer; so settings that ask for one of these are refused.
//!
//! # Accuracy
//!
//! - With room for all, each key is judged as by a breaker of its own
//!   (`props_keyed_breaker`: `with_room_for_all_each_key_is_judged_as_alone`).
//! - A breaker that refuses calls stays open through any flood (`b36_a_flood_of_keys_closes_no_open_breaker`) and any number of
//!   threads (`racing_threads_lose_no_breaker_that_opened`).
//! - A rate is that of the key's last calls, to the call, at any number of threads
//!   (`the_rate_of_a_key_is_exactly_that_of_its_last_calls`, `results_of_two_threads_are_both_among_the_last`).
//! - A key that is forced stays so through any flood (`a_flood_of_keys_lets_no_key_loose_that_is_held_by_hand`), and a hand that
//!   races with other keys changes the breaker of its own (`a_hand_holds_the_breaker_of_its_key_and_no_other`).
//! - Two keys that meet in one set with one tag are judged as one: a stranger's failures count for a known key, and so do its
//!   successes. Of *n* strangers *n* / (2²¹ · `ENTRIES`) do, on average, and *n* / (512 · `ENTRIES`) on 32 bits, where the tag has 12
//!   bits in place of 24; [`keyed`](super) has the exact chance. So on 32 bits a flood of 4096 failing keys opens a breaker of eight
//!   entries that lacks one failure with a chance of 63 % (`a_flood_opens_a_known_breaker_as_often_as_it_meets_its_tag`); where keys
//!   come from strangers, more entries make it rarer in proportion, and a rate is opened by more of them than a short row.
//! - What was in flight when its key lost the entry is stale and harms no other key
//!   (`what_comes_late_is_stale_and_harms_no_other_key`, `a_thousand_keys_in_one_entry_leave_no_trace`).
//!
//! # Cost
//!
//! Counted by `cost_of_a_call_and_size_of_an_entry`: admission and settlement of a success are 8 loads in the first entry of a set,
//! and up to 4 more for each entry before it; a rejection is 8.
//! With a rate, settling a success is a load more, and a write unless the window is full of successes
//! (`a_rate_takes_no_more_room_and_a_healthy_key_no_write`).

mod permit;
mod report;
#[cfg(all(test, not(loom)))]
mod tests;
mod view;

use core::fmt;
use core::hash::Hash;

pub use permit::{Permit, Ticket};
pub use report::{Rejected, Snapshot, Status};
pub use view::Entry;
use view::View;

use super::Config;
use super::hash::hash_of;
use super::table::{Key, Table, Tally};
use crate::admission::circuit_breaker::{self, Hand, Rules, Settlement, State, Transition};
use crate::config::ConfigError;
use crate::outcome::Outcome;
use crate::time::Instant;

/// A circuit breaker for each key.
///
/// The entries are its own, `ENTRIES` of them, or stand elsewhere ([`KeyedCircuitBreaker::over`]).
/// The [module](self) has an example.
pub struct KeyedCircuitBreaker<const ENTRIES: usize, S = [Entry; ENTRIES]> {
    rules: Rules,
    config: Config,
    tally: Tally,
    shared: Entry,
    entries: S,
}

impl<const ENTRIES: usize> KeyedCircuitBreaker<ENTRIES> {
    const_fn! {
        /// A breaker with entries of its own.
        ///
        /// # Panics
        ///
        /// If [`KeyedCircuitBreaker::try_new`] would return an error; in a `static` this is a compile error.
        pub const fn new(breaker: circuit_breaker::Config, config: Config) -> Self {
            expect_valid!(Self::try_new(breaker, config), "keyed circuit breaker")
        }
    }

    const_fn! {
        /// A breaker with entries of its own.
        ///
        /// # Errors
        ///
        /// If `ENTRIES` is zero, or more than 7 and not a multiple of 8; if a value of `breaker` lies outside its bound, the window of
        /// its failure rate is not of 1 to 17 calls, its failures in a row are more than that window, or it has a rate for slow calls,
        /// a [probe timeout](circuit_breaker::Config::probe_timeout), an open time that
        /// [the peer says](circuit_breaker::Config::honor_retry_after) or [shadow mode](circuit_breaker::Config::in_shadow).
        pub const fn try_new(breaker: circuit_breaker::Config, config: Config) -> Result<Self, ConfigError> {
            match validate(breaker, ENTRIES) {
                Ok(rules) => Ok(Self {
                    rules,
                    config,
                    tally: Tally::new(),
                    shared: Entry::new(),
                    entries: array_of!(ENTRIES, Entry::new()),
                }),
                Err(error) => Err(error),
            }
        }
    }
}

impl<S: AsRef<[Entry]>> KeyedCircuitBreaker<0, S> {
    /// A breaker over entries that stand elsewhere: `&'a [Entry]`, or on servers a boxed slice. They must be new.
    ///
    /// # Errors
    ///
    /// As [`KeyedCircuitBreaker::try_new`], for the number of `entries`.
    pub fn over(breaker: circuit_breaker::Config, config: Config, entries: S) -> Result<Self, ConfigError> {
        let rules = validate(breaker, entries.as_ref().len())?;
        Ok(Self { rules, config, tally: Tally::new(), shared: Entry::new(), entries })
    }
}

const_fn! {
    const fn validate(breaker: circuit_breaker::Config, entries: usize) -> Result<Rules, ConfigError> {
        match Config::validate(entries) {
            Ok(()) => Rules::for_keys(breaker),
            Err(error) => Err(error),
        }
    }
}

impl<const ENTRIES: usize, S: AsRef<[Entry]>> KeyedCircuitBreaker<ENTRIES, S> {
    /// Asks the breaker of `key` whether a call may start.
    ///
    /// # Errors
    ///
    /// [`Rejected`], with the time after which another try makes sense.
    #[inline]
    pub fn try_acquire<K: Hash + ?Sized>(&self, key: &K, now: Instant) -> Result<Permit<'_>, Rejected> {
        self.breaker(key).try_acquire(now)
    }

    /// The breaker of `key`, whether it has an entry or not. It hashes the key once, for any number of questions.
    ///
    /// It can be a part of a [composition](crate::guard::compose), and so stand around a guard.
    #[inline]
    pub fn breaker<K: Hash + ?Sized>(&self, key: &K) -> Breaker<'_> {
        self.breaker_of_hash(hash_of(self.config.seed, key))
    }

    /// The breaker of the key with this hash.
    ///
    /// All 64 bits are used, so the hash must be uniform; if keys come from strangers, they must not be able to tell it.
    #[inline]
    pub fn breaker_of_hash(&self, hash: u64) -> Breaker<'_> {
        Breaker { keyed: self.view(), key: Key::new(hash) }
    }

    /// Settles a call with its [`Ticket`]. It is [`Settlement::Stale`] if the key lost its entry since.
    #[inline]
    pub fn settle(&self, ticket: Ticket, outcome: Outcome, now: Instant) -> Settlement {
        self.view().settle(&ticket, outcome, now)
    }

    /// How many keys have an entry. It loads every entry.
    pub fn len(&self) -> usize {
        self.view().held().count()
    }

    /// Whether no key has an entry.
    pub fn is_empty(&self) -> bool {
        self.view().held().next().is_none()
    }

    /// How many keys lost their entry to another one, ever.
    pub fn evictions(&self) -> u64 {
        self.tally.evictions.get()
    }

    /// How each breaker is doing, without the name of its key: one for each entry at most. It loads every entry.
    pub fn statuses(&self) -> impl Iterator<Item = Status> + '_ {
        let view = self.view();
        view.held().map(move |(entry, place)| view.status(entry, place))
    }

    /// The breakers that are not closed, as [`KeyedCircuitBreaker::statuses`] has them.
    pub fn hot(&self) -> impl Iterator<Item = Status> + '_ {
        self.statuses().filter(|status| status.state != State::Closed)
    }

    /// All breakers in sums. It loads every entry.
    pub fn snapshot(&self) -> Snapshot {
        let mut sums = Snapshot {
            capacity: self.entries.as_ref().len(),
            evictions: self.tally.evictions.get(),
            forgiven: self.tally.forgiven.get(),
            turned_away: self.tally.turned_away.get(),
            ..Snapshot::default()
        };
        for status in self.statuses() {
            sums.held += 1;
            sums.forced += usize::from(status.forced);
            match status.state {
                State::Closed => sums.closed += 1,
                State::HalfOpen => sums.half_open += 1,
                State::Open => sums.open += 1,
            }
        }
        sums
    }

    /// The configuration of each breaker.
    pub const fn breaker_config(&self) -> &circuit_breaker::Config {
        self.rules.config()
    }

    #[inline]
    fn view(&self) -> View<'_> {
        let table = Table { entries: self.entries.as_ref(), tally: &self.tally };
        View { rules: &self.rules, config: &self.config, shared: &self.shared, table }
    }
}

impl<const ENTRIES: usize, S> fmt::Debug for KeyedCircuitBreaker<ENTRIES, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyedCircuitBreaker")
            .field("breaker", self.rules.config())
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

/// The breaker of one key in a [`KeyedCircuitBreaker`].
#[derive(Clone, Copy)]
pub struct Breaker<'a> {
    keyed: View<'a>,
    key: Key,
}

impl<'a> Breaker<'a> {
    /// Asks whether a call may start.
    ///
    /// # Errors
    ///
    /// [`Rejected`], with the time after which another try makes sense.
    #[inline]
    pub fn try_acquire(&self, now: Instant) -> Result<Permit<'a>, Rejected> {
        let ticket = self.keyed.try_acquire(self.key, now)?;
        Ok(Permit { keyed: self.keyed, ticket })
    }

    /// Whether [`Breaker::try_acquire`] would reject a call now. It changes nothing.
    ///
    /// # Errors
    ///
    /// [`Rejected`], as `try_acquire` would.
    pub fn check(&self, now: Instant) -> Result<(), Rejected> {
        self.keyed.check(self.key, now)
    }

    /// How the breaker is doing; `None` if the key has no entry: then it is closed, or shared.
    pub fn status(&self) -> Option<Status> {
        let (entry, place, _) = self.keyed.table.find(self.key)?;
        (!place.cell.is_sealed()).then(|| self.keyed.status(entry, place))
    }

    /// Opens the breaker now, for the configured time, also if it was forced: that mode is over then.
    ///
    /// A key without an entry gets one, here and where its breaker is forced.
    ///
    /// # Errors
    ///
    /// [`Rejected::TableFull`], and nothing changed: the breakers of all entries that it could have refuse calls or are forced.
    pub fn trip(&self, now: Instant) -> Result<Transition, Rejected> {
        self.keyed.hold(self.key, Hand::Trip, now)
    }

    /// Rejects every call of the key until [`Breaker::reset`], [`Breaker::trip`] or [`Breaker::forget`]; until then it keeps its
    /// entry.
    ///
    /// # Errors
    ///
    /// As [`Breaker::trip`].
    pub fn force_open(&self, now: Instant) -> Result<Transition, Rejected> {
        self.keyed.hold(self.key, Hand::ForceOpen, now)
    }

    /// Admits every call of the key, uncounted, until [`Breaker::reset`], [`Breaker::trip`] or [`Breaker::forget`]; until then it
    /// keeps its entry.
    ///
    /// # Errors
    ///
    /// As [`Breaker::trip`].
    pub fn force_closed(&self, now: Instant) -> Result<Transition, Rejected> {
        self.keyed.hold(self.key, Hand::ForceClosed, now)
    }

    /// Closes the breaker as new, forced or not, and leaves the key its entry; `None` if it has none, and so is as new.
    pub fn reset(&self) -> Option<Transition> {
        self.keyed.change(self.key, Hand::Reset, Instant::ZERO)
    }

    /// Closes the breaker as new by taking its entry away, and says whether it had one.
    pub fn forget(&self) -> bool {
        self.keyed.change(self.key, Hand::Seal, Instant::ZERO).is_some()
    }
}

impl fmt::Debug for Breaker<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Breaker").finish_non_exhaustive()
    }
}
