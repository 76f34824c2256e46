//! The operations, by what they belong to.

mod attempts;
mod breakers;
mod bulkheads;
mod floors;
mod guards;
mod limiters;

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

/// Every row, floors first.
pub fn all() -> Vec<Row> {
    [floors::rows(), breakers::rows(), limiters::rows(), bulkheads::rows(), attempts::rows(), guards::rows()]
        .into_iter()
        .flatten()
        .collect()
}
