//! For the terminal.

use std::io::{self, Write};

use defray_pricing::diff::Change;

use super::{PriceDiff, broken, percent, prices, reported, reported_line, told};
use crate::words::{line_name, table};

/// Writes the totals, every statement, and the lines that moved.
pub fn write(of: &PriceDiff, out: &mut dyn Write) -> io::Result<()> {
    let diff = &of.diff;
    if of.demo {
        writeln!(out, "Demo data: every number is made up.")?;
    }
    writeln!(out, "What {} would have cost, in {}. Nothing was stored.\n", diff.period, diff.currency)?;
    writeln!(out, "  old  {:>16}  {}; {}", of.money(diff.total.old), of.old.named(), of.old_from())?;
    writeln!(out, "  new  {:>16}  {}", of.money(diff.total.new), of.new.named())?;
    writeln!(out, "       {:>16}  {}\n", of.signed(diff.total.difference), percent(diff.total))?;
    statements(of, out)?;
    if diff.cost_centers.len() < diff.statements.len() {
        writeln!(out, "\nBy cost centre")?;
        let mut rows = Vec::new();
        for moved in &diff.cost_centers {
            let mut row = [vec![moved.cost_center.to_string()], amounts(of, moved.change)].concat();
            row.extend(moved.reporting.as_ref().into_iter().flat_map(reported));
            rows.push(row);
        }
        table(out, "  ", 1, &rows)?;
    }
    reporting(of, out)?;
    lines(of, out)?;
    unpriced(of, out)?;
    threshold(of, out)
}

fn amounts(of: &PriceDiff, change: Change) -> Vec<String> {
    vec![of.money(change.old), of.money(change.new), of.signed(change.difference), percent(change)]
}

fn statements(of: &PriceDiff, out: &mut dyn Write) -> io::Result<()> {
    let head = ["cost centre", "tenant", "old", "new", "difference", ""].map(str::to_owned).to_vec();
    let mut rows = vec![head];
    for statement in &of.diff.statements {
        let who = vec![statement.cost_center.to_string(), statement.tenant.to_string()];
        rows.push([who, amounts(of, statement.change)].concat());
    }
    let total = vec!["total".to_owned(), String::new()];
    rows.push([total, amounts(of, of.diff.total)].concat());
    table(out, "  ", 2, &rows)
}

fn reporting(of: &PriceDiff, out: &mut dyn Write) -> io::Result<()> {
    let mut rows = Vec::new();
    for (statement, change) in of.reported() {
        let who = [statement.cost_center.to_string(), statement.tenant.to_string()];
        rows.push(who.into_iter().chain(reported(change)).collect());
    }
    if rows.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nIn reporting currencies")?;
    let head = ["cost centre", "tenant", "old", "new", "difference"].map(str::to_owned).to_vec();
    rows.insert(0, head);
    table(out, "  ", 2, &rows)
}

fn lines(of: &PriceDiff, out: &mut dyn Write) -> io::Result<()> {
    if of.diff.statements.iter().all(|statement| statement.lines.is_empty()) {
        return writeln!(out, "\nNo line moved.");
    }
    writeln!(out, "\nLines that moved")?;
    for statement in &of.diff.statements {
        let (shown, hidden) = told(statement);
        if shown.is_empty() {
            continue;
        }
        let by = of.signed(statement.change.difference);
        writeln!(out, "  {} / {}  {by}", statement.cost_center, statement.tenant)?;
        let mut rows = Vec::new();
        for line in shown {
            let Change { old, new, difference } = line.change;
            let (old, new) = (of.money(old), of.money(new));
            let reported = reported_line(statement, line);
            rows.push(vec![line_name(&line.key), prices(line), old, new, of.signed(difference), reported]);
        }
        table(out, "    ", 2, &rows)?;
        if hidden > 0 {
            writeln!(out, "    and {hidden} more by less than a minor unit each")?;
        }
    }
    Ok(())
}

fn unpriced(of: &PriceDiff, out: &mut dyn Write) -> io::Result<()> {
    let missing: Vec<_> = of.diff.newly_unpriced().collect();
    if missing.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nWithout a price in the new book; this blocks the close:")?;
    for line in missing {
        let quantity = line.new.as_ref().and_then(|side| side.quantity);
        let quantity = quantity.map(|(quantity, unit)| format!(" ({quantity} {unit})")).unwrap_or_default();
        writeln!(out, "  {} of {}{quantity}", line_name(&line.key), line.key.tenant)?;
    }
    Ok(())
}

fn threshold(of: &PriceDiff, out: &mut dyn Write) -> io::Result<()> {
    let Some(threshold) = of.threshold else { return Ok(()) };
    let above = of.above().map_err(broken)?;
    if above.is_empty() {
        writeln!(out, "\nNothing moved by more than {threshold}.")?;
    } else {
        writeln!(out, "\nMoved by more than {threshold}: {}", above.join(", "))?;
    }
    of.unpriced().map_or(Ok(()), |lines| writeln!(out, "Fails whatever moved: {lines}."))
}
