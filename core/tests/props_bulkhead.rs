//! The bulkhead against a sequential model: a number, a limit and a list.
#![cfg(not(loom))]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Poll, Wake, Waker};
use std::time::Duration;

use proptest::prelude::*;
use seawall_core::bulkhead::{Config, Entry, Permit, Rejected, Ticket, Waiter};
use seawall_core::{Bulkhead, Instant};

const SLOTS: usize = 3;
const MAX_WAIT: Duration = Duration::from_millis(50);

#[derive(Clone, Copy, Debug)]
enum Op {
    TryAcquire(u32),
    Enqueue(u32),
    /// The waiter with this index, modulo their number, and so on.
    Poll(usize),
    Cancel(usize),
    Release(usize),
    ReleaseTicket(usize),
    Resize(u32),
    Advance(u64),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        3 => (0_u32..6).prop_map(Op::TryAcquire),
        6 => (0_u32..6).prop_map(Op::Enqueue),
        4 => any::<usize>().prop_map(Op::Poll),
        2 => any::<usize>().prop_map(Op::Cancel),
        4 => any::<usize>().prop_map(Op::Release),
        1 => any::<usize>().prop_map(Op::ReleaseTicket),
        1 => (0_u32..6).prop_map(Op::Resize),
        1 => (0_u64..40).prop_map(Op::Advance),
    ]
}

struct Bell(AtomicU32);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }
}

/// What the model knows of a waiter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Waiting,
    Granted,
    TooMany { capacity: u32 },
}

/// A waiter as it is, and as the model says that it is.
struct Pair<'a> {
    waiter: Waiter<'a, SLOTS>,
    need: u32,
    since: Instant,
    fate: Fate,
    bell: Arc<Bell>,
    waker: Waker,
    /// Whether its waker was left since it was last answered.
    listens: bool,
    rings: u32,
}

/// The model; `waiters` are in the order of their arrival.
struct Books<'a> {
    bulkhead: &'a Bulkhead<SLOTS>,
    now: Instant,
    capacity: u32,
    held: u32,
    waiters: Vec<Pair<'a>>,
    permits: Vec<Permit<'a, SLOTS>>,
    tickets: Vec<Ticket>,
}

impl Books<'_> {
    fn waiting(&self) -> u32 {
        self.waiters.iter().filter(|pair| pair.fate == Fate::Waiting).count() as u32
    }

    /// Gives permits to the oldest waiters as long as they fit.
    fn hand_out(&mut self) {
        for pair in self.waiters.iter_mut().filter(|pair| pair.fate == Fate::Waiting) {
            if pair.need > self.capacity {
                pair.fate = Fate::TooMany { capacity: self.capacity };
            } else if self.held + pair.need <= self.capacity {
                self.held += pair.need;
                pair.fate = Fate::Granted;
            } else {
                break;
            }
            pair.rings += u32::from(pair.listens);
        }
    }

    /// What the bulkhead says to a newcomer, or nothing if it is admitted.
    fn refusal(&self, n: u32) -> Option<Rejected> {
        if n == 0 {
            None
        } else if n > self.capacity {
            Some(Rejected::TooMany { requested: n, capacity: self.capacity })
        } else {
            let full = Rejected::Full { in_use: self.held, capacity: self.capacity, waiting: self.waiting() };
            (self.waiting() > 0 || self.held + n > self.capacity).then_some(full)
        }
    }

    fn try_acquire(&mut self, n: u32) {
        let expected = self.refusal(n);
        match self.bulkhead.try_acquire_many(n, self.now) {
            Ok(permit) => {
                assert_eq!(expected, None);
                self.held += n;
                self.permits.push(permit);
            }
            Err(rejected) => assert_eq!(Some(rejected), expected),
        }
    }

    fn enqueue(&mut self, n: u32) {
        let refusal = self.refusal(n);
        match self.bulkhead.enqueue(n, self.now) {
            Ok(Entry::Admitted(permit)) => {
                assert_eq!(refusal, None);
                self.held += n;
                self.permits.push(permit);
            }
            Ok(Entry::Waiting(waiter)) => {
                assert!(matches!(refusal, Some(Rejected::Full { .. })));
                assert!(self.waiters.len() < SLOTS);
                let bell = Arc::new(Bell(AtomicU32::new(0)));
                let waker = Waker::from(bell.clone());
                let pair = Pair {
                    waiter,
                    need: n,
                    since: self.now,
                    fate: Fate::Waiting,
                    bell,
                    waker,
                    listens: false,
                    rings: 0,
                };
                self.waiters.push(pair);
            }
            Err(Rejected::QueueFull { waiting, max_waiting }) => {
                assert!(matches!(refusal, Some(Rejected::Full { .. })));
                assert_eq!((waiting, max_waiting), (self.waiting(), SLOTS as u32));
                assert_eq!(self.waiters.len(), SLOTS, "a slot is free");
            }
            Err(rejected) => assert_eq!(Some(rejected), refusal),
        }
    }

    fn poll(&mut self, i: usize) {
        let pair = &mut self.waiters[i];
        let answer = pair.waiter.poll(&pair.waker, self.now);
        let waited = self.now.saturating_since(pair.since);
        match (answer, pair.fate) {
            (Poll::Pending, Fate::Waiting) => {
                assert!(waited < MAX_WAIT);
                pair.listens = true;
                return;
            }
            (Poll::Ready(Ok(permit)), Fate::Granted) => {
                assert_eq!(permit.weight(), pair.need);
                self.permits.push(permit);
            }
            (Poll::Ready(Err(rejected)), Fate::Waiting) => {
                assert!(waited >= MAX_WAIT);
                assert_eq!(rejected, Rejected::WaitTimeout { waited });
            }
            (Poll::Ready(Err(rejected)), Fate::TooMany { capacity }) => {
                assert_eq!(rejected, Rejected::TooMany { requested: pair.need, capacity });
            }
            (answer, fate) => panic!("{answer:?} for a waiter that is {fate:?}"),
        }
        self.waiters.remove(i);
        self.hand_out();
    }

    fn cancel(&mut self, i: usize) {
        let pair = self.waiters.remove(i);
        if pair.fate == Fate::Granted {
            self.held -= pair.need;
        }
        drop(pair);
        self.hand_out();
    }

    fn step(&mut self, op: Op) {
        let pick = |i: usize, n: usize| i.checked_rem(n);
        match op {
            Op::TryAcquire(n) => self.try_acquire(n),
            Op::Enqueue(n) => self.enqueue(n),
            Op::Poll(i) => {
                if let Some(i) = pick(i, self.waiters.len()) {
                    self.poll(i);
                }
            }
            Op::Cancel(i) => {
                if let Some(i) = pick(i, self.waiters.len()) {
                    self.cancel(i);
                }
            }
            Op::Release(i) => {
                if let Some(i) = pick(i, self.permits.len()) {
                    let permit = self.permits.remove(i);
                    self.held -= permit.weight();
                    drop(permit);
                    self.hand_out();
                }
            }
            Op::ReleaseTicket(i) => {
                if let Some(ticket) = self.tickets.pop() {
                    self.held -= ticket.weight();
                    self.bulkhead.release(ticket);
                    self.hand_out();
                } else if let Some(i) = pick(i, self.permits.len()) {
                    self.tickets.push(self.permits.remove(i).into_ticket());
                }
            }
            Op::Resize(capacity) => {
                self.capacity = capacity;
                self.bulkhead.resize(capacity).unwrap();
                self.hand_out();
            }
            Op::Advance(ms) => self.now = self.now.saturating_add(Duration::from_millis(ms)),
        }
    }

    fn check(&self) {
        let snapshot = self.bulkhead.snapshot();
        assert_eq!(
            (snapshot.in_use, snapshot.waiting, snapshot.capacity),
            (self.held, self.waiting(), self.capacity)
        );
        for pair in &self.waiters {
            assert_eq!(
                pair.bell.0.load(Ordering::Acquire),
                pair.rings,
                "woken once, when its fate is decided"
            );
        }
    }
}

proptest! {
    #[test]
    fn behaves_as_a_number_a_limit_and_a_list(capacity in 0_u32..6, ops in prop::collection::vec(op(), 0..200)) {
        let bulkhead = Bulkhead::<SLOTS>::new(Config::new(capacity).max_wait(MAX_WAIT));
        let mut books = Books {
            bulkhead: &bulkhead,
            now: Instant::ZERO,
            capacity,
            held: 0,
            waiters: Vec::new(),
            permits: Vec::new(),
            tickets: Vec::new(),
        };
        for op in ops {
            let before = books.held;
            books.step(op);
            books.check();
            prop_assert!(books.held <= books.capacity.max(before), "admitted over the capacity");
        }
        while !books.waiters.is_empty() {
            books.cancel(0);
        }
        books.permits.clear();
        for ticket in books.tickets.drain(..) {
            bulkhead.release(ticket);
        }
        let snapshot = bulkhead.snapshot();
        prop_assert_eq!((snapshot.in_use, snapshot.waiting), (0, 0), "a permit or a seat is lost");
    }
}
