//! For a merge request.

use std::io::{self, Write};

use super::{PriceDiff, broken, percent, prices, reported, reported_line, told};
use crate::words::line_name;

/// Writes tables, the lines folded away.
pub fn write(of: &PriceDiff, out: &mut dyn Write) -> io::Result<()> {
    let diff = &of.diff;
    writeln!(out, "### Price diff of {}\n", diff.period)?;
    if of.demo {
        writeln!(out, "> Demo data: every number is made up.\n")?;
    }
    writeln!(out, "| {} | amount | book |\n|---|---:|---|", diff.currency)?;
    let from = of.old_from();
    writeln!(out, "| old | {} | {}; {from} |", of.money(diff.total.old), escaped(&of.old.named()))?;
    writeln!(out, "| new | {} | {} |", of.money(diff.total.new), escaped(&of.new.named()))?;
    let change = percent(diff.total);
    writeln!(out, "| **difference** | **{}** | {change} |\n", of.signed(diff.total.difference))?;
    if let Some(threshold) = of.threshold {
        let above: Vec<String> = of.above().map_err(broken)?.iter().map(|name| escaped(name)).collect();
        if above.is_empty() {
            writeln!(out, "Nothing moved by more than {threshold}.\n")?;
        } else {
            writeln!(out, "**Moved by more than {threshold}:** {}\n", above.join(", "))?;
        }
        if let Some(lines) = of.unpriced() {
            writeln!(out, "**Fails whatever moved:** {lines}.\n")?;
        }
    }
    if of.moved().next().is_none() {
        writeln!(out, "No statement moved.")?;
        // What loses a price of zero moves nothing, and blocks the close all the same.
        return unpriced(of, out);
    }
    writeln!(out, "| cost centre | tenant | old | new | difference | |\n|---|---|---:|---:|---:|---:|")?;
    for statement in of.moved() {
        let (who, change) = (&statement.tenant, statement.change);
        let cells = [
            escaped(statement.cost_center.as_str()),
            escaped(who.as_str()),
            of.money(change.old),
            of.money(change.new),
            of.signed(change.difference),
            percent(change),
        ];
        writeln!(out, "| {} |", cells.join(" | "))?;
    }
    reporting(of, out)?;
    unpriced(of, out)?;
    lines(of, out)
}

/// Only where there is one: most statements are in the book's currency alone.
fn reporting(of: &PriceDiff, out: &mut dyn Write) -> io::Result<()> {
    let mut moved = of.reported().filter(|(_, change)| change.moved()).peekable();
    if moved.peek().is_none() {
        return Ok(());
    }
    writeln!(out, "\n| cost centre | tenant | reported old | reported new | difference |")?;
    writeln!(out, "|---|---|---:|---:|---:|")?;
    for (statement, change) in moved {
        let who = [escaped(statement.cost_center.as_str()), escaped(statement.tenant.as_str())];
        let cells: Vec<String> = who.into_iter().chain(reported(change)).collect();
        writeln!(out, "| {} |", cells.join(" | "))?;
    }
    Ok(())
}

fn unpriced(of: &PriceDiff, out: &mut dyn Write) -> io::Result<()> {
    let missing: Vec<_> = of.diff.newly_unpriced().collect();
    if missing.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n**Without a price in the new book; this blocks the close:**\n")?;
    for line in missing {
        writeln!(out, "- {} of {}", escaped(&line_name(&line.key)), escaped(line.key.tenant.as_str()))?;
    }
    Ok(())
}

fn lines(of: &PriceDiff, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "\n<details><summary>Lines that moved</summary>\n")?;
    let in_two = of.reported().next().is_some();
    let (head, rule) = if in_two { (" reported |", "---:|") } else { ("", "") };
    writeln!(out, "| tenant | line | unit price | old | new | difference |{head}")?;
    writeln!(out, "|---|---|---|---:|---:|---:|{rule}")?;
    for statement in &of.diff.statements {
        for line in told(statement).0 {
            let mut cells = vec![
                escaped(statement.tenant.as_str()),
                escaped(&line_name(&line.key)),
                prices(line),
                of.money(line.change.old),
                of.money(line.change.new),
                of.signed(line.change.difference),
            ];
            cells.extend(in_two.then(|| reported_line(statement, line)));
            writeln!(out, "| {} |", cells.join(" | "))?;
        }
    }
    writeln!(out, "\n</details>")
}

/// A name must not end a cell, nor become markup.
fn escaped(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for c in name.chars() {
        if "\\`*_{}[]<>#|!".contains(c) {
            text.push('\\');
        }
        text.push(if c.is_control() { ' ' } else { c });
    }
    text
}
