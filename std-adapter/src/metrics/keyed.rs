//! Tables of keyed patterns, in sums.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use seawall_core::circuit_breaker::State;
use seawall_core::keyed::{self, circuit_breaker};

use super::families::state_label;
use super::writer::{Labels, Writer};

/// A table with its name, read when somebody asks.
type Table<S> = (String, Arc<dyn Fn() -> S + Send + Sync>);

/// Reads tables of keyed patterns for a [`Registry`](prometheus_client::registry::Registry) when it is scraped.
///
/// A table is given by what reads its snapshot, so it may be a `static` or behind an `Arc`, of any size and on any clock.
/// Each scrape loads every entry of each table; calls pay nothing.
/// Of two tables of one kind with one name, the later one is shown as `name#2`.
/// The [module](super#keyed-tables) has an example and the families.
#[derive(Clone, Default)]
pub struct KeyedCollector {
    limiters: Vec<Table<keyed::Snapshot>>,
    breakers: Vec<Table<circuit_breaker::Snapshot>>,
}

impl KeyedCollector {
    /// A collector of no table.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in a table of rate limiters.
    #[must_use = "the collector is returned"]
    pub fn rate_limiter(
        mut self,
        name: &str,
        snapshot: impl Fn() -> keyed::Snapshot + Send + Sync + 'static,
    ) -> Self {
        self.limiters.push((name.to_owned(), Arc::new(snapshot)));
        self
    }

    /// Takes in a table of circuit breakers.
    #[must_use = "the collector is returned"]
    pub fn circuit_breaker(
        mut self,
        name: &str,
        snapshot: impl Fn() -> circuit_breaker::Snapshot + Send + Sync + 'static,
    ) -> Self {
        self.breakers.push((name.to_owned(), Arc::new(snapshot)));
        self
    }
}

impl Collector for KeyedCollector {
    fn encode(&self, encoder: DescriptorEncoder) -> fmt::Result {
        let mut writer = Writer(encoder);
        rate_limiters(&mut writer, &read(&self.limiters))?;
        circuit_breakers(&mut writer, &read(&self.breakers))
    }
}

impl fmt::Debug for KeyedCollector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fn names<S>(tables: &[Table<S>]) -> Vec<&str> {
            tables.iter().map(|(name, _)| &**name).collect()
        }
        f.debug_struct("KeyedCollector")
            .field("limiters", &names(&self.limiters))
            .field("breakers", &names(&self.breakers))
            .finish()
    }
}

/// What all families of one scrape are written from, with the labels of the tables.
fn read<S>(tables: &[Table<S>]) -> Vec<(String, S)> {
    let mut names: HashMap<&str, u32> = HashMap::new();
    let label = |name: &str, namesakes: u32| match namesakes {
        1 => name.to_owned(),
        n => format!("{name}#{n}"),
    };
    tables
        .iter()
        .map(|(name, snapshot)| {
            let namesakes = names.entry(name).or_default();
            *namesakes += 1;
            (label(name, *namesakes), snapshot())
        })
        .collect()
}

/// A number of each table.
fn each<'a, S, V>(
    tables: &'a [(String, S)],
    key: &'static str,
    value: impl Fn(&S) -> V + 'a,
) -> impl Iterator<Item = (Labels<'a>, V)> {
    tables.iter().map(move |(label, now)| (vec![(key, &**label)], value(now)))
}

fn rate_limiters(writer: &mut Writer, tables: &[(String, keyed::Snapshot)]) -> fmt::Result {
    type Gauge = fn(&keyed::Snapshot) -> usize;
    type Counter = fn(&keyed::Snapshot) -> u64;
    let gauges: [(&str, &str, Gauge); 4] = [
        ("keyed_rate_limiter_capacity", "Number of entries of the table", |now| now.capacity),
        ("keyed_rate_limiter_entries", "Number of entries that a key holds", |now| now.held),
        ("keyed_rate_limiter_in_debt", "Number of keys whose bucket is not full", |now| now.in_debt),
        ("keyed_rate_limiter_denied", "Number of keys that would be denied one token now", |now| now.denied),
    ];
    for (name, help, value) in gauges {
        writer.gauge(name, help, each(tables, "limiter", |now| value(now) as u64))?;
    }
    let counters: [(&str, &str, Counter); 3] = [
        ("keyed_rate_limiter_evictions", EVICTIONS, |now| now.evictions),
        ("keyed_rate_limiter_forgiven", "Total number of keys that lost their entry while in debt", |now| {
            now.forgiven
        }),
        ("keyed_rate_limiter_turned_away", TURNED_AWAY, |now| now.turned_away),
    ];
    for (name, help, value) in counters {
        writer.counter(name, help, each(tables, "limiter", value))?;
    }
    Ok(())
}

const EVICTIONS: &str = "Total number of keys that lost their entry to another one";
const TURNED_AWAY: &str = "Total number of calls of keys that found no entry";

fn circuit_breakers(writer: &mut Writer, tables: &[(String, circuit_breaker::Snapshot)]) -> fmt::Result {
    type Counter = fn(&circuit_breaker::Snapshot) -> u64;
    let capacity = each(tables, "name", |now| now.capacity as u64);
    writer.gauge("keyed_circuit_breaker_capacity", "Number of entries of the table", capacity)?;
    writer.gauge(
        "keyed_circuit_breaker_entries",
        "Number of entries that a key holds by the state of its breaker",
        tables.iter().flat_map(|(label, now)| {
            let counts =
                [(State::Closed, now.closed), (State::HalfOpen, now.half_open), (State::Open, now.open)];
            counts
                .map(|(state, count)| (vec![("name", &**label), ("state", state_label(state))], count as u64))
        }),
    )?;
    let forced = each(tables, "name", |now| now.forced as u64);
    writer.gauge("keyed_circuit_breaker_forced", "Number of breakers that are held by hand", forced)?;
    let counters: [(&str, &str, Counter); 3] = [
        ("keyed_circuit_breaker_evictions", EVICTIONS, |now| now.evictions),
        (
            "keyed_circuit_breaker_forgiven",
            "Total number of keys that lost their entry with failures, or when their open time was over",
            |now| now.forgiven,
        ),
        ("keyed_circuit_breaker_turned_away", TURNED_AWAY, |now| now.turned_away),
    ];
    for (name, help, value) in counters {
        writer.counter(name, help, each(tables, "name", value))?;
    }
    Ok(())
}
