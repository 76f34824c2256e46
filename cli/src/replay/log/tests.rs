use super::replay;
use seawall::core::record::{Decision, Entries, Entry, Header, Input, Layout, Log};
use serde_json::Value;
use std::process::ExitCode;

/// Some traffic on a guard with every pattern, recorded by one of the two cores.
macro_rules! recorded {
    ($core:ident, $waiters:literal, $slots:literal) => {{
        use std::time::Duration;
        use $core::guard::{Report, Verdict};
        use $core::record::{Begin, Recorder, Steps};
        use $core::{
            Backoff, Deadline, Instant, Outcome, Policy, Ratio, backoff::Jitter, bulkhead, circuit_breaker,
            error_budget, rate_limiter::Quota, retry, window::Span,
        };

        let span = if $slots == 0 { None } else { Some(Span::time(Duration::from_secs(1))) };
        let breaker = circuit_breaker::Config::consecutive_failures(3).open_for(Duration::from_millis(200));
        let breaker = span.map_or(breaker, |span| breaker.or_failure_rate(Ratio::percent(50), span, 5));
        let backoff = Backoff::exponential(Duration::from_millis(5)).jitter(Jitter::Full);
        let mut policy = Policy::new()
            .rate_limit(Quota::new(70, Duration::from_secs(1)).burst(3))
            .bulkhead(bulkhead::Config::new(1).max_wait(Duration::from_millis(60)))
            .circuit_breaker(breaker)
            .retry(retry::Config::attempts(3, backoff))
            .timeout(Duration::from_millis(30))
            .seed(5);
        if $slots > 0 {
            policy =
                policy.error_budget(error_budget::Config::new(Ratio::percent(90), Duration::from_secs(10)));
        }
        let recorder: Recorder<Vec<u8>, $waiters, $slots> =
            Recorder::try_new(policy, vec![0; 1 << 20]).unwrap();
        let mut now = Instant::from_secs(77);
        let mut waiting = Vec::new();
        for i in 0..1000_u64 {
            now = now.saturating_add(Duration::from_nanos(i * i % 29_000_003));
            let call = match recorder.begin(Deadline::after(now, Duration::from_millis(100)), now) {
                Ok(Begin::Started(call)) => Some(call),
                Ok(Begin::Waiting(it)) => {
                    waiting.push(it);
                    None
                }
                Err(_) => None,
            };
            let Some(mut call) = call else { continue };
            while let Ok(attempt) = call.try_attempt(now) {
                now = now.saturating_add(Duration::from_micros(700 * (i % 13)));
                let fails = i % 100 < 30;
                let report = Report::new(if fails { Outcome::Failure } else { Outcome::Success });
                match call.settle(attempt, report, now).verdict {
                    Verdict::RetryAfter(delay) => now = now.saturating_add(delay),
                    _ => break,
                }
            }
            if i % 3 == 0 {
                // A queue that fills while the slot is taken.
                waiting.extend(match recorder.begin(Deadline::NONE, now) {
                    Ok(Begin::Waiting(it)) => Some(it),
                    _ => None,
                });
            }
            drop(call);
            waiting.retain_mut(|it| it.poll(std::task::Waker::noop(), now).is_pending());
        }
        drop(waiting);
        let mut log = vec![0; 1 << 20];
        let len = recorder.drain(&mut log);
        assert_eq!(recorder.lost(), 0);
        log.truncate(len);
        log
    }};
}

/// The exit status, the lines of the output, and the messages.
fn run(log: &[u8]) -> (ExitCode, Vec<Value>, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let code = replay("LOG", log, &mut out, &mut err).unwrap();
    let out = String::from_utf8(out).unwrap();
    let lines = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (code, lines, String::from_utf8(err).unwrap())
}

/// The log with another head, or other entries, and whole checksums.
fn rewritten(log: &[u8], head: impl Fn(&mut Header), each: impl Fn(usize, &mut Entry)) -> Vec<u8> {
    let entries = Entries::of(log).unwrap();
    let mut header = *entries.header();
    head(&mut header);
    let mut copy = Log::try_new(header, vec![0; 1 << 20]).unwrap();
    for (i, entry) in entries.enumerate() {
        let mut entry = entry.unwrap();
        each(i, &mut entry);
        copy.append(&entry);
    }
    let mut bytes = vec![0; copy.len()];
    copy.drain(&mut bytes);
    bytes
}

#[test]
fn a_log_of_either_layout_replays_to_the_same_decisions() {
    for log in [
        recorded!(seawall_core, 8, 10),
        recorded!(seawall_core, 0, 0),
        recorded!(seawall_core_narrow, 8, 10),
        recorded!(seawall_core_narrow, 2, 4),
    ] {
        let entries = Entries::of(&log).unwrap();
        let bits = if entries.header().layout == Layout::Wide { 64 } else { 32 };
        let (code, lines, err) = run(&log);
        assert_eq!(code, ExitCode::SUCCESS, "{err}");
        let count = entries.count();
        assert_eq!(err, format!("LOG: {count} decisions, each as recorded\n"));
        assert!(count > 1000 && lines.len() == count + 1);
        assert_eq!(lines[0]["word_bits"], bits);
        assert_eq!(lines[1]["op"], "guard.begin");
        assert_eq!(lines[1]["at"], "77s");
        assert_eq!(lines[1]["admitted"], true);
        assert!(lines[1].get("differs").is_none());
        for (key, value) in [
            ("rejected_by", "circuit_breaker"),
            ("rejected_by", "rate_limiter"),
            ("verdict", "retry"),
            ("op", "drop"),
        ] {
            assert!(lines.iter().any(|line| line[key] == value), "{key} {value}");
        }
    }
}

#[test]
fn the_layouts_do_not_decide_alike() {
    let narrow = recorded!(seawall_core_narrow, 8, 10);
    let as_wide = rewritten(&narrow, |header| header.layout = Layout::Wide, |_, _| ());
    let (code, _, err) = run(&as_wide);
    assert_eq!(code, ExitCode::from(1), "{err}");
}

#[test]
fn a_decision_that_was_another_one_is_marked() {
    let log = recorded!(seawall_core, 8, 10);
    let changed = rewritten(
        &log,
        |_| (),
        |i, entry| {
            if i == 0 {
                let Decision::Admitted { .. } = entry.decision else { panic!("{entry:?}") };
                assert!(matches!(entry.input, Input::Begin { .. }));
            }
            if i == 2 {
                entry.decision = Decision::Nothing;
            }
        },
    );
    let (code, lines, err) = run(&changed);
    assert_eq!(code, ExitCode::from(1));
    assert!(err.starts_with("LOG: 1 of "), "{err}");
    assert!(err.ends_with("the first is step 3\n"), "{err}");
    let marked: Vec<_> = lines.iter().filter(|line| line["differs"] == true).collect();
    assert_eq!(marked.len(), 1);
    assert_eq!(marked[0]["recorded"], serde_json::json!({}));
}

#[test]
fn what_could_be_read_of_a_damaged_log_is_printed_first() {
    let log = recorded!(seawall_core, 8, 10);
    let whole = run(&log).1;
    let mut bytes = log.clone();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x40;
    let (code, lines, err) = run(&bytes);
    assert_eq!(code, ExitCode::from(2));
    assert!(lines.len() > 100 && lines.len() < whole.len());
    assert_eq!(lines, whole[..lines.len()]);
    assert!(err.contains("LOG: byte "), "{err}");
    let (code, lines, err) = run(&log[..log.len() - 1]);
    assert_eq!((code, lines.len()), (ExitCode::from(2), whole.len() - 1), "{err}");
    assert!(err.contains("cut off"), "{err}");
    let (code, lines, _) = run(b"SWLG\x01");
    assert_eq!((code, lines.len()), (ExitCode::from(2), 0));
}

#[test]
fn sizes_that_the_program_has_not_are_named() {
    let log = recorded!(seawall_core, 8, 10);
    let odd = rewritten(&log, |header| header.slots = 11, |_, _| ());
    let (code, _, err) = run(&odd);
    assert_eq!(code, ExitCode::from(2));
    assert!(
        err.starts_with("LOG: the log's guard had 11 buckets in its windows; this program knows 0, 1, "),
        "{err}"
    );
    let crowded = rewritten(&log, |header| header.waiters = 1024, |_, _| ());
    assert_eq!(run(&crowded).0, ExitCode::from(2));
}
