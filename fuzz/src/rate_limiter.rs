//! What must hold for any sequence of takes, refunds and leaps of the clock: a limiter answers as exact arithmetic does.

use std::time::Duration;

use seawall_core::rate_limiter::{Grant, Quota, Rejected};
use seawall_core::{Instant, RateLimiter};

use crate::input::Input;

/// Whether words have 32 bits, where intervals are rounded.
const NARROW: bool = cfg!(any(seawall_word32, not(target_has_atomic = "64")));

/// The clock goes so far: the finest units of the wide layout wrap some hundred times, and whole nanoseconds go on.
const LAST: u64 = (1 << 62) + FIRST;
/// Moments of a round number of units are avoided: where units wrap, a full bucket is so a unit later just then.
const FIRST: u64 = 12_345_678_901;

/// A grant that is older is not given back: its time may be one that comes again when units wrap.
const OLD: u64 = 1 << 50;

/// Runs the script of `bytes` on a limiter.
///
/// # Panics
///
/// If its promises are broken.
pub fn check(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let tokens = if input.flag() { input.between(1, 20) } else { input.any_word().max(1) };
    let period = if input.flag() { 1_000_000_000 } else { input.long().max(1) };
    let burst = if input.flag() { input.between(1, 12) } else { input.any_word().max(1) };
    let quota = Quota::new(tokens, Duration::from_nanos(period)).burst(burst);
    let Ok(limiter) = RateLimiter::try_new(quota) else {
        let is_narrow = NARROW;
        assert!(is_narrow, "burst and period are not zero, so a wide limiter takes them");
        return;
    };
    let exact = Exact::new(tokens, period, burst);
    let fill = u64::try_from(exact.whole() / exact.per_nano).unwrap_or(u64::MAX).min(LAST);
    let now = (input.long() % (LAST / 2)).saturating_add(FIRST);
    let furthest_back = if NARROW { fill.saturating_mul(8) } else { 1 << 41 };
    let mut pair = Pair {
        is_exact: !NARROW && exact.has_fine_units(),
        limiter,
        exact,
        taken: Vec::new(),
        clock: Clock { now, newest: now, forward: 0, furthest_back, fill },
        granted: 0,
        reserves: false,
        least: i128::MAX,
    };
    while let Some(operation) = input.operation() {
        pair.apply(operation, &mut input);
        pair.compare();
    }
}

/// Tokens that were taken: from the limiter, and in exact arithmetic if it follows.
struct Taken {
    grant: Grant,
    exact: Option<Spent>,
    cost: u32,
    at: u64,
}

struct Pair {
    limiter: RateLimiter,
    exact: Exact,
    /// Whether the limiter's units are a whole number of them an interval, so that nothing is rounded.
    is_exact: bool,
    taken: Vec<Taken>,
    clock: Clock,
    /// Tokens granted and not given back.
    granted: i128,
    /// Whether tokens were ever reserved.
    reserves: bool,
    /// The least that was ever granted in excess of what the rate gave, in tokens times the period.
    least: i128,
}

impl Pair {
    fn apply(&mut self, operation: u8, input: &mut Input<'_>) {
        match operation % 13 {
            0..=2 => self.take(1),
            12 => {
                // At most 18 minutes: from 36 on the limiter refuses by its units.
                let (cost, wait) = (input.any_word(), Duration::from_nanos(input.long() >> 24));
                self.reserve(cost, wait);
            }
            3 | 4 => {
                let cost = input.any_word();
                self.take(cost);
            }
            5 => {
                let (hundredths, burst) = (u64::from(input.byte() % 120), u64::from(self.exact.burst));
                self.take(u32::try_from(burst * hundredths / 100).unwrap_or(u32::MAX));
            }
            6 => {
                if let Some(at) = input.index(self.taken.len()) {
                    let taken = self.taken.swap_remove(at);
                    if self.clock.newest.abs_diff(taken.at) > OLD {
                        return;
                    }
                    self.limiter.refund(taken.grant, self.clock.instant());
                    if let Some(spent) = &taken.exact {
                        self.exact.refund(spent, self.clock.now);
                    }
                    self.granted -= i128::from(taken.cost);
                }
            }
            7 => {
                if let Some(at) = input.index(self.taken.len()) {
                    let taken = self.taken.swap_remove(at);
                    if self.clock.newest.abs_diff(taken.at) > OLD {
                        return;
                    }
                    let undone = self.limiter.undo(taken.grant);
                    if let Some(spent) = &taken.exact {
                        assert_eq!(undone, self.exact.undo(spent));
                    }
                    self.granted -= i128::from(if undone { taken.cost } else { 0 });
                }
            }
            8 => self.clock.pass(input.long()),
            9 => self.clock.pass(self.clock.share(input.half())),
            10 => self.clock.step_back(self.clock.share(input.half())),
            _ => {
                let early = input.flag();
                let wait = self.limiter.check(1, self.clock.instant()).err().and_then(|it| it.retry_after());
                if let Some(wait) = wait {
                    let nanos = u64::try_from(wait.as_nanos()).expect("a wait ends before the end of time");
                    assert!(nanos > 0, "who is refused has to wait");
                    let due = self.clock.now.saturating_add(nanos);
                    self.clock.pass(nanos - u64::from(early));
                    let early = self.clock.now < due;
                    let admits = self.limiter.check(1, self.clock.instant()).is_ok();
                    assert!(admits || early, "a token is there when the limiter said");
                    assert!(!(admits && early && self.is_exact), "and not a nanosecond before");
                }
            }
        }
    }

    /// Reservations are compared where nothing is rounded; they start later, so the bound on what is granted ends there.
    fn reserve(&mut self, cost: u32, max_wait: Duration) {
        if !self.is_exact {
            return;
        }
        let now = self.clock.instant();
        let real = self.limiter.reserve(cost, max_wait, now);
        let exact = self.exact.reserve(cost, max_wait, self.clock.now);
        match (real, exact) {
            (Ok(reservation), Ok((spent, wait))) => {
                assert_eq!(reservation.wait(now), wait);
                self.reserves = true;
                let grant = reservation.into_grant();
                self.taken.push(Taken { grant, exact: Some(spent), cost, at: self.clock.now });
            }
            (real, exact) => assert_eq!(real.err(), exact.err()),
        }
    }

    fn take(&mut self, cost: u32) {
        let now = self.clock.instant();
        let given = i128::from(self.exact.tokens) * self.clock.forward;
        self.least = self.least.min(self.granted * self.period() - given);
        let real = self.limiter.try_acquire_many(cost, now);
        let exact = self.exact.take(cost, self.clock.now);
        if self.is_exact {
            assert_eq!(real.as_ref().map(|_| ()), exact.as_ref().map(|_| ()));
        }
        if cost > self.exact.burst {
            assert_eq!(real, Err(Rejected::ExceedsBurst { cost, burst: self.exact.burst }));
            return;
        }
        if let Ok(grant) = real {
            self.granted += i128::from(cost);
            let exact = exact.ok().filter(|_| self.is_exact);
            self.taken.push(Taken { grant, exact, cost, at: self.clock.now });
        }
        // Where time is counted in units longer than a nanosecond, a token may come one of them early.
        let is_coarse = NARROW || self.exact.has_coarse_units();
        let most = (i128::from(self.exact.burst) + i128::from(is_coarse)) * self.period();
        let excess = self.granted * self.period() - given - self.least;
        assert!(self.reserves || excess <= most, "more than burst + rate * time");
    }

    fn compare(&self) {
        let now = self.clock.instant();
        let available = self.limiter.available(now);
        assert!(available <= self.exact.burst);
        assert!(self.limiter.check(available, now).is_ok(), "what is available can be taken");
        if available < self.exact.burst {
            assert!(self.limiter.check(available + 1, now).is_err(), "and no more");
        }
        if self.is_exact {
            assert_eq!(available, self.exact.available(self.clock.now));
            for cost in [1, self.exact.burst] {
                assert_eq!(self.limiter.check(cost, now), self.exact.check(cost, self.clock.now));
            }
        }
    }

    fn period(&self) -> i128 {
        i128::from(self.exact.period)
    }
}

/// A clock that may step back, but not so far that a word takes the future for the past.
struct Clock {
    now: u64,
    newest: u64,
    /// How far it went forward in all.
    forward: i128,
    furthest_back: u64,
    /// The time in which an empty bucket fills.
    fill: u64,
}

impl Clock {
    fn instant(&self) -> Instant {
        Instant::from_nanos(self.now)
    }

    fn share(&self, thousandths: u16) -> u64 {
        u64::try_from(u128::from(self.fill) * u128::from(thousandths) / 1000).unwrap_or(u64::MAX)
    }

    fn pass(&mut self, nanos: u64) {
        let before = self.now;
        self.now = self.now.saturating_add(nanos).min(LAST);
        self.forward += i128::from(self.now - before);
        self.newest = self.newest.max(self.now);
    }

    fn step_back(&mut self, nanos: u64) {
        let furthest = self.newest.saturating_sub(self.furthest_back).max(1);
        self.now = self.now.saturating_sub(nanos).max(furthest);
    }
}

/// The generic cell rate algorithm in units of a nanosecond divided by the tokens of a period, without bounds.
struct Exact {
    tokens: u32,
    period: u64,
    burst: u32,
    /// Units of a nanosecond.
    per_nano: u128,
    /// Units of a token.
    interval: u128,
    /// When the bucket is full again.
    full_at: u128,
    /// Whether tokens came back from before reservations.
    gap: bool,
}

/// Tokens that were taken, and when the bucket would have been full again.
struct Spent {
    units: u128,
    until: u128,
}

impl Exact {
    fn new(tokens: u32, period: u64, burst: u32) -> Self {
        let (per_nano, interval) = (u128::from(tokens), u128::from(period));
        Self { tokens, period, burst, per_nano, interval, full_at: 0, gap: false }
    }

    /// Whether the documented units of the wide layout divide the interval, and a bucket of them fits.
    fn has_fine_units(&self) -> bool {
        let divisor = common_divisor(self.per_nano, self.interval);
        self.per_nano / divisor <= 1024 && self.whole() / divisor <= 1 << 52
    }

    /// Whether a bucket does not fit in the documented units of up to 1/1024 of a nanosecond.
    fn has_coarse_units(&self) -> bool {
        let per_nano = (self.per_nano / common_divisor(self.per_nano, self.interval)).min(1024);
        (self.interval * per_nano).div_ceil(self.per_nano) * u128::from(self.burst) > 1 << 52
    }

    fn whole(&self) -> u128 {
        self.interval * u128::from(self.burst)
    }

    fn debt(&self, now: u64) -> u128 {
        self.full_at.saturating_sub(u128::from(now) * self.per_nano)
    }

    fn check(&self, cost: u32, now: u64) -> Result<(), Rejected> {
        if cost > self.burst {
            return Err(Rejected::ExceedsBurst { cost, burst: self.burst });
        }
        let wanted = self.debt(now) + self.interval * u128::from(cost);
        if cost == 0 || wanted <= self.whole() {
            return Ok(());
        }
        let nanos = (wanted - self.whole()).div_ceil(self.per_nano);
        let retry_after = u64::try_from(nanos).ok().map(Duration::from_nanos);
        Err(Rejected::Limited { retry_after })
    }

    fn take(&mut self, cost: u32, now: u64) -> Result<Spent, Rejected> {
        self.check(cost, now)?;
        let units = self.interval * u128::from(cost);
        Ok(self.put(units, now))
    }

    fn put(&mut self, units: u128, now: u64) -> Spent {
        if units > 0 {
            self.gap &= self.debt(now) > 0;
            self.full_at = u128::from(now) * self.per_nano + self.debt(now) + units;
        }
        Spent { units, until: self.full_at }
    }

    /// Takes tokens that may come later, and says after how many nanoseconds they are there.
    fn reserve(&mut self, cost: u32, max_wait: Duration, now: u64) -> Result<(Spent, Duration), Rejected> {
        let wait = match self.check(cost, now) {
            Ok(()) => Duration::ZERO,
            Err(Rejected::Limited { retry_after: Some(wait) }) if wait <= max_wait => wait,
            Err(rejected) => return Err(rejected),
        };
        Ok((self.put(self.interval * u128::from(cost), now), wait))
    }

    /// What comes back: no more than is still owed for it, and nothing that others reserved behind.
    fn refund(&mut self, spent: &Spent, now: u64) {
        let owed = spent.until.saturating_sub(u128::from(now) * self.per_nano);
        let debt = self.debt(now);
        let later = if debt > self.whole() { debt.saturating_sub(owed) } else { 0 };
        let back = spent.units.min(owed).min(debt).saturating_sub(later);
        if !self.gap && back > 0 {
            self.full_at -= back;
            self.gap = later > 0;
        }
    }

    /// What comes back without a look at the clock, unless somebody took and kept tokens since.
    fn undo(&mut self, spent: &Spent) -> bool {
        let behind = spent.until.checked_sub(self.full_at);
        let undone = !self.gap && spent.units > 0 && behind.is_some_and(|behind| behind <= self.whole());
        if undone {
            self.full_at -= spent.units;
        }
        undone
    }

    fn available(&self, now: u64) -> u32 {
        let left = self.whole().saturating_sub(self.debt(now)) / self.interval;
        u32::try_from(left).expect("at most a burst")
    }
}

fn common_divisor(mut a: u128, mut b: u128) -> u128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}
