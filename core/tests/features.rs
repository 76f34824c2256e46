//! What a program gets that asks for no feature.

/// B79: chaos is armed by a feature that no default includes.
#[test]
fn b79_no_feature_is_on_by_default() {
    let manifest = include_str!("../Cargo.toml");
    let (_, features) = manifest.split_once("[features]").unwrap();
    let (features, _) = features.split_once("\n[").unwrap();
    assert!(features.lines().any(|line| line.starts_with("chaos = [")));
    assert!(!features.lines().any(|line| line.starts_with("default")));
}
