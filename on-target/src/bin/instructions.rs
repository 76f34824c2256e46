//! How many instructions each pattern's admission and settlement take here.
//!
//! Prints one line for each: the name and the number.

#![no_std]
#![no_main]

use core::hint::black_box;
use core::time::Duration;

use seawall_core::adaptive_concurrency::Permit;
use seawall_core::events::{Event, EventKind, EventRing};
use seawall_core::guard::{Policy, Report};
use seawall_core::histogram::{Histogram, buckets_for};
use seawall_core::rate_limiter::Quota;
use seawall_core::window::{Sample, Span, Window};
use seawall_core::{
    AdaptiveConcurrency, AdaptiveTimeout, Backoff, Bulkhead, CircuitBreaker, Deadline, Guard, Instant,
    Outcome, RateLimiter, Ratio, Retry, adaptive_concurrency, adaptive_timeout, bulkhead, circuit_breaker,
    degradation, error_budget, retry,
};
use seawall_on_target::ticks::{instructions_of, start_counting};
use semihosting::{println, process};

const NOW: Instant = Instant::from_nanos(1_000_000_123_456_789);
const LATER: Instant = Instant::from_nanos(1_000_000_123_999_999);
const MINUTE: Duration = Duration::from_secs(60);

static BREAKER: CircuitBreaker = CircuitBreaker::new(ROW);
static RATE: CircuitBreaker<10> =
    CircuitBreaker::new(circuit_breaker::Config::failure_rate(Ratio::percent(50), Span::time(MINUTE), 1000));
static OPEN: CircuitBreaker = CircuitBreaker::new(ROW);
static LIMITER: RateLimiter = RateLimiter::new(Quota::per_second(100));
static EMPTY: RateLimiter = RateLimiter::new(Quota::per_second(100).burst(1));
static BULKHEAD: Bulkhead<0> = Bulkhead::new(bulkhead::Config::new(1));
static WINDOW: Window<10> = Window::new(Span::time(MINUTE));
static CALLS: Window<10> = Window::new(Span::calls(100));
static HISTOGRAM: Histogram<3, { buckets_for(3, 60_000) }> = Histogram::new();
static BUDGET: error_budget::ErrorBudget<10> = error_budget::ErrorBudget::new(OBJECTIVE);
static RETRY: Retry = Retry::new(ATTEMPTS);
static TIMEOUT: AdaptiveTimeout =
    AdaptiveTimeout::new(adaptive_timeout::Config::new(Duration::from_millis(200)));
static AIMD: AdaptiveConcurrency = AdaptiveConcurrency::new(adaptive_concurrency::Config::aimd(4));
static GRADIENT: AdaptiveConcurrency = AdaptiveConcurrency::new(adaptive_concurrency::Config::gradient(4));
static SERVICE: degradation::Degradation = degradation::Degradation::new();
static EVENTS: EventRing<8> = EventRing::new();

const ROW: circuit_breaker::Config = circuit_breaker::Config::consecutive_failures(5);
const OBJECTIVE: error_budget::Config = error_budget::Config::new(Ratio::percent(99), MINUTE);
const BACKOFF: Backoff = Backoff::exponential(Duration::from_millis(50));
const ATTEMPTS: retry::Config = retry::Config::attempts(3, BACKOFF);
const PLAIN: Policy = Policy::new().circuit_breaker(ROW);
const FULL: Policy = PLAIN
    .rate_limit(Quota::per_second(100))
    .bulkhead(bulkhead::Config::new(4))
    .retry(ATTEMPTS)
    .timeout(Duration::from_millis(200))
    .deadline(Duration::from_secs(5))
    .error_budget(OBJECTIVE);
static SMALL: Guard<0, 0> = Guard::new(PLAIN);
static GUARD: Guard<0, 10> = Guard::new(FULL);

#[cortex_m_rt::entry]
fn main() -> ! {
    let mut core = cortex_m::Peripherals::take().expect("nobody took them");
    start_counting(&mut core.SYST);
    calibrate();
    breaker();
    limiter();
    bulkhead();
    measures();
    attempts();
    adaptive();
    guards();
    process::exit(0)
}

/// Prints what one call takes; the call before it has paid for what happens once in a bucket.
fn report<T>(name: &str, mut call: impl FnMut() -> T) {
    drop(call());
    print(name, instructions_of(call));
}

fn print(name: &str, instructions: u32) {
    println!("instructions {instructions:6} {name}");
}

/// A hundred instructions have to count as a hundred: else the emulator was started without its exact clock.
fn calibrate() {
    let counted = instructions_of(|| {
        // SAFETY: the instructions do nothing.
        unsafe { core::arch::asm!(".rept 100", "nop", ".endr") }
    });
    assert!((100..=102).contains(&counted), "100 instructions counted as {counted}");
}

fn breaker() {
    report("breaker, closed: admit", || {
        black_box(&BREAKER).try_acquire(black_box(NOW)).map(circuit_breaker::Permit::into_ticket).ok()
    });
    let settle = |breaker: &CircuitBreaker, outcome| {
        let ticket = breaker.try_acquire(NOW).expect("it is closed").into_ticket();
        instructions_of(|| black_box(breaker).settle(ticket, black_box(outcome), black_box(LATER)))
    };
    print("breaker, closed: settle a success", settle(&BREAKER, Outcome::Success));
    print("breaker, closed: settle a failure", settle(&BREAKER, Outcome::Failure));
    RATE.try_acquire(NOW).expect("it is closed").record(Outcome::Success, NOW);
    let ticket = RATE.try_acquire(NOW).expect("it is closed").into_ticket();
    let rate =
        instructions_of(|| black_box(&RATE).settle(ticket, black_box(Outcome::Success), black_box(LATER)));
    print("breaker by failure rate, closed: settle a success", rate);
    OPEN.trip(NOW);
    report("breaker, open: reject", || black_box(&OPEN).try_acquire(black_box(LATER)).is_ok());
    let over = LATER.saturating_add(MINUTE);
    let probe = instructions_of(|| {
        black_box(&OPEN).try_acquire(black_box(over)).map(circuit_breaker::Permit::into_ticket).ok()
    });
    print("breaker, open time over: admit a probe", probe);
}

fn limiter() {
    report("rate limiter: admit", || black_box(&LIMITER).try_acquire(black_box(NOW)).is_ok());
    report("rate limiter: reject", || black_box(&EMPTY).try_acquire(black_box(NOW)).is_ok());
}

fn bulkhead() {
    let mut held = None;
    let admit = instructions_of(|| held = black_box(&BULKHEAD).try_acquire(black_box(NOW)).ok());
    print("bulkhead: admit", admit);
    report("bulkhead, full: reject", || black_box(&BULKHEAD).try_acquire(black_box(NOW)).is_ok());
    print("bulkhead: release", instructions_of(|| drop(held)));
}

fn measures() {
    report("window of time: record", || black_box(&WINDOW).record_only(Sample::SUCCESS, black_box(NOW)));
    report("window of time: record and read the sums", || {
        black_box(&WINDOW).record(Sample::SUCCESS, black_box(NOW))
    });
    report("window of calls: record and read the sums", || {
        black_box(&CALLS).record(Sample::SUCCESS, black_box(NOW))
    });
    report("histogram: record", || black_box(&HISTOGRAM).record(black_box(1234)));
    report("histogram, 111 buckets: percentile", || black_box(&HISTOGRAM).percentile(Ratio::percent(99)));
    report("error budget: record", || black_box(&BUDGET).record(true, black_box(NOW)));
    report("degradation: level", || black_box(&SERVICE).level());
    let event = Event { at: NOW, kind: EventKind::Budget(error_budget::Edge::Exhausted) };
    report("event ring: push", || black_box(&EVENTS).push(black_box(event)));
}

fn attempts() {
    report("backoff, exponential: second delay", || {
        black_box(&BACKOFF).delay(1, Duration::ZERO, black_box(7))
    });
    report("retry: decide, granted", || {
        black_box(&RETRY).decide(1, Duration::ZERO, Deadline::NONE, black_box(7), black_box(NOW))
    });
}

fn adaptive() {
    report("adaptive timeout: limit of an attempt", || {
        black_box(&TIMEOUT).limit(Deadline::NONE, black_box(NOW))
    });
    report("adaptive timeout: record a success", || {
        black_box(&TIMEOUT).record(black_box(Outcome::Success), black_box(Duration::from_millis(3)))
    });
    for (rule, limiter) in [("AIMD", &AIMD), ("gradient", &GRADIENT)] {
        let mut admitted = None;
        let admit = instructions_of(|| {
            admitted = black_box(limiter).try_acquire(black_box(NOW)).map(Permit::into_ticket).ok();
        });
        let ticket = admitted.expect("nobody else is there");
        let settle = instructions_of(|| {
            black_box(limiter).settle(ticket, black_box(Outcome::Success), black_box(LATER))
        });
        println!("instructions {admit:6} adaptive concurrency, {rule}: admit");
        println!("instructions {settle:6} adaptive concurrency, {rule}: settle a success");
    }
}

fn guards() {
    report("guard with a breaker: whole call, success", || call(&SMALL));
    report("guard with every pattern: whole call, success", || call(&GUARD));
    GUARD.breaker().expect("the policy has a breaker").trip(NOW);
    report("guard with every pattern: reject, breaker open", || {
        black_box(&GUARD).try_begin(Deadline::NONE, black_box(LATER)).is_ok()
    });
}

/// One call that is admitted and succeeds.
fn call<const SLOTS: usize>(guard: &Guard<0, SLOTS>) {
    let Ok(mut call) = black_box(guard).try_begin(Deadline::NONE, black_box(NOW)) else { return };
    let Ok(attempt) = call.try_attempt(black_box(NOW)) else { return };
    let _ = black_box(call.settle(attempt, Report::new(Outcome::Success), black_box(LATER)));
}
