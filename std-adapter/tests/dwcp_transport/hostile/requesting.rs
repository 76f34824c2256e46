//! The requesting side against hostile servers.

use core::time::Duration;

use seawall::dwcp::{
    CloseReason, Connection, Frame, GoAwayReason, Header, Hello, Operation, Request, Resource, Status,
    TransportConfig, TransportError, Violation, encode_frame,
};
use tokio::io::{AsyncWriteExt, duplex};
use tokio::time::{Instant, sleep};

use super::{PIPE, call, client, ended, goaway, serve};
use crate::raw::{Raw, hello, named, request};

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
