//! The load generator: an open loop that offers messages at a fixed rate, and the books of what became of each.
//!
//! Message `k` is due at `start + k / rate`, whatever became of the messages before it. A generator that waited for
//! replies would slow down exactly when the link does, and the outage would look harmless.

use crate::message::Message;
use crate::report::{Books, Ending, Failure, Final, Guarding, Latency, Rejection, Report, Transition};
use hdrhistogram::Histogram;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Intervals of the reporter that the recent latencies cover: one second.
const RECENT_INTERVALS: usize = 10;
/// Longest waiting time that the histograms tell apart, in microseconds.
const LONGEST_US: u64 = 120_000_000;

/// What a caller did beyond its calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Traffic {
    /// Attempts beyond the first of a call.
    pub(crate) retries: u64,
    /// Attempts that were handed to a connection, so that their bytes may have reached the peer.
    pub(crate) on_wire: u64,
}

/// Something that carries a message to the peer and brings the reply back.
pub(crate) trait Caller: Send + Sync + 'static {
    /// Makes one call and says what became of it.
    fn call(&self, message: Message) -> impl Future<Output = Ending> + Send;

    /// What was done for all calls so far.
    fn traffic(&self) -> Traffic;

    /// How the guard around the call stands, if there is one.
    fn guarding(&self) -> Option<Guarding>;

    /// Changes of the breaker since the last time that this was asked.
    fn news(&self) -> Vec<Transition>;
}

/// What became of each message: a fate is written once for each number and never changes.
#[derive(Debug)]
pub(crate) struct Ledger {
    fates: Vec<AtomicU8>,
    sent: AtomicU64,
    counts: Vec<AtomicU64>,
    counted_twice: AtomicU64,
    in_vain_us: AtomicU64,
    latencies: Mutex<Latencies>,
}

/// Histograms of the waiting times.
#[derive(Debug)]
struct Latencies {
    overall: Histogram<u64>,
    current: Histogram<u64>,
    recent: VecDeque<Histogram<u64>>,
}

/// Every ending; a fate is stored as the place in this list plus one, and zero stands for a fate not known yet.
const ENDINGS: [Ending; 10] = [
    Ending::Succeeded,
    Ending::Failed(Failure::Timeout),
    Ending::Failed(Failure::Connection),
    Ending::Failed(Failure::Peer),
    Ending::Failed(Failure::WrongReply),
    Ending::Failed(Failure::Injected),
    Ending::Rejected(Rejection::Breaker),
    Ending::Rejected(Rejection::Limiter),
    Ending::Rejected(Rejection::Bulkhead),
    Ending::Rejected(Rejection::Deadline),
];

fn place(ending: Ending) -> usize {
    ENDINGS.iter().position(|&known| known == ending).expect("the list of endings is complete")
}

fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LONGEST_US, 2).expect("the bounds are constants that the histogram accepts")
}

fn summary(histogram: &Histogram<u64>) -> Latency {
    if histogram.is_empty() {
        return Latency::default();
    }
    Latency {
        p50_us: histogram.value_at_quantile(0.50),
        p95_us: histogram.value_at_quantile(0.95),
        p99_us: histogram.value_at_quantile(0.99),
        worst_us: histogram.max(),
    }
}

impl Ledger {
    /// Empty books for messages `0..messages`.
    pub(crate) fn new(messages: usize) -> Self {
        Self {
            fates: (0..messages).map(|_| AtomicU8::new(0)).collect(),
            sent: AtomicU64::new(0),
            counts: ENDINGS.iter().map(|_| AtomicU64::new(0)).collect(),
            counted_twice: AtomicU64::new(0),
            in_vain_us: AtomicU64::new(0),
            latencies: Mutex::new(Latencies {
                overall: histogram(),
                current: histogram(),
                recent: VecDeque::with_capacity(RECENT_INTERVALS),
            }),
        }
    }

    /// Notes that a message was handed to the client.
    fn send(&self) {
        // ORDERING: a count that is read for reports only; no other data hangs on it.
        self.sent.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes what became of the message with this number, and how long the caller waited to learn it.
    ///
    /// A second fate for one number changes nothing but `counted_twice`.
    pub(crate) fn settle(&self, number: u64, ending: Ending, waited: Duration) {
        let place = place(ending);
        let code = u8::try_from(place + 1).expect("there are fewer endings than a byte counts");
        let slot = usize::try_from(number).ok().and_then(|number| self.fates.get(number));
        // ORDERING: the one write that decides which fate stands is a compare-and-swap on one word; the counts beside
        // it are sums that are compared only after every task has been joined.
        let first = slot
            .is_some_and(|slot| slot.compare_exchange(0, code, Ordering::Relaxed, Ordering::Relaxed).is_ok());
        if !first {
            self.counted_twice.fetch_add(1, Ordering::Relaxed);
            return;
        }
        self.counts[place].fetch_add(1, Ordering::Relaxed);
        if !matches!(ending, Ending::Rejected(_)) {
            let waited = u64::try_from(waited.as_micros()).unwrap_or(LONGEST_US);
            if matches!(ending, Ending::Failed(_)) {
                self.in_vain_us.fetch_add(waited, Ordering::Relaxed);
            }
            let mut latencies = self.latencies.lock().unwrap_or_else(PoisonError::into_inner);
            latencies.current.saturating_record(waited);
            latencies.overall.saturating_record(waited);
        }
    }

    /// The books as they stand, with what the caller did.
    pub(crate) fn books(&self, traffic: Traffic) -> Books {
        // ORDERING: fates are read before `sent`, which each of them follows in time, so a report that is torn by
        // running calls shows too few fates and never too many.
        let counts: Vec<u64> = self.counts.iter().map(|count| count.load(Ordering::Acquire)).collect();
        let mut books = Books {
            counted_twice: self.counted_twice.load(Ordering::Relaxed),
            on_wire: traffic.on_wire,
            in_vain_us: self.in_vain_us.load(Ordering::Relaxed),
            sent: self.sent.load(Ordering::Relaxed),
            ..Books::default()
        };
        for (ending, &count) in ENDINGS.iter().zip(&counts) {
            match *ending {
                Ending::Succeeded => books.succeeded = count,
                Ending::Failed(reason) if count > 0 => _ = books.failed.insert(reason, count),
                Ending::Rejected(reason) if count > 0 => _ = books.rejected.insert(reason, count),
                Ending::Failed(_) | Ending::Rejected(_) => {}
            }
        }
        // A call that was rejected made no attempt, and every other that has ended made one at least.
        books.attempted_calls = books.succeeded + books.all_failed();
        books.attempts = books.attempted_calls + traffic.retries;
        books
    }

    /// The fate of each message in number order, run by run.
    fn fates(&self) -> Vec<(Option<Ending>, u64)> {
        let mut runs: Vec<(Option<Ending>, u64)> = Vec::new();
        for slot in &self.fates {
            // ORDERING: read after every call has been joined.
            let code = slot.load(Ordering::Relaxed);
            let ending = code.checked_sub(1).map(|place| ENDINGS[usize::from(place)]);
            match runs.last_mut() {
                Some((last, length)) if *last == ending => *length += 1,
                _ => runs.push((ending, 1)),
            }
        }
        runs
    }

    /// A report; called once an interval, because it also moves the window of recent latencies on.
    pub(crate) fn report(&self, start: Instant, caller: &impl Caller) -> Report {
        let (recent, overall) = {
            let mut latencies = self.latencies.lock().unwrap_or_else(PoisonError::into_inner);
            let latencies = &mut *latencies;
            let mut interval = if latencies.recent.len() == RECENT_INTERVALS {
                latencies.recent.pop_front().unwrap_or_else(histogram)
            } else {
                histogram()
            };
            interval.reset();
            std::mem::swap(&mut interval, &mut latencies.current);
            latencies.recent.push_back(interval);
            let mut merged = histogram();
            for interval in &latencies.recent {
                merged.add(interval).expect("all histograms have the same bounds");
            }
            (summary(&merged), summary(&latencies.overall))
        };
        let books = self.books(caller.traffic());
        Report {
            at_ms: u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX),
            in_flight: books.sent.saturating_sub(books.settled()),
            books,
            recent,
            overall,
            guarding: caller.guarding(),
        }
    }

    /// The last word, once every call has been joined.
    pub(crate) fn close(&self, start: Instant, caller: &impl Caller) -> Final {
        Final { report: self.report(start, caller), fates: self.fates() }
    }
}

/// Offers messages `0..messages` at `rate` a second through `caller`, and returns when all have met their fate.
///
/// A message that is late, because the machine was busy, is sent at once and none is left out; its waiting time counts
/// from when it was due.
pub(crate) async fn offer<C: Caller>(
    caller: &Arc<C>,
    ledger: &Arc<Ledger>,
    rate: u32,
    messages: u64,
    start: Instant,
) {
    let mut calls = JoinSet::new();
    for number in 0..messages {
        let due = start + due_after(number, rate);
        if due > Instant::now() {
            tokio::time::sleep_until(due).await;
        }
        let (caller, ledger) = (Arc::clone(caller), Arc::clone(ledger));
        ledger.send();
        calls.spawn(async move {
            let ending = caller.call(Message::new(number)).await;
            ledger.settle(number, ending, due.elapsed());
        });
        // Finished calls are taken off the set, so that it holds only what is in flight.
        while calls.try_join_next().is_some() {}
    }
    // A call that panicked leaves its message without a fate, which the books then show.
    while calls.join_next().await.is_some() {}
}

/// When message `number` is due, counted from the start.
fn due_after(number: u64, rate: u32) -> Duration {
    let nanos = u128::from(number) * 1_000_000_000 / u128::from(rate.max(1));
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests;
