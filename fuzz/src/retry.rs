//! What must hold for any sequence of calls and failures: retries are paid for, in time, and after a delay within bounds.

use std::time::Duration;

use seawall_core::backoff::Jitter;
use seawall_core::retry::{Config, Decision, GiveUp, Kind};
use seawall_core::{Backoff, Deadline, Instant, Ratio, Retry};

use crate::input::Input;

/// Whether words have 32 bits, where the free retries' interval is rounded.
const NARROW: bool = cfg!(any(seawall_word32, not(target_has_atomic = "64")));

/// The clock goes so far.
const LAST: u64 = 1 << 53;

const KINDS: [Kind; 3] = [Kind::Failure, Kind::Timeout, Kind::Throttled];
/// The place of the last of them.
const THROTTLED: usize = 2;

/// Runs the script of `bytes` on a retry decision.
///
/// # Panics
///
/// If a decision is not the one of plain arithmetic.
pub fn check(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let (backoff, plain) = backoff(&mut input);
    let whole = input.pick(&[1, 5, 100, 1_000_000, 4_000_000_000]);
    let ratio = Ratio::try_new(input.any_word() % (whole + 1), whole).expect("a part is not above the whole");
    let cap = input.any_word();
    let per_second = if input.flag() { input.between(0, 20) } else { input.between(0, 255) * 4 };
    let max_attempts = input.between(0, 9);
    let mut config = Config::attempts(max_attempts, backoff).budget(ratio, cap, per_second);
    let mut costs = [1; 3];
    let rules = input.byte();
    if rules & 1 != 0 {
        costs = [0, 2, 4].map(|shift| rules >> 1 >> shift & 3);
        for (kind, cost) in KINDS.into_iter().zip(costs) {
            config = config.cost(kind, cost);
        }
    }
    let throttles = rules & 128 != 0;
    if throttles {
        config = config.throttle(ratio, cap);
    }
    let is_valid = max_attempts > 0 && !costs.contains(&0) && cap.checked_mul(whole).is_some();
    let retry = match Retry::try_new(config) {
        Ok(retry) => retry,
        Err(_) if !is_valid || backoff.validate().is_err() => return,
        Err(error) => panic!("{error}"),
    };
    assert!(is_valid, "bad values are refused");
    let mut books = Books {
        retry,
        plain,
        max_attempts,
        cap,
        ratio,
        per_second: if throttles { 0 } else { u64::from(per_second) },
        costs: costs.map(u64::from),
        throttles,
        successes: 0,
        balance: u64::from(cap) * u64::from(whole),
        free_at: 0,
        start: 0,
        now: input.long().min(LAST / 2),
        calls: 0,
        granted: 0,
    };
    books.start = books.now;
    while let Some(operation) = input.operation() {
        books.apply(operation, &mut input);
    }
}

/// What the documentation says of the delays, by a schedule's own arithmetic.
struct Plain {
    kind: u8,
    base: u64,
    step: u64,
    /// Thousandths.
    factor: u64,
    cap: u64,
    jitter: Jitter,
}

impl Plain {
    /// The delay before jitter and cap; a range where it is drawn.
    fn schedule(&self, retry: u32, previous: Duration) -> (u128, u128) {
        let base = u128::from(self.base);
        let exact = match self.kind {
            0 => base,
            1 => base + u128::from(self.step) * u128::from(retry),
            2 => {
                // Rounded down at each step, but never standing still.
                let mut value = base;
                for _ in 0..retry {
                    if value == 0 || value > u128::from(u64::MAX) {
                        break;
                    }
                    value = (value * u128::from(self.factor) / 1000).max(value + 1);
                }
                value
            }
            3 => {
                let (mut a, mut b) = (1_u128, 1_u128);
                // The highest that fits 64 bits ends the row.
                for _ in 0..retry.min(120) {
                    if b <= u128::from(u64::MAX) {
                        (a, b) = (b, a + b);
                    }
                }
                base.saturating_mul(a)
            }
            _ => return (base, previous.as_nanos().max(base).saturating_mul(3)),
        };
        (exact, exact)
    }

    /// The least and the greatest delay.
    fn bounds(&self, retry: u32, previous: Duration) -> (u128, u128) {
        let (low, high) = self.schedule(retry, previous);
        let top = |delay: u128| delay.min(u128::from(u64::MAX));
        // The growing schedule stops where it reaches the cap, and is spread from there.
        let low = if self.kind == 2 { low.min(u128::from(self.cap)) } else { low };
        let (low, high) = (top(low), top(high));
        let spread = match self.jitter {
            _ if self.kind == 4 => (low, high),
            Jitter::Full => (low.min(1), high),
            Jitter::Equal => (low - low / 2, high),
            Jitter::PlusMinus(percent) => {
                let share = u128::from(percent);
                ((low - low * share / 100).max(low.min(1)), top(high + high * share / 100))
            }
            _ => (low, high),
        };
        (spread.0.min(u128::from(self.cap)), spread.1.min(u128::from(self.cap)))
    }
}

fn backoff(input: &mut Input<'_>) -> (Backoff, Plain) {
    let kind = input.byte() % 5;
    let (base, step) = (input.long(), input.long());
    let factor = 1000 + u32::from(input.half());
    let jitter = match input.byte() % 4 {
        0 => Jitter::None,
        1 => Jitter::Full,
        2 => Jitter::Equal,
        _ => Jitter::PlusMinus(input.byte() % 110),
    };
    let cap = if input.flag() { u64::MAX } else { input.long() };
    let from = Duration::from_nanos(base);
    let backoff = match kind {
        0 => Backoff::constant(from),
        1 => Backoff::linear(from, Duration::from_nanos(step)),
        2 => Backoff::exponential(from).factor(factor),
        3 => Backoff::fibonacci(from),
        _ => Backoff::decorrelated(from),
    };
    let backoff = backoff.at_most(Duration::from_nanos(cap)).jitter(jitter);
    (backoff, Plain { kind, base, step, factor: u64::from(factor), cap, jitter })
}

struct Books {
    retry: Retry,
    plain: Plain,
    max_attempts: u32,
    cap: u32,
    ratio: Ratio,
    per_second: u64,
    /// In tokens times the ratio's denominator.
    balance: u64,
    /// When the next free retry is there, in nanoseconds times the free retries a second.
    free_at: u128,
    start: u64,
    now: u64,
    /// Tokens for each kind of failure.
    costs: [u64; 3],
    throttles: bool,
    calls: u128,
    successes: u128,
    granted: u128,
}

impl Books {
    fn apply(&mut self, operation: u8, input: &mut Input<'_>) {
        match operation % 8 {
            0 => self.call_started(),
            1 => {
                self.retry.call_succeeded();
                self.successes += 1;
                if self.throttles {
                    self.deposit();
                }
            }
            2 => self.now = self.now.saturating_add(input.long()).min(LAST),
            3 => self.now = self.now.saturating_add(u64::from(input.half()) * 1_000_000).min(LAST),
            4 | 5 => {
                let (previous, draw) = (Duration::from_nanos(input.long()), input.word());
                let attempts = if input.flag() { input.any_word() } else { 1 };
                let deadline = self.deadline(input);
                let now = Instant::from_nanos(self.now);
                let retry = attempts.saturating_sub(1);
                let delay = self.retry.config().backoff().delay(retry, previous, draw);
                let (least, most) = self.plain.bounds(retry, previous);
                let nanos = delay.as_nanos();
                assert!(least <= nanos && nanos <= most, "{nanos} is not within {least} to {most}");
                let kind = usize::from(operation / 8 % 3);
                let decision = self.retry.decide_as(KINDS[kind], attempts, previous, deadline, draw, now);
                self.same(decision, kind, attempts, delay, deadline);
            }
            6 => {
                let (delay, attempts) = (Duration::from_nanos(input.long()), input.between(1, 5));
                let deadline = self.deadline(input);
                let now = Instant::from_nanos(self.now);
                let decision = self.retry.decide_with_delay(attempts, delay, deadline, now);
                if attempts < self.max_attempts && delay > Duration::from_nanos(self.plain.cap) {
                    self.has_room(THROTTLED);
                    assert_eq!(decision, Decision::GiveUp(GiveUp::Delay));
                } else {
                    self.same(decision, THROTTLED, attempts, delay, deadline);
                }
            }
            _ => (0..=input.byte()).for_each(|_| self.call_started()),
        }
        assert!(self.balance <= self.full());
        assert_eq!(u64::from(self.retry.balance()), self.balance / u64::from(self.ratio.denominator()));
        self.is_bounded();
    }

    fn deadline(&self, input: &mut Input<'_>) -> Deadline {
        if input.flag() {
            return Deadline::NONE;
        }
        Deadline::after(Instant::from_nanos(self.now), Duration::from_nanos(input.long()))
    }

    fn call_started(&mut self) {
        self.retry.call_started();
        self.calls += 1;
        if !self.throttles {
            self.deposit();
        }
    }

    fn deposit(&mut self) {
        self.balance = self.full().min(self.balance + u64::from(self.ratio.numerator()));
    }

    fn full(&self) -> u64 {
        u64::from(self.cap) * u64::from(self.ratio.denominator())
    }

    /// A throttle hears of each failure, and has room for a retry while more than half of it is left.
    fn has_room(&mut self, kind: usize) -> bool {
        if !self.throttles {
            return true;
        }
        self.balance = self.balance.saturating_sub(self.costs[kind] * u64::from(self.ratio.denominator()));
        2 * self.balance > self.full()
    }

    /// The order of the reasons: attempts, deadline, budget.
    fn same(&mut self, decision: Decision, kind: usize, attempts: u32, delay: Duration, deadline: Deadline) {
        let has_room = self.has_room(kind);
        let start = u128::from(self.now) + delay.as_nanos();
        let too_late = !deadline.is_none() && start >= u128::from(deadline.moment().as_nanos());
        let expected = if attempts >= self.max_attempts {
            Decision::GiveUp(GiveUp::Attempts)
        } else if too_late {
            Decision::GiveUp(GiveUp::Deadline)
        } else if has_room && (self.throttles || self.pays(kind, decision)) {
            self.granted += 1;
            Decision::RetryAfter(delay)
        } else {
            Decision::GiveUp(GiveUp::Budget)
        };
        assert_eq!(decision, expected, "with {attempts} attempts at {}", self.now);
    }

    /// Takes a retry from the balance, or a free one.
    fn pays(&mut self, kind: usize, decision: Decision) -> bool {
        let cost = self.costs[kind] * u64::from(self.ratio.denominator());
        if self.balance >= cost {
            self.balance -= cost;
            return true;
        }
        let present = u128::from(self.now) * u128::from(self.per_second);
        if NARROW {
            // Free retries are rounded there; the bound on all of them still holds.
            return self.per_second > 0 && matches!(decision, Decision::RetryAfter(_));
        }
        let is_free = self.per_second > 0 && self.free_at <= present;
        if is_free {
            self.free_at = present + 1_000_000_000;
        }
        is_free
    }

    /// At most `(cap + ratio * calls) / cost + per_second * (time + 1 s)` retries, or `(cap / 2 + ratio * successes) / cost`.
    fn is_bounded(&self) {
        let least = u128::from(self.costs.into_iter().min().unwrap_or(1));
        let whole = u128::from(self.ratio.denominator()) * least;
        let (start, paying) = if self.throttles {
            (u128::from(self.full()).div_ceil(2), self.successes)
        } else {
            (u128::from(self.full()), self.calls)
        };
        let paid = start + u128::from(self.ratio.numerator()) * paying;
        let nanos = u128::from(self.now - self.start) + 1_000_000_000;
        let free = nanos * u128::from(self.per_second) / 1_000_000_000;
        assert!(self.granted <= paid / whole + free, "{} retries are too many", self.granted);
    }
}
