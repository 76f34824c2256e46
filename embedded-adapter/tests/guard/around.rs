//! Patterns around a guard, chosen by type.

use core::future::{pending, ready};

use seawall_embassy::core::adaptive_concurrency::{self, AdaptiveConcurrency};
use seawall_embassy::core::adaptive_rate::{self, AdaptiveRate};
use seawall_embassy::core::circuit_breaker;
use seawall_embassy::core::degradation::{Component, Degradation, Level};
use seawall_embassy::core::error_budget;
use seawall_embassy::core::guard::{Pattern, Serve};
use seawall_embassy::core::keyed;
use seawall_embassy::core::latency_budget::{self, LatencyBudget};
use seawall_embassy::core::load_shedder::Priority;
use seawall_embassy::core::rate_limiter::Quota;
use seawall_embassy::core::{ErrorBudget, KeyedCircuitBreaker, KeyedRateLimiter, Ratio};
use seawall_embassy::{Error, Guard, Options, Policy, Rejected};

use crate::world::{Task, World};
use crate::{BREAKER, QUEUE, RETRY, millis, takes};

fn parts() -> (AdaptiveRate, AdaptiveConcurrency) {
    let rate = adaptive_rate::Config::new(Quota::new(10, millis(1_000_000)).burst(10), millis(10)).samples(1);
    (AdaptiveRate::new(rate), AdaptiveConcurrency::new(adaptive_concurrency::Config::aimd(3)))
}

#[test]
fn what_stands_around_a_guard_learns_how_long_the_operation_took() {
    let world = World::new();
    let around = parts();
    let guard: Guard = Guard::new(RETRY);
    let call = || {
        world.run(guard.call_through(&around, Options::new(), async |attempt| {
            let took = takes(20).await;
            if attempt.number() == 1 { Err("busy") } else { took }
        }))
    };
    assert_eq!(call(), Ok(20));
    assert_eq!((around.0.available(guard_now()), around.1.snapshot().in_flight), (9, 0), "a token a call");
    world.advance(1000);
    assert_eq!(call(), Ok(20));
    let judged = around.0.snapshot();
    assert_eq!(judged.lowered, 1);
    assert!((20..22).contains(&judged.p95.unwrap().as_millis()), "{judged:?}: not the pause of 100 ms");
}

/// What follows attempts learns of each once, wherever the call ends; what counts calls of the last one.
#[test]
fn every_attempt_teaches_what_follows_attempts() {
    let world = World::new();
    let promise = latency_budget::Config::new(Ratio::percent(95), millis(10), millis(1_000_000));
    let budget: LatencyBudget = LatencyBudget::new(promise);
    let limit = AdaptiveConcurrency::new(adaptive_concurrency::Config::aimd(3));
    let around = (&budget, &limit);
    let seen = || (budget.snapshot(guard_now()).calls, limit.snapshot().in_flight);
    let guard: Guard = Guard::new(RETRY);
    let fails = || guard.call_through(&around, Options::new(), |_| ready(Err::<(), _>("busy")));
    assert!(world.run(fails()).is_err());
    assert_eq!(seen(), (3, 0));
    let mut paused = Task::new(fails());
    assert!(paused.poll().is_pending());
    assert_eq!(seen(), (3, 1), "it may still have been the last");
    drop(paused);
    assert_eq!(seen(), (4, 0));
    let mut second = Task::new(guard.call_through(&around, Options::new(), async |attempt| {
        if attempt.number() == 1 { Err::<(), _>("busy") } else { pending().await }
    }));
    assert!(second.poll().is_pending());
    world.advance(100);
    assert!(second.poll().is_pending());
    assert_eq!(seen(), (5, 1), "the first one was not the last");
    drop(second);
    assert_eq!(seen(), (5, 0), "nothing is known of the second");
    // The breaker opens by the second failure, and the third attempt is refused.
    let guard: Guard = Guard::new(RETRY.circuit_breaker(*BREAKER.circuit_breaker_config().unwrap()));
    let result: Result<(), _> =
        world.run(guard.call_through(&around, Options::new(), |_| ready(Err::<(), _>("busy"))));
    assert!(matches!(result, Err(Error::Failed { attempts: 2, .. })), "{result:?}");
    assert_eq!(seen(), (7, 0));
}

fn guard_now() -> seawall_embassy::core::Instant {
    use seawall_embassy::core::Clock;
    seawall_embassy::EmbassyClock.now()
}

/// B1, B3, B41: at every point where a call can end.
#[test]
fn what_a_call_took_around_the_guard_comes_back() {
    let world = World::new();
    let around = parts();
    let left = || (around.0.available(guard_now()), around.1.snapshot().in_flight);
    let guard: Guard = Guard::new(QUEUE);
    let mut holds = Task::new(guard.call_through(&around, Options::new(), |_| pending::<Result<(), ()>>()));
    let mut waits = Task::new(guard.call_through(&around, Options::new(), |_| ready(Ok::<_, ()>(()))));
    assert!(holds.poll().is_pending() && waits.poll().is_pending());
    assert_eq!(left(), (8, 2));
    drop(waits);
    assert_eq!(left(), (9, 1), "it waited, and went away");
    let late = world.run(guard.call_through(&around, Options::new(), |_| ready(Ok::<_, ()>(()))));
    assert!(matches!(late, Err(Error::Rejected(Rejected::Bulkhead(_)))), "{late:?}");
    assert_eq!(left(), (9, 1), "it waited in vain");
    drop(holds);
    assert_eq!(left(), (9, 0), "it was tried: its token is spent");
}

#[test]
fn what_it_refuses_is_in_the_guards_books() {
    let world = World::new();
    let service = Degradation::new();
    service.set_level(Component::new(0), Level::Emergency);
    let guard: Guard = Guard::new(Policy::new());
    let call = |priority| {
        let served = Serve::new(&service, priority);
        world.run(guard.call_through(&served, Options::new(), |_| ready(Ok::<_, ()>(()))))
    };
    assert!(call(Priority::Critical).is_ok());
    assert!(matches!(call(Priority::Low), Err(Error::Rejected(Rejected::Degraded { .. }))));
    assert_eq!(guard.decisions().stats().rejected_by(Pattern::Degradation), 1);
    guard.decisions().set_shadow(true);
    assert!(call(Priority::Low).is_ok());
    assert_eq!(guard.decisions().stats().shadow.reject_by(Pattern::Degradation), 1);
}

/// Each tenant has its own bucket and its own breaker, and all of them one promise.
#[test]
fn a_tenants_bucket_and_breaker_stand_around_a_guard() {
    let world = World::new();
    let buckets =
        KeyedRateLimiter::<8>::new(Quota::new(1, millis(1_000_000)).burst(2), keyed::Config::seeded(1));
    let breakers = KeyedCircuitBreaker::<8>::new(
        circuit_breaker::Config::consecutive_failures(1),
        keyed::Config::seeded(1),
    );
    let promise = error_budget::Config::new(Ratio::percent(99), millis(1_000_000)).minimum_calls(1);
    let promise: ErrorBudget = ErrorBudget::new(promise);
    let guard: Guard = Guard::new(RETRY);
    let call = |tenant: &str, succeeds: bool| {
        let around = (breakers.breaker(tenant), buckets.bucket(tenant), &promise);
        world.run(
            guard.call_through(&around, Options::new(), |_| ready(if succeeds { Ok(()) } else { Err("no") })),
        )
    };
    assert_eq!((call("a", true), call("a", true)), (Ok(()), Ok(())));
    let limited = call("a", true);
    assert!(matches!(limited, Err(Error::Rejected(Rejected::KeyedRateLimiter(_)))), "{limited:?}");
    assert!(call("b", false).is_err());
    let open = call("b", true);
    assert!(matches!(open, Err(Error::Rejected(Rejected::KeyedCircuitBreaker(_)))), "{open:?}");
    assert_eq!(call("c", true), Ok(()));
    let stats = guard.decisions().stats();
    assert_eq!((stats.rejected_by(Pattern::RateLimiter), stats.rejected_by(Pattern::CircuitBreaker)), (1, 1));
    let account = promise.snapshot(guard_now());
    assert_eq!((account.calls, account.failures), (4, 1), "of calls, not of attempts or refusals");
}
