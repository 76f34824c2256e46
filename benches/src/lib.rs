//! What a decision costs, beside the instructions that it cannot do without and beside other crates, in one run.
//!
//! `cargo bench -p seawall-benches` measures with criterion, `cargo run --release -p seawall-benches` prints a table.

mod measure;
mod rows;
pub mod table;

pub use measure::Row;
pub use rows::{Floor, all};
