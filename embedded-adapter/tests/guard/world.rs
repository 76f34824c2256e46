//! One world for each test: virtual time that stands still unless the test moves it, and tasks that are polled by hand.

use core::pin::Pin;
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::{Context, Poll, Waker};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Wake;

use embassy_time::{Duration as Ticks, Instant as Tick, MockDriver};

/// There is one mock driver in a process, so one test at a time moves it.
static DRIVER: Mutex<()> = Mutex::new(());

/// The present test's hold on the mock driver.
pub(crate) struct World {
    _turn: MutexGuard<'static, ()>,
    driver: &'static MockDriver,
    start: Tick,
}

impl World {
    /// A world whose time is zero and whose timer queue is empty.
    pub(crate) fn new() -> Self {
        let turn = DRIVER.lock().unwrap_or_else(PoisonError::into_inner);
        let driver = MockDriver::get();
        driver.reset();
        Self { _turn: turn, driver, start: Tick::now() }
    }

    /// Moves time on, and wakes whose timers are due.
    pub(crate) fn advance(&self, millis: u64) {
        self.driver.advance(Ticks::from_millis(millis));
    }

    /// Milliseconds since the test began.
    pub(crate) fn millis(&self) -> u64 {
        Tick::now().duration_since(self.start).as_millis()
    }

    /// Polls the future whenever it was woken, and lets a millisecond pass whenever it was not.
    pub(crate) fn run<F: Future>(&self, future: F) -> F::Output {
        let mut task = Task::new(future);
        for _ in 0..1_000_000 {
            if let Poll::Ready(output) = task.poll() {
                return output;
            }
            while !task.was_woken() {
                self.advance(1);
                assert!(self.millis() < 100_000, "nothing wakes the task any more");
            }
        }
        panic!("the task is woken again and again and never ends");
    }
}

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A future that is polled by hand, and a waker that tells who holds it.
pub(crate) struct Task<F> {
    future: Pin<Box<F>>,
    flag: Arc<Flag>,
    waker: Waker,
}

impl<F: Future> Task<F> {
    pub(crate) fn new(future: F) -> Self {
        let flag = Arc::new(Flag(AtomicBool::new(false)));
        let waker = Waker::from(Arc::clone(&flag));
        Self { future: Box::pin(future), flag, waker }
    }

    pub(crate) fn poll(&mut self) -> Poll<F::Output> {
        self.future.as_mut().poll(&mut Context::from_waker(&self.waker))
    }

    /// Whether the waker was woken since this was asked last.
    pub(crate) fn was_woken(&self) -> bool {
        self.flag.0.swap(false, Ordering::Relaxed)
    }

    /// How many clones of the waker others hold: timer queues, and bulkheads.
    pub(crate) fn wakers_out(&self) -> usize {
        Arc::strong_count(&self.flag) - 2
    }

    pub(crate) const fn waker(&self) -> &Waker {
        &self.waker
    }
}
