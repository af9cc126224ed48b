//! The report's layout. Fields stand in the order of their keys, which a test keeps sorted.

use defray_pricing::charge::Kind;
use defray_pricing::statement::{Line, Statement};
use serde::Serialize;

use super::CostReportError;
use super::parts::Parts;
use crate::month::Month;
use crate::number::Number;
use crate::usage::Usage;
use crate::{SCHEMA_VERSION, describe};

/// What the digest is of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Content {
    corrects: Option<String>,
    cost_center: String,
    costs: Costs,
    currency: String,
    demo: bool,
    /// Said only where there are any: what was sent before lost hours were known is not sent again.
    #[serde(skip_serializing_if = "Option::is_none")]
    hours_lost: Option<u64>,
    hours_missing: u64,
    period: String,
    period_end: String,
    period_start: String,
    price_book_digest: String,
    price_book_version: String,
    report_id: String,
    resource_usage: ResourceUsage,
    schema_version: &'static str,
    status: &'static str,
    tenant_name: String,
    version: u32,
}

/// What is sent: the content, and what changes from one delivery to the next.
pub(super) struct Body<'a> {
    pub(super) content: &'a Content,
    pub(super) digest: &'a str,
    pub(super) generated_at: String,
    pub(super) revision: u32,
}

impl Serialize for Body<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct as _;
        let content = self.content;
        let fields = if content.hours_lost.is_some() { 21 } else { 20 };
        let mut body = serializer.serialize_struct("CostReport", fields)?;
        body.serialize_field("ContentDigest", self.digest)?;
        body.serialize_field("Corrects", &content.corrects)?;
        body.serialize_field("CostCenter", &content.cost_center)?;
        body.serialize_field("Costs", &content.costs)?;
        body.serialize_field("Currency", &content.currency)?;
        body.serialize_field("Demo", &content.demo)?;
        body.serialize_field("GeneratedAt", &self.generated_at)?;
        match &content.hours_lost {
            Some(lost) => body.serialize_field("HoursLost", lost)?,
            None => body.skip_field("HoursLost")?,
        }
        body.serialize_field("HoursMissing", &content.hours_missing)?;
        body.serialize_field("Period", &content.period)?;
        body.serialize_field("PeriodEnd", &content.period_end)?;
        body.serialize_field("PeriodStart", &content.period_start)?;
        body.serialize_field("PriceBookDigest", &content.price_book_digest)?;
        body.serialize_field("PriceBookVersion", &content.price_book_version)?;
        body.serialize_field("ReportId", &content.report_id)?;
        body.serialize_field("ResourceUsage", &content.resource_usage)?;
        body.serialize_field("Revision", &self.revision)?;
        body.serialize_field("SchemaVersion", content.schema_version)?;
        body.serialize_field("Status", content.status)?;
        body.serialize_field("TenantName", &content.tenant_name)?;
        body.serialize_field("Version", &content.version)?;
        body.end()
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Costs {
    adjustments: Number,
    compute: Number,
    credits: Number,
    idle: Number,
    lines: Vec<WireLine>,
    load_balancers: Number,
    memory: Number,
    network: Number,
    node_pool: Number,
    services: Number,
    shared: Number,
    storage: Number,
    terms: Number,
    total: Number,
    total_exact: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct WireLine {
    amount: Option<Number>,
    amount_exact: Option<String>,
    capacity_type: Option<String>,
    cluster: Option<String>,
    description: String,
    instance_type: Option<String>,
    item: String,
    kind: &'static str,
    pool: Option<String>,
    quantity: Option<String>,
    sku_id: String,
    unit: Option<&'static str>,
    unit_price: Option<String>,
    virtual_namespace: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct ResourceUsage {
    coverage_ratio: Option<Number>,
    cpu_core_hours: String,
    gpu_hours: String,
    load_balancer_hours: String,
    #[serde(rename = "MemoryGiBHours")]
    memory_gib_hours: String,
    #[serde(rename = "NetworkGiB")]
    network_gib: String,
    node_hours: String,
    #[serde(rename = "StorageGiBHours")]
    storage_gib_hours: String,
}

impl Content {
    pub(super) fn new(id: String, month: &Month, statement: &Statement) -> Result<Self, CostReportError> {
        Ok(Self {
            corrects: None,
            cost_center: statement.cost_center.to_string(),
            costs: Costs::new(month, statement)?,
            currency: month.currency.to_string(),
            demo: month.demo,
            hours_lost: Some(month.hours_lost).filter(|lost| *lost > 0),
            hours_missing: month.hours_missing,
            period: month.period.to_string(),
            period_end: month.end(),
            period_start: month.start(),
            price_book_digest: month.book_digest.to_string(),
            price_book_version: month.books(),
            report_id: id,
            resource_usage: ResourceUsage::new(month, statement)?,
            schema_version: SCHEMA_VERSION,
            status: month.status.as_str(),
            tenant_name: statement.tenant.to_string(),
            version: month.version,
        })
    }
}

impl Costs {
    fn new(month: &Month, statement: &Statement) -> Result<Self, CostReportError> {
        let exponent = month.currency.exponent();
        let number = |money: defray_pricing::money::Money| Number::new(money.format(exponent));
        let parts = Parts::of(&statement.lines)?;
        let sum = parts.total()?;
        if sum != statement.amount {
            let text = |money: defray_pricing::money::Money| money.format(exponent);
            return Err(CostReportError::DoesNotAddUp { parts: text(sum), total: text(statement.amount) });
        }
        Ok(Self {
            adjustments: number(parts.adjustments),
            compute: number(parts.compute),
            credits: number(parts.credits),
            idle: number(parts.idle),
            lines: statement.lines.iter().map(|line| WireLine::new(exponent, line)).collect(),
            load_balancers: number(parts.load_balancers),
            memory: number(parts.memory),
            network: number(parts.network),
            node_pool: number(parts.node_pool),
            services: number(parts.services),
            shared: number(parts.shared),
            storage: number(parts.storage),
            terms: number(parts.terms),
            total: number(statement.amount),
            total_exact: statement.exact.to_string(),
        })
    }
}

impl WireLine {
    fn new(exponent: u32, line: &Line) -> Self {
        let key = &line.key;
        let class = key.class.as_ref();
        let priced = key.kind != Kind::Unpriced;
        Self {
            amount: priced.then(|| Number::new(line.amount.format(exponent))),
            amount_exact: priced.then(|| line.exact.to_string()),
            capacity_type: class.map(|class| class.capacity_type.to_string()),
            cluster: key.cluster.as_ref().map(ToString::to_string),
            description: describe::line(line),
            instance_type: class.map(|class| class.instance_type.to_string()),
            item: key.item.clone(),
            kind: key.kind.as_str(),
            pool: class.map(|class| class.pool.to_string()),
            quantity: line.quantity.map(|(quantity, _)| quantity.to_string()),
            sku_id: format!("{}/{}", key.kind, key.item),
            unit: line.quantity.map(|(_, unit)| unit.as_str()),
            unit_price: line.unit_price.map(|price| price.to_string()),
            virtual_namespace: describe::virtual_namespace(line).to_owned(),
        }
    }
}

impl ResourceUsage {
    fn new(month: &Month, statement: &Statement) -> Result<Self, CostReportError> {
        let mut usage = Usage::default();
        for line in &statement.lines {
            usage.add(line.key.kind, &line.key.item, line.quantity)?;
        }
        Ok(Self {
            coverage_ratio: month.coverage_of_statement(statement)?.map(Number::new),
            cpu_core_hours: usage.cpu.to_string(),
            gpu_hours: usage.gpu.to_string(),
            load_balancer_hours: usage.load_balancers.to_string(),
            memory_gib_hours: usage.memory.to_string(),
            network_gib: usage.network.to_string(),
            node_hours: usage.nodes.to_string(),
            storage_gib_hours: usage.storage.to_string(),
        })
    }
}
