//! Faults on purpose: in the policy file, and armed only where the command line asks for it, too.

use seawall::config::Policies;
use seawall::dwcp::Client;

/// The operations that the policies have faults for, as a list to read; empty if there is none.
fn operations(policies: &Policies) -> String {
    let having = policies.named().into_iter().filter(|(_, policy)| policy.has_chaos());
    having.map(|(name, _)| name).collect::<Vec<_>>().join(", ")
}

/// Whether `--arm-chaos` can be followed; if not, why.
pub(crate) fn can_arm(policies: &Policies) -> Result<(), String> {
    if !cfg!(feature = "chaos") {
        return Err("--arm-chaos: this program was built without the feature `chaos`".to_owned());
    }
    if operations(policies).is_empty() {
        return Err("--arm-chaos: the policy has no table `chaos`, so there is nothing to arm".to_owned());
    }
    Ok(())
}

/// What is to be said of faults that are in the policy and stay there, if there are any.
pub(crate) fn left_unarmed(policies: &Policies) -> Option<String> {
    let operations = operations(policies);
    (!operations.is_empty())
        .then(|| format!("chaos: the policy has faults for {operations}, which strike only with --arm-chaos"))
}

/// Arms the faults of the policies of `client`, and says so.
#[cfg(feature = "chaos")]
pub(crate) fn arm(client: &Client) {
    let operations: Vec<_> = client.arm_chaos().iter().map(|operation| operation.name()).collect();
    eprintln!("chaos: armed for {}", operations.join(", "));
}

/// There is nothing to arm: [`can_arm`] said so.
#[cfg(not(feature = "chaos"))]
pub(crate) const fn arm(_client: &Client) {}

#[cfg(test)]
mod tests {
    use super::{can_arm, left_unarmed};
    use seawall::config::{Policies, PolicyFile};

    #[test]
    fn there_is_nothing_to_arm_in_the_presets() {
        let policies = Policies::default();
        assert_eq!(left_unarmed(&policies), None);
        let refusal = can_arm(&policies).unwrap_err();
        assert!(
            refusal.contains(if cfg!(feature = "chaos") { "no table" } else { "built without" }),
            "{refusal}"
        );
    }

    #[test]
    fn faults_that_are_not_armed_are_told_by_operation() {
        let rule = "fault = { kind = 'error' }\nprobability = 1\n";
        let file: Result<PolicyFile, _> =
            format!("[[sync.chaos.rules]]\n{rule}[[send.chaos.rules]]\n{rule}").parse();
        // Without the feature the library says so; the feature may be on there for another package of one build.
        let Ok(file) = file else { return };
        let said = left_unarmed(&file.policies).unwrap();
        assert_eq!(said, "chaos: the policy has faults for send, sync, which strike only with --arm-chaos");
        assert_eq!(can_arm(&file.policies).is_ok(), cfg!(feature = "chaos"));
    }
}
