//! The words of the bulkhead and their transitions, as pure functions.

use super::Rejected;
use crate::atomic::bits::Field;
use crate::atomic::word::Packed;

const HELD: Field = Field::lowest(12);
const WAITING: Field = HELD.then(10);
const TURN: Field = WAITING.then(2);
const EPOCH: Field = TURN.then(8);
const _: () = assert!(EPOCH.end() == u32::BITS);

const CAPACITY: Field = Field::lowest(HELD.max().count_ones());
const SEATS: Field = CAPACITY.then(WAITING.max().count_ones());
const CLOSED: Field = SEATS.then(1);

/// The most permits that a bulkhead has.
pub(super) const MAX_CONCURRENT: u32 = HELD.max();
/// The most slots for waiters that a bulkhead has.
pub(super) const MAX_WAITERS: usize = WAITING.max() as usize;

/// The bounds of a bulkhead: a word of its own, which changes rarely.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limits {
    pub(super) capacity: u32,
    pub(super) seats: u32,
    pub(super) closed: bool,
}

impl Limits {
    /// The raw word of open limits.
    pub(super) const fn raw(capacity: u32, seats: u32) -> u32 {
        SEATS.set(CAPACITY.set(0, capacity), seats)
    }
}

impl Packed for Limits {
    type Raw = u32;

    fn unpack(raw: u32) -> Self {
        Self { capacity: CAPACITY.get(raw), seats: SEATS.get(raw), closed: CLOSED.get(raw) == 1 }
    }

    fn pack(self) -> u32 {
        CLOSED.set(Self::raw(self.capacity, self.seats), u32::from(self.closed))
    }
}

/// Who hands out permits to waiters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Nobody.
    Free,
    /// One thread does.
    Taken,
    /// One thread does, and something happened that it may have missed.
    Again,
}

/// The word that decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct State {
    pub(super) held: u32,
    pub(super) waiting: u32,
    pub(super) turn: Turn,
    /// Counts the changes of [`Limits`], so that no decision by older limits succeeds.
    pub(super) epoch: u32,
}

/// The raw word of a bulkhead that nobody uses.
pub(super) const IDLE: u32 = 0;

impl Packed for State {
    type Raw = u32;

    fn unpack(raw: u32) -> Self {
        let turn = match TURN.get(raw) {
            0 => Turn::Free,
            1 => Turn::Taken,
            _ => Turn::Again,
        };
        Self { held: HELD.get(raw), waiting: WAITING.get(raw), turn, epoch: EPOCH.get(raw) }
    }

    fn pack(self) -> u32 {
        let turn = match self.turn {
            Turn::Free => 0,
            Turn::Taken => 1,
            Turn::Again => 2,
        };
        EPOCH.set(TURN.set(WAITING.set(HELD.set(IDLE, self.held), self.waiting), turn), self.epoch)
    }
}

/// How a caller that is willing to wait came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entered {
    Admitted,
    Seated,
}

/// What the holder of the turn does about the oldest waiter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It gets its permits.
    Grant,
    /// It needs more than the capacity.
    TooMany { capacity: u32 },
    /// The bulkhead is closed.
    Closed,
    /// There is nothing to do, and the turn is given up.
    Rest,
    /// Something happened meanwhile; the turn is kept.
    LookAgain,
}

impl State {
    fn fits(self, n: u32, limits: Limits) -> bool {
        if mutant!("bulkhead_over_admits") {
            self.held <= limits.capacity
        } else {
            self.held + n <= limits.capacity
        }
    }

    /// Takes `n` permits if they are free and nobody waits for them.
    pub(super) fn admit(self, n: u32, limits: Limits) -> (Option<Self>, Result<(), Rejected>) {
        if limits.closed {
            return (None, Err(Rejected::Closed));
        }
        if n > limits.capacity {
            return (None, Err(Rejected::TooMany { requested: n, capacity: limits.capacity }));
        }
        let nobody_waits = self.waiting == 0 || mutant!("bulkhead_barges");
        if nobody_waits && self.fits(n, limits) {
            (Some(Self { held: self.held + n, ..self }), Ok(()))
        } else {
            let full = Rejected::Full { in_use: self.held, capacity: limits.capacity, waiting: self.waiting };
            (None, Err(full))
        }
    }

    /// As [`admit`](Self::admit), but takes a seat in the queue if the permits are not free.
    pub(super) fn enter(self, n: u32, limits: Limits) -> (Option<Self>, Result<Entered, Rejected>) {
        match self.admit(n, limits) {
            (next, Ok(())) => (next, Ok(Entered::Admitted)),
            (_, Err(Rejected::Full { .. })) if self.waiting < limits.seats => {
                (Some(Self { waiting: self.waiting + 1, ..self }), Ok(Entered::Seated))
            }
            (_, Err(Rejected::Full { .. })) => (None, Err(self.queue_full(limits))),
            (_, Err(rejected)) => (None, Err(rejected)),
        }
    }

    pub(super) const fn queue_full(self, limits: Limits) -> Rejected {
        Rejected::QueueFull { waiting: self.waiting, max_waiting: limits.seats }
    }

    /// Something happened that may concern a waiter: takes the turn, or tells its holder to look again.
    ///
    /// Returns whether the turn was taken.
    pub(super) fn knock(self) -> (Option<Self>, bool) {
        if self.waiting == 0 {
            return (None, false);
        }
        match self.turn {
            Turn::Free => (Some(Self { turn: Turn::Taken, ..self }), true),
            _ if mutant!("bulkhead_two_holders") => (Some(self), true),
            _ if mutant!("bulkhead_no_second_look") => (Some(self), false),
            // Also if it is there already: the exchange publishes what the caller did before.
            _ => (Some(Self { turn: Turn::Again, ..self }), false),
        }
    }

    /// Gives `n` permits back, and knocks.
    pub(super) fn release(self, n: u32) -> (Option<Self>, bool) {
        let next = Self { held: self.held.saturating_sub(n), ..self };
        let (knocked, turn) = next.knock();
        (Some(knocked.unwrap_or(next)), turn)
    }

    /// The limits changed: begins the next epoch, and knocks.
    pub(super) fn begin_epoch(self) -> (Option<Self>, bool) {
        let next = Self { epoch: EPOCH.get(EPOCH.set(0, self.epoch.wrapping_add(1))), ..self };
        let (knocked, turn) = next.knock();
        (Some(knocked.unwrap_or(next)), turn)
    }

    /// Decides about the oldest waiter, which needs `need`, after clearing `reaped` seats; for the holder of the turn.
    pub(super) fn settle(self, reaped: u32, need: Option<u32>, limits: Limits) -> (Option<Self>, Verdict) {
        let mut next = Self { waiting: self.waiting.saturating_sub(reaped), ..self };
        let verdict = match need {
            Some(_) if limits.closed => Verdict::Closed,
            Some(n) if n > limits.capacity => Verdict::TooMany { capacity: limits.capacity },
            Some(n) if self.fits(n, limits) => {
                next.held += n;
                Verdict::Grant
            }
            _ if self.turn == Turn::Again => {
                next.turn = Turn::Taken;
                return (Some(next), Verdict::LookAgain);
            }
            _ => {
                next.turn = Turn::Free;
                return (Some(next), Verdict::Rest);
            }
        };
        next.waiting = next.waiting.saturating_sub(1);
        (Some(next), verdict)
    }

    /// Takes back a grant that came too late; the turn is kept.
    pub(super) fn take_back(self, n: u32) -> (Option<Self>, ()) {
        (Some(Self { held: self.held.saturating_sub(n), ..self }), ())
    }

    /// Gives up the turn, to come back for it.
    pub(super) fn give_up_turn(self) -> (Option<Self>, ()) {
        (Some(Self { turn: Turn::Free, ..self }), ())
    }
}
