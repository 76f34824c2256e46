//! The protected client over real sockets, with servers that each test starts itself.
#![cfg(feature = "dwcp")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use seawall::config::{OperationPolicy, Policies};
use seawall::core::circuit_breaker::{self, State};
use seawall::core::degradation::Level;
use seawall::core::rate_limiter::Quota;
use seawall::core::{Backoff, Ratio, bulkhead, error_budget, retry};
use seawall::dwcp::{
    CallError, CallOptions, Client, ClientConfig, IncomingRequest, Operation, Rejection, Reply, Server,
    Status, TransportConfig, TransportError,
};
use seawall::{Error, GiveUp, Policy, Rejected};
use tokio::sync::Notify;

/// Longer than anything takes on any machine; the tests wait for what happens, not for time.
const HANG: Duration = Duration::from_secs(30);

async fn within<F: Future>(what: &str, future: F) -> F::Output {
    tokio::time::timeout(HANG, future).await.unwrap_or_else(|_| panic!("{what} takes for ever"))
}

async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    within(what, async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn transport() -> TransportConfig {
    TransportConfig {
        connect_timeout: ms(1000),
        reconnect_initial: ms(2),
        reconnect_max: ms(10),
        drain_limit: ms(500),
        ..TransportConfig::default()
    }
}

async fn serve<F, Fut>(handler: F) -> Server
where
    F: Fn(IncomingRequest) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Reply> + Send,
{
    Server::bind("127.0.0.1:0", transport(), handler).await.expect("a free port")
}

async fn echo() -> Server {
    serve(async |request: IncomingRequest| Reply::ok(request.body)).await
}

/// An address that nobody listens on.
async fn deserted() -> String {
    let server = echo().await;
    let address = server.local_addr().to_string();
    server.drain(HANG).await;
    address
}

#[allow(clippy::large_types_passed_by_value)]
fn client<P: Into<String>>(peers: impl IntoIterator<Item = P>, send: Policy) -> Client {
    let policies = Policies { send: OperationPolicy::new(send), ..Policies::default() };
    Client::new(ClientConfig { policies, transport: transport(), ..ClientConfig::new(peers) })
        .expect("a valid configuration")
}

fn retries(attempts: u32) -> Policy {
    Policy::new().retry(retry::Config::attempts(attempts, Backoff::constant(ms(1))))
}

/// The error of the last attempt.
fn failed(result: Result<bytes::Bytes, Error<CallError>>) -> (CallError, u32, Option<GiveUp>) {
    match result {
        Err(Error::Failed { error, attempts, gave_up }) => (error, attempts, gave_up),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn each_operation_goes_through_its_own_guard() {
    let server = serve(async |request: IncomingRequest| {
        assert!(
            request.deadline.saturating_duration_since(tokio::time::Instant::now())
                <= Duration::from_secs(30)
        );
        assert_eq!(request.attempt, 0);
        assert_eq!(request.idempotent, matches!(request.operation, Operation::Sync | Operation::Consensus));
        Reply::ok(format!("{} {:?}", request.operation, request.body))
    })
    .await;
    let client = Client::new(ClientConfig::new([server.local_addr().to_string()])).unwrap();
    assert!(!client.is_healthy(), "nothing is connected yet");
    client.connect(&server.local_addr().to_string()).await.unwrap();
    assert!(client.is_healthy());

    assert_eq!(client.send("a").await.unwrap(), "send b\"a\"");
    assert_eq!(client.receive("b").await.unwrap(), "receive b\"b\"");
    assert_eq!(client.sync("c").await.unwrap(), "sync b\"c\"");
    assert_eq!(client.consensus("d").await.unwrap(), "consensus b\"d\"");

    // Every name that is registered is one that a request goes through, and the other way round.
    let guards = client.registry().guards();
    let names: Vec<_> = guards.iter().map(|guard| (guard.name(), guard.stats().successes)).collect();
    assert_eq!(names, [("send", 1), ("receive", 1), ("sync", 1), ("consensus", 1)]);
    assert_eq!(client.discover_peers().len(), 1);
    assert!(client.discover_peers()[0].connected);
    client.shutdown().await;
}

#[tokio::test]
async fn every_failure_reaches_the_caller() {
    let server = serve(async |request: IncomingRequest| match &request.body[..] {
        b"app" => Reply::app(7, "no such key"),
        b"unsupported" => Reply::unsupported(),
        b"internal" => panic!("the handler breaks"),
        b"shed" => Reply::rejected(Rejection::Shed),
        _ => Reply::new(Status::Timeout, ""),
    })
    .await;
    let address = server.local_addr().to_string();
    let client = client([&address], retries(3));

    let (error, attempts, _) = failed(client.send("app").await);
    assert_eq!((error, attempts), (CallError::App { code: 7, body: "no such key".into() }, 1));
    for (body, status) in [
        ("unsupported", Status::Unsupported),
        ("internal", Status::Internal),
        ("shed", Status::Rejected(Rejection::Shed)),
        ("late", Status::Timeout),
    ] {
        let (error, attempts, _) = failed(client.send(body).await);
        assert_eq!(error, CallError::Refused { peer: address.clone(), status, retry_after: None });
        // The request is not idempotent, or trying again makes no sense.
        assert_eq!(attempts, 1, "{body}");
    }
    let too_large = vec![0; transport().max_frame as usize];
    let (error, ..) = failed(client.send(too_large).await);
    assert_eq!(error.kind(), "too_large");
    assert_eq!(server.stats().requests, 5);

    let stats = client.stats().guards.guard("send").unwrap().calls;
    // The answer of the application; the broken handler and the deadline; what says nothing about the peer.
    assert_eq!((stats.successes, stats.failures, stats.ignored), (1, 2, 3));
    assert_eq!(stats.total(), 6);

    client.shutdown().await;
    let (error, ..) = failed(client.send("after the end").await);
    assert_eq!(error, CallError::Transport { peer: address, error: TransportError::Closed });
    let nobody: [&str; 0] = [];
    assert_eq!(failed(self::client(nobody, retries(3)).send("x").await).0, CallError::NoPeers);
}

#[tokio::test]
async fn a_peer_that_cannot_be_reached_is_named() {
    let address = deserted().await;
    let client = client([&address], retries(2));
    let error = client.send("hello").await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains(&format!("peer {address} is unreachable")), "{text}");
    let (error, attempts, gave_up) = failed(Err(error));
    assert_eq!((error.kind(), attempts, gave_up), ("unreachable", 2, Some(GiveUp::Attempts)));
    assert!(!error.maybe_executed());

    assert!(client.connect(&address).await.unwrap_err().to_string().contains(&address));
    let unknown = client.connect("127.0.0.1:1").await.unwrap_err();
    assert_eq!(unknown.to_string(), "peer 127.0.0.1:1 is not configured");
}

#[tokio::test]
async fn the_breaker_opens_when_the_server_is_gone_and_closes_when_it_is_back() {
    let server = echo().await;
    let address = server.local_addr().to_string();
    let breaker = circuit_breaker::Config::consecutive_failures(3).open_for(ms(20)).successes_to_close(2);
    let client = client([&address], Policy::new().circuit_breaker(breaker).timeout(HANG));
    client.send("hello").await.unwrap();

    server.drain(HANG).await;
    let mut rejection = None;
    within("opening", async {
        while rejection.is_none() {
            match client.send("hello").await {
                Err(Error::Rejected(rejected)) => rejection = Some(rejected),
                Err(Error::Failed { .. }) => {}
                other => panic!("{other:?}"),
            }
        }
    })
    .await;
    let Some(Rejected::CircuitBreaker(rejected)) = rejection else { panic!("{rejection:?}") };
    assert!(rejected.retry_after.is_some_and(|after| after <= ms(20)), "{rejected:?}");
    assert!(!client.is_healthy());
    let stats = client.stats();
    let breaker = stats.guards.guard("send").unwrap().circuit_breaker.as_ref().unwrap();
    assert_eq!(breaker.last_transition.as_ref().unwrap().to, State::Open);

    let server = within("the port", async {
        loop {
            let handler = async |request: IncomingRequest| Reply::ok(request.body);
            if let Ok(server) = Server::bind(&address, transport(), handler).await {
                break server;
            }
        }
    })
    .await;
    within("closing", async {
        while client
            .guard(Operation::Send)
            .decisions()
            .breaker()
            .unwrap()
            .status(client.guard(Operation::Send).now())
            .state
            != State::Closed
        {
            // Rejections and failed probes until the connection is back.
            let _ = client.send("hello").await;
            tokio::time::sleep(ms(1)).await;
        }
    })
    .await;
    client.send("hello").await.unwrap();
    assert!(client.is_healthy());
    let calls = client.stats().guards.guard("send").unwrap().calls;
    assert!(calls.successes >= 4 && calls.failures >= 3 && calls.rejected.circuit_breaker >= 1, "{calls:?}");
    drop(server);
}

/// A server that tells when a request has arrived, and never answers.
async fn silent() -> (Server, Arc<Notify>) {
    let arrived = Arc::new(Notify::new());
    let tell = Arc::clone(&arrived);
    let server = serve(move |_: IncomingRequest| {
        tell.notify_one();
        std::future::pending()
    })
    .await;
    (server, arrived)
}

#[tokio::test]
async fn a_future_that_is_dropped_leaves_nothing_behind() {
    let (server, arrived) = silent().await;
    let client = client([server.local_addr().to_string()], Policy::new().bulkhead(bulkhead::Config::new(1)));
    tokio::select! {
        result = client.send("hello") => panic!("{result:?}"),
        () = within("the request", arrived.notified()) => {}
    }
    let stats = client.stats();
    let send = stats.guards.guard("send").unwrap();
    assert_eq!((send.calls.cancelled, send.calls.total()), (1, 1));
    assert_eq!(send.bulkhead.unwrap().in_use, 0);
    assert_eq!(stats.peers[0].link.inflight, 0);
    assert_eq!(stats.peers[0].link.cancelled, 1);
    eventually("withdrawing", || server.stats().cancelled == 1 && server.stats().inflight == 0).await;
}

#[tokio::test]
async fn what_may_have_been_executed_is_repeated_only_if_that_does_no_harm() {
    let (server, _) = silent().await;
    let address = server.local_addr().to_string();
    let client = client([&address], retries(3).timeout(ms(30)));
    client.connect(&address).await.unwrap();
    let result = client.send("once").await;
    assert!(
        matches!(
            &result,
            Err(Error::TimedOut { attempts: 1, gave_up: Some(GiveUp::NotRetryable), .. }
                | Error::Failed { attempts: 1, gave_up: Some(GiveUp::NotRetryable), .. })
        ),
        "{result:?}"
    );
    eventually("the request", || server.stats().requests == 1).await;

    let options = CallOptions::new().idempotent(true);
    let result = client.request(Operation::Send, "as often as you like", options).await;
    assert!(
        matches!(
            &result,
            Err(Error::TimedOut { attempts: 3, gave_up: Some(GiveUp::Attempts), .. }
                | Error::Failed { attempts: 3, gave_up: Some(GiveUp::Attempts), .. })
        ),
        "{result:?}"
    );
    eventually("the others", || server.stats().requests == 4).await;
    assert_eq!(client.stats().guards.guard("send").unwrap().timeouts, 4);
}

#[tokio::test]
async fn a_lost_connection_is_not_repeated_either() {
    let (server, arrived) = silent().await;
    let address = server.local_addr().to_string();
    let client = client([&address], retries(3));
    let calling = tokio::spawn({
        let client = client.clone();
        async move { client.send("once").await }
    });
    within("the request", arrived.notified()).await;
    // Its connections end at once, as when a process is killed.
    drop(server);
    let (error, attempts, gave_up) = failed(within("the loss", calling).await.unwrap());
    assert_eq!((error.kind(), error.maybe_executed()), ("connection_lost", true));
    assert_eq!((attempts, gave_up), (1, Some(GiveUp::NotRetryable)));
    assert!(error.to_string().contains(&address), "{error}");
}

#[tokio::test]
async fn what_is_too_late_is_never_sent() {
    let server = echo().await;
    let client = client([server.local_addr().to_string()], retries(3));
    client.send("hello").await.unwrap();

    let result = client.request(Operation::Send, "late", CallOptions::new().deadline(Duration::ZERO)).await;
    assert_eq!(result, Err(Error::Rejected(Rejected::DeadlineExpired)));
    // Less than the smallest number that travels.
    let result = client.request(Operation::Send, "late", CallOptions::new().deadline(ms(1) / 2)).await;
    assert!(result.is_err(), "{result:?}");
    client.send("hello").await.unwrap();
    assert_eq!(server.stats().requests, 2);
    assert_eq!(client.stats().guards.guard("send").unwrap().calls.total(), 4);
}

#[tokio::test]
async fn a_peer_that_protects_itself_is_tried_again_when_it_says() {
    let asked = AtomicU64::new(0);
    let server = serve(move |request: IncomingRequest| {
        let first = asked.fetch_add(1, Ordering::Relaxed) == 0;
        let reply = match &request.body[..] {
            b"later" if first => Reply::rejected(Rejection::Limited).retry_after(ms(40)),
            b"never" => Reply::rejected(Rejection::BulkheadFull),
            _ => Reply::ok(vec![request.attempt]),
        };
        std::future::ready(reply)
    })
    .await;
    let policy = retries(3).circuit_breaker(circuit_breaker::Config::consecutive_failures(1));
    let client = client([server.local_addr().to_string()], policy);

    assert_eq!(client.send("later").await.unwrap()[..], [1], "the reply to the second attempt");
    let pauses = client.stats().guards.guard("send").unwrap().retry.pause;
    assert_eq!(pauses.count, 1);
    assert!(pauses.p50.is_some_and(|pause| pause >= ms(40)), "{pauses:?}");

    let (error, attempts, _) = failed(client.send("never").await);
    assert_eq!((error.kind(), error.maybe_executed(), attempts), ("rejected_by_peer", false, 1));
    // A peer that says no is alive: the breaker of one failure is closed.
    client.send("hello").await.unwrap();
    assert_eq!(server.stats().requests, 4);
}

#[tokio::test]
async fn too_much_is_refused_before_it_is_sent() {
    let (server, arrived) = silent().await;
    let peer = server.local_addr().to_string();
    let bulkhead = bulkhead::Config::new(1).max_waiting(0);
    let policy = Policy::new().bulkhead(bulkhead).rate_limit(Quota::new(2, HANG * 100));
    let client = client([&peer], policy);
    let running = client.send("first");
    let checks = async {
        within("the first", arrived.notified()).await;
        let second = client.send("second").await;
        assert!(matches!(second, Err(Error::Rejected(Rejected::Bulkhead(_)))), "{second:?}");
    };
    tokio::select! {
        result = running => panic!("{result:?}"),
        () = checks => {}
    }
    // The refused call gave its token back, so one is left; the bucket then is empty.
    tokio::select! {
        result = client.send("third") => panic!("{result:?}"),
        () = within("the third", arrived.notified()) => {}
    }
    let fourth = client.send("fourth").await;
    let Err(Error::Rejected(Rejected::RateLimiter(rejected))) = fourth else { panic!("{fourth:?}") };
    assert!(rejected.retry_after().is_some());
    assert_eq!(server.stats().requests, 2);
    let calls = client.stats().guards.guard("send").unwrap().calls;
    assert_eq!((calls.rejected.bulkhead, calls.rejected.rate_limiter, calls.cancelled), (1, 1, 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_books_balance_and_every_reply_is_the_request_s_own() {
    const CALLS: u64 = 400;
    let executed = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&executed);
    let server = serve(move |request: IncomingRequest| {
        let n = count.fetch_add(1, Ordering::Relaxed);
        async move {
            match n % 10 {
                3 => Reply::app(1, request.body),
                5 => Reply::rejected(Rejection::Limited).retry_after(ms(1)),
                _ => Reply::ok(request.body),
            }
        }
    })
    .await;
    let policy = retries(4).bulkhead(bulkhead::Config::new(8).max_waiting(16).max_wait(ms(5)));
    let client = client([server.local_addr().to_string()], policy);
    let mut calls = tokio::task::JoinSet::new();
    for n in 0..CALLS {
        let client = client.clone();
        calls.spawn(async move { (n, client.send(n.to_string()).await) });
    }
    let (mut succeeded, mut ignored, mut rejected) = (0, 0, 0);
    while let Some(call) = within("the calls", calls.join_next()).await {
        let (n, result) = call.unwrap();
        match result {
            Ok(body) | Err(Error::Failed { error: CallError::App { code: 1, body }, .. }) => {
                assert_eq!(body, n.to_string());
                succeeded += 1;
            }
            Err(Error::Failed { error: CallError::Refused { status: Status::Rejected(_), .. }, .. }) => {
                ignored += 1;
            }
            Err(Error::Rejected(_)) => rejected += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(succeeded + ignored + rejected, CALLS);
    let stats = client.stats();
    let send = stats.guards.guard("send").unwrap();
    assert_eq!(
        (send.calls.successes, send.calls.failures, send.calls.ignored, send.calls.rejected.total()),
        (succeeded, 0, ignored, rejected)
    );
    assert_eq!(send.calls.total(), CALLS);
    let link = &stats.peers[0].link;
    // Each attempt of each admitted call was one request with one reply.
    assert_eq!(link.requests, CALLS - rejected + send.retry.retries);
    assert_eq!((link.requests, link.replies), (server.stats().requests, server.stats().requests));
    assert_eq!(executed.load(Ordering::Relaxed), link.requests);
    assert_eq!((link.inflight, send.bulkhead.unwrap().in_use), (0, 0));
}

#[tokio::test]
async fn requests_go_to_the_peers_that_live_in_turn() {
    let servers = [echo().await, echo().await];
    let gone = deserted().await;
    let addresses: Vec<_> =
        servers.iter().map(|server| server.local_addr().to_string()).chain([gone.clone()]).collect();
    let client = client(&addresses, retries(1));
    for address in &addresses[..2] {
        client.connect(address).await.unwrap();
    }
    for _ in 0..10 {
        client.send("hello").await.unwrap();
    }
    assert_eq!(servers.each_ref().map(|server| server.stats().requests), [5, 5]);
    let infos = client.discover_peers();
    assert_eq!(infos.iter().map(|info| info.connected).collect::<Vec<_>>(), [true, true, false]);
    assert_eq!(infos[2].address, gone);
}

#[tokio::test]
async fn an_exhausted_error_budget_degrades_the_node() {
    let address = deserted().await;
    let budget = error_budget::Config::new(Ratio::percent(90), HANG).minimum_calls(2);
    let client = client([&address], Policy::new().error_budget(budget));
    assert_eq!(client.registry().level(), Level::Normal);
    for _ in 0..2 {
        client.send("hello").await.unwrap_err();
    }
    assert_eq!(client.registry().level(), Level::Degraded);
    let stats = client.stats();
    assert_eq!(stats.guards.degradation_level, Level::Degraded);
    assert!(stats.guards.guard("send").unwrap().error_budget.unwrap().exhausted);
}

#[tokio::test]
async fn without_protection_every_failure_is_tried_four_times() {
    let address = deserted().await;
    let policies = Policies::default().unprotected();
    let config = ClientConfig { policies, transport: transport(), ..ClientConfig::new([&address]) };
    let client = Client::new(config).unwrap();
    for _ in 0..3 {
        let (error, attempts, gave_up) = failed(client.send("hello").await);
        assert_eq!((error.kind(), attempts, gave_up), ("unreachable", 4, Some(GiveUp::Attempts)));
    }
    let calls = client.stats().guards.guard("send").unwrap().calls;
    assert_eq!((calls.failures, calls.rejected.total()), (3, 0));
}

#[test]
fn a_client_is_made_only_from_what_makes_sense() {
    let peer = "127.0.0.1:7400";
    let error = Client::new(ClientConfig::new([peer, peer])).unwrap_err();
    assert_eq!(error.to_string(), "peer 127.0.0.1:7400 is named twice");
    let mut config = ClientConfig::new([peer]);
    config.transport.max_inflight = 0;
    let error = Client::new(config).unwrap_err();
    assert_eq!(error.to_string(), "transport configuration: max_inflight is 0, must be 1 to 65536");
    let mut config = ClientConfig::new([peer]);
    config.policies.sync.policy = Policy::new().deadline(Duration::ZERO);
    let error = Client::new(config).unwrap_err();
    assert_eq!(error.to_string(), "sync.deadline must be greater than zero");
}
