//! What was seen: counts over a window, latencies in a histogram.

pub mod change;
pub mod histogram;
pub mod rotating;
pub mod window;
