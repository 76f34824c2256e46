//! The operations, by what they belong to.

mod attempts;
mod breakers;
mod bulkheads;
mod floors;
mod guards;
mod limiters;

use core::time::Duration;

use seawall_core::Instant;

use crate::measure::Row;

/// Bare instructions to compare with: so many times the first operation of a row, as many of the second, and so on.
pub type Floor = &'static [(u8, &'static str)];

pub(crate) const LOAD: &str = "load";
pub(crate) const FETCH_ADD: &str = "fetch_add";
pub(crate) const LOAD_CAS: &str = "load and compare-exchange";
pub(crate) const CLOCK: &str = "system clock";
pub(crate) const THREE: &str = "3 fetch_adds on one line";
pub(crate) const FIVE: &str = "5 fetch_adds on lines of their own, 2 clock reads";

/// A moment that the caller supplies.
const NOW: Instant = Instant::from_secs(1000);

/// What the windows look back on, with a caller's time and with the system's clock.
const SPAN: Duration = Duration::from_secs(10);
const SYSTEM_SPAN: Duration = Duration::from_millis(500);

/// The moments before [`NOW`] at which something must have happened for a window of [`SPAN`] to be full.
fn history() -> impl Iterator<Item = Instant> {
    (0..=20).rev().map(|n| Instant::from_nanos(NOW.as_nanos() - n * 500_000_000))
}

/// Every row, floors first.
pub fn all() -> Vec<Row> {
    [floors::rows(), breakers::rows(), limiters::rows(), bulkheads::rows(), attempts::rows(), guards::rows()]
        .into_iter()
        .flatten()
        .collect()
}
