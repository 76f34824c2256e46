//! Resilience decisions.
#![no_std]
#![forbid(unsafe_code)]

#[macro_use]
mod atomic;
pub mod admission;
pub mod attempt;
pub mod events;
pub mod guard;
pub mod health;
pub mod measure;
pub mod outcome;
pub mod ratio;
pub mod time;

pub use atomic::rng::{self, Rng};
pub use measure::window::Window;
pub use outcome::Outcome;
pub use ratio::Ratio;
pub use time::{Clock, Instant, ManualClock};
