//! The async form of a guarded call, on tokio's timers.

use std::future::poll_fn;
use std::pin::pin;
use std::task::{Poll, ready};

use seawall_core::guard::{Begin, Error, Waiting};
use seawall_core::record::{CallId, loose};
use seawall_core::{Clock, Instant};
use tokio::time::{Sleep, sleep};

use super::around::Held;
#[cfg(feature = "chaos")]
use super::chaos;
#[cfg(feature = "chaos")]
use super::running::Ended;
use super::running::{Admitted, Next, Running};
use super::timed::timed;
use super::{Attempt, Classify, Guard, Options, SLOTS, Shared, WAITERS};

impl<C: Clock> Guard<C> {
    /// Calls `operation` under the guard's protection.
    ///
    /// The operation is called once an attempt; a future that it returns is dropped when its time is over.
    ///
    /// # Errors
    ///
    /// [`Error`], with the pattern that caused it.
    ///
    /// # Panics
    ///
    /// If the operation panics; the guard counts one failure and gives everything back.
    /// If a timer is needed outside a tokio runtime with time enabled.
    pub async fn call<T, E, F, Fut>(&self, operation: F) -> Result<T, Error<E>>
    where
        F: FnMut(Attempt) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        self.call_with(Options::new(), operation).await
    }

    /// As [`Guard::call`], with options.
    ///
    /// # Errors
    ///
    /// [`Error`], with the pattern that caused it.
    ///
    /// # Panics
    ///
    /// As [`Guard::call`].
    pub async fn call_with<T, E, F, Fut, K>(
        &self,
        options: Options<K>,
        mut operation: F,
    ) -> Result<T, Error<E>>
    where
        F: FnMut(Attempt) -> Fut,
        Fut: Future<Output = Result<T, E>>,
        K: Classify<T, E>,
    {
        let shared = &*self.shared;
        let now = shared.clock.now();
        let held = shared.admit(options.worth(), now).map_err(Error::Rejected)?;
        let mut id = CallId::NONE;
        let (admitted, now) = match loose::begin(shared, &mut id, options.deadline_from(now), now) {
            Ok(Begin::Started(call)) => (Admitted { call, id, held }, now),
            Ok(Begin::Waiting(waiting)) => wait(shared, waiting, id, held).await?,
            Err(rejected) => {
                Held::take_back(held, now);
                return Err(Error::Rejected(rejected));
            }
        };
        let mut running = Running::new(shared, admitted, now);
        loop {
            let about = match running.attempt() {
                Ok(about) => about,
                Err(result) => return result,
            };
            let (limit, classify) = (about.remaining(), options.classifier());
            #[cfg(feature = "chaos")]
            let ended = match struck(shared, running.now(), about, classify).await {
                Ok(about) => timed(&mut operation, about, limit, &shared.clock, classify).await,
                Err(ended) => ended,
            };
            #[cfg(not(feature = "chaos"))]
            let ended = timed(&mut operation, about, limit, &shared.clock, classify).await;
            match running.settle(ended) {
                Next::Return(result) => return result,
                Next::Pause(pause) => {
                    if !pause.is_zero() {
                        sleep(pause).await;
                    }
                    running.resume();
                }
            }
        }
    }
}

/// What chaos makes of an attempt: what its operation is told, or how it ended.
#[cfg(feature = "chaos")]
async fn struck<T, E>(
    shared: &Shared<impl Clock>,
    started: Instant,
    about: Attempt,
    classify: &impl Classify<T, E>,
) -> Result<Attempt, Ended<T, E>> {
    let Some(strike) = shared.strike(started) else { return Ok(about) };
    let delay = about.held_up(&strike);
    if !delay.is_zero() {
        sleep(delay).await;
    }
    chaos::after(&strike, about, shared.clock.now(), classify)
}

/// Gives a place in the queue up, and what the call took on its way there, with the time at which that happens.
struct Queued<'a, C: Clock> {
    shared: &'a Shared<C>,
    waiting: Option<Waiting<'a, WAITERS, SLOTS>>,
    id: CallId,
    held: Option<Held<'a>>,
}

impl<C: Clock> Drop for Queued<'_, C> {
    fn drop(&mut self) {
        if self.waiting.is_none() && self.held.is_none() {
            return;
        }
        let now = self.shared.clock.now();
        if let Some(waiting) = self.waiting.take() {
            loose::cancel_waiting(self.shared, self.id, waiting, now);
        }
        Held::take_back(self.held.take(), now);
    }
}

async fn wait<'a, C: Clock, E>(
    shared: &'a Shared<C>,
    waiting: Waiting<'a, WAITERS, SLOTS>,
    id: CallId,
    held: Option<Held<'a>>,
) -> Result<(Admitted<'a>, Instant), Error<E>> {
    let (until, since) = (waiting.deadline(), waiting.since());
    let mut queued = Queued { shared, waiting: Some(waiting), id, held };
    let mut timer = pin!(None::<Sleep>);
    poll_fn(|cx| {
        loop {
            let now = shared.clock.now();
            let Some(waiting) = &mut queued.waiting else { return Poll::Pending };
            if let Poll::Ready(result) = loose::poll(shared, id, waiting, cx.waker(), now) {
                queued.waiting = None;
                let waited = now.saturating_since(since);
                return Poll::Ready(result.map_err(Error::Rejected).map(|call| {
                    shared.waits.record(u64::try_from(waited.as_nanos()).unwrap_or(u64::MAX));
                    (Admitted { call, id, held: queued.held.take() }, now)
                }));
            }
            if until == Instant::NEVER {
                return Poll::Pending;
            }
            if timer.is_none() {
                timer.set(Some(sleep(until.saturating_since(now))));
            }
            if let Some(timer) = timer.as_mut().as_pin_mut() {
                ready!(timer.poll(cx));
            }
            // Ask again: the two clocks may disagree about the last millisecond.
            timer.set(None);
        }
    })
    .await
}
