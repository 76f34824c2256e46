//! The same replay on both layouts of core.
//!
//! A log says how wide the words were on which it was written, and only the same arithmetic decides the same, so this
//! program has core twice.
//! To the compiler they have nothing in common, hence a macro; decisions cross over as bytes.

use std::io;

/// A step's decision, as bytes.
pub(super) type Each<'a> = dyn FnMut(&[u8]) -> io::Result<()> + 'a;

/// Why a replay ended early.
#[derive(Debug)]
pub(super) enum Stop {
    /// The output cannot be written.
    Output(io::Error),
    /// This log cannot be replayed.
    Impossible(String),
}

impl Stop {
    fn because(reason: impl std::fmt::Display) -> Self {
        Self::Impossible(reason.to_string())
    }
}

macro_rules! engine {
    ($(#[$meta:meta])* $layout:ident, $core:ident, $($slots:literal)*) => {
        $(#[$meta])*
        pub(super) mod $layout {
            use super::{Each, Stop};
            use $core::Guard;
            use $core::bulkhead::Config;
            use $core::record::{Decision, Entries, Live, Replay};

            /// The longest queue that there can be; a replay takes out of use what the log's guard had not.
            const WAITERS: usize = Config::MAX_WAITERS;

            /// Replays the entries that are whole.
            pub(in crate::replay::log) fn replay(log: &[u8], places: usize, each: &mut Each<'_>) -> Result<(), Stop> {
                let entries = Entries::of(log).map_err(Stop::because)?;
                match entries.header().slots {
                    $($slots => on_slots::<$slots>(entries, places, each),)*
                    other => Err(Stop::Impossible(format!(
                        "the log's guard had {other} buckets in its windows; this program knows {}",
                        stringify!($($slots),*),
                    ))),
                }
            }

            fn on_slots<const SLOTS: usize>(
                entries: Entries<'_>,
                places: usize,
                each: &mut Each<'_>,
            ) -> Result<(), Stop> {
                let header = *entries.header();
                let guard: Box<Guard<WAITERS, SLOTS>> =
                    Box::new(Guard::try_new(header.policy_of_size()).map_err(Stop::because)?);
                let mut live: Vec<Live<'_, WAITERS, SLOTS>> = (0..places).map(|_| Live::default()).collect();
                let mut replay = Replay::try_new(&header, &guard, &mut live).map_err(Stop::because)?;
                let mut bytes = [0; Decision::MAX_LEN];
                for entry in entries.map_while(Result::ok) {
                    let decision = replay.step(&entry).map_err(Stop::because)?;
                    each(decision.encode(&mut bytes)).map_err(Stop::Output)?;
                }
                Ok(())
            }
        }
    };
}

engine!(
    /// On words of 64 bits.
    wide, seawall_core, 0 1 2 3 4 5 6 7 8 9 10 12 15 16 20 24 30 32 60 64
);
engine!(
    /// On words of 32 bits.
    narrow, seawall_core_narrow, 0 1 2 3 4 5 6 7 8 9 10 12 15 16 20 24 30 32 60 64
);
