//! A price book held against what a month used.

use std::sync::Arc;

use defray_ledger::Scope;
use defray_pricing::astray::Why;
use defray_pricing::book::{Misfit, PriceBook, Problem, Seen};
use defray_pricing::time::{BillingZone, Period};

use super::super::stored::{self, Stored};
use super::super::{Failure, PriceCheck, ReportSource, output};
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
    if let Some(period) = arguments.period {
        let from = ReportSource { config: arguments.config.clone(), data: arguments.data.clone() };
        let stored = Stored::open(&from, config).await?;
        let result = match PriceBook::parse(&sources, stored.rerate.zone) {
            Ok(book) => against(&stored, book, period).await,
            Err(problems) => Err(problems.into()),
        };
        return stored.close(result).await;
    }
    let zone = match (config, arguments.data.as_deref()) {
        (Some(config), _) => Some(config.billing.zone),
        (None, Some(data)) => stored::zone(data).await?,
        (None, None) => None,
    };
    let book = PriceBook::parse(&sources, zone.unwrap_or(BillingZone::UTC))?;
    let written = output::to_stdout(|out| {
        writeln!(out, "{}", right(&book))?;
        if zone.is_none() {
            writeln!(
                out,
                "note  its dates are read in UTC, for nothing says in which zone months begin; if billing.time_zone \
                 names another, name the configuration with --config"
            )?;
        }
        Ok(())
    });
    output::after(written, Ok(()))
}

/// What there is to say of a book and a month that happened.
#[derive(Debug, Default)]
struct Findings {
    /// What is to be mended before such a month is closed.
    wrong: Vec<Misfit>,
    /// What may be meant.
    odd: Vec<Problem>,
}

async fn against(stored: &Stored, book: PriceBook, period: Period) -> Result<(), Failure> {
    let month = stored.rerate.stored(period).await.map_err(failure)?;
    let seen = seen(stored, &month).await.map_err(failure)?;
    let hours = stored.rerate.zone.hours(period);
    let mut findings = Findings { wrong: book.check(&seen, hours), odd: book.doubts(&seen, hours) };
    findings.odd.extend(book.unseen(&seen, hours));
    // Such a book never comes into force, so it keeps nothing from being closed.
    let currency = book.other_currency(month.record.statements.currency);
    findings.wrong.extend(currency.map(|problem| Misfit { problem, blocks_close: false }));
    findings.wrong.sort();
    let view = month.view.under(Arc::new(book));
    for stray in view.strays(&stored.rerate.ledger).await? {
        // Whom the month does not know was looked for in what existed, above.
        let told = stray.period == period && matches!(stray.why, Why::NoTenant | Why::NoStatement);
        if stray.why.is_wrong() && !told {
            findings.odd.push(stray.problem);
        }
    }
    findings.odd.sort();
    tell(&view.book, period, &findings)
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
    let counted = month.view.ranges.values().filter(|range| !range.is_empty());
    seen.counts_from = counted.map(|range| range.from).min();
    Ok(seen)
}

/// That a book is right by itself, and which it is.
fn right(book: &PriceBook) -> String {
    let editions: Vec<String> = book
        .editions
        .iter()
        .map(|edition| format!("{} from {}", edition.version, edition.effective_from))
        .collect();
    format!("ok    price book {}: {} ({})", book.digest, editions.join(", "), book.currency)
}

fn tell(book: &PriceBook, period: Period, Findings { wrong, odd }: &Findings) -> Result<(), Failure> {
    let written = output::to_stdout(|out| {
        writeln!(out, "{}", right(book))?;
        for odd in odd {
            writeln!(out, "warn  {odd}")?;
        }
        for misfit in wrong {
            let blocks = if misfit.blocks_close { "; it blocks the close" } else { "" };
            writeln!(out, "WRONG {misfit}{blocks}")?;
        }
        let blocking = wrong.iter().filter(|misfit| misfit.blocks_close).count();
        if blocking == 0 {
            writeln!(out, "ok    everything that {period} used has a price")?;
        }
        if !wrong.is_empty() {
            let noun = if wrong.len() == 1 { "problem" } else { "problems" };
            writeln!(
                out,
                "{} {noun} with what was in {period}, {}",
                wrong.len(),
                of_them(blocking, wrong.len())
            )?;
        }
        Ok(())
    });
    output::after(written, if wrong.is_empty() { Ok(()) } else { Err(Failure::Reported) })
}

/// How many problems keep such a month from being closed.
fn of_them(blocking: usize, all: usize) -> String {
    match blocking {
        0 => "which would not keep it from being closed".to_owned(),
        some if some == all => "which would keep it from being closed".to_owned(),
        some => format!("{some} of which would keep it from being closed"),
    }
}
