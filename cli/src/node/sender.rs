//! The sending side of a node: messages through the DWCP client, under its guard or without one.

use crate::load::{Caller, Traffic};
use crate::message::Message;
use crate::report::{BreakerState, Ending, Failure, Guarding, Rejection, Transition};
use seawall::core::Instant;
use seawall::core::circuit_breaker::State;
use seawall::core::events::{Cursor, EventKind};
use seawall::core::guard::Pattern;
use seawall::dwcp::{CallError, Client, Error, Operation, TransportError};
use seawall::stats::{GuardStats, TransitionStats};
use std::sync::{Mutex, PoisonError};

/// A client that sends numbered messages.
#[derive(Debug)]
pub(crate) struct Sender {
    client: Client,
    seen: Mutex<Cursor>,
    origin: Instant,
}

impl Sender {
    /// Sends through `client`; times are counted from now.
    pub(crate) fn new(client: Client) -> Self {
        let guard = client.guard(Operation::Send);
        let (seen, origin) = (Mutex::new(guard.events().cursor_at_end()), guard.now());
        Self { client, seen, origin }
    }
}

const fn state(state: State) -> BreakerState {
    match state {
        State::Closed => BreakerState::Closed,
        State::HalfOpen => BreakerState::HalfOpen,
        State::Open => BreakerState::Open,
    }
}

/// What a call that brought no reply came to.
const fn ending(error: &Error) -> Ending {
    match error {
        Error::Rejected(rejected) => Ending::Rejected(match rejected.pattern() {
            Pattern::RateLimiter => Rejection::Limiter,
            Pattern::Bulkhead => Rejection::Bulkhead,
            Pattern::CircuitBreaker => Rejection::Breaker,
            _ => Rejection::Deadline,
        }),
        Error::Failed(failed) => Ending::Failed(match &failed.error {
            CallError::Transport { error: TransportError::TimedOut { .. }, .. } => Failure::Timeout,
            CallError::Transport { .. } | CallError::NoPeers | CallError::UnknownPeer { .. } => {
                Failure::Connection
            }
            _ => Failure::Peer,
        }),
        _ => Ending::Failed(Failure::Timeout),
    }
}

impl Caller for Sender {
    async fn call(&self, message: Message) -> Ending {
        match self.client.send(message.encode().to_vec()).await {
            Ok(reply) if message.is_answered_by(&reply) => Ending::Succeeded,
            Ok(_) => Ending::Failed(Failure::WrongReply),
            Err(error) => ending(&error),
        }
    }

    fn traffic(&self) -> Traffic {
        let peers = self.client.stats().peers;
        Traffic {
            retries: self.client.guard(Operation::Send).stats().retries,
            on_wire: peers.iter().map(|peer| peer.link.requests).sum(),
        }
    }

    fn guarding(&self) -> Option<Guarding> {
        let guard = self.client.guard(Operation::Send);
        guard.refresh();
        let stats = GuardStats::of(guard);
        let breaker = stats.circuit_breaker?;
        let (limiter, bulkhead) = (stats.rate_limiter, stats.bulkhead);
        Some(Guarding {
            breaker: state(breaker.state),
            limiter_rate: limiter.map_or(0.0, |limiter| limiter.rate_per_second),
            limiter_available: limiter.map_or(0, |limiter| limiter.available.into()),
            limiter_burst: limiter.map_or(0, |limiter| limiter.burst.into()),
            bulkhead_in_use: bulkhead.map_or(0, |bulkhead| bulkhead.in_use.into()),
            bulkhead_capacity: bulkhead.map_or(0, |bulkhead| bulkhead.capacity.into()),
            bulkhead_queued: bulkhead.map_or(0, |bulkhead| bulkhead.waiting.into()),
            bulkhead_queue_capacity: bulkhead.map_or(0, |bulkhead| bulkhead.max_waiting.into()),
            error_budget_remaining: stats.error_budget.map_or(1.0, |budget| budget.remaining),
            degradation: self.client.registry().level().name().to_owned(),
        })
    }

    fn news(&self) -> Vec<Transition> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let events = self.client.guard(Operation::Send).events();
        std::iter::from_fn(|| events.read(&mut seen))
            .filter_map(|event| {
                let EventKind::Breaker(transition) = event.kind else { return None };
                let at = event.at.saturating_since(self.origin).as_millis();
                Some(Transition {
                    at_ms: u64::try_from(at).unwrap_or(u64::MAX),
                    from: state(transition.from),
                    to: state(transition.to),
                    reason: TransitionStats::of(&transition, event.at).cause,
                })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::ending;
    use crate::report::{Ending, Failure, Rejection};
    use seawall::core::Rejected;
    use seawall::dwcp::{CallError, Client, ClientConfig, Error, Status, TransportError};

    #[tokio::test]
    async fn a_peer_that_is_not_there_is_a_lost_connection() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let client = Client::new(ClientConfig::new([free.to_string()])).unwrap();
        let error = client.send("hello").await.unwrap_err();
        assert_eq!(ending(&error), Ending::Failed(Failure::Connection), "{error}");
    }
}
