extern crate std;
use std::string::ToString;
use std::{format, thread};

use super::*;
use crate::atomic::sync::{Wide, probe};

const SPAN: Duration = Duration::from_secs(10);
const NOW: Instant = Instant::from_secs(1);

fn shedder(max_load: u32) -> LoadShedder {
    LoadShedder::new(Config::new(max_load, SPAN))
}

/// The shares of the four classes as numerators of one denominator, or nothing for a class without calls.
fn shares(arrived: [u32; KINDS], load: u32, max_load: u32) -> [Share; KINDS] {
    core::array::from_fn(|class| Share::of(class, arrived, load, max_load))
}

#[test]
fn a_shedder_stands_in_a_static_and_has_the_documented_size() {
    static DOOR: LoadShedder = LoadShedder::new(Config::new(7, SPAN).seed(3));
    assert_eq!(DOOR.try_admit(Priority::default(), 7, NOW), Ok(()));
    assert_eq!(DOOR.max_load(), 7);
    if Wide::BITS == 64 {
        assert_eq!(size_of::<LoadShedder>(), 384);
    }
    assert!(format!("{DOOR:?}").contains("normal: Stats { admitted: 1, shed: 0 }"));
}

// What the original did wrong.

#[test]
fn dg2_the_share_is_one_less_max_over_load() {
    // Twice the load: half is shed, not nine tenths.
    for (load, max_load, expected) in [(200, 100, 50), (125, 100, 20), (1_000, 100, 90), (101, 100, 1)] {
        let door = shedder(max_load);
        let shed = (0..10_000).filter(|_| door.try_admit(Priority::Normal, load, NOW).is_err()).count();
        assert!(shed.abs_diff(expected * 100) < 150, "{shed} of 10000 at {load}");
        let stats = door.stats(Priority::Normal);
        assert_eq!((stats.shed, stats.admitted), (shed as u64, 10_000 - shed as u64));
    }
}

#[test]
fn dg2_a_maximum_of_zero_and_a_load_of_zero_are_legal() {
    let closed = shedder(0);
    for draw in [0, 1, u32::MAX] {
        for priority in Priority::ALL {
            assert_eq!(closed.try_admit_drawn(priority, 0, draw, NOW), Ok(()));
            assert!(closed.try_admit_drawn(priority, 1, draw, NOW).is_err());
            assert!(closed.try_admit_drawn(priority, u32::MAX, draw, NOW).is_err());
        }
    }
    let open = shedder(u32::MAX);
    assert!((0..100).all(|_| open.try_admit_drawn(Priority::Low, u32::MAX, 0, NOW).is_ok()));
}

#[test]
fn at_the_maximum_nothing_is_shed() {
    let door = shedder(100);
    for load in [0, 1, 99, 100] {
        assert!(door.try_admit_drawn(Priority::Low, load, 0, NOW).is_ok());
    }
    assert!(door.try_admit_drawn(Priority::Low, 101, 0, NOW).is_err());
}

#[test]
fn the_least_important_goes_first() {
    // A quarter each; 62.5 % are too much: all that is low, all that is normal, half of what is high.
    let arrived = [25, 25, 25, 25];
    let [low, normal, high, critical] = shares(arrived, 800, 300);
    assert!(low.numerator >= low.denominator && normal.numerator >= normal.denominator);
    assert_eq!(high.numerator * 2, high.denominator);
    assert_eq!(critical.numerator, 0);
    assert!(low.takes(u32::MAX) && normal.takes(u32::MAX));
    assert!(high.takes(u32::MAX / 2) && !high.takes(u32::MAX / 2 + 1));
    assert!(!critical.takes(0));
}

/// What is shed of all classes together is exactly what is too much, whatever the traffic.
#[test]
fn the_shares_add_up_and_only_one_class_is_cut() {
    let mut seed = 1_u32;
    let mut draw = |bound: u32| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        seed >> 8 & bound
    };
    for _ in 0..20_000 {
        let arrived = [draw(63), draw(7), draw(63), draw(1)];
        let (load, max_load) = (draw(255) + 1, draw(255));
        let all: u128 = arrived.iter().copied().map(u128::from).sum();
        let too_much = all * u128::from(load.saturating_sub(max_load));
        let cut = shares(arrived, load, max_load).map(|share| share.numerator.min(share.denominator));
        assert_eq!(cut.iter().sum::<u128>(), too_much);
        let partly = shares(arrived, load, max_load)
            .into_iter()
            .filter(|share| (1..share.denominator).contains(&share.numerator))
            .count();
        assert!(partly <= 1);
        // Who passes at all has nobody below who passes.
        for class in 1..KINDS {
            if cut[class] > 0 {
                assert_eq!(cut[class - 1], u128::from(arrived[class - 1]) * u128::from(load));
            }
        }
    }
}

#[test]
fn the_traffic_of_the_last_span_decides() {
    let door = shedder(100);
    let half = u32::MAX / 2;
    // Half of the calls are low, so at 200 they are what is too much.
    for _ in 0..50 {
        assert!(door.try_admit(Priority::Low, 50, Instant::from_secs(0)).is_ok());
        assert!(door.try_admit(Priority::High, 50, Instant::from_secs(0)).is_ok());
    }
    assert!(door.try_admit_drawn(Priority::High, 197, 0, Instant::from_secs(9)).is_ok());
    assert!(door.try_admit_drawn(Priority::Low, 197, half, Instant::from_secs(9)).is_err());
    // Later only high ones come: half of them goes.
    let later = Instant::from_secs(30);
    let shed = (0..1_000).filter(|_| door.try_admit(Priority::High, 200, later).is_err()).count();
    assert!((450..550).contains(&shed), "{shed}");
}

#[test]
fn b78_counts_and_loads_near_the_end_do_not_overflow() {
    const MAX: u32 = u32::MAX;
    for (load, max_load) in [(MAX, 0), (MAX, MAX), (MAX, MAX - 1), (0, 0), (1, 0), (0, MAX)] {
        for share in shares([MAX; KINDS], load, max_load) {
            for draw in [0, 1, MAX] {
                share.takes(draw);
            }
        }
    }
    // A class of which nothing was counted, since its only call just expired.
    let [unseen, ..] = shares([0, 1, 0, 0], 2, 1);
    assert!(unseen.takes(MAX));
    assert!(!Share::of(2, [0, 9, 0, 0], 2, 1).takes(0));
}

#[test]
fn a_span_that_the_slots_do_not_divide_is_refused() {
    let error = LoadShedder::<3>::try_new(Config::new(1, Duration::from_nanos(10))).unwrap_err();
    let words = "load_shedder.span must be a whole, positive number of nanoseconds in each slot";
    assert_eq!(error.to_string(), words);
    let error = LoadShedder::<0>::try_new(Config::new(1, SPAN)).unwrap_err();
    assert_eq!(error.to_string(), "load_shedder.span must be counted by at least one slot");
}

#[test]
fn the_rejection_says_why() {
    let rejected = shedder(0).try_admit(Priority::Low, 3, NOW).unwrap_err();
    assert_eq!(rejected, Rejected { priority: Priority::Low, load: 3, max_load: 0 });
    assert_eq!(rejected.to_string(), "load 3 exceeds 0, a call of low priority is shed");
    assert!(Priority::ALL.is_sorted());
}

#[test]
fn dg1_every_call_is_counted_under_threads() {
    let door = shedder(100);
    thread::scope(|scope| {
        for priority in Priority::ALL {
            let door = &door;
            scope.spawn(move || {
                for n in 0..5_000 {
                    let _ = door.try_admit(priority, n % 400, NOW);
                }
            });
        }
    });
    for priority in Priority::ALL {
        let stats = door.stats(priority);
        assert_eq!(stats.admitted + stats.shed, 5_000);
    }
}

#[test]
fn costs_are_as_documented() {
    let door = shedder(10);
    let window = Window::<10>::new(Span::time(SPAN));
    for second in 0..30 {
        let _ = door.try_admit(Priority::Normal, 5, Instant::from_secs(second));
        window.record_only(Sample::SUCCESS, Instant::from_secs(second));
    }
    let now = Instant::from_secs(29);
    let (record, ()) = probe::count(|| window.record_only(Sample::SUCCESS, now));
    let (sums, _) = probe::count(|| window.totals(now));
    let (calm, _) = probe::count(|| door.try_admit(Priority::Normal, 10, now));
    assert_eq!((calm.loads, calm.writes), (record.loads, record.writes + 1));
    let (busy, _) = probe::count(|| door.try_admit(Priority::Normal, 20, now));
    assert_eq!((busy.loads, busy.writes), (record.loads + sums.loads, record.writes + 2));
}
