//! Calls, attempts and places in the queue that write down how they end, however that is.

use core::fmt;
use core::task::{Poll, Waker};

use super::entry::{AttemptId, CallId, Input};
use super::loose;
use super::steps::Steps;
use crate::attempt::deadline::Deadline;
use crate::guard::{self, Rejected, Report, Settled};
use crate::time::Instant;

/// A call that may start, or one that waits for a slot.
#[derive(Debug)]
#[must_use = "dropping it cancels the call"]
pub enum Begin<'r, R: Steps<WAITERS, SLOTS>, const WAITERS: usize, const SLOTS: usize> {
    /// It may start.
    Started(Call<'r, R, WAITERS, SLOTS>),
    /// It waits.
    Waiting(Waiting<'r, R, WAITERS, SLOTS>),
}

/// As [`guard::Waiting`], its steps taken through `R`.
#[must_use = "dropping it cancels the call"]
pub struct Waiting<'r, R: Steps<WAITERS, SLOTS>, const WAITERS: usize, const SLOTS: usize> {
    steps: &'r R,
    inner: Option<guard::Waiting<'r, WAITERS, SLOTS>>,
    id: CallId,
}

/// As [`guard::Call`], its steps taken through `R`.
#[must_use = "dropping it cancels the call"]
pub struct Call<'r, R: Steps<WAITERS, SLOTS>, const WAITERS: usize = 8, const SLOTS: usize = 10> {
    steps: &'r R,
    inner: Option<guard::Call<'r, WAITERS, SLOTS>>,
    id: CallId,
}

/// As [`guard::Attempt`], its steps taken through `R`.
#[must_use = "settle it with `Call::settle`"]
pub struct Attempt<'r, R: Steps<WAITERS, SLOTS>, const WAITERS: usize = 8, const SLOTS: usize = 10> {
    steps: &'r R,
    inner: Option<guard::Attempt<'r, SLOTS>>,
    id: AttemptId,
}

impl<'r, R: Steps<WAITERS, SLOTS>, const WAITERS: usize, const SLOTS: usize> Begin<'r, R, WAITERS, SLOTS> {
    pub(super) fn new(steps: &'r R, begin: guard::Begin<'r, WAITERS, SLOTS>, id: CallId) -> Self {
        match begin {
            guard::Begin::Started(call) => Self::Started(Call::new(steps, call, id)),
            guard::Begin::Waiting(waiting) => Self::Waiting(Waiting { steps, inner: Some(waiting), id }),
        }
    }
}

impl<'r, R: Steps<WAITERS, SLOTS>, const WAITERS: usize, const SLOTS: usize> Waiting<'r, R, WAITERS, SLOTS> {
    /// As [`guard::Waiting::deadline`].
    pub fn deadline(&self) -> Instant {
        self.inner.as_ref().map_or(Instant::NEVER, guard::Waiting::deadline)
    }

    /// As [`guard::Waiting::poll`].
    pub fn poll(
        &mut self,
        waker: &Waker,
        now: Instant,
    ) -> Poll<Result<Call<'r, R, WAITERS, SLOTS>, Rejected>> {
        let Some(waiting) = &mut self.inner else { return Poll::Pending };
        let polled = loose::poll(self.steps, self.id, waiting, waker, now);
        if polled.is_ready() {
            self.inner = None;
        }
        polled.map_ok(|call| Call::new(self.steps, call, self.id))
    }

    /// As [`guard::Waiting::cancel`].
    pub fn cancel(mut self, now: Instant) {
        if let Some(waiting) = self.inner.take() {
            loose::cancel_waiting(self.steps, self.id, waiting, now);
        }
    }
}

impl<R: Steps<WAITERS, SLOTS>, const WAITERS: usize, const SLOTS: usize> Drop
    for Waiting<'_, R, WAITERS, SLOTS>
{
    fn drop(&mut self) {
        loose::end(self.steps, Input::DropWaiting { call: self.id }, &mut self.inner);
    }
}

impl<'r, R: Steps<WAITERS, SLOTS>, const WAITERS: usize, const SLOTS: usize> Call<'r, R, WAITERS, SLOTS> {
    pub(super) const fn new(steps: &'r R, call: guard::Call<'r, WAITERS, SLOTS>, id: CallId) -> Self {
        Self { steps, inner: Some(call), id }
    }

    /// As [`guard::Call::try_attempt`].
    ///
    /// # Errors
    ///
    /// As [`guard::Call::try_attempt`].
    pub fn try_attempt(&mut self, now: Instant) -> Result<Attempt<'r, R, WAITERS, SLOTS>, Rejected> {
        let (steps, mut id) = (self.steps, AttemptId::NONE);
        let Some(call) = &mut self.inner else { return Err(Rejected::CallOver) };
        let inner = Some(loose::attempt(steps, self.id, call, &mut id, now)?);
        Ok(Attempt { steps, inner, id })
    }

    /// As [`guard::Call::settle`].
    pub fn settle(
        &mut self,
        mut attempt: Attempt<'r, R, WAITERS, SLOTS>,
        report: Report,
        now: Instant,
    ) -> Settled {
        let over = Settled { verdict: guard::Verdict::Done, transition: None, budget: None };
        let Some((call, taken)) = self.inner.as_mut().zip(attempt.inner.take()) else { return over };
        loose::settle(self.steps, self.id, call, attempt.id, taken, report, now)
    }

    /// As [`guard::Call::cancel`].
    pub fn cancel(mut self, now: Instant) {
        if let Some(call) = self.inner.take() {
            loose::cancel(self.steps, self.id, call, now);
        }
    }

    /// The call's deadline.
    pub fn deadline(&self) -> Deadline {
        self.inner.as_ref().map_or(Deadline::NONE, guard::Call::deadline)
    }

    /// The attempts that were started.
    pub fn attempts(&self) -> u32 {
        self.inner.as_ref().map_or(0, guard::Call::attempts)
    }
}

impl<R: Steps<WAITERS, SLOTS>, const WAITERS: usize, const SLOTS: usize> Drop
    for Call<'_, R, WAITERS, SLOTS>
{
    fn drop(&mut self) {
        loose::end(self.steps, Input::Drop { call: self.id }, &mut self.inner);
    }
}

impl<R: Steps<WAITERS, SLOTS>, const WAITERS: usize, const SLOTS: usize> Attempt<'_, R, WAITERS, SLOTS> {
    /// What the operation needs to know of it; `None` never, but for one that was settled.
    pub fn about(&self) -> Option<guard::About> {
        self.inner.as_ref().map(guard::Attempt::about)
    }
}

impl<R: Steps<WAITERS, SLOTS>, const WAITERS: usize, const SLOTS: usize> Drop
    for Attempt<'_, R, WAITERS, SLOTS>
{
    fn drop(&mut self) {
        loose::end(self.steps, Input::DropAttempt { attempt: self.id }, &mut self.inner);
    }
}

impl<R: Steps<WAITERS, SLOTS>, const WAITERS: usize, const SLOTS: usize> fmt::Debug
    for Waiting<'_, R, WAITERS, SLOTS>
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiting").field("id", &self.id).field("waiting", &self.inner).finish_non_exhaustive()
    }
}

impl<R: Steps<WAITERS, SLOTS>, const WAITERS: usize, const SLOTS: usize> fmt::Debug
    for Call<'_, R, WAITERS, SLOTS>
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("id", &self.id).field("call", &self.inner).finish_non_exhaustive()
    }
}

impl<R: Steps<WAITERS, SLOTS>, const WAITERS: usize, const SLOTS: usize> fmt::Debug
    for Attempt<'_, R, WAITERS, SLOTS>
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempt").field("id", &self.id).field("attempt", &self.inner).finish_non_exhaustive()
    }
}
