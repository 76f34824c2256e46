//! Counts calls, failures and slow calls over the last span of time or the last calls.
//!
//! For rates that a decision rests on: how many of the recent calls failed?
//! It answers with sums, takes no decision, and keeps no single event; latencies belong into a
//! [histogram](super::histogram).
//! One mechanism serves both kinds of [`Span`]: the span is cut into `SLOTS` buckets, and the sums cover whole buckets.
//!
//! # Examples
//!
//! ```
//! use core::time::Duration;
//! use seawall_core::Instant;
//! use seawall_core::measure::window::{Sample, Span, Window};
//!
//! static CALLS: Window<10> = Window::new(Span::time(Duration::from_secs(10)));
//!
//! CALLS.record(Sample::SUCCESS, Instant::from_secs(3));
//! let totals = CALLS.record(Sample::FAILURE, Instant::from_secs(7));
//! assert_eq!((totals.calls, totals.failures), (2, 1));
//! assert_eq!(CALLS.totals(Instant::from_secs(13)).calls, 1);
//! ```
//!
//! # States
//!
//! Four counters, one for each kind of [`Sample`], only ever grow (and wrap).
//! A *boundary* is what the counters were when a bucket began; the slot `bucket % SLOTS` keeps it, stamped with the
//! bucket's number.
//!
//! ```text
//!              1                  2
//! ┌ stamp: old ──► stamp: new, BUSY ──► stamp: new ┐
//! └────────────────────────────────────────────────┘
//! ```
//!
//! 1: `record` finds no boundary of its event's bucket and none of a newer one: it has read the counters, and claims the
//! slot by one exchange. 2: it has written what it read.
//! Whoever loses the exchange, or finds the slot busy, only counts.
//!
//! The sums at bucket *b* are the counters less the oldest boundary that is live, which is one with a stamp from
//! *b* − `SLOTS` + 1 on; without any they are zero.
//! Why that is right after a pause: each event was counted after the boundary of its own bucket, so the oldest live
//! boundary comes before every live event; and the counters did not move between the last event that expired and
//! that boundary, however many buckets passed in between. No slot has to be filled or emptied.
//!
//! [`clear`](Window::clear) writes one more boundary, the baseline; each sum is the smaller of the two differences.
//!
//! # Accuracy
//!
//! - *Time.* Buckets are aligned at the clock's origin. An event counts from when it is recorded until its bucket is
//!   `SLOTS` buckets old: for at least the span less one bucket, and never for the span or longer
//!   (`props_window.rs`, `sums_equal_the_model_of_aligned_buckets`).
//! - *Calls.* A bucket holds ⌈n / `SLOTS`⌉ calls. The sums are exact for n ≤ `SLOTS`; above that they cover the last
//!   ⌈n / bucket⌉ buckets, the newest of which may have just begun (`props_window.rs`,
//!   `the_last_calls_equal_the_model`).
//! - *Concurrency.* No event is lost or counted twice, and none expires early. An event that is recorded while another
//!   thread takes a boundary may count to the newer side and stay one bucket longer. A thread that is interrupted
//!   between the two edges above hides its boundary: until it goes on, the sums may lack the events of that bucket if
//!   none was recorded in the whole span before it; if it stays away for a span, its bucket expires with the next.
//! - *The clock steps back*, or a thread comes late: up to four spans behind the newest bucket an event counts to the
//!   newest bucket, and nothing expires until the clock has caught up; what has expired, or was cleared spans ago, may
//!   be seen again from before it did. Further behind, the window starts anew from the event's instant; only if a boundary of that
//!   bucket, or of one up to four spans newer, was never replaced, because little was recorded meanwhile, can what was
//!   counted since that boundary count once more, until the clock is beyond what it showed before (`b74_*`).
//! - *Wrap.* Bucket numbers have 31 bits: after a pause of 2³¹ buckets, give or take four spans, what was counted
//!   before may be taken for recent, for four spans at most (`idle_across_the_wrap_*`); so may be what a new window counts
//!   in the last four spans before a multiple of 2³¹ buckets. Counters have 32 bits: sums of
//!   one kind are right below 2³² in one span. Calls are counted through the wrap without a seam.
//!
//! # Memory layout
//!
//! ```text
//! stamp      31 …… 1 BUCKET │ 0 BUSY        a bucket of 1 ms comes round after 24 days
//! clearing   31 …… 3 CLEARS │ 2 HELD │ 1 AGAIN │ 0 BUSY
//! ```
//!
//! 20 bytes a slot and 88 bytes besides (64-bit host): 288 bytes for ten slots.
//!
//! # Ordering
//!
//! (a) A boundary is agreed on by the exchange that claims its slot.
//! (b) The exchange publishes that the counters were read before: an event that sees the claim is not in the boundary.
//! Counting is a release that the claimer's reading acquires: whoever has read an event of a newer bucket also sees that
//! bucket's claim, and then takes no boundary of an older one. Values are stored with release and loaded with acquire
//! between two looks at the stamp, so a reader that met a newer value also meets the newer stamp.
//! (c) Sums are of one moment for each kind of sample, not over the kinds.
//! (d) A stamp comes back after 2³¹ buckets, or when the clock is set back and forth by more than four spans; only a
//! reader that slept through that could take a torn boundary.
//! (e) Loom: `loom-tests/tests/window.rs`.
//!
//! # Progress
//!
//! [`record_only`](Window::record_only): wait-free, at most `SLOTS` steps, native and with `portable-atomic`.
//! [`totals`](Window::totals): lock-free, it looks again only if a boundary that it was reading was replaced meanwhile.
//! [`clear`](Window::clear): lock-free; clears that overlap end together.
//!
//! # Cost
//!
//! Atomic operations, asserted by the tests, for a span of time under steady traffic:
//!
//! | call | loads | writes |
//! |---|---|---|
//! | `record_only`, bucket has begun | 1 | 1 |
//! | `record_only`, first of its bucket | `SLOTS` + 6 | 7 |
//! | `totals` | 12 | 0 |
//! | `totals`, up to six spans after a clear | 16 | 0 |
//! | `totals`, no event in the oldest bucket | `SLOTS` more | 0 |
//! | `record` | `record_only` + `totals` | |
//!
//! A span of calls adds 5 loads to each, for the number of calls so far.

mod sample;
mod shape;

use core::fmt;

use crate::atomic::sync::{AtomicU32, Ordering};
use crate::config::ConfigError;
use crate::time::Instant;

pub(crate) use sample::KINDS;
pub use sample::{Sample, Totals};
use shape::{Bucket, Shape};
pub use shape::{MAX_CALLS, Span};

/// The largest number of slots.
pub const MAX_SLOTS: usize = 4096;

/// Set in a stamp while its slot is being written.
const BUSY: u32 = 1;
/// Set besides [`BUSY`] in the word of the clears when another clear came meanwhile.
const AGAIN: u32 = 2;
/// Set in the word of the clears while the baseline holds; it is given up before its number could come round.
const HELD: u32 = 4;
/// One more clear has ended.
const ONE_CLEAR: u32 = 8;

/// One word for each kind of sample.
type Words = [AtomicU32; KINDS];

/// Sums over the last span of time, or over the last calls; see the [module](self).
///
/// With `SLOTS` = 0 it records nothing and its sums are zero.
pub struct Window<const SLOTS: usize> {
    shape: Shape<SLOTS>,
    stamps: [AtomicU32; SLOTS],
    boundaries: [Words; SLOTS],
    clearing: AtomicU32,
    baseline_bucket: AtomicU32,
    baseline: Words,
    counters: Words,
    /// Calls that the numbers of buckets of calls have left behind; see [`Window::upcoming`].
    left_behind: AtomicU32,
}

impl<const SLOTS: usize> Window<SLOTS> {
    const_fn! {
        /// An empty window over `span`.
        ///
        /// # Panics
        ///
        /// If [`try_new`](Self::try_new) would return an error; in a `static` this is a compile error.
        pub const fn new(span: Span) -> Self {
            expect_valid!(Self::try_new(span), "window")
        }
    }

    const_fn! {
        /// An empty window over `span`.
        ///
        /// # Errors
        ///
        /// If `SLOTS` buckets do not divide the span, or if it is too long.
        pub const fn try_new(span: Span) -> Result<Self, ConfigError> {
            const { assert!(SLOTS <= MAX_SLOTS, "a window has at most 4096 slots") };
            match Shape::try_new(span) {
                Ok(shape) => Ok(Self {
                    shape,
                    stamps: array_of!(SLOTS, AtomicU32::new(0)),
                    boundaries: array_of!(SLOTS, words()),
                    clearing: AtomicU32::new(0),
                    baseline_bucket: AtomicU32::new(0),
                    baseline: words(),
                    counters: words(),
                    left_behind: AtomicU32::new(0),
                }),
                Err(error) => Err(error),
            }
        }
    }

    /// The span that the sums cover.
    pub const fn span(&self) -> Span {
        self.shape.span()
    }

    /// Counts `sample` and returns the sums, which include it.
    ///
    /// # Complexity
    ///
    /// O(1) under steady traffic, O(`SLOTS`) at worst.
    #[inline]
    pub fn record(&self, sample: Sample, now: Instant) -> Totals {
        self.count_and_watch(sample, now)()
    }

    /// Counts `sample`, and returns what says the sums at `now` from then on, as often as it is asked.
    #[inline]
    pub(crate) fn count_and_watch(&self, sample: Sample, now: Instant) -> impl Fn() -> Totals {
        let of_time = self.shape.at(now);
        if SLOTS > 0 {
            self.count(sample, of_time.unwrap_or_else(|| self.upcoming_call()));
        }
        move || {
            if SLOTS == 0 {
                return Totals::ZERO;
            }
            self.totals_at(|| of_time.unwrap_or_else(|| self.last_call()))
        }
    }

    /// Counts `sample`, for a caller who does not need the sums.
    ///
    /// # Complexity
    ///
    /// O(1), and O(`SLOTS`) for the first event of a bucket.
    #[inline]
    pub fn record_only(&self, sample: Sample, now: Instant) {
        if SLOTS == 0 {
            return;
        }
        self.count(sample, self.upcoming(now));
    }

    #[inline]
    fn count(&self, sample: Sample, bucket: Bucket) {
        // ORDERING: acquire; an event that sees its bucket's stamp is counted after the boundary was read.
        let stamp = self.stamps[bucket.slot].load(Ordering::Acquire);
        if stamp & !BUSY != bucket.number << 1 {
            self.begin(bucket);
        }
        if mutant!("window_lost_update") {
            let counter = &self.counters[sample.index()];
            // ORDERING: none, the line is wrong by intent.
            counter.store(counter.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
            return;
        }
        let order = if mutant!("window_count_relaxed") { Ordering::Relaxed } else { Ordering::Release };
        // ORDERING: release; a thread that reads this event for a boundary also sees the stamp of its bucket.
        self.counters[sample.index()].fetch_add(1, order);
    }

    /// The sums at `now`.
    ///
    /// # Complexity
    ///
    /// O(1) under steady traffic, O(`SLOTS`) at worst.
    pub fn totals(&self, now: Instant) -> Totals {
        if SLOTS == 0 {
            return Totals::ZERO;
        }
        self.totals_at(|| self.current(now))
    }

    /// The counts at `now` of each kind of sample, in the order of [`Sample::of_kind`], for a pattern with kinds of its own.
    pub(crate) fn kinds(&self, now: Instant) -> [u32; KINDS] {
        if SLOTS == 0 {
            return [0; KINDS];
        }
        loop {
            if let Some(counts) = self.counts(self.current(now)) {
                return counts;
            }
        }
    }

    /// The sums at what `bucket` says, which is asked again if they have to be read again.
    #[inline]
    fn totals_at(&self, bucket: impl Fn() -> Bucket) -> Totals {
        loop {
            if let Some(counts) = self.counts(bucket()) {
                return Totals::of(counts);
            }
        }
    }

    /// Of how many calls `sums` are to be judged, if there were `minimum`: in them, or among the last calls that the window is over,
    /// of which they leave out as many as a bucket has. Those are taken to have been well, so it is `minimum` then.
    #[inline]
    pub(crate) fn judged(&self, minimum: u32, sums: Totals) -> Option<u32> {
        if sums.calls >= minimum {
            Some(sums.calls)
        } else {
            (self.shape.leaves_out(minimum, sums.calls) && self.has_been_full()).then_some(minimum)
        }
    }

    /// Whether as many calls as the window is over were recorded since the last clear.
    #[cold]
    fn has_been_full(&self) -> bool {
        let Some(calls) = self.span().as_calls() else { return false };
        let sum = |words: [u32; KINDS]| words.into_iter().fold(0, u32::wrapping_add);
        // ORDERING: acquire, as in `counts`; a clear in between makes the number smaller, or is not there yet.
        let held = self.clearing.load(Ordering::Acquire) & HELD != 0;
        let forgotten = if held { sum(read(&self.baseline)) } else { 0 };
        // A baseline is given up after many times as many calls.
        sum(self.read_counters()).wrapping_sub(forgotten) >= calls
    }

    /// Forgets everything that was recorded.
    ///
    /// What other threads record meanwhile may be forgotten too.
    /// While a clear is under way the sums are zero; a clear that meets another one leaves the rest to it.
    ///
    /// # Complexity
    ///
    /// O(1).
    pub fn clear(&self, now: Instant) {
        if SLOTS == 0 {
            return;
        }
        // ORDERING: this word is a lock that nobody waits for: taking it acquires, giving it back releases, and a clear
        // that is handed over releases what its thread recorded before.
        let mut word = self.clearing.load(Ordering::Acquire);
        word = loop {
            let handed_over = word & BUSY != 0;
            let next = if !handed_over {
                word | BUSY
            } else if mutant!("window_clear_not_handed_over") {
                return;
            } else {
                word | AGAIN
            };
            match self.clearing.compare_exchange_weak(word, next, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) if handed_over => return,
                Ok(_) => break next,
                Err(actual) => word = actual,
            }
        };
        loop {
            // ORDERING: as for a boundary.
            self.baseline_bucket.store(self.current(now).number, Ordering::Release);
            write(&self.baseline, self.read_counters());
            let done = (word & !(BUSY | AGAIN | HELD)).wrapping_add(ONE_CLEAR) | HELD;
            let gave_back = self.clearing.compare_exchange(word, done, Ordering::AcqRel, Ordering::Acquire);
            if gave_back.is_ok() {
                return;
            }
            // Another clear came: only this thread takes its mark, which `word` never had, away again.
            self.clearing.swap(word, Ordering::AcqRel);
        }
    }

    /// The bucket of an event that is about to be counted.
    #[inline]
    fn upcoming(&self, now: Instant) -> Bucket {
        self.shape.at(now).unwrap_or_else(|| self.upcoming_call())
    }

    /// The bucket that sums refer to: that of `now`, or that of the last call.
    #[inline]
    fn current(&self, now: Instant) -> Bucket {
        self.shape.at(now).unwrap_or_else(|| self.last_call())
    }

    /// The bucket of the next call.
    fn upcoming_call(&self) -> Bucket {
        self.shape.bucket_of_call(self.calls_in_lap())
    }

    /// The bucket of the last call.
    fn last_call(&self) -> Bucket {
        self.shape.bucket_of_call(match self.calls_in_lap() {
            0 => self.shape.calls_per_lap() - 1,
            calls => calls - 1,
        })
    }

    /// The number of calls so far, modulo the calls after which the numbers of buckets start over.
    ///
    /// That modulus is a multiple of a window's calls, which 2³² in general is not. So the counters' wrap is kept out:
    /// what was counted is moved behind in multiples of the modulus, long before the difference could wrap.
    fn calls_in_lap(&self) -> u32 {
        // ORDERING: acquire; the counters, read afterwards, are not behind what was moved.
        let behind = self.left_behind.load(Ordering::Acquire);
        let calls = self.read_counters().into_iter().fold(0, u32::wrapping_add).wrapping_sub(behind);
        let lap = self.shape.calls_per_lap();
        if calls < lap {
            return calls;
        }
        let moved = behind.wrapping_add(lap);
        // ORDERING: release pairs with the load above; whoever loses finds it moved.
        let _ = self.left_behind.compare_exchange(behind, moved, Ordering::AcqRel, Ordering::Relaxed);
        calls % lap
    }

    /// Takes the boundary of `bucket`, unless somebody else does or a newer bucket has begun.
    #[cold]
    fn begin(&self, bucket: Bucket) {
        // The counters are read before the claim: an event that sees the claim is not in the boundary.
        let values = self.read_counters();
        let mut stamps = [0; SLOTS];
        for (seen, stamp) in stamps.iter_mut().zip(&self.stamps) {
            // ORDERING: acquire, as in `record_only`; it stands after the counters' acquire, so that the newer bucket of
            // any event that they contain is seen.
            *seen = stamp.load(Ordering::Acquire);
            let newer = self.shape.is_newer(*seen >> 1, bucket.number);
            if newer && !mutant!("window_boundary_out_of_order") {
                return;
            }
        }
        let begun = stamps[bucket.slot] >> 1 == bucket.number;
        if begun && !mutant!("window_boundary_twice") {
            return;
        }
        self.give_up_baseline(bucket);
        for (slot, seen) in stamps.into_iter().enumerate() {
            // Every boundary from before the clock was set back is replaced, so that none comes to life again.
            if slot == bucket.slot || self.shape.is_far_ahead(seen >> 1, bucket.number) {
                self.claim(slot, seen, bucket.number, values);
            }
        }
    }

    /// Gives the baseline up if every boundary that is live at `bucket` must be newer.
    fn give_up_baseline(&self, bucket: Bucket) {
        // ORDERING: acquire, as in `counts`.
        let clearing = self.clearing.load(Ordering::Acquire);
        if clearing & (HELD | BUSY) != HELD {
            return;
        }
        // ORDERING: acquire; if this is the number of a later clear, the exchange fails.
        let cleared_in = self.baseline_bucket.load(Ordering::Acquire);
        if !self.shape.is_recent(cleared_in, bucket.number) {
            let next = clearing & !HELD;
            // ORDERING: a release as every write of this word; whoever loses finds a newer baseline, or none.
            let _ = self.clearing.compare_exchange(clearing, next, Ordering::AcqRel, Ordering::Relaxed);
        }
    }

    /// Replaces the boundary in `slot` if its stamp is still `seen` and nobody else writes it.
    fn claim(&self, slot: usize, seen: u32, number: u32, values: [u32; KINDS]) {
        let (stamp, settled) = (&self.stamps[slot], number << 1);
        if seen & BUSY != 0
            // ORDERING: release says that the counters were read; acquire orders the values written next after the
            // claim of whoever wrote the slot before.
            || stamp.compare_exchange(seen, settled | BUSY, Ordering::AcqRel, Ordering::Relaxed).is_err()
        {
            return;
        }
        if mutant!("window_snapshot_after_claim") {
            write(&self.boundaries[slot], self.read_counters());
        } else {
            write(&self.boundaries[slot], values);
        }
        // ORDERING: release; a reader that sees the stamp sees the values.
        stamp.store(settled, Ordering::Release);
    }

    /// The counts of each kind at `bucket`; nothing if what was being read was replaced.
    fn counts(&self, bucket: Bucket) -> Option<[u32; KINDS]> {
        // ORDERING: acquire; a baseline that is announced is in its words.
        let clearing = self.clearing.load(Ordering::Acquire);
        if clearing & BUSY != 0 && !mutant!("window_reads_while_clearing") {
            return Some([0; KINDS]);
        }
        let baseline = (clearing & HELD != 0).then(|| read(&self.baseline));
        let early = mutant!("window_counters_before_boundary").then(|| self.read_counters());
        let Some((slot, stamp)) = self.oldest_live(bucket) else { return Some([0; KINDS]) };
        let boundary = read(&self.boundaries[slot]);
        // ORDERING: none is needed; the values were loaded with acquire, and a newer one among them shows its stamp.
        let cleared = self.clearing.load(Ordering::Relaxed) != clearing && !mutant!("window_torn_baseline");
        let torn = self.stamps[slot].load(Ordering::Relaxed) != stamp && !mutant!("window_torn_boundary");
        if cleared || torn {
            return None;
        }
        // The counters are read after the boundary, so that none is behind it.
        let mut counts = early.unwrap_or_else(|| self.read_counters());
        for (kind, count) in counts.iter_mut().enumerate() {
            let since_boundary = count.wrapping_sub(boundary[kind]);
            let since_clear = baseline.map_or(u32::MAX, |values| count.wrapping_sub(values[kind]));
            *count = if mutant!("window_baseline_supersedes") && baseline.is_some() {
                since_clear
            } else {
                since_boundary.min(since_clear)
            };
        }
        Some(counts)
    }

    /// The slot and the stamp of the oldest live boundary.
    fn oldest_live(&self, bucket: Bucket) -> Option<(usize, u32)> {
        // A copy, or it would be read again after each acquire.
        let shape = self.shape;
        let first = shape.first_live(bucket);
        // ORDERING: acquire; the values that belong to a stamp are loaded afterwards.
        let stamp = self.stamps[first.slot].load(Ordering::Acquire);
        if stamp == first.number << 1 {
            return Some((first.slot, stamp));
        }
        let mut oldest = None;
        for (slot, stamp) in self.stamps.iter().enumerate() {
            // ORDERING: as above.
            let stamp = stamp.load(Ordering::Acquire);
            let Some(position) = shape.position(stamp >> 1, first.number) else { continue };
            if stamp & BUSY == 0 && oldest.is_none_or(|(best, _, _)| position < best) {
                oldest = Some((position, slot, stamp));
            }
        }
        oldest.map(|(_, slot, stamp)| (slot, stamp))
    }

    fn read_counters(&self) -> [u32; KINDS] {
        // ORDERING: acquire pairs with the release of the count; see `begin`.
        read(&self.counters)
    }
}

const_fn! {
    const fn words() -> Words {
        array_of!(KINDS, AtomicU32::new(0))
    }
}

#[inline]
fn read(words: &Words) -> [u32; KINDS] {
    let [a, b, c, d] = words;
    // ORDERING: acquire; a value that is newer than its stamp shows the newer stamp at the second look.
    let load = |word: &AtomicU32| word.load(Ordering::Acquire);
    // One by one, since code that is optimized for size would go round a loop.
    [load(a), load(b), load(c), load(d)]
}

fn write(words: &Words, values: [u32; KINDS]) {
    let order = if mutant!("window_values_relaxed") { Ordering::Relaxed } else { Ordering::Release };
    for (word, value) in words.iter().zip(values) {
        // ORDERING: release; whoever loads the value sees that its slot was claimed.
        word.store(value, order);
    }
}

impl<const SLOTS: usize> fmt::Debug for Window<SLOTS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Window")
            .field("span", &self.span())
            .field("slots", &SLOTS)
            .field("since_start", &self.read_counters())
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
