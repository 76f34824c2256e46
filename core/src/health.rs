//! How is the whole doing?

pub mod burn_rate;
pub mod check;
pub mod composite;
pub mod degradation;
pub mod error_budget;
pub mod latency_budget;
pub mod threshold;
