//! Admissions from a SysTick handler while the main program is inside the same pattern.
//!
//! The handler comes after a number of core clock ticks that changes from one time to the next, so that over some
//! thousand times it comes before every instruction of the interrupted calls.
//! What both sides count has to add up exactly, and nobody may hang.

use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use core::time::Duration;

use cortex_m::peripheral::syst::SystClkSource;
use cortex_m::peripheral::{SCB, SYST};
use cortex_m_rt::exception;
use seawall_core::circuit_breaker::{self, State};
use seawall_core::error_budget::{self, ErrorBudget};
use seawall_core::events::{Event, EventKind, EventRing};
use seawall_core::guard::{Pattern, Policy, Report};
use seawall_core::histogram::{Histogram, buckets_for};
use seawall_core::rate_limiter::Quota;
use seawall_core::window::{Sample, Span, Window};
use seawall_core::{
    Bulkhead, CircuitBreaker, Deadline, Guard, Instant, Outcome, RateLimiter, Ratio, bulkhead,
};
use seawall_on_target::runner::Test;

pub(crate) const TESTS: &[Test] = &[
    ("interrupts::a_row_of_failures_counts_both_sides", a_row_of_failures_counts_both_sides),
    ("interrupts::half_open_admits_its_quota", half_open_admits_its_quota),
    ("interrupts::one_burst_is_shared", one_burst_is_shared),
    ("interrupts::permits_come_back", permits_come_back),
    ("interrupts::waiters_get_their_turn", waiters_get_their_turn),
    ("interrupts::windows_and_histograms_lose_nothing", windows_and_histograms_lose_nothing),
    ("interrupts::events_keep_their_order", events_keep_their_order),
    ("interrupts::a_guard_settles_every_call", a_guard_settles_every_call),
];

const NOW: Instant = Instant::from_secs(100);
/// How often the handler comes in one test.
const TIMES: usize = 2000;

/// How often the handler came, and how often it found the main program inside a call.
static CAME: AtomicUsize = AtomicUsize::new(0);
static FOUND_INSIDE: AtomicUsize = AtomicUsize::new(0);
static INSIDE: AtomicBool = AtomicBool::new(false);
/// What the handler does, as an index into `JOBS`.
static JOB: AtomicUsize = AtomicUsize::new(0);

const JOBS: [fn(); 8] = [
    || fail(&ROW),
    || race(&PROBES),
    || take(&BURST),
    || hold(&SLOTS),
    || hold_or_wait(&QUEUE),
    || record(1),
    || push(1),
    || call(&GUARD),
];

// The handler alone writes these counts, and the main program reads them when it is off: loads and stores do.
fn add(count: &AtomicUsize, n: usize) {
    count.store(count.load(Ordering::Relaxed) + n, Ordering::Relaxed);
}

/// SysTick, for the one test that runs.
fn timer() -> SYST {
    // SAFETY: the main program sets the timer up before it enables the interrupt and after it disabled it; in between
    // the handler alone writes to it.
    unsafe { cortex_m::Peripherals::steal() }.SYST
}

/// Lets the handler come once more, after a number of ticks that sweeps over the lengths of the calls.
///
/// The timer ran on while the handler was at work, so the handler may be due again by now: that is taken back, or the main
/// program would never get on.
fn arm(timer: &mut SYST) {
    let ticks = 8 + CAME.load(Ordering::Relaxed) * 7 % 1201;
    timer.set_reload(ticks as u32);
    timer.clear_current();
    SCB::clear_pendst();
}

#[exception]
fn SysTick() {
    if INSIDE.load(Ordering::Relaxed) {
        add(&FOUND_INSIDE, 1);
    }
    JOBS[JOB.load(Ordering::Relaxed)]();
    add(&CAME, 1);
    arm(&mut timer());
}

/// Repeats `inside` until the handler has come often enough, and says how often each of them ran.
fn contend(job: usize, mut inside: impl FnMut()) -> (usize, usize) {
    let mut timer = timer();
    for count in [&CAME, &FOUND_INSIDE] {
        count.store(0, Ordering::Relaxed);
    }
    JOB.store(job, Ordering::Relaxed);
    timer.set_clock_source(SystClkSource::Core);
    arm(&mut timer);
    timer.enable_interrupt();
    timer.enable_counter();
    let mut rounds = 0;
    while CAME.load(Ordering::Relaxed) < TIMES {
        INSIDE.store(true, Ordering::Relaxed);
        inside();
        INSIDE.store(false, Ordering::Relaxed);
        rounds += 1;
    }
    timer.disable_interrupt();
    timer.disable_counter();
    let (came, found) = (CAME.load(Ordering::Relaxed), FOUND_INSIDE.load(Ordering::Relaxed));
    assert!(found > TIMES / 2, "the handler found the main program inside a call {found} times only");
    (rounds, came)
}

static ROW: CircuitBreaker = CircuitBreaker::new(circuit_breaker::Config::consecutive_failures(200_000));

fn fail(breaker: &CircuitBreaker) {
    let permit = breaker.try_acquire(NOW).expect("the row is long");
    permit.record(Outcome::Failure, NOW);
}

fn a_row_of_failures_counts_both_sides() {
    let (rounds, came) = contend(0, || fail(&ROW));
    assert_eq!(ROW.status(NOW).consecutive_failures as usize, rounds + came);
    assert_eq!(ROW.status(NOW).state, State::Closed);
}

static PROBES: CircuitBreaker = CircuitBreaker::new(
    circuit_breaker::Config::consecutive_failures(1)
        .open_for(Duration::from_secs(1))
        .probes(2)
        .successes_to_close(2),
);
static PROBES_OUT: AtomicUsize = AtomicUsize::new(0);

/// Takes what probe there is, and keeps it.
fn race(breaker: &CircuitBreaker) {
    if let Ok(permit) = breaker.try_acquire(NOW) {
        assert!(permit.is_probe());
        // Either side may be interrupted here, so this one is counted with the handler off.
        cortex_m::interrupt::free(|_| add(&PROBES_OUT, 1));
        let _ = permit.into_ticket();
    }
}

fn half_open_admits_its_quota() {
    // The open time is over when a cycle begins: both sides meet the deadline again and again.
    let expired = Instant::from_secs(99);
    PROBES.trip(expired);
    let mut cycles = 0;
    contend(1, || {
        cortex_m::interrupt::free(|_| {
            let out = PROBES_OUT.load(Ordering::Relaxed);
            assert!(out == 2 || cycles == 0, "{out} probes of 2 are out in cycle {cycles}");
            PROBES_OUT.store(0, Ordering::Relaxed);
            PROBES.trip(expired);
        });
        for _ in 0..3 {
            race(&PROBES);
        }
        cycles += 1;
    });
    assert!(cycles > 10, "{cycles} cycles");
}

static BURST: RateLimiter = RateLimiter::new(Quota::new(1, Duration::from_secs(3600)).burst(3000));
static TAKEN: AtomicUsize = AtomicUsize::new(0);

fn take(limiter: &RateLimiter) {
    if limiter.try_acquire(NOW).is_ok() {
        cortex_m::interrupt::free(|_| add(&TAKEN, 1));
    }
}

fn one_burst_is_shared() {
    contend(2, || take(&BURST));
    assert_eq!(TAKEN.load(Ordering::Relaxed), 3000);
    assert_eq!(BURST.available(NOW), 0);
}

static SLOTS: Bulkhead<0> = Bulkhead::new(bulkhead::Config::new(2));

fn hold(bulkhead: &Bulkhead<0>) {
    let permit = bulkhead.try_acquire(NOW).expect("one side holds one permit");
    assert!((1..=2).contains(&bulkhead.snapshot().in_use));
    drop(permit);
}

fn permits_come_back() {
    contend(3, || hold(&SLOTS));
    assert_eq!(SLOTS.snapshot().in_use, 0);
}

static QUEUE: Bulkhead<4> = Bulkhead::new(bulkhead::Config::new(1));

/// Takes the permit, or waits in line for a moment and gives up.
fn hold_or_wait(bulkhead: &Bulkhead<4>) {
    match bulkhead.enqueue(1, NOW) {
        Ok(bulkhead::Entry::Admitted(permit)) => drop(permit),
        Ok(bulkhead::Entry::Waiting(mut waiter)) => {
            let _ = waiter.poll(core::task::Waker::noop(), NOW);
        }
        // Whoever gave up while the main program has the turn keeps its seat until that gets on.
        Err(bulkhead::Rejected::QueueFull { .. }) => {}
        Err(rejected) => panic!("{rejected}"),
    }
}

fn waiters_get_their_turn() {
    contend(4, || {
        let held = QUEUE.try_acquire(NOW).expect("nobody waits between two rounds");
        let Ok(bulkhead::Entry::Waiting(mut waiter)) = QUEUE.enqueue(1, NOW) else {
            panic!("the permit is held")
        };
        drop(held);
        let turn = waiter.poll(core::task::Waker::noop(), NOW);
        assert!(matches!(turn, core::task::Poll::Ready(Ok(_))), "{turn:?}");
    });
    let counts = QUEUE.snapshot();
    assert_eq!((counts.in_use, counts.waiting), (0, 0));
}

static WINDOW: Window<10> = Window::new(Span::time(Duration::from_secs(10)));
static BUDGET: ErrorBudget<10> =
    ErrorBudget::new(error_budget::Config::new(Ratio::percent(50), Duration::from_secs(10)));
static HISTOGRAM: Histogram<3, { buckets_for(3, 1000) }> = Histogram::new();
/// Both sides move through the seconds, so that they meet at the boundaries of buckets.
static SECOND: AtomicUsize = AtomicUsize::new(0);

fn record(times: usize) {
    let now = Instant::from_secs(SECOND.load(Ordering::Relaxed) as u64 / 256);
    for _ in 0..times {
        WINDOW.record(Sample::FAILURE, now);
        BUDGET.record(true, now);
        HISTOGRAM.record(7);
    }
}

fn windows_and_histograms_lose_nothing() {
    let (rounds, came) = contend(5, || {
        record(1);
        // Nine seconds in all: nothing leaves the windows.
        SECOND.store((SECOND.load(Ordering::Relaxed) + 1).min(9 * 256), Ordering::Relaxed);
    });
    let now = Instant::from_secs(9);
    assert_eq!(WINDOW.totals(now).failures as usize, rounds + came);
    assert_eq!(BUDGET.snapshot(now).calls as usize, rounds + came);
    assert_eq!(HISTOGRAM.count() as usize, rounds + came);
    assert_eq!(WINDOW.totals(Instant::from_secs(19)).calls, 0);
}

static EVENTS: EventRing<8> = EventRing::new();

/// Pushes an event that names its writer.
fn push(writer: u64) {
    let kind = EventKind::Budget(error_budget::Edge::Exhausted);
    EVENTS.push(Event { at: Instant::from_nanos(writer << 40 | writer), kind });
}

fn events_keep_their_order() {
    let (mut cursor, mut read) = (EVENTS.cursor(), 0);
    let (rounds, came) = contend(6, || {
        push(2);
        while let Some(event) = EVENTS.read(&mut cursor) {
            assert!([1 << 40 | 1, 2 << 40 | 2].contains(&event.at.as_nanos()), "a torn event: {event:?}");
            read += 1;
        }
    });
    while EVENTS.read(&mut cursor).is_some() {
        read += 1;
    }
    assert_eq!(read + cursor.missed() as usize, rounds + came);
}

static GUARD: Guard<2, 10> = Guard::new(
    Policy::new()
        .rate_limit(Quota::per_second(1000).burst(4000))
        .bulkhead(bulkhead::Config::new(2))
        .circuit_breaker(
            circuit_breaker::Config::failure_rate(
                Ratio::percent(50),
                Span::time(Duration::from_secs(10)),
                100,
            )
            .or_consecutive_failures(5),
        )
        .error_budget(error_budget::Config::new(Ratio::percent(90), Duration::from_secs(60))),
);

fn call(guard: &Guard<2, 10>) {
    let Ok(mut call) = guard.try_begin(Deadline::NONE, NOW) else { return };
    let attempt = call.try_attempt(NOW).expect("nothing fails");
    let _ = call.settle(attempt, Report::new(Outcome::Success), NOW);
}

fn a_guard_settles_every_call() {
    let (rounds, came) = contend(7, || call(&GUARD));
    let stats = GUARD.stats();
    assert_eq!((stats.successes + stats.rejected()) as usize, rounds + came);
    assert_eq!(
        (stats.successes, stats.rejected_by(Pattern::RateLimiter)),
        (4000.min((rounds + came) as u64), stats.rejected())
    );
    assert_eq!(
        GUARD.error_budget().map(|budget| u64::from(budget.snapshot(NOW).calls)),
        Some(stats.successes)
    );
    assert_eq!(
        GUARD.breaker().map(|breaker| u64::from(breaker.status(NOW).window.calls)),
        Some(stats.successes)
    );
    assert_eq!(GUARD.bulkhead().map(|bulkhead| bulkhead.snapshot().in_use), Some(0));
}
