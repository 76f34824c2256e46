//! What every log must be, by round trips, damage and replays.

extern crate std;

mod steps;

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
use crate::admission::{bulkhead, rate_limiter};
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

fn round_trip<T: Wire + PartialEq + core::fmt::Debug>(value: T) -> usize {
    let base = Base { now: ms(100), calls: 9, attempts: 4 };
    let mut out = [0; 512];
    let mut writer = Writer::new(&mut out, base);
    value.put(&mut writer);
    let bytes: Vec<u8> = writer.written().unwrap().into();
    let mut reader = Reader::new(&bytes, 0, base);
    assert_eq!(T::get(&mut reader).as_ref(), Ok(&value));
    assert_eq!(reader.offset(), bytes.len());
    for cut in 0..bytes.len() {
        assert_eq!(T::get(&mut Reader::new(&bytes[..cut], 0, base)).unwrap_err(), Fault::Truncated);
    }
    bytes.len()
}

#[test]
fn numbers_are_as_short_as_they_can_be_and_written_in_one_way() {
    for (number, len) in
        [(0, 1), (127, 1), (128, 2), (16_383, 2), (16_384, 3), (u64::MAX - 1, 10), (u64::MAX, 10)]
    {
        assert_eq!(round_trip(number), len, "{number}");
    }
    let read = |bytes: &[u8]| u64::get(&mut Reader::new(bytes, 0, Base::default()));
    assert_eq!(read(&[0x80, 0]), Err(Fault::Number), "a zero at the end says nothing");
    assert_eq!(read(&[0xFF; 11]), Err(Fault::Number));
    assert_eq!(read(&[0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 2]), Err(Fault::Number));
    for nanos in [0, 1, 99_999_999, 100_000_001, u64::MAX, u64::MAX / 2, u64::MAX / 2 + 1] {
        round_trip(Instant::from_nanos(nanos));
        round_trip(Deadline::at(Instant::from_nanos(nanos)));
    }
    assert_eq!(round_trip(Instant::from_nanos(99_999_999)), 1, "a step back is short too");
    for duration in [Duration::ZERO, Duration::from_nanos(1), Duration::MAX] {
        round_trip(duration);
        round_trip(Some(duration));
    }
    let mut one_second_and_too_many_nanos = [0; 16];
    let mut writer = Writer::new(&mut one_second_and_too_many_nanos, Base::default());
    (1_u64, 1_000_000_000_u64).put(&mut writer);
    assert_eq!(
        Duration::get(&mut Reader::new(writer.written().unwrap(), 0, Base::default())),
        Err(Fault::Value)
    );
}

#[test]
fn every_decision_comes_back_as_it_was_and_fits_its_room() {
    let transition = |cause| Transition { from: State::Closed, to: State::Open, cause, generation: u32::MAX };
    let causes = [
        Cause::ConsecutiveFailures { failures: u32::MAX },
        Cause::FailureRate { calls: u32::MAX, failures: u32::MAX },
        Cause::SlowCallRate { calls: u32::MAX, slow: u32::MAX },
        Cause::OpenTimeOver,
        Cause::ProbesFailed { failures: u32::MAX },
        Cause::ProbesSucceeded { successes: u32::MAX },
        Cause::ProbeRate { calls: u32::MAX, failures: u32::MAX },
        Cause::Manual,
    ];
    let refusals = [
        Rejected::RateLimiter(rate_limiter::Rejected::Limited { retry_after: Some(Duration::MAX) }),
        Rejected::RateLimiter(rate_limiter::Rejected::ExceedsBurst { cost: u32::MAX, burst: u32::MAX }),
        Rejected::Bulkhead(bulkhead::Rejected::Full {
            in_use: u32::MAX,
            capacity: u32::MAX,
            waiting: u32::MAX,
        }),
        Rejected::Bulkhead(bulkhead::Rejected::QueueFull { waiting: 1, max_waiting: 2 }),
        Rejected::Bulkhead(bulkhead::Rejected::WaitTimeout { waited: Duration::MAX }),
        Rejected::Bulkhead(bulkhead::Rejected::TooMany { requested: 1, capacity: 2 }),
        Rejected::Bulkhead(bulkhead::Rejected::Closed),
        Rejected::Bulkhead(bulkhead::Rejected::Settled),
        Rejected::CircuitBreaker(circuit_breaker::Rejected {
            state: State::HalfOpen,
            reason: Reason::ProbesOut,
            retry_after: None,
        }),
        Rejected::DeadlineExpired,
        Rejected::CallOver,
    ];
    let reasons = [
        GiveUp::NotRetryable,
        GiveUp::Attempts,
        GiveUp::Deadline,
        GiveUp::Delay,
        GiveUp::Budget,
        GiveUp::BreakerOpen,
    ];
    let deadline = Deadline::at(Instant::from_nanos(u64::MAX / 2));
    let mut decisions = vec![
        Decision::Nothing,
        Decision::Admitted { call: CallId(0) },
        Decision::Waiting { call: CallId(9), until: Instant::NEVER },
        Decision::Pending,
        Decision::Transition(None),
        Decision::Edge(Some(Edge::Recovered)),
        Decision::Astray,
        Decision::Was(true),
        Decision::Started { attempt: AttemptId(0), deadline: Deadline::NONE, probe: false, transition: None },
    ];
    for cause in causes {
        let transition = Some(transition(cause));
        decisions.push(Decision::Transition(transition));
        decisions.push(Decision::Started { attempt: AttemptId(4), deadline, probe: true, transition });
        for verdict in [Verdict::Done, Verdict::RetryAfter(Duration::MAX)] {
            decisions.push(Decision::Settled(Settled { verdict, transition, budget: Some(Edge::Exhausted) }));
        }
    }
    decisions.extend(refusals.map(|rejected| Decision::Rejected { rejected, budget: Some(Edge::Exhausted) }));
    decisions.extend(reasons.map(|reason| {
        Decision::Settled(Settled { verdict: Verdict::GaveUp(reason), transition: None, budget: None })
    }));
    let report = Report::timed_out().retry_after(Duration::MAX);
    let longest_input = Input::Settle { call: CallId(0), attempt: AttemptId(0), report };
    let longest = round_trip(Instant::from_nanos(u64::MAX / 2)) + round_trip(longest_input) + 8;
    for decision in decisions {
        assert!(longest + round_trip(decision) < MAX_ENTRY, "{decision:?}");
        let mut alone = [0; Decision::MAX_LEN];
        let bytes = decision.encode(&mut alone);
        assert_eq!(Decision::decode(bytes), Ok(decision));
        assert!(Decision::decode(&bytes[1..]) != Ok(decision));
    }
}

#[test]
fn a_policy_comes_back_as_it_was_and_fits_its_room() {
    let backoffs = [
        Backoff::constant(Duration::MAX),
        Backoff::linear(Duration::MAX, Duration::MAX).jitter(Jitter::PlusMinus(100)),
        Backoff::exponential(Duration::MAX).factor(100_000).jitter(Jitter::Full),
        Backoff::fibonacci(Duration::MAX),
        Backoff::decorrelated(Duration::MAX),
    ];
    for backoff in backoffs {
        let breaker = circuit_breaker::Config::failure_rate(
            Ratio::try_new(u32::MAX - 1, u32::MAX).unwrap(),
            Span::time(Duration::MAX),
            u32::MAX,
        )
        .or_slow_call_rate(Ratio::try_new(u32::MAX - 1, u32::MAX).unwrap(), Duration::MAX)
        .or_consecutive_failures(262_143)
        .evaluate_on_failure_only()
        .open_for_growing(backoff, Duration::MAX)
        .probe_lease_of(Duration::MAX)
        .probe_timeout(Duration::MAX)
        .probes(u32::MAX)
        .successes_to_close(u32::MAX)
        .probe_failures_to_open(u32::MAX)
        .close_below(Ratio::try_new(u32::MAX - 1, u32::MAX).unwrap(), u32::MAX)
        .honor_retry_after(Duration::MAX)
        .ramp(Duration::MAX, Ratio::try_new(u32::MAX - 1, u32::MAX).unwrap())
        .in_shadow()
        .seed(u32::MAX);
        let policy = full()
            .rate_limit(rate_limiter::Quota::new(u32::MAX, Duration::MAX).burst(u32::MAX))
            .bulkhead(bulkhead::Config::new(4095).max_wait(Duration::MAX).max_waiting(u32::MAX))
            .circuit_breaker(breaker)
            .retry(retry::Config::attempts(u32::MAX, backoff).budget(
                Ratio::per_million(1),
                u32::MAX,
                u32::MAX,
            ))
            .error_budget(error_budget::Config::new(Ratio::per_million(999_999), Duration::MAX))
            .adaptive_timeout(
                adaptive_timeout::Config::new(Duration::MAX).at_least(Duration::MAX).at_most(Duration::MAX),
            )
            .shadow(true)
            .seed(u32::MAX);
        let header = Header { layout: Layout::THIS, waiters: u32::MAX, slots: u32::MAX, policy };
        let mut out = [0; MAX_HEAD];
        let bytes = header.encode(&mut out).unwrap();
        assert_eq!(Header::decode(bytes), Ok((header, bytes.len())));
        round_trip(policy);
    }
    for span in [Span::calls(16), Span::time(Duration::from_millis(1))] {
        let breaker = circuit_breaker::Config::failure_rate(Ratio::ONE, span, 1);
        round_trip(Policy::new().circuit_breaker(breaker));
        round_trip(Policy::new().circuit_breaker(breaker.slow_calls_fail(Duration::MAX)));
    }
    round_trip(Policy::dwcp_send());
}

#[test]
fn every_change_of_a_byte_is_seen() {
    let recorder: Recorder<Vec<u8>> = Recorder::try_new(full(), vec![0; 4096]).unwrap();
    traffic(&recorder, 9, 60, || {});
    let log = drained(&recorder, 4096);
    let whole = Entries::of(&log).unwrap().count();
    for at in 0..log.len() {
        for flip in [1, 0x80, 0xFF] {
            let mut bytes = log.clone();
            bytes[at] ^= flip;
            let faults = match Entries::of(&bytes) {
                Err(_) => 1,
                Ok(entries) => entries.filter(Result::is_err).count(),
            };
            // The check behind the last entry is one byte: it alone lets one change of 256 pass.
            let near_the_end = at + MAX_ENTRY > log.len();
            assert!(faults == 1 || near_the_end, "byte {at} ^ {flip:#x}");
        }
        let cut = Entries::of(&log[..at]);
        match cut {
            Err(damaged) => assert_eq!((damaged.fault, damaged.offset), (Fault::Truncated, at)),
            Ok(entries) => {
                let read: Vec<_> = entries.collect();
                assert!(read.len() <= whole && read.iter().rev().skip(1).all(Result::is_ok));
            }
        }
    }
}

#[test]
fn a_head_that_is_none_says_why() {
    let recorder: Recorder<Vec<u8>> = Recorder::try_new(full(), vec![0; 4096]).unwrap();
    let log = drained(&recorder, 4096);
    assert_eq!(u32::from(log[5]), crate::atomic::sync::Wide::BITS, "the layout is the width of the words");
    let fault = |change: fn(&mut Vec<u8>)| {
        let mut bytes = log.clone();
        change(&mut bytes);
        Entries::of(&bytes).unwrap_err()
    };
    assert_eq!(fault(|log| log[0] = b'X'), Damaged { offset: 1, fault: Fault::NotALog });
    assert_eq!(fault(|log| log[4] = 9), Damaged { offset: 5, fault: Fault::Version(9) });
    assert_eq!(fault(|log| log[5] = 16), Damaged { offset: 6, fault: Fault::Unknown(16) });
    assert_eq!(fault(|log| log[6] += 1).fault, Fault::Checksum);
    assert_eq!(Entries::of(&[]).unwrap_err(), Damaged { offset: 0, fault: Fault::Truncated });
}

#[test]
fn more_permits_than_a_bulkhead_can_have_are_no_policy() {
    let mut out = [0; 64];
    let mut writer = Writer::new(&mut out, Base::default());
    ((4096_u32, Duration::MAX), None::<u32>).put(&mut writer);
    let bytes = writer.written().unwrap();
    let read = bulkhead::Config::get(&mut Reader::new(bytes, 0, Base::default()));
    assert_eq!(read, Err(Fault::Value));
}

#[test]
fn a_call_that_never_began_is_out_of_range() {
    for bytes in [[2, 2].as_slice(), &[5, 7]] {
        let mut reader = Reader::new(bytes, 0, Base { calls: 1, ..Base::default() });
        assert_eq!(Input::get(&mut reader), Err(Fault::Value));
    }
}
