use super::read;

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
            r#"2: circuit_breaker.call.outcome is missing: it must be "success" or "failure" or "slow" or "ignored" or "cancelled""#,
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
            r#"{"op": "circuit_breaker.check", "expect_admitted": "x"}"#,
            r#"2: expect_admitted is "x", must be an integer or {"min": a, "max": b}"#,
        ),
        (
            r#"{"op": "circuit_breaker.check", "expect_admitted": {"least": 1}}"#,
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
            "1: circuit_breaker.consecutive_failures must be between 1 and 262143",
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
