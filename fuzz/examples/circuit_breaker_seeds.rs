//! Writes the hand-made part of the corpus of `circuit_breaker`: one file for each story that has a name.
//! Run it in this folder after an operation was added.

use std::fs;
use std::io;
use std::path::Path;

/// Numbers of a setup, as `Script::setup` reads them: rules, failures in a row, percent, minimum, span, open time,
/// lease, probes, successes, flags.
const THREE_IN_A_ROW: [u8; 10] = [0, 2, 0, 0, 0, 59, 0, 0, 0, 0];
const TWO_PROBES: [u8; 10] = [0, 0, 0, 0, 0, 59, 0, 1, 1, 0];
const SHORT_LEASE: [u8; 10] = [0, 0, 0, 0, 0, 59, 9, 1, 0, 4];
const ENDLESS: [u8; 10] = [0, 0, 0, 0, 0, 255, 0, 0, 0, 0];
const ENDLESS_LEASE: [u8; 10] = [0, 0, 0, 0, 0, 9, 255, 0, 0, 4];
const HALF_IN_TIME: [u8; 10] = [1, 0, 49, 3, 9, 59, 0, 0, 0, 0];
const HALF_OF_CALLS: [u8; 10] = [1, 0, 49, 3, 9, 59, 0, 0, 0, 2];
const POLLY: [u8; 10] = [1, 0, 49, 3, 9, 59, 0, 0, 0, 1];
const EITHER: [u8; 10] = [2, 3, 59, 5, 6, 29, 0, 2, 2, 0];
const MOST: [u8; 10] = [0, 0, 0, 0, 0, 5, 0, 255, 255, 0];

const STORIES: &[(&str, [u8; 10], &str)] = &[
    ("nothing", THREE_IN_A_ROW, ""),
    ("trips-and-closes", THREE_IN_A_ROW, "f f f r . s f f f"),
    ("success-forgives", THREE_IN_A_ROW, "f f s f f i f"),
    ("probe-fails", THREE_IN_A_ROW, "f f f . f r . s"),
    ("one-step-too-early", THREE_IN_A_ROW, "f f f , r . s"),
    ("late-success", THREE_IN_A_ROW, "a f f f . a S0 S0"),
    ("late-failure", THREE_IN_A_ROW, "a f f f . a F0 S0"),
    ("late-failure-while-open", THREE_IN_A_ROW, "a f f f +20 F0 r ."),
    ("cancelled-probe", TWO_PROBES, "f . a a r C0 a r"),
    ("ignored-probe", TWO_PROBES, "f . a a I1 a S0 S0"),
    ("dropped-permits", TWO_PROBES, "c f . c c c a a r c"),
    ("both-probes-succeed", TWO_PROBES, "f . a a S0 S0 f"),
    ("one-succeeds-one-fails", TWO_PROBES, "f . a a S0 F0 r . s s"),
    ("failure-then-late-success", TWO_PROBES, "f . a a F0 S0 r"),
    ("lost-probe", TWO_PROBES, "f . a a L0 L0 r . a"),
    ("lost-probe-reports", TWO_PROBES, "f . a a . a S0 S0 S0"),
    ("lease-of-the-last", SHORT_LEASE, "f . a +5 a +5 r . a S0"),
    ("lease-after-step-back", SHORT_LEASE, "f . a -5 a , r . a"),
    ("cancel-within-lease", SHORT_LEASE, "f . a a C0 +9 a r . a"),
    ("never", ENDLESS, "f . r >255,255 r t r z s"),
    ("lease-without-end", ENDLESS_LEASE, "f . a >255,255 r C0 a r"),
    ("rate-is-reached", HALF_IN_TIME, "s s f f r . s f"),
    ("success-trips", HALF_IN_TIME, "f f f s r"),
    ("old-calls-expire", HALF_IN_TIME, "f f +30 s +10 s s f"),
    ("all-calls-expire", HALF_IN_TIME, "f f f +200 f s s f"),
    ("window-starts-empty", HALF_IN_TIME, "s s f f . s f f f s"),
    ("rate-of-calls", HALF_OF_CALLS, "s s s s s s f f f s f f"),
    ("calls-roll", HALF_OF_CALLS, "f s s f s s s s s s s f f f f f"),
    ("failure-only", POLLY, "f f f s s s f r"),
    ("either-rule", EITHER, "f s f s f s f s f f f f r . s s s f f f f"),
    ("many-probes", MOST, "f . a a a a a a a a a a S3 S2 S1 F0 r"),
    ("forced-open", THREE_IN_A_ROW, "a o r +255 r F0 z f f f r"),
    ("forced-closed", THREE_IN_A_ROW, "k f f f a f S0 z a f f f F0 r"),
    ("forced-while-probing", TWO_PROBES, "f . a o S0 k a z F0 s"),
    ("tripped-by-hand", THREE_IN_A_ROW, "a t r t , r . s F0"),
    ("reset-while-open", THREE_IN_A_ROW, "f f f z f f f r"),
    ("512-resets", THREE_IN_A_ROW, "a Z255,1 f f f r . s F0"),
    ("1024-resets", THREE_IN_A_ROW, "a Z255,3 f f f , r . s F0"),
    ("force-again-and-again", TWO_PROBES, "o k o k o z f , r . s"),
    ("step-back-within", THREE_IN_A_ROW, ">0,4 f f f -40 r . s"),
    ("step-back-beyond", THREE_IN_A_ROW, ">0,4 f f f <0,1 r a S0"),
];

fn main() -> io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/circuit_breaker");
    fs::create_dir_all(&folder)?;
    for (name, setup, story) in STORIES {
        let operations = story.split_whitespace().flat_map(bytes);
        fs::write(folder.join(name), setup.iter().copied().chain(operations).collect::<Vec<u8>>())?;
    }
    Ok(())
}

/// The bytes of an operation, as `Operation` reads them.
fn bytes(word: &str) -> Vec<u8> {
    let (letter, numbers) = word.split_at(1);
    let numbers: Vec<u8> =
        numbers.split(',').filter(|it| !it.is_empty()).map(|it| it.parse().expect("a number")).collect();
    let begin: &[u8] = match letter {
        "a" => &[0],
        "S" | "F" | "I" | "C" => &[2],
        "s" => &[4, 0],
        "f" => &[4, 1],
        "i" => &[4, 2],
        // A call that is to be refused.
        "r" => &[4, 3],
        "c" => &[6],
        "L" => &[7],
        "+" => &[8],
        ">" => &[9],
        "." => &[10],
        "," => &[11],
        "<" | "-" => &[12],
        "t" => &[13],
        "o" => &[14, 1],
        "k" => &[14, 0],
        "Z" => &[15],
        "z" => &[15, 0, 0],
        _ => panic!("no operation is called {word}"),
    };
    let end: &[u8] = match letter {
        "F" => &[1],
        "I" => &[2],
        "C" => &[3],
        "S" | "-" => &[0],
        _ => &[],
    };
    [begin, &numbers, end].concat()
}
