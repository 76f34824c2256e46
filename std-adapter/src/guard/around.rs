//! What stands before and behind a guard by choice: it takes memory only in guards that have it.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use seawall_core::adaptive_concurrency::{self, AdaptiveConcurrency};
use seawall_core::adaptive_rate::{self, AdaptiveRate};
use seawall_core::degradation::Degradation;
use seawall_core::error_budget::Edge;
use seawall_core::guard::{Admit, Rejected, Serve, Shed, Took};
use seawall_core::latency_budget::{self, LatencyBudget};
use seawall_core::load_shedder::{self, LoadShedder, Priority};
use seawall_core::{Clock, ConfigError, Instant};

use super::{Arc, Guard, SLOTS, Shared};

/// What stands around a guard by choice, as plain values: what a policy file says of it.
///
/// # Examples
///
/// ```
/// use seawall::core::{adaptive_rate, rate_limiter::Quota};
/// use seawall::guard::Surroundings;
/// use seawall::{Guard, Policy};
/// use std::time::Duration;
///
/// let rate = adaptive_rate::Config::new(Quota::per_second(1000), Duration::from_millis(100));
/// let guard = Guard::new("storage", Policy::new())?;
/// guard.surround(&Surroundings { adaptive_rate: Some(rate), ..Surroundings::NONE })?;
/// assert!(guard.adaptive_rate().is_some() && guard.latency_budget().is_none());
/// # Ok::<(), seawall::core::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// See [`Guard::adapt_rate`].
    pub adaptive_rate: Option<adaptive_rate::Config>,
    /// See [`Guard::adapt_concurrency`].
    pub adaptive_concurrency: Option<adaptive_concurrency::Config>,
    /// See [`Guard::watch_latency`].
    pub latency_budget: Option<latency_budget::Config>,
    /// See [`Guard::shed`].
    pub load_shedder: Option<load_shedder::Config>,
}

impl Surroundings {
    /// Nothing.
    pub const NONE: Self =
        Self { adaptive_rate: None, adaptive_concurrency: None, latency_budget: None, load_shedder: None };
}

/// The parts, each made when it is first asked for.
#[derive(Default)]
pub(super) struct Around {
    latency: OnceLock<Latency>,
    shedder: OnceLock<Shedder>,
    service: OnceLock<Arc<Degradation>>,
    rate: OnceLock<AdaptiveRate>,
    concurrency: OnceLock<AdaptiveConcurrency>,
}

/// What stands before the guard, as one call meets it, in this order.
type Parts<'p> =
    (Option<Serve<'p>>, Option<Shed<'p, SLOTS>>, Option<&'p AdaptiveRate>, Option<&'p AdaptiveConcurrency>);

/// What a call took before it came to the guard.
pub(super) struct Held<'p> {
    parts: Parts<'p>,
    permit: <Parts<'p> as Admit>::Permit<'p>,
}

impl Held<'_> {
    /// The call was never tried: what it took comes back.
    pub(super) fn give_back(self, now: Instant) {
        self.parts.give_back(self.permit, now);
    }

    /// As [`Held::give_back`], of a call that took something.
    pub(super) fn take_back(held: Option<Self>, now: Instant) {
        if let Some(held) = held {
            held.give_back(now);
        }
    }

    /// The call has ended, and its last attempt as `took` says.
    ///
    /// The rate has heard of the attempts, each by itself.
    pub(super) fn settle(self, took: Took, now: Instant) {
        let ((.., concurrency), (.., permit)) = (self.parts, self.permit);
        // The change of the limit is told by its snapshots.
        let _ = concurrency.settle(permit, took, now);
    }
}

struct Latency {
    budget: LatencyBudget,
    violations: AtomicU64,
    exhausted: AtomicU64,
}

struct Shedder {
    decides: LoadShedder<SLOTS>,
    load: AtomicU32,
}

impl Around {
    fn admit(&self, priority: Priority, now: Instant) -> Result<Held<'_>, Rejected> {
        // ORDERING: here and below a measure or a count leads to no other data.
        let shed = |shedder: &Shedder| shedder.load.load(Ordering::Relaxed);
        let parts: Parts<'_> = (
            self.service.get().map(|service| Serve::new(service, priority)),
            self.shedder.get().map(|shedder| Shed::new(&shedder.decides, priority, shed(shedder))),
            self.rate.get(),
            self.concurrency.get(),
        );
        parts.try_acquire(now).map(|permit| Held { parts, permit })
    }

    /// Tells the rate and the promise about latency of an attempt.
    fn record(&self, took: Took, now: Instant) -> Option<Edge> {
        let latency = took.latency();
        if let Some(rate) = self.rate.get() {
            let _ = rate.record(took.outcome(), latency, now);
        }
        let watched = self.latency.get().filter(|_| took.is_telling())?;
        if latency > watched.budget.target() {
            watched.violations.fetch_add(1, Ordering::Relaxed);
        }
        watched.count(watched.budget.record(latency, now))
    }
}

impl Latency {
    fn count(&self, edge: Option<Edge>) -> Option<Edge> {
        if edge == Some(Edge::Exhausted) {
            self.exhausted.fetch_add(1, Ordering::Relaxed);
        }
        edge
    }
}

impl<C: Clock> Guard<C> {
    /// Puts around the guard what `around` names; where it has a part already, it keeps that.
    ///
    /// # Errors
    ///
    /// The first value that lies outside its bound; parts before it were put there.
    pub fn surround(&self, around: &Surroundings) -> Result<(), ConfigError> {
        around.adaptive_rate.map_or(Ok(()), |config| self.adapt_rate(config))?;
        around.adaptive_concurrency.map_or(Ok(()), |config| self.adapt_concurrency(config))?;
        around.latency_budget.map_or(Ok(()), |config| self.watch_latency(config))?;
        around.load_shedder.map_or(Ok(()), |config| self.shed(config))
    }

    /// Watches the latencies of attempts, of those that fail as of those that succeed, against a promise. What is ignored says
    /// nothing about the dependency, and is not watched.
    ///
    /// While it is broken, the component that this guard [drives](Guard::drive) is degraded. A guard watches one promise; it
    /// keeps the first.
    ///
    /// # Errors
    ///
    /// If a value of the configuration lies outside its bound; then nothing changes.
    ///
    /// # Examples
    ///
    /// ```
    /// use seawall::core::{Ratio, latency_budget};
    /// use seawall::{Guard, Policy};
    /// use std::time::Duration;
    ///
    /// let guard = Guard::new("storage", Policy::new())?;
    /// let (target, hour) = (Duration::from_millis(100), Duration::from_secs(3600));
    /// guard.watch_latency(latency_budget::Config::new(Ratio::percent(95), target, hour))?;
    /// let _ = guard.call_blocking(|_| Ok::<_, ()>(()));
    /// assert_eq!(guard.latency_budget().unwrap().snapshot(guard.now()).calls, 1);
    /// # Ok::<(), seawall::core::ConfigError>(())
    /// ```
    pub fn watch_latency(&self, config: latency_budget::Config) -> Result<(), ConfigError> {
        let budget = LatencyBudget::try_new(config)?;
        self.shared.around().latency.get_or_init(|| Latency {
            budget,
            violations: AtomicU64::new(0),
            exhausted: AtomicU64::new(0),
        });
        Ok(())
    }

    /// The promise about latency, if the guard watches one.
    pub fn latency_budget(&self) -> Option<&LatencyBudget> {
        Some(&self.shared.latency()?.budget)
    }

    /// Attempts that took longer than the promise says.
    pub fn latency_violations(&self) -> u64 {
        self.shared.latency().map_or(0, |watched| watched.violations.load(Ordering::Relaxed))
    }

    /// How often the promise about latency came to be broken.
    pub fn latency_exhausted(&self) -> u64 {
        self.shared.latency().map_or(0, |watched| watched.exhausted.load(Ordering::Relaxed))
    }

    /// Turns calls away, the least important first, while there is more load than can be served.
    ///
    /// The load is what you measure and tell it by [`Guard::set_load`]; what a call is worth is said by
    /// [`Options::priority`](super::Options::priority). A guard has one shedder; it keeps the first.
    ///
    /// # Errors
    ///
    /// If a value of the configuration lies outside its bound; then nothing changes.
    pub fn shed(&self, config: load_shedder::Config) -> Result<(), ConfigError> {
        let decides = LoadShedder::try_new(config)?;
        self.shared.around().shedder.get_or_init(|| Shedder { decides, load: AtomicU32::new(0) });
        Ok(())
    }

    /// Tells the shedder the load of this moment; without one it is told to nobody.
    pub fn set_load(&self, load: u32) {
        if let Some(shedder) = self.shared.around.get().and_then(|around| around.shedder.get()) {
            shedder.load.store(load, Ordering::Relaxed);
        }
    }

    /// The load shedder, if the guard has one.
    pub fn shedder(&self) -> Option<&LoadShedder<SLOTS>> {
        Some(&self.shared.around.get()?.shedder.get()?.decides)
    }

    /// Limits how many calls start in a time, by a rate that follows the latency of attempts; see
    /// [`seawall_core::adaptive_rate`].
    ///
    /// It stands before the guard, whose own rate limit holds too. A guard has one such rate; it keeps the first.
    ///
    /// # Errors
    ///
    /// If a value of the configuration lies outside its bound; then nothing changes.
    ///
    /// # Examples
    ///
    /// ```
    /// use seawall::core::{adaptive_rate, rate_limiter::Quota};
    /// use seawall::{Guard, Policy};
    /// use std::time::Duration;
    ///
    /// let guard = Guard::new("storage", Policy::new())?;
    /// let (start, target) = (Quota::per_second(1000), Duration::from_millis(100));
    /// guard.adapt_rate(adaptive_rate::Config::new(start, target).between(100, 10_000))?;
    /// assert!(guard.call_blocking(|_| Ok::<_, ()>(())).is_ok());
    /// assert_eq!(guard.adaptive_rate().unwrap().snapshot().quota.rate_in_thousandths(), 1_000_000);
    /// # Ok::<(), seawall::core::ConfigError>(())
    /// ```
    pub fn adapt_rate(&self, config: adaptive_rate::Config) -> Result<(), ConfigError> {
        let rate = AdaptiveRate::try_new(config)?;
        self.shared.around().rate.get_or_init(|| rate);
        Ok(())
    }

    /// The rate that follows the latency, if the guard has one.
    pub fn adaptive_rate(&self) -> Option<&AdaptiveRate> {
        self.shared.around.get()?.rate.get()
    }

    /// Limits how many calls run at a time, by a limit that follows their results; see
    /// [`seawall_core::adaptive_concurrency`].
    ///
    /// A call counts from its admission to its end, while the limit learns how long its last attempt took, without queues
    /// and pauses. A guard has one such limit; it keeps the first.
    ///
    /// # Errors
    ///
    /// If a value of the configuration lies outside its bound; then nothing changes.
    ///
    /// # Examples
    ///
    /// ```
    /// use seawall::core::adaptive_concurrency;
    /// use seawall::{Error, Guard, Policy, Rejected};
    ///
    /// let guard = Guard::new("storage", Policy::new())?;
    /// guard.adapt_concurrency(adaptive_concurrency::Config::gradient(1))?;
    /// let nested = guard.call_blocking(|_| Ok::<_, ()>(guard.call_blocking(|_| Ok::<_, ()>(()))));
    /// assert!(matches!(nested, Ok(Err(Error::Rejected(Rejected::AdaptiveConcurrency(_))))));
    /// # Ok::<(), seawall::core::ConfigError>(())
    /// ```
    pub fn adapt_concurrency(&self, config: adaptive_concurrency::Config) -> Result<(), ConfigError> {
        let limit = AdaptiveConcurrency::try_new(config)?;
        self.shared.around().concurrency.get_or_init(|| limit);
        Ok(())
    }

    /// The limit on concurrent calls that follows their results, if the guard has one.
    pub fn adaptive_concurrency(&self) -> Option<&AdaptiveConcurrency> {
        self.shared.around.get()?.concurrency.get()
    }

    /// Serves only calls of a priority that the level of the whole of `service` still
    /// [admits](seawall_core::degradation::Level::admits).
    ///
    /// A guard heeds one service; it keeps the first.
    pub fn heed_level(&self, service: Arc<Degradation>) {
        self.shared.around().service.get_or_init(|| service);
    }
}

impl<C: Clock> Shared<C> {
    fn around(&self) -> &Around {
        self.around.get_or_init(Box::default)
    }

    fn latency(&self) -> Option<&Latency> {
        self.around.get()?.latency.get()
    }

    /// What stands before the guard, with the refusal in the guard's books.
    #[inline]
    pub(super) fn admit(&self, priority: Priority, now: Instant) -> Result<Option<Held<'_>>, Rejected> {
        match self.around.get() {
            None => Ok(None),
            Some(around) => self.decisions.heed(around.admit(priority, now)),
        }
    }

    /// What stands behind it: how an attempt ended.
    #[inline]
    pub(super) fn record_around(&self, took: Took, now: Instant) {
        if let Some(edge) = self.around.get().and_then(|around| around.record(took, now)) {
            self.latency_edge(edge, now);
        }
    }

    /// Lets time work on the promise about latency.
    pub(super) fn refresh_latency(&self, now: Instant) {
        if let Some(edge) = self.latency().and_then(|watched| watched.count(watched.budget.check(now))) {
            self.latency_edge(edge, now);
        }
    }

    /// Whether the promise about latency is broken.
    pub(super) fn is_too_slow(&self, now: Instant) -> bool {
        self.latency().is_some_and(|watched| watched.budget.is_exhausted(now))
    }
}
