//! How is the whole doing?

pub mod auto_degradation;
pub mod burn_rate;
pub mod check;
pub mod composite;
pub mod degradation;
pub mod driver;
pub mod error_budget;
pub mod features;
mod hold;
pub mod latency_budget;
pub mod threshold;
