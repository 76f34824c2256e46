use super::{draw, leaves};
use crate::demo::fixture;
use crate::demo::record::Record;
use crate::demo::timeline::Schedule;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use std::time::Duration;

/// The screen as lines of text.
fn screen(record: &Record, now_ms: u64, width: u16, height: u16) -> Vec<String> {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(frame, record, now_ms, (1, 2))).unwrap();
    let buffer = terminal.backend().buffer();
    let lines: Vec<String> =
        (0..height).map(|y| (0..width).map(|x| buffer[(x, y)].symbol()).collect()).collect();
    if std::env::var_os("SEAWALL_SHOW").is_some() {
        println!("{}", lines.join("\n"));
    }
    lines
}

#[test]
fn everything_is_on_an_ordinary_screen() {
    for (width, height) in [(80, 24), (120, 40)] {
        let lines = screen(&fixture::pass_until(true, 12_300), 12_300, width, height);
        let text = lines.join("\n");
        for part in [
            "protected",
            "500/s",
            "seed 1",
            "pass 1 of 2",
            "12.3 s of 20.0 s",
            "healthy",
            "slow",
            "half dead",
            "dead",
            "healed",
            "the server stands still, then is killed",
            "sent",
            "6 150",
            "succeeded",
            "rejected",
            "breaker 550, bulkhead 52",
            "failed",
            "timeout 286",
            "connection 100",
            "attempts",
            "per call",
            "p50/p95/p99 400µs  600µs  800µs",
            "612 ms",
            "● open for 0.3 s",
            "half-open → open at 11.9 s",
            "a probe failed",
            "600/s",
            "12 of 64",
            "3 of 128",
            "62.1 %",
            "degraded",
            "in flight",
            "http://127.0.0.1:9464/metrics",
            "q leaves",
        ] {
            assert!(text.contains(part), "{part} is missing at {width} × {height}:\n{text}");
        }
        assert!(!text.contains('…'), "nothing is cut off at {width} × {height}:\n{text}");
    }
}

#[test]
fn the_chart_shows_what_happened_when() {
    let lines = screen(&fixture::whole_pass(true), 20_000, 80, 24);
    let row = |name: &str| {
        let line = lines.iter().find(|line| line.starts_with(&format!("│{name}"))).unwrap();
        line.chars().skip(11).take(58).collect::<Vec<_>>()
    };
    let at = |second: usize| second * 58 / 20;
    let (answered, rejected, breaker) = (row("succeeded"), row("rejected"), row("breaker"));
    assert_ne!(answered[at(2)], ' ');
    assert_eq!(answered[at(13)], ' ');
    assert_ne!(rejected[at(13)], ' ');
    assert!(breaker.iter().all(|&cell| cell == '▆'));
}

#[test]
fn the_pass_without_protection_says_so() {
    let text = screen(&fixture::pass_until(false, 9_000), 9_000, 80, 24).join("\n");
    for part in ["unprotected", "No protection", "three times more when it fails", "in flight"] {
        assert!(text.contains(part), "{part} is missing:\n{text}");
    }
    assert!(!text.contains("limiter"));
}

#[test]
fn a_pass_that_has_not_reported_yet_can_be_drawn() {
    let record = Record::new(true, 500, Schedule::new(1, Duration::from_secs(20)));
    assert!(screen(&record, 0, 80, 24).join("\n").contains("starting"));
}

#[test]
fn a_small_screen_gets_a_hint_and_no_panic() {
    let record = fixture::whole_pass(true);
    for (width, height) in [(1, 1), (20, 5), (75, 24), (80, 22)] {
        screen(&record, 20_000, width, height);
    }
    assert!(screen(&record, 20_000, 75, 24).join("").contains("needs 76 × 23"));
    for (width, height) in [(76, 23), (300, 100)] {
        assert!(screen(&record, 25_000, width, height).join("").contains("Protection"));
    }
}

#[test]
fn q_and_control_c_leave() {
    let key = |code, modifiers| Event::Key(KeyEvent::new(code, modifiers));
    assert!(leaves(&key(KeyCode::Char('q'), KeyModifiers::NONE)));
    assert!(leaves(&key(KeyCode::Esc, KeyModifiers::NONE)));
    assert!(leaves(&key(KeyCode::Char('c'), KeyModifiers::CONTROL)));
    assert!(!leaves(&key(KeyCode::Char('c'), KeyModifiers::NONE)));
    assert!(!leaves(&Event::FocusGained));
}
