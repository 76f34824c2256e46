//! The bulkhead and its queue with more threads than loom can exhaust.
#![cfg(shuttle)]

use core::future::poll_fn;
use core::task::Waker;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use seawall_core::bulkhead::{Config, Entry, Permit, Rejected, Waiter};
use seawall_core::{Bulkhead, Instant};
use seawall_shuttle::{explore, leak};
use shuttle::future::block_on;
use shuttle::thread;

const NOW: Instant = Instant::ZERO;
const SLOTS: usize = 4;

type Pool = &'static Bulkhead<SLOTS>;

fn pool(capacity: u32) -> Pool {
    leak(Bulkhead::new(Config::new(capacity)))
}

/// Waits, however long it takes; shuttle reports it if that is for ever.
fn wait(mut waiter: Waiter<'static, SLOTS>) -> Result<Permit<'static, SLOTS>, Rejected> {
    block_on(poll_fn(|context| waiter.poll(context.waker(), NOW)))
}

fn waiter(pool: Pool, n: u32) -> Waiter<'static, SLOTS> {
    match pool.enqueue(n, NOW).unwrap() {
        Entry::Waiting(waiter) => waiter,
        Entry::Admitted(_) => panic!("nothing is free"),
    }
}

fn enter_and_wait(pool: Pool, n: u32) -> Result<Permit<'static, SLOTS>, Rejected> {
    match pool.enqueue(n, NOW)? {
        Entry::Admitted(permit) => Ok(permit),
        Entry::Waiting(waiter) => wait(waiter),
    }
}

fn assert_idle(pool: Pool) {
    let snapshot = pool.snapshot();
    assert_eq!((snapshot.in_use, snapshot.waiting), (0, 0));
    assert!(pool.try_acquire_many(snapshot.capacity, NOW).is_ok(), "a permit or the turn is lost");
}

// Mutant: bulkhead_over_admits, bulkhead_silent_arrival, bulkhead_no_second_look, bulkhead_two_holders
// Mutant: bulkhead_no_check_after_register, bulkhead_turn_not_resumed, bulkhead_waker_before_verdict
#[test]
fn calls_of_all_sizes_never_exceed_the_capacity_and_all_of_them_end() {
    explore(|| {
        let pool = pool(2);
        // Not one of shuttle's: checking adds no order.
        let running = Arc::new(AtomicU32::new(0));
        let threads: Vec<_> = [[1, 2], [2, 1], [1, 1], [2, 2]]
            .into_iter()
            .map(|needs| {
                let running = running.clone();
                thread::spawn(move || {
                    for need in needs {
                        let permit = enter_and_wait(pool, need).expect("a place for each thread");
                        assert!(running.fetch_add(need, Ordering::Relaxed) + need <= 2);
                        thread::yield_now();
                        running.fetch_sub(need, Ordering::Relaxed);
                        drop(permit);
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        assert_idle(pool);
    });
}

// Mutant: bulkhead_keeps_late_grant, bulkhead_drop_keeps_grant, bulkhead_grant_overrides_cancel
// Mutant: bulkhead_silent_leave
#[test]
fn waiters_that_leave_lose_no_permit_and_no_turn() {
    explore(|| {
        let pool = pool(2);
        let (kept, released) = (pool.try_acquire(NOW).unwrap(), pool.try_acquire(NOW).unwrap());
        // The first to leave waits for more than there will be, and those behind it wait for it.
        let leavers = [2, 1].map(|need| {
            let mut leaver = waiter(pool, need);
            thread::spawn(move || {
                let _ = leaver.poll(Waker::noop(), NOW);
                thread::yield_now();
                drop(leaver);
            })
        });
        let stayers = [1, 1].map(|need| {
            let stayer = waiter(pool, need);
            thread::spawn(move || drop(wait(stayer).unwrap()))
        });
        drop(released);
        for thread in leavers.into_iter().chain(stayers) {
            thread.join().unwrap();
        }
        drop(kept);
        assert_idle(pool);
    });
}

// Mutant: bulkhead_ignores_tickets, bulkhead_barges
#[test]
fn waiters_are_served_in_the_order_of_their_arrival() {
    explore(|| {
        let pool = pool(1);
        let permit = pool.try_acquire(NOW).unwrap();
        let gone = waiter(pool, 1);
        let (first, second) = (waiter(pool, 1), waiter(pool, 1));
        drop(gone);
        // Its slot is before theirs.
        let third = waiter(pool, 1);
        let served = Arc::new(Mutex::new(Vec::new()));
        let threads = [(3, third), (1, first), (2, second)].map(|(turn, waiter)| {
            let served = served.clone();
            thread::spawn(move || {
                let permit = wait(waiter).unwrap();
                served.lock().unwrap().push(turn);
                drop(permit);
            })
        });
        let barging = thread::spawn({
            let served = served.clone();
            move || {
                if let Ok(permit) = pool.try_acquire(NOW) {
                    assert_eq!(served.lock().unwrap().len(), 3, "overtook a waiter");
                    drop(permit);
                }
            }
        });
        drop(permit);
        for thread in threads {
            thread.join().unwrap();
        }
        barging.join().unwrap();
        assert_eq!(*served.lock().unwrap(), [1, 2, 3]);
        assert_idle(pool);
    });
}

// Mutant: bulkhead_silent_arrival
#[test]
fn growth_reaches_every_arrival() {
    explore(|| {
        let pool = pool(1);
        let permit = pool.try_acquire(NOW).unwrap();
        let arrivals = [1, 2].map(|need| {
            thread::spawn(move || match enter_and_wait(pool, need) {
                Ok(permit) => drop(permit),
                Err(rejected) => assert_eq!(rejected, Rejected::TooMany { requested: 2, capacity: 1 }),
            })
        });
        for capacity in [2, 3] {
            thread::spawn(move || pool.resize(capacity)).join().unwrap().unwrap();
        }
        for thread in arrivals {
            thread.join().unwrap();
        }
        drop(permit);
        assert_idle(pool);
    });
}

// Mutant: bulkhead_no_epoch, bulkhead_silent_arrival
#[test]
fn a_close_answers_every_arrival_and_admits_nobody_after_it() {
    explore(|| {
        let pool = pool(3);
        let permit = pool.try_acquire_many(2, NOW).unwrap();
        let tries = [(); 2].map(|()| thread::spawn(move || pool.try_acquire(NOW).ok()));
        let arrivals = [(); 2].map(|()| thread::spawn(move || enter_and_wait(pool, 2).unwrap_err()));
        thread::yield_now();
        pool.close();
        let in_use = pool.snapshot().in_use;
        for thread in arrivals {
            assert_eq!(thread.join().unwrap(), Rejected::Closed);
        }
        let admitted = tries.map(|thread| thread.join().unwrap());
        assert_eq!(in_use as usize, 2 + admitted.iter().flatten().count());
        drop((permit, admitted));
        let snapshot = pool.snapshot();
        assert_eq!((snapshot.in_use, snapshot.waiting), (0, 0));
    });
}
