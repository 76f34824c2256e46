//! What a fault makes of an attempt: the part of chaos that every adapter does alike.

use core::time::Duration;

use super::call::About;
use crate::chaos::{Ending, Kind, Strike};
use crate::time::Instant;

/// What becomes of an attempt that was struck, once it was held up.
///
/// # Examples
///
/// ```
/// use core::time::Duration;
/// use seawall_core::chaos::{Config, Fault, Rule};
/// use seawall_core::guard::{Policy, Struck};
/// use seawall_core::{Chaos, Deadline, Guard, Instant, Ratio};
///
/// let (guard, late) = (<Guard>::new(Policy::new().timeout(Duration::from_millis(200))), Duration::from_millis(50));
/// let chaos = Chaos::new(Config::new().rule(Rule::new(Fault::Latency { min: late, max: late }, Ratio::ONE)));
/// chaos.arm(Instant::ZERO);
///
/// let mut call = guard.try_begin(Deadline::NONE, Instant::ZERO)?;
/// let about = call.try_attempt(Instant::ZERO)?.about();
/// let strike = chaos.decide(Instant::ZERO).unwrap();
/// assert_eq!(about.held_up(&strike), late);
/// let Struck::Runs(about) = about.struck(&strike, Instant::ZERO.saturating_add(late)) else { panic!("it is only late") };
/// assert_eq!(about.remaining(), Duration::from_millis(150));
/// # Ok::<(), seawall_core::guard::Rejected>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Struck {
    /// Its operation starts now, and is told this.
    Runs(About),
    /// It has timed out, after this time.
    TimedOut(Duration),
    /// It fails, by this fault: [`Error::Injected`](super::Error::Injected).
    Fails(Kind),
    /// It panics.
    Panics,
}

impl About {
    /// How long a strike holds the attempt up: for all its delays, but no longer than the attempt has.
    pub fn held_up(&self, strike: &Strike) -> Duration {
        strike.delay.min(self.remaining())
    }

    /// What becomes of the attempt at `now`, when it was held up for [`About::held_up`].
    pub fn struck(self, strike: &Strike, now: Instant) -> Struck {
        // A sleep may take longer than it was asked to.
        let late = !strike.delay.is_zero() && self.deadline().is_expired(now);
        if late || strike.delay >= self.remaining() {
            return Struck::TimedOut(self.remaining());
        }
        match strike.ending {
            None => Struck::Runs(self.starting_at(now)),
            Some(Ending::TimedOut) => Struck::TimedOut(strike.delay),
            Some(Ending::Panic) => Struck::Panics,
            Some(ending) => Struck::Fails(ending.kind()),
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::guard::{Guard, Policy};
    use crate::{Deadline, Ratio, chaos};

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// An attempt that begins at 1 s and has 100 ms.
    fn about() -> About {
        let guard = Guard::<0, 0>::new(Policy::new().timeout(ms(100)));
        let now = Instant::from_secs(1);
        let mut call = guard.try_begin(Deadline::NONE, now).unwrap();
        call.try_attempt(now).unwrap().about()
    }

    fn strike(faults: &[chaos::Fault]) -> Strike {
        let mut config = chaos::Config::new();
        for fault in faults {
            config = config.rule(chaos::Rule::new(*fault, Ratio::ONE));
        }
        let chaos = crate::Chaos::new(config);
        chaos.arm(Instant::ZERO);
        chaos.decide(Instant::ZERO).unwrap()
    }

    fn at(millis: u64) -> Instant {
        Instant::from_secs(1).saturating_add(ms(millis))
    }

    #[test]
    fn a_delay_takes_from_the_time_of_the_attempt_and_ends_it_where_none_is_left() {
        let latency = |delay| strike(&[chaos::Fault::Latency { min: delay, max: delay }]);
        for (delay, held, now, becomes) in [
            (ms(30), ms(30), at(30), Some(ms(70))),
            (ms(30), ms(30), at(45), Some(ms(55))),
            (ms(99), ms(99), at(99), Some(ms(1))),
            (ms(100), ms(100), at(100), None),
            // A sleep that ended early gives no time back.
            (ms(100), ms(100), at(99), None),
            (ms(500), ms(100), at(100), None),
            // The sleep took longer than what was left.
            (ms(30), ms(30), at(100), None),
        ] {
            let strike = latency(delay);
            assert_eq!(about().held_up(&strike), held);
            match about().struck(&strike, now) {
                Struck::Runs(about) => assert_eq!(Some(about.remaining()), becomes, "{delay:?}"),
                other => assert_eq!((other, None), (Struck::TimedOut(ms(100)), becomes), "{delay:?}"),
            }
        }
    }

    #[test]
    fn an_ending_comes_after_the_delays_and_by_the_fault_that_brought_it() {
        use chaos::Fault;
        let late = Fault::Latency { min: ms(10), max: ms(10) };
        for (faults, becomes) in [
            (&[Fault::Error][..], Struck::Fails(Kind::Error)),
            (&[Fault::Partition { time: ms(5) }], Struck::Fails(Kind::Partition)),
            (&[Fault::Panic], Struck::Panics),
            (&[late, Fault::Error], Struck::Fails(Kind::Error)),
            (&[Fault::Timeout { after: ms(40) }], Struck::TimedOut(ms(40))),
            (&[Fault::Timeout { after: ms(400) }], Struck::TimedOut(ms(100))),
            (&[late, Fault::Timeout { after: ms(40) }], Struck::TimedOut(ms(50))),
        ] {
            let strike = strike(faults);
            let now = Instant::from_secs(1).saturating_add(about().held_up(&strike));
            assert_eq!(about().struck(&strike, now), becomes, "{faults:?}");
        }
        // What is not held up is not late, not even on a clock that ran on.
        assert_eq!(about().struck(&strike(&[Fault::Error]), at(700)), Struck::Fails(Kind::Error));
    }
}
