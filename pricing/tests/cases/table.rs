//! Statements as the text that cases hold.

use std::collections::BTreeSet;

use defray_pricing::charge::Kind;
use defray_pricing::money::Money;
use defray_pricing::quantity::Quantity;
use defray_pricing::statement::{Line, PeriodStatements};

/// What a case expects, line by line: comments go, and how wide the gaps are does not matter.
pub(crate) fn expected(text: &str) -> Vec<String> {
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default());
    let lines = lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    lines.filter(|line| !line.is_empty()).collect()
}

/// The same of what came out.
pub(crate) fn of(period: &PeriodStatements) -> Vec<String> {
    let exponent = period.currency.exponent();
    let statements = &period.statements;
    let clusters: BTreeSet<_> =
        statements.iter().flat_map(|s| &s.lines).flat_map(|l| &l.key.cluster).collect();
    let mut text = Vec::new();
    for statement in statements {
        let total = money(None, statement.exact, statement.amount, exponent);
        let reporting = statement.reporting.map(|reporting| match reporting.converted {
            Some(done) => {
                let amount = done.amount.format(reporting.currency.exponent());
                format!(", {amount} {} at {}", reporting.currency, done.rate)
            }
            None => format!(", no rate of {}", reporting.currency),
        });
        let reporting = reporting.unwrap_or_default();
        text.push(format!("{} on {}: {total}{reporting}", statement.tenant, statement.cost_center));
        let currency = statement.reporting.map(|reporting| reporting.currency);
        let mut lines: Vec<&Line> = statement.lines.iter().collect();
        lines.sort_by_key(|line| line.key.kind);
        for line in lines {
            let shown = show(line, exponent, clusters.len() > 1);
            let reporting = line
                .reporting
                .zip(currency)
                .map(|(amount, currency)| format!(", {} {currency}", amount.format(currency.exponent())));
            text.push(shown + &reporting.unwrap_or_default());
        }
    }
    text.push(format!("all statements: {} {}", period.amount.format(exponent), period.currency));
    text
}

/// `kind item on class in namespace at cluster: quantity unit x price = amount`.
fn show(line: &Line, exponent: u32, several_clusters: bool) -> String {
    let key = &line.key;
    let item = (key.kind.as_str() != key.item).then(|| key.item.clone());
    let class = key.class.as_ref().map(|class| format!("on {class}"));
    let inside = key.virtual_namespace.as_ref().map(|namespace| format!("in {namespace}"));
    let cluster = key.cluster.as_ref().filter(|_| several_clusters).map(|cluster| format!("at {cluster}"));
    let name = [Some(key.kind.to_string()), item, class, inside, cluster];
    let quantity = line.quantity.map(|(quantity, unit)| format!("{} {unit}", plain(quantity)));
    let priced = key.kind != Kind::Unpriced;
    let price = match (key.unit_price, line.unit_price) {
        (Some(list), _) => Some(format!("x {list} =")),
        (None, Some(average)) => Some(format!("at {average} on average =")),
        (None, None) => None,
    };
    let amount = priced.then(|| money(Some(key.kind), line.exact, line.amount, exponent));
    let words = |parts: &[Option<String>]| parts.iter().flatten().cloned().collect::<Vec<_>>().join(" ");
    format!("{}: {}", words(&name), words(&[quantity, price, amount]))
}

/// The exact amount and what it is rounded to, or the one number that both are; a line of rounding is
/// nothing but that.
fn money(kind: Option<Kind>, exact: Money, amount: Money, exponent: u32) -> String {
    if exact == amount || kind == Some(Kind::Rounding) {
        return amount.format(exponent);
    }
    format!("{exact} -> {}", amount.format(exponent))
}

/// Without the zeros that only say how exact it is.
fn plain(quantity: Quantity) -> String {
    let text = quantity.to_string();
    let text = text.trim_end_matches('0').trim_end_matches('.');
    text.to_owned()
}
