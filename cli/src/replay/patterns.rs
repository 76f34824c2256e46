//! The patterns that a script can name, one file each.

mod answers;
mod circuit_breaker;
mod policy;

use super::schema::Pattern;

/// Every pattern, in the order of the reference.
pub(super) fn all() -> impl Iterator<Item = &'static dyn Pattern> {
    let patterns: [&'static dyn Pattern; 1] = [circuit_breaker::PATTERN];
    patterns.into_iter()
}

/// The pattern of this name.
pub(super) fn find(name: &str) -> Option<&'static dyn Pattern> {
    all().find(|pattern| pattern.info().name == name)
}
