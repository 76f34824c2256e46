use super::{Ending, run};

/// How the script ends, what it prints, and what it complains about.
fn replay(text: &str) -> (Ending, String, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let ending = run("s", text, false, &mut out, &mut err).unwrap();
    (ending, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
}

const BREAKER: &str = r#"{"policy": {"circuit_breaker": {"consecutive_failures": 1, "open_for": "10s"}}}"#;
const LIMITER: &str = r#"{"policy": {"rate_limiter": {"rate": 10, "burst": 2}}}"#;

#[test]
fn a_decision_is_one_line_with_fields_in_order() {
    let text = format!(
        "# comment\n\n{LIMITER}\n{}",
        r#"{"at": "1.5s", "op": "rate_limiter.try_acquire", "as": "g"}"#
    );
    let (ending, out, err) = replay(&text);
    assert_eq!(ending, Ending::AsExpected);
    assert_eq!(
        out,
        concat!(
            r#"{"line":4,"at":"1.5s","at_ns":1500000000,"op":"rate_limiter.try_acquire","admitted":true,"#,
            r#""as":"g","gave":"rate_limiter grant","available":1}"#,
            "\n"
        )
    );
    assert_eq!(err, "s: 1 operation, 0 expectations, 0 failed\n");
}

#[test]
fn a_script_prints_the_same_bytes_each_time() {
    let text = r#"{"policy": {"backoff": {"initial_delay": "1s", "jitter": "full"}}, "seed": 7}
{"op": "backoff.delay", "retry": 0, "times": 5}"#;
    let (_, first, _) = replay(text);
    assert_eq!(replay(text).1, first);
    let (_, other, _) = replay(&text.replace("\"seed\": 7", "\"seed\": 8"));
    assert_ne!(other, first, "another seed makes other draws");
}

#[test]
fn what_is_not_as_expected_is_told_with_its_line_and_the_rest_runs() {
    let text = format!(
        "{BREAKER}\n{}\n{}",
        r#"{"op": "circuit_breaker.call", "outcome": "failure", "expect": {"state": "closed", "admitted": true}}"#,
        r#"{"at": "1s", "op": "circuit_breaker.check", "times": 2, "expect": {"retry_after": "10s"}, "expect_admitted": 1}"#
    );
    let (ending, out, err) = replay(&text);
    assert_eq!(ending, Ending::Unexpected);
    assert_eq!(out.lines().count(), 3);
    assert_eq!(
        err,
        "s:2: circuit_breaker.call: expected state \"closed\", got \"open\"\n\
         s:3: circuit_breaker.check (repeat 1): expected retry_after \"10s\", got \"9s\"\n\
         s:3: circuit_breaker.check (repeat 2): expected retry_after \"10s\", got \"9s\"\n\
         s:3: circuit_breaker.check: expected 1 admitted, got 0\n\
         s: 3 operations, 4 expectations, 4 failed\n"
    );
}

#[test]
fn the_clock_moves_with_calls_and_steps_where_it_is_told() {
    let text = format!(
        "{BREAKER}\n{}",
        r#"{"at": "1s", "op": "circuit_breaker.call", "outcome": "success", "took": "2s", "times": 2, "expect": {"admitted": true}}
{"op": "circuit_breaker.state", "expect": {"at": "5s"}}
{"at": "+250ms", "op": "circuit_breaker.state", "expect": {"at": "5.25s"}}
{"at": "-5s", "op": "circuit_breaker.state", "expect": {"at": "250ms"}}
{"at": "-5s", "op": "circuit_breaker.state", "expect": {"at": "0s"}}
{"at": 7, "op": "circuit_breaker.state", "times": 3, "every": "1us", "expect": {"at_ns": {"min": 7, "max": 2007}}}
{"at": 18446744073709551615, "op": "circuit_breaker.call", "outcome": "failure", "took": "forever", "expect": {"at": "never"}}
{"at": "+1s", "op": "circuit_breaker.state", "expect": {"at_ns": 18446744073709551615}}"#
    );
    let (ending, out, err) = replay(&text.replace("\"at\": \"never\"", "\"at\": \"18446744073709551615ns\""));
    assert_eq!(ending, Ending::AsExpected, "{err}{out}");
}

#[test]
fn what_is_settled_or_was_never_given_cannot_be_used() {
    for (lines, complaint) in [
        (
            r#"{"op": "circuit_breaker.try_acquire", "as": "p"}
{"op": "circuit_breaker.record", "permit": "p", "outcome": "failure"}
{"op": "circuit_breaker.record", "permit": "p", "outcome": "failure"}"#,
            "s:4: circuit_breaker.record: \"p\" was settled by line 3\n",
        ),
        (
            r#"{"op": "circuit_breaker.force_open"}
{"op": "circuit_breaker.try_acquire", "as": "p"}
{"op": "drop", "what": "p"}"#,
            "s:4: drop: \"p\" stands for nothing: line 3 gave nothing\n",
        ),
        (
            r#"{"op": "circuit_breaker.try_acquire", "as": "p"}
{"op": "circuit_breaker.try_acquire", "as": "p"}"#,
            "s:3: circuit_breaker.try_acquire: \"p\" is still the name of a circuit_breaker permit of line 2: settle or \
             drop it first, or take another name\n",
        ),
        (
            r##"{"op": "circuit_breaker.try_acquire"}
{"op": "drop", "what": "#2"}
{"op": "circuit_breaker.is_probe", "permit": "#2"}"##,
            "s:4: circuit_breaker.is_probe: \"#2\" was dropped by line 3\n",
        ),
        (
            r#"{"op": "circuit_breaker.try_acquire", "as": "p"}
{"op": "circuit_breaker.settle", "ticket": "p", "outcome": "failure"}"#,
            "s:3: circuit_breaker.settle: \"p\" is a circuit_breaker permit of \"circuit_breaker\" (line 2), not a \
             circuit_breaker ticket\n",
        ),
    ] {
        let (ending, _, err) = replay(&format!("{BREAKER}\n{lines}"));
        assert_eq!((ending, err.as_str()), (Ending::Wrong, complaint));
    }
}

#[test]
fn names_of_repeated_lines_are_numbered() {
    let text = format!(
        "{BREAKER}\n{}",
        r#"{"op": "circuit_breaker.try_acquire", "as": "p", "times": 3}
{"op": "circuit_breaker.record", "permit": "p2", "outcome": "failure", "expect": {"state": "open"}}
{"op": "drop", "what": "p3", "expect": {"dropped": "circuit_breaker permit", "state": "open"}}
{"op": "circuit_breaker.try_acquire", "as": "q", "times": 2, "at": "1h"}
{"op": "circuit_breaker.record", "permit": "q1", "outcome": "ignored", "expect": {"probes": 0}}"#
    );
    let (ending, _, err) = replay(&text);
    assert_eq!(ending, Ending::AsExpected, "{err}");
}

/// A duration without end is null, whichever pattern prints it.
#[test]
fn what_has_no_end_is_null() {
    let text = r#"{"policy": {"backoff": {"backoff": "constant", "initial_delay": "forever"}, "timeout": {"limit": "forever"}, "hedge": {"percentile": "50%", "ceiling": "forever"}, "deadline": {}}}
{"op": "backoff.delay", "retry": 0, "expect": {"delay": null, "delay_ns": null}}
{"op": "timeout.limit", "expect": {"limit": null, "limit_ns": null}}
{"op": "hedge.delay", "expect": {"delay": null, "delay_ns": null}}
{"op": "deadline.remaining_millis", "expect": {"remaining_millis": null, "remaining": null}}
{"op": "deadline.remaining", "at": "18446744073709551614ns", "expect": {"remaining": null}}"#;
    let (ending, out, err) = replay(text);
    assert_eq!(ending, Ending::AsExpected, "{err}{out}");
}

/// The sums of a long table are a walk over it, which no decision pays for.
#[test]
fn a_long_table_is_summed_where_that_is_asked_for() {
    let text = r#"{"policy": {"l": {"pattern": "keyed_rate_limiter", "rate": 1, "burst": 1, "entries": 2048}, "b": {"pattern": "keyed_circuit_breaker", "consecutive_failures": 1, "entries": 2048}}}
{"op": "l.try_acquire", "key": "k", "expect": {"admitted": true, "held": null}}
{"op": "l.len", "expect": {"held": 1}}
{"op": "l.state", "expect": {"held": 1}}
{"op": "b.call", "key": "k", "outcome": "failure", "expect": {"held": null}}
{"op": "b.snapshot", "expect": {"open": 1}}
{"op": "b.is_empty", "expect": {"held": 1}}"#;
    let (ending, out, err) = replay(text);
    assert_eq!(ending, Ending::AsExpected, "{err}{out}");
}

#[test]
fn a_snapshot_of_another_shape_is_told_as_such() {
    let text = r#"{"policy": {"a": {"pattern": "histogram", "precision": 7}, "b": {"pattern": "histogram", "precision": 4}}}
{"op": "a.snapshot", "as": "s"}
{"op": "b.merge", "other": "s"}"#;
    let (ending, _, err) = replay(text);
    assert_eq!(ending, Ending::Wrong);
    assert_eq!(
        err,
        "s:3: b.merge: \"s\" is a histogram snapshot of \"a\" (line 2), of another shape than this one\n"
    );
}

/// What a repeated line does not use up has one name in all repetitions.
#[test]
fn a_name_that_was_given_without_a_number_is_the_same_in_each_repetition() {
    let text = r#"{"policy": {"b": {"pattern": "bulkhead", "max_concurrent": 1}, "ring": {"pattern": "event_ring", "slots": 4}}}
{"op": "b.try_acquire", "as": "held"}
{"op": "b.enqueue", "as": "w"}
{"op": "b.poll", "waiter": "w", "times": 3, "every": "1s", "expect": {"waits": true}}
{"op": "ring.cursor", "as": "c"}
{"op": "ring.push", "budget": "exhausted", "times": 2}
{"op": "ring.read", "cursor": "c", "times": 2, "expect": {"event": {"kind": "budget"}}}
{"op": "drop", "what": "held", "times": 1, "expect": {"in_use": 1, "woken": ["w"]}}
{"op": "b.poll", "waiter": "w", "times": 1, "expect": {"admitted": true}}
{"op": "b.release", "permit": "w", "times": 2}"#;
    let (ending, out, err) = replay(text);
    assert_eq!(ending, Ending::Wrong);
    assert!(err.ends_with("s:10: b.release: \"w\" was settled by line 10\n"), "{err}{out}");
    assert!(!err.contains("expected"), "{err}{out}");
}

/// Where both were given, the numbered ones are meant.
#[test]
fn numbered_names_go_before_the_plain_one() {
    let text = format!(
        "{LIMITER}\n{}",
        r#"{"op": "rate_limiter.try_acquire", "as": "g"}
{"op": "rate_limiter.try_acquire", "as": "g", "times": 1}
{"op": "rate_limiter.refund", "grant": "g", "times": 1, "expect": {"available": 1}}
{"op": "rate_limiter.refund", "grant": "g1"}"#
    );
    let (ending, _, err) = replay(&text);
    assert_eq!(ending, Ending::Wrong);
    assert_eq!(err, "s:5: rate_limiter.refund: \"g1\" was settled by line 4\n");
}

#[test]
fn false_is_expected_of_a_field_that_is_not_there() {
    let text = format!(
        "{LIMITER}\n{}",
        r#"{"op": "rate_limiter.try_acquire", "expect": {"would_reject": false}}
{"op": "rate_limiter.set_shadow", "on": true}
{"op": "rate_limiter.try_acquire_many", "cost": 2, "expect": {"would_reject": false}}"#
    );
    let (ending, _, err) = replay(&text);
    assert_eq!(ending, Ending::Unexpected);
    assert!(
        err.starts_with("s:4: rate_limiter.try_acquire_many: expected would_reject false, got true\n"),
        "{err}"
    );
}

/// A probe that a pattern behind the breaker refuses comes back, and so do its tokens.
#[test]
fn a_composition_gives_back_what_its_first_parts_gave() {
    let text = r#"{"policy": {"door": {"pattern": "composition", "parts": ["breaker", "limiter"]}, "breaker": {"pattern": "circuit_breaker", "consecutive_failures": 1, "open_for": "1s"}, "limiter": {"pattern": "rate_limiter", "rate": 1, "per": "1h", "burst": 1}, "other": {"pattern": "composition", "parts": ["limiter"]}}}
{"op": "door.try_acquire", "as": "p"}
{"op": "door.settle", "permit": "p", "outcome": "failure", "expect": {"changes": [{"part": "breaker", "transition": {"to": "open"}}, {"settlement": null}]}}
{"op": "breaker.state", "expect": {"state": "open", "counts": {"requests": 0}}}
{"at": "1s", "op": "door.try_acquire", "times": 20, "expect": {"rejected": "limited", "rejected_by": "rate_limiter"}}
{"op": "breaker.state", "expect": {"state": "half_open", "probes": 0}}
{"at": "1h", "op": "door.try_acquire", "as": "q", "expect": {"admitted": true}}
{"op": "breaker.state", "expect": {"probes": 1}}
{"op": "drop", "what": "q", "expect": {"dropped": "composition permit"}}
{"op": "breaker.state", "expect": {"probes": 0}}"#;
    let (ending, out, err) = replay(text);
    assert_eq!(ending, Ending::AsExpected, "{err}{out}");
    let stranger = format!(
        "{}\n{}",
        text.lines().take(2).collect::<Vec<_>>().join("\n"),
        r#"{"op": "other.give_back", "permit": "p"}"#
    );
    let (ending, _, err) = replay(&stranger);
    assert_eq!(
        (ending, err.as_str()),
        (Ending::Wrong, "s:3: other.give_back.permit: \"p\" is of \"door\"\n")
    );
}

/// Each call names its key, and what it took goes back to that of the same key.
#[test]
fn a_composition_with_a_part_for_each_key_wants_the_key() {
    let policy = r#"{"policy": {"gate": {"pattern": "composition", "parts": ["door", "slots"]}, "door": {"pattern": "composition", "parts": ["tenants", "hosts"]}, "tenants": {"pattern": "keyed_rate_limiter", "rate": 1, "per": "1h", "burst": 2, "entries": 8}, "hosts": {"pattern": "keyed_circuit_breaker", "consecutive_failures": 1}, "slots": {"pattern": "bulkhead", "max_concurrent": 1}, "guard": {}}}"#;
    let script = r#"
{"at": "0s", "op": "gate.try_acquire", "key": "a", "as": "a", "expect": {"admitted": true}}
{"op": "gate.check", "hash": 9, "expect": {"rejected": "full"}}
{"op": "gate.try_acquire", "key": "b", "times": 9, "expect": {"rejected": "full", "rejected_by": "bulkhead"}}
{"op": "tenants.status", "key": "b", "expect": {"available": 2}}
{"op": "tenants.status", "key": "a", "expect": {"available": 1}}
{"op": "gate.observe", "outcome": "failure"}
{"op": "gate.settle", "permit": "a", "outcome": "failure", "expect": {"changes": [{"part": "door", "changes": [{"part": "tenants"}, {"part": "hosts", "settlement": "changed", "transition": {"to": "open"}}]}, {}]}}
{"op": "tenants.status", "key": "a", "expect": {"available": 1}}
{"op": "door.try_acquire", "key": "a", "expect": {"rejected": "open", "rejected_by": "circuit_breaker"}}
{"op": "tenants.status", "key": "a", "expect": {"available": 1}}
{"op": "door.try_acquire", "key": "b", "expect": {"admitted": true}}
{"op": "guard.heed", "around": "gate", "key": "a", "expect": {"rejected": "open"}}
{"op": "guard.stats", "expect": {"stats": {"rejected_by_circuit_breaker": 1}}}"#;
    let (ending, out, err) = replay(&format!("{policy}{script}"));
    assert_eq!(ending, Ending::AsExpected, "{err}{out}");
    for line in
        [r#"{"op": "gate.try_acquire"}"#, r#"{"op": "guard.heed", "around": "gate", "key": "a", "hash": 1}"#]
    {
        let (ending, _, err) = replay(&format!("{policy}\n{line}"));
        assert_eq!(ending, Ending::Wrong);
        assert!(err.contains("key or hash must be given, and not both"), "{err}");
    }
}
