//! A bucket for each key.

use core::fmt;
use core::hash::Hash;
use core::slice;
use core::time::Duration;

use super::Config;
use super::config::WhenFull;
use super::hash::hash_of;
use super::table::{Entry, Key, Owned, Sight, Table, Tally, VALUE_BITS, VALUE_MAX, Visit};
use crate::admission::rate_limiter::Quota;
use crate::admission::rate_limiter::scale::{Room, Scale as TaggedScale};
use crate::atomic::sync::Wide;
use crate::config::ConfigError;
use crate::time::Instant;

/// The table keeps its tags apart from the arrival times.
type Scale = TaggedScale<0>;

/// A rate limiter that keeps a bucket for each key, all with one quota.
///
/// The entries are its own, `ENTRIES` of them, or stand elsewhere ([`KeyedRateLimiter::over`]).
/// The [module](super) has an example.
pub struct KeyedRateLimiter<const ENTRIES: usize, S = [Entry; ENTRIES]> {
    quota: Quota,
    scale: Scale,
    config: Config,
    tally: Tally,
    shared: Entry,
    entries: S,
}

/// The tokens that a call took, so that they can be given back. Dropping it keeps them spent.
#[derive(Debug, PartialEq, Eq)]
pub struct Grant {
    /// The entry; `SHARED` is the one for keys that found none, `NOWHERE` none at all.
    at: u32,
    tag: Wide,
    units: Wide,
    /// When the bucket would be full again had nobody else taken anything.
    until: Wide,
}

const SHARED: u32 = u32::MAX;
const NOWHERE: u32 = u32::MAX - 1;

/// The shared entry as a table of its own: its only key.
const SHARED_KEY: Key = Key::new(1);

impl Grant {
    /// Whether the tokens came from the bucket that keys without an entry share.
    pub const fn is_shared(&self) -> bool {
        self.at == SHARED
    }
}

/// What became of tokens that were given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refund {
    /// Those that time had not given back, all or a part of them, are in the bucket again.
    Returned,
    /// Time has given them all back, or the bucket is full.
    Lapsed,
    /// The key lost its entry since.
    Stale,
}

/// The limiter refused the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rejected {
    /// The key's bucket does not hold enough tokens now.
    Limited {
        /// When it will, if nobody else takes them; `None` is never.
        retry_after: Option<Duration>,
    },
    /// No bucket ever holds enough: the call costs more than a burst.
    ExceedsBurst {
        /// The tokens that were asked for.
        cost: u32,
        /// The tokens of a full bucket.
        burst: u32,
    },
    /// The key has no entry, and all that it could have are kept for keys in debt.
    TableFull {
        /// When the first of them can be had, if its key takes nothing until then; `None` is never.
        retry_after: Option<Duration>,
    },
}

impl Rejected {
    /// When another try makes sense; `None` is never.
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Limited { retry_after } | Self::TableFull { retry_after } => *retry_after,
            Self::ExceedsBurst { .. } => None,
        }
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Limited { .. } => f.pad("rate limit of the key exceeded"),
            Self::ExceedsBurst { cost, burst } => {
                write!(f, "cost of {cost} tokens exceeds the burst of {burst}")
            }
            Self::TableFull { .. } => f.pad("no room for another key"),
        }
    }
}

impl core::error::Error for Rejected {}

/// How the bucket of a known key is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// The index of its entry, which another key may have later.
    pub entry: u32,
    /// The tokens that it holds.
    pub available: u32,
}

/// All buckets in sums, as many numbers for any number of keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot {
    /// How many entries there are.
    pub capacity: usize,
    /// How many of them a key holds.
    pub held: usize,
    /// How many of those are not full.
    pub in_debt: usize,
    /// How many of those do not hold one token.
    pub denied: usize,
    /// Keys that lost their entry to another one, ever.
    pub evictions: u64,
    /// How many of those were in debt.
    pub forgiven: u64,
    /// Calls of keys that found no entry, ever.
    pub turned_away: u64,
}

impl<const ENTRIES: usize> KeyedRateLimiter<ENTRIES> {
    const_fn! {
        /// A limiter with entries of its own.
        ///
        /// # Panics
        ///
        /// If [`KeyedRateLimiter::try_new`] would return an error; in a `static` this is a compile error.
        pub const fn new(quota: Quota, config: Config) -> Self {
            expect_valid!(Self::try_new(quota, config), "keyed rate limiter")
        }
    }

    const_fn! {
        /// A limiter with entries of its own.
        ///
        /// # Errors
        ///
        /// If `ENTRIES` is zero, or more than 7 and not a multiple of 8; if the quota's burst or period is zero, or if words have
        /// 32 bits and the burst is more than 16383.
        pub const fn try_new(quota: Quota, config: Config) -> Result<Self, ConfigError> {
            match validate(&quota, ENTRIES) {
                Ok(scale) => Ok(Self {
                    quota,
                    scale,
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

impl<S: AsRef<[Entry]>> KeyedRateLimiter<0, S> {
    /// A limiter over entries that stand elsewhere: `&'a [Entry]`, or on servers a boxed slice. They must be new.
    ///
    /// # Errors
    ///
    /// As [`KeyedRateLimiter::try_new`], for the number of `entries`.
    pub fn over(quota: Quota, config: Config, entries: S) -> Result<Self, ConfigError> {
        let scale = validate(&quota, entries.as_ref().len())?;
        Ok(Self { quota, scale, config, tally: Tally::new(), shared: Entry::new(), entries })
    }
}

const fn validate(quota: &Quota, entries: usize) -> Result<Scale, ConfigError> {
    if let Err(error) = Config::validate(entries) {
        return Err(error);
    }
    require!(
        quota.burst_size() as u64 <= VALUE_MAX as u64 >> 6,
        "keyed.burst",
        "at most 16383 where words have 32 bits"
    );
    quota.scale_in(Room::of_bits(VALUE_BITS))
}

impl<const ENTRIES: usize, S: AsRef<[Entry]>> KeyedRateLimiter<ENTRIES, S> {
    /// Takes one token from the bucket of `key`.
    ///
    /// # Errors
    ///
    /// [`Rejected`], with the time after which another try makes sense.
    #[inline]
    pub fn try_acquire<K: Hash + ?Sized>(&self, key: &K, now: Instant) -> Result<Grant, Rejected> {
        self.bucket(key).try_acquire(now)
    }

    /// The bucket of `key`, whether it has an entry or not. It hashes the key once, for any number of questions.
    ///
    /// It can be a part of a [composition](crate::guard::compose), and so stand around a guard.
    #[inline]
    pub fn bucket<K: Hash + ?Sized>(&self, key: &K) -> Bucket<'_> {
        self.bucket_of_hash(hash_of(self.config.seed, key))
    }

    /// The bucket of the key with this hash.
    ///
    /// All 64 bits are used, so the hash must be uniform; if keys come from strangers, they must not be able to tell it.
    #[inline]
    pub fn bucket_of_hash(&self, hash: u64) -> Bucket<'_> {
        Bucket { keyed: self.view(), key: Key::new(hash) }
    }

    /// Gives the tokens of a grant back, for a call that did not start.
    ///
    /// Those come back that time has not given back since, which may be a part of them, unless the key lost its entry; see
    /// [`RateLimiter::refund`](crate::RateLimiter::refund).
    /// A grant of another table is stale here, unless the same key has the same entry: then it gives back here what was taken
    /// there, as one of either shared bucket does.
    pub fn refund(&self, grant: Grant, now: Instant) -> Refund {
        self.view().refund(grant, now)
    }

    /// How many keys have an entry. It loads every entry.
    pub fn len(&self) -> usize {
        self.view().table.values().count()
    }

    /// Whether no key has an entry.
    pub fn is_empty(&self) -> bool {
        self.view().table.values().next().is_none()
    }

    /// How many keys lost their entry to another one, ever.
    pub fn evictions(&self) -> u64 {
        self.tally.evictions.get()
    }

    /// The keys whose buckets are not full, without their names: one number for each entry at most. It loads every entry.
    pub fn hot(&self, now: Instant) -> impl Iterator<Item = Status> + '_ {
        let view = self.view();
        let present = self.scale.present(now);
        view.table.values().filter(move |&(_, _, value)| view.debt(value, present) > 0).map(
            move |(entry, _, value)| Status { entry, available: view.tokens_left(view.debt(value, present)) },
        )
    }

    /// All buckets in sums. It loads every entry.
    pub fn snapshot(&self, now: Instant) -> Snapshot {
        let view = self.view();
        let present = self.scale.present(now);
        let mut sums = Snapshot {
            capacity: view.table.entries.len(),
            evictions: self.tally.evictions.get(),
            forgiven: self.tally.forgiven.get(),
            turned_away: self.tally.turned_away.get(),
            ..Snapshot::default()
        };
        for (_, _, value) in view.table.values() {
            let debt = view.debt(value, present);
            sums.held += 1;
            sums.in_debt += usize::from(debt > 0);
            sums.denied += usize::from(view.tokens_left(debt) == 0);
        }
        sums
    }

    /// The rate and the burst of each bucket.
    pub const fn quota(&self) -> &Quota {
        &self.quota
    }

    #[inline]
    fn view(&self) -> View<'_> {
        let table = Table { entries: self.entries.as_ref(), tally: &self.tally };
        View { quota: &self.quota, scale: &self.scale, config: &self.config, shared: &self.shared, table }
    }
}

impl<const ENTRIES: usize, S> fmt::Debug for KeyedRateLimiter<ENTRIES, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyedRateLimiter")
            .field("quota", &self.quota)
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

/// The bucket of one key in a [`KeyedRateLimiter`].
#[derive(Clone, Copy)]
pub struct Bucket<'a> {
    keyed: View<'a>,
    key: Key,
}

impl Bucket<'_> {
    /// Takes one token.
    ///
    /// # Errors
    ///
    /// [`Rejected`], with the time after which another try makes sense.
    #[inline]
    pub fn try_acquire(&self, now: Instant) -> Result<Grant, Rejected> {
        self.keyed.take(self.key, self.keyed.scale.interval, now)
    }

    /// Takes `cost` tokens at once, or none.
    ///
    /// # Errors
    ///
    /// [`Rejected`], with the time after which another try makes sense.
    #[inline]
    pub fn try_acquire_many(&self, cost: u32, now: Instant) -> Result<Grant, Rejected> {
        self.keyed.take(self.key, self.keyed.units_of(cost)?, now)
    }

    /// Whether `cost` tokens could be taken now. It changes nothing.
    ///
    /// # Errors
    ///
    /// [`Rejected`], as [`Bucket::try_acquire_many`] would.
    pub fn check(&self, cost: u32, now: Instant) -> Result<(), Rejected> {
        self.keyed.check(self.key, self.keyed.units_of(cost)?, now)
    }

    /// As [`KeyedRateLimiter::refund`].
    #[inline]
    pub(crate) fn refund(&self, grant: Grant, now: Instant) -> Refund {
        self.keyed.refund(grant, now)
    }

    /// How the bucket is doing; `None` if the key has no entry: then it is full, or shared.
    pub fn status(&self, now: Instant) -> Option<Status> {
        let present = self.keyed.scale.present(now);
        let (entry, _, value) = self.keyed.table.find(self.key)?;
        Some(Status { entry, available: self.keyed.tokens_left(self.keyed.debt(value, present)) })
    }

    /// Takes the key's entry away, so that its bucket is as new, and says whether it had one.
    pub fn forget(&self) -> bool {
        self.keyed.table.forget(self.key)
    }
}

impl fmt::Debug for Bucket<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bucket").finish_non_exhaustive()
    }
}

/// A limiter without the type of its storage.
#[derive(Clone, Copy)]
struct View<'a> {
    quota: &'a Quota,
    scale: &'a Scale,
    config: &'a Config,
    shared: &'a Entry,
    table: Table<'a, Entry>,
}

/// A call that takes `units` at the moment `present`. An owner's value is an arrival time, modulo its bits.
struct Take<'a> {
    keyed: View<'a>,
    units: Wide,
    present: Wide,
}

impl Visit for Take<'_> {
    type Place = Entry;
    /// The arrival time, or by how many units the tolerance is exceeded.
    type Out = Result<Wide, Wide>;

    #[inline]
    fn loss(&self, _: &Entry, value: Wide) -> Result<Wide, Wide> {
        let debt = self.keyed.debt(value, self.present);
        // More than this, and a bucket as new would give the key what its own does not.
        let scale = self.keyed.scale;
        let denied_above = if mutant!("keyed_evicts_the_denied") {
            Wide::MAX
        } else {
            scale.tolerance.saturating_sub(scale.interval)
        };
        let most = scale.interval.saturating_mul(Wide::from(self.keyed.config.forgiven)).min(denied_above);
        if debt <= most { Ok(debt) } else { Err(debt - most) }
    }

    #[inline]
    fn begin(&self, _: &Entry, _: Owned) -> Option<(Wide, Self::Out)> {
        let (next, out) = self.step(self.present);
        Some((next.unwrap_or(self.present), out))
    }

    #[inline]
    fn go_on(&self, entry: &Entry, tag: Wide) -> Option<Self::Out> {
        entry.step(tag, |value| self.step(value))
    }
}

impl Take<'_> {
    /// The next arrival time, if it changes, and what to tell.
    #[inline]
    fn step(&self, value: Wide) -> (Option<Wide>, Result<Wide, Wide>) {
        let tolerance = self.keyed.scale.tolerance;
        let debt = self.keyed.debt(value, self.present);
        if self.units <= tolerance.saturating_sub(debt) {
            let until = self.present.wrapping_add(debt).wrapping_add(self.units) & VALUE_MAX;
            (Some(until), Ok(until))
        } else {
            // Exact: the debt may exceed the tolerance after a clock stepped back.
            (None, Err(debt.saturating_add(self.units).saturating_sub(tolerance)))
        }
    }
}

impl View<'_> {
    fn units_of(&self, cost: u32) -> Result<Wide, Rejected> {
        let burst = self.quota.burst_size();
        if cost > burst { Err(Rejected::ExceedsBurst { cost, burst }) } else { Ok(self.scale.units_of(cost)) }
    }

    /// How far the arrival time is ahead of the present; zero if it is past.
    #[inline]
    fn debt(&self, value: Wide, present: Wide) -> Wide {
        let ahead = value.wrapping_sub(present) & VALUE_MAX;
        if ahead > self.scale.horizon { 0 } else { ahead }
    }

    fn tokens_left(&self, debt: Wide) -> u32 {
        self.scale.tokens_in(self.scale.tolerance.saturating_sub(debt))
    }

    /// The entry for keys without one, as a table of a single entry.
    fn overflow(&self) -> Self {
        let table = Table { entries: slice::from_ref(self.shared), tally: self.table.tally };
        Self { table, ..*self }
    }

    #[inline]
    fn take(&self, key: Key, units: Wide, now: Instant) -> Result<Grant, Rejected> {
        let visit = Take { keyed: *self, units, present: self.scale.present(now) };
        if units == 0 {
            return Ok(Grant { at: NOWHERE, tag: 0, units, until: visit.present });
        }
        let (at, tag, taken) = match self.table.enter(key, &visit) {
            Ok((at, taken)) => (at, key.tag, taken),
            Err(wait) => self.turn_away(&visit, wait, now)?,
        };
        match taken {
            Ok(until) => Ok(Grant { at, tag, units, until }),
            Err(short) => Err(Rejected::Limited { retry_after: self.scale.wait_for(short, now) }),
        }
    }

    #[cold]
    fn turn_away(
        &self,
        visit: &Take<'_>,
        wait: Wide,
        now: Instant,
    ) -> Result<(u32, Wide, Result<Wide, Wide>), Rejected> {
        self.table.tally.turned_away.increment();
        if self.config.when_full == WhenFull::Share {
            if let Ok((_, taken)) = self.overflow().table.enter(SHARED_KEY, visit) {
                return Ok((SHARED, SHARED_KEY.tag, taken));
            }
        }
        Err(Rejected::TableFull { retry_after: self.scale.wait_for(wait, now) })
    }

    fn check(&self, key: Key, units: Wide, now: Instant) -> Result<(), Rejected> {
        let visit = Take { keyed: *self, units, present: self.scale.present(now) };
        let mut sight = self.table.look(key, &visit);
        if let (Sight::Full { .. }, WhenFull::Share) = (&sight, self.config.when_full) {
            sight = self.overflow().table.look(SHARED_KEY, &visit);
        }
        match sight {
            _ if units == 0 => Ok(()),
            Sight::Held { value, .. } => match visit.step(value).1 {
                Ok(_) => Ok(()),
                Err(short) => Err(Rejected::Limited { retry_after: self.scale.wait_for(short, now) }),
            },
            Sight::Pending { .. } | Sight::Vacant { .. } => Ok(()),
            Sight::Full { wait } => Err(Rejected::TableFull { retry_after: self.scale.wait_for(wait, now) }),
        }
    }

    fn refund(&self, grant: Grant, now: Instant) -> Refund {
        let present = self.scale.present(now);
        let entry = match grant.at {
            NOWHERE => return Refund::Lapsed,
            SHARED => Some(self.shared),
            at => self.table.entry(at),
        };
        let refunded = entry.and_then(|entry| {
            entry.step(grant.tag, |value| {
                // As much as is still owed: what time gave back since would be there twice.
                let owed = self.debt(grant.until, present).min(self.debt(value, present));
                match owed.min(grant.units) {
                    0 => (None, Refund::Lapsed),
                    units => (Some(value.wrapping_sub(units)), Refund::Returned),
                }
            })
        });
        refunded.unwrap_or(Refund::Stale)
    }
}
