use bytes::{Bytes, BytesMut};
use proptest::prelude::*;

use super::*;
use crate::dwcp::FrameCodec;

fn hello() -> Hello {
    Hello {
        protocol: PROTOCOL,
        node_id: NodeId::new("eu-1").unwrap(),
        features: 0,
        max_frame: DEFAULT_MAX_FRAME,
        max_inflight: 1024,
    }
}

fn request() -> RequestHeader {
    RequestHeader {
        id: 300,
        operation: Operation::Sync,
        deadline_ms: 250,
        attempt: 2,
        priority: 128,
        idempotent: true,
    }
}

fn response(status: Status) -> Header {
    Header::Response(ResponseHeader { id: 300, status, retry_after_ms: None, load: 7 })
}

/// The format is fixed byte by byte: a node of today has to understand a node of tomorrow.
#[test]
fn wire_snapshots() {
    let bare = |header| Frame::bare(header);
    let cases: &[(Frame, &[u8])] = &[
        (bare(Header::Hello(hello())), b"\0\0\0\x0d\x00\x01\x04eu-1\x00\x80\x80\x40\x80\x08"),
        (bare(Header::HelloAck(hello())), b"\0\0\0\x0d\x01\x01\x04eu-1\x00\x80\x80\x40\x80\x08"),
        (bare(Header::Ping { seq: 300 }), b"\0\0\0\x03\x02\xac\x02"),
        (bare(Header::Pong { seq: 1, load: 200 }), b"\0\0\0\x03\x03\x01\xc8"),
        (
            Frame::new(Header::Request(request()), Bytes::from_static(b"hi")),
            b"\0\0\0\x0b\x04\xac\x02\x02\xfa\x01\x02\x80\x01hi",
        ),
        (
            Frame::new(response(Status::Ok), Bytes::from_static(b"hi")),
            b"\0\0\0\x08\x05\xac\x02\x00\x00\x07hi",
        ),
        (bare(response(Status::App(300))), b"\0\0\0\x08\x05\xac\x02\x01\xac\x02\x00\x07"),
        (
            bare(Header::Response(ResponseHeader {
                id: 1,
                status: Status::Rejected(Rejection::Limited),
                retry_after_ms: Some(300),
                load: 255,
            })),
            b"\0\0\0\x08\x05\x01\x02\x00\x01\xac\x02\xff",
        ),
        (bare(response(Status::Rejected(Rejection::Shed))), b"\0\0\0\x07\x05\xac\x02\x02\x01\x00\x07"),
        (
            bare(response(Status::Rejected(Rejection::BulkheadFull))),
            b"\0\0\0\x07\x05\xac\x02\x02\x02\x00\x07",
        ),
        (bare(response(Status::Rejected(Rejection::Draining))), b"\0\0\0\x07\x05\xac\x02\x02\x03\x00\x07"),
        (bare(response(Status::Rejected(Rejection::CircuitOpen))), b"\0\0\0\x07\x05\xac\x02\x02\x04\x00\x07"),
        (bare(response(Status::Timeout)), b"\0\0\0\x06\x05\xac\x02\x03\x00\x07"),
        (bare(response(Status::Unsupported)), b"\0\0\0\x06\x05\xac\x02\x04\x00\x07"),
        (bare(response(Status::TooLarge)), b"\0\0\0\x06\x05\xac\x02\x05\x00\x07"),
        (bare(response(Status::Internal)), b"\0\0\0\x06\x05\xac\x02\x06\x00\x07"),
        (bare(Header::Cancel { id: 128 }), b"\0\0\0\x03\x06\x80\x01"),
        (
            Frame::new(Header::Push { operation: Operation::Send }, Bytes::from_static(b"x")),
            b"\0\0\0\x03\x07\x00x",
        ),
        (bare(Header::Push { operation: Operation::Receive }), b"\0\0\0\x02\x07\x01"),
        (bare(Header::Push { operation: Operation::Consensus }), b"\0\0\0\x02\x07\x03"),
        (bare(goaway(GoAwayReason::Shutdown)), b"\0\0\0\x03\x08\x00\x05"),
        (bare(goaway(GoAwayReason::VersionMismatch)), b"\0\0\0\x03\x08\x01\x05"),
        (bare(goaway(GoAwayReason::TooManyConnections)), b"\0\0\0\x03\x08\x02\x05"),
        (bare(goaway(GoAwayReason::ProtocolViolation)), b"\0\0\0\x03\x08\x03\x05"),
        (bare(goaway(GoAwayReason::FrameTooLarge)), b"\0\0\0\x03\x08\x04\x05"),
        (bare(goaway(GoAwayReason::TooSlow)), b"\0\0\0\x03\x08\x05\x05"),
    ];
    for (frame, bytes) in cases {
        assert_eq!(&encode_frame(frame).unwrap()[..], *bytes, "{frame:?}");
        assert_eq!(decode_frame(bytes).as_ref(), Ok(frame));
    }
}

fn goaway(reason: GoAwayReason) -> Header {
    Header::GoAway { reason, last_id: 5 }
}

#[test]
fn a_frame_cut_at_every_byte_is_incomplete() {
    for frame in [
        Frame::new(Header::Request(request()), Bytes::from_static(b"body")),
        Frame::bare(Header::Hello(hello())),
    ] {
        let bytes = encode_frame(&frame).unwrap();
        for cut in 0..bytes.len() {
            assert!(
                matches!(decode_frame(&bytes[..cut]), Err(DecodeError::Incomplete { missing: 1.. })),
                "{cut}"
            );
        }
        // The same cut, but with a prefix that agrees with it: the header itself is cut.
        let header = bytes.len() - frame.body.len() - PREFIX;
        for cut in 1..header {
            let mut short = (cut as u32).to_be_bytes().to_vec();
            short.extend_from_slice(&bytes[PREFIX..PREFIX + cut]);
            assert_eq!(decode_frame(&short), Err(DecodeError::Malformed), "{cut}");
        }
    }
}

#[test]
fn hostile_bytes_get_typed_errors() {
    let claims = |len: u32| DecodeError::TooLarge { claimed: Some(len), limit: HARD_MAX_FRAME };
    assert_eq!(decode_frame(&[0xff; 4]), Err(claims(u32::MAX)));
    assert_eq!(decode_frame(&(HARD_MAX_FRAME + 1).to_be_bytes()), Err(claims(HARD_MAX_FRAME + 1)));
    assert_eq!(
        decode_frame(&HARD_MAX_FRAME.to_be_bytes()),
        Err(DecodeError::Incomplete { missing: HARD_MAX_FRAME as usize })
    );
    assert_eq!(decode_frame(&[0; 4]), Err(DecodeError::Empty));
    assert_eq!(decode_frame(b"\0\0\0\x01\x09"), Err(DecodeError::Malformed));
    assert_eq!(decode_frame(b"\0\0\0\x03\x02\x01x"), Err(DecodeError::UnexpectedBody { len: 1 }));
    assert_eq!(decode_frame(b"\0\0\0\x02\x02\x01x"), Err(DecodeError::Trailing { extra: 1 }));
    // A node id that claims 4 GiB, an empty one, one with a space, one that is no text.
    assert_eq!(decode_frame(b"\0\0\0\x07\x00\x01\xff\xff\xff\xff\x0f"), Err(DecodeError::Malformed));
    assert_eq!(decode_frame(b"\0\0\0\x06\x00\x01\x00\x00\x00\x00"), Err(DecodeError::Malformed));
    assert_eq!(decode_frame(b"\0\0\0\x07\x00\x01\x01 \x00\x00\x00"), Err(DecodeError::Malformed));
    assert_eq!(decode_frame(b"\0\0\0\x07\x00\x01\x01\xff\x00\x00\x00"), Err(DecodeError::Malformed));
}

#[test]
fn errors_say_the_bound() {
    let error = decode_frame(&[0xff; 4]).unwrap_err();
    assert_eq!(error.to_string(), "frame claims 4294967295 bytes, at most 16777216 are allowed");
    assert_eq!(
        NodeId::new(&"x".repeat(65)).unwrap_err().to_string(),
        "node id has 65 bytes, 1 to 64 are allowed"
    );
}

#[test]
fn the_codec_refuses_a_large_claim_without_allocating() {
    let mut codec = FrameCodec::new(DEFAULT_MAX_FRAME);
    let mut stream = BytesMut::from(&[0xff; 4][..]);
    let before = stream.capacity();
    assert_eq!(
        codec.decode(&mut stream),
        Err(DecodeError::TooLarge { claimed: None, limit: DEFAULT_MAX_FRAME })
    );
    assert!(stream.capacity() <= before);
}

#[test]
fn the_largest_header_fits() {
    let hello = Hello {
        protocol: u16::MAX,
        node_id: NodeId::new(&"x".repeat(NodeId::MAX_LEN)).unwrap(),
        features: u32::MAX,
        max_frame: u32::MAX,
        max_inflight: u32::MAX,
    };
    let bytes = encode_frame(&Frame::bare(Header::HelloAck(hello))).unwrap();
    assert!(bytes.len() <= PREFIX + MAX_HEADER);
}

#[test]
fn a_frame_above_the_hard_maximum_is_not_encoded() {
    let header = Header::Push { operation: Operation::Send };
    let fits = Bytes::from(vec![0; HARD_MAX_FRAME as usize - 2]);
    assert!(encode_frame(&Frame::new(header.clone(), fits)).is_ok());
    let large = Bytes::from(vec![0; HARD_MAX_FRAME as usize - 1]);
    assert_eq!(
        encode_frame(&Frame::new(header, large)),
        Err(EncodeError::TooLarge { len: HARD_MAX_FRAME as usize + 1, limit: HARD_MAX_FRAME })
    );
    let ping = Frame::new(Header::Ping { seq: 1 }, Bytes::from_static(b"x"));
    assert_eq!(encode_frame(&ping), Err(EncodeError::UnexpectedBody { len: 1 }));
}

#[test]
fn the_version_of_a_foreign_greeting_is_legible() {
    assert_eq!(hello_protocol(b"\x00\x07whatever comes next"), Some(7));
    assert_eq!(hello_protocol(b"\x02\x07"), None);
    assert_eq!(hello_protocol(b"\x00"), None);
}

fn any_status() -> impl Strategy<Value = Status> {
    prop_oneof![
        Just(Status::Ok),
        any::<u16>().prop_map(Status::App),
        prop_oneof![
            Just(Rejection::Limited),
            Just(Rejection::Shed),
            Just(Rejection::BulkheadFull),
            Just(Rejection::Draining),
            Just(Rejection::CircuitOpen)
        ]
        .prop_map(Status::Rejected),
        Just(Status::Timeout),
        Just(Status::Unsupported),
        Just(Status::TooLarge),
        Just(Status::Internal),
    ]
}

fn any_operation() -> impl Strategy<Value = Operation> {
    proptest::sample::select(&Operation::ALL[..])
}

fn any_hello() -> impl Strategy<Value = Hello> {
    (any::<u16>(), "[!-~]{1,64}", any::<[u32; 3]>()).prop_map(
        |(protocol, name, [features, max_frame, max_inflight])| Hello {
            protocol,
            node_id: NodeId::new(&name).unwrap(),
            features,
            max_frame,
            max_inflight,
        },
    )
}

fn any_header() -> impl Strategy<Value = Header> {
    let request = (any::<u64>(), any_operation(), any::<u32>(), any::<u8>(), any::<u8>(), any::<bool>())
        .prop_map(|(id, operation, deadline_ms, attempt, priority, idempotent)| {
            Header::Request(RequestHeader { id, operation, deadline_ms, attempt, priority, idempotent })
        });
    let response = (any::<u64>(), any_status(), any::<Option<u32>>(), any::<u8>()).prop_map(
        |(id, status, retry_after_ms, load)| {
            Header::Response(ResponseHeader { id, status, retry_after_ms, load })
        },
    );
    let reason = proptest::sample::select(
        &[
            GoAwayReason::Shutdown,
            GoAwayReason::VersionMismatch,
            GoAwayReason::TooManyConnections,
            GoAwayReason::ProtocolViolation,
            GoAwayReason::FrameTooLarge,
            GoAwayReason::TooSlow,
        ][..],
    );
    prop_oneof![
        any_hello().prop_map(Header::Hello),
        any_hello().prop_map(Header::HelloAck),
        any::<u32>().prop_map(|seq| Header::Ping { seq }),
        any::<(u32, u8)>().prop_map(|(seq, load)| Header::Pong { seq, load }),
        request,
        response,
        any::<u64>().prop_map(|id| Header::Cancel { id }),
        any_operation().prop_map(|operation| Header::Push { operation }),
        (reason, any::<u64>()).prop_map(|(reason, last_id)| Header::GoAway { reason, last_id }),
    ]
}

fn any_frame() -> impl Strategy<Value = Frame> {
    (any_header(), proptest::collection::vec(any::<u8>(), 0..100)).prop_map(|(header, body)| {
        if header.carries_body() { Frame::new(header, Bytes::from(body)) } else { Frame::bare(header) }
    })
}

proptest! {
    #[test]
    fn every_frame_survives_the_round_trip(frame in any_frame()) {
        let bytes = encode_frame(&frame).unwrap();
        prop_assert_eq!(decode_frame(&bytes), Ok(frame));
    }

    #[test]
    fn arbitrary_bytes_never_panic_the_decoder(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode_frame(&bytes);
        let mut framed = u32::try_from(bytes.len()).unwrap().to_be_bytes().to_vec();
        framed.extend_from_slice(&bytes);
        if let Ok(frame) = decode_frame(&framed) {
            let again = encode_frame(&frame).unwrap();
            prop_assert_eq!(decode_frame(&again), Ok(frame));
        }
    }

    #[test]
    fn a_stream_cut_anywhere_gives_the_same_frames(
        frames in proptest::collection::vec(any_frame(), 1..6),
        cuts in proptest::collection::vec(1..50_usize, 1..40),
    ) {
        let stream: Vec<u8> = frames.iter().flat_map(|frame| encode_frame(frame).unwrap()).collect();
        let mut codec = FrameCodec::new(DEFAULT_MAX_FRAME);
        let (mut buffer, mut got, mut rest) = (BytesMut::new(), Vec::new(), &stream[..]);
        for cut in cuts.iter().cycle() {
            let (now, later) = rest.split_at(rest.len().min(*cut));
            buffer.extend_from_slice(now);
            while let Some(frame) = codec.decode(&mut buffer).unwrap() {
                got.push(frame);
            }
            rest = later;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(got, frames);
    }
}
