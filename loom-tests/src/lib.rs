//! Loom models of `seawall-core`, through its public API; see `tests/`.
