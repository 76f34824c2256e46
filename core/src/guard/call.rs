//! An admitted call, its attempts, and how it is settled.

use core::fmt;
use core::time::Duration;

use super::{Guard, Pattern, Rejected};
use crate::admission::bulkhead;
use crate::admission::circuit_breaker::{Permit, Transition};
use crate::admission::rate_limiter::Grant;
use crate::attempt::deadline::Deadline;
use crate::attempt::retry::{Decision, GiveUp, Kind};
use crate::health::error_budget::Edge;
use crate::outcome::Outcome;
use crate::time::{Instant, duration, nanos};

/// A call that the guard admitted.
///
/// It holds its slot until it is dropped, so drop it when the work has really ended.
/// A call that is dropped before it was settled counts as cancelled.
#[must_use = "dropping it cancels the call"]
pub struct Call<'a, const WAITERS: usize = 8, const SLOTS: usize = 10> {
    pub(super) guard: &'a Guard<WAITERS, SLOTS>,
    grant: Option<Grant>,
    slot: Option<bulkhead::Permit<'a, WAITERS>>,
    pub(super) deadline: Deadline,
    pub(super) began: Instant,
    pub(super) attempts: u32,
    /// Nanoseconds of the last pause: half the size of a [`Duration`].
    pause: u64,
    /// How the last settled attempt ended.
    last: Outcome,
    /// The edge that a refusal after an attempt made.
    edge: Option<Edge>,
    pub(super) open: bool,
    /// Whether it began in shadow mode.
    pub(super) shadow: bool,
}

/// One attempt that the breaker admitted. Dropping it gives a probe back and counts nothing.
#[must_use = "settle it with `Call::settle`"]
pub struct Attempt<'a, const SLOTS: usize = 10> {
    pub(super) permit: Option<Permit<'a, SLOTS>>,
    pub(super) number: u32,
    pub(super) started: Instant,
    pub(super) deadline: Deadline,
}

/// What an operation is told of the attempt that it makes: plain data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct About {
    number: u32,
    deadline: Deadline,
    remaining: Duration,
    probe: bool,
}

impl About {
    /// 1 for the first attempt of a call.
    pub const fn number(&self) -> u32 {
        self.number
    }

    /// When the attempt must be over, on the guard's clock.
    pub const fn deadline(&self) -> Deadline {
        self.deadline
    }

    /// The time that the operation has, from its start; [`Duration::MAX`] if there is no limit.
    ///
    /// This is what goes to the next node, and what a blocking operation sets as its socket's timeout.
    pub const fn remaining(&self) -> Duration {
        self.remaining
    }

    /// Whether it is a probe of a half-open breaker.
    pub const fn is_probe(&self) -> bool {
        self.probe
    }

    /// The same attempt for an operation that starts only at `now`, with what its attempt left of the time.
    #[must_use = "what is told is returned"]
    pub fn starting_at(self, now: Instant) -> Self {
        Self { remaining: self.remaining.min(self.deadline.remaining(now)), ..self }
    }
}

/// How an attempt ended, and whether another one makes sense.
///
/// # Examples
///
/// ```
/// use core::time::Duration;
/// use seawall_core::{guard::Report, Outcome};
///
/// let busy = Report::new(Outcome::Ignored).retry_after(Duration::from_millis(50));
/// let malformed = Report::new(Outcome::Ignored).not_retryable();
/// let reset = Report::from(&Err::<(), _>("connection reset"));
/// assert_ne!(busy, malformed);
/// assert_eq!(reset, Report::new(Outcome::Failure));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    outcome: Outcome,
    retry: Retryable,
    timed_out: bool,
}

wire_struct!(Report { outcome, retry, timed_out });

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Retryable {
    No,
    Yes,
    After(Duration),
}

wire_enum!(Retryable { 0: No, 1: Yes, 2: After(delay) });

impl Report {
    /// A failure is worth another attempt, everything else is not.
    #[inline]
    pub const fn new(outcome: Outcome) -> Self {
        let retry = if matches!(outcome, Outcome::Failure) { Retryable::Yes } else { Retryable::No };
        Self { outcome, retry, timed_out: false }
    }

    /// The attempt ran into its timeout: a failure that is worth another attempt.
    pub const fn timed_out() -> Self {
        Self { outcome: Outcome::Failure, retry: Retryable::Yes, timed_out: true }
    }

    /// Another attempt makes no sense, or must not be made: the operation is not idempotent.
    #[must_use = "the report is returned"]
    pub const fn not_retryable(mut self) -> Self {
        self.retry = Retryable::No;
        self
    }

    /// Another attempt makes sense after `delay`, as the peer said.
    #[must_use = "the report is returned"]
    pub const fn retry_after(mut self, delay: Duration) -> Self {
        self.retry = Retryable::After(delay);
        self
    }

    /// The outcome.
    pub const fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// Whether the attempt ran into its timeout.
    pub const fn is_timed_out(&self) -> bool {
        self.timed_out
    }

    /// Whether another attempt makes sense.
    pub const fn is_retryable(&self) -> bool {
        !matches!(self.retry, Retryable::No)
    }

    /// The delay that the peer asked for, if it did.
    pub const fn asked_delay(&self) -> Option<Duration> {
        match self.retry {
            Retryable::After(delay) => Some(delay),
            Retryable::No | Retryable::Yes => None,
        }
    }
}

impl<T, E> From<&Result<T, E>> for Report {
    fn from(result: &Result<T, E>) -> Self {
        Self::new(Outcome::from(result))
    }
}

/// What to do after an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The call is over: the attempt succeeded, or its result is to be returned as it is.
    Done,
    /// Wait so long, then try again.
    RetryAfter(Duration),
    /// The call is over: the attempt failed, and there is no other one.
    GaveUp(GiveUp),
}

/// What a settlement brought about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "the verdict says what to do next"]
pub struct Settled {
    /// What to do now.
    pub verdict: Verdict,
    /// The breaker's change of state, if the attempt made it.
    pub transition: Option<Transition>,
    /// The error budget's edge, if the call made it.
    pub budget: Option<Edge>,
}

impl<const WAITERS: usize, const SLOTS: usize> Guard<WAITERS, SLOTS> {
    /// When an attempt that starts at `started` must be over: a probe may have less time.
    #[inline]
    pub(super) fn attempt_deadline(
        &self,
        permit: Option<&Permit<'_, SLOTS>>,
        started: Instant,
        call: Deadline,
    ) -> Deadline {
        let fixed = self.timeout.deadline(started, call);
        let deadline = self.adaptive_timeout.as_ref().map_or(fixed, |timeout| timeout.limit(fixed, started));
        match permit {
            Some(permit) if permit.is_probe() => deadline.min(permit.probe_deadline(started)),
            _ => deadline,
        }
    }

    /// The breaker let an attempt pass: counts what that changed, and what it would have said if it were not in shadow mode.
    #[inline]
    pub(super) fn admitted(&self, permit: Option<&Permit<'_, SLOTS>>, now: Instant) {
        if let Some(permit) = permit.filter(|permit| !permit.is_plain()) {
            self.admitted_specially(permit, now);
        }
    }

    #[cold]
    fn admitted_specially(&self, permit: &Permit<'_, SLOTS>, now: Instant) {
        if let Some(transition) = permit.transition() {
            self.changed(transition, now);
        }
        if permit.would_reject().is_some() {
            self.counters.would_reject(Pattern::CircuitBreaker);
        }
    }

    /// Tells the timeout and the breaker how an attempt ended.
    #[inline]
    pub(super) fn attempted(
        &self,
        attempt: Attempt<'_, SLOTS>,
        report: Report,
        now: Instant,
    ) -> Option<Transition> {
        if let Some(timeout) = &self.adaptive_timeout {
            timeout.record(report.outcome, now.saturating_since(attempt.started));
        }
        let settlement = attempt.permit?.record_with(report.outcome, report.asked_delay(), now);
        let transition = settlement.transition()?;
        self.changed(transition, now);
        Some(transition)
    }
}

impl<'a, const WAITERS: usize, const SLOTS: usize> Call<'a, WAITERS, SLOTS> {
    #[inline]
    pub(super) fn new(
        guard: &'a Guard<WAITERS, SLOTS>,
        grant: Option<Grant>,
        slot: Option<bulkhead::Permit<'a, WAITERS>>,
        deadline: Deadline,
        now: Instant,
    ) -> Self {
        guard.retry.call_started();
        Self {
            guard,
            grant,
            slot,
            deadline,
            began: now,
            attempts: 0,
            pause: 0,
            last: Outcome::Cancelled,
            edge: None,
            open: true,
            shadow: false,
        }
    }

    /// The call is only watched.
    pub(super) const fn in_shadow(mut self) -> Self {
        self.shadow = true;
        self
    }

    /// Asks the breaker for an attempt.
    ///
    /// # Errors
    ///
    /// [`Rejected`] if the breaker is open, the deadline has come, or the call is over.
    /// Before the first attempt the call then counts as rejected and its token comes back; after one it counts as what the
    /// last attempt was, and [`Call::budget_edge`] tells what that did. Either way the call is over.
    #[inline]
    pub fn try_attempt(&mut self, now: Instant) -> Result<Attempt<'a, SLOTS>, Rejected> {
        if !self.open {
            return Err(Rejected::CallOver);
        }
        if self.is_shadow() {
            return Ok(self.attempt_in_shadow(now));
        }
        if self.deadline.is_expired(now) {
            return Err(self.refuse(Rejected::DeadlineExpired, now));
        }
        let permit = match &self.guard.breaker {
            None => None,
            Some(breaker) => match breaker.try_acquire(now) {
                Ok(permit) => Some(permit),
                Err(rejected) => return Err(self.refuse(Rejected::CircuitBreaker(rejected), now)),
            },
        };
        self.guard.admitted(permit.as_ref(), now);
        if self.attempts > 0 {
            self.guard.counters.retry();
        }
        self.attempts = self.attempts.saturating_add(1);
        let deadline = self.guard.attempt_deadline(permit.as_ref(), now, self.deadline);
        Ok(Attempt { permit, number: self.attempts, started: now, deadline })
    }

    /// Settles an attempt, and the call with it unless there is another one.
    #[inline]
    pub fn settle(&mut self, attempt: Attempt<'a, SLOTS>, report: Report, now: Instant) -> Settled {
        if report.timed_out {
            self.guard.counters.timeout();
        }
        if self.is_shadow() {
            return self.settle_in_shadow(attempt, report, now);
        }
        let transition = self.guard.attempted(attempt, report, now);
        if !self.open {
            return Settled { verdict: Verdict::Done, transition, budget: None };
        }
        self.last = report.outcome;
        let verdict = self.decide(report, now);
        let budget = if let Verdict::RetryAfter(pause) = verdict {
            self.pause = nanos(pause);
            None
        } else {
            self.finish(report.outcome, now)
        };
        Settled { verdict, transition, budget }
    }

    /// The call's deadline.
    pub const fn deadline(&self) -> Deadline {
        self.deadline
    }

    /// When the call was admitted.
    pub const fn began(&self) -> Instant {
        self.began
    }

    /// The attempts that were started.
    pub const fn attempts(&self) -> u32 {
        self.attempts
    }

    /// The error budget's edge, if the refusal of an attempt ended the call and made it.
    ///
    /// A call that [`Call::settle`] ends has it in [`Settled::budget`].
    pub const fn budget_edge(&self) -> Option<Edge> {
        self.edge
    }

    /// Gives the call up.
    ///
    /// Dropping it does the same, but its token then comes back only if nobody took one since, for want of the present moment.
    pub fn cancel(mut self, now: Instant) {
        if self.open {
            self.open = false;
            self.guard.counters.cancelled();
            if self.attempts == 0 {
                self.guard.refund(self.grant.take(), now);
            }
        }
    }

    #[inline]
    pub(super) fn decide(&self, report: Report, now: Instant) -> Verdict {
        if report.is_retryable() {
            self.decide_retry(report, now)
        } else if report.outcome == Outcome::Failure {
            Verdict::GaveUp(GiveUp::NotRetryable)
        } else {
            Verdict::Done
        }
    }

    /// Whether an attempt after which another one makes sense is followed by it.
    #[cold]
    fn decide_retry(&self, report: Report, now: Instant) -> Verdict {
        let attempts_left = self.attempts < self.guard.retry.config().max_attempts();
        let kind = match report.retry {
            Retryable::After(_) => Kind::Throttled,
            _ if report.timed_out => Kind::Timeout,
            _ => Kind::Failure,
        };
        let retry = &self.guard.retry;
        let (asked, draw) = match report.retry {
            Retryable::After(delay) => (Some(delay), 0),
            _ => (None, if attempts_left { self.guard.jitter.next_u32() } else { 0 }),
        };
        let before = duration(self.pause);
        let backoff = || retry.config().backoff().delay(self.attempts.saturating_sub(1), before, draw);
        if attempts_left && self.breaker_stays_open(|| asked.unwrap_or_else(backoff), now) {
            retry.call_failed(kind);
            return Verdict::GaveUp(GiveUp::BreakerOpen);
        }
        let decision = match asked {
            Some(delay) => retry.decide_with_delay(self.attempts, delay, self.deadline, now),
            None => retry.decide_as(kind, self.attempts, before, self.deadline, draw, now),
        };
        match decision {
            Decision::RetryAfter(delay) => Verdict::RetryAfter(delay),
            Decision::GiveUp(reason) => Verdict::GaveUp(reason),
        }
    }

    /// Whether the breaker refuses calls now and still will after the pause: such a retry is not worth its budget.
    fn breaker_stays_open(&self, pause: impl FnOnce() -> Duration, now: Instant) -> bool {
        self.guard.breaker.as_ref().is_some_and(|breaker| {
            breaker.check(now).is_err() && breaker.check(now.saturating_add(pause())).is_err()
        })
    }

    /// Counts how the call ended; its slot stays until it is dropped.
    #[inline]
    pub(super) fn finish(&mut self, outcome: Outcome, now: Instant) -> Option<Edge> {
        if !core::mem::replace(&mut self.open, false) {
            return None;
        }
        let counters = &self.guard.counters;
        let success = match outcome {
            Outcome::Success | Outcome::Slow => true,
            Outcome::Failure => false,
            Outcome::Ignored => {
                counters.ignored();
                return None;
            }
            Outcome::Cancelled => {
                counters.cancelled();
                return None;
            }
        };
        if success {
            self.guard.retry.call_succeeded();
            counters.success();
        } else {
            counters.failure();
        }
        let edge = self.guard.error_budget.as_ref()?.record(success, now);
        self.guard.crossed(edge, now)
    }

    #[cold]
    fn refuse(&mut self, rejected: Rejected, now: Instant) -> Rejected {
        if self.attempts == 0 {
            self.open = false;
            if !mutant!("guard_keeps_the_token_of_a_refused_attempt") {
                self.guard.refund(self.grant.take(), now);
            }
            return self.guard.refuse(rejected);
        }
        self.edge = self.finish(self.last, now);
        rejected
    }
}

impl<const WAITERS: usize, const SLOTS: usize> Drop for Call<'_, WAITERS, SLOTS> {
    fn drop(&mut self) {
        if mutant!("guard_frees_the_slot_first") {
            drop(self.slot.take());
        }
        if self.open {
            self.guard.counters.cancelled();
            if self.attempts == 0 {
                self.guard.undo(self.grant.take());
            }
        }
        // The slot goes last, when everything about the call is settled.
        drop(self.slot.take());
    }
}

impl<const SLOTS: usize> Attempt<'_, SLOTS> {
    /// What the operation needs to know of it.
    #[inline]
    pub fn about(&self) -> About {
        About {
            number: self.number,
            deadline: self.deadline,
            remaining: self.deadline.remaining(self.started),
            probe: self.is_probe(),
        }
    }

    /// 1 for the first attempt of a call.
    pub const fn number(&self) -> u32 {
        self.number
    }

    /// When it must be over.
    pub const fn deadline(&self) -> Deadline {
        self.deadline
    }

    /// When it started.
    pub const fn started(&self) -> Instant {
        self.started
    }

    /// Whether it is a probe of a half-open breaker.
    pub fn is_probe(&self) -> bool {
        self.permit.as_ref().is_some_and(Permit::is_probe)
    }

    /// The breaker's change of state that admitted it: half-open, for the first probe.
    pub fn transition(&self) -> Option<Transition> {
        self.permit.as_ref().and_then(Permit::transition)
    }
}

impl<const WAITERS: usize, const SLOTS: usize> fmt::Debug for Call<'_, WAITERS, SLOTS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("began", &self.began)
            .field("deadline", &self.deadline)
            .field("attempts", &self.attempts)
            .field("settled", &!self.open)
            .finish_non_exhaustive()
    }
}

impl<const SLOTS: usize> fmt::Debug for Attempt<'_, SLOTS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempt")
            .field("number", &self.number)
            .field("started", &self.started)
            .field("deadline", &self.deadline)
            .field("permit", &self.permit)
            .finish()
    }
}
