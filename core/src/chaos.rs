//! Which fault, if any, strikes this attempt?
//!
//! For finding out what a program does when what it depends on is slow, wrong or gone. Core decides what happens and how
//! much of it, from a seed, so that a run can be had again; an adapter does it, inside the attempt, where the operation
//! would run: so the timeout bounds it, and every pattern sees it as it would see the real fault.
//!
//! It is armed twice or not at all: by the feature `chaos` of this crate, which no default includes, and at run time by
//! [`Chaos::arm`].
//!
//! # Examples
//!
//! ```
//! use core::time::Duration;
//! use seawall_core::chaos::{Chaos, Config, Ending, Fault, Rule};
//! use seawall_core::{Instant, Ratio};
//!
//! const SLOW: Fault = Fault::Latency { min: Duration::from_millis(50), max: Duration::from_millis(200) };
//! static CHAOS: Chaos = Chaos::new(
//!     Config::new()
//!         .rule(Rule::new(SLOW, Ratio::ONE).lasting(Duration::from_secs(10)))
//!         .rule(Rule::new(Fault::Error, Ratio::ONE).after(Duration::from_secs(10)))
//!         .seed(7),
//! );
//!
//! let at = Instant::from_secs;
//! assert_eq!(CHAOS.decide(at(0)), None, "it is not armed");
//! CHAOS.arm(at(0));
//! let strike = CHAOS.decide(at(1)).unwrap();
//! assert!((50..200).contains(&strike.delay.as_millis()) && strike.ending.is_none());
//! assert_eq!(CHAOS.decide(at(10)).unwrap().ending, Some(Ending::Error));
//! CHAOS.disarm();
//! assert_eq!(CHAOS.decide(at(11)), None);
//! ```
//!
//! # The rules
//!
//! - *Each by itself.* Every [`Rule`] draws for each attempt; several that strike at once are one [`Strike`].
//! - *Composite.* A rule made by [`Rule::along`] strikes whenever the one before it does.
//! - *Correlated.* For the time of [`Config::wake`] after a strike the other rules strike with the probability of
//!   [`Rule::raised_to`].
//! - *Cascading.* A rule's phase begins [`Rule::after`] and is [`Rule::lasting`] so long, counted from arming.
//! - *Partition.* Once it strikes, every attempt is unreachable for its time, whatever the other rules say.
//!
//! # States
//!
//! ```text
//!            1                2
//! disarmed ────► phases on ────► phases over
//!    ▲  ▲   3        │     3        │
//!    │  └────────────┘              │
//!    └──────────────────────────────┘
//! ```
//!
//! 1: `arm`, which also begins the phases anew. 2: `decide` – the last phase has begun or ended. 3: `disarm`.
//!
//! # Memory layout
//!
//! ```text
//! 64 bits:  SINCE 52 │ STAMP 10 │ OVER 1 │ ARMED 1        32 bits:  SINCE 20 │ STAMP 10 │ OVER 1 │ ARMED 1
//! wake      31 …… 22 STAMP │ 7 … 0 RULES that struck
//! ```
//!
//! SINCE is when it was armed, in ticks: 1, 2 or 5 times a power of ten of nanoseconds, the smallest for which the phases
//! take at most 2⁴⁶ ticks (2¹⁴ on 32 bits). So phases are exact to the nanosecond for 19 hours on 64 bits, and to one part
//! in 6500 of all of them on 32 bits.
//! Two deadlines stand beside it, the end of the partition and the end of the wake, with the stamp of the arming that they
//! belong to.
//!
//! A moment before the arming, from a clock that was read earlier or stepped back, is the beginning: for 2⁴⁶ ticks, 19 hours
//! at least, and on 32 bits for 2¹⁸, 16 times the phases at least. It is in no partition for 16 times the longest of them.
//! Ticks wrap after 64 times the phases at least. If from the end of the phases on nobody asked for nearly a wrap, on 32 bits
//! for three quarters of one, the first to ask may find them on once more, with a chance of 2 in 64, on 32 bits of 17 in 64;
//! whoever finds them over ends them for good.
//!
//! # Ordering
//!
//! (a) The word is where threads agree on arming. (b) A partition and a wake carry the stamp of their arming, so what an
//! attempt began that was asked before `disarm` holds nobody up after it. (c) Draws come from one counter: the strikes of
//! the first n attempts are the same set in every order of threads, as far as time and wake have no part in them.
//! (d) An exchange that meets the same bits again makes the same step; a stamp comes back after 1024 armings and
//! disarmings. (e) Loom: `loom-tests/tests/chaos.rs`.
//!
//! # Progress
//!
//! `decide`: wait-free while it is disarmed; otherwise lock-free, an exchange is repeated only if another strike was first.
//!
//! # Trade-offs
//!
//! Arming anew goes on with the draws; a new [`Chaos`] of the same configuration begins with the first.
//! A probability of 2⁻³² and less is none.
//!
//! # Cost
//!
//! `decide`: one load while disarmed. While armed three loads and two writes if nothing strikes; asserted by the tests.

mod config;
mod state;
mod strike;

use core::fmt;

pub use config::{Config, Fault, Kind, MAX_BYTES, MAX_RULES, MAX_THREADS, MAX_TIME, Rule};
use state::{Spell, State, Ticks};
pub use strike::{Cpu, Ending, Held, Strike};

use crate::atomic::bits::Field;
use crate::atomic::rng::{Draws, Rng};
use crate::atomic::sync::Counter;
use crate::atomic::timer::STAMP_BITS;
use crate::atomic::word::{Packed, WideWord, Word};
use crate::config::ConfigError;
use crate::ratio::Ratio;
use crate::time::Instant;

/// The rules that struck in this wake.
const RULES: Field = Field::lowest(MAX_RULES as u32);
const STAMP: Field = RULES.then(u32::BITS - STAMP_BITS - MAX_RULES as u32).then(STAMP_BITS);
const _: () = assert!(STAMP.end() == u32::BITS);

/// What was asked and what struck since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Attempts that were decided on while it was armed.
    pub checks: u64,
    /// Attempts that were struck.
    pub strikes: u64,
    injections: [u64; Kind::ALL.len()],
}

impl Stats {
    /// How often a fault of this kind struck; an attempt in a partition counts as one each.
    pub const fn injections(&self, kind: Kind) -> u64 {
        self.injections[kind as usize]
    }
}

/// Which rules struck in the wake of an arming.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Wake {
    stamp: u32,
    rules: u32,
}

impl Packed for Wake {
    type Raw = u32;

    fn unpack(raw: u32) -> Self {
        Self { stamp: STAMP.get(raw), rules: RULES.get(raw) }
    }

    fn pack(self) -> u32 {
        STAMP.set(RULES.set(0, self.rules), self.stamp)
    }
}

/// Which fault strikes; see the [module](self).
pub struct Chaos {
    config: Config,
    ticks: Ticks,
    state: WideWord,
    partition: Spell,
    wake: Word,
    wake_ends: Spell,
    sequence: Rng,
    checks: Counter,
    strikes: Counter,
    injections: [Counter; Kind::ALL.len()],
}

impl Chaos {
    const_fn! {
        /// Chaos that is not armed.
        ///
        /// # Panics
        ///
        /// If [`try_new`](Self::try_new) would return an error; in a `static` this is a compile error.
        pub const fn new(config: Config) -> Self {
            expect_valid!(Self::try_new(config), "chaos")
        }
    }

    const_fn! {
        /// Chaos that is not armed.
        ///
        /// # Errors
        ///
        /// If there are too many rules, the first one strikes only along, an amount or a time of a fault lies outside its
        /// bound, a phase never is, or a probability is raised in a wake of no time.
        pub const fn try_new(config: Config) -> Result<Self, ConfigError> {
            if let Err(error) = config.validate() {
                return Err(error);
            }
            let (horizon, partition) = config.extent();
            Ok(Self {
                ticks: Ticks::new(horizon),
                state: WideWord::new(0),
                partition: Spell::new(partition),
                wake: Word::new(0),
                wake_ends: Spell::new(config.wake),
                sequence: Rng::new(config.seed),
                checks: Counter::new(),
                strikes: Counter::new(),
                injections: array_of!({ Kind::ALL.len() }, Counter::new()),
                config,
            })
        }
    }

    /// Arms it, and begins its phases; if it was armed, they begin anew. Says whether it was disarmed before.
    ///
    /// # Complexity
    ///
    /// O(1).
    pub fn arm(&self, now: Instant) -> bool {
        let since = self.ticks.of(now);
        let (before, stamp) = self.state.transition(|state: State| {
            let next = state.next(true, since);
            (Some(next), (state.armed, next.stamp))
        });
        self.partition.begin(stamp, now);
        self.wake_ends.begin(stamp, now);
        !before
    }

    /// Disarms it: who asks after this is never struck. Says whether it was armed before.
    ///
    /// # Complexity
    ///
    /// O(1).
    pub fn disarm(&self) -> bool {
        self.state.transition(|state: State| (state.armed.then(|| state.next(false, 0)), state.armed))
    }

    /// Whether it is armed.
    pub fn is_armed(&self) -> bool {
        self.state.load::<State>().armed
    }

    /// What strikes the attempt that begins now, if anything does.
    ///
    /// # Complexity
    ///
    /// O(1): at most [`MAX_RULES`] rules.
    #[inline]
    pub fn decide(&self, now: Instant) -> Option<Strike> {
        let state: State = self.state.load();
        if state.armed { self.decide_armed(state, now) } else { None }
    }

    fn decide_armed(&self, state: State, now: Instant) -> Option<Strike> {
        let elapsed = self.ticks.elapsed(state, now);
        if elapsed.is_none() && self.ticks.ends(state) {
            self.end_phases(state);
        }
        self.checks.increment();
        if self.partition.is_on(state.stamp, now) {
            self.count(1 << Kind::Partition as u32);
            return Some(Strike::unreachable());
        }
        let raising = self.raising(state.stamp, now);
        let mut draws = Draws::new(self.sequence.next_u32());
        let (mut strike, mut rules, mut kinds) = (Strike::default(), 0_u32, 0_u32);
        let mut struck = false;
        for (n, rule) in self.config.rules().enumerate() {
            // Every rule draws as often, whatever the others do, so that a rule less changes nothing for those before it.
            let (draw, amount) = (draws.next_u32(), draws.next_u32());
            if !rule.joined {
                let raised = rule.raised.filter(|_| raising & !(1 << n) != 0);
                struck = is_on(rule, elapsed) && strikes(rule.probability, raised, draw);
            }
            if struck {
                rules |= 1 << n;
                kinds |= 1 << rule.fault.kind() as u32;
                strike.add(rule.fault, amount);
                if let Fault::Partition { time } = rule.fault {
                    self.partition.prolong(self.stamp_of(state), now.saturating_add(time));
                }
            }
        }
        if rules == 0 {
            return None;
        }
        self.leave_wake(state.stamp, rules, now);
        self.count(kinds);
        Some(strike)
    }

    /// The stamp that a partition carries: that of the arming under which it was drawn.
    fn stamp_of(&self, state: State) -> u32 {
        if mutant!("chaos_partition_of_a_later_arming") {
            return self.state.load::<State>().stamp;
        }
        state.stamp
    }

    /// Edge 2.
    fn end_phases(&self, seen: State) {
        let over = State { over: true, ..seen };
        self.state.transition(|state: State| {
            let same = state == seen || mutant!("chaos_end_of_phases_arms_again");
            (same.then_some(over), ())
        });
    }

    /// The rules that struck in the wake that is on.
    fn raising(&self, stamp: u32, now: Instant) -> u32 {
        if self.config.wake.is_zero() || !self.wake_ends.is_on(stamp, now) {
            return 0;
        }
        let wake: Wake = self.wake.load();
        if wake.stamp == stamp { wake.rules } else { 0 }
    }

    fn leave_wake(&self, stamp: u32, rules: u32, now: Instant) {
        if self.config.wake.is_zero() {
            return;
        }
        let on = self.wake_ends.is_on(stamp, now);
        self.wake.transition(|wake: Wake| {
            let before = if on && wake.stamp == stamp { wake.rules } else { 0 };
            let next = Wake { stamp, rules: before | rules };
            ((next != wake).then_some(next), ())
        });
        self.wake_ends.prolong(stamp, now.saturating_add(self.config.wake));
    }

    fn count(&self, kinds: u32) {
        self.strikes.increment();
        for (n, counter) in self.injections.iter().enumerate() {
            if kinds & 1 << n != 0 {
                counter.increment();
            }
        }
    }

    /// What was asked and what struck. Each number is exact.
    pub fn stats(&self) -> Stats {
        let mut injections = [0; Kind::ALL.len()];
        for (read, counter) in injections.iter_mut().zip(&self.injections) {
            *read = counter.get();
        }
        Stats { checks: self.checks.get(), strikes: self.strikes.get(), injections }
    }

    /// The configuration.
    pub const fn config(&self) -> &Config {
        &self.config
    }
}

/// Whether the rule's phase is on; after all phases, that of a rule without an end is.
const fn is_on(rule: &Rule, elapsed: Option<u64>) -> bool {
    rule.is_on(match elapsed {
        Some(elapsed) => elapsed,
        None => u64::MAX,
    })
}

/// Whether a draw falls under the higher of the two probabilities. Exact at zero and at one.
fn strikes(own: Ratio, raised: Option<Ratio>, draw: u32) -> bool {
    let under =
        |share: Ratio| u64::from(draw) * u64::from(share.denominator()) < u64::from(share.numerator()) << 32;
    own.numerator() > 0 && (under(own) || raised.is_some_and(under))
}

impl fmt::Debug for Chaos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chaos")
            .field("armed", &self.is_armed())
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
