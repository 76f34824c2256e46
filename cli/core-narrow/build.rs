//! Gives the sources of core the narrow layout.

fn main() {
    println!("cargo::rustc-cfg=seawall_word32");
    println!("cargo::rerun-if-changed=build.rs");
}
