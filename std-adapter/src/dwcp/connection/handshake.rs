//! The greeting, from the side that connected.

use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use crate::dwcp::codec::FrameReader;
use crate::dwcp::config::TransportConfig;
use crate::dwcp::error::{CloseReason, Violation};
use crate::dwcp::stats::LinkCounters;
use crate::dwcp::wire::{HANDSHAKE_MAX_FRAME, Head, Header, Hello, PROTOCOL, decode_payload, hello_protocol};

/// Says hello and waits for the answer, both within the handshake limit.
pub(super) async fn greet<R, W>(
    reader: R,
    writer: &mut W,
    config: &TransportConfig,
    counters: &Arc<LinkCounters>,
) -> Result<(FrameReader<R, LinkCounters>, Hello), CloseReason>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let mut reader =
        FrameReader::new(reader, HANDSHAKE_MAX_FRAME, config.frame_timeout, Arc::clone(counters));
    let exchange = async {
        let head = Head::encode(&Header::Hello(config.hello()), 0, HANDSHAKE_MAX_FRAME)
            .map_err(|_| CloseReason::Malformed)?;
        writer.write_all(head.as_slice()).await?;
        writer.flush().await?;
        counters.bytes_out.add(head.as_slice().len() as u64);
        let payload = reader.next_payload().await?.ok_or(CloseReason::PeerClosed)?;
        match hello_protocol(&payload) {
            Some(theirs) if theirs != PROTOCOL => return Err(CloseReason::VersionMismatch { theirs }),
            _ => {}
        }
        match decode_payload(&payload)?.header {
            Header::HelloAck(remote) => Ok(remote),
            Header::GoAway { reason, .. } => Err(CloseReason::GoAway(reason)),
            _ => Err(CloseReason::Protocol(Violation::NoHello)),
        }
    };
    let remote =
        timeout(config.handshake_timeout, exchange).await.unwrap_or(Err(CloseReason::HandshakeTimeout))?;
    reader.set_limit(config.max_frame);
    Ok((reader, remote))
}
