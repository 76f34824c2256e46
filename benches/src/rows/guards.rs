//! One call through everything.

use core::future::ready;
use core::hint::black_box;
use core::num::NonZeroU32;
use core::pin::pin;
use core::task::{Context, Waker};
use core::time::Duration;

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use recloser::Recloser;
use seawall_core::guard::{Policy, Report};
use seawall_core::window::Span;
use seawall_core::{
    Backoff, Deadline, Guard, Instant, Outcome, Ratio, bulkhead, circuit_breaker, error_budget, retry,
};
use tokio::sync::Semaphore;

use super::limiters::PLENTY;
use super::{CLOCK, FIVE, LOAD, NOW, SPAN, SYSTEM_SPAN, THREE, history};
use crate::measure::Row;

const CONSECUTIVE: circuit_breaker::Config =
    circuit_breaker::Config::consecutive_failures(5).open_for(Duration::from_secs(100_000));

const RATE: circuit_breaker::Config =
    circuit_breaker::Config::failure_rate(Ratio::percent(50), Span::time(SYSTEM_SPAN), 100);

const EVERY_PART: Policy = Policy::new()
    .rate_limit(PLENTY)
    .bulkhead(bulkhead::Config::new(100).max_wait(Duration::from_secs(1)))
    .circuit_breaker(CONSECUTIVE)
    .retry(retry::Config::attempts(3, Backoff::exponential(Duration::from_millis(10))))
    .timeout(Duration::from_secs(1))
    .deadline(Duration::from_secs(10))
    .error_budget(error_budget::Config::new(Ratio::percent(99), SPAN));

fn row<S: Sync + 'static>(name: &'static str, subject: S, operation: impl Fn(&S) + Sync + 'static) -> Row {
    Row::new("guard", name, subject, operation)
}

fn decide(guard: &Guard) {
    decide_at(guard, black_box(NOW));
}

fn decide_at(guard: &Guard, now: Instant) {
    let Ok(mut call) = guard.try_begin(Deadline::NONE, now) else { return };
    if let Ok(attempt) = call.try_attempt(now) {
        let _ = black_box(call.settle(attempt, Report::new(Outcome::Success), now));
    }
}

fn blocking(guard: &seawall::Guard) {
    let _ = black_box(guard.call_blocking(|_| Ok::<_, ()>(black_box(1))));
}

fn asynchronous(guard: &seawall::Guard) {
    let call = pin!(guard.call(|_| ready(Ok::<_, ()>(black_box(1)))));
    let _ = black_box(call.poll(&mut Context::from_waker(Waker::noop())));
}

/// A guard whose windows are full.
fn full(policy: &Policy) -> Guard {
    let guard = Guard::new(*policy);
    history().for_each(|moment| decide_at(&guard, moment));
    guard
}

/// A server's guard whose windows are full: it has been called for longer than they look back.
fn server(policy: &Policy) -> seawall::Guard {
    let policy = policy.error_budget(error_budget::Config::new(Ratio::percent(99), SYSTEM_SPAN));
    let guard = bare_server(&policy);
    let start = guard.now();
    while guard.now().saturating_since(start) < SYSTEM_SPAN + SYSTEM_SPAN / 2 {
        blocking(&guard);
    }
    guard
}

fn bare_server(policy: &Policy) -> seawall::Guard {
    seawall::Guard::new("bench", *policy).expect("a legal policy")
}

/// What one would write by hand from the fastest parts: no retry, no timeout, no statistics.
struct ByHand {
    limiter: DefaultDirectRateLimiter,
    slots: Semaphore,
    breaker: Recloser,
}

fn by_hand(parts: &ByHand) {
    if parts.limiter.check().is_err() {
        return;
    }
    let Ok(_slot) = parts.slots.try_acquire() else { return };
    let _ = black_box(parts.breaker.call(|| Ok::<_, ()>(black_box(1))));
}

pub(super) fn rows() -> Vec<Row> {
    let open = Guard::new(EVERY_PART);
    open.note(open.breaker().expect("the policy has one").trip(NOW));
    let forced = bare_server(&EVERY_PART);
    forced.force_open();
    let parts = ByHand {
        limiter: RateLimiter::direct(Quota::per_second(NonZeroU32::MAX)),
        slots: Semaphore::new(100),
        breaker: Recloser::default(),
    };
    vec![
        row(
            "core, breaker only, caller's time",
            Guard::new(Policy::new().circuit_breaker(CONSECUTIVE)),
            decide,
        )
        .beside(&[(1, THREE)]),
        row("core, every part, caller's time", full(&EVERY_PART), decide).beside(&[(1, THREE)]),
        row("core, breaker open", open, decide).beside(&[(1, LOAD)]),
        row("blocking, every part, breaker by rate", server(&EVERY_PART.circuit_breaker(RATE)), blocking)
            .beside(&[(1, FIVE)]),
        row(
            "async, ready at once, every part, breaker by rate",
            server(&EVERY_PART.circuit_breaker(RATE)),
            asynchronous,
        )
        .beside(&[(1, FIVE)]),
        row("blocking, no part", bare_server(&Policy::new()), blocking).beside(&[(2, CLOCK)]),
        row("blocking, breaker open", forced, blocking).beside(&[(1, CLOCK), (4, LOAD)]),
        row("by hand: governor, tokio Semaphore, recloser", parts, by_hand).beside(&[(1, FIVE)]),
    ]
}
