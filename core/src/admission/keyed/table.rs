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
    /// A key that is on its way in; the ticket tells one attempt from the next.
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

    fn load(&self) -> Owned {
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

/// What a pattern wants of the entry of one key.
pub(super) trait Visit {
    /// What the pattern's step tells.
    type Out;

    /// The value of a key that was never seen.
    fn fresh(&self) -> Wide;

    /// What is lost with the owner of `value`: an amount, zero if it is as new; or for how long it has to be kept.
    fn loss(&self, value: Wide) -> Result<Wide, Wide>;

    /// The step: the next value, if it changes, and what to tell.
    fn step(&self, value: Wide) -> (Option<Wide>, Self::Out);
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

/// What a set holds, as seen for one key.
pub(super) enum Sight {
    /// The key is here.
    Held { at: usize, value: Wide },
    /// The key is on its way into this entry.
    Pending { at: usize, ticket: Wide },
    /// The key is not here, and this entry can be had at this loss.
    Vacant { at: usize, owned: Owned, loss: Wide },
    /// The key is not here, and no entry can be had before this amount has passed.
    Full { wait: Wide },
}

/// The entries of a pattern.
#[derive(Clone, Copy)]
pub(super) struct Table<'a> {
    pub(super) entries: &'a [Entry],
    pub(super) tally: &'a Tally,
}

impl<'a> Table<'a> {
    /// The entries among which the key may stand, and the index of the first.
    #[inline]
    fn set_of(&self, key: Key) -> (usize, &'a [Entry]) {
        let sets = (self.entries.len() / WAYS).max(1);
        let first = ((u64::from(key.place) * sets as u64) >> 32) as usize * WAYS;
        let rest = self.entries.get(first..).unwrap_or_default();
        (first, rest.get(..WAYS).unwrap_or(rest))
    }

    /// The key's entry, whoever holds it by now.
    #[inline]
    pub(super) fn entry(&self, at: u32) -> Option<&'a Entry> {
        self.entries.get(at as usize)
    }

    /// Looks for the key, and for the entry that it could have.
    #[inline]
    pub(super) fn look(&self, key: Key, visit: &impl Visit) -> Sight {
        look(self.set_of(key).1, key.tag, visit)
    }

    /// Makes the visit's step in the key's entry, which it gets if it has none. Tells the entry's index, too.
    ///
    /// # Errors
    ///
    /// The amount that has to pass before an entry of its set can be had.
    #[inline]
    pub(super) fn enter<V: Visit>(&self, key: Key, visit: &V) -> Result<(u32, V::Out), Wide> {
        let (first, set) = self.set_of(key);
        loop {
            let (at, out) = match look(set, key.tag, visit) {
                Sight::Held { at, .. } => (at, set[at].step(key.tag, |value| visit.step(value))),
                Sight::Pending { at, ticket } => (at, self.confirm(set, key.tag, at, ticket, visit)),
                Sight::Vacant { at, owned, loss } => {
                    self.claim(&set[at], key.tag, owned, loss);
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
    fn claim(&self, entry: &Entry, tag: Wide, owned: Owned, loss: Wide) {
        let ticket = self.tally.turn() & TICKET_MAX;
        if entry.replace(owned, Owned::Pending { tag, ticket }) && matches!(owned, Owned::Held { .. }) {
            self.tally.evictions.increment();
            if loss > 0 {
                self.tally.forgiven.increment();
            }
        }
    }

    /// Edges 2 and 3; `None` if the key did not get in here.
    #[cold]
    fn confirm<V: Visit>(
        &self,
        set: &[Entry],
        tag: Wide,
        at: usize,
        ticket: Wide,
        visit: &V,
    ) -> Option<V::Out> {
        let pending = Owned::Pending { tag, ticket };
        self.tally.turn();
        for (other, entry) in set.iter().enumerate().filter(|&(other, _)| other != at) {
            let seen = entry.load();
            match seen {
                Owned::Held { tag: owner, .. } if owner == tag => {
                    set[at].replace(pending, Owned::Empty);
                    return None;
                }
                Owned::Pending { tag: owner, .. } if owner == tag => {
                    // Of two pending entries the first one stays, whoever looks.
                    let gave_way = other > at && entry.replace(seen, Owned::Empty);
                    if !gave_way && !mutant!("keyed_lets_a_rival_be_confirmed") {
                        return None;
                    }
                }
                _ => {}
            }
        }
        let fresh = visit.fresh();
        let (next, out) = visit.step(fresh);
        let held = Owned::Held { tag, value: next.unwrap_or(fresh) & VALUE_MAX };
        set[at].replace(pending, held).then_some(out)
    }

    /// The key's entry and value.
    pub(super) fn find(&self, key: Key) -> Option<(u32, Wide)> {
        let (first, set) = self.set_of(key);
        set.iter().enumerate().find_map(|(at, entry)| match entry.load() {
            Owned::Held { tag, value } if tag == key.tag => Some(((first + at) as u32, value)),
            _ => None,
        })
    }

    /// Edge 5: whether the key was there.
    pub(super) fn forget(&self, key: Key) -> bool {
        self.set_of(key).1.iter().any(|entry| {
            entry.0.transition(|owned: Owned| match owned {
                Owned::Held { tag, .. } if tag == key.tag => (Some(Owned::Empty), true),
                _ => (None, false),
            })
        })
    }

    /// The values of the keys, with the index of each entry.
    pub(super) fn values(self) -> impl Iterator<Item = (u32, Wide)> + 'a {
        self.entries.iter().enumerate().filter_map(|(at, entry)| match entry.load() {
            Owned::Held { value, .. } => Some((at as u32, value)),
            _ => None,
        })
    }
}

#[inline]
fn look(set: &[Entry], tag: Wide, visit: &impl Visit) -> Sight {
    let mut pending = None;
    // Empty first, then as new, then on its way in, then by the loss.
    let mut best: Option<((u8, Wide), usize, Owned)> = None;
    let mut wait = Wide::MAX;
    for (at, entry) in set.iter().enumerate() {
        let seen = entry.load();
        let rank = match seen {
            Owned::Held { tag: owner, value } if owner == tag => return Sight::Held { at, value },
            Owned::Pending { tag: owner, ticket } if owner == tag => {
                pending = pending.or(Some(Sight::Pending { at, ticket }));
                continue;
            }
            Owned::Empty => (0, 0),
            Owned::Pending { .. } => (2, 0),
            Owned::Held { value, .. } => match visit.loss(value) {
                Ok(0) => (1, 0),
                Ok(loss) => (3, loss),
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
        (None, Some(((_, loss), at, owned))) => Sight::Vacant { at, owned, loss },
        (None, None) => Sight::Full { wait },
    }
}
