#![doc = include_str!("../README.md")]
#![no_std]
#![forbid(unsafe_code)]

#[cfg(feature = "chaos")]
pub mod chaos;
mod clock;
mod guard;
mod timer;

pub use clock::EmbassyClock;
pub use guard::{Guard, RecordedGuard};
/// The decisions themselves, for loops of one's own.
pub use seawall_core as core;
pub use seawall_core::guard::{About as Attempt, Error, Options, Policy, Rejected, Report};
