//! The entries of a keyed pattern: who owns which, who has to go, and how a key comes in once.
//!
//! # States
//!
//! ```text
//!            1 claim              2 confirm
//!   Empty ───────────► Pending ────────────► Held ─┐ the owner's steps
//!     ▲                  │  ▲                 │ ▲──┘
//!     │    3 drop        │  │    4 evict      │
//!     └──────────────────┴──┼─────────────────┘ 5 forget
//!                           └─────────────────┘
//! ```
//!
//! 1: `enter` – the key is in no entry of its set, and this one is empty.
//! 2: `confirm` – no other entry of the set holds the key; the first step is part of it.
//! 3: `confirm` – another entry holds the key, or a pending one before this holds it.
//! 4: `enter` – as 1, from a key whose loss is the least; the exchange fails if that key took a step in between.
//! 5: `forget` – by hand.
//!
//! Edge 4 also takes a pending entry from another key, so that a thread that is stopped before 2 holds up nobody. Two new keys for
//! one entry can do so to each other, each between 1 and 2 of the other one: coming in is obstruction-free, not lock-free.

#[cfg(all(test, not(loom)))]
mod tests;

use crate::atomic::sync::{AtomicU32, Counter, Ordering, Wide};
use crate::atomic::word::{Packed, WideWord};

/// The entries among which one key may stand; they share a line of 64 bytes where words are wide.
pub(super) const WAYS: usize = 8;

/// The bits of an owner's value.
pub(super) const VALUE_BITS: u32 = if Wide::BITS == 64 { 40 } else { 20 };
/// The bits of the hash that tell the keys of a set apart.
const TAG_BITS: u32 = Wide::BITS - VALUE_BITS;
/// The bits of a ticket: a pending entry has both where an owner has its value.
const TICKET_BITS: u32 = VALUE_BITS - TAG_BITS;

const TAG_MAX: Wide = (1 << TAG_BITS) - 1;
pub(super) const VALUE_MAX: Wide = (1 << VALUE_BITS) - 1;
const TICKET_MAX: Wide = (1 << TICKET_BITS) - 1;

const EMPTY: Wide = 0;

/// One entry of a keyed table: 8 bytes, 4 where words have 32 bits.
pub struct Entry(WideWord);

/// What an entry holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owned {
    /// Nobody.
    Empty,
    /// A key that is on its way in; the ticket, of which the lowest bits are kept, tells one attempt from the next.
    Pending { tag: Wide, ticket: Wide },
    /// A key.
    Held { tag: Wide, value: Wide },
}

impl Packed for Owned {
    type Raw = Wide;

    #[inline]
    fn unpack(raw: Wide) -> Self {
        let (tag, value) = (raw & TAG_MAX, raw >> TAG_BITS);
        if tag != 0 {
            Self::Held { tag, value }
        } else if raw == EMPTY {
            Self::Empty
        } else {
            Self::Pending { tag: value >> TICKET_BITS, ticket: value & TICKET_MAX }
        }
    }

    #[inline]
    fn pack(self) -> Wide {
        match self {
            Self::Empty => EMPTY,
            Self::Pending { tag, ticket } => ((tag << TICKET_BITS) | (ticket & TICKET_MAX)) << TAG_BITS,
            Self::Held { tag, value } => (value << TAG_BITS) | tag,
        }
    }
}

impl Entry {
    const_fn! {
        /// An entry that nobody holds.
        pub const fn new() -> Self {
            Self(WideWord::new(EMPTY))
        }
    }

    pub(super) fn load(&self) -> Owned {
        self.0.load()
    }

    /// Makes a step of the owner, unless the entry is no longer the owner's.
    #[inline]
    pub(super) fn step<T>(&self, tag: Wide, mut step: impl FnMut(Wide) -> (Option<Wide>, T)) -> Option<T> {
        self.0.transition(|owned: Owned| match owned {
            Owned::Held { tag: owner, value } if owner == tag || mutant!("keyed_step_ignores_the_owner") => {
                let (next, out) = step(value);
                (next.map(|value| Owned::Held { tag: owner, value: value & VALUE_MAX }), Some(out))
            }
            _ => (None, None),
        })
    }

    /// Replaces exactly `from`, or nothing.
    fn replace(&self, from: Owned, to: Owned) -> bool {
        self.0.transition(|owned: Owned| {
            let same = owned == from
                || mutant!("keyed_evicts_what_took_a_step") && matches!(owned, Owned::Held { .. });
            (same.then_some(to), same)
        })
    }
}

impl Default for Entry {
    fn default() -> Self {
        Self::new()
    }
}

impl core::fmt::Debug for Entry {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        // Neither a tag nor a value: what is logged says nothing about keys.
        f.debug_struct("Entry").field("is_empty", &(self.load() == Owned::Empty)).finish()
    }
}

/// An entry, alone or with what else its owner has.
pub(super) trait Place {
    /// Who owns it.
    fn owner(&self) -> &Entry;
}

impl Place for Entry {
    #[inline]
    fn owner(&self) -> &Entry {
        self
    }
}

/// What a pattern wants of the place of one key.
pub(super) trait Visit {
    /// Where the pattern keeps its keys.
    type Place: Place;
    /// What the pattern has to tell.
    type Out;

    /// Whether the place is nobody's although an owner is written.
    fn is_void(&self, _place: &Self::Place) -> bool {
        false
    }

    /// What is lost with the owner of `value`: an amount, zero if it is as new; or for how long it has to be kept.
    fn loss(&self, place: &Self::Place, value: Wide) -> Result<Wide, Wide>;

    /// Takes the place from its owner, before another key is written; `false` if it must not be taken any more.
    fn vacate(&self, _place: &Self::Place) -> bool {
        true
    }

    /// The first call of a key that comes in: its value, and what to tell. `None` if the place is not its own any more.
    fn begin(&self, place: &Self::Place, pending: Owned) -> Option<(Wide, Self::Out)>;

    /// Another call of the key; `None` if the place is not its own any more.
    fn go_on(&self, place: &Self::Place, tag: Wide) -> Option<Self::Out>;
}

/// Where a key stands in the table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key {
    /// The upper half of the hash.
    place: u32,
    pub(super) tag: Wide,
}

impl Key {
    /// The place is taken from the upper half of the hash, the tag from the lower one.
    #[inline]
    pub(super) const fn new(hash: u64) -> Self {
        let tag = hash as Wide & TAG_MAX;
        Self { place: (hash >> 32) as u32, tag: if tag == 0 { 1 } else { tag } }
    }
}

/// What a table counts, and the order in which keys come in.
pub(super) struct Tally {
    turns: AtomicU32,
    pub(super) evictions: Counter,
    pub(super) forgiven: Counter,
    pub(super) turned_away: Counter,
}

impl Tally {
    const_fn! {
        pub(super) const fn new() -> Self {
            Self {
                turns: AtomicU32::new(0),
                evictions: Counter::new(),
                forgiven: Counter::new(),
                turned_away: Counter::new(),
            }
        }
    }

    /// The next turn. What a thread wrote before its turn is seen by every thread whose turn is later.
    fn turn(&self) -> Wide {
        let order =
            if mutant!("keyed_takes_its_turn_relaxed") { Ordering::Relaxed } else { Ordering::AcqRel };
        // ORDERING: all turns are read-modify-writes on this word, so of two threads the later one acquires what the earlier
        // one released: at least one of two pending entries is seen by the other's thread.
        Wide::from(self.turns.fetch_add(1, order))
    }
}

/// Which place goes first, and what is lost with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    Empty,
    AsNew,
    ComingIn,
    Loses(Wide),
}

/// What a set holds, as seen for one key.
pub(super) enum Sight {
    /// The key is here.
    Held { at: usize, value: Wide },
    /// The key is on its way into this entry.
    Pending { at: usize, ticket: Wide },
    /// The key is not here, and this entry can be had at this loss.
    Vacant { at: usize, owned: Owned, rank: Rank },
    /// The key is not here, and no entry can be had before this amount has passed.
    Full { wait: Wide },
}

/// The entries of a pattern.
pub(super) struct Table<'a, P> {
    pub(super) entries: &'a [P],
    pub(super) tally: &'a Tally,
}

impl<P> Clone for Table<'_, P> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P> Copy for Table<'_, P> {}

impl<'a, P: Place> Table<'a, P> {
    /// The entries among which the key may stand, and the index of the first.
    #[inline]
    fn set_of(&self, key: Key) -> (usize, &'a [P]) {
        let sets = (self.entries.len() / WAYS).max(1);
        let first = ((u64::from(key.place) * sets as u64) >> 32) as usize * WAYS;
        let rest = self.entries.get(first..).unwrap_or_default();
        (first, rest.get(..WAYS).unwrap_or(rest))
    }

    /// The key's entry, whoever holds it by now.
    #[inline]
    pub(super) fn entry(&self, at: u32) -> Option<&'a P> {
        self.entries.get(at as usize)
    }

    /// Looks for the key, and for the entry that it could have.
    #[inline]
    pub(super) fn look(&self, key: Key, visit: &impl Visit<Place = P>) -> Sight {
        look(self.set_of(key).1, key.tag, visit)
    }

    /// Makes the visit's step in the key's entry, which it gets if it has none. Tells the entry's index, too.
    ///
    /// # Errors
    ///
    /// The amount that has to pass before an entry of its set can be had.
    #[inline]
    pub(super) fn enter<V: Visit<Place = P>>(&self, key: Key, visit: &V) -> Result<(u32, V::Out), Wide> {
        let (first, set) = self.set_of(key);
        loop {
            let (at, out) = match look(set, key.tag, visit) {
                Sight::Held { at, .. } => (at, visit.go_on(&set[at], key.tag)),
                Sight::Pending { at, ticket } => (at, self.confirm(set, key.tag, at, ticket, visit)),
                Sight::Vacant { at, owned, rank } => {
                    self.claim(&set[at], key.tag, owned, rank, visit);
                    continue;
                }
                Sight::Full { wait } => return Err(wait),
            };
            if let Some(out) = out {
                return Ok(((first + at) as u32, out));
            }
        }
    }

    /// Edges 1 and 4.
    #[cold]
    fn claim(&self, place: &P, tag: Wide, owned: Owned, rank: Rank, visit: &impl Visit<Place = P>) {
        if matches!(owned, Owned::Held { .. }) && !visit.vacate(place) {
            return;
        }
        let ticket = self.tally.turn();
        if place.owner().replace(owned, Owned::Pending { tag, ticket }) {
            if matches!(rank, Rank::AsNew | Rank::Loses(_)) {
                self.tally.evictions.increment();
            }
            if matches!(rank, Rank::Loses(_)) {
                self.tally.forgiven.increment();
            }
        }
    }

    /// Edges 2 and 3; `None` if the key did not get in here.
    #[cold]
    fn confirm<V: Visit<Place = P>>(
        &self,
        set: &[P],
        tag: Wide,
        at: usize,
        ticket: Wide,
        visit: &V,
    ) -> Option<V::Out> {
        let pending = Owned::Pending { tag, ticket };
        self.tally.turn();
        for (other, place) in set.iter().enumerate().filter(|&(other, _)| other != at) {
            let seen = place.owner().load();
            let gave_way = match seen {
                // Nobody's, though the key is written there.
                Owned::Held { tag: owner, .. } if owner == tag && visit.is_void(place) => {
                    place.owner().replace(seen, Owned::Empty)
                }
                Owned::Held { tag: owner, .. } if owner == tag => {
                    set[at].owner().replace(pending, Owned::Empty);
                    return None;
                }
                // Of two pending entries the first one stays, whoever looks.
                Owned::Pending { tag: owner, .. } if owner == tag => {
                    other > at && place.owner().replace(seen, Owned::Empty)
                }
                _ => true,
            };
            if !gave_way && !mutant!("keyed_lets_a_rival_be_confirmed") {
                return None;
            }
        }
        let (value, out) = visit.begin(&set[at], pending)?;
        let held = Owned::Held { tag, value: value & VALUE_MAX };
        set[at].owner().replace(pending, held).then_some(out)
    }

    /// The key's place and value.
    pub(super) fn find(&self, key: Key) -> Option<(u32, &'a P, Wide)> {
        let (first, set) = self.set_of(key);
        set.iter().enumerate().find_map(|(at, place)| match place.owner().load() {
            Owned::Held { tag, value } if tag == key.tag => Some(((first + at) as u32, place, value)),
            _ => None,
        })
    }

    /// Edge 5: whether the key was there.
    pub(super) fn forget(&self, key: Key) -> bool {
        self.set_of(key).1.iter().any(|place| {
            place.owner().0.transition(|owned: Owned| match owned {
                Owned::Held { tag, .. } if tag == key.tag => (Some(Owned::Empty), true),
                _ => (None, false),
            })
        })
    }

    /// The places of the keys with their values, and the index of each.
    pub(super) fn values(self) -> impl Iterator<Item = (u32, &'a P, Wide)> + 'a {
        self.entries.iter().enumerate().filter_map(|(at, place)| match place.owner().load() {
            Owned::Held { value, .. } => Some((at as u32, place, value)),
            _ => None,
        })
    }
}

#[inline]
fn look<V: Visit>(set: &[V::Place], tag: Wide, visit: &V) -> Sight {
    let mut pending = None;
    let mut best: Option<(Rank, usize, Owned)> = None;
    let mut wait = Wide::MAX;
    for (at, place) in set.iter().enumerate() {
        let seen = place.owner().load();
        let rank = match seen {
            Owned::Empty => Rank::Empty,
            Owned::Held { .. } if visit.is_void(place) => Rank::Empty,
            Owned::Held { tag: owner, value } if owner == tag => return Sight::Held { at, value },
            Owned::Pending { tag: owner, ticket } if owner == tag => {
                pending = pending.or(Some(Sight::Pending { at, ticket }));
                continue;
            }
            Owned::Pending { .. } => Rank::ComingIn,
            Owned::Held { value, .. } => match visit.loss(place, value) {
                Ok(0) => Rank::AsNew,
                Ok(loss) => Rank::Loses(loss),
                Err(time) => {
                    wait = wait.min(time);
                    continue;
                }
            },
        };
        if best.is_none_or(|(least, ..)| rank < least) {
            best = Some((rank, at, seen));
        }
    }
    match (pending, best) {
        (Some(pending), _) => pending,
        (None, Some((rank, at, owned))) => Sight::Vacant { at, owned, rank },
        (None, None) => Sight::Full { wait },
    }
}
