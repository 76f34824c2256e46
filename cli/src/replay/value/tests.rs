use super::super::schema::{Kind, U32};
use super::read;
use serde_json::json;

/// What is wrong with a value of this kind.
fn wrong(kind: &Kind, json: serde_json::Value) -> Vec<String> {
    let mut problems = Vec::new();
    read(kind, &json, "x", &mut problems);
    problems
}

#[test]
fn values_in_every_spelling_are_read() {
    for (kind, values) in [
        (
            Kind::Duration,
            vec![json!("250ms"), json!("1.5s"), json!("2h"), json!(7), json!("forever"), json!(0)],
        ),
        (Kind::Moment, vec![json!("0s"), json!("+1s"), json!("-1s"), json!("never"), json!(u64::MAX)]),
        (U32, vec![json!(0), json!(u32::MAX)]),
        (Kind::Share, vec![json!(0), json!(1), json!(0.5), json!("50%"), json!("1/3"), json!("0.999")]),
        (Kind::Number, vec![json!(-1), json!(2.5), json!("NaN"), json!("inf"), json!("-inf")]),
        (Kind::Flag, vec![json!(true)]),
    ] {
        for value in values {
            assert_eq!(wrong(&kind, value.clone()), Vec::<String>::new(), "{value}");
        }
    }
}

#[test]
fn values_of_no_kind_are_refused() {
    for (kind, values) in [
        (
            Kind::Duration,
            vec![json!("1"), json!(-1), json!(1.5), json!("-1s"), json!("NaN"), json!(null), json!([])],
        ),
        (Kind::Moment, vec![json!("600y"), json!("++1s"), json!(-1), json!("forever"), json!("soon")]),
        (U32, vec![json!(u64::from(u32::MAX) + 1), json!(-1), json!(1.0), json!("1"), json!(null)]),
        (Kind::Share, vec![json!(1.1), json!(-0.1), json!("NaN"), json!("3/2"), json!("half")]),
        (Kind::Number, vec![json!("nan"), json!("1"), json!(true)]),
        (Kind::Flag, vec![json!(1), json!("true")]),
        (Kind::List(&U32), vec![json!(1), json!([1, -1])]),
        (Kind::Either(&[Kind::Flag, U32]), vec![json!("x"), json!(-1)]),
        (Kind::Table(&[]), vec![json!(1), json!([])]),
    ] {
        for value in values {
            assert_eq!(wrong(&kind, value.clone()).len(), 1, "{kind}: {value}");
        }
    }
}
