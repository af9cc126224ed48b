//! For the terminal: each line, the rule in words, then the numbers by day or hour.

use std::io::{self, Write};

use defray_pricing::explain::{
    ExplainedLine, MonthReason, NodeShareSum, Reason, ShareBy, Step, amount_in_words, paid_in_words,
    rate_in_words, rule_in_words,
};

use super::{Explained, scaled, short};
use crate::words::{line_name, table};

/// Writes every statement that was explained.
pub fn write(of: &Explained, out: &mut dyn Write) -> io::Result<()> {
    let explanation = &of.explanation;
    let currency = &explanation.currency;
    if of.demo {
        writeln!(out, "Demo data: every number is made up.")?;
    }
    let (tenant, period) = (&explanation.tenant, explanation.period);
    writeln!(
        out,
        "Why {tenant} pays what it pays in {period}, in {currency}; days in {}.",
        explanation.zone.name()
    )?;
    writeln!(out, "This is {}, by the price book {}.", of.says(), explanation.book)?;
    let by_hour = explanation
        .statements
        .iter()
        .flat_map(|statement| &statement.lines)
        .any(|line| line.steps.iter().any(|step| step.key.hour.is_some()));
    if !by_hour {
        writeln!(
            out,
            "Numbers of a day are sums of its hours, and shares are taken hour by hour: see --hours."
        )?;
    }
    for statement in &explanation.statements {
        let amount = statement.amount.format(currency.exponent());
        writeln!(out, "\n{} / {tenant}: {amount}", statement.cost_center)?;
        writeln!(out, "  its lines add up to exactly {}, rounded half away from zero", statement.exact)?;
        for line in &statement.lines {
            one(of, line, out)?;
        }
        if statement.lines.is_empty() {
            writeln!(out, "\n  no line was asked for")?;
        }
    }
    Ok(())
}

fn one(of: &Explained, line: &ExplainedLine, out: &mut dyn Write) -> io::Result<()> {
    let exponent = of.explanation.currency.exponent();
    writeln!(out, "\n  {}: {}", line_name(&line.line.key), line.line.amount.format(exponent))?;
    if let Some((quantity, unit)) = line.line.quantity {
        let each = match (line.line.key.unit_price, line.line.unit_price) {
            (Some(list), _) => format!(" at {list}"),
            (None, Some(average)) => format!(" at {average} on average"),
            (None, None) => String::new(),
        };
        writeln!(out, "    {} {unit}{each}", short(quantity))?;
    }
    let rule = |step: &Step| (step.key.edition, std::mem::discriminant(&step.reason));
    for group in line.steps.chunk_by(|a, b| rule(a) == rule(b)) {
        if let Some(first) = group.first() {
            writeln!(out, "    {}", in_words(of, first))?;
        }
        let places = group.iter().any(|step| step.key.namespace.is_some());
        let mut rows = Vec::new();
        rows.extend(group.first().map(|first| heads(first, places)));
        rows.extend(group.iter().map(|step| cells(step, places)));
        table(out, "      ", if places { 2 } else { 1 }, &rows)?;
    }
    for reason in &line.month {
        writeln!(out, "    {}", month_in_words(reason))?;
    }
    let rounding = line.rounding;
    let fitted =
        if rounding.topped_up { ", and one minor unit as one of the largest remainders" } else { "" };
    writeln!(
        out,
        "    exactly {}; cut to {} ({} left){fitted}: {}",
        line.line.exact,
        rounding.floor.format(exponent),
        rounding.remainder,
        line.line.amount.format(exponent)
    )
}

/// What acted on the month, and this tenant's part of it.
fn month_in_words(reason: &MonthReason) -> String {
    let rule = rule_in_words(&reason.rule);
    let MonthReason { whole, base, bases, tenants, amount, .. } = reason;
    match tenants {
        0 => rule,
        1 => format!("{rule}: {whole}, on {base}"),
        _ => format!(
            "{rule}: {whole} for the cost centre's {tenants} tenants, on {bases}; {amount} for this one's {base} of it"
        ),
    }
}

/// The rule of a step, and the edition it comes from.
fn in_words(of: &Explained, step: &Step) -> String {
    let currency = &of.explanation.currency;
    let rule = match &step.reason {
        Reason::Price { rate, price } => {
            let spread = rate_in_words(*rate, of.explanation.hours);
            format!("quantity x unit price {price} ({spread})")
        }
        Reason::Nodes { paid } => {
            format!("the whole pool is the tenant's; paid by {}", paid_in_words(*paid, currency))
        }
        Reason::NodeShare(share) => in_share_words(share, &paid_in_words(share.paid, currency)),
        Reason::Fee { amount } => format!("{}, by the hours it was on", amount_in_words(*amount, currency)),
        Reason::Share(share) => match share.by {
            ShareBy::Even => "shared by everyone alike, hour by hour".to_owned(),
            ShareBy::DirectCost => "shared in proportion to direct cost, hour by hour".to_owned(),
            ShareBy::Cpu => "shared in proportion to billable CPU, hour by hour".to_owned(),
            ShareBy::Memory => "shared in proportion to billable memory, hour by hour".to_owned(),
            ShareBy::Weight => "shared by the weights of the book, hour by hour".to_owned(),
        },
        Reason::Kept { .. } => "kept whole: the policy says so, or nobody was there to share it".to_owned(),
        Reason::NoNodes => "paid for nodes that were not there".to_owned(),
        Reason::NoPrice => "no price: shown, and blocks the close".to_owned(),
    };
    match of.explanation.editions.get(step.key.edition) {
        Some(edition) => format!("{rule}; edition {} from {}", edition.version, edition.effective_from),
        None => rule,
    }
}

fn in_share_words(share: &NodeShareSum, paid: &str) -> String {
    let weight = scaled(u128::from(share.weight), 9);
    format!(
        "nodes paid by {paid}; split over resources by weight x capacity (here {weight} a unit), then over what was wanted"
    )
}

fn heads(step: &Step, places: bool) -> Vec<String> {
    let own: &[&str] = match &step.reason {
        Reason::Price { .. } | Reason::NoPrice => &["quantity"],
        Reason::Nodes { .. } => &["node-hours"],
        Reason::NodeShare(_) => &["node cost", "resource's part", "own", "of all wanted", "capacity"],
        Reason::Fee { .. } => &["hours"],
        Reason::Share(_) => &["whole", "own base", "of all", "takers"],
        Reason::Kept { .. } | Reason::NoNodes => &[],
    };
    let when: &[&str] = match (step.key.hour.is_some(), places) {
        (true, true) => &["hour", "namespace"],
        (true, false) => &["hour"],
        (false, true) => &["day", "namespace"],
        (false, false) => &["day"],
    };
    let heads = when.iter().chain(own).chain(&["amount"]);
    heads.map(|head| (*head).to_owned()).collect()
}

fn cells(step: &Step, places: bool) -> Vec<String> {
    let quantity = || step.quantity.map(|(quantity, _)| short(quantity)).unwrap_or_default();
    let own = match &step.reason {
        Reason::Price { .. } | Reason::Nodes { .. } | Reason::Fee { .. } | Reason::NoPrice => {
            vec![quantity()]
        }
        Reason::NodeShare(share) => {
            let scaled = if share.scaled_hours > 0 { " (scaled)" } else { "" };
            vec![
                share.cost.to_string(),
                share.part.to_string(),
                quantity(),
                format!("{}{scaled}", short(share.wanted)),
                short(share.capacity),
            ]
        }
        Reason::Share(share) => vec![
            share.whole.to_string(),
            scaled(share.base, share.by.scale()),
            scaled(share.bases, share.by.scale()),
            share.recipients.to_string(),
        ],
        Reason::Kept { .. } | Reason::NoNodes => Vec::new(),
    };
    let when = step.key.hour.map_or_else(|| step.key.day.to_string(), |hour| hour.to_string());
    let place = places.then(|| step.key.namespace.as_ref().map(ToString::to_string).unwrap_or_default());
    [vec![when], place.into_iter().collect(), own, vec![step.amount.to_string()]].concat()
}
