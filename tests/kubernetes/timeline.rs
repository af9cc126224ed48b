//! From lists to the remembered timeline: what a restart, a delete and a mistake in a resource leave in it.

use chrono::{DateTime, Utc};
use defray::collect::kubernetes::Settings;
use defray_ledger::{Ledger, Location, Scope};
use defray_pricing::names::ClusterName;
use defray_pricing::ownership::{Span, TenantFact, Timeline};

use super::{collector, loose, settings};
use crate::harness::{ApiServer, Who};

fn of<'a>(timeline: &'a Timeline, name: &str) -> Vec<&'a Span<TenantFact>> {
    timeline.tenants.iter().filter(|span| span.fact.name == name).collect()
}

/// Lists, remembers, and tells what is then known.
async fn observe(settings: &Settings, ledger: &Ledger, at: DateTime<Utc>) -> Timeline {
    // A collector of its own each time, as after a restart: nothing is carried over but the ledger.
    let seen = collector(settings.clone()).await.observe().await.unwrap();
    let guard = ledger.acquire().await.unwrap();
    ledger.observe(&guard, &ClusterName::from("c"), at, &seen.observation).await.unwrap();
    ledger.timeline(&Scope::everything()).await.unwrap()
}

#[tokio::test]
async fn the_timeline_survives_restarts_finds_deletes_and_keeps_what_a_mistake_hides() {
    let api = ApiServer::shared().await;
    let (source, definition) = loose("timeline.example");
    api.apply(&definition).await;
    let tenant = |name: &str, code: &str| {
        format!(
            "apiVersion: timeline.example/v1alpha1\nkind: Tenant\nmetadata: {{name: {name}}}\n\
             spec: {{teamName: {name}, ownerEmail: t@bank.example, costCenter: {code}}}\n"
        )
    };
    for name in ["stays", "goes", "errs", "returns"] {
        api.apply(&tenant(name, "CC-1")).await;
    }
    let settings = Settings { tenants: Some(source), ..settings(&api.kubeconfig(Who::Admin)) };
    let folder = tempfile::tempdir().unwrap();
    let location = Location::parse(&format!("sqlite://{}", folder.path().display())).unwrap();
    let ledger = Ledger::open(&location).await.unwrap();
    // Far from now: the ledger never sees a clock but ours.
    let [first, second, third] = [1, 2, 3]
        .map(|hours| DateTime::from_timestamp(4_000_000_000, 0).unwrap() + chrono::TimeDelta::hours(hours));

    let before = observe(&settings, &ledger, first).await;
    let uid = of(&before, "returns")[0].uid.clone();
    assert!(of(&before, "stays").iter().all(|span| span.from == first && span.until.is_none()));

    for gone in ["goes", "returns"] {
        api.delete(&format!("/apis/timeline.example/v1alpha1/tenants/{gone}")).await;
    }
    api.apply(&tenant("returns", "CC-1")).await;
    api.apply(&tenant("errs", "'=1+1'")).await;
    let after = observe(&settings, &ledger, second).await;
    assert_eq!(of(&after, "goes")[0].until, Some(second), "gone while nobody watched");
    assert_eq!(of(&after, "errs")[0].until, None, "a mistake ends nothing");
    assert_eq!(of(&after, "errs")[0].fact.cost_center.as_str(), "CC-1");
    let returns = of(&after, "returns");
    let open: Vec<_> = returns.iter().filter(|span| span.until.is_none()).collect();
    assert_eq!(open.len(), 1, "no moment has two of one name");
    assert_ne!(open[0].uid, uid, "the same name is not the same tenant");

    api.apply(&tenant("errs", "CC-2")).await;
    let mended = observe(&settings, &ledger, third).await;
    let codes: Vec<_> =
        of(&mended, "errs").iter().map(|span| (span.fact.cost_center.to_string(), span.from)).collect();
    assert_eq!(codes, [("CC-1".to_string(), first), ("CC-2".to_string(), third)]);
    assert_eq!(of(&mended, "stays").len(), 1, "the same list again changes nothing");
}
