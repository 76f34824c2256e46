//! As `operation_seeds`, for what follows results and what is changed while it decides: one file for each story that has a name.
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
    // Kind, initial, lowest, highest, samples, window, backoff, increase; start; operations.
    (
        "adaptive_concurrency",
        "one-more-and-a-tenth-less",
        &[
            &[0, 4, 1, 32, 1, 10, 9, 2, 0, 0, 0, 128],
            &[0, 3, 8, 8, 7, 14, 1, 3, 9, 7, 0, 14, 1, 8, 9, 9, 0, 10, 0],
        ],
    ),
    (
        "adaptive_concurrency",
        "nobody-needs-it",
        &[&[0, 20, 1, 60, 1, 0, 9, 2, 0, 0, 0, 128], &[0, 0, 4, 0, 0, 4, 0, 0, 4, 0, 0, 4, 0]],
    ),
    // The rule of the gradient: tolerance, smoothing, windows between probes.
    (
        "adaptive_concurrency",
        "latency-doubles",
        &[&[1, 20, 1, 60, 4, 0, 9, 254, 1, 5, 0], &[3, 18, 11, 60, 10, 11, 120, 40, 8, 20]],
    ),
    (
        "adaptive_concurrency",
        "probes",
        &[&[17, 20, 2, 60, 1, 0, 9, 254, 1, 5, 20, 0], &[3, 18, 11, 200, 10, 11, 200, 20, 11, 100, 5]],
    ),
    (
        "adaptive_concurrency",
        "a-probe-that-calls-hold-up",
        &[&[17, 40, 2, 60, 1, 10, 9, 254, 1, 5, 4, 0], &[3, 30, 11, 40, 11, 3, 40, 14, 7, 0, 14, 9, 0, 0]],
    ),
    (
        "adaptive_concurrency",
        "steps-back",
        &[&[1, 8, 1, 60, 2, 20, 9, 254, 1, 5, 0], &[3, 8, 12, 50, 15, 40, 8, 8, 3, 4, 12, 200, 8, 9]],
    ),
    // Initial rate, bounds, burst, period, target, window, samples; start; operations.
    (
        "adaptive_rate",
        "falls-and-rises",
        &[
            &[1, 100, 1, 1, 20, 1, 1, 1, 4],
            &long!(31),
            &[6, 0, 13, 2, 0, 9, 9, 3, 0, 13, 0, 0, 6, 0, 2, 0, 0, 30, 2, 1, 90, 9, 3, 0, 2, 0, 0],
        ],
    ),
    (
        "adaptive_rate",
        "nobody-needs-it",
        &[&[1, 100, 1, 1, 20, 1, 1, 1, 1], &long!(31), &[3, 0, 2, 0, 0, 9, 3, 0, 2, 0, 0, 9, 3, 0, 2, 0, 0]],
    ),
    (
        "adaptive_rate",
        "failures-and-slow-answers",
        &[
            &[1, 100, 1, 1, 20, 1, 1, 1, 1],
            &long!(31),
            &[
                3, 0, 2, 0, 3, 10, 3, 0, 2, 0, 4, 10, 3, 0, 0, 0, 5, 10, 3, 0, 9, 1, 0, 7, 40, 40, 0, 0, 0,
                0, 0,
            ],
        ],
    ),
    (
        "adaptive_rate",
        "in-shadow",
        &[
            &[1, 100, 1, 1, 20, 1, 1, 1, 1],
            &long!(31),
            &[
                217, 1, 3, 0, 2, 0, 0, 2, 1, 200, 7, 90, 9, 9, 3, 0, 2, 0, 0, 2, 1, 19, 2, 1, 19, 9, 3, 0, 2,
                0, 0,
            ],
        ],
    ),
    // Initial, lowest, highest; growth; operations.
    (
        "adaptive_timeout",
        "follows-each",
        &[
            &[1],
            &long!(30),
            &[1],
            &long!(20),
            &[1],
            &long!(40),
            &[0, 0, 8, 0, 0, 0, 1, 15, 0, 4, 0, 1, 15, 130, 4, 0, 2, 200],
            &long!(33),
            &[1, 9],
        ],
    ),
    (
        "adaptive_timeout",
        "just-timed-out",
        &[
            &[1],
            &long!(30),
            &[1],
            &long!(20),
            &[1],
            &long!(40),
            &[0, 0, 15, 188, 4, 0, 0, 15, 62, 4, 0, 0, 14, 188, 4, 0],
        ],
    ),
    (
        "adaptive_timeout",
        "set-by-hand",
        &[
            &[1],
            &long!(30),
            &[1],
            &long!(20),
            &[1],
            &long!(31),
            &[1, 6, 1],
            &long!(38),
            &[0, 0, 40, 0, 0, 0, 7, 0, 0],
        ],
    ),
    (
        "adaptive_timeout",
        "learns-a-percentile",
        &[
            &[1],
            &long!(30),
            &[1],
            &long!(20),
            &[1],
            &long!(40),
            &[0, 5, 4, 0, 0, 49, 0, 5, 20, 0, 0, 12, 0, 5, 2, 0, 4, 60, 0, 5, 16, 0, 4, 60, 0],
        ],
    ),
    // Tokens, period, burst; start; operations.
    (
        "adjustable",
        "larger-and-smaller",
        &[
            &[1, 1, 1, 3],
            &long!(40),
            &[0, 0, 9, 1, 9, 0, 9, 0, 0, 0, 12, 40, 0, 10, 1, 0, 1, 1, 0, 0, 12, 200, 0, 0],
        ],
    ),
    (
        "adjustable",
        "the-same-again",
        &[&[1, 2, 1, 3], &long!(40), &[0, 217, 0, 217, 0, 0, 217, 0, 12, 16, 217, 0, 0]],
    ),
    (
        "adjustable",
        "reservations",
        &[
            &[1, 0, 1, 1],
            &long!(40),
            &[
                0, 0, 4, 1, 60, 0, 0, 0, 0, 0, 0, 0, 0, 4, 1, 60, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 9, 1, 3,
                1, 5, 7, 0,
            ],
        ],
    ),
    (
        "adjustable",
        "refunds",
        &[&[1, 2, 0, 7], &long!(40), &[0, 0, 3, 5, 6, 0, 6, 0, 9, 1, 1, 0, 7, 6, 0, 0, 0, 6, 0, 15, 40, 0]],
    ),
    // Readings in a row and calm time of two drivers and of a measure; worst levels; threshold; operations.
    (
        "driver",
        "worse-after-two-and-calm",
        &[
            &[2, 20, 1, 5, 3, 9, 1, 3],
            &long!(10),
            &[3, 2, 3, 2, 3, 1, 10, 19, 3, 1, 10, 1, 3, 1, 0, 3, 0, 0, 0, 3, 16, 3, 20, 2, 5, 0, 1, 5, 1, 1],
        ],
    ),
    (
        "driver",
        "by-a-measure",
        &[&[1, 0, 1, 5, 2, 10, 1, 3], &long!(10), &[7, 6, 7, 6, 7, 2, 10, 9, 7, 1, 10, 10, 7, 1, 7, 8, 7, 8]],
    ),
    (
        "driver",
        "by-hand-and-back-in-time",
        &[
            &[1, 9, 1, 5, 2, 10, 1, 3],
            &long!(10),
            &[0, 2, 15, 0, 13, 5, 0, 0, 13, 90, 0, 0, 14, 3, 16, 1, 10, 255],
        ],
    ),
    // Kind, share, floor, ceiling, hedges, least samples; ratio, cap, throttle; start; operations.
    (
        "hedge",
        "fixed-and-paid",
        &[
            &[0, 95],
            &long!(20),
            &long!(30),
            &[1, 0, 1, 1, 1, 0],
            &long!(40),
            &[5, 0, 9, 0, 9, 0, 12, 9, 0, 21, 0, 9, 1, 0, 10, 2, 2],
        ],
    ),
    (
        "hedge",
        "by-a-percentile",
        &[
            &[1, 95],
            &long!(10),
            &long!(40),
            &[2, 5, 1, 1, 3, 0],
            &long!(40),
            &[5, 0, 4, 100, 0, 20, 5, 0, 0, 1, 250, 5, 2, 1, 5, 2, 0, 21, 2, 9, 37, 0],
        ],
    ),
    (
        "hedge",
        "by-a-throttle",
        &[
            &[0, 50],
            &long!(20),
            &long!(30),
            &[3, 0, 0, 1, 4, 1],
            &long!(40),
            &[9, 0, 14, 9, 0, 14, 9, 0, 14, 13, 13, 13, 25, 0],
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
