//! Operations with a time limit, on embassy's timers.

use core::future::poll_fn;
use core::pin::{Pin, pin};
use core::task::Poll;

use embassy_time::{Instant as Tick, Timer};
use seawall_core::{Deadline, Instant};

use crate::clock::to_ticks;

/// A timer that fires when the moment has come.
fn timer(moment: Instant) -> Timer {
    Timer::at(Tick::from_ticks(to_ticks(moment.as_nanos())))
}

/// Waits until `moment`.
pub(crate) async fn sleep_until(moment: Instant) {
    timer(moment).await;
}

/// The operation's output, or `None` if the deadline came first.
///
/// The operation is asked first, so a result and the deadline in one moment is a result; and the timer is armed only when
/// the operation is first pending.
pub(crate) async fn until<F: Future>(deadline: Deadline, operation: F) -> Option<F::Output> {
    let mut operation = pin!(operation);
    let mut armed = None;
    poll_fn(|cx| {
        if let Poll::Ready(output) = operation.as_mut().poll(cx) {
            return Poll::Ready(Some(output));
        }
        if deadline.is_none() {
            return Poll::Pending;
        }
        let timer = armed.get_or_insert_with(|| timer(deadline.moment()));
        Pin::new(timer).poll(cx).map(|()| None)
    })
    .await
}
