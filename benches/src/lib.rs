//! Benchmarks of Seawall beside its peers and beside the bare instructions.
