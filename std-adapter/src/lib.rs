//! Seawall for servers.

pub mod clock;
#[cfg(feature = "dwcp")]
pub mod dwcp;
mod error;
pub mod guard;

pub use clock::SystemClock;
pub use error::{Error, Failed, TimedOut};
pub use guard::{Attempt, Guard, Options};
/// The decisions themselves, for loops of one's own.
pub use seawall_core as core;
pub use seawall_core::guard::{Policy, Rejected, Report};
pub use seawall_core::retry::GiveUp;
