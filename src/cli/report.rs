//! Writes the report of a billing period from what the ledger holds.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::io::Write;

use anyhow::Context;
use defray_ledger::{Ledger, Location, MonthRecord, Scope};
use defray_pricing::names::TenantName;
use defray_pricing::time::BillingZone;
use defray_reports::{Definitions, Month, csv, json};

use super::{Failure, Report, ReportFormat, output, stored};
use crate::app;
use crate::config::Config;
use crate::month;

/// Reads the month and writes it.
pub(super) async fn run(arguments: &Report, config: Option<&Config>) -> Result<(), Failure> {
    let (location, zone) = place(arguments, config)?;
    let ledger =
        Ledger::open_beside(&location).await.with_context(|| format!("opening the ledger at {location}"))?;
    let result = write(arguments, &ledger, zone).await;
    ledger.close().await;
    result
}

fn place(arguments: &Report, config: Option<&Config>) -> Result<(Location, BillingZone), Failure> {
    if let Some(config) = config {
        return Ok((config.ledger.location.clone(), config.billing.zone));
    }
    let location = stored::location(arguments.from.data.as_deref().unwrap_or_default())?;
    let zone = BillingZone::new(&arguments.time_zone).map_err(|error| Failure::Usage(error.into()))?;
    Ok((location, zone))
}

async fn write(arguments: &Report, ledger: &Ledger, zone: BillingZone) -> Result<(), Failure> {
    let tenant = arguments.tenant.as_deref().map(TenantName::from);
    let scope = match &tenant {
        Some(tenant) => Scope::tenants(BTreeSet::from([tenant.clone()])),
        None => Scope::everything(),
    };
    let period = arguments.period;
    let everything = ledger.periods(&Scope::everything(), zone).await.context("reading the periods")?;
    let entry = everything.into_iter().find(|entry| entry.period == period).with_context(|| {
        format!("the ledger holds nothing of {period}; let the daemon measure it, or name another period")
    })?;
    let record = ledger.month(&scope, period).await.context("reading the month")?.with_context(|| {
        format!(
            "{period} is measured but not rated yet; let the daemon run, or look at its log for the reason"
        )
    })?;
    if let Some(tenant) = &tenant
        && record.statements.statements.is_empty()
    {
        return Err(anyhow::anyhow!("the tenant `{tenant}` has no statement in {period}").into());
    }
    let month = month::facts(&entry, &record, zone, app::is_demo(ledger).await?);
    let format = arguments.format;
    let write = |out: &mut dyn Write| render(format, &month, &record, out);
    match &arguments.output {
        Some(path) => output::to_file(path, write)?,
        None => output::to_stdout(write)?,
    }
    Ok(())
}

fn render(
    format: ReportFormat,
    month: &Month,
    record: &MonthRecord,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let statements = record.statements.statements.iter().map(Ok::<_, Infallible>);
    if format == ReportFormat::Json {
        return json::write(month, statements, out).context("writing JSON");
    }
    let definitions = Definitions::built_in().map_err(|problems| {
        let list: Vec<String> = problems.iter().map(ToString::to_string).collect();
        anyhow::anyhow!("a report definition of this program is wrong: {}", list.join("; "))
    })?;
    let definition = match format {
        ReportFormat::Summary => &definitions.summary,
        ReportFormat::Csv | ReportFormat::Json => &definitions.statement,
    };
    csv::write(definition, month, statements, out).context("writing CSV")
}
