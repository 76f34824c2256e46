//! Bounds the calls that run at once, and finds the bound itself.
//!
//! For a dependency whose capacity is not known or changes: it admits more calls as long as they come back well and fast,
//! and fewer when they do not. Nobody waits here; for a bound that is known, and a queue, see [`bulkhead`](super::bulkhead).
//!
//! # Examples
//!
//! ```
//! use core::time::Duration;
//! use seawall_core::adaptive_concurrency::{AdaptiveConcurrency, Config};
//! use seawall_core::{Instant, Outcome};
//!
//! // From two calls at once; every sample is a window, so that the example is short.
//! static UPLINK: AdaptiveConcurrency = AdaptiveConcurrency::new(Config::aimd(2).samples(1).window(Duration::ZERO));
//!
//! let (start, end) = (Instant::from_secs(1), Instant::from_millis(1010));
//! let one = UPLINK.try_acquire(start).unwrap();
//! let other = UPLINK.try_acquire(start).unwrap();
//! assert_eq!(UPLINK.try_acquire(start).unwrap_err().limit, 2);
//! assert_eq!(one.record(Outcome::Success, end).unwrap().to, 3);
//! assert_eq!(other.record(Outcome::Failure, end).unwrap().to, 2);
//! ```
//!
//! # The rules
//!
//! Results are taken in *windows*: at least [`samples`](Config::samples) of them and [`window`](Config::window) of time.
//! The result that completes a window adjusts the limit, within its bounds.
//! The first window has no beginning, so its results are enough.
//! A failure, a [slow](crate::Outcome::Slow) success, or one that took [`slow_after`](Config::slow_after), makes a window *bad*; report failures that say
//! nothing about load as [ignored](crate::Outcome::Ignored).
//! A window is *busy* if at the beginning or the end of one of its calls at least half of the limit was in use. In others the
//! limit does not grow, since it is not what holds traffic back.
//!
//! ```text
//! AIMD       bad:   limit · backoff                busy: limit + increase
//! gradient   bad:   limit · backoff at most        busy: limit · g + queue, or a share of the way there
//!            g = tolerance · baseline / latency, between a half and one
//! ```
//!
//! (Netflix's `concurrency-limits`, "gradient2".) The latency is a moving mean of the successes, each weighing an eighth; the
//! queue is the square root of the limit unless configured.
//! The *baseline* is what the latency is without a queue:
//!
//! - it follows a lower latency by half in each window, so a congestion that ends is forgotten at once;
//! - it follows a higher one by an eighth, and only in windows that are not busy or at the lowest limit, so that no
//!   congestion of our own making becomes the baseline, however long it lasts;
//! - after about [`probe_every`](Config::probe_every) busy windows, spread by an eighth so that a fleet does not do it at
//!   once, the limit goes down to a quarter for one window, and the latency there is the new baseline.
//!   So a dependency that has become slower for good is not starved for good.
//!   Results of calls that were admitted before such a probe are stale and only free their place.
//!   Calls that do not come back could hold up a probe; after eight windows, or four times what calls took before it if that
//!   is longer, it ends with the results that it has, at last after 256 windows.
//!   The first probe, and one after a probe that found a baseline a quarter lower, comes after 16 windows, so that a limit
//!   that starts too high is soon found out.
//!
//! From a limit that a congestion took down to its floor, 90 % of a limit of 100 are back within 64 busy windows: 1024
//! samples as configured by default (`b53_ninety_percent_are_back_in_64_windows`).
//!
//! # Memory layout
//!
//! ```text
//!          31      30     29    28 …… 24    23 …… 12   11 ……… 0
//! state    PROBE 1 | BUSY 1 | BAD 1 | SAMPLES 5 | LIMIT 12 | IN_FLIGHT 12
//! latency  PROBE 1 | LATENCY 31, in 1/64 µs
//! baseline LATENCY 32
//! memory   – 4 | WINDOWS 16 | SAVED 12
//! ```
//!
//! 160 bytes with the configuration on a 64-bit host. Nothing wraps; the end of a window is a
//! bounded-ahead deadline, which costs at most one late window after a pause of months.
//!
//! # Ordering
//!
//! (a) The state is the single point of agreement: admissions, releases, samples, the election of the result that completes
//! a window and each change of the limit are exchanges on it.
//! (b) A success is part of the latency before it is counted, so the elected one sees the latency of its window.
//! (c) Latency, baseline and memory are advisory: a result that completes a window may meet the latency of later ones.
//! If the elected one is stopped, the next window elects another; each changes the limit that it meets.
//! (d) A call that was admitted in one probe and ends in the next counts there. (e) Models:
//! `loom-tests/tests/adaptive_concurrency.rs`.
//!
//! # Progress
//!
//! Lock-free: an exchange is repeated only if another call was admitted or settled.
//!
//! # Trade-offs
//!
//! - At most 4095 calls at once; latencies up to 33 seconds are told apart.
//! - After the limit fell, calls in flight go on, and none is admitted until they are fewer.
//! - A window should last for a few latencies, or its samples are those of an older limit. Where calls take more than some
//!   hundred windows no probe brings a result, and the baseline only falls.
//! - Where a window has no length, a probe has no end but its results.
//! - If the clock steps back, latencies are zero and lower the baseline until the next probe. By more than a window it ends the
//!   present one, and after one reading that was high the next one lasts for two.
//!
//! # Cost
//!
//! Atomic accesses, asserted by the tests:
//!
//! | call | loads | writes |
//! |---|---:|---:|
//! | `try_acquire`, admitted | 1 | 1 |
//! | `try_acquire`, full | 1 | 0 |
//! | `Permit::record`, AIMD | 1 | 1 |
//! | `Permit::record`, gradient | 2 | 2 |
//! | `Permit::drop` | 1 | 1 |

mod config;
mod gradient;
mod permit;
mod rejected;
mod state;
#[cfg(all(test, not(loom)))]
mod tests;

use core::fmt;
use core::time::Duration;

pub use config::Config;
pub use permit::{Permit, Ticket};
pub use rejected::Rejected;

use crate::atomic::timer::{Remaining, Scale, Timer};
use crate::atomic::word::Word;
use crate::config::ConfigError;
use crate::outcome::Outcome;
use crate::time::{Instant, duration, nanos};
use config::Rule;
use gradient::Gradient;
use state::{Place, Settled, State, Window};

/// A limit that changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Adjustment {
    /// What it was.
    pub from: u32,
    /// What it is.
    pub to: u32,
    /// Why.
    pub reason: Reason,
}

/// Why a limit changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// Calls failed, or took too long.
    Bad,
    /// The limit was in use, and calls came back well.
    Room,
    /// Calls take longer than without a queue.
    Latency,
    /// The latency without a queue is to be measured.
    Probe,
    /// It is measured.
    ProbeOver,
}

/// The counts and figures of one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot {
    /// Calls that run; more than the limit only after it fell.
    pub in_flight: u32,
    /// Calls that may run.
    pub limit: u32,
    /// Whether the limit is down to measure the baseline.
    pub is_probing: bool,
    /// The moving mean of the latency; `None` before the first success, and for AIMD.
    pub latency: Option<Duration>,
    /// The latency without a queue; `None` before the first window, and for AIMD.
    pub baseline: Option<Duration>,
}

/// A bound on concurrent calls that follows their results. The [module](self) has the rules and an example.
pub struct AdaptiveConcurrency {
    config: Config,
    state: Word,
    window_scale: Scale,
    /// When the present window is long enough.
    window_over: Timer,
    probe_scale: Scale,
    /// When a probe has lasted long enough, with or without results.
    probe_over: Timer,
    gradient: Gradient,
}

impl AdaptiveConcurrency {
    const_fn! {
        /// A limit that has seen no call.
        ///
        /// # Panics
        ///
        /// If [`AdaptiveConcurrency::try_new`] would return an error; in a `static` this is a compile error.
        pub const fn new(config: Config) -> Self {
            expect_valid!(Self::try_new(config), "adaptive_concurrency")
        }
    }

    const_fn! {
        /// A limit that has seen no call.
        ///
        /// # Errors
        ///
        /// As [`Config::validate`].
        pub const fn try_new(config: Config) -> Result<Self, ConfigError> {
            if let Err(error) = config.validate() {
                return Err(error);
            }
            Ok(Self {
                state: Word::new(State::raw(config.initial)),
                window_scale: Scale::new(duration(config.window)),
                window_over: Timer::new(),
                probe_scale: Scale::new(config.longest_probe()),
                probe_over: Timer::new(),
                gradient: Gradient::new(config.seed, config.soon()),
                config,
            })
        }
    }

    /// Admits a call if fewer run than the limit.
    ///
    /// # Errors
    ///
    /// How many run, and the limit.
    ///
    /// # Complexity
    ///
    /// One load, and one exchange if it is admitted.
    #[inline]
    pub fn try_acquire(&self, now: Instant) -> Result<Permit<'_>, Rejected> {
        let admitted = match self.state.transition(State::admit) {
            Err(rejected) if self.has_probed_long(&rejected, now) => self.give_up_probe(),
            admitted => admitted,
        };
        admitted.map(|place| Permit { limiter: self, ticket: Ticket { started: now, place } })
    }

    /// Whether a call would be admitted now; it takes nothing.
    ///
    /// A probe that has lasted too long is given up by the call that comes, so what is left of it refuses nobody here.
    ///
    /// # Errors
    ///
    /// As [`AdaptiveConcurrency::try_acquire`].
    pub fn check(&self, now: Instant) -> Result<(), Rejected> {
        let state: State = self.state.load();
        match state.admit().1 {
            Err(rejected) if !self.has_probed_long(&rejected, now) => Err(rejected),
            _ => Ok(()),
        }
    }

    /// Settles a call by its ticket; returns the change of the limit, if this result makes one.
    ///
    /// A ticket of another limiter frees a place here that was taken there; in flight never falls below zero.
    pub fn settle(&self, ticket: Ticket, outcome: Outcome, now: Instant) -> Option<Adjustment> {
        let latency = now.saturating_since(ticket.started);
        self.settle_after(ticket, outcome, latency, now)
    }

    /// As [`AdaptiveConcurrency::settle`], for a call whose operation took `latency`, without queues and pauses of our own
    /// making while it held its place.
    pub fn settle_after(
        &self,
        ticket: Ticket,
        outcome: Outcome,
        latency: Duration,
        now: Instant,
    ) -> Option<Adjustment> {
        let latency = nanos(latency);
        let (bad, worked) = match outcome {
            Outcome::Success => (latency >= self.config.slow_after, true),
            Outcome::Slow => (true, true),
            Outcome::Failure => (true, false),
            _ => {
                self.release();
                return None;
            }
        };
        if worked && self.config.is_gradient() {
            self.gradient.learn(latency, ticket.place.probe);
        }
        let due = || {
            self.config.window == 0
                || self.window_over.remaining(self.window_scale, 0, now) == Remaining::Reached
        };
        match self.state.transition(|state: State| state.settle(ticket.place, bad, &self.config, due)) {
            Settled::Counted => None,
            Settled::Adjusted(adjustment) => {
                self.begin_window(now);
                adjustment
            }
            Settled::Window(window) => self.adjust(window, now),
        }
    }

    /// The counts and figures now.
    pub fn snapshot(&self) -> Snapshot {
        let state: State = self.state.load();
        Snapshot {
            in_flight: state.in_flight,
            limit: state.limit,
            is_probing: state.probe,
            latency: self.gradient.latency(),
            baseline: self.gradient.baseline(),
        }
    }

    /// The configuration.
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// A call ends that says nothing.
    fn release(&self) {
        self.state.transition(|state: State| (Some(state.release()), ()));
    }

    /// Whether the probe that refused should have come to an end.
    fn has_probed_long(&self, rejected: &Rejected, now: Instant) -> bool {
        rejected.is_probing
            && self.config.window > 0
            && self.probe_over.remaining(self.probe_scale, 0, now) == Remaining::Reached
    }

    fn begin_window(&self, now: Instant) {
        if self.config.window > 0 {
            let end = now.saturating_add(duration(self.config.window));
            self.window_over.rearm(self.window_scale, 0, end);
        }
    }

    /// The gradient's adjustment, by the one that completed the window.
    fn adjust(&self, window: Window, now: Instant) -> Option<Adjustment> {
        let Rule::Gradient(rule) = self.config.rule else { return None };
        self.begin_window(now);
        if window.probe {
            let saved = self.gradient.end_probe(&self.config);
            return self.change(|state| state.end_probe(saved, window.bad, &self.config));
        }
        let lowest = window.limit <= self.config.min;
        let latency = self.gradient.latency();
        if window.busy && !window.bad && !lowest && self.gradient.is_probe_due(&self.config, window.limit) {
            // Whatever an earlier probe left there; if two begin one together, either deadline is right.
            self.probe_over.replace(self.probe_scale, 0, now.saturating_add(self.config.probe_time(latency)));
            return self.change(|state| state.begin_probe(&self.config));
        }
        let may_rise = !window.busy || lowest;
        let figures = self.gradient.figures(may_rise);
        self.change(|state| state.follow(window, figures, rule, &self.config))
    }

    /// One exchange on the state that changes the limit.
    fn change(&self, step: impl Fn(State) -> (Option<State>, Option<Adjustment>)) -> Option<Adjustment> {
        if mutant!("concurrency_adjusts_in_two_steps") {
            let (next, adjustment) = step(self.state.load());
            if next.is_some() {
                self.state.transition(|_: State| (next, ()));
            }
            return adjustment;
        }
        self.state.transition(step)
    }

    /// The probe has lasted too long, since calls from before it keep their places or its own take long: it ends with the
    /// results that it has, and the call is asked again.
    #[cold]
    fn give_up_probe(&self) -> Result<Place, Rejected> {
        let saved = self.gradient.end_probe(&self.config);
        self.change(|state| state.end_probe(saved, state.bad, &self.config));
        self.state.transition(State::admit)
    }
}

impl fmt::Debug for AdaptiveConcurrency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdaptiveConcurrency")
            .field("state", &self.state.load::<State>())
            .field("latency", &self.gradient.latency())
            .field("baseline", &self.gradient.baseline())
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}
