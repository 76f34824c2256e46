use core::time::Duration;
use std::sync::Arc;

use bytes::Bytes;
use tokio::io::AsyncReadExt;
use tokio::time::timeout;

use super::{COPY_MAX, Outbox, Refused, Writer};
use crate::dwcp::error::CloseReason;
use crate::dwcp::stats::LinkCounters;
use crate::dwcp::wire::{Frame, Header, Operation, encode_frame};

const PUSH: Header = Header::Push { operation: Operation::Send };
const LIMIT: Duration = Duration::from_secs(5);

fn body(len: usize) -> Bytes {
    Bytes::from(vec![7; len])
}

#[test]
fn refuses_beyond_its_capacity_but_never_an_only_frame() {
    let outbox = Outbox::new(100, 1 << 20);
    outbox.try_push(&PUSH, &body(1000)).expect("an empty queue takes any legal frame");
    assert_eq!(outbox.try_push(&PUSH, &body(1)), Err(Refused::Full));
    outbox.push_control(&Header::Cancel { id: 1 }).expect("control frames pass");
}

#[test]
fn refuses_what_the_peer_would_not_accept() {
    let outbox = Outbox::new(1 << 20, 100);
    // The header of a push is two bytes.
    outbox.try_push(&PUSH, &body(98)).expect("exactly the maximum");
    assert_eq!(outbox.try_push(&PUSH, &body(99)), Err(Refused::TooLarge { len: 101, limit: 100 }));
}

#[test]
fn takes_nothing_after_it_was_closed() {
    let outbox = Outbox::new(100, 100);
    outbox.close();
    assert_eq!(outbox.try_push(&PUSH, &body(1)), Err(Refused::Closed));
    assert_eq!(outbox.push_control(&Header::Cancel { id: 1 }), Err(Refused::Closed));
}

#[tokio::test(start_paused = true)]
async fn writes_everything_in_order_and_then_ends_the_stream() {
    let outbox = Arc::new(Outbox::new(4 << 20, 1 << 20));
    let mut expected = Vec::new();
    for len in [0, 1, COPY_MAX, COPY_MAX + 1, 3, 100_000, 5] {
        outbox.try_push(&PUSH, &body(len)).unwrap();
        expected.extend_from_slice(&encode_frame(&Frame::new(PUSH, body(len))).unwrap());
    }
    let (ours, mut theirs) = tokio::io::duplex(100);
    let counters = Arc::<LinkCounters>::default();
    let mut writer = Writer::spawn(ours, Arc::clone(&outbox), LIMIT, Arc::clone(&counters));
    outbox.close();
    let mut got = Vec::new();
    theirs.read_to_end(&mut got).await.unwrap();
    assert_eq!(writer.done().await, Ok(()));
    assert!(got == expected);
    assert_eq!(outbox.written(), expected.len() as u64);
    assert_eq!(counters.bytes_out.get(), expected.len() as u64);
}

#[tokio::test(start_paused = true)]
async fn waits_for_room_and_gets_it() {
    let outbox = Arc::new(Outbox::new(1000, 1000));
    outbox.try_push(&PUSH, &body(900)).unwrap();
    let waiting = tokio::spawn({
        let outbox = Arc::clone(&outbox);
        async move { outbox.push(&PUSH, &body(900)).await }
    });
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    let (ours, mut theirs) = tokio::io::duplex(64);
    let _writer = Writer::spawn(ours, Arc::clone(&outbox), LIMIT, Arc::<LinkCounters>::default());
    let mut got = vec![0; 2 * 906];
    theirs.read_exact(&mut got).await.unwrap();
    waiting.await.unwrap().expect("room was made");
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_stopped_ends_the_writing_and_those_who_wait() {
    let outbox = Arc::new(Outbox::new(1000, 1000));
    outbox.try_push(&PUSH, &body(900)).unwrap();
    let waiting = tokio::spawn({
        let outbox = Arc::clone(&outbox);
        async move { outbox.push(&PUSH, &body(900)).await }
    });
    let (ours, _theirs) = tokio::io::duplex(64);
    let mut writer = Writer::spawn(ours, Arc::clone(&outbox), LIMIT, Arc::<LinkCounters>::default());
    assert_eq!(writer.done().await, Err(CloseReason::WriteTimeout));
    let waiting = timeout(LIMIT, waiting).await.expect("nobody waits for a writer that ended");
    assert_eq!(waiting.unwrap(), Err(Refused::Closed));
    assert_eq!(outbox.written(), 64);
}
