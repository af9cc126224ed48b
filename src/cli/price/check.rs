//! A price book held against what a month used.

use std::sync::Arc;

use defray_ledger::Scope;
use defray_pricing::astray::Why;
use defray_pricing::book::{PriceBook, Problem, Seen};
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
        Ok(book) => against(&stored, book, period).await,
        Err(problems) => Err(problems.into()),
    };
    stored.close(result).await
}

/// What there is to say of a book and a month that happened.
#[derive(Debug, Default)]
struct Findings {
    /// What is to be mended before such a month is closed.
    wrong: Vec<Problem>,
    /// What may be meant.
    odd: Vec<Problem>,
}

async fn against(stored: &Stored, book: PriceBook, period: Period) -> Result<(), Failure> {
    let month = stored.rerate.stored(period).await.map_err(failure)?;
    let seen = seen(stored, &month).await.map_err(failure)?;
    let hours = stored.rerate.zone.hours(period);
    let mut findings = Findings { wrong: book.check(&seen, hours), odd: book.doubts(&seen, hours) };
    let view = month.view.under(Arc::new(book));
    for stray in view.strays(&stored.rerate.ledger).await? {
        // Whom the month does not know was looked for in what existed, above.
        let told = stray.period == period && matches!(stray.why, Why::NoTenant | Why::NoStatement);
        if stray.why.is_wrong() && !told {
            findings.odd.push(stray.problem);
        }
    }
    findings.odd.sort();
    tell(&view.book, Some(period), &findings)
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
                    "{wrong} {noun} with what was in {period}; mend what is WRONG before such a month is closed"
                )?;
            }
        }
        Ok(())
    })?;
    if findings.wrong.is_empty() { Ok(()) } else { Err(Failure::Reported) }
}
