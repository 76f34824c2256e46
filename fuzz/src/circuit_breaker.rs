//! What must hold for any sequence of operations on a circuit breaker: it answers as a plain, sequential one does.

use std::time::Duration;

use arbitrary::{Arbitrary, Result, Unstructured};
use seawall_core::circuit_breaker::{Config, Permit, Rejected, Settlement, Ticket, Transition};
use seawall_core::{CircuitBreaker, Instant, Outcome, Ratio, window};

#[path = "circuit_breaker/oracle.rs"]
pub(crate) mod oracle;

use oracle::{Change, Ending, NEVER, Oracle, Rate, Refused, SLOTS, Settled, Setup, Span, View};

/// The unit of every duration here. It is a whole number of the coarse ticks that 32-bit words count, so that deadlines
/// are exact on every layout.
const STEP: u64 = 1_000_000;

/// More calls than this in flight are not kept track of.
const MOST_IN_FLIGHT: usize = 80;

/// A configuration and what is done to the breaker.
#[derive(Clone, Debug)]
pub struct Script {
    /// The configuration.
    pub setup: Setup,
    /// The operations, one after the other.
    pub operations: Vec<Operation>,
}

/// One operation. A call in flight is named by any number, modulo how many there are.
#[derive(Clone, Copy, Debug)]
pub enum Operation {
    /// A call asks, and stays in flight if it is admitted.
    Acquire,
    /// A call in flight ends.
    Settle {
        /// Which one.
        call: u8,
        /// How.
        outcome: Outcome,
    },
    /// A call asks, and ends at once.
    Call {
        /// How.
        outcome: Outcome,
        /// After how many steps the peer wants to be asked again, if it said so.
        asks: Option<u8>,
    },
    /// A call asks, and drops its permit.
    Cancel,
    /// A call in flight never reports.
    Lose {
        /// Which one.
        call: u8,
    },
    /// Time passes.
    Advance {
        /// In steps.
        steps: u16,
    },
    /// Time passes until the breaker said to come back, or until one step before that.
    ComeBack {
        /// Whether it is one step too early.
        early: bool,
    },
    /// The clock steps back.
    StepBack {
        /// In steps.
        steps: u16,
    },
    /// It is opened by hand.
    Trip,
    /// It is held open or closed by hand.
    Force {
        /// Open.
        open: bool,
    },
    /// Shadow mode begins or ends by hand.
    Shadow {
        /// It begins.
        on: bool,
    },
    /// It is reset by hand, so often and once more.
    Reset {
        /// How often.
        more: u16,
    },
}

/// Reads a script from bytes and runs it.
///
/// # Panics
///
/// If the breaker and the oracle disagree.
pub fn check(bytes: &[u8]) {
    if let Ok(script) = Script::arbitrary(&mut Unstructured::new(bytes)) {
        run(&script);
    }
}

/// Runs a script on a breaker and on the oracle.
///
/// # Panics
///
/// If they disagree.
pub fn run(script: &Script) {
    let mut pair = Pair::new(script.setup);
    for &operation in &script.operations {
        pair.apply(operation);
        pair.compare(operation);
    }
}

/// The breaker, the oracle, and the calls in flight on both.
struct Pair {
    breaker: CircuitBreaker<SLOTS>,
    oracle: Oracle,
    in_flight: Vec<(Ticket, oracle::Ticket)>,
    now: u64,
    /// Where the clock stays: 32-bit words tell deadlines from the past only so far.
    last: u64,
    steps_back: bool,
}

impl Pair {
    fn new(setup: Setup) -> Self {
        let narrow = cfg!(seawall_word32);
        Self {
            breaker: CircuitBreaker::new(config_of(&setup)),
            oracle: Oracle::new(setup),
            in_flight: Vec::new(),
            now: 0,
            last: if narrow { setup.longest().saturating_mul(200) } else { 1 << 52 },
            // A window of time has its own tests for that.
            steps_back: !matches!(setup.rate, Some(Rate { span: Span::Time(_), .. })),
        }
    }

    fn instant(&self) -> Instant {
        Instant::from_nanos(self.now)
    }

    fn advance(&mut self, nanos: u64) {
        self.now = self.now.saturating_add(nanos).min(self.last);
    }

    fn apply(&mut self, operation: Operation) {
        match operation {
            Operation::Acquire => {
                if let Some(call) = self.acquire()
                    && self.in_flight.len() < MOST_IN_FLIGHT
                {
                    self.in_flight.push(call);
                }
            }
            Operation::Settle { call, outcome } => {
                if let Some((ticket, expected)) = self.take(call) {
                    self.settle(ticket, expected, self.ending(outcome, None));
                }
            }
            Operation::Call { outcome, asks } => {
                if let Some((ticket, expected)) = self.acquire() {
                    let asks = asks.map(|steps| Duration::from_nanos(u64::from(steps) * STEP));
                    self.settle(ticket, expected, self.ending(outcome, asks));
                }
            }
            Operation::Cancel => self.cancel(),
            Operation::Lose { call } => drop(self.take(call)),
            Operation::Advance { steps } => self.advance(u64::from(steps) * STEP),
            Operation::ComeBack { early } => {
                if let Some(wait) = self.oracle.wait(self.now) {
                    let nanos = u64::try_from(wait.as_nanos()).expect("a deadline is an instant");
                    self.advance(nanos.saturating_sub(if early { STEP } else { 0 }));
                }
            }
            Operation::StepBack { steps } => {
                if self.steps_back {
                    self.now = self.now.saturating_sub(u64::from(steps) * STEP);
                }
            }
            Operation::Trip => same_change(self.breaker.trip(self.instant()), self.oracle.trip(self.now)),
            Operation::Force { open } => {
                let change = if open { self.breaker.force_open() } else { self.breaker.force_closed() };
                same_change(change, self.oracle.force(open));
            }
            Operation::Shadow { on } => same_change(self.breaker.shadow(on), self.oracle.set_shadow(on)),
            Operation::Reset { more } => {
                for _ in 0..=more {
                    same_change(self.breaker.reset(self.instant()), self.oracle.reset());
                }
            }
        }
    }

    /// A call in flight by its number; none if it was admitted so many phases ago that it would seem to be of this one.
    fn take(&mut self, call: u8) -> Option<(Ticket, oracle::Ticket)> {
        if self.in_flight.is_empty() {
            return None;
        }
        let taken = self.in_flight.swap_remove(usize::from(call) % self.in_flight.len());
        let age = self.oracle.age(&taken.1);
        (age == 0 || !age.is_multiple_of(1024)).then_some(taken)
    }

    fn ending(&self, outcome: Outcome, retry_after: Option<Duration>) -> Ending {
        Ending { outcome, retry_after, at: self.now }
    }

    fn acquire(&mut self) -> Option<(Ticket, oracle::Ticket)> {
        let asked = self.breaker.try_acquire(self.instant());
        // Where a draw decides, the oracle believes the breaker; how often it falls how is a matter of other tests.
        let drawn = asked.as_ref().is_ok_and(|permit| permit.would_reject().is_none());
        match (asked, self.oracle.acquire(drawn, self.now)) {
            (Ok(permit), Ok((ticket, change))) => {
                assert_eq!(permit.is_probe(), ticket.is_probe());
                assert_eq!(permit.transition().map(seen), change);
                assert_eq!(permit.would_reject().map(refused), ticket.would_reject());
                Some((permit.into_ticket(), ticket))
            }
            (Err(rejected), Err(expected)) => {
                assert_eq!(refused(rejected), expected);
                None
            }
            (real, expected) => panic!("the breaker says {real:?}, expected {expected:?}"),
        }
    }

    fn settle(&mut self, ticket: Ticket, expected: oracle::Ticket, ending: Ending) {
        let Ending { outcome, retry_after, .. } = ending;
        let settlement = self.breaker.settle_with(ticket, outcome, retry_after, self.instant());
        let expected = self.oracle.settle(expected, ending);
        let same = match (settlement, expected) {
            (Settlement::Counted, Settled::Counted)
            | (Settlement::Uncounted, Settled::Uncounted)
            | (Settlement::Stale, Settled::Stale) => true,
            (Settlement::Changed(transition), Settled::Changed(change)) => seen(transition) == change,
            _ => false,
        };
        assert!(same, "{outcome:?} settles as {settlement:?}, expected {expected:?}");
    }

    fn cancel(&mut self) {
        let asked = self.breaker.try_acquire(self.instant());
        let drawn = asked.as_ref().is_ok_and(|permit| permit.would_reject().is_none());
        match (asked.map(drop::<Permit<'_, SLOTS>>), self.oracle.acquire(drawn, self.now)) {
            (Ok(()), Ok((ticket, _))) => {
                self.oracle.settle(ticket, self.ending(Outcome::Cancelled, None));
            }
            (Err(_), Err(_)) => {}
            (real, expected) => panic!("the breaker says {real:?}, expected {expected:?}"),
        }
    }

    fn compare(&self, after: Operation) {
        let status = self.breaker.status(self.instant());
        let view = View {
            state: status.state,
            forced: status.forced,
            shadow: status.shadow,
            ramping: status.ramping,
            generation: status.generation,
            failures: status.consecutive_failures,
            probes: status.probes,
            successes: status.successes,
            failed_probes: status.failed_probes,
            window: status.window,
            retry_after: status.retry_after,
        };
        assert_eq!(view, self.oracle.view(self.now), "after {after:?}");
        let check = self.breaker.check(self.instant()).map_err(refused);
        assert_eq!(check, self.oracle.check(self.now), "after {after:?}");
    }
}

fn refused(rejected: Rejected) -> Refused {
    let Rejected { reason, retry_after, .. } = rejected;
    (reason, retry_after)
}

fn seen(transition: Transition) -> Change {
    let Transition { from, to, cause, generation, .. } = transition;
    Change { from, to, cause, generation }
}

fn same_change(transition: Transition, expected: Change) {
    assert_eq!(seen(transition), expected);
}

fn config_of(setup: &Setup) -> Config {
    let duration = |nanos| if nanos == NEVER { Duration::MAX } else { Duration::from_nanos(nanos) };
    let mut config = match setup.rate {
        None => Config::consecutive_failures(setup.in_a_row),
        Some(Rate { share, slow, minimum, span }) => {
            let span = match span {
                Span::Time(width) => window::Span::time(Duration::from_nanos(width * SLOTS as u64)),
                Span::Calls(calls) => window::Span::calls(calls),
            };
            let mut config = match (share, slow) {
                (Some(share), _) => Config::failure_rate(share, span, minimum),
                (None, Some((share, limit))) => Config::slow_call_rate(share, duration(limit), span, minimum),
                (None, None) => unreachable!("a rate rule has a share"),
            };
            if let Some((share, limit)) = slow {
                config = config.or_slow_call_rate(share, duration(limit));
            }
            if setup.in_a_row > 0 { config.or_consecutive_failures(setup.in_a_row) } else { config }
        }
    };
    if setup.on_failure_only {
        config = config.evaluate_on_failure_only();
    }
    if let Some(n) = setup.failed_probes {
        config = config.probe_failures_to_open(n);
    }
    if let Some((share, of)) = setup.close_below {
        config = config.close_below(share, of);
    }
    if let Some(longest) = setup.honored {
        config = config.honor_retry_after(duration(longest));
    }
    if let Some((over, from)) = setup.ramp {
        config = config.ramp(duration(over), from);
    }
    if setup.shadow {
        config = config.in_shadow();
    }
    config
        .open_for(duration(setup.open_for))
        .probe_lease_of(duration(setup.lease))
        .probes(setup.probes)
        .successes_to_close(setup.successes)
}

impl Script {
    /// A setup from small numbers, whatever they are.
    #[must_use]
    pub fn setup(numbers: [u8; 18]) -> Setup {
        let [rules, in_a_row, percent, minimum, span, open, lease, probes, successes, flags, more @ ..] =
            numbers;
        let [more_flags, slow_percent, slow, failed_probes, judged, honored, ramp, from] = more;
        let steps = |number: u8| match number {
            // An interval without end leaves a 32-bit word no room to be exact in.
            255 if cfg!(not(seawall_word32)) => NEVER,
            number => (u64::from(number) + 1) * STEP,
        };
        let small = |number: u8| u32::from(number % 8) + 1;
        let span = if flags & 2 == 0 {
            Span::Time(u64::from(span % 64 + 1) * STEP)
        } else {
            Span::Calls(u32::from(span % 32) + 1)
        };
        let most = match span {
            Span::Time(_) => u32::MAX,
            Span::Calls(calls) => calls,
        };
        let share = Ratio::percent(u32::from(percent % 100) + 1);
        let percent = |number: u8| Ratio::percent(u32::from(number % 100) + 1);
        let slow_rule = (percent(slow_percent), u64::from(slow % 32 + 1) * STEP);
        let (share, slow) = match more_flags % 4 {
            0 => (None, Some(slow_rule)),
            1 => (Some(share), Some(slow_rule)),
            _ => (Some(share), None),
        };
        let rate = Rate { share, slow, minimum: small(minimum).min(most), span };
        let open_for = steps(open);
        Setup {
            in_a_row: if rules % 3 == 1 { 0 } else { small(in_a_row) },
            rate: (rules % 3 > 0).then_some(rate),
            on_failure_only: flags & 1 != 0,
            open_for,
            probes: if probes == 255 { 15 } else { small(probes) },
            successes: if successes == 255 { 31 } else { small(successes) },
            failed_probes: (more_flags & 4 != 0).then(|| small(failed_probes)),
            close_below: (more_flags & 8 != 0).then(|| (percent(judged), u32::from(judged % 31) + 1)),
            lease: if flags & 4 == 0 { open_for } else { steps(lease) },
            honored: (more_flags & 16 != 0).then(|| steps(honored)),
            // A ramp from nothing or from the whole leaves no draw open to begin with.
            ramp: (more_flags & 32 != 0)
                .then(|| (steps(ramp), [Ratio::ZERO, Ratio::ONE, percent(from)][usize::from(from) % 3])),
            shadow: more_flags >> 6 == 0,
        }
    }
}

impl<'a> Arbitrary<'a> for Script {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> Result<Self> {
        let setup = Self::setup(bytes.arbitrary()?);
        let mut operations = Vec::new();
        while !bytes.is_empty() && operations.len() < 1000 {
            operations.push(bytes.arbitrary()?);
        }
        Ok(Self { setup, operations })
    }
}

impl<'a> Arbitrary<'a> for Operation {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> Result<Self> {
        Ok(match bytes.arbitrary::<u8>()? % 17 {
            0 | 1 => Self::Acquire,
            2 | 3 => Self::Settle { call: bytes.arbitrary()?, outcome: outcome(bytes)? },
            4 => Self::Call { outcome: outcome(bytes)?, asks: None },
            5 => Self::Call { outcome: outcome(bytes)?, asks: Some(bytes.arbitrary()?) },
            6 => Self::Cancel,
            7 => Self::Lose { call: bytes.arbitrary()? },
            8 => Self::Advance { steps: u16::from(bytes.arbitrary::<u8>()?) },
            9 => Self::Advance { steps: bytes.arbitrary()? },
            10 => Self::ComeBack { early: false },
            11 => Self::ComeBack { early: true },
            12 => Self::StepBack { steps: bytes.arbitrary()? },
            13 => Self::Trip,
            14 => Self::Force { open: bytes.arbitrary()? },
            15 => Self::Shadow { on: bytes.arbitrary()? },
            _ => Self::Reset { more: bytes.arbitrary::<u16>()? % 2048 },
        })
    }
}

fn outcome(bytes: &mut Unstructured<'_>) -> Result<Outcome> {
    const OUTCOMES: [Outcome; 5] =
        [Outcome::Success, Outcome::Failure, Outcome::Ignored, Outcome::Cancelled, Outcome::Slow];
    Ok(OUTCOMES[usize::from(bytes.arbitrary::<u8>()? % 5)])
}
