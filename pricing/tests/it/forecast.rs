//! Forecasts, by hand.

use std::collections::BTreeMap;

use chrono::{Days, NaiveDate};
use defray_pricing::forecast::{MonthLevel, RatedDay, Standing, mean_error, ratio};
use defray_pricing::money::Money;
use defray_pricing::time::{BillingZone, HourRange, Period};

use crate::fixture::money;

fn october() -> (Period, HourRange) {
    let period = "2026-10".parse().unwrap();
    (period, BillingZone::UTC.hours(period))
}

fn date(day: u64) -> NaiveDate {
    october().0.first_day() + Days::new(day - 1)
}

/// A day of October, so many of its hours rated from midnight, so many without a gap.
fn rated(day: u64, hours: u32, whole_hours: u32) -> RatedDay {
    let first = BillingZone::UTC.hours_of_day(date(day)).from.index();
    let until = Some(defray_pricing::time::Hour::from_index(first + i64::from(hours)));
    RatedDay { day: date(day), hours, whole_hours, until }
}

fn amounts(daily: &[(u64, &str)]) -> BTreeMap<NaiveDate, Money> {
    daily.iter().map(|(day, amount)| (date(*day), money(amount))).collect()
}

fn expect(days: &[RatedDay], daily: &[(u64, &str)]) -> Option<String> {
    let standing = Standing::of(october().1, days, None).unwrap();
    standing.expect(&amounts(daily)).unwrap().map(|money| money.to_string())
}

/// Ten days at 24, then 12: 252 for 252 hours, and 492 more at the mean of the last seven days, which are days
/// 5 to 10 at 24 a day and 12 hours of day 11 at 12: 156 for 156 hours, 1 an hour.
#[test]
fn the_rest_of_the_month_costs_what_the_last_seven_days_did() {
    let mut days: Vec<_> = (1..=10).map(|day| rated(day, 24, 24)).collect();
    days.push(rated(11, 12, 12));
    let mut daily: Vec<_> = (1..=10).map(|day| (day, "24")).collect();
    daily.push((11, "12"));
    assert_eq!(expect(&days, &daily).as_deref(), Some("744"));
    // The first days do not count for the average: 4 x 2400 more for what was, nothing more for what comes.
    let mut dear = daily.clone();
    for day in &mut dear[..4] {
        day.1 = "2424";
    }
    assert_eq!(expect(&days, &dear).as_deref(), Some("10344"));
    // Days in which it was not there are days at zero: 3 x 24 + 12 over 156 hours is 7/13 an hour.
    let late: Vec<_> = daily.iter().copied().filter(|(day, _)| *day >= 8).collect();
    assert_eq!(expect(&days, &late).as_deref(), Some("348.923076923076923077"));
}

/// A day with a gap is estimated whole, not taken for what was seen of it; neither is a day that is not there.
#[test]
fn what_is_missing_is_not_zero() {
    let mut days: Vec<_> = (1..=4).map(|day| rated(day, 24, 24)).collect();
    days[1].whole_hours = 20;
    let daily = [(1, "24"), (2, "3"), (3, "24"), (4, "24")];
    let standing = Standing::of(october().1, &days, None).unwrap();
    assert_eq!((standing.known_hours(), standing.estimated_hours()), (72, 672));
    assert_eq!(expect(&days, &daily).as_deref(), Some("744"));
    assert_eq!(expect(&[rated(1, 24, 23)], &[(1, "24")]), None, "nothing is known whole");
    assert_eq!(expect(&[], &[]), None);
}

/// A ledger that begins on the 20th at noon has nothing to say of the hours before, and they cost nothing.
#[test]
fn hours_before_the_first_that_counts_are_not_estimated() {
    let mut first = rated(20, 24, 12);
    first.hours = 12;
    let standing = Standing::of(october().1, &[first], None).unwrap();
    assert_eq!((standing.known_hours(), standing.estimated_hours()), (12, 11 * 24));
    assert_eq!(expect(&[first], &[(20, "12")]).as_deref(), Some("276"));
}

#[test]
fn a_month_that_is_over_comes_to_what_it_was() {
    let days: Vec<_> = (1..=31).map(|day| rated(day, 24, 24)).collect();
    let daily: Vec<_> = (1..=31).map(|day| (day, "1.000000000000000001")).collect();
    let standing = Standing::of(october().1, &days, None).unwrap();
    assert!(standing.is_over());
    assert_eq!(expect(&days, &daily).as_deref(), Some("31.000000000000000031"));
    // As it stood after day 10.
    let stood = Standing::of(october().1, &days, Some(date(11))).unwrap();
    assert_eq!((stood.is_over(), stood.known_hours(), stood.estimated_hours()), (false, 240, 504));
    let rising: Vec<_> = (1..=31).map(|day| (day, if day <= 10 { "24" } else { "48" })).collect();
    assert_eq!(stood.expect(&amounts(&rising)), Ok(Some(money("744"))));
}

/// A discount of 10 % so far is one of 10 % in the end; a credit is a credit.
#[test]
fn terms_grow_and_adjustments_do_not() {
    let level = MonthLevel { terms: money("-10"), adjustments: money("-250") };
    assert_eq!(level.add_to(money("300"), money("100")), Ok(money("20")));
    // A minimum fee beside nothing stays what it is.
    let minimum = MonthLevel { terms: money("50"), adjustments: Money::ZERO };
    assert_eq!(minimum.add_to(Money::ZERO, Money::ZERO), Ok(money("50")));
}

/// 10 % and 30 % off are 20 % on average; a third of a per cent is cut to two digits.
#[test]
fn errors_are_averaged_without_their_sign() {
    let error = |pairs: &[(&str, &str)]| {
        mean_error(pairs.iter().map(|(expected, came)| (money(expected), money(came)))).unwrap()
    };
    assert_eq!(error(&[("110", "100"), ("70", "100")]).as_deref(), Some("20.00"));
    assert_eq!(error(&[("301", "300")]).as_deref(), Some("0.33"));
    assert_eq!(error(&[("-90", "-100")]).as_deref(), Some("10.00"));
    assert_eq!(error(&[("1", "0"), ("5", "5")]).as_deref(), Some("0.00"), "of nothing there is no share");
    assert_eq!(error(&[("1", "0")]), None);
}

#[test]
fn a_share_has_four_digits() {
    let share = |amount: &str, whole: &str| ratio(money(amount), money(whole)).unwrap();
    assert_eq!(share("50", "100").as_deref(), Some("0.5000"));
    assert_eq!(share("2", "3").as_deref(), Some("0.6667"));
    assert_eq!(share("-1", "8").as_deref(), Some("-0.1250"));
    assert_eq!(share("1", "0"), None);
}
