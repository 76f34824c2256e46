//! The task that reads a connection, keeps it alive and ends it.

use core::sync::atomic::Ordering;
use std::sync::Arc;

use tokio::io::AsyncRead;
use tokio::sync::watch;
use tokio::time::{Duration, Instant, MissedTickBehavior, interval_at};

use super::Shared;
use super::pending::Match;
use crate::dwcp::codec::FrameReader;
use crate::dwcp::config::TransportConfig;
use crate::dwcp::error::{CloseReason, Violation};
use crate::dwcp::liveness::{Liveness, Tick};
use crate::dwcp::message::Response;
use crate::dwcp::outbox::Writer;
use crate::dwcp::stats::LinkCounters;
use crate::dwcp::wire::{Frame, GoAwayReason, Header};

/// How long the last words of a connection may take.
const FAREWELL: Duration = Duration::from_millis(500);

/// Fails what is in flight when the connection ends, however it ends.
#[derive(Debug)]
pub(super) struct Ending {
    shared: Arc<Shared>,
    tell: watch::Sender<Option<CloseReason>>,
    reason: CloseReason,
    /// Position up to which bytes can have left this side.
    written: u64,
}

impl Ending {
    pub(super) fn new(shared: Arc<Shared>, tell: watch::Sender<Option<CloseReason>>) -> Self {
        // Both hold if the task is aborted or the runtime goes down: the writer may still be at work then.
        Self { shared, tell, reason: CloseReason::Local, written: u64::MAX }
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.shared.outbox.close();
        let lost = self.shared.pending.fail_all(self.reason, self.written);
        self.shared.counters.lost.add(lost as u64);
        self.tell.send_replace(Some(self.reason));
    }
}

/// Runs the connection until it ends.
pub(super) async fn run<R: AsyncRead + Unpin>(
    reader: FrameReader<R, LinkCounters>,
    mut writer: Writer,
    mut ending: Ending,
    config: TransportConfig,
) {
    let shared = Arc::clone(&ending.shared);
    let reason = attend(reader, &mut writer, &shared, &config).await;
    ending.reason = if shared.pending.was_refused_here() { CloseReason::Local } else { reason };
    if let Some(why) = reason.farewell() {
        // Best effort: the peer may be gone.
        let _ = shared.outbox.push_control(&Header::GoAway { reason: why, last_id: 0 });
        shared.outbox.close();
        writer.end(FAREWELL).await;
    }
    // Only once the writer has stopped is it known what never left.
    writer.end(Duration::ZERO).await;
    ending.written = shared.outbox.written();
}

async fn attend<R: AsyncRead + Unpin>(
    mut reader: FrameReader<R, LinkCounters>,
    writer: &mut Writer,
    shared: &Shared,
    config: &TransportConfig,
) -> CloseReason {
    let mut liveness = Liveness::new(config.missed_pings);
    let mut ticks = interval_at(Instant::now() + config.ping_interval, config.ping_interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut gone: Option<GoAwayReason> = None;
    loop {
        tokio::select! {
            frame = reader.next() => match frame {
                Ok(Some(frame)) => {
                    match on_frame(frame, shared, &mut liveness) {
                        Ok(None) => {}
                        Ok(Some(reason)) => gone = Some(reason),
                        Err(reason) => return reason,
                    }
                }
                Ok(None) => return gone.map_or(CloseReason::PeerClosed, CloseReason::GoAway),
                Err(reason) => return gone.map_or(reason, CloseReason::GoAway),
            },
            now = ticks.tick() => {
                let tick = liveness.on_tick(reader.received(), now);
                // ORDERING: none is needed: the number stands for itself.
                shared.missed.store(liveness.missed(), Ordering::Relaxed);
                match tick {
                    Tick::Quiet => {}
                    Tick::Ping(seq) => {
                        // At most one for each tick, and ticks end with the connection.
                        if shared.outbox.push_control(&Header::Ping { seq }).is_ok() {
                            shared.counters.pings.add(1);
                        }
                    }
                    Tick::Dead => return CloseReason::PingTimeout,
                }
            }
            done = writer.done() => match done {
                // Everything was written and this side closed: what is left is the peer's end.
                Ok(()) => {}
                Err(reason) => return gone.map_or(reason, CloseReason::GoAway),
            },
        }
    }
}

fn on_frame(
    frame: Frame,
    shared: &Shared,
    liveness: &mut Liveness,
) -> Result<Option<GoAwayReason>, CloseReason> {
    match frame.header {
        Header::Response(header) => {
            liveness.on_frame();
            // ORDERING: none is needed: the number stands for itself.
            shared.load.store(u32::from(header.load), Ordering::Relaxed);
            match shared.pending.take(header.id) {
                Match::Waiting(answer) => {
                    let retry_after = header.retry_after_ms.map(|ms| Duration::from_millis(u64::from(ms)));
                    let (status, load) = (header.status, header.load);
                    shared.counters.replies.add(1);
                    // The caller may have gone away in this very moment; then nobody reads the reply.
                    let _ = answer.send(Ok(Response { status, body: frame.body, retry_after, load }));
                }
                Match::Late => shared.counters.late_replies.add(1),
                Match::Never => return Err(CloseReason::Protocol(Violation::UnknownId)),
            }
        }
        Header::Pong { seq, load } => {
            shared.counters.pongs.add(1);
            // ORDERING: none is needed: the numbers stand for themselves, and only this task writes them.
            shared.load.store(u32::from(load), Ordering::Relaxed);
            if let Some(sample) = liveness.on_pong(seq, Instant::now()) {
                let before = shared.rtt_micros.load(Ordering::Relaxed);
                shared.rtt_micros.store(smooth(before, sample), Ordering::Relaxed);
            }
        }
        Header::Ping { seq } => {
            liveness.on_frame();
            // A peer that does not read its pongs gets none.
            let _ = shared.outbox.try_push(&Header::Pong { seq, load: 0 }, &bytes::Bytes::new());
        }
        Header::GoAway { reason, last_id } => {
            liveness.on_frame();
            shared.pending.going_away(last_id);
            return Ok(Some(reason));
        }
        Header::Push { .. } => {
            liveness.on_frame();
            shared.counters.unexpected_pushes.add(1);
        }
        Header::Hello(_) | Header::HelloAck(_) => return Err(CloseReason::Protocol(Violation::SecondHello)),
        Header::Request(_) | Header::Cancel { .. } => {
            return Err(CloseReason::Protocol(Violation::WrongDirection));
        }
    }
    Ok(None)
}

/// Moves an eighth of the way to the sample; never 0, which means unknown.
fn smooth(before: u32, sample: Duration) -> u32 {
    let sample = u32::try_from(sample.as_micros()).unwrap_or(u32::MAX).max(1);
    if before == 0 { sample } else { before - before / 8 + sample / 8 }.max(1)
}
