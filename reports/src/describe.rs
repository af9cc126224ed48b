//! What a line says to a person.

use defray_pricing::charge::Kind;
use defray_pricing::money::Money;
use defray_pricing::names::{PriceClass, TrafficClass, VirtualNamespace};
use defray_pricing::statement::Line;

/// Shown where a line belongs to no virtual namespace.
const WHOLE_TENANT: &str = "(tenant)";

/// The virtual namespace as it is shown.
pub(crate) fn virtual_namespace(line: &Line) -> &str {
    line.key.virtual_namespace.as_ref().map_or(WHOLE_TENANT, VirtualNamespace::as_str)
}

/// One sentence in finance's words: what was charged.
pub(crate) fn line(line: &Line) -> String {
    let item = line.key.item.as_str();
    let class = line.key.class.as_ref();
    match line.key.kind {
        Kind::Compute => format!("{}{}", resource(item), on(class)),
        Kind::DedicatedPool => format!("Dedicated node pool{}", named(class, item)),
        Kind::Storage => format!("Storage {item}"),
        Kind::Network if item == TrafficClass::ALL => "Network egress".to_owned(),
        Kind::Network => format!("Network egress {item}"),
        Kind::LoadBalancer => "Load balancers".to_owned(),
        Kind::ServiceFee => format!("Service fee {item}"),
        Kind::SharedCost => format!("Share of shared cost {item}"),
        Kind::Idle => format!("Share of idle capacity of pool {item}"),
        Kind::Term => term(item, line.exact),
        Kind::Adjustment => format!("Adjustment {item}"),
        Kind::Rounding => "Rounding of the period".to_owned(),
        Kind::Unpriced => format!("{} without a price{}", resource(item), on(class)),
    }
}

/// A term in the words of whoever agreed on it.
fn term(item: &str, difference: Money) -> String {
    match item.split_once(':') {
        None if item == "percentage" && difference < Money::ZERO => "Cost-centre discount".to_owned(),
        None if item == "percentage" => "Cost-centre markup".to_owned(),
        None if item == "minimum fee" => "Minimum fee of the cost centre".to_owned(),
        Some(("tier", of)) => format!("Agreed price for a tier: {}", of.replace(':', ", ")),
        Some(("override", of)) => format!("Agreed price instead of list price: {}", of.replace(':', ", ")),
        _ => format!("Cost-centre term {item}"),
    }
}

/// A resource as people write it.
fn resource(item: &str) -> &str {
    match item {
        "cpu" => "CPU",
        "memory" => "Memory",
        other => other,
    }
}

fn on(class: Option<&PriceClass>) -> String {
    class.map(|class| format!(" on pool {class}")).unwrap_or_default()
}

fn named(class: Option<&PriceClass>, item: &str) -> String {
    match class {
        Some(class) => format!(" {class}"),
        None if item.is_empty() => String::new(),
        None => format!(" {item}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_are_told_in_the_words_of_whoever_agreed_on_them() {
        let minus: Money = "-1".parse().unwrap();
        assert_eq!(term("percentage", minus), "Cost-centre discount");
        assert_eq!(term("percentage", Money::ZERO), "Cost-centre markup");
        let told = "Agreed price instead of list price: compute, burst, cpu";
        assert_eq!(term("override:compute:burst:cpu", minus), told);
        assert_eq!(term("tier:cpu above 5000", minus), "Agreed price for a tier: cpu above 5000");
        assert_eq!(term("minimum fee", Money::ZERO), "Minimum fee of the cost centre");
        assert_eq!(term("rebate", Money::ZERO), "Cost-centre term rebate");
    }
}
