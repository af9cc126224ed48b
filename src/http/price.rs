//! Trying a price book.

use axum::body::Body;
use axum::extract::State as Extract;
use axum::http::HeaderMap;
use axum::response::Response;
use defray_ledger::LedgerError;
use defray_pricing::book::{PriceBook, Source};
use defray_pricing::diff::{self, Threshold};
use defray_pricing::time::BillingZone;
use defray_reports::price_diff::{self, Book, PriceDiff};

use super::access::Reader;
use super::body::{Document, Place, respond};
use super::query::Query;
use super::{Error, State, months, yaml};
use crate::rerate::{Unwatched, versions};

/// The largest book that is taken.
const MOST_BYTES: usize = 1 << 20;

/// `?period=`, and the whole of the new book as YAML; several files of it apart by lines of `---`.
pub(super) async fn diff(
    Reader(scope): Reader,
    Extract(state): Extract<State>,
    mut query: Query,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Error> {
    if !scope.sees_everything() {
        return Err(LedgerError::OutOfScope("what another price book would change").into());
    }
    let period = query.one("period");
    let edition = query.one("edition");
    let threshold = query.one("fail_above").and_then(|text| match text.parse::<Threshold>() {
        Ok(threshold) => Some(threshold),
        Err(error) => {
            query.refuse("fail_above", error.to_string());
            None
        }
    });
    if period.is_none() {
        query.refuse("period", "name the billing period, such as 2026-10");
    }
    query.finish()?;
    let period = months::period(&period.unwrap_or_default())?;
    let text = yaml::text(&headers, body, MOST_BYTES).await?;
    let place = Place::take(&state).await?;
    // Some megabytes of YAML are no work for a thread that others wait for.
    let zone = state.zone;
    let book = state.supervisor.blocking("read a book", move || read(&text, zone, edition.as_deref())).await;
    let book = book.map_err(|error| Error::Internal(error.to_string()))??;
    let demo = state.demo;
    let shown = state.rerate(|rerate| async move {
        let month = rerate.stored(period).await?;
        let old = if month.current {
            month.record.statements.clone()
        } else {
            rerate.as_it_was(&month, Unwatched).await?.0
        };
        let new_book = Book { digest: book.digest, versions: versions(&book, &month.plans.days) };
        let (new, Unwatched) = rerate.under(&month, book, Unwatched).await?;
        Ok(PriceDiff {
            diff: diff::diff(&old, &new).map_err(|error| Error::Sent(error.to_string()))?,
            old: Book { digest: month.record.book_digest, versions: month.record.book_versions },
            new: new_book,
            old_is_stored: month.current,
            threshold,
            demo,
        })
    });
    let shown = shown.await?;
    let document = Document { content_type: "application/json", disposition: None, cache: "no-store" };
    respond(&state, place, &headers, document, move |out| {
        price_diff::json(&shown, out).map_err(|error| Error::Internal(error.to_string()))
    })
    .await
}

/// The book that was sent, or one of its editions as if it had always been in force.
fn read(text: &str, zone: BillingZone, edition: Option<&str>) -> Result<PriceBook, Error> {
    let book = PriceBook::parse(&files(text), zone).map_err(|problems| Error::Book(yaml::told(&problems)))?;
    let Some(version) = edition else { return Ok(book) };
    book.as_if_always(version).ok_or_else(|| Error::Sent(format!("the book has no edition `{version}`")))
}

/// The files of a book, apart by lines of `---`, named by their number.
fn files(text: &str) -> Vec<Source> {
    let mut texts = vec![String::new()];
    for line in text.lines() {
        if line.trim_end() == "---" {
            texts.push(String::new());
        } else if let Some(last) = texts.last_mut() {
            last.push_str(line);
            last.push('\n');
        }
    }
    // A first line of `---` begins the first file.
    if texts.first().is_some_and(|first| first.trim().is_empty()) && texts.len() > 1 {
        texts.remove(0);
    }
    let named = (1..).zip(texts).map(|(n, text)| Source { name: format!("file {n}"), text });
    named.collect()
}
