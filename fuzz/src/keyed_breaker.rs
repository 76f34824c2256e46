//! What must hold for any calls of any keys: each key has its own breaker, and one that refuses calls keeps its entry.
//!
//! The breaker of a key is the oracle of the target `circuit_breaker`; which keys have an entry, and who goes for another
//! key, is said by a list of them.

use std::time::Duration;

use seawall_core::circuit_breaker::{Settlement, State};
use seawall_core::keyed::circuit_breaker::{Permit, Rejected};
use seawall_core::keyed::{Config, WhenFull};
use seawall_core::{Instant, KeyedCircuitBreaker, Outcome, circuit_breaker};

use crate::circuit_breaker::oracle::{Ending, Oracle, Settled, Setup, Ticket};
use crate::input::Input;

/// Whether words have 32 bits.
const NARROW: bool = cfg!(any(seawall_word32, not(target_has_atomic = "64")));

/// One set, so that keys compete for every entry.
const ENTRIES: usize = 4;
const KEYS: usize = 8;
/// Who shares the breaker of keys without an entry.
const SHARED: usize = KEYS;
const MILLI: u64 = 1_000_000;

const OUTCOMES: [Outcome; 6] = [
    Outcome::Success,
    Outcome::Failure,
    Outcome::Failure,
    Outcome::Slow,
    Outcome::Ignored,
    Outcome::Cancelled,
];

/// Runs the script of `bytes` on a keyed breaker and on a breaker for each key.
///
/// # Panics
///
/// If a key is judged by another breaker than its own, or one that refuses calls loses its entry.
pub fn check(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let rules = input.byte();
    let shares = rules & 1 != 0;
    let setup = Setup {
        in_a_row: u32::from(rules >> 1 & 3) + 1,
        rate: None,
        on_failure_only: false,
        // A tick of the narrow layout divides a millisecond for times of this size.
        open_for: (20 + u64::from(input.byte() % 40)) * MILLI,
        probes: u32::from(rules >> 3 & 1) + 1,
        successes: u32::from(rules >> 4 & 1) + 1,
        failed_probes: None,
        close_below: None,
        lease: 0,
        honored: None,
        ramp: None,
        shadow: false,
    };
    let setup = Setup { lease: setup.open_for, ..setup };
    let config = circuit_breaker::Config::consecutive_failures(setup.in_a_row)
        .open_for(Duration::from_nanos(setup.open_for))
        .probes(setup.probes)
        .successes_to_close(setup.successes);
    let when_full = if shares { WhenFull::Share } else { WhenFull::Refuse };
    let keyed = KeyedCircuitBreaker::<ENTRIES>::new(config, Config::seeded(0).when_full(when_full));
    let mut pair = Pair {
        keyed: &keyed,
        shares,
        setup,
        held: Vec::new(),
        shared: Oracle::new(setup),
        entered: 0,
        evictions: 0,
        forgiven: 0,
        turned_away: 0,
        now: 100 * MILLI,
        running: Vec::new(),
    };
    while let Some(operation) = input.operation() {
        // Deadlines of the narrow layout are in the past for some 250 open times.
        if NARROW && pair.now > 200 * setup.open_for {
            break;
        }
        pair.apply(operation, &mut input);
        pair.compare();
    }
}

/// A key's entry.
struct Entry {
    key: usize,
    /// How many keys came in before.
    arrival: u64,
    breaker: Oracle,
    /// Until when it is open, or a probe of it is waited for.
    until: u64,
}

/// A call that runs, and under which arrival of its key.
struct Call<'a> {
    permit: Permit<'a>,
    ticket: Ticket,
    key: usize,
    arrival: u64,
}

struct Pair<'a> {
    keyed: &'a KeyedCircuitBreaker<ENTRIES>,
    shares: bool,
    setup: Setup,
    held: Vec<Entry>,
    shared: Oracle,
    entered: u64,
    evictions: u64,
    forgiven: u64,
    turned_away: u64,
    /// Nanoseconds.
    now: u64,
    running: Vec<Call<'a>>,
}

impl<'a> Pair<'a> {
    fn at(&self) -> Instant {
        Instant::from_nanos(self.now)
    }

    fn apply(&mut self, operation: u8, input: &mut Input<'_>) {
        match operation % 16 {
            0..=3 => {
                let key = usize::from(input.byte()) % KEYS;
                self.acquire(key);
            }
            // A call that ends at once.
            4..=8 => {
                let (key, outcome) = (usize::from(input.byte()) % KEYS, input.pick(&OUTCOMES));
                let before = self.running.len();
                self.acquire(key);
                if self.running.len() > before {
                    self.settle(before, outcome);
                }
            }
            9 | 10 => {
                let Some(at) = input.index(self.running.len()) else { return };
                let outcome = input.pick(&OUTCOMES);
                self.settle(at, outcome);
            }
            11 => {
                // It never reports.
                let Some(at) = input.index(self.running.len()) else { return };
                let call = self.running.swap_remove(at);
                let _ = call.permit.into_ticket();
            }
            12 => {
                let key = usize::from(input.byte()) % KEYS;
                let had = self.keyed.breaker_of_hash(hash(key)).forget();
                assert_eq!(had, self.held.iter().any(|entry| entry.key == key));
                self.held.retain(|entry| entry.key != key);
            }
            13 | 14 => self.now += u64::from(input.byte() % 32) * MILLI,
            _ => self.now += self.setup.open_for,
        }
    }

    /// The place in the list of who goes for another key, if anybody does.
    fn leaves(&self) -> Result<Option<usize>, Duration> {
        if self.held.len() < ENTRIES {
            return Ok(None);
        }
        let mut waits = Vec::new();
        let mut goes: Vec<(u32, usize)> = Vec::new();
        for (at, entry) in self.held.iter().enumerate() {
            let view = entry.breaker.view(self.now);
            if view.state == State::Closed {
                goes.push((view.failures, at));
            } else if self.now >= entry.until {
                goes.push((u32::MAX, at));
            } else {
                // While probes are waited for it stays, too, although it might admit another one.
                waits.push(Duration::from_nanos(entry.until - self.now));
            }
        }
        let Some(&(least, _)) = goes.iter().min() else {
            return Err(waits.into_iter().min().expect("all refuse"));
        };
        // Of those with as little to lose it is one, and the table says which.
        let gone = |at: usize| self.keyed.breaker_of_hash(hash(self.held[at].key)).status().is_none();
        let gone = goes.iter().find(|&&(loss, at)| loss == least && gone(at));
        Ok(Some(gone.expect("who has the least to lose goes").1))
    }

    fn acquire(&mut self, key: usize) {
        let breaker = self.keyed.breaker_of_hash(hash(key));
        let asked = breaker.check(self.at());
        let answer = breaker.try_acquire(self.at());
        assert_eq!(asked.is_ok(), answer.is_ok(), "{asked:?}, and then {answer:?}");
        if !self.held.iter().any(|entry| entry.key == key) {
            match self.leaves() {
                Ok(gone) => self.enter(key, gone),
                Err(wait) => {
                    self.turned_away += 1;
                    return self.overflow(answer, wait);
                }
            }
        }
        let now = self.now;
        let entry = self.held.iter_mut().find(|entry| entry.key == key).expect("it came in");
        match (answer, entry.breaker.acquire(true, now)) {
            (Ok(permit), Ok((ticket, _))) => {
                assert!(!permit.is_shared());
                if ticket.is_probe() {
                    entry.until = entry.until.max(now + self.setup.lease);
                }
                self.running.push(Call { permit, ticket, key, arrival: entry.arrival });
            }
            (Err(Rejected::Refused(told)), Err(expected)) => {
                assert_eq!((told.reason, told.retry_after), expected);
                assert_eq!(asked, Err(Rejected::Refused(told)));
            }
            (answer, expected) => panic!("{answer:?} where the own breaker says {expected:?}"),
        }
    }

    fn enter(&mut self, key: usize, gone: Option<usize>) {
        if let Some(at) = gone {
            let gone = self.held.remove(at);
            let view = gone.breaker.view(self.now);
            self.evictions += 1;
            self.forgiven += u64::from(view.state != State::Closed || view.failures > 0);
        }
        self.entered += 1;
        self.held.push(Entry { key, arrival: self.entered, breaker: Oracle::new(self.setup), until: 0 });
    }

    /// The key has no entry, and finds none for so long.
    fn overflow(&mut self, answer: Result<Permit<'a>, Rejected>, wait: Duration) {
        if !self.shares {
            let Err(Rejected::TableFull { retry_after: Some(told) }) = answer else { panic!("{answer:?}") };
            assert!(told >= wait && told <= wait + Duration::from_millis(1), "{told:?} for {wait:?}");
            return;
        }
        match (answer, self.shared.acquire(true, self.now)) {
            (Ok(permit), Ok((ticket, _))) => {
                assert!(permit.is_shared());
                self.running.push(Call { permit, ticket, key: SHARED, arrival: 0 });
            }
            (Err(Rejected::Refused(told)), Err(expected)) => {
                assert_eq!((told.reason, told.retry_after), expected);
            }
            (answer, expected) => panic!("{answer:?} where the shared breaker says {expected:?}"),
        }
    }

    fn settle(&mut self, at: usize, outcome: Outcome) {
        let Call { permit, ticket, key, arrival } = self.running.swap_remove(at);
        let settlement = permit.record(outcome, self.at());
        let ending = Ending { outcome, retry_after: None, at: self.now };
        let mut until = 0;
        let own = if key == SHARED {
            Some((&mut self.shared, &mut until))
        } else {
            let entry = self.held.iter_mut().find(|entry| entry.arrival == arrival);
            entry.map(|entry| (&mut entry.breaker, &mut entry.until))
        };
        let Some((breaker, until)) = own else {
            assert_eq!(settlement, Settlement::Stale, "its key lost the entry");
            return;
        };
        match (settlement, breaker.settle(ticket, ending)) {
            (Settlement::Changed(seen), Settled::Changed(expected)) => {
                assert_eq!((seen.from, seen.to, seen.cause), (expected.from, expected.to, expected.cause));
                *until = if seen.to == State::Open { self.now + self.setup.open_for } else { 0 };
            }
            (Settlement::Counted, Settled::Counted)
            | (Settlement::Uncounted, Settled::Uncounted)
            | (Settlement::Stale, Settled::Stale) => {}
            (seen, expected) => panic!("{seen:?} where the own breaker says {expected:?}"),
        }
    }

    fn compare(&self) {
        for key in 0..KEYS {
            let status = self.keyed.breaker_of_hash(hash(key)).status();
            let entry = self.held.iter().find(|entry| entry.key == key);
            assert_eq!(status.is_some(), entry.is_some(), "key {key}");
            if let (Some(status), Some(entry)) = (status, entry) {
                let view = entry.breaker.view(self.now);
                assert_eq!((status.state, status.consecutive_failures), (view.state, view.failures));
            }
        }
        let seen = self.keyed.snapshot();
        let closed =
            self.held.iter().filter(|entry| entry.breaker.view(self.now).state == State::Closed).count();
        assert_eq!((seen.held, seen.closed), (self.held.len(), closed));
        assert_eq!((seen.evictions, seen.forgiven), (self.evictions, self.forgiven));
        assert_eq!(seen.turned_away, self.turned_away);
    }
}

/// A hash of a key, uniform in all of its bits.
fn hash(key: usize) -> u64 {
    let mut bits = (key as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    bits = (bits ^ bits >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ bits >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ bits >> 31
}
