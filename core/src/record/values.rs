//! The public values that a log names.

use super::decode::Fault;
use super::wire::{Reader, Wire, Writer};
use crate::admission::adaptive_concurrency::Rejected as TooMany;
use crate::admission::bulkhead::Rejected as NoSlot;
use crate::admission::circuit_breaker::{Cause, Reason, Rejected as Refused, State, Transition};
use crate::admission::keyed::Rejected as OfKey;
use crate::admission::keyed::circuit_breaker::Rejected as ByKey;
use crate::admission::load_shedder::{Priority, Rejected as Shed};
use crate::admission::rate_limiter::Rejected as Limited;
use crate::attempt::deadline::Deadline;
use crate::attempt::retry::GiveUp;
use crate::guard::{Rejected, Settled, Verdict};
use crate::health::degradation::Level;
use crate::health::error_budget::Edge;
use crate::outcome::Outcome;
use crate::ratio::Ratio;
use crate::time::Instant;

/// No deadline is the most usual one, and one byte.
impl Wire for Deadline {
    fn put(&self, out: &mut Writer<'_>) {
        let moment = (!self.is_none()).then(|| self.moment());
        moment.put(out);
    }

    fn get(input: &mut Reader<'_>) -> Result<Self, Fault> {
        match Option::<Instant>::get(input)? {
            None => Ok(Self::NONE),
            Some(Instant::NEVER) => Err(Fault::Value),
            Some(moment) => Ok(Self::at(moment)),
        }
    }
}

impl Wire for Ratio {
    fn put(&self, out: &mut Writer<'_>) {
        (self.numerator(), self.denominator()).put(out);
    }

    fn get(input: &mut Reader<'_>) -> Result<Self, Fault> {
        let (numerator, denominator) = Wire::get(input)?;
        Self::try_new(numerator, denominator).map_err(|_| Fault::Value)
    }
}

wire_enum!(Outcome { 0: Success, 1: Failure, 2: Ignored, 3: Cancelled, 4: Slow });

wire_enum!(State { 0: Closed, 1: HalfOpen, 2: Open });

wire_enum!(Cause {
    1: ConsecutiveFailures { failures },
    2: FailureRate { calls, failures },
    3: OpenTimeOver,
    4: ProbesFailed { failures },
    5: ProbesSucceeded { successes },
    6: Manual,
    7: SlowCallRate { calls, slow },
    8: ProbeRate { calls, failures },
});

wire_struct!(Transition { from, to, cause, generation });

wire_enum!(Edge { 0: Recovered, 1: Exhausted });

wire_enum!(GiveUp { 0: NotRetryable, 1: Attempts, 2: Deadline, 3: Delay, 4: Budget, 5: BreakerOpen });

wire_enum!(Limited { 0: Limited { retry_after }, 1: ExceedsBurst { cost, burst } });

wire_enum!(NoSlot {
    0: Full { in_use, capacity, waiting },
    1: QueueFull { waiting, max_waiting },
    2: WaitTimeout { waited },
    3: TooMany { requested, capacity },
    4: Closed,
    5: Settled,
});

wire_enum!(Reason { 0: Open, 1: ForcedOpen, 2: ProbesOut, 3: Ramping });

wire_struct!(Refused { state, reason, retry_after });
wire_enum!(Priority { 0: Low, 1: Normal, 2: High, 3: Critical });
wire_enum!(Level { 0: Normal, 1: Degraded, 2: SeverelyDegraded, 3: Emergency });

wire_struct!(Shed { priority, load, max_load });

wire_struct!(TooMany { in_flight, limit, is_probing });

wire_enum!(OfKey {
    0: Limited { retry_after },
    1: ExceedsBurst { cost, burst },
    2: TableFull { retry_after }
});

wire_enum!(ByKey { 0: Refused(rejected), 1: TableFull { retry_after } });

wire_enum!(Rejected {
    0: RateLimiter(rejected),
    1: Bulkhead(rejected),
    2: CircuitBreaker(rejected),
    3: DeadlineExpired,
    4: CallOver,
    5: LoadShedder(rejected),
    6: Degraded { level, priority },
    7: AdaptiveRate(rejected),
    8: AdaptiveConcurrency(rejected),
    9: KeyedRateLimiter(rejected),
    10: KeyedCircuitBreaker(rejected),
});

wire_enum!(Verdict { 0: Done, 1: RetryAfter(delay), 2: GaveUp(reason) });

wire_struct!(Settled { verdict, transition, budget });
