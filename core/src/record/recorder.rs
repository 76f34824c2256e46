//! A guard whose every step is written down.

use core::cell::{Cell, RefCell};
use core::fmt;
use core::task::{Poll, Waker};

use super::entry::{AttemptId, CallId, Decision, Entry, Input};
use super::header::{Header, Layout};
use super::log::{Log, RecordError};
use crate::admission::circuit_breaker::Transition;
use crate::attempt::deadline::Deadline;
use crate::guard::{self, Guard, Policy, Rejected, Report, Settled, Stats};
use crate::health::error_budget::Edge;
use crate::time::Instant;

/// A guard that writes each step to a log. The [module](super) has an example.
///
/// It owns its guard: the log begins with the guard, and nothing can be done to it unseen.
/// It is for one thread or one executor; the order of the entries is the order of the steps.
pub struct Recorder<B, const WAITERS: usize = 8, const SLOTS: usize = 10> {
    guard: Guard<WAITERS, SLOTS>,
    log: RefCell<Log<B>>,
    /// A waker called the recorder while a step was under way.
    reentered: Cell<bool>,
}

/// A call that may start, or one that waits for a slot.
#[derive(Debug)]
#[must_use = "dropping it cancels the call"]
pub enum Begin<'r, B: AsMut<[u8]>, const WAITERS: usize, const SLOTS: usize> {
    /// It may start.
    Started(Call<'r, B, WAITERS, SLOTS>),
    /// It waits.
    Waiting(Waiting<'r, B, WAITERS, SLOTS>),
}

/// As [`guard::Waiting`], written down.
#[must_use = "dropping it cancels the call"]
pub struct Waiting<'r, B: AsMut<[u8]>, const WAITERS: usize, const SLOTS: usize> {
    recorder: &'r Recorder<B, WAITERS, SLOTS>,
    inner: Option<guard::Waiting<'r, WAITERS, SLOTS>>,
    id: CallId,
}

/// As [`guard::Call`], written down.
#[must_use = "dropping it cancels the call"]
pub struct Call<'r, B: AsMut<[u8]>, const WAITERS: usize = 8, const SLOTS: usize = 10> {
    recorder: &'r Recorder<B, WAITERS, SLOTS>,
    inner: Option<guard::Call<'r, WAITERS, SLOTS>>,
    id: CallId,
}

/// As [`guard::Attempt`], written down.
#[must_use = "settle it with `Call::settle`"]
pub struct Attempt<'r, B: AsMut<[u8]>, const WAITERS: usize = 8, const SLOTS: usize = 10> {
    recorder: &'r Recorder<B, WAITERS, SLOTS>,
    inner: Option<guard::Attempt<'r, SLOTS>>,
    id: AttemptId,
}

impl<B: AsMut<[u8]>, const WAITERS: usize, const SLOTS: usize> Recorder<B, WAITERS, SLOTS> {
    /// A new guard for `policy`, and a log of its steps in `buffer`.
    ///
    /// A few hundred bytes and [`Recorder::drain`] now and then suffice; without draining a successful call takes some 35
    /// bytes.
    /// A policy without a seed is given the seed 0, as the guard would.
    ///
    /// # Errors
    ///
    /// If the policy is not valid, or the buffer does not hold the head of the log.
    pub fn try_new(policy: Policy, buffer: B) -> Result<Self, RecordError> {
        let policy = policy.or_seed(0);
        let guard = Guard::try_new(policy)?;
        let header = Header { layout: Layout::THIS, waiters: WAITERS as u32, slots: SLOTS as u32, policy };
        let log = Log::try_new(header, buffer)?;
        Ok(Self { guard, log: RefCell::new(log), reentered: Cell::new(false) })
    }

    /// As [`Guard::try_begin`].
    ///
    /// # Errors
    ///
    /// As [`Guard::try_begin`].
    pub fn try_begin(
        &self,
        deadline: Deadline,
        now: Instant,
    ) -> Result<Call<'_, B, WAITERS, SLOTS>, Rejected> {
        self.step(Some(now), Input::TryBegin { deadline }, |next| match self.guard.try_begin(deadline, now) {
            Ok(call) => (Ok(self.call(call, next.0)), Decision::Admitted { call: next.0 }),
            Err(rejected) => (Err(rejected), refused(rejected)),
        })
    }

    /// As [`Guard::begin`].
    ///
    /// # Errors
    ///
    /// As [`Guard::begin`].
    pub fn begin(&self, deadline: Deadline, now: Instant) -> Result<Begin<'_, B, WAITERS, SLOTS>, Rejected> {
        self.step(Some(now), Input::Begin { deadline }, |(id, _)| match self.guard.begin(deadline, now) {
            Ok(guard::Begin::Started(call)) => {
                (Ok(Begin::Started(self.call(call, id))), Decision::Admitted { call: id })
            }
            Ok(guard::Begin::Waiting(waiting)) => {
                let decision = Decision::Waiting { call: id, until: waiting.deadline() };
                let waiting = Waiting { recorder: self, inner: Some(waiting), id };
                (Ok(Begin::Waiting(waiting)), decision)
            }
            Err(rejected) => (Err(rejected), refused(rejected)),
        })
    }

    /// Opens the breaker by hand; `None` without a breaker.
    pub fn trip(&self, now: Instant) -> Option<Transition> {
        self.by_hand(Some(now), Input::Trip)
    }

    /// Closes the breaker by hand, as new; `None` without a breaker.
    pub fn reset(&self, now: Instant) -> Option<Transition> {
        self.by_hand(Some(now), Input::Reset)
    }

    /// Forces the breaker open; `None` without a breaker.
    pub fn force_open(&self) -> Option<Transition> {
        self.by_hand(None, Input::ForceOpen)
    }

    /// Forces the breaker closed; `None` without a breaker.
    pub fn force_closed(&self) -> Option<Transition> {
        self.by_hand(None, Input::ForceClosed)
    }

    /// Asks the error budget whether time took it over the line; `None` if not, or without a budget.
    pub fn check_budget(&self, now: Instant) -> Option<Edge> {
        self.step(Some(now), Input::CheckBudget, |_| {
            let edge = self.guard.error_budget().and_then(|budget| budget.check(now));
            (edge, Decision::Edge(edge))
        })
    }

    /// As [`Guard::set_shadow`].
    pub fn set_shadow(&self, on: bool) -> bool {
        self.change(Input::SetShadow { on })
    }

    /// Lets the breaker watch only, or rule again; `None` without a breaker.
    pub fn shadow_breaker(&self, on: bool) -> Option<Transition> {
        self.by_hand(None, Input::ShadowBreaker { on })
    }

    /// Gives the bulkhead another number of permits, and says whether it did: there must be a bulkhead, and the number one
    /// that it can have.
    pub fn resize(&self, max_concurrent: u32) -> bool {
        self.change(Input::Resize { max_concurrent })
    }

    /// Closes the bulkhead for good, and says whether there is one.
    pub fn close(&self) -> bool {
        self.change(Input::Close)
    }

    /// What the guard counted.
    pub fn stats(&self) -> Stats {
        self.guard.stats()
    }

    /// Moves bytes of the log to `out`, the oldest first, and says how many: to a file, a serial line, a flash page.
    ///
    /// The pieces, put together, are the log, wherever they are cut.
    pub fn drain(&self, out: &mut [u8]) -> usize {
        self.log.try_borrow_mut().map_or(0, |mut log| log.drain(out))
    }

    /// The entries that were not written, for want of room or because a waker called back. While it is 0, the log is whole.
    pub fn lost(&self) -> u64 {
        self.log.try_borrow().map_or(0, |log| log.lost())
    }

    /// Takes a step and writes it down.
    ///
    /// The log is held meanwhile, so that no other step can come between; a waker that calls back finds it held, and its
    /// step goes unwritten, which ends the log.
    fn step<T>(
        &self,
        now: Option<Instant>,
        input: Input,
        take: impl FnOnce((CallId, AttemptId)) -> (T, Decision),
    ) -> T {
        let Ok(mut log) = self.log.try_borrow_mut() else {
            self.reentered.set(true);
            return take((CallId(u32::MAX), AttemptId(u32::MAX))).0;
        };
        let at = now.unwrap_or_else(|| log.now());
        let (value, decision) = take((log.next_call(), log.next_attempt()));
        if self.reentered.replace(false) {
            log.stop();
        }
        log.append(&Entry { at, input, decision });
        value
    }

    fn change(&self, input: Input) -> bool {
        self.step(None, input, |_| {
            let was = change(&self.guard, input);
            (was, Decision::Was(was))
        })
    }

    fn by_hand(&self, now: Option<Instant>, input: Input) -> Option<Transition> {
        self.step(now, input, |_| {
            let transition = steer(&self.guard, input, now.unwrap_or_default());
            (transition, Decision::Transition(transition))
        })
    }

    fn call<'r>(&'r self, call: guard::Call<'r, WAITERS, SLOTS>, id: CallId) -> Call<'r, B, WAITERS, SLOTS> {
        Call { recorder: self, inner: Some(call), id }
    }
}

/// Does to the breaker by hand what `input` says.
pub(super) fn steer<const WAITERS: usize, const SLOTS: usize>(
    guard: &Guard<WAITERS, SLOTS>,
    input: Input,
    now: Instant,
) -> Option<Transition> {
    let breaker = guard.breaker()?;
    let transition = match input {
        Input::Trip => breaker.trip(now),
        Input::Reset => breaker.reset(now),
        Input::ForceOpen => breaker.force_open(),
        Input::ShadowBreaker { on } => breaker.shadow(on),
        _ => breaker.force_closed(),
    };
    guard.note(transition);
    Some(transition)
}

/// Changes what `input` says; whether it was so before, or could be done.
pub(super) fn change<const WAITERS: usize, const SLOTS: usize>(
    guard: &Guard<WAITERS, SLOTS>,
    input: Input,
) -> bool {
    match (input, guard.bulkhead()) {
        (Input::SetShadow { on }, _) => guard.set_shadow(on),
        (Input::Resize { max_concurrent }, Some(bulkhead)) => bulkhead.resize(max_concurrent).is_ok(),
        (Input::Close, Some(bulkhead)) => {
            bulkhead.close();
            true
        }
        _ => false,
    }
}

pub(super) fn refused(rejected: Rejected) -> Decision {
    Decision::Rejected { rejected, budget: None }
}

/// What an attempt of a call was told.
pub(super) fn started<const WAITERS: usize, const SLOTS: usize>(
    result: Result<&guard::Attempt<'_, SLOTS>, Rejected>,
    call: &guard::Call<'_, WAITERS, SLOTS>,
    id: AttemptId,
) -> Decision {
    match result {
        Ok(attempt) => Decision::Started {
            attempt: id,
            deadline: attempt.deadline(),
            probe: attempt.is_probe(),
            transition: attempt.transition(),
        },
        Err(rejected) => Decision::Rejected { rejected, budget: call.budget_edge() },
    }
}

impl<'r, B: AsMut<[u8]>, const WAITERS: usize, const SLOTS: usize> Waiting<'r, B, WAITERS, SLOTS> {
    /// As [`guard::Waiting::deadline`].
    pub fn deadline(&self) -> Instant {
        self.inner.as_ref().map_or(Instant::NEVER, guard::Waiting::deadline)
    }

    /// As [`guard::Waiting::poll`].
    pub fn poll(
        &mut self,
        waker: &Waker,
        now: Instant,
    ) -> Poll<Result<Call<'r, B, WAITERS, SLOTS>, Rejected>> {
        let (recorder, id) = (self.recorder, self.id);
        let Some(waiting) = &mut self.inner else { return Poll::Pending };
        let polled = recorder.step(Some(now), Input::Poll { call: id }, |_| match waiting.poll(waker, now) {
            Poll::Pending => (Poll::Pending, Decision::Pending),
            Poll::Ready(Ok(call)) => {
                (Poll::Ready(Ok(recorder.call(call, id))), Decision::Admitted { call: id })
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
            self.recorder.step(Some(now), Input::CancelWaiting { call: self.id }, |_| {
                waiting.cancel(now);
                ((), Decision::Nothing)
            });
        }
    }
}

impl<B: AsMut<[u8]>, const WAITERS: usize, const SLOTS: usize> Drop for Waiting<'_, B, WAITERS, SLOTS> {
    fn drop(&mut self) {
        if let Some(waiting) = self.inner.take() {
            self.recorder.step(None, Input::DropWaiting { call: self.id }, |_| {
                drop(waiting);
                ((), Decision::Nothing)
            });
        }
    }
}

impl<'r, B: AsMut<[u8]>, const WAITERS: usize, const SLOTS: usize> Call<'r, B, WAITERS, SLOTS> {
    /// As [`guard::Call::try_attempt`].
    ///
    /// # Errors
    ///
    /// As [`guard::Call::try_attempt`].
    pub fn try_attempt(&mut self, now: Instant) -> Result<Attempt<'r, B, WAITERS, SLOTS>, Rejected> {
        let recorder = self.recorder;
        let Some(call) = &mut self.inner else { return Err(Rejected::CallOver) };
        recorder.step(Some(now), Input::Attempt { call: self.id }, |(_, id)| {
            let result = call.try_attempt(now);
            let decision = started(result.as_ref().map_err(|rejected| *rejected), call, id);
            (result.map(|attempt| Attempt { recorder, inner: Some(attempt), id }), decision)
        })
    }

    /// As [`guard::Call::settle`].
    pub fn settle(
        &mut self,
        mut attempt: Attempt<'r, B, WAITERS, SLOTS>,
        report: Report,
        now: Instant,
    ) -> Settled {
        let over = Settled { verdict: guard::Verdict::Done, transition: None, budget: None };
        let Some((call, taken)) = self.inner.as_mut().zip(attempt.inner.take()) else { return over };
        let input = Input::Settle { call: self.id, attempt: attempt.id, report };
        self.recorder.step(Some(now), input, |_| {
            let settled = call.settle(taken, report, now);
            (settled, Decision::Settled(settled))
        })
    }

    /// As [`guard::Call::cancel`].
    pub fn cancel(mut self, now: Instant) {
        if let Some(call) = self.inner.take() {
            self.recorder.step(Some(now), Input::Cancel { call: self.id }, |_| {
                call.cancel(now);
                ((), Decision::Nothing)
            });
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

impl<B: AsMut<[u8]>, const WAITERS: usize, const SLOTS: usize> Drop for Call<'_, B, WAITERS, SLOTS> {
    fn drop(&mut self) {
        if let Some(call) = self.inner.take() {
            self.recorder.step(None, Input::Drop { call: self.id }, |_| {
                drop(call);
                ((), Decision::Nothing)
            });
        }
    }
}

impl<B: AsMut<[u8]>, const WAITERS: usize, const SLOTS: usize> Attempt<'_, B, WAITERS, SLOTS> {
    /// What the operation needs to know of it; `None` never, but for one that was settled.
    pub fn about(&self) -> Option<guard::About> {
        self.inner.as_ref().map(guard::Attempt::about)
    }
}

impl<B: AsMut<[u8]>, const WAITERS: usize, const SLOTS: usize> Drop for Attempt<'_, B, WAITERS, SLOTS> {
    fn drop(&mut self) {
        if let Some(attempt) = self.inner.take() {
            self.recorder.step(None, Input::DropAttempt { attempt: self.id }, |_| {
                drop(attempt);
                ((), Decision::Nothing)
            });
        }
    }
}

impl<B, const WAITERS: usize, const SLOTS: usize> fmt::Debug for Recorder<B, WAITERS, SLOTS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").field("guard", &self.guard).field("log", &self.log).finish_non_exhaustive()
    }
}

impl<B: AsMut<[u8]>, const WAITERS: usize, const SLOTS: usize> fmt::Debug for Waiting<'_, B, WAITERS, SLOTS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiting").field("id", &self.id).field("waiting", &self.inner).finish_non_exhaustive()
    }
}

impl<B: AsMut<[u8]>, const WAITERS: usize, const SLOTS: usize> fmt::Debug for Call<'_, B, WAITERS, SLOTS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("id", &self.id).field("call", &self.inner).finish_non_exhaustive()
    }
}

impl<B: AsMut<[u8]>, const WAITERS: usize, const SLOTS: usize> fmt::Debug for Attempt<'_, B, WAITERS, SLOTS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempt").field("id", &self.id).field("attempt", &self.inner).finish_non_exhaustive()
    }
}
