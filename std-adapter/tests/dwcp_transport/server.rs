//! How many connections a server takes, and how it ends.

use core::time::Duration;

use seawall::dwcp::{
    Connection, Peer, Rejection, Server, StartError, Status, TransportConfig, TransportError,
};
use tokio::net::TcpStream;

use crate::raw::{self, HANG, Raw, eventually, named};
use crate::{connect, echo, echo_server, gated, send};

#[tokio::test]
async fn a_connection_beyond_the_cap_is_told_so() {
    let config = TransportConfig { max_connections: 2, ..named("server") };
    let server = Server::bind("127.0.0.1:0", config, echo).await.unwrap();
    let (first, _second) = (connect(&server).await, connect(&server).await);
    let address = server.local_addr().to_string();
    let third = Connection::connect(&address, &named("client")).await.unwrap_err();
    assert!(third.to_string().contains("too many connections"), "{third}");
    assert_eq!((server.stats().refused, server.stats().connections), (1, 2));
    assert!(first.request(send("x")).await.is_ok());
    first.close().await;
    eventually("there is room again", || server.stats().connections == 1).await;
    assert!(connect(&server).await.request(send("x")).await.is_ok());
}

#[tokio::test]
async fn a_flood_of_connections_leaves_the_node_alive() {
    let config = TransportConfig {
        max_connections: 8,
        handshake_timeout: Duration::from_millis(250),
        ..named("server")
    };
    let server = Server::bind("127.0.0.1:0", config, echo).await.unwrap();
    let mut flood = Vec::new();
    for _ in 0..100 {
        flood.push(TcpStream::connect(server.local_addr()).await.unwrap());
    }
    eventually("silent connections are closed", || {
        let stats = server.stats();
        stats.accepted == 100 && stats.connections == 0
    })
    .await;
    let stats = server.stats();
    assert_eq!(stats.closed_handshake_timeout + stats.refused, 100, "{stats:?}");
    drop(flood);
    // A handle tries again, should this machine be too busy to greet within the limit.
    let peer = Peer::new(server.local_addr().to_string(), named("client")).unwrap();
    let _ = peer.connect().await;
    eventually("it is served", || peer.is_connected()).await;
    assert!(peer.request(send("x")).await.is_ok());
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let server = echo_server().await;
    let address = server.local_addr().to_string();
    let error = Server::bind(&address, named("other"), echo).await.unwrap_err();
    assert!(
        matches!(&error, StartError::Bind { source, .. } if source.kind() == std::io::ErrorKind::AddrInUse)
    );
    assert!(error.to_string().starts_with(&format!("cannot listen on {address}: ")), "{error}");
    let error = Server::bind("no address", named("other"), echo).await.unwrap_err();
    assert!(error.to_string().starts_with("cannot listen on no address: "), "{error}");
}

#[tokio::test]
async fn draining_finishes_what_runs_and_takes_nothing_new() {
    let (server, gate) = gated(named("server")).await;
    let connection = connect(&server).await;
    let address = server.local_addr().to_string();
    let call = connection.request(send("x"));
    let drain = async {
        eventually("it runs", || server.stats().inflight == 1).await;
        let during = async {
            eventually("the goodbye arrives", || !connection.is_open()).await;
            assert_eq!(connection.request(send("y")).await, Err(TransportError::Draining));
            gate.add_permits(1);
        };
        tokio::join!(server.drain(HANG), during).0
    };
    let (response, drained) = tokio::join!(call, drain);
    assert_eq!(response.unwrap().body, "x");
    assert!(drained.is_complete());
    assert_eq!((server.stats().connections, server.stats().requests), (0, 1));
    assert!(Connection::connect(&address, &named("client")).await.is_err());
    assert!(server.drain(HANG).await.is_complete(), "a second drain has nothing to do");
}

#[tokio::test]
async fn draining_cuts_off_what_outlasts_the_limit() {
    let (server, _gate) = gated(named("server")).await;
    let connection = connect(&server).await;
    let call = connection.request(send("x"));
    let drain = async {
        eventually("it runs", || server.stats().inflight == 1).await;
        server.drain(Duration::from_millis(20)).await
    };
    let (response, drained) = tokio::join!(call, drain);
    assert!(response.unwrap_err().maybe_executed());
    assert_eq!(drained.aborted, 1);
    eventually("the handler is dropped", || server.stats().inflight == 0).await;
}

#[tokio::test]
async fn a_request_that_crosses_the_goodbye_is_rejected_as_draining() {
    let (server, gate) = gated(named("server")).await;
    let mut raw = Raw::new(TcpStream::connect(server.local_addr()).await.unwrap());
    raw.greet_as_client().await;
    raw.send(raw::request(1)).await;
    eventually("it runs", || server.stats().inflight == 1).await;
    let crossing = async {
        let goodbye = raw.receive_news().await.unwrap().header;
        assert!(matches!(goodbye, seawall::dwcp::Header::GoAway { last_id: 1, .. }), "{goodbye:?}");
        raw.send(raw::request(2)).await;
        let seawall::dwcp::Header::Response(answer) = raw.receive_news().await.unwrap().header else {
            panic!()
        };
        assert_eq!((answer.id, answer.status), (2, Status::Rejected(Rejection::Draining)));
        gate.add_permits(1);
        let seawall::dwcp::Header::Response(answer) = raw.receive_news().await.unwrap().header else {
            panic!()
        };
        assert_eq!((answer.id, answer.status), (1, Status::Ok));
        assert_eq!(raw.receive_news().await, None);
        drop(raw);
    };
    let (drained, ()) = tokio::join!(server.drain(HANG), crossing);
    assert!(drained.is_complete());
    assert_eq!((server.stats().rejected_draining, server.stats().replies), (1, 1));
}

#[tokio::test]
async fn a_server_that_is_dropped_ends_its_connections() {
    let (server, _gate) = gated(named("server")).await;
    let connection = connect(&server).await;
    let call = connection.request(send("x"));
    let end = async {
        eventually("it runs", || server.stats().inflight == 1).await;
        drop(server);
    };
    let (response, ()) = tokio::join!(call, end);
    assert!(
        matches!(response, Err(TransportError::ConnectionLost { maybe_executed: true, .. })),
        "{response:?}"
    );
}
