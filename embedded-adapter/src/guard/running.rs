//! What a call holds while it is awaited, and gives back when its future is dropped.

use core::task::Poll;

use seawall_core::guard::{self as decision, About, Admit, Call, Rejected, Report, Took, Verdict, Waiting};
use seawall_core::record::{AttemptId, CallId, Input, Steps, loose};
use seawall_core::{Clock, Instant};

use crate::clock::EmbassyClock;

/// How far a call came.
enum Seen {
    Nothing,
    Started,
    Ended(Took, Instant),
}

/// What a call took on its way to the guard: it is settled, or comes back, when the call is over.
pub(super) struct Through<'a, A: Admit> {
    around: &'a A,
    permit: Option<A::Permit<'a>>,
    seen: Seen,
}

impl<'a, A: Admit> Through<'a, A> {
    pub(super) const fn new(around: &'a A, permit: Option<A::Permit<'a>>) -> Self {
        Self { around, permit, seen: Seen::Nothing }
    }

    /// An attempt begins, so the one before it was not the last.
    pub(super) fn starts(&mut self) {
        if let (Seen::Ended(took, at), Some(_)) = (&self.seen, &self.permit) {
            self.around.observe(*took, *at);
        }
        self.seen = Seen::Started;
    }

    /// An attempt has ended, and it may be the last.
    pub(super) const fn ends(&mut self, took: Took, at: Instant) {
        self.seen = Seen::Ended(took, at);
    }
}

impl<A: Admit> Drop for Through<'_, A> {
    fn drop(&mut self) {
        let Some(permit) = self.permit.take() else { return };
        match self.seen {
            Seen::Nothing => self.around.give_back(permit, EmbassyClock.now()),
            // An attempt was cut short: what it began is spent, and nothing is known of how it would have ended.
            Seen::Started => drop(permit),
            Seen::Ended(took, _) => drop(self.around.settle(permit, took, EmbassyClock.now())),
        }
    }
}

/// A call that is cancelled, with the time, when it is dropped before its end.
pub(super) struct Running<'a, D: Steps<WAITERS, SLOTS>, const WAITERS: usize, const SLOTS: usize> {
    steps: &'a D,
    call: Option<Call<'a, WAITERS, SLOTS>>,
    /// The attempt that is under way.
    attempt: Option<decision::Attempt<'a, SLOTS>>,
    /// Their numbers in the log, where there is one.
    id: CallId,
    attempt_id: AttemptId,
}

impl<'a, D: Steps<WAITERS, SLOTS>, const WAITERS: usize, const SLOTS: usize> Running<'a, D, WAITERS, SLOTS> {
    pub(super) const fn new(steps: &'a D, call: Call<'a, WAITERS, SLOTS>, id: CallId) -> Self {
        Self { steps, call: Some(call), attempt: None, id, attempt_id: AttemptId::NONE }
    }

    pub(super) fn began(&self) -> Instant {
        self.call.as_ref().map_or(Instant::ZERO, Call::began)
    }

    pub(super) fn attempt(&mut self, now: Instant) -> Result<About, Rejected> {
        let Some(call) = &mut self.call else { return Err(Rejected::DeadlineExpired) };
        let attempt = loose::attempt(self.steps, self.id, call, &mut self.attempt_id, now)?;
        let about = attempt.about();
        self.attempt = Some(attempt);
        Ok(about)
    }

    pub(super) fn settle(&mut self, report: Report, now: Instant) -> Verdict {
        let Some((call, attempt)) = self.call.as_mut().zip(self.attempt.take()) else { return Verdict::Done };
        let settled = loose::settle(self.steps, self.id, call, self.attempt_id, attempt, report, now);
        if !matches!(settled.verdict, Verdict::RetryAfter(_)) {
            loose::end(self.steps, Input::Drop { call: self.id }, &mut self.call);
        }
        settled.verdict
    }
}

impl<D: Steps<WAITERS, SLOTS>, const WAITERS: usize, const SLOTS: usize> Drop
    for Running<'_, D, WAITERS, SLOTS>
{
    fn drop(&mut self) {
        if let Some(call) = self.call.take() {
            loose::end(self.steps, Input::DropAttempt { attempt: self.attempt_id }, &mut self.attempt);
            loose::cancel(self.steps, self.id, call, EmbassyClock.now());
        }
    }
}

/// A place in the queue that is given up, with the time, when it is dropped.
pub(super) struct Queued<'a, D: Steps<WAITERS, SLOTS>, const WAITERS: usize, const SLOTS: usize> {
    pub(super) steps: &'a D,
    pub(super) waiting: Option<Waiting<'a, WAITERS, SLOTS>>,
    pub(super) id: CallId,
}

impl<'a, D: Steps<WAITERS, SLOTS>, const WAITERS: usize, const SLOTS: usize> Queued<'a, D, WAITERS, SLOTS> {
    pub(super) fn poll(
        &mut self,
        cx: &core::task::Context<'_>,
    ) -> Poll<Result<Call<'a, WAITERS, SLOTS>, Rejected>> {
        let Some(waiting) = &mut self.waiting else { return Poll::Pending };
        let polled = loose::poll(self.steps, self.id, waiting, cx.waker(), EmbassyClock.now());
        if polled.is_ready() {
            self.waiting = None;
        }
        polled
    }
}

impl<D: Steps<WAITERS, SLOTS>, const WAITERS: usize, const SLOTS: usize> Drop
    for Queued<'_, D, WAITERS, SLOTS>
{
    fn drop(&mut self) {
        if let Some(waiting) = self.waiting.take() {
            loose::cancel_waiting(self.steps, self.id, waiting, EmbassyClock.now());
        }
    }
}
