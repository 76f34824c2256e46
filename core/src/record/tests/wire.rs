//! The bytes of a log.

use super::*;

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
        Rejected::KeyedRateLimiter(keyed::Rejected::Limited { retry_after: None }),
        Rejected::KeyedRateLimiter(keyed::Rejected::ExceedsBurst { cost: u32::MAX, burst: u32::MAX }),
        Rejected::KeyedRateLimiter(keyed::Rejected::TableFull { retry_after: Some(Duration::MAX) }),
        Rejected::KeyedCircuitBreaker(keyed::circuit_breaker::Rejected::Refused(circuit_breaker::Rejected {
            state: State::Open,
            reason: Reason::Open,
            retry_after: Some(Duration::MAX),
        })),
        Rejected::KeyedCircuitBreaker(keyed::circuit_breaker::Rejected::TableFull { retry_after: None }),
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
        let row = circuit_breaker::Config::consecutive_failures(1);
        round_trip(Policy::new().circuit_breaker(row.slow_calls_fail(Duration::MAX)));
        round_trip(Policy::new().circuit_breaker(row.or_slow_call_rate(Ratio::ONE, Duration::MAX)));
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
fn a_share_comes_back_as_the_fraction_that_it_was() {
    for share in [Ratio::percent(50), Ratio::ZERO, Ratio::try_new(7, 14).unwrap()] {
        let mut out = [0; 16];
        let mut writer = Writer::new(&mut out, Base::default());
        share.put(&mut writer);
        let read = Ratio::get(&mut Reader::new(writer.written().unwrap(), 0, Base::default())).unwrap();
        assert_eq!((read.numerator(), read.denominator()), (share.numerator(), share.denominator()));
    }
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
