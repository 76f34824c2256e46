//! What can happen, and how it fits four words.

use core::fmt;
use core::time::Duration;

use crate::admission::adaptive_concurrency::{self, Reason};
use crate::admission::adaptive_rate;
use crate::admission::circuit_breaker::{Cause, State, Transition};
use crate::atomic::bits::Field;
use crate::health::degradation::{Level, LevelChange};
use crate::health::error_budget::Edge;
use crate::health::{burn_rate, check, composite};

/// What happened: what a pattern returned, whole but for [`EventKind::Rate`].
///
/// An edge says nothing of the budget that it is of, so [`EventKind::Budget`] and [`EventKind::Latency`] are made by name; the
/// others are also made `From` what their pattern returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventKind {
    /// A circuit breaker changed its state.
    Breaker(Transition),
    /// An error budget crossed the line.
    Budget(Edge),
    /// A latency budget crossed the line.
    Latency(Edge),
    /// The service's level of degradation changed.
    Level(LevelChange),
    /// The health of a dependency changed.
    Health(check::Transition),
    /// An alert on a burn rate was raised or cleared.
    BurnRate(burn_rate::Edge),
    /// The health of a whole crossed the line.
    Composite(composite::Edge),
    /// A rate that follows the latency changed.
    Rate(RateChange),
    /// A limit on concurrent calls that follows their results changed.
    Concurrency(adaptive_concurrency::Adjustment),
}

/// What an event keeps of an [`adaptive_rate::Adjustment`]: not its bursts, its period and its number of samples.
///
/// # Examples
///
/// ```
/// use core::time::Duration;
/// use seawall_core::adaptive_rate::Adjustment;
/// use seawall_core::events::{Event, EventKind, EventRing};
/// use seawall_core::{Instant, rate_limiter::Quota};
///
/// static EVENTS: EventRing<8> = EventRing::new();
///
/// let lowered = Adjustment {
///     from: Quota::per_second(100),
///     to: Quota::per_second(90),
///     p95: Duration::from_millis(30),
///     samples: 57,
/// };
/// EVENTS.push(Event::new(Instant::from_secs(3), lowered));
/// let Some(EventKind::Rate(change)) = EVENTS.last().map(|event| event.kind) else { panic!("a change of a rate") };
/// assert_eq!((change.from, change.to, change.p95()), (100, 90, Duration::from_millis(30)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RateChange {
    /// The tokens of a period before.
    pub from: u32,
    /// The tokens of a period since.
    pub to: u32,
    /// Microseconds.
    p95: u32,
}

impl RateChange {
    /// The 95th percentile of the window, to the microsecond below and up to 71 minutes.
    pub const fn p95(&self) -> Duration {
        Duration::from_micros(self.p95 as u64)
    }

    /// Whether more calls are admitted now.
    pub const fn is_raise(&self) -> bool {
        self.to > self.from
    }
}

impl From<adaptive_rate::Adjustment> for RateChange {
    fn from(change: adaptive_rate::Adjustment) -> Self {
        let p95 = u32::try_from(change.p95.as_micros()).unwrap_or(u32::MAX);
        Self { from: change.from.tokens(), to: change.to.tokens(), p95 }
    }
}

/// Each kind from what its pattern returns.
macro_rules! from {
    ($($kind:ident($change:ty))*) => {$(
        impl From<$change> for EventKind {
            fn from(change: $change) -> Self {
                Self::$kind(change.into())
            }
        }
    )*};
}

from! {
    Breaker(Transition)
    Level(LevelChange)
    Health(check::Transition)
    BurnRate(burn_rate::Edge)
    Composite(composite::Edge)
    Rate(adaptive_rate::Adjustment)
    Concurrency(adaptive_concurrency::Adjustment)
}

/// Which kind of event.
const KIND: Field = Field::lowest(8);
/// The state or the level before.
const FROM: Field = KIND.then(4);
/// The state, the level or the side of the line since.
const TO: Field = FROM.then(4);
/// Why, for a breaker, for health and for a limit.
const CAUSE: Field = TO.then(8);
const REST: Field = CAUSE.then(8);
const _: () = assert!(REST.end() == u32::BITS);

const BREAKER: u32 = 1;
const BUDGET: u32 = 2;
const LEVEL: u32 = 3;
const LATENCY: u32 = 4;
const HEALTH: u32 = 5;
const BURN_RATE: u32 = 6;
const COMPOSITE: u32 = 7;
const RATE: u32 = 8;
const CONCURRENCY: u32 = 9;

impl EventKind {
    /// Which kind it is, as a word for logs: `burn_rate`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Breaker(_) => "breaker",
            Self::Budget(_) => "budget",
            Self::Latency(_) => "latency",
            Self::Level(_) => "level",
            Self::Health(_) => "health",
            Self::BurnRate(_) => "burn_rate",
            Self::Composite(_) => "composite",
            Self::Rate(_) => "rate",
            Self::Concurrency(_) => "concurrency",
        }
    }

    /// The kind with its flags, and three words as the kind says.
    pub(super) fn encode(self) -> [u32; 4] {
        match self {
            Self::Breaker(transition) => {
                let (cause, first, second) = encode_cause(transition.cause);
                let word = head(BREAKER, transition.from as u32, transition.to as u32);
                [CAUSE.set(word, cause), transition.generation, first, second]
            }
            Self::Budget(edge) => [head(BUDGET, 0, u32::from(edge == Edge::Exhausted)), 0, 0, 0],
            Self::Latency(edge) => [head(LATENCY, 0, u32::from(edge == Edge::Exhausted)), 0, 0, 0],
            Self::Level(change) => [head(LEVEL, change.from as u32, change.to as u32), 0, 0, 0],
            Self::Health(transition) => {
                let (cause, first, second) = encode_health(transition.cause);
                let word = head(HEALTH, transition.from as u32, transition.to as u32);
                [CAUSE.set(word, cause), first, second, 0]
            }
            Self::BurnRate(edge) => [head(BURN_RATE, 0, u32::from(edge == burn_rate::Edge::Raised)), 0, 0, 0],
            Self::Composite(edge) => {
                [head(COMPOSITE, 0, u32::from(edge == composite::Edge::Healthy)), 0, 0, 0]
            }
            Self::Rate(change) => [head(RATE, 0, 0), change.from, change.to, change.p95],
            Self::Concurrency(change) => {
                let reason = CAUSE.set(head(CONCURRENCY, 0, 0), encode_reason(change.reason));
                [reason, change.from, change.to, 0]
            }
        }
    }

    /// The kind of these words; `None` if no kind is encoded so.
    pub(super) fn decode([word, a, b, c]: [u32; 4]) -> Option<Self> {
        let (from, to) = (FROM.get(word), TO.get(word));
        Some(match KIND.get(word) {
            BREAKER => Self::Breaker(Transition {
                from: decode_state(from)?,
                to: decode_state(to)?,
                cause: decode_cause(CAUSE.get(word), b, c)?,
                generation: a,
            }),
            BUDGET if to == 0 => Self::Budget(Edge::Recovered),
            BUDGET => Self::Budget(Edge::Exhausted),
            LATENCY if to == 0 => Self::Latency(Edge::Recovered),
            LATENCY => Self::Latency(Edge::Exhausted),
            LEVEL => Self::Level(LevelChange { from: Level::from_bits(from), to: Level::from_bits(to) }),
            HEALTH => Self::Health(check::Transition {
                from: decode_status(from)?,
                to: decode_status(to)?,
                cause: decode_health(CAUSE.get(word), a, b)?,
            }),
            BURN_RATE if to == 0 => Self::BurnRate(burn_rate::Edge::Cleared),
            BURN_RATE => Self::BurnRate(burn_rate::Edge::Raised),
            COMPOSITE if to == 0 => Self::Composite(composite::Edge::Unhealthy),
            COMPOSITE => Self::Composite(composite::Edge::Healthy),
            RATE => Self::Rate(RateChange { from: a, to: b, p95: c }),
            CONCURRENCY => {
                let reason = decode_reason(CAUSE.get(word))?;
                Self::Concurrency(adaptive_concurrency::Adjustment { from: a, to: b, reason })
            }
            _ => return None,
        })
    }
}

/// The kind and what it is about, without the reason: `breaker: closed to open`.
impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = |state| match state {
            State::Closed => "closed",
            State::HalfOpen => "half-open",
            State::Open => "open",
        };
        write!(f, "{}: ", self.name())?;
        match self {
            Self::Breaker(change) => write!(f, "{} to {}", state(change.from), state(change.to)),
            Self::Budget(Edge::Exhausted) | Self::Latency(Edge::Exhausted) => f.write_str("exhausted"),
            Self::Budget(Edge::Recovered) | Self::Latency(Edge::Recovered) => f.write_str("recovered"),
            Self::Level(change) => write!(f, "{} to {}", change.from, change.to),
            Self::Health(change) => write!(f, "{} to {}", change.from, change.to),
            Self::BurnRate(burn_rate::Edge::Raised) => f.write_str("raised"),
            Self::BurnRate(burn_rate::Edge::Cleared) => f.write_str("cleared"),
            Self::Composite(composite::Edge::Healthy) => f.write_str("healthy"),
            Self::Composite(composite::Edge::Unhealthy) => f.write_str("unhealthy"),
            Self::Rate(change) => write!(f, "{} to {}", change.from, change.to),
            Self::Concurrency(change) => write!(f, "{} to {}", change.from, change.to),
        }
    }
}

const fn head(kind: u32, from: u32, to: u32) -> u32 {
    TO.set(FROM.set(KIND.set(0, kind), from), to)
}

const fn decode_state(bits: u32) -> Option<State> {
    match bits {
        0 => Some(State::Closed),
        1 => Some(State::HalfOpen),
        2 => Some(State::Open),
        _ => None,
    }
}

const _: () = assert!(State::Closed as u32 == 0 && State::HalfOpen as u32 == 1 && State::Open as u32 == 2);

const fn decode_status(bits: u32) -> Option<check::Status> {
    match bits {
        0 => Some(check::Status::Unknown),
        1 => Some(check::Status::Healthy),
        2 => Some(check::Status::Unhealthy),
        _ => None,
    }
}

const _: () = assert!(
    check::Status::Unknown as u32 == 0
        && check::Status::Healthy as u32 == 1
        && check::Status::Unhealthy as u32 == 2
);

const fn encode_health(cause: check::Cause) -> (u32, u32, u32) {
    match cause {
        check::Cause::Successes(n) => (1, n, 0),
        check::Cause::Failures(n) => (2, n, 0),
        check::Cause::SuccessRate { successes, results } => (3, successes, results),
        check::Cause::Stale => (4, 0, 0),
        check::Cause::Reset => (5, 0, 0),
    }
}

const fn decode_health(cause: u32, first: u32, second: u32) -> Option<check::Cause> {
    Some(match cause {
        1 => check::Cause::Successes(first),
        2 => check::Cause::Failures(first),
        3 => check::Cause::SuccessRate { successes: first, results: second },
        4 => check::Cause::Stale,
        5 => check::Cause::Reset,
        _ => return None,
    })
}

const fn encode_reason(reason: Reason) -> u32 {
    match reason {
        Reason::Bad => 1,
        Reason::Room => 2,
        Reason::Latency => 3,
        Reason::Probe => 4,
        Reason::ProbeOver => 5,
    }
}

const fn decode_reason(reason: u32) -> Option<Reason> {
    Some(match reason {
        1 => Reason::Bad,
        2 => Reason::Room,
        3 => Reason::Latency,
        4 => Reason::Probe,
        5 => Reason::ProbeOver,
        _ => return None,
    })
}

const fn encode_cause(cause: Cause) -> (u32, u32, u32) {
    match cause {
        Cause::ConsecutiveFailures { failures } => (1, failures, 0),
        Cause::FailureRate { calls, failures } => (2, calls, failures),
        Cause::OpenTimeOver => (3, 0, 0),
        Cause::ProbesFailed { failures } => (4, failures, 0),
        Cause::ProbesSucceeded { successes } => (5, successes, 0),
        Cause::Manual => (6, 0, 0),
        Cause::SlowCallRate { calls, slow } => (7, calls, slow),
        Cause::ProbeRate { calls, failures } => (8, calls, failures),
    }
}

const fn decode_cause(cause: u32, first: u32, second: u32) -> Option<Cause> {
    Some(match cause {
        1 => Cause::ConsecutiveFailures { failures: first },
        2 => Cause::FailureRate { calls: first, failures: second },
        3 => Cause::OpenTimeOver,
        4 => Cause::ProbesFailed { failures: first },
        5 => Cause::ProbesSucceeded { successes: first },
        6 => Cause::Manual,
        7 => Cause::SlowCallRate { calls: first, slow: second },
        8 => Cause::ProbeRate { calls: first, failures: second },
        _ => return None,
    })
}

#[cfg(all(test, not(loom)))]
mod tests {
    extern crate std;
    use std::string::ToString;
    use std::vec::Vec;

    use super::*;
    use crate::admission::rate_limiter::Quota;

    #[test]
    fn every_kind_comes_back_as_it_was() {
        let states = [State::Closed, State::HalfOpen, State::Open];
        let causes = [
            Cause::ConsecutiveFailures { failures: u32::MAX },
            Cause::FailureRate { calls: u32::MAX, failures: 7 },
            Cause::OpenTimeOver,
            Cause::ProbesFailed { failures: 2 },
            Cause::ProbesSucceeded { successes: 3 },
            Cause::Manual,
            Cause::SlowCallRate { calls: 9, slow: 5 },
            Cause::ProbeRate { calls: 9, failures: 5 },
        ];
        let mut kinds: Vec<_> = [Edge::Exhausted, Edge::Recovered].map(EventKind::Budget).into();
        kinds.extend([Edge::Exhausted, Edge::Recovered].map(EventKind::Latency));
        for from in Level::ALL {
            kinds.extend(Level::ALL.map(|to| EventKind::Level(LevelChange { from, to })));
        }
        for from in states {
            for to in states {
                kinds.extend(
                    causes.map(|cause| EventKind::Breaker(Transition { from, to, cause, generation: 1023 })),
                );
            }
        }
        kinds.extend([burn_rate::Edge::Raised, burn_rate::Edge::Cleared].map(EventKind::from));
        kinds.extend([composite::Edge::Healthy, composite::Edge::Unhealthy].map(EventKind::from));
        let health = [
            check::Cause::Successes(u32::MAX),
            check::Cause::Failures(u32::MAX),
            check::Cause::SuccessRate { successes: 3, results: u32::MAX },
            check::Cause::Stale,
            check::Cause::Reset,
        ];
        for from in STATUSES {
            for to in STATUSES {
                kinds.extend(health.map(|cause| EventKind::from(check::Transition { from, to, cause })));
            }
        }
        let reasons = [Reason::Bad, Reason::Room, Reason::Latency, Reason::Probe, Reason::ProbeOver];
        for (from, to) in [(u32::MAX, 1), (1, u32::MAX)] {
            kinds.extend(
                reasons.map(|reason| {
                    EventKind::Concurrency(adaptive_concurrency::Adjustment { from, to, reason })
                }),
            );
            kinds.extend([rate(from, to, Duration::ZERO), rate(from, to, Duration::MAX)]);
        }
        let words: Vec<_> = kinds.iter().map(|kind| kind.encode()).collect();
        for (i, (kind, word)) in kinds.iter().zip(&words).enumerate() {
            assert_eq!(EventKind::decode(*word), Some(*kind));
            assert!(!words[..i].contains(word), "{kind:?}");
        }
    }

    const STATUSES: [check::Status; 3] =
        [check::Status::Unknown, check::Status::Healthy, check::Status::Unhealthy];

    fn rate(from: u32, to: u32, p95: Duration) -> EventKind {
        let (from, to) = (Quota::per_second(from), Quota::per_second(to));
        adaptive_rate::Adjustment { from, to, p95, samples: 9 }.into()
    }

    #[test]
    fn of_a_rate_its_tokens_and_the_latency_are_kept() {
        for (p95, kept) in [
            (Duration::from_nanos(1999), Duration::from_micros(1)),
            (Duration::from_secs(4294), Duration::from_secs(4294)),
            (Duration::from_secs(4295), Duration::from_micros(u32::MAX.into())),
        ] {
            let EventKind::Rate(change) = rate(100, 90, p95) else { panic!("a rate") };
            assert_eq!((change.from, change.to, change.p95(), change.is_raise()), (100, 90, kept, false));
            assert_eq!(EventKind::decode(EventKind::Rate(change).encode()), Some(EventKind::Rate(change)));
        }
        let EventKind::Rate(change) = rate(100, 105, Duration::ZERO) else { panic!("a rate") };
        assert!(change.is_raise() && !RateChange { to: 100, ..change }.is_raise());
    }

    #[test]
    fn a_kind_is_told_in_words() {
        let told = |kind: EventKind| (kind.name(), kind.to_string());
        let opened = Transition { from: State::Closed, to: State::Open, cause: Cause::Manual, generation: 1 };
        let half_opened = Transition { from: State::Open, to: State::HalfOpen, ..opened };
        let fell = LevelChange { from: Level::Normal, to: Level::SeverelyDegraded };
        let failed = check::Transition {
            from: check::Status::Unknown,
            to: check::Status::Unhealthy,
            cause: check::Cause::Stale,
        };
        let limit = adaptive_concurrency::Adjustment { from: 10, to: 9, reason: Reason::Bad };
        for (kind, name, text) in [
            (opened.into(), "breaker", "breaker: closed to open"),
            (half_opened.into(), "breaker", "breaker: open to half-open"),
            (EventKind::Budget(Edge::Exhausted), "budget", "budget: exhausted"),
            (EventKind::Budget(Edge::Recovered), "budget", "budget: recovered"),
            (EventKind::Latency(Edge::Exhausted), "latency", "latency: exhausted"),
            (EventKind::Latency(Edge::Recovered), "latency", "latency: recovered"),
            (fell.into(), "level", "level: normal to severely_degraded"),
            (failed.into(), "health", "health: unknown to unhealthy"),
            (burn_rate::Edge::Raised.into(), "burn_rate", "burn_rate: raised"),
            (burn_rate::Edge::Cleared.into(), "burn_rate", "burn_rate: cleared"),
            (composite::Edge::Healthy.into(), "composite", "composite: healthy"),
            (composite::Edge::Unhealthy.into(), "composite", "composite: unhealthy"),
            (rate(100, 90, Duration::ZERO), "rate", "rate: 100 to 90"),
            (limit.into(), "concurrency", "concurrency: 10 to 9"),
        ] {
            assert_eq!(told(kind), (name, text.to_string()));
        }
    }

    #[test]
    fn words_that_say_nothing_are_no_event() {
        assert_eq!(EventKind::decode([0; 4]), None);
        assert_eq!(EventKind::decode([u32::MAX; 4]), None);
        for kind in [BREAKER, HEALTH, CONCURRENCY, CONCURRENCY + 1] {
            assert_eq!(EventKind::decode([kind, 0, 0, 0]), None, "{kind}: no cause");
            assert_eq!(EventKind::decode([CAUSE.set(kind, 99), 0, 0, 0]), None, "{kind}: no such cause");
        }
        assert_eq!(EventKind::decode([CAUSE.set(head(HEALTH, 3, 0), 1), 0, 0, 0]), None);
        assert_eq!(EventKind::decode([CAUSE.set(head(HEALTH, 0, 3), 1), 0, 0, 0]), None);
    }
}
