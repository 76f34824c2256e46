//! How state is kept: the substrate under every pattern.

#[macro_use]
pub(crate) mod sync;
pub(crate) mod bits;
pub(crate) mod era;
#[cfg(any(loom, shuttle))]
pub(crate) mod mutant;
pub mod rng;
pub(crate) mod switch;
pub(crate) mod timer;
pub(crate) mod wait_queue;
pub(crate) mod word;
