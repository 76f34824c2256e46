//! The steps of a call one by one, for adapters that keep a guard's own calls and attempts, with their numbers beside them.
//!
//! A guard without a log then moves nothing more than it would without this module: each step is a branch, or nothing where
//! the compiler knows that nothing is written.
//! Whoever uses them says how each call and attempt ends, by [`settle`], [`cancel`], [`cancel_waiting`] or [`end`]: one that
//! is merely dropped is missing in the log, and a replay then decides otherwise.
//! The types of [`record`](super) do that by themselves.
//!
//! # Examples
//!
//! ```
//! use seawall_core::guard::{Begin, Report};
//! use seawall_core::record::{CallId, AttemptId, Input, Recorder, loose};
//! use seawall_core::{Deadline, Instant, Outcome, Policy};
//!
//! let recorder: Recorder<[u8; 512]> = Recorder::try_new(Policy::new(), [0; 512]).unwrap();
//! let (now, mut id, mut attempt_id) = (Instant::from_secs(1), CallId::NONE, AttemptId::NONE);
//! let Ok(Begin::Started(mut call)) = loose::begin(&recorder, &mut id, Deadline::NONE, now) else { panic!() };
//! let attempt = loose::attempt(&recorder, id, &mut call, &mut attempt_id, now).unwrap();
//! let _ = loose::settle(&recorder, id, &mut call, attempt_id, attempt, Report::new(Outcome::Success), now);
//! loose::end(&recorder, Input::Drop { call: id }, &mut Some(call));
//! assert_eq!(recorder.lost(), 0);
//! ```

use core::task::{Poll, Waker};

use super::entry::{AttemptId, CallId, Decision, Input};
use super::steps::{Steps, refused};
use crate::attempt::deadline::Deadline;
use crate::guard::{Attempt, Begin, Call, Rejected, Report, Settled, Waiting};
use crate::time::Instant;

/// As [`Guard::begin`](crate::Guard::begin); `id` becomes the number of a call that begins.
///
/// # Errors
///
/// As [`Guard::begin`](crate::Guard::begin).
#[inline]
pub fn begin<'g, const WAITERS: usize, const SLOTS: usize>(
    steps: &'g impl Steps<WAITERS, SLOTS>,
    id: &mut CallId,
    deadline: Deadline,
    now: Instant,
) -> Result<Begin<'g, WAITERS, SLOTS>, Rejected> {
    if let Some(guard) = steps.unwritten() {
        return guard.begin(deadline, now);
    }
    steps.step(Some(now), Input::Begin { deadline }, |guard, next| {
        *id = next.call;
        let result = guard.begin(deadline, now);
        let decision = match &result {
            Ok(Begin::Started(_)) => Decision::Admitted { call: next.call },
            Ok(Begin::Waiting(waiting)) => Decision::Waiting { call: next.call, until: waiting.deadline() },
            Err(rejected) => refused(*rejected),
        };
        (result, decision)
    })
}

/// As [`Waiting::poll`], of the call with the number `id`.
pub fn poll<'g, const WAITERS: usize, const SLOTS: usize>(
    steps: &'g impl Steps<WAITERS, SLOTS>,
    id: CallId,
    waiting: &mut Waiting<'g, WAITERS, SLOTS>,
    waker: &Waker,
    now: Instant,
) -> Poll<Result<Call<'g, WAITERS, SLOTS>, Rejected>> {
    if steps.unwritten().is_some() {
        return waiting.poll(waker, now);
    }
    steps.step(Some(now), Input::Poll { call: id }, |_, _| {
        let polled = waiting.poll(waker, now);
        let decision = match &polled {
            Poll::Pending => Decision::Pending,
            Poll::Ready(Ok(_)) => Decision::Admitted { call: id },
            Poll::Ready(Err(rejected)) => refused(*rejected),
        };
        (polled, decision)
    })
}

/// As [`Call::try_attempt`], of the call with the number `of`; `id` becomes the number of an attempt that starts.
///
/// # Errors
///
/// As [`Call::try_attempt`].
#[inline]
pub fn attempt<'g, const WAITERS: usize, const SLOTS: usize>(
    steps: &'g impl Steps<WAITERS, SLOTS>,
    of: CallId,
    call: &mut Call<'g, WAITERS, SLOTS>,
    id: &mut AttemptId,
    now: Instant,
) -> Result<Attempt<'g, SLOTS>, Rejected> {
    if steps.unwritten().is_some() {
        return call.try_attempt(now);
    }
    steps.step(Some(now), Input::Attempt { call: of }, |_, next| {
        *id = next.attempt;
        let result = call.try_attempt(now);
        let decision = started(result.as_ref().map_err(|rejected| *rejected), call, next.attempt);
        (result, decision)
    })
}

/// As [`Call::settle`], of the call with the number `of` and its attempt with the number `id`.
#[inline]
pub fn settle<'g, const WAITERS: usize, const SLOTS: usize>(
    steps: &'g impl Steps<WAITERS, SLOTS>,
    of: CallId,
    call: &mut Call<'g, WAITERS, SLOTS>,
    id: AttemptId,
    attempt: Attempt<'g, SLOTS>,
    report: Report,
    now: Instant,
) -> Settled {
    if steps.unwritten().is_some() {
        return call.settle(attempt, report, now);
    }
    steps.step(Some(now), Input::Settle { call: of, attempt: id, report }, |_, _| {
        let settled = call.settle(attempt, report, now);
        (settled, Decision::Settled(settled))
    })
}

/// As [`Call::cancel`], of the call with the number `id`.
pub fn cancel<'g, const WAITERS: usize, const SLOTS: usize>(
    steps: &'g impl Steps<WAITERS, SLOTS>,
    id: CallId,
    call: Call<'g, WAITERS, SLOTS>,
    now: Instant,
) {
    if steps.unwritten().is_some() {
        return call.cancel(now);
    }
    steps.step(Some(now), Input::Cancel { call: id }, |_, _| (call.cancel(now), Decision::Nothing));
}

/// As [`Waiting::cancel`], of the call with the number `id`.
pub fn cancel_waiting<'g, const WAITERS: usize, const SLOTS: usize>(
    steps: &'g impl Steps<WAITERS, SLOTS>,
    id: CallId,
    waiting: Waiting<'g, WAITERS, SLOTS>,
    now: Instant,
) {
    if steps.unwritten().is_some() {
        return waiting.cancel(now);
    }
    let input = Input::CancelWaiting { call: id };
    steps.step(Some(now), input, |_, _| (waiting.cancel(now), Decision::Nothing));
}

/// Drops what is held, if anything is, as the step that `input` says: [`Input::Drop`], [`Input::DropWaiting`] or
/// [`Input::DropAttempt`].
#[inline]
pub fn end<T, const WAITERS: usize, const SLOTS: usize>(
    steps: &impl Steps<WAITERS, SLOTS>,
    input: Input,
    held: &mut Option<T>,
) {
    if steps.unwritten().is_some() {
        *held = None;
    } else if held.is_some() {
        steps.step(None, input, |_, _| (*held = None, Decision::Nothing));
    }
}

/// What an attempt of a call was told.
pub(super) fn started<const WAITERS: usize, const SLOTS: usize>(
    result: Result<&Attempt<'_, SLOTS>, Rejected>,
    call: &Call<'_, WAITERS, SLOTS>,
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
