//! When a breaker trips, for how long, and what it takes to close.

mod validate;

use core::time::Duration;

use super::ramp::Ramp;
use super::state::Mode;
use super::watch::{Rates, Slow, Watch};
use crate::attempt::backoff::Backoff;
use crate::measure::window::Span;
use crate::ratio::Ratio;
use crate::time::nanos;

/// The configuration of a [`CircuitBreaker`](super::CircuitBreaker).
///
/// It begins with a trip rule; the rest has defaults: open for 60 s, one probe at a time, three successes to close, one failed
/// probe to open again, no ramp.
///
/// # Examples
///
/// ```
/// use core::time::Duration;
/// use seawall_core::{circuit_breaker::Config, window::Span, Ratio};
///
/// const RULE: Config = Config::failure_rate(Ratio::percent(50), Span::time(Duration::from_secs(60)), 10)
///     .or_consecutive_failures(5)
///     .open_for(Duration::from_secs(10))
///     .probes(3)
///     .close_below(Ratio::percent(50), 10)
///     .ramp(Duration::from_secs(30), Ratio::percent(10));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Zero if this is no rule.
    pub(super) consecutive_failures: u32,
    pub(super) watch: Watch,
    pub(super) evaluates_on_failure_only: bool,
    pub(super) shadow: bool,
    pub(super) open: Backoff,
    pub(super) seed: u32,
    /// These are of few bits; what does not fit is kept as the largest value, which no bound allows.
    pub(super) probes: u8,
    pub(super) successes: u8,
    pub(super) failed_probes: Option<u8>,
    /// How many probes a half-open phase admits in all; zero is no bound.
    pub(super) half_open_calls: u8,
    /// Among how many results of probes a share of failures decides, and which.
    judged_probes: Option<u8>,
    judged_share: Ratio,
    lease: Limit,
    probe_timeout: Limit,
    /// The longest open time that a peer may ask for.
    honored: Limit,
    ramp_over: Limit,
    ramp_from: Ratio,
}

wire_struct!(Config {
    consecutive_failures,
    watch,
    evaluates_on_failure_only,
    shadow,
    open,
    seed,
    probes,
    successes,
    failed_probes,
    half_open_calls,
    judged_probes,
    judged_share,
    lease,
    probe_timeout,
    honored,
    ramp_over,
    ramp_from,
});

impl Config {
    const DEFAULT: Self = Self {
        consecutive_failures: 0,
        watch: Watch { rates: None, slow: Slow::Never },
        evaluates_on_failure_only: false,
        shadow: false,
        open: Backoff::constant(Duration::from_secs(60)).at_most(Duration::from_secs(60)),
        seed: 0,
        probes: 1,
        successes: 3,
        failed_probes: None,
        half_open_calls: 0,
        judged_probes: None,
        judged_share: Ratio::ZERO,
        lease: Limit::NONE,
        probe_timeout: Limit::NONE,
        honored: Limit::NONE,
        ramp_over: Limit::NONE,
        ramp_from: Ratio::ZERO,
    };

    /// Trips after `n` failures in a row, between 1 and 262143.
    pub const fn consecutive_failures(n: u32) -> Self {
        // An explicit zero must not read as "no rule".
        Self { consecutive_failures: if n == 0 { u32::MAX } else { n }, ..Self::DEFAULT }
    }

    /// Trips when the share of failures over `span` reaches `share` and there were at least `minimum_calls`.
    ///
    /// A window of calls moves by whole slots: of the last 100 calls in ten slots the share is that of the last 91 to 100, or of
    /// `minimum_calls` if those are fewer. With as many slots as calls it is exact.
    pub const fn failure_rate(share: Ratio, span: Span, minimum_calls: u32) -> Self {
        Self::DEFAULT.or_failure_rate(share, span, minimum_calls)
    }

    /// Trips when the share of calls over `span` that took `slow` or longer, failed or not, reaches `share` and there were at
    /// least `minimum_calls`.
    ///
    /// A call that ends as [`Outcome::Slow`](crate::Outcome::Slow) is slow however long it took. With a rule for slow calls a
    /// probe that succeeds slowly has failed.
    pub const fn slow_call_rate(share: Ratio, slow: Duration, span: Span, minimum_calls: u32) -> Self {
        Self {
            watch: Watch {
                rates: Some(Rates { failures: None, minimum_calls, span }),
                slow: Slow::Rate(share, slow),
            },
            ..Self::DEFAULT
        }
    }

    /// Trips also after `n` failures in a row, between 1 and 262143.
    #[must_use = "the configuration is returned"]
    pub const fn or_consecutive_failures(mut self, n: u32) -> Self {
        self.consecutive_failures = if n == 0 { u32::MAX } else { n };
        self
    }

    /// Trips also when the share of failures over `span` reaches `share` and there were at least `minimum_calls`.
    ///
    /// A breaker has one window: a slow-call rate that was set before looks at this span from now on.
    #[must_use = "the configuration is returned"]
    pub const fn or_failure_rate(mut self, share: Ratio, span: Span, minimum_calls: u32) -> Self {
        self.watch.rates = Some(Rates { failures: Some(share), minimum_calls, span });
        self
    }

    /// Trips also when the share of calls that took `slow` or longer reaches `share`, over the window of the failure rate and
    /// with its minimum of calls. Which of the two is set first does not matter; without the other it has no window and is
    /// refused, see [`Config::or_slow_call_rate_over`].
    #[must_use = "the configuration is returned"]
    pub const fn or_slow_call_rate(mut self, share: Ratio, slow: Duration) -> Self {
        self.watch.slow = Slow::Rate(share, slow);
        self
    }

    /// Trips also when the share of calls over `span` that took `slow` or longer reaches `share` and there were at least
    /// `minimum_calls`.
    ///
    /// A breaker has one window: a failure rate that was set before looks at this span from now on.
    #[must_use = "the configuration is returned"]
    pub const fn or_slow_call_rate_over(
        mut self,
        share: Ratio,
        slow: Duration,
        span: Span,
        minimum_calls: u32,
    ) -> Self {
        let failures = match self.watch.rates {
            Some(rates) => rates.failures,
            None => None,
        };
        self.watch.rates = Some(Rates { failures, minimum_calls, span });
        self.watch.slow = Slow::Rate(share, slow);
        self
    }

    /// Counts a call that took `slow` or longer, or that ended as [`Outcome::Slow`](crate::Outcome::Slow), as a failed one, in
    /// every rule and as a probe, whichever of them is set first. It takes the place of a rate for slow calls, as that takes its.
    ///
    /// Use it where an answer that comes so late is as good as none: both are then one share, over one minimum of calls.
    #[must_use = "the configuration is returned"]
    pub const fn slow_calls_fail(mut self, slow: Duration) -> Self {
        self.watch.slow = Slow::Fails(slow);
        if let Some(Rates { failures: None, .. }) = self.watch.rates {
            // What is left of the window would decide nothing.
            self.watch.rates = None;
        }
        self
    }

    /// Evaluates the rate when a failure is recorded and not when a success is.
    ///
    /// Without it a success that completes the minimum of calls can trip the breaker, as in resilience4j; with it none
    /// does, as in Polly.
    #[must_use = "the configuration is returned"]
    pub const fn evaluate_on_failure_only(self) -> Self {
        self.evaluate_on_success(false)
    }

    /// Whether the rate is evaluated when a success is recorded, too; it is unless told otherwise. See
    /// [`Config::evaluate_on_failure_only`].
    #[must_use = "the configuration is returned"]
    pub const fn evaluate_on_success(mut self, on: bool) -> Self {
        self.evaluates_on_failure_only = !on;
        self
    }

    /// How long the breaker stays open; [`Duration::MAX`] is for ever. The default is 60 s.
    #[must_use = "the configuration is returned"]
    pub const fn open_for(mut self, duration: Duration) -> Self {
        self.open = Backoff::constant(duration).at_most(duration);
        self
    }

    /// The breaker stays open for a delay of `schedule`: the first one when it trips, the next one each time that a probe
    /// fails, and the first one again after it was closed. No delay is longer than `longest`. A decorrelated schedule does
    /// not grow here, since the delay before is not kept.
    ///
    /// Its jitter spreads the probes of many breakers that tripped together; see [`Config::seed`].
    #[must_use = "the configuration is returned"]
    pub const fn open_for_growing(mut self, schedule: Backoff, longest: Duration) -> Self {
        self.open = schedule.at_most(longest);
        self
    }

    /// The seed of the open time's jitter. Nodes that must not act in step need different ones.
    #[must_use = "the configuration is returned"]
    pub const fn seed(mut self, seed: u32) -> Self {
        self.seed = seed;
        self
    }

    /// How many probes may be out at a time while half-open, between 1 and 15. The default is 1.
    #[must_use = "the configuration is returned"]
    pub const fn probes(mut self, n: u32) -> Self {
        self.probes = in_a_byte(n);
        self
    }

    /// How many probes must succeed to close, between 1 and 31. The default is 3.
    #[must_use = "the configuration is returned"]
    pub const fn successes_to_close(mut self, n: u32) -> Self {
        self.successes = in_a_byte(n);
        self
    }

    /// How many probes must fail to open again, between 1 and 31.
    ///
    /// The default is 1, and no such rule with [`Config::close_below`]: then the share decides alone. Two of three successes to
    /// close are `successes_to_close(2)` and `probe_failures_to_open(2)`.
    #[must_use = "the configuration is returned"]
    pub const fn probe_failures_to_open(mut self, n: u32) -> Self {
        self.failed_probes = Some(in_a_byte(n));
        self
    }

    /// How many probes a half-open phase admits in all, those that reported and those that are out; one that is given back does
    /// not count.
    ///
    /// The default is no such bound: while it is not decided, each probe that reports makes room for another one. Not fewer than
    /// the results that it can take to decide, and at most 46.
    #[must_use = "the configuration is returned"]
    pub const fn half_open_calls(mut self, n: u32) -> Self {
        // An explicit zero must not read as "no bound".
        self.half_open_calls = if n == 0 { u8::MAX } else { in_a_byte(n) };
        self
    }

    /// Lets a share decide over the half-open phase: when `of` probes have reported, between 1 and 31, the breaker closes if less
    /// than `share` of them failed, and opens again otherwise.
    ///
    /// It takes the place of [`Config::successes_to_close`].
    #[must_use = "the configuration is returned"]
    pub const fn close_below(mut self, share: Ratio, of: u32) -> Self {
        self.judged_probes = Some(in_a_byte(of));
        self.judged_share = share;
        self
    }

    /// After what time a probe that did not report counts as lost. The default is the open time; in a guard it is what an attempt
    /// may take, if that is longer.
    ///
    /// A result that comes later is stale, so a breaker whose probes always take longer never closes.
    #[must_use = "the configuration is returned"]
    pub const fn probe_lease_of(mut self, duration: Duration) -> Self {
        self.lease = Limit::of(duration);
        self
    }

    /// How long a probe may take, which should be shorter than what other calls are given.
    ///
    /// The breaker has no clock: whoever makes the call asks for it, as [`Guard`](crate::Guard) does.
    #[must_use = "the configuration is returned"]
    pub const fn probe_timeout(mut self, duration: Duration) -> Self {
        self.probe_timeout = Limit::of(duration);
        self
    }

    /// How long a probe may take, if there is such a limit.
    pub const fn probe_limit(&self) -> Option<Duration> {
        self.probe_timeout.get()
    }

    /// Lets the peer say how long the breaker stays open: a failure that opens it and comes with the peer's retry-after opens
    /// it for that time, at most `longest`, in place of the configured open time.
    ///
    /// The time comes with [`Permit::record_with`](super::Permit::record_with); zero counts as none.
    #[must_use = "the configuration is returned"]
    pub const fn honor_retry_after(mut self, longest: Duration) -> Self {
        self.honored = Limit::of(longest);
        self
    }

    /// After the probes closed the breaker it admits a share of the calls that rises from `from` to the whole over this time.
    ///
    /// Draws from the [seeded](Config::seed) generator pick the calls. A trip meanwhile is a trip like any other.
    #[must_use = "the configuration is returned"]
    pub const fn ramp(mut self, over: Duration, from: Ratio) -> Self {
        self.ramp_over = Limit::of(over);
        self.ramp_from = from;
        self
    }

    /// Starts the breaker in shadow mode, see [`CircuitBreaker::shadow`](super::CircuitBreaker::shadow).
    #[must_use = "the configuration is returned"]
    pub const fn in_shadow(self) -> Self {
        self.shadow(true)
    }

    /// Whether the breaker starts in shadow mode; it does not unless told.
    #[must_use = "the configuration is returned"]
    pub const fn shadow(mut self, on: bool) -> Self {
        self.shadow = on;
        self
    }

    /// How long the breaker stays open each time that it opens: a constant schedule unless it [grows](Config::open_for_growing).
    pub const fn open_times(&self) -> &Backoff {
        &self.open
    }

    /// The same, and unless a lease was set a probe is not lost before it has had this time: a probe that takes longer than
    /// its lease can never report.
    pub(crate) const fn lease_covers(mut self, probe: Duration) -> Self {
        if self.lease.get().is_none() && self.probe_lease().as_nanos() < probe.as_nanos() {
            self.lease = Limit::of(probe);
        }
        self
    }

    pub(super) const fn probe_lease(&self) -> Duration {
        match self.lease.get() {
            Some(lease) => lease,
            None => self.open.delay(0, Duration::ZERO, u32::MAX),
        }
    }

    /// The longest time that a phase's deadline is ahead, where it comes at all: a lease or a ramp without an end is no reason to
    /// count the open time in days.
    pub(super) const fn longest_interval(&self) -> Duration {
        let mut longest = self.open.cap();
        if let Some(honored) = self.honored.get() {
            longest = longer(longest, honored);
        }
        let ramp = match self.ramp_over.get() {
            Some(over) => over,
            None => Duration::ZERO,
        };
        longer(longer(longest, ending(self.probe_lease())), ending(ramp))
    }

    /// The mode of a breaker that is not held by hand.
    pub(super) const fn mode(&self) -> Mode {
        if self.shadow { Mode::Shadow } else { Mode::Normal }
    }

    /// The open time that the peer asked for, as far as it is honored.
    pub(super) fn honored(&self, retry_after: Option<Duration>) -> Option<Duration> {
        let asked = retry_after.filter(|asked| !asked.is_zero())?;
        Some(asked.min(self.honored.get()?))
    }

    /// The share of failures that decides, and among how many results.
    pub(super) fn close_share(&self) -> Option<(Ratio, u32)> {
        Some((self.judged_share, u32::from(self.judged_probes?)))
    }

    pub(super) fn ramp_config(&self) -> Option<Ramp> {
        Some(Ramp { over: self.ramp_over.get()?, from: self.ramp_from })
    }

    /// The span for a window of `slots` slots; without a rate rule it is not used.
    pub(crate) const fn window_span(&self, slots: usize) -> Span {
        match self.watch.rates {
            Some(rates) => rates.span,
            None => Span::time(Duration::from_secs(if slots == 0 { 1 } else { slots as u64 })),
        }
    }
}

/// A duration or none, in half the size: 0 for none, or the nanoseconds and 1; the two longest ones are one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Limit(u64);

wire_struct!(Limit(nanos));

impl Limit {
    const NONE: Self = Self(0);

    const fn of(duration: Duration) -> Self {
        Self(nanos(duration).saturating_add(1))
    }

    const fn get(self) -> Option<Duration> {
        match self.0 {
            0 => None,
            u64::MAX => Some(Duration::MAX),
            above => Some(Duration::from_nanos(above - 1)),
        }
    }

    const fn is_zero(self) -> bool {
        self.0 == 1
    }
}

const fn in_a_byte(n: u32) -> u8 {
    if n > u8::MAX as u32 { u8::MAX } else { n as u8 }
}

/// The interval, or none if it has no end.
const fn ending(interval: Duration) -> Duration {
    if nanos(interval) == u64::MAX { Duration::ZERO } else { interval }
}

const fn longer(one: Duration, other: Duration) -> Duration {
    if one.as_nanos() > other.as_nanos() { one } else { other }
}
