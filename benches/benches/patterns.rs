//! Every row under criterion, on one thread and on two that share the subject.

use core::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use seawall_benches::all;

fn patterns(criterion: &mut Criterion) {
    for row in all() {
        let mut group = criterion.benchmark_group(row.group);
        for (threads, label) in [(1, "1 thread"), (2, "2 threads shared")] {
            group.bench_function(format!("{}, {label}", row.name), |bencher| {
                bencher.iter_custom(|iterations| row.run(iterations, threads));
            });
        }
        group.finish();
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(600));
    targets = patterns
}
criterion_main!(benches);
