//! The words, their sizes and what a call does to them.

use super::*;

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
