//! An operation with a timeout whose timer is armed late.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use pin_project_lite::pin_project;
use seawall_core::{Clock, Deadline};
use tokio::time::Sleep;

use super::running::Ended;
use super::{Attempt, Classify};

/// Runs one attempt of `operation` until it returns, panics, or its time is over, which was `limit` at its start.
pub(super) async fn timed<T, E, Fut>(
    operation: &mut impl FnMut(Attempt) -> Fut,
    about: Attempt,
    limit: Duration,
    clock: &impl Clock,
    classify: &impl Classify<T, E>,
) -> Ended<T, E>
where
    Fut: Future<Output = Result<T, E>>,
{
    let inner = match catch_unwind(AssertUnwindSafe(|| operation(about))) {
        Ok(inner) => inner,
        Err(payload) => return Ended::Panicked(payload),
    };
    Timed { inner, timer: None, deadline: about.deadline(), limit, clock, classify }.await
}

pin_project! {
    struct Timed<'a, Fut, C, K> {
        #[pin]
        inner: Fut,
        // Armed when the operation is first pending: an operation that is ready at once costs no timer.
        #[pin]
        timer: Option<Sleep>,
        deadline: Deadline,
        limit: Duration,
        clock: &'a C,
        classify: &'a K,
    }
}

impl<T, E, Fut, C, K> Future for Timed<'_, Fut, C, K>
where
    Fut: Future<Output = Result<T, E>>,
    C: Clock,
    K: Classify<T, E>,
{
    type Output = Ended<T, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        // The operation is asked first, so a result and the deadline in one moment is a result.
        match catch_unwind(AssertUnwindSafe(|| this.inner.as_mut().poll(cx))) {
            Ok(Poll::Ready(result)) => return Poll::Ready(Ended::of(|| result, *this.classify)),
            Ok(Poll::Pending) => {}
            Err(payload) => return Poll::Ready(Ended::Panicked(payload)),
        }
        let deadline = *this.deadline;
        if deadline == Deadline::NONE {
            return Poll::Pending;
        }
        if this.timer.is_none() {
            let remaining = deadline.remaining(this.clock.now());
            this.timer.set(Some(tokio::time::sleep(remaining)));
        }
        if let Some(timer) = this.timer.as_mut().as_pin_mut() {
            ready!(timer.poll(cx));
        }
        Poll::Ready(Ended::timed_out(*this.limit, *this.classify))
    }
}
