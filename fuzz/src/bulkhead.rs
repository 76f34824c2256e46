//! What must hold for any sequence of operations on a bulkhead: it answers as a count, a limit and a list do.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Poll, Wake, Waker};
use std::time::Duration;

use seawall_core::bulkhead::{Config, Entry, Permit, Rejected, Ticket, Waiter};
use seawall_core::{Bulkhead, Instant};

use crate::input::Input;

const SLOTS: usize = 4;

/// Runs the script of `bytes` on a bulkhead and on its books.
///
/// # Panics
///
/// If they disagree.
pub fn check(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let (capacity, seats) = (input.between(0, 5), input.between(0, 4));
    let max_wait = match input.byte() {
        255 => Duration::MAX,
        millis => Duration::from_millis(u64::from(millis)),
    };
    let config = Config::new(capacity).max_waiting(seats).max_wait(max_wait);
    let bulkhead = Bulkhead::<SLOTS>::new(config);
    let mut books = Books {
        bulkhead: &bulkhead,
        now: Instant::ZERO,
        capacity,
        seats,
        max_wait,
        held: 0,
        closed: false,
        line: Vec::new(),
        permits: Vec::new(),
        tickets: Vec::new(),
    };
    while let Some(operation) = input.operation() {
        books.apply(operation, &mut input);
        books.compare();
    }
    drop((books.line, books.permits));
    for ticket in books.tickets {
        bulkhead.release(ticket);
    }
    let seen = bulkhead.snapshot();
    assert_eq!((seen.in_use, seen.waiting), (0, 0), "everything came back");
}

/// Counts how often it is woken.
struct Bell(AtomicU32);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// What the books say of a waiter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Waiting,
    Granted,
    Refused(Rejected),
    Answered,
}

/// A waiter as it is, and what the books say of it.
struct Member<'a> {
    waiter: Waiter<'a, SLOTS>,
    need: u32,
    since: Instant,
    fate: Fate,
    bell: Arc<Bell>,
    /// Whether it left a waker that was not called yet.
    listens: bool,
    calls: u32,
}

/// The line is in the order of arrival.
struct Books<'a> {
    bulkhead: &'a Bulkhead<SLOTS>,
    now: Instant,
    capacity: u32,
    seats: u32,
    max_wait: Duration,
    held: u32,
    closed: bool,
    line: Vec<Member<'a>>,
    permits: Vec<Permit<'a, SLOTS>>,
    tickets: Vec<Ticket>,
}

impl Books<'_> {
    fn apply(&mut self, operation: u8, input: &mut Input<'_>) {
        match operation % 12 {
            0 | 1 => {
                let need = input.between(0, 6);
                let expected = self.refusal(need);
                match self.bulkhead.try_acquire_many(need, self.now) {
                    Ok(permit) => self.admit(permit, need, expected),
                    Err(rejected) => assert_eq!(Some(rejected), expected),
                }
            }
            2 | 3 => {
                let need = input.between(0, 6);
                self.enqueue(need);
            }
            4 | 5 => {
                if let Some(at) = input.index(self.line.len()) {
                    self.poll(at);
                }
            }
            6 => {
                if let Some(at) = input.index(self.line.len()) {
                    let gone = self.line.remove(at);
                    self.held -= if gone.fate == Fate::Granted { gone.need } else { 0 };
                    drop(gone);
                    self.hand_out();
                }
            }
            7 => {
                if let Some(at) = input.index(self.permits.len()) {
                    let permit = self.permits.swap_remove(at);
                    self.held -= permit.weight();
                    drop(permit);
                    self.hand_out();
                }
            }
            8 => {
                if let Some(at) = input.index(self.permits.len()) {
                    self.tickets.push(self.permits.swap_remove(at).into_ticket());
                } else if let Some(ticket) = self.tickets.pop() {
                    self.held -= ticket.weight();
                    self.bulkhead.release(ticket);
                    self.hand_out();
                }
            }
            9 => {
                self.capacity = input.between(0, 6);
                self.bulkhead.resize(self.capacity).expect("it is a small number");
                self.hand_out();
            }
            10 => self.now = self.now.saturating_add(Duration::from_millis(u64::from(input.byte()))),
            _ if operation > 240 => {
                self.closed = true;
                self.bulkhead.close();
                self.hand_out();
            }
            _ => {
                assert!(self.bulkhead.resize(Config::MAX_CONCURRENT + 1).is_err(), "and nothing changes");
            }
        }
    }

    fn waiting(&self) -> u32 {
        u32::try_from(self.line.iter().filter(|member| member.fate == Fate::Waiting).count()).unwrap_or(0)
    }

    /// Slots are held until the answer is collected.
    fn slots(&self) -> usize {
        self.line.iter().filter(|member| member.fate != Fate::Answered).count()
    }

    /// Why a newcomer is not admitted, if it is not.
    fn refusal(&self, need: u32) -> Option<Rejected> {
        let waiting = self.waiting();
        if self.closed {
            Some(Rejected::Closed)
        } else if need == 0 {
            None
        } else if need > self.capacity {
            Some(Rejected::TooMany { requested: need, capacity: self.capacity })
        } else if waiting > 0 || self.held + need > self.capacity {
            Some(Rejected::Full { in_use: self.held, capacity: self.capacity, waiting })
        } else {
            None
        }
    }

    /// The oldest waiters get their answers, as long as there is one for them.
    fn hand_out(&mut self) {
        for member in self.line.iter_mut().filter(|member| member.fate == Fate::Waiting) {
            member.fate = if self.closed {
                Fate::Refused(Rejected::Closed)
            } else if member.need > self.capacity {
                Fate::Refused(Rejected::TooMany { requested: member.need, capacity: self.capacity })
            } else if self.held + member.need <= self.capacity {
                self.held += member.need;
                Fate::Granted
            } else {
                break;
            };
            member.calls += u32::from(core::mem::take(&mut member.listens));
        }
    }
}

impl<'a> Books<'a> {
    fn admit(&mut self, permit: Permit<'a, SLOTS>, need: u32, refusal: Option<Rejected>) {
        assert_eq!((permit.weight(), refusal), (need, None));
        self.held += need;
        self.permits.push(permit);
    }

    fn enqueue(&mut self, need: u32) {
        let refusal = self.refusal(need);
        let waiting = self.waiting();
        let has_room = waiting < self.seats && self.slots() < SLOTS;
        let may_wait = self.seats > 0 && !self.max_wait.is_zero();
        match self.bulkhead.enqueue(need, self.now) {
            Ok(Entry::Admitted(permit)) => self.admit(permit, need, refusal),
            Ok(Entry::Waiting(waiter)) => {
                assert!(matches!(refusal, Some(Rejected::Full { .. })) && has_room && may_wait);
                assert_eq!(waiter.deadline(), self.now.saturating_add(self.max_wait));
                let bell = Arc::new(Bell(AtomicU32::new(0)));
                let (since, fate) = (self.now, Fate::Waiting);
                self.line.push(Member { waiter, need, since, fate, bell, listens: false, calls: 0 });
            }
            Err(rejected @ Rejected::QueueFull { .. }) => {
                assert!(matches!(refusal, Some(Rejected::Full { .. })) && may_wait && !has_room);
                assert_eq!(rejected, Rejected::QueueFull { waiting, max_waiting: self.seats });
            }
            Err(rejected) => {
                assert!(!matches!(rejected, Rejected::Full { .. }) || !may_wait);
                assert_eq!(Some(rejected), refusal);
            }
        }
    }

    fn poll(&mut self, at: usize) {
        let member = &mut self.line[at];
        let waker = Waker::from(member.bell.clone());
        let answer = member.waiter.poll(&waker, self.now);
        match (member.fate, answer) {
            (Fate::Waiting, Poll::Pending) => {
                assert!(self.now < member.waiter.deadline());
                member.listens = true;
            }
            (Fate::Waiting, Poll::Ready(Err(Rejected::WaitTimeout { waited }))) => {
                assert!(self.now >= member.waiter.deadline());
                assert_eq!(waited, self.now.saturating_since(member.since));
                member.fate = Fate::Answered;
                self.hand_out();
            }
            (Fate::Granted, Poll::Ready(Ok(permit))) => {
                assert_eq!(permit.weight(), member.need);
                member.fate = Fate::Answered;
                self.permits.push(permit);
            }
            (Fate::Refused(expected), Poll::Ready(Err(rejected))) => {
                assert_eq!(rejected, expected);
                member.fate = Fate::Answered;
            }
            (Fate::Answered, Poll::Ready(Err(Rejected::Settled))) => {}
            (fate, answer) => panic!("{answer:?} for one that is {fate:?}"),
        }
    }

    fn compare(&self) {
        let seen = self.bulkhead.snapshot();
        let books = (self.held, self.waiting(), self.capacity, self.seats, self.closed);
        assert_eq!((seen.in_use, seen.waiting, seen.capacity, seen.max_waiting, seen.closed), books);
        for member in &self.line {
            assert_eq!(member.bell.0.load(Ordering::Relaxed), member.calls, "wakes of {:?}", member.fate);
        }
    }
}
