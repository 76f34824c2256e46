//! Bounds the calls that run at once, and lets a bounded number of others wait in line.
//!
//! Put one in front of each resource that breaks, or takes the rest down with it, when too many use it at the same time.
//! It bounds calls in flight, not calls a second: for that see [`rate_limiter`](super::rate_limiter).
//! A call may need several permits; waiters are served strictly in the order of their arrival, and nobody overtakes them.
//! How long they waited is measured: [`Permit::waited`], [`Snapshot::waits`].
//!
//! # Examples
//!
//! ```
//! use core::task::{Poll, Waker};
//! use seawall_core::{bulkhead::{Config, Entry}, Bulkhead, Instant};
//!
//! static UPLINK: Bulkhead<8> = Bulkhead::new(Config::new(1));
//!
//! let now = Instant::ZERO;
//! let running = UPLINK.try_acquire(now).unwrap();
//! let Entry::Waiting(mut waiter) = UPLINK.enqueue(1, now).unwrap() else { unreachable!() };
//! assert!(waiter.poll(Waker::noop(), now).is_pending());
//! drop(running);
//! assert!(matches!(waiter.poll(Waker::noop(), now), Poll::Ready(Ok(_))));
//! ```
//!
//! # States
//!
//! A call is outside, waiting or running; the bulkhead itself has no states but its counts, and closed.
//!
//! ```text
//!              1 (free, nobody waits)
//!  outside ─────────────────────────────────► running ──► outside
//!     │ ▲                                        ▲     4
//!     │ └────────── 5 (gives up, too late) ──┐   │
//!     │ 2 (a seat is free)                   │   │ 3 (its turn)
//!     └──────────────────────────────────► waiting
//! ```
//!
//! 1: `try_acquire`, `enqueue` – the permits are free and the queue is empty.
//! 2: `enqueue` – otherwise, if there is a seat.
//! 3: `release`, `resize`, a waiter that leaves – the oldest waiter gets its permits if they are free now.
//! 4: `Permit::drop`, `release` – the permits come back.
//! 5: `Waiter::drop`, `Waiter::poll` from the deadline on, `close`, `resize` below what the waiter needs.
//!
//! # Memory layout
//!
//! ```text
//!         31 ……… 24   23 … 22   21 …… 12     11 ……………… 0
//! state   EPOCH 8   | TURN 2  | WAITING 10 | HELD 12
//! limits  – 9                 | CLOSED 1 | SEATS 10 | CAPACITY 12
//! ```
//!
//! 40 bytes with the waiting times, and 32 for each waiter slot (20 on 32-bit targets), most of which is the waker cell.
//! WAITING counts seats: waiters, those that are about to wait, and those that gave up and are not cleared yet.
//! EPOCH counts the changes of the limits; it wraps after 256 of them, and a caller that stands still between its look at
//! the limits and its exchange for exactly so many would decide by the older limits.
//! The layout of a waiter slot stands in `atomic/wait_queue.rs`.
//!
//! # Ordering
//!
//! (a) The state word is the single point of agreement: every admission, seat, grant and release is one exchange on it.
//!
//! (b) Only the holder of the turn (TURN is taken) grants, refuses, and counts seats down.
//! So the oldest waiter cannot change between the look at its slot and the exchange that admits it, except that it gives
//! up; then the grant is taken back.
//! Whatever may help a waiter is followed by a *knock*, which is always an exchange on the state word while anybody waits:
//! a release (the same exchange), the publication of a waiter, its cancellation, a change of the limits.
//! A knock takes the turn if it is free and otherwise marks it *again*.
//! The holder gives the turn up only by an exchange that replaces an unmarked word.
//! All exchanges on one word have one order: a knock before the holder's look is seen by that look, since the exchange that
//! began the look observed it; a knock after it marks the turn, and the exchange that would give it up looks again instead.
//! Hence no waiter is left behind whose permits are free.
//! A seat is counted before its waiter is published, and a newcomer is admitted past no seat.
//!
//! (c) The limits are a word of their own.
//! They are read after the state, and a change of them ends with a new epoch in the state: a decision by older limits
//! fails in its exchange.
//! So nothing is admitted by the old limits once `resize` or `close` returned.
//!
//! (d) A slot is referred to only by its owner and by the holder of the turn while the owner waits: there is no ABA.
//! For the wraps of epoch and tickets see above and `atomic/wait_queue.rs`.
//!
//! (e) Models: `loom-tests/tests/bulkhead.rs`.
//!
//! # Progress
//!
//! Lock-free: nobody waits for another thread, also not for the holder of the turn, and an exchange fails only because
//! another one succeeded.
//! Permits go to waiters through one thread at a time: if the holder of the turn is stopped, waiters wait as long, while
//! newcomers are answered and releases return at once.
//! An interrupt handler may call everything: if it interrupts the holder, the holder does its work.
//! Wakers are called with nothing held, so they may call back.
//! On targets without compare-and-swap all this is as good as the critical section of `portable-atomic`.
//!
//! # Trade-offs
//!
//! - A waiter at the head that needs many permits holds up those behind it that need few; that is what keeps it from
//!   starving.
//! - A waiter that was granted its permits keeps its slot until it is polled or dropped, so with W slots the queue can be
//!   full with fewer than W waiting.
//!   A waiter that gave up keeps nothing, wherever in line it was.
//! - The order is first in, first out. There is no setting for the newest first, which Netflix's limiter has, nor for a
//!   newcomer that takes what the head of the line cannot use yet, as embassy's greedy semaphore does: either can starve a
//!   waiter. Where old requests are worth less than new ones, a short [`max_wait`](Config::max_wait) drops them.
//! - Without permits a call is rejected at once and does not wait for ever.
//! - Finding the oldest waiter is a look at all W slots, one load each.
//! - At most 4095 permits and 1023 waiters.
//! - A release of more than is held stops at zero.
//! - The clock takes part only in deadlines of waiters; if it jumps, waits get shorter or longer, and nothing is lost.
//!
//! # Cost
//!
//! Atomic accesses, counted by `cost_of_a_call` in the tests, without those of the waker cells; two waiter slots:
//!
//! | call | loads | writes |
//! |---|---:|---:|
//! | `try_acquire`, admitted | 2 | 1 |
//! | `Permit::drop`, nobody waits | 1 | 1 |
//! | `try_acquire`, full | 2 | 0 |
//! | `enqueue`, queue full | 4 | 0 |
//! | `enqueue`, takes a seat | 16 | 6 |
//! | `Permit::drop`, hands over to a waiter, another one waits | 13 | 4 |
//! | `Waiter::poll`, not its turn | 2 | 0 |
//! | `Waiter::poll`, collects its permit | 3 | 4 |
//!
//! To measure the waiting time is one load and three writes of the last line; a call that does not wait pays nothing for it.

mod config;
mod permit;
mod rejected;
mod state;
#[cfg(all(test, not(loom)))]
mod tests;
mod waiter;
mod waits;

use core::fmt;
use core::panic::{RefUnwindSafe, UnwindSafe};
use core::time::Duration;

pub use config::Config;
pub use permit::{Permit, Ticket};
pub use rejected::Rejected;
pub use waiter::{Entry, Waiter};
pub use waits::Waits;

use crate::atomic::wait_queue::{Oldest, Place, WaitQueue, Wakers};
use crate::atomic::word::Word;
use crate::config::ConfigError;
use crate::time::{Instant, nanos};
use state::{Entered, Limits, MAX_CONCURRENT, State, Verdict};
use waits::Counts;

/// A bound on concurrent calls, with a queue of at most `WAITERS` waiters.
///
/// The [module](self) has the states and an example.
pub struct Bulkhead<const WAITERS: usize = 0> {
    /// In nanoseconds.
    max_wait: u64,
    state: Word,
    limits: Word,
    waits: Counts,
    queue: WaitQueue<WAITERS>,
}

/// The counts of a bulkhead at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot {
    /// Permits in use; more than the capacity only after it shrank.
    pub in_use: u32,
    /// Waiters in line.
    pub waiting: u32,
    /// Permits in all.
    pub capacity: u32,
    /// The most waiters.
    pub max_waiting: u32,
    /// Whether nobody is admitted any more.
    pub closed: bool,
    /// How long those waited that were admitted from the queue, since the bulkhead was made.
    pub waits: Waits,
}

/// What the holder of the turn did.
enum Look {
    /// It gave or refused permits to a waiter, whose waker is here.
    Settled(Option<core::task::Waker>),
    /// It has to look again.
    Again,
    /// Nothing more to do; the turn is given up.
    Over,
}

impl<const WAITERS: usize> Bulkhead<WAITERS> {
    const_fn! {
        /// A bulkhead that nobody uses.
        ///
        /// # Panics
        ///
        /// If `WAITERS` is more than [`Config::MAX_WAITERS`] or less than [`Config::max_waiting`]; in a `static` this is a
        /// compile error.
        pub const fn new(config: Config) -> Self {
            Self::with_seats(config, expect_valid!(config.seats_among(WAITERS), "bulkhead"))
        }
    }

    const_fn! {
        /// As [`Bulkhead::new`], for a configuration that is known at run time only.
        pub const fn try_new(config: Config) -> Result<Self, ConfigError> {
            match config.seats_among(WAITERS) {
                Ok(seats) => Ok(Self::with_seats(config, seats)),
                Err(error) => Err(error),
            }
        }
    }

    const_fn! {
        const fn with_seats(config: Config, seats: u32) -> Self {
            Self {
                max_wait: nanos(config.max_wait),
                state: Word::new(state::IDLE),
                limits: Word::new(Limits::raw(config.permits, seats)),
                waits: Counts::new(),
                queue: WaitQueue::new(),
            }
        }
    }

    /// Admits a call if a permit is free and nobody waits for one.
    ///
    /// `now` takes no part in the decision; all patterns of this crate are asked in the same way.
    ///
    /// # Complexity
    ///
    /// Two loads, and one exchange if it is admitted.
    #[inline]
    pub fn try_acquire(&self, now: Instant) -> Result<Permit<'_, WAITERS>, Rejected> {
        self.try_acquire_many(1, now)
    }

    /// Admits a call that needs `n` permits, all or none.
    ///
    /// No permits are always free, unless the bulkhead is closed.
    #[inline]
    pub fn try_acquire_many(&self, n: u32, _now: Instant) -> Result<Permit<'_, WAITERS>, Rejected> {
        if n == 0 {
            return if self.limits().closed { Err(Rejected::Closed) } else { Ok(Permit::new(self, 0)) };
        }
        self.state.transition(|state: State| state.admit(n, self.limits())).map(|()| Permit::new(self, n))
    }

    /// Whether [`try_acquire_many`](Self::try_acquire_many) would refuse a call that needs `n` permits now. It takes nothing,
    /// and the permits may be another's before they are asked for.
    ///
    /// # Errors
    ///
    /// [`Rejected`], as `try_acquire_many` would.
    #[inline]
    pub fn check(&self, n: u32) -> Result<(), Rejected> {
        let limits = self.limits();
        if n == 0 {
            return if limits.closed { Err(Rejected::Closed) } else { Ok(()) };
        }
        let state: State = self.state.load();
        state.admit(n, limits).1
    }

    /// Admits a call that needs `n` permits, or lets it wait in line for at most [`Config::max_wait`].
    ///
    /// # Errors
    ///
    /// As [`try_acquire_many`](Self::try_acquire_many) if nobody may wait here; otherwise [`Rejected::QueueFull`] if there
    /// is no room, [`Rejected::TooMany`] and [`Rejected::Closed`].
    ///
    /// # Complexity
    ///
    /// As `try_acquire` if it is admitted; otherwise two or three looks at all slots.
    pub fn enqueue(&self, n: u32, now: Instant) -> Result<Entry<'_, WAITERS>, Rejected> {
        let full = match self.try_acquire_many(n, now) {
            Ok(permit) => return Ok(Entry::Admitted(permit)),
            Err(full @ Rejected::Full { .. }) => full,
            Err(rejected) => return Err(rejected),
        };
        let state: State = self.state.load();
        let limits = self.limits();
        if limits.seats == 0 || self.max_wait == 0 {
            return Err(full);
        }
        if state.waiting >= limits.seats {
            return Err(state.queue_full(limits));
        }
        let Some(slot) = self.queue.claim() else { return Err(state.queue_full(limits)) };
        match self.state.transition(|state: State| state.enter(n, self.limits())) {
            Ok(Entered::Seated) => {
                self.queue.publish(slot, n);
                let waiter = Waiter::new(self, slot, n, now);
                if !mutant!("bulkhead_silent_arrival") {
                    self.knock();
                }
                Ok(Entry::Waiting(waiter))
            }
            Ok(Entered::Admitted) => {
                slot.unclaim();
                Ok(Entry::Admitted(Permit::new(self, n)))
            }
            Err(rejected) => {
                slot.unclaim();
                Err(rejected)
            }
        }
    }

    /// Takes up to `n` slots for waiters out of use, for good: the queue is then as if it had so many fewer.
    pub(crate) fn retire_slots(&self, n: usize) {
        for _ in 0..n {
            // An arrival that never comes: nobody else looks at its slot.
            let _ = self.queue.claim();
        }
    }

    /// Gives back the permits of a ticket.
    ///
    /// A ticket of another bulkhead gives back permits here that were taken there; in use never falls below zero.
    #[inline]
    pub fn release(&self, ticket: Ticket) {
        self.give_back(ticket.redeem());
    }

    /// The counts now.
    pub fn snapshot(&self) -> Snapshot {
        let state: State = self.state.load();
        let limits = self.limits();
        Snapshot {
            in_use: state.held,
            waiting: state.waiting,
            capacity: limits.capacity,
            max_waiting: limits.seats,
            closed: limits.closed,
            waits: self.waits.get(),
        }
    }

    /// Changes the number of permits, while calls run and wait.
    ///
    /// After growth as many waiters are admitted as fit.
    /// After shrinking, calls in flight go on, and nothing is admitted until they are fewer than the new capacity.
    /// A waiter that needs more than the new capacity is rejected when it is the oldest, as a newcomer would be.
    ///
    /// # Errors
    ///
    /// If `max_concurrent` is more than [`Config::MAX_CONCURRENT`]; then nothing changes.
    pub fn resize(&self, max_concurrent: u32) -> Result<(), ConfigError> {
        require!(max_concurrent <= MAX_CONCURRENT, "bulkhead.max_concurrent", "at most 4095");
        self.change_limits(|limits| Limits { capacity: max_concurrent, ..limits });
        Ok(())
    }

    /// Admits nobody any more: waiters and newcomers are rejected, calls in flight go on.
    pub fn close(&self) {
        self.change_limits(|limits| Limits { closed: true, ..limits });
    }

    fn change_limits(&self, change: impl Fn(Limits) -> Limits) {
        self.limits.transition(|limits| (Some(change(limits)), ()));
        if mutant!("bulkhead_no_epoch") {
            return self.knock();
        }
        if self.state.transition(State::begin_epoch) {
            self.hand_out();
        }
    }

    #[inline]
    fn limits(&self) -> Limits {
        self.limits.load()
    }

    const fn max_wait(&self) -> Duration {
        Duration::from_nanos(self.max_wait)
    }

    #[inline]
    fn give_back(&self, n: u32) {
        if n > 0 && self.state.transition(|state: State| state.release(n)) {
            self.hand_out();
        }
    }

    /// A waiter gave up its place.
    fn left(&self) {
        if !mutant!("bulkhead_silent_leave") {
            self.knock();
        }
    }

    /// Something happened that may help a waiter.
    fn knock(&self) {
        if self.state.transition(State::knock) {
            self.hand_out();
        }
    }

    /// Gives permits to waiters as long as they fit; the caller took the turn.
    #[cold]
    fn hand_out(&self) {
        loop {
            // Dropped, and so woken, only after the turn was given up.
            let mut wakers = Wakers::new();
            loop {
                match self.look() {
                    Look::Again => {}
                    Look::Over => return,
                    Look::Settled(waker) => {
                        if !wakers.push(waker) {
                            break;
                        }
                    }
                }
            }
            self.state.transition(State::give_up_turn);
            drop(wakers);
            if mutant!("bulkhead_turn_not_resumed") || !self.state.transition(State::knock) {
                return;
            }
        }
    }

    /// Decides about the oldest waiter; the caller holds the turn.
    fn look(&self) -> Look {
        let Oldest { head, reaped } = self.queue.oldest();
        let need = head.map(|(_, need)| need);
        let verdict = self.state.transition(|state: State| state.settle(reaped, need, self.limits()));
        let place = match verdict {
            Verdict::Grant => Place::Granted,
            Verdict::TooMany { capacity } => Place::TooMany { capacity },
            Verdict::Closed => Place::Closed,
            Verdict::LookAgain => return Look::Again,
            Verdict::Rest => return Look::Over,
        };
        // A verdict is about somebody.
        let Some((slot, need)) = head else { return Look::Again };
        if mutant!("bulkhead_waker_before_verdict") {
            let waker = slot.take_waker();
            slot.settle(place);
            return Look::Settled(waker);
        }
        if slot.settle(place) {
            return Look::Settled(slot.take_waker());
        }
        if verdict == Verdict::Grant && !mutant!("bulkhead_keeps_late_grant") {
            self.state.transition(|state: State| state.take_back(need));
        }
        Look::Again
    }
}

// A panic can only come out of a waker, which is called between two transitions with nothing held.
impl<const WAITERS: usize> UnwindSafe for Bulkhead<WAITERS> {}
impl<const WAITERS: usize> RefUnwindSafe for Bulkhead<WAITERS> {}

impl<const WAITERS: usize> fmt::Debug for Bulkhead<WAITERS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state: State = self.state.load();
        f.debug_struct("Bulkhead")
            .field("held", &state.held)
            .field("waiting", &state.waiting)
            .field("turn", &state.turn)
            .field("epoch", &state.epoch)
            .field("limits", &self.limits())
            .field("max_wait", &self.max_wait())
            .finish_non_exhaustive()
    }
}
