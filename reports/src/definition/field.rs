//! What can stand in a cell.

use defray_pricing::Overflow;
use defray_pricing::charge::Kind;
use defray_pricing::money::Money;
use defray_pricing::names::{CapacityType, ClusterName, InstanceType, Pool};
use defray_pricing::statement::{Line, Statement};

use crate::month::{Coverage, Month};
use crate::{SCHEMA_VERSION, cell, describe};

/// Something a line or its month has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each is the column of its name, which the module's users know by it")]
pub enum Field {
    SchemaVersion,
    Period,
    Status,
    Version,
    CostCenter,
    Tenant,
    Cluster,
    VirtualNamespace,
    Kind,
    Pool,
    InstanceType,
    CapacityType,
    Item,
    Description,
    Quantity,
    Unit,
    UnitPrice,
    ExactAmount,
    Rounding,
    Amount,
    Currency,
    Coverage,
    PriceBookVersion,
    PriceBookDigest,
    ReportingCurrency,
    ExchangeRate,
    ReportingAmount,
}

impl Field {
    /// Every field with the name it has in definitions and headers.
    pub(super) const NAMES: [(&'static str, Self); 27] = [
        ("schema_version", Self::SchemaVersion),
        ("period", Self::Period),
        ("status", Self::Status),
        ("version", Self::Version),
        ("cost_center", Self::CostCenter),
        ("tenant", Self::Tenant),
        ("cluster", Self::Cluster),
        ("virtual_namespace", Self::VirtualNamespace),
        ("kind", Self::Kind),
        ("pool", Self::Pool),
        ("instance_type", Self::InstanceType),
        ("capacity_type", Self::CapacityType),
        ("item", Self::Item),
        ("description", Self::Description),
        ("quantity", Self::Quantity),
        ("unit", Self::Unit),
        ("unit_price", Self::UnitPrice),
        ("exact_amount", Self::ExactAmount),
        ("rounding", Self::Rounding),
        ("amount", Self::Amount),
        ("currency", Self::Currency),
        ("coverage", Self::Coverage),
        ("price_book_version", Self::PriceBookVersion),
        ("price_book_digest", Self::PriceBookDigest),
        ("reporting_currency", Self::ReportingCurrency),
        ("exchange_rate", Self::ExchangeRate),
        ("reporting_amount", Self::ReportingAmount),
    ];

    /// What rows can be grouped by.
    pub(super) const GROUPS: [(&'static str, Self); 9] = [
        ("cost_center", Self::CostCenter),
        ("tenant", Self::Tenant),
        ("cluster", Self::Cluster),
        ("virtual_namespace", Self::VirtualNamespace),
        ("kind", Self::Kind),
        ("pool", Self::Pool),
        ("instance_type", Self::InstanceType),
        ("capacity_type", Self::CapacityType),
        ("item", Self::Item),
    ];

    /// The name of the column.
    pub(crate) fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, field)| *field == self).map_or("", |(name, _)| name)
    }

    /// What the month has alike for every row; none for what lines differ in.
    pub(crate) fn of_month(self, month: &Month) -> Result<Option<String>, Overflow> {
        Ok(Some(match self {
            Self::SchemaVersion => SCHEMA_VERSION.to_owned(),
            Self::Period => month.period.to_string(),
            Self::Status => month.status.to_string(),
            Self::Version => month.version.to_string(),
            Self::Currency => month.currency.to_string(),
            Self::Coverage => month.whole_coverage().map(Coverage::ratio)?.unwrap_or_default(),
            Self::PriceBookVersion => cell::text(&month.books()).into_owned(),
            Self::PriceBookDigest => month.book_digest.to_string(),
            _ => return Ok(None),
        }))
    }

    /// The text a line is grouped by, as it is.
    pub(crate) fn label(self, line: &Line) -> &str {
        let key = &line.key;
        let class = key.class.as_ref();
        match self {
            Self::CostCenter => key.cost_center.as_str(),
            Self::Tenant => key.tenant.as_str(),
            Self::Cluster => key.cluster.as_ref().map_or("", ClusterName::as_str),
            Self::VirtualNamespace => describe::virtual_namespace(line),
            Self::Kind => key.kind.as_str(),
            Self::Pool => class.map(|class| &class.pool).map_or("", Pool::as_str),
            Self::InstanceType => class.map(|class| &class.instance_type).map_or("", InstanceType::as_str),
            Self::CapacityType => class.map(|class| &class.capacity_type).map_or("", CapacityType::as_str),
            Self::Item => &key.item,
            _ => "",
        }
    }

    /// What all lines of a statement have alike of its reporting currency; empty where there is none.
    pub(crate) fn of_statement(self, statement: &Statement) -> String {
        let text = match self {
            Self::ReportingCurrency => statement.reporting.map(|reporting| reporting.currency.to_string()),
            Self::ExchangeRate => {
                let converted = statement.reporting.and_then(|reporting| reporting.converted);
                converted.map(|converted| converted.rate.to_string())
            }
            _ => None,
        };
        text.unwrap_or_default()
    }

    /// The cell of a line of a statement. What has no value is empty, never zero.
    pub(crate) fn of_line(
        self,
        month: &Month,
        statement: &Statement,
        line: &Line,
    ) -> Result<String, Overflow> {
        let money = |money: Money, digits: u32| {
            if line.key.kind == Kind::Unpriced { String::new() } else { money.format(digits) }
        };
        Ok(match self {
            Self::Description => cell::text(&describe::line(line)).into_owned(),
            Self::Quantity => line.quantity.map(|(quantity, _)| quantity.to_string()).unwrap_or_default(),
            Self::Unit => line.quantity.map(|(_, unit)| unit.to_string()).unwrap_or_default(),
            Self::UnitPrice => line.unit_price.map(|price| price.to_string()).unwrap_or_default(),
            Self::ExactAmount => money(line.exact, 0),
            Self::Rounding => money(line.rounding, 0),
            Self::Amount => money(line.amount, month.currency.exponent()),
            Self::ReportingCurrency | Self::ExchangeRate => self.of_statement(statement),
            Self::ReportingAmount => match (statement.reporting, line.reporting) {
                (Some(reporting), Some(amount)) => money(amount, reporting.currency.exponent()),
                _ => String::new(),
            },
            Self::Coverage => month.coverage_of(line)?.unwrap_or_default(),
            _ => match self.of_month(month)? {
                Some(text) => text,
                None => cell::text(self.label(line)).into_owned(),
            },
        })
    }
}
