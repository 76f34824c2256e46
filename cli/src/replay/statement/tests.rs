use super::read;
use std::fmt::Write as _;

const POLICY: &str = r#"{"policy": {"circuit_breaker": {"consecutive_failures": 1}}}"#;

/// Everything that is wrong with a script.
fn problems(text: &str) -> Vec<String> {
    let Err(problems) = read(text) else { panic!("the script is wrong: {text}") };
    problems.iter().map(|problem| format!("{}: {}", problem.line, problem.text)).collect()
}

/// What is wrong with this statement behind a valid policy.
fn wrong(statement: &str) -> Vec<String> {
    problems(&format!("{POLICY}\n{statement}"))
}

/// What is wrong with this policy.
fn wrong_policy(policy: &str) -> Vec<String> {
    problems(&format!("{{\"policy\": {policy}}}"))
}

#[test]
fn every_unknown_word_is_an_error_with_its_line_and_the_nearest_word() {
    for (statement, start) in [
        (
            r#"{"op": "circuit_breaker.aquire"}"#,
            r#"2: unknown operation "circuit_breaker.aquire"; did you mean "try_acquire"? known: try_acquire, check, "#,
        ),
        (
            r#"{"op": "breaker.try_acquire"}"#,
            r#"2: unknown operation "breaker.try_acquire": unknown instance "breaker"; "#,
        ),
        (
            r#"{"op": "dorp", "what": "p"}"#,
            r#"2: unknown operation "dorp": it must be NAME.METHOD, or "drop""#,
        ),
        (
            r#"{"op": "circuit_breaker.check", "att": "1s"}"#,
            r#"2: circuit_breaker.check: unknown key "att"; did you mean "at"? "#,
        ),
        (
            r#"{"op": "circuit_breaker.call", "outcome": "failed"}"#,
            r#"2: circuit_breaker.call.outcome: unknown word "failed"; did you mean "failure"? known: success, "#,
        ),
        (
            r#"{"op": "circuit_breaker.is_probe", "permit": "p"}"#,
            r#"2: circuit_breaker.is_probe.permit: unknown name "p"; there is none"#,
        ),
        (
            r#"{"op": "circuit_breaker.check", "at": "1 sek"}"#,
            r#"2: at is "1 sek", must be a time since the start such as "1.5s""#,
        ),
        (
            r#"{"op": "circuit_breaker.check", "expect": {"admited": true}}"#,
            r#"2: circuit_breaker.check: expect: unknown field "admited"; did you mean "admitted"? "#,
        ),
        (
            r#"{"op": "circuit_breaker.check", "as": "p"}"#,
            r#"2: circuit_breaker.check gives nothing that "p" could name: leave "as" out"#,
        ),
        (r#"{"at": "1s", "opp": "x"}"#, r#"2: unknown key "opp"; did you mean "op"? "#),
        (r#"{"at": "1s"}"#, "2: op is missing"),
    ] {
        let found = wrong(statement);
        assert!(found.len() == 1 && found[0].starts_with(start), "{statement}: {found:#?}");
    }
}

#[test]
fn every_value_out_of_range_is_an_error_with_its_bound() {
    for (statement, text) in [
        (
            r#"{"op": "circuit_breaker.call"}"#,
            r#"2: circuit_breaker.call.outcome is missing: it must be "success", "failure", "slow", "ignored" or "cancelled""#,
        ),
        (
            r#"{"op": "circuit_breaker.check", "times": 1000001}"#,
            "2: times is 1000001, must be an integer from 0 to 1000000",
        ),
        (
            r#"{"op": "circuit_breaker.check", "times": -1}"#,
            "2: times is -1, must be an integer from 0 to 1000000",
        ),
        (
            r#"{"op": "circuit_breaker.check", "times": 1.5}"#,
            "2: times is 1.5, must be an integer from 0 to 1000000",
        ),
        (r#"{"op": "circuit_breaker.check", "every": "1s"}"#, "2: every is for lines with times"),
        (
            r#"{"op": "circuit_breaker.check", "expect": 1}"#,
            "2: expect is 1, must be an object of fields of the decision",
        ),
        (
            r#"{"op": "circuit_breaker.try_acquire", "times": 1, "expect_admitted": "x"}"#,
            r#"2: expect_admitted is "x", must be an integer or {"min": a, "max": b}"#,
        ),
        (
            r#"{"op": "circuit_breaker.try_acquire", "times": 1, "expect_admitted": {"least": 1}}"#,
            r#"2: expect_admitted is {"least":1}, must be an integer or {"min": a, "max": b}"#,
        ),
        (r#"{"op": 7}"#, r#"2: op is 7, must be "NAME.METHOD""#),
        ("[1]", "2: a statement is a JSON object"),
        (POLICY, "2: there is one policy, and it is the first statement"),
    ] {
        assert_eq!(wrong(statement), [text], "{statement}");
    }
    let at = wrong(r#"{"op": "circuit_breaker.check", "at": 18446744073709551616}"#);
    assert!(at.len() == 1 && at[0].starts_with("2: at is 1.8446744073709552e+19, must be"), "{at:?}");
}

#[test]
fn a_policy_is_checked_as_policy_files_are() {
    for (policy, text) in [
        (
            r#"{"circuit_breaker": {"consecutive_failures": 0}}"#,
            "1: circuit_breaker.consecutive_failures is 0, must be an integer from 1 to 262143",
        ),
        (
            r#"{"circuit_breaker": {}}"#,
            "1: circuit_breaker.consecutive_failures is missing, and so are failure_rate and slow_call_rate: there is no preset",
        ),
        (
            r#"{"circuit_breaker": {"consecutive_failures": 1, "open_for": "0s"}}"#,
            "1: circuit_breaker.open_for must be greater than zero",
        ),
        (
            r#"{"circuit_breaker": {"failure_rate": {"share": "NaN", "window": "10s"}}}"#,
            r#"1: circuit_breaker.failure_rate.share is "NaN", must be a share such as 0.5, "50%" or "1/2""#,
        ),
        (
            r#"{"circuit_breaker": {"failure_rate": {"share": 0.5}}}"#,
            "1: circuit_breaker.failure_rate.window or calls must be given, and not both",
        ),
        (
            r#"{"circuit_breaker": {"failure_rate": {"share": 0.5, "calls": 5, "minimum_calls": 6}}}"#,
            "1: circuit_breaker.failure_rate.minimum_calls must be at most the calls of the window",
        ),
        (r#"{"rate_limiter": {"rate": 1, "burst": 0}}"#, "1: rate_limiter.burst must be greater than zero"),
        (
            r#"{"rate_limiter": {"rate": 4294967296}}"#,
            "1: rate_limiter.rate is 4294967296, must be an integer from 0 to 4294967295",
        ),
        (r#"{"bulkhead": {"max_concurrent": 4096}}"#, "1: bulkhead.max_concurrent must be at most 4095"),
        (
            r#"{"bulkhead": {"max_concurrent": 1, "max_waiting": 257}}"#,
            "1: bulkhead.max_waiting must be at most 256",
        ),
        (r#"{"retry": {"max_attempts": 0}}"#, "1: retry.max_attempts must be greater than zero"),
        (
            r#"{"b": {"pattern": "backoff", "backoff": "exponential", "multiplier": 1}}"#,
            "1: b.multiplier is 1, must be between 1.1 and 100",
        ),
        (
            r#"{"error_budget": {"slo": 1.5, "window": "1h"}}"#,
            r#"1: error_budget.slo is 1.5, must be a share such as 0.5, "50%" or "1/2""#,
        ),
        (
            r#"{"error_budget": {"slo": 1, "window": "5ns"}}"#,
            "1: error_budget.window must be a whole, positive number of nanoseconds in each slot",
        ),
        (
            r#"{"window": {"window": "5ns"}}"#,
            "1: window.window must be a whole, positive number of nanoseconds in each slot",
        ),
        (
            r#"{"threshold": {"min": 2, "max": 1}}"#,
            "1: threshold.min must be a number not above threshold.max",
        ),
        (r#"{"threshold": {"min": "NaN"}}"#, "1: threshold.min and max must be numbers"),
        (r#"{"composite": {"members": 33}}"#, "1: composite.members must be between 1 and 32"),
        (
            r#"{"guard": {"bulkhead": {"max_concurrent": 9999}}}"#,
            "1: guard.bulkhead.max_concurrent must be at most 4095",
        ),
        (r#"{"guard": {"timeout": "0s"}}"#, "1: guard.timeout must be greater than zero"),
        (r#"{"x": {"pattern": 1}}"#, "1: x.pattern is 1, must be the name of a pattern"),
        (
            r#"{"a.b": {"pattern": "guard"}}"#,
            "1: the name \"a.b\" of an instance must be of letters, digits, _ and -",
        ),
        ("{}", "1: policy names no instance of any pattern"),
        ("[]", "1: policy must be an object: {NAME: CONFIG, …}"),
    ] {
        assert_eq!(wrong_policy(policy), [text], "{policy}");
    }
}

#[test]
fn unknown_patterns_and_keys_are_named() {
    for (policy, start) in [
        (
            r#"{"circuit_braker": {}}"#,
            r#"1: circuit_braker: its pattern is missing; unknown pattern "circuit_braker"; did you mean "circuit_breaker"? "#,
        ),
        (
            r#"{"x": {"pattern": "limiter"}}"#,
            r#"1: x: unknown pattern "limiter"; did you mean "rate_limiter"? "#,
        ),
        (
            r#"{"circuit_breaker": {"consecutive_failures": 1, "open_fro": "1s"}}"#,
            r#"1: circuit_breaker: unknown key "open_fro"; did you mean "open_for"? "#,
        ),
        (
            r#"{"guard": {"retry": {"atempts": 1}}}"#,
            r#"1: guard.retry: unknown key "atempts"; did you mean "max_attempts"? "#,
        ),
    ] {
        let found = wrong_policy(policy);
        assert!(found.len() == 1 && found[0].starts_with(start), "{policy}: {found:#?}");
    }
}

#[test]
fn everything_that_is_wrong_is_found_at_once() {
    let text = format!(
        "{POLICY}\n{}\n{}\n\n# fine\n{}",
        r#"{"op": "x.y"}"#, r#"{"op": "#, r#"{"op": "drop", "op": "drop"}"#
    );
    let Err(found) = read(&text) else { panic!("the script is wrong") };
    let places: Vec<_> = found.iter().map(|problem| (problem.line, problem.column)).collect();
    assert_eq!(places, [(2, None), (3, Some(6)), (6, Some(28))]);
    assert!(found[2].text.contains("the key \"op\" stands here twice"), "{}", found[2].text);
    assert_eq!(problems(""), ["1: the first statement must be the policy: {\"policy\": {NAME: CONFIG, …}}"]);
    assert_eq!(problems("# nothing\n{\"op\": \"drop\"}").len(), 1);
}

#[test]
fn what_is_expected_inside_an_object_is_checked_too() {
    for (expect, text) in [
        (
            r#"{"counts": {"sucesses": null}}"#,
            r#"expect: counts: unknown field "sucesses"; did you mean "successes"? "#,
        ),
        (
            r#"{"window": {"foo": null}}"#,
            r#"expect: window: unknown field "foo"; known: calls, failures, slow"#,
        ),
        (
            r#"{"transition": {"figures": {"failed": 1}}}"#,
            r#"expect: transition.figures: unknown field "failed"; did you mean "failures"? "#,
        ),
        (r#"{"counts": {"min": 1}}"#, r#"expect: counts: unknown field "min"; "#),
        (r#"{"generation": {"least": 1}}"#, r#"expect: generation is {"least":1}, must be a value or "#),
        (r#"{"generation": {"min": 2, "max": 1}}"#, r#"expect: generation is {"max":1,"min":2}, must be "#),
        (r#"{"generation": {}}"#, "expect: generation is {}, must be "),
        (
            r#"{"counts": {"failures": {"min": null}}}"#,
            r#"expect: counts.failures is {"min":null}, must be "#,
        ),
        (r#"{"retry_after": {"min": "2s", "max": "1s"}}"#, "expect: retry_after is "),
    ] {
        let op = "circuit_breaker.call";
        let found = wrong(&format!(r#"{{"op": "{op}", "outcome": "failure", "expect": {expect}}}"#));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with(&format!("2: {op}: {text}")), "{found:?}");
    }
    let of_lists = r#"{"policy": {"guard": {}}}
{"op": "guard.call", "outcome": "failure", "expect": {"attempts": [{"verdit": null}]}}"#;
    assert!(
        problems(of_lists)[0].starts_with(r#"2: guard.call: expect: attempts: unknown field "verdit"; "#)
    );
}

#[test]
fn a_permit_of_another_instance_is_found_before_anything_runs() {
    let policy = r#"{"policy": {"a": {"pattern": "bulkhead", "max_concurrent": 1}, "b": {"pattern": "bulkhead", "max_concurrent": 1}}}"#;
    let taken = r#"{"op": "a.try_acquire", "as": "p"}"#;
    assert_eq!(
        problems(&format!("{policy}\n{taken}\n{}", r#"{"op": "b.release", "permit": "p"}"#)),
        [r#"3: b.release.permit: "p" is of "a""#]
    );
    // Which of the two gave it is known only when it runs.
    let both = format!(
        "{policy}\n{taken}\n{}\n{}",
        taken.replace("a.try", "b.try"),
        r#"{"op": "b.release", "permit": "p"}"#
    );
    assert!(read(&both).is_ok(), "{both}");
}

#[test]
fn expectations_that_nothing_could_meet_or_miss_are_errors() {
    for (rest, text) in [
        (
            r#""op": "circuit_breaker.try_acquire", "expect_admitted": 1"#,
            "expect_admitted is for lines with times",
        ),
        (
            r#""op": "circuit_breaker.trip", "times": 2, "expect_admitted": 1"#,
            "circuit_breaker.trip admits nothing: leave expect_admitted out",
        ),
        (
            r#""op": "circuit_breaker.trip", "times": 0, "expect": {"state": "open"}"#,
            "with times 0 there is nothing that an expectation could look at",
        ),
        (
            r#""op": "circuit_breaker.try_acquire", "times": 2, "expect_admitted": {"min": 2, "max": 1}"#,
            r#"expect_admitted is {"max":1,"min":2}, must be an integer or {"min": a, "max": b}"#,
        ),
    ] {
        assert_eq!(wrong(&format!("{{{rest}}}")), [format!("2: {text}")]);
    }
}

#[test]
fn a_multiplier_that_is_no_number_is_out_of_its_bounds() {
    for (number, shown) in [("NaN", "NaN"), ("inf", "inf"), ("-inf", "-inf")] {
        assert_eq!(
            wrong_policy(&format!(
                r#"{{"x": {{"pattern": "retry", "backoff": "exponential", "initial_delay": "1s", "multiplier": "{number}"}}}}"#
            )),
            [format!("1: x.multiplier is {shown}, must be between 1.1 and 100")]
        );
    }
}

#[test]
fn a_word_of_any_length_makes_a_short_message() {
    let long = "x".repeat(1_000_000);
    for statement in [
        format!(r#"{{"op": "{long}"}}"#),
        format!(r#"{{"op": "circuit_breaker.{long}"}}"#),
        format!(r#"{{"op": "circuit_breaker.trip", "{long}": 1}}"#),
        format!(r#"{{"op": "circuit_breaker.trip", "at": "{long}"}}"#),
        format!(r#"{{"op": "circuit_breaker.trip", "expect": {{"{long}": 1}}}}"#),
    ] {
        let found = wrong(&statement);
        assert!(found[0].len() < 2000, "{} bytes", found[0].len());
    }
}

#[test]
fn what_is_wrong_is_told_with_keys_that_exist() {
    for (policy, text) in [
        (
            r#"{"x": {"pattern": "adaptive_rate", "rate": 0, "target": "1s", "min": 1, "max": 2}}"#,
            "x.rate must be between min and max",
        ),
        (
            r#"{"x": {"pattern": "chaos", "rules": [{"fault": {"kind": "latency", "min": "2s", "max": "1s"}, "probability": 1}]}}"#,
            "x.rules[0].fault.min must be at most the longest",
        ),
        (
            r#"{"x": {"pattern": "chaos", "rules": [{"fault": {"kind": "timeout", "after": "2h"}, "probability": 1}]}}"#,
            "x.rules[0].fault.after must be greater than zero and at most an hour",
        ),
        (
            r#"{"circuit_breaker": {"consecutive_failures": 1, "probes": 16}}"#,
            "circuit_breaker.probes is 16, must be an integer from 1 to 15",
        ),
        (
            r#"{"circuit_breaker": {"consecutive_failures": 1, "close_below": {"share": 0.5, "of": 32}}}"#,
            "circuit_breaker.close_below.of is 32, must be an integer from 1 to 31",
        ),
    ] {
        assert_eq!(wrong_policy(policy), [format!("1: {text}")]);
    }
}

#[test]
fn a_statement_without_an_operation_is_told_so_whatever_else_it_says() {
    for statement in
        [r#"{"expect": {}}"#, r#"{"outcome": "failure"}"#, r#"{"expect_admitted": 1, "times": 2}"#]
    {
        assert_eq!(wrong(statement), [r#"2: op is missing: it must be "NAME.METHOD""#], "{statement}");
    }
}

#[test]
fn a_word_that_its_field_never_has_is_an_error() {
    for (expect, text) in [
        (
            r#"{"transition": {"cause": "consecutive_failure"}}"#,
            r#"expect: transition.cause: unknown word "consecutive_failure"; did you mean "consecutive_failures"? known: "#,
        ),
        (
            r#"{"settlement": "late"}"#,
            r#"expect: settlement: unknown word "late"; known: counted, uncounted, stale, changed"#,
        ),
        (
            r#"{"rejected": "limited"}"#,
            r#"expect: rejected: unknown word "limited"; known: open, forced_open, probes_out, ramping"#,
        ),
        (r#"{"state": 1}"#, r#"expect: state is 1, must be "closed", "half_open" or "open""#),
        (r#"{"state": {"min": 1}}"#, r#"expect: state is {"min":1}, must be "closed", "#),
    ] {
        let op = "circuit_breaker.call";
        let found = wrong(&format!(r#"{{"op": "{op}", "outcome": "failure", "expect": {expect}}}"#));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with(&format!("2: {op}: {text}")), "{found:?}");
    }
}

#[test]
fn the_tables_and_the_instances_of_a_script_have_a_bound_together() {
    let keyed = r#"{"pattern": "keyed_rate_limiter", "rate": 1, "entries": 1048576}"#;
    assert_eq!(
        wrong_policy(&format!(r#"{{"a": {keyed}, "b": {keyed}, "c": {keyed}, "d": {keyed}}}"#)),
        ["1: c.entries: all tables of a script together have at most 2097152"]
    );
    let many: Vec<_> = (0..1001).map(|n| format!(r#""d{n}": {{"pattern": "deadline"}}"#)).collect();
    assert_eq!(
        wrong_policy(&format!("{{{}}}", many.join(", "))),
        ["1: policy names 1001 instances, must be at most 1000"]
    );
}

#[test]
fn an_instance_that_another_one_names_must_be_there_and_fit() {
    for (rest, text) in [
        (
            r#""parts": ["limtier"]"#,
            r#"1: door: unknown instance "limtier"; did you mean "limiter"? known: clock, limiter"#,
        ),
        (
            r#""parts": ["clock"]"#,
            r#"1: door: "clock" is of the pattern deadline, must be of circuit_breaker, "#,
        ),
        (r#""parts": ["limiter", "limiter"]"#, r#"1: door.parts has "limiter" twice"#),
        (r#""parts": []"#, "1: door.parts has 0, must have 1 to 6"),
        (r#""parts": [1]"#, "1: door.parts[0] is 1, must be the name of an instance of circuit_breaker, "),
    ] {
        let found = wrong_policy(&format!(
            r#"{{"door": {{"pattern": "composition", {rest}}}, "clock": {{"pattern": "deadline"}}, "limiter": {{"pattern": "rate_limiter", "rate": 1}}}}"#
        ));
        assert!(found.len() == 1 && found[0].starts_with(text), "{rest}: {found:#?}");
    }
}

#[test]
fn the_least_calls_of_a_rate_fit_into_a_window_of_few() {
    let policy = r#"{"policy": {"circuit_breaker": {"failure_rate": {"share": "50%", "calls": 5}}}}"#;
    assert!(read(policy).is_ok(), "{:?}", problems(policy));
}

#[test]
fn a_guard_has_one_of_the_numbers_of_slots_that_it_names() {
    assert_eq!(
        wrong_policy(r#"{"guard": {"slots": 20}}"#),
        ["1: guard.slots is 20, must be one of 10, 60, 100, 256, 1000"]
    );
}

#[test]
fn what_is_expected_of_a_configuration_is_checked_by_its_table() {
    for (expected, problem) in [
        (r#"{"open_fro": "1s"}"#, r#"config: unknown field "open_fro"; did you mean "open_for"? "#),
        (r#"{"open_for": "soon"}"#, r#"config.open_for is "soon", must be a duration such as "250ms""#),
        (r#"{"failure_rate": {"share": 2}}"#, "config.failure_rate.share is 2, must be a share such as 0.5"),
        (
            r#"{"failure_rate": {"calls": 0}}"#,
            "config.failure_rate.calls is 0, must be an integer from 1 to ",
        ),
    ] {
        let wrong =
            wrong(&format!(r#"{{"op": "circuit_breaker.config", "expect": {{"config": {expected}}}}}"#));
        let start = format!("2: circuit_breaker.config: expect: {problem}");
        assert!(wrong.len() == 1 && wrong[0].starts_with(&start), "{wrong:?}");
    }
}

#[test]
fn nothing_is_a_part_of_itself() {
    let policy = r#"{"own": {"pattern": "composition", "parts": ["own"]},
        "a": {"pattern": "composition", "parts": ["b"]},
        "b": {"pattern": "composition", "parts": ["limiter", "a"]},
        "user": {"pattern": "composition", "parts": ["limiter", "b"]},
        "limiter": {"pattern": "rate_limiter", "rate": 1},
        "fine": {"pattern": "composition", "parts": ["inner"]},
        "inner": {"pattern": "composition", "parts": ["limiter"]}}"#;
    assert_eq!(
        wrong_policy(&policy.replace('\n', " ")),
        [
            r#"1: a: it names "b", which names "a": nothing can be a part of itself"#,
            r#"1: own: it names "own": nothing can be a part of itself"#,
            r#"1: user: "b" is wrong itself"#,
        ]
    );
}

#[test]
fn the_parts_of_all_levels_have_a_bound_together() {
    let level = |parts: &str| format!(r#"{{"pattern": "composition", "parts": {parts}}}"#);
    let limiter = level(r#"["limiter"]"#);
    let mut policy =
        format!(r#""limiter": {{"pattern": "rate_limiter", "rate": 1}}, "a0": {limiter}, "b0": {limiter}"#);
    for number in 0..5 {
        let parts = level(&format!(r#"["a{number}", "b{number}"]"#));
        let next = number + 1;
        _ = write!(policy, r#", "a{next}": {parts}, "b{next}": {parts}"#);
    }
    assert_eq!(
        wrong_policy(&format!("{{{policy}}}")),
        ["a5", "b5"]
            .map(|name| format!("1: {name}.parts has 94 with the parts of its parts, must have at most 64"))
    );
}
