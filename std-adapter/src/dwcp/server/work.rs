//! The requests that one connection has in execution.

use core::future::{Future, poll_fn};
use core::panic::AssertUnwindSafe;
use core::pin::pin;
use std::collections::HashMap;
use std::panic::catch_unwind;
use std::sync::Arc;

use bytes::Bytes;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Duration, Instant, timeout_at};

use super::{Context, Handler};
use crate::dwcp::message::{IncomingPush, IncomingRequest, Reply, to_wire_millis_up};
use crate::dwcp::outbox::{Outbox, Refused};
use crate::dwcp::stats::Gauged;
use crate::dwcp::wire::{Header, NodeId, Operation, Rejection, RequestHeader, ResponseHeader, Status};

/// The handlers that run for one connection; they end with it.
pub(super) struct Work<H> {
    context: Arc<Context<H>>,
    outbox: Arc<Outbox>,
    peer: NodeId,
    tasks: JoinSet<Done>,
    /// What can still be withdrawn, by the number of the request.
    running: HashMap<u64, AbortHandle>,
    /// Bytes of bodies in execution; released by the tasks, however they end.
    bytes: Arc<tokio::sync::Semaphore>,
    last_id: u64,
}

/// What a task leaves behind: the number of the request, if it was one.
type Done = Option<u64>;

impl<H: Handler> Work<H> {
    pub(super) fn new(context: Arc<Context<H>>, outbox: Arc<Outbox>, peer: NodeId) -> Self {
        let bytes = Arc::new(tokio::sync::Semaphore::new(context.config.max_inflight_bytes as usize));
        Self { context, outbox, peer, tasks: JoinSet::new(), running: HashMap::new(), bytes, last_id: 0 }
    }

    /// The last request that was taken.
    pub(super) fn last_id(&self) -> u64 {
        self.last_id
    }

    pub(super) fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// How loaded the node is, or this connection if the handler does not say.
    pub(super) fn load(&self) -> u8 {
        load(&self.context, self.tasks.len())
    }

    /// Executes a request, or refuses it at once. Waits only where a refusal has to wait for room to be written.
    pub(super) async fn start(&mut self, header: RequestHeader, body: Bytes) {
        let id = header.id;
        self.last_id = id;
        if header.deadline_ms == 0 {
            self.context.counters.expired.add(1);
            return self.answer(id, Reply::new(Status::Timeout, Bytes::new())).await;
        }
        let Some(slot) = self.slot(&body) else {
            self.context.counters.rejected_inflight.add(1);
            return self.answer(id, Reply::rejected(Rejection::BulkheadFull)).await;
        };
        let deadline = Instant::now() + Duration::from_millis(u64::from(header.deadline_ms));
        let request = IncomingRequest {
            peer: self.peer.clone(),
            operation: header.operation,
            body,
            deadline,
            attempt: header.attempt,
            priority: header.priority,
            idempotent: header.idempotent,
        };
        let (context, outbox) = (Arc::clone(&self.context), Arc::clone(&self.outbox));
        let used = self.tasks.len();
        let task = self.tasks.spawn(async move {
            let _slot = slot;
            let _inflight = Gauged::new(&context.counters.inflight);
            let reply = execute(&context, request).await;
            respond(&context, &outbox, id, reply, load(&context, used)).await;
            Some(id)
        });
        self.running.insert(id, task);
    }

    /// Hands a one-way message to the handler, or drops it if too much is in execution.
    pub(super) fn push(&mut self, operation: Operation, body: Bytes) {
        let Some(slot) = self.slot(&body) else {
            self.context.counters.pushes_dropped.add(1);
            return;
        };
        self.context.counters.pushes.add(1);
        let context = Arc::clone(&self.context);
        let message = IncomingPush { peer: self.peer.clone(), operation, body };
        self.tasks.spawn(async move {
            let _slot = slot;
            if unpanicked(context.handler.push(message)).await.is_none() {
                context.counters.panics.add(1);
            }
            None
        });
    }

    /// A place for one more task with this body; `None` if the connection has its share already.
    fn slot(&self, body: &Bytes) -> Option<tokio::sync::OwnedSemaphorePermit> {
        if self.tasks.len() >= self.context.config.max_inflight as usize {
            return None;
        }
        // A body is smaller than a frame, and a frame fits into 32 bits.
        let len = u32::try_from(body.len()).ok()?;
        Arc::clone(&self.bytes).try_acquire_many_owned(len).ok()
    }

    /// Drops the handler of a request that is still running; one that is not, or never was, is no error.
    pub(super) fn cancel(&mut self, id: u64) {
        if let Some(task) = self.running.remove(&id) {
            self.context.counters.cancelled.add(1);
            task.abort();
        }
    }

    /// Answers without executing.
    pub(super) async fn answer(&self, id: u64, reply: Reply) {
        respond(&self.context, &self.outbox, id, reply, self.load()).await;
    }

    /// Waits for a task to end; for ever if there is none.
    pub(super) async fn next_done(&mut self) {
        match self.tasks.join_next().await {
            Some(Ok(Some(id))) => drop(self.running.remove(&id)),
            // A message without a number, or a task that was withdrawn and is forgotten already.
            Some(_) => {}
            None => core::future::pending().await,
        }
    }

    /// Drops every handler and waits until all are gone.
    pub(super) async fn abort(&mut self) {
        self.running.clear();
        self.tasks.shutdown().await;
    }
}

/// Runs the handler within the deadline; whatever it does becomes a reply.
async fn execute<H: Handler>(context: &Context<H>, request: IncomingRequest) -> Reply {
    let counters = &context.counters;
    let deadline = request.deadline;
    if Instant::now() >= deadline {
        counters.expired.add(1);
        return Reply::new(Status::Timeout, Bytes::new());
    }
    match timeout_at(deadline, unpanicked(context.handler.handle(request))).await {
        Ok(Some(reply)) => {
            counters.replies.add(1);
            reply
        }
        Ok(None) => {
            counters.panics.add(1);
            Reply::new(Status::Internal, Bytes::new())
        }
        Err(_) => {
            counters.timed_out.add(1);
            Reply::new(Status::Timeout, Bytes::new())
        }
    }
}

async fn respond<H: Handler>(context: &Context<H>, outbox: &Outbox, id: u64, reply: Reply, load: u8) {
    let retry_after_ms = reply.retry_after.map(to_wire_millis_up);
    let header = |status| Header::Response(ResponseHeader { id, status, retry_after_ms, load });
    if let Err(Refused::TooLarge { .. }) = outbox.push(&header(reply.status), &reply.body).await {
        context.counters.replies_too_large.add(1);
        // One for each request, and requests are bounded.
        let _ = outbox.push_control(&header(Status::TooLarge));
    }
}

fn load<H: Handler>(context: &Context<H>, used: usize) -> u8 {
    context.handler.load().unwrap_or_else(|| {
        let share = used * 255 / context.config.max_inflight as usize;
        u8::try_from(share).unwrap_or(u8::MAX)
    })
}

/// Runs a future to its end; `None` if it panicked. It is dropped then and never polled again.
async fn unpanicked<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(poll) => poll.map(Some),
        Err(_) => core::task::Poll::Ready(None),
    })
    .await
}
