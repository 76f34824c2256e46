//! The composite.

use crate::replay::call::Call;
use crate::replay::fields::Fields;
use crate::replay::names::Fault;
use crate::replay::schema::{Info, Instance, Kind, Operation, Param, Pattern, Spec};
use crate::replay::value::Args;
use seawall::core::composite::{Edge, Rule};
use seawall::core::{Composite, Instant};

const BYTE: Kind = Kind::Integer(255);
const MEMBER: Param =
    Param::required("member", BYTE, "its number, from 0; one that there is not changes nothing");

static SPEC: Spec<Composite> = Spec {
    info: Info {
        name: "composite",
        about: "Is a whole healthy, by its parts? `edge` is \"healthy\" or \"unhealthy\" where an operation crossed the line",
        keys: &[
            Param::required("members", BYTE, "1 to 32, none of which is known to be healthy"),
            Param::optional("rule", Kind::Word(&["all", "any"]), "how many must be healthy; all by default"),
            Param::optional("quorum", BYTE, "at least so many must be healthy; in place of rule"),
        ],
        prints: &[&["healthy", "healthy_members", "members", "required"]],
        example: r#"
{"policy": {"composite": {"members": 3, "quorum": 2}}}
{"op": "composite.report", "member": 0, "healthy": true, "expect": {"healthy": false, "edge": null}}
{"op": "composite.report", "member": 2, "healthy": true, "expect": {"healthy": true, "edge": "healthy"}}
{"op": "composite.is_member_healthy", "member": 1, "expect": {"member_healthy": false}}
{"op": "composite.members", "expect": {"members": 3}}
{"op": "composite.required", "expect": {"required": 2}}
{"op": "composite.is_healthy", "expect": {"healthy": true}}
{"op": "composite.healthy_members", "expect": {"healthy_members": 2}}
{"op": "composite.clear", "expect": {"edge": "unhealthy", "healthy_members": 0}}
"#,
    },
    operations: &[
        Operation::new(
            "report",
            "reports whether a member is healthy",
            &[MEMBER, Param::required("healthy", Kind::Flag, "whether it is")],
            report,
        )
        .prints(&[&["edge"]]),
        Operation::new(
            "clear",
            "forgets what was reported of every member",
            &[],
            |composite: &'static Composite, call| {
                call.out().put("edge", composite.clear().map(word));
                Ok(())
            },
        )
        .prints(&[&["edge"]]),
        Operation::new("members", "prints how many members it has", &[], |_, _| Ok(())),
        Operation::new("required", "prints how many must be healthy", &[], |_, _| Ok(())),
        Operation::new("is_healthy", "says whether enough members are healthy", &[], |_, _| Ok(())),
        Operation::new(
            "is_member_healthy",
            "says whether a member was last reported as healthy",
            &[MEMBER],
            is_member,
        )
        .prints(&[&["member_healthy"]]),
        Operation::new("healthy_members", "prints how many are healthy", &[], |_, _| Ok(())),
    ],
    state: print_state,
    configure,
};

pub(super) const PATTERN: &dyn Pattern = &SPEC;

fn byte(args: &Args, key: &str) -> Option<u8> {
    args.integer(key).and_then(|number| u8::try_from(number).ok())
}

fn configure(args: &Args) -> Result<Box<dyn Instance>, Vec<String>> {
    let rule = match (args.word("rule"), byte(args, "quorum")) {
        (None, Some(quorum)) => Rule::Quorum(quorum),
        (Some("any"), None) => Rule::Any,
        (_, None) => Rule::All,
        (Some(_), Some(_)) => return Err(vec!["rule or quorum must be given, and not both".to_owned()]),
    };
    Composite::try_new(byte(args, "members").unwrap_or(0), rule)
        .map(|composite| SPEC.bind(composite))
        .map_err(|error| vec![super::answers::wrong(&error)])
}

fn print_state(composite: &Composite, _: Instant, out: &mut Fields) {
    out.put("healthy", composite.is_healthy());
    out.put("healthy_members", composite.healthy_members());
    out.put("members", composite.members());
    out.put("required", composite.required());
}

pub(super) fn word(edge: Edge) -> &'static str {
    match edge {
        Edge::Healthy => "healthy",
        Edge::Unhealthy => "unhealthy",
    }
}

fn report(composite: &'static Composite, call: &mut Call<'_>) -> Result<(), Fault> {
    let healthy = call.args().flag("healthy").unwrap_or(false);
    let edge = composite.report(byte(call.args(), "member").unwrap_or(u8::MAX), healthy);
    call.out().put("edge", edge.map(word));
    Ok(())
}

fn is_member(composite: &'static Composite, call: &mut Call<'_>) -> Result<(), Fault> {
    let healthy = composite.is_member_healthy(byte(call.args(), "member").unwrap_or(u8::MAX));
    call.out().put("member_healthy", healthy);
    Ok(())
}
