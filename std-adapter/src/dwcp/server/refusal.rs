//! Telling a peer that there is no room for it.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Duration, timeout};

use crate::dwcp::wire::{Frame, GoAwayReason, Header, encode_frame};

/// How many peers are told at once; beyond that, connections are closed without a word.
pub(super) const AT_ONCE: usize = 16;

const LIMIT: Duration = Duration::from_millis(500);

/// Says why, then reads until the peer closes: closing with unread bytes would reset the connection, and the
/// peer might never see the reason.
pub(super) async fn refuse(mut stream: TcpStream) {
    let goodbye = Frame::bare(Header::GoAway { reason: GoAwayReason::TooManyConnections, last_id: 0 });
    let Ok(bytes) = encode_frame(&goodbye) else { return };
    let tell = async {
        stream.write_all(&bytes).await?;
        stream.shutdown().await?;
        let mut ignored = [0; 256];
        while stream.read(&mut ignored).await? > 0 {}
        Ok::<(), std::io::Error>(())
    };
    // Best effort: the peer may be gone.
    let _ = timeout(LIMIT, tell).await;
}
