//! Calls, attempts and places in the queue, whose steps go through whoever takes them.

use core::fmt;
use core::task::{Poll, Waker};

use super::entry::{AttemptId, CallId, Decision, Input};
use super::steps::{Steps, refused, started};
use crate::admission::circuit_breaker::Transition;
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
    inner: guard::Attempt<'r, SLOTS>,
    id: AttemptId,
    /// It was not settled yet.
    open: bool,
}

impl<'r, R: Steps<WAITERS, SLOTS>, const WAITERS: usize, const SLOTS: usize> Waiting<'r, R, WAITERS, SLOTS> {
    pub(super) const fn new(steps: &'r R, waiting: guard::Waiting<'r, WAITERS, SLOTS>, id: CallId) -> Self {
        Self { steps, inner: Some(waiting), id }
    }

    /// As [`guard::Waiting::deadline`].
    pub fn deadline(&self) -> Instant {
        self.inner.as_ref().map_or(Instant::NEVER, guard::Waiting::deadline)
    }

    /// As [`guard::Waiting::since`].
    pub fn since(&self) -> Instant {
        self.inner.as_ref().map_or(Instant::NEVER, guard::Waiting::since)
    }

    /// As [`guard::Waiting::poll`].
    pub fn poll(
        &mut self,
        waker: &Waker,
        now: Instant,
    ) -> Poll<Result<Call<'r, R, WAITERS, SLOTS>, Rejected>> {
        let (steps, id) = (self.steps, self.id);
        let Some(waiting) = &mut self.inner else { return Poll::Pending };
        let polled = steps.step(Some(now), Input::Poll { call: id }, |_, _| match waiting.poll(waker, now) {
            Poll::Pending => (Poll::Pending, Decision::Pending),
            Poll::Ready(Ok(call)) => {
                (Poll::Ready(Ok(Call::new(steps, call, id))), Decision::Admitted { call: id })
            }
            Poll::Ready(Err(rejected)) => (Poll::Ready(Err(rejected)), refused(rejected)),
        });
        if polled.is_ready() {
            self.inner = None;
        }
        polled
    }

    /// As [`guard::Waiting::cancel`].
    pub fn cancel(mut self, now: Instant) {
        if let Some(waiting) = self.inner.take() {
            self.steps.step(Some(now), Input::CancelWaiting { call: self.id }, |_, _| {
                waiting.cancel(now);
                ((), Decision::Nothing)
            });
        }
    }
}

impl<R: Steps<WAITERS, SLOTS>, const WAITERS: usize, const SLOTS: usize> Drop
    for Waiting<'_, R, WAITERS, SLOTS>
{
    fn drop(&mut self) {
        if self.inner.is_some() {
            self.steps.step(None, Input::DropWaiting { call: self.id }, |_, _| {
                self.inner = None;
                ((), Decision::Nothing)
            });
        }
    }
}

impl<'r, R: Steps<WAITERS, SLOTS>, const WAITERS: usize, const SLOTS: usize> Call<'r, R, WAITERS, SLOTS> {
    #[inline]
    pub(super) const fn new(steps: &'r R, call: guard::Call<'r, WAITERS, SLOTS>, id: CallId) -> Self {
        Self { steps, inner: Some(call), id }
    }

    /// As [`guard::Call::try_attempt`].
    ///
    /// # Errors
    ///
    /// As [`guard::Call::try_attempt`].
    #[inline]
    pub fn try_attempt(&mut self, now: Instant) -> Result<Attempt<'r, R, WAITERS, SLOTS>, Rejected> {
        let steps = self.steps;
        let Some(call) = &mut self.inner else { return Err(Rejected::CallOver) };
        steps.step(Some(now), Input::Attempt { call: self.id }, |_, next| {
            let result = call.try_attempt(now);
            let decision = started(result.as_ref().map_err(|rejected| *rejected), call, next.attempt);
            (result.map(|inner| Attempt { steps, inner, id: next.attempt, open: true }), decision)
        })
    }

    /// As [`guard::Call::settle`].
    #[inline]
    pub fn settle(
        &mut self,
        mut attempt: Attempt<'r, R, WAITERS, SLOTS>,
        report: Report,
        now: Instant,
    ) -> Settled {
        let over = Settled { verdict: guard::Verdict::Done, transition: None, budget: None };
        let Some(call) = &mut self.inner else { return over };
        attempt.open = false;
        let taken = attempt.inner.take();
        let input = Input::Settle { call: self.id, attempt: attempt.id, report };
        self.steps.step(Some(now), input, |_, _| {
            let settled = call.settle(taken, report, now);
            (settled, Decision::Settled(settled))
        })
    }

    /// As [`guard::Call::cancel`].
    pub fn cancel(mut self, now: Instant) {
        if let Some(call) = self.inner.take() {
            self.steps.step(Some(now), Input::Cancel { call: self.id }, |_, _| {
                call.cancel(now);
                ((), Decision::Nothing)
            });
        }
    }

    /// The call's deadline.
    pub fn deadline(&self) -> Deadline {
        self.inner.as_ref().map_or(Deadline::NONE, guard::Call::deadline)
    }

    /// When the call was admitted.
    pub fn began(&self) -> Instant {
        self.inner.as_ref().map_or(Instant::ZERO, guard::Call::began)
    }

    /// The attempts that were started.
    #[inline]
    pub fn attempts(&self) -> u32 {
        self.inner.as_ref().map_or(0, guard::Call::attempts)
    }

    /// As [`guard::Call::budget_edge`].
    pub fn budget_edge(&self) -> Option<crate::health::error_budget::Edge> {
        self.inner.as_ref()?.budget_edge()
    }
}

impl<R: Steps<WAITERS, SLOTS>, const WAITERS: usize, const SLOTS: usize> Drop for Call<'_, R, WAITERS, SLOTS> {
    #[inline]
    fn drop(&mut self) {
        if self.inner.is_some() {
            self.steps.step(None, Input::Drop { call: self.id }, |_, _| {
                self.inner = None;
                ((), Decision::Nothing)
            });
        }
    }
}

impl<R: Steps<WAITERS, SLOTS>, const WAITERS: usize, const SLOTS: usize> Attempt<'_, R, WAITERS, SLOTS> {
    /// What the operation needs to know of it.
    #[inline]
    pub fn about(&self) -> guard::About {
        self.inner.about()
    }

    /// 1 for the first attempt of a call.
    #[inline]
    pub const fn number(&self) -> u32 {
        self.inner.number()
    }

    /// When it started.
    #[inline]
    pub const fn started(&self) -> Instant {
        self.inner.started()
    }

    /// The breaker's change of state that admitted it: half-open, for the first probe.
    #[inline]
    pub fn transition(&self) -> Option<Transition> {
        self.inner.transition()
    }
}

impl<R: Steps<WAITERS, SLOTS>, const WAITERS: usize, const SLOTS: usize> Drop
    for Attempt<'_, R, WAITERS, SLOTS>
{
    #[inline]
    fn drop(&mut self) {
        if self.open {
            self.steps.step(None, Input::DropAttempt { attempt: self.id }, |_, _| {
                drop(self.inner.take());
                ((), Decision::Nothing)
            });
        }
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
