//! Policies from text: files that a person can edit and check in.
//!
//! A policy file is TOML with one table for each operation, `send`, `receive`, `sync` and `consensus`.
//! Every table and every key is optional: where one is missing, the preset of the operation holds
//! ([`Policies::default`]).
//! Nothing of a file is used before all of it was checked, and all that is wrong with its values is reported at once.
//!
//! # Examples
//!
//! ```
//! use seawall::config::PolicyFile;
//!
//! let file: PolicyFile = r#"
//!     [send]
//!     timeout = "250ms"
//!     [send.retry]
//!     max_attempts = 3
//!     backoff = "exponential"
//!     initial_delay = "20ms"
//!     jitter = "full"
//!     [sync]
//!     rate_limiter = { rate = 100, per = "1s" }
//!     bulkhead = { enabled = false }
//! "#
//! .parse()?;
//! assert_eq!(file.policies.send.policy.retry_config().max_attempts(), 3);
//!
//! let wrong = r#"
//!     send = { timeout = "0s", circuit_breaker = { open_for = "0s" }, error_budget = { slo = 1.5 } }
//! "#;
//! let errors = wrong.parse::<PolicyFile>().unwrap_err();
//! assert_eq!(errors.to_string(), "\
//!     send.timeout must be greater than zero\n\
//!     send.circuit_breaker.open_for must be greater than zero\n\
//!     send.error_budget.slo is 1.5, must be a number from 0 to 1");
//! # Ok::<(), seawall::config::Invalid>(())
//! ```
//!
//! # Keys
//!
//! Durations are texts such as `"250ms"`, `"1.5s"` or `"1m 30s"`, and `"forever"` for no end ([`parse_duration`]).
//! Shares are numbers such as `0.5`, exact to a millionth, or texts such as `"50%"` and `"1/3"` ([`parse_share`]).
//! A key that is not in this list is an error.
//!
//! | table | keys |
//! |---|---|
//! | `[send]` | `deadline` of a call, `timeout` of an attempt, `seed` of the jitter, `idempotent`, `shadow`: refuse nothing, and count what would have been refused |
//! | `[send.rate_limiter]` | `rate` calls a `per` (1 s), `burst` (as many as the rate) |
//! | `[send.bulkhead]` | `max_concurrent`, `max_waiting`, `max_wait` |
//! | `[send.circuit_breaker]` | `consecutive_failures`, `failure_rate` = { `share`, `window` or `calls`, `minimum_calls` (10, or `calls` if those are fewer), `slow`: a call that takes so long counts as failed }, `slow_call_rate` = { `share`, `slow`, and the window's keys where there is no failure rate }, `evaluate_on_failure_only`, `open_for`, `open_for_growing` = { `backoff` (exponential), `initial_delay` (`open_for`, or the preset's), `increment`, `multiplier`, `max_delay`, `jitter` as those of retry }, `probes`, `successes_to_close`, `probe_failures_to_open`, `half_open_calls`, `close_below` = { `share`, `of` }, `probe_lease`, `probe_timeout`, `honor_retry_after`, `ramp` = { `over`, `from` (0) }, `shadow`, `seed` of the open time's jitter and the ramp's draws |
//! | `[send.retry]` | `max_attempts` (the first one counted), `backoff` (`constant`, `linear`, `exponential`, `fibonacci`, `decorrelated`), `initial_delay`, `increment` (linear), `multiplier` (exponential), `max_delay`, `jitter` (`none`, `equal`, `full` or a number of percent), `budget` = { `ratio`, `cap`, `per_second` } or `throttle` = { `ratio`, `max_tokens` }, `cost` = { `failure`, `timeout`, `throttled` } |
//! | `[send.adaptive_timeout]` | `initial`, `at_least` (10 ms), `at_most` (5 min), `grow_on` (`timeouts`, `failures`); in place of a preset's `timeout`, while one of the table still holds if it is shorter |
//! | `[send.error_budget]` | `slo`, `window`, `minimum_calls` |
//! | `[send.latency_budget]` | `slo`, the share of attempts that is to keep the `target`, `window`, `minimum_calls` |
//! | `[send.adaptive_rate]` | `rate` calls a `per` (1 s) at first, `burst` (as many as the rate), `target` of the 95th percentile, `min` (a tenth of the rate), `max` (ten times), `window` (1 s), `samples` (20) |
//! | `[send.adaptive_concurrency]` | `rule` (`aimd`, `gradient`), `initial`, `min` (1), `max` (1000), `samples` (16), `window` (100 ms), `slow_after`, `backoff` (0.9), `increase` (1, aimd), and for the gradient `tolerance` in thousandths (1500), `queue`, `smoothing` (0.25), `probe_every` (512), `seed` |
//! | `[send.load_shedder]` | `max_load`, in the unit of [`Guard::set_load`](crate::Guard::set_load), `span` (10 s), `seed` |
//! | `[send.chaos]` | `wake` (none), `seed` of the draws (0), and up to eight `[[send.chaos.rules]]` |
//! | `[[send.chaos.rules]]` | `fault` = { `kind` (`latency`, `error`, `timeout`, `panic`, `partition`, `cpu`, `memory`, `disk`), `min` and `max` (latency), `after` (timeout), `time` (partition, cpu, memory, disk), `threads` and `share` (cpu), `bytes` (memory, disk) }, `probability` or `along` = true, `raised_to` in a wake, `after` (at once) and `lasting` (`forever`) of its phase |
//!
//! `enabled = false` in one of the lower tables turns that pattern off.
//! A breaker's window has ten slots, and moves by one of them: of 100 `calls` it holds the last 91 to 100.
//! `idempotent` says that executing a message twice is the same as executing it once, which only the application knows:
//! without it nothing is sent again that the peer may have executed.
//!
//! # Chaos
//!
//! A file never strikes by itself. The table `chaos` is read where the crate was built with the feature `chaos`, and elsewhere it is
//! an error that says so, unless it is not `enabled`. Then the program has to arm it: `OperationPolicy::arm_chaos` on a guard of
//! its own, `arm_chaos` of the DWCP client or manager on the guards of its operations. So it is armed twice or not at all.
//! Its rules are those of the module `chaos`, and their keys those of a script of `seawall replay`.
//!
//! ```
//! # #[cfg(feature = "chaos")] {
//! use seawall::config::PolicyFile;
//!
//! let file: PolicyFile = r#"
//!     [send.chaos]
//!     seed = 7
//!     [[send.chaos.rules]]
//!     fault = { kind = "latency", min = "50ms", max = "200ms" }
//!     probability = 0.1
//!     [[send.chaos.rules]]
//!     fault = { kind = "error" }
//!     probability = 1
//!     after = "10s"
//!     lasting = "5s"
//! "#
//! .parse()?;
//! let send = file.policies.send;
//! let guard = send.guard("send")?;
//! assert!(!guard.chaos().armed, "it is in the file, and not armed");
//! assert!(send.arm_chaos(&guard)?);
//! assert!(guard.chaos().armed);
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod apply;
mod tables;
mod text;
mod values;

use std::fmt;
use std::str::FromStr;

use seawall_core::{ConfigError, Policy, bulkhead};
use serde::Deserialize;

#[cfg(feature = "dwcp")]
use crate::dwcp::TransportConfig;
#[cfg(feature = "chaos")]
use crate::guard::chaos;
use crate::guard::{Guard, Surroundings};
pub use tables::PolicyTable;
pub use text::{parse_duration, parse_share};

/// A policy file, checked as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PolicyFile {
    /// The policies of the operations.
    pub policies: Policies,
    /// The limits of the transport, from the table `[transport]`, whose keys are the fields of [`TransportConfig`].
    #[cfg(feature = "dwcp")]
    pub transport: TransportConfig,
}

/// The policies of the four operations.
///
/// The default is the seeds' presets: those of the core with their queue lengths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policies {
    /// Sending a message.
    pub send: OperationPolicy,
    /// Receiving one.
    pub receive: OperationPolicy,
    /// Synchronizing state.
    pub sync: OperationPolicy,
    /// A consensus round.
    pub consensus: OperationPolicy,
}

/// What an operation's guard is made from, and what only the application knows of the operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OperationPolicy {
    /// The patterns of the guard.
    pub policy: Policy,
    /// The patterns around it.
    pub around: Surroundings,
    /// Faults on purpose. They are here to be armed, and strike nobody before [`OperationPolicy::arm_chaos`].
    #[cfg(feature = "chaos")]
    pub chaos: Option<chaos::Config>,
    /// Whether executing a request twice is the same as executing it once.
    pub idempotent: bool,
}

impl OperationPolicy {
    /// A guard and nothing around it, for an operation that must not be executed twice.
    pub const fn new(policy: Policy) -> Self {
        Self {
            policy,
            around: Surroundings::NONE,
            #[cfg(feature = "chaos")]
            chaos: None,
            idempotent: false,
        }
    }

    /// The guard, with what stands around it. Chaos is not armed.
    ///
    /// # Errors
    ///
    /// If a value lies outside its bound; a policy from a file was checked.
    pub fn guard(&self, name: &str) -> Result<Guard, ConfigError> {
        #[cfg(feature = "chaos")]
        if let Some(chaos) = &self.chaos {
            chaos.validate()?;
        }
        let guard = Guard::new(name, self.policy)?;
        guard.surround(&self.around)?;
        Ok(guard)
    }

    /// Whether there are faults that `arm_chaos` would arm: never in a build without the feature `chaos`.
    pub const fn has_chaos(&self) -> bool {
        #[cfg(feature = "chaos")]
        return self.chaos.is_some();
        #[cfg(not(feature = "chaos"))]
        return false;
    }

    /// Arms chaos on a guard, if the policy has faults for it, and says whether it has. [`Guard::disarm_chaos`] ends it.
    ///
    /// # Errors
    ///
    /// If a value lies outside its bound; a policy from a file was checked.
    #[cfg(feature = "chaos")]
    pub fn arm_chaos<C: seawall_core::Clock>(&self, guard: &Guard<C>) -> Result<bool, ConfigError> {
        match &self.chaos {
            Some(chaos) => guard.arm_chaos(chaos).map(|()| true),
            None => Ok(false),
        }
    }
}

impl Default for Policies {
    fn default() -> Self {
        let preset = |policy: Policy, waiting, idempotent| {
            let policy = match policy.bulkhead_config() {
                Some(bulkhead) => policy.bulkhead(bulkhead::Config::max_waiting(*bulkhead, waiting)),
                None => policy,
            };
            OperationPolicy { idempotent, ..OperationPolicy::new(policy) }
        };
        Self {
            send: preset(Policy::dwcp_send(), 200, false),
            receive: preset(Policy::dwcp_receive(), 200, false),
            sync: preset(Policy::dwcp_sync(), 100, true),
            consensus: preset(Policy::dwcp_consensus(), 50, true),
        }
    }
}

impl Policies {
    /// What a typical program does without Seawall: the same timeout for each attempt, and up to three retries of whatever
    /// failed, 50 ms apart.
    ///
    /// There is no breaker, no limit, no retry budget, no deadline over the whole call. The faults on purpose are the same.
    /// It is what a protected run is compared with, and nothing to put into service.
    #[must_use = "the policies themselves do not change"]
    pub fn unprotected(&self) -> Self {
        self.map(|of| OperationPolicy {
            policy: apply::unprotected(&of.policy),
            around: Surroundings::NONE,
            ..of
        })
    }

    /// The part that protects a node from its callers: rate limits and bulkheads, with the same numbers.
    #[must_use = "the policies themselves do not change"]
    pub fn inbound(&self) -> Self {
        self.map(|of| {
            let mut inbound = Policy::new();
            if let Some(quota) = of.policy.rate_limit_config() {
                inbound = inbound.rate_limit(*quota);
            }
            if let Some(bulkhead) = of.policy.bulkhead_config() {
                inbound = inbound.bulkhead(*bulkhead);
            }
            OperationPolicy { idempotent: of.idempotent, ..OperationPolicy::new(inbound) }
        })
    }

    /// The operations by their names in files, in their order.
    pub const fn named(&self) -> [(&'static str, &OperationPolicy); 4] {
        [
            ("send", &self.send),
            ("receive", &self.receive),
            ("sync", &self.sync),
            ("consensus", &self.consensus),
        ]
    }

    fn map(&self, change: impl Fn(OperationPolicy) -> OperationPolicy) -> Self {
        Self {
            send: change(self.send),
            receive: change(self.receive),
            sync: change(self.sync),
            consensus: change(self.consensus),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    send: PolicyTable,
    #[serde(default)]
    receive: PolicyTable,
    #[serde(default)]
    sync: PolicyTable,
    #[serde(default)]
    consensus: PolicyTable,
    #[cfg(feature = "dwcp")]
    #[serde(default)]
    transport: tables::TransportTable,
}

impl FromStr for PolicyFile {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let file: File = toml::from_str(text).map_err(|error| Invalid::syntax(text, &error))?;
        let preset = Policies::default();
        let mut problems = Vec::new();
        let mut take = |name, table: &PolicyTable, preset| apply::policy(table, name, preset, &mut problems);
        let policies = Policies {
            send: take("send", &file.send, &preset.send),
            receive: take("receive", &file.receive, &preset.receive),
            sync: take("sync", &file.sync, &preset.sync),
            consensus: take("consensus", &file.consensus, &preset.consensus),
        };
        #[cfg(feature = "dwcp")]
        let transport = apply::transport(&file.transport, &mut problems);
        if !problems.is_empty() {
            return Err(Invalid { problems });
        }
        Ok(Self {
            policies,
            #[cfg(feature = "dwcp")]
            transport,
        })
    }
}

impl PolicyTable {
    /// The policy that the table makes of `base`; `path` goes in front of the keys in errors.
    ///
    /// # Errors
    ///
    /// All values out of bounds at once.
    pub fn apply(&self, path: &str, base: &OperationPolicy) -> Result<OperationPolicy, Invalid> {
        let mut problems = Vec::new();
        let policy = apply::policy(self, path, base, &mut problems);
        if problems.is_empty() { Ok(policy) } else { Err(Invalid { problems }) }
    }
}

/// A policy file says something that cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    problems: Vec<String>,
}

impl Invalid {
    /// A sentence for each problem, each with the path of the value and its bound.
    ///
    /// Text that is no TOML, or has an unknown key or a value of the wrong type, is reported alone, with its line.
    pub fn problems(&self) -> &[String] {
        &self.problems
    }

    fn syntax(text: &str, error: &toml::de::Error) -> Self {
        let message = error.message().replace('\n', ", ");
        let problem = match error.span().and_then(|span| text.get(..span.start)) {
            Some(before) => {
                let line = before.matches('\n').count() + 1;
                let column = before.chars().rev().take_while(|&c| c != '\n').count() + 1;
                format!("line {line}, column {column}: {message}")
            }
            None => message,
        };
        Self { problems: vec![problem] }
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.problems.join("\n"))
    }
}

impl std::error::Error for Invalid {}
