use super::{Cli, Command};
use clap::{CommandFactory, Parser};

/// What the program says to these words.
fn parse(words: &[&str]) -> Result<Command, String> {
    Cli::try_parse_from(std::iter::once(&"seawall").chain(words))
        .map(|cli| cli.command)
        .map_err(|error| error.to_string())
}

fn demo(words: &[&str]) -> super::DemoArgs {
    match parse(&[&["demo"], words].concat()) {
        Ok(Command::Demo(args)) => args,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_command_line_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn the_defaults_are_the_documented_ones() {
    let args = demo(&[]);
    assert_eq!((args.rate, args.seconds, args.seed), (500, 20, 1));
    assert_eq!(args.admin.to_string(), "127.0.0.1:9464");
    assert!(args.compares() && !args.plain);
}

#[test]
fn the_second_pass_can_be_left_out_in_both_ways() {
    assert!(!demo(&["--no-compare"]).compares());
    assert!(!demo(&["--compare", "false"]).compares());
    assert!(!demo(&["--compare=false"]).compares());
    assert!(demo(&["--compare"]).compares());
    assert!(demo(&["--compare", "true"]).compares());
}

#[test]
fn bad_values_are_named_with_their_bounds() {
    for (words, part) in [
        (&["demo", "--rate", "0"][..], "0 is not in 50..=20000"),
        (&["demo", "--rate", "-1"], "-1 is not in 50..=20000"),
        (&["demo", "--rate", "many"], "invalid value 'many' for '--rate <N>'"),
        (&["demo", "--seconds", "-5"], "-5 is not in 4..=600"),
        (&["demo", "--seconds", "0"], "0 is not in 4..=600"),
        (&["demo", "--seconds", "601"], "601 is not in 4..=600"),
        (&["demo", "--seed", "x"], "invalid value 'x' for '--seed <N>'"),
        (&["demo", "--admin", "here"], "invalid value 'here' for '--admin <ADDR>'"),
        (&["demo", "--fast"], "unexpected argument '--fast'"),
        (&["node"], "--listen <ADDR>"),
        (&["node", "--listen", "127.0.0.1:0", "--load", "50"], "--peer <ADDR>"),
        (&["node", "--listen", "127.0.0.1:0", "--load-ms", "10"], "--load <N>"),
        (&["node", "--listen", "127.0.0.1:0", "--arm-chaos"], "--config <FILE>"),
        (&["node", "--listen", "127.0.0.1:0", "--arm-chaos", "--config", "x"], "--load <N>"),
        (&["demo", "--arm-chaos"], "--policy <FILE>"),
        (&["node", "--listen", "127.0.0.1"], "invalid value '127.0.0.1' for '--listen <ADDR>'"),
    ] {
        let error = parse(words).unwrap_err();
        assert!(error.contains(part), "{words:?}: {error}");
    }
}
