//! Lists the billing months and where each stands.

use anyhow::Context;
use defray_ledger::{Ledger, PeriodEntry, PeriodState, Scope};
use defray_pricing::time::BillingZone;

use super::{Failure, Periods, output, stored};
use crate::config::Config;

/// Reads beside whoever holds the ledger, and writes one line for each.
pub(super) async fn run(arguments: &Periods, config: Option<&Config>) -> Result<(), Failure> {
    let (location, zone) = match config {
        Some(config) => (config.ledger.location.clone(), config.billing.zone),
        None => (
            stored::location(arguments.from.data.as_deref().unwrap_or_default())?,
            BillingZone::new(&arguments.time_zone).map_err(|error| Failure::Usage(error.into()))?,
        ),
    };
    let ledger =
        Ledger::open_beside(&location).await.with_context(|| format!("opening the ledger at {location}"))?;
    let listed = lines(&ledger, zone).await;
    ledger.close().await;
    let listed = listed?;
    Ok(output::to_stdout(|out| Ok(out.write_all(listed.as_bytes())?))?)
}

async fn lines(ledger: &Ledger, zone: BillingZone) -> anyhow::Result<String> {
    let everything = Scope::everything();
    let periods = ledger.periods(&everything, zone).await.context("reading the periods")?;
    let mut text = format!("{:<8} {:<9} {:>7} {:>20}  closed\n", "period", "status", "version", "amount");
    for entry in periods.iter().rev() {
        let closed = ledger.versions(&everything, entry.period).await.context("reading closes")?.pop();
        let closed = closed.filter(|_| entry.state != PeriodState::Open);
        let by = closed.map(|closed| {
            let reason = closed.reason.as_deref().or(closed.forced.as_deref());
            let reason = reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
            format!("{} by {}{reason}", closed.at.format("%Y-%m-%dT%H:%M:%SZ"), closed.by)
        });
        text.push_str(&line(entry, &by.unwrap_or_default()));
    }
    Ok(text)
}

fn line(entry: &PeriodEntry, closed: &str) -> String {
    let amount = entry.amount.zip(entry.currency);
    let amount =
        amount.map(|(amount, currency)| format!("{} {currency}", amount.format(currency.exponent())));
    let status = crate::month::status(entry.state).as_str();
    let amount = amount.unwrap_or_else(|| "not rated".to_owned());
    let row =
        format!("{:<8} {status:<9} {:>7} {amount:>20}  {closed}", entry.period.to_string(), entry.version);
    format!("{}\n", row.trim_end())
}
