//! Bulkheads: the sequential parts of the peers' suites.

use core::task::{Poll, Waker};

use seawall_core::Instant;
use seawall_core::bulkhead::{Bulkhead, Config, Entry, Permit, Rejected, Waiter};

use super::support::{SECOND, ms, s};

const NOW: Instant = Instant::ZERO;

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

#[cfg_attr(test, test)]
pub(crate) fn t42_two_are_admitted_and_the_third_is_not() {
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

#[cfg_attr(test, test)]
pub(crate) fn t42_without_permits_every_call_is_rejected() {
    let bulkhead = Bulkhead::<4>::new(Config::new(0));
    for _ in 0..3 {
        let rejected = bulkhead.try_acquire(NOW).unwrap_err();
        assert_eq!(rejected, Rejected::TooMany { requested: 1, capacity: 0 });
        assert!(matches!(bulkhead.enqueue(1, NOW), Err(Rejected::TooMany { .. })));
    }
}

#[cfg_attr(test, test)]
pub(crate) fn t42_fairness() {
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

#[cfg_attr(test, test)]
pub(crate) fn t42_four_run_ten_wait_and_the_fifteenth_is_rejected_at_once() {
    let bulkhead = Bulkhead::<10>::new(Config::new(4));
    let running = [(); 4].map(|()| bulkhead.try_acquire(NOW).unwrap());
    let mut waiting = [(); 10].map(|()| wait(&bulkhead, 1));
    assert!(matches!(bulkhead.enqueue(1, NOW), Err(Rejected::QueueFull { waiting: 10, max_waiting: 10 })));
    drop(running);
    let (first, rest) = waiting.split_at_mut(4);
    assert!(rest.iter_mut().all(|waiter| poll(waiter).is_none()));
    assert!(first.iter_mut().all(ready));
    assert!(rest.iter_mut().all(ready));
    assert_eq!(in_use(&bulkhead), 0);
}

#[cfg_attr(test, test)]
pub(crate) fn t42_timeouts_at_the_moment_of_a_release_lose_nothing() {
    let bulkhead = Bulkhead::<10>::new(Config::new(4).max_wait(SECOND));
    for round in 0..10 {
        let held = [(); 3].map(|()| bulkhead.try_acquire(NOW).unwrap());
        let mut last = Some(bulkhead.try_acquire(NOW).unwrap());
        let mut waiting = [(); 10].map(|()| wait(&bulkhead, 1));
        for (i, waiter) in waiting.iter_mut().enumerate() {
            if i == round {
                last = None;
            }
            match waiter.poll(Waker::noop(), s(1)) {
                Poll::Ready(Ok(_)) => assert!(last.is_none()),
                Poll::Ready(Err(rejected)) => assert_eq!(rejected, Rejected::WaitTimeout { waited: SECOND }),
                Poll::Pending => panic!("the deadline was reached"),
            }
        }
        assert_eq!((in_use(&bulkhead), bulkhead.snapshot().waiting), (3, 0));
        drop(held);
        assert_eq!(in_use(&bulkhead), 0);
    }
}

#[cfg_attr(test, test)]
pub(crate) fn b39_a_head_that_leaves_passes_its_turn_on() {
    let bulkhead = Bulkhead::<4>::new(Config::new(3));
    let _a = bulkhead.try_acquire(NOW).unwrap();
    let b = wait(&bulkhead, 3);
    let mut c = wait(&bulkhead, 1);
    assert!(poll(&mut c).is_none());
    drop(b);
    assert!(ready(&mut c));
}

#[cfg_attr(test, test)]
pub(crate) fn b40_a_granted_waiter_that_is_dropped_gives_its_permit_on() {
    let bulkhead = Bulkhead::<2>::new(Config::new(1));
    for _ in 0..1000 {
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

#[cfg_attr(test, test)]
pub(crate) fn b48_a_smaller_capacity_holds_for_newcomers_and_a_larger_one_admits_waiters() {
    let bulkhead = Bulkhead::<4>::new(Config::new(4));
    let mut held = [(); 4].map(|()| Some(bulkhead.try_acquire(NOW).unwrap()));
    bulkhead.resize(2).unwrap();
    for permit in &mut held[..2] {
        assert!(bulkhead.try_acquire(NOW).is_err());
        *permit = None;
    }
    assert!(bulkhead.try_acquire(NOW).is_err(), "two of two are in use");
    let mut waiting = [(); 3].map(|()| wait(&bulkhead, 1));
    bulkhead.resize(4).unwrap();
    let polled = waiting.each_mut().map(poll);
    assert_eq!(polled.each_ref().map(Option::is_some), [true, true, false], "exactly two are admitted");
    drop((polled, held, waiting));
    assert_eq!((in_use(&bulkhead), bulkhead.snapshot().waiting), (0, 0));
}

#[cfg_attr(test, test)]
pub(crate) fn a_closed_bulkhead_turns_everybody_away() {
    let bulkhead = Bulkhead::<2>::new(Config::new(1));
    let held = bulkhead.try_acquire(NOW).unwrap();
    let mut waiter = wait(&bulkhead, 1);
    bulkhead.close();
    assert!(matches!(poll(&mut waiter), Some(Err(Rejected::Closed))));
    drop(held);
    assert_eq!(bulkhead.try_acquire(NOW).unwrap_err(), Rejected::Closed);
}

#[cfg_attr(test, test)]
pub(crate) fn waiting_times_are_measured_for_those_that_waited() {
    let bulkhead = Bulkhead::<2>::new(Config::new(1));
    for (arrives, granted) in [(10, 40), (100, 150)] {
        let running = bulkhead.try_acquire(ms(arrives)).unwrap();
        assert!(running.waited().is_zero());
        let Ok(Entry::Waiting(mut waiter)) = bulkhead.enqueue(1, ms(arrives)) else { panic!("not free") };
        drop(running);
        let Poll::Ready(Ok(permit)) = waiter.poll(Waker::noop(), ms(granted)) else { panic!("not granted") };
        assert_eq!(permit.waited().as_millis(), u128::from(granted - arrives));
    }
    let waits = bulkhead.snapshot().waits;
    assert_eq!((waits.admitted, waits.total.as_millis(), waits.longest.as_millis()), (2, 80, 50));
    assert_eq!(waits.mean().as_millis(), 40);
}

#[cfg_attr(test, test)]
pub(crate) fn t42_waiters_are_served_in_the_order_of_their_arrival() {
    let bulkhead = Bulkhead::<5>::new(Config::new(1));
    let mut running = Some(bulkhead.try_acquire(NOW).unwrap());
    let mut line = [(); 5].map(|()| wait(&bulkhead, 1));
    for i in 0..5 {
        drop(running.take());
        assert!(line[i + 1..].iter_mut().all(|waiter| poll(waiter).is_none()), "a later one came first");
        running = poll(&mut line[i]).unwrap().ok();
    }
}

/// B14, B64: a wait that overflows has no end, also at the last moment that there is.
#[cfg_attr(test, test)]
pub(crate) fn a_waiter_without_a_limit_is_patient_to_the_end_of_time() {
    let end = Instant::NEVER;
    for max_wait in [core::time::Duration::MAX, 10 * SECOND] {
        let bulkhead: Bulkhead<2> = Bulkhead::new(Config::new(1).max_wait(max_wait));
        let held = bulkhead.try_acquire(NOW).unwrap();
        let Ok(Entry::Waiting(mut waiter)) = bulkhead.enqueue(1, Instant::from_nanos(u64::MAX - 5)) else {
            panic!("it is full")
        };
        assert_eq!(waiter.deadline(), end);
        assert!(waiter.poll(Waker::noop(), end).is_pending());
        drop(held);
        assert!(matches!(waiter.poll(Waker::noop(), end), Poll::Ready(Ok(_))));
    }
}
