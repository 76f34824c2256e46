//! What must hold for any traffic and load: the least important calls are shed, as many as are too much, by exact shares.

use std::time::Duration;

use seawall_core::Instant;
use seawall_core::load_shedder::{Config, LoadShedder, Priority};

use crate::input::Input;

const SLOTS: usize = 3;

/// Runs the script of `bytes` on a load shedder and on a list of the calls that came.
///
/// # Panics
///
/// If a call is shed that is not too much, or the other way round.
pub fn check(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let max_load = input.any_word();
    let width = input.long().clamp(1, 1 << 40);
    let span = Duration::from_nanos(width * SLOTS as u64);
    let shedder = LoadShedder::<SLOTS>::new(Config::new(max_load, span).seed(input.word()));
    let mut arrived: Vec<(u64, Priority)> = Vec::new();
    let mut counts = [(0_u64, 0_u64); 4];
    let mut now = input.start(width);
    while let Some(operation) = input.operation() {
        match operation % 8 {
            0..=5 => {
                let priority = input.pick(&Priority::ALL);
                let load =
                    if input.flag() { max_load.saturating_add(input.any_word()) } else { input.any_word() };
                let at = Instant::from_nanos(now);
                arrived.push((now / width, priority));
                arrived.retain(|(bucket, _)| bucket + SLOTS as u64 > now / width);
                let share = Share::of(&arrived, priority, load, max_load);
                let shed = if operation % 8 < 4 {
                    let draw = input.word();
                    let shed = shedder.try_admit_drawn(priority, load, draw, at).is_err();
                    assert_eq!(shed, share.takes(draw), "draw {draw} of {share:?}");
                    shed
                } else {
                    let shed = shedder.try_admit(priority, load, at).is_err();
                    assert!(share.takes(u32::MAX) || share.takes(0) || !shed, "nothing was to be shed");
                    assert!(!share.takes(u32::MAX) || shed, "all of it was to be shed");
                    shed
                };
                assert!(!shed || load > max_load, "up to the maximum nothing is shed");
                let count = &mut counts[priority as usize];
                if shed {
                    count.1 += 1;
                } else {
                    count.0 += 1;
                }
            }
            6 => now = now.saturating_add(width.saturating_mul(u64::from(input.byte())) / 32),
            _ => now = now.saturating_add(width),
        }
        for priority in Priority::ALL {
            let stats = shedder.stats(priority);
            assert_eq!((stats.admitted, stats.shed), counts[priority as usize]);
        }
    }
}

/// The calls of one class that are too much, times the load, of the class's calls, times the load.
#[derive(Debug)]
struct Share {
    too_many: i128,
    of: i128,
}

impl Share {
    fn of(arrived: &[(u64, Priority)], priority: Priority, load: u32, max_load: u32) -> Self {
        let count = |keep: &dyn Fn(Priority) -> bool| {
            i128::try_from(arrived.iter().filter(|&&(_, one)| keep(one)).count()).unwrap_or(0)
        };
        let (load, max_load) = (i128::from(load), i128::from(max_load));
        let too_much = count(&|_| true) * (load - max_load).max(0);
        let covered = count(&|one| one < priority) * load;
        Self { too_many: too_much - covered, of: count(&|one| one == priority) * load }
    }

    /// Whether a draw below the share is taken.
    fn takes(&self, draw: u32) -> bool {
        i128::from(draw) * self.of < self.too_many.max(0) << 32
    }
}
