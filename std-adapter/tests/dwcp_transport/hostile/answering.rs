//! The answering side against hostile clients.

use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::sync::Arc;

use bytes::Bytes;
use seawall::dwcp::{
    CloseReason, Connection, Frame, GoAwayReason, Header, IncomingRequest, Operation, Rejection, Reply,
    Request, Status, TransportConfig, Violation, encode_frame,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use super::{PIPE, ended, goaway, serve, serve_stuck, serve_with, status};
use crate::raw::{self, HANG, Raw, hello, named, request, request_with};

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
