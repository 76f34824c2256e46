//! The bulkhead on a manual clock, one thread at a time, and under real threads.
//!
//! Names that begin with `b` and a number or `t42` belong to the catalogue of bugs and scenarios that these tests replay.

extern crate std;

mod interrupts;
mod wakers;
mod words;

use core::task::{Poll, Waker};
use core::time::Duration;
use std::sync::{Arc, Mutex};
use std::task::Wake;
use std::{thread, vec, vec::Vec};

use super::state::{Entered, Limits, State, Turn};
use super::{Bulkhead, Config, Entry, Permit, Rejected, Waiter};
use crate::atomic::sync::{AtomicU32, Ordering, Wide, probe};
use crate::atomic::word::Packed;
use crate::time::Instant;

const NOW: Instant = Instant::ZERO;

/// Counts how often it is woken.
struct Bell(AtomicU32);

impl Bell {
    fn new() -> (Arc<Self>, Waker) {
        let bell = Arc::new(Self(AtomicU32::new(0)));
        (bell.clone(), Waker::from(bell))
    }

    fn rings(&self) -> u32 {
        self.0.load(Ordering::Acquire)
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }
}

fn wait<const W: usize>(bulkhead: &Bulkhead<W>, n: u32) -> Waiter<'_, W> {
    match bulkhead.enqueue(n, NOW) {
        Ok(Entry::Waiting(waiter)) => waiter,
        other => panic!("{other:?} instead of a waiter"),
    }
}

fn poll<'a, const W: usize>(waiter: &mut Waiter<'a, W>) -> Option<Result<Permit<'a, W>, Rejected>> {
    match waiter.poll(Waker::noop(), NOW) {
        Poll::Ready(answer) => Some(answer),
        Poll::Pending => None,
    }
}

/// Whether it is the waiter's turn; the permit is given back at once.
fn ready<const W: usize>(waiter: &mut Waiter<'_, W>) -> bool {
    matches!(poll(waiter), Some(Ok(_)))
}

fn in_use<const W: usize>(bulkhead: &Bulkhead<W>) -> u32 {
    bulkhead.snapshot().in_use
}

#[test]
fn t42_two_are_admitted_and_the_third_is_not() {
    let bulkhead = Bulkhead::<0>::new(Config::new(2));
    let a = bulkhead.try_acquire(NOW).unwrap();
    let b = bulkhead.try_acquire(NOW).unwrap();
    let rejected = bulkhead.try_acquire(NOW).unwrap_err();
    assert_eq!(rejected, Rejected::Full { in_use: 2, capacity: 2, waiting: 0 });
    drop(a);
    assert_eq!(in_use(&bulkhead), 1);
    drop(b);
    assert_eq!(in_use(&bulkhead), 0);
    assert!(bulkhead.try_acquire(NOW).is_ok());
}

#[test]
fn t42_without_permits_every_call_is_rejected() {
    let bulkhead = Bulkhead::<4>::new(Config::new(0));
    for _ in 0..3 {
        let rejected = bulkhead.try_acquire(NOW).unwrap_err();
        assert_eq!(rejected, Rejected::TooMany { requested: 1, capacity: 0 });
        assert!(matches!(bulkhead.enqueue(1, NOW), Err(Rejected::TooMany { .. })));
    }
}

#[test]
fn t42_fairness() {
    let bulkhead = Bulkhead::<2>::new(Config::new(3));
    let a = bulkhead.try_acquire(NOW).unwrap();
    let mut b = wait(&bulkhead, 3);
    assert!(poll(&mut b).is_none());
    let barging = bulkhead.try_acquire(NOW).unwrap_err();
    assert_eq!(barging, Rejected::Full { in_use: 1, capacity: 3, waiting: 1 });
    let mut c = wait(&bulkhead, 1);
    assert!(poll(&mut c).is_none());
    assert_eq!(bulkhead.enqueue(1, NOW).unwrap_err(), Rejected::QueueFull { waiting: 2, max_waiting: 2 });
    drop(a);
    let b = poll(&mut b).unwrap().unwrap();
    assert!(poll(&mut c).is_none());
    drop(b);
    assert!(ready(&mut c));
}

#[test]
fn t42_four_run_ten_wait_and_the_fifteenth_is_rejected_at_once() {
    let bulkhead = Bulkhead::<10>::new(Config::new(4));
    let running: Vec<_> = (0..4).map(|_| bulkhead.try_acquire(NOW).unwrap()).collect();
    let mut waiting: Vec<_> = (0..10).map(|_| wait(&bulkhead, 1)).collect();
    assert!(matches!(bulkhead.enqueue(1, NOW), Err(Rejected::QueueFull { waiting: 10, max_waiting: 10 })));
    drop(running);
    let (first, rest) = waiting.split_at_mut(4);
    let held: Vec<_> = first.iter_mut().map(|waiter| poll(waiter).unwrap().unwrap()).collect();
    assert!(rest.iter_mut().all(|waiter| poll(waiter).is_none()));
    drop(held);
    assert!(rest[..4].iter_mut().all(ready));
}

#[test]
fn t42_timeouts_that_race_with_a_release_lose_nothing() {
    let bulkhead = Bulkhead::<10>::new(Config::new(4).max_wait(Duration::from_millis(10)));
    let late = Instant::from_millis(10);
    for round in 0..10 {
        let held: Vec<_> = (0..3).map(|_| bulkhead.try_acquire(NOW).unwrap()).collect();
        let last = bulkhead.try_acquire(NOW).unwrap();
        let mut waiting: Vec<_> = (0..10).map(|_| wait(&bulkhead, 1)).collect();
        let mut last = Some(last);
        for (i, waiter) in waiting.iter_mut().enumerate() {
            if i == round {
                last = None;
            }
            match waiter.poll(Waker::noop(), late) {
                Poll::Ready(Ok(_)) => assert!(last.is_none()),
                Poll::Ready(Err(rejected)) => {
                    assert_eq!(rejected, Rejected::WaitTimeout { waited: Duration::from_millis(10) });
                }
                Poll::Pending => panic!("the deadline was reached"),
            }
        }
        assert_eq!((in_use(&bulkhead), bulkhead.snapshot().waiting), (3, 0));
        drop(held);
        assert_eq!(in_use(&bulkhead), 0);
    }
}

#[test]
fn b39_cancelled_head_passes_its_turn() {
    let bulkhead = Bulkhead::<4>::new(Config::new(3));
    let _a = bulkhead.try_acquire(NOW).unwrap();
    let b = wait(&bulkhead, 3);
    let (bell, waker) = Bell::new();
    let mut c = wait(&bulkhead, 1);
    assert!(c.poll(&waker, NOW).is_pending());
    drop(b);
    assert_eq!(bell.rings(), 1);
    assert!(ready(&mut c));
}

#[test]
fn b39_a_head_that_timed_out_passes_its_turn() {
    let bulkhead = Bulkhead::<4>::new(Config::new(3).max_wait(Duration::from_secs(1)));
    let _a = bulkhead.try_acquire(NOW).unwrap();
    let mut b = wait(&bulkhead, 3);
    let mut c = wait(&bulkhead, 1);
    assert!(matches!(
        b.poll(Waker::noop(), Instant::from_secs(1)),
        Poll::Ready(Err(Rejected::WaitTimeout { .. }))
    ));
    assert!(ready(&mut c));
}

#[test]
fn b40_a_granted_waiter_that_is_dropped_gives_its_permit_on() {
    let bulkhead = Bulkhead::<2>::new(Config::new(1));
    for _ in 0..10_000 {
        let a = bulkhead.try_acquire(NOW).unwrap();
        let first = wait(&bulkhead, 1);
        let mut second = wait(&bulkhead, 1);
        drop(a);
        assert_eq!(in_use(&bulkhead), 1);
        drop(first);
        assert!(ready(&mut second));
        assert_eq!((in_use(&bulkhead), bulkhead.snapshot().waiting), (0, 0));
    }
}

#[test]
fn b41_a_permit_comes_back_when_its_holder_panics() {
    let bulkhead = Bulkhead::<0>::new(Config::new(1));
    let outcome = std::panic::catch_unwind(|| {
        let _permit = bulkhead.try_acquire(NOW).unwrap();
        std::panic::resume_unwind(std::boxed::Box::new(()));
    });
    assert!(outcome.is_err());
    assert_eq!(in_use(&bulkhead), 0);
}

#[test]
fn b42_a_foreign_ticket_never_takes_the_count_below_zero() {
    let (here, there) = (Bulkhead::<0>::new(Config::new(2)), Bulkhead::<0>::new(Config::new(8)));
    let permit = here.try_acquire(NOW).unwrap();
    here.release(there.try_acquire_many(8, NOW).unwrap().into_ticket());
    assert_eq!(in_use(&here), 0);
    drop(permit);
    assert_eq!(in_use(&here), 0);
    assert!(here.try_acquire_many(2, NOW).is_ok());
}

#[test]
fn a_ticket_holds_its_permits_until_it_is_released() {
    let bulkhead = Bulkhead::<1>::new(Config::new(3));
    let ticket = bulkhead.try_acquire_many(3, NOW).unwrap().into_ticket();
    assert_eq!((ticket.weight(), in_use(&bulkhead)), (3, 3));
    let mut waiter = wait(&bulkhead, 2);
    bulkhead.release(ticket);
    let permit = poll(&mut waiter).unwrap().unwrap();
    assert_eq!((permit.weight(), in_use(&bulkhead)), (2, 2));
}

#[test]
fn b47_a_big_request_is_served_in_order_beside_small_ones() {
    let bulkhead = Bulkhead::<8>::new(Config::new(4));
    let mut running: Vec<_> = (0..4).map(|_| bulkhead.try_acquire(NOW).unwrap()).collect();
    let mut big = wait(&bulkhead, 4);
    let mut small: Vec<_> = (0..4).map(|_| wait(&bulkhead, 1)).collect();
    for _ in 0..4 {
        assert!(poll(&mut big).is_none());
        assert!(small.iter_mut().all(|waiter| poll(waiter).is_none()), "overtook the big one");
        running.pop();
    }
    assert!(ready(&mut big));
    assert!(small.iter_mut().all(ready));
}

#[test]
fn b48_shrinking_below_in_flight_admits_nobody_until_there_is_room() {
    let bulkhead = Bulkhead::<4>::new(Config::new(4));
    let mut running: Vec<_> = (0..4).map(|_| bulkhead.try_acquire(NOW).unwrap()).collect();
    bulkhead.resize(2).unwrap();
    let mut waiters: Vec<_> = (0..4).map(|_| wait(&bulkhead, 1)).collect();
    for left in [3, 2] {
        running.pop();
        assert_eq!(in_use(&bulkhead), left);
        assert!(waiters.iter_mut().all(|waiter| poll(waiter).is_none()));
    }
    bulkhead.resize(4).unwrap();
    assert_eq!((in_use(&bulkhead), bulkhead.snapshot().waiting), (4, 2));
    let granted: Vec<_> = waiters.iter_mut().filter_map(poll).collect();
    assert_eq!(granted.len(), 2, "exactly two");
    bulkhead.resize(1).unwrap();
    drop(granted);
    drop(running);
    assert_eq!((in_use(&bulkhead), bulkhead.snapshot().waiting), (1, 1));
}

#[test]
fn b48_a_waiter_too_big_for_the_new_capacity_is_rejected_and_holds_up_nobody() {
    let bulkhead = Bulkhead::<4>::new(Config::new(4));
    let running = bulkhead.try_acquire(NOW).unwrap();
    let mut big = wait(&bulkhead, 4);
    let mut small = wait(&bulkhead, 1);
    bulkhead.resize(2).unwrap();
    assert_eq!(poll(&mut big).unwrap().unwrap_err(), Rejected::TooMany { requested: 4, capacity: 2 });
    assert!(ready(&mut small));
    let mut rest: Vec<_> = (0..3).map(|_| wait(&bulkhead, 2)).collect();
    bulkhead.resize(0).unwrap();
    for waiter in &mut rest {
        assert_eq!(poll(waiter).unwrap().unwrap_err(), Rejected::TooMany { requested: 2, capacity: 0 });
    }
    drop(running);
    assert_eq!((in_use(&bulkhead), bulkhead.snapshot().waiting), (0, 0));
}

#[test]
fn b49_no_number_overflows() {
    let bulkhead = Bulkhead::<1>::new(Config::new(Config::MAX_CONCURRENT).max_wait(Duration::MAX));
    let rejected = bulkhead.try_acquire_many(u32::MAX, NOW).unwrap_err();
    assert_eq!(rejected, Rejected::TooMany { requested: u32::MAX, capacity: 4095 });
    let all = bulkhead.try_acquire_many(4095, NOW).unwrap();
    let Ok(Entry::Waiting(mut waiter)) = bulkhead.enqueue(4095, Instant::NEVER) else { panic!("no waiter") };
    assert_eq!(waiter.deadline(), Instant::NEVER);
    assert!(waiter.poll(Waker::noop(), Instant::from_secs(1)).is_pending());
    drop(all);
    assert!(ready(&mut waiter));
    assert_eq!(bulkhead.resize(u32::MAX).unwrap_err().field, "bulkhead.max_concurrent");
    assert_eq!(bulkhead.snapshot().capacity, 4095);
    assert!(Config::try_new(4096).is_err());
    assert!(Bulkhead::<1>::try_new(Config::new(1).max_waiting(2)).is_err());
    assert!(Bulkhead::<1>::try_new(Config::new(1).max_waiting(u32::MAX)).is_err());
    assert!(Config::try_new(u32::MAX).is_err());
    assert!(Bulkhead::<1024>::try_new(Config::new(1)).is_err());
}

#[test]
fn b50_every_blocked_thread_is_woken_by_its_own_release() {
    struct Unpark(thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    let bulkhead = Bulkhead::<8>::new(Config::new(8));
    let mut running: Vec<_> = (0..8).map(|_| bulkhead.try_acquire(NOW).unwrap()).collect();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let waker = Waker::from(Arc::new(Unpark(thread::current())));
                let mut waiter = wait(&bulkhead, 1);
                while waiter.poll(&waker, NOW).is_pending() {
                    thread::park();
                }
            });
        }
        while bulkhead.snapshot().waiting < 8 {
            thread::yield_now();
        }
        running.clear();
    });
    assert_eq!((in_use(&bulkhead), bulkhead.snapshot().waiting), (0, 0));
}

#[test]
fn b51_it_rejects_only_if_it_is_full_itself() {
    let bulkhead = Bulkhead::<1>::new(Config::new(2));
    let _a = bulkhead.try_acquire(NOW).unwrap();
    let mut b = match bulkhead.enqueue(1, NOW).unwrap() {
        Entry::Admitted(permit) => permit,
        Entry::Waiting(_) => panic!("one permit is free"),
    };
    // However long the admitted call takes to do its work, and however often it is polled, its place stays its own.
    for _ in 0..3 {
        assert!(matches!(bulkhead.try_acquire(NOW), Err(Rejected::Full { .. })));
        drop(b);
        b = bulkhead.try_acquire(NOW).unwrap();
    }
    drop(b);
}

#[test]
fn a_grant_wins_over_a_deadline_that_came_with_it() {
    let bulkhead = Bulkhead::<1>::new(Config::new(1).max_wait(Duration::from_secs(1)));
    let a = bulkhead.try_acquire(NOW).unwrap();
    let mut waiter = wait(&bulkhead, 1);
    assert_eq!(waiter.deadline(), Instant::from_secs(1));
    assert!(waiter.poll(Waker::noop(), Instant::from_nanos(999_999_999)).is_pending());
    drop(a);
    assert!(matches!(waiter.poll(Waker::noop(), Instant::from_secs(1)), Poll::Ready(Ok(_))));
    assert!(matches!(waiter.poll(Waker::noop(), Instant::from_secs(1)), Poll::Ready(Err(Rejected::Settled))));
}

#[test]
fn nobody_waits_where_waiting_is_switched_off() {
    let never = Bulkhead::<2>::new(Config::new(1).max_wait(Duration::ZERO));
    let no_seats = Bulkhead::<2>::new(Config::new(1).max_waiting(0));
    let no_slots = Bulkhead::<0>::new(Config::new(1));
    let _held = (never.try_acquire(NOW).unwrap(), no_seats.try_acquire(NOW), no_slots.try_acquire(NOW));
    let full = Rejected::Full { in_use: 1, capacity: 1, waiting: 0 };
    assert_eq!(never.enqueue(1, NOW).unwrap_err(), full);
    assert_eq!(no_seats.enqueue(1, NOW).unwrap_err(), full);
    assert_eq!(no_slots.enqueue(1, NOW).unwrap_err(), full);
}

#[test]
fn max_waiting_is_a_bound_below_the_slots() {
    let bulkhead = Bulkhead::<4>::new(Config::new(1).max_waiting(1));
    let _a = bulkhead.try_acquire(NOW).unwrap();
    let _b = wait(&bulkhead, 1);
    assert_eq!(bulkhead.enqueue(1, NOW).unwrap_err(), Rejected::QueueFull { waiting: 1, max_waiting: 1 });
}

#[test]
fn a_waiter_that_leaves_from_the_middle_frees_its_room_at_once() {
    let bulkhead = Bulkhead::<3>::new(Config::new(1));
    let a = bulkhead.try_acquire(NOW).unwrap();
    let mut first = wait(&bulkhead, 1);
    for _ in 0..100 {
        let middle = wait(&bulkhead, 1);
        let tail = wait(&bulkhead, 1);
        drop(middle);
        drop(tail);
    }
    let mut second = wait(&bulkhead, 1);
    drop(a);
    let held = poll(&mut first).unwrap().unwrap();
    assert!(poll(&mut second).is_none());
    drop(held);
    assert!(ready(&mut second));
}

#[test]
fn close_sends_waiters_and_newcomers_away_and_lets_calls_run_on() {
    let bulkhead = Bulkhead::<4>::new(Config::new(1));
    let a = bulkhead.try_acquire(NOW).unwrap();
    let mut granted = wait(&bulkhead, 1);
    drop(a);
    let mut line: Vec<_> = (0..3).map(|_| (wait(&bulkhead, 1), Bell::new())).collect();
    for (waiter, (_, waker)) in &mut line {
        assert!(waiter.poll(waker, NOW).is_pending());
    }
    bulkhead.close();
    for (waiter, (bell, _)) in &mut line {
        assert_eq!(bell.rings(), 1);
        assert_eq!(poll(waiter).unwrap().unwrap_err(), Rejected::Closed);
    }
    assert!(matches!(bulkhead.try_acquire_many(0, NOW), Err(Rejected::Closed)));
    assert!(matches!(bulkhead.enqueue(1, NOW), Err(Rejected::Closed)));
    assert!(ready(&mut granted), "it was granted before");
    let after = bulkhead.snapshot();
    assert_eq!((after.in_use, after.waiting, after.closed), (0, 0, true));
}

#[test]
fn waiting_times_are_measured_for_those_that_waited() {
    let bulkhead = Bulkhead::<4>::new(Config::new(1).max_wait(Duration::from_secs(9)));
    let at = Instant::from_millis;
    let ms = Duration::from_millis;
    for (arrives, granted) in [(100, 130), (100, 150), (200, 200)] {
        let running = bulkhead.try_acquire(at(arrives)).unwrap();
        assert_eq!(running.waited(), Duration::ZERO);
        let Ok(Entry::Waiting(mut waiter)) = bulkhead.enqueue(1, at(arrives)) else { panic!("not free") };
        drop(running);
        let Poll::Ready(Ok(permit)) = waiter.poll(Waker::noop(), at(granted)) else { panic!("not granted") };
        assert_eq!(permit.waited(), ms(granted - arrives));
    }
    let waits = bulkhead.snapshot().waits;
    assert_eq!((waits.admitted, waits.total, waits.longest), (3, ms(80), ms(50)));
    assert_eq!(waits.mean(), ms(80) / 3);

    // To the nanosecond, or to 100 µs where words have 32 bits.
    let running = bulkhead.try_acquire(NOW).unwrap();
    let mut waiter = wait(&bulkhead, 1);
    drop(running);
    assert!(matches!(waiter.poll(Waker::noop(), Instant::from_nanos(1_234_567)), Poll::Ready(Ok(_))));
    let total = bulkhead.snapshot().waits.since(&waits).total;
    assert_eq!(total, Duration::from_nanos(if Wide::BITS == 64 { 1_234_567 } else { 1_200_000 }));
    let waits = bulkhead.snapshot().waits;

    // Nor those that were not admitted: too late, gone, gone with a grant.
    let running = bulkhead.try_acquire(NOW).unwrap();
    let mut late = wait(&bulkhead, 1);
    assert!(matches!(late.poll(Waker::noop(), at(9000)), Poll::Ready(Err(Rejected::WaitTimeout { .. }))));
    let granted = wait(&bulkhead, 1);
    drop(wait(&bulkhead, 1));
    drop(running);
    drop(granted);
    assert_eq!(bulkhead.snapshot().waits, waits);
    assert_eq!(super::Waits::default().mean(), Duration::ZERO);
}

#[test]
fn t42_five_waiters_are_served_in_the_order_of_their_arrival() {
    let bulkhead = Bulkhead::<5>::new(Config::new(1));
    let mut running = Some(bulkhead.try_acquire(NOW).unwrap());
    let mut line: Vec<_> = (0..5).map(|_| wait(&bulkhead, 1)).collect();
    for i in 0..5 {
        drop(running.take());
        for waiter in &mut line[i + 1..] {
            assert!(poll(waiter).is_none(), "a later one came first");
        }
        running = poll(&mut line[i]).unwrap().ok();
    }
}

#[test]
fn no_permits_are_always_free() {
    let bulkhead = Bulkhead::<1>::new(Config::new(0));
    let nothing = bulkhead.try_acquire_many(0, NOW).unwrap();
    assert_eq!(nothing.weight(), 0);
    assert_eq!(probe::count(|| drop(nothing)).0.writes, 0, "there is nothing to give back");
    assert_eq!(in_use(&bulkhead), 0);
}

/// Four threads mix every operation; the count in use never exceeds the capacity, and in the end all is back.
#[test]
fn stress_of_four_threads_never_over_admits_and_loses_nothing() {
    struct Unpark(thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    const CAPACITY: u32 = 3;
    let bulkhead = Bulkhead::<2>::new(Config::new(CAPACITY));
    let running = AtomicU32::new(0);
    let work = |permit: Permit<'_, 2>| {
        let now = running.fetch_add(permit.weight(), Ordering::AcqRel).wrapping_add(permit.weight());
        assert!(now <= CAPACITY, "{now} in use");
        running.fetch_add(permit.weight().wrapping_neg(), Ordering::AcqRel);
        drop(permit);
    };
    thread::scope(|scope| {
        for seed in 0..4 {
            let (bulkhead, work) = (&bulkhead, &work);
            scope.spawn(move || {
                let rng = crate::Rng::new(seed);
                let waker = Waker::from(Arc::new(Unpark(thread::current())));
                for _ in 0..20_000 {
                    let n = 1 + rng.below(CAPACITY);
                    match bulkhead.enqueue(n, NOW) {
                        Ok(Entry::Admitted(permit)) => work(permit),
                        Ok(Entry::Waiting(waiter)) if rng.below(3) == 0 => drop(waiter),
                        Ok(Entry::Waiting(mut waiter)) => loop {
                            match waiter.poll(&waker, NOW) {
                                Poll::Ready(permit) => break work(permit.unwrap()),
                                Poll::Pending => thread::park(),
                            }
                        },
                        Err(_) => thread::yield_now(),
                    }
                }
            });
        }
    });
    let after = bulkhead.snapshot();
    assert_eq!((after.in_use, after.waiting), (0, 0));
}
