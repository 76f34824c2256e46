//! The DWCP transport against peers that are slow, broken or hostile. Time is virtual, links are in memory.

use core::time::Duration;
use std::sync::Arc;

use bytes::Bytes;
use seawall::dwcp::{
    CloseReason, Connection, Frame, GoAwayReason, Header, IncomingRequest, Operation, Reply, Request,
    ServerStats, Status, TransportConfig, TransportError, serve_link,
};
use tokio::io::{DuplexStream, duplex};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::raw::Raw;

#[path = "hostile/answering.rs"]
mod answering;
#[path = "hostile/requesting.rs"]
mod requesting;

const PIPE: usize = 1 << 16;

type Serving = JoinHandle<(CloseReason, ServerStats)>;

fn serve_with<F, Fut>(config: TransportConfig, pipe: usize, handler: F) -> (Raw<DuplexStream>, Serving)
where
    F: Fn(IncomingRequest) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Reply> + Send + 'static,
{
    let (ours, theirs) = duplex(pipe);
    let serving = tokio::spawn(async move { serve_link(ours, config, handler).await.unwrap() });
    (Raw::new(theirs), serving)
}

fn serve(config: TransportConfig) -> (Raw<DuplexStream>, Serving) {
    serve_with(config, PIPE, |request| async move { Reply::ok(request.body) })
}

/// A server whose requests never end by themselves.
fn serve_stuck(config: TransportConfig) -> (Raw<DuplexStream>, Serving) {
    serve_with(config, PIPE, |_| core::future::pending())
}

async fn ended(serving: Serving) -> (CloseReason, ServerStats) {
    timeout(Duration::from_secs(3600), serving).await.expect("the connection ends").unwrap()
}

async fn client(config: TransportConfig, pipe: usize) -> (Arc<Connection>, Raw<DuplexStream>) {
    let (ours, theirs) = duplex(pipe);
    let mut raw = Raw::new(theirs);
    let (connection, ()) = tokio::join!(Connection::over(ours, &config), raw.greet_as_server());
    (Arc::new(connection.unwrap()), raw)
}

fn call(connection: &Arc<Connection>, body: impl Into<Bytes>) -> JoinHandle<Result<String, TransportError>> {
    let (connection, request) = (Arc::clone(connection), Request::new(Operation::Send, body));
    tokio::spawn(async move {
        let response = connection.request(request).await?;
        Ok(String::from_utf8(response.body.to_vec()).unwrap())
    })
}

fn status(frame: Option<Frame>) -> (u64, Status) {
    match frame {
        Some(Frame { header: Header::Response(header), .. }) => (header.id, header.status),
        other => panic!("a reply was expected, not {other:?}"),
    }
}

fn goaway(frame: Option<Frame>) -> GoAwayReason {
    match frame {
        Some(Frame { header: Header::GoAway { reason, .. }, .. }) => reason,
        other => panic!("a goodbye was expected, not {other:?}"),
    }
}
