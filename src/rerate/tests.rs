//! What a day is rated from.

use chrono::{DateTime, Utc};
use defray_pricing::book::Source;
use defray_pricing::charge::{Charge, Kind};
use defray_pricing::digest::Digest;
use defray_pricing::money::Money;
use defray_pricing::ownership::{NamespaceFact, Origin, Span, StaticClaim, TenantFact};
use defray_pricing::time::BillingZone;
use defray_pricing::usage::UsageHour;

use super::*;

const BOOK: &str = r#"
version: "1"
currency: EUR
effective_from: 2026-10-01
platform_cost_center: CC-P
pools: [{pool: "*", model: rate, cpu_core_hour: 1, memory_gib_hour: 1}]
services: {argocd: {per_month: 744}}
shared_costs: [{name: licence, per_month: 744, policy: even}]
"#;

fn book() -> PriceBook {
    let source = Source { name: "book.yaml".to_owned(), text: BOOK.to_owned() };
    PriceBook::parse(&[source], BillingZone::UTC).unwrap()
}

fn hour(text: &str) -> Hour {
    text.parse().unwrap()
}

fn span<T>(cluster: &str, from: &str, fact: T) -> Span<T> {
    let from: DateTime<Utc> = from.parse().unwrap();
    Span { cluster: cluster.into(), uid: "1".into(), from, until: None, origin: Origin::Observed, fact }
}

/// A tenant with a service in `prod`, observed since the 1st, and one in `edge`, observed since the 20th.
fn timeline() -> Timeline {
    let mut timeline = Timeline::default();
    for (cluster, team, from) in
        [("prod", "old", "2026-10-01T00:00:00Z"), ("edge", "new", "2026-10-20T00:00:00Z")]
    {
        let fact = TenantFact {
            name: team.to_owned(),
            team: team.into(),
            cost_center: "CC-1".into(),
            owner_email: String::new(),
            ad_group: None,
            services: ["argocd".into()].into(),
            node_pool_size: None,
            node_pool_instance_type: None,
            malformed: None,
        };
        timeline.tenants.push(span(cluster, from, fact));
        let labels = [("team".to_owned(), team.to_owned())].into();
        timeline.namespaces.push(span(
            cluster,
            from,
            NamespaceFact { name: "apps".into(), labels, annotations: BTreeMap::new() },
        ));
        timeline.observed_since.insert(cluster.into(), from.parse().unwrap());
    }
    timeline
}

fn ranges() -> BTreeMap<ClusterName, HourRange> {
    let until = hour("2026-11-01T00:00:00Z");
    let range = |from: &str| HourRange { from: hour(from), until };
    BTreeMap::from([
        ("prod".into(), range("2026-10-01T00:00:00Z")),
        ("edge".into(), range("2026-10-20T00:00:00Z")),
    ])
}

fn view(rules: &TenancyRules) -> View {
    View {
        book: Arc::new(book()),
        timeline: Arc::new(timeline()),
        tenancy: Arc::new(rules.clone()),
        ranges: Arc::new(ranges()),
        lost: Arc::default(),
    }
}

fn plans(rules: &TenancyRules) -> Vec<DayPlan> {
    view(rules).plan("2026-10".parse().unwrap(), &Entries::new()).unwrap().days
}

fn rated(plan: &DayPlan, usage: Vec<UsageHour>) -> Vec<Charge> {
    let mut charges = Vec::new();
    let take = |_: &_, rated: defray_pricing::rating::RatedHour| {
        charges.extend(rated.charges);
        Ok(())
    };
    plan.rate(&view(&TenancyRules::default()), usage, take).unwrap();
    charges
}

#[test]
fn a_cluster_that_does_not_count_yet_has_no_owners_no_fees_and_no_shares() {
    let plans = plans(&TenancyRules::default());
    let of = |day: usize| {
        let charges = rated(&plans[day], Vec::new());
        ["old", "new"].map(|tenant| {
            [Kind::ServiceFee, Kind::SharedCost].map(|kind| {
                let wanted = charges.iter().filter(|c| c.key.tenant.as_str() == tenant && c.key.kind == kind);
                Money::sum(wanted.map(|charge| charge.amount)).unwrap().to_string()
            })
        })
    };
    assert_eq!(of(18), [["24", "24"], ["0", "0"]], "the 19th");
    assert_eq!(of(19), [["24", "12"], ["24", "12"]], "the 20th");
}

#[test]
fn usage_of_hours_that_do_not_count_is_not_rated() {
    let early = hour("2026-10-05T10:00:00Z");
    let plans = plans(&TenancyRules::default());
    let rated = |usage| rated(&plans[4], usage);
    let mut usage = UsageHour::empty("edge".into(), early);
    usage.load_balancers.push(defray_pricing::usage::LoadBalancerRow {
        namespace: "apps".into(),
        virtual_namespace: None,
        hours: "1".parse().unwrap(),
    });
    assert_eq!(rated(vec![usage.clone()]), rated(Vec::new()));
    usage.cluster = "prod".into();
    assert_ne!(rated(vec![usage]), rated(Vec::new()));
}

#[test]
fn a_conflict_alone_makes_a_day_be_rated_again() {
    let claim = |tenant: &str| StaticClaim {
        tenant: tenant.into(),
        cost_center: Some("CC-1".into()),
        cluster: "*".parse().unwrap(),
        namespaces: vec!["apps".parse().unwrap()],
    };
    let one = TenancyRules::default();
    let two = TenancyRules { static_claims: vec![claim("old"), claim("else")], ..TenancyRules::default() };
    let (one, two) = (plans(&one), plans(&two));
    // Nobody owns the namespace either way, but what is claimed twice cannot be a shared cost.
    assert_eq!(one[4].hours[0].namespaces, two[4].hours[0].namespaces);
    assert_ne!(one[4].inputs, two[4].inputs);
}

/// Digests and usage are read one after the other; a day must be made of what its digest says.
#[test]
fn an_hour_recorded_after_the_plan_is_left_out_and_one_revised_since_stops_the_day() {
    let at = hour("2026-10-20T10:00:00Z");
    let usage = |cluster: &str| UsageHour::empty(cluster.into(), at);
    let digest = |text: &[u8]| Digest::of(text);
    let entry = HourEntry {
        hour: at,
        revision: 1,
        digest: digest(b"1"),
        coverage: BTreeMap::new(),
        measured_at: at.end(),
    };
    let entries = Entries::from([(at, BTreeMap::from([("prod".into(), entry)]))]);
    let read = vec![(digest(b"1"), usage("prod")), (digest(b"new"), usage("edge"))];
    assert_eq!(as_planned(&entries, read), Some(vec![usage("prod")]));
    assert_eq!(as_planned(&entries, vec![(digest(b"2"), usage("prod"))]), None);
}

#[test]
fn an_hour_settles_exactly_at_the_end_of_its_delay() {
    let settle = Duration::from_mins(5);
    let at = |text: &str| settled_until(text.parse().unwrap(), settle);
    assert_eq!(at("2026-10-01T10:04:59Z"), hour("2026-10-01T09:00:00Z"));
    assert_eq!(at("2026-10-01T10:05:00Z"), hour("2026-10-01T10:00:00Z"));
    let settled = settled_at(hour("2026-10-01T10:00:00Z"), settle);
    assert_eq!(settled.to_rfc3339(), "2026-10-01T10:05:00+00:00");
}

#[test]
fn a_credit_makes_the_month_another_and_none_of_its_days() {
    let credit =
        "adjustments: [{date: 2026-10-05, reference: CN-1, reason: outage, tenant: old, amount: -250}]\n";
    let of = |text: &str| {
        let source = Source { name: "book.yaml".to_owned(), text: text.to_owned() };
        let book = PriceBook::parse(&[source], BillingZone::UTC).unwrap();
        let view = View { book: Arc::new(book), ..view(&TenancyRules::default()) };
        let period = "2026-10".parse().unwrap();
        let days = view.plan(period, &Entries::new()).unwrap().days;
        let month = month_digest(&view.book, period, &days, &BTreeMap::new(), Unmeasured::default());
        (days, month)
    };
    let ((days, month), (same, other)) = (of(BOOK), of(&format!("{BOOK}{credit}")));
    assert_eq!(days, same);
    assert_ne!(month, other);
    let (dearer, _) = of(&BOOK.replace("cpu_core_hour: 1", "cpu_core_hour: 2"));
    assert!(days.iter().zip(&dearer).all(|(day, dearer)| day.inputs != dearer.inputs));
}
