//! What must hold for any bytes that a peer can send.

use bytes::BytesMut;
use seawall::dwcp::{
    DecodeError, Frame, FrameCodec, HANDSHAKE_MAX_FRAME, PREFIX, decode_frame, encode_frame,
};

/// What the codec may hold beyond the frame that it is reading and the bytes that it was given.
const SLACK: usize = 1024;

/// Longer inputs are not fed byte by byte: that would be slow, and say nothing new.
const BYTEWISE: usize = 4096;

/// Checks the decoder against one input.
///
/// # Panics
///
/// If decoding breaks one of its promises.
pub fn check(bytes: &[u8]) {
    if let Ok(frame) = decode_frame(bytes) {
        assert!(frame.body.len() + PREFIX < bytes.len(), "a body is a part of its frame");
        survives(&frame);
    }
    let whole = stream(bytes, bytes.len().max(1));
    let starts_alike = match decode_frame(bytes) {
        Ok(frame) if bytes.len() - PREFIX <= HANDSHAKE_MAX_FRAME as usize => whole == (vec![frame], None),
        Err(DecodeError::Incomplete { .. }) if bytes.len() < PREFIX => whole == (Vec::new(), None),
        _ => true,
    };
    assert!(starts_alike, "a frame and a stream of one frame decode alike");
    if bytes.len() <= BYTEWISE {
        assert_eq!(stream(bytes, 1), whole, "where a stream is cut makes no difference");
        assert_eq!(stream(bytes, 7), whole, "where a stream is cut makes no difference");
    }
}

/// Whatever was decoded can be encoded, and is the same then.
fn survives(frame: &Frame) {
    let again = encode_frame(frame).expect("what was decoded can be encoded");
    assert_eq!(decode_frame(&again).as_ref(), Ok(frame), "a frame survives the round trip");
}

/// Feeds the bytes in pieces, as a socket would; returns the frames, and the error that ended them.
fn stream(bytes: &[u8], piece: usize) -> (Vec<Frame>, Option<DecodeError>) {
    let mut codec = FrameCodec::new(HANDSHAKE_MAX_FRAME);
    let (mut buffer, mut frames) = (BytesMut::new(), Vec::new());
    for piece in bytes.chunks(piece) {
        buffer.extend_from_slice(piece);
        loop {
            match codec.decode(&mut buffer) {
                Ok(Some(frame)) => {
                    survives(&frame);
                    frames.push(frame);
                }
                Ok(None) => break,
                Err(error) => return (frames, Some(error)),
            }
        }
        let bound = 2 * (HANDSHAKE_MAX_FRAME as usize + bytes.len()) + SLACK;
        assert!(buffer.capacity() <= bound, "memory is bounded by the limit, not by what a prefix claims");
    }
    (frames, None)
}
