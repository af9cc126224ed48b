//! Statements in other currencies, budgets, and how a book says so.

use defray_pricing::book::{BudgetOf, PriceBook, Source, Terms};
use defray_pricing::charge::{Charge, Kind, LineKey};
use defray_pricing::money::Money;
use defray_pricing::statement::{MonthFacts, PeriodStatements, Statement, build};
use defray_pricing::time::{BillingZone, Period};
use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{Signed, ToPrimitive};
use proptest::prelude::*;

use crate::fixture::*;

fn october() -> Period {
    "2026-10".parse().unwrap()
}

fn charge(cost_center: &str, item: &str, amount: &str) -> Charge {
    let key = LineKey {
        cost_center: cost_center.into(),
        tenant: "a".into(),
        cluster: Some(CLUSTER.into()),
        virtual_namespace: None,
        kind: Kind::SharedCost,
        class: None,
        item: item.to_owned(),
        unit_price: None,
    };
    Charge { key, namespace: None, quantity: None, amount: money(amount) }
}

/// CC-1 is shown in a currency, at a rate in October if there is one.
fn reporting_in(currency: &str, rate: Option<&str>) -> PriceBook {
    let mut edition = edition();
    let reporting_currency = Some(currency.parse().unwrap());
    edition.cost_centers.insert("CC-1".into(), Terms { reporting_currency, ..Terms::default() });
    let mut book = book(edition);
    let months = rate.map(|rate| (october(), rate.parse().unwrap())).into_iter().collect();
    book.rates.insert(currency.parse().unwrap(), months);
    book
}

fn built(book: &PriceBook, charges: Vec<Charge>) -> PeriodStatements {
    build(book, october(), &MonthFacts::new(book.zone), charges).unwrap()
}

fn reported(statement: &Statement) -> (String, Vec<String>) {
    let reporting = statement.reporting.unwrap();
    let exponent = reporting.currency.exponent();
    let lines = statement.lines.iter().map(|line| line.reporting.unwrap().format(exponent));
    (reporting.converted.unwrap().amount.format(exponent), lines.collect())
}

/// 10.004 EUR x 163.52 = 1635.85408 JPY and 0.005 EUR x 163.52 = 0.8176 JPY: together 1636.67168, so 1637, and
/// the one that misses goes to the larger remainder. From rounded euros (10.00 and 0.01) it would be 1636.8352.
#[test]
fn exact_amounts_are_converted_then_rounded_once_as_a_statement_is() {
    let charges = vec![charge("CC-1", "large", "10.004"), charge("CC-1", "small", "0.005")];
    let month = built(&reporting_in("JPY", Some("163.52")), charges.clone());
    assert_eq!(month.statements[0].amount.format(2), "10.01");
    let lines = ["1636", "1"].map(str::to_owned).to_vec();
    assert_eq!(reported(&month.statements[0]), ("1637".to_owned(), lines));

    // Three decimals: 10.004 x 0.3345 = 3.346338, 0.005 x 0.3345 = 0.0016725, together 3.3480105.
    let month = built(&reporting_in("KWD", Some("0.3345")), charges);
    let lines = ["3.346", "0.002"].map(str::to_owned).to_vec();
    assert_eq!(reported(&month.statements[0]), ("3.348".to_owned(), lines));
}

/// Half away from zero, and lines fitted on floors, negative ones too: -0.5 JPY is -1.
#[test]
fn credits_are_converted_like_charges() {
    let book = reporting_in("JPY", Some("100"));
    let month = built(&book, vec![charge("CC-1", "credit", "-0.005")]);
    assert_eq!(reported(&month.statements[0]), ("-1".to_owned(), vec!["-1".to_owned()]));
    // 0.3 and -1.6: -1.3 is -1, floors are 0 and -2, the one that misses goes to the larger remainder, 0.4.
    let month = built(&book, vec![charge("CC-1", "a", "0.003"), charge("CC-1", "b", "-0.016")]);
    assert_eq!(reported(&month.statements[0]), ("-1".to_owned(), vec!["0".to_owned(), "-1".to_owned()]));
}

#[test]
fn other_cost_centres_are_shown_in_the_books_currency_alone() {
    let month = built(&reporting_in("JPY", Some("163.52")), vec![charge("CC-2", "x", "1")]);
    assert_eq!((month.statements[0].reporting, month.statements[0].lines[0].reporting), (None, None));
}

/// The statement says which currency has no rate; the amounts of the book are there all the same.
#[test]
fn a_missing_rate_is_shown_as_missing() {
    let book = reporting_in("JPY", None);
    let month = built(&book, vec![charge("CC-1", "x", "1")]);
    let reporting = month.statements[0].reporting.unwrap();
    assert_eq!((reporting.currency.code(), reporting.converted), ("JPY", None));
    assert_eq!(
        (month.statements[0].amount.format(2), month.statements[0].lines[0].reporting),
        ("1.00".into(), None)
    );
}

/// A total of a million million million at the largest rate still fits; what does not is refused.
#[test]
fn large_amounts_are_converted_or_refused_and_never_wrap() {
    let book = reporting_in("USD", Some("163.123456789"));
    let large = "100000000000000000.123456789012345678";
    let month = built(&book, vec![charge("CC-1", "x", large)]);
    assert_eq!(reported(&month.statements[0]).0, "16312345678900000020.14");
    let book = reporting_in("USD", Some("999999999.999999999"));
    let facts = MonthFacts::new(book.zone);
    build(&book, october(), &facts, vec![charge("CC-1", "x", large)]).unwrap_err();
}

fn rational(text: &str) -> BigRational {
    let money: Money = text.parse().unwrap();
    BigRational::new(BigInt::from(money.attos()), BigInt::from(10).pow(18))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Against fractions: the total is the exact total times the rate, rounded once; lines add up to it, and
    /// none is a whole minor unit off.
    #[test]
    fn conversion_agrees_with_fractions(
        amounts in proptest::collection::vec(-1_000_000_000_000_i128..1_000_000_000_000, 1..12),
        scale in 0_u32..9,
        rate in 1_i64..1_000_000_000_000,
        currency in proptest::sample::select(vec!["JPY", "USD", "KWD"]),
    ) {
        let rate = defray_pricing::decimal::format(i128::from(rate), 9, 0);
        let amounts: Vec<String> = amounts
            .iter()
            .map(|amount| defray_pricing::decimal::format(*amount, 9 + scale, 0))
            .collect();
        let charges = amounts.iter().enumerate().map(|(n, amount)| charge("CC-1", &format!("{n:02}"), amount));
        let month = built(&reporting_in(currency, Some(&rate)), charges.collect());
        let statement = month.statements.iter().find(|statement| statement.reporting.is_some()).unwrap();
        let reporting = statement.reporting.unwrap();
        let unit = BigRational::from_integer(BigInt::from(10).pow(reporting.currency.exponent()));
        let minor = |money: Money| (rational(&money.to_string()) * &unit).to_integer();
        let exact: Vec<BigRational> =
            amounts.iter().map(|amount| rational(amount) * rational(&rate) * &unit).collect();
        let sum: BigRational = exact.iter().sum();
        let half = BigRational::new(1.into(), 2.into());
        let rounded = if sum.is_negative() { (&sum - half).ceil() } else { (&sum + half).floor() };
        prop_assert_eq!(minor(reporting.converted.unwrap().amount), rounded.to_integer());
        let lines: Vec<BigInt> = statement.lines.iter().map(|line| minor(line.reporting.unwrap())).collect();
        prop_assert_eq!(lines.iter().sum::<BigInt>(), rounded.to_integer());
        for (line, exact) in lines.iter().zip(&exact) {
            let off = (BigRational::from_integer(line.clone()) - exact).abs();
            prop_assert!(off < BigRational::from_integer(1.into()), "{line} is not {:?}", exact.to_f64());
        }
    }
}

fn parse(extra: &str) -> Result<PriceBook, Vec<String>> {
    let text = include_str!("../../books/worked-example.yaml");
    let files = [("prices.yaml", text.to_owned()), ("money.yaml", format!("currency: EUR\n{extra}"))];
    let files = files.map(|(name, text)| Source { name: name.to_owned(), text });
    let told = PriceBook::parse(&files, BillingZone::UTC);
    told.map_err(|problems| problems.iter().map(ToString::to_string).collect())
}

#[test]
fn a_file_may_hold_nothing_but_rates_and_budgets() {
    let book = parse(
        "currencies: {JPY: {2026-10: \"163.52\", 2026-11: 164}}\nbudgets:\n  - {tenant: b, from: 2026-10, per_month: \
         \"10.5\"}\n  - {cost_center: CC-1, from: 2026-12, per_month: 2000}\n  - {cost_center: CC-1, from: 2026-10, \
         until: 2026-12, per_month: 1000}\n",
    )
    .unwrap();
    let yen = "JPY".parse().unwrap();
    assert_eq!(book.rate(yen, october()).unwrap().to_string(), "163.52");
    assert_eq!(book.rate(yen, "2026-12".parse().unwrap()), None);
    let budgets = |period: &str| -> Vec<_> {
        let budgets = book.budgets_in(period.parse().unwrap());
        budgets.map(|budget| (budget.of.clone(), budget.per_month.to_string())).collect()
    };
    let (center, tenant) = (BudgetOf::CostCenter("CC-1".into()), BudgetOf::Tenant("b".into()));
    assert_eq!(budgets("2026-09"), []);
    assert_eq!(
        budgets("2026-11"),
        [(center.clone(), "1000".to_owned()), (tenant.clone(), "10.5".to_owned())]
    );
    assert_eq!(budgets("2027-12"), [(center, "2000".to_owned()), (tenant, "10.5".to_owned())]);
    assert_ne!(book.digest, parse("budgets: []\n").unwrap().digest);
}

/// What, where and how to mend it.
#[test]
fn what_is_wrong_with_rates_and_budgets_is_told_all_at_once() {
    let told = parse(
        "currencies:\n  EUR: {2026-10: 1}\n  JPY: {2026-10: 0, 2026-13: 5, 2026-11: \"1.0000000001\"}\n  YEN: \
         {2026-10: 1}\n  USD: [1]\nbudgets:\n  - {tenant: a, cost_center: b, from: 2026-10, per_month: 1}\n  - {tenant: \
         a, from: 2026-10, until: 2026-10, per_month: 1}\n  - {tenant: a, from: 2026-10, per_month: 0}\n  - {tenant: b, \
         from: 2026-10, per_month: 1}\n  - {tenant: b, from: 2026-12, per_month: 2}\n",
    )
    .unwrap_err();
    let expected = include_str!("reporting.expected");
    assert_eq!(told.join("\n") + "\n", expected);
}

#[test]
fn a_rate_is_given_once_and_a_reporting_currency_has_one() {
    let text = include_str!("../../books/worked-example.yaml");
    let twice = format!("{text}\ncurrencies: {{JPY: {{2026-10: 1}}}}\n");
    let files =
        [("a.yaml", twice), ("b.yaml", "currency: EUR\ncurrencies: {JPY: {2026-10: 2}}\n".to_owned())];
    let files = files.map(|(name, text)| Source { name: name.to_owned(), text });
    let told = PriceBook::parse(&files, BillingZone::UTC).unwrap_err();
    assert_eq!(told.len(), 1);
    assert!(
        told[0].to_string().contains("the rate of JPY in 2026-10 is already given in a.yaml:"),
        "{}",
        told[0]
    );
    let wish = format!("{text}\ncost_centers:\n  - {{cost_center: CC-1, reporting_currency: JPY}}\n");
    let told =
        PriceBook::parse(&[Source { name: "a.yaml".into(), text: wish }], BillingZone::UTC).unwrap_err();
    assert_eq!(told.len(), 1);
    let said = told[0].to_string();
    assert!(
        said.contains("`CC-1` is JPY, which has no exchange rate (add its monthly rates: currencies: "),
        "{said}"
    );
    let own = format!("{text}\ncost_centers:\n  - {{cost_center: CC-1, reporting_currency: EUR}}\n");
    let told =
        PriceBook::parse(&[Source { name: "a.yaml".into(), text: own }], BillingZone::UTC).unwrap_err();
    assert!(
        told[0].to_string().contains("`EUR` is the currency of the book itself (remove the key)"),
        "{}",
        told[0]
    );
}
