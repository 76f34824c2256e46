//! Sending under the protection of a guard.

use super::attempt::{judge, reached_the_wire};
use crate::load::{Caller, Fate};
use crate::message::Message;
use crate::report::{BreakerState, Ending, Failure, Guarding, Rejection, Transition};
use seawall::core::Instant;
use seawall::core::circuit_breaker::{Cause, State};
use seawall::core::degradation::{Component, Degradation};
use seawall::core::events::{Cursor, EventKind};
use seawall::core::guard::Pattern;
use seawall::dwcp::{Operation, Peer, Request};
use seawall::{Error, Guard, Policy};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Peers that are asked in turn, each message through the guard.
#[derive(Debug)]
pub(crate) struct Guarded {
    guard: Guard,
    peers: Vec<Peer>,
    degradation: Arc<Degradation>,
    seen: Mutex<Cursor>,
    origin: Instant,
}

impl Guarded {
    pub(crate) fn new(policy: Policy, peers: Vec<Peer>) -> Result<Self, seawall::core::ConfigError> {
        let guard = Guard::new("send", policy)?;
        let degradation = Arc::new(Degradation::new());
        guard.drive(Arc::clone(&degradation), Component::new(0));
        let (seen, origin) = (Mutex::new(guard.events().cursor()), guard.now());
        Ok(Self { guard, peers, degradation, seen, origin })
    }
}

const fn state(state: State) -> BreakerState {
    match state {
        State::Closed => BreakerState::Closed,
        State::HalfOpen => BreakerState::HalfOpen,
        State::Open => BreakerState::Open,
    }
}

/// Why the breaker changed its state, in words.
fn reason(cause: Cause) -> String {
    match cause {
        Cause::ConsecutiveFailures { failures } => format!("{failures} failures in a row"),
        Cause::FailureRate { calls, failures } => format!("{failures} of the last {calls} calls failed"),
        Cause::OpenTimeOver => "the open time is over".to_owned(),
        Cause::ProbeFailed => "a probe failed".to_owned(),
        Cause::ProbesSucceeded { successes } => format!("{successes} probes succeeded"),
        Cause::Manual => "by hand".to_owned(),
        other => format!("{other:?}"),
    }
}

const fn rejection(pattern: Pattern) -> Rejection {
    match pattern {
        Pattern::RateLimiter => Rejection::Limiter,
        Pattern::Bulkhead => Rejection::Bulkhead,
        Pattern::CircuitBreaker => Rejection::Breaker,
        _ => Rejection::Deadline,
    }
}

impl Caller for Guarded {
    async fn call(&self, message: Message) -> Fate {
        let (attempts, on_wire) = (AtomicU32::new(0), AtomicU32::new(0));
        let place = usize::try_from(message.number()).unwrap_or(0) % self.peers.len().max(1);
        let Some(peer) = self.peers.get(place) else {
            return Fate { ending: Ending::Failed(Failure::Connection), attempts: 0, on_wire: 0 };
        };
        let result = self
            .guard
            .call(async |attempt| {
                attempts.fetch_add(1, Ordering::Relaxed);
                on_wire.fetch_add(1, Ordering::Relaxed);
                let request = Request::new(Operation::Send, message.encode().to_vec())
                    .timeout(attempt.remaining())
                    .attempt(u8::try_from(attempt.number()).unwrap_or(u8::MAX))
                    .idempotent(true);
                let reply = peer.request(request).await;
                if !reached_the_wire(&reply) {
                    on_wire.fetch_sub(1, Ordering::Relaxed);
                }
                judge(message, &reply)
            })
            .await;
        let ending = match result {
            Ok(()) => Ending::Succeeded,
            Err(Error::Rejected(rejected)) => Ending::Rejected(rejection(rejected.pattern())),
            Err(Error::Failed(failed)) => Ending::Failed(failed.error),
            Err(_) => Ending::Failed(Failure::Timeout),
        };
        Fate { ending, attempts: attempts.into_inner(), on_wire: on_wire.into_inner() }
    }

    fn guarding(&self) -> Option<Guarding> {
        let (decisions, now) = (self.guard.decisions(), self.guard.now());
        self.guard.refresh();
        let limiter = decisions.limiter();
        let bulkhead = decisions.bulkhead().map(|bulkhead| bulkhead.snapshot());
        Some(Guarding {
            breaker: decisions
                .breaker()
                .map_or(BreakerState::Closed, |breaker| state(breaker.status(now).state)),
            limiter_rate: limiter.map_or(0.0, |limiter| {
                f64::from(limiter.quota().tokens()) / limiter.quota().period().as_secs_f64()
            }),
            limiter_available: limiter.map_or(0, |limiter| limiter.available(now).into()),
            limiter_burst: limiter.map_or(0, |limiter| limiter.quota().burst_size().into()),
            bulkhead_in_use: bulkhead.map_or(0, |bulkhead| bulkhead.in_use.into()),
            bulkhead_capacity: bulkhead.map_or(0, |bulkhead| bulkhead.capacity.into()),
            bulkhead_queued: bulkhead.map_or(0, |bulkhead| bulkhead.waiting.into()),
            bulkhead_queue_capacity: bulkhead.map_or(0, |bulkhead| bulkhead.max_waiting.into()),
            error_budget_remaining: decisions.error_budget().map_or(1.0, |budget| {
                let left = budget.snapshot(now).remaining;
                f64::from(left.numerator()) / f64::from(left.denominator())
            }),
            degradation: self.degradation.level().name().to_owned(),
        })
    }

    fn news(&self) -> Vec<Transition> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        std::iter::from_fn(|| self.guard.events().read(&mut seen))
            .filter_map(|event| {
                let EventKind::Breaker(transition) = event.kind else { return None };
                let at = event.at.saturating_since(self.origin).as_millis();
                Some(Transition {
                    at_ms: u64::try_from(at).unwrap_or(u64::MAX),
                    from: state(transition.from),
                    to: state(transition.to),
                    reason: reason(transition.cause),
                })
            })
            .collect()
    }
}
