//! What the keyed patterns have in common to be set.

use crate::config::ConfigError;

/// How a table treats its keys.
///
/// # Examples
///
/// ```
/// use seawall_core::keyed::{Config, WhenFull};
///
/// // A server draws the seed when it starts.
/// const CLIENTS: Config = Config::seeded(0x5EA3_A11C_0FFE_E000_0000_0000_0000_0001).when_full(WhenFull::Share);
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Config {
    pub(super) seed: u128,
    pub(super) forgiven: u32,
    pub(super) when_full: WhenFull,
}

/// What becomes of a key that finds no entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WhenFull {
    /// It is refused.
    Refuse,
    /// It shares one more entry with all the others that found none.
    Share,
}

impl Config {
    /// Keys are hashed with `seed`; one that finds no entry is refused, and a limiter's entry may go with one token of debt.
    ///
    /// Whoever can choose keys and knows the seed can make them meet in one set, so draw it at random when the program starts
    /// if keys come from strangers.
    pub const fn seeded(seed: u128) -> Self {
        Self { seed, forgiven: 1, when_full: WhenFull::Refuse }
    }

    /// What becomes of a key that finds no entry.
    #[must_use = "the configuration is returned"]
    pub const fn when_full(mut self, when_full: WhenFull) -> Self {
        self.when_full = when_full;
        self
    }

    /// A limiter's entry may go although its key owes up to so many tokens, if no other of its set is as new; what it owed is
    /// then forgiven. A breaker that is closed and not forced may go with any number of failures.
    ///
    /// With 0 no debt is ever forgotten, and a flood of keys fills the table until their debts are paid.
    #[must_use = "the configuration is returned"]
    pub const fn forgiving(mut self, most: u32) -> Self {
        self.forgiven = most;
        self
    }

    /// Whether a table may have so many entries.
    pub(super) const fn validate(entries: usize) -> Result<(), ConfigError> {
        require!(
            entries > 0 && (entries < super::table::WAYS || entries.is_multiple_of(super::table::WAYS)),
            "keyed.entries",
            "between 1 and 7, or a multiple of 8"
        );
        require!(entries as u64 <= 1 << 31, "keyed.entries", "at most 2147483648");
        Ok(())
    }
}

impl core::fmt::Debug for Config {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        // The seed is a secret.
        f.debug_struct("Config")
            .field("forgiven", &self.forgiven)
            .field("when_full", &self.when_full)
            .finish_non_exhaustive()
    }
}
