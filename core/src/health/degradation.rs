//! How far is the service degraded, over all of its components?
//!
//! Each component reports a level; the level of the whole is the worst of them.
//! What a level switches off is for the caller to say, for instance by [`features`](super::features); where a level comes from too: [`Level::for_ratio`] and
//! [`Level::for_rate`] are the usual rules, [`auto_degradation`](super::auto_degradation) adds patience to them, an [`error_budget`](super::error_budget)'s edge is another source.
//!
//! # Examples
//!
//! ```
//! use seawall_core::health::degradation::{Component, Degradation, Level, LevelChange};
//!
//! static SERVICE: Degradation = Degradation::new();
//! const STORE: Component = Component::new(0);
//! const PEERS: Component = Component::new(1);
//!
//! let change = SERVICE.set_level(STORE, Level::SeverelyDegraded);
//! assert_eq!(change, Some(LevelChange { from: Level::Normal, to: Level::SeverelyDegraded }));
//! assert_eq!(SERVICE.set_level(PEERS, Level::Degraded), None);
//! assert_eq!(SERVICE.level(), Level::SeverelyDegraded);
//! ```
//!
//! # States
//!
//! ```text
//! normal ◄─► degraded ◄─► severely degraded ◄─► emergency        any level may follow any other
//! ```
//!
//! # Memory layout
//!
//! ```text
//! 31 30 │ …… │ 3 2 │ 1 0
//!   15          1     0      COMPONENT, its level in two bits
//! ```
//!
//! One word for sixteen components. Nothing in it wraps.
//!
//! # Ordering
//!
//! (a) The word is where threads agree. (b) A change of the whole is told to the one caller whose exchange made it, and
//! what it tells is true of that exchange; the changes of all callers, in the word's order, are a chain without a gap.
//! (c) Two callers who were each told a change may act on them in either order; [`Degradation::level`] is what holds.
//! (d) An exchange that meets the same bits again makes the same step. (e) Loom: `loom-tests/tests/degradation.rs`.
//!
//! # Progress
//!
//! Lock-free: an exchange is repeated only if another component changed.
//!
//! # Cost
//!
//! `level`, `component_level`: one load. `set_level`: one load, and one exchange if the component's level differs;
//! asserted by the tests.

use core::fmt;

use crate::admission::load_shedder::Priority;
use crate::atomic::word::{Packed, Word};
use crate::config::ConfigError;
use crate::ratio::Ratio;

/// How many components there are room for.
pub const MAX_COMPONENTS: u8 = 16;

/// The lower bit of each component.
const LOWER_BITS: u32 = 0x5555_5555;

/// How far something is degraded; a worse level is greater.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Level {
    /// Everything works.
    #[default]
    Normal = 0,
    /// Every feature works, though worse.
    Degraded = 1,
    /// Only what is essential works.
    SeverelyDegraded = 2,
    /// Only what is needed to survive works.
    Emergency = 3,
}

impl Level {
    /// Every level, from the best to the worst.
    pub const ALL: [Self; 4] = [Self::Normal, Self::Degraded, Self::SeverelyDegraded, Self::Emergency];

    /// The level of a measure that should stay at or below `threshold`.
    ///
    /// Degraded above it, severely degraded above one and a half times it, an emergency above twice it; at a bound it is
    /// the better level.
    pub const fn for_ratio(value: u64, threshold: u64) -> Self {
        Self::for_wide(value as u128, threshold as u128)
    }

    /// The level of a share, `part` of `whole`, that should stay at or below `threshold`; normal if there is no whole.
    pub const fn for_rate(part: u32, whole: u32, threshold: Ratio) -> Self {
        if whole == 0 {
            return Self::Normal;
        }
        Self::for_wide(
            part as u128 * threshold.denominator() as u128,
            whole as u128 * threshold.numerator() as u128,
        )
    }

    pub(super) const fn for_wide(value: u128, threshold: u128) -> Self {
        if value > threshold * 2 {
            Self::Emergency
        } else if value * 2 > threshold * 3 {
            Self::SeverelyDegraded
        } else if value > threshold {
            Self::Degraded
        } else {
            Self::Normal
        }
    }

    /// Whether a call of this priority is served at this level: low ones are not at [`Level::SeverelyDegraded`], low and
    /// normal ones are not in an [`Level::Emergency`].
    pub const fn admits(self, priority: Priority) -> bool {
        match self {
            Self::Normal | Self::Degraded => true,
            Self::SeverelyDegraded => !matches!(priority, Priority::Low),
            Self::Emergency => matches!(priority, Priority::High | Priority::Critical),
        }
    }

    /// The level's name, as in metrics: `severely_degraded`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Degraded => "degraded",
            Self::SeverelyDegraded => "severely_degraded",
            Self::Emergency => "emergency",
        }
    }

    /// The level of the two lowest bits.
    pub(crate) const fn from_bits(bits: u32) -> Self {
        Self::ALL[(bits & 3) as usize]
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// One of the components, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Component(u8);

impl Component {
    /// Component `n`.
    ///
    /// # Panics
    ///
    /// If `n` is not below [`MAX_COMPONENTS`]; in a `const` this is a compile error.
    pub const fn new(n: u8) -> Self {
        expect_valid!(Self::try_new(n), "degradation")
    }

    /// Component `n`.
    ///
    /// # Errors
    ///
    /// If `n` is not below [`MAX_COMPONENTS`].
    pub const fn try_new(n: u8) -> Result<Self, ConfigError> {
        require!(n < MAX_COMPONENTS, "degradation.component", "below 16");
        Ok(Self(n))
    }

    /// The component's number.
    pub const fn number(self) -> u8 {
        self.0
    }
}

/// The level of the whole changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LevelChange {
    /// The level before.
    pub from: Level,
    /// The level since.
    pub to: Level,
}

/// What the word holds: two bits a component.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Levels(u32);

const _: () = assert!(MAX_COMPONENTS as u32 * 2 == u32::BITS);

impl Levels {
    const NORMAL: Self = Self(0);

    const fn of(self, component: Component) -> Level {
        Level::from_bits(self.0 >> (component.0 * 2))
    }

    const fn with(self, component: Component, level: Level) -> Self {
        let shift = component.0 * 2;
        Self(self.0 & !(3 << shift) | (level as u32) << shift)
    }

    /// The worst level.
    const fn overall(self) -> Level {
        let upper = self.0 >> 1 & LOWER_BITS;
        let lower = self.0 & LOWER_BITS;
        if upper & lower != 0 {
            Level::Emergency
        } else if upper != 0 {
            Level::SeverelyDegraded
        } else if lower != 0 {
            Level::Degraded
        } else {
            Level::Normal
        }
    }

    /// The step to `next`, and what it changes for the whole.
    fn step(self, next: Self) -> (Option<Self>, Option<LevelChange>) {
        let (from, to) = (self.overall(), next.overall());
        ((next != self).then_some(next), (from != to).then_some(LevelChange { from, to }))
    }
}

impl Packed for Levels {
    type Raw = u32;

    fn unpack(raw: u32) -> Self {
        Self(raw)
    }

    fn pack(self) -> u32 {
        self.0
    }
}

/// The levels of up to sixteen components; see the [module](self).
pub struct Degradation {
    levels: Word,
}

impl Degradation {
    const_fn! {
        /// Everything is normal.
        pub const fn new() -> Self {
            Self { levels: Word::new(Levels::NORMAL.0) }
        }
    }

    /// Reports the level of `component`, and says if that changed the level of the whole.
    ///
    /// # Complexity
    ///
    /// O(1).
    pub fn set_level(&self, component: Component, level: Level) -> Option<LevelChange> {
        if mutant!("degradation_change_in_two_steps") {
            let from = self.level();
            self.levels.transition(|levels: Levels| (Some(levels.with(component, level)), ()));
            let to = self.level();
            return (from != to).then_some(LevelChange { from, to });
        }
        self.levels.transition(|levels: Levels| levels.step(levels.with(component, level)))
    }

    /// Reports every component as normal, and says if that changed the level of the whole.
    ///
    /// # Complexity
    ///
    /// O(1).
    pub fn recover_all(&self) -> Option<LevelChange> {
        self.levels.transition(|levels: Levels| levels.step(Levels::NORMAL))
    }

    /// The level of the whole: the worst of its components.
    ///
    /// # Complexity
    ///
    /// O(1).
    #[inline]
    pub fn level(&self) -> Level {
        self.levels.load::<Levels>().overall()
    }

    /// The level of `component`.
    ///
    /// # Complexity
    ///
    /// O(1).
    #[inline]
    pub fn component_level(&self, component: Component) -> Level {
        self.levels.load::<Levels>().of(component)
    }
}

impl Default for Degradation {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Degradation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let levels: Levels = self.levels.load();
        let components =
            (0..MAX_COMPONENTS).map(Component).map(|component| (component.0, levels.of(component)));
        f.write_str("Degradation ")?;
        f.debug_map().entries(components.filter(|&(_, level)| level != Level::Normal)).finish()
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
