//! What must hold for any sequence of calls: budgets and burn rates are those of exact fractions over a list of calls.

use std::time::Duration;

use seawall_core::burn_rate::{self, BurnRate, Rule};
use seawall_core::error_budget::{self, Edge, ErrorBudget};
use seawall_core::latency_budget::{self, LatencyBudget};
use seawall_core::{Instant, Ratio};

use crate::input::Input;

const SLOTS: u64 = 3;

/// Runs the script of `bytes` on an error budget, a latency budget and a burn rate.
///
/// # Panics
///
/// If a figure or an edge is wrong.
pub fn check(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let whole = input.pick(&[1, 100, 1_000_000, u32::MAX]);
    let objective =
        Ratio::try_new(input.any_word().min(whole), whole).expect("a part is not above the whole");
    let width = input.long().clamp(1, 1 << 40);
    let short = (width / u64::from(input.between(1, 16))).max(1);
    let (minimum, tenths) = (input.between(0, 12), input.any_word());
    let target = Duration::from_nanos(input.long());
    let (span, short_span) = (Duration::from_nanos(width * SLOTS), Duration::from_nanos(short * SLOTS));
    let errors = ErrorBudget::<3>::new(error_budget::Config::new(objective, span).minimum_calls(minimum));
    let latency = LatencyBudget::<2, 64, 3>::try_new(
        latency_budget::Config::new(objective, target, span).minimum_calls(minimum),
    )
    .expect("the span has slots");
    let rule = Rule::tenths(tenths, span).short(short_span);
    let burn = BurnRate::<3>::try_new(burn_rate::Config::new(objective, rule).minimum_calls(minimum));
    assert_eq!(burn.is_err(), tenths == 0);
    let mut calls: Vec<Call> = Vec::new();
    let mut now = input.start(short);
    let mut side = Sides { exhausted: false, slow: false, raised: false };
    while let Some(operation) = input.operation() {
        match operation % 8 {
            0..=4 => {
                let took = Duration::from_nanos(input.long());
                calls.push(Call { at: now, failed: operation % 8 > 2, slow: took > target });
                let at = Instant::from_nanos(now);
                let account = Account::of(objective, minimum, &calls, width, now, |call| call.failed);
                let edge = errors.record(operation % 8 <= 2, at);
                assert_eq!(edge, crossed(&mut side.exhausted, account.exhausted));
                let slow = Account::of(objective, minimum, &calls, width, now, |call| call.slow);
                assert_eq!(latency.record(took, at), crossed(&mut side.slow, slow.exhausted));
                if let Ok(burn) = &burn {
                    let raised = account.burns(tenths)
                        && account.calls >= u128::from(minimum)
                        && Account::of(objective, 0, &calls, short, now, |call| call.failed).burns(tenths);
                    let edge = burn.record(operation % 8 <= 2, at);
                    let expected = match crossed(&mut side.raised, raised) {
                        Some(Edge::Exhausted) => Some(burn_rate::Edge::Raised),
                        Some(Edge::Recovered) => Some(burn_rate::Edge::Cleared),
                        None => None,
                    };
                    assert_eq!(edge, expected);
                }
            }
            5 => now = now.saturating_add(width),
            6 => now = now.saturating_add(width.saturating_mul(u64::from(input.byte())) / 64),
            _ => now = now.saturating_add(input.long() >> 24),
        }
        if now / short > 1 << 29 {
            // Numbers of buckets start over far beyond this; the window's own tests go there.
            return;
        }
        let at = Instant::from_nanos(now);
        let account = Account::of(objective, minimum, &calls, width, now, |call| call.failed);
        account.is_shown_by(&errors.snapshot(at));
        assert_eq!(errors.is_exhausted(at), account.exhausted);
        let slow = Account::of(objective, minimum, &calls, width, now, |call| call.slow);
        let seen = latency.snapshot(at);
        assert_eq!((u128::from(seen.calls), u128::from(seen.violations)), (slow.calls, slow.failures));
        assert_eq!((u128::from(seen.spent_millionths), seen.exhausted), (slow.spent(), slow.exhausted));
        if let Ok(burn) = &burn {
            let near = Account::of(objective, 0, &calls, short, now, |call| call.failed);
            let seen = burn.snapshot(at);
            assert_eq!(u128::from(seen.calls), account.calls);
            assert_eq!(u128::from(seen.long_thousandths), account.rate());
            assert_eq!(u128::from(seen.short_thousandths), near.rate());
            let enough = account.calls >= u128::from(minimum);
            assert_eq!(seen.raised, enough && account.burns(tenths) && near.burns(tenths));
            assert_eq!(burn.is_raised(at), seen.raised);
        }
    }
}

struct Call {
    at: u64,
    failed: bool,
    slow: bool,
}

/// On which side of its line each of them was told to be.
struct Sides {
    exhausted: bool,
    slow: bool,
    raised: bool,
}

fn crossed(side: &mut bool, now: bool) -> Option<Edge> {
    let edge = match (*side, now) {
        (false, true) => Some(Edge::Exhausted),
        (true, false) => Some(Edge::Recovered),
        _ => None,
    };
    *side = now;
    edge
}

/// The figures of one moment, as fractions.
struct Account {
    calls: u128,
    failures: u128,
    /// The share of calls that may fail.
    spare: u128,
    whole: u128,
    exhausted: bool,
}

impl Account {
    fn of(
        objective: Ratio,
        minimum: u32,
        calls: &[Call],
        width: u64,
        now: u64,
        fails: impl Fn(&Call) -> bool,
    ) -> Self {
        let live = calls.iter().filter(|call| call.at / width + SLOTS > now / width);
        let failed: Vec<bool> = live.map(fails).collect();
        let (calls, failures) = (failed.len() as u128, failed.iter().filter(|&&it| it).count() as u128);
        let whole = u128::from(objective.denominator());
        let good = u128::from(objective.numerator());
        let exhausted = calls >= u128::from(minimum) && (calls - failures) * whole < calls * good;
        Self { calls, failures, spare: whole - good, whole, exhausted }
    }

    /// Failures by what the calls allow, times `unit`.
    fn used(&self, unit: u128) -> u128 {
        if self.failures == 0 {
            return 0;
        }
        let used = (self.failures * self.whole * unit).checked_div(self.calls * self.spare);
        used.unwrap_or(u128::MAX).min(u128::from(u32::MAX))
    }

    fn spent(&self) -> u128 {
        self.used(1_000_000)
    }

    fn rate(&self) -> u128 {
        self.used(1_000)
    }

    fn burns(&self, tenths: u32) -> bool {
        self.failures > 0 && self.failures * self.whole * 10 >= self.calls * self.spare * u128::from(tenths)
    }

    fn is_shown_by(&self, seen: &error_budget::Snapshot) {
        assert_eq!((u128::from(seen.calls), u128::from(seen.failures)), (self.calls, self.failures));
        assert_eq!(u128::from(seen.allowed_failures), self.calls * self.spare / self.whole);
        assert_eq!((u128::from(seen.spent_millionths), seen.exhausted), (self.spent(), self.exhausted));
        assert_eq!(u128::from(seen.remaining.of(1_000_000)), 1_000_000_u128.saturating_sub(self.spent()));
    }
}
