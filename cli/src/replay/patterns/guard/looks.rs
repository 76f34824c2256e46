//! What is known of a call, an attempt and a call that waits, without a change of anything.

use super::{ATTEMPT, Admitted, CALL, Decisions, Of, Queued, Started, THE_CALL, THE_WAITING};
use crate::replay::call::Call;
use crate::replay::names::Fault;
use crate::replay::patterns::answers::{edge, transition};
use crate::replay::patterns::guard::WAITING;
use crate::replay::schema::{Kind, Operation, Param};

/// An attempt that goes on.
const THE_ATTEMPT: Param = Param::required("attempt", Kind::Held(&[ATTEMPT]), "what try_attempt gave");

/// An operation that only looks.
type Look<const SLOTS: usize> = Operation<Decisions<SLOTS>>;

impl<const SLOTS: usize> Of<SLOTS> {
    pub(super) const BEGAN: Look<SLOTS> =
        Look::new("began", "prints when a call began", &[THE_CALL], |_, call| {
            let began = admitted::<SLOTS>(call)?.began();
            call.out().moment("began", began);
            Ok(())
        })
        .prints(&[&["began+ns"]]);
    pub(super) const ATTEMPTS: Look<SLOTS> =
        Look::new("attempts", "prints how many attempts a call has made", &[THE_CALL], |_, call| {
            let made = admitted::<SLOTS>(call)?.attempts();
            call.out().put("attempts_made", made);
            Ok(())
        })
        .prints(&[&["attempts_made"]]);
    pub(super) const BUDGET_EDGE: Look<SLOTS> = Look::new(
        "budget_edge",
        "prints the edge of the error budget that a call made, if its end made one",
        &[THE_CALL],
        |_, call| {
            let crossed = admitted::<SLOTS>(call)?.budget_edge();
            call.out().put("edge", crossed.map(edge));
            Ok(())
        },
    )
    .prints(&[&["edge"]]);
    pub(super) const DEADLINE: Look<SLOTS> = Look::new(
        "deadline",
        "prints when a call, an attempt or the wait for a slot must be over, and how long that is from now",
        &[
            Param::optional("call", Kind::Held(&[CALL]), "what try_begin or begin gave; one of the three"),
            Param::optional("attempt", Kind::Held(&[ATTEMPT]), "what try_attempt gave"),
            Param::optional("waiting", Kind::Held(&[WAITING]), "what begin gave"),
        ],
        deadline,
    )
    .prints(&[&["deadline+ns", "remaining+ns"]]);
    pub(super) const SINCE: Look<SLOTS> =
        Look::new("since", "prints since when a call waits for a slot", &[THE_WAITING], |_, call| {
            let since = call.look::<Queued<SLOTS>>("waiting", WAITING)?.since();
            call.out().moment("since", since);
            Ok(())
        })
        .prints(&[&["since+ns"]]);
    pub(super) const ABOUT: Look<SLOTS> = Look::new(
        "about",
        "prints what an operation is told of its attempt: its number, its deadline, how long that is from its start, and whether \
         it is a probe",
        &[THE_ATTEMPT],
        |_, call| {
            let about = attempt::<SLOTS>(call)?.about();
            let out = call.out();
            out.put("attempt", about.number());
            out.moment("deadline", about.deadline().moment());
            out.duration("remaining", about.remaining());
            out.put("probe", about.is_probe());
            Ok(())
        },
    )
    .prints(&[&["attempt", "deadline+ns", "remaining+ns", "probe"]]);
    pub(super) const NUMBER: Look<SLOTS> =
        Look::new("number", "prints the number of an attempt, from 1", &[THE_ATTEMPT], |_, call| {
            let number = attempt::<SLOTS>(call)?.number();
            call.out().put("attempt", number);
            Ok(())
        })
        .prints(&[&["attempt"]]);
    pub(super) const STARTED: Look<SLOTS> =
        Look::new("started", "prints when an attempt started", &[THE_ATTEMPT], |_, call| {
            let started = attempt::<SLOTS>(call)?.started();
            call.out().moment("started", started);
            Ok(())
        })
        .prints(&[&["started+ns"]]);
    pub(super) const IS_PROBE: Look<SLOTS> = Look::new(
        "is_probe",
        "says whether an attempt is a probe of the breaker",
        &[THE_ATTEMPT],
        |_, call| {
            let probe = attempt::<SLOTS>(call)?.is_probe();
            call.out().put("probe", probe);
            Ok(())
        },
    )
    .prints(&[&["probe"]]);
    pub(super) const TRANSITION: Look<SLOTS> = Look::new(
        "transition",
        "prints the transition of the breaker that admitted an attempt",
        &[THE_ATTEMPT],
        |_, call| {
            let change = attempt::<SLOTS>(call)?.transition();
            call.out().put("transition", change.map(transition));
            Ok(())
        },
    )
    .prints(&[&["transition"]]);
    pub(super) const TIMEOUT_AT: Look<SLOTS> = Look::new(
        "timeout_at",
        "prints how long an attempt that starts now may take; null if there is no end",
        &[],
        |guard, call| {
            let timeout = guard.timeout_at(call.now());
            call.out().duration("timeout", timeout);
            Ok(())
        },
    )
    .prints(&[&["timeout+ns"]]);
}

fn admitted<'c, const SLOTS: usize>(call: &'c mut Call<'_>) -> Result<&'c mut Admitted<SLOTS>, Fault> {
    call.look("call", CALL)
}

fn attempt<'c, const SLOTS: usize>(call: &'c mut Call<'_>) -> Result<&'c mut Started<SLOTS>, Fault> {
    call.look("attempt", ATTEMPT)
}

fn deadline<const SLOTS: usize>(_: &'static Decisions<SLOTS>, call: &mut Call<'_>) -> Result<(), Fault> {
    let given = ["call", "attempt", "waiting"].map(|key| call.args().text(key).is_some());
    let moment = match given {
        [true, false, false] => admitted::<SLOTS>(call)?.deadline().moment(),
        [false, true, false] => attempt::<SLOTS>(call)?.deadline().moment(),
        [false, false, true] => call.look::<Queued<SLOTS>>("waiting", WAITING)?.deadline(),
        _ => return Err(Fault::new("call, attempt or waiting must be given, and only one of them")),
    };
    let remaining = seawall::core::Deadline::at(moment).remaining(call.now());
    call.out().moment("deadline", moment);
    call.out().duration("remaining", remaining);
    Ok(())
}
