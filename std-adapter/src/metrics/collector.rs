//! Which guards there are, and what each of them reads at a scrape.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use seawall_core::guard::Stats;
use seawall_core::{Clock, Instant};

use super::families;
use crate::clock::SystemClock;
use crate::guard::{Guard, RetryTallies};

/// A list of guards that is asked for when it is needed.
pub(crate) type Source<C> = Arc<dyn Fn() -> Vec<Guard<C>> + Send + Sync>;

/// Reads guards for a [`Registry`](prometheus_client::registry::Registry) when it is scraped.
///
/// The list of guards is asked for at each scrape, so guards may come and go.
/// It also lets error budgets notice the time that has passed, as [`Guard::refresh`] does.
///
/// Of one kind of guards a registry takes one collector: two would write each family twice, which Prometheus rejects.
/// Join them by [`GuardCollector::and`].
pub struct GuardCollector<C = SystemClock> {
    sources: Vec<Source<C>>,
}

impl<C: Clock + Send + Sync + 'static> GuardCollector<C> {
    /// A collector of the guards that `guards` lists.
    pub fn new<I>(guards: impl Fn() -> I + Send + Sync + 'static) -> Self
    where
        I: IntoIterator<Item = Guard<C>>,
    {
        Self::from_source(Arc::new(move || guards().into_iter().collect()))
    }

    pub(crate) fn from_source(source: Source<C>) -> Self {
        Self { sources: vec![source] }
    }

    /// Takes in the guards of another list. A guard that is in several lists is shown once.
    #[must_use = "the collector is returned"]
    pub fn and<I>(mut self, guards: impl Fn() -> I + Send + Sync + 'static) -> Self
    where
        I: IntoIterator<Item = Guard<C>>,
    {
        self.sources.push(Arc::new(move || guards().into_iter().collect()));
        self
    }

    fn read(&self) -> Vec<Reading<C>> {
        let mut readings: Vec<Reading<C>> = Vec::new();
        let mut names: HashMap<String, u32> = HashMap::new();
        for guard in self.sources.iter().flat_map(|source| source()) {
            if readings.iter().any(|reading| reading.guard.is_same(&guard)) {
                continue;
            }
            let mut label = guard.name().to_owned();
            let namesakes = names.entry(label.clone()).or_default();
            *namesakes += 1;
            if *namesakes > 1 {
                label = format!("{label}#{namesakes}");
            }
            readings.push(Reading::of(label, guard));
        }
        readings
    }
}

impl<C: Clock + Send + Sync + 'static> Collector for GuardCollector<C> {
    fn encode(&self, encoder: DescriptorEncoder) -> fmt::Result {
        families::write_all(encoder, &self.read())
    }
}

impl<C> Clone for GuardCollector<C> {
    fn clone(&self) -> Self {
        Self { sources: self.sources.clone() }
    }
}

impl<C> fmt::Debug for GuardCollector<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardCollector").field("sources", &self.sources.len()).finish()
    }
}

/// A guard with what belongs to one moment.
pub(super) struct Reading<C> {
    pub(super) label: String,
    pub(super) guard: Guard<C>,
    pub(super) now: Instant,
    pub(super) stats: Stats,
    pub(super) tallies: RetryTallies,
}

impl<C: Clock> Reading<C> {
    fn of(label: String, guard: Guard<C>) -> Self {
        guard.refresh();
        let (stats, tallies) = (guard.stats(), guard.retry_tallies());
        Self { label, now: guard.now(), stats, tallies, guard }
    }

    /// Attempts that failed: before each retry one, and one at the end of each call that failed.
    pub(super) fn failed_attempts(&self) -> u64 {
        self.stats.failures + self.stats.retries
    }
}
