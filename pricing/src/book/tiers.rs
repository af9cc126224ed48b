//! Graduated tiers: what a cost centre uses above a threshold, at another price.

use super::{MeteredRate, Pattern};
use crate::Overflow;
use crate::charge::{Kind, LineKey};
use crate::quantity::Quantity;

/// A quantity of a cost centre, over all its tenants, and its bands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tier {
    /// The kind of line that is counted: compute, storage, network or load balancers.
    pub kind: Kind,
    /// A resource by its name, or storage or traffic classes.
    pub item: Pattern,
    /// Ascending, never empty.
    pub bands: Vec<Band>,
}

/// The units above a threshold, as far as the next band's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Band {
    /// In the unit that the lines are counted in; above zero.
    pub above: Quantity,
    /// What its units cost.
    pub rate: BandRate,
}

/// What a band makes of the month's average price.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BandRate {
    /// In 1e-9: a discount of 10 % is -100 000 000.
    Percentage(i64),
    /// Another price in its place.
    Price(MeteredRate),
}

impl Tier {
    /// Whether it counts a line.
    pub fn acts_on(&self, key: &LineKey) -> bool {
        self.kind == key.kind && self.item.matches(&key.item)
    }

    /// How many of so many units are in each band; each unit is in one band at most.
    pub fn units(&self, total: Quantity) -> Result<Vec<(&Band, Quantity)>, Overflow> {
        let ends = self.bands.iter().skip(1).map(|next| next.above.min(total)).chain([total]);
        self.bands
            .iter()
            .zip(ends)
            .filter(|(band, end)| band.above < *end)
            .map(|(band, end)| Ok((band, end.checked_sub(band.above)?)))
            .collect()
    }

    /// What the line of a band is called, so that whoever agreed on it knows it again.
    pub fn item_on_statement(&self, band: &Band) -> String {
        let above = band.above.to_string();
        // A threshold is written like in the book: without the zeros that quantities are shown with.
        let above = above.trim_end_matches('0').trim_end_matches('.');
        match self.kind {
            Kind::Compute => format!("tier:{} above {above}", self.item),
            Kind::LoadBalancer => format!("tier:{} above {above}", self.kind),
            kind => format!("tier:{kind}:{} above {above}", self.item),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tier(bands: &[&str]) -> Tier {
        let band = |above: &&str| Band { above: above.parse().unwrap(), rate: BandRate::Percentage(0) };
        let bands = bands.iter().map(band).collect();
        Tier { kind: Kind::Compute, item: "cpu".parse().unwrap(), bands }
    }

    #[test]
    fn each_unit_is_in_one_band() {
        let tier = tier(&["10", "20.5", "30"]);
        for (total, units) in [
            ("0", vec![]),
            ("10", vec![]),
            ("10.000001", vec!["0.000001"]),
            ("20.5", vec!["10.5"]),
            ("25", vec!["10.5", "4.5"]),
            ("100", vec!["10.5", "9.5", "70"]),
        ] {
            let got: Vec<Quantity> =
                tier.units(total.parse().unwrap()).unwrap().into_iter().map(|(_, units)| units).collect();
            let wanted: Vec<Quantity> = units.iter().map(|units| units.parse().unwrap()).collect();
            assert_eq!(got, wanted, "{total}");
        }
    }

    #[test]
    fn a_band_is_called_by_what_it_counts_and_from_where() {
        let cpu = tier(&["5000", "7500.25"]);
        assert_eq!(cpu.item_on_statement(&cpu.bands[0]), "tier:cpu above 5000");
        assert_eq!(cpu.item_on_statement(&cpu.bands[1]), "tier:cpu above 7500.25");
        let storage = Tier { kind: Kind::Storage, item: "gp*".parse().unwrap(), ..cpu.clone() };
        assert_eq!(storage.item_on_statement(&cpu.bands[0]), "tier:storage:gp* above 5000");
        let balancers = Tier { kind: Kind::LoadBalancer, item: Pattern::any(), ..cpu.clone() };
        assert_eq!(balancers.item_on_statement(&cpu.bands[0]), "tier:load_balancer above 5000");
    }
}
