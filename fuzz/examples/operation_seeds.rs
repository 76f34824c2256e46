//! Writes the hand-made part of the corpora of operations: one file for each story that has a name.
//! Run it in this folder after an operation was added; the numbers are what the target's `check` reads, in its order.

use std::fs;
use std::io;
use std::path::Path;

/// A number of any size: its bits, and the bytes that fill them from the top.
macro_rules! long {
    ($bits:literal) => {
        [$bits, 0, 0, 0, 0, 0, 0, 0, 0x80]
    };
}

const STORIES: &[(&str, &str, &[&[u8]])] = &[
    // Tokens, period, burst; start; operations.
    (
        "rate_limiter",
        "burst-and-wait",
        &[&[1, 1, 1, 1, 4], &long!(40), &[0, 0, 0, 0, 0, 0, 11, 0, 0, 11, 1, 0]],
    ),
    ("rate_limiter", "refunds", &[&[1, 3, 1, 1, 4], &long!(30), &[0, 0, 0, 6, 0, 6, 1, 0, 9, 200, 0, 6, 0]]),
    ("rate_limiter", "undo", &[&[1, 0, 1, 1, 8], &long!(33), &[0, 5, 30, 7, 0, 7, 0, 0, 0, 7, 1]]),
    (
        "rate_limiter",
        "steps-back",
        &[&[1, 9, 1, 1, 2], &long!(50), &[0, 0, 0, 10, 232, 3, 0, 11, 0, 10, 0, 9, 0, 9, 100, 0, 0]],
    ),
    // Capacity, seats, longest wait; operations.
    ("bulkhead", "three-permits-in-turn", &[&[3, 3, 250], &[0, 1, 2, 3, 2, 1, 4, 0, 4, 1, 7, 0, 4, 0, 4, 1]]),
    ("bulkhead", "head-leaves", &[&[3, 3, 250], &[0, 1, 2, 3, 2, 1, 4, 0, 4, 1, 6, 0, 4, 0]]),
    ("bulkhead", "too-late", &[&[1, 2, 5], &[0, 1, 2, 1, 2, 1, 4, 0, 10, 9, 4, 0, 7, 0, 4, 1]]),
    ("bulkhead", "shrinks-and-grows", &[&[4, 4, 250], &[0, 4, 2, 2, 2, 2, 9, 1, 7, 0, 4, 0, 9, 4, 4, 1]]),
    ("bulkhead", "closes", &[&[1, 3, 250], &[0, 1, 2, 1, 2, 1, 4, 0, 251, 4, 0, 4, 1, 2, 1]]),
    ("bulkhead", "tickets", &[&[2, 0, 0], &[0, 1, 0, 1, 8, 0, 8, 0, 8, 8, 0, 1]]),
    // Kind, width, start; operations.
    (
        "window",
        "rolls",
        &[&[0], &long!(30), &long!(40), &[0, 0, 4, 1, 1, 4, 2, 2, 4, 3, 3, 4, 4, 16, 1, 6, 31, 9, 0, 0]],
    ),
    (
        "window",
        "steps-back",
        &[&[0], &long!(20), &long!(45), &[0, 0, 4, 0, 1, 8, 5, 0, 1, 8, 200, 0, 1, 4, 4, 4]],
    ),
    ("window", "of-calls", &[&[1, 9], &[0, 8, 16, 24, 0, 1, 2, 8, 9, 7, 0, 16, 8, 8, 8, 8, 24]]),
    // Kind; operations.
    (
        "histogram",
        "values",
        &[&[0], &[0], &long!(10), &[1], &long!(20), &[3, 5, 1, 9, 7, 50, 5, 99, 4, 90, 1, 4, 10, 0]],
    ),
    (
        "histogram",
        "out-of-range",
        &[&[0], &[0], &long!(64), &[0], &long!(17), &[0], &long!(16), &[5, 100, 206, 7, 1]],
    ),
    (
        "histogram",
        "forgets",
        &[&[1], &long!(30), &long!(31), &[0], &long!(9), &[4, 0], &long!(5), &[4, 5, 9, 4, 4]],
    ),
    // Backoff; ratio, cap, free retries, attempts, start; operations.
    (
        "retry",
        "constant",
        &[
            &[0],
            &long!(20),
            &long!(20),
            &[0, 0, 0, 1, 2, 7],
            &[0; 5],
            &[3, 0, 1, 10, 3, 0],
            &long!(30),
            &[0, 0, 4],
        ],
    ),
    (
        "retry",
        "grows",
        &[
            &[2],
            &long!(20),
            &long!(20),
            &[232, 3, 1, 1, 1],
            &[0; 5],
            &[5, 0, 0, 0, 0, 1, 2, 4, 43],
            &long!(33),
            &[0, 4],
        ],
    ),
    (
        "retry",
        "decorrelated",
        &[
            &[4],
            &long!(20),
            &long!(20),
            &[0, 0, 0, 1, 2, 20],
            &[0; 5],
            &[9, 0, 0, 0, 128, 0, 5, 3, 128],
            &long!(30),
        ],
    ),
    // Objective, width, short, minimum, factor, target, start; operations.
    (
        "error_budget",
        "spends",
        &[
            &[1, 7, 0, 0, 0, 180],
            &long!(30),
            &[1, 3, 4, 0, 0, 0, 144],
            &long!(20),
            &long!(33),
            &[0],
            &long!(10),
            &[3],
            &long!(30),
            &[5, 3],
            &long!(3),
            &[5, 5, 5],
        ],
    ),
    (
        "error_budget",
        "whole",
        &[
            &[0, 1, 0, 0, 0, 128],
            &long!(20),
            &[0, 0, 4, 0, 0, 0, 160],
            &long!(20),
            &long!(33),
            &[3],
            &long!(10),
            &[5, 5, 5, 5],
        ],
    ),
    // Rise, fall, stale, width, rate, start; operations.
    (
        "health_check",
        "rises-and-falls",
        &[&[1, 2, 40, 20, 0, 0, 1], &[0, 4, 6, 5, 0, 0, 6, 5, 2, 0, 6, 5, 2, 0, 2, 0, 6, 90, 0, 0]],
    ),
    (
        "health_check",
        "rate",
        &[&[0, 3, 59, 59, 1, 50, 4, 0, 1], &[0, 0, 2, 0, 0, 0, 2, 0, 2, 0, 6, 30, 0, 0, 6, 200, 133, 0, 0]],
    ),
    ("health_check", "late-result", &[&[0, 0, 50, 10, 0, 0, 1], &[0, 4, 2, 120, 6, 9, 2, 0, 0, 60]]),
    // Members, rule; operations.
    ("composite", "quorum", &[&[3, 2, 2], &[1, 0, 1, 2, 0, 0, 2, 9, 255, 1, 0, 251, 0, 4, 0, 1, 0, 2]]),
    ("composite", "all", &[&[32, 0], &[1, 0, 1, 31, 0, 5, 1, 39, 253]]),
    // Threshold, recovery, calm; operations.
    (
        "degradation",
        "by-a-measure",
        &[
            &long!(10),
            &[1, 7, 0, 0, 0, 160, 20],
            &[6, 4, 6, 2, 11, 30, 6, 0, 11, 30, 6, 0, 6, 200, 11, 40, 6, 0],
        ],
    ),
    (
        "degradation",
        "components",
        &[&long!(10), &[0, 1, 0, 0, 0, 128, 0], &[0, 0, 3, 1, 15, 1, 2, 0, 0, 133, 6, 4, 6, 0, 14, 13, 5]],
    ),
    // Maximum, width, start, seed; operations.
    (
        "load_shedder",
        "low-goes-first",
        &[
            &[7, 0, 0, 0, 200],
            &long!(30),
            &long!(31),
            &[1, 0, 0, 0],
            &[0, 0, 1, 6, 0, 0, 0, 128, 0, 0, 0, 0],
            &[0, 3, 1, 6, 0, 0, 0, 128, 0, 0, 0, 0, 6, 40, 7],
        ],
    ),
    // Weight, warm-up, tolerance, least spread; operations.
    (
        "change_detector",
        "an-outlier",
        &[
            &[4, 8, 3, 0, 0, 0, 192, 1, 0, 0, 0, 128],
            &[
                1, 20, 1, 22, 1, 19, 1, 21, 1, 20, 1, 18, 1, 22, 1, 20, 1, 23, 1, 90, 1, 21, 3, 2, 7, 255, 1,
                5,
            ],
        ],
    ),
    // Operations, each with a moment.
    (
        "event_ring",
        "goes-round",
        &[
            &[6],
            &long!(1),
            &[0, 9],
            &long!(2),
            &[19, 7],
            &long!(3),
            &[0, 7],
            &long!(3),
            &[0, 1],
            &long!(4),
            &[1, 3, 7],
            &long!(5),
            &[0],
        ],
    ),
    (
        "event_ring",
        "transitions",
        &[
            &[94],
            &long!(9),
            &[95],
            &long!(9),
            &[94],
            &long!(9),
            &[4],
            &long!(30),
            &[2],
            &long!(31),
            &[3],
            &long!(32),
        ],
    ),
    (
        "event_ring",
        "every-other-kind",
        &[
            &[204],
            &long!(1),
            &[1],
            &[205],
            &long!(2),
            &long!(32),
            &long!(5),
            &[2, 1, 2],
            &[205],
            &long!(3),
            &long!(3),
            &long!(3),
            &[0, 0, 1],
            &[200],
            &long!(4),
            &[1],
            &[201],
            &long!(5),
            &[0],
            &[202],
            &long!(6),
            &long!(32),
            &long!(31),
            &long!(64),
            &[202],
            &long!(7),
            &long!(7),
            &long!(6),
            &long!(25),
            &[203],
            &long!(8),
            &long!(4),
            &long!(3),
            &[4],
            &[6],
            &long!(9),
            &[0],
            &[7],
            &long!(9),
            &[0],
        ],
    ),
    // Parts, slots, seats, burst, attempts, failures; operations.
    (
        "guard",
        "calls",
        &[&[15, 2, 2, 4, 2, 2], &[0, 1, 3, 0, 5, 0, 0, 0, 1, 3, 0, 5, 0, 2, 3, 0, 5, 0, 4, 8, 0, 1, 11, 20]],
    ),
    (
        "guard",
        "waits",
        &[
            &[2, 0, 2, 0, 0, 0],
            &[0, 1, 0, 1, 0, 1, 9, 0, 3, 0, 5, 0, 0, 8, 0, 0, 9, 0, 10, 0, 1, 11, 30, 9, 0],
        ],
    ),
    (
        "guard",
        "breaker-opens",
        &[&[5, 0, 0, 7, 3, 0], &[2, 1, 3, 0, 5, 0, 2, 3, 0, 11, 40, 2, 1, 3, 0, 5, 0, 255, 8, 0, 0]],
    ),
    // Burst, what is forgiven, start; operations.
    (
        "keyed",
        "who-is-in-debt-stays",
        &[
            &[1, 0, 9, 0],
            &[0, 0, 2, 0, 1, 1, 0, 2, 1, 0, 3, 1, 0, 4, 1, 6, 0, 4, 1, 6, 0, 0, 1, 7, 9, 0, 4, 1],
        ],
    ),
    (
        "keyed",
        "one-is-forgiven",
        &[&[3, 1, 9, 0], &[0, 0, 1, 0, 1, 1, 0, 2, 1, 0, 3, 1, 0, 4, 1, 0, 0, 4, 0, 0, 1]],
    ),
    // Parts, pause, attempts, and what each part wants; start, calls, damage.
    (
        "record_replay",
        "three-calls",
        &[&[0], &long!(20), &[1], &long!(40), &[3], &[1, 0, 1, 1, 0, 2, 0], &[2, 0, 1, 2, 1, 3, 0, 1], &[0]],
    ),
    (
        "record_replay",
        "damaged",
        &[
            &[7],
            &long!(20),
            &[2, 4],
            &long!(33),
            &[2],
            &[1, 0, 1, 2, 1, 2, 2, 3, 0, 0, 1, 1, 0, 1],
            &[2, 30, 0, 7, 3, 1, 1, 9, 1],
        ],
    ),
    // Wake, rules, each with its kind, times, amount, chance and phase; seed; operations.
    (
        "chaos",
        "phases",
        &[
            &[0, 0, 2],
            &[33, 0, 0, 0, 0, 0, 0, 0, 0, 0, 90, 20, 0],
            &[19, 0, 0, 0, 0, 0, 0, 0, 0, 0, 90, 20, 0],
            &[1, 0, 0, 0],
            &[2, 80, 2, 8, 19, 2, 8, 2, 2, 14, 9, 2, 129, 2, 80, 2],
        ],
    ),
    (
        "chaos",
        "partition",
        &[
            &[0, 0, 2],
            &[4, 50, 0, 0, 0, 0, 0, 0, 0, 0, 200],
            &[1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 90],
            &[7, 0, 0, 0],
            &[80, 2, 2, 2, 2, 2, 8, 20, 2, 14, 9, 2, 8, 40, 2, 129, 80, 2],
        ],
    ),
    (
        "chaos",
        "before-it-was-armed",
        &[
            &[0, 0, 1],
            &[36, 100, 0, 0, 0, 0, 0, 0, 0, 0, 0, 200, 0],
            &[1, 0, 0, 0],
            &[80, 14, 20, 2, 8, 30, 2],
        ],
    ),
    (
        "chaos",
        "wake-and-along",
        &[
            &[30, 1, 3],
            &[1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 190],
            &[70, 10, 0, 0, 0, 8, 0, 0, 0, 1, 0],
            &[11, 0, 0, 0, 0, 0, 0, 0, 0, 0, 165, 90],
            &[3, 0, 0, 0],
            &[80, 2, 2, 2, 2, 2, 2, 2, 2, 8, 29, 2, 2, 2, 8, 200, 2, 2, 2, 2, 2],
        ],
    ),
    // Rules, open time; operations.
    (
        "keyed_breaker",
        "who-is-open-stays",
        &[
            &[0, 10],
            &[4, 0, 1, 4, 1, 1, 4, 2, 1, 4, 3, 1, 4, 4, 0, 13, 29, 4, 4, 0, 15, 4, 4, 0, 4, 0, 0, 4, 0, 0],
        ],
    ),
    (
        "keyed_breaker",
        "all-others-share",
        &[
            &[1, 10],
            &[4, 0, 1, 4, 1, 1, 4, 2, 1, 4, 3, 1, 4, 4, 1, 4, 5, 0, 0, 6, 15, 0, 6, 9, 0, 0, 4, 5, 0],
        ],
    ),
    (
        "keyed_breaker",
        "fewest-failures-go",
        &[
            &[6, 0],
            &[4, 0, 1, 4, 1, 1, 4, 1, 1, 4, 2, 0, 0, 3, 4, 4, 1, 4, 5, 1, 4, 6, 1, 9, 0, 1, 12, 1, 4, 7, 0],
        ],
    ),
    (
        "keyed_breaker",
        "probes-and-late-results",
        &[
            &[24, 5],
            &[0, 0, 4, 0, 1, 15, 0, 0, 0, 0, 0, 0, 9, 0, 1, 9, 0, 0, 11, 0, 15, 0, 0, 9, 1, 0, 9, 0, 0],
        ],
    ),
    (
        "keyed",
        "all-others-share-a-bucket",
        &[
            &[128, 0, 9, 0],
            &[
                0, 0, 2, 0, 1, 1, 0, 2, 1, 0, 3, 1, 0, 4, 1, 0, 5, 1, 0, 6, 2, 207, 4, 0, 6, 1, 6, 0, 4, 1,
                0, 4, 1,
            ],
        ],
    ),
];

fn main() -> io::Result<()> {
    for (target, name, parts) in STORIES {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(name), parts.concat())?;
    }
    Ok(())
}
