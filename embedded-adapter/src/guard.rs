//! Guards that an embassy task awaits.

mod ended;
mod running;

use core::fmt;
use core::future::poll_fn;

pub(crate) use ended::Ended;
use running::{Queued, Running, Through};
use seawall_core::guard::{
    self as decision, About, Admit, Begin, Classify, Error, Options, Policy, Rejected, Took, Verdict,
};
use seawall_core::record::{CallId, RecordError, Recorder, Steps, loose};
use seawall_core::{Clock, ConfigError, Deadline, Instant};

#[cfg(feature = "chaos")]
use crate::chaos::Injector;
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
    #[cfg(feature = "chaos")]
    injector: Option<Injector>,
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
        Recorder::try_new(policy, buffer).map(Self::of)
    }
}

impl<const WAITERS: usize, const SLOTS: usize> Guard<WAITERS, SLOTS> {
    /// A guard for `policy`.
    ///
    /// # Panics
    ///
    /// If [`Guard::try_new`] would return an error; in a `static` this is a compile error.
    pub const fn new(policy: Policy) -> Self {
        Self::of(decision::Guard::new(policy))
    }

    /// A guard for `policy` that writes what changes to `ring`, with the reasons; see [`decision::Guard::note_into`].
    ///
    /// # Panics
    ///
    /// As [`Guard::new`].
    pub const fn with_notes(policy: Policy, ring: &'static dyn decision::Notes) -> Self {
        Self::of(decision::Guard::new(policy).note_into(ring))
    }

    /// A guard for `policy`.
    ///
    /// # Errors
    ///
    /// If a value of the policy lies outside its bound.
    pub fn try_new(policy: Policy) -> Result<Self, ConfigError> {
        decision::Guard::try_new(policy).map(Self::of)
    }
}

impl<const WAITERS: usize, const SLOTS: usize, D: Steps<WAITERS, SLOTS>> Guard<WAITERS, SLOTS, D> {
    const fn of(decisions: D) -> Self {
        Self {
            decisions,
            #[cfg(feature = "chaos")]
            injector: None,
        }
    }

    /// Lets `injector` strike the attempts of this guard; nothing strikes before its [`Chaos`](crate::chaos::Chaos) is armed.
    /// [`chaos`](crate::chaos) has an example.
    #[cfg(feature = "chaos")]
    #[must_use = "the guard is returned"]
    pub const fn struck_by(mut self, injector: Injector) -> Self {
        self.injector = Some(injector);
        self
    }

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
    /// `around` admits before the guard, and what it refuses is in the guard's books. What follows attempts, a rate or a promise
    /// about latency, learns how each of them ended; what counts calls, how the last one did.
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
        let mut through = Through::new(around, self.decisions.heed(passed).map_err(Error::Rejected)?);
        let mut running = self.begin(&options).await.map_err(Error::Rejected)?;
        let mut last = None;
        let mut now = running.began();
        loop {
            let started = now;
            let about = match running.attempt(started) {
                Ok(about) => about,
                Err(rejected) => {
                    let Some((ended, attempts)) = last else { return Err(Error::Rejected(rejected)) };
                    return Ended::into_result(ended, attempts, Some(rejected.give_up()));
                }
            };
            through.starts();
            let ended = self.attempt(about, started, &mut operation).await;
            now = EmbassyClock.now();
            let report = ended.report(options.classifier());
            through.ends(Took::new(report.outcome(), now.saturating_since(started)), now);
            let attempts = about.number();
            match running.settle(report, now) {
                Verdict::Done => return ended.into_result(attempts, None),
                Verdict::GaveUp(reason) => return ended.into_result(attempts, Some(reason)),
                Verdict::RetryAfter(pause) => {
                    last = Some((ended, attempts));
                    sleep_until(now.saturating_add(pause)).await;
                    now = EmbassyClock.now();
                }
            }
        }
    }

    /// Runs the operation for one attempt, unless chaos stands in its place.
    #[cfg_attr(not(feature = "chaos"), allow(unused_variables, clippy::unused_self))]
    async fn attempt<T, E, F, Fut>(&self, about: About, started: Instant, operation: &mut F) -> Ended<T, E>
    where
        F: FnMut(About) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        #[cfg(feature = "chaos")]
        if let Some((injector, strike)) = self.injector.and_then(|injector| injector.decide(started)) {
            return injector.strike(&strike, about, started, operation).await;
        }
        in_time(about, operation).await
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

/// The operation's result, or that the time of its attempt was over.
pub(crate) async fn in_time<T, E, F, Fut>(about: About, operation: &mut F) -> Ended<T, E>
where
    F: FnMut(About) -> Fut,
    Fut: Future<Output = Result<T, E>>,
{
    match until(about.deadline(), operation(about)).await {
        Some(result) => Ended::Returned(result),
        None => Ended::TimedOut(about.remaining()),
    }
}

impl<D: Steps<WAITERS, SLOTS> + fmt::Debug, const WAITERS: usize, const SLOTS: usize> fmt::Debug
    for Guard<WAITERS, SLOTS, D>
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Guard").field(&self.decisions).finish()
    }
}
