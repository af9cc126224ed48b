//! The demo tells one story, always the same, and the real rules can follow it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use chrono::{DateTime, Utc};
use defray_ledger::Observation;
use defray_pricing::book::{PriceBook, Seen};
use defray_pricing::charge::{Charge, Kind};
use defray_pricing::digest::Digest;
use defray_pricing::money::Money;
use defray_pricing::names::{ClusterName, Namespace, Pool, Uid};
use defray_pricing::ownership::{Origin, Owners, OwnershipIndex, Span, Timeline};
use defray_pricing::rating::rate;
use defray_pricing::time::{Hour, Period};
use defray_pricing::usage::UsageHour;

use super::{CLUSTER, Platform};

static PLATFORM: LazyLock<Platform> = LazyLock::new(|| Platform::new().unwrap());
static HOURS: LazyLock<Vec<UsageHour>> = LazyLock::new(|| PLATFORM.hours().collect());

fn book() -> PriceBook {
    PriceBook::parse(&PLATFORM.price_book(), PLATFORM.zone()).unwrap()
}

fn hour(text: &str) -> Hour {
    text.parse().unwrap()
}

/// The complete lists of one kind, over time.
type Lists<T> = Vec<(DateTime<Utc>, Vec<(Uid, T)>)>;

/// Spans of complete lists, as the ledger keeps them.
fn spans<T: Clone + PartialEq>(lists: Lists<T>) -> Vec<Span<T>> {
    let mut spans: Vec<Span<T>> = Vec::new();
    for (at, list) in lists {
        let list: BTreeMap<Uid, T> = list.into_iter().collect();
        for span in spans.iter_mut().filter(|span| span.until.is_none()) {
            if list.get(&span.uid) != Some(&span.fact) {
                span.until = Some(at);
            }
        }
        for (uid, fact) in list {
            if !spans.iter().any(|span| span.uid == uid && span.until.is_none()) {
                let cluster = ClusterName::from(CLUSTER);
                spans.push(Span { cluster, uid, from: at, until: None, origin: Origin::Observed, fact });
            }
        }
    }
    spans
}

/// The lists of one kind.
fn lists<T>(
    observations: &[(DateTime<Utc>, Observation)],
    of: impl Fn(&Observation) -> Option<Vec<(Uid, T)>>,
) -> Lists<T> {
    observations.iter().map(|(at, observation)| (*at, of(observation).unwrap())).collect()
}

fn timeline() -> Timeline {
    let observations = PLATFORM.observations();
    let first = observations.first().unwrap().0;
    let mut timeline =
        Timeline { observed_since: [(PLATFORM.cluster(), first)].into(), ..Timeline::default() };
    timeline.tenants = spans(lists(&observations, |o| o.tenants.clone()));
    timeline.namespaces = spans(lists(&observations, |o| o.namespaces.clone()));
    timeline.nodes = spans(lists(&observations, |o| o.nodes.clone()));
    timeline
}

fn owners_at(text: &str) -> Owners {
    OwnershipIndex::new(&timeline(), &PLATFORM.rules()).at(hour(text))
}

#[test]
fn two_runs_are_alike_to_the_last_bit() {
    let again: Vec<UsageHour> = Platform::new().unwrap().hours().collect();
    assert!(again == *HOURS);
    // Pinned, one hour a day: amounts that people have seen do not change by accident.
    let daily: Vec<&UsageHour> = HOURS.iter().step_by(23).collect();
    let digest = Digest::of(&serde_json::to_vec(&daily).unwrap());
    assert_eq!(digest.to_string(), "884dc44758abfba2b0c06ecea0fba712d9a651cb1281b5fa3514883eeeeee2d6");
}

#[test]
fn the_months_are_whole_but_for_the_outage() {
    let measured = |period: &str| {
        let hours = PLATFORM.zone().hours(period.parse::<Period>().unwrap());
        HOURS.iter().filter(|usage| hours.contains(usage.hour)).count()
    };
    assert_eq!(measured("2026-07"), 0);
    assert_eq!(measured("2026-08"), 744);
    assert_eq!(measured("2026-09"), 720 - 4);
    assert_eq!(measured("2026-10"), 745, "clocks are set back");
    assert_eq!(measured("2026-11"), 57, "until the last hour that has settled");
    assert!(HOURS.iter().all(|h| h.hour.end() <= PLATFORM.clock_at()));
    let partly: Vec<String> = HOURS
        .iter()
        .filter(|h| h.least_coverage().is_some_and(|minutes| minutes.get() < 60))
        .map(|h| h.hour.to_string())
        .collect();
    assert_eq!(partly, ["2026-09-17T00:00:00Z", "2026-09-17T05:00:00Z", "2026-10-21T10:00:00Z"]);
}

#[test]
fn rows_are_in_order_each_key_once_and_not_negative() {
    for usage in HOURS.iter() {
        let mut canonical = usage.clone();
        canonical.canonicalise();
        assert_eq!(&canonical, usage);
        assert!(usage.compute.windows(2).all(|w| w[0].key() < w[1].key()), "{}", usage.hour);
        assert!(usage.nodes.windows(2).all(|w| w[0].class < w[1].class), "{}", usage.hour);
        assert!(usage.storage.windows(2).all(|w| w[0].key() < w[1].key()), "{}", usage.hour);
        assert!(usage.network.windows(2).all(|w| w[0].key() < w[1].key()), "{}", usage.hour);
        for row in &usage.compute {
            assert!(row.cpu_request.micros() > 0 && row.cpu_usage.micros() > 0);
            assert!(row.cpu_max >= row.cpu_request && row.cpu_max >= row.cpu_usage);
            assert!(row.memory_max >= row.memory_request && row.memory_max >= row.memory_usage);
        }
    }
}

#[test]
fn the_book_has_a_price_for_everything() {
    let mut seen = Seen::default();
    HOURS.iter().for_each(|usage| seen.add_usage(usage));
    let timeline = timeline();
    let rules = PLATFORM.rules();
    let index = OwnershipIndex::new(&timeline, &rules);
    for usage in HOURS.iter().step_by(24) {
        seen.add_owners(&index.at(usage.hour));
    }
    assert_eq!(seen.tenants.len(), 15);
    assert_eq!(seen.classes.len(), 7);
    assert_eq!(seen.gpus.len(), 1);
    assert_eq!(book().check(&seen, PLATFORM.range()), []);
}

#[test]
fn tenants_come_go_move_and_grow() {
    let cluster = || ClusterName::from(CLUSTER);
    let has = |at: &str, tenant: &str| owners_at(at).tenants.contains_key(&(cluster(), tenant.into()));
    assert!(!has("2026-09-07T07:00:00Z", "mobile") && has("2026-09-07T08:00:00Z", "mobile"));
    assert!(has("2026-09-12T14:00:00Z", "legacy-batch") && !has("2026-09-12T15:00:00Z", "legacy-batch"));
    let cost_center = |at: &str| owners_at(at).tenants[&(cluster(), "search".into())].cost_center.to_string();
    assert_eq!(cost_center("2026-10-14T21:00:00Z"), "CC-4400");
    assert_eq!(cost_center("2026-10-14T22:00:00Z"), "CC-4450");
    let owners = owners_at("2026-10-06T12:00:00Z");
    assert_eq!(owners.dedicated[&(cluster(), Pool::from("dedicated-risk"))].as_str(), "risk");
    assert_eq!(owners.dedicated.len(), 4);
    assert_eq!(owners.conflicts, BTreeSet::new());
    assert_eq!(owners.assumed, BTreeSet::new());
    assert_eq!(owners.namespaces[&(cluster(), Namespace::from("debug-tmp"))].tenant, None);
    let nodes = |at: &str| {
        let usage = PLATFORM.usage(hour(at));
        usage
            .nodes
            .iter()
            .find(|row| row.class.pool.as_str() == "dedicated-payments")
            .unwrap()
            .node_hours
            .to_string()
    };
    assert_eq!(nodes("2026-10-12T09:00:00Z"), "3.000000");
    assert_eq!(nodes("2026-10-12T10:00:00Z"), "4.333333", "two nodes for forty minutes");
    assert_eq!(nodes("2026-10-12T11:00:00Z"), "5.000000");
}

#[test]
fn day_night_and_weekend_differ() {
    let used = |at: &str| {
        let usage = PLATFORM.usage(hour(at));
        usage.compute.iter().map(|row| row.cpu_usage.micros()).sum::<i64>() / 1_000_000
    };
    let (day, night, sunday) =
        (used("2026-10-06T09:00:00Z"), used("2026-10-06T01:00:00Z"), used("2026-10-04T09:00:00Z"));
    assert!(day > sunday * 3 / 2, "{day} by day, {sunday} on a Sunday");
    assert!(night != day, "{night} at night");
}

/// The amounts of whole months, every seventh hour standing for seven.
#[test]
fn every_row_has_a_price_and_the_amounts_look_real() {
    let (book, timeline, rules) = (book(), timeline(), PLATFORM.rules());
    let index = OwnershipIndex::new(&timeline, &rules);
    let mut by_tenant: BTreeMap<(Period, String), Money> = BTreeMap::new();
    let sampled = HOURS.iter().step_by(7);
    for usage in sampled {
        let rated = rate(&book, &index.at(usage.hour), std::slice::from_ref(usage)).unwrap();
        assert!(rated.conflicts.is_empty(), "{:?}", rated.conflicts);
        let charged = Money::sum(rated.charges.iter().map(|charge| charge.amount));
        assert_eq!(charged, rated.control.total(), "nothing is lost at {}", usage.hour);
        let unpriced: Vec<&Charge> = rated.charges.iter().filter(|c| c.key.kind == Kind::Unpriced).collect();
        assert!(unpriced.is_empty(), "{unpriced:?}");
        let period = PLATFORM.zone().period_of(usage.hour);
        for charge in rated.charges {
            let sum = by_tenant.entry((period, charge.key.tenant.to_string())).or_default();
            *sum = sum.checked_add(charge.amount).unwrap();
        }
    }
    let october: Period = "2026-10".parse().unwrap();
    let months: BTreeMap<String, i128> = by_tenant
        .iter()
        .filter(|((period, _), _)| *period == october)
        .map(|((_, tenant), sum)| (tenant.clone(), sum.to_minor_half_away(0).unwrap() * 7))
        .collect();
    assert_eq!(months.len(), 16, "fourteen tenants, what is kept and what nobody owns: {months:?}");
    for (tenant, amount) in &months {
        let real = if tenant.starts_with("__") { 1..=400 } else { 200..=5_000 };
        assert!(real.contains(amount), "{tenant} pays {amount} EUR in October: {months:?}");
    }
}
