use super::{Caller, ENDINGS, Ledger, Traffic, due_after, offer};
use crate::message::Message;
use crate::report::{Ending, Failure, Guarding, Rejection, Transition};
use proptest::prelude::*;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;
use tokio::time::Instant;

/// A peer that keeps what it was asked and when, and answers after a fixed time.
struct Slow {
    after: Duration,
    seen: Mutex<Vec<(u64, Instant)>>,
}

impl Caller for Slow {
    async fn call(&self, message: Message) -> Ending {
        self.seen.lock().unwrap().push((message.number(), Instant::now()));
        tokio::time::sleep(self.after).await;
        assert_ne!(message.number(), 13, "the thirteenth call panics");
        Ending::Succeeded
    }

    fn traffic(&self) -> Traffic {
        Traffic { retries: 2, on_wire: 3 }
    }

    fn guarding(&self) -> Option<Guarding> {
        None
    }

    fn news(&self) -> Vec<Transition> {
        Vec::new()
    }
}

#[tokio::test(start_paused = true)]
async fn the_rate_does_not_bend_to_a_slow_peer() {
    let caller = Arc::new(Slow { after: Duration::from_secs(3), seen: Mutex::default() });
    let ledger = Arc::new(Ledger::new(10));
    let start = Instant::now();
    offer(&caller, &ledger, 5, 10, start).await;

    let seen = caller.seen.lock().unwrap();
    assert_eq!(seen.len(), 10);
    for (place, (number, at)) in seen.iter().enumerate() {
        assert_eq!(*number, place as u64);
        let due = start + due_after(*number, 5);
        assert!(*at >= due && *at < due + Duration::from_millis(5), "message {number} was sent at its time");
    }
    let last = ledger.close(start, &*caller);
    assert_eq!(last.report.books.sent, 10);
    assert_eq!(last.report.books.succeeded, 10);
    assert_eq!(last.report.in_flight, 0);
    assert_eq!(last.fates, [(Some(Ending::Succeeded), 10)]);
    assert!(last.report.overall.p50_us >= 2_950_000, "waiting time is measured: {:?}", last.report.overall);
}

#[tokio::test(start_paused = true)]
async fn a_late_generator_catches_up_and_skips_nothing() {
    let caller = Arc::new(Slow { after: Duration::ZERO, seen: Mutex::default() });
    let ledger = Arc::new(Ledger::new(10));
    let start = Instant::now();
    tokio::time::advance(Duration::from_secs(1)).await;
    offer(&caller, &ledger, 10, 10, start).await;

    assert_eq!(ledger.books(Traffic::default()).sent, 10);
    let last = ledger.close(start, &*caller);
    assert!(last.report.overall.worst_us >= 990_000, "waiting counts from when the message was due");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_panics_is_missing_in_the_books() {
    let caller = Arc::new(Slow { after: Duration::ZERO, seen: Mutex::default() });
    let ledger = Arc::new(Ledger::new(20));
    let start = Instant::now();
    offer(&caller, &ledger, 1000, 20, start).await;

    let last = ledger.close(start, &*caller);
    assert_eq!(last.report.books.sent, 20);
    assert_eq!(last.report.books.settled(), 19);
    assert_eq!(last.report.in_flight, 1);
    assert_eq!(last.fates, [(Some(Ending::Succeeded), 13), (None, 1), (Some(Ending::Succeeded), 6)]);
}

fn quiet() -> Slow {
    Slow { after: Duration::ZERO, seen: Mutex::default() }
}

#[test]
fn the_recent_window_forgets_after_a_second() {
    let ledger = Ledger::new(2);
    let start = Instant::now();
    ledger.settle(0, Ending::Succeeded, Duration::from_millis(500));
    for _ in 0..10 {
        assert!(ledger.report(start, &quiet()).recent.worst_us >= 500_000);
    }
    assert_eq!(ledger.report(start, &quiet()).recent.worst_us, 0);
    assert!(ledger.report(start, &quiet()).overall.worst_us >= 500_000);
}

#[test]
fn a_rejection_is_no_waiting_time_and_no_attempt() {
    let ledger = Ledger::new(2);
    ledger.settle(0, Ending::Rejected(Rejection::Breaker), Duration::from_millis(500));
    ledger.settle(1, Ending::Failed(Failure::Timeout), Duration::from_millis(20));
    let report = ledger.report(Instant::now(), &quiet());
    assert!(report.overall.worst_us < 100_000);
    assert_eq!(report.books.attempted_calls, 1);
    assert_eq!((report.books.attempts, report.books.on_wire), (3, 3), "one and two retries");
    assert_eq!(report.books.amplification(), Some(3.0));
    assert_eq!(report.books.in_vain_us, 20_000, "only a call that failed waited in vain");
}

proptest! {
    /// Whatever the order of fates, doubles and strangers: one fate a message, and the sums agree with the fates.
    #[test]
    fn every_message_is_counted_once(
        settlements in prop::collection::vec((0_u64..40, 0..ENDINGS.len()), 0..120)
    ) {
        let ledger = Ledger::new(32);
        let mut first = [None; 32];
        let mut doubles = 0;
        for (number, ending) in settlements {
            let ending = ENDINGS[ending];
            ledger.settle(number, ending, Duration::from_millis(1));
            match first.get_mut(usize::try_from(number).unwrap()) {
                Some(slot @ None) => *slot = Some(ending),
                _ => doubles += 1,
            }
        }
        let books = ledger.books(Traffic::default());
        prop_assert_eq!(books.settled(), first.iter().flatten().count() as u64);
        prop_assert_eq!(books.counted_twice, doubles);
        let unrolled: Vec<_> =
            ledger.fates().into_iter().flat_map(|(fate, length)| (0..length).map(move |_| fate)).collect();
        prop_assert_eq!(&unrolled[..], &first[..]);
    }

    #[test]
    fn exactly_rate_messages_are_due_in_a_second(rate in 1_u32..20_000, second in 0_u64..600) {
        let from = u64::from(rate) * second;
        prop_assert_eq!(due_after(from, rate), Duration::from_secs(second));
        prop_assert!(due_after(from + u64::from(rate) - 1, rate) < Duration::from_secs(second + 1));
    }
}
