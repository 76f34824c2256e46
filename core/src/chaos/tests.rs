extern crate std;

use core::time::Duration;
use std::vec::Vec;

use super::state::{State, Ticks};
use super::{Chaos, Config, Cpu, Ending, Fault, Held, Kind, MAX_BYTES, MAX_TIME, Rule, Strike, strikes};
use crate::atomic::sync::Wide;
use crate::atomic::sync::probe::{Accesses, count, with_spurious_failures};
use crate::atomic::word::Packed;
use crate::ratio::Ratio;
use crate::time::Instant;

const SECOND: Duration = Duration::from_secs(1);
const MILLI: Duration = Duration::from_millis(1);
const HALF: Ratio = Ratio::percent(50);
const T: Instant = Instant::from_secs(100);
const LATENCY: Fault = Fault::Latency { min: Duration::from_millis(50), max: Duration::from_millis(200) };
const PARTITION: Fault = Fault::Partition { time: Duration::from_secs(5) };

fn at(secs: u64) -> Instant {
    T.saturating_add(Duration::from_secs(secs))
}

/// Armed at [`T`].
fn armed(config: &Config) -> Chaos {
    let chaos = Chaos::new(*config);
    assert!(chaos.arm(T));
    chaos
}

fn always(fault: Fault) -> Rule {
    Rule::new(fault, Ratio::ONE)
}

fn ending(chaos: &Chaos, now: Instant) -> Option<Ending> {
    chaos.decide(now).and_then(|strike| strike.ending)
}

#[test]
fn b79_a_probability_of_zero_is_none_of_a_million_and_one_is_all() {
    let none =
        armed(&Config::new().rule(Rule::new(Fault::Error, Ratio::ZERO).raised_to(Ratio::ONE)).wake(SECOND));
    let all = armed(&Config::new().rule(always(Fault::Error)));
    for _ in 0..1_000_000 {
        assert_eq!(none.decide(T), None);
        assert!(all.decide(T).is_some());
    }
    assert_eq!((none.stats().checks, none.stats().strikes), (1_000_000, 0));
    assert_eq!((all.stats().strikes, all.stats().injections(Kind::Error)), (1_000_000, 1_000_000));
}

#[test]
fn b79_it_strikes_nobody_before_it_is_armed_nor_after_it_is_disarmed() {
    let chaos = Chaos::new(Config::new().rule(always(PARTITION)).rule(always(Fault::Error)));
    assert_eq!((chaos.decide(T), chaos.is_armed(), chaos.stats().checks), (None, false, 0));
    assert!(!chaos.disarm());
    assert!(chaos.arm(T));
    assert!(!chaos.arm(T) && chaos.is_armed(), "it was armed");
    assert_eq!(ending(&chaos, T), Some(Ending::Unreachable));
    assert!(chaos.disarm());
    assert_eq!(chaos.decide(T), None);
    assert_eq!((chaos.stats().checks, chaos.stats().strikes), (1, 1));
}

#[test]
fn shares_are_as_asked_and_the_same_seed_strikes_the_same_attempts() {
    let config =
        Config::new().rule(Rule::new(LATENCY, Ratio::percent(10))).rule(Rule::new(Fault::Error, HALF));
    let run = |seed| {
        let chaos = armed(&config.seed(seed));
        (0..10_000).map(|_| chaos.decide(T)).collect::<Vec<_>>()
    };
    let first = run(7);
    assert_eq!(first, run(7));
    assert_ne!(first, run(8));
    let late = first.iter().flatten().filter(|strike| !strike.delay.is_zero()).count();
    let failed = first.iter().flatten().filter(|strike| strike.ending.is_some()).count();
    assert!((850..1150).contains(&late) && (4800..5200).contains(&failed), "{late} {failed}");
    let delays: Vec<_> = first.iter().flatten().map(|strike| strike.delay).filter(|d| !d.is_zero()).collect();
    assert!(delays.iter().all(|delay| (50 * MILLI..200 * MILLI).contains(delay)));
    assert!(
        delays.iter().any(|delay| *delay < 70 * MILLI) && delays.iter().any(|delay| *delay > 180 * MILLI)
    );
}

/// A rule more at the end leaves what those before it do as it is.
#[test]
fn rules_draw_each_by_itself() {
    let alone = armed(&Config::new().rule(Rule::new(Fault::Error, HALF)).seed(3));
    let before =
        armed(&Config::new().rule(Rule::new(Fault::Error, HALF)).rule(Rule::new(LATENCY, HALF)).seed(3));
    let mut both = 0;
    for _ in 0..1000 {
        let strike = before.decide(T).unwrap_or_default();
        assert_eq!(strike.ending, ending(&alone, T));
        both += u32::from(strike.ending.is_some() && !strike.delay.is_zero());
    }
    assert!((200..300).contains(&both), "{both}");
}

#[test]
fn a_composite_strikes_as_one() {
    let cpu = Fault::Cpu { threads: 2, share: HALF, time: SECOND };
    let memory = Fault::Memory { bytes: 1024, time: SECOND };
    let disk = Fault::Disk { bytes: 512, time: MILLI };
    let config = Config::new()
        .rule(Rule::new(cpu, HALF))
        .rule(Rule::along(memory))
        .rule(Rule::along(disk))
        .rule(Rule::along(Fault::Timeout { after: SECOND }));
    let chaos = armed(&config);
    let whole = Strike {
        delay: SECOND,
        ending: Some(Ending::TimedOut),
        cpu: Some(Cpu { threads: 2, share: HALF, time: SECOND }),
        memory: Some(Held { bytes: 1024, time: SECOND }),
        disk: Some(Held { bytes: 512, time: MILLI }),
    };
    let struck =
        (0..1000).filter_map(|_| chaos.decide(T)).inspect(|strike| assert_eq!(*strike, whole)).count();
    assert!((400..600).contains(&struck), "{struck}");
    let stats = chaos.stats();
    for kind in [Kind::Cpu, Kind::Memory, Kind::Disk, Kind::Timeout] {
        assert_eq!(stats.injections(kind), stats.strikes, "{}", kind.name());
    }
}

#[test]
fn of_several_endings_the_first_holds_and_delays_add_up() {
    let fixed = Fault::Latency { min: SECOND, max: SECOND };
    let chaos = armed(
        &Config::new()
            .rule(always(fixed))
            .rule(always(Fault::Panic))
            .rule(always(fixed))
            .rule(always(Fault::Timeout { after: SECOND })),
    );
    let strike = chaos.decide(T).unwrap();
    assert_eq!((strike.delay, strike.ending), (2 * SECOND, Some(Ending::Panic)));
}

#[test]
fn a_partition_lasts_its_time_and_no_other_rule_prolongs_it() {
    let chaos = armed(&Config::new().rule(always(PARTITION).lasting(SECOND)).rule(Rule::new(LATENCY, HALF)));
    assert_eq!(ending(&chaos, T), Some(Ending::Unreachable));
    for secs in 1..5 {
        let cut = Strike { ending: Some(Ending::Unreachable), ..Strike::default() };
        assert_eq!(chaos.decide(at(secs)), Some(cut));
    }
    assert_eq!(ending(&chaos, at(5)), None);
    assert_eq!(chaos.stats().injections(Kind::Partition), 5);
}

#[test]
fn a_partition_does_not_outlive_its_arming() {
    let chaos = armed(&Config::new().rule(always(PARTITION).after(SECOND)));
    assert_eq!(ending(&chaos, at(1)), Some(Ending::Unreachable));
    chaos.arm(at(1));
    assert_eq!(chaos.decide(at(1)), None);
    for _ in 0..1500 {
        chaos.arm(at(2));
    }
    assert_eq!(ending(&chaos, at(3)), Some(Ending::Unreachable), "stamps go round");
    // Until the stamp is that of the partition again, which would still last.
    for _ in 0..1 << 10 {
        chaos.arm(at(3));
    }
    assert_eq!(chaos.decide(at(3)), None);
}

#[test]
fn a_partition_of_a_later_arming_lasts_as_long() {
    let chaos = armed(&Config::new().rule(always(PARTITION).lasting(MILLI)));
    chaos.arm(at(1));
    chaos.arm(at(2));
    assert_eq!([2, 3, 6, 7].map(|secs| ending(&chaos, at(secs)).is_some()), [true, true, true, false]);
}

#[test]
fn phases_follow_each_other_from_arming_on() {
    let cascade = Config::new()
        .rule(always(LATENCY).lasting(10 * SECOND))
        .rule(always(Fault::Error).after(10 * SECOND).lasting(10 * SECOND))
        .rule(always(Fault::Panic).after(30 * SECOND));
    let chaos = armed(&cascade);
    let seen = [0, 9, 10, 19, 20, 29, 30, 1000].map(|secs| {
        let strike = chaos.decide(at(secs))?;
        Some(strike.ending)
    });
    let (error, panic) = (Some(Some(Ending::Error)), Some(Some(Ending::Panic)));
    assert_eq!(seen, [Some(None), Some(None), error, error, None, None, panic, panic]);
    chaos.arm(at(2000));
    assert_eq!(ending(&chaos, at(2010)), Some(Ending::Error), "they begin anew");
}

#[test]
fn a_strike_raises_the_others_for_a_time() {
    let rare = Ratio::try_new(1, u32::MAX).unwrap();
    let config = Config::new()
        .rule(always(Fault::Error).lasting(MILLI).raised_to(Ratio::ONE))
        .rule(Rule::new(LATENCY, rare).raised_to(Ratio::ONE))
        .wake(2 * SECOND);
    let chaos = armed(&config);
    let first = chaos.decide(T).unwrap();
    assert_eq!((first.ending, first.delay.is_zero()), (Some(Ending::Error), true));
    let next = chaos.decide(at(1)).unwrap();
    assert_eq!((next.ending, next.delay.is_zero()), (None, false), "the first one's phase is over");
    assert!(chaos.decide(at(2)).is_some(), "a strike in the wake prolongs it");
    assert_eq!(chaos.decide(at(4)), None);

    for place in 0..8 {
        let before = (0..place).fold(Config::new(), |config, _| config.rule(Rule::new(LATENCY, Ratio::ZERO)));
        let alone = armed(&before.rule(Rule::new(Fault::Error, HALF).raised_to(Ratio::ONE)).wake(SECOND));
        let struck = (0..1000).filter(|_| alone.decide(T).is_some()).count();
        assert!((400..600).contains(&struck), "none raises itself: {struck}");
    }
}

#[test]
fn a_wake_goes_on_while_the_same_rule_strikes_and_one_that_is_over_raises_nothing_in_the_next() {
    let raised = Rule::new(LATENCY, Ratio::try_new(1, u32::MAX).unwrap()).raised_to(Ratio::ONE);
    let chaos = armed(&Config::new().rule(always(Fault::Error)).rule(raised).wake(SECOND));
    let late = (0..10).filter(|_| chaos.decide(T).is_some_and(|strike| !strike.delay.is_zero())).count();
    assert_eq!(late, 9, "all but the first");

    let half = Rule::new(Fault::Panic, HALF).raised_to(Ratio::ONE).after(SECOND * 10);
    let chaos = armed(&Config::new().rule(always(Fault::Error).lasting(MILLI)).rule(half).wake(SECOND));
    assert!(chaos.decide(T).is_some());
    let struck = (0..1000).filter(|_| chaos.decide(at(10)).is_some()).count();
    assert!((400..600).contains(&struck), "{struck}");
}

#[test]
fn a_share_of_the_draws_is_exact_and_what_is_never_is_not_raised() {
    assert!(strikes(HALF, None, (1 << 31) - 1) && !strikes(HALF, None, 1 << 31));
    assert!(strikes(Ratio::ONE, None, u32::MAX) && !strikes(Ratio::ZERO, Some(Ratio::ONE), 0));
    assert!(strikes(HALF, Some(Ratio::ONE), u32::MAX) && strikes(HALF, Some(Ratio::ZERO), 0));
}

#[test]
fn a_wake_ends_with_its_arming() {
    let config = Config::new()
        .rule(always(Fault::Error).lasting(MILLI))
        .rule(Rule::new(LATENCY, Ratio::try_new(1, u32::MAX).unwrap()).raised_to(Ratio::ONE).after(SECOND))
        .wake(60 * SECOND);
    let chaos = armed(&config);
    assert!(chaos.decide(T).is_some());
    assert!(chaos.decide(at(1)).is_some());
    chaos.disarm();
    chaos.arm(at(1));
    assert_eq!(chaos.decide(at(2)), None);
}

/// The limits of time, and clocks that jump: nothing panics, and what is over stays over.
#[test]
fn no_moment_is_too_much() {
    for start in [0, 1, u64::MAX / 2, u64::MAX - 1, u64::MAX].map(Instant::from_nanos) {
        let chaos = Chaos::new(
            Config::new()
                .rule(Rule::new(PARTITION, HALF).lasting(SECOND))
                .rule(Rule::new(LATENCY, HALF))
                .wake(MAX_TIME),
        );
        chaos.arm(start);
        for now in [start, Instant::ZERO, Instant::NEVER, start.saturating_add(SECOND)] {
            with_spurious_failures(2, || {
                for _ in 0..100 {
                    let _ = chaos.decide(now);
                }
            });
        }
        chaos.disarm();
        assert_eq!(chaos.decide(start), None);
    }
    let back = armed(&Config::new().rule(always(Fault::Error).lasting(SECOND)));
    let before = T.as_nanos() - SECOND.as_nanos() as u64 / 2;
    assert!(back.decide(Instant::from_nanos(before)).is_some(), "before its arming the first phase is on");
    assert_eq!(back.decide(at(1)), None);
    assert_eq!(back.decide(T), None, "phases that are over do not come back");
}

/// A thread reads its clock, another one arms, and the first one asks.
#[test]
fn a_moment_before_the_arming_neither_ends_the_phases_nor_begins_a_later_one() {
    let cascade = Config::new()
        .rule(always(Fault::Error).lasting(10 * MILLI))
        .rule(always(Fault::Panic).after(10 * MILLI));
    for back in [1, 9, 10, 11, 100, 150] {
        let chaos = armed(&cascade);
        let before = Instant::from_nanos(T.as_nanos() - back * 1_000_000);
        assert_eq!(ending(&chaos, before), Some(Ending::Error), "{back} ms");
        assert_eq!(ending(&chaos, T.saturating_add(MILLI)), Some(Ending::Error), "{back} ms");
        assert_eq!(ending(&chaos, T.saturating_add(10 * MILLI)), Some(Ending::Panic), "{back} ms");
    }
}

/// The time since arming, over phases of every length; and how far before it a moment reads as the beginning.
#[test]
fn the_time_since_arming_is_known_to_the_tick_whenever_it_was() {
    let wide = Wide::BITS == 64;
    for (horizon, tick, narrow_tick) in
        [(1, 1, 1), (1_000_000_000, 1, 100_000), (108_000_000_000_000, 2, 10_000_000_000)]
    {
        let (ticks, tick) = (Ticks::new(horizon), if wide { tick } else { narrow_tick });
        let back = tick << if wide { 46 } else { 18 };
        for start in [back + tick, 1 << 53, u64::MAX / 2, u64::MAX - horizon - 1] {
            let since = ticks.of(Instant::from_nanos(start));
            let state = State { armed: true, over: false, stamp: 1023, since };
            assert_eq!(State::unpack(state.pack()), state);
            for passed in [0, horizon / 3, horizon - tick.min(horizon)] {
                let elapsed = ticks.elapsed(state, Instant::from_nanos(start + passed)).unwrap();
                assert!(elapsed.abs_diff(passed) < tick, "{elapsed} is not {passed}");
            }
            let tick_of_start = start / tick * tick;
            let before = |nanos| ticks.elapsed(state, Instant::from_nanos(tick_of_start - nanos));
            assert_eq!([before(tick), before(back - tick), before(back)], [Some(0), Some(0), None]);
        }
    }
}

/// Across many wraps of the ticks on the narrow layout.
#[test]
fn phases_that_were_seen_to_end_never_come_back() {
    let chaos = armed(&Config::new().rule(always(Fault::Error).lasting(SECOND)));
    assert_eq!(chaos.decide(at(2)), None);
    let mut now = T;
    for _ in 0..100_000 {
        now = now.saturating_add(SECOND / 3);
        assert_eq!(chaos.decide(now), None);
    }
    let idle = armed(&Config::new().rule(always(Fault::Error).lasting(SECOND)));
    let pause = if Wide::BITS == 64 { 50 * 86_400 } else { 60 };
    assert_eq!(idle.decide(at(pause)), None, "a wrap takes longer");
}

#[test]
fn a_value_outside_its_bound_is_named() {
    let field = |rule: Rule| Chaos::try_new(Config::new().rule(rule)).unwrap_err().field;
    assert_eq!(field(always(Fault::Latency { min: SECOND, max: MILLI })), "chaos.latency.min");
    assert_eq!(field(always(Fault::Latency { min: MILLI, max: Duration::MAX })), "chaos.time");
    assert_eq!(field(always(Fault::Timeout { after: Duration::ZERO })), "chaos.time");
    assert_eq!(field(always(Fault::Partition { time: MAX_TIME + MILLI })), "chaos.time");
    assert_eq!(field(always(Fault::Memory { bytes: MAX_BYTES + 1, time: SECOND })), "chaos.memory.bytes");
    assert_eq!(field(always(Fault::Disk { bytes: 0, time: SECOND })), "chaos.disk.bytes");
    for threads in [0, 65] {
        assert_eq!(field(always(Fault::Cpu { threads, share: HALF, time: SECOND })), "chaos.cpu.threads");
    }
    assert_eq!(field(always(Fault::Cpu { threads: 1, share: Ratio::ZERO, time: SECOND })), "chaos.cpu.share");
    assert_eq!(field(always(Fault::Error).lasting(Duration::ZERO)), "chaos.lasting");
    assert_eq!(field(always(Fault::Error).after(Duration::MAX)), "chaos.after");
    assert_eq!(field(always(Fault::Error).raised_to(HALF)), "chaos.wake");
    assert_eq!(field(Rule::along(Fault::Error)), "chaos.rules");
    let mut many = Config::new().wake(SECOND);
    for _ in 0..8 {
        many = many.rule(always(Fault::Error));
    }
    assert!(Chaos::try_new(many).is_ok());
    assert_eq!(Chaos::try_new(many.rule(always(Fault::Error))).unwrap_err().field, "chaos.rules");
    assert_eq!(Chaos::try_new(many.wake(Duration::MAX)).unwrap_err().field, "chaos.wake");
}

#[test]
fn threads_together_are_struck_as_often_as_one_alone() {
    let config = Config::new().rule(Rule::new(Fault::Error, HALF)).seed(11);
    let alone = armed(&config);
    let expected = (0..4000).filter(|_| alone.decide(T).is_some()).count();
    let shared = armed(&config);
    let struck: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| (0..1000).filter(|_| shared.decide(T).is_some()).count()))
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!((struck, shared.stats().checks), (expected, 4000));
}

/// The costs in the module's documentation.
#[test]
fn cost_of_a_check() {
    let chaos = Chaos::new(Config::new().rule(Rule::new(Fault::Error, Ratio::ZERO)).wake(SECOND));
    assert_eq!(count(|| chaos.decide(T)).0, Accesses { loads: 1, writes: 0 });
    chaos.arm(T);
    assert_eq!(count(|| chaos.decide(T)).0, Accesses { loads: 3, writes: 2 });
}

/// A thread may have read its clock before another one armed; nothing has struck yet then.
#[test]
fn a_moment_before_the_arming_is_in_no_partition() {
    let config =
        Config::new().rule(Rule::new(PARTITION, Ratio::ONE).after(SECOND * 20)).rule(always(Fault::Error));
    for back in [1, 400, 4_000, 5_000, 70_000] {
        let chaos = armed(&config);
        let before = Instant::from_nanos(T.as_nanos() - back * 1_000_000);
        assert_eq!(ending(&chaos, before), Some(Ending::Error), "{back} ms");
        assert_eq!(chaos.stats().injections(Kind::Partition), 0);
    }
    for rules in [config, Config::new().rule(always(Fault::Error))] {
        let early = Chaos::new(rules);
        early.arm(Instant::from_nanos(2));
        assert_eq!(ending(&early, Instant::from_nanos(1)), Some(Ending::Error));
    }
}
