use super::{can_write, check, write_json};
use crate::args::{Cli, Command, DemoArgs};
use crate::demo::fixture;
use crate::demo::summary::{Outcome, PassSummary, Verdict, Whole};
use clap::Parser;
use std::net::TcpListener;

fn demo(options: &[&str]) -> DemoArgs {
    let words = ["seawall", "demo", "--admin", "127.0.0.1:0"].iter().chain(options);
    match Cli::try_parse_from(words).unwrap().command {
        Command::Demo(args) => args,
        Command::Node(_) | Command::Replay(_) => unreachable!("the command is demo"),
    }
}

#[test]
fn a_port_in_use_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap();
    let mut args = demo(&[]);
    check(&args).unwrap();
    args.admin = addr;
    let refusal = check(&args).unwrap_err().to_string();
    assert!(refusal.starts_with(&format!("--admin {addr}: Address already in use")), "{refusal}");
}

#[test]
fn files_that_cannot_be_used_are_named() {
    for option in ["--json", "--svg", "--policy"] {
        let refusal = check(&demo(&[option, "/no/such/directory/file"])).unwrap_err().to_string();
        assert!(refusal.starts_with(&format!("{option} /no/such/directory/file: No such file")), "{refusal}");
    }
}

#[test]
fn trying_a_file_leaves_it_as_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let (old, new) = (directory.path().join("old"), directory.path().join("new"));
    std::fs::write(&old, "kept").unwrap();
    can_write(&old).unwrap();
    can_write(&new).unwrap();
    assert_eq!(std::fs::read_to_string(&old).unwrap(), "kept");
    assert!(!new.exists());
}

#[test]
fn the_file_holds_the_run_and_its_schedule() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run.json");
    let record = fixture::whole_pass(true);
    let summary = PassSummary::of(&record);
    let outcome = Outcome {
        version: "0",
        verdict: &Verdict::Passed,
        protected: Whole { summary: &summary, record: &record },
        unprotected: None,
    };
    write_json(&path, &outcome).unwrap();
    let value: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!(value["verdict"]["verdict"], "passed");
    assert_eq!(value["protected"]["summary"]["audit"]["sent"], 10_000);
    assert_eq!(value["protected"]["summary"]["books"]["rejected"]["breaker"], 2_050);
    assert_eq!(value["protected"]["summary"]["heal_to_closed_ms"], 322);
    let schedule = &value["protected"]["record"]["schedule"];
    assert_eq!(schedule, &serde_json::to_value(&record.schedule).unwrap());
    assert_eq!(value["protected"]["record"]["samples"].as_array().unwrap().len(), 200);
}
