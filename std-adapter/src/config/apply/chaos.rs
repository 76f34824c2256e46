//! The table of faults on purpose.

use std::time::Duration;

use seawall_core::Ratio;
use seawall_core::chaos::{Config, Fault, MAX_RULES, Rule};

use super::around::{needed, needed_time};
use crate::config::tables::{self, FaultKind};
use crate::config::values::Checker;

/// The rules as far as they are right; what is wrong is told, and then nothing of the file is used.
pub(super) fn chaos(table: &tables::Chaos, check: &mut Checker<'_>) -> Config {
    let mut config = Config::new().seed(table.seed.unwrap_or_default());
    let wake = check.duration("wake", table.wake.as_ref());
    check.step(&mut config, wake, Config::wake, |config| config.validate(), "wake");
    match table.rules.len() {
        0 => check.wrong("rules", "is missing: without a rule nothing ever strikes"),
        1..=MAX_RULES => {}
        _ => check.wrong("rules", format_args!("must be at most {MAX_RULES}")),
    }
    for (n, table) in table.rules.iter().enumerate() {
        let mut check = check.below(&format!("rules[{n}]"));
        if n == 0 && table.along == Some(true) {
            check.wrong("along", "must be left out: there is no rule before the first one");
        }
        if table.raised_to.is_some() && wake.is_none_or(|wake| wake.is_zero()) {
            check.wrong("raised_to", "must be left out unless wake is greater than zero");
        }
        if let Some(rule) = rule(table, &mut check) {
            config = config.rule(rule);
        }
    }
    config
}

fn rule(table: &tables::ChaosRule, check: &mut Checker<'_>) -> Option<Rule> {
    let fault = fault(&table.fault, &mut check.below("fault"));
    let probability = check.share("probability", table.probability.as_ref());
    let raised = check.share("raised_to", table.raised_to.as_ref());
    let after = check.duration("after", table.after.as_ref());
    let lasting = check.duration("lasting", table.lasting.as_ref());
    let along = table.along == Some(true);
    if along == table.probability.is_some() {
        check.wrong("probability", "or along = true must be given, and not both");
        return None;
    }
    if along {
        for (key, given) in [
            ("raised_to", table.raised_to.is_some()),
            ("after", table.after.is_some()),
            ("lasting", table.lasting.is_some()),
        ] {
            if given {
                check.wrong(key, "must be left out beside along: the rule before it says when both strike");
            }
        }
        return fault.map(Rule::along);
    }
    let mut rule = Rule::new(fault.unwrap_or(Fault::Error), probability?);
    let valid = |rule| Config::new().rule(rule).validate();
    check.step(&mut rule, lasting, Rule::lasting, valid, "lasting");
    check.step(&mut rule, after, Rule::after, valid, "after");
    Some(match raised {
        Some(probability) => rule.raised_to(probability),
        None => rule,
    })
}

fn fault(table: &tables::ChaosFault, check: &mut Checker<'_>) -> Option<Fault> {
    use FaultKind::{Cpu, Disk, Error, Latency, Memory, Panic, Partition, Timeout};

    for (key, given, kinds) in [
        ("min", table.min.is_some(), &[Latency][..]),
        ("max", table.max.is_some(), &[Latency]),
        ("after", table.after.is_some(), &[Timeout]),
        ("time", table.time.is_some(), &[Partition, Cpu, Memory, Disk]),
        ("threads", table.threads.is_some(), &[Cpu]),
        ("share", table.share.is_some(), &[Cpu]),
        ("bytes", table.bytes.is_some(), &[Memory, Disk]),
    ] {
        if given && !kinds.contains(&table.kind) {
            check.wrong(key, "must be left out: a fault of this kind has none");
        }
    }
    Some(match table.kind {
        Error => Fault::Error,
        Panic => Fault::Panic,
        Latency => {
            let min = needed_time(table.min.as_ref(), "min", check);
            let max = time(table.max.as_ref(), "max", check);
            sound(Fault::Latency { min: min?, max: max? }, "min", check)?
        }
        Timeout => Fault::Timeout { after: time(table.after.as_ref(), "after", check)? },
        Partition => Fault::Partition { time: time(table.time.as_ref(), "time", check)? },
        Cpu => {
            let with = |threads, share| Fault::Cpu { threads, share, time: SECOND };
            let threads = needed(table.threads, "threads", check)
                .filter(|&threads| sound(with(threads, Ratio::ONE), "threads", check).is_some());
            needed(table.share.as_ref(), "share", check);
            let share = check
                .share("share", table.share.as_ref())
                .filter(|&share| sound(with(1, share), "share", check).is_some());
            let time = time(table.time.as_ref(), "time", check);
            Fault::Cpu { threads: threads?, share: share?, time: time? }
        }
        Memory | Disk => {
            let bytes = needed(table.bytes, "bytes", check)
                .filter(|&bytes| sound(Fault::Memory { bytes, time: SECOND }, "bytes", check).is_some());
            let time = time(table.time.as_ref(), "time", check);
            let (bytes, time) = (bytes?, time?);
            if table.kind == Memory { Fault::Memory { bytes, time } } else { Fault::Disk { bytes, time } }
        }
    })
}

/// A time that every fault may take, where another value of it is checked.
const SECOND: Duration = Duration::from_secs(1);

/// How long a fault lasts: the bounds are the same for all kinds.
fn time(text: Option<&String>, key: &str, check: &mut Checker<'_>) -> Option<Duration> {
    let time = needed_time(text, key, check)?;
    sound(Fault::Partition { time }, key, check).map(|_| time)
}

/// The fault, if its values lie within their bounds; `key` is the one that is to blame otherwise.
fn sound(fault: Fault, key: &str, check: &mut Checker<'_>) -> Option<Fault> {
    match Config::new().rule(Rule::new(fault, Ratio::ONE)).validate() {
        Ok(()) => Some(fault),
        Err(error) => {
            check.wrong(key, format_args!("must be {}", error.bound));
            None
        }
    }
}
