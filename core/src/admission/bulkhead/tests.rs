//! The bulkhead on a manual clock, one thread at a time, and under real threads.
//!
//! Names that begin with `b` and a number or `t42` belong to the catalogue of bugs and scenarios that these tests replay.

extern crate std;

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
fn b44_the_latest_waker_is_the_one_that_is_woken() {
    let bulkhead = Bulkhead::<1>::new(Config::new(1));
    let a = bulkhead.try_acquire(NOW).unwrap();
    let mut waiter = wait(&bulkhead, 1);
    let ((old, old_waker), (new, new_waker)) = (Bell::new(), Bell::new());
    assert!(waiter.poll(&old_waker, NOW).is_pending());
    assert!(waiter.poll(&new_waker, NOW).is_pending());
    drop(a);
    assert_eq!((old.rings(), new.rings()), (0, 1));
    assert!(ready(&mut waiter));
}

#[test]
fn b44_no_waker_is_kept_when_its_waiter_has_left() {
    let bulkhead = Bulkhead::<2>::new(Config::new(1));
    let a = bulkhead.try_acquire(NOW).unwrap();
    let (bell, waker) = Bell::new();
    let mut cancelled = wait(&bulkhead, 1);
    let mut granted = wait(&bulkhead, 1);
    assert!(cancelled.poll(&waker, NOW).is_pending());
    assert!(granted.poll(&waker, NOW).is_pending());
    drop(cancelled);
    drop(a);
    assert!(ready(&mut granted));
    drop(waker);
    assert_eq!(Arc::strong_count(&bell), 1);
}

#[test]
fn b45_nobody_is_woken_while_the_bulkhead_is_full_and_two_polls_are_enough() {
    let bulkhead = Bulkhead::<8>::new(Config::new(1));
    let mut running = Some(bulkhead.try_acquire(NOW).unwrap());
    let mut line: Vec<_> = (0..8).map(|_| (wait(&bulkhead, 1), Bell::new())).collect();
    for (waiter, (_, waker)) in &mut line {
        assert!(waiter.poll(waker, NOW).is_pending());
    }
    assert!(bulkhead.try_acquire(NOW).is_err());
    assert!(line.iter().all(|(_, (bell, _))| bell.rings() == 0));
    for i in 0..line.len() {
        drop(running.take());
        for (j, (_, (bell, _))) in line.iter().enumerate() {
            assert_eq!(bell.rings(), u32::from(j <= i), "after {i} releases");
        }
        let (waiter, (_, waker)) = &mut line[i];
        let Poll::Ready(Ok(permit)) = waiter.poll(waker, NOW) else { panic!("not granted") };
        running = Some(permit);
    }
    drop(running);
    assert_eq!(in_use(&bulkhead), 0);
}

#[test]
fn b46_a_waker_may_call_back() {
    static BULKHEAD: Bulkhead<2> = Bulkhead::new(Config::new(1));

    /// Polls the waiter in its own wake, drops what it gets, and gets in line again.
    struct Reenter(Mutex<Vec<Waiter<'static, 2>>>, AtomicU32);

    impl Wake for Reenter {
        fn wake(self: Arc<Self>) {
            let mut waiters = core::mem::take(&mut *self.0.lock().unwrap());
            for waiter in &mut waiters {
                if ready(waiter) {
                    self.1.fetch_add(1, Ordering::AcqRel);
                }
            }
            assert!(BULKHEAD.snapshot().in_use <= 1);
            drop(BULKHEAD.enqueue(1, NOW));
        }
    }

    let running = BULKHEAD.try_acquire(NOW).unwrap();
    let task = Arc::new(Reenter(Mutex::new(Vec::new()), AtomicU32::new(0)));
    let waker = Waker::from(task.clone());
    for _ in 0..2 {
        let mut waiter = wait(&BULKHEAD, 1);
        assert!(waiter.poll(&waker, NOW).is_pending());
        task.0.lock().unwrap().push(waiter);
    }
    drop(running);
    assert_eq!(task.1.load(Ordering::Acquire), 2);
    let after = BULKHEAD.snapshot();
    assert_eq!((after.in_use, after.waiting), (0, 0));
}

#[test]
fn b46_a_waker_that_panics_costs_no_other_waiter_its_wake() {
    struct Bomb;
    impl Wake for Bomb {
        fn wake(self: Arc<Self>) {
            std::panic::resume_unwind(std::boxed::Box::new(()));
        }
    }

    let bulkhead = Bulkhead::<2>::new(Config::new(2));
    let running = bulkhead.try_acquire_many(2, NOW).unwrap();
    let (bell, waker) = Bell::new();
    let mut first = wait(&bulkhead, 1);
    let mut second = wait(&bulkhead, 1);
    assert!(first.poll(&Waker::from(Arc::new(Bomb)), NOW).is_pending());
    assert!(second.poll(&waker, NOW).is_pending());
    let ticket = running.into_ticket();
    assert!(std::panic::catch_unwind(|| bulkhead.release(ticket)).is_err());
    assert_eq!(bell.rings(), 1);
    assert!(ready(&mut first));
    assert!(ready(&mut second));
    assert_eq!(State::unpack(bulkhead.state.load::<State>().pack()).turn, Turn::Free);
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
fn waiting_times_beyond_every_range_do_no_harm() {
    let bulkhead = Bulkhead::<1>::new(Config::new(1));
    for granted in [Instant::NEVER, Instant::ZERO, Instant::from_secs(1)] {
        let before = bulkhead.snapshot().waits;
        let running = bulkhead.try_acquire(NOW).unwrap();
        let mut waiter = wait(&bulkhead, 1);
        drop(running);
        assert!(matches!(waiter.poll(Waker::noop(), granted), Poll::Ready(Ok(_))));
        let since = bulkhead.snapshot().waits.since(&before);
        assert_eq!(since.admitted, 1);
        assert_eq!(since.longest, Duration::from_micros(u32::MAX.into()), "the longest stays");
        if granted == Instant::from_secs(1) {
            assert_eq!(since.total, Duration::from_secs(1), "across the wrap of the total");
        }
    }
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

/// What is held of a bulkhead with one permit; each act may take it out or put it in.
struct Held {
    bulkhead: &'static Bulkhead<3>,
    running: Mutex<Option<Permit<'static, 3>>>,
    waiters: [Mutex<Option<Waiter<'static, 3>>>; 2],
}

/// The lock is not held while a call runs, which another one interrupts.
fn take<T>(place: &Mutex<Option<T>>) -> Option<T> {
    place.lock().unwrap().take()
}

const ACTS: [fn(&Held); 7] = [
    |held| drop(take(&held.running)),
    |held| drop(take(&held.waiters[0])),
    |held| drop(held.bulkhead.try_acquire(NOW)),
    |held| {
        if let Ok(Entry::Waiting(waiter)) = held.bulkhead.enqueue(1, NOW) {
            let before = held.waiters[1].lock().unwrap().replace(waiter);
            drop(before);
        }
    },
    |held| held.bulkhead.resize(2).unwrap(),
    |held| held.bulkhead.resize(0).unwrap(),
    |held| {
        if let Some(mut waiter) = take(&held.waiters[0]) {
            if waiter.poll(Waker::noop(), NOW).is_pending() {
                *held.waiters[0].lock().unwrap() = Some(waiter);
            }
        }
    },
];

/// One call holds the permit, another one waits; an act is interrupted by two others in front of its `n`th access.
fn interrupt(n: u32, act: fn(&Held), handlers: [fn(&Held); 2]) -> bool {
    let bulkhead: &Bulkhead<3> = std::boxed::Box::leak(std::boxed::Box::new(Bulkhead::new(Config::new(1))));
    let running = Mutex::new(Some(bulkhead.try_acquire(NOW).unwrap()));
    let waiters = [Mutex::new(Some(wait(bulkhead, 1))), Mutex::new(None)];
    let held = Arc::new(Held { bulkhead, running, waiters });
    let interrupted = held.clone();
    let handler = move || handlers.into_iter().for_each(|handler| handler(&interrupted));
    let reached = probe::interrupted(n, handler, || act(&held));

    let now = bulkhead.snapshot();
    assert!(now.waiting == 0 || now.in_use >= now.capacity, "access {n}: {now:?}");
    let granted = held.waiters.each_ref().map(|waiter| match waiter.lock().unwrap().as_mut().map(poll) {
        Some(Some(Ok(permit))) => Some(permit),
        _ => None,
    });
    let permits = granted.iter().flatten().count() + usize::from(held.running.lock().unwrap().is_some());
    assert_eq!(now.in_use as usize, permits, "access {n}: each permit in use is somebody's");
    drop(granted);
    assert_eq!(bulkhead.state.load::<State>().turn, Turn::Free);
    drop((take(&held.running), held.waiters.each_ref().map(take)));
    let after = bulkhead.snapshot();
    assert_eq!((after.in_use, after.waiting), (0, 0), "access {n}");
    reached
}

#[test]
fn b52_interrupts_at_any_access_lose_no_permit_and_no_waiter() {
    for act in ACTS {
        for handlers in ACTS.into_iter().flat_map(|one| ACTS.map(|other| [one, other])) {
            let accesses = (0..200).take_while(|&n| interrupt(n, act, handlers)).count();
            assert!((1..200).contains(&accesses));
        }
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

#[test]
fn more_waiters_are_served_in_one_go_than_wakers_are_kept() {
    let bulkhead = Bulkhead::<40>::new(Config::new(40));
    let all = bulkhead.try_acquire_many(40, NOW).unwrap();
    let mut line: Vec<_> = (0..40).map(|_| (wait(&bulkhead, 1), Bell::new())).collect();
    for (waiter, (_, waker)) in &mut line {
        assert!(waiter.poll(waker, NOW).is_pending());
    }
    drop(all);
    assert!(line.iter().all(|(_, (bell, _))| bell.rings() == 1));
    assert_eq!(in_use(&bulkhead), 40);
    assert!(line.iter_mut().all(|(waiter, _)| ready(waiter)));
}

/// The turn is given up to wake those who have their permits, and another one may take it then.
#[test]
fn more_waiters_than_wakers_are_kept_lose_nothing_to_an_interrupt() {
    let served = |n| {
        let bulkhead: &Bulkhead<20> =
            std::boxed::Box::leak(std::boxed::Box::new(Bulkhead::new(Config::new(12))));
        let most = bulkhead.try_acquire_many(10, NOW).unwrap();
        let rest = bulkhead.try_acquire_many(2, NOW).unwrap();
        let mut line: Vec<_> = (0..20).map(|_| wait(bulkhead, 1)).collect();
        assert!(line.iter_mut().all(|waiter| poll(waiter).is_none()));
        let reached = probe::interrupted(n, || drop(rest), || drop(most));
        assert_eq!((in_use(bulkhead), bulkhead.snapshot().waiting), (12, 8), "access {n}");
        assert!(line.iter_mut().all(ready), "access {n}");
        let after = bulkhead.state.load::<State>();
        assert_eq!((after.held, after.waiting, after.turn), (0, 0, Turn::Free), "access {n}");
        reached
    };
    let accesses = (0..1000).take_while(|&n| served(n)).count();
    assert!((100..1000).contains(&accesses));
}

/// Also for one who asked when there was a seat, which another one took since.
#[test]
fn no_more_than_the_seats_are_taken() {
    let limits = Limits { capacity: 1, seats: 2, closed: false };
    for (waiting, seated) in [(0, true), (1, true), (2, false)] {
        let state = State { held: 1, waiting, turn: Turn::Free, epoch: 0 };
        let full = Err(Rejected::QueueFull { waiting, max_waiting: 2 });
        let (next, entered) = state.enter(1, limits);
        assert_eq!(entered, if seated { Ok(Entered::Seated) } else { full });
        assert_eq!(next, seated.then_some(State { waiting: waiting + 1, ..state }));
    }
}

#[test]
fn cost_of_a_call() {
    let bulkhead = Bulkhead::<2>::new(Config::new(1));
    let (admitted, permit) = probe::count(|| bulkhead.try_acquire(NOW).unwrap());
    assert_eq!((admitted.loads, admitted.writes), (2, 1));
    let (full, _) = probe::count(|| bulkhead.try_acquire(NOW).is_err());
    assert_eq!((full.loads, full.writes), (2, 0));
    let (released, ()) = probe::count(|| drop(permit));
    assert_eq!((released.loads, released.writes), (1, 1));

    let permit = bulkhead.try_acquire(NOW).unwrap();
    let (seated, mut waiter) = probe::count(|| wait(&bulkhead, 1));
    assert_eq!((seated.loads, seated.writes), (16, 6));
    let (pending, _) = probe::count(|| poll(&mut waiter).is_none());
    assert_eq!((pending.loads, pending.writes), (2, 0));
    let _second = wait(&bulkhead, 1);
    let (queue_full, _) = probe::count(|| bulkhead.enqueue(1, NOW).is_err());
    assert_eq!((queue_full.loads, queue_full.writes), (4, 0));
    let (handed_on, ()) = probe::count(|| drop(permit));
    assert_eq!((handed_on.loads, handed_on.writes), (13, 4));
    let (collected, permit) = probe::count(|| waiter.poll(Waker::noop(), Instant::from_secs(1)));
    assert_eq!((collected.loads, collected.writes), (3, 4));
    drop(permit);
}

#[test]
fn exchanges_that_fail_spuriously_change_nothing() {
    for n in 1..8 {
        probe::with_spurious_failures(n + 1, || {
            t42_fairness();
            b39_cancelled_head_passes_its_turn();
            b48_shrinking_below_in_flight_admits_nobody_until_there_is_room();
            close_sends_waiters_and_newcomers_away_and_lets_calls_run_on();
        });
    }
}

#[test]
fn sizes_are_as_documented() {
    let waits = if Wide::BITS == 64 { 24 } else { 16 };
    assert_eq!(size_of::<Bulkhead<0>>(), 16 + waits);
    if cfg!(target_pointer_width = "64") {
        assert_eq!(size_of::<Bulkhead<10>>(), 16 + waits + 10 * 32);
    }
}

#[test]
fn the_words_survive_packing() {
    for turn in [Turn::Free, Turn::Taken, Turn::Again] {
        for (held, waiting, epoch) in [(0, 0, 0), (4095, 1023, 255), (1, 2, 3)] {
            let state = State { held, waiting, turn, epoch };
            assert_eq!(State::unpack(state.pack()), state);
        }
    }
    for closed in [false, true] {
        let limits = Limits { capacity: 4095, seats: 1023, closed };
        assert_eq!(Limits::unpack(limits.pack()), limits);
    }
    let last = State { held: 1, waiting: 0, turn: Turn::Free, epoch: 255 };
    assert_eq!(last.begin_epoch().0.unwrap().epoch, 0);
}

#[test]
fn rejections_say_what_happened() {
    let texts = vec![
        (
            Rejected::Full { in_use: 2, capacity: 2, waiting: 1 },
            "bulkhead is full: 2 of 2 permits in use, 1 waiting",
        ),
        (Rejected::QueueFull { waiting: 3, max_waiting: 3 }, "bulkhead queue is full: 3 waiting, room for 3"),
        (Rejected::WaitTimeout { waited: Duration::from_millis(20) }, "no permit came within 20ms"),
        (Rejected::TooMany { requested: 5, capacity: 2 }, "5 permits requested, the bulkhead has 2"),
        (Rejected::Closed, "bulkhead is closed"),
    ];
    for (rejected, text) in texts {
        assert_eq!(std::string::ToString::to_string(&rejected), text);
    }
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
