//! What is changed in a guard by hand.

use super::{Decisions, Of};
use crate::replay::call::Call;
use crate::replay::names::Fault;
use crate::replay::patterns::answers::{edge, transition};
use crate::replay::schema::{Group, Kind, Operation, Param};
use seawall::core::circuit_breaker::Transition;
use seawall::core::{AdaptiveTimeout, Bulkhead};
use seawall::guard::WAITERS;

const CHANGED: Group = &["transition"];

/// A change of the breaker that a caller makes by himself, and tells the guard of.
const CHANGE: Param = Param::required(
    "change",
    Kind::Word(&["trip", "force_open", "force_closed", "reset", "shadow_on", "shadow_off"]),
    "what is done to the breaker",
);

impl<const SLOTS: usize> Of<SLOTS> {
    pub(super) const TRIP: Operation<Decisions<SLOTS>> =
        Operation::new("trip", "opens the breaker by hand", &[], |guard, call| noted(guard, "trip", call))
            .prints(&[CHANGED]);
    pub(super) const FORCE_OPEN: Operation<Decisions<SLOTS>> =
        Operation::new("force_open", "holds the breaker open", &[], |guard, call| {
            noted(guard, "force_open", call)
        })
        .prints(&[CHANGED]);
    pub(super) const FORCE_CLOSED: Operation<Decisions<SLOTS>> =
        Operation::new("force_closed", "holds the breaker closed", &[], |guard, call| {
            noted(guard, "force_closed", call)
        })
        .prints(&[CHANGED]);
    pub(super) const RESET: Operation<Decisions<SLOTS>> =
        Operation::new("reset", "closes the breaker as new", &[], |guard, call| noted(guard, "reset", call))
            .prints(&[CHANGED]);
    pub(super) const SHADOW: Operation<Decisions<SLOTS>> = Operation::new(
        "shadow",
        "switches shadow mode of the breaker alone, in which it counts as if and refuses nothing",
        &[Param::required("on", Kind::Flag, "true: it refuses nothing")],
        |guard, call| {
            let on = call.args().flag("on").unwrap_or(true);
            noted(guard, if on { "shadow_on" } else { "shadow_off" }, call)
        },
    )
    .prints(&[CHANGED]);
    pub(super) const NOTE: Operation<Decisions<SLOTS>> = Operation::new(
        "note",
        "changes the breaker by hand as a caller that only has the change counted: it is in stats, and not in the event ring",
        &[CHANGE],
        |guard: &'static Decisions<SLOTS>, call| {
            let change = changed(guard, call.args().word("change").unwrap_or("trip"), call)?;
            guard.note(change);
            Ok(())
        },
    )
    .prints(&[CHANGED]);
    pub(super) const NOTE_AT: Operation<Decisions<SLOTS>> = Operation::new(
        "note_at",
        "is note with the moment: the change is in the event ring, too, as that of trip, force_open, force_closed, reset and \
         shadow is",
        &[CHANGE],
        |guard, call| noted(guard, call.args().word("change").unwrap_or("trip"), call),
    )
    .prints(&[CHANGED]);
    pub(super) const RESIZE: Operation<Decisions<SLOTS>> = Operation::new(
        "resize",
        "changes the number of permits of the bulkhead",
        &[Param::required("max_concurrent", Kind::Integer(4095), "permits")],
        |guard: &'static Decisions<SLOTS>, call| {
            let permits = call.args().u32("max_concurrent").unwrap_or(0);
            seats(guard)?.resize(permits).map_err(|error| Fault::new(error.to_string()))
        },
    );
    pub(super) const CLOSE: Operation<Decisions<SLOTS>> =
        Operation::new("close", "closes the bulkhead: it admits nobody any more", &[], |guard, _| {
            seats(guard)?.close();
            Ok(())
        });
    pub(super) const SET_TIMEOUT: Operation<Decisions<SLOTS>> = Operation::new(
        "set_timeout",
        "sets the timeout that is learned by hand, until resume_timeout",
        &[Param::required("timeout", Kind::Duration, "of an attempt")],
        |guard: &'static Decisions<SLOTS>, call| {
            let timeout = call.args().duration("timeout").unwrap_or_default();
            learned(guard)?.set(timeout).map_err(|error| Fault::new(error.to_string()))
        },
    );
    pub(super) const RESUME_TIMEOUT: Operation<Decisions<SLOTS>> =
        Operation::new("resume_timeout", "lets the timeout be learned again", &[], |guard, _| {
            learned(guard)?.resume();
            Ok(())
        });
    pub(super) const RESET_BUDGET: Operation<Decisions<SLOTS>> = Operation::new(
        "reset_budget",
        "forgets every call in the error budget; the edge is not in the event ring",
        &[],
        |guard: &'static Decisions<SLOTS>, call| {
            let budget = guard.error_budget().ok_or_else(|| Fault::new("the policy has no error_budget"))?;
            let crossed = budget.reset(call.now());
            call.out().put("edge", crossed.map(edge));
            Ok(())
        },
    )
    .prints(&[&["edge"]]);
    pub(super) const SET_SHADOW: Operation<Decisions<SLOTS>> = Operation::new(
        "set_shadow",
        "switches shadow mode, for calls that begin from now on, and says whether it was on",
        &[Param::required(
            "on",
            Kind::Flag,
            "true: it refuses nothing, and counts what it would have refused",
        )],
        |guard: &'static Decisions<SLOTS>, call| {
            let was = guard.set_shadow(call.args().flag("on").unwrap_or(true));
            call.out().put("was_shadow", was);
            Ok(())
        },
    )
    .prints(&[&["was_shadow"]]);
}

fn seats<const SLOTS: usize>(guard: &'static Decisions<SLOTS>) -> Result<&'static Bulkhead<WAITERS>, Fault> {
    guard.bulkhead().ok_or_else(|| Fault::new("the policy has no bulkhead"))
}

fn learned<const SLOTS: usize>(guard: &'static Decisions<SLOTS>) -> Result<&'static AdaptiveTimeout, Fault> {
    guard.adaptive_timeout().ok_or_else(|| Fault::new("the policy has no adaptive_timeout"))
}

/// Makes a change, and prints it.
fn changed<const SLOTS: usize>(
    guard: &'static Decisions<SLOTS>,
    change: &str,
    call: &mut Call<'_>,
) -> Result<Transition, Fault> {
    let Some(breaker) = guard.breaker() else {
        return Err(Fault::new("the policy has no circuit_breaker"));
    };
    let now = call.now();
    let change = match change {
        "force_open" => breaker.force_open(),
        "force_closed" => breaker.force_closed(),
        "reset" => breaker.reset(now),
        "shadow_on" => breaker.shadow(true),
        "shadow_off" => breaker.shadow(false),
        _ => breaker.trip(now),
    };
    call.out().put("transition", transition(change));
    Ok(change)
}

/// Makes a change that is counted and noted.
fn noted<const SLOTS: usize>(
    guard: &'static Decisions<SLOTS>,
    change: &str,
    call: &mut Call<'_>,
) -> Result<(), Fault> {
    let change = changed(guard, change, call)?;
    guard.note_at(change, call.now());
    Ok(())
}
