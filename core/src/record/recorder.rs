//! A guard whose every step is written down.

use core::cell::{Cell, RefCell};
use core::fmt;

use super::entry::{Decision, Input};
use super::header::Header;
use super::log::{Log, RecordError};
use super::steps::{Numbers, Steps};
use crate::guard::{Guard, Policy, Rejected, Stats};
use crate::time::Instant;

/// A guard that writes each step to a log. The [module](super) has an example; its steps are those of [`Steps`].
///
/// It owns its guard: the log begins with the guard, and nothing can be done to it unseen.
/// It is for one thread or one executor; the order of the entries is the order of the steps.
pub struct Recorder<B, const WAITERS: usize = 8, const SLOTS: usize = 10> {
    guard: Guard<WAITERS, SLOTS>,
    log: RefCell<Log<B>>,
    /// The steps that were taken while another one was under way: a waker called back.
    between: Cell<u64>,
}

impl<B: AsMut<[u8]>, const WAITERS: usize, const SLOTS: usize> Recorder<B, WAITERS, SLOTS> {
    /// A new guard for `policy`, and a log of its steps in `buffer`.
    ///
    /// A few hundred bytes and [`Recorder::drain`] now and then suffice; without draining a successful call takes some 35
    /// bytes.
    /// A policy without a seed is given the seed 0, as the guard would.
    ///
    /// # Errors
    ///
    /// If the policy is not valid, or the buffer does not hold the head of the log.
    pub fn try_new(policy: Policy, buffer: B) -> Result<Self, RecordError> {
        let policy = policy.or_seed(0);
        let guard = Guard::try_new(policy)?;
        let log = Log::try_new(Header::of::<WAITERS, SLOTS>(policy), buffer)?;
        Ok(Self { guard, log: RefCell::new(log), between: Cell::new(0) })
    }

    /// What the guard counted.
    pub fn stats(&self) -> Stats {
        self.guard.stats()
    }

    /// Moves bytes of the log to `out`, the oldest first, and says how many: to a file, a serial line, a flash page.
    ///
    /// The pieces, put together, are the log, wherever they are cut.
    pub fn drain(&self, out: &mut [u8]) -> usize {
        self.log.try_borrow_mut().map_or(0, |mut log| log.drain(out))
    }

    /// The steps that were not written, for want of room, because a waker called back or because one panicked. While it is
    /// 0, the log is whole.
    pub fn lost(&self) -> u64 {
        self.between.get().saturating_add(self.log.try_borrow().map_or(0, |log| log.lost()))
    }
}

impl<B: AsMut<[u8]>, const WAITERS: usize, const SLOTS: usize> Steps<WAITERS, SLOTS>
    for Recorder<B, WAITERS, SLOTS>
{
    #[inline]
    fn unwritten(&self) -> Option<&Guard<WAITERS, SLOTS>> {
        None
    }

    fn heed<T>(&self, said: Result<T, Rejected>) -> Result<Option<T>, Rejected> {
        self.guard.heed(said)
    }

    /// The log is held meanwhile; a waker that calls back finds it held.
    fn step<'g, T>(
        &'g self,
        now: Option<Instant>,
        input: Input,
        take: impl FnOnce(&'g Guard<WAITERS, SLOTS>, Numbers) -> (T, Decision),
    ) -> T {
        let Ok(mut log) = self.log.try_borrow_mut() else {
            self.between.set(self.between.get().saturating_add(1));
            return take(&self.guard, Numbers::NONE).0;
        };
        log.step(now, input, || self.between.get() == 0, |next| take(&self.guard, next))
    }
}

impl<B, const WAITERS: usize, const SLOTS: usize> fmt::Debug for Recorder<B, WAITERS, SLOTS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").field("guard", &self.guard).field("log", &self.log).finish_non_exhaustive()
    }
}
