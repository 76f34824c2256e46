//! Circuit breakers.

use core::hint::black_box;
use core::time::Duration;

use failsafe::{CircuitBreaker as _, backoff, failure_policy};
use recloser::Recloser;
use seawall_core::circuit_breaker::{CircuitBreaker, Config};
use seawall_core::window::Span;
use seawall_core::{Instant, Outcome, Ratio};

use super::{FETCH_ADD, LOAD, NOW, SPAN, history};
use crate::measure::Row;

const OPEN: Duration = Duration::from_secs(100_000);

fn row<S: Sync + 'static>(name: &'static str, subject: S, operation: impl Fn(&S) + Sync + 'static) -> Row {
    Row::new("breaker", name, subject, operation)
}

fn succeed<const SLOTS: usize>(breaker: &CircuitBreaker<SLOTS>) {
    succeed_at(breaker, black_box(NOW));
}

fn succeed_at<const SLOTS: usize>(breaker: &CircuitBreaker<SLOTS>, now: Instant) {
    if let Ok(permit) = breaker.try_acquire(now) {
        black_box(permit.record(Outcome::Success, now));
    }
}

fn call(breaker: &Recloser) {
    let _ = black_box(breaker.call(|| Ok::<_, ()>(black_box(1))));
}

pub(super) fn rows() -> Vec<Row> {
    let consecutive = || CircuitBreaker::<0>::new(Config::consecutive_failures(5).open_for(OPEN));
    let rate = Config::failure_rate(Ratio::percent(50), Span::time(SPAN), 100);
    let by_calls = Config::failure_rate(Ratio::percent(50), Span::calls(100), 100);
    let (rate, by_calls) = (CircuitBreaker::<10>::new(rate), CircuitBreaker::<10>::new(by_calls));
    for moment in history() {
        succeed_at(&rate, moment);
    }
    for _ in 0..1000 {
        succeed(&by_calls);
    }
    let open = consecutive();
    open.trip(NOW);
    let recloser =
        || Recloser::custom().error_rate(0.5).closed_len(100).half_open_len(10).open_wait(OPEN).build();
    let open_recloser = recloser();
    for _ in 0..200 {
        let _ = open_recloser.call(|| Err::<(), _>(()));
    }
    let failsafe = || {
        let policy = failure_policy::consecutive_failures(5, backoff::constant(OPEN));
        failsafe::Config::new().failure_policy(policy).build()
    };
    let open_failsafe = failsafe();
    for _ in 0..10 {
        let _ = open_failsafe.call(|| Err::<(), _>(()));
    }
    vec![
        row("closed, success, consecutive rule", consecutive(), succeed).beside(&[(1, LOAD)]),
        row("closed, success, rate over 10 s", rate, succeed).beside(&[(1, FETCH_ADD)]),
        row("closed, success, rate over 100 calls", by_calls, succeed).beside(&[(1, FETCH_ADD)]),
        row("open, rejected", open, |breaker| {
            let _ = black_box(breaker.try_acquire(black_box(NOW)));
        })
        .beside(&[(1, LOAD)]),
        row("recloser 1.4: closed, success", recloser(), call).beside(&[(1, FETCH_ADD)]),
        row("recloser 1.4: open, rejected", open_recloser, call).beside(&[(1, LOAD)]),
        row("failsafe 1.3, consecutive: closed, success", failsafe(), |breaker| {
            let _ = black_box(breaker.call(|| Ok::<_, ()>(black_box(1))));
        })
        .beside(&[(1, FETCH_ADD)]),
        row("failsafe 1.3, consecutive: open, rejected", open_failsafe, |breaker| {
            let _ = black_box(breaker.call(|| Ok::<_, ()>(black_box(1))));
        })
        .beside(&[(1, LOAD)]),
    ]
}
