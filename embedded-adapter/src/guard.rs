//! Guards that an embassy task awaits.

use core::fmt;
use core::future::poll_fn;
use core::task::Poll;

use seawall_core::guard::{
    self as decision, About, Admit, Begin, Call, Classify, Error, Options, Policy, Rejected, Report, Took,
    Verdict, Waiting,
};
use seawall_core::{Clock, ConfigError, Deadline, Instant};

use crate::clock::EmbassyClock;
use crate::timer::{sleep_until, until};

/// A guard for one operation of the firmware.
///
/// `WAITERS` is how many tasks can wait for a slot of its bulkhead, `SLOTS` the number of buckets of its windows.
///
/// Dropping the future of a call gives everything back: its place in the queue or its slot, a probe of the breaker, and, if
/// nothing was tried yet, its token.
pub struct Guard<const WAITERS: usize = 8, const SLOTS: usize = 10> {
    decisions: decision::Guard<WAITERS, SLOTS>,
}

impl<const WAITERS: usize, const SLOTS: usize> Guard<WAITERS, SLOTS> {
    /// A guard for `policy`.
    ///
    /// # Panics
    ///
    /// If [`Guard::try_new`] would return an error; in a `static` this is a compile error.
    pub const fn new(policy: Policy) -> Self {
        Self { decisions: decision::Guard::new(policy) }
    }

    /// A guard for `policy` that writes what changes to `ring`, with the reasons; see [`decision::Guard::note_into`].
    ///
    /// # Panics
    ///
    /// As [`Guard::new`].
    pub const fn with_notes(policy: Policy, ring: &'static dyn decision::Notes) -> Self {
        Self { decisions: decision::Guard::new(policy).note_into(ring) }
    }

    /// A guard for `policy`.
    ///
    /// # Errors
    ///
    /// If a value of the policy lies outside its bound.
    pub fn try_new(policy: Policy) -> Result<Self, ConfigError> {
        decision::Guard::try_new(policy).map(|decisions| Self { decisions })
    }

    /// The core's guard: its patterns, to look at or to steer by hand.
    pub const fn decisions(&self) -> &decision::Guard<WAITERS, SLOTS> {
        &self.decisions
    }

    /// Calls `operation` under the guard's protection.
    ///
    /// The operation is called once an attempt; a future that it returns is dropped when its time is over.
    ///
    /// # Errors
    ///
    /// [`Error`], with the pattern that caused it.
    pub async fn call<T, E, F, Fut>(&self, operation: F) -> Result<T, Error<E>>
    where
        F: FnMut(About) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        self.call_with(Options::new(), operation).await
    }

    /// As [`Guard::call`], with options.
    ///
    /// # Errors
    ///
    /// [`Error`], with the pattern that caused it.
    pub async fn call_with<T, E, F, Fut, K>(&self, options: Options<K>, operation: F) -> Result<T, Error<E>>
    where
        F: FnMut(About) -> Fut,
        Fut: Future<Output = Result<T, E>>,
        K: Classify<T, E>,
    {
        self.call_through(&(), options, operation).await
    }

    /// As [`Guard::call_with`], through patterns that stand around the guard: what it has no place for, such as a rate or a
    /// limit that follows the results, a promise about latency, a shedder, the level of the service.
    ///
    /// `around` admits before the guard, and what it refuses is in the guard's books; it learns how the last attempt ended.
    /// A call that was never tried leaves nothing in it.
    ///
    /// # Errors
    ///
    /// [`Error`], with the pattern that caused it.
    ///
    /// # Examples
    ///
    /// ```
    /// use core::time::Duration;
    /// use seawall_embassy::core::adaptive_concurrency::{AdaptiveConcurrency, Config};
    /// use seawall_embassy::{Error, Guard, Options, Policy};
    ///
    /// static LIMIT: AdaptiveConcurrency = AdaptiveConcurrency::new(Config::aimd(2));
    /// static UPLINK: Guard = Guard::new(Policy::new().timeout(Duration::from_millis(200)));
    ///
    /// async fn send(frame: &[u8]) -> Result<usize, Error<()>> {
    ///     UPLINK.call_through(&LIMIT, Options::new(), async |_| Ok(frame.len())).await
    /// }
    /// # embassy_futures::block_on(async { assert_eq!(send(b"status").await, Ok(6)) });
    /// ```
    pub async fn call_through<T, E, F, Fut, K, A>(
        &self,
        around: &A,
        options: Options<K>,
        mut operation: F,
    ) -> Result<T, Error<E>>
    where
        F: FnMut(About) -> Fut,
        Fut: Future<Output = Result<T, E>>,
        K: Classify<T, E>,
        A: Admit,
    {
        let passed = around.try_acquire(EmbassyClock.now());
        let mut through = Through {
            around,
            permit: self.decisions.heed(passed).map_err(Error::Rejected)?,
            seen: Seen::Nothing,
        };
        let mut running = Running(Some(self.begin(&options).await.map_err(Error::Rejected)?));
        let mut last = None;
        let mut now = running.began();
        loop {
            let attempt = match running.attempt(now) {
                Ok(attempt) => attempt,
                Err(rejected) => return refused(last, rejected),
            };
            if let Seen::Nothing = through.seen {
                through.seen = Seen::Started;
            }
            let about = attempt.about();
            let result = until(about.deadline(), operation(about)).await;
            now = EmbassyClock.now();
            let report = result.as_ref().map_or_else(
                || options.classifier().timed_out(),
                |result| options.classifier().classify(result),
            );
            let latency = now.saturating_since(attempt.started());
            through.seen = Seen::Ended(Took::new(report.outcome(), latency), now);
            let ended = |gave_up| match result {
                Some(Ok(value)) => Ok(value),
                Some(Err(error)) => Err(Error::Failed { error, attempts: about.number(), gave_up }),
                None => Err(Error::TimedOut { limit: about.remaining(), attempts: about.number(), gave_up }),
            };
            match running.settle(attempt, report, now) {
                Verdict::Done => return ended(None),
                Verdict::GaveUp(reason) => return ended(Some(reason)),
                Verdict::RetryAfter(pause) => {
                    last = Some(ended(None));
                    sleep_until(now.saturating_add(pause)).await;
                    now = EmbassyClock.now();
                }
            }
        }
    }

    /// Admits a call, and waits for its slot if it has to.
    async fn begin<K>(&self, options: &Options<K>) -> Result<Call<'_, WAITERS, SLOTS>, Rejected> {
        let now = EmbassyClock.now();
        let waiting = match self.decisions.begin(options.deadline_from(now), now)? {
            Begin::Started(call) => return Ok(call),
            Begin::Waiting(waiting) => waiting,
        };
        let over = Deadline::at(waiting.deadline());
        let mut queued = Queued(Some(waiting));
        loop {
            if let Some(result) = until(over, poll_fn(|cx| queued.poll(cx))).await {
                return result;
            }
            // The time is over: the next poll of the place in the queue says so.
        }
    }
}

/// The result of a call whose next attempt was refused: what the attempt before brought, if there was one.
fn refused<T, E>(last: Option<Result<T, Error<E>>>, rejected: Rejected) -> Result<T, Error<E>> {
    let reason = rejected.give_up();
    match last {
        // A value that was worth another try is still the operation's answer.
        Some(Ok(value)) => Ok(value),
        Some(Err(Error::Failed { error, attempts, .. })) => {
            Err(Error::Failed { error, attempts, gave_up: Some(reason) })
        }
        Some(Err(Error::TimedOut { limit, attempts, .. })) => {
            Err(Error::TimedOut { limit, attempts, gave_up: Some(reason) })
        }
        _ => Err(Error::Rejected(rejected)),
    }
}

/// How far a call came.
enum Seen {
    Nothing,
    Started,
    Ended(Took, Instant),
}

/// What a call took on its way to the guard: it is settled, or comes back, when the call is over.
struct Through<'a, A: Admit> {
    around: &'a A,
    permit: Option<A::Permit<'a>>,
    seen: Seen,
}

impl<A: Admit> Drop for Through<'_, A> {
    fn drop(&mut self) {
        let Some(permit) = self.permit.take() else { return };
        match self.seen {
            Seen::Nothing => self.around.give_back(permit, EmbassyClock.now()),
            // An attempt was cut short: what it began is spent, and nothing is known of how it would have ended.
            Seen::Started => drop(permit),
            Seen::Ended(took, now) => drop(self.around.settle(permit, took, now)),
        }
    }
}

/// A call that is cancelled, with the time, when it is dropped before its end.
struct Running<'a, const WAITERS: usize, const SLOTS: usize>(Option<Call<'a, WAITERS, SLOTS>>);

impl<'a, const WAITERS: usize, const SLOTS: usize> Running<'a, WAITERS, SLOTS> {
    fn began(&self) -> Instant {
        self.0.as_ref().map_or(Instant::ZERO, Call::began)
    }

    fn attempt(&mut self, now: Instant) -> Result<decision::Attempt<'a, SLOTS>, Rejected> {
        self.0.as_mut().map_or(Err(Rejected::DeadlineExpired), |call| call.try_attempt(now))
    }

    fn settle(&mut self, attempt: decision::Attempt<'a, SLOTS>, report: Report, now: Instant) -> Verdict {
        let verdict = self.0.as_mut().map_or(Verdict::Done, |call| call.settle(attempt, report, now).verdict);
        if !matches!(verdict, Verdict::RetryAfter(_)) {
            self.0 = None;
        }
        verdict
    }
}

impl<const WAITERS: usize, const SLOTS: usize> Drop for Running<'_, WAITERS, SLOTS> {
    fn drop(&mut self) {
        if let Some(call) = self.0.take() {
            call.cancel(EmbassyClock.now());
        }
    }
}

/// A place in the queue that is given up, with the time, when it is dropped.
struct Queued<'a, const WAITERS: usize, const SLOTS: usize>(Option<Waiting<'a, WAITERS, SLOTS>>);

impl<'a, const WAITERS: usize, const SLOTS: usize> Queued<'a, WAITERS, SLOTS> {
    fn poll(&mut self, cx: &core::task::Context<'_>) -> Poll<Result<Call<'a, WAITERS, SLOTS>, Rejected>> {
        let Some(waiting) = &mut self.0 else { return Poll::Pending };
        let polled = waiting.poll(cx.waker(), EmbassyClock.now());
        if polled.is_ready() {
            self.0 = None;
        }
        polled
    }
}

impl<const WAITERS: usize, const SLOTS: usize> Drop for Queued<'_, WAITERS, SLOTS> {
    fn drop(&mut self) {
        if let Some(waiting) = self.0.take() {
            waiting.cancel(EmbassyClock.now());
        }
    }
}

impl<const WAITERS: usize, const SLOTS: usize> fmt::Debug for Guard<WAITERS, SLOTS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Guard").field(&self.decisions).finish()
    }
}
