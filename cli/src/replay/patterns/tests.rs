use super::super::script::{Ending, run};
use super::super::statement;
use super::all;
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
        for signature in pattern.operations().iter().filter(|signature| signature.name != "state") {
            let written = format!(".{}\"", signature.name);
            assert!(info.example.contains(&written), "{}{written} is in no example", info.name);
        }
    }
}
