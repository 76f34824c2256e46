//! Places for waiting tasks, in fixed memory, ordered by arrival.
//!
//! A waiter owns one slot from its arrival until it has collected its verdict or given up.
//! Which of the slots is free says nothing about the order; a ticket in each slot does.
//! So a waiter that leaves from the middle leaves its room behind at once.
//! How many wait, and whose turn it is, is decided by the word of the pattern that owns the queue
//! ([`bulkhead`](crate::admission::bulkhead)); the queue only keeps the places.
//!
//! # States
//!
//! Each edge of a slot belongs to one actor, so no actor can be surprised by a slot that changed hands:
//!
//! ```text
//!            1 enter          2 enter            3 turn holder
//!   Empty ───────────► Claimed ───────► Waiting ───────────────► Granted, TooMany, Closed
//!     ▲ ▲                │                 │                            │
//!     │ └── 2' enter ────┘                 │ 4 waiter                   │ 6 waiter
//!     │                                    ▼                            │
//!     ├──────────── 5 turn holder ──── Cancelled                        │
//!     └─────────────────────────────────────────────────────────────────┘
//! ```
//!
//! 1: `claim` – one of the arrivals that compete for the slot wins it.
//! 2: `publish` – its ticket is written; 2': `unclaim` – there was no seat for it after all.
//! 3: `settle` – the thread that holds the turn passes its verdict; a waiter that gave up just before wins.
//! 4: `leave` – the waiter gives up; a verdict that came just before wins, and the waiter must honor it.
//! 5: `oldest`, `settle` – the thread that holds the turn clears up; nobody else looks at a cancelled slot.
//! 6: `collect`, `leave` – the waiter takes its verdict and the slot is free.
//!
//! # Memory layout
//!
//! ```text
//! 31 ……………………………………………… 3   2 … 0
//! NEED 29                   | KIND 3
//! ```
//!
//! Beside it stand the ticket (32 bits) and the waker cell: 32 bytes a slot on 64-bit targets, 20 on 32-bit targets.
//! A ticket is one more than the newest ticket that waits, or 0 if none does, and tickets are compared by wrapping
//! subtraction.
//! The order is exact as long as fewer than 2³¹ waiters arrive while one waits or while one is on its way from its count to
//! its publication.
//! Two waiters whose arrivals overlap may hold the same ticket; then the lower slot goes first.
//!
//! # Ordering
//!
//! The slot's word publishes the ticket: it is written between `claim` and `publish` and read only by those that saw
//! `Waiting`.
//! A waiter registers its waker before it looks at its slot; the turn holder passes its verdict before it takes the waker.
//! Both go through the waker cell, in some order: either the turn holder finds the waker, or the waiter finds the verdict.
//! A waker that is taken late, from a slot that already has its next owner, is woken all the same: that owner is polled
//! once too often, never once too seldom.
//!
//! # Cost
//!
//! `claim`, `oldest` and the ticket of an arrival look at all slots: one load each.

use core::task::Waker;

use super::bits::Field;
use super::sync::{AtomicU32, AtomicWaker, Ordering};
use super::word::{Packed, Word};

const KIND: Field = Field::lowest(3);
const NEED: Field = KIND.then(29);
const _: () = assert!(NEED.end() == u32::BITS);

/// What a slot holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Nobody.
    Empty,
    /// An arrival that is not in line yet.
    Claimed,
    /// A waiter that needs so many permits.
    Waiting { need: u32 },
    /// A waiter that has got what it needs.
    Granted,
    /// A waiter that gave up.
    Cancelled,
    /// A waiter that needs more than there can be; this is how many there can be.
    TooMany { capacity: u32 },
    /// A waiter that is sent away for good.
    Closed,
}

impl Packed for Place {
    type Raw = u32;

    fn unpack(raw: u32) -> Self {
        let need = NEED.get(raw);
        match KIND.get(raw) {
            0 => Self::Empty,
            1 => Self::Claimed,
            2 => Self::Waiting { need },
            3 => Self::Granted,
            4 => Self::Cancelled,
            5 => Self::TooMany { capacity: need },
            _ => Self::Closed,
        }
    }

    fn pack(self) -> u32 {
        match self {
            Self::Empty => EMPTY,
            Self::Claimed => 1,
            Self::Waiting { need } => NEED.set(2, need),
            Self::Granted => 3,
            Self::Cancelled => 4,
            Self::TooMany { capacity } => NEED.set(5, capacity),
            Self::Closed => 6,
        }
    }
}

const EMPTY: u32 = 0;

/// A place for one waiter.
pub(crate) struct Slot {
    place: Word,
    ticket: AtomicU32,
    waker: AtomicWaker,
}

impl Slot {
    const_fn! {
        const fn new() -> Self {
            Self { place: Word::new(EMPTY), ticket: AtomicU32::new(0), waker: AtomicWaker::new() }
        }
    }

    /// The ticket, and how much is needed, if somebody waits here.
    fn waiting(&self) -> Option<(u32, u32)> {
        match self.place.load() {
            // ORDERING: none is needed, the place that was just seen published the ticket.
            Place::Waiting { need } => Some((self.ticket.load(Ordering::Relaxed), need)),
            _ => None,
        }
    }

    /// Edge 1: whether the slot was free and is now the caller's.
    fn claim(&self) -> bool {
        self.place.transition(|place| match place {
            Place::Empty => (Some(Place::Claimed), true),
            _ => (None, false),
        })
    }

    /// Edge 2': the arrival has no use for the slot.
    pub(crate) fn unclaim(&self) {
        self.become_free();
    }

    fn become_free(&self) {
        self.place.transition(|_| (Some(Place::Empty), ()));
    }

    /// Edge 3: passes a verdict; `false` if the waiter gave up before, whose slot is then free (edge 5).
    pub(crate) fn settle(&self, verdict: Place) -> bool {
        let overrides = mutant!("bulkhead_grant_overrides_cancel");
        self.place.transition(|place| match place {
            Place::Cancelled if !overrides => (Some(Place::Empty), false),
            _ => (Some(verdict), true),
        })
    }

    /// The waker to wake after [`settle`](Self::settle), once nothing is held.
    pub(crate) fn take_waker(&self) -> Option<Waker> {
        self.waker.take()
    }

    /// Registers the waker of the task that owns the slot.
    pub(crate) fn register(&self, waker: &Waker) {
        self.waker.register(waker);
    }

    /// Edge 6: the verdict, if there is one; the slot is then free.
    pub(crate) fn collect(&self) -> Option<Place> {
        if matches!(self.place.load(), Place::Waiting { .. }) {
            return None;
        }
        Some(self.leave())
    }

    /// Edges 4 and 6: gives up, or takes the verdict that came before; the slot is not the caller's any more.
    ///
    /// Returns [`Place::Cancelled`] or the verdict.
    pub(crate) fn leave(&self) -> Place {
        drop(self.waker.take());
        self.place.transition(|place| match place {
            Place::Waiting { .. } => (Some(Place::Cancelled), Place::Cancelled),
            verdict => (Some(Place::Empty), verdict),
        })
    }
}

/// The oldest waiter, as the holder of the turn sees it.
pub(crate) struct Oldest<'a> {
    /// Its slot, and how much it needs.
    pub(crate) head: Option<(&'a Slot, u32)>,
    /// How many slots of waiters that gave up were cleared on the way.
    pub(crate) reaped: u32,
}

/// `N` places.
pub(crate) struct WaitQueue<const N: usize> {
    slots: [Slot; N],
}

impl<const N: usize> WaitQueue<N> {
    const_fn! {
        pub(crate) const fn new() -> Self {
            Self { slots: array_of!(N, Slot::new()) }
        }
    }

    /// A free slot, which is then the caller's.
    pub(crate) fn claim(&self) -> Option<&Slot> {
        self.slots.iter().find(|slot| slot.claim())
    }

    /// Edge 2: puts the owner of a claimed slot in line, behind everyone whose arrival is complete.
    pub(crate) fn publish(&self, slot: &Slot, need: u32) {
        let newest = self.slots.iter().filter_map(Slot::waiting).map(|(ticket, _)| ticket).reduce(later);
        // ORDERING: none is needed, the transition below publishes the ticket.
        slot.ticket.store(newest.map_or(0, |ticket| ticket.wrapping_add(1)), Ordering::Relaxed);
        slot.place.transition(|_| (Some(Place::Waiting { need }), ()));
    }

    /// Looks for the oldest waiter and clears the slots of those that gave up; only for the holder of the turn.
    pub(crate) fn oldest(&self) -> Oldest<'_> {
        let mut reaped = 0;
        let mut oldest: Option<(&Slot, u32, u32)> = None;
        for slot in &self.slots {
            match slot.place.load() {
                Place::Cancelled => {
                    slot.become_free();
                    reaped += 1;
                }
                Place::Waiting { need } => {
                    // ORDERING: none is needed, the place that was just seen published the ticket.
                    let ticket = slot.ticket.load(Ordering::Relaxed);
                    let by_ticket = !mutant!("bulkhead_ignores_tickets");
                    if oldest.is_none_or(|(_, first, _)| by_ticket && is_before(ticket, first)) {
                        oldest = Some((slot, ticket, need));
                    }
                }
                _ => {}
            }
        }
        Oldest { head: oldest.map(|(slot, _, need)| (slot, need)), reaped }
    }
}

/// Whether ticket `a` was drawn before ticket `b`.
const fn is_before(a: u32, b: u32) -> bool {
    a.wrapping_sub(b).cast_signed() < 0
}

const fn later(a: u32, b: u32) -> u32 {
    if is_before(a, b) { b } else { a }
}

/// How many wakers are kept until the turn is given up; one in models, where each takes many executions.
const KEPT: usize = if cfg!(any(loom, shuttle)) { 1 } else { 8 };

/// Wakers that are woken once nothing is held: at the latest when this is dropped, also while unwinding.
pub(crate) struct Wakers {
    list: [Option<Waker>; KEPT],
}

impl Wakers {
    pub(crate) const fn new() -> Self {
        Self { list: [const { None }; KEPT] }
    }

    /// Keeps a waker; `false` if there is no room for another one.
    pub(crate) fn push(&mut self, waker: Option<Waker>) -> bool {
        let mut free = self.list.iter_mut().filter(|entry| entry.is_none());
        if let (Some(entry), Some(waker)) = (free.next(), waker) {
            *entry = Some(waker);
            return free.next().is_some();
        }
        true
    }

    fn wake(&mut self) {
        for entry in &mut self.list {
            if let Some(waker) = entry.take() {
                waker.wake();
            }
        }
    }
}

impl Drop for Wakers {
    fn drop(&mut self) {
        struct Rest<'a>(&'a mut Wakers);

        // A waker that panics costs the others nothing: the rest is woken while it unwinds.
        impl Drop for Rest<'_> {
            fn drop(&mut self) {
                self.0.wake();
            }
        }

        Rest(self).0.wake();
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{Packed, Place, WaitQueue, is_before};

    #[test]
    fn a_place_survives_its_word() {
        for place in [
            Place::Empty,
            Place::Claimed,
            Place::Waiting { need: 4095 },
            Place::Granted,
            Place::Cancelled,
            Place::TooMany { capacity: 7 },
            Place::Closed,
        ] {
            assert_eq!(Place::unpack(place.pack()), place);
        }
    }

    #[test]
    fn tickets_are_ordered_across_their_wrap() {
        assert!(is_before(1, 2));
        assert!(is_before(u32::MAX, 0));
        assert!(!is_before(0, u32::MAX));
        assert!(!is_before(5, 5));
    }

    #[test]
    fn the_oldest_is_found_whatever_its_slot_and_leavers_are_cleared() {
        let queue = WaitQueue::<3>::new();
        let first = queue.claim().unwrap();
        queue.publish(first, 1);
        let second = queue.claim().unwrap();
        queue.publish(second, 2);
        assert_eq!(first.leave(), Place::Cancelled);
        let look = queue.oldest();
        assert_eq!((look.reaped, look.head.unwrap().1), (1, 2));
        let third = queue.claim().unwrap();
        assert!(core::ptr::eq(first, third), "the room of the leaver is free at once");
        queue.publish(third, 3);
        assert_eq!(queue.oldest().head.unwrap().1, 2, "the lower slot holds the newer waiter");
    }

    #[test]
    fn a_slot_that_an_arrival_has_no_use_for_is_free_again() {
        let queue = WaitQueue::<1>::new();
        let slot = queue.claim().unwrap();
        assert!(queue.claim().is_none());
        slot.unclaim();
        assert!(queue.claim().is_some());
    }
}
