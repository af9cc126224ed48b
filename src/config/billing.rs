//! When months begin and what reports are called.

use defray_pricing::problem::Refused;
use defray_pricing::time::BillingZone;
use defray_pricing::yaml::Value;

use super::page::Page;

/// When months begin and what reports are called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Billing {
    /// The zone whose midnight begins a month.
    pub zone: BillingZone,
    /// The name of the cost report, as receivers know it.
    pub report_name: String,
    /// How many local days after its end a month is closed; none where only people close.
    pub close_after_days: Option<u32>,
}

const REPORT_NAME: &str = "shared-kubernetes-platform";

pub(super) fn read(value: &Value<'_>) -> Result<Billing, Refused> {
    let mut keys = value.mapping()?;
    let zone =
        keys.with_default("time_zone", BillingZone::UTC, |value| value.parse_with("", BillingZone::new));
    let report_name = keys.with_default("report_name", REPORT_NAME.to_owned(), Value::string);
    let close_after_days = keys.optional("close_after_days", |value| value.whole_number(0..=60));
    keys.finish();
    Ok(Billing { zone: zone?, report_name: report_name?, close_after_days: close_after_days? })
}

impl Billing {
    pub(super) fn print(&self, page: &mut Page) {
        page.section("billing", "When months begin and what reports are called.", |page| {
            page.key(
                "time_zone",
                self.zone.name(),
                "The IANA time zone whose midnight begins a billing month. Its months must begin on full UTC hours. \
                 Changing it moves the edges of every open month.",
            );
            page.key("report_name", &self.report_name, "The name of the cost report, as receivers know it.");
            let days = self.close_after_days.map(|days| days.to_string());
            page.maybe(
                "close_after_days",
                days.as_deref(),
                "3",
                "How many local days after its end a month is closed by itself, if nothing is in the way. Without it, \
                 months are closed by people only. What is closed changes only by a restatement.",
            );
        });
    }
}
