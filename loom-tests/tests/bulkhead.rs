//! The bulkhead under every interleaving: one word decides, one thread hands out, nobody is left behind.
#![cfg(loom)]

use core::future::poll_fn;
use core::task::{Poll, Waker};

use loom::future::block_on;
use loom::sync::atomic::{AtomicU32, Ordering};
use loom::thread;
use seawall_core::bulkhead::{Config, Entry, Permit, Rejected, Waiter};
use seawall_core::{Bulkhead, Instant};
use seawall_loom::race;

const NOW: Instant = Instant::ZERO;
const SLOTS: usize = 2;

type Pool = &'static Bulkhead<SLOTS>;

/// A bulkhead that waiters on any thread of the model may borrow.
///
/// Its few bytes are leaked in each execution; loom checks that no waker stays behind in it.
fn pool(capacity: u32) -> Pool {
    Box::leak(Box::new(Bulkhead::new(Config::new(capacity))))
}

fn acquire(pool: Pool) -> Permit<'static, SLOTS> {
    pool.try_acquire(NOW).unwrap()
}

fn waiter(pool: Pool, n: u32) -> Waiter<'static, SLOTS> {
    match pool.enqueue(n, NOW).unwrap() {
        Entry::Waiting(waiter) => waiter,
        Entry::Admitted(_) => panic!("nothing is free"),
    }
}

/// Waits, however long it takes; loom reports it if that is for ever.
fn wait(mut waiter: Waiter<'static, SLOTS>) -> Result<Permit<'static, SLOTS>, Rejected> {
    block_on(poll_fn(|context| waiter.poll(context.waker(), NOW)))
}

fn enter_and_wait(pool: Pool, n: u32) -> Result<Permit<'static, SLOTS>, Rejected> {
    match pool.enqueue(n, NOW)? {
        Entry::Admitted(permit) => Ok(permit),
        Entry::Waiting(waiter) => wait(waiter),
    }
}

/// The answer of a waiter that needs no waker, since everybody else is done.
fn poll_once(waiter: &mut Waiter<'static, SLOTS>) -> Poll<Result<Permit<'static, SLOTS>, Rejected>> {
    waiter.poll(Waker::noop(), NOW)
}

fn assert_idle(pool: Pool) {
    let snapshot = pool.snapshot();
    assert_eq!((snapshot.in_use, snapshot.waiting), (0, 0));
    let capacity = snapshot.capacity;
    assert!(pool.try_acquire_many(capacity, NOW).is_ok(), "a permit or the turn is lost");
}

// Mutant: bulkhead_over_admits
#[test]
fn never_admits_more_than_the_capacity() {
    loom::model(|| {
        let pool = pool(3);
        let running: &'static AtomicU32 = Box::leak(Box::new(AtomicU32::new(0)));
        let call = move || {
            if let Ok(permit) = pool.try_acquire_many(2, NOW) {
                assert!(running.fetch_add(2, Ordering::Relaxed) + 2 <= 3);
                running.fetch_sub(2, Ordering::Relaxed);
                drop(permit);
            }
        };
        race(call, call);
        assert_idle(pool);
    });
}

// Mutant: bulkhead_silent_arrival, bulkhead_no_second_look, bulkhead_no_check_after_register
// Mutant: bulkhead_waker_before_verdict
#[test]
fn a_release_and_an_arrival_never_miss_each_other() {
    loom::model(|| {
        let pool = pool(1);
        let permit = acquire(pool);
        race(move || drop(permit), || drop(enter_and_wait(pool, 1).unwrap()));
        assert_idle(pool);
    });
}

// Mutant: bulkhead_drop_keeps_grant, bulkhead_keeps_late_grant, bulkhead_grant_overrides_cancel
#[test]
fn a_waiter_that_leaves_while_it_is_granted_loses_no_permit() {
    loom::model(|| {
        let pool = pool(1);
        let permit = acquire(pool);
        let leaver = waiter(pool, 1);
        race(move || drop(leaver), || drop(permit));
        assert_idle(pool);
    });
}

// Mutant: bulkhead_silent_leave
#[test]
fn a_head_that_leaves_passes_its_turn_on() {
    loom::model(|| {
        let pool = pool(2);
        let (kept, released) = (acquire(pool), acquire(pool));
        let head = waiter(pool, 2);
        let second = waiter(pool, 1);
        race(
            move || drop(head),
            || {
                drop(released);
                drop(wait(second).unwrap());
            },
        );
        drop(kept);
        assert_idle(pool);
    });
}

// Mutant: bulkhead_barges
#[test]
fn nobody_overtakes_a_waiter() {
    loom::model(|| {
        let pool = pool(1);
        let permit = acquire(pool);
        let mut first = waiter(pool, 1);
        let (overtook, permit) = race(
            move || pool.try_acquire(NOW).is_ok(),
            || {
                drop(permit);
                poll_once(&mut first)
            },
        );
        assert!(matches!(permit, Poll::Ready(Ok(_))), "the release did not hand over");
        assert!(!overtook);
        drop(permit);
        assert_idle(pool);
    });
}

// Mutant: bulkhead_ignores_tickets
#[test]
fn the_oldest_goes_first_whatever_its_slot() {
    loom::model(|| {
        let pool = pool(1);
        let permit = acquire(pool);
        let gone = waiter(pool, 1);
        let mut first = waiter(pool, 1);
        let ((), second) = race(
            move || drop(gone),
            || {
                // If there is room already, it is the slot before the one of the first.
                let second = pool.enqueue(1, NOW);
                drop(permit);
                second
            },
        );
        let Poll::Ready(Ok(permit)) = poll_once(&mut first) else { panic!("it was the first one's turn") };
        match second {
            Ok(Entry::Waiting(mut second)) => {
                assert!(poll_once(&mut second).is_pending());
                drop(permit);
                assert!(matches!(poll_once(&mut second), Poll::Ready(Ok(_))));
            }
            Ok(Entry::Admitted(_)) => panic!("overtook the first"),
            Err(rejected) => {
                assert!(matches!(rejected, Rejected::QueueFull { .. }));
                drop(permit);
            }
        }
        assert_idle(pool);
    });
}

// Mutant: bulkhead_turn_not_resumed
#[test]
fn a_turn_that_is_given_up_to_wake_is_taken_up_again() {
    loom::model(|| {
        let pool = pool(2);
        let permit = pool.try_acquire_many(2, NOW).unwrap();
        let (first, second) = (waiter(pool, 1), waiter(pool, 1));
        race(move || drop(permit), || drop((wait(first).unwrap(), wait(second).unwrap())));
        assert_idle(pool);
    });
}

// Mutant: bulkhead_two_holders
#[test]
fn two_releases_serve_two_waiters() {
    loom::model(|| {
        let pool = pool(2);
        let (one, other) = (acquire(pool), acquire(pool));
        let (mut first, mut second) = (waiter(pool, 1), waiter(pool, 1));
        race(move || drop(one), || drop(other));
        let granted = (poll_once(&mut first), poll_once(&mut second));
        assert!(matches!(granted, (Poll::Ready(Ok(_)), Poll::Ready(Ok(_)))));
        assert_eq!(pool.snapshot().in_use, 2);
        drop(granted);
        assert_idle(pool);
    });
}

// Mutant: bulkhead_no_epoch
#[test]
fn growth_and_an_arrival_never_miss_each_other() {
    loom::model(|| {
        let pool = pool(1);
        let permit = acquire(pool);
        race(move || pool.resize(2).unwrap(), || drop(enter_and_wait(pool, 1).unwrap()));
        drop(permit);
        assert_idle(pool);
    });
}

// Mutant: bulkhead_no_epoch
#[test]
fn nobody_is_admitted_by_the_old_limits_once_they_have_changed() {
    loom::model(|| {
        let pool = pool(1);
        let close = move || {
            pool.close();
            pool.snapshot().in_use
        };
        let (in_use_after_close, permit) = race(close, || pool.try_acquire(NOW));
        assert_eq!(in_use_after_close, u32::from(permit.is_ok()));
    });
}

// Mutant: bulkhead_no_epoch
#[test]
fn close_and_an_arrival_never_miss_each_other() {
    loom::model(|| {
        let pool = pool(1);
        let permit = acquire(pool);
        let ((), answer) = race(move || pool.close(), || enter_and_wait(pool, 1));
        assert_eq!(answer.unwrap_err(), Rejected::Closed);
        drop(permit);
        let snapshot = pool.snapshot();
        assert_eq!((snapshot.in_use, snapshot.waiting), (0, 0));
    });
}

// Mutant: bulkhead_grant_overrides_cancel, bulkhead_no_second_look
#[test]
fn a_release_an_arrival_and_a_leaver_together_lose_nothing() {
    let mut bounded = loom::model::Builder::new();
    // Three preemptions among three threads take more than ten minutes.
    bounded.preemption_bound = Some(2);
    bounded.check(|| {
        let pool = pool(1);
        let permit = acquire(pool);
        let leaver = waiter(pool, 1);
        let leaving = thread::spawn(move || drop(leaver));
        let arrival = thread::spawn(move || drop(enter_and_wait(pool, 1).unwrap()));
        drop(permit);
        leaving.join().unwrap();
        arrival.join().unwrap();
        assert_idle(pool);
    });
}

// Mutant: bulkhead_waker_before_verdict, bulkhead_no_check_after_register
#[test]
fn a_slot_that_changes_hands_while_its_waker_is_taken_loses_no_wake() {
    loom::model(|| {
        let pool = pool(1);
        let permit = acquire(pool);
        let first = waiter(pool, 1);
        race(
            move || {
                drop(permit);
                drop(enter_and_wait(pool, 1).unwrap());
            },
            || {
                drop(wait(first).unwrap());
                drop(enter_and_wait(pool, 1).unwrap());
            },
        );
        assert_idle(pool);
    });
}

// Mutant: bulkhead_longest_wait_in_two_steps, counter_loses_an_update
#[test]
fn the_waits_of_two_waiters_that_are_admitted_together_are_both_measured() {
    loom::model(|| {
        let pool = pool(2);
        let running = pool.try_acquire_many(2, NOW).unwrap();
        let (mut one, mut other) = (waiter(pool, 1), waiter(pool, 1));
        drop(running);
        let (short, long) = (Instant::from_millis(3), Instant::from_millis(5));
        let admitted = race(
            move || one.poll(Waker::noop(), short).is_ready(),
            || other.poll(Waker::noop(), long).is_ready(),
        );
        assert_eq!(admitted, (true, true));
        let waits = pool.snapshot().waits;
        assert_eq!((waits.admitted, waits.total.as_millis(), waits.longest.as_millis()), (2, 8, 5));
    });
}
