//! Graduated tiers of a cost centre.

use super::Placed;
use super::amounts::{discount, markup, pattern, price};
use crate::book::{Band, BandRate, MeteredRate, Pattern, Tier};
use crate::charge::{Kind, item};
use crate::problem::Refused;
use crate::quantity::Quantity;
use crate::yaml::{Mapping, Value};

/// Kinds that are counted in units. Dedicated pools are charged whole, so nothing of them is graduated.
const COUNTED: [Kind; 4] = [Kind::Compute, Kind::Storage, Kind::Network, Kind::LoadBalancer];

/// The tiers of one cost centre. Two of them never count the same units.
pub(super) fn tiers(value: &Value<'_>) -> Result<Vec<Tier>, Refused> {
    let placed = value.list(|value| Ok(Placed { place: value.clone(), value: tier(value)? }))?;
    for (index, a) in placed.iter().enumerate() {
        for b in placed.iter().skip(index.saturating_add(1)) {
            if a.value.kind == b.value.kind && a.value.item.overlaps(&b.value.item) {
                let message = format!("it counts units that the tier in {} counts, too", a.at());
                b.place.refuse(message, "write the bands of one quantity in one tier");
            }
        }
    }
    let mut tiers: Vec<Tier> = placed.into_iter().map(|placed| placed.value).collect();
    tiers.sort_by(|a, b| (a.kind, &a.item).cmp(&(b.kind, &b.item)));
    Ok(tiers)
}

fn tier(value: &Value<'_>) -> Result<Tier, Refused> {
    let mut keys = value.mapping()?;
    let counted = COUNTED.map(|kind| (kind.as_str(), kind));
    let kind = keys.with_default("kind", Kind::Compute, |value| value.word(&counted));
    let item = kind.and_then(|kind| counted_item(&mut keys, kind));
    let bands = keys.required("bands", |value| bands(value, kind));
    // Without a kind nobody can say which items there are.
    let _known = keys.has("item");
    keys.finish();
    Ok(Tier { kind: kind?, item: item?, bands: bands? })
}

/// What is counted: one resource, or classes.
fn counted_item(keys: &mut Mapping<'_>, kind: Kind) -> Result<Pattern, Refused> {
    match kind {
        Kind::Compute => keys.required("item", resource),
        Kind::LoadBalancer => match keys.get("item") {
            None => Ok(Pattern::any()),
            Some(value) => Err(value.refuse("load balancers are of one class", "remove `item`")),
        },
        _ => keys.with_default("item", Pattern::any(), pattern),
    }
}

/// One resource: cores and GiB cannot be counted together.
fn resource(value: &Value<'_>) -> Result<Pattern, Refused> {
    let pattern = pattern(value)?;
    let name = pattern.as_str();
    if pattern.is_exact() && (name == item::CPU || name == item::MEMORY || name.contains('/')) {
        return Ok(pattern);
    }
    let mend = "one of: cpu, memory, or a GPU resource as Kubernetes names it: nvidia.com/gpu; for classes add \
                `kind: storage` or `kind: network`";
    Err(value.refuse(format!("`{name}` is no resource"), mend))
}

fn bands(value: &Value<'_>, kind: Result<Kind, Refused>) -> Result<Vec<Band>, Refused> {
    let placed = value.list(|value| Ok(Placed { place: value.clone(), value: band(value, kind)? }))?;
    if placed.is_empty() {
        return Err(value.refuse("a tier without bands changes nothing", "add a band, or remove the tier"));
    }
    for pair in placed.windows(2) {
        if let [a, b] = pair
            && b.value.above <= a.value.above
        {
            let message = "the band does not begin above the one before it";
            b.place.refuse(message, "write bands in ascending order of `above`, each once");
        }
    }
    Ok(placed.into_iter().map(|placed| placed.value).collect())
}

fn band(value: &Value<'_>, kind: Result<Kind, Refused>) -> Result<Band, Refused> {
    let mut keys = value.mapping()?;
    let above = keys.required("above", threshold);
    let rate = match keys.exactly_one(&["discount", "markup", "price", "price_per_month"]) {
        Err(refused) => Err(refused),
        Ok("discount") => {
            keys.required("discount", discount).map(|share| BandRate::Percentage(share.saturating_neg()))
        }
        Ok("markup") => keys.required("markup", markup).map(BandRate::Percentage),
        Ok("price") => {
            keys.required("price", price).map(|price| BandRate::Price(MeteredRate::PerUnit(price)))
        }
        Ok(_) => keys.required("price_per_month", |value| match kind {
            Ok(kind @ (Kind::Compute | Kind::Network)) => {
                let message = format!("a price per month means nothing for the kind `{kind}`");
                Err(value.refuse(message, "write `price`, per unit"))
            }
            _ => price(value).map(|price| BandRate::Price(MeteredRate::PerUnitMonth(price))),
        }),
    };
    keys.finish();
    Ok(Band { above: above?, rate: rate? })
}

/// A quantity above zero: from the first unit on it would be no tier.
fn threshold(value: &Value<'_>) -> Result<Quantity, Refused> {
    let quantity: Quantity = value.parsed()?;
    if quantity > Quantity::ZERO {
        return Ok(quantity);
    }
    let text = value.text()?;
    let mend = "what holds from the first unit on is an override or a percentage of the cost centre";
    Err(value.refuse(format!("a band cannot begin above `{text}`"), mend))
}
