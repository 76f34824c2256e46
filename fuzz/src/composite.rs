//! What must hold for any reports of members: the whole is healthy by a count, and a threshold by two comparisons.

use seawall_core::composite::{Composite, Edge, Rule};
use seawall_core::threshold::Threshold;

use crate::input::Input;

/// Runs the script of `bytes` on a whole and on a list of its members.
///
/// # Panics
///
/// If they disagree.
pub fn check(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let members = input.byte() % 40;
    let rule = match input.byte() % 4 {
        0 => Rule::All,
        1 => Rule::Any,
        _ => Rule::Quorum(input.byte() % 40),
    };
    let required = match rule {
        Rule::All => members,
        Rule::Any => 1,
        Rule::Quorum(n) => n,
    };
    let Ok(composite) = Composite::try_new(members, rule) else {
        assert!(members == 0 || members > 32 || required == 0 || required > members);
        return;
    };
    let mut healthy = vec![false; usize::from(members)];
    let mut was = false;
    while let Some(operation) = input.operation() {
        let edge = match operation {
            0..=250 => {
                let (member, reported) = (input.byte() % 40, operation % 3 > 0);
                if let Some(one) = healthy.get_mut(usize::from(member)) {
                    *one = reported;
                }
                composite.report(member, reported)
            }
            251 | 252 => {
                threshold(&mut input);
                None
            }
            _ => {
                healthy.fill(false);
                composite.clear()
            }
        };
        let count = healthy.iter().filter(|&&it| it).count();
        let is = count >= usize::from(required);
        let expected = match (was, is) {
            (false, true) => Some(Edge::Healthy),
            (true, false) => Some(Edge::Unhealthy),
            _ => None,
        };
        was = is;
        assert_eq!(edge, expected);
        assert_eq!(composite.is_healthy(), is);
        assert_eq!(composite.healthy_members() as usize, count);
        for member in 0..=255 {
            let expected = healthy.get(usize::from(member)).copied().unwrap_or(false);
            assert_eq!(composite.is_member_healthy(member), expected);
        }
    }
}

/// Any bits are a number or none; what is none is within no bounds.
fn threshold(input: &mut Input<'_>) {
    let [min, max, value] = [(); 3].map(|()| {
        let special = [0.0, -0.0, 1.0, -1.0, f64::NAN, -f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
        match input.byte() {
            0..=127 => input.pick(&special),
            _ => f64::from_bits(input.long()),
        }
    });
    let is_number = !value.is_nan();
    assert_eq!(Threshold::at_least(min).is_met_by(value), is_number && value >= min);
    assert_eq!(Threshold::at_most(max).is_met_by(value), is_number && value <= max);
    assert_eq!(Threshold::between(min, max).is_met_by(value), is_number && min <= value && value <= max);
    assert_eq!(Threshold::try_between(min, max).is_ok(), min <= max);
}
