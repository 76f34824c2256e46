use super::{Paint, PassSummary, Verdict, text};
use crate::demo::fixture;
use crate::demo::record::Record;
use crate::report::BreakerState;

fn verdict(protected: &Record) -> Verdict {
    Verdict::of(&PassSummary::of(protected), Some(&PassSummary::of(&fixture::whole_pass(false))))
}

#[test]
fn the_summary_tells_the_whole_story() {
    let (on, off) = (fixture::whole_pass(true), fixture::whole_pass(false));
    let page = text(&on, Some(&off), &verdict(&on), Paint::Plain);
    if std::env::var_os("SEAWALL_SHOW").is_some() {
        println!("{page}");
    }
    for part in [
        "protected          unprotected",
        "sent                                10 000               10 000",
        "breaker open                       2 050   20.5 %",
        "attempts per call let through                  1.05",
        "most calls under way at once                     12                   12",
        "messages that failed after their callers had waited: 3.9 %, without it 24.4 %",
        "attempts for each call: 1.05, without it 1.24",
        "waited in vain, per message                 15.4 ms              97.4 ms",
        "11.203 s  closed → open          5 failures in a row",
        "closed 322 ms after the link healed at 15.0 s",
        "✓ 10 000 sent = ",
        "every reply matched (0 wrong)",
        "The books balance, and the breaker opened and closed again.",
    ] {
        assert!(page.contains(part), "{part} is missing:\n{page}");
    }
    assert!(page.lines().all(|line| line.chars().count() <= 80), "{page}");
    assert!(!page.contains('✗') && !page.contains('\u{1b}'));
}

#[test]
fn color_changes_nothing_but_color() {
    let on = fixture::whole_pass(true);
    let plain = text(&on, None, &verdict(&on), Paint::Plain);
    let mut colored = text(&on, None, &verdict(&on), Paint::Color);
    for code in ["1", "2", "31", "32", "0"] {
        colored = colored.replace(&format!("\u{1b}[{code}m"), "");
    }
    assert_eq!(plain, colored);
    assert!(!plain.contains("unprotected"));
}

#[test]
fn a_good_run_passes() {
    let verdict = verdict(&fixture::whole_pass(true));
    assert_eq!(verdict, Verdict::Passed);
    assert_eq!(serde_json::to_string(&verdict).unwrap(), r#"{"verdict":"passed"}"#);
}

#[test]
fn books_that_do_not_balance_fail_the_run() {
    let mut record = fixture::whole_pass(true);
    let answered = record.executions.iter_mut().next().unwrap();
    *answered = 0;
    record.executions[1] = 0;
    let verdict = verdict(&record);
    assert!(!verdict.passed());
    assert_eq!(verdict.to_string(), "the books do not balance: 1 messages were answered and never executed");
    assert!(text(&record, None, &verdict, Paint::Plain).contains("✗ the server executed every message"));
}

#[test]
fn a_breaker_that_never_opened_shows_nothing() {
    let mut record = fixture::whole_pass(true);
    record.transitions.clear();
    let verdict = verdict(&record);
    assert_eq!(verdict.to_string(), "the breaker never opened: this policy had no reason to");
    assert!(text(&record, None, &verdict, Paint::Plain).contains("it never opened"));
}

#[test]
fn a_breaker_that_stays_open_fails_the_run() {
    let mut record = fixture::whole_pass(true);
    record.transitions.pop();
    assert_eq!(record.transitions.last().unwrap().to, BreakerState::HalfOpen);
    let verdict = verdict(&record);
    assert_eq!(verdict.to_string(), "the breaker did not close after the link had healed");
    assert!(text(&record, None, &verdict, Paint::Plain).contains("did not close after"));
}

#[test]
fn many_changes_of_the_breaker_are_cut_in_the_middle() {
    let mut record = fixture::whole_pass(true);
    let all: Vec<_> = (0..4).flat_map(|_| record.transitions.clone()).collect();
    record.transitions = all;
    let page = text(&record, None, &Verdict::Passed, Paint::Plain);
    assert!(page.contains("10 more changes"), "{page}");
    assert_eq!(page.matches(" → ").count(), 10);
}
