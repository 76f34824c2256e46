//! The driver of a component's level.

use super::answers::{LEVEL, level, level_change, wrong};
use crate::replay::call::Call;
use crate::replay::fields::Fields;
use crate::replay::names::Fault;
use crate::replay::schema::{Info, Instance, Kind, Operation, Param, Pattern, Spec, U32};
use crate::replay::value::Args;
use seawall::core::check::Status;
use seawall::core::degradation::Component;
use seawall::core::driver::Config;
use seawall::core::{Degradation, Driver, Instant};
use std::time::Duration;

/// A driver with the service that it drives.
struct Driven {
    driver: Driver,
    service: Degradation,
}

static SPEC: Spec<Driven> = Spec {
    info: Info {
        name: "driver",
        about: "What drives a component's level of degradation: worse after some bad readings in a row, \
                better by one level after each `calm_for`. It keeps the service that it drives",
        keys: &[
            Param::or("component", Kind::Integer(15), "0", "its number"),
            Param::or("worst", LEVEL, "\"degraded\"", "the level while a signal that knows no levels is bad"),
            Param::or("worse_after", U32, "1", "it gets worse after so many bad readings in a row, 1 to 15"),
            Param::or(
                "calm_for",
                Kind::Duration,
                "\"30s\"",
                "it gets better after so long without a bad reading, counted from the last one",
            ),
        ],
        prints: &[&["level", "component"]],
        example: r#"
{"policy": {"driver": {"worst": "severely_degraded", "worse_after": 2, "calm_for": "10s"}}}
{"at": "1s", "op": "driver.observe", "healthy": false, "expect": {"level": "normal"}}
{"at": "2s", "op": "driver.observe", "healthy": false, "expect": {"level": "severely_degraded", "change": {"from": "normal"}}}
{"at": "12s", "op": "driver.observe", "healthy": true, "expect": {"level": "degraded"}}
{"at": "13s", "op": "driver.observe", "level": "emergency", "times": 2}
{"op": "driver.level", "expect": {"level": "emergency"}}
{"op": "driver.component", "expect": {"component": 0}}
"#,
    },
    operations: &[
        Operation::new(
            "observe",
            "takes a reading: whether something is healthy, or a level",
            &[
                Param::optional("healthy", Kind::Flag, "of a signal that knows no levels; this or level"),
                Param::optional("level", LEVEL, "of one that does"),
            ],
            observe,
        )
        .prints(&[&["change"]]),
        Operation::new("level", "prints the level that holds", &[], |_, _| Ok(())),
        Operation::new("component", "prints the component that it drives", &[], |_, _| Ok(())),
    ],
    state: print_state,
    configure,
};

pub(super) const PATTERN: &dyn Pattern = &SPEC;

fn configure(args: &Args) -> Result<Box<dyn Instance>, Vec<String>> {
    let number = args.integer("component").and_then(|number| u8::try_from(number).ok()).unwrap_or(u8::MAX);
    let component = Component::try_new(number).map_err(|error| vec![wrong(&error)])?;
    let config = Config::new(component)
        .worst(level(args, "worst"))
        .worse_after(args.u32("worse_after").unwrap_or(0))
        .calm_for(args.duration("calm_for").unwrap_or(Duration::ZERO));
    Driver::try_new(config)
        .map(|driver| SPEC.bind(Driven { driver, service: Degradation::new() }))
        .map_err(|error| vec![wrong(&error)])
}

fn print_state(driven: &Driven, _: Instant, out: &mut Fields) {
    out.put("level", driven.service.level().name());
    out.put("component", u32::from(driven.driver.component().number()));
}

fn observe(driven: &'static Driven, call: &mut Call<'_>) -> Result<(), Fault> {
    let Driven { driver, service } = driven;
    let now = call.now();
    let change = match (call.args().flag("healthy"), call.args().word("level")) {
        (Some(true), None) => driver.observe(&Status::Healthy, service, now),
        (Some(false), None) => driver.observe(&Status::Unhealthy, service, now),
        (None, Some(_)) => driver.observe(&level(call.args(), "level"), service, now),
        _ => return Err(Fault::new("healthy or level must be given, and not both")),
    };
    call.out().put("change", change.map(level_change));
    Ok(())
}
