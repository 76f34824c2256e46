//! How is a call tried?

pub mod adaptive_timeout;
pub mod backoff;
pub mod deadline;
pub mod hedge;
pub mod retry;
pub mod timeout;
