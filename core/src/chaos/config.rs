//! Which faults, how often and when.

use core::time::Duration;

use crate::config::ConfigError;
use crate::ratio::Ratio;
use crate::time::nanos;

/// How many rules there is room for.
pub const MAX_RULES: usize = 8;
/// The most threads that a fault keeps busy.
pub const MAX_THREADS: u32 = 64;
/// The most bytes that a fault takes: 1 GiB.
pub const MAX_BYTES: u32 = 1 << 30;
/// The longest that a fault lasts.
pub const MAX_TIME: Duration = Duration::from_secs(3600);

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The attempt begins late, by a time drawn evenly from `min` up to and without `max`; equal bounds are that time.
    Latency {
        /// The shortest delay.
        min: Duration,
        /// The delays are shorter than this.
        max: Duration,
    },
    /// The attempt fails at once.
    Error,
    /// There is no answer for this time, unless the attempt's own timeout comes first; then the attempt has timed out.
    Timeout {
        /// How long there is no answer.
        after: Duration,
    },
    /// The attempt panics.
    Panic,
    /// The dependency cannot be reached: every attempt fails at once, for this time.
    Partition {
        /// How long.
        time: Duration,
    },
    /// Processors are kept busy beside the attempt.
    Cpu {
        /// How many threads.
        threads: u32,
        /// The share of the time for which each is busy.
        share: Ratio,
        /// How long.
        time: Duration,
    },
    /// Memory is taken, and given back after the time.
    Memory {
        /// How much.
        bytes: u32,
        /// How long it is held.
        time: Duration,
    },
    /// A temporary file is written, and removed after the time.
    Disk {
        /// How much.
        bytes: u32,
        /// How long it is kept.
        time: Duration,
    },
}

/// The kind of a fault: a short, bounded set of labels for metrics and logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[non_exhaustive]
pub enum Kind {
    /// [`Fault::Latency`].
    Latency = 0,
    /// [`Fault::Error`].
    Error = 1,
    /// [`Fault::Timeout`].
    Timeout = 2,
    /// [`Fault::Panic`].
    Panic = 3,
    /// [`Fault::Partition`].
    Partition = 4,
    /// [`Fault::Cpu`].
    Cpu = 5,
    /// [`Fault::Memory`].
    Memory = 6,
    /// [`Fault::Disk`].
    Disk = 7,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::Latency,
        Self::Error,
        Self::Timeout,
        Self::Panic,
        Self::Partition,
        Self::Cpu,
        Self::Memory,
        Self::Disk,
    ];

    /// The kind's name in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Latency => "latency",
            Self::Error => "error",
            Self::Timeout => "timeout",
            Self::Panic => "panic",
            Self::Partition => "partition",
            Self::Cpu => "cpu",
            Self::Memory => "memory",
            Self::Disk => "disk",
        }
    }
}

impl Fault {
    /// Its kind.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Latency { .. } => Kind::Latency,
            Self::Error => Kind::Error,
            Self::Timeout { .. } => Kind::Timeout,
            Self::Panic => Kind::Panic,
            Self::Partition { .. } => Kind::Partition,
            Self::Cpu { .. } => Kind::Cpu,
            Self::Memory { .. } => Kind::Memory,
            Self::Disk { .. } => Kind::Disk,
        }
    }

    const fn validate(&self) -> Result<(), ConfigError> {
        let time = match *self {
            Self::Latency { min, max } => {
                require!(nanos(min) <= nanos(max), "chaos.latency.min", "at most the longest");
                max
            }
            Self::Error | Self::Panic => return Ok(()),
            Self::Timeout { after } => after,
            Self::Partition { time } => time,
            Self::Cpu { threads, share, time } => {
                require!(threads > 0 && threads <= MAX_THREADS, "chaos.cpu.threads", "between 1 and 64");
                require!(share.numerator() > 0, "chaos.cpu.share", "greater than zero");
                time
            }
            Self::Memory { bytes, time } => {
                require!(bytes > 0 && bytes <= MAX_BYTES, "chaos.memory.bytes", "between 1 and 1073741824");
                time
            }
            Self::Disk { bytes, time } => {
                require!(bytes > 0 && bytes <= MAX_BYTES, "chaos.disk.bytes", "between 1 and 1073741824");
                time
            }
        };
        require!(
            !time.is_zero() && nanos(time) <= nanos(MAX_TIME),
            "chaos.time",
            "greater than zero and at most an hour"
        );
        Ok(())
    }
}

/// One fault with its probability and its phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    pub(super) fault: Fault,
    pub(super) probability: Ratio,
    /// The probability in the wake of another rule's strike.
    pub(super) raised: Option<Ratio>,
    pub(super) after: Duration,
    pub(super) lasting: Duration,
    /// It strikes whenever the rule before it does.
    pub(super) joined: bool,
}

impl Rule {
    /// `fault` strikes each attempt with this probability: nothing at zero, everything at one.
    pub const fn new(fault: Fault, probability: Ratio) -> Self {
        Self {
            fault,
            probability,
            raised: None,
            after: Duration::ZERO,
            lasting: Duration::MAX,
            joined: false,
        }
    }

    /// `fault` strikes together with the rule before it, and never alone.
    pub const fn along(fault: Fault) -> Self {
        Self { joined: true, ..Self::new(fault, Ratio::ZERO) }
    }

    /// In the wake of *another* rule's strike it strikes with this probability, if that is higher; see
    /// [`Config::wake`]. A rule whose own probability is zero never strikes.
    #[must_use = "the rule is returned"]
    pub const fn raised_to(mut self, probability: Ratio) -> Self {
        self.raised = Some(probability);
        self
    }

    /// Its phase begins so long after arming.
    #[must_use = "the rule is returned"]
    pub const fn after(mut self, delay: Duration) -> Self {
        self.after = delay;
        self
    }

    /// Its phase lasts so long.
    #[must_use = "the rule is returned"]
    pub const fn lasting(mut self, time: Duration) -> Self {
        self.lasting = time;
        self
    }

    /// What goes wrong.
    pub const fn fault(&self) -> &Fault {
        &self.fault
    }

    /// Whether its phase has an end.
    const fn ends(&self) -> bool {
        nanos(self.lasting) != u64::MAX
    }

    /// The last moment, counted from arming, at which its phase begins or ends. Nanoseconds.
    pub(super) const fn horizon(&self) -> u64 {
        let begin = nanos(self.after);
        if self.ends() { begin.saturating_add(nanos(self.lasting)) } else { begin }
    }

    /// Whether its phase is on, so many nanoseconds after arming.
    pub(super) const fn is_on(&self, elapsed: u64) -> bool {
        elapsed >= nanos(self.after) && (!self.ends() || elapsed < self.horizon())
    }
}

/// The configuration of a [`Chaos`](super::Chaos).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    pub(super) rules: [Option<Rule>; MAX_RULES],
    count: usize,
    pub(super) wake: Duration,
    pub(super) seed: u32,
}

impl Config {
    /// No fault at all.
    pub const fn new() -> Self {
        Self { rules: [None; MAX_RULES], count: 0, wake: Duration::ZERO, seed: 0 }
    }

    /// The faults of DWCP (S1): a delay of 50 to 200 ms and no answer for 5 s in one attempt of a hundred each, an error in
    /// one of a thousand.
    pub const fn dwcp() -> Self {
        let delay = Fault::Latency { min: Duration::from_millis(50), max: Duration::from_millis(200) };
        Self::new()
            .rule(Rule::new(delay, Ratio::percent(1)))
            .rule(Rule::new(Fault::Error, Ratio::per_million(1000)))
            .rule(Rule::new(Fault::Timeout { after: Duration::from_secs(5) }, Ratio::percent(1)))
    }

    /// One more rule; [`MAX_RULES`] at most.
    #[must_use = "the configuration is returned"]
    pub const fn rule(mut self, rule: Rule) -> Self {
        if self.count < MAX_RULES {
            self.rules[self.count] = Some(rule);
        }
        self.count = self.count.saturating_add(1);
        self
    }

    /// For so long after a strike, rules that say so strike with their [raised](Rule::raised_to) probability.
    ///
    /// A strike in the wake prolongs it, so probabilities near one can keep it up until it is disarmed.
    #[must_use = "the configuration is returned"]
    pub const fn wake(mut self, time: Duration) -> Self {
        self.wake = time;
        self
    }

    /// The seed of the draws. Two with the same configuration that are asked at the same moments strike alike.
    #[must_use = "the configuration is returned"]
    pub const fn seed(mut self, seed: u32) -> Self {
        self.seed = seed;
        self
    }

    /// The rules, in their order.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter().flatten()
    }

    /// The last moment after arming at which a phase begins or ends, and the longest partition. Nanoseconds.
    pub(super) const fn extent(&self) -> (u64, Duration) {
        let (mut horizon, mut partition) = (0, Duration::ZERO);
        let mut n = 0;
        while n < MAX_RULES {
            if let Some(rule) = &self.rules[n] {
                if rule.horizon() > horizon {
                    horizon = rule.horizon();
                }
                if let Fault::Partition { time } = rule.fault {
                    if nanos(time) > nanos(partition) {
                        partition = time;
                    }
                }
            }
            n += 1;
        }
        (horizon, partition)
    }

    /// Checks the values.
    ///
    /// # Errors
    ///
    /// The first value that lies outside its bound.
    pub const fn validate(&self) -> Result<(), ConfigError> {
        require!(self.count <= MAX_RULES, "chaos.rules", "at most 8");
        require!(nanos(self.wake) <= nanos(MAX_TIME), "chaos.wake", "at most an hour");
        let mut n = 0;
        while n < MAX_RULES {
            if let Some(rule) = &self.rules[n] {
                require!(n > 0 || !rule.joined, "chaos.rules", "led by a rule that strikes by itself");
                require!(rule.raised.is_none() || !self.wake.is_zero(), "chaos.wake", "greater than zero");
                require!(!rule.lasting.is_zero(), "chaos.lasting", "greater than zero");
                require!(rule.horizon() < u64::MAX, "chaos.after", "less than 584 years with its phase");
                if let Err(error) = rule.fault.validate() {
                    return Err(error);
                }
            }
            n += 1;
        }
        Ok(())
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::new()
    }
}
