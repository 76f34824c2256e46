//! Models of the levels of degradation: each change of the whole is told once.
#![cfg(loom)]
#![allow(missing_docs)]

use loom::sync::Arc;
use loom::thread;
use seawall_core::health::degradation::{Component, Degradation, Level, LevelChange};

const STORE: Component = Component::new(0);
const PEERS: Component = Component::new(15);

/// The changes as steps from one level to the next: how often each level was left, less how often it was reached.
fn balance(changes: &[LevelChange]) -> [i32; 4] {
    let mut balance = [0; 4];
    for change in changes {
        balance[change.from as usize] += 1;
        balance[change.to as usize] -= 1;
    }
    balance
}

// Mutant: degradation_change_in_two_steps
#[test]
fn a_change_of_the_whole_is_told_once_by_two_components() {
    loom::model(|| {
        let service = Arc::new(Degradation::new());
        let store = {
            let service = service.clone();
            thread::spawn(move || service.set_level(STORE, Level::Emergency))
        };
        let peers = service.set_level(PEERS, Level::Degraded);
        let store = store.join().unwrap();
        let to_emergency = store.expect("nothing else is an emergency");
        assert_eq!(to_emergency.to, Level::Emergency);
        match peers {
            Some(change) => {
                assert_eq!(change, LevelChange { from: Level::Normal, to: Level::Degraded });
                assert_eq!(to_emergency.from, Level::Degraded);
            }
            None => assert_eq!(to_emergency.from, Level::Normal),
        }
    });
}

// Mutant: degradation_change_in_two_steps
#[test]
fn changes_up_and_down_make_a_chain_that_ends_at_the_level_that_holds() {
    loom::model(|| {
        let service = Arc::new(Degradation::new());
        let store = {
            let service = service.clone();
            thread::spawn(move || {
                [service.set_level(STORE, Level::Emergency), service.set_level(STORE, Level::Normal)]
            })
        };
        let peers =
            [service.set_level(PEERS, Level::SeverelyDegraded), service.set_level(PEERS, Level::Normal)];
        let store = store.join().unwrap();
        let changes: Vec<_> = store.into_iter().chain(peers).flatten().collect();
        assert_eq!(balance(&changes), [0; 4]);
        assert_eq!(service.level(), Level::Normal);
        assert!(changes.iter().any(|change| change.to == Level::Emergency));
    });
}

// Mutant: degradation_change_in_two_steps
#[test]
fn a_recovery_of_all_beside_a_report_loses_neither() {
    loom::model(|| {
        let service = Arc::new(Degradation::new());
        service.set_level(PEERS, Level::Emergency);
        let store = {
            let service = service.clone();
            thread::spawn(move || service.set_level(STORE, Level::Degraded))
        };
        let recovered = service.recover_all().expect("it was an emergency");
        let store = store.join().unwrap();
        assert_eq!(recovered, LevelChange { from: Level::Emergency, to: Level::Normal });
        match store {
            Some(change) => {
                assert_eq!(change, LevelChange { from: Level::Normal, to: Level::Degraded });
                assert_eq!(service.level(), Level::Degraded);
            }
            None => assert_eq!(service.level(), Level::Normal),
        }
        assert_eq!(service.component_level(PEERS), Level::Normal);
    });
}
