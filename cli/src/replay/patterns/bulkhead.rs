//! The bulkhead.

use super::answers::{admit, reject};
use super::policy;
use crate::replay::call::Call;
use crate::replay::fields::Fields;
use crate::replay::names::Fault;
use crate::replay::schema::{ADMISSION, Info, Instance, Kind, Operation, Param, Pattern, Spec, U32};
use crate::replay::value::Args;
use seawall::core::bulkhead::{Entry, Permit, Rejected, Snapshot, Ticket, Waiter};
use seawall::core::{Bulkhead, Instant};
use seawall::guard::WAITERS;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Wake, Waker};

/// The keys of its table.
pub(super) const KEYS: &[Param] = &[
    Param::required(
        "max_concurrent",
        U32,
        "permits, at most 4095; 0 rejects every call, as one that needs too many",
    ),
    Param::optional("max_waiting", U32, "waiters, at most 256, which is the default"),
    Param::or("max_wait", Kind::Duration, "\"forever\"", "the longest wait; 0 means that nobody waits"),
];

const PERMIT: &str = "bulkhead permit";
const TICKET: &str = "bulkhead ticket";
const WAITER: &str = "bulkhead waiter";
const THE_PERMIT: Param = Param::required("permit", Kind::Held(&[PERMIT]), "what an admission gave");
const THE_WAITER: Param = Param::required("waiter", Kind::Held(&[WAITER]), "what enqueue gave");
const N: Param = Param::or("n", U32, "1", "permits, all or none");

/// The names of the waiters that were woken since somebody looked.
type Woken = Arc<Mutex<Vec<String>>>;

pub(super) struct Seats {
    bulkhead: Bulkhead<WAITERS>,
    woken: Woken,
}

impl Seats {
    pub(super) fn bulkhead(&self) -> &Bulkhead<WAITERS> {
        &self.bulkhead
    }
}

/// Wakes a waiter by noting its name.
struct Bell {
    name: String,
    woken: Woken,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.woken.lock().unwrap_or_else(PoisonError::into_inner).push(self.name.clone());
    }
}

static SPEC: Spec<Seats> = Spec {
    info: Info {
        name: "bulkhead",
        about: "Limits how many calls run at a time; others wait in line. \
                `woken` lists the waiters that an operation woke: poll them. \
                A waiter at the head of the line whose time is over holds up the others until it is polled or dropped: \
                nobody wakes it, so poll it at its `deadline`. \
                `waits_so_far` is of those that waited and were admitted",
        keys: KEYS,
        prints: &[&["in_use", "waiting", "capacity", "max_waiting", "closed", "waits_so_far", "woken"]],
        example: r#"
{"policy": {"bulkhead": {"max_concurrent": 2, "max_waiting": 2, "max_wait": "5s"}}}
{"at": "0s", "op": "bulkhead.try_acquire", "as": "a", "expect": {"admitted": true, "in_use": 1}}
{"op": "bulkhead.try_acquire_many", "n": 2, "expect": {"rejected": "full"}}
{"op": "bulkhead.check", "expect": {"admitted": true, "in_use": 1}}
{"op": "bulkhead.check", "n": 2, "expect": {"rejected": "full"}}
{"op": "bulkhead.enqueue", "n": 2, "as": "b", "expect": {"admitted": false, "waits": true, "waiting": 1}}
{"op": "bulkhead.enqueue", "as": "c", "expect": {"waits": true, "waiting": 2}}
{"op": "bulkhead.enqueue", "as": "d", "expect": {"rejected": "queue_full"}}
{"at": "1s", "op": "drop", "what": "b", "expect": {"waiting": 0, "in_use": 2, "woken": ["c"]}}
{"op": "bulkhead.poll", "waiter": "c", "expect": {"admitted": true}}
{"op": "bulkhead.waited", "permit": "c", "expect": {"waited": "1s"}}
{"op": "bulkhead.into_ticket", "permit": "c"}
{"op": "bulkhead.release", "ticket": "c", "expect": {"in_use": 1}}
{"op": "bulkhead.weight", "permit": "a", "expect": {"weight": 1}}
{"op": "bulkhead.resize", "max_concurrent": 1, "expect": {"capacity": 1}}
{"op": "bulkhead.config", "expect": {"config": {"max_waiting": 2, "max_wait": "5000ms"}}}
{"at": "2s", "op": "bulkhead.enqueue", "as": "e"}
{"op": "bulkhead.deadline", "waiter": "e", "expect": {"deadline": "7s"}}
{"at": "7s", "op": "bulkhead.poll", "waiter": "e", "expect": {"rejected": "wait_timeout", "waited": "5s"}}
{"op": "bulkhead.close", "expect": {"closed": true}}
{"op": "bulkhead.try_acquire", "expect": {"rejected": "closed"}}
{"op": "bulkhead.snapshot", "expect": {"in_use": 1}}
"#,
    },
    operations: &[
        Operation::new("try_acquire", "admits a call if a permit is free and nobody waits", &[], try_acquire)
            .gives(&[PERMIT])
            .prints(&[ADMISSION]),
        Operation::new("try_acquire_many", "admits a call that needs `n` permits", &[N], try_acquire)
            .gives(&[PERMIT])
            .prints(&[ADMISSION]),
        Operation::new("check", "says whether `n` permits would be refused, and takes nothing", &[N], check)
            .prints(&[ADMISSION]),
        Operation::new(
            "enqueue",
            "admits a call that needs `n` permits, or lets it wait in line; a waiter is polled once at once",
            &[N],
            enqueue,
        )
        .gives(&[PERMIT, WAITER])
        .prints(&[ADMISSION, &["waits", "deadline+ns", "waited+ns"]]),
        Operation::new(
            "poll",
            "asks whether it is the waiter's turn; if it is, its name is the name of the permit from now on",
            &[THE_WAITER],
            poll,
        )
        .gives(&[PERMIT])
        .prints(&[ADMISSION, &["waits", "waited+ns"]]),
        Operation::new("deadline", "prints when the wait is over", &[THE_WAITER], deadline)
            .prints(&[&["deadline+ns"]]),
        Operation::new("waited", "prints how long it waited in line", &[THE_PERMIT], waited)
            .prints(&[&["waited+ns"]]),
        Operation::new("weight", "prints how many permits it stands for", &[THE_PERMIT], weight)
            .prints(&[&["weight"]]),
        Operation::new(
            "into_ticket",
            "turns a permit into a ticket, which keeps its name unless `as` says another one",
            &[THE_PERMIT],
            into_ticket,
        )
        .gives(&[TICKET]),
        Operation::new(
            "release",
            "gives back the permits of a ticket; a permit is given back by `drop`, or here",
            &[
                Param::optional("ticket", Kind::Held(&[TICKET]), "what into_ticket gave; this or permit"),
                Param::optional("permit", Kind::Held(&[PERMIT]), "what an admission gave"),
            ],
            release,
        ),
        Operation::new(
            "resize",
            "changes the number of permits",
            &[Param::required("max_concurrent", Kind::Integer(4095), "permits")],
            resize,
        ),
        Operation::new("close", "admits nobody any more", &[], |seats, _| {
            seats.bulkhead.close();
            Ok(())
        }),
        Operation::config(|seats: &'static Seats, call| {
            configured(&seats.bulkhead.snapshot(), call.config());
            Ok(())
        }),
        Operation::new("snapshot", "prints the counts", &[], |_, _| Ok(())),
    ],
    state: print_state,
    configure,
};

pub(super) const PATTERN: &dyn Pattern = &SPEC;

fn configure(config: &Args) -> Result<Box<dyn Instance>, Vec<String>> {
    let policy = policy::with_table("bulkhead", config)?;
    let Some(config) = policy.bulkhead_config() else {
        return Err(vec!["max_concurrent is missing".to_owned()]);
    };
    Bulkhead::try_new(*config)
        .map(|bulkhead| SPEC.bind(Seats { bulkhead, woken: Woken::default() }))
        .map_err(|error| vec![error.to_string()])
}

fn print_state(seats: &Seats, _: Instant, out: &mut Fields) {
    counts(&seats.bulkhead.snapshot(), out);
    let woken = std::mem::take(&mut *seats.woken.lock().unwrap_or_else(PoisonError::into_inner));
    out.put("woken", woken);
}

/// What is printed of a bulkhead's counts.
pub(super) fn counts(counts: &Snapshot, out: &mut Fields) {
    out.put("in_use", counts.in_use);
    out.put("waiting", counts.waiting);
    out.put("capacity", counts.capacity);
    out.put("max_waiting", counts.max_waiting);
    out.put("closed", counts.closed);
    let mut waits = Fields::default();
    waits.put("admitted", counts.waits.admitted);
    waits.duration("total", counts.waits.total);
    waits.duration("longest", counts.waits.longest);
    waits.duration("mean", counts.waits.mean());
    out.put("waits_so_far", waits);
}

/// Puts what holds of a bulkhead into its table.
pub(super) fn configured(counts: &Snapshot, table: &mut Fields) {
    table.put("max_concurrent", counts.capacity);
    table.put("max_waiting", counts.max_waiting);
}

/// What a bulkhead's refusal is called.
pub(super) fn reason(rejected: &Rejected) -> &'static str {
    match rejected {
        Rejected::Full { .. } => "full",
        Rejected::QueueFull { .. } => "queue_full",
        Rejected::WaitTimeout { .. } => "wait_timeout",
        Rejected::TooMany { .. } => "too_many",
        Rejected::Closed => "closed",
        // No script polls a waiter that it has used up.
        Rejected::Settled => "settled",
        _ => "other",
    }
}

fn refuse(out: &mut Fields, rejected: &Rejected) {
    reject(out, "bulkhead", reason(rejected), None);
    if let Rejected::WaitTimeout { waited } = rejected {
        out.duration("waited", *waited);
    }
}

fn check(seats: &'static Seats, call: &mut Call<'_>) -> Result<(), Fault> {
    match seats.bulkhead.check(call.args().u32("n").unwrap_or(1)) {
        Ok(()) => admit(call.out()),
        Err(rejected) => refuse(call.out(), &rejected),
    }
    Ok(())
}

fn try_acquire(seats: &'static Seats, call: &mut Call<'_>) -> Result<(), Fault> {
    match seats.bulkhead.try_acquire_many(call.args().u32("n").unwrap_or(1), call.now()) {
        Ok(permit) => {
            admit(call.out());
            call.keep(PERMIT, permit)
        }
        Err(rejected) => {
            refuse(call.out(), &rejected);
            Ok(())
        }
    }
}

fn enqueue(seats: &'static Seats, call: &mut Call<'_>) -> Result<(), Fault> {
    match seats.bulkhead.enqueue(call.args().u32("n").unwrap_or(1), call.now()) {
        Ok(Entry::Admitted(permit)) => {
            admit(call.out());
            call.out().put("waits", false);
            call.keep(PERMIT, permit)
        }
        Ok(Entry::Waiting(waiter)) => {
            call.out().moment("deadline", waiter.deadline());
            let name = call.name().to_owned();
            poll_as(seats, call, &name, waiter)
        }
        Err(rejected) => {
            refuse(call.out(), &rejected);
            call.out().put("waits", false);
            Ok(())
        }
    }
}

fn poll(seats: &'static Seats, call: &mut Call<'_>) -> Result<(), Fault> {
    let name = call.name_of("waiter")?;
    let waiter = call.take("waiter", WAITER)?;
    poll_as(seats, call, &name, waiter)
}

/// Polls a waiter and keeps what comes of it under this name.
fn poll_as(
    seats: &'static Seats,
    call: &mut Call<'_>,
    name: &str,
    mut waiter: Waiter<'static, WAITERS>,
) -> Result<(), Fault> {
    let bell = Bell { name: name.to_owned(), woken: Arc::clone(&seats.woken) };
    let polled = waiter.poll(&Waker::from(Arc::new(bell)), call.now());
    call.out().put("waits", polled.is_pending());
    match polled {
        Poll::Pending => {
            call.out().put("admitted", false);
            call.keep_as(name, WAITER, waiter)
        }
        Poll::Ready(Ok(permit)) => {
            admit(call.out());
            call.keep_as(name, PERMIT, permit)
        }
        Poll::Ready(Err(rejected)) => {
            refuse(call.out(), &rejected);
            Ok(())
        }
    }
}

fn deadline(_: &'static Seats, call: &mut Call<'_>) -> Result<(), Fault> {
    let deadline = call.look::<Waiter<'static, WAITERS>>("waiter", WAITER)?.deadline();
    call.out().moment("deadline", deadline);
    Ok(())
}

fn waited(_: &'static Seats, call: &mut Call<'_>) -> Result<(), Fault> {
    let waited = call.look::<Permit<'static, WAITERS>>("permit", PERMIT)?.waited();
    call.out().duration("waited", waited);
    Ok(())
}

fn weight(_: &'static Seats, call: &mut Call<'_>) -> Result<(), Fault> {
    let weight = call.look::<Permit<'static, WAITERS>>("permit", PERMIT)?.weight();
    call.out().put("weight", weight);
    Ok(())
}

fn into_ticket(_: &'static Seats, call: &mut Call<'_>) -> Result<(), Fault> {
    let permit: Permit<'static, WAITERS> = call.take("permit", PERMIT)?;
    call.keep_in_place("permit", TICKET, permit.into_ticket())
}

fn release(seats: &'static Seats, call: &mut Call<'_>) -> Result<(), Fault> {
    let (ticket, permit) = (call.args().text("ticket"), call.args().text("permit"));
    match (ticket, permit) {
        (Some(_), None) => {
            let ticket: Ticket = call.take_any("ticket", TICKET)?;
            seats.bulkhead.release(ticket);
            Ok(())
        }
        (None, Some(_)) => call.take::<Permit<'static, WAITERS>>("permit", PERMIT).map(drop),
        _ => Err(Fault::new("ticket or permit must be given, and not both")),
    }
}

fn resize(seats: &'static Seats, call: &mut Call<'_>) -> Result<(), Fault> {
    let permits = call.args().u32("max_concurrent").unwrap_or(0);
    seats.bulkhead.resize(permits).map_err(|error| Fault::new(error.to_string()))
}
