//! A part of core's scenarios, and admissions from an interrupt handler.

#![no_std]
#![no_main]

use seawall_on_target::runner;

#[path = "scenarios_1/interrupts.rs"]
mod interrupts;

/// Files of `core/tests/scenarios`, found by the build script.
#[allow(dead_code)] // Each part has all that they share.
mod core_scenarios {
    include!(concat!(env!("OUT_DIR"), "/scenarios_1.rs"));
}

#[cortex_m_rt::entry]
fn main() -> ! {
    runner::run(&[core_scenarios::SCENARIOS, interrupts::TESTS])
}
