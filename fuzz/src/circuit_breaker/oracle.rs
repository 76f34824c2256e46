//! A circuit breaker as one would write it without threads: a plain struct, every event kept, nothing packed.
//!
//! It is written from the documentation of the real one and shares no code with it.

use std::time::Duration;

use seawall_core::circuit_breaker::{Cause, State};
use seawall_core::window::Totals;
use seawall_core::{Outcome, Ratio};

/// The buckets of the window.
pub const SLOTS: usize = 4;

/// A moment that is never reached, in nanoseconds.
pub const NEVER: u64 = u64::MAX;

/// When the breaker trips, for how long, and what it takes to close. Durations are in nanoseconds, [`NEVER`] is endless.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    /// Failures in a row, zero for no such rule.
    pub in_a_row: u32,
    /// The rate rule.
    pub rate: Option<Rate>,
    /// Whether a success never trips the breaker.
    pub on_failure_only: bool,
    /// The open time.
    pub open_for: u64,
    /// How many probes may be out.
    pub probes: u32,
    /// How many of them must succeed.
    pub successes: u32,
    /// After what time a probe is lost.
    pub lease: u64,
}

/// A failure rate over a window.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// The share that trips.
    pub share: Ratio,
    /// How many calls there must be.
    pub minimum: u32,
    /// What the window covers.
    pub span: Span,
}

/// What a window covers.
#[derive(Clone, Copy, Debug)]
pub enum Span {
    /// As many buckets of so many nanoseconds as there are slots.
    Time(u64),
    /// So many calls.
    Calls(u32),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Closed { failures: u32 },
    Open { until: u64 },
    HalfOpen { probes: u32, successes: u32, until: u64 },
    ForcedOpen,
    ForcedClosed,
}

/// An admitted call.
#[derive(Clone, Copy, Debug)]
pub struct Ticket {
    generation: u64,
    probe: bool,
}

/// A change of state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    pub from: State,
    pub to: State,
    pub cause: Cause,
    pub generation: u32,
}

/// What became of a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    Counted,
    Uncounted,
    Stale,
    Changed(Change),
}

/// A refusal: the state, and after how long to come back.
pub type Refused = (State, Option<Duration>);

/// What can be seen from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
    pub state: State,
    pub forced: bool,
    pub generation: u32,
    pub failures: u32,
    pub probes: u32,
    pub successes: u32,
    pub window: Totals,
    pub retry_after: Option<Duration>,
}

/// A call in the window.
#[derive(Clone, Copy, Debug)]
struct Event {
    bucket: u64,
    failed: bool,
}

/// The breaker.
#[derive(Debug)]
pub struct Oracle {
    setup: Setup,
    phase: Phase,
    /// It never wraps; only what is shown of it does.
    generation: u64,
    events: Vec<Event>,
    /// Calls that were ever recorded.
    recorded: u64,
}

impl Ticket {
    /// Whether it is a probe.
    pub fn is_probe(&self) -> bool {
        self.probe
    }
}

impl Oracle {
    /// A closed breaker.
    pub fn new(setup: Setup) -> Self {
        Self { setup, phase: Phase::Closed { failures: 0 }, generation: 0, events: Vec::new(), recorded: 0 }
    }

    /// How many phases ago the call was admitted.
    pub fn age(&self, ticket: &Ticket) -> u64 {
        self.generation - ticket.generation
    }

    /// Admits a call, with the change of state if it is the first probe after the open time.
    pub fn acquire(&mut self, now: u64) -> Result<(Ticket, Option<Change>), Refused> {
        self.check(now)?;
        match self.phase {
            Phase::HalfOpen { probes, successes, until } if probes < self.setup.probes => {
                let until = self.later(until, now.saturating_add(self.setup.lease));
                self.phase = Phase::HalfOpen { probes: probes + 1, successes, until };
                Ok((self.ticket(true), None))
            }
            Phase::HalfOpen { .. } | Phase::Open { .. } => {
                let until = now.saturating_add(self.setup.lease);
                let was_open = self.state() == State::Open;
                let change =
                    self.begin(Phase::HalfOpen { probes: 1, successes: 0, until }, Cause::OpenTimeOver);
                Ok((self.ticket(true), was_open.then_some(change)))
            }
            Phase::Closed { .. } | Phase::ForcedClosed => Ok((self.ticket(false), None)),
            Phase::ForcedOpen => unreachable!("it refuses every call"),
        }
    }

    /// Whether a call would be refused.
    pub fn check(&self, now: u64) -> Result<(), Refused> {
        match self.phase {
            Phase::Closed { .. } | Phase::ForcedClosed => Ok(()),
            Phase::HalfOpen { probes, .. } if probes < self.setup.probes => Ok(()),
            Phase::ForcedOpen => Err((State::Open, None)),
            Phase::Open { until } | Phase::HalfOpen { until, .. } => {
                if until == NEVER {
                    return Err((self.state(), None));
                }
                let ahead = until.saturating_sub(now);
                if ahead == 0 || self.too_far(ahead) {
                    Ok(())
                } else {
                    Err((self.state(), Some(Duration::from_nanos(ahead))))
                }
            }
        }
    }

    /// Counts a result.
    pub fn settle(&mut self, ticket: Ticket, outcome: Outcome, now: u64) -> Settled {
        let current = ticket.generation == self.generation;
        if matches!(outcome, Outcome::Ignored | Outcome::Cancelled) {
            return self.give_back(ticket);
        }
        let failed = outcome == Outcome::Failure;
        match self.phase {
            Phase::ForcedClosed => Settled::Uncounted,
            _ if !current => Settled::Stale,
            Phase::Closed { failures } => {
                let met = self.record(failed, now);
                let failures = if failed { failures + 1 } else { 0 };
                let cause = if failed && self.setup.in_a_row > 0 && failures >= self.setup.in_a_row {
                    Cause::ConsecutiveFailures { failures }
                } else if let Some(Totals { calls, failures, .. }) = met {
                    Cause::FailureRate { calls, failures }
                } else {
                    self.phase = Phase::Closed { failures };
                    return Settled::Counted;
                };
                Settled::Changed(self.open(cause, now))
            }
            Phase::HalfOpen { .. } if failed => {
                Settled::Changed(self.open(Cause::ProbesFailed { failures: 1 }, now))
            }
            Phase::HalfOpen { probes, successes, until } => {
                let successes = successes + 1;
                if successes < self.setup.successes {
                    self.phase = Phase::HalfOpen { probes: probes - 1, successes, until };
                    return Settled::Counted;
                }
                self.events.clear();
                let cause = Cause::ProbesSucceeded { successes };
                Settled::Changed(self.begin(Phase::Closed { failures: 0 }, cause))
            }
            Phase::Open { .. } | Phase::ForcedOpen => unreachable!("no call is admitted in these phases"),
        }
    }

    /// Opens it by hand.
    pub fn trip(&mut self, now: u64) -> Change {
        self.open(Cause::Manual, now)
    }

    /// Holds it open or closed by hand.
    pub fn force(&mut self, open: bool) -> Change {
        self.begin(if open { Phase::ForcedOpen } else { Phase::ForcedClosed }, Cause::Manual)
    }

    /// Closes it by hand.
    pub fn reset(&mut self) -> Change {
        self.events.clear();
        self.begin(Phase::Closed { failures: 0 }, Cause::Manual)
    }

    /// What can be seen from outside.
    pub fn view(&self, now: u64) -> View {
        let (probes, successes) = match self.phase {
            Phase::HalfOpen { probes, successes, .. } => (probes, successes),
            _ => (0, 0),
        };
        View {
            state: self.state(),
            forced: matches!(self.phase, Phase::ForcedOpen | Phase::ForcedClosed),
            generation: self.shown_generation(),
            failures: match self.phase {
                Phase::Closed { failures } if self.setup.in_a_row > 0 => failures,
                _ => 0,
            },
            probes,
            successes,
            window: self.totals(now),
            retry_after: match self.check(now) {
                Err((State::Open, retry_after)) => retry_after,
                _ => None,
            },
        }
    }

    fn state(&self) -> State {
        match self.phase {
            Phase::Closed { .. } | Phase::ForcedClosed => State::Closed,
            Phase::HalfOpen { .. } => State::HalfOpen,
            Phase::Open { .. } | Phase::ForcedOpen => State::Open,
        }
    }

    fn shown_generation(&self) -> u32 {
        u32::try_from(self.generation % 1024).expect("it is less than 1024")
    }

    fn ticket(&self, probe: bool) -> Ticket {
        Ticket { generation: self.generation, probe }
    }

    /// A probe that says nothing frees its place.
    fn give_back(&mut self, ticket: Ticket) -> Settled {
        if !ticket.probe {
            return Settled::Uncounted;
        }
        match &mut self.phase {
            Phase::HalfOpen { probes, .. } if ticket.generation == self.generation => {
                *probes -= 1;
                Settled::Uncounted
            }
            _ => Settled::Stale,
        }
    }

    fn open(&mut self, cause: Cause, now: u64) -> Change {
        self.events.clear();
        self.begin(Phase::Open { until: now.saturating_add(self.setup.open_for) }, cause)
    }

    fn begin(&mut self, phase: Phase, cause: Cause) -> Change {
        let from = self.state();
        self.phase = phase;
        self.generation += 1;
        Change { from, to: self.state(), cause, generation: self.shown_generation() }
    }

    /// A deadline further ahead than two of the longest intervals is taken to be past.
    fn too_far(&self, ahead: u64) -> bool {
        u128::from(ahead) > 2 * u128::from(self.setup.open_for.max(self.setup.lease))
    }

    /// The later of a deadline that holds and a new one.
    fn later(&self, old: u64, new: u64) -> u64 {
        if old == NEVER || (old > new && !self.too_far(old - new)) { old } else { new }
    }

    /// Keeps a call if there is a rate rule, and returns the sums if it is met.
    fn record(&mut self, failed: bool, now: u64) -> Option<Totals> {
        let rule = self.setup.rate?;
        let bucket = match rule.span {
            Span::Time(width) => now / width,
            Span::Calls(calls) => self.recorded / width_of(calls),
        };
        self.recorded += 1;
        self.events.push(Event { bucket, failed });
        let sums = self.totals(now);
        let share = u64::from(sums.failures) * u64::from(rule.share.denominator())
            >= u64::from(sums.calls) * u64::from(rule.share.numerator());
        let asked = failed || !self.setup.on_failure_only;
        (asked && share && sums.calls >= rule.minimum).then_some(sums)
    }

    fn totals(&self, now: u64) -> Totals {
        let Some(rule) = self.setup.rate else { return Totals::ZERO };
        let (current, live) = match rule.span {
            Span::Time(width) => (now / width, SLOTS as u64),
            Span::Calls(calls) => {
                let width = width_of(calls);
                (self.recorded.saturating_sub(1) / width, u64::from(calls).div_ceil(width))
            }
        };
        let mut sums = Totals::ZERO;
        for event in self.events.iter().filter(|event| event.bucket + live > current) {
            sums.calls += 1;
            sums.failures += u32::from(event.failed);
        }
        sums
    }
}

/// The calls of a bucket.
fn width_of(calls: u32) -> u64 {
    u64::from(calls).div_ceil(SLOTS as u64)
}
