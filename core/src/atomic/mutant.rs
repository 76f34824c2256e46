//! Which line of core is broken, under loom and shuttle: the one that the environment variable `SEAWALL_MUTANT` names.

extern crate std;

use std::env;
use std::string::String;
use std::sync::OnceLock;

/// Read once for the process; neither models it, and a model does not change it.
static PLANTED: OnceLock<Option<String>> = OnceLock::new();

/// Whether the mutant of this name is planted.
pub(crate) fn is_planted(name: &str) -> bool {
    PLANTED.get_or_init(|| env::var("SEAWALL_MUTANT").ok()).as_deref() == Some(name)
}
