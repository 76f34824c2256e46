//! Calls that are interrupted by others in front of any access, as by an interrupt handler.

use super::*;

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
