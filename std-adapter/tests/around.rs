//! What stands before and behind a guard by choice: priorities, levels, and the promise about latency.

use std::sync::Arc;
#[cfg(feature = "tokio")]
use std::task::{Context, Waker};
use std::time::Duration;

use seawall::core::degradation::{Component, Degradation, Level};
use seawall::core::error_budget::Edge;
use seawall::core::events::EventKind;
use seawall::core::guard::Pattern;
use seawall::core::load_shedder::{self, Priority};
use seawall::core::{
    Backoff, Instant, ManualClock, Outcome, Ratio, adaptive_concurrency, adaptive_rate, bulkhead, driver,
    latency_budget, rate_limiter::Quota, retry,
};
use seawall::{Error, Guard, Options, Policy, Rejected, Report};

const SECOND: Duration = Duration::from_secs(1);
const MILLI: Duration = Duration::from_millis(1);
const STORE: Component = Component::new(0);

type TestGuard = Guard<&'static ManualClock>;

fn guard(policy: &Policy) -> (TestGuard, &'static ManualClock) {
    let clock: &ManualClock = Box::leak(Box::new(ManualClock::new(Instant::from_secs(100))));
    (Guard::with_clock("storage", *policy, clock).unwrap(), clock)
}

fn call(guard: &TestGuard, priority: Priority) -> Result<(), Error<()>> {
    guard.call_blocking_with(Options::new().priority(priority), |_| Ok(()))
}

fn promise() -> latency_budget::Config {
    latency_budget::Config::new(Ratio::percent(90), 100 * MILLI, 10 * SECOND).minimum_calls(10)
}

#[test]
fn a_guard_without_parts_refuses_nothing_and_has_none() {
    let (guard, _) = guard(&Policy::new());
    assert_eq!(call(&guard, Priority::Low), Ok(()));
    guard.set_load(u32::MAX);
    assert!(guard.latency_budget().is_none() && guard.shedder().is_none());
    assert_eq!((guard.latency_violations(), guard.latency_exhausted()), (0, 0));
}

/// Latency budgets of the original recorded successes alone, so a hanging peer looked fast.
#[test]
fn the_latency_of_failures_counts_as_that_of_successes() {
    let (guard, clock) = guard(&Policy::new());
    guard.watch_latency(promise()).unwrap();
    let service = Arc::new(Degradation::new());
    guard.drive(Arc::clone(&service), STORE);
    let take = |time, result: Result<(), ()>| {
        let _ = guard.call_blocking(|_| {
            clock.advance(time);
            result
        });
    };
    for _ in 0..18 {
        take(50 * MILLI, Ok(()));
    }
    take(200 * MILLI, Err(()));
    take(200 * MILLI, Ok(()));
    assert_eq!(service.level(), Level::Normal, "one in ten may");
    take(200 * MILLI, Err(()));
    assert_eq!(
        (guard.latency_violations(), guard.latency_exhausted(), service.level()),
        (3, 1, Level::Degraded)
    );
    assert!(guard.latency_budget().unwrap().is_exhausted(guard.now()));
    clock.advance(20 * SECOND);
    guard.refresh();
    assert_eq!(service.level(), Level::Normal, "time heals it");
    let mut cursor = guard.events().cursor();
    let kinds: Vec<_> =
        std::iter::from_fn(|| guard.events().read(&mut cursor)).map(|event| event.kind).collect();
    assert!(kinds.contains(&EventKind::Latency(Edge::Exhausted)), "{kinds:?}");
    assert!(kinds.contains(&EventKind::Latency(Edge::Recovered)), "{kinds:?}");
    let wrong = latency_budget::Config::new(Ratio::percent(90), MILLI, Duration::ZERO);
    assert!(guard.watch_latency(wrong).is_err());
}

#[test]
fn a_driver_can_be_more_patient() {
    let (guard, clock) = guard(&Policy::new());
    guard.watch_latency(promise().minimum_calls(1)).unwrap();
    let service = Arc::new(Degradation::new());
    let patient = driver::Config::new(STORE).worst(Level::SeverelyDegraded).calm_for(5 * SECOND);
    guard.drive_by(Arc::clone(&service), patient).unwrap();
    let _ = guard.call_blocking(|_| {
        clock.advance(SECOND);
        Ok::<_, ()>(())
    });
    assert_eq!(service.level(), Level::SeverelyDegraded);
    clock.advance(20 * SECOND);
    guard.refresh();
    assert_eq!(service.level(), Level::Degraded, "by one level a time");
    clock.advance(5 * SECOND);
    guard.refresh();
    assert_eq!(service.level(), Level::Normal);
    assert!(guard.drive_by(service, patient.worse_after(0)).is_err());
}

#[test]
fn the_least_important_calls_are_shed_first_and_take_no_token() {
    let (guard, _) = guard(&Policy::new().rate_limit(Quota::per_second(1000)));
    guard.shed(load_shedder::Config::new(100, 10 * SECOND)).unwrap();
    let calls = |priority, n| (0..n).filter(|_| call(&guard, priority).is_ok()).count();
    assert_eq!((calls(Priority::Low, 100), calls(Priority::High, 100)), (100, 100), "no load is told");
    guard.set_load(125);
    let tokens = guard.decisions().limiter().unwrap().available(guard.now());
    let (low, high) = (calls(Priority::Low, 50), calls(Priority::High, 50));
    assert!((20..45).contains(&low) && high == 50, "{low} {high}: a fifth of all is too much");
    let stats = guard.stats();
    assert_eq!(stats.rejected_by(Pattern::LoadShedder), 50 - low as u64);
    let taken = tokens - guard.decisions().limiter().unwrap().available(guard.now());
    assert_eq!(taken as usize, low + high);
    assert_eq!(guard.shedder().unwrap().stats(Priority::Low).shed, 50 - low as u64);
    guard.decisions().set_shadow(true);
    assert_eq!(calls(Priority::Low, 50), 50);
    assert!(guard.stats().shadow.reject_by(Pattern::LoadShedder) > 0);
}

#[test]
fn a_degraded_service_serves_what_is_important() {
    let (guard, _) = guard(&Policy::new());
    let service = Arc::new(Degradation::new());
    guard.heed_level(Arc::clone(&service));
    let served = |level| {
        service.set_level(STORE, level);
        Priority::ALL.map(|priority| call(&guard, priority).is_ok())
    };
    assert_eq!(served(Level::Degraded), [true; 4]);
    assert_eq!(served(Level::SeverelyDegraded), [false, true, true, true]);
    assert_eq!(served(Level::Emergency), [false, false, true, true]);
    let refused = Rejected::Degraded { level: Level::Emergency, priority: Priority::Low };
    assert_eq!(call(&guard, Priority::Low), Err(Error::Rejected(refused)));
    assert_eq!((guard.stats().rejected_by(Pattern::Degradation), guard.stats().rejected()), (4, 4));
    assert_eq!(served(Level::Normal), [true; 4]);
}

/// A rate that rises and falls with the latency of attempts, and not with the pauses between them.
#[test]
fn the_rate_follows_the_latency_of_attempts() {
    let retry = retry::Config::attempts(2, Backoff::constant(Duration::from_nanos(1)));
    let (guard, clock) = guard(&Policy::new().retry(retry));
    let start = Quota::per_second(100).burst(100);
    let target = Duration::from_millis(10);
    guard.adapt_rate(adaptive_rate::Config::new(start, target).samples(1)).unwrap();
    assert!(guard.adapt_rate(adaptive_rate::Config::new(start, Duration::ZERO)).is_err());
    let rate = || guard.adaptive_rate().unwrap().snapshot().quota.rate_in_thousandths();
    let call = |took: Duration| {
        guard.call_blocking(|attempt| {
            clock.advance(took);
            if attempt.number() == 1 { Err(()) } else { Ok(()) }
        })
    };
    assert_eq!(call(Duration::from_millis(20)), Ok(()));
    clock.advance(SECOND);
    assert_eq!(call(Duration::from_millis(1)), Ok(()));
    assert_eq!(rate(), 90_000, "both attempts were slow");
    let p95 = guard.adaptive_rate().unwrap().snapshot().p95.unwrap();
    assert!((2 * target..2 * target + MILLI * 2).contains(&p95), "{p95:?}: each by itself");
    let calls = (0..200).filter(|_| guard.call_blocking(|_| Ok::<_, ()>(())).is_ok()).count();
    assert!((85..=90).contains(&calls), "{calls}: a token a call and not an attempt");
    let Err(Error::Rejected(rejected)) = call(Duration::ZERO) else { panic!("the rate is used up") };
    assert_eq!((rejected.pattern(), rejected.retry_after().is_some()), (Pattern::AdaptiveRate, true));
    assert!(guard.stats().rejected_by(Pattern::AdaptiveRate) > 100);
    clock.advance(SECOND);
    assert_eq!(call(Duration::from_millis(1)), Ok(()));
    assert!(rate() > 90_000, "{}: the limit held fast calls back", rate());
}

/// B1, B41 around the guard: what a call took on its way comes back, whoever refuses it and however it ends.
#[test]
fn what_a_call_takes_on_its_way_to_the_guard_comes_back() {
    let (guard, _) = guard(&Policy::new().bulkhead(bulkhead::Config::new(1).max_wait(Duration::ZERO)));
    guard.adapt_rate(adaptive_rate::Config::new(Quota::per_second(10).burst(10), SECOND)).unwrap();
    guard.adapt_concurrency(adaptive_concurrency::Config::aimd(3)).unwrap();
    let tokens = || guard.adaptive_rate().unwrap().available(guard.now());
    let running = || guard.adaptive_concurrency().unwrap().snapshot().in_flight;
    let nested = guard.call_blocking(|_| {
        assert_eq!((tokens(), running()), (9, 1));
        let refused = guard.call_blocking(|_| Ok::<_, ()>(()));
        assert_eq!((tokens(), running()), (9, 1), "a call without a slot keeps nothing");
        refused.map_err(|error| matches!(error, Error::Rejected(Rejected::Bulkhead(_))))
    });
    assert_eq!(nested.unwrap_err().into_inner(), Some(true));
    assert_eq!((tokens(), running()), (9, 0));
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        guard.call_blocking(|_| -> Result<(), ()> { panic!("the operation") })
    }));
    assert!(panicked.is_err());
    assert_eq!((tokens(), running()), (8, 0), "it was tried");
}

#[cfg(feature = "tokio")]
#[tokio::test(start_paused = true)]
async fn a_call_that_goes_away_while_it_waits_or_runs_leaves_nothing_behind() {
    let policy = Policy::new().bulkhead(bulkhead::Config::new(1).max_waiting(8).max_wait(SECOND));
    let guard = Guard::with_clock("store", policy, seawall::clock::TokioClock::new()).unwrap();
    guard.adapt_rate(adaptive_rate::Config::new(Quota::new(10, 1000 * SECOND).burst(10), SECOND)).unwrap();
    guard.adapt_concurrency(adaptive_concurrency::Config::aimd(5)).unwrap();
    let tokens = || guard.adaptive_rate().unwrap().available(guard.now());
    let running = || guard.adaptive_concurrency().unwrap().snapshot().in_flight;
    let mut holds = Box::pin(guard.call(|_| std::future::pending::<Result<(), ()>>()));
    let mut waits = Box::pin(guard.call(|_| std::future::ready(Ok::<_, ()>(()))));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(holds.as_mut().poll(&mut cx).is_pending() && waits.as_mut().poll(&mut cx).is_pending());
    assert_eq!((tokens(), running()), (8, 2));
    drop(waits);
    assert_eq!((tokens(), running()), (9, 1), "it was not tried");
    let late = guard.call(|_| std::future::ready(Ok::<_, ()>(()))).await;
    assert!(matches!(late, Err(Error::Rejected(Rejected::Bulkhead(_)))), "{late:?}");
    assert_eq!((tokens(), running()), (9, 1), "it waited in vain");
    drop(holds);
    assert_eq!((tokens(), running()), (9, 0), "it was tried, so its token is spent");
}

/// In shadow mode a call that finds no token and no place goes on without, and teaches what it can.
#[test]
fn in_shadow_mode_the_parts_around_refuse_nothing() {
    let (guard, _clock) = guard(&Policy::new().shadow(true));
    guard.adapt_rate(adaptive_rate::Config::new(Quota::per_second(1).burst(1), SECOND)).unwrap();
    guard.adapt_concurrency(adaptive_concurrency::Config::aimd(1)).unwrap();
    for _ in 0..5 {
        assert_eq!(call(&guard, Priority::Normal), Ok(()));
    }
    assert_eq!(guard.stats().shadow.reject_by(Pattern::AdaptiveRate), 4);
    assert_eq!((guard.stats().successes, guard.stats().rejected()), (5, 0));
    assert_eq!(guard.adaptive_concurrency().unwrap().snapshot().in_flight, 0);
}

/// A malformed request says nothing about the dependency, however fast it is refused.
#[test]
fn what_is_ignored_keeps_and_breaks_no_promise_about_latency() {
    let (guard, clock) = guard(&Policy::new());
    guard.watch_latency(promise()).unwrap();
    let take = |outcome| {
        let options = Options::new().classify(move |_: &Result<(), ()>| Report::new(outcome));
        let _ = guard.call_blocking_with(options, |_| {
            clock.advance(SECOND);
            Err(())
        });
    };
    take(Outcome::Ignored);
    assert_eq!(
        (guard.latency_budget().unwrap().snapshot(guard.now()).calls, guard.latency_violations()),
        (0, 0)
    );
    take(Outcome::Failure);
    assert_eq!(
        (guard.latency_budget().unwrap().snapshot(guard.now()).calls, guard.latency_violations()),
        (1, 1)
    );
}
