mod coverage;

use super::super::script::{Ending, run};
use super::super::statement;
use super::all;
use seawall::core::Rng;
use std::collections::BTreeSet;

#[test]
fn every_example_runs_as_it_expects() {
    for pattern in all() {
        let info = pattern.info();
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let ending = run(info.name, info.example.trim(), false, &mut out, &mut err).unwrap();
        let (out, err) = (String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap());
        assert_eq!(ending, Ending::AsExpected, "{err}\n{out}");
    }
}

#[test]
fn every_operation_and_every_key_of_a_pattern_is_known_once() {
    for pattern in all() {
        let operations = pattern.operations();
        let names: BTreeSet<_> = operations.iter().map(|signature| signature.name).collect();
        assert_eq!(names.len(), operations.len(), "{}", pattern.info().name);
        for signature in operations {
            for common in statement::COMMON {
                assert!(signature.params.iter().all(|param| param.name != common.name), "{}", signature.name);
            }
        }
    }
    let names: BTreeSet<_> = all().map(|pattern| pattern.info().name).collect();
    assert_eq!(names.len(), all().count());
}

/// What is listed is executed by the same table; this shows that each operation runs.
#[test]
fn every_operation_is_executed_by_an_example() {
    for pattern in all() {
        let info = pattern.info();
        // The next test asks each of its configuration.
        for signature in
            pattern.operations().iter().filter(|signature| !["state", "config"].contains(&signature.name))
        {
            let written = format!(".{}\"", signature.name);
            assert!(info.example.contains(&written), "{}{written} is in no example", info.name);
        }
    }
}

/// The configuration that each instance of a policy prints.
fn configurations(policy: &serde_json::Value) -> serde_json::Map<String, serde_json::Value> {
    let names = policy["policy"].as_object().unwrap().keys();
    let asked: Vec<String> = names.map(|name| format!("{{\"op\": \"{name}.config\"}}")).collect();
    let script = format!("{policy}\n{}", asked.join("\n"));
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let ending = run("s", &script, false, &mut out, &mut err).unwrap();
    assert_eq!(ending, Ending::AsExpected, "{}\n{script}", String::from_utf8_lossy(&err));
    let decisions = String::from_utf8(out).unwrap();
    let decisions = decisions.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    decisions
        .map(|mut decision| {
            let name = decision["op"].as_str().unwrap().trim_end_matches(".config").to_owned();
            (name, decision["config"].take())
        })
        .collect()
}

#[test]
fn the_configuration_that_is_printed_is_a_policy_that_prints_it_again() {
    let files = std::fs::read_dir(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")).unwrap();
    let files = files.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap());
    let examples = all().map(|pattern| pattern.info().example.to_owned());
    for script in files.chain(examples) {
        let policy = script.lines().find(|line| line.starts_with("{\"policy\"")).unwrap();
        let mut policy: serde_json::Value = serde_json::from_str(policy).unwrap();
        let printed = configurations(&policy);
        for (name, table) in policy["policy"].as_object_mut().unwrap() {
            let pattern = table["pattern"].as_str().unwrap_or(name).to_owned();
            for (key, value) in table.as_object().unwrap().iter().filter(|(key, _)| *key != "pattern") {
                assert!(!printed[name][key].is_null(), "{name}.{key} is {value}, and is not printed");
            }
            *table = printed[name].clone();
            table["pattern"] = pattern.into();
        }
        assert_eq!(configurations(&policy), printed, "{policy}");
    }
}

/// Values that are wrong somewhere.
const HOSTILE: [&str; 16] = [
    "0",
    "1",
    "-1",
    "0.5",
    "4294967295",
    "4294967296",
    "18446744073709551615",
    "1e308",
    "null",
    "true",
    "[]",
    "{}",
    "\"NaN\"",
    "\"forever\"",
    "\"18446744073709551615ns\"",
    "\"\"",
];

/// Puts a hostile value in the place of one value of an object, or of an object in it.
fn spoil(value: &mut serde_json::Value, draws: &Rng) {
    let Some(object) = value.as_object_mut() else { return };
    let keys: Vec<String> =
        object.keys().filter(|key| !["op", "times", "pattern"].contains(&key.as_str())).cloned().collect();
    let Some(key) = keys.get(draws.below(u32::try_from(keys.len()).unwrap()) as usize) else { return };
    let inner = &mut object[key];
    if inner.as_object().is_some_and(|inner| !inner.is_empty()) && draws.below(4) > 0 {
        return spoil(inner, draws);
    }
    *inner = serde_json::from_str(HOSTILE[draws.below(16) as usize]).unwrap();
}

/// Whatever stands in a script, it ends: with a decision, or with an error that names a line.
#[test]
fn hostile_values_are_errors_and_no_panics() {
    let draws = Rng::new(1);
    for pattern in all() {
        let info = pattern.info();
        let lines: Vec<&str> = info.example.trim().lines().collect();
        for round in 0..120 {
            let spoiled = draws.below(u32::try_from(lines.len()).unwrap()) as usize;
            let script: Vec<String> = lines
                .iter()
                .enumerate()
                .map(|(number, line)| {
                    let mut value: serde_json::Value = serde_json::from_str(line).unwrap();
                    if number == spoiled || round % 3 == 0 {
                        spoil(&mut value, &draws);
                    }
                    value.to_string()
                })
                .collect();
            let (mut out, mut err) = (Vec::new(), Vec::new());
            let ending = run("s", &script.join("\n"), false, &mut out, &mut err).unwrap();
            if ending == Ending::Wrong {
                assert!(err.starts_with(b"s:"), "{}", String::from_utf8_lossy(&err));
                assert!(
                    !String::from_utf8_lossy(&err).contains("cannot be read:"),
                    "{}",
                    String::from_utf8_lossy(&err)
                );
            }
        }
    }
}

/// The keys of a pattern that is part of a policy file are those of its table there, neither more nor fewer; the number of
/// slots is a part of the type, which in a guard is given.
#[test]
fn shared_keys_are_those_of_policy_files() {
    for (table, pattern) in [
        ("circuit_breaker", "circuit_breaker"),
        ("rate_limiter", "rate_limiter"),
        ("bulkhead", "bulkhead"),
        ("retry", "retry"),
        ("error_budget", "error_budget"),
        ("adaptive_timeout", "adaptive_timeout"),
        ("chaos", "chaos"),
    ] {
        let wrong = serde_json::json!({ table: { "no such key": 1 } });
        let error = serde_json::from_value::<seawall::config::PolicyTable>(wrong).unwrap_err().to_string();
        let (_, known) = error.split_once("expected one of ").expect("the keys are named");
        let known: BTreeSet<_> =
            known.split('`').skip(1).step_by(2).filter(|key| *key != "enabled").collect();
        let keys = super::find(pattern).unwrap().info().keys;
        let names = keys.iter().map(|key| key.name).filter(|name| *name != "slots");
        assert_eq!(names.collect::<BTreeSet<_>>(), known, "{table}");
    }
}
