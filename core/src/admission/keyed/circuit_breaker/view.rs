//! An entry of the table, and what a call does to it.

use core::fmt;
use core::slice;
use core::time::Duration;

use super::permit::Ticket;
use super::report::{Rejected, Status};
use crate::admission::circuit_breaker::{
    self, Cell, Ending, Hand, InWord, Rules, Settlement, Shown, Standing, Transition,
};
use crate::admission::keyed::config::{Config, WhenFull};
use crate::admission::keyed::table::{self, Key, Owned, Place, Sight, Table, Visit};
use crate::atomic::sync::Wide;
use crate::outcome::Outcome;
use crate::time::Instant;

/// The index of the entry for keys that found none.
pub(super) const SHARED: u32 = u32::MAX;

/// The only key of the table that the shared entry is.
const SHARED_KEY: Key = Key::new(1);

/// One entry of a keyed breaker: 24 bytes, 12 where words have 32 bits.
pub struct Entry {
    pub(super) owner: table::Entry,
    pub(super) cell: Cell,
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

/// A keyed breaker without the type of its storage.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) rules: &'a Rules,
    pub(super) config: &'a Config,
    pub(super) shared: &'a Entry,
    pub(super) table: Table<'a, Entry>,
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
            Standing::Forced => Err(Wide::MAX),
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
            Standing::Forced => false,
            Standing::Refusing(_) if !mutant!("keyed_evicts_the_open") => false,
            _ => place.cell.change(self.keyed.rules, seen, Hand::Seal, self.now).is_some(),
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
            Standing::Sealed if place.cell.change(rules, seen, Hand::Reset, self.now).is_some() => {}
            // Another thread that brings the key in was faster.
            Standing::Closed { failures: 0 } => {}
            // What changed since it was seen is not sealed.
            _ => {
                place.cell.change(rules, seen, Hand::Seal, self.now);
                return None;
            }
        }
        let held = Owned::Held { tag, value };
        let admission = place.cell.try_acquire(rules, self.now);
        Some((value, admission.map(|ticket| (held, ticket))))
    }

    fn go_on(&self, place: &Entry, tag: Wide) -> Option<Self::Out> {
        let held = place.owner.load();
        if !matches!(held, Owned::Held { tag: owner, .. } if owner == tag) {
            return None;
        }
        let admission = place.cell.try_acquire(self.keyed.rules, self.now);
        let is_own = !place.cell.is_sealed() && place.owner.load() == held;
        if is_own || mutant!("keyed_admits_by_a_breaker_that_was_passed_on") {
            return Some(admission.map(|ticket| (held, ticket)));
        }
        if let Ok(ticket) = admission {
            self.keyed.end(place, &ticket, Outcome::Cancelled, Instant::ZERO);
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

    pub(super) fn held(self) -> impl Iterator<Item = (u32, &'a Entry)> {
        let places = self.table.values().map(|(entry, place, _)| (entry, place));
        places.filter(|(_, place)| !place.cell.is_sealed())
    }

    pub(super) fn status(&self, entry: u32, place: &Entry) -> Status {
        let Shown { state, forced, failures_in_a_row, calls, failures } = place.cell.shown(self.rules);
        Status { entry, state, forced, consecutive_failures: failures_in_a_row, calls, failures }
    }

    /// Does what a hand does to the breaker of a key; `None` if it has no entry.
    pub(super) fn change(&self, key: Key, hand: Hand, now: Instant) -> Option<Transition> {
        while let Some((_, place, value)) = self.table.find(key) {
            let seen = place.cell.seen();
            if seen.is_sealed() {
                return None;
            }
            // If the key lost the entry after this look, the breaker changed since it was seen.
            let still = place.owner.load() == Owned::Held { tag: key.tag, value };
            if still || mutant!("keyed_changes_the_breaker_of_another_key") {
                if let Some(transition) = place.cell.change(self.rules, seen, hand, now) {
                    return Some(transition);
                }
            }
        }
        None
    }

    /// Does what a hand does to the breaker of a key, which gets an entry if it has none.
    pub(super) fn hold(&self, key: Key, hand: Hand, now: Instant) -> Result<Transition, Rejected> {
        loop {
            if let Some(transition) = self.change(key, hand, now) {
                return Ok(transition);
            }
            // It comes in with a call, which is given back at once.
            let entered = self.table.enter(key, &Call { keyed: *self, now });
            if let (at, Ok((owner, of_breaker))) = entered.map_err(full)? {
                self.settle(&Ticket { at, owner, of_breaker }, Outcome::Cancelled, Instant::ZERO);
            }
        }
    }

    #[inline]
    pub(super) fn try_acquire(&self, key: Key, now: Instant) -> Result<Ticket, Rejected> {
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

    pub(super) fn check(&self, key: Key, now: Instant) -> Result<(), Rejected> {
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

    pub(super) fn settle(&self, ticket: &Ticket, outcome: Outcome, now: Instant) -> Settlement {
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
        match place.cell.settle(self.rules, &InWord, ticket, ending) {
            Settlement::Uncounted if place.cell.is_sealed() => Settlement::Stale,
            settlement => settlement,
        }
    }
}

fn full(wait: Wide) -> Rejected {
    let known = (wait < Wide::MAX).then(|| Duration::from_millis(wait as u64));
    Rejected::TableFull { retry_after: known }
}
