//! Moving frames from one socket to another: late, or not at all.

use super::{Direction, Link, Treatment};
use futures_util::StreamExt;
use std::io;
use std::pin::pin;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::bytes::BytesMut;
use tokio_util::codec::{FramedRead, LengthDelimitedCodec};

/// Frames that may be under way in one direction; a sender that is further ahead waits, as on a real link.
const IN_FLIGHT: usize = 4096;
/// Longest frame that is relayed: the hard cap of the protocol.
const LONGEST_FRAME: usize = 16 << 20;

/// A frame with its length in front, and when it is due.
type Parcel = (Instant, BytesMut);

/// Relays both directions until both are closed or one of them fails.
pub(super) async fn both_ways(client: &mut TcpStream, server: &mut TcpStream, link: &Link) -> io::Result<()> {
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    tokio::try_join!(
        one_way(from_client, to_server, link, Direction::ToServer),
        one_way(from_server, to_client, link, Direction::ToClient),
    )?;
    Ok(())
}

async fn one_way(
    from: impl AsyncRead,
    to: impl AsyncWrite,
    link: &Link,
    direction: Direction,
) -> io::Result<()> {
    let (parcels, arriving) = mpsc::channel(IN_FLIGHT);
    tokio::try_join!(collect(from, parcels, link, direction), deliver(arriving, to))?;
    Ok(())
}

/// Reads whole frames and says when each is due; frames keep their order, as bytes of one stream do.
async fn collect(
    from: impl AsyncRead,
    parcels: mpsc::Sender<Parcel>,
    link: &Link,
    direction: Direction,
) -> io::Result<()> {
    let codec = LengthDelimitedCodec::builder()
        .length_field_length(4)
        .max_frame_length(LONGEST_FRAME)
        // The length stays in front of the frame, and counts what comes after it.
        .length_adjustment(4)
        .num_skip(0)
        .new_codec();
    let mut frames = pin!(FramedRead::new(from, codec));
    let mut previous = Instant::now();
    let mut nth = 0;
    while let Some(frame) = frames.next().await {
        let frame = frame?;
        let treatment = link.treat(direction, nth);
        nth += 1;
        if let Treatment::Deliver { after } = treatment {
            previous = previous.max(Instant::now() + after);
            if parcels.send((previous, frame)).await.is_err() {
                break;
            }
        }
    }
    Ok(())
}

/// Writes each frame when it is due, then closes the direction.
async fn deliver(mut arriving: mpsc::Receiver<Parcel>, to: impl AsyncWrite) -> io::Result<()> {
    let mut to = pin!(to);
    while let Some((due, frame)) = arriving.recv().await {
        if due > Instant::now() {
            tokio::time::sleep_until(due).await;
        }
        to.write_all(&frame).await?;
    }
    to.shutdown().await
}
