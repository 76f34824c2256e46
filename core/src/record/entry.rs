//! What is written of one step: the moment, the input, and the decision.

use core::fmt;

use super::decode::{Damaged, Fault};
use super::wire::{Base, Reader, Wire, Writer};
use crate::admission::circuit_breaker::Transition;
use crate::attempt::deadline::Deadline;
use crate::guard::{Rejected, Report, Settled};
use crate::health::error_budget::Edge;
use crate::time::Instant;

/// The number of a call, from 0 in the order in which calls were admitted or began to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub(crate) u32);

/// The number of an attempt, from 0 in the order in which attempts of all calls were admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttemptId(pub(crate) u32);

impl CallId {
    /// That of a call that has none: it began in a step that was not written, or in a replay only.
    pub const NONE: Self = Self(u32::MAX);

    /// The number.
    pub const fn number(self) -> u32 {
        self.0
    }
}

impl AttemptId {
    /// That of an attempt that has none, as [`CallId::NONE`].
    pub const NONE: Self = Self(u32::MAX);

    /// The number.
    pub const fn number(self) -> u32 {
        self.0
    }
}

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for AttemptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One step of a guard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The moment that the step was told; for one that is told none, the moment of the entry before.
    pub at: Instant,
    /// What was asked.
    pub input: Input,
    /// What was decided.
    pub decision: Decision,
}

/// What a guard was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Input {
    /// [`Guard::try_begin`](crate::Guard::try_begin).
    TryBegin {
        /// The call's own deadline.
        deadline: Deadline,
    },
    /// [`Guard::begin`](crate::Guard::begin).
    Begin {
        /// The call's own deadline.
        deadline: Deadline,
    },
    /// [`Waiting::poll`](crate::guard::Waiting::poll).
    Poll {
        /// The call that waits.
        call: CallId,
    },
    /// [`Waiting::cancel`](crate::guard::Waiting::cancel).
    CancelWaiting {
        /// The call that waited.
        call: CallId,
    },
    /// A waiting call was dropped.
    DropWaiting {
        /// The call that waited.
        call: CallId,
    },
    /// [`Call::try_attempt`](crate::guard::Call::try_attempt).
    Attempt {
        /// Its call.
        call: CallId,
    },
    /// [`Call::settle`](crate::guard::Call::settle).
    Settle {
        /// The call.
        call: CallId,
        /// The attempt.
        attempt: AttemptId,
        /// How it ended.
        report: Report,
    },
    /// An attempt was dropped.
    DropAttempt {
        /// The attempt.
        attempt: AttemptId,
    },
    /// [`Call::cancel`](crate::guard::Call::cancel).
    Cancel {
        /// The call.
        call: CallId,
    },
    /// A call was dropped, settled or not: its slot comes back.
    Drop {
        /// The call.
        call: CallId,
    },
    /// The breaker was tripped by hand.
    Trip,
    /// The breaker was reset by hand.
    Reset,
    /// The breaker was forced open.
    ForceOpen,
    /// The breaker was forced closed.
    ForceClosed,
    /// The error budget was asked whether time took it over the line.
    CheckBudget,
    /// The guard was told to watch only, or to rule again.
    SetShadow {
        /// Whether it watches only.
        on: bool,
    },
    /// The breaker was told to watch only, or to rule again.
    ShadowBreaker {
        /// Whether it watches only.
        on: bool,
    },
    /// The bulkhead was given another number of permits.
    Resize {
        /// How many.
        max_concurrent: u32,
    },
    /// The bulkhead was closed.
    Close,
}

/// What a guard decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Decision {
    /// There was nothing to decide.
    Nothing,
    /// The call may start.
    Admitted {
        /// Its number.
        call: CallId,
    },
    /// The call waits for a slot.
    Waiting {
        /// Its number.
        call: CallId,
        /// When the wait ends at the latest.
        until: Instant,
    },
    /// The call still waits.
    Pending,
    /// The call, or an attempt of it, was refused.
    Rejected {
        /// Who refused, and when to come back.
        rejected: Rejected,
        /// The error budget's edge, where the refusal ended a call that had made attempts.
        budget: Option<Edge>,
    },
    /// The attempt may start.
    Started {
        /// Its number.
        attempt: AttemptId,
        /// When it must be over.
        deadline: Deadline,
        /// Whether it is a probe.
        probe: bool,
        /// The breaker's change of state that admitted it.
        transition: Option<Transition>,
    },
    /// The attempt was settled.
    Settled(Settled),
    /// The breaker's change of state; `None` without a breaker.
    Transition(Option<Transition>),
    /// The error budget's edge, if it made one.
    Edge(Option<Edge>),
    /// Whether it was so before, or whether it could be done.
    Was(bool),
    /// The input names a call or an attempt that is not under way. No recorder writes it; a replay that has gone another way
    /// does.
    Astray,
}

wire_enum!(Input {
    0: TryBegin { deadline },
    1: Begin { deadline },
    2: Poll { call },
    3: CancelWaiting { call },
    4: DropWaiting { call },
    5: Attempt { call },
    6: Settle { call, attempt, report },
    7: DropAttempt { attempt },
    8: Cancel { call },
    9: Drop { call },
    10: Trip,
    11: Reset,
    12: ForceOpen,
    13: ForceClosed,
    14: CheckBudget,
    15: SetShadow { on },
    16: ShadowBreaker { on },
    17: Resize { max_concurrent },
    18: Close,
});

wire_enum!(Decision {
    0: Nothing,
    1: Admitted { call },
    2: Waiting { call, until },
    3: Pending,
    4: Rejected { rejected, budget },
    5: Started { attempt, deadline, probe, transition },
    6: Settled(settled),
    7: Transition(transition),
    8: Edge(edge),
    9: Astray,
    10: Was(so),
});

impl Decision {
    /// Bytes that hold every decision.
    pub const MAX_LEN: usize = 96;

    /// Numbers are written as they are, and moments from the origin.
    const ALONE: Base = Base { now: Instant::ZERO, calls: u32::MAX, attempts: u32::MAX };

    /// The decision as bytes that stand alone, unlike those in a log.
    ///
    /// A program that holds core in two layouts carries decisions from one to the other so.
    pub fn encode(self, out: &mut [u8; Self::MAX_LEN]) -> &[u8] {
        let mut writer = Writer::new(out, Self::ALONE);
        self.put(&mut writer);
        let len = writer.written().map_or(0, <[u8]>::len);
        out.get(..len).unwrap_or_default()
    }

    /// The decision of these bytes.
    ///
    /// # Errors
    ///
    /// [`Damaged`] if they are not what [`Decision::encode`] wrote.
    pub fn decode(bytes: &[u8]) -> Result<Self, Damaged> {
        let mut reader = Reader::new(bytes, 0, Self::ALONE);
        Self::get(&mut reader).map_err(|fault| Damaged { offset: reader.offset(), fault })
    }
}

impl Entry {
    /// Writes the entry; the base moves on.
    pub(crate) fn put(&self, out: &mut Writer<'_>) {
        self.at.put(out);
        out.base.now = self.at;
        self.input.put(out);
        self.decision.put(out);
        self.pass(&mut out.base);
    }

    /// Reads an entry; the base moves on.
    pub(crate) fn get(input: &mut Reader<'_>) -> Result<Self, Fault> {
        let at = Instant::get(input)?;
        input.base.now = at;
        let entry = Self { at, input: input.field("input")?, decision: input.field("decision")? };
        entry.pass(&mut input.base);
        Ok(entry)
    }

    /// Counts what began.
    fn pass(&self, base: &mut Base) {
        match self.decision {
            Decision::Admitted { call } | Decision::Waiting { call, .. } if call.0 == base.calls => {
                base.calls = base.calls.wrapping_add(1);
            }
            Decision::Started { attempt, .. } if attempt.0 == base.attempts => {
                base.attempts = base.attempts.wrapping_add(1);
            }
            _ => {}
        }
    }
}
