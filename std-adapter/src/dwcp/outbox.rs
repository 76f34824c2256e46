//! What waits to be written on a connection: encoded bytes, bounded, in order.
//!
//! Every byte has a position in the stream, so that a side can tell whether a message certainly never left it:
//! its last byte is still beyond what was written.

use core::sync::atomic::{AtomicU64, Ordering};
use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::Notify;
use tokio::time::{Duration, timeout};

use super::background::AbortOnDrop;
use super::error::CloseReason;
use super::stats::HasTraffic;
use super::wire::{EncodeError, HARD_MAX_FRAME, Head, Header};

/// Bodies up to this size are copied beside their header; larger ones are written from where they are.
const COPY_MAX: usize = 16 * 1024;

/// A queue of encoded frames between many senders and one writer.
#[derive(Debug)]
pub(crate) struct Outbox {
    state: Mutex<State>,
    /// Position up to which the operating system took the bytes.
    written: AtomicU64,
    capacity: u64,
    max_frame: u32,
    work: Notify,
    room: Notify,
}

#[derive(Debug, Default)]
struct State {
    segments: VecDeque<Bytes>,
    tail: BytesMut,
    /// Position after the last byte that was accepted.
    accepted: u64,
    closed: bool,
}

/// Why a frame was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The queue is full.
    Full,
    /// Nothing is accepted any more.
    Closed,
    /// The peer does not accept frames of this size.
    TooLarge { len: usize, limit: u32 },
}

impl From<EncodeError> for Refused {
    fn from(error: EncodeError) -> Self {
        match error {
            EncodeError::TooLarge { len, limit } => Self::TooLarge { len, limit },
            EncodeError::UnexpectedBody { len } => Self::TooLarge { len, limit: 0 },
        }
    }
}

impl Outbox {
    /// A queue of `capacity` bytes towards a peer that accepts frames of `max_frame` bytes.
    pub(crate) fn new(capacity: u32, max_frame: u32) -> Self {
        Self {
            state: Mutex::default(),
            written: AtomicU64::new(0),
            capacity: u64::from(capacity),
            max_frame: max_frame.min(HARD_MAX_FRAME),
            work: Notify::new(),
            room: Notify::new(),
        }
    }

    /// How many bytes may wait.
    pub(crate) fn capacity(&self) -> u32 {
        u32::try_from(self.capacity).unwrap_or(u32::MAX)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code that can panic runs while the lock is held with the state half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Accepts a frame if there is room; returns the position after its last byte.
    pub(crate) fn try_push(&self, header: &Header, body: &Bytes) -> Result<u64, Refused> {
        let head = Head::encode(header, body.len(), self.max_frame)?;
        self.accept(&head, body, true)
    }

    /// Accepts a control frame even when the queue is full.
    ///
    /// For frames whose number is bounded by something else: a `Cancel` for a request that was accepted, one
    /// `GoAway`, a `Ping` for each tick.
    pub(crate) fn push_control(&self, header: &Header) -> Result<u64, Refused> {
        let head = Head::encode(header, 0, HARD_MAX_FRAME)?;
        self.accept(&head, &Bytes::new(), false)
    }

    /// Accepts a frame, waiting for room.
    pub(crate) async fn push(&self, header: &Header, body: &Bytes) -> Result<u64, Refused> {
        loop {
            match self.try_push(header, body) {
                Err(Refused::Full) => {}
                done => return done,
            }
            let room = self.room.notified();
            tokio::pin!(room);
            // Registered before the second look, so that room made in between is not missed.
            room.as_mut().enable();
            match self.try_push(header, body) {
                Err(Refused::Full) => room.await,
                done => return done,
            }
        }
    }

    fn accept(&self, head: &Head, body: &Bytes, bounded: bool) -> Result<u64, Refused> {
        let head = head.as_slice();
        let len = (head.len() + body.len()) as u64;
        let end = {
            let mut state = self.lock();
            if state.closed {
                return Err(Refused::Closed);
            }
            let waiting = state.accepted - self.written();
            // A queue that is empty takes any legal frame.
            if bounded && waiting > 0 && waiting + len > self.capacity {
                return Err(Refused::Full);
            }
            state.tail.put_slice(head);
            if body.len() <= COPY_MAX {
                state.tail.put_slice(body);
            } else {
                let tail = state.tail.split().freeze();
                state.segments.push_back(tail);
                state.segments.push_back(body.clone());
            }
            state.accepted += len;
            state.accepted
        };
        self.work.notify_one();
        Ok(end)
    }

    /// Position up to which the bytes left this side.
    pub(crate) fn written(&self) -> u64 {
        // ORDERING: pairs with the release in `advance`: whoever sees the position also sees that the write
        // before it happened.
        self.written.load(Ordering::Acquire)
    }

    fn advance(&self, n: u64) {
        // ORDERING: release, see `written`.
        self.written.fetch_add(n, Ordering::Release);
        self.room.notify_waiters();
    }

    /// Accepts nothing any more; what was accepted is still written.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.work.notify_one();
        self.room.notify_waiters();
    }

    /// The next bytes to write; `None` once it is closed and empty.
    async fn next_segment(&self) -> Option<Bytes> {
        loop {
            {
                let mut state = self.lock();
                if let Some(segment) = state.segments.pop_front() {
                    return Some(segment);
                }
                if !state.tail.is_empty() {
                    return Some(state.tail.split().freeze());
                }
                if state.closed {
                    return None;
                }
            }
            self.work.notified().await;
        }
    }
}

/// The task that writes what an outbox holds.
#[derive(Debug)]
pub(crate) struct Writer {
    task: AbortOnDrop<Result<(), CloseReason>>,
    ended: bool,
}

impl Writer {
    /// Writes until the outbox is closed and empty, then ends the stream.
    pub(crate) fn spawn<W, C>(writer: W, outbox: Arc<Outbox>, limit: Duration, counters: Arc<C>) -> Self
    where
        W: AsyncWrite + Send + Unpin + 'static,
        C: HasTraffic,
    {
        let task = AbortOnDrop(tokio::spawn(write_all(writer, outbox, limit, counters)));
        Self { task, ended: false }
    }

    /// Waits for the end of writing, and reports it once; after that it waits for ever.
    pub(crate) async fn done(&mut self) -> Result<(), CloseReason> {
        if self.ended {
            core::future::pending::<()>().await;
        }
        let joined = (&mut self.task.0).await;
        self.ended = true;
        // The task is aborted only by `end`; it has no code that panics.
        joined.unwrap_or(Err(CloseReason::Local))
    }

    /// Waits for the end of writing up to `limit`, then stops it. Nothing is written after that.
    pub(crate) async fn end(&mut self, limit: Duration) {
        if !self.ended && timeout(limit, self.done()).await.is_err() {
            self.task.0.abort();
            // Whatever it ended with, it has ended.
            let _ = self.done().await;
        }
    }
}

/// Refuses those who wait for room once nobody writes any more.
struct CloseOnDrop<'a>(&'a Outbox);

impl Drop for CloseOnDrop<'_> {
    fn drop(&mut self) {
        self.0.close();
    }
}

async fn write_all<W, C>(
    mut writer: W,
    outbox: Arc<Outbox>,
    limit: Duration,
    counters: Arc<C>,
) -> Result<(), CloseReason>
where
    W: AsyncWrite + Unpin,
    C: HasTraffic,
{
    let _closing = CloseOnDrop(&outbox);
    let late = |_| CloseReason::WriteTimeout;
    while let Some(mut segment) = outbox.next_segment().await {
        while segment.has_remaining() {
            let n = timeout(limit, writer.write_buf(&mut segment)).await.map_err(late)??;
            if n == 0 {
                return Err(CloseReason::Io(io::ErrorKind::WriteZero));
            }
            counters.traffic().bytes_out.add(n as u64);
            outbox.advance(n as u64);
        }
        timeout(limit, writer.flush()).await.map_err(late)??;
    }
    timeout(limit, writer.shutdown()).await.map_err(late)??;
    Ok(())
}

#[cfg(test)]
mod tests;
