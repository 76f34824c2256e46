//! Who is woken, when, and what a waker may do.

use super::*;

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
