//! What must hold for any calls and latencies: a rate follows the windows' latencies, exactly, and admits no more than it gives.
//!
//! The rule is exact: a window's results are a sorted list of fractions of the target. How many tokens there are is bounded
//! from above by what each rate gave; the bucket itself is the subject of the target `adjustable`.

use std::time::Duration;

use seawall_core::adaptive_rate::{Adjustment, Config};
use seawall_core::rate_limiter::adjustable::Grant;
use seawall_core::rate_limiter::{Quota, Rejected};
use seawall_core::{AdaptiveRate, Instant, Outcome};

use crate::input::Input;

/// Whether words have 32 bits.
const NARROW: bool = cfg!(any(seawall_word32, not(target_has_atomic = "64")));

/// Up to so many windows behind the newest one, a result counts to it; as documented.
const WINDOWS_BEHIND: u64 = 8;
/// The clock goes so far; the finest units of the wide layout wrap beyond it.
const LAST: u64 = 1 << 48;
/// More parts than this of 320 to the target are not told apart.
const MOST_PARTS: u128 = 16_000;

/// Runs the script of `bytes` on a rate and on a list of the results of its windows.
///
/// # Panics
///
/// If the rate changes where it should not, or the other way round, or more is granted than there was.
pub fn check(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let setting = Setting::read(&mut input);
    let config = Config::new(setting.quota(), Duration::from_nanos(setting.target))
        .between(setting.min, setting.max)
        .window(Duration::from_nanos(setting.window))
        .samples(setting.samples);
    let Ok(limiter) = AdaptiveRate::try_new(config) else {
        assert!(NARROW || !setting.is_valid(), "{setting:?}");
        return;
    };
    assert!(setting.is_valid(), "{setting:?}");
    let start = input.start(setting.window) % (LAST / 2);
    let mut pair = Pair {
        limiter,
        rate: u64::from(setting.initial) * setting.parts(),
        now: start,
        newest: start,
        window: 0,
        held_back: false,
        results: Vec::new(),
        counts: (0, 0),
        judged: None,
        shadow: false,
        grants: Vec::new(),
        books: Books { granted: 0, given: 0, least: i128::MAX, reserves: false },
        setting,
    };
    while let Some(operation) = input.operation() {
        pair.apply(operation, &mut input);
        pair.compare();
        if pair.now >= LAST || pair.now / setting.window > 1 << 31 {
            return;
        }
    }
}

/// A configuration. Times are nanoseconds.
#[derive(Clone, Copy, Debug)]
struct Setting {
    initial: u32,
    burst: u32,
    period: u64,
    min: u32,
    max: u32,
    target: u64,
    window: u64,
    samples: u32,
}

impl Setting {
    fn read(input: &mut Input<'_>) -> Self {
        let any = |input: &mut Input<'_>| {
            if input.flag() { u32::from(input.byte()) } else { input.any_word() }
        };
        let initial = any(input);
        let (min, max) = if input.flag() {
            (1 + initial / 20, initial.saturating_mul(3).max(2))
        } else {
            (any(input), any(input))
        };
        Self {
            initial,
            burst: any(input),
            period: if input.flag() { 1_000_000_000 } else { input.long() },
            min,
            max,
            target: if input.flag() { 320 } else { input.long() },
            window: if input.flag() { 100_000_000 } else { input.long() },
            samples: u32::from(input.byte() % 24),
        }
    }

    fn quota(&self) -> Quota {
        Quota::new(self.initial, Duration::from_nanos(self.period)).burst(self.burst)
    }

    fn is_valid(&self) -> bool {
        let year = 365 * 86_400 * 1_000_000_000;
        let times = (1..=year).contains(&self.target) && self.window > 0 && self.period > 0;
        let rates = 0 < self.min && self.min <= self.initial && self.initial <= self.max;
        times && rates && self.samples > 0 && self.burst > 0
    }

    /// The parts of a token in which the rate moves.
    fn parts(&self) -> u64 {
        let fits = u64::from(self.max) * 1000 <= u32::MAX.into() && self.period.checked_mul(1000).is_some();
        if fits { 1000 } else { 1 }
    }

    /// The burst at a rate in parts: as large a share of it as at first, and one at least.
    fn burst_at(&self, rate: u64) -> u32 {
        let whole = u128::from(self.burst) * u128::from(rate);
        let burst = whole / (u128::from(self.initial) * u128::from(self.parts()));
        u32::try_from(burst).unwrap_or(u32::MAX).max(1)
    }
}

/// What was granted, in tokens, against what the rates gave, in parts of a token times nanoseconds.
struct Books {
    granted: i128,
    given: i128,
    least: i128,
    /// Reservations start later than they are granted, so the bound ends with the first one.
    reserves: bool,
}

struct Pair {
    limiter: AdaptiveRate,
    setting: Setting,
    /// In parts of a token a period.
    rate: u64,
    now: u64,
    newest: u64,
    /// The number of the present window.
    window: u64,
    held_back: bool,
    /// The results of the present window, in parts of the target times the target.
    results: Vec<u128>,
    /// How often the rate was raised and lowered.
    counts: (u64, u64),
    /// The results of the window that was judged last.
    judged: Option<Vec<u128>>,
    shadow: bool,
    grants: Vec<(Grant, i128)>,
    books: Books,
}

impl Pair {
    fn at(&self) -> Instant {
        Instant::from_nanos(self.now)
    }

    fn apply(&mut self, operation: u8, input: &mut Input<'_>) {
        match operation % 16 {
            0 | 1 => self.take(1),
            2 => {
                let cost = if input.flag() { input.byte().into() } else { input.any_word() };
                self.take(cost);
            }
            3..=5 => {
                let latency = self.latency(input);
                let outcome = input.pick(&OUTCOMES);
                self.record(outcome, latency);
            }
            6 => {
                let (latency, outcome) = (self.latency(input), input.pick(&OUTCOMES));
                for _ in 0..input.byte() % 32 {
                    self.record(outcome, latency);
                }
            }
            7 => {
                let (cost, wait) = (u32::from(input.byte()), Duration::from_nanos(input.long() >> 24));
                let reserved = self.limiter.reserve(cost, wait, self.at());
                self.books.reserves = true;
                match reserved {
                    Ok(reservation) => {
                        let waits = reservation.wait(self.at()) > Duration::ZERO;
                        let refused = reservation.would_reject() && cost <= self.setting.burst_at(self.rate);
                        self.held_back |= waits || refused;
                        if input.flag() {
                            self.limiter.cancel(reservation, self.at());
                        }
                    }
                    Err(Rejected::ExceedsBurst { .. }) => {}
                    Err(_) => self.held_back = true,
                }
            }
            8 => {
                if let Some(at) = input.index(self.grants.len()) {
                    let (grant, cost) = self.grants.swap_remove(at);
                    self.limiter.refund(grant, self.at());
                    self.books.granted -= cost;
                }
            }
            9 if operation > 200 => {
                self.shadow = input.flag();
                self.limiter.set_shadow(self.shadow);
            }
            9 | 10 => self.pass(self.setting.window),
            11 => self.pass(share_of(self.setting.window, input)),
            12 => self.pass(share_of(self.setting.period, input)),
            13 => self.pass(input.long() >> 20),
            // The narrow layout takes a clock that steps back for one that went on after sixteen bursts' time.
            _ => {
                let back = share_of(self.setting.window, input);
                let most = if NARROW { self.setting.period / u64::from(self.setting.max) } else { 1 << 39 };
                self.now = self.now.saturating_sub(back).max(self.newest.saturating_sub(most));
            }
        }
    }

    /// Around the target, or any.
    fn latency(&self, input: &mut Input<'_>) -> u64 {
        if input.flag() {
            return input.long();
        }
        let target = u128::from(self.setting.target);
        // 80 % and 120 % and what is a little off.
        let near = target * u128::from(input.between(0, 16)) / 10 + u128::from(input.between(0, 2));
        u64::try_from(near).unwrap_or(u64::MAX).saturating_sub(1)
    }

    fn pass(&mut self, nanos: u64) {
        let before = self.now;
        self.now = self.now.saturating_add(nanos).min(LAST);
        self.newest = self.newest.max(self.now);
        self.books.given += i128::from(self.now - before) * i128::from(self.rate);
    }

    /// What a token is worth in the books.
    fn token(&self) -> i128 {
        i128::from(self.setting.period) * i128::from(self.setting.parts())
    }

    fn take(&mut self, cost: u32) {
        let burst = self.setting.burst_at(self.rate);
        self.books.least = self.books.least.min(self.books.granted * self.token() - self.books.given);
        match self.limiter.try_acquire_many(cost, self.at()) {
            Ok(grant) => {
                assert!(self.shadow || !grant.would_reject());
                self.held_back |= grant.would_reject() && cost <= burst;
                if !grant.would_reject() {
                    assert!(cost <= burst);
                    self.books.granted += i128::from(cost);
                    self.grants.push((grant, cost.into()));
                }
            }
            Err(Rejected::ExceedsBurst { cost: told, burst: most }) => {
                assert_eq!((told, most), (cost, burst));
                assert!(cost > burst && !self.shadow);
            }
            Err(_) => {
                assert!(cost <= burst && !self.shadow);
                self.held_back = true;
            }
        }
        let excess = self.books.granted * self.token() - self.books.given - self.books.least;
        // A token may come one unit early where units are longer than a nanosecond.
        let most = (i128::from(self.setting.burst_at(self.highest())) + 1) * self.token();
        assert!(self.books.reserves || excess <= most, "more than was there and each rate gave");
    }

    fn highest(&self) -> u64 {
        u64::from(self.setting.max) * self.setting.parts()
    }

    fn record(&mut self, outcome: Outcome, latency: u64) {
        let target = u128::from(self.setting.target);
        // Nobody waits for so many parts of the target as 64 bits do not hold, so they are told as fewer.
        let own = u128::from(latency.saturating_mul(320));
        let result = match outcome {
            Outcome::Success => Some(own),
            Outcome::Failure => Some(own.max(target * 320)),
            // Slower than 120 %, if only just.
            Outcome::Slow => Some(own.max(target * 384 + 1)),
            _ => None,
        };
        let adjustment = self.limiter.record(outcome, Duration::from_nanos(latency), self.at());
        let Some(result) = result else {
            assert_eq!(adjustment, None);
            return;
        };
        let expected = self.turn();
        assert_eq!(adjustment.map(|it| (it.from.tokens().into(), it.to.tokens().into())), expected);
        if let Some(adjustment) = adjustment {
            self.told(&adjustment);
        }
        self.results.push(result);
    }

    /// Judges the window before, if a new one begins; the old rate and the new one.
    fn turn(&mut self) -> Option<(u64, u64)> {
        let number = self.now / self.setting.window;
        if number <= self.window && self.window - number <= WINDOWS_BEHIND {
            return None;
        }
        let next = number == self.window + 1;
        self.window = number;
        let mut results = std::mem::take(&mut self.results);
        let held_back = std::mem::take(&mut self.held_back);
        if !next || results.len() < self.setting.samples as usize {
            return None;
        }
        results.sort_unstable();
        let p95 = results[(results.len() * 95).div_ceil(100) - 1];
        let target = u128::from(self.setting.target);
        let half = u128::from(self.rate) * u128::from(self.setting.window);
        let uses =
            results.len() as u128 * 2 * u128::from(self.setting.period) * u128::from(self.setting.parts());
        let (from, parts) = (self.rate, self.setting.parts());
        self.rate = if p95 > target * 384 {
            (from - from.div_ceil(10)).max(u64::from(self.setting.min) * parts)
        } else if p95 < target * 256 && (held_back || uses >= half) {
            (from + (from / 20).max(1)).min(self.highest())
        } else {
            from
        };
        self.judged = Some(results);
        self.counts.0 += u64::from(self.rate > from);
        self.counts.1 += u64::from(self.rate < from);
        (self.rate != from).then_some((from, self.rate))
    }

    fn told(&self, adjustment: &Adjustment) {
        let results = self.judged.as_ref().expect("it was judged just now");
        assert_eq!(adjustment.samples, results.len() as u64);
        assert_eq!(adjustment.is_raise(), adjustment.to.tokens() > adjustment.from.tokens());
        self.is_p95(adjustment.p95);
    }

    /// At most one part in 16 above the true one, beside the part of the target in which latencies are counted.
    fn is_p95(&self, seen: Duration) {
        let results = self.judged.as_ref().expect("a window was judged");
        let exact = results[(results.len() * 95).div_ceil(100) - 1];
        let target = u128::from(self.setting.target);
        let seen = seen.as_nanos();
        let least = exact.min(target * MOST_PARTS);
        assert!(seen + 1 >= (least / 320).min(u64::MAX.into()), "{seen} for {exact} / 320");
        let most = exact.min(target * 17_000) / 320 * 17 / 16 + target * 2 / 320 + 2;
        assert!(seen <= most, "{seen} for {exact} / 320");
    }

    fn compare(&self) {
        let seen = self.limiter.snapshot();
        assert_eq!(u64::from(seen.quota.tokens()), self.rate);
        assert_eq!(seen.quota.burst_size(), self.setting.burst_at(self.rate));
        assert!((seen.min.tokens()..=seen.max.tokens()).contains(&seen.quota.tokens()));
        assert_eq!((seen.raised, seen.lowered), self.counts);
        assert_eq!(seen.p95.is_some(), self.judged.is_some());
        if let Some(p95) = seen.p95 {
            self.is_p95(p95);
        }
        let available = self.limiter.available(self.at());
        assert!(available <= seen.quota.burst_size());
        assert!(self.limiter.check(available, self.at()).is_ok(), "what is available can be taken");
        let more = available.checked_add(1);
        assert!(more.is_none_or(|more| self.limiter.check(more, self.at()).is_err()), "and no more");
    }
}

const OUTCOMES: [Outcome; 6] =
    [Outcome::Success, Outcome::Success, Outcome::Success, Outcome::Failure, Outcome::Slow, Outcome::Ignored];

/// Up to four times of it.
fn share_of(whole: u64, input: &mut Input<'_>) -> u64 {
    u64::try_from(u128::from(whole) * u128::from(input.byte()) / 64).unwrap_or(u64::MAX)
}
