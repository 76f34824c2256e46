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
//! A breaker that refuses calls never goes; if all of a set do, [`WhenFull`] decides.
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

use core::fmt;
use core::hash::Hash;
use core::slice;
use core::time::Duration;

use super::Config;
use super::config::WhenFull;
use super::hash::hash_of;
use super::table::{self, Key, Owned, Place, Sight, Table, Tally, Visit};
use crate::admission::circuit_breaker::{self, Cell, Ending, Rules, Settlement, Standing, State};
use crate::atomic::sync::Wide;
use crate::config::ConfigError;
use crate::measure::window::Window;
use crate::outcome::Outcome;
use crate::time::Instant;

#[cfg(all(test, not(loom)))]
mod tests;

/// One entry of a keyed breaker: 24 bytes, 12 where words have 32 bits.
pub struct Entry {
    owner: table::Entry,
    cell: Cell,
}

impl Entry {
    const_fn! {
        /// An entry that nobody holds.
        pub const fn new() -> Self {
            Self { owner: table::Entry::new(), cell: Cell::sealed() }
        }
    }
}

impl Default for Entry {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry").field("owner", &self.owner).finish_non_exhaustive()
    }
}

impl Place for Entry {
    fn owner(&self) -> &table::Entry {
        &self.owner
    }
}

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

/// The breaker refused the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rejected {
    /// The key's breaker refuses it.
    Refused(circuit_breaker::Rejected),
    /// The key has no entry, and the breakers in all that it could have refuse calls.
    TableFull {
        /// When the first of them can be had; `None` if that is not known. Exact to the millisecond above.
        retry_after: Option<Duration>,
    },
}

impl Rejected {
    /// When another try makes sense; `None` if that is not known.
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused(rejected) => rejected.retry_after,
            Self::TableFull { retry_after } => *retry_after,
        }
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(rejected) => rejected.fmt(f),
            Self::TableFull { .. } => f.pad("no room for another key"),
        }
    }
}

impl core::error::Error for Rejected {}

/// How the breaker of a known key is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// The index of its entry, which another key may have later.
    pub entry: u32,
    /// Its state.
    pub state: State,
    /// Failures in a row, while closed.
    pub consecutive_failures: u32,
}

/// All breakers in sums, as many numbers for any number of keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot {
    /// How many entries there are.
    pub capacity: usize,
    /// How many of them a key holds.
    pub held: usize,
    /// How many of those are not closed.
    pub not_closed: usize,
    /// Keys that lost their entry to another one, ever.
    pub evictions: u64,
    /// How many of those had failures, or were not closed and their time was over.
    pub forgiven: u64,
    /// Calls of keys that found no entry, ever.
    pub turned_away: u64,
}

/// An admitted call that must still be settled: a [`Permit`] without the borrow.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "settle the ticket with `KeyedCircuitBreaker::settle`"]
pub struct Ticket {
    /// The entry; `SHARED` is the one for keys that found none.
    at: u32,
    owner: Owned,
    of_breaker: circuit_breaker::Ticket,
}

const SHARED: u32 = u32::MAX;

/// The shared entry as a table of its own: its only key.
const SHARED_KEY: Key = Key::new(1);

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
        /// rule for rates.
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

/// An admitted call.
///
/// It settles once: by [`Permit::record`], or as cancelled when it is dropped.
#[must_use = "dropping it settles the call as cancelled"]
pub struct Permit<'a> {
    keyed: View<'a>,
    ticket: Ticket,
}

impl Permit<'_> {
    /// Reports how the call ended.
    #[inline]
    pub fn record(self, outcome: Outcome, now: Instant) -> Settlement {
        let keyed = self.keyed;
        keyed.settle(&self.into_ticket(), outcome, now)
    }

    /// Whether the call was admitted by the breaker that keys without an entry share.
    pub const fn is_shared(&self) -> bool {
        self.ticket.at == SHARED
    }

    /// Turns the permit into plain data, for places where the borrow cannot live.
    #[inline]
    pub fn into_ticket(self) -> Ticket {
        let Ticket { at, owner, ref of_breaker } = self.ticket;
        let ticket = Ticket { at, owner, of_breaker: of_breaker.again() };
        core::mem::forget(self);
        ticket
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        // A cancelled call is settled without a time: it starts no phase.
        self.keyed.settle(&self.ticket, Outcome::Cancelled, Instant::ZERO);
    }
}

impl fmt::Debug for Permit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").finish_non_exhaustive()
    }
}

/// A keyed breaker without the type of its storage.
#[derive(Clone, Copy)]
struct View<'a> {
    rules: &'a Rules,
    config: &'a Config,
    window: &'a Window<0>,
    shared: &'a Entry,
    table: Table<'a, Entry>,
}

fn status(entry: u32, place: &Entry) -> Status {
    let (state, consecutive_failures) = place.cell.public();
    Status { entry, state, consecutive_failures }
}

/// A call at a moment. An owner's value is the ticket of its arrival.
struct Call<'a> {
    keyed: View<'a>,
    now: Instant,
}

impl Visit for Call<'_> {
    type Place = Entry;
    type Out = Result<(Owned, circuit_breaker::Ticket), circuit_breaker::Rejected>;

    fn is_void(&self, place: &Entry) -> bool {
        place.cell.is_sealed()
    }

    fn loss(&self, place: &Entry, _: Wide) -> Result<Wide, Wide> {
        match place.cell.standing(self.keyed.rules, self.now).1 {
            Standing::Sealed => Ok(0),
            Standing::Closed { failures } => Ok(Wide::from(failures)),
            Standing::Over => Ok(Wide::MAX),
            Standing::Refusing(_) if mutant!("keyed_evicts_the_open") => Ok(Wide::MAX),
            Standing::Refusing(left) => {
                let millis = left.map_or(u128::MAX, |left| left.as_millis() + 1);
                Err(Wide::try_from(millis).unwrap_or(Wide::MAX))
            }
        }
    }

    fn vacate(&self, place: &Entry) -> bool {
        let (seen, standing) = place.cell.standing(self.keyed.rules, self.now);
        match standing {
            Standing::Sealed => true,
            Standing::Refusing(_) if !mutant!("keyed_evicts_the_open") => false,
            _ => place.cell.seal(self.keyed.rules, seen),
        }
    }

    fn begin(&self, place: &Entry, pending: Owned) -> Option<(Wide, Self::Out)> {
        let (rules, Owned::Pending { tag, ticket: value }) = (self.keyed.rules, pending) else { return None };
        let (seen, standing) = place.cell.standing(rules, self.now);
        // The state was seen before the owner, so it is of this arrival or it has changed at the exchange below.
        if place.owner.load() != pending {
            return None;
        }
        match standing {
            Standing::Sealed if place.cell.unseal(rules, seen) => {}
            // Another thread that brings the key in was faster.
            Standing::Closed { failures: 0 } => {}
            Standing::Sealed => return None,
            _ => {
                place.cell.seal(rules, seen);
                return None;
            }
        }
        let held = Owned::Held { tag, value };
        let admission = place.cell.try_acquire(rules, self.now);
        Some((value, admission.map(|admission| (held, admission.into_ticket()))))
    }

    fn go_on(&self, place: &Entry, tag: Wide) -> Option<Self::Out> {
        let held = place.owner.load();
        if !matches!(held, Owned::Held { tag: owner, .. } if owner == tag) {
            return None;
        }
        let admission = place.cell.try_acquire(self.keyed.rules, self.now);
        let is_own = !place.cell.is_sealed() && place.owner.load() == held;
        if is_own || mutant!("keyed_admits_by_a_breaker_that_was_passed_on") {
            return Some(admission.map(|admission| (held, admission.into_ticket())));
        }
        if let Ok(admission) = admission {
            self.keyed.end(place, &admission.into_ticket(), Outcome::Cancelled, Instant::ZERO);
        }
        None
    }
}

impl<'a> View<'a> {
    /// The entry for keys without one, as a table of a single entry.
    fn overflow(&self) -> Self {
        let table = Table { entries: slice::from_ref(self.shared), tally: self.table.tally };
        Self { table, ..*self }
    }

    fn held(self) -> impl Iterator<Item = (u32, &'a Entry)> {
        let places = self.table.values().map(|(entry, place, _)| (entry, place));
        places.filter(|(_, place)| !place.cell.is_sealed())
    }

    #[inline]
    fn try_acquire(&self, key: Key, now: Instant) -> Result<Ticket, Rejected> {
        let (at, admitted) = match self.table.enter(key, &Call { keyed: *self, now }) {
            Ok(entered) => entered,
            Err(wait) => self.turn_away(wait, now)?,
        };
        match admitted {
            Ok((owner, of_breaker)) => Ok(Ticket { at, owner, of_breaker }),
            Err(rejected) => Err(Rejected::Refused(rejected)),
        }
    }

    #[cold]
    fn turn_away(&self, wait: Wide, now: Instant) -> Result<(u32, <Call<'a> as Visit>::Out), Rejected> {
        self.table.tally.turned_away.increment();
        if self.config.when_full == WhenFull::Share {
            let overflow = self.overflow();
            if let Ok((_, out)) = overflow.table.enter(SHARED_KEY, &Call { keyed: overflow, now }) {
                return Ok((SHARED, out));
            }
        }
        Err(full(wait))
    }

    fn check(&self, key: Key, now: Instant) -> Result<(), Rejected> {
        let (mut table, mut key) = (self.table, key);
        let mut sight = table.look(key, &Call { keyed: *self, now });
        if let (Sight::Full { .. }, WhenFull::Share) = (&sight, self.config.when_full) {
            let overflow = self.overflow();
            (table, key) = (overflow.table, SHARED_KEY);
            sight = table.look(key, &Call { keyed: overflow, now });
        }
        match sight {
            Sight::Held { .. } => {
                let place = table.find(key).map(|(_, place, _)| place);
                let checked = place.map_or(Ok(()), |place| place.cell.check(self.rules, now));
                checked.map_err(Rejected::Refused)
            }
            Sight::Pending { .. } | Sight::Vacant { .. } => Ok(()),
            Sight::Full { wait } => Err(full(wait)),
        }
    }

    fn settle(&self, ticket: &Ticket, outcome: Outcome, now: Instant) -> Settlement {
        let place = if ticket.at == SHARED { Some(self.shared) } else { self.table.entry(ticket.at) };
        match place {
            Some(place) if place.owner.load() == ticket.owner => {
                self.end(place, &ticket.of_breaker, outcome, now)
            }
            _ => Settlement::Stale,
        }
    }

    fn end(
        &self,
        place: &Entry,
        ticket: &circuit_breaker::Ticket,
        outcome: Outcome,
        now: Instant,
    ) -> Settlement {
        let ending = Ending { outcome, retry_after: None, at: now };
        match place.cell.settle(self.rules, self.window, ticket, ending) {
            Settlement::Uncounted if place.cell.is_sealed() => Settlement::Stale,
            settlement => settlement,
        }
    }
}

fn full(wait: Wide) -> Rejected {
    let known = (wait < Wide::MAX).then(|| Duration::from_millis(wait as u64));
    Rejected::TableFull { retry_after: known }
}
