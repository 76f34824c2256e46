//! demo
mod proxy;
pub(crate) mod timeline;
