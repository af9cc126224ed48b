//! Trying and checking price books.

use std::path::Path;

use anyhow::Context;
use defray_pricing::book::{PriceBook, Source, json_schema};
use defray_pricing::diff::diff;
use defray_reports::price_diff::{self, Book};

use super::stored::Stored;
use super::{DiffFormat, Failure, Price, PriceDiff, output};
use crate::config::{Config, read_sources};
use crate::rerate::{NotAgain, Unwatched, versions};

mod check;

impl Price {
    /// The configuration, where one is named.
    pub(super) fn config(&self) -> Option<&Path> {
        match self {
            Self::Diff(arguments) => arguments.from.config.as_deref(),
            Self::Check(arguments) => arguments.config.as_deref(),
            Self::Schema => None,
        }
    }
}

/// Runs one of the commands.
pub(super) async fn run(command: &Price, config: Option<&Config>) -> Result<(), Failure> {
    match command {
        Price::Diff(arguments) => {
            let sources = read_sources(&arguments.book)?;
            let stored = Stored::open(&arguments.from, config).await?;
            let result = show_diff(arguments, &stored, &sources).await;
            stored.close(result).await
        }
        Price::Check(arguments) => check::run(arguments, config).await,
        Price::Schema => Ok(print_schema()?),
    }
}

/// The schema as it stands in `pricing/books/schema.json`.
fn print_schema() -> anyhow::Result<()> {
    output::to_stdout(|out| {
        serde_json::to_writer_pretty(&mut *out, &json_schema()).context("writing the schema")?;
        writeln!(out).context("writing the schema")
    })
}

/// A month that cannot be rated again is work that failed; a book that does not fit it is the person's.
pub(super) fn failure(not: NotAgain) -> Failure {
    match not {
        NotAgain::TooLate { .. } => Failure::Usage(
            anyhow::Error::new(not).context("the new book does not reach the month (see --edition)"),
        ),
        NotAgain::Unclear(_) | NotAgain::Clash(_) => Failure::Usage(not.into()),
        other => Failure::Work(other.into()),
    }
}

async fn show_diff(arguments: &PriceDiff, stored: &Stored, sources: &[Source]) -> Result<(), Failure> {
    let rerate = &stored.rerate;
    let book = PriceBook::parse(sources, rerate.zone)?;
    let book = only(book, arguments.edition.as_deref())?;
    let month = rerate.stored(arguments.period).await.map_err(failure)?;
    let old = if month.current {
        month.record.statements.clone()
    } else {
        rerate.as_it_was(&month, Unwatched).await.map_err(failure)?.0
    };
    let new_versions = versions(&book, &month.plans.days);
    let new_digest = book.digest;
    let (new, Unwatched) = rerate.under(&month, book, Unwatched).await.map_err(failure)?;
    let diff = diff(&old, &new).map_err(|error| Failure::Usage(error.into()))?;
    let shown = price_diff::PriceDiff {
        diff,
        old: Book { digest: month.record.book_digest, versions: month.record.book_versions.clone() },
        new: Book { digest: new_digest, versions: new_versions },
        old_is_stored: month.current,
        threshold: arguments.fail_above,
        demo: stored.demo,
    };
    // Known before it is written: a closed pipe changes nothing about it. What is written says why.
    let fails = shown.fails().map_err(anyhow::Error::from)?;
    let written = output::to_stdout(|out| {
        match arguments.format {
            DiffFormat::Text => price_diff::text(&shown, out),
            DiffFormat::Markdown => price_diff::markdown(&shown, out),
            DiffFormat::Json => price_diff::json(&shown, out),
        }
        .context("writing the diff")
    });
    output::after(written, if fails { Err(Failure::Reported) } else { Ok(()) })
}

/// The book, or only one of its editions.
fn only(book: PriceBook, edition: Option<&str>) -> Result<PriceBook, Failure> {
    let Some(version) = edition else { return Ok(book) };
    book.as_if_always(version).ok_or_else(|| {
        let known: Vec<&str> = book.editions.iter().map(|edition| edition.version.as_str()).collect();
        Failure::Usage(anyhow::anyhow!(
            "the new book has no edition `{version}`; its editions are {}",
            known.join(", ")
        ))
    })
}
