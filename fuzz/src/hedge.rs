//! What must hold for any latencies and calls: a hedge starts when a list says that the attempt is late, and is paid for.
//!
//! A histogram tells a percentile to one part in 2³, so a delay lies between the two ends of that.

use std::time::Duration;

use seawall_core::hedge::{Hedge, Latencies, NoHedge, Plan};
use seawall_core::histogram::{Histogram, buckets_for};
use seawall_core::{Backoff, Deadline, Instant, Ratio, Retry, retry};

use crate::input::Input;

const PRECISION: u32 = 3;
const BUCKETS: usize = buckets_for(PRECISION, 1_000_000);
const HIGHEST: u64 = Histogram::<PRECISION, BUCKETS>::MAX_VALUE;

/// Runs the script of `bytes` on hedges and on the list of the latencies.
///
/// # Panics
///
/// If a hedge is early, late, or not paid for.
pub fn check(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let by_percentile = input.flag();
    let share = percentile(&mut input);
    let (floor, ceiling) = (input.long(), input.long());
    let (most, least_samples) = (u32::from(input.byte()) % 4, u32::from(input.byte()) % 40);
    let [shortest, longest] = [floor, ceiling].map(Duration::from_nanos);
    let hedge = if by_percentile {
        Hedge::at_percentile(share, shortest, longest).least_samples(least_samples)
    } else {
        Hedge::after(shortest)
    }
    .at_most_hedges(most);
    assert_eq!(hedge.validate().is_ok(), !by_percentile || floor <= ceiling);
    if by_percentile && floor > ceiling {
        return;
    }
    let whole = input.pick(&[1, 10, 100]);
    let (part, cap, throttles) = (input.between(0, whole), input.between(0, 7), input.flag());
    let ratio = Ratio::try_new(part, whole).expect("a part is not above the whole");
    let base = retry::Config::attempts(2, Backoff::constant(Duration::ZERO));
    let config = if throttles { base.throttle(ratio, cap) } else { base.budget(ratio, cap, 0) };
    let budget = Retry::new(config);
    let mut model = Model {
        share: by_percentile.then_some(share),
        floor,
        ceiling: if by_percentile { ceiling } else { floor },
        least_samples: least_samples as usize,
        latencies: Vec::new(),
    };
    let seen = Histogram::<PRECISION, BUCKETS>::new();
    let mut balance = Balance { units: cap * whole, full: cap * whole, part, whole, throttles };
    let mut now = input.long() >> 1;
    while let Some(operation) = input.operation() {
        let at = Instant::from_nanos(now);
        let hedges = u32::from(operation / 16 % 4);
        match operation % 16 {
            0..=3 => {
                let micros = if input.flag() { input.byte().into() } else { input.long() };
                seen.record(micros);
                model.latencies.push(micros);
            }
            4 => {
                let (micros, times) = (input.half().into(), input.byte());
                for _ in 0..times {
                    seen.record(micros);
                    model.latencies.push(micros);
                }
            }
            5..=8 => {
                let deadline = deadline(now, &model, &mut input);
                let plan = hedge.plan(hedges, &seen, deadline, at);
                model.is_right(plan, hedges < most, deadline, now);
                // Where nothing is known of latencies, the delay is the longest.
                let blind = Model { latencies: Vec::new(), ..model };
                blind.is_right(hedge.plan(hedges, &(), deadline, at), hedges < most, deadline, now);
                model = Model { latencies: std::mem::take(&mut model.latencies), ..blind };
            }
            9..=11 => {
                let deadline = deadline(now, &model, &mut input);
                let started = hedge.start(hedges, &seen, &budget, deadline, at);
                let is_late = |needs: u64| is_over(deadline, now.saturating_add(needs).into());
                // Between the least and the most that the histogram may say, the oracle believes it.
                let [least, longest] = model.needs().map(is_late);
                let expected = if hedges >= most {
                    Err(NoHedge::Limit)
                } else if least || (longest && started == Err(NoHedge::Deadline)) {
                    Err(NoHedge::Deadline)
                } else if balance.pays() {
                    Ok(())
                } else {
                    Err(NoHedge::Budget)
                };
                assert_eq!(started, expected);
            }
            12 => {
                budget.call_started();
                balance.earn(!throttles);
            }
            13 => {
                budget.call_succeeded();
                balance.earn(throttles);
            }
            14 => {
                budget.call_failed(retry::Kind::Failure);
                balance.fail();
            }
            _ => now = now.saturating_add(input.long()),
        }
        assert_eq!(budget.balance(), balance.units / whole, "what is not a hedge costs nothing");
        let delay = hedge.delay(&seen, Instant::from_nanos(now));
        assert!(model.delays().contains(&nanos(delay)), "{delay:?} is not in {:?}", model.delays());
        assert_eq!(Latencies::count(&seen, at), model.latencies.len() as u64);
    }
}

fn percentile(input: &mut Input<'_>) -> Ratio {
    Ratio::percent(input.between(0, 100))
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// None, about when the hedge is due, or any.
fn deadline(now: u64, model: &Model, input: &mut Input<'_>) -> Deadline {
    match input.byte() % 4 {
        0 => Deadline::NONE,
        1 => Deadline::at(Instant::from_nanos(now.saturating_add(input.byte().into()).saturating_sub(1))),
        2 => {
            let due = now.saturating_add(*model.delays().start()).saturating_add(model.needs()[0]);
            Deadline::at(Instant::from_nanos(due.saturating_add(input.byte().into()).saturating_sub(1)))
        }
        _ => Deadline::at(Instant::from_nanos(input.long())),
    }
}

/// A deadline that is reached counts, and none is never reached.
fn is_over(deadline: Deadline, moment: u128) -> bool {
    deadline != Deadline::NONE && moment >= u128::from(deadline.moment().as_nanos())
}

/// What is known of the latencies, in microseconds; delays are nanoseconds.
struct Model {
    share: Option<Ratio>,
    floor: u64,
    ceiling: u64,
    least_samples: usize,
    latencies: Vec<u64>,
}

impl Model {
    fn knows_enough(&self) -> bool {
        self.share.is_some() && self.latencies.len() >= self.least_samples
    }

    /// The least and the most that a histogram may say of this percentile, in nanoseconds.
    fn percentile(&self, share: Ratio) -> Option<[u64; 2]> {
        let mut sorted = self.latencies.clone();
        sorted.sort_unstable();
        let whole = u64::from(share.denominator());
        let rank = (sorted.len() as u64 * u64::from(share.numerator())).div_ceil(whole).max(1);
        let exact = *sorted.get(usize::try_from(rank - 1).ok()?)?;
        let ends = if exact > HIGHEST { [HIGHEST; 2] } else { [exact, exact + (exact >> PRECISION)] };
        Some(ends.map(|micros| micros.saturating_mul(1000)))
    }

    fn delays(&self) -> std::ops::RangeInclusive<u64> {
        let Some(share) = self.share else { return self.floor..=self.floor };
        let late = self.percentile(share).filter(|_| self.knows_enough());
        let [least, most] = late.unwrap_or([self.ceiling; 2]).map(|it| it.max(self.floor).min(self.ceiling));
        least..=most
    }

    /// What an answer takes, at least and at most: the median.
    fn needs(&self) -> [u64; 2] {
        self.percentile(Ratio::percent(50)).filter(|_| self.knows_enough()).unwrap_or([0; 2])
    }

    fn is_right(&self, plan: Plan, has_some_left: bool, deadline: Deadline, now: u64) {
        let delays = self.delays();
        let end = |delay: u64, needs: u64| u128::from(now.saturating_add(delay).saturating_add(needs));
        match plan {
            Plan::HedgeAfter(delay) => {
                assert!(has_some_left && delays.contains(&nanos(delay)), "{delay:?} is not in {delays:?}");
                assert!(
                    !is_over(deadline, end(*delays.start(), self.needs()[0])),
                    "it could not be answered"
                );
            }
            Plan::NoHedge(NoHedge::Limit) => assert!(!has_some_left),
            Plan::NoHedge(NoHedge::Deadline) => {
                assert!(has_some_left && is_over(deadline, end(*delays.end(), self.needs()[1])));
            }
            Plan::NoHedge(other) => panic!("{other:?} where nothing is paid"),
        }
    }
}

/// The budget in parts of a token.
struct Balance {
    units: u32,
    full: u32,
    part: u32,
    whole: u32,
    throttles: bool,
}

impl Balance {
    /// Whether a hedge may start, which a budget pays for and a throttle allows while it is more than half full.
    fn pays(&mut self) -> bool {
        if self.throttles {
            return self.units > self.full / 2;
        }
        let pays = self.units >= self.whole;
        self.units -= if pays { self.whole } else { 0 };
        pays
    }

    fn earn(&mut self, earns: bool) {
        if earns && self.units < self.full {
            self.units = (self.units + self.part).min(self.full);
        }
    }

    fn fail(&mut self) {
        if self.throttles {
            self.units = self.units.saturating_sub(self.whole);
        }
    }
}
