//! What must hold for any quotas, one after the other: a limiter that changes keeps what is in its bucket.
//!
//! Under one quota the bucket is that of exact arithmetic. A change rounds down, to a unit or two, so from then on there are
//! two exact buckets, one as if nothing had been rounded and one as if two units were lost, and the limiter is between them;
//! both are one again when they are full. Until then what comes back is between nothing and all that was taken. On the narrow layout, where time itself is counted in long units, it is only
//! checked that no more is granted than there was and each rate gave.

use std::time::Duration;

use seawall_core::rate_limiter::adjustable::{Grant, Reservation};
use seawall_core::rate_limiter::{Quota, Rejected};
use seawall_core::{AdjustableRateLimiter, Instant};

use crate::input::Input;

#[path = "adjustable/oracle.rs"]
mod oracle;

use oracle::{Bucket, Rate, Spent};

/// Whether words have 32 bits.
const NARROW: bool = cfg!(any(seawall_word32, not(target_has_atomic = "64")));

/// The clock goes so far: the finest units of the wide layout wrap some thousand times.
const LAST: u64 = (1 << 62) + FIRST;
/// The clock begins here at least, beside the round moments at which units wrap: there a full bucket is so a unit later.
const FIRST: u64 = 12_345_678_901;
/// Reservations of the wide layout go so far ahead: nine minutes.
const REACH: u64 = 1 << 39;

/// Parts of a token in the books.
const TOKEN: i128 = 1 << 32;

/// Runs the script of `bytes` on a limiter and on two buckets around it.
///
/// # Panics
///
/// If the limiter holds more than the fuller bucket, or less than the other one.
pub fn check(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let rate = rate(&mut input);
    let Ok(limiter) = AdjustableRateLimiter::try_new(quota(rate)) else { panic!("{rate:?} is in order") };
    let now = FIRST + input.long() % (LAST / 2);
    let mut pair = Pair {
        limiter,
        ends: [Bucket::new(rate), Bucket::new(rate)],
        differ: false,
        changes: 0,
        now,
        newest: now,
        taken: Vec::new(),
        reserved: Vec::new(),
        shadow: false,
        books: Books { granted: 0, given: 0, least: i128::MAX, bursts: 0, reserves: false },
    };
    while let Some(operation) = input.operation() {
        pair.apply(operation, &mut input);
        pair.compare();
    }
}

/// A rate of which the wide layout rounds nothing.
fn rate(input: &mut Input<'_>) -> Rate {
    let tokens = if input.flag() { input.between(1, 10) } else { input.between(1, 255) * 4 };
    let period = match input.byte() % 4 {
        0 => 1_000_000,
        1 => 1_000_000_000,
        2 => 1_000 * (1 + u64::from(input.half())),
        _ => 60_000_000_000,
    };
    Rate { tokens, period, burst: input.between(1, 20) }
}

fn quota(rate: Rate) -> Quota {
    Quota::new(rate.tokens, Duration::from_nanos(rate.period)).burst(rate.burst)
}

/// What was granted against what the rates gave, in parts of a token.
struct Books {
    granted: i128,
    given: i128,
    least: i128,
    /// The largest burst so far.
    bursts: u32,
    /// Reservations start later than they are granted, so the bound ends with the first one.
    reserves: bool,
}

/// Tokens that were taken: of the limiter, and of both buckets.
struct Taken {
    grant: Grant,
    spent: [Spent; 2],
    /// Whether both buckets were one.
    is_exact: bool,
    /// After how many changes.
    changes: u32,
    cost: u32,
}

struct Reserved {
    reservation: Reservation,
    spent: [Spent; 2],
    is_exact: bool,
    changes: u32,
}

struct Pair {
    limiter: AdjustableRateLimiter,
    /// One rounded down at each change, and one not at all.
    ends: [Bucket; 2],
    /// Whether they are not known to be one.
    differ: bool,
    changes: u32,
    now: u64,
    newest: u64,
    taken: Vec<Taken>,
    reserved: Vec<Reserved>,
    shadow: bool,
    books: Books,
}

impl Pair {
    fn at(&self) -> Instant {
        Instant::from_nanos(self.now)
    }

    fn rate(&self) -> Rate {
        self.ends[0].rate
    }

    fn apply(&mut self, operation: u8, input: &mut Input<'_>) {
        match operation % 16 {
            0..=2 => self.take(1),
            3 => self.take(input.byte().into()),
            4 | 5 => {
                let (cost, wait) = (u32::from(input.byte() % 24), input.long() >> 26);
                self.reserve(cost, wait);
            }
            6 => {
                if let Some(at) = input.index(self.taken.len()) {
                    let taken = self.taken.swap_remove(at);
                    self.limiter.refund(taken.grant, self.at());
                    if taken.changes == self.changes {
                        self.books.granted -= i128::from(taken.cost) * TOKEN;
                        self.refund(&taken.spent, taken.is_exact);
                    }
                }
            }
            7 => {
                if let Some(at) = input.index(self.reserved.len()) {
                    let reserved = self.reserved.swap_remove(at);
                    self.cancel(reserved);
                }
            }
            8 => {
                if let Some(at) = input.index(self.reserved.len()) {
                    let Reserved { reservation, spent, is_exact, changes } = self.reserved.swap_remove(at);
                    let grant = reservation.into_grant();
                    self.taken.push(Taken { grant, spent, is_exact, changes, cost: 0 });
                }
            }
            9 | 10 => {
                let rate = if operation > 200 { self.rate() } else { rate(input) };
                self.change(rate);
            }
            11 if operation > 128 => {
                self.shadow = input.flag();
                self.limiter.set_shadow(self.shadow);
            }
            11 => {
                let invalid = quota(Rate { burst: 0, ..self.rate() });
                assert!(self.limiter.set_quota(invalid, self.at()).is_err());
            }
            12 | 13 => {
                let interval = self.rate().period / u64::from(self.rate().tokens);
                self.pass(interval * u64::from(input.byte()) / 32);
            }
            14 if operation > 128 => {
                // For eras: what was taken before is to be dropped, as its time may come again when units wrap.
                self.pass(input.long());
                self.taken.clear();
                self.reserved.clear();
            }
            14 => self.pass(input.long() >> 24),
            _ => {
                let back = input.long() >> 26;
                let most = if NARROW { 1_000 } else { REACH / 4 };
                self.now = self.now.saturating_sub(back).max(self.newest.saturating_sub(most)).max(FIRST);
            }
        }
    }

    fn pass(&mut self, nanos: u64) {
        let before = self.now;
        self.now = self.now.saturating_add(nanos).min(LAST);
        self.newest = self.newest.max(self.now);
        self.books.given += self.rate().given(self.now - before);
    }

    fn change(&mut self, rate: Rate) {
        self.limiter.set_quota(quota(rate), self.at()).expect("it is in order, and nobody else changes it");
        if rate == self.rate() {
            return;
        }
        self.changes += 1;
        for (bucket, lost) in self.ends.iter_mut().zip([2, 0]) {
            bucket.change(rate, lost, self.now);
        }
        self.differ |= self.ends[0].debt(self.now) != self.ends[1].debt(self.now);
    }

    fn take(&mut self, cost: u32) {
        self.books.bursts = self.books.bursts.max(self.rate().burst);
        self.books.least = self.books.least.min(self.books.granted - self.books.given);
        let answer = self.limiter.try_acquire_many(cost, self.at());
        if cost > self.rate().burst {
            if self.shadow {
                assert!(answer.is_ok_and(|grant| grant.would_reject()));
            } else {
                assert_eq!(answer, Err(Rejected::ExceedsBurst { cost, burst: self.rate().burst }));
            }
            return;
        }
        match answer {
            Ok(grant) if !grant.would_reject() => {
                let spent = self.spend(cost, 0);
                self.books.granted += i128::from(cost) * TOKEN;
                let (is_exact, changes) = (!self.differ, self.changes);
                self.taken.push(Taken { grant, spent, is_exact, changes, cost });
                // A token may come one unit early where units are long, and once more at each change.
                let slack = if NARROW { 1 + i128::from(self.changes) } else { 0 };
                let excess = self.books.granted - self.books.given - self.books.least;
                let most = (i128::from(self.books.bursts) + slack) * TOKEN;
                assert!(
                    self.books.reserves || excess <= most,
                    "{excess} parts of a token, where {most} were"
                );
            }
            Ok(_) => {
                assert!(self.shadow);
                self.refused(cost);
            }
            Err(rejected) => {
                assert!(!self.shadow);
                self.waits(cost, rejected);
                self.refused(cost);
            }
        }
    }

    /// The times until so many tokens are there.
    fn wait(&self, cost: u32) -> std::ops::RangeInclusive<u128> {
        let [one, other] = [0, 1].map(|end| self.ends[end].wait(cost, self.now));
        one.min(other)..=one.max(other)
    }

    /// The limiter took so many tokens, `wait` nanoseconds ahead of their time.
    fn spend(&mut self, cost: u32, wait: u64) -> [Spent; 2] {
        let soonest = *self.wait(cost).start();
        assert!(NARROW || soonest <= wait.into(), "the tokens are not there for {soonest} ns");
        let now = self.now;
        // Whoever takes from full buckets has both the same again.
        self.differ &= cost == 0 || self.ends.iter().any(|end| end.debt(now) > 0);
        self.ends.each_mut().map(|bucket| bucket.take(cost, wait, now))
    }

    /// The limiter had fewer tokens.
    fn refused(&mut self, cost: u32) {
        assert!(NARROW || *self.wait(cost).end() > 0, "{cost} tokens are there");
        for bucket in &mut self.ends {
            bucket.lacks(cost, self.now);
        }
    }

    /// Whether all of it comes back, if that is known.
    fn refund(&mut self, spent: &[Spent; 2], is_exact: bool) -> Option<bool> {
        if is_exact && !self.differ {
            let [all, _] = [0, 1].map(|end| self.ends[end].refund(&spent[end], self.now));
            return Some(all);
        }
        self.differ = true;
        self.ends[1].regain(&spent[1], self.now);
        None
    }

    fn waits(&self, cost: u32, rejected: Rejected) {
        let Rejected::Limited { retry_after: Some(wait) } = rejected else { panic!("{rejected:?}") };
        if !NARROW {
            let waits = self.wait(cost);
            assert!(waits.contains(&wait.as_nanos()), "{wait:?} is not in {waits:?}");
        }
    }

    fn reserve(&mut self, cost: u32, max_wait: u64) {
        let reserved = self.limiter.reserve(cost, Duration::from_nanos(max_wait), self.at());
        if cost > self.rate().burst {
            assert!(reserved.map_or(!self.shadow, |it| self.shadow && it.would_reject()));
            return;
        }
        match reserved {
            Ok(reservation) if !reservation.would_reject() => {
                let wait = reservation.wait(self.at());
                let wait = u64::try_from(wait.as_nanos()).expect("it is no longer than was said");
                assert!(wait <= max_wait);
                self.books.reserves = true;
                let spent = self.spend(cost, wait);
                let (is_exact, changes) = (!self.differ, self.changes);
                self.reserved.push(Reserved { reservation, spent, is_exact, changes });
            }
            Ok(_) => assert!(self.shadow),
            Err(_) => {
                assert!(!self.shadow);
                let longest = *self.wait(cost).end();
                assert!(
                    NARROW || longest > max_wait.into() || longest > REACH.into(),
                    "{longest} ns at most"
                );
                if max_wait == 0 {
                    self.refused(cost);
                }
            }
        }
    }

    fn cancel(&mut self, reserved: Reserved) {
        let Reserved { reservation, spent, is_exact, changes } = reserved;
        let in_time = self.at() <= reservation.ready_at() && changes == self.changes;
        let all = self.limiter.cancel(reservation, self.at());
        assert!(in_time || !all, "its time is over, or its quota");
        if in_time {
            let known = self.refund(&spent, is_exact);
            assert!(NARROW || known.is_none_or(|known| known == all), "{all} where it is {known:?}");
        }
    }

    fn compare(&mut self) {
        let seen = self.limiter.available(self.at());
        assert_eq!(self.limiter.quota(), quota(self.rate()));
        assert!(seen <= self.rate().burst);
        assert!(self.limiter.check(seen, self.at()).is_ok(), "what is available can be taken");
        assert!(self.limiter.check(seen + 1, self.at()).is_err(), "and no more");
        if NARROW {
            return;
        }
        let [one, other] = [0, 1].map(|end| self.ends[end].available(self.now));
        let ends = one.min(other)..=one.max(other);
        assert!(ends.contains(&seen), "{seen} tokens, where {ends:?} are");
        assert!(self.differ || one == other, "nothing is rounded");
    }
}
