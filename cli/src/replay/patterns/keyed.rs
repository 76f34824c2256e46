//! What the patterns with a state for each key share.

use crate::replay::call::Call;
use crate::replay::names::Fault;
use crate::replay::schema::{Kind, Param, U64};
use crate::replay::value::Args;
use seawall::core::keyed::{Config, WhenFull};
use std::ops::Deref;

/// The longest table that is summed after each decision.
const MOST_SUMMED: usize = 1024;

pub(super) const KEY: Param =
    Param::optional("key", Kind::Text, "any text of one character or more; this or hash");
pub(super) const HASH: Param = Param::optional("hash", U64, "the hash of a key, of which all bits are used");
pub(super) const NUMBERED: Param = Param::or(
    "numbered",
    Kind::Flag,
    "false",
    "with times: each repetition has a key of its own, key1, key2, …",
);
pub(super) const ENTRIES: Param =
    Param::or("entries", Kind::Integer(1 << 20), "1024", "between 1 and 7, or a multiple of 8");
pub(super) const WHEN_FULL: Param = Param::or(
    "when_full",
    Kind::Word(&["refuse", "share"]),
    "\"refuse\"",
    "a key that finds no entry is refused, or shares one more with all others that found none",
);
pub(super) const HASH_SEED: Param = Param::or("hash_seed", U64, "0", "of the hash of the keys");

/// A table, and whether it is short enough to be summed after each decision, which is a walk over all of it.
pub(super) struct Keyed<T> {
    table: T,
    pub(super) is_short: bool,
}

impl<T> Keyed<T> {
    pub(super) fn new(table: T, entries: usize) -> Self {
        Self { table, is_short: entries <= MOST_SUMMED }
    }
}

impl<T> Deref for Keyed<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.table
    }
}

/// What a table does with its keys, and its entries, each as new.
pub(super) fn table<E>(args: &Args, entry: impl FnMut() -> E) -> (Config, Vec<E>) {
    let when_full = if args.word("when_full") == Some("share") { WhenFull::Share } else { WhenFull::Refuse };
    let config = Config::seeded(args.integer("hash_seed").unwrap_or(0).into())
        .when_full(when_full)
        .forgiving(args.u32("forgiving").unwrap_or(1));
    let entries = args.u32("entries").unwrap_or(0);
    (config, std::iter::repeat_with(entry).take(entries as usize).collect())
}

/// A key, or its hash.
pub(super) enum Asked {
    Key(String),
    Hash(u64),
}

/// The key of an operation.
pub(super) fn asked(call: &Call<'_>) -> Result<Asked, Fault> {
    let mut key = match (call.args().text("key"), call.args().integer("hash")) {
        (Some(key), None) => key,
        (None, Some(hash)) => return Ok(Asked::Hash(hash)),
        _ => return Err(Fault::new("key or hash must be given, and not both")),
    };
    if call.args().flag("numbered") == Some(true) {
        key.push_str(call.suffix());
    }
    Ok(Asked::Key(key))
}
