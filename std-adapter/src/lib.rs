#![doc = include_str!("../README.md")]

#[cfg(feature = "admin")]
pub mod admin;
pub mod clock;
#[cfg(feature = "serde")]
pub mod config;
#[cfg(feature = "dwcp")]
pub mod dwcp;
pub mod guard;
#[cfg(feature = "metrics")]
pub mod metrics;
pub mod registry;
#[cfg(feature = "serde")]
pub mod stats;

pub use clock::SystemClock;
#[cfg(feature = "chaos")]
pub use guard::chaos;
pub use guard::{Attempt, Guard, Options, Recording};
pub use registry::Registry;
/// The decisions themselves, for loops of one's own.
pub use seawall_core as core;
pub use seawall_core::guard::{Error, Policy, Rejected, Report};
pub use seawall_core::retry::GiveUp;

/// The examples of the repository's front page, compiled and run with the doc tests.
#[cfg(all(doctest, feature = "tokio"))]
#[doc = include_str!("../../README.md")]
struct FrontPage;
