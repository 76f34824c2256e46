//! How is the whole doing?

pub mod degradation;
pub mod error_budget;
