//! Faults on purpose: what [`seawall_core::chaos`] decides, done to the attempts of a guard.
//!
//! A fault stands where the operation would run, inside the attempt: the timeout bounds it, and every pattern sees it as
//! the real one. It is armed twice or not at all: by the feature `chaos`, and by [`Chaos::arm`].
//!
//! # Examples
//!
//! ```
//! use seawall_embassy::chaos::{Chaos, Config, Fault, Injector, Kind, Rule};
//! use seawall_embassy::core::{Clock, Ratio};
//! use seawall_embassy::{EmbassyClock, Error, Guard, Policy};
//!
//! static CHAOS: Chaos = Chaos::new(Config::new().rule(Rule::new(Fault::Error, Ratio::ONE)));
//! static UPLINK: Guard = Guard::new(Policy::new()).struck_by(Injector::new(&CHAOS));
//!
//! async fn send() -> Result<usize, Error<()>> {
//!     UPLINK.call(async |_| Ok(6)).await
//! }
//! # embassy_futures::block_on(async {
//! assert_eq!(send().await, Ok(6));
//! CHAOS.arm(EmbassyClock.now()); // By a command of the test bench, say.
//! assert!(matches!(send().await, Err(Error::Injected { fault: Kind::Error, .. })));
//! CHAOS.disarm();
//! assert_eq!(send().await, Ok(6));
//! # });
//! ```
//!
//! # What each fault does
//!
//! | fault | in the attempt |
//! |---|---|
//! | latency | the operation starts late, with what is left of the attempt's time; if that is over first, it has timed out |
//! | timeout | no answer for the time, or until the attempt's own is over: it has timed out |
//! | error, partition | [`Error::Injected`](crate::Error::Injected), a failure that is worth another attempt |
//! | panic | a panic, which in firmware is what its panic handler does: a reset, mostly |
//! | processors | the executor is kept busy for its share of each 10 ms beside the attempt, for no longer than that lasts |
//! | memory, disk | what [`Injector::loads`] says: only the firmware knows a pool or a flash page to take |
//!
//! An executor is one thread, so loads of several threads are the sum of their shares, and at most all of its time.
//! Several guards can be struck by one [`Chaos`], which then counts and draws for all of them.

use core::fmt;
use core::future::poll_fn;
use core::hint::spin_loop;
use core::pin::pin;
use core::task::Poll;
use core::time::Duration;

pub use seawall_core::chaos::{
    Chaos, Config, Cpu, Ending, Fault, Held, Kind, MAX_BYTES, MAX_RULES, MAX_THREADS, MAX_TIME, Rule, Strike,
};
use seawall_core::guard::{About, Struck};
use seawall_core::{Clock, Instant};

use crate::clock::EmbassyClock;
use crate::guard::{Ended, in_time};
use crate::timer::sleep_until;

/// A share of so long is kept busy at a time; then the other tasks have their turn.
const SLICE: Duration = Duration::from_millis(10);

/// What strikes the attempts of a guard; see the [module](self).
#[derive(Clone, Copy)]
pub struct Injector {
    chaos: &'static Chaos,
    loads: Option<fn(&Strike)>,
}

impl Injector {
    /// What `chaos` decides is done.
    pub const fn new(chaos: &'static Chaos) -> Self {
        Self { chaos, loads: None }
    }

    /// Calls `begin` with each strike before anything else is done, so that the firmware can take the memory or write the
    /// file that the strike names. Giving it back in time is `begin`'s work, too.
    ///
    /// # Examples
    ///
    /// ```
    /// use core::sync::atomic::{AtomicU32, Ordering};
    /// use seawall_embassy::chaos::{Chaos, Config, Injector};
    ///
    /// static CHAOS: Chaos = Chaos::new(Config::new());
    /// static TAKEN: AtomicU32 = AtomicU32::new(0);
    /// const INJECTOR: Injector = Injector::new(&CHAOS).loads(|strike| {
    ///     let bytes = strike.memory.map_or(0, |memory| memory.bytes);
    ///     TAKEN.store(bytes, Ordering::Relaxed); // And a task gives it back after `memory.time`.
    /// });
    /// ```
    #[must_use = "the injector is returned"]
    pub const fn loads(mut self, begin: fn(&Strike)) -> Self {
        self.loads = Some(begin);
        self
    }

    /// What strikes the attempt that begins now, if anything does.
    pub(crate) fn decide(self, now: Instant) -> Option<(Self, Strike)> {
        self.chaos.decide(now).map(|strike| (self, strike))
    }

    /// An attempt that is struck.
    pub(crate) async fn strike<T, E, F, Fut>(
        self,
        strike: &Strike,
        about: About,
        started: Instant,
        operation: &mut F,
    ) -> Ended<T, E>
    where
        F: FnMut(About) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        if let Some(begin) = self.loads {
            begin(strike);
        }
        let attempt = async {
            let delay = about.held_up(strike);
            if !delay.is_zero() {
                sleep_until(started.saturating_add(delay)).await;
            }
            match about.struck(strike, EmbassyClock.now()) {
                Struck::Runs(about) => in_time(about, operation).await,
                Struck::TimedOut(after) => Ended::TimedOut(after),
                Struck::Fails(fault) => Ended::Injected(fault),
                Struck::Panics => panic!("chaos: an injected panic"),
            }
        };
        match strike.cpu {
            None => attempt.await,
            Some(cpu) => beside(attempt, busy(cpu, started)).await,
        }
    }
}

impl fmt::Debug for Injector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Injector").field("chaos", self.chaos).finish_non_exhaustive()
    }
}

/// The output of `first`, with `second` beside it for as long as both last.
async fn beside<T>(first: impl Future<Output = T>, second: impl Future<Output = ()>) -> T {
    let (mut first, mut second) = (pin!(first), pin!(second));
    let mut over = false;
    poll_fn(|cx| {
        if let Poll::Ready(output) = first.as_mut().poll(cx) {
            return Poll::Ready(output);
        }
        over = over || second.as_mut().poll(cx).is_ready();
        Poll::Pending
    })
    .await
}

/// Keeps the executor busy.
async fn busy(cpu: Cpu, since: Instant) {
    let over = since.saturating_add(cpu.time);
    let mut now = since;
    while now < over {
        let rests = now.saturating_add(spinning(cpu)).min(over);
        while EmbassyClock.now() < rests {
            spin_loop();
        }
        // Other tasks have a turn even if this moment is over.
        sleep_until(now.saturating_add(SLICE)).await;
        now = EmbassyClock.now();
    }
}

/// The busy part of a slice.
fn spinning(cpu: Cpu) -> Duration {
    // 24 bits for the slice, 32 for the share and 7 for the threads, of which there are at most 64.
    let nanos = SLICE.as_nanos() as u64 * u64::from(cpu.share.numerator()) * u64::from(cpu.threads);
    Duration::from_nanos(nanos / u64::from(cpu.share.denominator())).min(SLICE)
}

#[cfg(test)]
mod tests {
    use seawall_core::Ratio;

    use super::*;

    #[test]
    fn threads_together_take_the_sum_of_their_shares_and_at_most_all_of_the_time() {
        let slice = |threads, share| spinning(Cpu { threads, share, time: SLICE });
        assert_eq!(slice(1, Ratio::percent(30)), Duration::from_millis(3));
        assert_eq!(slice(3, Ratio::percent(30)), Duration::from_millis(9));
        assert_eq!(slice(4, Ratio::percent(30)), SLICE);
        assert_eq!(slice(MAX_THREADS, Ratio::ONE), SLICE);
        assert_eq!(slice(1, Ratio::ZERO), Duration::ZERO);
        assert_eq!(slice(MAX_THREADS, Ratio::try_new(u32::MAX, u32::MAX).unwrap()), SLICE);
    }
}
