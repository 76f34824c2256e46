//! What protects a node from its callers.

use core::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use seawall_core::Outcome;
use seawall_core::guard::{Pattern, Report};
use tokio::time::Instant;

use crate::dwcp::client::Operations;
use crate::dwcp::message::{IncomingPush, IncomingRequest, Reply};
use crate::dwcp::server::Handler;
use crate::dwcp::wire::{Rejection, Status};
use crate::guard::{Guard, Options};

/// A handler behind guards with rate limits and bulkheads.
#[derive(Debug)]
pub(super) struct Inbound<H> {
    shared: Arc<Shared<H>>,
}

#[derive(Debug)]
struct Shared<H> {
    handler: H,
    guards: Option<Operations>,
}

impl<H> Inbound<H> {
    pub(super) fn new(handler: H, guards: Option<Operations>) -> Self {
        Self { shared: Arc::new(Shared { handler, guards }) }
    }

    pub(super) fn guards(&self) -> impl Iterator<Item = &Guard> {
        self.shared.guards.iter().flat_map(Operations::all).map(|protected| &protected.guard)
    }
}

impl<H> Clone for Inbound<H> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<H: Handler> Handler for Inbound<H> {
    async fn handle(&self, request: IncomingRequest) -> Reply {
        let handler = &self.shared.handler;
        let Some(guards) = &self.shared.guards else { return handler.handle(request).await };
        let guard = &guards.get(request.operation).guard;
        let remaining = request.deadline.saturating_duration_since(Instant::now());
        let options = Options::new().deadline(remaining).classify(classify);
        let mut request = Some(request);
        let result = guard
            .call_with(options, |_| {
                let request = request.take();
                async move {
                    match request {
                        Some(request) => Ok(handler.handle(request).await),
                        // The inbound policy makes one attempt.
                        None => Ok(Reply::new(Status::Internal, Bytes::new())),
                    }
                }
            })
            .await;
        match result {
            Ok(reply) => reply,
            Err(crate::Error::Rejected(rejected)) => {
                let reply = match rejected.pattern() {
                    Pattern::RateLimiter | Pattern::AdaptiveRate => Reply::rejected(Rejection::Limited),
                    Pattern::Bulkhead
                    | Pattern::AdaptiveConcurrency
                    | Pattern::LoadShedder
                    | Pattern::Degradation => Reply::rejected(Rejection::BulkheadFull),
                    Pattern::CircuitBreaker => Reply::rejected(Rejection::CircuitOpen),
                    _ => Reply::new(Status::Timeout, Bytes::new()),
                };
                match rejected.retry_after() {
                    Some(after) => reply.retry_after(after),
                    None => reply,
                }
            }
            Err(_) => Reply::new(Status::Timeout, Bytes::new()),
        }
    }

    async fn push(&self, message: IncomingPush) {
        self.shared.handler.push(message).await;
    }

    fn load(&self) -> Option<u8> {
        self.shared.handler.load()
    }
}

/// The reply of a handler is what it is: these guards only count it.
fn classify(result: &Result<Reply, Infallible>) -> Report {
    let outcome = match result.as_ref().map(|reply| reply.status) {
        Ok(Status::Ok | Status::App(_)) => Outcome::Success,
        Ok(Status::Internal | Status::Timeout) => Outcome::Failure,
        _ => Outcome::Ignored,
    };
    Report::new(outcome).not_retryable()
}
