//! Thresholds, at their edges.

use super::*;

fn change(old: &str, new: &str) -> Change {
    Change::of(old.parse().unwrap(), new.parse().unwrap()).unwrap()
}

#[test]
fn a_threshold_is_passed_up_and_down_and_not_by_what_equals_it() {
    for (threshold, old, new, above) in [
        ("10", "100", "110", false),
        ("10", "100", "110.01", true),
        ("10", "100", "89.99", true),
        ("0", "100", "100", false),
        ("0", "100", "100.01", true),
        ("2.5%", "100", "102.5", false),
        ("2.5%", "100", "97.49", true),
        ("2.5 %", "-100", "-102.51", true),
        ("50%", "0", "0.01", true),
        ("50%", "0", "0", false),
        ("0%", "7", "7", false),
    ] {
        let limit: Threshold = threshold.parse().unwrap();
        assert_eq!(limit.is_below(change(old, new)), Ok(above), "{threshold}: {old} to {new}");
    }
}

#[test]
fn what_is_no_threshold_is_refused() {
    for text in ["", "%", "-1", "-1%", "ten", "1e3", "1%%", "0.00000001%", "1,5"] {
        assert!(text.parse::<Threshold>().is_err(), "{text}");
    }
    for text in ["250", "2.5%", "0.01"] {
        assert_eq!(text.parse::<Threshold>().unwrap().to_string(), text);
    }
}
