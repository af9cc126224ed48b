//! The way in, and what keeps us out: each with its mend.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use defray::collect::Finding;
use defray::collect::kubernetes::{Access, Collector, KubernetesError, PodSource, Settings};
use defray_pricing::names::Uid;
use futures::StreamExt;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::{DEFINITION, collector, kube_system, loose, said, settings};
use crate::harness::{ApiServer, RESTRICTED_USER, Who, eventually};

/// A role for the restricted user: these resources of these groups, these verbs.
fn role(rules: &[(&str, &str, &str)]) -> String {
    let rules: Vec<_> = rules
        .iter()
        .map(|(group, plural, verb)| {
            format!("{{apiGroups: ['{group}'], resources: [{plural}], verbs: [{verb}]}}")
        })
        .collect();
    format!(
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {{name: defray-collector}}\n\
         rules: [{}]\n",
        rules.join(", ")
    )
}

fn binding(role: &str) -> String {
    format!(
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: {{name: {role}}}\n\
         roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: {role}}}\n\
         subjects: [{{apiGroup: rbac.authorization.k8s.io, kind: User, name: {RESTRICTED_USER}}}]\n"
    )
}

fn wrong(findings: &[Finding]) -> Vec<&Finding> {
    findings.iter().filter(|finding| !finding.ok).collect()
}

const NEEDED: [(&str, &str, &str); 6] = [
    ("", "namespaces", "list"),
    ("", "namespaces", "watch"),
    ("", "nodes", "list"),
    ("", "nodes", "watch"),
    ("platform.financecore.local", "tenants", "list"),
    ("platform.financecore.local", "tenants", "watch"),
];

#[tokio::test]
async fn without_the_role_every_kind_is_named_with_its_rule_and_with_it_nothing_is_missing() {
    let api = ApiServer::start().await;
    api.apply(DEFINITION).await;
    let collector = collector(settings(&api.kubeconfig(Who::Restricted))).await;

    let seen = collector.observe().await.unwrap();
    assert_eq!(
        (seen.observation.tenants, seen.observation.namespaces, seen.observation.nodes),
        (None, None, None)
    );
    let said: Vec<_> = seen.problems.iter().map(|problem| problem.subject.as_str()).collect();
    let lists = [
        "Kubernetes: list namespaces",
        "Kubernetes: list nodes",
        "Kubernetes: list tenants.platform.financecore.local",
    ];
    assert_eq!(said, lists);
    let mend = seen.problems[2].mend.as_deref().unwrap();
    assert!(mend.contains("apiGroups: [\"platform.financecore.local\"]"), "{mend}");
    assert!(mend.contains("resources: [\"tenants\"], verbs: [\"list\", \"watch\"]"), "{mend}");
    assert_eq!(wrong(&collector.check().await).len(), 6, "each permission, once");

    api.apply(include_str!("../../deploy/rbac/clusterrole.yaml")).await;
    api.apply(&binding("defray-collector")).await;
    eventually("the role is in force", async || wrong(&collector.check().await).is_empty()).await;
    let seen = collector.observe().await.unwrap();
    assert_eq!(seen.problems, []);
    assert_eq!(seen.observation.tenants, Some(Vec::new()));

    // Every rule of it is needed, and its absence is told by its name.
    for missing in NEEDED {
        let rest: Vec<_> = NEEDED.into_iter().filter(|rule| *rule != missing).collect();
        api.apply(&role(&rest)).await;
        let (group, plural, verb) = missing;
        let resource = [plural, group].join(".").trim_end_matches('.').to_string();
        let subject = format!("Kubernetes: {verb} {resource}");
        eventually(&format!("{subject} is forbidden"), async || {
            let findings = collector.check().await;
            let wrong = wrong(&findings);
            !wrong.is_empty() && wrong.iter().all(|finding| finding.subject == subject)
        })
        .await;
        let wake =
            collector.changes().filter(|wake| std::future::ready(!wake.troubles.is_empty())).next().await;
        assert!(wake.unwrap().troubles.iter().all(|(_, trouble)| trouble.subject == subject));
    }
}

#[tokio::test]
async fn pods_need_the_role_for_pods_and_nothing_else() {
    let api = ApiServer::start().await;
    let settings = Settings {
        tenants: None,
        pods: Some(PodSource::default()),
        ..settings(&api.kubeconfig(Who::Restricted))
    };
    let collector = collector(settings).await;
    api.apply(include_str!("../../deploy/rbac/clusterrole.yaml")).await;
    api.apply(&binding("defray-collector")).await;
    eventually("only pods are forbidden", async || wrong(&collector.check().await).len() == 2).await;
    let of = kube_system(&api).await;
    let error = collector.pods(&of).await.unwrap_err();
    assert!(matches!(error, KubernetesError::Refused(_)), "{error}");
    assert!(error.mend().contains("resources: [\"pods\"]"), "{}", error.mend());
    assert!(collector.pod_changes(&of).next().await.unwrap().is_err());

    api.apply(include_str!("../../deploy/rbac/pods/clusterrole.yaml")).await;
    api.apply(&binding("defray-collector-pods")).await;
    eventually("nothing is missing", async || wrong(&collector.check().await).is_empty()).await;
    assert_eq!(collector.pods(&of).await.unwrap(), []);
}

#[tokio::test]
async fn a_check_of_a_sound_cluster_says_what_is_there() {
    let api = ApiServer::shared().await;
    api.apply(DEFINITION).await;
    let findings = collector(settings(&api.kubeconfig(Who::Admin))).await.check().await;
    assert_eq!(wrong(&findings), Vec::<&Finding>::new());
    let message =
        |subject: &str| &findings.iter().find(|finding| finding.subject == subject).expect(subject).message;
    assert!(message("Kubernetes: connection").contains("v1."));
    assert!(message("Kubernetes: what is there").contains("namespaces"));
    assert_eq!(
        message("Kubernetes: resource tenants.platform.financecore.local"),
        "served as platform.financecore.local/v1alpha1"
    );
}

#[tokio::test]
async fn a_definition_that_is_not_there_is_named_and_the_rest_is_seen() {
    let api = ApiServer::shared().await;
    let (source, _) = loose("absent.example");
    let settings = Settings { tenants: Some(source), ..settings(&api.kubeconfig(Who::Admin)) };
    let collector = collector(settings).await;
    let seen = collector.observe().await.unwrap();
    assert_eq!(seen.observation.tenants, None, "unknown is not none");
    assert!(seen.observation.namespaces.is_some() && seen.observation.nodes.is_some());
    assert_eq!(seen.problems.len(), 1);
    assert!(seen.problems[0].message.contains("does not serve tenants.absent.example in version v1alpha1"));
    assert!(seen.problems[0].mend.as_deref().unwrap().contains("deploy/crd/"));
    let findings = collector.check().await;
    assert!(
        wrong(&findings)
            .iter()
            .any(|finding| finding.subject == "Kubernetes: resource tenants.absent.example")
    );
}

#[tokio::test]
async fn another_cluster_is_refused() {
    let api = ApiServer::shared().await;
    let settings = Settings { tenants: None, ..settings(&api.kubeconfig(Who::Admin)) };
    let of = collector(settings.clone()).await;
    eventually("kube-system exists", async || of.observe().await.unwrap().cluster_uid.is_some()).await;
    let uid = of.observe().await.unwrap().cluster_uid;
    let own = Settings { cluster_uid: uid.clone(), ..settings.clone() };
    assert_eq!(collector(own).await.observe().await.unwrap().cluster_uid, uid);
    let other = Settings { cluster_uid: Some(Uid::from("another")), ..settings };
    let error = collector(other).await.observe().await.unwrap_err();
    assert!(matches!(error, KubernetesError::AnotherCluster { .. }), "{error}");
}

#[tokio::test]
async fn a_token_the_server_does_not_know_is_told_from_a_missing_permission() {
    let api = ApiServer::shared().await;
    let collector = collector(settings(&api.kubeconfig(Who::Stranger))).await;
    let error = collector.observe().await.unwrap_err();
    assert!(matches!(error, KubernetesError::Unauthorised { .. }), "{error}");
    assert!(error.mend().contains("token"));
}

/// A kubeconfig that leads to an address, with these lines for the cluster.
fn kubeconfig(folder: &TempDir, cluster: &str) -> PathBuf {
    let path = folder.path().join("kubeconfig");
    let text = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\nclusters: [{{name: c, cluster: {{{cluster}}}}}]\n\
         users: [{{name: u, user: {{token: t}}}}]\ncontexts: [{{name: c, context: {{cluster: c, user: u}}}}]\n"
    );
    fs::write(&path, text).unwrap();
    path
}

#[tokio::test]
async fn a_server_that_is_not_there_or_never_answers_cannot_be_reached() {
    let folder = tempfile::tempdir().unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let [silent_at, gone_at] = [&silent, &gone].map(|listener| listener.local_addr().unwrap());
    drop(gone);
    for (address, reason) in [(gone_at, "refused"), (silent_at, "time")] {
        let path = kubeconfig(&folder, &format!("server: 'http://{address}'"));
        let settings = Settings { request_timeout: Duration::from_secs(1), ..settings(&path) };
        let collector = collector(settings).await;
        let error = collector.observe().await.unwrap_err();
        assert!(matches!(error, KubernetesError::Unreachable { .. }), "{error}");
        assert!(error.to_string().contains(reason), "{error}");
        assert!(error.to_string().contains(&address.to_string()), "{error}");
        let findings = collector.check().await;
        assert_eq!(findings.len(), 1, "without a connection there is nothing more to say");
        assert!(findings[0].mend.as_deref().unwrap().contains("API server"));
    }
}

#[tokio::test]
async fn a_certificate_we_do_not_trust_is_told_from_a_server_that_is_down() {
    let api = ApiServer::shared().await;
    let folder = tempfile::tempdir().unwrap();
    // Its certificate names 127.0.0.1 and not localhost.
    let url = api.url().replace("127.0.0.1", "localhost");
    let known = format!(
        "server: '{url}', certificate-authority: '{}'",
        said(&api.kubeconfig(Who::Admin), "certificate-authority")
    );
    let unknown = format!("server: '{}'", api.url());
    for cluster in [known, unknown] {
        let collector = collector(settings(&kubeconfig(&folder, &cluster))).await;
        let error = collector.observe().await.unwrap_err();
        assert!(matches!(error, KubernetesError::Untrusted { .. }), "{cluster}: {error:?}");
        assert!(error.mend().contains("certificate-authority"));
    }
}

#[tokio::test]
async fn a_page_of_somebody_else_is_not_taken_for_an_answer() {
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 19\r\n\r\n<html>log in</html>",
        "HTTP/1.1 502 Bad Gateway\r\ncontent-type: text/html\r\ncontent-length: 16\r\n\r\n<html>no</html>\n",
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = async {
            loop {
                let (mut connection, _) = listener.accept().await.unwrap();
                let mut request = [0; 4096];
                assert!(connection.read(&mut request).await.unwrap() > 0);
                connection.write_all(answer.as_bytes()).await.unwrap();
            }
        };
        let folder = tempfile::tempdir().unwrap();
        let path = kubeconfig(&folder, &format!("server: 'http://{address}'"));
        let collector = collector(settings(&path)).await;
        let error = tokio::select! {
            seen = collector.observe() => seen.unwrap_err(),
            never = serving => never,
        };
        assert!(matches!(error, KubernetesError::NotKubernetes { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn a_kubeconfig_that_cannot_be_used_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = kubeconfig(&folder, "server: 'http://127.0.0.1:1'");
    let broken = folder.path().join("broken");
    fs::write(&broken, "clusters: [").unwrap();
    for (path, context, said) in [
        (folder.path().join("absent"), None, "absent"),
        (broken, None, "broken"),
        (path, Some("nowhere".to_string()), "nowhere"),
    ] {
        let access = Access::Kubeconfig { path: Some(path), context };
        let error = Collector::connect(Settings { access, ..Settings::default() }).await.unwrap_err();
        assert!(matches!(error, KubernetesError::Access { .. }), "{error}");
        assert!(error.to_string().contains(said), "{error}");
        assert!(error.mend().contains("kubeconfig"));
    }
}

#[tokio::test]
async fn a_certificate_that_is_not_verified_is_a_finding() {
    let api = ApiServer::shared().await;
    let folder = tempfile::tempdir().unwrap();
    let token = said(&api.kubeconfig(Who::Admin), "token");
    let path = kubeconfig(&folder, &format!("server: '{}', insecure-skip-tls-verify: true", api.url()));
    let text = fs::read_to_string(&path).unwrap().replace("token: t", &format!("token: {token}"));
    fs::write(&path, text).unwrap();
    let findings = collector(Settings { tenants: None, ..settings(&path) }).await.check().await;
    let wrong = wrong(&findings);
    assert_eq!(wrong.len(), 1, "{wrong:#?}");
    assert_eq!(wrong[0].subject, "Kubernetes: server certificate");
    assert!(wrong[0].mend.as_deref().unwrap().contains("insecure-skip-tls-verify"));
}

#[tokio::test]
async fn a_server_that_drips_is_given_up_when_the_time_for_a_list_is_over() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let dripping = async {
        let (mut connection, _) = listener.accept().await.unwrap();
        let mut request = [0; 4096];
        assert!(connection.read(&mut request).await.unwrap() > 0);
        connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n").await.unwrap();
        loop {
            connection.write_all(b" ").await.unwrap();
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let folder = tempfile::tempdir().unwrap();
    let path = kubeconfig(&folder, &format!("server: 'http://{address}'"));
    let settings = Settings { list_timeout: Duration::from_secs(1), ..settings(&path) };
    let collector = collector(settings).await;
    let error = tokio::select! {
        seen = collector.observe() => seen.unwrap_err(),
        never = dripping => never,
    };
    assert!(matches!(error, KubernetesError::TooSlow { .. }), "{error:?}");
    assert_eq!(error.to_string(), format!("listing namespaces at http://{address} took longer than 1s"));
}
