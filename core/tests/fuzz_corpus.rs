//! What the fuzzer once found worth keeping holds in every ordinary test run.

use std::fs;
use std::path::Path;

#[path = "../../fuzz/src/circuit_breaker.rs"]
#[allow(dead_code, unreachable_pub)] // The file is a public module of the fuzz package.
mod circuit_breaker;

#[test]
fn the_circuit_breaker_answers_as_the_oracle_does_on_the_corpus() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/circuit_breaker");
    let mut inputs = 0;
    for entry in fs::read_dir(&folder).expect("the corpus is committed") {
        let path = entry.expect("the corpus can be listed").path();
        circuit_breaker::check(&fs::read(&path).expect("the corpus can be read"));
        inputs += 1;
    }
    assert!(inputs >= 30, "only {inputs} inputs in {}", folder.display());
}
