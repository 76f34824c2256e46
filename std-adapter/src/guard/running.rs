//! An admitted call with its clock: what the async and the blocking form share.

use std::any::Any;
use std::time::Duration;

use seawall_core::guard::{Call, Error, Rejected, Report, Took, Verdict};
use seawall_core::record::{AttemptId, CallId, Input, loose};
use seawall_core::retry::GiveUp;
use seawall_core::{Clock, Instant, Outcome, guard as decision};

use super::around::Held;
use super::{Attempt, Classify, SLOTS, Shared, WAITERS};

/// How the operation ended.
pub(super) enum Ended<T, E> {
    /// It returned, and this is what its result means.
    Returned(Result<T, E>, Report),
    /// Its time was over, and this is what that means. Only the async form ends an operation, and chaos.
    #[cfg_attr(not(any(feature = "tokio", feature = "chaos")), allow(dead_code))]
    TimedOut(Duration, Report),
    /// Chaos ended it in place of the operation.
    #[cfg(feature = "chaos")]
    Injected(seawall_core::chaos::Kind),
    /// It panicked, or the classifier did.
    Panicked(Box<dyn Any + Send>),
}

impl<T, E> Ended<T, E> {
    /// What an operation that ran to its end (or panicked) means.
    pub(super) fn of(run: impl FnOnce() -> Result<T, E>, classify: &impl Classify<T, E>) -> Self {
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let result = run();
            let report = classify.classify(&result);
            (result, report)
        }));
        match caught {
            Ok((result, report)) => Self::Returned(result, report),
            Err(payload) => Self::Panicked(payload),
        }
    }

    /// What an operation whose time was over means.
    #[cfg(any(feature = "tokio", feature = "chaos"))]
    pub(super) fn timed_out(limit: Duration, classify: &impl Classify<T, E>) -> Self {
        match std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| classify.timed_out())) {
            Ok(report) => Self::TimedOut(limit, report),
            Err(payload) => Self::Panicked(payload),
        }
    }

    fn report(&self) -> Report {
        match self {
            Self::Returned(_, report) | Self::TimedOut(_, report) => *report,
            #[cfg(feature = "chaos")]
            Self::Injected(_) => Report::new(Outcome::Failure),
            Self::Panicked(_) => Report::new(Outcome::Failure).not_retryable(),
        }
    }

    fn into_result(self, attempts: u32, gave_up: Option<GiveUp>) -> Result<T, Error<E>> {
        match self {
            Self::Returned(Ok(value), _) => Ok(value),
            Self::Returned(Err(error), _) => Err(Error::Failed { error, attempts, gave_up }),
            Self::TimedOut(limit, _) => Err(Error::TimedOut { limit, attempts, gave_up }),
            #[cfg(feature = "chaos")]
            Self::Injected(fault) => Err(Error::Injected { fault, attempts, gave_up }),
            Self::Panicked(payload) => std::panic::resume_unwind(payload),
        }
    }
}

/// What to do after an attempt.
pub(super) enum Next<T, E> {
    /// The call is over.
    Return(Result<T, Error<E>>),
    /// Wait so long, then try again.
    Pause(Duration),
}

/// A call that the guard admitted, and what it took on its way there.
pub(super) struct Admitted<'a> {
    pub(super) call: Call<'a, WAITERS, SLOTS>,
    /// Its number in the log, where there is one.
    pub(super) id: CallId,
    pub(super) held: Option<Held<'a>>,
}

/// An admitted call. Dropping it before its end cancels it.
pub(super) struct Running<'a, C: Clock, T, E> {
    shared: &'a Shared<C>,
    call: Option<Call<'a, WAITERS, SLOTS>>,
    id: CallId,
    /// The attempt that is under way.
    attempt: Option<decision::Attempt<'a, SLOTS>>,
    attempt_id: AttemptId,
    /// What it took on its way to the guard.
    held: Option<Held<'a>>,
    /// How the last attempt ended.
    took: Option<Took>,
    /// The time of the last look at the clock, so that a first attempt needs none of its own.
    now: Instant,
    last: Option<Ended<T, E>>,
}

impl<'a, C: Clock, T, E> Running<'a, C, T, E> {
    pub(super) fn new(shared: &'a Shared<C>, admitted: Admitted<'a>, now: Instant) -> Self {
        let Admitted { call, id, held } = admitted;
        Self {
            shared,
            call: Some(call),
            id,
            attempt: None,
            attempt_id: AttemptId::NONE,
            held,
            took: None,
            now,
            last: None,
        }
    }

    /// The last look at the clock: when an attempt began, while it is under way.
    #[cfg(feature = "chaos")]
    pub(super) fn now(&self) -> Instant {
        self.now
    }

    /// Starts an attempt.
    ///
    /// An error is the end of the call: the rejection, or what the attempt before brought.
    pub(super) fn attempt(&mut self) -> Result<Attempt, Result<T, Error<E>>> {
        let Some(call) = &mut self.call else { return Err(Err(Error::Rejected(Rejected::DeadlineExpired))) };
        let now = self.now;
        match loose::attempt(self.shared, self.id, call, &mut self.attempt_id, now) {
            Ok(attempt) => {
                if let Some(transition) = attempt.transition() {
                    self.shared.transition(transition, now);
                }
                self.shared.tallies.attempt(attempt.number());
                let about = attempt.about();
                self.attempt = Some(attempt);
                Ok(about)
            }
            Err(rejected) => {
                let attempts = call.attempts();
                if let Some(edge) = call.budget_edge() {
                    self.shared.budget_edge(edge, now);
                }
                self.put_down(attempts, now);
                self.end();
                let Some(last) = self.last.take() else { return Err(Err(Error::Rejected(rejected))) };
                let reason = rejected.give_up();
                self.shared.tallies.gave_up(reason);
                Err(last.into_result(attempts, Some(reason)))
            }
        }
    }

    /// Settles an attempt.
    pub(super) fn settle(&mut self, ended: Ended<T, E>) -> Next<T, E> {
        let now = self.shared.clock.now();
        let latency = now.saturating_since(self.now);
        self.now = now;
        self.shared.latencies.record(u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX));
        let report = ended.report();
        let took = Took::new(report.outcome(), latency);
        self.took = Some(took);
        self.shared.record_around(took, now);
        let Some((call, attempt)) = self.call.as_mut().zip(self.attempt.take()) else {
            return Next::Return(ended.into_result(0, None));
        };
        let settled = loose::settle(self.shared, self.id, call, self.attempt_id, attempt, report, now);
        if let Some(transition) = settled.transition {
            self.shared.transition(transition, now);
        }
        if let Some(edge) = settled.budget {
            self.shared.budget_edge(edge, now);
        }
        let attempts = call.attempts();
        let gave_up = match settled.verdict {
            Verdict::RetryAfter(pause) => {
                self.last = Some(ended);
                self.shared.pauses.record(u64::try_from(pause.as_nanos()).unwrap_or(u64::MAX));
                return Next::Pause(pause);
            }
            Verdict::Done => None,
            Verdict::GaveUp(reason) => {
                self.shared.tallies.gave_up(reason);
                Some(reason)
            }
        };
        if attempts > 1 && report.outcome() == Outcome::Success {
            self.shared.tallies.recovered();
        }
        self.put_down(attempts, now);
        // The slot comes back before the result is out, or before the panic goes on.
        self.end();
        Next::Return(ended.into_result(attempts, gave_up))
    }

    /// The call is over after so many attempts: settles what it took on its way to the guard.
    fn put_down(&mut self, attempts: u32, now: Instant) {
        let Some(held) = self.held.take() else { return };
        match self.took {
            Some(took) => held.settle(took, now),
            None if attempts == 0 => held.give_back(now),
            // An attempt was cut short: what it began is spent, and nothing is known of how it would have ended.
            None => drop(held),
        }
    }

    /// Gives the slot back.
    fn end(&mut self) {
        loose::end(self.shared, Input::Drop { call: self.id }, &mut self.call);
    }

    /// Looks at the clock after a pause.
    pub(super) fn resume(&mut self) {
        self.now = self.shared.clock.now();
    }
}

impl<C: Clock, T, E> Drop for Running<'_, C, T, E> {
    fn drop(&mut self) {
        if let Some(call) = self.call.take() {
            let now = self.shared.clock.now();
            loose::end(self.shared, Input::DropAttempt { attempt: self.attempt_id }, &mut self.attempt);
            self.put_down(call.attempts(), now);
            loose::cancel(self.shared, self.id, call, now);
        }
    }
}
