//! Guards for calls: the core's decisions with a clock, waiting and timers.
//!
//! A guard is a cheap handle; clones share all state.
//! Resolve it once and keep it: a call then touches no map and allocates nothing.
//!
//! # Examples
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
//! use std::time::Duration;
//! use seawall::core::{circuit_breaker, retry, Backoff};
//! use seawall::{Guard, Policy};
//!
//! let guard = Guard::new(
//!     "storage",
//!     Policy::new()
//!         .circuit_breaker(circuit_breaker::Config::consecutive_failures(5))
//!         .retry(retry::Config::attempts(3, Backoff::exponential(Duration::from_millis(1))))
//!         .timeout(Duration::from_millis(200)),
//! )?;
//! let answer = guard
//!     .call(async |attempt| if attempt.number() < 3 { Err("not yet") } else { Ok(42) })
//!     .await;
//! assert_eq!(answer, Ok(42));
//! # Ok::<(), seawall::core::ConfigError>(()) }).unwrap();
//! ```
//!
//! # Cancellation
//!
//! Dropping the future of a call gives everything back: its place in the queue or its slot, a probe of the breaker, and, if
//! nothing was tried yet, its token.
//! The operation's future is dropped with it.
//!
//! # Panics of the operation
//!
//! An operation that panics counts as one failure and gives everything back, and the panic goes on unwinding.
//!
//! # Recording
//!
//! A guard that [`Guard::recorded`] makes writes every step of its decisions to a log, which `seawall replay` replays bit for
//! bit; [`Recording`] says what is in it and takes it out.
//!
//! # Cost
//!
//! An admitted call reads the clock twice, once more if its operation is pending and has a deadline, and allocates nothing.
//! A timer is armed only if the operation's first poll is pending.

mod around;
#[cfg(feature = "tokio")]
mod asynchronous;
mod blocking;
mod by_hand;
#[cfg(feature = "chaos")]
pub mod chaos;
mod recording;
mod running;
mod tallies;
#[cfg(feature = "tokio")]
mod timed;

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use around::Around;
pub use around::Surroundings;
pub use recording::Recording;
use seawall_core::check::Status;
use seawall_core::circuit_breaker::Transition;
use seawall_core::degradation::{Component, Degradation};
use seawall_core::driver::{self, Driver};
use seawall_core::error_budget::Edge;
use seawall_core::events::{Event, EventKind, EventRing};
/// What the operation is told of the attempt that it makes.
pub use seawall_core::guard::About as Attempt;
pub use seawall_core::guard::{Classify, ErrorsFail, Options};
use seawall_core::histogram::{self, Histogram, buckets_for};
use seawall_core::record::Steps;
use seawall_core::{Clock, ConfigError, Instant, guard as decision};
use tallies::Tallies;
pub use tallies::{ATTEMPT_LABELS, GiveUps, RetryTallies};

use crate::clock::SystemClock;

/// How many calls can wait for a slot of one guard at most.
pub const WAITERS: usize = 256;

/// The buckets of the windows.
pub const SLOTS: usize = 10;

/// Latencies in nanoseconds, exact to 3 %, up to 18 minutes; longer ones are counted as out of range.
const LATENCY_BUCKETS: usize = buckets_for(5, (1 << 40) - 1);

/// A histogram of durations in nanoseconds.
pub type Durations = Histogram<5, LATENCY_BUCKETS>;

/// A moment of a histogram of durations in nanoseconds.
pub type DurationsSnapshot = histogram::Snapshot<5, LATENCY_BUCKETS>;

/// The core's guard with this adapter's sizes.
pub type Decisions = decision::Guard<WAITERS, SLOTS>;

/// A guard for one operation. The [module](self) has an example.
pub struct Guard<C = SystemClock> {
    shared: Arc<Shared<C>>,
}

struct Shared<C> {
    name: Box<str>,
    decisions: Decisions,
    /// Boxed, since few guards have it.
    recording: Option<Box<Recording>>,
    clock: C,
    latencies: Durations,
    waits: Durations,
    pauses: Durations,
    tallies: Tallies,
    events: EventRing<64>,
    /// Boxed, since few guards have it.
    around: OnceLock<Box<Around>>,
    degradation: OnceLock<(Arc<Degradation>, Driver)>,
    #[cfg(feature = "chaos")]
    chaos: chaos::Injector,
}

impl Guard {
    /// A guard on the system's clock. The jitter is seeded at random unless the policy has a seed.
    ///
    /// # Errors
    ///
    /// If a value of the policy lies outside its bound.
    pub fn new(name: &str, policy: decision::Policy) -> Result<Self, ConfigError> {
        Self::with_clock(name, policy, SystemClock)
    }
}

impl<C: Clock> Guard<C> {
    /// A guard on the clock of your choice.
    ///
    /// # Errors
    ///
    /// If a value of the policy lies outside its bound.
    pub fn with_clock(name: &str, policy: decision::Policy, clock: C) -> Result<Self, ConfigError> {
        Self::make(name, &Self::seeded(name, &policy), clock, None)
    }

    /// The policy with a seed for the jitter: its own, or one at random.
    fn seeded(name: &str, policy: &decision::Policy) -> decision::Policy {
        policy.or_seed(RandomState::new().hash_one(name) as u32)
    }

    fn make(
        name: &str,
        policy: &decision::Policy,
        clock: C,
        recording: Option<Box<Recording>>,
    ) -> Result<Self, ConfigError> {
        // The system's clock calibrates itself when it is first read, for milliseconds: here and not in the first call.
        let _ = clock.now();
        let shared = Shared {
            name: name.into(),
            decisions: Decisions::try_new(*policy)?,
            recording,
            clock,
            latencies: Histogram::new(),
            waits: Histogram::new(),
            pauses: Histogram::new(),
            tallies: Tallies::default(),
            events: EventRing::new(),
            around: OnceLock::new(),
            degradation: OnceLock::new(),
            #[cfg(feature = "chaos")]
            chaos: chaos::Injector::default(),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// The name, which labels its metrics.
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// The core's guard: its patterns, to look at or to steer by hand.
    ///
    /// What is done to it here is not in the log of a guard that [records](Guard::recorded), nor among its events; the methods
    /// of this type are.
    pub fn decisions(&self) -> &Decisions {
        &self.shared.decisions
    }

    /// The present moment on the guard's clock.
    pub fn now(&self) -> Instant {
        self.shared.clock.now()
    }

    /// What was counted so far.
    pub fn stats(&self) -> decision::Stats {
        self.shared.decisions.stats()
    }

    /// What was counted of retries.
    pub fn retry_tallies(&self) -> RetryTallies {
        self.shared.tallies.read(&self.stats())
    }

    /// The latencies of attempts.
    pub fn latencies(&self) -> &Durations {
        &self.shared.latencies
    }

    /// The times that calls waited for a slot, of those that had to.
    pub fn waits(&self) -> &Durations {
        &self.shared.waits
    }

    /// The pauses before retries.
    pub fn pauses(&self) -> &Durations {
        &self.shared.pauses
    }

    /// The last transitions, in order.
    pub fn events(&self) -> &EventRing<64> {
        &self.shared.events
    }

    /// Lets the error budget and the [latency budget](Guard::watch_latency) of this guard set the level of a component:
    /// degraded while one of them is exhausted.
    ///
    /// A guard drives one component; it keeps the first that it was given. See [`Guard::drive_by`] for another level, or more
    /// patience.
    pub fn drive(&self, degradation: Arc<Degradation>, component: Component) {
        self.keep_driver(degradation, Driver::new(driver::Config::new(component).calm_for(Duration::ZERO)));
    }

    /// As [`Guard::drive`], as `config` says: to which level, after how many readings, and how long it stays.
    ///
    /// # Errors
    ///
    /// If a value of the configuration lies outside its bound.
    pub fn drive_by(&self, degradation: Arc<Degradation>, config: driver::Config) -> Result<(), ConfigError> {
        self.keep_driver(degradation, Driver::try_new(config)?);
        Ok(())
    }

    fn keep_driver(&self, degradation: Arc<Degradation>, driver: Driver) {
        // A second call changes nothing, as documented.
        let _ = self.shared.degradation.set((degradation, driver));
        self.shared.set_level(self.now());
    }

    /// The degradation and the component that this guard [drives](Guard::drive), if it does.
    pub fn degradation(&self) -> Option<(&Degradation, Component)> {
        self.shared.degradation.get().map(|(degradation, driver)| (&**degradation, driver.component()))
    }

    /// Looks whether time took the error budget over the line, which calls do by themselves; ask now and then while nothing
    /// is called.
    pub fn refresh(&self) {
        let now = self.now();
        if let Some(edge) = self.shared.check_budget(now) {
            self.shared.budget_edge(edge, now);
        } else {
            self.shared.set_level(now);
        }
        self.shared.refresh_latency(now);
    }
}

impl<C: Clock> Shared<C> {
    fn transition(&self, transition: Transition, now: Instant) {
        self.events.push(Event { at: now, kind: EventKind::Breaker(transition) });
    }

    fn budget_edge(&self, edge: Edge, now: Instant) {
        self.tallies.budget_edge(edge);
        self.events.push(Event { at: now, kind: EventKind::Budget(edge) });
        self.set_level(now);
    }

    fn latency_edge(&self, edge: Edge, now: Instant) {
        self.events.push(Event { at: now, kind: EventKind::Latency(edge) });
        self.set_level(now);
    }

    /// Drives the component from the budgets as they are, and not from an edge: edges of two threads may come here in the
    /// other order.
    fn set_level(&self, now: Instant) {
        let Some((degradation, driver)) = self.degradation.get() else { return };
        let failing = self.decisions.error_budget().is_some_and(|budget| budget.is_exhausted(now));
        let well = if failing || self.is_too_slow(now) { Status::Unhealthy } else { Status::Healthy };
        if let Some(change) = driver.observe(&well, degradation, now) {
            self.events.push(Event { at: now, kind: EventKind::Level(change) });
        }
    }
}

impl<C> Guard<C> {
    /// Whether the two handles are of one guard.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }
}

impl<C> Clone for Guard<C> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<C> fmt::Debug for Guard<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard")
            .field("name", &self.shared.name)
            .field("decisions", &self.shared.decisions)
            .finish_non_exhaustive()
    }
}
