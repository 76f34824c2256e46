//! Runs a table of tests, and prints what the ladder reads: the lines of `cargo test`.
//!
//! A test that panics ends the program, since there is nothing to unwind to: the panic names it, and whoever runs the
//! program starts it again, on a fresh machine, from the test after.

use core::panic::PanicInfo;
use core::sync::atomic::{AtomicUsize, Ordering};

use cortex_m_rt::{ExceptionFrame, exception};
use semihosting::{print, println, process};

/// A test and its name.
pub type Test = (&'static str, fn());

/// The exit status of a test program in which a test failed, as `cargo test` has it.
const FAILED: i32 = 101;

/// Tests that passed in this run.
static PASSED: AtomicUsize = AtomicUsize::new(0);

/// Runs the tests of all tables from the number on that the command line names, or all.
pub fn run(tables: &[&[Test]]) -> ! {
    let skipped = first_argument();
    let tests = tables.iter().copied().flatten();
    println!("running {} tests", tests.clone().count() - skipped);
    for (name, test) in tests.skip(skipped) {
        print!("test {name} ... ");
        test();
        println!("ok");
        // ORDERING: one thread counts, and a panic handler in an interrupt reads about.
        PASSED.store(PASSED.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }
    end("ok", 0)
}

/// The number after the program's name; 0 if there is none.
fn first_argument() -> usize {
    let Ok(arguments) = semihosting::experimental::env::args::<64>() else { return 0 };
    (&arguments).nth(1).and_then(Result::ok).and_then(|word| word.parse().ok()).unwrap_or(0)
}

fn end(verdict: &str, failed: usize) -> ! {
    let passed = PASSED.load(Ordering::Relaxed);
    println!("\ntest result: {verdict}. {passed} passed; {failed} failed; 0 ignored");
    process::exit(if failed == 0 { 0 } else { FAILED })
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    println!("FAILED\n\nfailures:\n{info}");
    end("FAILED", 1)
}

/// A bus error or an undefined instruction ends the run too, in place of the runtime's endless loop.
#[exception]
unsafe fn HardFault(frame: &ExceptionFrame) -> ! {
    panic!("hard fault: {frame:?}");
}
