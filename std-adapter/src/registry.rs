//! Guards by name, and how far the service is degraded over all of them.
//!
//! A registry is filled at the start and only grows: a guard that was found stays valid, whatever is registered meanwhile.
//! Look a guard up once and keep it; a call through it touches no registry.
//!
//! # Examples
//!
//! ```
//! use seawall::core::circuit_breaker;
//! use seawall::{Policy, Registry};
//!
//! let registry = Registry::new();
//! let policy = Policy::new().circuit_breaker(circuit_breaker::Config::consecutive_failures(5));
//! let storage = registry.register("storage", policy)?;
//! assert!(storage.call_blocking(|_| Ok::<_, String>("stored")).is_ok());
//!
//! assert_eq!(registry.guard("storage").unwrap().stats().successes, 1);
//! assert!(registry.guard("sorage").is_none());
//! assert!(registry.register("storage", Policy::new()).is_err());
//! # Ok::<(), seawall::registry::RegisterError>(())
//! ```

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use seawall_core::degradation::{Component, Degradation, Level, MAX_COMPONENTS};
use seawall_core::{Clock, ConfigError, Policy};

use crate::clock::SystemClock;
use crate::guard::Guard;

/// Guards by name. Clones share them. The [module](self) has an example.
pub struct Registry<C = SystemClock> {
    shared: Arc<Shared<C>>,
}

struct Shared<C> {
    guards: RwLock<Vec<Guard<C>>>,
    degradation: Arc<Degradation>,
}

impl<C> Registry<C> {
    /// An empty registry.
    pub fn new() -> Self {
        let shared = Shared { guards: RwLock::default(), degradation: Arc::default() };
        Self { shared: Arc::new(shared) }
    }

    /// The levels of all guards: the component of a guard is its place in [`Registry::guards`].
    pub fn degradation(&self) -> &Arc<Degradation> {
        &self.shared.degradation
    }

    /// How far the service is degraded: the worst level of its guards.
    pub fn level(&self) -> Level {
        self.shared.degradation.level()
    }
}

impl Registry {
    /// Makes a guard on the system's clock and adds it; see [`Registry::add`].
    ///
    /// # Errors
    ///
    /// Any [`RegisterError`].
    pub fn register(&self, name: &str, policy: Policy) -> Result<Guard, RegisterError> {
        let invalid = |error| RegisterError::Config { name: name.to_owned(), error };
        self.add(Guard::new(name, policy).map_err(invalid)?)
    }
}

impl<C: Clock> Registry<C> {
    /// Adds a guard under its name. Its error budget sets the level of a component of [`Registry::degradation`] from now on.
    ///
    /// # Errors
    ///
    /// [`RegisterError::Duplicate`], [`RegisterError::Full`].
    pub fn add(&self, guard: Guard<C>) -> Result<Guard<C>, RegisterError> {
        let mut guards = self.shared.guards.write().unwrap_or_else(PoisonError::into_inner);
        if guards.iter().any(|other| other.name() == guard.name()) {
            return Err(RegisterError::Duplicate { name: guard.name().to_owned() });
        }
        let place = u8::try_from(guards.len()).ok().and_then(|n| Component::try_new(n).ok());
        let Some(component) = place else {
            return Err(RegisterError::Full { name: guard.name().to_owned() });
        };
        guard.drive(Arc::clone(&self.shared.degradation), component);
        guards.push(guard.clone());
        Ok(guard)
    }

    /// The guard of that name.
    pub fn guard(&self, name: &str) -> Option<Guard<C>> {
        let guards = self.shared.guards.read().unwrap_or_else(PoisonError::into_inner);
        guards.iter().find(|guard| guard.name() == name).cloned()
    }

    /// All guards, in the order in which they were added.
    pub fn guards(&self) -> Vec<Guard<C>> {
        self.shared.guards.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Lets time work on the error budgets of guards that are not called; see [`Guard::refresh`].
    pub fn refresh(&self) {
        for guard in self.guards() {
            guard.refresh();
        }
    }
}

impl<C> Default for Registry<C> {
    fn default() -> Self {
        Self::new()
    }
}

impl<C> Clone for Registry<C> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<C: Clock> fmt::Debug for Registry<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let guards = self.guards();
        let names = guards.iter().map(Guard::name);
        f.debug_struct("Registry")
            .field("guards", &names.collect::<Vec<_>>())
            .field("degradation", &self.shared.degradation)
            .finish()
    }
}

/// A guard was not registered.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RegisterError {
    /// There is a guard of this name.
    Duplicate {
        /// The name.
        name: String,
    },
    /// The registry has as many guards as there are components of a degradation.
    Full {
        /// The name of the guard that has no place.
        name: String,
    },
    /// A value of the policy lies outside its bound.
    Config {
        /// The name of the guard.
        name: String,
        /// Which value.
        error: ConfigError,
    },
}

impl fmt::Display for RegisterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Duplicate { name } => write!(f, "guard {name:?} is registered already"),
            Self::Full { name } => {
                write!(f, "no place for guard {name:?}: a registry holds {MAX_COMPONENTS} guards at most")
            }
            Self::Config { name, error } => write!(f, "{name}.{error}"),
        }
    }
}

impl std::error::Error for RegisterError {}
