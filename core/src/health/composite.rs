//! Is the whole healthy, given which of its members are?
//!
//! For a service that stands on several dependencies: all of them, any of them, or a quorum must be healthy.
//! It keeps one bit a member and runs nothing; where a member's health comes from is for the caller to say, usually a
//! [`HealthCheck`](super::check::HealthCheck). A level instead of a yes or no is what
//! [`degradation`](super::degradation) is for.
//!
//! # Examples
//!
//! ```
//! use seawall_core::health::composite::{Composite, Edge, Rule};
//!
//! static REPLICAS: Composite = Composite::new(3, Rule::Quorum(2));
//!
//! assert!(!REPLICAS.is_healthy(), "nothing is known yet");
//! assert_eq!(REPLICAS.report(0, true), None);
//! assert_eq!(REPLICAS.report(2, true), Some(Edge::Healthy));
//! assert_eq!(REPLICAS.report(0, false), Some(Edge::Unhealthy));
//! ```
//!
//! # States
//!
//! ```text
//!              1
//! unhealthy ──────► healthy
//!     ▲        2       │
//!     └────────────────┘
//! ```
//!
//! 1: `report` – enough members are healthy. 2: `report`, `clear` – not so.
//! A member that was never reported is not healthy.
//!
//! # Memory layout
//!
//! ```text
//! 31 …… 0      MEMBER n is healthy
//! ```
//!
//! One word and the rule. Nothing wraps.
//!
//! # Ordering
//!
//! (a) The word is where threads agree; whether the whole is healthy follows from it alone.
//! (b) An edge is told to the one caller whose exchange crossed the line, and edges alternate in the word's order.
//! (c) Two callers who were each told an edge may act on them in either order; [`is_healthy`](Composite::is_healthy) is
//! what holds. (d) An exchange that meets the same bits again makes the same step.
//! (e) Loom: `loom-tests/tests/composite.rs`.
//!
//! # Progress
//!
//! Lock-free: an exchange is repeated only if another member changed.
//!
//! # Cost
//!
//! `is_healthy`: one load. `report`: one load, and one exchange if the member's health differs; asserted by the tests.

use core::fmt;

use crate::atomic::word::{Packed, Word};
use crate::config::ConfigError;

/// How many members there are room for.
pub const MAX_MEMBERS: u8 = 32;

/// How many members must be healthy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rule {
    /// Every member.
    All,
    /// At least one member.
    Any,
    /// At least so many members.
    Quorum(u8),
}

/// The whole crossed the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Edge {
    /// Enough members are healthy.
    Healthy,
    /// Too few members are healthy.
    Unhealthy,
}

/// What the word holds: a bit a member.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Members(u32);

impl Members {
    const NONE: Self = Self(0);

    const fn with(self, member: u8, healthy: bool) -> Self {
        let bit = 1 << member;
        Self(if healthy { self.0 | bit } else { self.0 & !bit })
    }
}

impl Packed for Members {
    type Raw = u32;

    fn unpack(raw: u32) -> Self {
        Self(raw)
    }

    fn pack(self) -> u32 {
        self.0
    }
}

/// The health of a whole of up to 32 members; see the [module](self).
pub struct Composite {
    healthy: Word,
    members: u8,
    required: u8,
}

impl Composite {
    const_fn! {
        /// A whole of `members`, none of which is known to be healthy.
        ///
        /// # Panics
        ///
        /// If [`try_new`](Self::try_new) would return an error; in a `static` this is a compile error.
        pub const fn new(members: u8, rule: Rule) -> Self {
            expect_valid!(Self::try_new(members, rule), "composite")
        }
    }

    const_fn! {
        /// A whole of `members`, none of which is known to be healthy.
        ///
        /// # Errors
        ///
        /// If there are no members or more than [`MAX_MEMBERS`], or the quorum is zero or more than there are.
        pub const fn try_new(members: u8, rule: Rule) -> Result<Self, ConfigError> {
            require!(members > 0 && members <= MAX_MEMBERS, "composite.members", "between 1 and 32");
            let required = match rule {
                Rule::All => members,
                Rule::Any => 1,
                Rule::Quorum(n) => n,
            };
            require!(
                required > 0 && required <= members,
                "composite.quorum",
                "at least 1 and at most the number of members"
            );
            Ok(Self { healthy: Word::new(Members::NONE.0), members, required })
        }
    }

    /// Reports whether `member` is healthy, and says if that took the whole over the line.
    ///
    /// A member that the whole does not have changes nothing.
    ///
    /// # Complexity
    ///
    /// O(1).
    pub fn report(&self, member: u8, healthy: bool) -> Option<Edge> {
        if member >= self.members {
            return None;
        }
        if mutant!("composite_edge_in_two_steps") {
            let before = self.is_healthy();
            self.healthy.transition(|members: Members| (Some(members.with(member, healthy)), ()));
            return Edge::between(before, self.is_healthy());
        }
        self.step(|members| members.with(member, healthy))
    }

    /// Forgets what was reported of every member, and says if that took the whole over the line.
    ///
    /// # Complexity
    ///
    /// O(1).
    pub fn clear(&self) -> Option<Edge> {
        self.step(|_| Members::NONE)
    }

    fn step(&self, next: impl Fn(Members) -> Members) -> Option<Edge> {
        self.healthy.transition(|members: Members| {
            let next = next(members);
            let edge = Edge::between(self.suffices(members), self.suffices(next));
            ((next != members).then_some(next), edge)
        })
    }

    /// Whether enough members are healthy.
    ///
    /// # Complexity
    ///
    /// O(1).
    #[inline]
    pub fn is_healthy(&self) -> bool {
        self.suffices(self.healthy.load())
    }

    /// Whether `member` was last reported as healthy.
    ///
    /// # Complexity
    ///
    /// O(1).
    #[inline]
    pub fn is_member_healthy(&self, member: u8) -> bool {
        let Members(bits) = self.healthy.load();
        member < self.members && bits & 1 << member != 0
    }

    /// How many members are healthy.
    ///
    /// # Complexity
    ///
    /// O(1).
    pub fn healthy_members(&self) -> u32 {
        self.healthy.load::<Members>().0.count_ones()
    }

    /// How many members there are.
    pub const fn members(&self) -> u32 {
        self.members as u32
    }

    /// How many members must be healthy.
    pub const fn required(&self) -> u32 {
        self.required as u32
    }

    const fn suffices(&self, members: Members) -> bool {
        members.0.count_ones() >= self.required as u32
    }
}

impl Edge {
    const fn between(before: bool, after: bool) -> Option<Self> {
        match (before, after) {
            (false, true) => Some(Self::Healthy),
            (true, false) => Some(Self::Unhealthy),
            _ => None,
        }
    }
}

impl fmt::Debug for Composite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Members(bits) = self.healthy.load();
        let unhealthy = (0..self.members).filter(|member| bits & 1 << member == 0);
        f.debug_struct("Composite")
            .field("members", &self.members)
            .field("required", &self.required)
            .field("unhealthy", &Listed(unhealthy))
            .finish()
    }
}

struct Listed<I>(I);

impl<I: Iterator<Item = u8> + Clone> fmt::Debug for Listed<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.clone()).finish()
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
