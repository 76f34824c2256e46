//! Remembers the last transitions, in order and with their reasons.
//!
//! A pattern returns its transition to the one caller who made it; a ring keeps it for whoever comes later to look: a
//! log, a page, a person with a debugger.
//! Writers never wait and run nobody's code; when the ring is full, the oldest event goes.
//! Transitions of breakers, of health and of levels, edges of budgets, of alerts and of a whole, and adjustments of a rate or
//! a limit fit: all of each, but of a rate only [its tokens and the latency](RateChange).
//! It is a record for people, no channel: who must see every event takes the return values.
//!
//! # Examples
//!
//! ```
//! use seawall_core::events::{Event, EventKind, EventRing};
//! use seawall_core::health::error_budget::Edge;
//! use seawall_core::Instant;
//!
//! static EVENTS: EventRing<8> = EventRing::new();
//!
//! let mut cursor = EVENTS.cursor();
//! let event = Event { at: Instant::from_secs(3), kind: EventKind::Budget(Edge::Exhausted) };
//! EVENTS.push(event);
//! assert_eq!(EVENTS.read(&mut cursor), Some(event));
//! assert_eq!((EVENTS.read(&mut cursor), cursor.missed()), (None, 0));
//! ```
//!
//! # States
//!
//! Of each slot:
//!
//! ```text
//!             1                     2
//! ┌ stamp: p ───► stamp: p + N, BUSY ───► stamp: p + N ┐
//! └────────────────────────────────────────────────────┘
//! ```
//!
//! 1: `push` took the next position, and claims its slot by one exchange. 2: it has written the words.
//! A writer that meets another in its slot, or a newer event, is a whole ring behind: its own event is the oldest, and
//! it is dropped.
//!
//! # Memory layout
//!
//! ```text
//! stamp  31 …… 1 POSITION │ 0 BUSY
//! words  AT, low │ AT, high │ kind and its flags │ three more, as the kind says
//! ```
//!
//! 28 bytes a slot, a power of two of them, and 4 bytes besides. Positions wrap after 2³² events.
//!
//! # Ordering
//!
//! (a) The order of events is that of their positions, which one counter hands out. (b) Words are stored with release and
//! loaded with acquire between two looks at the stamp: a reader that met a newer word also meets the newer stamp, and
//! skips the event. (c) An event that is being written hides those after it from [`read`](EventRing::read), until it is
//! complete or the ring has gone round. (d) A stamp comes back after 2³¹ events. (e) Loom: `loom-tests/tests/events.rs`.
//!
//! # Progress
//!
//! `push`: wait-free. `read`: lock-free, it looks again only if the event it was reading was replaced.
//! `last`: wait-free.
//!
//! # Cost
//!
//! `push`: one load and nine writes. `read` of an event: nine loads, of none: one. Asserted by the tests.

mod kind;
pub(crate) mod ring;

use core::fmt;

use crate::time::Instant;
use ring::{Ring, WORDS};

pub use kind::{EventKind, RateChange};

/// Something that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub at: Instant,
    /// What, and why.
    pub kind: EventKind,
}

impl Event {
    /// What a pattern returned, at a moment: a breaker's transition, an adjustment of a limit, an edge of an alert.
    pub fn new(at: Instant, kind: impl Into<EventKind>) -> Self {
        Self { at, kind: kind.into() }
    }

    fn encode(self) -> [u32; WORDS] {
        let at = self.at.as_nanos();
        let [a, b, c, d] = self.kind.encode();
        [at as u32, (at >> 32) as u32, a, b, c, d]
    }

    fn decode([low, high, a, b, c, d]: [u32; WORDS]) -> Option<Self> {
        let at = Instant::from_nanos(u64::from(high) << 32 | u64::from(low));
        Some(Self { at, kind: EventKind::decode([a, b, c, d])? })
    }
}

/// How far one reader of an [`EventRing`] has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor(ring::Cursor);

impl Cursor {
    /// How many events were gone before this reader came to them.
    pub const fn missed(&self) -> u32 {
        self.0.missed
    }
}

/// The last `N` events; see the [module](self). `N` is a power of two, or 0 to keep none.
pub struct EventRing<const N: usize> {
    ring: Ring<N>,
}

impl<const N: usize> EventRing<N> {
    const_fn! {
        /// An empty ring.
        pub const fn new() -> Self {
            Self { ring: Ring::new() }
        }
    }

    /// Appends `event`; if the ring is full, the oldest event goes.
    ///
    /// # Complexity
    ///
    /// O(1).
    pub fn push(&self, event: Event) {
        self.ring.push(event.encode());
    }

    /// The next event that the reader with this cursor has not seen; `None` if there is none yet.
    ///
    /// # Complexity
    ///
    /// O(1), unless writers go round the ring meanwhile.
    pub fn read(&self, cursor: &mut Cursor) -> Option<Event> {
        self.ring.read(&mut cursor.0).and_then(Event::decode)
    }

    /// The newest event that is complete.
    ///
    /// # Complexity
    ///
    /// O(1), unless writers are at work: then O(`N`).
    pub fn last(&self) -> Option<Event> {
        self.ring.last().and_then(Event::decode)
    }

    /// A cursor that begins with the oldest event in the ring.
    pub fn cursor(&self) -> Cursor {
        Cursor(self.ring.oldest())
    }

    /// A cursor that begins with the next event to come.
    pub fn cursor_at_end(&self) -> Cursor {
        Cursor(self.ring.newest())
    }

    /// How many events have left the ring; it wraps after 2³².
    pub fn dropped(&self) -> u32 {
        self.ring.dropped()
    }
}

impl<const N: usize> Default for EventRing<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> fmt::Debug for EventRing<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventRing")
            .field("slots", &N)
            .field("dropped", &self.dropped())
            .field("last", &self.last())
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
