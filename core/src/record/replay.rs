//! The inputs of a log, given to a guard again.

use core::fmt;
use core::task::{Poll, Waker};

use super::entry::{AttemptId, CallId, Decision, Entry, Input};
use super::header::{Header, Layout};
use super::loose::started;
use super::steps::{change, refused, steer};
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

/// Why a guard cannot replay a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mismatch {
    /// The log was written on words of another width.
    Layout(Layout),
    /// The log's guard had so many slots for waiters, which is more.
    Waiters(u32),
    /// The log's guard had another number of buckets.
    Slots(u32),
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Layout(Layout::Narrow) => f.pad("the log was written on words of 32 bits"),
            Self::Layout(Layout::Wide) => f.pad("the log was written on words of 64 bits"),
            Self::Waiters(waiters) => write!(f, "the log's guard had {waiters} slots for waiters"),
            Self::Slots(slots) => write!(f, "the log's guard had {slots} buckets in its windows"),
        }
    }
}

impl core::error::Error for Mismatch {}

/// Gives a guard the inputs of a log, and returns its decisions.
///
/// The guard must be new and of the log's policy ([`Header::policy_of_size`]): then the decisions are the recorded ones, bit
/// for bit.
/// The [module](super) has an example.
#[derive(Debug)]
pub struct Replay<'g, 's, const WAITERS: usize, const SLOTS: usize> {
    guard: &'g Guard<WAITERS, SLOTS>,
    live: &'s mut [Live<'g, WAITERS, SLOTS>],
}

impl<'g, 's, const WAITERS: usize, const SLOTS: usize> Replay<'g, 's, WAITERS, SLOTS> {
    /// A replay on `guard`, with a place in `live` for each call and each attempt that is under way at a time.
    ///
    /// The guard may have more slots for waiters than the log's had; those are taken out of use.
    ///
    /// # Errors
    ///
    /// [`Mismatch`] if this guard, on this build, would decide otherwise.
    pub fn try_new(
        header: &Header,
        guard: &'g Guard<WAITERS, SLOTS>,
        live: &'s mut [Live<'g, WAITERS, SLOTS>],
    ) -> Result<Self, Mismatch> {
        if header.layout != Layout::THIS {
            return Err(Mismatch::Layout(header.layout));
        }
        if header.slots as usize != SLOTS {
            return Err(Mismatch::Slots(header.slots));
        }
        let Some(spare) = WAITERS.checked_sub(header.waiters as usize) else {
            return Err(Mismatch::Waiters(header.waiters));
        };
        if let Some(bulkhead) = guard.bulkhead() {
            bulkhead.retire_slots(spare);
        }
        Ok(Self { guard, live })
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
                    let until = waiting.deadline();
                    if let Some(call) = call {
                        self.put(Place::Waiting(call, waiting));
                    }
                    Decision::Waiting { call: call.unwrap_or(CallId::NONE), until }
                }
                Err(rejected) => refused(rejected),
            },
            Input::Poll { call } => {
                let decision = self.poll(call, now);
                if matches!(entry.decision, Decision::Rejected { .. }) {
                    // The log says nothing of it from here on.
                    self.leave(call);
                }
                decision
            }
            Input::CancelWaiting { call } => self.end(call, |place| match place {
                Place::Waiting(_, waiting) => {
                    waiting.cancel(now);
                    Some(())
                }
                _ => None,
            }),
            Input::DropWaiting { call } => {
                self.end(call, |place| matches!(place, Place::Waiting(..)).then_some(()))
            }

            Input::Attempt { call } => self.attempt(call, attempt, now),
            Input::Settle { call, attempt, report } => {
                let Some(attempt) = self.take_attempt(attempt) else { return Ok(Decision::Astray) };
                match self.call(call) {
                    Some(call) => Decision::Settled(call.settle(attempt, report, now)),
                    None => Decision::Astray,
                }
            }
            Input::DropAttempt { attempt } => match self.take_attempt(attempt) {
                Some(_) => Decision::Nothing,
                None => Decision::Astray,
            },

            Input::Cancel { call } => self.end(call, |place| match place {
                Place::Call(_, call) => {
                    call.cancel(now);
                    Some(())
                }
                _ => None,
            }),
            Input::Drop { call } => self.end(call, |place| matches!(place, Place::Call(..)).then_some(())),

            Input::Trip
            | Input::Reset
            | Input::ForceOpen
            | Input::ForceClosed
            | Input::ShadowBreaker { .. } => Decision::Transition(steer(guard, entry.input, now)),
            Input::SetShadow { .. } | Input::Resize { .. } | Input::Close => {
                Decision::Was(change(guard, entry.input))
            }
            Input::CheckBudget => Decision::Edge(guard.error_budget().and_then(|budget| budget.check(now))),
        })
    }

    /// Keeps an admitted call under the number that the log gave it; one that the log rejected is over at once.
    fn enter(&mut self, id: Option<CallId>, call: Call<'g, WAITERS, SLOTS>) -> Decision {
        let Some(id) = id else { return Decision::Admitted { call: CallId::NONE } };
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
            started(result.as_ref().map_err(|rejected| *rejected), call, id.unwrap_or(AttemptId::NONE));
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

    /// Takes what is under way under this number, whatever it is.
    fn leave(&mut self, id: CallId) -> Place<'g, WAITERS, SLOTS> {
        self.take(|place| matches!(place, Place::Waiting(it, _) | Place::Call(it, _) if *it == id))
    }

    /// Ends what is under way under this number; it has gone astray if that is not what the log ended.
    fn end(&mut self, id: CallId, end: impl FnOnce(Place<'g, WAITERS, SLOTS>) -> Option<()>) -> Decision {
        end(self.leave(id)).map_or(Decision::Astray, |()| Decision::Nothing)
    }

    fn take_attempt(&mut self, id: AttemptId) -> Option<Attempt<'g, SLOTS>> {
        match self.take(|place| matches!(place, Place::Attempt(it, _) if *it == id)) {
            Place::Attempt(_, attempt) => Some(attempt),
            _ => None,
        }
    }
}
