//! Writes the report of a billing period from what the ledger holds.

use std::collections::BTreeSet;
use std::io::Write;

use anyhow::Context;
use defray_ledger::{ClosedMonth, Ledger, Location, PeriodState, RenderedFile, Scope};
use defray_pricing::names::TenantName;
use defray_pricing::time::BillingZone;
use defray_reports::Definitions;

use super::{Failure, Report, ReportFormat, output, stored};
use crate::app;
use crate::config::Config;
use crate::{month, shipped};

/// Reads the month and writes it.
pub(super) async fn run(arguments: &Report, config: Option<&Config>) -> Result<(), Failure> {
    let (location, zone) = place(arguments, config)?;
    let ledger =
        Ledger::open_beside(&location).await.with_context(|| format!("opening the ledger at {location}"))?;
    let result = write(arguments, &ledger, &location, zone).await;
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

async fn write(
    arguments: &Report,
    ledger: &Ledger,
    location: &Location,
    zone: BillingZone,
) -> Result<(), Failure> {
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
    let report = report(arguments.format);
    let closed = match entry.state {
        PeriodState::Open => None,
        PeriodState::Closed | PeriodState::Restated => {
            ledger.close_of(&scope, period, entry.version).await.context("reading the close")?
        }
    };
    // What a closed month said once, it says for ever.
    if let Some(closed) = &closed
        && let Some((_, kept)) =
            ledger.close_file(&scope, closed, &report.file()).await.context("reading what is kept")?
    {
        return Ok(put(arguments, |out| Ok(out.write_all(&kept)?))?);
    }
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
    let definitions = definitions()?;
    if let Some(closed) = &closed {
        let file = report.rendered(&definitions, &month, &record).context("writing the report")?;
        let kept = keep(&scope, closed, file, location).await?;
        return Ok(put(arguments, |out| Ok(out.write_all(&kept)?))?);
    }
    let statements = record.statements.statements;
    Ok(put(arguments, |out| {
        report.write(&definitions, &month, &statements, out).context("writing the report")
    })?)
}

/// Keeps what nobody asked for before, which needs the right to write: what is sent once is sent for ever.
async fn keep(
    scope: &Scope,
    closed: &ClosedMonth,
    file: RenderedFile,
    location: &Location,
) -> anyhow::Result<Vec<u8>> {
    let (period, version) = (closed.period, closed.version);
    let ledger = Ledger::open_existing(location).await.with_context(|| {
        format!(
            "this report of version {version} of {period} was not sent before and has to be kept first; download it \
             from the daemon, under /api/v1/periods/{period}/versions/{version}/, or stop what holds the ledger"
        )
    })?;
    let kept = ledger.keep_file(scope, closed, file).await.context("keeping the report before it is sent");
    ledger.close().await;
    Ok(kept?.1)
}

fn put(arguments: &Report, write: impl FnOnce(&mut dyn Write) -> anyhow::Result<()>) -> anyhow::Result<()> {
    match &arguments.output {
        Some(path) => output::to_file(path, write),
        None => output::to_stdout(write),
    }
}

fn report(format: ReportFormat) -> shipped::Report {
    match format {
        ReportFormat::Summary => shipped::Report::summary(),
        ReportFormat::Csv => shipped::Report::statement(shipped::Format::Csv, [], []),
        ReportFormat::Json => shipped::Report::statement(shipped::Format::Json, [], []),
    }
}

fn definitions() -> anyhow::Result<Definitions> {
    Definitions::built_in().map_err(|problems| {
        let list: Vec<String> = problems.iter().map(ToString::to_string).collect();
        anyhow::anyhow!("a report definition of this program is wrong: {}", list.join("; "))
    })
}
