//! Core's scenarios, and admissions from an interrupt handler.

#![no_std]
#![no_main]

use seawall_on_target::runner;

#[path = "scenarios/interrupts.rs"]
mod interrupts;

/// The files of `core/tests/scenarios`, found by the build script.
mod core_scenarios {
    include!(concat!(env!("OUT_DIR"), "/scenarios.rs"));
}

#[cortex_m_rt::entry]
fn main() -> ! {
    runner::run(&[core_scenarios::SCENARIOS, interrupts::TESTS])
}
