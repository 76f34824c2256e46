//! The health check against a list of results.
#![cfg(not(loom))]
#![allow(missing_docs)]

use core::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use seawall_core::Instant;
use seawall_core::health::check::{Config, HealthCheck, Status};

const MILLI: u64 = 1_000_000;

#[derive(Clone, Copy, Debug)]
enum Step {
    Record { success: bool, took: u64 },
    Expire,
    Reset,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (any::<bool>(), 0_u64..40).prop_map(|(success, took)| Step::Record { success, took }),
        2 => Just(Step::Expire),
        1 => Just(Step::Reset),
    ]
}

/// What the documentation says, with exact time and no packing.
struct Model {
    rise: u32,
    fall: u32,
    stale: u64,
    status: Status,
    row: (bool, u32),
    newest: Option<u64>,
}

impl Model {
    fn go_stale(&mut self, now: u64) {
        if self.newest.is_some_and(|newest| now - newest >= self.stale) {
            (self.status, self.row) = (Status::Unknown, (true, 0));
        }
    }

    fn record(&mut self, success: bool, started: u64, now: u64) {
        self.go_stale(now);
        if now - started >= self.stale || self.newest.is_some_and(|newest| started < newest) {
            return;
        }
        self.newest = Some(started);
        self.row = if self.row.0 == success { (success, self.row.1 + 1) } else { (success, 1) };
        if success && self.row.1 >= self.rise {
            self.status = Status::Healthy;
        } else if !success && self.row.1 >= self.fall {
            self.status = Status::Unhealthy;
        }
    }
}

proptest! {
    // Whole milliseconds: a tick of the narrow layout is finer than that for a stale time of this size.
    #[test]
    fn status_and_edges_equal_the_model(
        rise in 1_u32..5,
        fall in 1_u32..5,
        stale in 1_u64..60,
        steps in vec((0_u64..30, step()), 1..300),
    ) {
        let config = Config::new().rise(rise).fall(fall).stale_after(Duration::from_millis(stale));
        let check = HealthCheck::<0>::new(config);
        let mut model = Model { rise, fall, stale, status: Status::Unknown, row: (true, 0), newest: None };
        let (mut now, mut told) = (100, Status::Unknown);
        for (pause, step) in steps {
            now += pause;
            let at = Instant::from_nanos(now * MILLI);
            let edge = match step {
                Step::Record { success, took } => {
                    model.record(success, now - took, now);
                    check.record(success, Instant::from_nanos((now - took) * MILLI), at)
                }
                Step::Expire => {
                    model.go_stale(now);
                    check.expire(at)
                }
                Step::Reset => {
                    (model.status, model.row, model.newest) = (Status::Unknown, (true, 0), Some(now));
                    check.reset(at)
                }
            };
            prop_assert_eq!(check.status(at), model.status);
            prop_assert_eq!(edge.map(|edge| (edge.from, edge.to)), (told != model.status).then_some((told, model.status)));
            told = model.status;
            let seen = check.snapshot(at);
            let in_row = if model.row.0 { seen.successes_in_row } else { seen.failures_in_row };
            prop_assert_eq!((seen.status, in_row), (model.status, model.row.1));
        }
    }
}
