//! A deterministic platform with three months of usage, through the real pipeline.
//!
//! Nothing here is measured and nothing here is money: [`Platform`] says what a cluster would have told,
//! observation by observation and hour by hour, and the ledger, the rating and the reports do the rest as
//! they do for any cluster. There is no clock, no randomness and no float, so two runs are alike to the
//! last bit.
//!
//! What it shows: shared and dedicated pools, spot nodes, a pool at unit prices, GPUs, virtual clusters
//! with their control planes, quotas, services, day, night and weekend; a tenant that is created, one that
//! is deleted, one that moves to another cost centre inside a month, one whose pool grows; a namespace that
//! nobody owns; an outage with lost and half-covered hours; a new edition of the price book.

use chrono::{DateTime, Utc};
use defray_ledger::Observation;
use defray_pricing::book::Source;
use defray_pricing::names::ClusterName;
use defray_pricing::ownership::{NamePattern, TenancyRules};
use defray_pricing::time::{BillingZone, Hour, HourRange, ZoneError};
use defray_pricing::usage::UsageHour;

mod cast;
mod measured;
mod moment;
mod noise;
mod observed;
#[cfg(test)]
mod tests;

/// The only cluster.
pub const CLUSTER: &str = "demo";
/// The billing zone.
pub const ZONE: &str = "Europe/Berlin";
/// The editions of the demo's price book, by file name.
pub const PRICE_BOOK: [(&str, &str); 2] = [
    ("demo.yaml", include_str!("../pricing/books/demo.yaml")),
    ("demo-2026-10.yaml", include_str!("../pricing/books/demo-2026-10.yaml")),
];

/// The platform of the demo.
#[derive(Debug, Clone)]
pub struct Platform {
    zone: BillingZone,
}

impl Platform {
    /// The one there is.
    pub fn new() -> Result<Self, ZoneError> {
        Ok(Self { zone: BillingZone::new(ZONE)? })
    }

    /// The only cluster.
    pub fn cluster(&self) -> ClusterName {
        ClusterName::from(CLUSTER)
    }

    /// The zone whose months are billed.
    pub const fn zone(&self) -> BillingZone {
        self.zone
    }

    /// What the clock of the demo shows: two days into the open month.
    pub fn clock_at(&self) -> DateTime<Utc> {
        cast::NOW.instant()
    }

    /// The files of the price book.
    pub fn price_book(&self) -> Vec<Source> {
        PRICE_BOOK.map(|(name, text)| Source { name: name.to_owned(), text: text.to_owned() }).into()
    }

    /// How names tie tenants to namespaces.
    pub fn rules(&self) -> TenancyRules {
        TenancyRules {
            namespace_pattern: Some(NamePattern { prefix: "vcluster-".to_owned(), suffix: String::new() }),
            ..TenancyRules::default()
        }
    }

    /// Every moment at which something changed, with the complete lists of that moment, in order. The first
    /// is the first moment of the first month.
    pub fn observations(&self) -> Vec<(DateTime<Utc>, Observation)> {
        observed::observations()
    }

    /// From the first hour to the last that has settled at [`Platform::clock_at`].
    pub fn range(&self) -> HourRange {
        HourRange { from: cast::START.hour(), until: cast::NOW.hour().previous() }
    }

    /// The hours that were lost for good: the metrics store was down and kept nothing of them.
    pub fn lost(&self) -> HourRange {
        cast::LOST
    }

    /// Every hour that was measured, in order; [`Platform::lost`] hours are not among them.
    pub fn hours(&self) -> impl Iterator<Item = UsageHour> + '_ {
        let lost = self.lost();
        self.range().iter().filter(move |hour| !lost.contains(*hour)).map(|hour| self.usage(hour))
    }

    /// What was measured in one hour.
    pub fn usage(&self, hour: Hour) -> UsageHour {
        measured::usage(self.zone, hour)
    }
}
