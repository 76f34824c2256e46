//! Which calls are turned away when more arrive than can be served? The least important.
//!
//! For overload that no single dependency causes: the processor, the memory, the queue in front of everything.
//! It turns away only as much as is too much, and asks first what a call is worth.
//! A fixed rate is what [`rate_limiter`](super::rate_limiter) keeps, a number of calls at a time
//! [`bulkhead`](super::bulkhead).
//!
//! # Examples
//!
//! ```
//! use core::time::Duration;
//! use seawall_core::load_shedder::{Config, LoadShedder, Priority};
//! use seawall_core::Instant;
//!
//! // The load is what the caller measures: here calls a second, of which 100 can be served.
//! static DOOR: LoadShedder = LoadShedder::new(Config::new(100, Duration::from_secs(10)));
//!
//! let now = Instant::from_secs(1);
//! for _ in 0..5 {
//!     assert!(DOOR.try_admit(Priority::High, 100, now).is_ok(), "not more than it can serve");
//!     assert!(DOOR.try_admit(Priority::Low, 100, now).is_ok());
//! }
//! // With 110 a tenth or so is too much, and there is more than that of low priority.
//! assert!((0..20).all(|_| DOOR.try_admit(Priority::High, 110, now).is_ok()));
//! assert!((0..100).any(|_| DOOR.try_admit(Priority::Low, 110, now).is_err()));
//! ```
//!
//! # The rule
//!
//! Of a load *L* above the maximum *M* the share *s* = 1 − *M*/*L* is too much. With the shares *p* of the classes in the
//! traffic of the last span, from the least important on:
//!
//! ```text
//! share  0 ├── Low ──┼──── Normal ────┼── High ──┼ Critical ┤ 1
//!          ██████████████████ s
//! ```
//!
//! Classes below the mark are shed, classes above it pass, and of the class that it falls in so much is shed, by draws,
//! that *s* of all is shed. Nothing is shed at or below the maximum, a load of zero included; with a maximum of zero every
//! load is too much.
//!
//! # Memory layout
//!
//! A [window](crate::measure::window) that counts the calls of each class, a random generator, and a counter of what was
//! admitted and shed for each class; no word of its own: 384 bytes for ten slots (64-bit host).
//!
//! # Ordering
//!
//! Every call decides for itself, from the counts of one moment; there is nothing to agree on.
//!
//! # Progress
//!
//! A call that is not shed for lack of overload is wait-free; in overload that of [`Window::totals`].
//!
//! # Trade-offs
//!
//! The load has to be what *arrives*. A load that is measured behind the shedder, such as calls in flight, falls when
//! it sheds, so the measure settles somewhat above the maximum.
//! A class that nobody used lately begins without a share: its calls are shed as if it had none, until the window has seen
//! them.
//! Draws make the share right over many calls, not over a few.
//!
//! # Cost
//!
//! Of a call without overload: that of [`Window::record_only`] and one write; with it [`Window::totals`] and one write
//! more; asserted by the tests.

use core::fmt;
use core::time::Duration;

use crate::atomic::rng::Rng;
use crate::atomic::sync::Counter;
use crate::config::ConfigError;
use crate::measure::window::{KINDS, Sample, Span, Window};
use crate::time::Instant;

/// What a call is worth; what is more important is greater.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Priority {
    /// Goes first: prefetching, reports, retries of somebody else.
    Low = 0,
    /// What nobody said anything about.
    #[default]
    Normal = 1,
    /// Somebody waits for it.
    High = 2,
    /// Goes last: what keeps the rest alive.
    Critical = 3,
}

const _: () = assert!(Priority::ALL.len() == KINDS);

impl Priority {
    /// Every priority, from the one that goes first to the one that goes last.
    pub const ALL: [Self; 4] = [Self::Low, Self::Normal, Self::High, Self::Critical];

    /// The priority's name, as in metrics: `critical`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Normal => "normal",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The configuration of a [`LoadShedder`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    max_load: u32,
    span: Duration,
    seed: u32,
}

impl Config {
    /// Nothing is shed up to `max_load`; the classes have the shares that they had in the last `span`.
    pub const fn new(max_load: u32, span: Duration) -> Self {
        Self { max_load, span, seed: 0 }
    }

    /// The seed of the draws.
    #[must_use = "the configuration is returned"]
    pub const fn seed(mut self, seed: u32) -> Self {
        self.seed = seed;
        self
    }
}

/// The call is turned away: there is too much load for its priority.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rejected {
    /// The call's priority.
    pub priority: Priority,
    /// The load.
    pub load: u32,
    /// The load that can be served.
    pub max_load: u32,
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "load {} exceeds {}, a call of {} priority is shed",
            self.load, self.max_load, self.priority
        )
    }
}

impl core::error::Error for Rejected {}

/// What became of the calls of one priority since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// The calls that passed.
    pub admitted: u64,
    /// The calls that were turned away.
    pub shed: u64,
}

/// Turns away what is too much, by priority; see the [module](self).
///
/// `SLOTS` is the number of buckets of the window over the classes' traffic.
pub struct LoadShedder<const SLOTS: usize = 10> {
    config: Config,
    arrivals: Window<SLOTS>,
    draws: Rng,
    admitted: [Counter; KINDS],
    shed: [Counter; KINDS],
}

impl<const SLOTS: usize> LoadShedder<SLOTS> {
    const_fn! {
        /// A shedder that has seen no call.
        ///
        /// # Panics
        ///
        /// If [`try_new`](Self::try_new) would return an error; in a `static` this is a compile error.
        pub const fn new(config: Config) -> Self {
            expect_valid!(Self::try_new(config), "load_shedder")
        }
    }

    const_fn! {
        /// A shedder that has seen no call.
        ///
        /// # Errors
        ///
        /// If there is no slot, or the slots do not divide the span.
        pub const fn try_new(config: Config) -> Result<Self, ConfigError> {
            require!(SLOTS > 0, "load_shedder.span", "counted by at least one slot");
            match Window::try_new(Span::time(config.span)) {
                Ok(arrivals) => Ok(Self {
                    config,
                    arrivals,
                    draws: Rng::new(config.seed),
                    admitted: array_of!(KINDS, Counter::new()),
                    shed: array_of!(KINDS, Counter::new()),
                }),
                Err(error) => Err(ConfigError::new("load_shedder.span", error.bound)),
            }
        }
    }

    /// Counts a call, and lets it pass unless it is among what is too much of `load`.
    ///
    /// # Errors
    ///
    /// If the call is shed.
    ///
    /// # Complexity
    ///
    /// O(1) under steady traffic, O(`SLOTS`) at worst.
    #[inline]
    pub fn try_admit(&self, priority: Priority, load: u32, now: Instant) -> Result<(), Rejected> {
        self.admit_by(priority, load, now, || self.draws.next_u32())
    }

    /// As [`try_admit`](Self::try_admit), with a draw of the caller, uniform over all 32-bit values: the lower, the sooner
    /// the call is shed.
    ///
    /// A draw that depends on what the call belongs to, such as a hash of its session, sheds all of it or nothing.
    ///
    /// # Errors
    ///
    /// If the call is shed.
    ///
    /// # Complexity
    ///
    /// O(1) under steady traffic, O(`SLOTS`) at worst.
    #[inline]
    pub fn try_admit_drawn(
        &self,
        priority: Priority,
        load: u32,
        draw: u32,
        now: Instant,
    ) -> Result<(), Rejected> {
        self.admit_by(priority, load, now, || draw)
    }

    #[inline]
    fn admit_by(
        &self,
        priority: Priority,
        load: u32,
        now: Instant,
        draw: impl FnOnce() -> u32,
    ) -> Result<(), Rejected> {
        let class = priority as usize;
        self.arrivals.record_only(Sample::of_kind(class), now);
        let max_load = self.config.max_load;
        if load > max_load && Share::of(class, self.arrivals.kinds(now), load, max_load).takes(draw()) {
            self.shed[class].increment();
            return Err(Rejected { priority, load, max_load });
        }
        self.admitted[class].increment();
        Ok(())
    }

    /// What became of the calls of `priority` since the start.
    pub fn stats(&self, priority: Priority) -> Stats {
        let class = priority as usize;
        Stats { admitted: self.admitted[class].get(), shed: self.shed[class].get() }
    }

    /// The load that can be served.
    pub const fn max_load(&self) -> u32 {
        self.config.max_load
    }
}

/// The share of a class's calls that is shed, as a fraction that may be above one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Share {
    numerator: u128,
    denominator: u128,
}

impl Share {
    /// The share of `class`, given what arrived of each class.
    ///
    /// Too much are n · (L − M) / L calls; what the less important classes do not cover falls on this one.
    fn of(class: usize, arrived: [u32; KINDS], load: u32, max_load: u32) -> Self {
        let sum = |classes: &[u32]| classes.iter().copied().map(u128::from).sum::<u128>();
        let load = u128::from(load);
        // Sums of four numbers of 32 bits, times one of 32.
        let too_much = sum(&arrived) * load.saturating_sub(max_load.into());
        let covered = sum(&arrived[..class]) * load;
        Self { numerator: too_much.saturating_sub(covered), denominator: u128::from(arrived[class]) * load }
    }

    /// Whether a call with this draw is shed.
    fn takes(self, draw: u32) -> bool {
        // The denominator has 64 bits, so neither side exceeds 98.
        u128::from(draw) * self.denominator < self.numerator << 32
    }
}

impl<const SLOTS: usize> fmt::Debug for LoadShedder<SLOTS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("LoadShedder");
        out.field("config", &self.config);
        for priority in Priority::ALL {
            out.field(priority.name(), &self.stats(priority));
        }
        out.finish_non_exhaustive()
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
