//! A watch wakes; it is never the record.

use std::collections::BTreeSet;
use std::time::Duration;

use defray::collect::kubernetes::{Kind, Settings, Wake};
use futures::StreamExt;
use futures::stream::BoxStream;
use tokio::time::timeout;

use super::{collector, kube_system, loose, settings};
use crate::harness::{ApiServer, Who};

/// The next wake-up that answers.
async fn next(wakes: &mut BoxStream<'static, Wake>, answers: impl Fn(&Wake) -> bool) -> Wake {
    let wake = async {
        loop {
            let wake = wakes.next().await.expect("it never ends");
            if answers(&wake) {
                return wake;
            }
        }
    };
    timeout(Duration::from_secs(30), wake).await.expect("a wake-up within half a minute")
}

#[tokio::test]
async fn every_kind_wakes_at_the_start_and_when_something_changes() {
    let api = ApiServer::start().await;
    let (source, definition) = loose("waking.example");
    api.apply(&definition).await;
    let settings = Settings { tenants: Some(source), ..settings(&api.kubeconfig(Who::Admin)) };
    let mut wakes = collector(settings).await.changes();
    let mut begun = BTreeSet::new();
    while begun.len() < 3 {
        begun.extend(next(&mut wakes, |_| true).await.changed);
    }
    assert_eq!(begun, BTreeSet::from([Kind::Tenants, Kind::Namespaces, Kind::Nodes]));
    let tenant = |code: &str| {
        format!(
            "apiVersion: waking.example/v1alpha1\nkind: Tenant\nmetadata: {{name: t}}\n\
             spec: {{teamName: t, ownerEmail: t@bank.example, costCenter: {code}}}\n"
        )
    };
    for (object, kind) in [
        (tenant("CC-1"), Kind::Tenants),
        (tenant("CC-2"), Kind::Tenants),
        ("apiVersion: v1\nkind: Namespace\nmetadata: {name: waking}\n".to_string(), Kind::Namespaces),
        ("apiVersion: v1\nkind: Node\nmetadata: {name: waking}\n".to_string(), Kind::Nodes),
        (
            "apiVersion: v1\nkind: Node\nmetadata: {name: waking, labels: {nodepool: other}}\n".to_string(),
            Kind::Nodes,
        ),
    ] {
        api.apply(&object).await;
        let wake = next(&mut wakes, |wake| wake.changed.contains(&kind)).await;
        assert_eq!(wake.troubles, []);
    }
    api.delete("/apis/waking.example/v1alpha1/tenants/t").await;
    next(&mut wakes, |wake| wake.changed.contains(&Kind::Tenants)).await;
}

#[tokio::test]
async fn everything_can_be_awaited_by_a_task_of_its_own() {
    fn sent<T: Send>(awaited: T) -> T {
        awaited
    }
    let api = ApiServer::shared().await;
    let settings = Settings { tenants: None, ..settings(&api.kubeconfig(Who::Admin)) };
    let collector = collector(settings).await;
    assert!(sent(collector.observe()).await.is_ok());
    let of = kube_system(api).await;
    assert!(sent(collector.pods(&of)).await.is_ok());
    assert!(!sent(collector.check()).await.is_empty());
    drop((sent(collector.changes()), sent(collector.pod_changes(&of))));
}

#[tokio::test]
async fn silence_does_not_last_longer_than_the_time_set_for_a_list() {
    let api = ApiServer::shared().await;
    let settings = Settings {
        list_every: Duration::from_secs(1),
        tenants: None,
        ..settings(&api.kubeconfig(Who::Admin))
    };
    let mut wakes = collector(settings).await.changes();
    assert!(next(&mut wakes, |wake| wake.due).await.calls_for_a_list());
}

#[tokio::test]
async fn a_broken_watch_says_so_and_the_others_go_on() {
    let api = ApiServer::shared().await;
    let (source, _) = loose("never.example");
    let settings = Settings { tenants: Some(source), ..settings(&api.kubeconfig(Who::Admin)) };
    let mut wakes = collector(settings).await.changes();
    let (mut nodes, mut tenants) = (false, false);
    while !(nodes && tenants) {
        let wake = next(&mut wakes, |_| true).await;
        nodes |= wake.changed.contains(&Kind::Nodes);
        for (_, trouble) in wake.troubles {
            assert!(trouble.message.contains("does not serve tenants.never.example"), "{trouble:?}");
            tenants = true;
        }
    }
}
