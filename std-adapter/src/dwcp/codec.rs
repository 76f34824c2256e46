//! From a stream of bytes to frames.

use std::io;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::{Duration, Instant, timeout_at};
use tokio_util::codec::{Decoder, LengthDelimitedCodec};

use super::error::CloseReason;
use super::stats::HasTraffic;
use super::wire::{DecodeError, Frame, PREFIX, decode_payload};

/// Cuts a stream of bytes into frames, without I/O.
///
/// A length prefix above the maximum is refused as soon as its four bytes are there, before anything is
/// allocated for it. After an error the stream has no frame boundary any more: give the connection up.
///
/// ```
/// use bytes::BytesMut;
/// use seawall::dwcp::{DecodeError, FrameCodec};
///
/// let mut codec = FrameCodec::new(1024);
/// let mut stream = BytesMut::from(&[0xff, 0xff, 0xff, 0xff][..]);
/// assert_eq!(codec.decode(&mut stream), Err(DecodeError::TooLarge { claimed: None, limit: 1024 }));
/// ```
#[derive(Debug)]
pub struct FrameCodec {
    inner: LengthDelimitedCodec,
    limit: u32,
}

impl FrameCodec {
    /// A codec that accepts frames of up to `limit` bytes, the length prefix not counted.
    pub fn new(limit: u32) -> Self {
        let inner = LengthDelimitedCodec::builder()
            .big_endian()
            .length_field_length(PREFIX)
            .max_frame_length(limit as usize)
            .new_codec();
        Self { inner, limit }
    }

    /// Changes the limit from the next frame on.
    pub fn set_limit(&mut self, limit: u32) {
        self.limit = limit;
        self.inner.set_max_frame_length(limit as usize);
    }

    /// Takes the next frame off the stream; `None` means that more bytes are needed.
    ///
    /// # Errors
    ///
    /// A [`DecodeError`] for the first bytes that are no frame.
    pub fn decode(&mut self, stream: &mut BytesMut) -> Result<Option<Frame>, DecodeError> {
        self.payload(stream)?.as_ref().map(decode_payload).transpose()
    }

    /// Takes the next header and body off the stream, not yet decoded.
    pub(crate) fn payload(&mut self, stream: &mut BytesMut) -> Result<Option<Bytes>, DecodeError> {
        // The inner codec has one error: a length above the maximum.
        let too_large = |_: io::Error| DecodeError::TooLarge { claimed: None, limit: self.limit };
        Ok(self.inner.decode(stream).map_err(too_large)?.map(BytesMut::freeze))
    }
}

const READ_CHUNK: usize = 8 * 1024;

/// Reads frames from a link; a frame that began has to end within a limit.
#[derive(Debug)]
pub(crate) struct FrameReader<R, C> {
    reader: R,
    codec: FrameCodec,
    buffer: BytesMut,
    /// Bytes of the frame that is not complete yet.
    partial: usize,
    partial_since: Option<Instant>,
    frame_timeout: Duration,
    received: u64,
    counters: Arc<C>,
}

impl<R: AsyncRead + Unpin, C: HasTraffic> FrameReader<R, C> {
    pub(crate) fn new(reader: R, limit: u32, frame_timeout: Duration, counters: Arc<C>) -> Self {
        Self {
            reader,
            codec: FrameCodec::new(limit),
            buffer: BytesMut::new(),
            partial: 0,
            partial_since: None,
            frame_timeout,
            received: 0,
            counters,
        }
    }

    pub(crate) fn set_limit(&mut self, limit: u32) {
        self.codec.set_limit(limit);
    }

    /// Bytes received so far.
    pub(crate) fn received(&self) -> u64 {
        self.received
    }

    /// The next frame; `None` when the peer closed between two frames. Dropping the future loses nothing.
    pub(crate) async fn next(&mut self) -> Result<Option<Frame>, CloseReason> {
        match self.next_payload().await? {
            Some(payload) => Ok(Some(decode_payload(&payload)?)),
            None => Ok(None),
        }
    }

    /// The next header and body, not yet decoded.
    pub(crate) async fn next_payload(&mut self) -> Result<Option<Bytes>, CloseReason> {
        loop {
            if let Some(payload) = self.codec.payload(&mut self.buffer)? {
                self.partial -= PREFIX + payload.len();
                self.partial_since = None;
                self.counters.traffic().frames_in.add(1);
                return Ok(Some(payload));
            }
            let read = if self.partial == 0 {
                self.fill().await?
            } else {
                let deadline = *self.partial_since.get_or_insert_with(Instant::now) + self.frame_timeout;
                timeout_at(deadline, self.fill()).await.map_err(|_| CloseReason::FrameTimeout)??
            };
            match read {
                0 if self.partial == 0 => return Ok(None),
                0 => return Err(CloseReason::Truncated),
                n => {
                    self.partial += n;
                    self.received += n as u64;
                    self.counters.traffic().bytes_in.add(n as u64);
                }
            }
        }
    }

    /// Reads and forgets until the peer closes.
    ///
    /// Closing a socket with unread bytes resets the connection, and the peer may lose what it was told last.
    pub(crate) async fn discard(&mut self) {
        loop {
            self.buffer.clear();
            match self.fill().await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        }
    }

    async fn fill(&mut self) -> io::Result<usize> {
        // The codec reserved room for the rest of a frame that it knows the length of.
        if self.buffer.capacity() == self.buffer.len() {
            self.buffer.reserve(READ_CHUNK);
        }
        self.reader.read_buf(&mut self.buffer).await
    }
}
