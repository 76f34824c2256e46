//! What is done to a guard by hand: counted, among its events, and in its log if it has one.

use seawall_core::Clock;
use seawall_core::circuit_breaker::Transition;
use seawall_core::record::Steps;

use super::{Guard, Shared};

impl<C: Clock> Guard<C> {
    /// Rejects every call until [`Guard::reset`].
    pub fn force_open(&self) {
        self.shared.by_hand(self.shared.force_open());
    }

    /// Lets the breaker admit every call, uncounted, until [`Guard::reset`].
    pub fn force_closed(&self) {
        self.shared.by_hand(self.shared.force_closed());
    }

    /// Opens the breaker as if its rule had: it lets probes pass after its open time.
    pub fn trip(&self) {
        self.shared.by_hand(self.shared.trip(self.now()));
    }

    /// Closes the breaker as new, forced or not.
    pub fn reset(&self) {
        self.shared.by_hand(self.shared.reset(self.now()));
    }

    /// Lets the breaker watch only, or rule again; the other patterns go on as they are.
    pub fn shadow_breaker(&self, on: bool) {
        self.shared.by_hand(self.shared.shadow_breaker(on));
    }

    /// Turns shadow mode on or off for calls that begin from now on, and says whether it was on; see
    /// [`seawall_core::guard`].
    pub fn set_shadow(&self, on: bool) -> bool {
        self.shared.set_shadow(on)
    }

    /// Gives the bulkhead another number of permits, and says whether it did: there must be a bulkhead, and the number one
    /// that it can have.
    pub fn resize(&self, max_concurrent: u32) -> bool {
        self.shared.resize(max_concurrent)
    }

    /// Closes the bulkhead for good: it refuses every call, and those that wait. Says whether there is one.
    ///
    /// # Examples
    ///
    /// ```
    /// use seawall::core::bulkhead;
    /// use seawall::{Guard, Policy};
    ///
    /// let guard = Guard::new("storage", Policy::new().bulkhead(bulkhead::Config::new(8)))?;
    /// assert!(guard.close());
    /// assert!(guard.call_blocking(|_| Ok::<_, ()>(())).unwrap_err().is_rejected());
    /// # Ok::<(), seawall::core::ConfigError>(())
    /// ```
    pub fn close(&self) -> bool {
        self.shared.close()
    }
}

impl<C: Clock> Shared<C> {
    fn by_hand(&self, transition: Option<Transition>) {
        if let Some(transition) = transition {
            self.transition(transition, self.clock.now());
        }
    }
}
