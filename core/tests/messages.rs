//! What people read: each refusal and each error in one sentence, and the short names that label metrics.

use std::error::Error as _;
use std::time::Duration;

use seawall_core::bulkhead::Rejected as NoSlot;
use seawall_core::circuit_breaker::{Config, Reason};
use seawall_core::guard::{Error, Pattern};
use seawall_core::keyed::{self, circuit_breaker::Rejected as OfKey};
use seawall_core::rate_limiter::{Quota, Rejected as Limited};
use seawall_core::record::{Fault, Layout, Mismatch, OutOfPlaces, RecordError, Steps};
use seawall_core::retry::GiveUp;
use seawall_core::{
    Bulkhead, CircuitBreaker, Deadline, Guard, Instant, Outcome, Policy, RateLimiter, Ratio, Recorder,
    bulkhead, guard,
};

const NOW: Instant = Instant::from_secs(1);

fn sentences<T: ToString, const N: usize>(cases: [(T, &str); N]) {
    for (value, sentence) in cases {
        assert_eq!(value.to_string(), sentence);
        let first = sentence.chars().next();
        assert!(first.is_some_and(|letter| !letter.is_uppercase()) && !sentence.ends_with('.'), "{sentence}");
    }
}

/// The breaker's refusal for this reason.
fn refused(reason: Reason) -> guard::Rejected {
    let breaker: CircuitBreaker<0> = CircuitBreaker::new(Config::consecutive_failures(1));
    match reason {
        Reason::ForcedOpen => breaker.force_open(),
        _ => breaker.trip(NOW),
    };
    let later = if reason == Reason::ProbesOut { Instant::from_secs(100) } else { NOW };
    let _probe = breaker.try_acquire(later);
    let rejected = breaker.try_acquire(later).expect_err("nothing more is admitted");
    assert_eq!(rejected.reason, reason);
    guard::Rejected::CircuitBreaker(rejected)
}

#[test]
fn every_refusal_is_a_sentence_and_has_a_pattern_and_a_time() {
    let (five, three) = (Duration::from_millis(5), 3);
    let limited = |rejected| guard::Rejected::RateLimiter(rejected);
    let of_key = guard::Rejected::KeyedRateLimiter;
    let by_key = guard::Rejected::KeyedCircuitBreaker;
    let guard::Rejected::CircuitBreaker(open) = refused(Reason::Open) else { panic!("the breaker's") };
    let refuses = OfKey::Refused(open);
    let no_slot = |rejected| guard::Rejected::Bulkhead(rejected);
    sentences([
        (limited(Limited::Limited { retry_after: Some(five) }), "rate limit exceeded"),
        (limited(Limited::ExceedsBurst { cost: 9, burst: 4 }), "cost of 9 tokens exceeds the burst of 4"),
        (
            no_slot(NoSlot::Full { in_use: three, capacity: three, waiting: 0 }),
            "bulkhead is full: 3 of 3 permits in use, 0 waiting",
        ),
        (
            no_slot(NoSlot::QueueFull { waiting: 2, max_waiting: 2 }),
            "bulkhead queue is full: 2 waiting, room for 2",
        ),
        (no_slot(NoSlot::WaitTimeout { waited: five }), "no permit came within 5ms"),
        (
            no_slot(NoSlot::TooMany { requested: 9, capacity: three }),
            "9 permits requested, the bulkhead has 3",
        ),
        (no_slot(NoSlot::Closed), "bulkhead is closed"),
        (no_slot(NoSlot::Settled), "waiter was polled after its answer"),
        (refused(Reason::Open), "circuit breaker is open"),
        (refused(Reason::ForcedOpen), "circuit breaker is held open"),
        (refused(Reason::ProbesOut), "circuit breaker is half-open and all probes are out"),
        (of_key(keyed::Rejected::Limited { retry_after: Some(five) }), "rate limit of the key exceeded"),
        (of_key(keyed::Rejected::TableFull { retry_after: None }), "no room for another key"),
        (by_key(refuses), "circuit breaker is open"),
        (by_key(OfKey::TableFull { retry_after: Some(five) }), "no room for another key"),
        (guard::Rejected::DeadlineExpired, "deadline expired before the call could start"),
        (guard::Rejected::CallOver, "the call is over"),
    ]);
    let timed = limited(Limited::Limited { retry_after: Some(five) });
    assert_eq!((timed.pattern(), timed.retry_after()), (Pattern::RateLimiter, Some(five)));
    for (rejected, pattern, after) in [
        (of_key(keyed::Rejected::TableFull { retry_after: Some(five) }), Pattern::RateLimiter, Some(five)),
        (by_key(refuses), Pattern::CircuitBreaker, Some(Duration::from_secs(60))),
        (by_key(OfKey::TableFull { retry_after: None }), Pattern::CircuitBreaker, None),
    ] {
        assert_eq!((rejected.pattern(), rejected.retry_after()), (pattern, after));
        assert_eq!(rejected.give_up(), GiveUp::BreakerOpen);
    }
    let never = limited(Limited::ExceedsBurst { cost: 9, burst: 4 });
    assert_eq!((never.retry_after(), never.give_up()), (None, GiveUp::BreakerOpen));
    let open = refused(Reason::Open);
    assert_eq!(
        (open.pattern(), open.retry_after()),
        (Pattern::CircuitBreaker, Some(Duration::from_secs(60)))
    );
    let late = guard::Rejected::DeadlineExpired;
    assert_eq!(
        (late.pattern(), late.retry_after(), late.give_up()),
        (Pattern::Deadline, None, GiveUp::Deadline)
    );
    assert_eq!(guard::Rejected::CallOver.pattern(), Pattern::Deadline);
    let full = no_slot(NoSlot::Closed);
    assert_eq!((full.pattern(), full.retry_after()), (Pattern::Bulkhead, None));
    let names = [
        Pattern::LoadShedder,
        Pattern::RateLimiter,
        Pattern::Bulkhead,
        Pattern::CircuitBreaker,
        Pattern::Deadline,
    ]
    .map(Pattern::name);
    assert_eq!(names, ["load_shedder", "rate_limiter", "bulkhead", "circuit_breaker", "deadline"]);
}

#[test]
fn the_end_of_a_call_says_what_failed_how_often_and_why_no_more() {
    let refused: Error<&str> = Error::Rejected(guard::Rejected::CallOver);
    let limit = Duration::from_millis(20);
    sentences([
        (refused, "rejected: the call is over"),
        (
            Error::TimedOut { limit, attempts: 2, gave_up: Some(GiveUp::Budget) },
            "timed out after 20ms (attempt 2; the retry budget is spent)",
        ),
        (Error::Failed { error: "reset", attempts: 1, gave_up: None }, "reset (attempt 1)"),
    ]);
    sentences([
        (GiveUp::NotRetryable, "the result is not retryable"),
        (GiveUp::Attempts, "all attempts are used"),
        (GiveUp::Deadline, "the deadline comes before the next attempt"),
        (GiveUp::Delay, "the peer asks for a longer delay than the cap"),
        (GiveUp::Budget, "the retry budget is spent"),
        (GiveUp::BreakerOpen, "the circuit breaker is open"),
    ]);
    assert!(refused.is_rejected());
    assert_eq!((refused.retry_after(), refused.into_inner()), (None, None));
    let failed = Error::Failed { error: "reset", attempts: 1, gave_up: None };
    assert!(!failed.is_rejected());
    assert_eq!((failed.retry_after(), failed.into_inner()), (None, Some("reset")));
    let limited = guard::Rejected::RateLimiter(Limited::Limited { retry_after: Some(limit) });
    assert_eq!(Error::<&str>::Rejected(limited).retry_after(), Some(limit));
    let broken = std::io::Error::other("cable");
    let source = Error::Failed { error: broken, attempts: 1, gave_up: None };
    assert_eq!(source.source().map(ToString::to_string).as_deref(), Some("cable"));
    let none: Error<std::io::Error> = Error::TimedOut { limit, attempts: 1, gave_up: None };
    assert!(none.source().is_none());
    let why: Error<std::io::Error> = Error::Rejected(guard::Rejected::CallOver);
    assert_eq!(why.source().map(ToString::to_string).as_deref(), Some("the call is over"));
}

#[test]
fn what_is_wrong_with_a_log_or_a_configuration_is_said_with_its_place() {
    sentences([
        (Fault::NotALog, "this is no log"),
        (Fault::Version(9), "the log has version 9, which is unknown"),
        (Fault::Truncated, "the log is cut off"),
        (Fault::Number, "a number is too long"),
        (Fault::Unknown(77), "77 means nothing here"),
        (Fault::Value, "a value is out of range"),
        (Fault::Checksum, "the checksum is wrong"),
    ]);
    let damaged = seawall_core::record::Entries::of(b"SWL!").expect_err("this is no log");
    assert_eq!(damaged.to_string(), "byte 4: this is no log");
    sentences([
        (Mismatch::Layout(Layout::Narrow), "the log was written on words of 32 bits"),
        (Mismatch::Layout(Layout::Wide), "the log was written on words of 64 bits"),
        (Mismatch::Waiters(9), "the log's guard had 9 slots for waiters"),
        (Mismatch::Slots(9), "the log's guard had 9 buckets in its windows"),
    ]);
    sentences([(OutOfPlaces, "more calls are under way than there are places for")]);
    let small = Recorder::<[u8; 4]>::try_new(Policy::new(), [0; 4]).expect_err("four bytes are too few");
    assert!(small.to_string().starts_with("the buffer must hold at least "), "{small}");
    let invalid = Guard::<0, 0>::try_new(Policy::new().deadline(Duration::ZERO)).expect_err("no time at all");
    sentences([(invalid, "deadline must be greater than zero")]);
    assert_eq!(RecordError::from(invalid).to_string(), "deadline must be greater than zero");
    sentences([(Ratio::try_new(3, 2).expect_err("more than the whole"), "ratio 3/2 is not between 0 and 1")]);
}

#[test]
fn a_guard_and_its_parts_show_their_state_when_debugged() {
    let policy = Policy::new()
        .rate_limit(Quota::per_second(5))
        .bulkhead(bulkhead::Config::new(1))
        .circuit_breaker(Config::consecutive_failures(3));
    let guard: Guard = Guard::new(policy);
    let Ok(guard::Begin::Started(mut call)) = guard.begin(Deadline::NONE, NOW) else {
        panic!("a slot is free")
    };
    let Ok(guard::Begin::Waiting(waiting)) = guard.begin(Deadline::NONE, NOW) else {
        panic!("no slot is free")
    };
    let attempt = call.try_attempt(NOW).expect("the breaker is closed");
    assert_eq!((attempt.number(), attempt.started(), call.began()), (1, NOW, NOW));
    let about = attempt.about();
    assert_eq!((about.number(), about.deadline(), about.is_probe()), (1, Deadline::NONE, false));
    assert_eq!(about.remaining(), Duration::MAX);
    assert_eq!(waiting.since(), NOW);
    for (shown, parts) in [
        (format!("{guard:?}"), ["Guard", "limiter", "stats"]),
        (format!("{call:?}"), ["Call", "attempts: 1", "settled: false"]),
        (format!("{attempt:?}"), ["Attempt", "number: 1", "permit"]),
        (format!("{waiting:?}"), ["Waiting", "since", "deadline"]),
    ] {
        assert!(parts.iter().all(|part| shown.contains(part)), "{shown}");
    }
    let bulkhead: Bulkhead<1> = Bulkhead::new(bulkhead::Config::new(1));
    let permit = bulkhead.try_acquire(NOW).expect("a permit is free");
    let Ok(bulkhead::Entry::Waiting(waiter)) = bulkhead.enqueue(1, NOW) else { panic!("no permit is free") };
    assert!(format!("{permit:?} {waiter:?}").contains("Waiter { need: 1"));
    let limiter = RateLimiter::new(Quota::per_second(5));
    assert!(format!("{limiter:?}").contains("tokens: 5"));
    assert_eq!(Outcome::from(&Ok::<(), ()>(())), Outcome::Success);
    assert!(Outcome::Success.is_success() && !Outcome::Ignored.is_success());
}

#[test]
fn a_recorder_shows_what_its_guard_would() {
    let policy = Policy::new()
        .bulkhead(bulkhead::Config::new(1).max_wait(Duration::from_secs(2)))
        .timeout(Duration::from_secs(3))
        .deadline(Duration::from_secs(9));
    let recorder: Recorder<[u8; 600]> = Recorder::try_new(policy, [0; 600]).expect("the policy is valid");
    let Ok(seawall_core::record::Begin::Started(mut call)) = recorder.begin(Deadline::NONE, NOW) else {
        panic!("a slot is free")
    };
    let Ok(seawall_core::record::Begin::Waiting(waiting)) = recorder.begin(Deadline::NONE, NOW) else {
        panic!("no slot is free")
    };
    let attempt = call.try_attempt(NOW).expect("there is no breaker");
    assert_eq!(waiting.deadline(), Instant::from_secs(3));
    assert_eq!((call.deadline(), call.attempts()), (Deadline::at(Instant::from_secs(10)), 1));
    assert_eq!(attempt.about().map(|about| about.remaining()), Some(Duration::from_secs(3)));
    let shown = format!("{recorder:?} {call:?} {attempt:?} {waiting:?}");
    for part in
        ["Recorder", "lost: 0", "Call", "id: CallId(0)", "Attempt", "AttemptId(0)", "Waiting", "CallId(1)"]
    {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    drop(waiting);
    assert_eq!(recorder.stats().cancelled, 1);
}

#[test]
fn refusals_of_keys_and_of_hedges_are_sentences() {
    use seawall_core::hedge::NoHedge;
    use seawall_core::keyed::Config as Keys;
    use seawall_core::{KeyedRateLimiter, keyed::Rejected};

    let limiter: KeyedRateLimiter<4> = KeyedRateLimiter::new(Quota::per_second(1).burst(2), Keys::seeded(1));
    assert!(limiter.bucket("a").try_acquire_many(2, NOW).is_ok());
    let empty = limiter.try_acquire("a", NOW).expect_err("its bucket is empty");
    let costly = limiter.bucket("a").try_acquire_many(3, NOW).expect_err("more than a bucket holds");
    sentences([
        (empty, "rate limit of the key exceeded"),
        (costly, "cost of 3 tokens exceeds the burst of 2"),
        (Rejected::TableFull { retry_after: None }, "no room for another key"),
    ]);
    assert_eq!((empty.retry_after(), costly.retry_after()), (Some(Duration::from_secs(1)), None));
    assert_eq!(limiter.quota().burst_size(), 2);
    assert!(format!("{limiter:?}").starts_with("KeyedRateLimiter"));
    sentences([
        (NoHedge::Limit, "all hedges are used"),
        (NoHedge::Deadline, "the deadline comes before the answer of a hedge"),
        (NoHedge::Budget, "the retry budget is spent"),
    ]);
}

#[cfg(feature = "chaos")]
#[test]
fn kinds_of_faults_have_names_and_endings_have_kinds() {
    use seawall_core::chaos::{Chaos, Config, Ending, Fault, Kind, Rule};

    let names = ["latency", "error", "timeout", "panic", "partition", "cpu", "memory", "disk"];
    assert_eq!(Kind::ALL.map(Kind::name), names);
    let endings = [Ending::Error, Ending::TimedOut, Ending::Panic, Ending::Unreachable];
    assert_eq!(endings.map(Ending::kind), [Kind::Error, Kind::Timeout, Kind::Panic, Kind::Partition]);
    let rule = Rule::new(Fault::Error, Ratio::percent(5));
    assert_eq!((rule.fault(), rule.fault().kind()), (&Fault::Error, Kind::Error));
    let config = Config::default().rule(rule);
    let chaos = Chaos::new(config);
    assert_eq!(chaos.config(), &config);
    assert!(format!("{chaos:?}").starts_with("Chaos"));
}
