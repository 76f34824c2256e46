//! Guards that an embassy task awaits.

use core::fmt;
use core::future::poll_fn;
use core::task::Poll;

use seawall_core::guard::{
    self as decision, About, Admit, Begin, Call, Classify, Error, Options, Policy, Rejected, Report, Took,
    Verdict, Waiting,
};
use seawall_core::record::{AttemptId, CallId, Input, RecordError, Recorder, Steps, loose};
use seawall_core::{Clock, ConfigError, Deadline, Instant};

use crate::clock::EmbassyClock;
use crate::timer::{sleep_until, until};

/// A guard for one operation of the firmware.
///
/// `WAITERS` is how many tasks can wait for a slot of its bulkhead, `SLOTS` the number of buckets of its windows.
///
/// Dropping the future of a call gives everything back: its place in the queue or its slot, a probe of the breaker, and, if
/// nothing was tried yet, its token.
///
/// `D` takes the steps of its decisions: core's guard, or a [`Recorder`] that writes them down, see [`RecordedGuard`].
pub struct Guard<
    const WAITERS: usize = 8,
    const SLOTS: usize = 10,
    D: Steps<WAITERS, SLOTS> = decision::Guard<WAITERS, SLOTS>,
> {
    decisions: D,
}

/// A [`Guard`] that writes every step of its decisions to a log in a buffer of yours, which `seawall replay` replays on a desk
/// bit for bit.
///
/// It is for the tasks of one executor. A call is some 35 bytes, and more with retries; a full buffer ends the log and holds
/// up nothing, so a task [drains](Recorder::drain) it now and then: to a serial line, a flash page, a debug probe.
/// What is done by hand is written, too, if it is done through [`Steps`].
/// A waker that takes a step while another one wakes it, which embassy's do not, ends the log.
///
/// # Examples
///
/// ```
/// use seawall_embassy::core::record::Steps;
/// use seawall_embassy::{Policy, RecordedGuard};
///
/// let buffer: &'static mut [u8] = Box::leak(Box::new([0; 1024])); // From a `StaticCell`, in firmware.
/// let uplink: RecordedGuard<&'static mut [u8]> = RecordedGuard::recorded(Policy::new(), buffer).unwrap();
/// uplink.decisions().set_shadow(true);
///
/// let mut piece = [0; 64];
/// loop {
///     let n = uplink.decisions().drain(&mut piece);
///     if n == 0 {
///         break;
///     }
///     // Write `piece[..n]` to the serial line.
/// }
/// assert_eq!(uplink.decisions().lost(), 0);
/// ```
pub type RecordedGuard<B, const WAITERS: usize = 8, const SLOTS: usize = 10> =
    Guard<WAITERS, SLOTS, Recorder<B, WAITERS, SLOTS>>;

impl<B: AsMut<[u8]>, const WAITERS: usize, const SLOTS: usize> RecordedGuard<B, WAITERS, SLOTS> {
    /// A guard for `policy`, and a log of its steps in `buffer`.
    ///
    /// # Errors
    ///
    /// If a value of the policy lies outside its bound, or the buffer does not hold the head of the log (a few hundred bytes).
    pub fn recorded(policy: Policy, buffer: B) -> Result<Self, RecordError> {
        Recorder::try_new(policy, buffer).map(|decisions| Self { decisions })
    }
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
}

impl<const WAITERS: usize, const SLOTS: usize, D: Steps<WAITERS, SLOTS>> Guard<WAITERS, SLOTS, D> {
    /// The core's guard: its patterns, to look at or to steer by hand; or the recorder that has it.
    pub const fn decisions(&self) -> &D {
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
        let mut running = self.begin(&options).await.map_err(Error::Rejected)?;
        let mut last = None;
        let mut now = running.began();
        loop {
            let started = now;
            let about = match running.attempt(started) {
                Ok(about) => about,
                Err(rejected) => return refused(last, rejected),
            };
            if let Seen::Nothing = through.seen {
                through.seen = Seen::Started;
            }
            let result = until(about.deadline(), operation(about)).await;
            now = EmbassyClock.now();
            let report = result.as_ref().map_or_else(
                || options.classifier().timed_out(),
                |result| options.classifier().classify(result),
            );
            let latency = now.saturating_since(started);
            through.seen = Seen::Ended(Took::new(report.outcome(), latency));
            let ended = |gave_up| match result {
                Some(Ok(value)) => Ok(value),
                Some(Err(error)) => Err(Error::Failed { error, attempts: about.number(), gave_up }),
                None => Err(Error::TimedOut { limit: about.remaining(), attempts: about.number(), gave_up }),
            };
            match running.settle(report, now) {
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
    async fn begin<K>(&self, options: &Options<K>) -> Result<Running<'_, D, WAITERS, SLOTS>, Rejected> {
        let (steps, mut id, now) = (&self.decisions, CallId::NONE, EmbassyClock.now());
        let waiting = match loose::begin(steps, &mut id, options.deadline_from(now), now)? {
            Begin::Started(call) => return Ok(Running::new(steps, call, id)),
            Begin::Waiting(waiting) => waiting,
        };
        let over = Deadline::at(waiting.deadline());
        let mut queued = Queued { steps, waiting: Some(waiting), id };
        loop {
            if let Some(result) = until(over, poll_fn(|cx| queued.poll(cx))).await {
                return result.map(|call| Running::new(steps, call, id));
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
    Ended(Took),
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
            Seen::Ended(took) => drop(self.around.settle(permit, took, EmbassyClock.now())),
        }
    }
}

/// A call that is cancelled, with the time, when it is dropped before its end.
struct Running<'a, D: Steps<WAITERS, SLOTS>, const WAITERS: usize, const SLOTS: usize> {
    steps: &'a D,
    call: Option<Call<'a, WAITERS, SLOTS>>,
    /// The attempt that is under way.
    attempt: Option<decision::Attempt<'a, SLOTS>>,
    /// Their numbers in the log, where there is one.
    id: CallId,
    attempt_id: AttemptId,
}

impl<'a, D: Steps<WAITERS, SLOTS>, const WAITERS: usize, const SLOTS: usize> Running<'a, D, WAITERS, SLOTS> {
    const fn new(steps: &'a D, call: Call<'a, WAITERS, SLOTS>, id: CallId) -> Self {
        Self { steps, call: Some(call), attempt: None, id, attempt_id: AttemptId::NONE }
    }

    fn began(&self) -> Instant {
        self.call.as_ref().map_or(Instant::ZERO, Call::began)
    }

    fn attempt(&mut self, now: Instant) -> Result<About, Rejected> {
        let Some(call) = &mut self.call else { return Err(Rejected::DeadlineExpired) };
        let attempt = loose::attempt(self.steps, self.id, call, &mut self.attempt_id, now)?;
        let about = attempt.about();
        self.attempt = Some(attempt);
        Ok(about)
    }

    fn settle(&mut self, report: Report, now: Instant) -> Verdict {
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
struct Queued<'a, D: Steps<WAITERS, SLOTS>, const WAITERS: usize, const SLOTS: usize> {
    steps: &'a D,
    waiting: Option<Waiting<'a, WAITERS, SLOTS>>,
    id: CallId,
}

impl<'a, D: Steps<WAITERS, SLOTS>, const WAITERS: usize, const SLOTS: usize> Queued<'a, D, WAITERS, SLOTS> {
    fn poll(&mut self, cx: &core::task::Context<'_>) -> Poll<Result<Call<'a, WAITERS, SLOTS>, Rejected>> {
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

impl<D: Steps<WAITERS, SLOTS> + fmt::Debug, const WAITERS: usize, const SLOTS: usize> fmt::Debug
    for Guard<WAITERS, SLOTS, D>
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Guard").field(&self.decisions).finish()
    }
}
