//! Writes the hand-made part of the corpus of `frame_decoder`: one file for each kind of frame, and one for each
//! way to be hostile that has a name.
//!
//! Run it with `cargo run --example frame_decoder_seeds` after the wire format grew.
//! It is an example and no program, so that building the targets with the fuzzer's flags leaves it alone.

use std::fs;
use std::io;
use std::path::Path;

use bytes::Bytes;
use seawall::dwcp::{
    Frame, GoAwayReason, Header, Hello, NodeId, Operation, PROTOCOL, Rejection, RequestHeader,
    ResponseHeader, Status, encode_frame,
};

fn main() -> io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/frame_decoder");
    fs::create_dir_all(&folder)?;
    for (name, bytes) in real().into_iter().chain(hostile()) {
        fs::write(folder.join(name), bytes)?;
    }
    Ok(())
}

fn hello(name: &str, number: u32) -> Hello {
    let node_id = NodeId::new(name).expect("a valid name");
    Hello { protocol: PROTOCOL, node_id, features: number, max_frame: number, max_inflight: number }
}

fn request(id: u64, operation: Operation, body: &'static [u8]) -> Vec<u8> {
    let header = RequestHeader {
        id,
        operation,
        deadline_ms: 250,
        attempt: 1,
        priority: 128,
        idempotent: id.is_multiple_of(2),
    };
    encode(Header::Request(header), body)
}

fn response(status: Status, retry_after_ms: Option<u32>, body: &'static [u8]) -> Vec<u8> {
    encode(Header::Response(ResponseHeader { id: 300, status, retry_after_ms, load: 9 }), body)
}

fn encode(header: Header, body: &'static [u8]) -> Vec<u8> {
    encode_frame(&Frame::new(header, Bytes::from_static(body))).expect("a valid frame").to_vec()
}

fn goaway(reason: GoAwayReason) -> Vec<u8> {
    encode(Header::GoAway { reason, last_id: u64::MAX }, b"")
}

fn real() -> Vec<(&'static str, Vec<u8>)> {
    let long = "n".repeat(NodeId::MAX_LEN);
    let stream = [
        request(1, Operation::Send, b"one"),
        encode(Header::Cancel { id: 1 }, b""),
        request(2, Operation::Sync, b""),
    ];
    vec![
        ("hello", encode(Header::Hello(hello("eu-1", 4096)), b"")),
        ("hello-longest", encode(Header::Hello(hello(&long, u32::MAX)), b"")),
        ("hello-extension", encode(Header::Hello(hello("eu-1", 0)), b"reserved")),
        ("hello-ack", encode(Header::HelloAck(hello("x", 1)), b"")),
        ("ping", encode(Header::Ping { seq: 300 }, b"")),
        ("pong", encode(Header::Pong { seq: u32::MAX, load: 255 }, b"")),
        ("request-send", request(1, Operation::Send, b"body")),
        ("request-receive", request(128, Operation::Receive, b"")),
        ("request-sync", request(u64::from(u32::MAX), Operation::Sync, b"\0\xff")),
        ("request-consensus", request(u64::MAX, Operation::Consensus, b"vote")),
        ("response-ok", response(Status::Ok, None, b"result")),
        ("response-app", response(Status::App(u16::MAX), None, b"")),
        ("response-limited", response(Status::Rejected(Rejection::Limited), Some(300), b"")),
        ("response-shed", response(Status::Rejected(Rejection::Shed), Some(0), b"")),
        ("response-full", response(Status::Rejected(Rejection::BulkheadFull), None, b"")),
        ("response-draining", response(Status::Rejected(Rejection::Draining), Some(u32::MAX), b"")),
        ("response-open", response(Status::Rejected(Rejection::CircuitOpen), Some(60_000), b"")),
        ("response-timeout", response(Status::Timeout, None, b"")),
        ("response-unsupported", response(Status::Unsupported, None, b"")),
        ("response-too-large", response(Status::TooLarge, None, b"")),
        ("response-internal", response(Status::Internal, None, b"")),
        ("cancel", encode(Header::Cancel { id: 128 }, b"")),
        ("push", encode(Header::Push { operation: Operation::Send }, b"news")),
        ("goaway-shutdown", goaway(GoAwayReason::Shutdown)),
        ("goaway-version", goaway(GoAwayReason::VersionMismatch)),
        ("goaway-full", goaway(GoAwayReason::TooManyConnections)),
        ("goaway-slow", goaway(GoAwayReason::TooSlow)),
        ("stream-of-three", stream.concat()),
    ]
}

fn hostile() -> Vec<(&'static str, Vec<u8>)> {
    let mut cut = request(1, Operation::Send, b"body");
    cut.pop();
    let mut trailing = request(1, Operation::Send, b"");
    trailing.push(0);
    // The prefix still counts this byte, so the frame is whole and has a body that pings do not have.
    let mut ping_with_body = encode(Header::Ping { seq: 1 }, b"");
    ping_with_body.push(0);
    ping_with_body[3] += 1;
    let good_then_huge = [encode(Header::Ping { seq: 1 }, b""), vec![0xff; 4]].concat();
    vec![
        ("bad-empty-input", Vec::new()),
        ("bad-half-prefix", vec![0, 0]),
        ("bad-empty-frame", vec![0; 4]),
        ("bad-4-gib", vec![0xff; 4]),
        ("bad-16-mib-and-one", b"\x01\0\0\x01".to_vec()),
        ("bad-16-mib-missing", b"\x01\0\0\0".to_vec()),
        ("bad-handshake-limit", b"\0\0\x10\x01".to_vec()),
        ("bad-cut", cut),
        ("bad-trailing", trailing),
        ("bad-ping-with-body", ping_with_body),
        ("bad-unknown-kind", b"\0\0\0\x01\x09".to_vec()),
        ("bad-kind-varint-too-long", b"\0\0\0\x06\xff\xff\xff\xff\xff\x0f".to_vec()),
        ("bad-kind-varint-padded", b"\0\0\0\x03\x82\x00\x07".to_vec()),
        ("bad-node-id-4-gib", b"\0\0\0\x07\x00\x01\xff\xff\xff\xff\x0f".to_vec()),
        ("bad-node-id-empty", b"\0\0\0\x06\x00\x01\x00\x00\x00\x00".to_vec()),
        ("bad-node-id-space", b"\0\0\0\x07\x00\x01\x01 \x00\x00\x00".to_vec()),
        ("bad-node-id-no-text", b"\0\0\0\x07\x00\x01\x01\xff\x00\x00\x00".to_vec()),
        ("bad-bool", b"\0\0\0\x07\x04\x01\x00\x01\x00\x00\x02".to_vec()),
        ("bad-option", b"\0\0\0\x05\x05\x01\x00\x02\x00".to_vec()),
        ("bad-status", b"\0\0\0\x05\x05\x01\x07\x00\x00".to_vec()),
        ("bad-foreign-version", b"\0\0\0\x04\x00\x09\xff\xff".to_vec()),
        ("bad-good-then-4-gib", good_then_huge),
    ]
}
