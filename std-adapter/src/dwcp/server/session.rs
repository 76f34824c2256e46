//! One connection, from the side that accepted it.

use std::sync::Arc;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::time::{Duration, Instant, MissedTickBehavior, interval_at, timeout};

use super::work::Work;
use super::{Context, Handler};
use crate::dwcp::codec::FrameReader;
use crate::dwcp::error::{CloseReason, Violation};
use crate::dwcp::liveness::{Liveness, Tick};
use crate::dwcp::message::Reply;
use crate::dwcp::outbox::{Outbox, Writer};
use crate::dwcp::stats::ServerCounters;
use crate::dwcp::wire::{
    Frame, GoAwayReason, HANDSHAKE_MAX_FRAME, Head, Header, Hello, PROTOCOL, Rejection, decode_payload,
    hello_protocol,
};

/// How long the last words of a connection may take.
const FAREWELL: Duration = Duration::from_millis(500);

type Reader<R> = FrameReader<R, ServerCounters>;

/// Greets, answers and ends one connection; says why it ended.
pub(super) async fn run<H, R, W>(reader: R, mut writer: W, context: &Arc<Context<H>>) -> CloseReason
where
    H: Handler,
    R: AsyncRead + Send + Unpin,
    W: AsyncWrite + Send + Unpin + 'static,
{
    let config = &context.config;
    let counters = &context.counters;
    let mut reader =
        FrameReader::new(reader, HANDSHAKE_MAX_FRAME, config.frame_timeout, Arc::clone(counters));
    let greeting = timeout(config.handshake_timeout, greet(&mut reader, &mut writer, context));
    let remote = match greeting.await.unwrap_or(Err(CloseReason::HandshakeTimeout)) {
        Ok(remote) => remote,
        Err(reason) => {
            // Best effort: the peer may be gone.
            let _ = timeout(FAREWELL, say_goodbye(&mut writer, reason)).await;
            linger(&mut reader, reason).await;
            return reason;
        }
    };
    reader.set_limit(config.max_frame);

    let outbox = Arc::new(Outbox::new(config.writer_queue, remote.max_frame));
    let mut writer = Writer::spawn(writer, Arc::clone(&outbox), config.write_timeout, Arc::clone(counters));
    let work = Work::new(Arc::clone(context), Arc::clone(&outbox), remote.node_id);
    let mut session = Session { reader, work, outbox, liveness: Liveness::new(config.missed_pings) };
    let reason = session.attend(&mut writer, context).await;
    // Handlers whose replies nobody can get end now; their slots come back.
    session.work.abort().await;
    if let Some(why) = reason.farewell() {
        let _ = session.outbox.push_control(&Header::GoAway { reason: why, last_id: session.work.last_id() });
    }
    session.outbox.close();
    // Replies that were given are worth more patience than last words.
    writer.end(if reason == CloseReason::Local { context.config.write_timeout } else { FAREWELL }).await;
    linger(&mut session.reader, reason).await;
    reason
}

/// Lets last words arrive before the socket is closed.
async fn linger<R: AsyncRead + Unpin>(reader: &mut Reader<R>, reason: CloseReason) {
    if reason == CloseReason::Local || reason.farewell().is_some() {
        // A peer that does not close is closed.
        let _ = timeout(FAREWELL, reader.discard()).await;
    }
}

async fn greet<H, R, W>(
    reader: &mut Reader<R>,
    writer: &mut W,
    context: &Context<H>,
) -> Result<Hello, CloseReason>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let payload = reader.next_payload().await?.ok_or(CloseReason::PeerClosed)?;
    match hello_protocol(&payload) {
        Some(theirs) if theirs != PROTOCOL => return Err(CloseReason::VersionMismatch { theirs }),
        _ => {}
    }
    let Header::Hello(remote) = decode_payload(&payload)?.header else {
        return Err(CloseReason::Protocol(Violation::NoHello));
    };
    let answer = Header::HelloAck(context.config.hello());
    let head = Head::encode(&answer, 0, HANDSHAKE_MAX_FRAME).map_err(|_| CloseReason::Malformed)?;
    writer.write_all(head.as_slice()).await?;
    writer.flush().await?;
    context.counters.bytes_out.add(head.as_slice().len() as u64);
    Ok(remote)
}

async fn say_goodbye<W: AsyncWrite + Unpin>(writer: &mut W, reason: CloseReason) -> std::io::Result<()> {
    if let Some(reason) = reason.farewell()
        && let Ok(head) = Head::encode(&Header::GoAway { reason, last_id: 0 }, 0, HANDSHAKE_MAX_FRAME)
    {
        writer.write_all(head.as_slice()).await?;
    }
    writer.shutdown().await
}

struct Session<H, R> {
    reader: Reader<R>,
    work: Work<H>,
    outbox: Arc<Outbox>,
    liveness: Liveness,
}

impl<H: Handler, R: AsyncRead + Unpin> Session<H, R> {
    async fn attend(&mut self, writer: &mut Writer, context: &Context<H>) -> CloseReason {
        let mut ticks =
            interval_at(Instant::now() + context.config.ping_interval, context.config.ping_interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut phase = context.phase.clone();
        let mut draining = false;
        loop {
            if draining && self.work.is_empty() {
                return CloseReason::Local;
            }
            tokio::select! {
                frame = self.reader.next() => match frame {
                    Ok(Some(frame)) => {
                        if let Err(reason) = self.on_frame(frame, draining, context).await {
                            return reason;
                        }
                    }
                    Ok(None) => return CloseReason::PeerClosed,
                    Err(reason) => return reason,
                },
                () = self.work.next_done() => {}
                now = ticks.tick() => match self.liveness.on_tick(self.reader.received(), now) {
                    Tick::Quiet => {}
                    // At most one for each tick, and ticks end with the connection.
                    Tick::Ping(seq) => drop(self.outbox.push_control(&Header::Ping { seq })),
                    Tick::Dead => return CloseReason::PingTimeout,
                },
                () = super::until_draining(&mut phase), if !draining => {
                    draining = true;
                    let goodbye = Header::GoAway { reason: GoAwayReason::Shutdown, last_id: self.work.last_id() };
                    // An outbox that is closed already has nobody to tell.
                    let _ = self.outbox.push_control(&goodbye);
                }
                done = writer.done() => if let Err(reason) = done {
                    return reason;
                },
            }
        }
    }

    async fn on_frame(
        &mut self,
        frame: Frame,
        draining: bool,
        context: &Context<H>,
    ) -> Result<(), CloseReason> {
        match frame.header {
            Header::Request(header) => {
                self.liveness.on_frame();
                context.counters.requests.add(1);
                if header.id <= self.work.last_id() {
                    return Err(CloseReason::Protocol(Violation::IdNotIncreasing));
                }
                if draining {
                    context.counters.rejected_draining.add(1);
                    // The number is not noted as accepted: the goodbye named the last one.
                    self.work.answer(header.id, Reply::rejected(Rejection::Draining)).await;
                } else {
                    self.work.start(header, frame.body).await;
                }
            }
            Header::Cancel { id } => {
                self.liveness.on_frame();
                self.work.cancel(id);
            }
            Header::Push { operation } => {
                self.liveness.on_frame();
                self.work.push(operation, frame.body);
            }
            Header::Ping { seq } => {
                self.liveness.on_frame();
                let pong = Header::Pong { seq, load: self.work.load() };
                // A peer that does not read its pongs gets none.
                let _ = self.outbox.try_push(&pong, &Bytes::new());
            }
            Header::Pong { seq, .. } => drop(self.liveness.on_pong(seq, Instant::now())),
            // The peer sends no more requests; it closes once it has its replies.
            Header::GoAway { .. } => self.liveness.on_frame(),
            Header::Hello(_) | Header::HelloAck(_) => {
                return Err(CloseReason::Protocol(Violation::SecondHello));
            }
            Header::Response(_) => return Err(CloseReason::Protocol(Violation::WrongDirection)),
        }
        Ok(())
    }
}
