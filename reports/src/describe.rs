//! What a line says to a person.

use defray_pricing::charge::Kind;
use defray_pricing::names::{PriceClass, VirtualNamespace};
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
        Kind::Network => format!("Network egress {item}"),
        Kind::LoadBalancer => "Load balancers".to_owned(),
        Kind::ServiceFee => format!("Service fee {item}"),
        Kind::SharedCost => format!("Share of shared cost {item}"),
        Kind::Idle => format!("Share of idle capacity of pool {item}"),
        Kind::Term => format!("Cost-centre term {item}"),
        Kind::Adjustment => format!("Adjustment {item}"),
        Kind::Rounding => "Rounding of the period".to_owned(),
        Kind::Unpriced => format!("{} without a price{}", resource(item), on(class)),
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
