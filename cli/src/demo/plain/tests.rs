use super::PlainView;
use crate::demo::fixture;
use crate::demo::pass::{Attention, Audience};
use crate::demo::timeline::Event;

/// What is printed over a whole pass that is watched ten times a second.
fn printed(protected: bool) -> String {
    let mut output = Vec::new();
    let mut view = PlainView::new(&mut output);
    for now_ms in (0..=20_000).step_by(100) {
        let mut record = fixture::pass_until(protected, now_ms);
        record.done =
            record.schedule.events.iter().copied().filter(|event: &Event| event.at_ms <= now_ms).collect();
        assert_eq!(view.watch(&record, now_ms).unwrap(), Attention::Stay);
    }
    String::from_utf8(output).unwrap()
}

#[test]
fn a_line_a_second_and_a_line_for_each_event() {
    let text = printed(true);
    let figures = text.lines().filter(|line| line.contains("  sent ")).count();
    assert_eq!(figures, 20, "{text}");
    for part in [
        "A pass with protection: 20 s at 500/s, faults from seed 1",
        "metrics at http://127.0.0.1:9464/metrics",
        "  0.0 s  * healthy: the link is good",
        " 11.0 s    the server process is stopped",
        " 12.6 s    the server process is killed",
        " 15.0 s    the server process is started again",
        " 11.2 s    breaker closed → open: 5 failures in a row",
        " 15.3 s    breaker half-open → closed: 3 probes succeeded",
        "  2.0 s  sent 1000  succeeded 990  rejected 10  failed 0  p50/p95/p99 400 µs/600 µs/800 µs  attempts 1.00",
        "limiter 600/s  bulkhead 12/64  budget 62 %  level degraded",
    ] {
        assert!(text.contains(part), "{part} is missing:\n{text}");
    }
    assert_eq!(text.matches("a connection is reset").count(), 8);
    assert_eq!(text.matches("* healed").count(), 1, "each event is told once");
}

#[test]
fn without_protection_there_is_no_guard_to_report_on() {
    let text = printed(false);
    assert!(text.contains("A pass without protection"));
    assert!(!text.contains("limiter"));
}
