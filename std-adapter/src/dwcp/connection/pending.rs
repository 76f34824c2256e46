//! Requests that wait for their replies.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::{Notify, oneshot};

use super::Shared;
use crate::dwcp::error::{CloseReason, Resource, TransportError};
use crate::dwcp::message::{Request, Response};
use crate::dwcp::outbox::Refused;
use crate::dwcp::wire::{Header, Operation, RequestHeader};

type Answer = oneshot::Sender<Result<Response, TransportError>>;

/// The requests in flight of one connection, by number.
#[derive(Debug)]
pub(super) struct Pending {
    table: Mutex<Table>,
    limit: u32,
    emptied: Notify,
}

#[derive(Debug)]
struct Table {
    waiting: HashMap<u64, Waiting>,
    /// Numbers below were given out; none is ever given out again.
    next_id: u64,
    /// The last request that the peer says it accepted, once it goes away.
    accepted_up_to: Option<u64>,
    refuse: Option<TransportError>,
}

#[derive(Debug)]
struct Waiting {
    answer: Answer,
    /// Position in the stream after the last byte of the request.
    end: u64,
}

/// What a reply was matched to.
#[derive(Debug)]
pub(super) enum Match {
    /// A request that waits for it.
    Waiting(Answer),
    /// A request that was answered or given up before.
    Late,
    /// No request that was ever sent.
    Never,
}

impl Pending {
    pub(super) fn new(limit: u32) -> Self {
        let table = Table { waiting: HashMap::new(), next_id: 1, accepted_up_to: None, refuse: None };
        Self { table: Mutex::new(table), limit, emptied: Notify::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        // The table is whole between any two statements below, so a panic elsewhere does not spoil it.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_open(&self) -> bool {
        self.lock().refuse.is_none()
    }

    /// Whether this side closed first.
    pub(super) fn was_refused_here(&self) -> bool {
        self.lock().refuse == Some(TransportError::Closed)
    }

    /// Takes no more requests: this side closes.
    pub(super) fn refuse(&self) {
        self.lock().refuse.get_or_insert(TransportError::Closed);
    }

    /// Takes no more requests: the peer goes away after `last_id`.
    pub(super) fn going_away(&self, last_id: u64) {
        let mut table = self.lock();
        table.accepted_up_to = Some(last_id);
        table.refuse.get_or_insert(TransportError::Draining);
    }

    /// Waits until no request is in flight.
    pub(super) async fn emptied(&self) {
        loop {
            let emptied = self.emptied.notified();
            tokio::pin!(emptied);
            emptied.as_mut().enable();
            if self.lock().waiting.is_empty() {
                return;
            }
            emptied.await;
        }
    }

    /// Takes the request that a reply belongs to.
    pub(super) fn take(&self, id: u64) -> Match {
        let mut table = self.lock();
        let Some(waiting) = table.waiting.remove(&id) else {
            return if (1..table.next_id).contains(&id) { Match::Late } else { Match::Never };
        };
        let empty = table.waiting.is_empty();
        // Nobody is woken under the lock.
        drop(table);
        if empty {
            self.emptied.notify_waiters();
        }
        Match::Waiting(waiting.answer)
    }

    /// Fails every request in flight and takes no more. Returns how many there were.
    ///
    /// `written` is the position up to which the bytes left this side.
    pub(super) fn fail_all(&self, reason: CloseReason, written: u64) -> usize {
        let (waiting, accepted_up_to) = {
            let mut table = self.lock();
            let unsent = TransportError::ConnectionLost { maybe_executed: false, reason };
            match &table.refuse {
                Some(TransportError::Closed) => {}
                _ => table.refuse = Some(unsent),
            }
            (core::mem::take(&mut table.waiting), table.accepted_up_to)
        };
        self.emptied.notify_waiters();
        let count = waiting.len();
        for (id, Waiting { answer, end }) in waiting {
            let left = end <= written;
            let accepted = accepted_up_to.is_none_or(|last| id <= last);
            // A caller that went away needs no answer.
            let _ =
                answer.send(Err(TransportError::ConnectionLost { maybe_executed: left && accepted, reason }));
        }
        count
    }
}

/// One request in flight. Dropping it withdraws the request.
#[derive(Debug)]
pub(super) struct InFlight<'a> {
    shared: &'a Shared,
    id: u64,
    settled: bool,
}

impl<'a> InFlight<'a> {
    /// Gives the request a number and queues it for writing, or refuses it at once.
    pub(super) fn begin(
        shared: &'a Arc<Shared>,
        request: &Request,
        deadline_ms: u32,
    ) -> Result<(Self, oneshot::Receiver<Result<Response, TransportError>>), TransportError> {
        let pending = &shared.pending;
        let counters = &shared.counters;
        let mut table = pending.lock();
        if let Some(error) = &table.refuse {
            return Err(error.clone());
        }
        if table.waiting.len() >= pending.limit as usize {
            counters.refused_inflight.add(1);
            return Err(TransportError::Overloaded { resource: Resource::InFlight, limit: pending.limit });
        }
        let id = table.next_id;
        let header = Header::Request(RequestHeader {
            id,
            operation: request.operation,
            deadline_ms,
            attempt: request.attempt,
            priority: request.priority,
            idempotent: request.idempotent,
        });
        // Queued under the lock of the table, so that numbers increase on the wire.
        let end =
            shared.outbox.try_push(&header, &request.body).map_err(|refused| explain(shared, refused))?;
        let (answer, reply) = oneshot::channel();
        table.next_id += 1;
        table.waiting.insert(id, Waiting { answer, end });
        drop(table);
        counters.requests.add(1);
        counters.inflight.add(1);
        Ok((Self { shared, id, settled: false }, reply))
    }

    /// The request was answered, or failed with its connection.
    pub(super) fn settled(mut self) {
        self.settled = true;
    }

    /// The deadline passed first.
    pub(super) fn expired(mut self) -> Result<Response, TransportError> {
        self.settled = true;
        if self.withdraw() {
            self.shared.counters.timed_out.add(1);
        }
        // Even if it still waits to be written: it goes out, and its `Cancel` may come too late behind it.
        Err(TransportError::TimedOut { maybe_executed: true })
    }

    /// Forgets the request and tells the peer, unless it is answered already.
    fn withdraw(&self) -> bool {
        let Match::Waiting(_) = self.shared.pending.take(self.id) else { return false };
        // Bounded by the requests that were accepted; a closed outbox has nobody to tell.
        let _ = self.shared.outbox.push_control(&Header::Cancel { id: self.id });
        true
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.shared.counters.inflight.sub(1);
        if !self.settled && self.withdraw() {
            self.shared.counters.cancelled.add(1);
        }
    }
}

/// Queues a one-way message.
pub(super) fn push(shared: &Shared, operation: Operation, body: &Bytes) -> Result<(), TransportError> {
    if let Some(error) = &shared.pending.lock().refuse {
        return Err(error.clone());
    }
    shared.outbox.try_push(&Header::Push { operation }, body).map_err(|refused| explain(shared, refused))?;
    shared.counters.pushes.add(1);
    Ok(())
}

fn explain(shared: &Shared, refused: Refused) -> TransportError {
    match refused {
        Refused::Full => {
            shared.counters.refused_queue.add(1);
            TransportError::Overloaded { resource: Resource::WriterQueue, limit: shared.outbox.capacity() }
        }
        Refused::Closed => TransportError::Closed,
        Refused::TooLarge { len, limit } => TransportError::TooLarge { len, limit },
    }
}
