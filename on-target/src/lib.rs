//! What the programs for microcontrollers share: the board, a test runner without an operating system, and the end of a
//! run by panic.

#![no_std]

pub mod runner;
pub mod ticks;

mod board {
    include!(concat!(env!("OUT_DIR"), "/board.rs"));
}

/// How often the core clock ticks in a second; SysTick counts its ticks.
pub const CORE_HERTZ: u32 = board::CORE_HERTZ;
