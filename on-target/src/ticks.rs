//! SysTick as a counter of instructions, and as an interrupt that comes anywhere.

use cortex_m::peripheral::SYST;
use cortex_m::peripheral::syst::SystClkSource;

const RELOAD: u32 = 0x00ff_ffff;

/// Lets SysTick run freely, without its interrupt.
pub fn start_counting(timer: &mut SYST) {
    timer.set_clock_source(SystClkSource::Core);
    timer.set_reload(RELOAD);
    timer.clear_current();
    timer.enable_counter();
}

/// Instructions of one `call`, where the emulator lets each one take `2^shift` nanoseconds: see
/// `xtask/src/rungs/target.rs`.
///
/// What the measurement itself takes is not counted.
pub fn instructions_of<T>(call: impl FnOnce() -> T) -> u32 {
    /// Nanoseconds of an instruction.
    const STEP: u64 = 1 << 10;
    let ticks =
        |ticks: u32| (u64::from(ticks) * 1_000_000_000 / u64::from(crate::CORE_HERTZ) + STEP / 2) / STEP;
    let taken = ticks(measure(call)).saturating_sub(ticks(measure(|| ())));
    u32::try_from(taken).unwrap_or(u32::MAX)
}

#[inline(never)]
fn measure<T>(call: impl FnOnce() -> T) -> u32 {
    let before = SYST::get_current();
    core::hint::black_box(call());
    let after = SYST::get_current();
    before.wrapping_sub(after) & RELOAD
}
