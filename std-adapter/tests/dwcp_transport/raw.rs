//! A peer without manners: it sends exactly the bytes that a test wants.

use core::time::Duration;

use bytes::{Bytes, BytesMut};
use seawall::dwcp::{
    Frame, FrameCodec, HARD_MAX_FRAME, Header, Hello, NodeId, Operation, PROTOCOL, RequestHeader,
    ResponseHeader, Status, TransportConfig, encode_frame,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Guards against hangs; no test waits for it when it passes.
pub(crate) const HANG: Duration = Duration::from_secs(30);

/// The other end of a link.
pub(crate) struct Raw<S> {
    pub(crate) stream: S,
    codec: FrameCodec,
    buffer: BytesMut,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Raw<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self { stream, codec: FrameCodec::new(HARD_MAX_FRAME), buffer: BytesMut::new() }
    }

    pub(crate) async fn send(&mut self, frame: Frame) {
        self.send_bytes(&encode_frame(&frame).unwrap()).await;
    }

    pub(crate) async fn send_bytes(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    /// The next frame, or `None` at the end of the stream, however it ended.
    pub(crate) async fn receive(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = self.codec.decode(&mut self.buffer).unwrap() {
                return Some(frame);
            }
            match self.stream.read_buf(&mut self.buffer).await {
                Ok(0) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    /// The next frame that is neither ping nor pong.
    pub(crate) async fn receive_news(&mut self) -> Option<Frame> {
        loop {
            match self.receive().await {
                Some(Frame { header: Header::Ping { .. } | Header::Pong { .. }, .. }) => {}
                other => return other,
            }
        }
    }

    /// The number of the next request.
    pub(crate) async fn receive_request(&mut self) -> u64 {
        match self.receive_news().await {
            Some(Frame { header: Header::Request(request), .. }) => request.id,
            other => panic!("a request was expected, not {other:?}"),
        }
    }

    pub(crate) async fn greet_as_client(&mut self) {
        self.send(Frame::bare(Header::Hello(hello()))).await;
        let answer = self.receive().await;
        assert!(matches!(answer, Some(Frame { header: Header::HelloAck(_), .. })), "{answer:?}");
    }

    pub(crate) async fn greet_as_server(&mut self) {
        self.greet_as(hello()).await;
    }

    pub(crate) async fn greet_as(&mut self, hello: Hello) {
        let greeting = self.receive().await;
        assert!(matches!(greeting, Some(Frame { header: Header::Hello(_), .. })), "{greeting:?}");
        self.send(Frame::bare(Header::HelloAck(hello))).await;
    }

    pub(crate) async fn reply(&mut self, id: u64, body: &'static str) {
        let header = ResponseHeader { id, status: Status::Ok, retry_after_ms: None, load: 0 };
        self.send(Frame::new(Header::Response(header), Bytes::from_static(body.as_bytes()))).await;
    }
}

pub(crate) fn hello() -> Hello {
    Hello {
        protocol: PROTOCOL,
        node_id: NodeId::new("raw").unwrap(),
        features: 0,
        max_frame: 1 << 20,
        max_inflight: 1024,
    }
}

pub(crate) fn request(id: u64) -> Frame {
    request_with(id, 60_000, Bytes::from_static(b"body"))
}

pub(crate) fn request_with(id: u64, deadline_ms: u32, body: Bytes) -> Frame {
    let header = RequestHeader {
        id,
        operation: Operation::Send,
        deadline_ms,
        attempt: 0,
        priority: 128,
        idempotent: false,
    };
    Frame::new(Header::Request(header), body)
}

/// A configuration whose name tells the node that runs with it.
pub(crate) fn named(name: &str) -> TransportConfig {
    TransportConfig { node_id: NodeId::new(name).unwrap(), ..TransportConfig::default() }
}

/// Waits until something holds that other tasks bring about.
pub(crate) async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    assert!(tokio::time::timeout(HANG, waiting).await.is_ok(), "never came true: {what}");
}
