//! What must hold for any rules, armings and moments: what strikes is what its rules say, when they say, and is counted.
//!
//! Which draw an attempt gets is the generator's; a rule strikes by certainty where its probability is none or all, and may
//! do either in between. There the model reads in the counts of kinds which rule struck, and checks all that follows from
//! it: what comes along, the strike itself, the wake, the partition, the sums. So that a kind tells its rule, of two rules
//! with one kind both are certain. How often a rule strikes that may do either is not the model's to say.

use std::time::Duration;

use seawall_core::chaos::{
    Chaos, Config, Cpu, Ending, Fault, Held, Kind, MAX_BYTES, MAX_RULES, MAX_THREADS, Rule, Strike,
};
use seawall_core::{Instant, Ratio};

use crate::input::Input;

const MILLI: u64 = 1_000_000;
const HOUR: u64 = 3_600_000;
/// Phases and waits up to this keep to ticks of the narrow layout that divide a millisecond.
const LONGEST: u64 = 2_000;

/// Runs the script of `bytes` on chaos and on its rules as a list.
///
/// # Panics
///
/// If something strikes that must not, or does not that must.
pub fn check(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let wake = u64::from(input.byte()) * u64::from(input.byte() % 8);
    let mut rules: Vec<Plan> = (0..input.byte() % 10).map(|_| Plan::read(&mut input)).collect();
    make_kinds_tell(&mut rules);
    let mut config = Config::new().wake(Duration::from_millis(wake)).seed(input.word());
    for plan in &rules {
        config = config.rule(plan.rule());
    }
    let is_valid = rules.len() <= MAX_RULES
        && wake <= HOUR
        && rules.first().is_none_or(|first| !first.along)
        && rules.iter().all(|plan| plan.is_valid(wake));
    let Ok(chaos) = Chaos::try_new(config) else {
        assert!(!is_valid, "{rules:?}");
        return;
    };
    assert!(is_valid, "{rules:?}");
    let horizon = rules.iter().map(Plan::horizon).max().unwrap_or(0);
    let partition = rules.iter().filter_map(Plan::partition).max();
    // What lasts ends where a clock steps back further than it lasts at most, and the phases where it does by far.
    let wakes = Some(wake).filter(|&wake| wake > 0);
    let furthest_back = [partition, wakes].into_iter().flatten().fold(horizon.max(1), u64::min);
    let mut model =
        Model { rules, wake, armed: None, over: false, partition: 0, spell: None, sums: Sums::default() };
    let (mut now, mut newest) = (10_000, 10_000);
    while let Some(operation) = input.operation() {
        let at = Instant::from_nanos(now * MILLI);
        match operation % 16 {
            0 if operation > 64 => {
                assert_eq!(chaos.arm(at), model.armed.is_none());
                model.arm(now);
            }
            1 if operation > 128 => {
                assert_eq!(chaos.disarm(), model.armed.is_some());
                model.armed = None;
            }
            0..=7 => model.decide(&chaos, now),
            8..=11 => now += u64::from(input.byte()),
            12 => now += u64::from(input.byte()) * 8,
            13 => now += horizon,
            _ => {
                let back = u64::from(input.byte());
                now = now.saturating_sub(back).max(newest - furthest_back);
            }
        }
        newest = newest.max(now);
        // Who looks soon after the phases ends them for good; nobody for a wrap of the ticks finds them on once more.
        if model.armed.is_some_and(|since| now >= since + horizon) && !model.over {
            model.decide(&chaos, now);
        }
        assert_eq!(chaos.is_armed(), model.armed.is_some());
        let seen = chaos.stats();
        assert_eq!((seen.checks, seen.strikes), (model.sums.checks, model.sums.strikes));
        for kind in Kind::ALL {
            assert_eq!(seen.injections(kind), model.sums.injections[kind as usize], "{}", kind.name());
        }
    }
}

/// Of rules that share a kind with another one, those that draw strike always or never.
fn make_kinds_tell(rules: &mut [Plan]) {
    let kinds: Vec<Kind> = rules.iter().map(|plan| plan.fault.kind()).collect();
    for plan in rules {
        if kinds.iter().filter(|&&kind| kind == plan.fault.kind()).count() > 1 {
            let likely = Ratio::percent(50)
                .is_reached_by(plan.probability.numerator(), plan.probability.denominator());
            plan.probability = if likely { Ratio::ONE } else { Ratio::ZERO };
            plan.raised = None;
        }
    }
}

/// A rule. Times are milliseconds.
#[derive(Clone, Copy, Debug)]
struct Plan {
    fault: Fault,
    probability: Ratio,
    raised: Option<Ratio>,
    after: u64,
    lasting: Option<u64>,
    along: bool,
}

impl Plan {
    fn read(input: &mut Input<'_>) -> Self {
        let kind = input.byte();
        let times = [(); 2].map(|()| Duration::from_millis(u64::from(input.half()) % LONGEST));
        let amount = input.any_word();
        let fault = match kind % 8 {
            0 => Fault::Latency { min: times[0], max: times[1] },
            1 => Fault::Error,
            2 => Fault::Timeout { after: times[0] },
            3 => Fault::Panic,
            4 => Fault::Partition { time: times[0] },
            5 => Fault::Cpu { threads: amount % 70, share: chance(input), time: times[0] },
            6 => Fault::Memory { bytes: amount, time: times[0] },
            _ => Fault::Disk { bytes: amount, time: times[0] },
        };
        Self {
            fault,
            probability: chance(input),
            raised: if kind & 8 == 0 { None } else { Some(chance(input)) },
            after: if kind & 16 == 0 { 0 } else { u64::from(input.half()) % LONGEST },
            lasting: if kind & 32 == 0 { None } else { Some(u64::from(input.half()) % LONGEST) },
            along: kind & 64 != 0,
        }
    }

    fn rule(&self) -> Rule {
        let rule = if self.along { Rule::along(self.fault) } else { Rule::new(self.fault, self.probability) };
        let rule = rule.after(Duration::from_millis(self.after));
        let rule = self.lasting.map_or(rule, |time| rule.lasting(Duration::from_millis(time)));
        self.raised.map_or(rule, |raised| rule.raised_to(raised))
    }

    fn is_valid(&self, wake: u64) -> bool {
        let lasts = |time: Duration| !time.is_zero();
        let fault = match self.fault {
            Fault::Latency { min, max } => min <= max && lasts(max),
            Fault::Timeout { after } => lasts(after),
            Fault::Partition { time } => lasts(time),
            Fault::Cpu { threads, share, time } => {
                (1..=MAX_THREADS).contains(&threads) && share.numerator() > 0 && lasts(time)
            }
            Fault::Memory { bytes, time } | Fault::Disk { bytes, time } => {
                (1..=MAX_BYTES).contains(&bytes) && lasts(time)
            }
            _ => true,
        };
        fault && (self.raised.is_none() || wake > 0) && self.lasting != Some(0)
    }

    fn partition(&self) -> Option<u64> {
        if let Fault::Partition { time } = self.fault { Some(millis(time)) } else { None }
    }

    fn horizon(&self) -> u64 {
        self.after + self.lasting.unwrap_or(0)
    }

    /// Whether its phase is on, so long after arming; `None` is after all phases.
    fn is_on(&self, elapsed: Option<u64>) -> bool {
        match elapsed {
            Some(elapsed) => {
                elapsed >= self.after && self.lasting.is_none_or(|time| elapsed < self.after + time)
            }
            None => self.lasting.is_none(),
        }
    }
}

/// None, all, or some.
fn chance(input: &mut Input<'_>) -> Ratio {
    match input.byte() {
        0..=79 => Ratio::ZERO,
        80..=159 => Ratio::ONE,
        percent => Ratio::percent(u32::from(percent) - 159),
    }
}

#[derive(Default)]
struct Sums {
    checks: u64,
    strikes: u64,
    injections: [u64; Kind::ALL.len()],
}

struct Model {
    rules: Vec<Plan>,
    wake: u64,
    /// Since when it is armed.
    armed: Option<u64>,
    /// Somebody asked after the phases.
    over: bool,
    /// Until when nothing is reachable.
    partition: u64,
    /// Until when the wake lasts, and which rules struck in it.
    spell: Option<(u64, Vec<bool>)>,
    sums: Sums,
}

impl Model {
    fn arm(&mut self, now: u64) {
        (self.armed, self.over, self.partition, self.spell) = (Some(now), false, 0, None);
    }

    fn decide(&mut self, chaos: &Chaos, now: u64) {
        let before = chaos.stats();
        let strike = chaos.decide(Instant::from_nanos(now * MILLI));
        let after = chaos.stats();
        let Some(since) = self.armed else {
            assert_eq!(strike, None, "it is not armed");
            return;
        };
        self.sums.checks += 1;
        let horizon = self.rules.iter().map(Plan::horizon).max().unwrap_or(0);
        let elapsed = now.saturating_sub(since);
        self.over |= elapsed >= horizon;
        let elapsed = (!self.over).then_some(elapsed);
        if now < self.partition {
            let unreachable = strike.expect("it is in a partition");
            assert_eq!((unreachable.delay, unreachable.ending), (Duration::ZERO, Some(Ending::Unreachable)));
            assert_eq!((unreachable.cpu, unreachable.memory, unreachable.disk), (None, None, None));
            self.count(&[Kind::Partition]);
            return;
        }
        let told = |kind: Kind| after.injections(kind) > before.injections(kind);
        let struck = self.struck(told, elapsed, now);
        assert_eq!(strike, self.strike(&struck, strike), "{struck:?} of {:?}", self.rules);
        if strike.is_none() {
            return;
        }
        let kinds: Vec<Kind> = self
            .rules
            .iter()
            .zip(&struck)
            .filter(|(_, struck)| **struck)
            .map(|(rule, _)| rule.fault.kind())
            .collect();
        self.count(&kinds);
        for (rule, _) in self.rules.iter().zip(&struck).filter(|(_, struck)| **struck) {
            if let Some(time) = rule.partition() {
                self.partition = self.partition.max(now + time);
            }
        }
        if self.wake > 0 {
            let (until, before) = match self.spell.take().filter(|(until, _)| now < *until) {
                Some((until, before)) => (until, before),
                None => (0, vec![false; struck.len()]),
            };
            let all = before.iter().zip(&struck).map(|(before, now)| *before || *now).collect();
            self.spell = Some((until.max(now + self.wake), all));
        }
    }

    fn count(&mut self, kinds: &[Kind]) {
        self.sums.strikes += 1;
        for kind in Kind::ALL {
            self.sums.injections[kind as usize] += u64::from(kinds.contains(&kind));
        }
    }

    /// Which rules struck.
    fn struck(&self, told: impl Fn(Kind) -> bool, elapsed: Option<u64>, now: u64) -> Vec<bool> {
        let mut struck = Vec::new();
        for (n, rule) in self.rules.iter().enumerate() {
            struck.push(match self.chance(n, elapsed, now) {
                Chance::Along => struck.last().copied().unwrap_or(false),
                Chance::Never => false,
                Chance::Always => true,
                Chance::Either => told(rule.fault.kind()),
            });
        }
        struck
    }

    fn chance(&self, n: usize, elapsed: Option<u64>, now: u64) -> Chance {
        let rule = &self.rules[n];
        if rule.along {
            return Chance::Along;
        }
        if !rule.is_on(elapsed) || rule.probability.numerator() == 0 {
            return Chance::Never;
        }
        let others = self.spell.as_ref().is_some_and(|(until, struck)| {
            now < *until && struck.iter().enumerate().any(|(other, struck)| *struck && other != n)
        });
        let raised = rule.raised.filter(|_| others);
        let certain = |share: Ratio| share.numerator() == share.denominator();
        if certain(rule.probability) || raised.is_some_and(certain) { Chance::Always } else { Chance::Either }
    }

    /// What these rules do together; of a delay that is drawn the one that was seen, if it is within the bounds.
    fn strike(&self, struck: &[bool], seen: Option<Strike>) -> Option<Strike> {
        let faults: Vec<Fault> = self
            .rules
            .iter()
            .zip(struck)
            .filter(|(_, struck)| **struck)
            .map(|(rule, _)| rule.fault)
            .collect();
        if faults.is_empty() {
            return None;
        }
        let (mut least, mut most) = (Duration::ZERO, Duration::ZERO);
        let mut strike = Strike::default();
        for fault in faults {
            let mut ending = None;
            match fault {
                Fault::Latency { min, max } => {
                    least += min;
                    // A time below the longest, unless that is the only one.
                    most += if min == max { max } else { max.saturating_sub(Duration::from_nanos(1)) };
                }
                Fault::Timeout { after } => {
                    if strike.ending.is_none() {
                        least += after;
                        most += after;
                    }
                    ending = Some(Ending::TimedOut);
                }
                Fault::Error => ending = Some(Ending::Error),
                Fault::Panic => ending = Some(Ending::Panic),
                Fault::Partition { .. } => ending = Some(Ending::Unreachable),
                Fault::Cpu { threads, share, time } => {
                    strike.cpu = strike.cpu.or(Some(Cpu { threads, share, time }));
                }
                Fault::Memory { bytes, time } => {
                    strike.memory = strike.memory.or(Some(Held { bytes, time }));
                }
                Fault::Disk { bytes, time } => strike.disk = strike.disk.or(Some(Held { bytes, time })),
                _ => {}
            }
            strike.ending = strike.ending.or(ending);
        }
        let delay = seen.map_or(least, |seen| seen.delay);
        strike.delay = delay.max(least).min(most);
        Some(strike)
    }
}

#[derive(Clone, Copy, Debug)]
enum Chance {
    Along,
    Never,
    Always,
    Either,
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).expect("an hour at most")
}
