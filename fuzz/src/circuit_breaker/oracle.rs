//! A circuit breaker as one would write it without threads: a plain struct, every event kept, nothing packed.
//!
//! It is written from the documentation of the real one and shares no code with it.

use std::time::Duration;

use seawall_core::circuit_breaker::{Cause, Reason, State};
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
    /// How many of them must fail, if that was said.
    pub failed_probes: Option<u32>,
    /// The share of failures that decides, and among how many results.
    pub close_below: Option<(Ratio, u32)>,
    /// After what time a probe is lost.
    pub lease: u64,
    /// The longest open time that the peer may ask for.
    pub honored: Option<u64>,
    /// How long calls come back, and from what share on.
    pub ramp: Option<(u64, Ratio)>,
    /// Whether it starts in shadow mode.
    pub shadow: bool,
}

/// A rate of failures or of slow calls over a window.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// The share of failures that trips.
    pub share: Option<Ratio>,
    /// The share of slow calls that trips, and how long such a call takes.
    pub slow: Option<(Ratio, u64)>,
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
    Closed { failures: u32, ramp: Option<u64> },
    Open { until: u64 },
    HalfOpen { probes: u32, successes: u32, failed: u32, until: u64 },
    ForcedOpen,
    ForcedClosed,
}

const CLOSED: Phase = Phase::Closed { failures: 0, ramp: None };

/// An admitted call.
#[derive(Clone, Copy, Debug)]
pub struct Ticket {
    generation: u64,
    kind: Kind,
    started: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Plain,
    Probe,
    Refused(Refused),
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

/// A refusal: why, and after how long to come back.
pub type Refused = (Reason, Option<Duration>);

/// How a call ended.
#[derive(Clone, Copy, Debug)]
pub struct Ending {
    pub outcome: Outcome,
    pub retry_after: Option<Duration>,
    pub at: u64,
}

/// What can be seen from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
    pub state: State,
    pub forced: bool,
    pub shadow: bool,
    pub ramping: bool,
    pub generation: u32,
    pub failures: u32,
    pub probes: u32,
    pub successes: u32,
    pub failed_probes: u32,
    pub window: Totals,
    pub retry_after: Option<Duration>,
}

/// A call in the window.
#[derive(Clone, Copy, Debug)]
struct Event {
    bucket: u64,
    failed: bool,
    slow: bool,
}

/// The breaker.
#[derive(Debug)]
pub struct Oracle {
    setup: Setup,
    phase: Phase,
    shadow: bool,
    /// It never wraps; only what is shown of it does.
    generation: u64,
    events: Vec<Event>,
    /// Calls that were ever recorded.
    recorded: u64,
}

impl Ticket {
    /// Whether it is a probe.
    pub fn is_probe(&self) -> bool {
        self.kind == Kind::Probe
    }

    /// The refusal that shadow mode did not make.
    pub fn would_reject(&self) -> Option<Refused> {
        if let Kind::Refused(refused) = self.kind { Some(refused) } else { None }
    }
}

impl Oracle {
    /// A closed breaker.
    pub fn new(setup: Setup) -> Self {
        let (phase, shadow) = (CLOSED, setup.shadow);
        Self { setup, phase, shadow, generation: 0, events: Vec::new(), recorded: 0 }
    }

    /// How many phases ago the call was admitted.
    pub fn age(&self, ticket: &Ticket) -> u64 {
        self.generation - ticket.generation
    }

    /// Admits a call, with the change of state if it is the first probe after the open time.
    ///
    /// Where a draw decides, it falls as `drawn` says.
    pub fn acquire(&mut self, drawn: bool, now: u64) -> Result<(Ticket, Option<Change>), Refused> {
        if let Err(refused) = self.judge(now) {
            return self.refuse(refused, now);
        }
        match self.phase {
            Phase::HalfOpen { probes, successes, failed, until } if probes < self.setup.probes => {
                let until = self.later(until, now.saturating_add(self.setup.lease));
                self.phase = Phase::HalfOpen { probes: probes + 1, successes, failed, until };
                Ok((self.ticket(Kind::Probe, now), None))
            }
            Phase::HalfOpen { .. } | Phase::Open { .. } => {
                let until = now.saturating_add(self.setup.lease);
                let was_open = self.state() == State::Open;
                let phase = Phase::HalfOpen { probes: 1, successes: 0, failed: 0, until };
                let change = self.begin(phase, Cause::OpenTimeOver);
                Ok((self.ticket(Kind::Probe, now), was_open.then_some(change)))
            }
            Phase::Closed { failures, ramp: Some(until) } => {
                let Some(left) = self.left(until, now) else {
                    self.phase = Phase::Closed { failures, ramp: None };
                    return Ok((self.ticket(Kind::Plain, now), None));
                };
                let (over, from) = self.setup.ramp.expect("there is a ramp");
                let begins = left == NEVER || left >= over;
                if from == Ratio::ONE || (drawn && !(from == Ratio::ZERO && begins)) {
                    Ok((self.ticket(Kind::Plain, now), None))
                } else {
                    self.refuse((Reason::Ramping, duration(left)), now)
                }
            }
            Phase::Closed { ramp: None, .. } | Phase::ForcedClosed => {
                Ok((self.ticket(Kind::Plain, now), None))
            }
            Phase::ForcedOpen => unreachable!("it refuses every call"),
        }
    }

    fn refuse(&self, refused: Refused, now: u64) -> Result<(Ticket, Option<Change>), Refused> {
        if self.shadow { Ok((self.ticket(Kind::Refused(refused), now), None)) } else { Err(refused) }
    }

    /// Whether a call would be refused, apart from a draw.
    pub fn check(&self, now: u64) -> Result<(), Refused> {
        if self.shadow { Ok(()) } else { self.judge(now) }
    }

    /// After how long to come back to get further: to be admitted, or to be past the ramp.
    pub fn wait(&self, now: u64) -> Option<Duration> {
        match self.phase {
            Phase::Closed { ramp: Some(until), .. } => duration(self.left(until, now)?),
            _ => self.judge(now).err()?.1,
        }
    }

    /// What the breaker has to say, in shadow mode or not.
    fn judge(&self, now: u64) -> Result<(), Refused> {
        let (reason, until) = match self.phase {
            Phase::Closed { .. } | Phase::ForcedClosed => return Ok(()),
            Phase::HalfOpen { probes, .. } if probes < self.setup.probes => return Ok(()),
            Phase::ForcedOpen => return Err((Reason::ForcedOpen, None)),
            Phase::Open { until } => (Reason::Open, until),
            Phase::HalfOpen { until, .. } => (Reason::ProbesOut, until),
        };
        self.left(until, now).map_or(Ok(()), |left| Err((reason, duration(left))))
    }

    /// The time until a deadline, if it is ahead.
    fn left(&self, until: u64, now: u64) -> Option<u64> {
        if until == NEVER {
            return Some(NEVER);
        }
        let ahead = until.saturating_sub(now);
        (ahead > 0 && !self.too_far(ahead)).then_some(ahead)
    }

    /// Counts a result.
    pub fn settle(&mut self, ticket: Ticket, ending: Ending) -> Settled {
        let says_nothing = matches!(ending.outcome, Outcome::Ignored | Outcome::Cancelled);
        if says_nothing || ticket.would_reject().is_some() {
            return self.give_back(ticket);
        }
        let current = ticket.generation == self.generation;
        let failed = ending.outcome == Outcome::Failure;
        let slow_rule = self.setup.rate.and_then(|rate| rate.slow);
        let took = ending.at.saturating_sub(ticket.started);
        let slow = ending.outcome == Outcome::Slow || slow_rule.is_some_and(|(_, limit)| took >= limit);
        match self.phase {
            Phase::ForcedClosed => Settled::Uncounted,
            _ if !current => Settled::Stale,
            Phase::Closed { failures, ramp } => {
                let met = self.record(failed, slow, ending.at);
                let failures = if failed { failures + 1 } else { 0 };
                let row = failed && self.setup.in_a_row > 0 && failures >= self.setup.in_a_row;
                let row = row.then_some(Cause::ConsecutiveFailures { failures });
                if let Some(cause) = row.or(met) {
                    return Settled::Changed(self.open(cause, ending));
                }
                self.phase = Phase::Closed { failures, ramp };
                Settled::Counted
            }
            Phase::HalfOpen { probes, successes, failed: before, until } => {
                let failed = failed || (slow && slow_rule.is_some());
                let (successes, failures) =
                    if failed { (successes, before + 1) } else { (successes + 1, before) };
                self.phase = Phase::HalfOpen { probes: probes - 1, successes, failed: failures, until };
                self.decide(successes, failures, failed, ending)
            }
            Phase::Open { .. } | Phase::ForcedOpen => unreachable!("no call is admitted in these phases"),
        }
    }

    /// What so many results of probes say.
    fn decide(&mut self, successes: u32, failures: u32, failed: bool, ending: Ending) -> Settled {
        let calls = successes + failures;
        let rate = Cause::ProbeRate { calls, failures };
        let (opens, closes) = match (self.setup.close_below, self.setup.failed_probes) {
            (_, Some(most)) if failed && failures >= most => (Some(Cause::ProbesFailed { failures }), None),
            (Some((share, of)), _) if calls >= of => {
                let bad = u64::from(failures) * u64::from(share.denominator());
                let bad = bad >= u64::from(calls) * u64::from(share.numerator());
                (bad.then_some(rate), (!bad).then_some(rate))
            }
            (None, None) if failed => (Some(Cause::ProbesFailed { failures }), None),
            (None, _) if successes >= self.setup.successes => {
                (None, Some(Cause::ProbesSucceeded { successes }))
            }
            _ => (None, None),
        };
        if let Some(cause) = opens {
            return Settled::Changed(self.open(cause, ending));
        }
        let Some(cause) = closes else { return Settled::Counted };
        self.events.clear();
        let ramp = self.setup.ramp.map(|(over, _)| ending.at.saturating_add(over));
        Settled::Changed(self.begin(Phase::Closed { failures: 0, ramp }, cause))
    }

    /// Opens it by hand.
    pub fn trip(&mut self, now: u64) -> Change {
        self.leave_forced();
        self.open(Cause::Manual, Ending { outcome: Outcome::Failure, retry_after: None, at: now })
    }

    /// Holds it open or closed by hand.
    pub fn force(&mut self, open: bool) -> Change {
        self.shadow = false;
        self.begin(if open { Phase::ForcedOpen } else { Phase::ForcedClosed }, Cause::Manual)
    }

    /// Begins or ends shadow mode by hand.
    pub fn set_shadow(&mut self, on: bool) -> Change {
        if self.is_forced() && on {
            self.shadow = true;
            return self.begin(CLOSED, Cause::Manual);
        }
        self.shadow = on && !self.is_forced();
        let state = self.state();
        Change { from: state, to: state, cause: Cause::Manual, generation: self.shown_generation() }
    }

    /// Closes it by hand.
    pub fn reset(&mut self) -> Change {
        self.leave_forced();
        self.events.clear();
        self.begin(CLOSED, Cause::Manual)
    }

    fn is_forced(&self) -> bool {
        matches!(self.phase, Phase::ForcedOpen | Phase::ForcedClosed)
    }

    fn leave_forced(&mut self) {
        if self.is_forced() {
            self.shadow = self.setup.shadow;
        }
    }

    /// What can be seen from outside.
    pub fn view(&self, now: u64) -> View {
        let (probes, successes, failed_probes) = match self.phase {
            Phase::HalfOpen { probes, successes, failed, .. } => (probes, successes, failed),
            _ => (0, 0, 0),
        };
        View {
            state: self.state(),
            forced: self.is_forced(),
            shadow: self.shadow,
            ramping: matches!(self.phase, Phase::Closed { ramp: Some(_), .. }),
            generation: self.shown_generation(),
            failures: match self.phase {
                Phase::Closed { failures, .. } if self.setup.in_a_row > 0 => failures,
                _ => 0,
            },
            probes,
            successes,
            failed_probes,
            window: self.totals(now),
            retry_after: match self.judge(now) {
                Err((Reason::Open, retry_after)) => retry_after,
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

    fn ticket(&self, kind: Kind, started: u64) -> Ticket {
        Ticket { generation: self.generation, kind, started }
    }

    /// A probe that says nothing frees its place.
    fn give_back(&mut self, ticket: Ticket) -> Settled {
        match &mut self.phase {
            Phase::ForcedClosed => return Settled::Uncounted,
            _ if ticket.generation != self.generation => return Settled::Stale,
            Phase::HalfOpen { probes, .. } if ticket.is_probe() => *probes -= 1,
            _ => {}
        }
        Settled::Uncounted
    }

    fn open(&mut self, cause: Cause, ending: Ending) -> Change {
        self.events.clear();
        let asked = ending.retry_after.map(nanos).filter(|&asked| asked > 0);
        let asked = asked.and_then(|asked| Some(asked.min(self.setup.honored?)));
        let until = ending.at.saturating_add(asked.unwrap_or(self.setup.open_for));
        self.begin(Phase::Open { until }, cause)
    }

    fn begin(&mut self, phase: Phase, cause: Cause) -> Change {
        let from = self.state();
        self.phase = phase;
        self.generation += 1;
        Change { from, to: self.state(), cause, generation: self.shown_generation() }
    }

    /// A deadline further ahead than two of the longest intervals is taken to be past; where words are wide, than one and
    /// 4.29 s if that is more.
    fn too_far(&self, ahead: u64) -> bool {
        let longest = u128::from(self.setup.longest());
        let back = if cfg!(any(seawall_word32, not(target_has_atomic = "64"))) { 0 } else { 1 << 32 };
        u128::from(ahead) > longest + longest.max(back)
    }

    /// The later of a deadline that holds and a new one.
    fn later(&self, old: u64, new: u64) -> u64 {
        if old == NEVER || (old > new && !self.too_far(old - new)) { old } else { new }
    }

    /// Keeps a call if there is a rate rule, and returns the rule's cause if it is met.
    fn record(&mut self, failed: bool, slow: bool, now: u64) -> Option<Cause> {
        let rule = self.setup.rate?;
        let bucket = match rule.span {
            Span::Time(width) => now / width,
            Span::Calls(calls) => self.recorded / width_of(calls),
        };
        self.recorded += 1;
        self.events.push(Event { bucket, failed, slow });
        let Totals { calls, failures, slow, .. } = self.totals(now);
        let full = matches!(rule.span, Span::Calls(calls) if self.events.len() >= calls as usize);
        // The calls that the sums leave out are taken to have been well.
        let calls = if full { calls.max(rule.minimum) } else { calls };
        if calls < rule.minimum || (!failed && self.setup.on_failure_only) {
            return None;
        }
        let reaches = |part: u32, share: Ratio| {
            u64::from(part) * u64::from(share.denominator())
                >= u64::from(calls) * u64::from(share.numerator())
        };
        if rule.share.is_some_and(|share| reaches(failures, share)) {
            return Some(Cause::FailureRate { calls, failures });
        }
        rule.slow
            .is_some_and(|(share, _)| reaches(slow, share))
            .then_some(Cause::SlowCallRate { calls, slow })
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
            sums.slow += u32::from(event.slow);
        }
        sums
    }
}

impl Setup {
    /// The longest time that a deadline is ahead; a lease or a ramp without an end has none.
    pub fn longest(&self) -> u64 {
        let ending = |over| if over == u64::MAX { 0 } else { over };
        let ramp = self.ramp.map_or(0, |(over, _)| ending(over));
        self.open_for.max(ending(self.lease)).max(self.honored.unwrap_or(0)).max(ramp)
    }
}

/// A duration, or none for one without end.
fn duration(nanos: u64) -> Option<Duration> {
    (nanos != NEVER).then(|| Duration::from_nanos(nanos))
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(NEVER)
}

/// The calls of a bucket.
fn width_of(calls: u32) -> u64 {
    u64::from(calls).div_ceil(SLOTS as u64)
}
