use super::{to_file, to_text};
use crate::demo::fixture;
use crate::demo::record::Record;
use crate::demo::timeline::Schedule;
use std::time::Duration;

/// Goes through the elements of a document and fails where one is not closed by its own name.
fn assert_well_formed(document: &str) {
    let mut open: Vec<&str> = Vec::new();
    for tag in document.split('<').skip(1).map(|rest| rest.split_once('>').expect("each tag ends").0) {
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name));
        } else if !tag.ends_with('/') && !tag.starts_with(['?', '!']) {
            open.push(tag.split_whitespace().next().unwrap());
        }
        assert_eq!(tag.matches('"').count() % 2, 0, "quotes are paired in {tag}");
    }
    assert_eq!(open, [""; 0]);
}

#[test]
fn both_passes_are_drawn_with_all_their_series() {
    let text = to_text(&fixture::whole_pass(true), Some(&fixture::whole_pass(false))).unwrap();
    if let Some(file) = std::env::var_os("SEAWALL_SHOW_SVG") {
        std::fs::write(file, &text).unwrap();
    }
    assert_well_formed(&text);
    assert!(text.starts_with("<svg ") && text.contains("width=\"1240\""));
    for part in [
        "Seawall on",
        "Seawall off",
        "offered",
        "succeeded",
        "rejected",
        "failed",
        "p50",
        "p99",
        "breaker",
        "no breaker",
        "healthy",
        "slow",
        "half dead",
        "dead",
        "healed",
        "seconds",
        "messages a second",
        "waiting time",
        "longest wait 612 ms",
    ] {
        assert!(text.contains(part), "{part} is missing");
    }
    assert!(!text.contains("NaN") && !text.contains("inf"));
}

#[test]
fn the_band_of_the_breaker_shows_each_state() {
    let text = to_text(&fixture::whole_pass(true), None).unwrap();
    assert_well_formed(&text);
    // Twice closed, twice open, twice half-open, as filled rectangles in the color of the state; one more explains it.
    let rectangles = |color: &str| {
        text.split('<')
            .filter(|tag| tag.starts_with("rect ") && tag.contains(&format!("fill=\"{color}\"")))
            .count()
    };
    assert_eq!([rectangles("#1A7F37"), rectangles("#CF222E"), rectangles("#D48A00")], [3, 3, 3]);
}

#[test]
fn a_pass_without_reports_is_drawn_empty() {
    let record = Record::new(true, 500, Schedule::new(1, Duration::from_secs(20)));
    assert_well_formed(&to_text(&record, None).unwrap());
}

#[test]
fn a_file_that_cannot_be_written_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let record = fixture::whole_pass(true);
    to_file(&directory.path().join("run.svg"), &record, None).unwrap();
    assert!(to_file(directory.path(), &record, None).is_err());
}
