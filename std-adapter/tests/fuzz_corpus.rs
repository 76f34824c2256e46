//! What the fuzzer once found worth keeping holds in every ordinary test run.
#![cfg(feature = "dwcp")]

use std::fs;
use std::path::Path;

#[path = "../../fuzz/src/frame_decoder.rs"]
#[allow(unreachable_pub)] // The file is a public module of the fuzz package.
mod frame_decoder;

#[test]
fn the_frame_decoder_keeps_its_promises_on_the_corpus() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/frame_decoder");
    let mut inputs = 0;
    for entry in fs::read_dir(&folder).expect("the corpus is committed") {
        let path = entry.expect("the corpus can be listed").path();
        frame_decoder::check(&fs::read(&path).expect("the corpus can be read"));
        inputs += 1;
    }
    assert!(inputs >= 50, "only {inputs} inputs in {}", folder.display());
}
