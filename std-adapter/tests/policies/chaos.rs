//! Faults on purpose: in a file, and armed by the program or not at all.

use std::time::Duration;

use seawall::config::{OperationPolicy, PolicyTable};
#[cfg(feature = "chaos")]
use {
    crate::file,
    seawall::chaos::{Config, Fault, Rule},
    seawall::config::Policies,
    seawall::core::Ratio,
};

use crate::{parse, problems};

const ALL: &str = r#"
    [send.chaos]
    seed = 7
    wake = "2s"
    [[send.chaos.rules]]
    fault = { kind = "latency", min = "50ms", max = "200ms" }
    probability = 0.1
    raised_to = "50%"
    [[send.chaos.rules]]
    fault = { kind = "error" }
    along = true
    [[send.chaos.rules]]
    fault = { kind = "timeout", after = "5s" }
    probability = "1/3"
    after = "10s"
    lasting = "1m"
    [[send.chaos.rules]]
    fault = { kind = "panic" }
    probability = 1
    lasting = "forever"
    [[send.chaos.rules]]
    fault = { kind = "partition", time = "1s" }
    probability = 0.001
    [[send.chaos.rules]]
    fault = { kind = "cpu", threads = 2, share = 0.5, time = "3s" }
    probability = 0
    [[send.chaos.rules]]
    fault = { kind = "memory", bytes = 1048576, time = "4s" }
    along = true
    [[send.chaos.rules]]
    fault = { kind = "disk", bytes = 65536, time = "5s" }
    along = true
"#;

#[cfg(feature = "chaos")]
#[test]
fn every_fault_and_every_key_of_a_rule_can_be_said() {
    let secs = Duration::from_secs;
    let latency = Fault::Latency { min: Duration::from_millis(50), max: Duration::from_millis(200) };
    let cpu = Fault::Cpu { threads: 2, share: Ratio::percent(50), time: secs(3) };
    let expected = Config::new()
        .seed(7)
        .wake(secs(2))
        .rule(Rule::new(latency, Ratio::percent(10)).raised_to(Ratio::percent(50)))
        .rule(Rule::along(Fault::Error))
        .rule(
            Rule::new(Fault::Timeout { after: secs(5) }, Ratio::try_new(1, 3).unwrap())
                .after(secs(10))
                .lasting(secs(60)),
        )
        .rule(Rule::new(Fault::Panic, Ratio::percent(100)))
        .rule(Rule::new(Fault::Partition { time: secs(1) }, Ratio::per_million(1000)))
        .rule(Rule::new(cpu, Ratio::percent(0)))
        .rule(Rule::along(Fault::Memory { bytes: 1 << 20, time: secs(4) }))
        .rule(Rule::along(Fault::Disk { bytes: 1 << 16, time: secs(5) }));
    let policies = parse(ALL).unwrap();
    assert_eq!(policies.send.chaos, Some(expected));
    assert!(policies.send.has_chaos() && !policies.sync.has_chaos());
    assert_eq!(policies.send.policy, Policies::default().send.policy, "the patterns are as they were");
}

/// B79: chaos by mistake. A file is half of what it takes.
#[cfg(feature = "chaos")]
#[test]
fn a_file_alone_strikes_nobody() {
    let policies = parse(
        "[[send.chaos.rules]]\nfault = { kind = 'error' }\nprobability = 1\n[send.chaos]\nwake = '1s'\n",
    );
    let send = policies.unwrap().send;
    let guard = send.guard("send").unwrap();
    assert_eq!(guard.call_blocking(|_| Ok::<_, ()>(7)), Ok(7));
    assert_eq!(guard.chaos().checks, 0);
    assert_eq!(send.arm_chaos(&guard), Ok(true));
    assert!(guard.call_blocking(|_| Ok::<_, ()>(7)).is_err());
    assert!(guard.disarm_chaos());
    assert_eq!(guard.call_blocking(|_| Ok::<_, ()>(7)), Ok(7));

    let without = OperationPolicy::new(seawall::Policy::new());
    assert_eq!(without.arm_chaos(&guard), Ok(false), "it has nothing to arm");
    assert!(!guard.chaos().armed);
}

#[cfg(feature = "chaos")]
#[test]
fn a_table_takes_the_place_of_the_base_s_and_can_be_turned_off() {
    let base = parse(ALL).unwrap();
    let with = |text: &str| {
        let table: PolicyTable = toml::from_str(text).unwrap();
        table.apply("send", &base.send).unwrap().chaos
    };
    assert_eq!(with(""), base.send.chaos);
    assert_eq!(with("chaos = { enabled = false }"), None);
    let one = Config::new().rule(Rule::new(Fault::Error, Ratio::percent(1)));
    assert_eq!(
        with("chaos = { rules = [{ fault = { kind = 'error' }, probability = '1%' }] }"),
        Some(one),
        "neither its seed nor its wake are left"
    );
    // Both sides of a comparison meet the same faults; what protects a node from its callers is no place for them.
    assert_eq!(base.unprotected().send.chaos, base.send.chaos);
    assert_eq!(base.inbound().send.chaos, None);
}

#[cfg(feature = "chaos")]
#[test]
fn all_that_is_wrong_with_the_rules_is_said_at_once_with_the_path_of_each() {
    let text = r#"
        [send.chaos]
        wake = "2h"
        [[send.chaos.rules]]
        fault = { kind = "latency", min = "300ms", max = "200ms" }
        along = true
        lasting = "1s"
        [[send.chaos.rules]]
        fault = { kind = "latency", min = "-1ms", max = "2h" }
        probability = 1.5
        [[send.chaos.rules]]
        fault = { kind = "error", after = "1s", bytes = 3 }
        probability = 0.5
        along = true
        [[send.chaos.rules]]
        fault = { kind = "timeout" }
        [[send.chaos.rules]]
        fault = { kind = "cpu", threads = 65, share = 0, time = "0s" }
        probability = 0.5
        lasting = "0s"
        after = "forever"
        [[send.chaos.rules]]
        fault = { kind = "memory", bytes = 0 }
        probability = 0.5
        [[send.chaos.rules]]
        fault = { kind = "disk", time = "soon" }
        probability = 0.5
        [receive.chaos]
        seed = 1
        [sync.chaos]
        wake = "0s"
        rules = [{ fault = { kind = "panic" }, probability = 1, raised_to = "half" }]
    "#;
    assert_eq!(
        problems(text),
        [
            "send.chaos.wake must be at most an hour",
            "send.chaos.rules[0].along must be left out: there is no rule before the first one",
            "send.chaos.rules[0].fault.min must be at most the longest",
            "send.chaos.rules[0].lasting must be left out beside along: the rule before it says when both strike",
            "send.chaos.rules[1].fault.min is \"-1ms\", must not be negative",
            "send.chaos.rules[1].fault.max must be greater than zero and at most an hour",
            "send.chaos.rules[1].probability is 1.5, must be a number from 0 to 1",
            "send.chaos.rules[2].fault.after must be left out: a fault of this kind has none",
            "send.chaos.rules[2].fault.bytes must be left out: a fault of this kind has none",
            "send.chaos.rules[2].probability or along = true must be given, and not both",
            "send.chaos.rules[3].fault.after is missing: there is no preset for it",
            "send.chaos.rules[3].probability or along = true must be given, and not both",
            "send.chaos.rules[4].fault.threads must be between 1 and 64",
            "send.chaos.rules[4].fault.share must be greater than zero",
            "send.chaos.rules[4].fault.time must be greater than zero and at most an hour",
            "send.chaos.rules[4].lasting must be greater than zero",
            "send.chaos.rules[4].after must be less than 584 years with its phase",
            "send.chaos.rules[5].fault.bytes must be between 1 and 1073741824",
            "send.chaos.rules[5].fault.time is missing: there is no preset for it",
            "send.chaos.rules[6].fault.bytes is missing: there is no preset for it",
            "send.chaos.rules[6].fault.time is \"soon\", must be a duration such as \"250ms\"",
            "receive.chaos.rules is missing: without a rule nothing ever strikes",
            "sync.chaos.rules[0].raised_to must be left out unless wake is greater than zero",
            "sync.chaos.rules[0].raised_to is \"half\", must be a number from 0 to 1",
        ]
    );
    let nine = "[[send.chaos.rules]]\nfault = { kind = 'error' }\nprobability = 1\n".repeat(9);
    assert_eq!(problems(&nine), ["send.chaos.rules must be at most 8"]);
}

#[test]
fn a_fault_that_is_not_known_and_a_key_that_is_not_have_their_place() {
    for (text, line, what) in [
        ("[[send.chaos.rules]]\nfault = { kind = 'latnecy' }\n", 2, "unknown variant `latnecy`"),
        (
            "[[send.chaos.rules]]\nfault = { kind = 'error' }\nprobabilty = 1\n",
            3,
            "unknown field `probabilty`",
        ),
        ("[[send.chaos.rules]]\nprobability = 1\n", 1, "missing field `fault`"),
        ("[send.chaos]\narmed = true\n", 2, "unknown field `armed`"),
    ] {
        let [problem] = &problems(text)[..] else { panic!("one problem") };
        assert!(problem.starts_with(&format!("line {line}, ")) && problem.contains(what), "{problem}");
    }
}

/// What the story of the file needs; its numbers are there to be played with.
#[cfg(feature = "chaos")]
#[test]
fn the_chaos_of_the_repository_can_be_armed() {
    let policies = file("chaos.toml").policies;
    let guard = policies.send.guard("send").unwrap();
    assert_eq!(policies.send.arm_chaos(&guard), Ok(true));
    assert!(policies.send.policy.circuit_breaker_config().is_some() && policies.send.idempotent);
    assert!(policies.named().iter().skip(1).all(|(_, of)| !of.has_chaos()));
}

/// A fault that is asked for and silently not there would be taken for a system that stood it.
#[cfg(not(feature = "chaos"))]
#[test]
fn a_build_without_chaos_says_so() {
    let message = "send.chaos needs a build with the feature `chaos`; enabled = false keeps it for one";
    assert_eq!(problems(ALL), [message]);
    let off = ALL.replace("seed = 7", "seed = 7\nenabled = false");
    assert!(!parse(&off).unwrap().send.has_chaos());
    let table: PolicyTable = toml::from_str("chaos = { seed = 1 }").unwrap();
    let base = OperationPolicy::new(seawall::Policy::new().timeout(Duration::from_secs(1)));
    assert_eq!(table.apply("storage", &base).unwrap_err().problems().len(), 1);
}
