//! Prints the table of all rows.
//!
//! The first argument is the time for each row in milliseconds, 200 without one; the second, if there is one, is a part of
//! the names of the rows to show (the floors are always measured).

use core::time::Duration;

use seawall_benches::{all, table};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let millis = arguments.next().and_then(|argument| argument.parse().ok()).unwrap_or(200);
    let wanted = arguments.next().unwrap_or_default();
    let mut rows = all();
    rows.retain(|row| row.group == "floor" || format!("{row:?}").contains(&wanted));
    print!("{}", table::render(&rows, Duration::from_millis(millis)));
}
