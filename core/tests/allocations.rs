//! Core's patterns allocate nothing: it links no allocator, and this counts what its callers would see.

use core::fmt::Write as _;
use core::task::{Poll, Waker};
use core::time::Duration;

use seawall_core::circuit_breaker::{self, CircuitBreaker};
use seawall_core::degradation::{Component, Degradation, Level};
use seawall_core::error_budget::{self, ErrorBudget};
use seawall_core::events::{Event, EventKind};
use seawall_core::guard::{Begin, Rejected, Report, Verdict};
use seawall_core::health::{check, composite};
use seawall_core::histogram::buckets_for;
use seawall_core::rate_limiter::{Quota, RateLimiter};
use seawall_core::window::{Sample, Span};
use seawall_core::{
    AdaptiveConcurrency, AdaptiveTimeout, Backoff, Bulkhead, Clock as _, Composite, Deadline, EventRing,
    Guard, HealthCheck, Hedge, Histogram, Instant, ManualClock, Outcome, PercentileTimeout, Policy, Ratio,
    Retry, Rng, Timeout, Window, adaptive_concurrency, adaptive_timeout, bulkhead, retry,
};

/// Runs it twice, the second time counted: what a test prints or parks the first time is not core's.
fn assert_allocates_nothing(mut run: impl FnMut()) {
    run();
    let counted = allocation_counter::measure(run);
    assert_eq!(counted.count_total, 0);
}

const SECOND: Duration = Duration::from_secs(1);
const T: Instant = Instant::from_secs(100);
const BREAKER: circuit_breaker::Config =
    circuit_breaker::Config::failure_rate(Ratio::percent(50), Span::time(Duration::from_secs(10)), 10)
        .or_consecutive_failures(3)
        .successes_to_close(1)
        .open_for(SECOND);

/// A firmware's way of printing: into a fixed buffer.
#[derive(Default)]
struct Text(usize);

impl core::fmt::Write for Text {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        self.0 += text.len();
        Ok(())
    }
}

#[test]
fn the_counter_counts() {
    let counted = allocation_counter::measure(|| drop(std::hint::black_box(Box::new(7))));
    assert_eq!(counted.count_total, 1);
}

static GUARD: Guard = Guard::new(
    Policy::new()
        .rate_limit(Quota::per_second(1_000_000).burst(1000))
        .bulkhead(bulkhead::Config::new(1).max_wait(SECOND))
        .circuit_breaker(BREAKER)
        .retry(retry::Config::attempts(3, Backoff::exponential(Duration::from_millis(1))))
        .timeout(SECOND)
        .deadline(Duration::from_secs(60))
        .error_budget(error_budget::Config::new(Ratio::percent(99), Duration::from_secs(60))),
);

#[test]
fn a_guard_in_a_static() {
    let clock = ManualClock::new(T);
    assert_allocates_nothing(|| {
        for n in 0..100_u32 {
            clock.advance(Duration::from_millis(100));
            let mut now = clock.now();
            let outcome = if n % 3 == 0 { Outcome::Failure } else { Outcome::Success };
            let Ok(mut call) = GUARD.try_begin(Deadline::NONE, now) else { continue };
            while let Ok(attempt) = call.try_attempt(now) {
                let _ = (attempt.about(), attempt.transition());
                match call.settle(attempt, Report::new(outcome), now).verdict {
                    Verdict::RetryAfter(pause) => now = now.saturating_add(pause),
                    _ => break,
                }
            }
        }
    });
    GUARD.note(GUARD.breaker().unwrap().reset(clock.now()));
    assert_allocates_nothing(|| {
        let now = clock.now();
        let holder = GUARD.try_begin(Deadline::NONE, now).unwrap();
        let Ok(Begin::Waiting(mut waiting)) = GUARD.begin(Deadline::NONE, now) else {
            panic!("the slot is taken")
        };
        assert!(waiting.poll(Waker::noop(), now).is_pending());
        let Ok(Begin::Waiting(other)) = GUARD.begin(Deadline::NONE, now) else { panic!("the slot is taken") };
        other.cancel(now);
        holder.cancel(now);
        assert!(matches!(waiting.poll(Waker::noop(), now), Poll::Ready(Ok(_))));
        GUARD.note(GUARD.breaker().unwrap().force_open());
        let refused: Rejected = GUARD.try_begin(Deadline::NONE, now).unwrap_err();
        let mut text = Text::default();
        write!(text, "{refused} {:?} {:?}", GUARD.stats(), GUARD).unwrap();
        assert!(text.0 > 0);
        GUARD.note(GUARD.breaker().unwrap().reset(now));
    });
}

#[test]
fn a_breaker() {
    let breaker: CircuitBreaker<10> = CircuitBreaker::new(BREAKER);
    assert_allocates_nothing(|| {
        for _ in 0..3 {
            let _ = breaker.try_acquire(T).map(|permit| permit.record(Outcome::Failure, T));
        }
        assert!(breaker.check(T).is_err());
        let later = T.saturating_add(2 * SECOND);
        let probe = breaker.try_acquire(later).unwrap();
        assert!(probe.is_probe() && probe.transition().is_some());
        let _ = breaker.settle(probe.into_ticket(), Outcome::Success, later);
        drop(breaker.try_acquire(later));
        let manual = (breaker.force_open(), breaker.force_closed(), breaker.trip(later), breaker.reset(T));
        let mut text = Text::default();
        write!(text, "{manual:?} {:?} {breaker:?}", breaker.status(T)).unwrap();
    });
}

#[test]
fn a_limiter() {
    let limiter = RateLimiter::new(Quota::per_second(1000).burst(3));
    assert_allocates_nothing(|| {
        let grant = limiter.try_acquire(T).unwrap();
        limiter.refund(grant, T);
        let grant = limiter.try_acquire_many(3, T).unwrap();
        assert!(limiter.check(1, T).is_err());
        let rejected = limiter.try_acquire(T).unwrap_err();
        assert!(limiter.undo(grant));
        assert_eq!(limiter.available(T), 3);
        write!(Text::default(), "{rejected} {limiter:?}").unwrap();
    });
}

#[test]
fn a_bulkhead() {
    let bulkhead: Bulkhead<4> = Bulkhead::new(bulkhead::Config::new(2).max_wait(SECOND));
    assert_allocates_nothing(|| {
        let both = bulkhead.try_acquire_many(2, T).unwrap();
        assert!(bulkhead.try_acquire(T).is_err());
        let enqueue = || match bulkhead.enqueue(1, T) {
            Ok(bulkhead::Entry::Waiting(waiter)) => waiter,
            other => panic!("{other:?}"),
        };
        let (mut first, mut late, gone) = (enqueue(), enqueue(), enqueue());
        assert!(first.poll(Waker::noop(), T).is_pending() && late.poll(Waker::noop(), T).is_pending());
        drop(gone);
        assert!(late.poll(Waker::noop(), T.saturating_add(SECOND)).is_ready());
        bulkhead.release(both.into_ticket());
        assert!(matches!(first.poll(Waker::noop(), T), Poll::Ready(Ok(_))));
        bulkhead.resize(1).unwrap();
        bulkhead.resize(2).unwrap();
        write!(Text::default(), "{:?} {bulkhead:?}", bulkhead.snapshot()).unwrap();
    });
    assert_allocates_nothing(|| bulkhead.close());
}

#[test]
fn attempts_and_their_times() {
    let rng = Rng::new(7);
    let retry = Retry::new(retry::Config::attempts(5, Backoff::decorrelated(Duration::from_millis(5))));
    assert_allocates_nothing(|| {
        let schedules = [
            Backoff::constant(SECOND),
            Backoff::linear(SECOND, SECOND),
            Backoff::exponential(SECOND).at_most(60 * SECOND),
            Backoff::fibonacci(SECOND),
            Backoff::decorrelated(SECOND),
        ];
        for (n, schedule) in (0..).zip(schedules) {
            assert!(schedule.delay(n, SECOND, rng.next_u32()) > Duration::ZERO);
        }
        retry.call_started();
        let deadline = Timeout::fixed(SECOND).deadline(T, Deadline::after(T, 2 * SECOND));
        let decision = retry.decide(1, Duration::ZERO, deadline, rng.next_u32(), T);
        let told = retry.decide_with_delay(1, SECOND / 2, deadline, T);
        let left = (deadline.remaining(T), deadline.remaining_millis(T), rng.below(10), retry.balance());
        write!(Text::default(), "{decision:?} {told:?} {left:?} {retry:?}").unwrap();
    });
}

#[test]
fn what_is_learned() {
    let step = AdaptiveTimeout::new(adaptive_timeout::Config::new(SECOND));
    let percentile: PercentileTimeout<3, { buckets_for(3, 2_000_000) }> =
        PercentileTimeout::new(adaptive_timeout::Config::new(SECOND));
    let retry = Retry::new(retry::Config::never().throttle(Ratio::percent(10), 10));
    let limiter = AdaptiveConcurrency::new(adaptive_concurrency::Config::gradient(4).samples(1));
    let latencies: Histogram<3, { buckets_for(3, 2_000_000) }> = Histogram::new();
    assert_allocates_nothing(|| {
        for n in 0..100_u32 {
            let (outcome, elapsed) =
                if n % 7 == 0 { (Outcome::Failure, SECOND) } else { (Outcome::Success, n * SECOND / 1000) };
            let told = (step.record(outcome, elapsed), percentile.record(outcome, elapsed));
            latencies.record(u64::from(n));
            let start = T.saturating_add(n * SECOND);
            let change = limiter.try_acquire(start).unwrap().record(outcome, start.saturating_add(elapsed));
            write!(Text::default(), "{told:?} {change:?} {:?}", limiter.snapshot()).unwrap();
        }
        let late = Hedge::at_percentile(Ratio::percent(95), SECOND / 1000, SECOND);
        let plan = late.plan(0, &latencies, Deadline::NONE, T);
        let started = late.start(0, &latencies, &retry, Deadline::NONE, T);
        let decision = retry.decide_as(retry::Kind::Timeout, 1, SECOND, Deadline::NONE, 0, T);
        write!(Text::default(), "{plan:?} {started:?} {decision:?} {step:?} {percentile:?} {limiter:?}")
            .unwrap();
    });
}

#[test]
fn measures() {
    let window: Window<10> = Window::new(Span::time(10 * SECOND));
    let by_calls: Window<10> = Window::new(Span::calls(100));
    let histogram: Histogram<5, { buckets_for(5, 1_000_000) }> = Histogram::new();
    assert_allocates_nothing(|| {
        for n in 0..1000_u64 {
            let now = T.saturating_add(Duration::from_millis(20 * n));
            let sample = if n % 4 == 0 { Sample::FAILURE } else { Sample::SUCCESS };
            window.record_only(sample, now);
            assert!(by_calls.record(sample, now).calls <= 110);
            histogram.record(n * n);
        }
        let totals = (window.totals(T), by_calls.totals(T), histogram.percentile(Ratio::percent(99)));
        let taken = histogram.take();
        histogram.merge(&taken);
        assert_eq!(taken.buckets().map(|bucket| bucket.count).sum::<u64>(), taken.count());
        write!(Text::default(), "{totals:?} {window:?} {:?}", histogram.snapshot().count()).unwrap();
        histogram.clear();
        window.clear(T);
    });
}

#[test]
fn health_and_events() {
    let budget: ErrorBudget<10> =
        ErrorBudget::new(error_budget::Config::new(Ratio::percent(50), 10 * SECOND).minimum_calls(2));
    let degradation = Degradation::new();
    let events: EventRing<8> = EventRing::new();
    let check = HealthCheck::<10>::new(check::Config::new().rise(1).fall(2).stale_after(10 * SECOND));
    let whole = Composite::new(3, composite::Rule::Quorum(2));
    assert_allocates_nothing(|| {
        budget.reset(T);
        for n in 0..10_u32 {
            if let Some(edge) = budget.record(n > 5, T) {
                events.push(Event { at: T, kind: EventKind::Budget(edge) });
            }
            let level = if n % 2 == 0 { Level::Degraded } else { Level::Normal };
            if let Some(change) = degradation.set_level(Component::new(3), level) {
                events.push(Event { at: T, kind: EventKind::Level(change) });
            }
        }
        for n in 0..6_u8 {
            let now = T.saturating_add(u32::from(n) * SECOND);
            let told = (check.record(n < 3, now, now), whole.report(n % 3, n < 3));
            write!(Text::default(), "{told:?} {check:?} {whole:?} {:?}", check.snapshot(now)).unwrap();
        }
        let later = T.saturating_add(60 * SECOND);
        let silence = (check.expire(later), check.status(later), check.reset(T), whole.clear());
        write!(Text::default(), "{silence:?} {}", whole.healthy_members()).unwrap();
        let mut cursor = events.cursor();
        while let Some(event) = events.read(&mut cursor) {
            write!(Text::default(), "{event:?}").unwrap();
        }
        let account = (budget.snapshot(T), budget.check(T), budget.is_exhausted(T), degradation.level());
        write!(Text::default(), "{account:?} {:?} {:?}", events.last(), degradation.recover_all()).unwrap();
    });
}
