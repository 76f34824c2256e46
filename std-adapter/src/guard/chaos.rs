//! Faults on purpose: what [`seawall_core::chaos`] decides, done to the attempts of a guard.
//!
//! A fault stands where the operation would run, inside the attempt: the timeout bounds it, and every pattern sees it as
//! the real one. It is armed twice or not at all: by the feature `chaos`, and by [`Guard::arm_chaos`].
//! The rules can stand in a policy file, which arms nothing by itself: see the module `config`.
//!
//! # Examples
//!
//! ```
//! use seawall::chaos::{Config, Fault, Kind, Rule};
//! use seawall::core::Ratio;
//! use seawall::{Error, Guard, Policy};
//!
//! let guard = Guard::new("storage", Policy::new())?;
//! guard.arm_chaos(&Config::new().rule(Rule::new(Fault::Error, Ratio::ONE)))?;
//! let struck = guard.call_blocking(|_| Ok::<_, &str>(()));
//! assert!(matches!(struck, Err(Error::Injected { fault: Kind::Error, attempts: 1, .. })));
//! assert!(guard.disarm_chaos());
//! assert_eq!(guard.call_blocking(|_| Ok::<_, &str>(())), Ok(()));
//! # Ok::<(), seawall::core::ConfigError>(())
//! ```
//!
//! # What each fault does
//!
//! | fault | in the attempt |
//! |---|---|
//! | latency | the operation starts late, with what is left of the attempt's time; if that is over first, it has timed out |
//! | timeout | no answer for the time, or until the attempt's own is over: it has timed out |
//! | error, partition | [`Error::Injected`](seawall_core::guard::Error::Injected), a failure that is worth another attempt |
//! | panic | a panic, settled as any panic of the operation |
//! | processors, memory, disk | threads beside the attempt, which goes on meanwhile |
//!
//! Of each kind of load a guard carries one at a time; a further one adds nothing until that one is over.
//! Disarming ends all of them, and so does the end of the guard; their threads see it within a few milliseconds.
//! The file of a disk fault has no name, so it goes with the process that wrote it, however that ends.
//! A blocking call sleeps on its own thread, for no longer than its attempt has.

mod loads;

use std::sync::{OnceLock, PoisonError, RwLock};

pub use loads::LoadStats;
pub use seawall_core::chaos::{
    Chaos, Config, Ending, Fault, Kind, MAX_BYTES, MAX_RULES, MAX_THREADS, MAX_TIME, Rule, Strike,
};
use seawall_core::guard::Struck;
use seawall_core::{Clock, ConfigError, Instant, Ratio};

use super::running::Ended;
use super::{Attempt, Classify, Guard, Shared};
use loads::Loads;

/// A probability from a number of a configuration, exact to a millionth; `None` if it is not a number from 0 to 1.
///
/// # Examples
///
/// ```
/// use seawall::chaos::probability;
/// use seawall::core::Ratio;
///
/// assert_eq!(probability(0.25), Some(Ratio::per_million(250_000)));
/// assert_eq!(probability(f64::NAN), None);
/// ```
pub fn probability(share: f64) -> Option<Ratio> {
    // The range was checked, so the product fits.
    #[allow(clippy::cast_sign_loss)]
    (0.0..=1.0).contains(&share).then(|| Ratio::per_million((share * 1e6).round() as u32))
}

/// What chaos did to a guard since the guard was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChaosStats {
    /// Whether it is armed.
    pub armed: bool,
    /// How often it was armed.
    pub armings: u64,
    /// Attempts that were decided on while it was armed.
    pub checks: u64,
    /// Attempts that were struck.
    pub strikes: u64,
    injections: [u64; Kind::ALL.len()],
    /// What is taken at this moment.
    pub loads: LoadStats,
}

impl ChaosStats {
    /// How often a fault of this kind struck.
    pub const fn injections(&self, kind: Kind) -> u64 {
        self.injections[kind as usize]
    }

    fn add(&mut self, chaos: &Chaos) {
        let stats = chaos.stats();
        self.checks += stats.checks;
        self.strikes += stats.strikes;
        for kind in Kind::ALL {
            self.injections[kind as usize] += stats.injections(kind);
        }
    }
}

/// The chaos of a guard, made when it is armed for the first time.
#[derive(Default)]
pub(super) struct Injector(OnceLock<RwLock<Armed>>);

/// What is armed, and what was before.
#[derive(Default)]
struct Armed {
    chaos: Option<Box<Chaos>>,
    loads: Loads,
    /// The counts of those that were replaced.
    before: ChaosStats,
}

impl Injector {
    fn arm(&self, chaos: Chaos) {
        let mut armed = self.0.get_or_init(RwLock::default).write().unwrap_or_else(PoisonError::into_inner);
        if let Some(replaced) = armed.chaos.replace(Box::new(chaos)) {
            armed.before.add(&replaced);
        }
        armed.before.armings += 1;
        armed.loads.end();
    }

    fn disarm(&self) -> bool {
        self.0.get().is_some_and(|armed| {
            let armed = armed.read().unwrap_or_else(PoisonError::into_inner);
            let was_armed = armed.chaos.as_ref().is_some_and(|chaos| chaos.disarm());
            armed.loads.end();
            was_armed
        })
    }

    /// What strikes the attempt that begins now; the loads begin at once.
    fn decide(&self, now: Instant) -> Option<Strike> {
        let armed = self.0.get()?.read().unwrap_or_else(PoisonError::into_inner);
        let chaos = armed.chaos.as_ref()?;
        // Before the decision: what is disarmed after it must find these loads in a round that it ended.
        let round = armed.loads.round();
        let strike = chaos.decide(now)?;
        armed.loads.begin(&strike, round);
        Some(strike)
    }

    fn stats(&self) -> ChaosStats {
        let Some(armed) = self.0.get() else { return ChaosStats::default() };
        let armed = armed.read().unwrap_or_else(PoisonError::into_inner);
        let mut stats = armed.before;
        if let Some(chaos) = &armed.chaos {
            stats.armed = chaos.is_armed();
            stats.add(chaos);
        }
        stats.loads = armed.loads.stats();
        stats
    }
}

impl<C: Clock> Guard<C> {
    /// Arms chaos: from now on the rules of `config` strike the attempts of this guard, with the draws of its seed from the
    /// first one on.
    ///
    /// # Errors
    ///
    /// If a value of the configuration lies outside its bound; then nothing changes.
    pub fn arm_chaos(&self, config: &Config) -> Result<(), ConfigError> {
        let chaos = Chaos::try_new(*config)?;
        chaos.arm(self.now());
        self.shared.chaos.arm(chaos);
        tracing::warn!(guard = self.name(), rules = config.rules().count(), "chaos is armed");
        Ok(())
    }

    /// Disarms chaos: no attempt that begins after this is struck, and what was taken is given back. Says whether it was
    /// armed.
    pub fn disarm_chaos(&self) -> bool {
        let was_armed = self.shared.chaos.disarm();
        if was_armed {
            tracing::warn!(guard = self.name(), "chaos is disarmed");
        }
        was_armed
    }

    /// What chaos did so far.
    pub fn chaos(&self) -> ChaosStats {
        self.shared.chaos.stats()
    }
}

impl<C: Clock> Shared<C> {
    /// What strikes the attempt that begins now.
    pub(super) fn strike(&self, now: Instant) -> Option<Strike> {
        let strike = self.chaos.decide(now)?;
        tracing::debug!(guard = &*self.name, ?strike, "chaos strikes");
        Some(strike)
    }
}

/// What the operation of a struck attempt is told at `now`, when it was held up, or how the attempt ended.
pub(super) fn after<T, E>(
    strike: &Strike,
    about: Attempt,
    now: Instant,
    classify: &impl Classify<T, E>,
) -> Result<Attempt, Ended<T, E>> {
    Err(match about.struck(strike, now) {
        Struck::Runs(about) => return Ok(about),
        Struck::TimedOut(after) => Ended::timed_out(after, classify),
        Struck::Panics => Ended::of(|| panic!("chaos: an injected panic"), classify),
        Struck::Fails(fault) => Ended::Injected(fault),
    })
}
