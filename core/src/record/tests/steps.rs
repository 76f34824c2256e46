//! Steps by hand, and the numbers of calls and attempts.

use super::*;

#[test]
fn steps_by_hand_do_to_the_guard_what_they_say() {
    let recorder: Recorder<Vec<u8>> = Recorder::try_new(full(), vec![0; 4096]).unwrap();
    let guard: Guard = Guard::new(full());
    let breaker = guard.breaker().unwrap();
    let begins = |at| recorder.try_begin(Deadline::NONE, ms(at)).map(drop);
    assert_eq!(recorder.trip(ms(1)), Some(breaker.trip(ms(1))));
    assert_eq!(recorder.reset(ms(2)), Some(breaker.reset(ms(2))));
    assert_eq!(recorder.force_open(), Some(breaker.force_open()));
    assert!(matches!(begins(3), Err(Rejected::CircuitBreaker(_))));
    assert_eq!(recorder.shadow_breaker(true), Some(breaker.shadow(true)));
    assert_eq!(begins(3), Ok(()));
    assert_eq!(recorder.force_closed(), Some(breaker.force_closed()));
    assert_eq!(recorder.reset(ms(4)), Some(breaker.reset(ms(4))));
    let stats = recorder.stats();
    assert_eq!(stats.transitions(State::Closed, State::Open), 2);
    assert_eq!([true, true, false, false].map(|on| recorder.set_shadow(on)), [false, true, true, false]);
    assert!(recorder.resize(1) && !recorder.resize(1 << 20), "more than there can be");
    let held = recorder.try_begin(Deadline::NONE, ms(5)).unwrap();
    assert!(matches!(begins(5), Err(Rejected::Bulkhead(_))));
    drop(held);
    assert!(recorder.close());
    assert_eq!(begins(6), Err(Rejected::Bulkhead(bulkhead::Rejected::Closed)));

    // Three failures in a row open it, unless it is forced.
    let opened = |prepare: fn(&Recorder<Vec<u8>>) -> Option<Transition>| {
        let recorder = Recorder::try_new(full(), vec![0; 4096]).unwrap();
        prepare(&recorder);
        for _ in 0..3 {
            let mut call = recorder.try_begin(Deadline::NONE, ms(1)).unwrap();
            let attempt = call.try_attempt(ms(1)).unwrap();
            let _ = call.settle(attempt, Report::new(Outcome::Failure).not_retryable(), ms(1));
        }
        recorder.stats().transitions(State::Closed, State::Open)
    };
    assert_eq!(opened(|recorder| recorder.reset(ms(1))), 1);
    assert_eq!(opened(|recorder| recorder.shadow_breaker(true)), 1);
    assert_eq!(opened(Recorder::force_closed), 0);

    let bare: Recorder<Vec<u8>> = Recorder::try_new(Policy::new(), vec![0; 512]).unwrap();
    assert_eq!((bare.trip(ms(1)), bare.resize(1), bare.close()), (None, false, false));
}

#[test]
fn calls_and_attempts_are_numbered_in_their_order_without_a_gap() {
    let policy = Policy::new()
        .bulkhead(bulkhead::Config::new(1).max_wait(Duration::from_secs(1)))
        .retry(retry::Config::attempts(2, Backoff::constant(Duration::ZERO)));
    let recorder: Recorder<Vec<u8>> = Recorder::try_new(policy, vec![0; 1024]).unwrap();
    for _ in 0..2 {
        let mut call = recorder.try_begin(Deadline::NONE, ms(1)).unwrap();
        let Ok(Begin::Waiting(mut waiting)) = recorder.begin(Deadline::NONE, ms(1)) else {
            panic!("no slot")
        };
        for attempts in 0..2 {
            assert_eq!(call.attempts(), attempts);
            let attempt = call.try_attempt(ms(2)).unwrap();
            let _ = call.settle(attempt, Report::new(Outcome::Failure), ms(2));
        }
        drop(call);
        assert!(waiting.poll(Waker::noop(), ms(3)).is_ready());
    }
    let (mut calls, mut attempts) = (Vec::new(), Vec::new());
    for (entry, _) in replayed(&drained(&recorder, 64)) {
        match (entry.input, entry.decision) {
            (Input::TryBegin { .. }, Decision::Admitted { call })
            | (Input::Begin { .. }, Decision::Waiting { call, .. }) => calls.push(call.number()),
            (_, Decision::Started { attempt, .. }) => attempts.push(attempt.number()),
            _ => {}
        }
    }
    assert_eq!((calls, attempts), (vec![0, 1, 2, 3], vec![0, 1, 2, 3]));
}

#[test]
fn only_what_begins_moves_the_numbers_on() {
    let base = Base { now: ms(100), calls: 9, attempts: 4 };
    let started = |n| Decision::Started {
        attempt: AttemptId(n),
        deadline: Deadline::NONE,
        probe: false,
        transition: None,
    };
    let begun = |n| Decision::Admitted { call: CallId(n) };
    for (decision, calls, attempts) in [
        (begun(9), 10, 4),
        (begun(8), 9, 4),
        (started(4), 9, 5),
        (started(3), 9, 4),
        (Decision::Nothing, 9, 4),
    ] {
        let entry = Entry { at: ms(100), input: Input::Attempt { call: CallId(8) }, decision };
        let mut out = [0; 64];
        let mut writer = Writer::new(&mut out, base);
        entry.put(&mut writer);
        assert_eq!((writer.base.calls, writer.base.attempts), (calls, attempts), "{decision:?}");
    }
}

#[test]
fn a_log_is_empty_when_all_of_it_was_taken() {
    let header = Header { layout: Layout::THIS, waiters: 8, slots: 10, policy: full() };
    let mut log = Log::try_new(header, vec![0; 512]).unwrap();
    let mut out = vec![0; 512];
    assert!(!log.is_empty());
    assert_eq!((log.drain(&mut out) > 0, log.len(), log.is_empty()), (true, 0, true));
}
