//! The `seawall` program.
mod demo;
mod load;
mod message;
mod report;
fn main() {}
