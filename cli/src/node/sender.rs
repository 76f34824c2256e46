//! The sending side of a node: messages through the DWCP client, under its guard or without one.

use crate::load::{Caller, Traffic};
use crate::message::Message;
use crate::report::{BreakerState, Ending, Failure, Guarding, Rejection, Transition};
use seawall::core::Instant;
use seawall::core::circuit_breaker::State;
use seawall::core::events::{Cursor, EventKind};
use seawall::core::guard::Pattern;
use seawall::dwcp::{CallError, Client, Error, Operation, Status, TransportError};
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
            Pattern::RateLimiter | Pattern::AdaptiveRate => Rejection::Limiter,
            Pattern::Bulkhead
            | Pattern::AdaptiveConcurrency
            | Pattern::LoadShedder
            | Pattern::Degradation => Rejection::Bulkhead,
            Pattern::CircuitBreaker => Rejection::Breaker,
            _ => Rejection::Deadline,
        }),
        Error::Failed { error, .. } => Ending::Failed(match error {
            // Whichever side's timer fires first.
            CallError::Transport { error: TransportError::TimedOut { .. }, .. }
            | CallError::Refused { status: Status::Timeout, .. } => Failure::Timeout,
            CallError::Transport { .. } | CallError::NoPeers | CallError::UnknownPeer { .. } => {
                Failure::Connection
            }
            _ => Failure::Peer,
        }),
        Error::Injected { .. } => Ending::Failed(Failure::Injected),
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
    use super::{Sender, ending};
    use crate::load::Caller;
    use crate::message::Message;
    use crate::policy;
    use crate::report::{BreakerState, Ending, Failure, Rejection};
    use seawall::dwcp::{Client, ClientConfig, Handler, IncomingRequest, Operation, Reply, Server};

    /// A sender under the policy of the demonstration, to this peer.
    fn sender(peer: String) -> Sender {
        let (policies, transport) = policy::read(Some(policy::BUILT_IN.as_ref())).unwrap();
        Sender::new(Client::new(ClientConfig { peers: vec![peer], policies, transport }).unwrap())
    }

    /// How a message to a server with this handler ends.
    async fn ends(handler: impl Handler) -> Ending {
        let (_, transport) = policy::read(None).unwrap();
        let server = Server::bind("127.0.0.1:0", transport, handler).await.unwrap();
        sender(server.local_addr().to_string()).call(Message::new(7)).await
    }

    #[tokio::test]
    async fn only_the_reply_to_the_message_is_a_success() {
        let reply = |number| {
            move |_: IncomingRequest| async move { Reply::ok(Message::new(number).reply().to_vec()) }
        };
        assert_eq!(ends(reply(7)).await, Ending::Succeeded);
        assert_eq!(ends(reply(8)).await, Ending::Failed(Failure::WrongReply));
        let echo = async |request: IncomingRequest| Reply::ok(request.body);
        assert_eq!(ends(echo).await, Ending::Failed(Failure::WrongReply));
        assert_eq!(
            ends(async |_: IncomingRequest| Reply::unsupported()).await,
            Ending::Failed(Failure::Peer)
        );
    }

    #[tokio::test]
    async fn silence_is_a_timeout() {
        let silence = async |_: IncomingRequest| std::future::pending::<Reply>().await;
        assert_eq!(ends(silence).await, Ending::Failed(Failure::Timeout));
    }

    #[cfg(feature = "chaos")]
    #[tokio::test]
    async fn an_injected_fault_is_told_from_one_of_the_link() {
        use seawall::chaos::{Config, Fault, Rule};

        // The fault stands where the message would be sent, so nobody has to be there.
        let sender = sender("127.0.0.1:9".to_owned());
        let always = Config::new().rule(Rule::new(Fault::Error, seawall::core::Ratio::ONE));
        sender.client.guard(Operation::Send).arm_chaos(&always).unwrap();
        assert_eq!(sender.call(Message::new(1)).await, Ending::Failed(Failure::Injected));
    }

    #[tokio::test]
    async fn no_peer_is_a_lost_connection_and_then_an_open_breaker() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let sender = sender(free.to_string());
        assert_eq!(sender.guarding().unwrap().breaker, BreakerState::Closed);
        let error = sender.client.send("hello").await.unwrap_err();
        assert_eq!(ending(&error), Ending::Failed(Failure::Connection), "{error}");
        assert!(sender.traffic().retries > 0);
        assert_eq!(sender.traffic().on_wire, 0);

        sender.client.guard(Operation::Send).force_open();
        assert_eq!(sender.call(Message::new(1)).await, Ending::Rejected(Rejection::Breaker));
        assert_eq!(sender.guarding().unwrap().breaker, BreakerState::Open);
        let news = sender.news();
        assert_eq!((news.len(), news[0].to, &news[0].reason[..]), (1, BreakerState::Open, "by hand"));
        assert!(sender.news().is_empty(), "each change is told once");
    }
}
