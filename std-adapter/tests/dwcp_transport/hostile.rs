//! The DWCP transport against peers that are slow, broken or hostile. Time is virtual, links are in memory.

use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::sync::Arc;

use bytes::Bytes;
use seawall::dwcp::{
    CloseReason, Connection, Frame, GoAwayReason, Header, Hello, IncomingRequest, Operation, Rejection,
    Reply, Request, Resource, ServerStats, Status, TransportConfig, TransportError, Violation, encode_frame,
    serve_link,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use crate::raw::{self, HANG, Raw, hello, named, request, request_with};

const PIPE: usize = 1 << 16;

type Serving = JoinHandle<(CloseReason, ServerStats)>;

fn serve_with<F, Fut>(config: TransportConfig, pipe: usize, handler: F) -> (Raw<DuplexStream>, Serving)
where
    F: Fn(IncomingRequest) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Reply> + Send + 'static,
{
    let (ours, theirs) = duplex(pipe);
    let serving = tokio::spawn(async move { serve_link(ours, config, handler).await.unwrap() });
    (Raw::new(theirs), serving)
}

fn serve(config: TransportConfig) -> (Raw<DuplexStream>, Serving) {
    serve_with(config, PIPE, |request| async move { Reply::ok(request.body) })
}

/// A server whose requests never end by themselves.
fn serve_stuck(config: TransportConfig) -> (Raw<DuplexStream>, Serving) {
    serve_with(config, PIPE, |_| core::future::pending())
}

async fn ended(serving: Serving) -> (CloseReason, ServerStats) {
    timeout(Duration::from_secs(3600), serving).await.expect("the connection ends").unwrap()
}

async fn client(config: TransportConfig, pipe: usize) -> (Arc<Connection>, Raw<DuplexStream>) {
    let (ours, theirs) = duplex(pipe);
    let mut raw = Raw::new(theirs);
    let (connection, ()) = tokio::join!(Connection::over(ours, &config), raw.greet_as_server());
    (Arc::new(connection.unwrap()), raw)
}

fn call(connection: &Arc<Connection>, body: impl Into<Bytes>) -> JoinHandle<Result<String, TransportError>> {
    let (connection, request) = (Arc::clone(connection), Request::new(Operation::Send, body));
    tokio::spawn(async move {
        let response = connection.request(request).await?;
        Ok(String::from_utf8(response.body.to_vec()).unwrap())
    })
}

fn status(frame: Option<Frame>) -> (u64, Status) {
    match frame {
        Some(Frame { header: Header::Response(header), .. }) => (header.id, header.status),
        other => panic!("a reply was expected, not {other:?}"),
    }
}

fn goaway(frame: Option<Frame>) -> GoAwayReason {
    match frame {
        Some(Frame { header: Header::GoAway { reason, .. }, .. }) => reason,
        other => panic!("a goodbye was expected, not {other:?}"),
    }
}

// ---- The requesting side ----

#[tokio::test(start_paused = true)]
async fn a_late_reply_is_dropped_and_matched_to_nothing() {
    let (connection, mut raw) = client(named("client"), PIPE).await;
    let first = call(&connection, "first");
    let id = raw.receive_request().await;
    first.abort();
    assert_eq!(raw.receive_news().await, Some(Frame::bare(Header::Cancel { id })));

    let second = call(&connection, "second");
    let next = raw.receive_request().await;
    assert!(next > id, "a number is never used again");
    raw.reply(id, "for the first").await;
    raw.reply(next, "for the second").await;
    assert_eq!(second.await.unwrap().unwrap(), "for the second");
    // The reply comes a second time.
    raw.reply(next, "again").await;
    sleep(Duration::from_millis(1)).await;
    let stats = connection.stats();
    assert_eq!((stats.cancelled, stats.late_replies, stats.replies), (1, 2, 1));
    assert!(connection.is_open());
}

#[tokio::test(start_paused = true)]
async fn a_request_past_its_deadline_is_withdrawn() {
    let (connection, mut raw) = client(named("client"), PIPE).await;
    let request = Request::new(Operation::Send, "x").timeout(Duration::from_secs(2));
    let (result, id) = tokio::join!(connection.request(request), raw.receive_request());
    assert_eq!(result, Err(TransportError::TimedOut { maybe_executed: true }));
    assert_eq!(raw.receive_news().await, Some(Frame::bare(Header::Cancel { id })));
    assert_eq!((connection.stats().timed_out, connection.stats().cancelled), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_connection_killed_in_flight_fails_every_request_at_once() {
    let (connection, mut raw) = client(named("client"), PIPE).await;
    let calls: Vec<_> = (0..100).map(|n| call(&connection, n.to_string())).collect();
    for _ in 0..100 {
        raw.receive_request().await;
    }
    let before = Instant::now();
    drop(raw);
    for call in calls {
        let error = call.await.unwrap().unwrap_err();
        assert_eq!(
            error,
            TransportError::ConnectionLost { maybe_executed: true, reason: CloseReason::PeerClosed }
        );
    }
    assert_eq!(before.elapsed(), Duration::ZERO);
    assert_eq!(connection.closed().await, CloseReason::PeerClosed);
    assert_eq!((connection.stats().lost, connection.stats().inflight), (100, 0));
    let after = connection.request(Request::new(Operation::Send, "x")).await;
    assert!(matches!(after, Err(TransportError::ConnectionLost { maybe_executed: false, .. })), "{after:?}");
}

#[tokio::test(start_paused = true)]
async fn a_request_that_never_left_was_not_executed() {
    // The pipe holds a few bytes, and nobody reads them after the greeting.
    let (connection, raw) = client(named("client"), 64).await;
    let first = call(&connection, "small");
    let second = call(&connection, vec![b'x'; 1000]);
    sleep(Duration::from_millis(1)).await;
    drop(raw);
    assert!(first.await.unwrap().unwrap_err().maybe_executed(), "it was written whole");
    assert!(!second.await.unwrap().unwrap_err().maybe_executed(), "its end was never written");
}

#[tokio::test(start_paused = true)]
async fn a_goodbye_says_what_was_not_executed() {
    let (connection, mut raw) = client(named("client"), PIPE).await;
    let (first, second) = (call(&connection, "1"), call(&connection, "2"));
    let accepted = raw.receive_request().await;
    raw.receive_request().await;
    raw.send(Frame::bare(Header::GoAway { reason: GoAwayReason::Shutdown, last_id: accepted })).await;
    sleep(Duration::from_millis(1)).await;
    let refused = connection.request(Request::new(Operation::Send, "3")).await;
    assert_eq!(refused, Err(TransportError::Draining));
    drop(raw);
    let (first, second) = (first.await.unwrap().unwrap_err(), second.await.unwrap().unwrap_err());
    let mut executed = [first.maybe_executed(), second.maybe_executed()];
    executed.sort_unstable();
    assert_eq!(executed, [false, true]);
    assert_eq!(connection.closed().await, CloseReason::GoAway(GoAwayReason::Shutdown));
}

#[tokio::test(start_paused = true)]
async fn a_full_writer_queue_refuses_at_once() {
    let config =
        TransportConfig { max_frame: 4096, writer_queue: 5000, max_inflight_bytes: 4096, ..named("client") };
    let (connection, _raw) = client(config, 64).await;
    let before = Instant::now();
    let _waiting = call(&connection, vec![0; 4000]);
    sleep(Duration::from_millis(1)).await;
    let result = connection.request(Request::new(Operation::Send, vec![0; 4000])).await;
    assert_eq!(result, Err(TransportError::Overloaded { resource: Resource::WriterQueue, limit: 5000 }));
    assert_eq!(connection.push(Operation::Send, vec![0; 4000]), Err(result.unwrap_err()));
    assert_eq!(before.elapsed(), Duration::from_millis(1));
    assert_eq!((connection.stats().refused_queue, connection.stats().inflight), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn a_silent_server_is_dead_after_three_missed_pings() {
    let (connection, _raw) = client(named("client"), PIPE).await;
    let before = Instant::now();
    let waiting = call(&connection, "x");
    assert_eq!(
        waiting.await.unwrap().unwrap_err(),
        TransportError::ConnectionLost { maybe_executed: true, reason: CloseReason::PingTimeout }
    );
    let took = before.elapsed();
    assert!((Duration::from_secs(4)..Duration::from_secs(5)).contains(&took), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_sends_a_byte_a_second_is_cut_off() {
    let (connection, mut raw) = client(named("client"), PIPE).await;
    let waiting = call(&connection, "x");
    let before = Instant::now();
    let dripping = async {
        let mut frame = 100_u32.to_be_bytes().to_vec();
        frame.resize(100, 0);
        for byte in frame {
            if raw.stream.write_all(&[byte]).await.is_err() {
                return;
            }
            sleep(Duration::from_secs(1)).await;
        }
    };
    let (failed, ()) = tokio::join!(waiting, dripping);
    let error = failed.unwrap().unwrap_err();
    assert!(
        matches!(error, TransportError::ConnectionLost { reason: CloseReason::FrameTimeout, .. }),
        "{error}"
    );
    assert!(before.elapsed() < Duration::from_secs(13), "{:?}", before.elapsed());
}

#[tokio::test(start_paused = true)]
async fn hostile_frames_end_the_connection_with_their_reason() {
    let response = Header::Response(seawall::dwcp::ResponseHeader {
        id: 99,
        status: Status::Ok,
        retry_after_ms: None,
        load: 0,
    });
    let encoded = |header| encode_frame(&Frame::bare(header)).unwrap().to_vec();
    let protocol = CloseReason::Protocol;
    let cases: [(Vec<u8>, CloseReason); 7] = [
        (vec![0xff; 4], CloseReason::FrameTooLarge),
        (vec![0; 4], CloseReason::Malformed),
        (b"\0\0\0\x01\x63".to_vec(), CloseReason::Malformed),
        (encoded(response), protocol(Violation::UnknownId)),
        (encoded(Header::HelloAck(hello())), protocol(Violation::SecondHello)),
        (encode_frame(&request(1)).unwrap().to_vec(), protocol(Violation::WrongDirection)),
        (encoded(Header::Cancel { id: 1 }), protocol(Violation::WrongDirection)),
    ];
    for (bytes, expected) in cases {
        let (connection, mut raw) = client(named("client"), PIPE).await;
        let waiting = call(&connection, "x");
        raw.receive_request().await;
        raw.send_bytes(&bytes).await;
        let error = waiting.await.unwrap().unwrap_err();
        assert_eq!(
            error,
            TransportError::ConnectionLost { maybe_executed: true, reason: expected },
            "{bytes:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_foreign_version_is_named() {
    let (ours, theirs) = duplex(PIPE);
    let mut raw = Raw::new(theirs);
    let foreign = raw.greet_as(Hello { protocol: 9, ..hello() });
    let config = named("client");
    let (connection, ()) = tokio::join!(Connection::over(ours, &config), foreign);
    let reason = connection.unwrap_err();
    assert_eq!(reason, CloseReason::VersionMismatch { theirs: 9 });
    assert_eq!(reason.to_string(), "the peer speaks protocol 9, this side 1");

    let (mut raw, serving) = serve(named("server"));
    // What follows the version is of that version, and means nothing here.
    raw.send_bytes(b"\0\0\0\x04\x00\x09\xff\xff").await;
    assert_eq!(goaway(raw.receive().await), GoAwayReason::VersionMismatch);
    drop(raw);
    assert_eq!(ended(serving).await.0, CloseReason::VersionMismatch { theirs: 9 });
}

#[tokio::test(start_paused = true)]
async fn a_server_that_never_greets_is_given_up() {
    let (ours, _theirs) = duplex(PIPE);
    let before = Instant::now();
    assert_eq!(Connection::over(ours, &named("client")).await.unwrap_err(), CloseReason::HandshakeTimeout);
    assert_eq!(before.elapsed(), Duration::from_secs(5));
}

// ---- The answering side ----

#[tokio::test(start_paused = true)]
async fn a_request_runs_once_per_number() {
    let ran = Arc::new(AtomicU64::new(0));
    for repeated in [5, 4] {
        ran.store(0, Ordering::Relaxed);
        let counting = Arc::clone(&ran);
        let (mut raw, serving) = serve_with(named("server"), PIPE, move |request| {
            counting.fetch_add(1, Ordering::Relaxed);
            async move { Reply::ok(request.body) }
        });
        raw.greet_as_client().await;
        raw.send(request(5)).await;
        assert_eq!(status(raw.receive_news().await), (5, Status::Ok));
        raw.send(request(repeated)).await;
        assert_eq!(goaway(raw.receive_news().await), GoAwayReason::ProtocolViolation);
        drop(raw);
        let (reason, stats) = ended(serving).await;
        assert_eq!(reason, CloseReason::Protocol(Violation::IdNotIncreasing));
        assert_eq!((stats.closed_protocol, ran.load(Ordering::Relaxed)), (1, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn withdrawing_what_does_not_run_is_no_error() {
    let (mut raw, serving) = serve(named("server"));
    raw.greet_as_client().await;
    raw.send(request(1)).await;
    assert_eq!(status(raw.receive_news().await), (1, Status::Ok));
    for id in [0, 1, 2, u64::MAX] {
        raw.send(Frame::bare(Header::Cancel { id })).await;
    }
    raw.send(request(2)).await;
    assert_eq!(status(raw.receive_news().await), (2, Status::Ok));
    drop(raw);
    let (reason, stats) = ended(serving).await;
    assert_eq!((reason, stats.cancelled, stats.closed_clean), (CloseReason::PeerClosed, 0, 1));
}

#[tokio::test(start_paused = true)]
async fn work_that_expired_is_not_begun() {
    let ran = Arc::new(AtomicU64::new(0));
    let counting = Arc::clone(&ran);
    let (mut raw, _serving) = serve_with(named("server"), PIPE, move |_| {
        counting.fetch_add(1, Ordering::Relaxed);
        core::future::pending()
    });
    raw.greet_as_client().await;
    raw.send(request_with(1, 0, Bytes::new())).await;
    assert_eq!(status(raw.receive_news().await), (1, Status::Timeout));
    assert_eq!(ran.load(Ordering::Relaxed), 0);
    let before = Instant::now();
    raw.send(request_with(2, 700, Bytes::new())).await;
    assert_eq!(status(raw.receive_news().await), (2, Status::Timeout));
    assert_eq!(ran.load(Ordering::Relaxed), 1);
    let took = before.elapsed();
    assert!((Duration::from_millis(700)..Duration::from_millis(750)).contains(&took), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_requester_that_ignores_the_limits_is_rejected() {
    let config = TransportConfig { max_inflight: 3, ..named("server") };
    let (mut raw, serving) = serve_stuck(config);
    raw.greet_as_client().await;
    for id in 1..=5 {
        raw.send(request(id)).await;
    }
    for id in 4..=5 {
        assert_eq!(status(raw.receive_news().await), (id, Status::Rejected(Rejection::BulkheadFull)));
    }
    raw.send(Frame::new(Header::Push { operation: Operation::Send }, Bytes::new())).await;
    // What has expired is told so even when there is no room.
    raw.send(request_with(6, 0, Bytes::new())).await;
    assert_eq!(status(raw.receive_news().await), (6, Status::Timeout));
    // A withdrawn request gives its place back.
    raw.send(Frame::bare(Header::Cancel { id: 2 })).await;
    sleep(Duration::from_millis(1)).await;
    raw.send(request(7)).await;
    raw.send(request(8)).await;
    assert_eq!(status(raw.receive_news().await), (8, Status::Rejected(Rejection::BulkheadFull)));
    drop(raw);
    let stats = ended(serving).await.1;
    assert_eq!((stats.requests, stats.rejected_inflight, stats.cancelled), (8, 3, 1));
    assert_eq!((stats.pushes_dropped, stats.inflight), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn the_bytes_in_execution_are_bounded() {
    let config = TransportConfig { max_frame: 4096, max_inflight_bytes: 5000, ..named("server") };
    let (mut raw, serving) = serve_stuck(config);
    raw.greet_as_client().await;
    raw.send(request_with(1, 60_000, Bytes::from(vec![0; 4000]))).await;
    raw.send(request_with(2, 60_000, Bytes::from(vec![0; 4000]))).await;
    assert_eq!(status(raw.receive_news().await), (2, Status::Rejected(Rejection::BulkheadFull)));
    drop(raw);
    ended(serving).await;
}

#[tokio::test(start_paused = true)]
async fn a_claim_of_4_gib_is_refused_before_it_is_believed() {
    for greeted in [false, true] {
        let (mut raw, serving) = serve(named("server"));
        if greeted {
            raw.greet_as_client().await;
        }
        raw.send_bytes(&[0xff; 4]).await;
        assert_eq!(goaway(raw.receive_news().await), GoAwayReason::FrameTooLarge);
        drop(raw);
        let (reason, stats) = ended(serving).await;
        assert_eq!((reason, stats.closed_too_large), (CloseReason::FrameTooLarge, 1));
    }
    // Before the greeting even 5000 bytes are too many.
    let (mut raw, serving) = serve(named("server"));
    raw.send_bytes(&5000_u32.to_be_bytes()).await;
    assert_eq!(ended(serving).await.0, CloseReason::FrameTooLarge);
    assert_eq!(goaway(raw.receive_news().await), GoAwayReason::FrameTooLarge);
}

#[tokio::test(start_paused = true)]
async fn a_frame_cut_at_every_byte_ends_that_connection() {
    let mut whole = encode_frame(&Frame::bare(Header::Hello(hello()))).unwrap().to_vec();
    let greeting = whole.len();
    whole.extend_from_slice(&encode_frame(&request(1)).unwrap());
    for cut in 0..whole.len() {
        let (mut raw, serving) = serve(named("server"));
        raw.send_bytes(&whole[..cut]).await;
        raw.stream.shutdown().await.unwrap();
        let (reason, stats) = ended(serving).await;
        let boundary = cut == 0 || cut == greeting;
        let expected = if boundary { CloseReason::PeerClosed } else { CloseReason::Truncated };
        assert_eq!((reason, stats.requests), (expected, 0), "cut at {cut}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_sends_a_byte_a_second_is_cut_off() {
    // In the greeting.
    let (mut raw, serving) = serve(named("server"));
    let before = Instant::now();
    let hello = encode_frame(&Frame::bare(Header::Hello(hello()))).unwrap();
    for &byte in &hello {
        if raw.stream.write_all(&[byte]).await.is_err() {
            break;
        }
        sleep(Duration::from_secs(1)).await;
    }
    let (reason, stats) = ended(serving).await;
    assert_eq!((reason, stats.closed_handshake_timeout), (CloseReason::HandshakeTimeout, 1));
    assert!(before.elapsed() < Duration::from_secs(30));

    // In a request.
    let (mut raw, serving) = serve(named("server"));
    raw.greet_as_client().await;
    let (before, mut sent) = (Instant::now(), 0);
    for byte in encode_frame(&request_with(1, 60_000, Bytes::from(vec![0; 100]))).unwrap() {
        if raw.stream.write_all(&[byte]).await.is_err() {
            break;
        }
        sent += 1;
        sleep(Duration::from_secs(1)).await;
    }
    let (reason, stats) = ended(serving).await;
    assert_eq!((reason, stats.closed_frame_timeout), (CloseReason::FrameTimeout, 1));
    assert!(sent < 13, "{sent} bytes in {:?}", before.elapsed());
}

#[tokio::test(start_paused = true)]
async fn half_a_frame_for_ever_is_cut_off() {
    let (mut raw, serving) = serve(named("server"));
    raw.greet_as_client().await;
    raw.send_bytes(&[0, 0]).await;
    let before = Instant::now();
    // Nothing else comes, so the missing pongs may be noticed first.
    let reason = ended(serving).await.0;
    assert!(matches!(reason, CloseReason::FrameTimeout | CloseReason::PingTimeout), "{reason}");
    assert!(before.elapsed() < Duration::from_secs(12));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_vanished_is_noticed() {
    let (mut raw, serving) = serve_stuck(named("server"));
    raw.greet_as_client().await;
    raw.send(request(1)).await;
    let (reason, stats) = ended(serving).await;
    assert_eq!((reason, stats.closed_ping_timeout, stats.inflight), (CloseReason::PingTimeout, 1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_is_cut_off_and_its_memory_bounded() {
    let config = TransportConfig { writer_queue: 5000, max_frame: 4096, max_inflight: 4, ..named("server") };
    let (mut raw, serving) = serve_with(config, 256, |_| async { Reply::ok(vec![0; 4000]) });
    raw.greet_as_client().await;
    let flood = async {
        for id in 1.. {
            let request = encode_frame(&request(id)).unwrap();
            if raw.stream.write_all(&request).await.is_err() {
                return id;
            }
        }
        0
    };
    let sent = timeout(Duration::from_secs(60), flood).await.expect("the server hangs up");
    let (reason, stats) = ended(serving).await;
    assert_eq!((reason, stats.closed_write_timeout), (CloseReason::WriteTimeout, 1));
    // It stops reading once its own refusals have to wait, so the flood is held back, not stored.
    assert!(sent < 1000, "{sent}");
}

#[tokio::test(start_paused = true)]
async fn frames_out_of_place_end_the_connection() {
    let response = Header::Response(seawall::dwcp::ResponseHeader {
        id: 1,
        status: Status::Ok,
        retry_after_ms: None,
        load: 0,
    });
    let cases = [
        (false, Header::Ping { seq: 1 }, Violation::NoHello),
        (false, request(1).header, Violation::NoHello),
        (true, Header::Hello(hello()), Violation::SecondHello),
        (true, response, Violation::WrongDirection),
    ];
    for (greeted, header, expected) in cases {
        let (mut raw, serving) = serve(named("server"));
        if greeted {
            raw.greet_as_client().await;
        }
        raw.send(Frame::bare(header)).await;
        assert_eq!(goaway(raw.receive_news().await), GoAwayReason::ProtocolViolation);
        drop(raw);
        assert_eq!(ended(serving).await.0, CloseReason::Protocol(expected));
    }
}

#[tokio::test(start_paused = true)]
async fn arbitrary_bytes_end_a_connection_and_nothing_else() {
    let mut random = 1_u64;
    let mut next = move || {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 56) as u8
    };
    for round in 0..300 {
        let (mut raw, serving) = serve(named("server"));
        if round % 3 > 0 {
            raw.greet_as_client().await;
        }
        let mut bytes: Vec<u8> = (0..next()).map(|_| next()).collect();
        if round % 3 == 2 {
            // A believable length leads to the header.
            let mut framed = u32::try_from(bytes.len()).unwrap().to_be_bytes().to_vec();
            framed.append(&mut bytes);
            bytes = framed;
        }
        // The server may hang up before it has read everything.
        let _ = raw.stream.write_all(&bytes).await;
        let _ = raw.stream.shutdown().await;
        let mut answers = Vec::new();
        let _ = raw.stream.read_to_end(&mut answers).await;
        drop(raw);
        ended(serving).await;
    }
}

#[tokio::test]
async fn a_hostile_connection_does_not_disturb_the_others() {
    let server =
        seawall::dwcp::Server::bind("127.0.0.1:0", named("server"), async |request: IncomingRequest| {
            Reply::ok(request.body)
        })
        .await
        .unwrap();
    let good = Connection::connect(&server.local_addr().to_string(), &named("client")).await.unwrap();
    for _ in 0..20 {
        let mut raw = Raw::new(TcpStream::connect(server.local_addr()).await.unwrap());
        raw.greet_as_client().await;
        raw.send_bytes(&[0xff; 64]).await;
        let told = timeout(HANG, raw.receive_news()).await.unwrap();
        assert_eq!(goaway(told), GoAwayReason::FrameTooLarge);
        let response = good.request(Request::new(Operation::Send, "still here")).await.unwrap();
        assert_eq!(response.body, "still here");
    }
    raw::eventually("they are closed", || server.stats().closed_too_large == 20).await;
    assert_eq!(server.stats().connections, 1);
}
