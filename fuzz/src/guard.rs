//! What must hold for any sequence of whole calls: the books balance, and no slot and no token is lost.

use std::task::{Poll, Waker};
use std::time::Duration;

use seawall_core::guard::{Attempt, Begin, Call, Pattern, Policy, Rejected, Report, Verdict, Waiting};
use seawall_core::rate_limiter::Quota;
use seawall_core::retry::GiveUp;
use seawall_core::{
    Backoff, Deadline, Guard, Instant, Outcome, Ratio, bulkhead, circuit_breaker, error_budget, retry,
};

use crate::input::Input;

const WAITERS: usize = 3;
const SLOTS: usize = 4;
const MILLI: u64 = 1_000_000;

/// More calls than this are not under way at a time.
const MOST_CALLS: usize = 24;

type ThisGuard = Guard<WAITERS, SLOTS>;

/// Runs the script of `bytes` on a guard and on its books.
///
/// # Panics
///
/// If a call is lost, counted twice, or keeps what it should have given back.
pub fn check(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let parts = input.byte();
    let (slots, seats, burst) = (input.between(1, 4), input.between(0, 3), input.between(1, 8));
    let (attempts, failures) = (input.between(1, 4), input.between(1, 4));
    let deadline = if parts & 16 == 0 { None } else { Some(u64::from(input.byte()) + 1) };
    let mut policy = Policy::new()
        .retry(
            retry::Config::attempts(
                attempts,
                Backoff::constant(Duration::from_millis(u64::from(parts >> 6))),
            )
            .budget(Ratio::percent(50), 4, 0),
        )
        .timeout(Duration::from_millis(20));
    if parts & 1 != 0 {
        policy = policy.rate_limit(Quota::new(1, Duration::from_millis(8)).burst(burst));
    }
    if parts & 2 != 0 {
        let config = bulkhead::Config::new(slots).max_waiting(seats);
        policy = policy.bulkhead(config.max_wait(Duration::from_millis(16)));
    }
    if parts & 4 != 0 {
        let config = circuit_breaker::Config::consecutive_failures(failures);
        policy = policy.circuit_breaker(config.open_for(Duration::from_millis(32)).probes(2));
    }
    if parts & 8 != 0 {
        let config = error_budget::Config::new(Ratio::percent(50), Duration::from_millis(64));
        policy = policy.error_budget(config);
    }
    if let Some(millis) = deadline {
        policy = policy.deadline(Duration::from_millis(millis));
    }
    let guard = ThisGuard::new(policy);
    let mut books = Books {
        guard: &guard,
        now: 1_000,
        deadline,
        asked: 0,
        attempts,
        burst,
        slots,
        seats,
        refused: Refused::default(),
        ended: Ended::default(),
        spent: Vec::new(),
        running: Vec::new(),
        line: Vec::new(),
    };
    while let Some(operation) = input.operation() {
        books.apply(operation, &mut input);
        books.compare();
    }
    let (running, line) = (std::mem::take(&mut books.running), std::mem::take(&mut books.line));
    books.ended.cancelled += running.iter().filter(|one| one.is_open).count() as u64 + line.len() as u64;
    drop((running, line));
    books.balance();
    if let Some(bulkhead) = guard.bulkhead() {
        let seen = bulkhead.snapshot();
        assert_eq!((seen.in_use, seen.waiting), (0, 0), "every slot came back");
    }
    // A slot and a probe that were lost would be missed now.
    if let Some(breaker) = guard.breaker() {
        let _ = breaker.reset(Instant::from_nanos(books.now * MILLI));
    }
    books.now += 10_000;
    let at = Instant::from_nanos(books.now * MILLI);
    if let Some(limiter) = guard.limiter() {
        assert_eq!(limiter.available(at), burst, "the bucket fills again");
    }
    let many = burst.min(if guard.bulkhead().is_some() { slots } else { burst });
    let calls: Vec<_> = (0..many).map(|_| guard.try_begin(Deadline::NONE, at)).collect();
    assert!(calls.iter().all(Result::is_ok), "as many as ever are admitted");
}

#[derive(Default)]
struct Refused {
    limiter: u64,
    bulkhead: u64,
    breaker: u64,
    deadline: u64,
}

#[derive(Default)]
struct Ended {
    successes: u64,
    failures: u64,
    ignored: u64,
    cancelled: u64,
    retries: u64,
    timeouts: u64,
}

/// A call that was admitted.
struct Running<'a> {
    call: Call<'a, WAITERS, SLOTS>,
    attempt: Option<Attempt<'a, SLOTS>>,
    attempts: u32,
    last: Option<Outcome>,
    is_open: bool,
    deadline: Option<u64>,
}

struct Books<'a> {
    guard: &'a ThisGuard,
    /// Milliseconds.
    now: u64,
    deadline: Option<u64>,
    asked: u64,
    attempts: u32,
    burst: u32,
    slots: u32,
    seats: u32,
    refused: Refused,
    ended: Ended,
    /// When each token was taken that stays taken; the bucket never gives more than it holds and gets.
    spent: Vec<u64>,
    running: Vec<Running<'a>>,
    line: Vec<Waiting<'a, WAITERS, SLOTS>>,
}

impl<'a> Books<'a> {
    fn instant(&self) -> Instant {
        Instant::from_nanos(self.now * MILLI)
    }

    fn apply(&mut self, operation: u8, input: &mut Input<'_>) {
        match operation % 12 {
            0..=2 => self.begin(operation % 12 < 2, input),
            3 | 4 => self.try_attempt(input),
            5..=7 => self.settle(input),
            8 => {
                if let Some(at) = input.index(self.running.len()) {
                    let one = self.running.swap_remove(at);
                    self.ended.cancelled += u64::from(one.is_open);
                    if input.flag() {
                        one.call.cancel(self.instant());
                    }
                }
            }
            9 => self.poll(input),
            10 => {
                if let Some(at) = input.index(self.line.len()) {
                    let waiting = self.line.remove(at);
                    self.ended.cancelled += 1;
                    if input.flag() {
                        waiting.cancel(self.instant());
                    }
                }
            }
            _ => self.now += u64::from(input.byte() % 64),
        }
    }

    fn begin(&mut self, waits: bool, input: &mut Input<'_>) {
        if self.running.len() + self.line.len() >= MOST_CALLS {
            return;
        }
        let own = if input.flag() { None } else { Some(self.now + u64::from(input.byte())) };
        let deadline = own.map_or(Deadline::NONE, |millis| Deadline::at(Instant::from_nanos(millis * MILLI)));
        let deadline_of_both = [own, self.deadline.map(|limit| self.now + limit)].into_iter().flatten().min();
        let is_late = deadline_of_both.is_some_and(|deadline| deadline <= self.now);
        self.asked += 1;
        let began = if waits {
            self.guard.begin(deadline, self.instant())
        } else {
            self.guard.try_begin(deadline, self.instant()).map(Begin::Started)
        };
        match began {
            Ok(Begin::Started(call)) => {
                assert!(!is_late);
                self.start(call, deadline_of_both);
            }
            Ok(Begin::Waiting(waiting)) => {
                assert!(!is_late && waits && self.line.len() < WAITERS);
                self.line.push(waiting);
            }
            Err(rejected) => {
                assert_eq!(rejected == Rejected::DeadlineExpired, is_late);
                self.refuse(rejected);
            }
        }
    }

    fn start(&mut self, call: Call<'a, WAITERS, SLOTS>, deadline: Option<u64>) {
        let expected =
            deadline.map_or(Deadline::NONE, |millis| Deadline::at(Instant::from_nanos(millis * MILLI)));
        assert_eq!(call.deadline(), expected);
        self.running.push(Running { call, attempt: None, attempts: 0, last: None, is_open: true, deadline });
        if self.guard.bulkhead().is_some() {
            assert!(self.running.len() <= self.slots as usize, "no more calls run than there are slots");
        }
    }

    fn refuse(&mut self, rejected: Rejected) {
        let count = match rejected {
            Rejected::RateLimiter(_) => &mut self.refused.limiter,
            Rejected::Bulkhead(_) => &mut self.refused.bulkhead,
            Rejected::CircuitBreaker(_) => &mut self.refused.breaker,
            _ => &mut self.refused.deadline,
        };
        *count += 1;
    }

    fn try_attempt(&mut self, input: &mut Input<'_>) {
        let Some(at) = input.index(self.running.len()) else { return };
        let now = self.instant();
        let millis = self.now;
        let one = &mut self.running[at];
        if one.attempt.is_some() {
            return;
        }
        let is_late = one.deadline.is_some_and(|deadline| deadline <= millis);
        match one.call.try_attempt(now) {
            Ok(attempt) => {
                assert!(one.is_open && !is_late);
                one.attempts += 1;
                assert_eq!((attempt.number(), one.call.attempts()), (one.attempts, one.attempts));
                let timeout = Deadline::after(now, Duration::from_millis(20));
                assert_eq!(attempt.deadline(), timeout.min(one.call.deadline()));
                self.ended.retries += u64::from(one.attempts > 1);
                if one.attempts == 1 && self.guard.limiter().is_some() {
                    self.spent.push(one.call.began().as_nanos() / MILLI);
                }
                one.attempt = Some(attempt);
            }
            Err(Rejected::CallOver) => assert!(!one.is_open),
            Err(rejected) => {
                assert!(one.is_open);
                assert_eq!(rejected == Rejected::DeadlineExpired, is_late);
                one.is_open = false;
                if one.attempts == 0 {
                    self.refuse(rejected);
                } else {
                    // It ends as its last attempt did, and one that was dropped was given up.
                    self.ended.count(one.last.unwrap_or(Outcome::Cancelled));
                }
            }
        }
    }

    fn settle(&mut self, input: &mut Input<'_>) {
        let Some(at) = input.index(self.running.len()) else { return };
        let kind = input.byte();
        let report = match kind % 8 {
            0 | 1 => Report::new(Outcome::Success),
            2 => Report::new(Outcome::Failure),
            3 => Report::new(Outcome::Failure).not_retryable(),
            4 => Report::timed_out(),
            5 => Report::new(Outcome::Ignored),
            6 => Report::new(Outcome::Ignored).retry_after(Duration::from_millis(u64::from(kind / 8))),
            _ => Report::new(Outcome::Cancelled),
        };
        let now = self.instant();
        let one = &mut self.running[at];
        let Some(attempt) = one.attempt.take() else { return };
        if kind > 250 {
            // The attempt is dropped: a probe comes back, and the call goes on.
            return;
        }
        let settled = one.call.settle(attempt, report, now);
        self.ended.timeouts += u64::from(kind % 8 == 4);
        if !one.is_open {
            assert_eq!(settled.verdict, Verdict::Done);
            return;
        }
        one.last = Some(report.outcome());
        match settled.verdict {
            Verdict::RetryAfter(delay) => {
                assert!(matches!(kind % 8, 2 | 4 | 6) && one.attempts < self.attempts);
                let start = now.saturating_add(delay);
                assert!(!one.call.deadline().is_expired(start), "a retry starts before the deadline");
                assert!(settled.budget.is_none(), "a call that goes on is not judged yet");
                return;
            }
            Verdict::GaveUp(reason) => match reason {
                GiveUp::NotRetryable => assert_eq!(kind % 8, 3),
                GiveUp::Attempts => assert!(one.attempts >= self.attempts),
                GiveUp::BreakerOpen => assert!(self.guard.breaker().is_some()),
                _ => assert!(one.attempts < self.attempts),
            },
            Verdict::Done => assert!(matches!(kind % 8, 0 | 1 | 5 | 7)),
        }
        one.is_open = false;
        self.ended.count(report.outcome());
    }

    fn poll(&mut self, input: &mut Input<'_>) {
        let Some(at) = input.index(self.line.len()) else { return };
        let now = self.instant();
        let waiting = &mut self.line[at];
        let due = waiting.deadline();
        match waiting.poll(Waker::noop(), now) {
            Poll::Pending => assert!(now < due, "a wait that is over is not pending"),
            Poll::Ready(Ok(call)) => {
                drop(self.line.remove(at));
                let deadline = call.deadline();
                let millis = deadline.moment().as_nanos() / MILLI;
                self.start(call, (!deadline.is_none()).then_some(millis));
            }
            Poll::Ready(Err(rejected)) => {
                assert!(now >= due, "a wait ends when it is due");
                drop(self.line.remove(at));
                self.refuse(rejected);
            }
        }
    }

    fn compare(&self) {
        if let Some(bulkhead) = self.guard.bulkhead() {
            let seen = bulkhead.snapshot();
            let served = self.line.len().saturating_sub(seen.waiting as usize);
            assert_eq!(seen.in_use as usize, self.running.len() + served);
            assert!(seen.in_use <= self.slots && seen.waiting <= self.seats);
        }
        let open = self.running.iter().filter(|one| one.is_open).count() as u64 + self.line.len() as u64;
        let stats = self.guard.stats();
        let over = stats.successes + stats.failures + stats.ignored + stats.cancelled + stats.rejected();
        assert_eq!(over + open, self.asked, "each call ends once");
        self.balance();
        let Some(&newest) = self.spent.last() else { return };
        for &since in &self.spent {
            let calls = self.spent.iter().filter(|&&at| since <= at && at <= newest).count() as u64;
            let most = u64::from(self.burst) + newest.saturating_sub(since) / 8;
            assert!(calls <= most + self.given_back(), "{calls} calls from {since} ms to {newest} ms");
        }
    }

    /// Calls that gave their tokens back may have held them while others could not take them.
    fn given_back(&self) -> u64 {
        self.asked - self.spent.len() as u64
    }

    fn balance(&self) {
        let stats = self.guard.stats();
        let Ended { successes, failures, ignored, cancelled, retries, timeouts } = self.ended;
        assert_eq!((stats.successes, stats.failures), (successes, failures));
        assert_eq!((stats.ignored, stats.cancelled), (ignored, cancelled));
        assert_eq!((stats.retries, stats.timeouts), (retries, timeouts));
        let Refused { limiter, bulkhead, breaker, deadline } = self.refused;
        assert_eq!(
            (stats.rejected_by(Pattern::RateLimiter), stats.rejected_by(Pattern::Bulkhead)),
            (limiter, bulkhead)
        );
        assert_eq!(
            (stats.rejected_by(Pattern::CircuitBreaker), stats.rejected_by(Pattern::Deadline)),
            (breaker, deadline)
        );
    }
}

impl Ended {
    fn count(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Success => self.successes += 1,
            Outcome::Failure => self.failures += 1,
            Outcome::Ignored => self.ignored += 1,
            _ => self.cancelled += 1,
        }
    }
}
