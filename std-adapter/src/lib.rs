//! Seawall for servers.

#[cfg(feature = "dwcp")]
pub mod dwcp;
