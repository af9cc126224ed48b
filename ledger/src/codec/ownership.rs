//! Who owned what when a month was closed, and by which rules, as a Parquet file.

use std::borrow::Cow;
use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use defray_pricing::digest::Digest;
use defray_pricing::names::{ClusterName, Uid};
use defray_pricing::ownership::{Origin, Span, TenancyRules, Timeline};
use defray_pricing::time::{Hour, HourRange};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Columns, Flat, Stored};
use crate::closes::FrozenOwnership;
use crate::error::LedgerError;
use crate::instant::{instant, micros};

const T: usize = 5;
const I: usize = 2;
const ROW: usize = 0;
const CLUSTER: usize = 1;
const UID: usize = 2;
const ORIGIN: usize = 3;
const FACT: usize = 4;
const FROM: usize = 0;
const UNTIL: usize = 1;

/// `row` is what a row is: a span of a `tenant`, `namespace` or `node` (instants in microseconds), since when a
/// cluster is `observed`, its `hours` that count (hours since 1970), or the `tenancy` rules.
const COLUMNS: Columns<T, I> =
    Columns { texts: ["row", "cluster", "uid", "origin", "fact"], ints: ["from", "until"] };

type Row = Flat<'static, T, I>;

/// The rows in their one order, whatever order they were read in.
pub(crate) fn rows(ownership: &FrozenOwnership) -> Result<Vec<Row>, LedgerError> {
    let FrozenOwnership { timeline, tenancy, hours } = ownership;
    let mut rows = Vec::new();
    spans(&mut rows, "tenant", &timeline.tenants)?;
    spans(&mut rows, "namespace", &timeline.namespaces)?;
    spans(&mut rows, "node", &timeline.nodes)?;
    for (cluster, since) in &timeline.observed_since {
        rows.push(row("observed", cluster.as_str(), (Some(micros(*since)), None)));
    }
    for (cluster, range) in hours {
        rows.push(row("hours", cluster.as_str(), (Some(range.from.index()), Some(range.until.index()))));
    }
    let mut rules = row("tenancy", "", (None, None));
    rules.texts[FACT] = Some(Cow::Owned(json(tenancy)?));
    rows.push(rules);
    rows.sort_by(|a, b| (&a.texts, &a.ints).cmp(&(&b.texts, &b.ints)));
    Ok(rows)
}

fn row(what: &'static str, cluster: &str, (from, until): (Option<i64>, Option<i64>)) -> Row {
    let cluster = Some(Cow::Owned(cluster.to_owned()));
    Flat { texts: [Some(Cow::Borrowed(what)), cluster, None, None, None], ints: [from, until] }
}

fn spans<F: Serialize>(
    rows: &mut Vec<Row>,
    what: &'static str,
    spans: &[Span<F>],
) -> Result<(), LedgerError> {
    for span in spans {
        let mut row = row(what, span.cluster.as_str(), (Some(micros(span.from)), span.until.map(micros)));
        row.texts[UID] = Some(Cow::Owned(span.uid.as_str().to_owned()));
        row.texts[ORIGIN] = Some(Cow::Borrowed(match span.origin {
            Origin::Observed => "observed",
            Origin::Assumed => "assumed",
        }));
        row.texts[FACT] = Some(Cow::Owned(json(&span.fact)?));
        rows.push(row);
    }
    Ok(())
}

fn json(value: &impl Serialize) -> Result<String, LedgerError> {
    serde_json::to_string(value).map_err(|error| LedgerError::Encode(error.to_string()))
}

/// Of what the rows say, whatever file they are in.
pub(crate) fn digest(rows: &[Row]) -> Digest {
    let mut fields: Vec<Vec<u8>> = Vec::with_capacity(rows.len().saturating_mul(T + I));
    for row in rows {
        // Absent is not the same as empty.
        let text = |text: &Option<Cow<'_, str>>| text.as_ref().map(|text| text.as_bytes().to_vec());
        let texts = row.texts.iter().map(text);
        let ints = row.ints.iter().map(|int| int.map(|int| int.to_le_bytes().to_vec()));
        fields
            .extend(texts.chain(ints).map(|field| field.map_or(vec![0], |field| [vec![1], field].concat())));
    }
    Digest::of_fields(fields.iter().map(Vec::as_slice))
}

pub(crate) fn write(period: &str, rows: &[Row]) -> Result<Vec<u8>, LedgerError> {
    COLUMNS.write(rows, &[("period", period.to_owned())])
}

pub(crate) fn read(file: Vec<u8>) -> Result<FrozenOwnership, LedgerError> {
    let (mut timeline, mut hours, mut tenancy) = (Timeline::default(), BTreeMap::new(), None);
    COLUMNS.read(file, |row| {
        let cluster = ClusterName::from(row.text(CLUSTER)?);
        match row.text(ROW)? {
            "tenant" => timeline.tenants.push(span(row, cluster)?),
            "namespace" => timeline.namespaces.push(span(row, cluster)?),
            "node" => timeline.nodes.push(span(row, cluster)?),
            "observed" => {
                timeline.observed_since.insert(cluster, from(row)?);
            }
            "hours" => {
                let hour = |column| row.int(column).map(Hour::from_index);
                hours.insert(cluster, HourRange { from: hour(FROM)?, until: hour(UNTIL)? });
            }
            "tenancy" => tenancy = Some(fact::<TenancyRules>(row)?),
            other => return Err(damaged(&format!("a row of an unknown kind `{other}`"))),
        }
        Ok(())
    })?;
    let tenancy = tenancy.ok_or_else(|| damaged("its rules are gone"))?;
    Ok(FrozenOwnership { timeline, tenancy, hours })
}

fn span<F: DeserializeOwned>(row: &Stored<'_, T, I>, cluster: ClusterName) -> Result<Span<F>, LedgerError> {
    let origin = match row.text(ORIGIN)? {
        "observed" => Origin::Observed,
        "assumed" => Origin::Assumed,
        other => return Err(damaged(&format!("an unknown origin `{other}`"))),
    };
    Ok(Span {
        cluster,
        uid: Uid::from(row.text(UID)?),
        from: from(row)?,
        until: row.int_or(UNTIL).map(instant).transpose()?,
        origin,
        fact: fact(row)?,
    })
}

fn from(row: &Stored<'_, T, I>) -> Result<DateTime<Utc>, LedgerError> {
    instant(row.int(FROM)?)
}

fn fact<F: DeserializeOwned>(row: &Stored<'_, T, I>) -> Result<F, LedgerError> {
    serde_json::from_str(row.text(FACT)?).map_err(|error| damaged(&error.to_string()))
}

fn damaged(what: &str) -> LedgerError {
    LedgerError::Corrupt(format!("the ownership of a closed month: {what}"))
}
