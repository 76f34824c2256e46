//! What a guard has counted, and what it knows of its patterns.

use super::{Decisions, Of};
use crate::replay::call::Call;
use crate::replay::fields::Fields;
use crate::replay::names::Fault;
use crate::replay::patterns::answers::state;
use crate::replay::patterns::{
    adaptive_timeout, bulkhead, circuit_breaker, error_budget, rate_limiter, retry,
};
use crate::replay::schema::Operation;
use seawall::core::circuit_breaker as breaker;
use seawall::core::guard::{Pattern as Refuser, Stats};

impl<const SLOTS: usize> Of<SLOTS> {
    pub(super) const STATS: Operation<Decisions<SLOTS>> =
        Operation::new("stats", "prints what was counted since the start", &[], stats).prints(&[&["stats"]]);
    pub(super) const CONFIG: Operation<Decisions<SLOTS>> = Operation::config(print_config);
    pub(super) const SNAPSHOT: Operation<Decisions<SLOTS>> =
        Operation::new("snapshot", "prints all that is known of every pattern", &[], snapshot).prints(&[&[
            "stats",
            "limiter",
            "bulkhead",
            "breaker",
            "error_budget",
            "timeout+ns",
        ]]);
}

fn snapshot<const SLOTS: usize>(guard: &'static Decisions<SLOTS>, call: &mut Call<'_>) -> Result<(), Fault> {
    let snapshot = guard.snapshot(call.now());
    let out = call.out();
    out.put("stats", stats_fields(&snapshot.stats));
    if let Some(tokens) = snapshot.limiter {
        let mut fields = Fields::default();
        fields.put("available", tokens.available);
        rate_limiter::print_quota(&mut fields, &tokens.quota);
        out.put("limiter", fields);
    }
    if let Some(counts) = snapshot.bulkhead {
        let mut fields = Fields::default();
        bulkhead::counts(&counts, &mut fields);
        out.put("bulkhead", fields);
    }
    if let Some(status) = snapshot.breaker {
        let mut fields = Fields::default();
        circuit_breaker::status_fields(&status, &mut fields);
        fields.duration("retry_after", status.retry_after);
        out.put("breaker", fields);
    }
    if let Some(account) = snapshot.error_budget {
        let mut fields = Fields::default();
        error_budget::account(&account, &mut fields);
        out.put("error_budget", fields);
    }
    out.duration("timeout", snapshot.timeout);
    Ok(())
}

/// The tables of the parts that it has; it always has a retry decision.
fn print_config<const SLOTS: usize>(
    guard: &'static Decisions<SLOTS>,
    call: &mut Call<'_>,
) -> Result<(), Fault> {
    let tables = call.config();
    if let Some(limiter) = guard.limiter() {
        rate_limiter::configured(limiter.quota(), tables.object("rate_limiter"));
    }
    if let Some(bulkhead) = guard.bulkhead() {
        bulkhead::configured(&bulkhead.snapshot(), tables.object("bulkhead"));
    }
    if let Some(breaker) = guard.breaker() {
        circuit_breaker::configured(breaker.config(), tables.object("circuit_breaker"));
    }
    if let Some(timeout) = guard.adaptive_timeout() {
        adaptive_timeout::configured(timeout.config(), tables.object("adaptive_timeout"));
    }
    if tables.get("retry").is_none() {
        tables.object("retry").put("enabled", true);
    }
    retry::configured(guard.retry().config(), tables.object("retry"));
    Ok(())
}

fn stats<const SLOTS: usize>(guard: &'static Decisions<SLOTS>, call: &mut Call<'_>) -> Result<(), Fault> {
    call.out().put("stats", stats_fields(&guard.stats()));
    Ok(())
}

/// What was counted, as an object.
fn stats_fields(stats: &Stats) -> Fields {
    let mut fields = Fields::default();
    fields.put("successes", stats.successes);
    fields.put("failures", stats.failures);
    fields.put("ignored", stats.ignored);
    fields.put("cancelled", stats.cancelled);
    fields.put("rejected", stats.rejected());
    for pattern in Refuser::ALL {
        fields.put(&format!("rejected_by_{}", pattern.name()), stats.rejected_by(pattern));
    }
    fields.put("retries", stats.retries);
    fields.put("timeouts", stats.timeouts);
    let all = [breaker::State::Closed, breaker::State::HalfOpen, breaker::State::Open];
    let would = &stats.shadow;
    let mut shadow = Fields::default();
    shadow.put("reject", would.reject());
    for pattern in Refuser::ALL {
        shadow.put(&format!("reject_by_{}", pattern.name()), would.reject_by(pattern));
    }
    shadow.put("retry", would.retry);
    shadow.put("time_out", would.time_out);
    fields.put("shadow", shadow);
    let mut transitions = Fields::default();
    for from in all {
        for to in all.into_iter().filter(|to| *to != from) {
            transitions.put(&format!("{}_to_{}", state(from), state(to)), stats.transitions(from, to));
        }
    }
    fields.put("transitions", transitions);
    fields
}
