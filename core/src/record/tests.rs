//! What every log must be, by round trips, damage and replays.

extern crate std;

mod steps;
mod wire;

use core::time::Duration;
use std::sync::Arc;
use std::task::{Wake, Waker};
use std::vec;
use std::vec::Vec;

use super::decode::Fault;
use super::header::MAX_HEAD;
use super::log::MAX_ENTRY;
use super::wire::{Base, Reader, Wire, Writer};
use super::*;
use crate::admission::circuit_breaker::{self, Cause, Reason, State, Transition};
use crate::admission::{bulkhead, keyed, rate_limiter};
use crate::attempt::adaptive_timeout;
use crate::attempt::backoff::{Backoff, Jitter};
use crate::attempt::retry::{self, GiveUp};
use crate::guard::{Rejected, Report, Settled, Verdict};
use crate::health::error_budget::{self, Edge};
use crate::measure::window::Span;
use crate::{Deadline, Guard, Instant, Outcome, Policy, Ratio, Rng};

fn ms(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

/// Every pattern takes part, and every option is away from its default.
fn full() -> Policy {
    let growing = Backoff::exponential(Duration::from_millis(70)).factor(1700).jitter(Jitter::Equal);
    Policy::new()
        .rate_limit(rate_limiter::Quota::new(7, Duration::from_millis(333)).burst(9))
        .bulkhead(bulkhead::Config::new(2).max_wait(Duration::from_millis(40)).max_waiting(3))
        .circuit_breaker(
            circuit_breaker::Config::failure_rate(Ratio::percent(50), Span::time(Duration::from_secs(1)), 4)
                .or_slow_call_rate(Ratio::percent(60), Duration::from_millis(80))
                .or_consecutive_failures(3)
                .open_for_growing(growing, Duration::from_secs(2))
                .probes(2)
                .successes_to_close(2)
                .probe_lease_of(Duration::from_millis(90))
                .seed(11),
        )
        .retry(
            retry::Config::attempts(
                4,
                Backoff::decorrelated(Duration::from_millis(3)).at_most(Duration::from_millis(60)),
            )
            .budget(Ratio::percent(30), 5, 2),
        )
        .timeout(Duration::from_millis(50))
        .deadline(Duration::from_millis(700))
        .error_budget(error_budget::Config::new(Ratio::percent(90), Duration::from_secs(3)).minimum_calls(5))
        .seed(0xFEED)
}

/// The log of a recorder, taken out in pieces of any length.
fn drained<B: AsMut<[u8]>, const W: usize, const S: usize>(
    recorder: &Recorder<B, W, S>,
    piece: usize,
) -> Vec<u8> {
    let (mut log, mut out) = (Vec::new(), vec![0; piece]);
    loop {
        match recorder.drain(&mut out) {
            0 => return log,
            n => log.extend_from_slice(&out[..n]),
        }
    }
}

/// Decisions of a replay beside the recorded ones.
fn replayed(log: &[u8]) -> Vec<(Entry, Decision)> {
    let entries = Entries::of(log).unwrap();
    let guard: Guard = Guard::new(entries.header().policy_of_size());
    let mut live: [Live<8, 10>; 64] = core::array::from_fn(|_| Live::default());
    let mut replay = Replay::try_new(entries.header(), &guard, &mut live).unwrap();
    entries.map(|entry| entry.unwrap()).map(|entry| (entry, replay.step(&entry).unwrap())).collect()
}

/// Random traffic over everything that a recorder can do; the clock also stands still and steps back.
fn traffic<B: AsMut<[u8]>>(recorder: &Recorder<B>, seed: u32, steps: u32, mut each: impl FnMut()) {
    let rng = Rng::new(seed);
    let mut now = ms(5_000);
    let (mut waiting, mut calls, mut attempts) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..steps {
        each();
        now = match rng.below(40) {
            0 => Instant::from_nanos(now.as_nanos().saturating_sub(u64::from(rng.below(400_000_000)))),
            1 => now.saturating_add(Duration::from_secs(u64::from(rng.below(4)))),
            2..10 => now,
            _ => now.saturating_add(Duration::from_micros(u64::from(rng.below(60_000)))),
        };
        let own = match rng.below(3) {
            0 => Deadline::NONE,
            _ => Deadline::after(now, Duration::from_millis(u64::from(rng.below(300)))),
        };
        match rng.below(16) {
            0..3 => {
                if let Ok(begin) = recorder.begin(own, now) {
                    match begin {
                        Begin::Started(call) => calls.push(call),
                        Begin::Waiting(it) => waiting.push(it),
                    }
                }
            }
            3 => calls.extend(recorder.try_begin(own, now)),
            4..6 if !waiting.is_empty() => {
                let at = rng.below(waiting.len() as u32) as usize;
                if let core::task::Poll::Ready(result) = waiting[at].poll(Waker::noop(), now) {
                    drop(waiting.swap_remove(at));
                    calls.extend(result);
                }
            }
            6 if !waiting.is_empty() && rng.below(2) == 0 => {
                let it = waiting.swap_remove(0);
                if rng.below(2) == 0 { it.cancel(now) } else { drop(it) }
            }
            7..10 if !calls.is_empty() => {
                let at = rng.below(calls.len() as u32) as usize;
                match calls[at].try_attempt(now) {
                    Ok(attempt) => attempts.push(attempt),
                    Err(_) => drop(calls.swap_remove(at)),
                }
            }
            10..14 if !attempts.is_empty() && !calls.is_empty() => {
                let attempt = attempts.swap_remove(rng.below(attempts.len() as u32) as usize);
                let at = rng.below(calls.len() as u32) as usize;
                let report = match rng.below(7) {
                    0 => Report::timed_out(),
                    1 => Report::new(Outcome::Failure).not_retryable(),
                    2 => Report::new(Outcome::Ignored).retry_after(Duration::from_millis(9)),
                    3 | 4 => Report::new(Outcome::Failure),
                    _ => Report::new(Outcome::Success),
                };
                let settled = calls[at].settle(attempt, report, now);
                if !matches!(settled.verdict, Verdict::RetryAfter(_)) {
                    drop(calls.swap_remove(at));
                }
            }
            14 => match rng.below(12) {
                0 => drop(attempts.pop()),
                1 if !calls.is_empty() => calls.swap_remove(0).cancel(now),
                2 => drop(calls.pop()),
                3 => drop(recorder.trip(now)),
                4 => drop(recorder.force_open()),
                5 => drop(recorder.force_closed()),
                6 => drop(recorder.shadow_breaker(rng.below(2) == 0)),
                7 => {
                    recorder.set_shadow(rng.below(3) == 0);
                }
                8 => {
                    recorder.resize(1 + rng.below(3));
                }
                _ => drop(recorder.reset(now)),
            },
            _ => drop(recorder.check_budget(now)),
        }
    }
}

#[test]
fn a_replay_decides_as_the_recording_did() {
    let mut kinds = Vec::new();
    for seed in 0..60 {
        let learned = adaptive_timeout::Config::new(Duration::from_millis(50));
        let policy = if seed % 2 == 0 { full() } else { full().adaptive_timeout(learned) };
        let recorder: Recorder<Vec<u8>> = Recorder::try_new(policy.seed(seed), vec![0; 1 << 16]).unwrap();
        traffic(&recorder, seed, 600, || {});
        recorder.close();
        traffic(&recorder, seed, 20, || {});
        assert_eq!(recorder.lost(), 0);
        let log = drained(&recorder, 1 << 16);
        for (entry, decision) in replayed(&log) {
            assert_eq!(decision, entry.decision, "seed {seed}: {entry:?}");
            kinds.push((core::mem::discriminant(&entry.input), core::mem::discriminant(&decision)));
        }
    }
    kinds.sort_by_key(|kind| std::format!("{kind:?}"));
    kinds.dedup();
    assert_eq!(kinds.len(), 25, "every pair of input and decision comes up");
}

#[test]
fn a_longer_queue_with_as_many_seats_decides_alike() {
    for policy in [full(), full().bulkhead(bulkhead::Config::new(1).max_wait(Duration::from_millis(400)))] {
        let recorder: Recorder<Vec<u8>> = Recorder::try_new(policy, vec![0; 1 << 16]).unwrap();
        traffic(&recorder, 77, 2000, || {});
        let log = drained(&recorder, 1 << 16);
        let entries = Entries::of(&log).unwrap();
        assert_eq!((entries.header().waiters, entries.header().slots), (8, 10));
        let guard: Guard<64, 10> = Guard::new(entries.header().policy_of_size());
        let mut live: [Live<64, 10>; 64] = core::array::from_fn(|_| Live::default());
        let mut replay = Replay::try_new(entries.header(), &guard, &mut live).unwrap();
        for entry in entries {
            let entry = entry.unwrap();
            assert_eq!(replay.step(&entry), Ok(entry.decision), "{entry:?}");
        }
    }
}

#[test]
fn a_guard_that_would_decide_otherwise_is_refused() {
    let other = if Layout::THIS == Layout::Wide { Layout::Narrow } else { Layout::Wide };
    let header = Header { layout: Layout::THIS, waiters: 8, slots: 10, policy: full() };
    let guard: Guard = Guard::new(full());
    let refusal = |header: Header| Replay::try_new(&header, &guard, &mut []).err();
    assert_eq!(refusal(header), None);
    assert_eq!(refusal(Header { layout: other, ..header }), Some(Mismatch::Layout(other)));
    assert_eq!(refusal(Header { waiters: 9, ..header }), Some(Mismatch::Waiters(9)));
    assert_eq!(refusal(Header { slots: 9, ..header }), Some(Mismatch::Slots(9)));
}

#[test]
fn another_policy_decides_otherwise_and_goes_astray() {
    let recorder: Recorder<Vec<u8>> = Recorder::try_new(full(), vec![0; 1 << 16]).unwrap();
    traffic(&recorder, 3, 600, || {});
    let log = drained(&recorder, 999);
    let guard: Guard = Guard::new(full().rate_limit(rate_limiter::Quota::per_second(1)));
    let mut live: [Live<8, 10>; 64] = core::array::from_fn(|_| Live::default());
    let entries = Entries::of(&log).unwrap();
    let mut replay = Replay::try_new(entries.header(), &guard, &mut live).unwrap();
    let mut seen = (false, false);
    for entry in entries {
        let entry = entry.unwrap();
        let decision = replay.step(&entry).unwrap();
        seen.0 |= decision != entry.decision && decision != Decision::Astray;
        seen.1 |= decision == Decision::Astray;
    }
    assert_eq!(seen, (true, true));
}

#[test]
fn a_replay_says_that_it_has_no_place_left() {
    let recorder: Recorder<Vec<u8>> = Recorder::try_new(Policy::new(), vec![0; 4096]).unwrap();
    let calls = [(); 3].map(|()| recorder.try_begin(Deadline::NONE, ms(1)).unwrap());
    let log = drained(&recorder, 64);
    drop(calls);
    let guard: Guard = Guard::new(Policy::new());
    let mut live: [Live<8, 10>; 2] = Default::default();
    let entries = Entries::of(&log).unwrap();
    let mut replay = Replay::try_new(entries.header(), &guard, &mut live).unwrap();
    let results: Vec<_> = entries.map(|entry| replay.step(&entry.unwrap()).is_ok()).collect();
    assert_eq!(results, [true, true, false]);
}

#[test]
fn a_small_buffer_that_is_drained_in_time_holds_a_long_log() {
    let whole: Recorder<Vec<u8>> = Recorder::try_new(full(), vec![0; 1 << 16]).unwrap();
    traffic(&whole, 5, 500, || {});
    let expected = drained(&whole, 77);
    for piece in [1, 3, 64, 400] {
        let recorder: Recorder<[u8; 400]> = Recorder::try_new(full(), [0; 400]).unwrap();
        let (mut log, mut out) = (Vec::new(), vec![0; piece]);
        traffic(&recorder, 5, 500, || {
            // As a device would: piece by piece, until there is room for whatever the next step writes.
            for _ in 0..MAX_HEAD.div_ceil(piece) {
                let n = recorder.drain(&mut out);
                log.extend_from_slice(&out[..n]);
            }
        });
        assert_eq!(recorder.lost(), 0);
        log.extend(drained(&recorder, piece));
        assert!(log == expected, "pieces of {piece}");
    }
}

#[test]
fn a_full_buffer_ends_the_log_and_counts_what_it_lost() {
    let recorder: Recorder<[u8; 300]> = Recorder::try_new(full(), [0; 300]).unwrap();
    traffic(&recorder, 5, 500, || {});
    let lost = recorder.lost();
    let log = drained(&recorder, 300);
    assert!(lost > 100, "{lost}");
    let steps = replayed(&log);
    assert!(steps.len() > 5);
    assert!(steps.iter().all(|(entry, decision)| entry.decision == *decision), "a prefix is a log");
    drop(recorder.try_begin(Deadline::NONE, ms(1)));
    assert!(recorder.lost() > lost, "room that comes later opens no gap");
    assert_eq!(drained(&recorder, 300), []);
}

#[test]
fn a_buffer_without_room_for_the_head_is_refused() {
    let error = Recorder::<[u8; 16]>::try_new(Policy::new(), [0; 16]).unwrap_err();
    let RecordError::BufferTooSmall { needed } = error else { panic!("{error}") };
    assert!(Recorder::<Vec<u8>>::try_new(Policy::new(), vec![0; needed]).is_ok());
    assert!(Recorder::<Vec<u8>>::try_new(Policy::new(), vec![0; needed - 1]).is_err());
    assert!(Recorder::<Vec<u8>>::try_new(Policy::new(), vec![]).is_err());
    let error = Recorder::<[u8; 16]>::try_new(Policy::new().deadline(Duration::ZERO), [0; 16]).unwrap_err();
    assert!(matches!(error, RecordError::Config(error) if error.field == "deadline"));
}

#[test]
fn a_waker_that_calls_back_ends_the_log_and_nothing_else() {
    std::thread_local! {
        static RECORDER: std::cell::OnceCell<std::rc::Rc<Recorder<Vec<u8>>>> = const { std::cell::OnceCell::new() };
    }
    struct Reenters;
    impl Wake for Reenters {
        fn wake(self: Arc<Self>) {
            RECORDER.with(|it| drop(it.get().unwrap().try_begin(Deadline::NONE, ms(3))));
        }
    }
    let policy = Policy::new().bulkhead(bulkhead::Config::new(1));
    let recorder = std::rc::Rc::new(Recorder::try_new(policy, vec![0; 1024]).unwrap());
    RECORDER.with(|it| it.set(std::rc::Rc::clone(&recorder)).unwrap());
    let call = recorder.try_begin(Deadline::NONE, ms(1)).unwrap();
    let Ok(Begin::Waiting(mut waiting)) = recorder.begin(Deadline::NONE, ms(1)) else { panic!("no slot") };
    assert!(waiting.poll(&Waker::from(Arc::new(Reenters)), ms(2)).is_pending());
    assert_eq!(recorder.lost(), 0);
    drop(call);
    assert!(recorder.lost() > 0, "the step in between was not written");
    assert!(waiting.poll(Waker::noop(), ms(4)).is_ready(), "and the guard goes on");
}

/// What a step did before it was cut short is not known, so a replay could not go on after it.
#[test]
fn a_waker_that_panics_ends_the_log_where_it_panicked() {
    struct Panics;
    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            panic!("a waker");
        }
    }
    let policy = Policy::new().bulkhead(bulkhead::Config::new(1));
    let recorder: Recorder<Vec<u8>> = Recorder::try_new(policy, vec![0; 1024]).unwrap();
    let call = recorder.try_begin(Deadline::NONE, ms(1)).unwrap();
    let Ok(Begin::Waiting(mut waiting)) = recorder.begin(Deadline::NONE, ms(1)) else { panic!("no slot") };
    assert!(waiting.poll(&Waker::from(Arc::new(Panics)), ms(2)).is_pending());
    let written = replayed(&drained(&recorder, 64)).len();
    assert_eq!((written, recorder.lost()), (3, 0));
    let cut_short = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(call)));
    assert!(cut_short.is_err());
    assert_eq!(recorder.lost(), 1, "the step that gave the slot back");
    assert!(waiting.poll(Waker::noop(), ms(4)).is_ready(), "the guard goes on");
    assert!(recorder.lost() > 1);
    assert_eq!(drained(&recorder, 64), [], "and nothing is written after the gap");
}
