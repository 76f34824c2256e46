//! The task runner: `cargo xtask test`.
fn main() {}
