//! A price book held against what a month used.

use std::collections::BTreeSet;

use defray_ledger::Scope;
use defray_pricing::book::{PriceBook, Problem, Seen};
use defray_pricing::names::CostCenter;
use defray_pricing::time::{BillingZone, Period};

use super::super::stored::Stored;
use super::super::{Failure, PriceCheck, output};
use super::failure;
use crate::config::{Config, read_sources};
use crate::rerate::{NotAgain, StoredMonth};

pub(super) async fn run(arguments: &PriceCheck, config: Option<&Config>) -> Result<(), Failure> {
    let sources = match (arguments.book.as_slice(), config) {
        ([], Some(config)) => config.price_book_sources()?,
        ([], None) => {
            return Err(Failure::Usage(anyhow::anyhow!(
                "which price book? name its files, or the configuration with --config"
            )));
        }
        (files, _) => read_sources(files)?,
    };
    let Some(period) = arguments.period else {
        let zone = config.map_or(BillingZone::UTC, |config| config.billing.zone);
        return tell(&PriceBook::parse(&sources, zone)?, None, &Findings::default());
    };
    let stored = Stored::open(&arguments.from, config).await?;
    let result = match PriceBook::parse(&sources, stored.rerate.zone) {
        Ok(book) => against(&stored, &book, period).await,
        Err(problems) => Err(problems.into()),
    };
    stored.close(result).await
}

/// What there is to say of a book and a month that happened.
#[derive(Debug, Default)]
struct Findings {
    /// What blocks the close.
    wrong: Vec<Problem>,
    /// What may be meant.
    odd: Vec<String>,
}

async fn against(stored: &Stored, book: &PriceBook, period: Period) -> Result<(), Failure> {
    let month = stored.rerate.stored(period).await.map_err(failure)?;
    let seen = seen(stored, &month).await.map_err(failure)?;
    let hours = stored.rerate.zone.hours(period);
    let mut findings = Findings { wrong: book.check(&seen, hours), odd: Vec::new() };
    let mut known: BTreeSet<&CostCenter> = BTreeSet::new();
    for owners in month.plans.days.iter().flat_map(|plan| &plan.hours) {
        known.extend(owners.tenants.values().map(|state| &state.cost_center));
    }
    for edition in book.editions.iter().filter(|edition| edition.effective_from < hours.until) {
        for unknown in edition.cost_centers.keys().filter(|name| !known.contains(name)) {
            findings.odd.push(format!(
                "price book {}: terms for the cost centre `{unknown}`, which had no tenant in {period}",
                edition.version
            ));
        }
    }
    tell(book, Some(period), &findings)
}

/// Everything that existed in a month, read a day at a time.
async fn seen(stored: &Stored, month: &StoredMonth) -> Result<Seen, NotAgain> {
    let (rerate, mut seen) = (&stored.rerate, Seen::default());
    for plan in &month.plans.days {
        let range = rerate.zone.hours_of_day(plan.day);
        for usage in rerate.ledger.usage(&Scope::everything(), range).await? {
            if month.view.counts(&usage.cluster, usage.hour) {
                seen.add_usage(&usage);
            }
        }
        for owners in &plan.hours {
            seen.add_owners(owners);
        }
    }
    Ok(seen)
}

fn tell(book: &PriceBook, period: Option<Period>, findings: &Findings) -> Result<(), Failure> {
    let editions: Vec<String> = book
        .editions
        .iter()
        .map(|edition| format!("{} from {}", edition.version, edition.effective_from))
        .collect();
    output::to_stdout(|out| {
        writeln!(out, "ok    price book {}: {} ({})", book.digest, editions.join(", "), book.currency)?;
        for odd in &findings.odd {
            writeln!(out, "warn  {odd}")?;
        }
        for problem in &findings.wrong {
            writeln!(out, "WRONG {problem}")?;
        }
        match (period, findings.wrong.len()) {
            (None, _) => {}
            (Some(period), 0) => writeln!(out, "ok    everything that {period} used has a price")?,
            (Some(period), wrong) => {
                let noun = if wrong == 1 { "problem" } else { "problems" };
                writeln!(
                    out,
                    "{wrong} {noun} with what {period} used; each blocks the close of such a month"
                )?;
            }
        }
        Ok(())
    })?;
    if findings.wrong.is_empty() { Ok(()) } else { Err(Failure::Reported) }
}
