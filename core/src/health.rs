//! How is the whole doing?

pub mod check;
pub mod composite;
pub mod degradation;
pub mod error_budget;
pub mod latency_budget;
pub mod threshold;
