//! The blocking form of a guarded call.

use std::cell::OnceCell;
use std::sync::Arc;
use std::task::{Poll, Wake, Waker};
use std::thread::{self, Thread};

use seawall_core::guard::{Begin, Call, Error, Rejected, Waiting};
use seawall_core::record::{CallId, loose};
use seawall_core::{Clock, Instant};

use super::around::Held;
#[cfg(feature = "chaos")]
use super::chaos;
use super::running::{Admitted, Ended, Next, Running};
use super::{Attempt, Classify, Guard, Options, SLOTS, Shared, WAITERS};

impl<C: Clock> Guard<C> {
    /// Calls `operation` under the guard's protection, on this thread.
    ///
    /// The thread waits for a slot and for the pauses between attempts.
    /// It cannot interrupt the operation: pass [`Attempt::remaining`] on as the timeout of what it does.
    ///
    /// # Errors
    ///
    /// [`Error`], with the pattern that caused it.
    ///
    /// # Examples
    ///
    /// ```
    /// use seawall::{Guard, Policy};
    ///
    /// let guard = Guard::new("config-file", Policy::new())?;
    /// let text = guard.call_blocking(|_attempt| std::fs::read_to_string("Cargo.toml"));
    /// assert!(text.is_ok());
    /// # Ok::<(), seawall::core::ConfigError>(())
    /// ```
    pub fn call_blocking<T, E>(&self, operation: impl FnMut(Attempt) -> Result<T, E>) -> Result<T, Error<E>> {
        self.call_blocking_with(Options::new(), operation)
    }

    /// As [`Guard::call_blocking`], with options.
    ///
    /// # Errors
    ///
    /// [`Error`], with the pattern that caused it.
    pub fn call_blocking_with<T, E, K: Classify<T, E>>(
        &self,
        options: Options<K>,
        mut operation: impl FnMut(Attempt) -> Result<T, E>,
    ) -> Result<T, Error<E>> {
        let shared = &*self.shared;
        let (admitted, now) = begin(shared, &options)?;
        let mut running = Running::new(shared, admitted, now);
        loop {
            let about = match running.attempt() {
                Ok(about) => about,
                Err(result) => return result,
            };
            let classify = options.classifier();
            #[cfg(feature = "chaos")]
            let ended = match struck(shared, running.now(), about, classify) {
                Ok(about) => Ended::of(|| operation(about), classify),
                Err(ended) => ended,
            };
            #[cfg(not(feature = "chaos"))]
            let ended = Ended::of(|| operation(about), classify);
            match running.settle(ended) {
                Next::Return(result) => return result,
                Next::Pause(pause) => {
                    thread::sleep(pause);
                    running.resume();
                }
            }
        }
    }
}

/// What chaos makes of an attempt: what its operation is told, or how it ended.
#[cfg(feature = "chaos")]
fn struck<T, E>(
    shared: &Shared<impl Clock>,
    started: Instant,
    about: Attempt,
    classify: &impl Classify<T, E>,
) -> Result<Attempt, Ended<T, E>> {
    let Some(strike) = shared.strike(started) else { return Ok(about) };
    let delay = about.held_up(&strike);
    thread::sleep(delay);
    chaos::after(&strike, about, shared.clock.now(), classify)
}

/// Admits the call, and waits for its slot if it has to.
fn begin<'a, C: Clock, E, K>(
    shared: &'a Shared<C>,
    options: &Options<K>,
) -> Result<(Admitted<'a>, Instant), Error<E>> {
    let now = shared.clock.now();
    let held = shared.admit(options.worth(), now).map_err(Error::Rejected)?;
    let mut id = CallId::NONE;
    let begun = match loose::begin(shared, &mut id, options.deadline_from(now), now) {
        Ok(Begin::Started(call)) => Ok((call, now)),
        Ok(Begin::Waiting(waiting)) => wait(shared, waiting, id),
        Err(rejected) => Err((rejected, now)),
    };
    match begun {
        Ok((call, now)) => Ok((Admitted { call, id, held }, now)),
        Err((rejected, now)) => {
            Held::take_back(held, now);
            Err(Error::Rejected(rejected))
        }
    }
}

#[cold]
fn wait<'a, C: Clock>(
    shared: &'a Shared<C>,
    mut waiting: Waiting<'a, WAITERS, SLOTS>,
    id: CallId,
) -> Result<(Call<'a, WAITERS, SLOTS>, Instant), (Rejected, Instant)> {
    THREAD.with(|waker| {
        let waker = waker.get_or_init(|| Waker::from(Arc::new(Unpark(thread::current()))));
        loop {
            let now = shared.clock.now();
            match loose::poll(shared, id, &mut waiting, waker, now) {
                Poll::Ready(Ok(call)) => {
                    shared.waits.record(
                        u64::try_from(now.saturating_since(waiting.since()).as_nanos()).unwrap_or(u64::MAX),
                    );
                    return Ok((call, now));
                }
                Poll::Ready(Err(rejected)) => return Err((rejected, now)),
                Poll::Pending => thread::park_timeout(waiting.deadline().saturating_since(now)),
            }
        }
    })
}

thread_local! {
    /// This thread's waker, made when the thread first waits.
    static THREAD: OnceCell<Waker> = const { OnceCell::new() };
}

/// Wakes a thread that is parked.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}
