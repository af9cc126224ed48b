//! Adjustments that do not reach whom they are for.

use defray_pricing::astray::{Standing, Why, astray};
use defray_pricing::book::{Adjustment, AdjustmentOn, PriceBook};
use defray_pricing::charge::Charge;
use defray_pricing::money::Money;
use defray_pricing::statement::{MonthFacts, build};
use defray_pricing::time::Period;

use crate::fixture::*;

fn october() -> Period {
    "2026-10".parse().unwrap()
}

fn adjustment(reference: &str, date: &str, on: AdjustmentOn) -> Adjustment {
    let (date, reference, reason) = (date.parse().unwrap(), reference.to_owned(), "credit".to_owned());
    Adjustment { date, reference, reason, on, amount: money("-10") }
}

fn tenant(name: &str) -> AdjustmentOn {
    AdjustmentOn::Tenant(name.into())
}

fn cost_center(name: &str) -> AdjustmentOn {
    AdjustmentOn::CostCenter(name.into())
}

/// One for everyone who existed, one for nobody, of either kind, and one of another month.
fn given() -> PriceBook {
    let mut book = book(edition());
    book.adjustments = vec![
        adjustment("N-1", "2026-10-01", tenant("a")),
        adjustment("N-2", "2026-10-02", tenant("gone")),
        adjustment("N-3", "2026-10-03", cost_center("CC-a")),
        adjustment("N-4", "2026-10-04", cost_center("CC-gone")),
        adjustment("N-5", "2026-11-01", tenant("a")),
    ];
    book
}

/// What acts on an October in which `a` and `b` existed, both on CC-a.
fn month_level(book: &PriceBook) -> Vec<Charge> {
    let mut owners = owners(hour("2026-10-01T00:00:00Z"));
    add_tenant(&mut owners, "a", &[]);
    add_tenant(&mut owners, "b", &[]);
    owners.tenants.get_mut(&(CLUSTER.into(), "b".into())).unwrap().cost_center = "CC-a".into();
    build(book, october(), &MonthFacts::of(book.zone, &[owners]), Vec::new()).unwrap().month_level
}

fn found<'b>(book: &'b PriceBook, period: Period, standing: Standing<'_>) -> Vec<(&'b str, Why)> {
    let found = astray(book, period, standing).unwrap();
    found.iter().map(|astray| (astray.adjustment.reference.as_str(), astray.why)).collect()
}

#[test]
fn what_nobody_gets_is_found_among_what_is_booked() {
    let book = given();
    let month_level = month_level(&book);
    let all = Money::sum(month_level.iter().map(|charge| charge.amount)).unwrap();
    assert_eq!(all, money("-40"), "every one of October is booked somewhere");
    for closed in [false, true] {
        assert_eq!(
            found(&book, october(), Standing::Rated { closed, month_level: &month_level }),
            [("N-2", Why::NoTenant), ("N-4", Why::NoStatement)]
        );
    }
}

#[test]
fn all_of_a_month_without_statements_wait_or_never_get_there() {
    let book = given();
    let all = |why| ["N-1", "N-2", "N-3", "N-4"].map(|reference| (reference, why)).to_vec();
    assert_eq!(found(&book, october(), Standing::Ahead), all(Why::NotYet));
    assert_eq!(found(&book, october(), Standing::Before), all(Why::NeverMeasured));
    assert_eq!(found(&book, october().next(), Standing::Before), [("N-5", Why::NeverMeasured)]);
    assert_eq!(found(&book, "2026-12".parse().unwrap(), Standing::Before), []);
}

/// What the book says now is not what the month was closed with: late, another amount, another one's.
#[test]
fn what_came_after_a_close_waits_for_a_restatement() {
    let month_level = month_level(&given());
    let mut book = given();
    book.adjustments[0].amount = money("-11");
    book.adjustments[2].on = cost_center("CC-b");
    book.adjustments.push(adjustment("N-9", "2026-10-09", tenant("a")));
    let told = found(&book, october(), Standing::Rated { closed: true, month_level: &month_level });
    assert_eq!(
        told,
        [
            ("N-1", Why::Closed),
            ("N-2", Why::NoTenant),
            ("N-3", Why::Closed),
            ("N-4", Why::NoStatement),
            ("N-9", Why::Closed)
        ]
    );
    // While the month is open the next run takes them up.
    let told = found(&book, october(), Standing::Rated { closed: false, month_level: &month_level });
    assert_eq!(told.iter().filter(|(_, why)| *why == Why::NotYet).count(), 3);
}

#[test]
fn each_reason_is_said_in_words_with_the_way_to_mend_it() {
    let book = given();
    let month_level = month_level(&book);
    let said = |standing| -> Vec<String> {
        astray(&book, october(), standing).unwrap().iter().map(|of| of.problem(&book).to_string()).collect()
    };
    assert_eq!(
        said(Standing::Rated { closed: false, month_level: &month_level }),
        [
            "price book: the adjustment `N-2` of 2026-10-02 is on a statement that nobody gets: `gone` did not exist in \
             2026-10, so it fell to `__unassigned__` (correct the name, or give it to a cost centre)",
            "price book: the adjustment `N-4` of 2026-10-04 is on a statement that nobody gets: the cost centre `CC-gone` \
             had no tenant in 2026-10, so it fell to `__unassigned__` (correct the name)",
        ]
    );
    assert_eq!(
        said(Standing::Before)[0],
        "price book: the adjustment `N-1` of 2026-10-01 is on no statement: 2026-10 was over before the first hour that \
         counts (date it in a month that is charged)"
    );
    assert_eq!(
        said(Standing::Rated { closed: true, month_level: &[] })[0],
        "price book: the adjustment `N-1` of 2026-10-01 is on no statement: 2026-10 was closed without it, and it waits \
         for a restatement (restate the month, or date it in an open one)"
    );
}
