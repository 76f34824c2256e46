//! What a breaker looks at beside failures in a row: a window, and how long calls take.

use core::time::Duration;

use super::permit::Ticket;
use super::rules::Ending;
use crate::measure::window::Span;
use crate::outcome::Outcome;
use crate::ratio::Ratio;
use crate::record::Fault;
use crate::record::wire::{Reader, Wire, Writer};

/// What is looked at beside failures in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Watch {
    pub(super) rates: Option<Rates>,
    /// Beside a window or without one: slow calls can fail where only failures in a row count.
    pub(super) slow: Slow,
}

/// How it is written: a window and what is slow have one byte for both.
enum Written {
    Nothing,
    Rates(Option<Ratio>, Slow, u32, Span),
    Slow(Slow),
}

wire_enum!(Written { 0: Nothing, 1: Rates(failures, slow, minimum_calls, span), 2: Slow(slow) });

impl Wire for Watch {
    fn put(&self, out: &mut Writer<'_>) {
        match (self.rates, self.slow) {
            (None, Slow::Never) => Written::Nothing,
            (None, slow) => Written::Slow(slow),
            (Some(Rates { failures, minimum_calls, span }), slow) => {
                Written::Rates(failures, slow, minimum_calls, span)
            }
        }
        .put(out);
    }

    fn get(input: &mut Reader<'_>) -> Result<Self, Fault> {
        Ok(match Written::get(input)? {
            Written::Nothing => Self { rates: None, slow: Slow::Never },
            Written::Slow(slow) => Self { rates: None, slow },
            Written::Rates(failures, slow, minimum_calls, span) => {
                Self { rates: Some(Rates { failures, minimum_calls, span }), slow }
            }
        })
    }
}

/// The rate rules, which look at one window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rates {
    pub(super) failures: Option<Ratio>,
    pub(super) minimum_calls: u32,
    pub(super) span: Span,
}

/// What a slow call is, and what it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slow {
    /// No call is slow.
    Never,
    /// This share of the calls trips the breaker; such a call takes so long.
    Rate(Ratio, Duration),
    /// A call that takes so long has failed.
    Fails(Duration),
}

// The first two are written as an option with a pair is.
wire_enum!(Slow { 0: Never, 1: Rate(share, limit), 2: Fails(limit) });

impl Slow {
    /// How long a call takes that is slow.
    pub(super) const fn limit(self) -> Option<Duration> {
        match self {
            Self::Never => None,
            Self::Rate(_, limit) | Self::Fails(limit) => Some(limit),
        }
    }

    /// Whether the caller says that the call was slow, or its duration does.
    #[inline]
    pub(super) fn is(self, ticket: &Ticket, ending: Ending) -> bool {
        let too_long = |limit| ending.at.saturating_since(ticket.started()) >= limit;
        ending.outcome == Outcome::Slow || self.limit().is_some_and(too_long)
    }

    /// Whether a call that ended so counts as failed: also if it was slow and slow calls do.
    #[inline]
    pub(super) fn has_failed(self, ticket: &Ticket, ending: Ending) -> bool {
        ending.outcome == Outcome::Failure || (matches!(self, Self::Fails(_)) && self.is(ticket, ending))
    }
}
