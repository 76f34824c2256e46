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
//! ```
//!
//! # States
//!
//! A key that is in no entry of its set takes the first that can go: an empty one, one whose breaker is closed without
//! failures, one that another key is just taking, then a closed one with the fewest failures in a row, and last one whose time
//! is over, since it would admit a probe now.
//! A breaker that refuses calls never goes; if all of a set do, [`WhenFull`](super::WhenFull) decides.
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
//! An entry is 24 bytes, 12 where words have 32 bits: its owner, and the two words of a
//! [`CircuitBreaker`](crate::CircuitBreaker). There is no window, so rules for rates are refused.
//!
//! # Ordering
//!
//! (a) What the key may lose is decided by the exchange that seals, on the breaker's state word: a breaker that opened in
//! between stays. (b) A call looks at the owner again after its admission, so it is admitted by its own breaker. A ticket carries
//! its entry, its owner's ticket and the generation. (c) A stranger that was stopped between its look and its admission may begin
//! a cycle of probes that was due, and gives its probe back.
//! (d) The generation wraps after 512 keys in one entry; the owner is compared besides.
//! (e) Models: `loom-tests/tests/keyed_breaker.rs`.
//!
//! # Trade-offs
//!
//! Results of calls that were in flight when their key lost its entry are stale, and so are its failures in a row.
//! Many open keys that never come back are kept for their open time only; then they go when another key needs the place.
//! There are no forced modes: a breaker that is held by hand would hold its entry for ever.
//! A permit is as small as a table's should be. It does not tell whether the call is a probe, what a shadow would have answered or
//! that it half-opened its breaker, and takes no retry-after of the peer; so settings that ask for one of these are refused.
//!
//! # Accuracy
//!
//! - With room for all, each key is judged as by a breaker of its own
//!   (`props_keyed_breaker`: `with_room_for_all_each_key_is_judged_as_alone`).
//! - A breaker that refuses calls stays open through any flood (`b36_a_flood_of_keys_closes_no_open_breaker`) and any number of
//!   threads (`racing_threads_lose_no_breaker_that_opened`).
//! - What was in flight when its key lost the entry is stale and harms no other key
//!   (`what_comes_late_is_stale_and_harms_no_other_key`, `a_thousand_keys_in_one_entry_leave_no_trace`).
//!
//! # Cost
//!
//! Counted by `cost_of_a_call_and_size_of_an_entry`: admission and settlement of a success are 10 loads in the first entry of a
//! set and 2 more for each entry before it; a rejection 8.

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
use view::{View, status};

use super::Config;
use super::hash::hash_of;
use super::table::{Key, Owned, Table, Tally};
use crate::admission::circuit_breaker::{self, Rules, Settlement, State};
use crate::config::ConfigError;
use crate::measure::window::Window;
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
    window: Window<0>,
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
        /// If `ENTRIES` is zero, or more than 7 and not a multiple of 8; if a value of `breaker` lies outside its bound, or it has a
        /// rule for rates, a [probe timeout](circuit_breaker::Config::probe_timeout), an open time that
        /// [the peer says](circuit_breaker::Config::honor_retry_after) or [shadow mode](circuit_breaker::Config::in_shadow).
        pub const fn try_new(breaker: circuit_breaker::Config, config: Config) -> Result<Self, ConfigError> {
            match validate(breaker, ENTRIES) {
                Ok((rules, window)) => Ok(Self {
                    rules,
                    config,
                    tally: Tally::new(),
                    window,
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
        let (rules, window) = validate(breaker, entries.as_ref().len())?;
        Ok(Self { rules, config, tally: Tally::new(), window, shared: Entry::new(), entries })
    }
}

const_fn! {
    const fn validate(breaker: circuit_breaker::Config, entries: usize) -> Result<(Rules, Window<0>), ConfigError> {
        if let Err(error) = Config::validate(entries) {
            return Err(error);
        }
        if let Err(error) = breaker.validate_for_keys() {
            return Err(error);
        }
        let rules = match Rules::try_new(breaker, 0) {
            Ok(rules) => rules,
            Err(error) => return Err(error),
        };
        match Window::try_new(breaker.window_span(0)) {
            Ok(window) => Ok((rules, window)),
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

    /// The breakers that are not closed, without the names of their keys: one for each entry at most. It loads every entry.
    pub fn hot(&self) -> impl Iterator<Item = Status> + '_ {
        self.view().held().map(|(entry, place)| status(entry, place)).filter(|it| it.state != State::Closed)
    }

    /// All breakers in sums. It loads every entry.
    pub fn snapshot(&self) -> Snapshot {
        let view = self.view();
        Snapshot {
            capacity: view.table.entries.len(),
            held: view.held().count(),
            not_closed: self.hot().count(),
            evictions: self.tally.evictions.get(),
            forgiven: self.tally.forgiven.get(),
            turned_away: self.tally.turned_away.get(),
        }
    }

    /// The configuration of each breaker.
    pub const fn breaker_config(&self) -> &circuit_breaker::Config {
        self.rules.config()
    }

    #[inline]
    fn view(&self) -> View<'_> {
        let table = Table { entries: self.entries.as_ref(), tally: &self.tally };
        let (rules, config, window, shared) = (&self.rules, &self.config, &self.window, &self.shared);
        View { rules, config, window, shared, table }
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
        (!place.cell.is_sealed()).then(|| status(entry, place))
    }

    /// Closes the breaker as new by taking its entry away, and says whether it had one.
    pub fn forget(&self) -> bool {
        let rules = self.keyed.rules;
        while let Some((_, place, value)) = self.keyed.table.find(self.key) {
            let seen = place.cell.seen();
            if place.cell.is_sealed() {
                return false;
            }
            // If the key lost the entry after this look, the breaker changed, and is not sealed.
            let still = place.owner.load() == (Owned::Held { tag: self.key.tag, value });
            if still && place.cell.seal(rules, seen) {
                return true;
            }
        }
        false
    }
}

impl fmt::Debug for Breaker<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Breaker").finish_non_exhaustive()
    }
}
