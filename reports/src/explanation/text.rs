//! For the terminal: each line, the rule in words, then the numbers by day or hour.

use std::io::{self, Write};

use defray_pricing::explain::{
    Conversion, ExplainedLine, MonthReason, NodeShareSum, Reason, ShareBy, Split, Step, amount_in_words,
    paid_in_words, rate_in_words, rule_in_words,
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
        if let Some(conversion) = &statement.reporting {
            writeln!(out, "  {}", converted_in_words(of, conversion))?;
        }
        for line in &statement.lines {
            one(of, statement.reporting.as_ref(), line, out)?;
        }
        if statement.lines.is_empty() {
            writeln!(out, "\n  none of its lines was asked for")?;
        }
    }
    Ok(())
}

/// The total in the reporting currency, by which rate, and where that stands.
fn converted_in_words(of: &Explained, conversion: &Conversion) -> String {
    let (currency, source) = (conversion.currency, conversion.source(of.explanation.period));
    match conversion.converted {
        Some(converted) => format!(
            "x {} ({source} of the price book) is exactly {} {currency}, rounded half away from zero: {} {currency}",
            converted.rate,
            converted.exact,
            converted.amount.format(currency.exponent())
        ),
        None => format!("in {currency}: no rate; the price book has no {source}, which blocks the close"),
    }
}

fn one(
    of: &Explained,
    conversion: Option<&Conversion>,
    line: &ExplainedLine,
    out: &mut dyn Write,
) -> io::Result<()> {
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
    let sum = if line.steps.len() > 1 { "these add up to exactly" } else { "exactly" };
    writeln!(
        out,
        "    {sum} {}; cut to {} ({} left){}: {}",
        line.line.exact,
        rounding.floor.format(exponent),
        rounding.remainder,
        fitted(rounding.topped_up),
        line.line.amount.format(exponent)
    )?;
    converted(conversion, line, out)
}

/// The same in the reporting currency, where there is one and its rate.
fn converted(conversion: Option<&Conversion>, line: &ExplainedLine, out: &mut dyn Write) -> io::Result<()> {
    let Some((conversion, own)) = conversion.zip(line.reporting) else { return Ok(()) };
    let Some(total) = conversion.converted else { return Ok(()) };
    let (currency, exponent) = (conversion.currency, conversion.currency.exponent());
    writeln!(
        out,
        "    x {} is exactly {} {currency}; cut to {} ({} left){}: {} {currency}",
        total.rate,
        own.exact,
        own.floor.format(exponent),
        own.remainder,
        fitted(own.topped_up),
        own.amount.format(exponent)
    )
}

const fn fitted(topped_up: bool) -> &'static str {
    if topped_up { ", and one minor unit as one of the largest remainders" } else { "" }
}

/// What acted on the month, and this tenant's part of it.
fn month_in_words(reason: &MonthReason) -> String {
    let rule = rule_in_words(&reason.rule);
    let (whole, amount) = (reason.whole, reason.amount);
    match &reason.split {
        Split::Alone => rule,
        Split::Own { difference } => {
            format!(
                "{rule}: {whole} for the cost centre, each tenant its own lines' difference, here {difference}"
            )
        }
        Split::Proportional { base, tenants: 1, .. } => format!("{rule}: {whole}, on {base}"),
        Split::Proportional { base, bases, tenants } => format!(
            "{rule}: {whole} for the cost centre's {tenants} tenants, on {bases}; {amount} for this one's {base} of it"
        ),
        Split::Even { tenants } => format!(
            "{rule}: {whole} for the cost centre's {tenants} tenants alike, as none has anything it could act on; \
             {amount} for this one"
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
