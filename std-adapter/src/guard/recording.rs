//! The log of a guard that writes its steps down.
//!
//! A call through a guard without a log takes a branch at each of its four steps, and nothing else.

use std::cell::Cell;
use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use seawall_core::guard::{self as decision, Rejected};
use seawall_core::record::{Decision, Header, Input, Log, Numbers, RecordError, Steps};
use seawall_core::{Clock, Instant};

use super::{Decisions, Guard, SLOTS, Shared, WAITERS};
use crate::clock::SystemClock;

/// The bytes that are taken out of the buffer at once.
const PIECE: usize = 4096;

/// The log of a guard that was made by [`Guard::recorded`]: take it out now and then, before its buffer is full.
///
/// Taking it out holds up calls for the copy of 4 KiB at a time, never for the writing.
///
/// # What is in the log
///
/// Every step of the guard's decisions, on any thread, in the order in which they were taken: calls that begin, wait, are
/// refused, tried, settled, cancelled or dropped, and what is done by hand through the methods of [`Guard`].
/// A panic of the operation, a fault of chaos or a timeout is in it as the failure that it was settled as.
///
/// Calls that what stands around the guard turns away ([`Guard::shed`], [`Guard::heed_level`], [`Guard::adapt_rate`],
/// [`Guard::adapt_concurrency`]) do not reach its patterns, so they are not in it; nor are names, results, or the promise about
/// latency, which decides nothing about a call.
///
/// # What ends it
///
/// A replay cannot go on after a gap, so the log ends where a step cannot be written, and [`Recording::lost`] counts from
/// there on:
///
/// - the buffer is full,
/// - a waker takes a step of the guard while it is woken by another one, on the same thread, or panics. The wakers of tokio,
///   of the standard library's `thread` and of embassy do neither. A waker that is woken by a step of one recorded guard and
///   takes a step of another one ends the log of that one if it is in use at that moment.
///
/// What is done to [`Guard::decisions`] by hand goes around the log, and a replay then says where it decides otherwise. Steer
/// a recorded guard by its own methods, and only look at its patterns; ask a breaker by
/// [`status`](seawall_core::CircuitBreaker::status) and [`check`](seawall_core::CircuitBreaker::check) on the same clock,
/// since whoever meets a phase in the moment of its beginning writes down its end.
pub struct Recording {
    log: Mutex<Log<Box<[u8]>>>,
    /// Steps that were taken while another one was under way.
    between: AtomicU64,
    outlet: Mutex<Outlet>,
}

/// Bytes that left the log and were not yet written.
struct Outlet {
    piece: [u8; PIECE],
    at: usize,
    len: usize,
    /// A byte was written, or a file was made for the log.
    begun: bool,
}

thread_local! {
    /// Whether this thread is in a step of a recorded guard.
    static IN_STEP: Cell<bool> = const { Cell::new(false) };
}

/// The log, held by this thread.
struct Held<'r> {
    log: MutexGuard<'r, Log<Box<[u8]>>>,
    outer: bool,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        IN_STEP.set(self.outer);
    }
}

impl Recording {
    pub(super) fn try_new(policy: &decision::Policy, buffer: Box<[u8]>) -> Result<Self, RecordError> {
        Ok(Self {
            log: Mutex::new(Log::try_new(Header::of::<WAITERS, SLOTS>(*policy), buffer)?),
            between: AtomicU64::new(0),
            outlet: Mutex::new(Outlet { piece: [0; PIECE], at: 0, len: 0, begun: false }),
        })
    }

    /// Writes to `out` what waits in the buffer now, flushes it, and says how many bytes that were.
    ///
    /// What is written by this and [`Recording::save`], put together, is the log. If `out` fails, what it did not take is
    /// kept, and written first the next time.
    ///
    /// # Errors
    ///
    /// That of `out`, or [`io::ErrorKind::ResourceBusy`] while another thread does the same.
    pub fn drain_to(&self, out: impl Write) -> io::Result<u64> {
        self.drain(|_| Ok(out))
    }

    /// Appends what waits in the buffer now to a file, and says how many bytes that were.
    ///
    /// The beginning of the log makes a new file; later the same path is given again.
    ///
    /// # Errors
    ///
    /// As [`Recording::drain_to`]; [`io::ErrorKind::AlreadyExists`] if a file is there before the log begins, and
    /// [`io::ErrorKind::NotFound`] if none is there that it could go on in.
    pub fn save(&self, path: impl AsRef<Path>) -> io::Result<u64> {
        self.drain(|begun| {
            let mut options = OpenOptions::new();
            let file = options.append(true).create_new(!*begun).open(path)?;
            // The file is this log's from here on, also if nothing can be written to it now.
            *begun = true;
            Ok(file)
        })
    }

    /// The steps that are not in the log. While it is 0, the log is whole; see [what ends it](Recording#what-ends-it).
    pub fn lost(&self) -> u64 {
        // ORDERING: as below.
        let between = self.between.load(Ordering::Acquire);
        between.saturating_add(self.hold().map_or(0, |held| held.log.lost()))
    }

    /// The bytes that wait in the buffer.
    pub fn waiting(&self) -> usize {
        self.hold().map_or(0, |held| held.log.len())
    }

    fn drain<W: Write>(&self, open: impl FnOnce(&mut bool) -> io::Result<W>) -> io::Result<u64> {
        let mut outlet = match self.outlet.try_lock() {
            Ok(outlet) => outlet,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return Err(io::ErrorKind::ResourceBusy.into()),
        };
        let outlet = &mut *outlet;
        let mut out = open(&mut outlet.begun)?;
        // No more than what is there now: calls may write faster than `out` does.
        let waiting = (self.waiting() + outlet.len - outlet.at) as u64;
        let mut written = 0;
        while written < waiting {
            if outlet.at == outlet.len {
                outlet.at = 0;
                outlet.len = self.hold().map_or(0, |mut held| held.log.drain(&mut outlet.piece));
                if outlet.len == 0 {
                    break;
                }
            }
            match out.write(&outlet.piece[outlet.at..outlet.len]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => {
                    outlet.at = (outlet.at + n).min(outlet.len);
                    outlet.begun = true;
                    written += n as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        out.flush()?;
        Ok(written)
    }

    /// Holds the log; `None` if this thread holds it already, or waiting for it could be waiting for this thread.
    fn hold(&self) -> Option<Held<'_>> {
        let outer = IN_STEP.get();
        let log = if outer {
            match self.log.try_lock() {
                Ok(log) => log,
                Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => return None,
            }
        } else {
            // A panic in a step ended the log, and left it as it was.
            self.log.lock().unwrap_or_else(PoisonError::into_inner)
        };
        IN_STEP.set(true);
        Some(Held { log, outer })
    }

    fn step<T>(&self, now: Option<Instant>, input: Input, take: impl FnOnce(Numbers) -> (T, Decision)) -> T {
        let Some(mut held) = self.hold() else {
            // ORDERING: it is counted before the step is taken, and a step under the lock that saw an effect of this one
            // acquired it, so it sees the count, too.
            self.between.fetch_add(1, Ordering::AcqRel);
            return take(Numbers::NONE).0;
        };
        held.log.step(now, input, || self.between.load(Ordering::Acquire) == 0, take)
    }
}

impl<C> Steps<WAITERS, SLOTS> for Shared<C> {
    #[inline]
    fn unwritten(&self) -> Option<&Decisions> {
        if self.recording.is_none() { Some(&self.decisions) } else { None }
    }

    fn heed<T>(&self, said: Result<T, Rejected>) -> Result<Option<T>, Rejected> {
        self.decisions.heed(said)
    }

    #[cold]
    fn step<'g, T>(
        &'g self,
        now: Option<Instant>,
        input: Input,
        take: impl FnOnce(&'g Decisions, Numbers) -> (T, Decision),
    ) -> T {
        match &self.recording {
            None => take(&self.decisions, Numbers::NONE).0,
            Some(recording) => recording.step(now, input, |next| take(&self.decisions, next)),
        }
    }
}

impl Guard {
    /// A guard as [`Guard::new`] makes it, that writes every step of its decisions to a log in `buffer`, for
    /// `seawall replay` or [`seawall_core::record`].
    ///
    /// A call is some 35 bytes, and more with retries. Each step takes a lock, so that the order of the log is that of the
    /// decisions; nothing waits for the buffer: when it is full, the log ends. [`Guard::recording`] takes it out.
    ///
    /// # Errors
    ///
    /// If a value of the policy lies outside its bound, or the buffer does not hold the head of the log (a few hundred bytes).
    ///
    /// # Examples
    ///
    /// ```
    /// use seawall::{Guard, Policy};
    ///
    /// let storage = Guard::recorded("storage", Policy::new(), vec![0; 1 << 20])?;
    /// assert!(storage.call_blocking(|_| Ok::<_, ()>("stored")).is_ok());
    ///
    /// let recording = storage.recording().expect("it records");
    /// let mut log = Vec::new();
    /// recording.drain_to(&mut log)?; // Or recording.save("storage.log")?, now and then.
    /// assert_eq!(recording.lost(), 0);
    ///
    /// let entries = seawall::core::record::Entries::of(&log)?;
    /// assert_eq!(entries.count(), 4, "the call began, was tried, settled, and ended");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn recorded(
        name: &str,
        policy: decision::Policy,
        buffer: impl Into<Box<[u8]>>,
    ) -> Result<Self, RecordError> {
        Self::recorded_with_clock(name, policy, buffer, SystemClock)
    }
}

impl<C: Clock> Guard<C> {
    /// As [`Guard::recorded`], on the clock of your choice.
    ///
    /// # Errors
    ///
    /// As [`Guard::recorded`].
    pub fn recorded_with_clock(
        name: &str,
        policy: decision::Policy,
        buffer: impl Into<Box<[u8]>>,
        clock: C,
    ) -> Result<Self, RecordError> {
        let policy = Self::seeded(name, &policy);
        let recording = Recording::try_new(&policy, buffer.into())?;
        Ok(Self::make(name, &policy, clock, Some(Box::new(recording)))?)
    }

    /// The log, if the guard was made to write one.
    pub fn recording(&self) -> Option<&Recording> {
        self.shared.recording.as_deref()
    }
}

impl fmt::Debug for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recording")
            .field("waiting", &self.waiting())
            .field("lost", &self.lost())
            .finish_non_exhaustive()
    }
}
