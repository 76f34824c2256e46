//! The limiter against its algorithm in exact arithmetic, and its one promise for any quota, clock and order of calls.

#![cfg_attr(seawall_word32, allow(dead_code))] // The exact model is for 64-bit words, where nothing is rounded.

use core::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use seawall_core::rate_limiter::{Grant, Quota, Rejected, Reservation};
use seawall_core::{AdjustableRateLimiter, Instant, RateLimiter};

/// Whether words have 32 bits: in firmware, and under `--cfg seawall_word32`.
const NARROW: bool = cfg!(any(seawall_word32, not(target_has_atomic = "64")));

/// One operation. A grant is named by any number, modulo how many there are; a cost is taken modulo the burst and two more.
#[derive(Clone, Copy, Debug)]
enum Operation {
    Take {
        cost: u32,
    },
    Reserve {
        cost: u32,
        /// In thousandths of the time in which an empty bucket fills.
        max_wait: u32,
    },
    Cancel {
        reservation: u8,
    },
    /// A call whose time has come starts.
    Start {
        reservation: u8,
    },
    Refund {
        grant: u8,
    },
    Undo {
        grant: u8,
    },
    /// In thousandths of the time in which an empty bucket fills.
    Advance {
        thousandths: u32,
    },
    /// As `Advance`, but backwards.
    StepBack {
        thousandths: u32,
    },
    AdvanceBy {
        nanos: u64,
    },
    /// Time passes until the limiter said to come back for one token, or until a nanosecond before that.
    ComeBack {
        early: bool,
    },
}

fn operations() -> impl Strategy<Value = Vec<Operation>> {
    let operation = prop_oneof![
        6 => Just(Operation::Take { cost: 1 }),
        4 => any::<u32>().prop_map(|cost| Operation::Take { cost }),
        4 => (any::<u32>(), 0_u32..2500)
            .prop_map(|(cost, max_wait)| Operation::Reserve { cost: cost >> (cost % 32), max_wait }),
        3 => any::<u8>().prop_map(|reservation| Operation::Cancel { reservation }),
        1 => any::<u8>().prop_map(|reservation| Operation::Start { reservation }),
        3 => any::<u8>().prop_map(|grant| Operation::Refund { grant }),
        2 => any::<u8>().prop_map(|grant| Operation::Undo { grant }),
        3 => (0_u32..1500).prop_map(|thousandths| Operation::Advance { thousandths }),
        1 => (0_u32..100_000).prop_map(|thousandths| Operation::Advance { thousandths }),
        2 => (0_u32..3000).prop_map(|thousandths| Operation::StepBack { thousandths }),
        3 => (0_u64..1000).prop_map(|nanos| Operation::AdvanceBy { nanos }),
        4 => any::<bool>().prop_map(|early| Operation::ComeBack { early }),
    ];
    vec(operation, 1..120)
}

/// The time in which an empty bucket fills.
fn fill(quota: &Quota) -> u64 {
    let nanos = quota.period().as_nanos() * u128::from(quota.burst_size()) / u128::from(quota.tokens());
    u64::try_from(nanos).expect("the quotas here fill within the range of an instant")
}

/// A clock that may step back, but not so far that a word takes the future for the past.
struct Time {
    now: u64,
    newest: u64,
    /// How far it went forward in all.
    forward: u64,
    last: u64,
    furthest_back: u64,
    fill: u64,
}

impl Time {
    fn new(start: u64, quota: &Quota) -> Self {
        let fill = fill(quota);
        let furthest_back = if NARROW { fill.saturating_mul(8) } else { 1 << 41 };
        Self { now: start, newest: start, forward: 0, last: start + (1 << 53), furthest_back, fill }
    }

    fn share(&self, thousandths: u32) -> u64 {
        u64::try_from(u128::from(self.fill) * u128::from(thousandths) / 1000).unwrap_or(u64::MAX)
    }

    fn pass(&mut self, nanos: u64) {
        let before = self.now;
        self.now = self.now.saturating_add(nanos).min(self.last);
        self.forward += self.now - before;
        self.newest = self.newest.max(self.now);
    }

    fn step_back(&mut self, nanos: u64) {
        let furthest = self.newest.saturating_sub(self.furthest_back).max(1);
        self.now = self.now.saturating_sub(nanos).max(furthest);
    }

    fn instant(&self) -> Instant {
        Instant::from_nanos(self.now)
    }
}

fn take_out<T>(list: &mut Vec<T>, number: u8) -> Option<T> {
    if list.is_empty() { None } else { Some(list.swap_remove(usize::from(number) % list.len())) }
}

/// The generic cell rate algorithm in whole units of a nanosecond divided by the tokens of a period, without bounds.
struct Exact {
    /// Units of a nanosecond.
    per_nano: u128,
    /// Units of a token.
    interval: u128,
    burst: u32,
    /// When the bucket is full again.
    full_at: u128,
    /// Whether tokens came back from before reservations.
    gap: bool,
}

/// Tokens that were taken, and when the bucket would have been full again.
#[derive(Default)]
struct Taken {
    units: u128,
    until: u128,
}

impl Exact {
    fn new(quota: &Quota) -> Self {
        let (per_nano, interval) = (u128::from(quota.tokens()), quota.period().as_nanos());
        Self { per_nano, interval, burst: quota.burst_size(), full_at: 0, gap: false }
    }

    fn debt(&self, now: u64) -> u128 {
        self.full_at.saturating_sub(u128::from(now) * self.per_nano)
    }

    fn whole(&self) -> u128 {
        self.interval * u128::from(self.burst)
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
        let nanos = u64::try_from(nanos).expect("the clock here stays far from the end of time");
        Err(Rejected::Limited { retry_after: Some(Duration::from_nanos(nanos)) })
    }

    fn take(&mut self, cost: u32, now: u64) -> Result<Taken, Rejected> {
        self.check(cost, now)?;
        let units = self.interval * u128::from(cost);
        if units > 0 {
            self.put(units, now);
        }
        Ok(Taken { units, until: self.full_at })
    }

    fn put(&mut self, units: u128, now: u64) {
        self.gap &= self.debt(now) > 0;
        self.full_at = u128::from(now) * self.per_nano + self.debt(now) + units;
    }

    /// What is taken, and the wait in nanoseconds.
    fn reserve(&mut self, cost: u32, max_wait: Duration, now: u64) -> Result<(Taken, u64), Rejected> {
        let wait = match self.check(cost, now) {
            Ok(()) => Duration::ZERO,
            Err(Rejected::Limited { retry_after: Some(wait) }) if wait <= max_wait => wait,
            Err(rejected) => return Err(rejected),
        };
        let units = self.interval * u128::from(cost);
        self.put(units, now);
        Ok((Taken { units, until: self.full_at }, u64::try_from(wait.as_nanos()).unwrap()))
    }

    fn refund(&mut self, taken: &Taken, now: u64) {
        let still_owed = taken.until.saturating_sub(u128::from(now) * self.per_nano);
        let debt = self.debt(now);
        let later = if debt > self.whole() { debt.saturating_sub(still_owed) } else { 0 };
        let back = taken.units.min(still_owed).min(debt).saturating_sub(later);
        if !self.gap && back > 0 {
            self.full_at -= back;
            self.gap = later > 0;
        }
    }

    fn undo(&mut self, taken: &Taken) -> bool {
        let undone = !self.gap && self.full_at <= taken.until && taken.until - self.full_at <= self.whole();
        if undone {
            self.full_at -= taken.units;
        }
        undone
    }

    fn available(&self, now: u64) -> u32 {
        let left = self.whole().saturating_sub(self.debt(now)) / self.interval;
        u32::try_from(left).expect("at most a burst")
    }
}

/// Quotas whose interval is a whole number of units.
fn exact_quota() -> impl Strategy<Value = Quota> {
    let period = prop_oneof![
        Just(1_u64),
        Just(7),
        Just(1000),
        Just(1_000_000_000),
        Just(60_000_000_000),
        1_u64..1_000_000_000,
    ];
    (1_u32..=1024, period, 1_u32..1000, 1_u32..10_000).prop_map(|(tokens, period, burst, common)| {
        Quota::new(tokens * common, Duration::from_nanos(period * u64::from(common))).burst(burst)
    })
}

fn any_quota() -> impl Strategy<Value = Quota> {
    let tokens = prop_oneof![1_u32..100, 1_u32..=u32::MAX];
    let period = prop_oneof![1_u64..100, 1_u64..10_000_000_000_000, Just(1_000_000_000)];
    let burst = prop_oneof![1_u32..10, 1_u32..=u32::MAX];
    (tokens, period, burst)
        .prop_map(|(tokens, period, burst)| Quota::new(tokens, Duration::from_nanos(period)).burst(burst))
        .prop_filter("fills within some weeks, and fits the word", |quota| {
            let period = quota.period().as_nanos().div_ceil(u128::from(quota.tokens()));
            period * u128::from(quota.burst_size()) < 1 << 51 && RateLimiter::try_new(*quota).is_ok()
        })
}

fn start() -> impl Strategy<Value = u64> {
    prop_oneof![Just(1_u64), Just(1_000_000_000), 1_u64..1 << 52]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[cfg(all(target_has_atomic = "64", not(seawall_word32)))]
    #[test]
    fn decisions_and_waits_are_those_of_exact_arithmetic(
        quota in exact_quota(),
        start in start(),
        operations in operations(),
    ) {
        let (limiter, mut exact) = (RateLimiter::new(quota), Exact::new(&quota));
        let mut time = Time::new(start, &quota);
        let mut taken: Vec<(Grant, Taken)> = Vec::new();
        let mut reserved: Vec<(Reservation, Taken)> = Vec::new();
        for operation in operations {
            let now = time.instant();
            match operation {
                Operation::Take { cost } => {
                    let cost = cost % (quota.burst_size() + 2);
                    match (limiter.try_acquire_many(cost, now), exact.take(cost, time.now)) {
                        (Ok(grant), Ok(units)) if cost > 0 => taken.push((grant, units)),
                        (real, exact) => prop_assert_eq!(real.map(|_| ()), exact.map(|_| ())),
                    }
                }
                Operation::Reserve { cost, max_wait } => {
                    let cost = 1 + cost % quota.burst_size();
                    let max_wait = Duration::from_nanos(time.share(max_wait).min(1 << 40));
                    match (limiter.reserve(cost, max_wait, now), exact.reserve(cost, max_wait, time.now)) {
                        (Ok(reservation), Ok((units, wait))) => {
                            prop_assert_eq!(reservation.wait(now), Duration::from_nanos(wait));
                            reserved.push((reservation, units));
                        }
                        (real, exact) => prop_assert_eq!(real.map(|_| ()), exact.map(|_| ())),
                    }
                }
                Operation::Cancel { reservation } => {
                    if let Some((reservation, units)) = take_out(&mut reserved, reservation) {
                        if now <= reservation.ready_at() {
                            exact.refund(&units, time.now);
                        }
                        limiter.cancel(reservation, now);
                    }
                }
                Operation::Start { reservation } => {
                    if let Some((reservation, units)) = take_out(&mut reserved, reservation) {
                        taken.push((reservation.into_grant(), units));
                    }
                }
                Operation::Refund { grant } => {
                    if let Some((grant, units)) = take_out(&mut taken, grant) {
                        limiter.refund(grant, now);
                        exact.refund(&units, time.now);
                    }
                }
                Operation::Undo { grant } => {
                    if let Some((grant, units)) = take_out(&mut taken, grant) {
                        prop_assert_eq!(limiter.undo(grant), exact.undo(&units));
                    }
                }
                Operation::Advance { thousandths } => time.pass(time.share(thousandths)),
                Operation::StepBack { thousandths } => time.step_back(time.share(thousandths)),
                Operation::AdvanceBy { nanos } => time.pass(nanos),
                Operation::ComeBack { early } => {
                    if let Some(wait) = exact.check(1, time.now).err().and_then(|it| it.retry_after()) {
                        time.pass(u64::try_from(wait.as_nanos()).unwrap() - u64::from(early));
                        prop_assert_eq!(limiter.check(1, time.instant()).is_ok(), !early);
                    }
                }
            }
            for cost in [1, quota.burst_size()] {
                prop_assert_eq!(limiter.check(cost, time.instant()), exact.check(cost, time.now));
            }
            prop_assert_eq!(limiter.available(time.instant()), exact.available(time.now));
        }
    }

    /// Tokens that came back count less, and time is what the clock went forward by: a step back takes nothing from that.
    #[test]
    fn over_no_interval_more_than_the_burst_and_what_the_rate_gives(
        quota in any_quota(),
        start in start(),
        operations in operations(),
    ) {
        let limiter = RateLimiter::new(quota);
        let mut time = Time::new(start, &quota);
        let mut grants: Vec<(Grant, u32)> = Vec::new();
        // In tokens times the period: what was granted less what the rate gave, now and where it was least.
        let period = i128::try_from(quota.period().as_nanos()).unwrap();
        let most = (i128::from(quota.burst_size()) + i128::from(NARROW)) * period;
        let (mut granted, mut least) = (0_i128, i128::MAX);
        for operation in operations {
            let given = i128::from(quota.tokens()) * i128::from(time.forward);
            least = least.min(granted * period - given);
            match operation {
                Operation::Take { cost } => {
                    let cost = u32::try_from(u64::from(cost) % (u64::from(quota.burst_size()) + 2)).unwrap_or(1);
                    if let Ok(grant) = limiter.try_acquire_many(cost, time.instant()) {
                        granted += i128::from(cost);
                        grants.push((grant, cost));
                    }
                    prop_assert!(granted * period - given - least <= most);
                }
                // They have a property of their own, with a clock that goes forward only.
                Operation::Reserve { .. } | Operation::Cancel { .. } | Operation::Start { .. } => {}
                Operation::Refund { grant } => {
                    if let Some((grant, cost)) = take_out(&mut grants, grant) {
                        limiter.refund(grant, time.instant());
                        granted -= i128::from(cost);
                    }
                }
                Operation::Undo { grant } => {
                    if let Some((grant, cost)) = take_out(&mut grants, grant)
                        && limiter.undo(grant)
                    {
                        granted -= i128::from(cost);
                    }
                }
                Operation::Advance { thousandths } => time.pass(time.share(thousandths)),
                Operation::StepBack { thousandths } => time.step_back(time.share(thousandths)),
                Operation::AdvanceBy { nanos } => time.pass(nanos),
                Operation::ComeBack { early } => {
                    if let Some(wait) = limiter.check(1, time.instant()).err().and_then(|it| it.retry_after()) {
                        let nanos = u64::try_from(wait.as_nanos()).unwrap();
                        time.pass(nanos.saturating_sub(u64::from(early)));
                    }
                }
            }
        }
    }

    /// Whoever comes back when told is admitted, if nobody else came.
    #[test]
    fn the_wait_is_long_enough(quota in any_quota(), start in start(), cost in 1_u32..=u32::MAX) {
        let limiter = RateLimiter::new(quota);
        let cost = 1 + cost % quota.burst_size();
        let now = Instant::from_nanos(start);
        prop_assert!(limiter.try_acquire_many(quota.burst_size(), now).is_ok());
        let wait = limiter.check(cost, now).err().and_then(|rejected| rejected.retry_after());
        if let Some(wait) = wait {
            prop_assert!(limiter.try_acquire_many(cost, now.saturating_add(wait)).is_ok());
        } else {
            prop_assert!(limiter.check(cost, now).is_ok(), "a refusal says when to come back");
        }
    }
    /// A call counts when it may start; one that gave its reservation back before that does not, and tokens that came back from
    /// a call whose time had come count less from then on.
    #[test]
    fn reserved_starts_keep_the_bound_whatever_is_given_back(
        quota in exact_quota(),
        start in start(),
        operations in operations(),
    ) {
        let limiter = RateLimiter::new(quota);
        let units = |cost| i128::from(cost) * i128::try_from(quota.period().as_nanos()).unwrap();
        let mut time = Time::new(start, &quota);
        let mut starts: Vec<(u64, i128)> = Vec::new();
        let mut held: Vec<(Reservation, Taken, u32)> = Vec::new();
        let mut exact = Exact::new(&quota);
        for operation in operations {
            let now = time.instant();
            match operation {
                Operation::Take { cost } | Operation::Reserve { cost, .. } => {
                    let cost = 1 + cost % quota.burst_size();
                    let max_wait = match operation {
                        Operation::Reserve { max_wait, .. } => Duration::from_nanos(time.share(max_wait)),
                        _ => Duration::ZERO,
                    };
                    if let Ok(reservation) = limiter.reserve(cost, max_wait, now) {
                        prop_assert!(reservation.wait(now) <= max_wait);
                        starts.push((reservation.ready_at().as_nanos(), units(cost)));
                        let (taken, _) = exact.reserve(cost, max_wait, time.now).unwrap_or_default();
                        held.push((reservation, taken, cost));
                    }
                }
                Operation::Cancel { reservation } => {
                    if let Some((reservation, taken, cost)) = take_out(&mut held, reservation) {
                        let start = (reservation.ready_at().as_nanos(), units(cost));
                        let before = exact.full_at;
                        if now <= reservation.ready_at() {
                            exact.refund(&taken, time.now);
                        }
                        if now < reservation.ready_at() {
                            let place = starts.iter().rposition(|&it| it == start).unwrap();
                            starts.remove(place);
                        } else {
                            starts.push((time.now, -i128::try_from(before - exact.full_at).unwrap()));
                        }
                        limiter.cancel(reservation, now);
                    }
                }
                Operation::Refund { grant } => {
                    if let Some((reservation, taken, _)) = take_out(&mut held, grant)
                        && !NARROW
                        && reservation.ready_at() <= now
                    {
                        let before = exact.full_at;
                        exact.refund(&taken, time.now);
                        limiter.refund(reservation.into_grant(), now);
                        starts.push((time.now, -i128::try_from(before - exact.full_at).unwrap()));
                    }
                }
                Operation::Advance { thousandths } => time.pass(time.share(thousandths)),
                Operation::AdvanceBy { nanos } => time.pass(nanos),
                Operation::ComeBack { .. }
                | Operation::Start { .. }
                | Operation::Undo { .. }
                | Operation::StepBack { .. } => {}
            }
        }
        starts.sort_by_key(|&(at, _)| at);
        let most = units(quota.burst_size() + u32::from(NARROW));
        for first in 0..starts.len() {
            let mut sum = 0;
            for &(at, taken) in &starts[first..] {
                sum += taken;
                // A start is rounded up to a nanosecond.
                let given = i128::from(at - starts[first].0 + 1) * i128::from(quota.tokens());
                prop_assert!(sum <= most + given, "{:?}", starts);
            }
        }
    }
    /// What there may be at most is what was there, with what each rate gave while it held, up to each burst.
    #[test]
    fn changes_of_the_quota_grant_no_more_than_each_rate_gave(
        quotas in vec(any_quota(), 1..6),
        start in start(),
        operations in operations(),
    ) {
        const TOKEN: u128 = 1 << 32;
        let mut quota = quotas[0];
        let whole = |quota: &Quota| u128::from(quota.burst_size()) * TOKEN;
        let Ok(limiter) = AdjustableRateLimiter::try_new(quota) else { return Ok(()) };
        let (mut now, mut most) = (start, whole(&quota));
        for operation in operations {
            match operation {
                Operation::Take { cost } => {
                    let cost = 1 + cost % quota.burst_size();
                    prop_assert!(u128::from(limiter.available(Instant::from_nanos(now))) * TOKEN <= whole(&quota));
                    if limiter.try_acquire_many(cost, Instant::from_nanos(now)).is_ok() {
                        let cost = u128::from(cost) * TOKEN;
                        prop_assert!(cost <= most + u128::from(NARROW) * TOKEN, "{} of {}", cost, most);
                        most = most.saturating_sub(cost);
                    }
                }
                Operation::Advance { thousandths } => {
                    let share = u128::from(fill(&quota)) * u128::from(thousandths) / 1000;
                    let passed = u64::try_from(share).unwrap().min(1 << 50);
                    now += passed;
                    let given = u128::from(passed) * u128::from(quota.tokens()) * TOKEN;
                    most = (most + given.div_ceil(quota.period().as_nanos())).min(whole(&quota));
                }
                Operation::AdvanceBy { nanos } => {
                    now += nanos;
                    let given = u128::from(nanos) * u128::from(quota.tokens()) * TOKEN;
                    most = (most + given.div_ceil(quota.period().as_nanos())).min(whole(&quota));
                }
                Operation::Refund { grant: other } | Operation::Undo { grant: other } => {
                    let to = quotas[usize::from(other) % quotas.len()];
                    if limiter.set_quota(to, Instant::from_nanos(now)).is_ok() {
                        quota = to;
                        most = most.min(whole(&quota));
                    }
                    prop_assert_eq!(limiter.quota(), quota);
                }
                _ => {}
            }
        }
    }
}
