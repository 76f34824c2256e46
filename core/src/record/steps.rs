//! Whoever takes the steps of a guard, and whether they are written down.

use super::call::{Begin, Call};
use super::entry::{AttemptId, CallId, Decision, Input};
use super::loose;
use crate::admission::circuit_breaker::Transition;
use crate::attempt::deadline::Deadline;
use crate::guard::{Guard, Rejected};
use crate::health::error_budget::Edge;
use crate::time::Instant;

/// The numbers of the call and of the attempt that begin next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Numbers {
    pub(crate) call: CallId,
    pub(crate) attempt: AttemptId,
}

impl Numbers {
    /// What begins in a step that is not written has no number.
    pub const NONE: Self = Self { call: CallId::NONE, attempt: AttemptId::NONE };
}

/// Takes the steps of a guard: a [`Recorder`](super::Recorder), which writes them down, a [`Guard`], which does not, or an
/// adapter that holds its log in its own way.
///
/// The calls, attempts and places in a queue that come from it take their steps through it, until they are dropped; [`loose`]
/// has the same steps for those of a guard.
///
/// # Examples
///
/// The same traffic, written down or not:
///
/// ```
/// use seawall_core::guard::{Rejected, Report};
/// use seawall_core::record::{Recorder, Steps};
/// use seawall_core::{Deadline, Guard, Instant, Outcome, Policy};
///
/// fn one_call(steps: &impl Steps<8, 10>, now: Instant) -> Result<(), Rejected> {
///     let mut call = steps.try_begin(Deadline::NONE, now)?;
///     let attempt = call.try_attempt(now)?;
///     let _ = call.settle(attempt, Report::new(Outcome::Success), now);
///     Ok(())
/// }
///
/// let recorder = Recorder::try_new(Policy::new(), [0; 512]).unwrap();
/// one_call(&recorder, Instant::from_secs(1)).unwrap();
/// one_call(&Guard::new(Policy::new()), Instant::from_secs(1)).unwrap();
/// assert_eq!(recorder.stats().successes, 1);
/// ```
pub trait Steps<const WAITERS: usize, const SLOTS: usize> {
    /// The guard, if its steps are not written down: then they are taken on it as they are, and not by [`Steps::step`].
    fn unwritten(&self) -> Option<&Guard<WAITERS, SLOTS>>;

    /// Takes one step that is written: what was asked at `now` is done by `take` to the guard, which says what was decided.
    ///
    /// For a step that is told no moment, `now` is `None`. A log needs the order of the steps, so no other step may come
    /// between; one that does, since a waker calls back, is taken with [`Numbers::NONE`] and ends the log.
    fn step<'g, T>(
        &'g self,
        now: Option<Instant>,
        input: Input,
        take: impl FnOnce(&'g Guard<WAITERS, SLOTS>, Numbers) -> (T, Decision),
    ) -> T;

    /// As [`Guard::heed`]: what is counted decides nothing, so it is no step.
    ///
    /// # Errors
    ///
    /// As [`Guard::heed`].
    fn heed<T>(&self, said: Result<T, Rejected>) -> Result<Option<T>, Rejected>;

    /// As [`Guard::try_begin`].
    ///
    /// # Errors
    ///
    /// As [`Guard::try_begin`].
    fn try_begin(&self, deadline: Deadline, now: Instant) -> Result<Call<'_, Self, WAITERS, SLOTS>, Rejected>
    where
        Self: Sized,
    {
        self.step(Some(now), Input::TryBegin { deadline }, |guard, next| {
            match guard.try_begin(deadline, now) {
                Ok(call) => (Ok(Call::new(self, call, next.call)), Decision::Admitted { call: next.call }),
                Err(rejected) => (Err(rejected), refused(rejected)),
            }
        })
    }

    /// As [`Guard::begin`].
    ///
    /// # Errors
    ///
    /// As [`Guard::begin`].
    fn begin(&self, deadline: Deadline, now: Instant) -> Result<Begin<'_, Self, WAITERS, SLOTS>, Rejected>
    where
        Self: Sized,
    {
        let mut id = CallId::NONE;
        let begin = loose::begin(self, &mut id, deadline, now)?;
        Ok(Begin::new(self, begin, id))
    }

    /// Opens the breaker by hand; `None` without a breaker.
    fn trip(&self, now: Instant) -> Option<Transition> {
        by_hand(self, Some(now), Input::Trip)
    }

    /// Closes the breaker by hand, as new; `None` without a breaker.
    fn reset(&self, now: Instant) -> Option<Transition> {
        by_hand(self, Some(now), Input::Reset)
    }

    /// Forces the breaker open; `None` without a breaker.
    fn force_open(&self) -> Option<Transition> {
        by_hand(self, None, Input::ForceOpen)
    }

    /// Forces the breaker closed; `None` without a breaker.
    fn force_closed(&self) -> Option<Transition> {
        by_hand(self, None, Input::ForceClosed)
    }

    /// Asks the error budget whether time took it over the line; `None` if not, or without a budget.
    fn check_budget(&self, now: Instant) -> Option<Edge> {
        self.step(Some(now), Input::CheckBudget, |guard, _| {
            let edge = guard.error_budget().and_then(|budget| budget.check(now));
            (edge, Decision::Edge(edge))
        })
    }

    /// As [`Guard::set_shadow`].
    fn set_shadow(&self, on: bool) -> bool {
        changed(self, Input::SetShadow { on })
    }

    /// Lets the breaker watch only, or rule again; `None` without a breaker.
    fn shadow_breaker(&self, on: bool) -> Option<Transition> {
        by_hand(self, None, Input::ShadowBreaker { on })
    }

    /// Gives the bulkhead another number of permits, and says whether it did: there must be a bulkhead, and the number one
    /// that it can have.
    fn resize(&self, max_concurrent: u32) -> bool {
        changed(self, Input::Resize { max_concurrent })
    }

    /// Closes the bulkhead for good, and says whether there is one.
    fn close(&self) -> bool {
        changed(self, Input::Close)
    }
}

/// A guard by itself writes nothing, and a step costs nothing beside what it does.
impl<const WAITERS: usize, const SLOTS: usize> Steps<WAITERS, SLOTS> for Guard<WAITERS, SLOTS> {
    #[inline]
    fn unwritten(&self) -> Option<&Self> {
        Some(self)
    }

    fn heed<T>(&self, said: Result<T, Rejected>) -> Result<Option<T>, Rejected> {
        Self::heed(self, said)
    }

    fn step<'g, T>(
        &'g self,
        _now: Option<Instant>,
        _input: Input,
        take: impl FnOnce(&'g Self, Numbers) -> (T, Decision),
    ) -> T {
        take(self, Numbers::NONE).0
    }
}

fn changed<const WAITERS: usize, const SLOTS: usize>(
    steps: &(impl Steps<WAITERS, SLOTS> + ?Sized),
    input: Input,
) -> bool {
    steps.step(None, input, |guard, _| {
        let was = change(guard, input);
        (was, Decision::Was(was))
    })
}

fn by_hand<const WAITERS: usize, const SLOTS: usize>(
    steps: &(impl Steps<WAITERS, SLOTS> + ?Sized),
    now: Option<Instant>,
    input: Input,
) -> Option<Transition> {
    steps.step(now, input, |guard, _| {
        let transition = steer(guard, input, now.unwrap_or_default());
        (transition, Decision::Transition(transition))
    })
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
