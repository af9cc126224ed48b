//! The hours of a settled day in one file: the rows of an hour with its number and its revision in front, a part of
//! the file for each revision. Whoever finds it can read it with any tool that reads Parquet.

use bytes::Bytes;
use defray_pricing::names::ClusterName;
use defray_pricing::time::Hour;
use defray_pricing::usage::UsageHour;

use super::{COLUMNS, I, T, flat, take};
use crate::codec::{Columns, Flat};
use crate::error::LedgerError;

const WIDE: usize = I + 2;

const DAY: Columns<T, WIDE> = Columns { texts: COLUMNS.texts, ints: widened() };

/// Behind the columns of an hour.
const fn widened() -> [&'static str; WIDE] {
    let mut wide = ["hour"; WIDE];
    let mut at = 0;
    while at < I {
        wide[at] = COLUMNS.ints[at];
        at += 1;
    }
    wide[I + 1] = "revision";
    wide
}

/// Writes revisions of one cluster's hours, a part each.
pub(crate) fn write_day(hours: &[(u32, UsageHour)]) -> Result<Vec<u8>, LedgerError> {
    let about = hours.first().map(|(_, hour)| ("cluster", hour.cluster.to_string()));
    let parts = hours.iter().map(|(revision, hour)| {
        let at = [Some(hour.hour.index()), Some(i64::from(*revision))];
        let mut rows: Vec<Flat<'_, T, WIDE>> = flat(hour).into_iter().map(|row| widen(row, at)).collect();
        // An hour without any row is still an hour: a part of it says so.
        if rows.is_empty() {
            rows.push(widen(Flat { texts: [const { None }; T], ints: [None; I] }, at));
        }
        rows
    });
    DAY.write_parts(parts, about.as_slice())
}

fn widen(row: Flat<'_, T, I>, at: [Option<i64>; 2]) -> Flat<'_, T, WIDE> {
    let mut ints = [None; WIDE];
    for (to, from) in ints.iter_mut().zip(row.ints.into_iter().chain(at)) {
        *to = from;
    }
    Flat { texts: row.texts, ints }
}

/// Reads one part.
pub(crate) fn read_part(
    cluster: ClusterName,
    hour: Hour,
    file: Bytes,
    part: usize,
) -> Result<UsageHour, LedgerError> {
    let mut usage = UsageHour::empty(cluster, hour);
    COLUMNS.read_part(file, Some(part), |row| match row.text_or(super::ROW) {
        None => Ok(()),
        Some(_) => take(&mut usage, row),
    })?;
    Ok(usage)
}
