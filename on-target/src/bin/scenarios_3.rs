//! A part of core's scenarios.

#![no_std]
#![no_main]

use seawall_on_target::runner;

/// Files of `core/tests/scenarios`, found by the build script.
#[allow(dead_code)] // Each part has all that they share.
mod core_scenarios {
    include!(concat!(env!("OUT_DIR"), "/scenarios_3.rs"));
}

#[cortex_m_rt::entry]
fn main() -> ! {
    runner::run(&[core_scenarios::SCENARIOS])
}
