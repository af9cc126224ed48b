//! Lines in words, and tables of text.

use std::io::{self, Write};

use defray_pricing::charge::{Kind, LineKey};

/// A line in words, without its tenant: `compute burst/m5 cpu, team-x, prod`.
pub fn line_name(key: &LineKey) -> String {
    let item = Some(key.item.clone()).filter(|_| key.kind != Kind::Rounding);
    let what = [Some(key.kind.to_string()), key.class.as_ref().map(ToString::to_string), item];
    let place = [
        Some(what.into_iter().flatten().collect::<Vec<_>>().join(" ")),
        key.virtual_namespace.as_ref().map(ToString::to_string),
        key.cluster.as_ref().map(ToString::to_string),
    ];
    place.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// Columns of text, aligned: the first `left` to the left, the others to the right.
pub(crate) fn table(out: &mut dyn Write, indent: &str, left: usize, rows: &[Vec<String>]) -> io::Result<()> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    for row in rows {
        let mut line = indent.to_owned();
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            if column > 0 {
                line.push_str("  ");
            }
            let cell = if column < left { format!("{cell:<width$}") } else { format!("{cell:>width$}") };
            line.push_str(&cell);
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

/// Whether the name of a line has all of some words, whatever their case.
pub fn has_words(key: &LineKey, words: &str) -> bool {
    let name = line_name(key).to_lowercase();
    words.split_whitespace().all(|word| name.contains(&word.to_lowercase()))
}
