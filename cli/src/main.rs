//! The `seawall` program.

mod args;
mod chaos;
mod demo;
mod load;
mod message;
mod node;
mod policy;
mod replay;
mod report;
mod signals;
mod text;

use args::{Cli, Command};
use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Demo(args) => demo::run(&args),
        Command::Node(args) => node::run(&args),
        Command::Replay(args) => replay::run(&args),
    }
}
