//! The inputs of a log, given to a guard again.

use core::fmt;
use core::task::{Poll, Waker};

use super::entry::{AttemptId, CallId, Decision, Entry, Input};
use super::recorder::{refused, started, steer};
use crate::guard::{self, Attempt, Begin, Call, Guard, Waiting};
use crate::time::Instant;

/// A place for a call or an attempt that is under way in a replay.
#[derive(Debug, Default)]
pub struct Live<'g, const WAITERS: usize, const SLOTS: usize>(Place<'g, WAITERS, SLOTS>);

#[derive(Debug, Default)]
enum Place<'g, const WAITERS: usize, const SLOTS: usize> {
    #[default]
    Free,
    Waiting(CallId, Waiting<'g, WAITERS, SLOTS>),
    Call(CallId, Call<'g, WAITERS, SLOTS>),
    Attempt(AttemptId, Attempt<'g, SLOTS>),
}

/// There are more calls and attempts under way than there are places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfPlaces;

impl fmt::Display for OutOfPlaces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad("more calls are under way than there are places for")
    }
}

impl core::error::Error for OutOfPlaces {}

/// Gives a guard the inputs of a log, and returns its decisions.
///
/// The guard must be new, of the log's policy and sizes, and of the [`Layout`](super::Layout) of the log: then the decisions
/// are the recorded ones, bit for bit.
/// The [module](super) has an example.
#[derive(Debug)]
pub struct Replay<'g, 's, const WAITERS: usize, const SLOTS: usize> {
    guard: &'g Guard<WAITERS, SLOTS>,
    live: &'s mut [Live<'g, WAITERS, SLOTS>],
}

impl<'g, 's, const WAITERS: usize, const SLOTS: usize> Replay<'g, 's, WAITERS, SLOTS> {
    /// A replay on `guard`, with a place in `live` for each call and each attempt that is under way at a time.
    pub const fn new(guard: &'g Guard<WAITERS, SLOTS>, live: &'s mut [Live<'g, WAITERS, SLOTS>]) -> Self {
        Self { guard, live }
    }

    /// Gives the guard the input of `entry`, and returns its decision.
    ///
    /// # Errors
    ///
    /// [`OutOfPlaces`]; the guard was not asked then.
    pub fn step(&mut self, entry: &Entry) -> Result<Decision, OutOfPlaces> {
        let (guard, now) = (self.guard, entry.at);
        let begins =
            matches!(entry.input, Input::TryBegin { .. } | Input::Begin { .. } | Input::Attempt { .. });
        if begins && !self.live.iter().any(|live| matches!(live.0, Place::Free)) {
            return Err(OutOfPlaces);
        }
        // What was admitted then and is not now leaves no call, and what was not admitted then leaves none either.
        let (call, attempt) = match entry.decision {
            Decision::Admitted { call } | Decision::Waiting { call, .. } => (Some(call), None),
            Decision::Started { attempt, .. } => (None, Some(attempt)),
            _ => (None, None),
        };
        Ok(match entry.input {
            Input::TryBegin { deadline } => match guard.try_begin(deadline, now) {
                Ok(admitted) => self.enter(call, admitted),
                Err(rejected) => refused(rejected),
            },
            Input::Begin { deadline } => match guard.begin(deadline, now) {
                Ok(Begin::Started(admitted)) => self.enter(call, admitted),
                Ok(Begin::Waiting(waiting)) => {
                    let (call, until) = (call.unwrap_or(CallId(u32::MAX)), waiting.deadline());
                    self.put(Place::Waiting(call, waiting));
                    Decision::Waiting { call, until }
                }
                Err(rejected) => refused(rejected),
            },
            Input::Poll { call } => self.poll(call, now),
            Input::CancelWaiting { call } => done(self.take_waiting(call).map(|waiting| waiting.cancel(now))),
            Input::DropWaiting { call } => done(self.take_waiting(call).map(drop)),

            Input::Attempt { call } => self.attempt(call, attempt, now),
            Input::Settle { call, attempt, report } => {
                let Some(attempt) = self.take_attempt(attempt) else { return Ok(Decision::Astray) };
                match self.call(call) {
                    Some(call) => Decision::Settled(call.settle(attempt, report, now)),
                    None => Decision::Astray,
                }
            }
            Input::DropAttempt { attempt } => done(self.take_attempt(attempt).map(drop)),

            Input::Cancel { call } => done(self.take_call(call).map(|call| call.cancel(now))),
            Input::Drop { call } => done(self.take_call(call).map(drop)),

            Input::Trip | Input::Reset | Input::ForceOpen | Input::ForceClosed => {
                Decision::Transition(steer(guard, entry.input, now))
            }
            Input::CheckBudget => Decision::Edge(guard.error_budget().and_then(|budget| budget.check(now))),
        })
    }

    /// Keeps an admitted call under the number that the log gave it; one that the log rejected is over at once.
    fn enter(&mut self, id: Option<CallId>, call: Call<'g, WAITERS, SLOTS>) -> Decision {
        let Some(id) = id else { return Decision::Admitted { call: CallId(u32::MAX) } };
        self.put(Place::Call(id, call));
        Decision::Admitted { call: id }
    }

    fn poll(&mut self, id: CallId, now: Instant) -> Decision {
        let waits =
            |live: &&mut Live<'g, WAITERS, SLOTS>| matches!(&live.0, Place::Waiting(it, _) if *it == id);
        let Some(live) = self.live.iter_mut().find(waits) else { return Decision::Astray };
        let Place::Waiting(_, waiting) = &mut live.0 else { return Decision::Astray };
        match waiting.poll(Waker::noop(), now) {
            Poll::Pending => Decision::Pending,
            Poll::Ready(Ok(call)) => {
                live.0 = Place::Call(id, call);
                Decision::Admitted { call: id }
            }
            Poll::Ready(Err(rejected)) => {
                live.0 = Place::Free;
                refused(rejected)
            }
        }
    }

    fn attempt(&mut self, call: CallId, id: Option<AttemptId>, now: Instant) -> Decision {
        let Some(call) = self.call(call) else { return Decision::Astray };
        let result = call.try_attempt(now);
        let decision =
            started(result.as_ref().map_err(|rejected| *rejected), call, id.unwrap_or(AttemptId(u32::MAX)));
        if let (Ok(attempt), Some(id)) = (result, id) {
            self.put(Place::Attempt(id, attempt));
        }
        decision
    }

    fn put(&mut self, place: Place<'g, WAITERS, SLOTS>) {
        if let Some(live) = self.live.iter_mut().find(|live| matches!(live.0, Place::Free)) {
            live.0 = place;
        }
    }

    fn call(&mut self, id: CallId) -> Option<&mut guard::Call<'g, WAITERS, SLOTS>> {
        self.live.iter_mut().find_map(|live| match &mut live.0 {
            Place::Call(it, call) if *it == id => Some(call),
            _ => None,
        })
    }

    fn take(&mut self, wanted: impl Fn(&Place<'g, WAITERS, SLOTS>) -> bool) -> Place<'g, WAITERS, SLOTS> {
        let live = self.live.iter_mut().find(|live| wanted(&live.0));
        live.map_or(Place::Free, |live| core::mem::take(&mut live.0))
    }

    fn take_call(&mut self, id: CallId) -> Option<Call<'g, WAITERS, SLOTS>> {
        match self.take(|place| matches!(place, Place::Call(it, _) if *it == id)) {
            Place::Call(_, call) => Some(call),
            _ => None,
        }
    }

    fn take_waiting(&mut self, id: CallId) -> Option<Waiting<'g, WAITERS, SLOTS>> {
        match self.take(|place| matches!(place, Place::Waiting(it, _) if *it == id)) {
            Place::Waiting(_, waiting) => Some(waiting),
            _ => None,
        }
    }

    fn take_attempt(&mut self, id: AttemptId) -> Option<Attempt<'g, SLOTS>> {
        match self.take(|place| matches!(place, Place::Attempt(it, _) if *it == id)) {
            Place::Attempt(_, attempt) => Some(attempt),
            _ => None,
        }
    }
}

/// What is left of something that ended without a decision, if it was there.
fn done(ended: Option<()>) -> Decision {
    ended.map_or(Decision::Astray, |()| Decision::Nothing)
}
