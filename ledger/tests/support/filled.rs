//! A ledger with something in every table, all of it sound, and one month closed and restated.

use defray_ledger::{
    Closed, ClosedHow, Closing, Delivery, DisabledEndpoint, FrozenOwnership, HourEntry, Ledger, Observation,
    PinnedHour, PodChange, PodFact, RenderedFile, Restating, Scope, SeenPod, WriteGuard,
};
use defray_pricing::book::Source;
use defray_pricing::digest::Digest;
use defray_pricing::names::{ClusterName, Uid};
use defray_pricing::ownership::{NamespaceFact, TenancyRules, Timeline};
use defray_pricing::time::BillingZone;

use super::Home;
use super::things::{all, cluster, first, now, recorded, sound_day, sound_month};

/// Opens the ledger and fills it.
pub(crate) async fn filled(home: &Home) -> Ledger {
    let ledger = home.open().await;
    let guard = ledger.acquire().await.unwrap();
    hours(&ledger, &guard).await;
    owners(&ledger, &guard).await;
    for (date, seed) in [("2026-09-30", 3), ("2026-10-01", 7)] {
        ledger.put_day(&guard, sound_day(date, "one", seed)).await.unwrap();
    }
    for period in ["2026-09", "2026-10"] {
        ledger.put_month(&guard, sound_month(period, "one")).await.unwrap();
    }
    close_and_restate(&ledger, &guard).await;
    let files = [("a.yaml", "first: file\n"), ("b.yaml", "second: 'file with é'\n")];
    let files = files.map(|(name, text)| Source { name: name.to_owned(), text: text.to_owned() });
    ledger.put_book(&guard, Digest::of(b"book"), &files).await.unwrap();
    ledger.enqueue(&guard, vec![delivery("a"), delivery("b")]).await.unwrap();
    let gone = DisabledEndpoint {
        sink: "finops".to_owned(),
        endpoint: "https://finops.example".to_owned(),
        reason: "410".to_owned(),
        at: now(),
    };
    ledger.disable(&guard, &gone).await.unwrap();
    ledger
}

/// September, twice, with everything that a version keeps.
async fn close_and_restate(ledger: &Ledger, guard: &WriteGuard) {
    let september = "2026-09".parse().unwrap();
    let entries = ledger.hours(&Scope::everything(), &cluster(), all()).await.unwrap();
    let pin = |entry: &HourEntry| PinnedHour {
        cluster: cluster(),
        hour: entry.hour,
        revision: entry.revision,
        digest: entry.digest,
    };
    let closing = Closing {
        at: now(),
        by: "ann@example.com".to_owned(),
        how: ClosedHow::Hand,
        forced: None,
        zone: BillingZone::UTC,
        engine_version: 2,
        hours: entries.iter().map(pin).collect(),
        ownership: FrozenOwnership {
            timeline: Timeline::default(),
            tenancy: TenancyRules::default(),
            hours: [(cluster(), all())].into(),
        },
        files: vec![RenderedFile { name: "statement.csv".to_owned(), content: b"a;b\n".to_vec() }],
    };
    let inputs = sound_month("2026-09", "one").inputs;
    let closed = ledger.close_month(guard, september, inputs, closing.clone()).await.unwrap();
    let Closed::Now(closed) = closed else { panic!("closed before") };
    let mut month = sound_month("2026-09", "two");
    month.statements.statements.remove(0);
    month.statements.amount = month.statements.statements[0].amount;
    let restating = Restating {
        reason: "a late correction".to_owned(),
        month,
        days: vec![sound_day("2026-09-30", "two", 4)],
        closing,
    };
    ledger.restate_month(guard, &closed, restating).await.unwrap();
}

/// More than one page of them, of two clusters, one measured twice.
async fn hours(ledger: &Ledger, guard: &WriteGuard) {
    let at = |n: i64| defray_pricing::time::Hour::from_index(first().index() + n);
    let mut hours: Vec<_> = (0..70).map(|n| recorded(at(n), n)).collect();
    let mut other = recorded(first(), 99);
    other.usage.cluster = ClusterName::from("prod-2");
    hours.extend([other, recorded(at(3), 1_000)]);
    ledger.record(guard, hours).await.unwrap();
    ledger.note_missing(guard, &cluster(), at(71), "no route", now(), now()).await.unwrap();
}

async fn owners(ledger: &Ledger, guard: &WriteGuard) {
    let namespace = |uid: &str| {
        (Uid::from(uid), NamespaceFact { name: uid.into(), labels: [].into(), annotations: [].into() })
    };
    let seen = |list: &[&str]| Observation {
        namespaces: Some(list.iter().map(|uid| namespace(uid)).collect()),
        ..Observation::default()
    };
    ledger.observe(guard, &cluster(), now(), &seen(&["one", "two"])).await.unwrap();
    let later = now() + chrono::TimeDelta::minutes(5);
    ledger.observe(guard, &cluster(), later, &seen(&["two"])).await.unwrap();
    let fact = PodFact {
        namespace: "vcluster-team-a".into(),
        name: "web".to_owned(),
        virtual_namespace: "shop".into(),
    };
    let pod = SeenPod { uid: "pod-1".into(), created: Some(now()), fact };
    let changes = [PodChange::Seen { pod: pod.clone(), at: now() }];
    ledger.follow_pods(guard, &cluster(), &changes).await.unwrap();
    ledger.list_pods(guard, &cluster(), later, &[pod.uid.clone()].into(), &[pod]).await.unwrap();
}

/// A delivery to come.
pub(crate) fn delivery(report: &str) -> Delivery {
    Delivery {
        sink: "finops".to_owned(),
        report_id: report.to_owned(),
        revision: 1,
        idempotency_key: format!("key-{report}"),
        body: report.as_bytes().to_vec(),
        content_digest: Digest::of(report.as_bytes()),
        enqueued_at: now(),
    }
}
