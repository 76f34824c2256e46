//! The DWCP transport over loopback sockets: requests, peers, servers, and how they end.
#![cfg(feature = "dwcp")]

use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use seawall::dwcp::{
    CloseReason, Connection, Handler, IncomingPush, IncomingRequest, LinkStats, Operation, Peer, PeerStats,
    Reply, Request, Resource, Server, ServerStats, StartError, Status, TransportConfig, TransportError,
};
use tokio::net::TcpListener;
use tokio::sync::{Notify, Semaphore};
use tokio::time::{Instant, sleep, timeout};

#[path = "dwcp_transport/hostile.rs"]
mod hostile;
#[path = "dwcp_transport/raw.rs"]
mod raw;
#[path = "dwcp_transport/server.rs"]
mod server;

use raw::{HANG, eventually, named};

async fn echo(request: IncomingRequest) -> Reply {
    Reply::ok(request.body)
}

/// Listens where a server listened a moment ago: its listener ends with its task, which may not have run yet.
async fn bind_again<H: Handler + Clone>(address: &str, handler: &H) -> Server {
    let binding = async {
        loop {
            match Server::bind(address, named("server"), handler.clone()).await {
                Ok(server) => return server,
                Err(_) => sleep(Duration::from_millis(1)).await,
            }
        }
    };
    timeout(HANG, binding).await.expect("the address becomes free")
}

async fn echo_server() -> Server {
    Server::bind("127.0.0.1:0", named("server"), echo).await.unwrap()
}

async fn connect(server: &Server) -> Connection {
    Connection::connect(&server.local_addr().to_string(), &named("client")).await.unwrap()
}

fn send(body: impl Into<Bytes>) -> Request {
    Request::new(Operation::Send, body)
}

/// A server that waits for a permit before each reply.
async fn gated(config: TransportConfig) -> (Server, Arc<Semaphore>) {
    let gate = Arc::new(Semaphore::new(0));
    let handler = {
        let gate = Arc::clone(&gate);
        move |request: IncomingRequest| {
            let gate = Arc::clone(&gate);
            async move {
                gate.acquire().await.unwrap().forget();
                Reply::ok(request.body)
            }
        }
    };
    (Server::bind("127.0.0.1:0", config, handler).await.unwrap(), gate)
}

#[tokio::test]
async fn a_request_carries_everything_it_says() {
    let seen = Arc::new(Mutex::new(None));
    let handler = {
        let seen = Arc::clone(&seen);
        move |request: IncomingRequest| {
            *seen.lock().unwrap() = Some(request.clone());
            async move { Reply::app(42, request.body).retry_after(Duration::from_micros(1500)) }
        }
    };
    let server = Server::bind("127.0.0.1:0", named("server"), handler).await.unwrap();
    let connection = connect(&server).await;
    assert_eq!(connection.remote_id().as_str(), "server");

    let body = Bytes::from(vec![9; 1_000_000]);
    let request = Request::new(Operation::Consensus, body.clone())
        .timeout(Duration::from_secs(20))
        .attempt(3)
        .priority(200)
        .idempotent(true);
    let response = connection.request(request).await.unwrap();
    assert_eq!(response.status, Status::App(42));
    assert!(response.body == body);
    assert_eq!(response.retry_after, Some(Duration::from_millis(2)));

    let seen = seen.lock().unwrap().take().unwrap();
    assert_eq!(
        (seen.peer.as_str(), seen.operation, seen.attempt, seen.priority, seen.idempotent),
        ("client", Operation::Consensus, 3, 200, true)
    );
    let left = seen.deadline.saturating_duration_since(Instant::now());
    assert!(left <= Duration::from_secs(20), "{left:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_requests_at_once_get_their_own_replies() {
    let handler = async |request: IncomingRequest| {
        // Later requests often answer first.
        let number: u64 = std::str::from_utf8(&request.body).unwrap().parse().unwrap();
        sleep(Duration::from_millis(number * 7919 % 20)).await;
        Reply::ok(request.body)
    };
    let server = Server::bind("127.0.0.1:0", named("server"), handler).await.unwrap();
    let peer = Peer::new(server.local_addr().to_string(), named("client")).unwrap();
    let calls: Vec<_> = (0..1000)
        .map(|number| {
            let peer = peer.clone();
            tokio::spawn(async move {
                let response = peer.request(send(number.to_string())).await.unwrap();
                assert_eq!(response.body, number.to_string().as_bytes());
            })
        })
        .collect();
    for call in calls {
        call.await.unwrap();
    }
    let stats = peer.stats();
    assert_eq!((stats.link.requests, stats.link.replies, stats.link.inflight), (1000, 1000, 0));
    assert_eq!((stats.link.late_replies, stats.connects), (0, 1));
    assert_eq!((server.stats().requests, server.stats().replies), (1000, 1000));
}

#[tokio::test]
async fn a_dropped_request_ends_its_handler() {
    let (server, _gate) = gated(named("server")).await;
    let connection = connect(&server).await;
    let given_up = timeout(Duration::from_millis(20), connection.request(send("x"))).await;
    assert!(given_up.is_err());
    eventually("the handler is dropped", || {
        let stats = server.stats();
        (stats.requests, stats.cancelled, stats.inflight) == (1, 1, 0)
    })
    .await;
    let stats = connection.stats();
    assert_eq!((stats.cancelled, stats.inflight, stats.late_replies), (1, 0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropping_a_request_at_any_point_leaves_nothing_behind() {
    let handler = async |request: IncomingRequest| {
        tokio::task::yield_now().await;
        Reply::ok(request.body)
    };
    let server = Server::bind("127.0.0.1:0", named("server"), handler).await.unwrap();
    let connection = connect(&server).await;
    let mut answered = 0;
    for round in 0..2000_u32 {
        let body = round.to_string();
        tokio::select! {
            biased;
            response = connection.request(send(body.clone())) => {
                assert_eq!(response.unwrap().body, body.as_bytes());
                answered += 1;
            }
            () = async { for _ in 0..round % 40 { tokio::task::yield_now().await; } } => {}
        }
    }
    // Whatever became of the others, this one gets its own reply.
    assert_eq!(connection.request(send("last")).await.unwrap().body, "last");
    answered += 1;
    eventually("nothing is in flight", || server.stats().inflight == 0 && connection.stats().inflight == 0)
        .await;
    let stats = connection.stats();
    assert_eq!(stats.requests, 2001);
    assert!(stats.replies >= answered, "{stats:?}");
    // A reply that came in the moment of the drop is matched, and then nobody reads it.
    assert_eq!(stats.replies + stats.cancelled, stats.requests, "{stats:?}");
}

#[tokio::test]
async fn a_deadline_ends_the_request_on_both_sides() {
    let (server, _gate) = gated(named("server")).await;
    let connection = connect(&server).await;
    let result = connection.request(send("x").timeout(Duration::from_millis(20))).await;
    match result {
        // Whichever side is first to notice.
        Err(TransportError::TimedOut { maybe_executed: true }) => {}
        Ok(response) => assert_eq!(response.status, Status::Timeout),
        Err(other) => panic!("{other}"),
    }
    eventually("the handler is dropped", || server.stats().inflight == 0).await;
    let unsent = connection.request(send("x").deadline(Instant::now())).await;
    assert_eq!(unsent, Err(TransportError::TimedOut { maybe_executed: false }));
    assert_eq!(server.stats().requests, 1);
}

#[tokio::test]
async fn a_panic_in_a_handler_ends_that_request_only() {
    let handler = async |request: IncomingRequest| {
        assert!(request.body != "bad", "a panic that the test wants");
        Reply::ok(request.body)
    };
    let server = Server::bind("127.0.0.1:0", named("server"), handler).await.unwrap();
    let connection = connect(&server).await;
    assert_eq!(connection.request(send("bad")).await.unwrap().status, Status::Internal);
    assert_eq!(connection.request(send("good")).await.unwrap().status, Status::Ok);
    let stats = server.stats();
    assert_eq!((stats.panics, stats.replies, stats.inflight), (1, 1, 0));
}

#[tokio::test]
async fn what_does_not_fit_is_refused_on_either_side() {
    let handler = async |_: IncomingRequest| Reply::ok(vec![0; 10_000]);
    let server = Server::bind("127.0.0.1:0", named("server"), handler).await.unwrap();
    let small = TransportConfig { max_frame: 8192, ..named("client") };
    let connection = Connection::connect(&server.local_addr().to_string(), &small).await.unwrap();
    let response = connection.request(send("x")).await.unwrap();
    assert_eq!((response.status, response.body.len()), (Status::TooLarge, 0));
    assert_eq!(server.stats().replies_too_large, 1);

    let result = connection.request(send(vec![0; 1 << 20])).await;
    assert!(matches!(result, Err(TransportError::TooLarge { limit: 1_048_576, .. })), "{result:?}");
    assert!(connection.is_open());
}

#[tokio::test]
async fn a_local_limit_refuses_at_once() {
    let (server, gate) = gated(named("server")).await;
    let config = TransportConfig { max_inflight: 2, ..named("client") };
    let connection = Connection::connect(&server.local_addr().to_string(), &config).await.unwrap();
    let (first, second) = (connection.request(send("1")), connection.request(send("2")));
    let third = async {
        eventually("two are in flight", || connection.stats().inflight == 2).await;
        let refused = connection.request(send("3")).await;
        gate.add_permits(2);
        refused
    };
    let (first, second, third) = tokio::join!(first, second, third);
    assert!(first.is_ok() && second.is_ok());
    assert_eq!(third, Err(TransportError::Overloaded { resource: Resource::InFlight, limit: 2 }));
    assert_eq!(connection.stats().refused_inflight, 1);
    gate.add_permits(1);
    assert!(connection.request(send("4")).await.is_ok());
}

#[tokio::test]
async fn one_way_messages_reach_the_handler() {
    #[derive(Clone)]
    struct Collect(Arc<(Mutex<Vec<IncomingPush>>, Notify)>);

    impl Handler for Collect {
        async fn handle(&self, _: IncomingRequest) -> Reply {
            Reply::unsupported()
        }

        async fn push(&self, message: IncomingPush) {
            self.0.0.lock().unwrap().push(message);
            self.0.1.notify_one();
        }

        fn load(&self) -> Option<u8> {
            Some(77)
        }
    }

    let collect = Collect(Arc::default());
    let server = Server::bind("127.0.0.1:0", named("server"), collect.clone()).await.unwrap();
    let connection = connect(&server).await;
    connection.push(Operation::Sync, "news").unwrap();
    timeout(HANG, collect.0.1.notified()).await.unwrap();
    {
        let got = collect.0.0.lock().unwrap();
        assert_eq!((got.len(), &got[0].body[..], got[0].operation), (1, &b"news"[..], Operation::Sync));
        assert_eq!(got[0].peer.as_str(), "client");
    }
    let response = connection.request(send("x")).await.unwrap();
    assert_eq!((response.status, response.load, connection.load()), (Status::Unsupported, 77, 77));
}

#[tokio::test]
async fn pings_measure_the_round_trip() {
    let server = echo_server().await;
    let config =
        TransportConfig { ping_interval: Duration::from_millis(5), missed_pings: 100, ..named("client") };
    let peer = Peer::new(server.local_addr().to_string(), config).unwrap();
    peer.connect().await.unwrap();
    eventually("a round trip is known", || peer.rtt().is_some()).await;
    let stats = peer.stats();
    assert!(stats.connected && stats.rtt_micros.is_some(), "{stats:?}");
    assert_eq!(stats.node_id.unwrap().as_str(), "server");
}

#[tokio::test]
async fn a_peer_that_is_down_is_named_and_fails_fast_and_comes_back() {
    // A port that was free a moment ago.
    let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string();
    let config = TransportConfig { reconnect_max: Duration::from_millis(50), ..named("client") };
    let peer = Peer::new(address.clone(), config).unwrap();
    assert!(!peer.is_connected());

    let error = peer.request(send("x")).await.unwrap_err();
    assert!(error.to_string().starts_with(&format!("peer {address} is unreachable: ")), "{error}");
    assert!(!error.maybe_executed());
    let TransportError::Unreachable { retry_after: Some(after), .. } = &error else { panic!("{error:?}") };
    assert!(*after <= Duration::from_millis(50));
    assert!(peer.last_error().is_some());
    assert!(peer.stats().connect_failures >= 1);
    assert!(matches!(peer.push(Operation::Send, "x"), Err(TransportError::Unreachable { .. })));

    let server = bind_again(&address, &echo).await;
    eventually("it connects", || peer.is_healthy()).await;
    assert_eq!(peer.request(send("x")).await.unwrap().body, "x");
    let requests = server.stats().requests;
    assert_eq!(requests, 1, "what failed was not sent");

    drop(server);
    eventually("it notices", || !peer.is_connected()).await;
    assert!(peer.request(send("x")).await.is_err());
    let _server = bind_again(&address, &echo).await;
    eventually("it connects again", || peer.is_healthy()).await;
    assert_eq!(peer.request(send("y")).await.unwrap().body, "y");
    assert_eq!((peer.stats().connects, peer.stats().disconnects), (2, 1));
}

#[tokio::test]
async fn a_closed_peer_stays_closed() {
    let server = echo_server().await;
    let peer = Peer::new(server.local_addr().to_string(), named("client")).unwrap();
    assert!(peer.request(send("x")).await.is_ok());
    peer.close().await;
    assert_eq!(peer.request(send("x")).await, Err(TransportError::Closed));
    assert_eq!(peer.connect().await, Err(TransportError::Closed));
    eventually("the server sees it", || server.stats().connections == 0).await;
    assert_eq!((server.stats().accepted, server.stats().closed_clean), (1, 1));
    // Closing before the first use is no different.
    let peer = Peer::new(server.local_addr().to_string(), named("client")).unwrap();
    peer.close().await;
    assert_eq!(peer.request(send("x")).await, Err(TransportError::Closed));
}

#[tokio::test]
async fn closing_waits_for_what_is_in_flight() {
    let (server, gate) = gated(named("server")).await;
    // The limit is beyond all patience, so it is the last reply that lets the connection close.
    let config = TransportConfig { drain_limit: Duration::from_secs(3600), ..named("client") };
    let connection = Connection::connect(&server.local_addr().to_string(), &config).await.unwrap();
    let call = connection.request(send("x"));
    let close = async {
        eventually("it runs", || server.stats().inflight == 1).await;
        let close = connection.close();
        let release = async {
            eventually("it closes", || !connection.is_open()).await;
            assert_eq!(connection.request(send("y")).await, Err(TransportError::Closed));
            gate.add_permits(1);
        };
        tokio::join!(close, release);
    };
    let (response, ()) = timeout(HANG, async { tokio::join!(call, close) }).await.unwrap();
    assert_eq!(response.unwrap().body, "x");
    assert_eq!(connection.closed().await, CloseReason::Local);
}

#[tokio::test]
async fn the_last_handle_takes_the_connection_with_it() {
    let server = echo_server().await;
    let peer = Peer::new(server.local_addr().to_string(), named("client")).unwrap();
    let clone = peer.clone();
    peer.connect().await.unwrap();
    drop(peer);
    assert!(clone.request(send("x")).await.is_ok());
    drop(clone);
    eventually("the server sees it", || server.stats().connections == 0).await;
}

#[test]
fn a_configuration_out_of_bounds_names_every_field() {
    let config = TransportConfig {
        max_frame: 17 << 20,
        max_inflight: 0,
        ping_interval: Duration::ZERO,
        reconnect_max: Duration::from_millis(10),
        ..TransportConfig::default()
    };
    let error = Peer::new("127.0.0.1:1", config).unwrap_err();
    let told = error.violations();
    for expected in [
        "max_frame is 17825792, must be 4096 to 16777216",
        "max_inflight is 0, must be 1 to 65536",
        "ping_interval is 0ns, must be 1ms to 24h",
        "reconnect_max is 10ms, must be at least reconnect_initial (50ms)",
    ] {
        assert!(told.iter().any(|violation| violation == expected), "{expected}: {told:?}");
    }
}

#[test]
fn what_is_shared_can_be_shared() {
    fn shared<T: Send + Sync + core::fmt::Debug + 'static>() {}
    fn told<T: serde::Serialize>() {}
    shared::<Connection>();
    shared::<Peer>();
    shared::<Server>();
    shared::<TransportError>();
    shared::<StartError>();
    told::<LinkStats>();
    told::<PeerStats>();
    told::<ServerStats>();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_counted_twice_while_connections_are_killed() {
    let executed = Arc::new(AtomicU64::new(0));
    let handler = {
        let executed = Arc::clone(&executed);
        move |request: IncomingRequest| {
            executed.fetch_add(1, Ordering::Relaxed);
            async move { Reply::ok(request.body) }
        }
    };
    let mut server = Server::bind("127.0.0.1:0", named("server"), handler.clone()).await.unwrap();
    let address = server.local_addr().to_string();
    let config = TransportConfig {
        reconnect_initial: Duration::from_millis(1),
        reconnect_max: Duration::from_millis(5),
        ..named("client")
    };
    let peer = Peer::new(address.clone(), config).unwrap();
    peer.connect().await.unwrap();
    let (mut ok, mut unexecuted, mut maybe) = (0_u64, 0_u64, 0_u64);
    for round in 0..5 {
        let calls: Vec<_> = (0..200)
            .map(|n| {
                let peer = peer.clone();
                let body = format!("{round}-{n}");
                tokio::spawn(async move {
                    let response = peer.request(send(body.clone())).await?;
                    assert_eq!(response.body, body.as_bytes());
                    Ok::<(), TransportError>(())
                })
            })
            .collect();
        drop(server);
        for call in calls {
            match call.await.unwrap() {
                Ok(()) => ok += 1,
                Err(error) if error.maybe_executed() => maybe += 1,
                Err(_) => unexecuted += 1,
            }
        }
        server = bind_again(&address, &handler).await;
        eventually("it connects again", || peer.is_healthy()).await;
    }
    drop(server);
    assert_eq!(ok + unexecuted + maybe, 1000);
    let ran = executed.load(Ordering::Relaxed);
    assert!((ok..=ok + maybe).contains(&ran), "ok {ok}, maybe {maybe}, ran {ran}");
    let link = peer.stats().link;
    assert_eq!((link.replies, link.lost, link.inflight), (ok, link.requests - ok, 0), "{link:?}");
}
