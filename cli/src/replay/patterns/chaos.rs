//! Chaos: which fault strikes.

use super::answers::wrong;
use crate::replay::call::Call;
use crate::replay::fields::Fields;
use crate::replay::names::Fault as ScriptFault;
use crate::replay::schema::{Info, Instance, Kind as ValueKind, Operation, Param, Pattern, Spec, U32};
use crate::replay::value::{Args, Value};
use seawall_core::chaos::{Config, Ending, Fault, Held, Kind, Rule, Strike};
use seawall_core::{Chaos, Ratio};
use std::time::Duration;

const FAULT: &[Param] = &[
    Param::required(
        "kind",
        ValueKind::Word(&["latency", "error", "timeout", "panic", "partition", "cpu", "memory", "disk"]),
        "what goes wrong",
    ),
    Param::optional("min", ValueKind::Duration, "latency: the shortest delay"),
    Param::optional("max", ValueKind::Duration, "latency: delays are shorter than this"),
    Param::optional("after", ValueKind::Duration, "timeout: how long there is no answer"),
    Param::optional("time", ValueKind::Duration, "partition, cpu, memory, disk: how long"),
    Param::optional("threads", U32, "cpu: how many threads, up to 64"),
    Param::optional("share", ValueKind::Share, "cpu: the share of the time for which each is busy"),
    Param::optional("bytes", U32, "memory, disk: how much, up to 1073741824"),
];

const RULE: ValueKind = ValueKind::Table(&[
    Param::required("fault", ValueKind::Table(FAULT), "what goes wrong"),
    Param::optional("probability", ValueKind::Share, "how often it strikes; this or along"),
    Param::or("along", ValueKind::Flag, "false", "strikes together with the rule before it, and never alone"),
    Param::optional(
        "raised_to",
        ValueKind::Share,
        "the probability in the wake of another rule's strike; a rule whose own is 0 never strikes, not even there",
    ),
    Param::or("after", ValueKind::Duration, "\"0s\"", "its phase begins so long after arming"),
    Param::or("lasting", ValueKind::Duration, "\"forever\"", "its phase lasts so long"),
]);

static SPEC: Spec<Chaos> = Spec {
    info: Info {
        name: "chaos",
        about: "Which fault strikes this attempt? Nothing strikes before it is armed",
        keys: &[
            Param::required("rules", ValueKind::List(&RULE), "up to 8"),
            Param::or(
                "wake",
                ValueKind::Duration,
                "\"0s\"",
                "for so long after a strike, raised probabilities hold",
            ),
            Param::optional("seed", U32, "of the draws"),
        ],
        prints: &[&["armed"]],
        example: r#"
{"policy": {"chaos": {"rules": [{"fault": {"kind": "latency", "min": "50ms", "max": "50ms"}, "probability": 1, "lasting": "10s"}, {"fault": {"kind": "error"}, "along": true}]}}}
{"at": "0s", "op": "chaos.decide", "expect": {"struck": false}}
{"op": "chaos.arm", "expect": {"changed": true, "armed": true}}
{"at": "1s", "op": "chaos.decide", "expect": {"struck": true, "delay": "50ms", "ending": "error"}}
{"at": "11s", "op": "chaos.decide", "expect": {"struck": false}}
{"op": "chaos.disarm", "expect": {"armed": false}}
{"op": "chaos.is_armed"}
{"op": "chaos.stats", "expect": {"checks": 2, "strikes": 1, "injections": {"latency": 1, "error": 1, "panic": 0}}}
"#,
    },
    operations: &[
        Operation::new("arm", "arms it, and begins its phases", &[], |chaos, call| {
            let changed = Chaos::arm(chaos, call.now());
            call.out().put("changed", changed);
            Ok(())
        })
        .prints(&[&["changed"]]),
        Operation::new("disarm", "disarms it", &[], |chaos, call| {
            call.out().put("changed", Chaos::disarm(chaos));
            Ok(())
        })
        .prints(&[&["changed"]]),
        Operation::new("is_armed", "says whether it is armed", &[], |_, _| Ok(())),
        Operation::new("decide", "says what strikes the attempt that begins now", &[], decide)
            .prints(&[&["struck", "delay+ns", "ending", "cpu", "memory", "disk"]]),
        Operation::new("stats", "prints what was asked and what struck", &[], stats).prints(&[&[
            "checks",
            "strikes",
            "injections",
        ]]),
    ],
    state: |chaos, _, out| out.put("armed", chaos.is_armed()),
    configure,
};

pub(super) const PATTERN: &dyn Pattern = &SPEC;

fn fault(args: &Args) -> Result<Fault, String> {
    let need = |key: &str, given: bool| if given { Ok(()) } else { Err(format!("fault.{key} is missing")) };
    let duration = |key: &str| {
        need(key, args.duration(key).is_some()).map(|()| args.duration(key).unwrap_or(Duration::ZERO))
    };
    let number = |key: &str| need(key, args.u32(key).is_some()).map(|()| args.u32(key).unwrap_or(0));
    Ok(match args.word("kind") {
        Some("latency") => Fault::Latency { min: duration("min")?, max: duration("max")? },
        Some("timeout") => Fault::Timeout { after: duration("after")? },
        Some("panic") => Fault::Panic,
        Some("partition") => Fault::Partition { time: duration("time")? },
        Some("cpu") => {
            need("share", args.share("share").is_some())?;
            let share = args.share("share").unwrap_or(Ratio::ONE);
            Fault::Cpu { threads: number("threads")?, share, time: duration("time")? }
        }
        Some("memory") => Fault::Memory { bytes: number("bytes")?, time: duration("time")? },
        Some("disk") => Fault::Disk { bytes: number("bytes")?, time: duration("time")? },
        _ => Fault::Error,
    })
}

fn rule(args: &Args) -> Result<Rule, String> {
    let table = args.table("fault").unwrap_or_default();
    let fault = fault(&table)?;
    // In a rule of its own a fault shows what is wrong with it alone.
    if let Err(error) = Chaos::try_new(Config::new().rule(Rule::new(fault, Ratio::ONE))) {
        let key = error.field.rsplit_once('.').map_or(error.field, |(_, key)| key);
        let key = match (key, table.word("kind")) {
            ("time", Some("latency")) => "max",
            ("time", Some("timeout")) => "after",
            _ => key,
        };
        return Err(format!("fault.{key} must be {}", error.bound));
    }
    let mut rule = match (args.share("probability"), args.flag("along") == Some(true)) {
        (Some(probability), false) => Rule::new(fault, probability),
        (None, true) => Rule::along(fault),
        _ => return Err("probability or along must be given, and not both".to_owned()),
    };
    if let Some(probability) = args.share("raised_to") {
        rule = rule.raised_to(probability);
    }
    let duration = |key| args.duration(key).unwrap_or(Duration::ZERO);
    Ok(rule.after(duration("after")).lasting(duration("lasting")))
}

fn configure(args: &Args) -> Result<Box<dyn Instance>, Vec<String>> {
    let wake = args.duration("wake").unwrap_or(Duration::ZERO);
    let mut config = Config::new().wake(wake).seed(args.u32("seed").unwrap_or(0));
    for (number, value) in args.list("rules").unwrap_or_default().iter().enumerate() {
        if let Value::Table(args) = value {
            config = config.rule(rule(args).map_err(|wrong| vec![format!("rules[{number}].{wrong}")])?);
        }
    }
    Chaos::try_new(config).map(|chaos| SPEC.bind(chaos)).map_err(|error| vec![wrong(&error)])
}

fn held(held: Held) -> Fields {
    let mut fields = Fields::default();
    fields.put("bytes", held.bytes);
    fields.duration("time", held.time);
    fields
}

fn decide(chaos: &'static Chaos, call: &mut Call<'_>) -> Result<(), ScriptFault> {
    let strike = chaos.decide(call.now());
    call.out().put("struck", strike.is_some());
    let Some(Strike { delay, ending, cpu, memory, disk, .. }) = strike else { return Ok(()) };
    let out = call.out();
    out.duration("delay", delay);
    out.put(
        "ending",
        ending.map(|ending| match ending {
            Ending::Error => "error",
            Ending::TimedOut => "timed_out",
            Ending::Panic => "panic",
            Ending::Unreachable => "unreachable",
        }),
    );
    if let Some(cpu) = cpu {
        let mut fields = Fields::default();
        fields.put("threads", cpu.threads);
        fields.share("share", cpu.share);
        fields.duration("time", cpu.time);
        out.put("cpu", fields);
    }
    if let Some(memory) = memory {
        out.put("memory", held(memory));
    }
    if let Some(disk) = disk {
        out.put("disk", held(disk));
    }
    Ok(())
}

fn stats(chaos: &'static Chaos, call: &mut Call<'_>) -> Result<(), ScriptFault> {
    let stats = chaos.stats();
    let mut injections = Fields::default();
    for kind in Kind::ALL {
        injections.put(kind.name(), stats.injections(kind));
    }
    call.out().put("checks", stats.checks);
    call.out().put("strikes", stats.strikes);
    call.out().put("injections", injections);
    Ok(())
}
