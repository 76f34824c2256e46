//! A level that gets worse at once, or after some readings in a row, and better only after a calm time: one word.
//!
//! What [`auto_degradation`](super::auto_degradation) and [`driver`](super::driver) share; their documentation has its
//! states, its layout and its bounds.

use core::time::Duration;

use crate::atomic::sync::Wide;
use crate::atomic::timer::tick_for;
use crate::atomic::word::{Packed, WideWord};
use crate::health::degradation::{Level, LevelChange};
use crate::time::{Instant, nanos};

const LEVEL_BITS: u32 = 2;
const RUN_BITS: u32 = 4;
const TICK_BITS: u32 = Wide::BITS - LEVEL_BITS - RUN_BITS;
pub(super) const TICK_MAX: Wide = Wide::MAX >> (LEVEL_BITS + RUN_BITS);
/// The most ticks that the time to be calm takes.
const CALM_BITS: u32 = if Wide::BITS == 64 { 48 } else { 18 };
/// The most readings in a row that can be asked for.
pub(super) const MAX_RUN: u32 = (1 << RUN_BITS) - 1;

const _: () = assert!(CALM_BITS + 8 <= TICK_BITS);
// A fresh word is a component that works.
const _: () = assert!(Level::Normal as u32 == 0);

/// A moment of the word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct State {
    pub(super) level: Level,
    /// Readings in a row that were worse than the level.
    pub(super) run: u32,
    /// When a reading last held the level, in ticks.
    pub(super) held: Wide,
}

impl State {
    const fn better(self, now: Wide) -> Self {
        let level = match self.level {
            Level::Emergency => Level::SeverelyDegraded,
            Level::SeverelyDegraded => Level::Degraded,
            Level::Degraded | Level::Normal => Level::Normal,
        };
        Self { level, run: 0, held: now }
    }
}

impl Packed for State {
    type Raw = Wide;

    #[inline]
    fn unpack(raw: Wide) -> Self {
        Self {
            level: Level::from_bits(raw as u32),
            run: (raw >> LEVEL_BITS) as u32 & MAX_RUN,
            held: raw >> (LEVEL_BITS + RUN_BITS),
        }
    }

    #[inline]
    fn pack(self) -> Wide {
        self.held << (LEVEL_BITS + RUN_BITS) | Wide::from(self.run) << LEVEL_BITS | self.level as Wide
    }
}

/// The level, and how patient it is.
pub(super) struct Hold {
    /// Nanoseconds.
    tick: u64,
    /// The ticks after which a level is left.
    calm: Wide,
    /// How many worse readings in a row change the level.
    run: u32,
    state: WideWord,
}

impl Hold {
    const_fn! {
        /// A component that works; `run` is between 1 and [`MAX_RUN`].
        pub(super) const fn new(calm_for: Duration, run: u32) -> Self {
            let calm = nanos(calm_for);
            let tick = tick_for(calm, CALM_BITS);
            Self { tick, calm: (calm / tick) as Wide, run, state: WideWord::new(0) }
        }
    }

    /// Takes a reading that reaches one level and holds another, no better one, against recovery.
    pub(super) fn observe(&self, reached: Level, held: Level, now: Instant) -> Option<LevelChange> {
        let now = (now.as_nanos() / self.tick) as Wide & TICK_MAX;
        let step = |state: State| {
            let next = if reached > state.level && state.run + 1 >= self.run {
                State { level: reached, run: 0, held: now }
            } else {
                let run = if reached > state.level { state.run + 1 } else { 0 };
                self.at_most_better(State { run, ..state }, held, now)
            };
            let change =
                (next.level != state.level).then_some(LevelChange { from: state.level, to: next.level });
            ((next != state).then_some(next), change)
        };
        if mutant!("auto_degradation_change_in_two_steps") {
            let (next, change) = step(self.state.load());
            self.state.transition(|_: State| (next, ()));
            return change;
        }
        self.state.transition(step)
    }

    /// What a reading that makes nothing worse makes of the state.
    fn at_most_better(&self, state: State, held: Level, now: Wide) -> State {
        if state.level == Level::Normal {
            state
        } else if held >= state.level {
            // A thread that comes late does not take the moment back.
            let ahead = state.held.wrapping_sub(now) & TICK_MAX;
            if ahead <= self.calm { state } else { State { held: now, ..state } }
        } else if self.is_calm(state, now) {
            state.better(now)
        } else {
            state
        }
    }

    /// Whether the level was held for the last time long enough ago.
    const fn is_calm(&self, state: State, now: Wide) -> bool {
        let behind = now.wrapping_sub(state.held) & TICK_MAX;
        let ahead = state.held.wrapping_sub(now) & TICK_MAX;
        behind >= self.calm && ahead > self.calm || self.calm == 0
    }

    #[inline]
    pub(super) fn level(&self) -> Level {
        self.state.load::<State>().level
    }

    /// The level, read by an exchange: of two threads that each write elsewhere and then look here, one sees the other.
    pub(super) fn level_exchanged(&self) -> Level {
        self.state.transition(|state: State| (Some(state), state.level))
    }
}
