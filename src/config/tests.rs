//! A whole file: every problem at once, nothing secret shown, what is printed means the same.

use std::path::Path;

use super::*;

mod tenancy;

const CANARY: &str = "canary-4711-secret";

fn parse(text: &str, folder: &Path) -> Result<Config, Vec<String>> {
    let environment = Environment::given([("TOKEN", CANARY), ("EMPTY", ""), ("SIGNING", SIGNING)]);
    Config::parse("defray.yaml", text, folder, &environment)
        .map_err(|problems| problems.iter().map(ToString::to_string).collect())
}

fn refused(text: &str) -> Vec<String> {
    parse(text, Path::new("/nowhere")).expect_err("the text must be refused")
}

const SIGNING: &str = "whsec_c2lnbmluZ2tleWNhbmFyeTAxMjM0NTY3ODk=";

/// Every section said in full, with secrets from a file and from the environment.
fn full(folder: &Path) -> String {
    std::fs::write(folder.join("token"), format!("{CANARY}\n")).unwrap();
    std::fs::write(folder.join("ca.pem"), "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n")
        .unwrap();
    r#"
billing: {time_zone: Europe/Berlin, report_name: platform}
ledger: {location: data, archive: {url: settled, after_days: 30}, prune_after_days: 800}
price_book: [books/*.yaml]
history: {since: "2026-08-31T22:00:00Z", settle: 10m, concurrency: 4, pause: 500ms}
http: {listen: "0.0.0.0:9000", token_env: TOKEN}
tenancy:
  namespace_pattern: "team-{tenant}-host"
  namespace_labels: [capsule.clastix.io/tenant]
  static:
    - {tenant: legacy, cost_center: CC-9, cluster: prod-*, namespaces: [old-*, older]}
    - {tenant: modern, namespaces: ["new"]}
push:
  daily_at: "18:30"
  webhooks:
    - {name: finops, url: "https://finops.example/costs", token_file: token, signing_secret_env: SIGNING, timeout: 5s}
    - {name: mesh, url: "http://mesh.example/costs", token_env: TOKEN, plain_http: true}
log: {format: json, filter: "warn,defray=debug"}
clusters:
  - name: prod-eu
    since: "2026-09-01T00:00:00Z"
    until: "2027-01-01T00:00:00Z"
    accept: ["2026-09-02T03:00:00Z"]
    prometheus:
      url: https://mimir.example/prometheus
      preset: kube-prometheus-stack
      dialect: mimir
      tenant: bank
      cluster_label: {name: cluster, value: prod-eu}
      token_file: token
      secret_headers: {X-Api-Key: {env: TOKEN}}
      ca_file: ca.pem
      timeout: 30s
      deadline: 10m
      answer_mib: 16
      namespaces_at_once: 20
      names:
        cadvisor_node_labels: [node]
        metrics: {kube_node_info: my_node_info}
    kubernetes:
      kubeconfig: kubeconfig
      context: prod
      cluster_uid: 11111111-2222
      tenants: {group: example.com, team: metadata.name, owner_email: ""}
      node_labels: {pool: [pool], dedicated: []}
      namespace_labels: [team]
      list_pods: true
      timeout: 15s
      list_every: 30m
  - name: prod-us
    prometheus: {url: "http://127.0.0.1:9090"}
    kubernetes: {in_cluster: true, tenants: {enabled: false}}
"#
    .to_owned()
}

#[test]
fn every_problem_of_every_section_is_told_at_once() {
    let text = "\
billing: {time_zone: Asia/Kolkata}
ledger: {location: \"postgres://defray:hunter2@db/defray\", archive: {url: \"s3://key:hunter3@bucket\"}}
history: {since: 2026-08-01, settle: soon}
http: {listen: \"0.0.0.0:80\"}
tenancy: {namespace_pattern: vcluster}
clusters:
  - name: a
    prometheus: {url: \"http://me:pw@host\", presett: plain}
  - name: a
    since: 2026-08-01T05:00:00Z
    until: 2026-08-01T05:00:00Z
    prometheus: {url: ftp://host, token_file: absent, token_env: EMPTY}
    kubernetes: {in_cluster: true, kubeconfig: x, tenants: {team: \"spec..x\"}}
push:
  daily_at: 24:00
  webhooks:
    - {name: a, url: \"http://elsewhere.example\"}
    - {name: b, url: \"https://b.example\", token_env: TOKEN, signing_secret_env: TOKEN}
surprise: 1
";
    let told = refused(text);
    for expected in [
        "1:22: billing.time_zone: in Asia/Kolkata the month",
        "1:1: `price_book` is missing",
        "ledger.location: the address holds a password (write the whole address into a file",
        "ledger.archive.url: an archive is a directory or file:///directory, not a text that begins with `s3`",
        "history.since: `2026-08-01` is not the start of a full UTC hour",
        "history.settle: `soon` is not a duration",
        "http.listen: anybody who reaches 0.0.0.0:80 could read every cost (give readers a token",
        "tenancy.namespace_pattern: `vcluster` does not hold `{tenant}` exactly once",
        "clusters[0].prometheus.url: the address holds credentials",
        "unknown key `presett` (did you mean `preset`?",
        "the cluster `a` is already described in line 7",
        "does not begin with http:// or https://",
        "clusters[1].prometheus: only one of `token_file` and `token_env` can be given",
        "the secret /nowhere/absent cannot be read",
        "clusters[1].prometheus.token_env: the secret is empty",
        "clusters[1].kubernetes: only one of `in_cluster` and `kubeconfig` can be given",
        "`spec..x` is not a field path",
        "push.daily_at: `24:00` is not a time of day (write hours and minutes from 00:00 to 23:59, such as",
        "push.webhooks[0]: a: http://elsewhere.example/ is not https",
        "push.webhooks[1]: `signing_secret_file` or `signing_secret_env`: a signing secret begins with `whsec_`",
        "unknown key `surprise`",
        "clusters[1].until: no hour is from 2026-08-01T05:00:00Z until 2026-08-01T05:00:00Z",
    ] {
        assert!(told.iter().any(|line| line.contains(expected)), "{expected}\nin {told:#?}");
    }
    assert!(told.iter().all(|line| line.starts_with("defray.yaml:")), "{told:#?}");
    assert!(told.iter().all(|line| !line.contains("hunter2") && !line.contains("me:pw")), "{told:#?}");
}

#[test]
fn no_secret_is_ever_shown() {
    let folder = tempfile::tempdir().unwrap();
    let config = parse(&full(folder.path()), folder.path()).unwrap();
    let cluster = &config.clusters[0].prometheus;
    assert_eq!(config.http.token.as_ref().unwrap().expose(), CANARY);
    assert_eq!(cluster.settings.headers.len(), 2);
    for shown in [config.print(), format!("{config:?}"), format!("{config:#?}")] {
        assert!(!shown.contains(CANARY) && !shown.contains(SIGNING), "{shown}");
    }
    assert!(config.print().contains("token_env: TOKEN"));
}

#[test]
fn what_is_printed_means_the_same() {
    let folder = tempfile::tempdir().unwrap();
    for text in [full(folder.path()), EXAMPLE.to_owned()] {
        let config = parse(&text, folder.path()).unwrap();
        let printed = config.print();
        let again = parse(&printed, folder.path()).unwrap_or_else(|told| panic!("{told:#?}\n{printed}"));
        assert_eq!(format!("{config:?}"), format!("{again:?}"));
        assert_eq!(printed, again.print());
    }
}

/// Asks the reader itself for the keys of a section: it lists them when it meets a wrong one.
fn known_keys(text: &str) -> Vec<String> {
    let told = refused(text);
    let line =
        told.iter().find(|line| line.contains("unknown key `zzz`")).unwrap_or_else(|| panic!("{told:?}"));
    let list = line.split_once("known keys: ").unwrap().1.trim_end_matches(')');
    list.split(", ").map(str::to_owned).collect()
}

#[test]
fn every_key_that_is_accepted_is_explained() {
    let printed = Config::example().unwrap().print();
    let cluster = |inner: &str| {
        format!("price_book: [b]\nclusters: [{{name: a, prometheus: {{url: \"http://a\"}}, {inner}}}]")
    };
    let metrics = |inner: &str| {
        format!("price_book: [b]\nclusters: [{{name: a, prometheus: {{url: \"http://a\", {inner}}}}}]")
    };
    let mut texts = vec!["zzz: 1".to_owned(), cluster("zzz: 1"), metrics("zzz: 1")];
    texts.extend(
        ["billing", "ledger", "history", "http", "tenancy", "push", "log"]
            .map(|name| format!("{name}: {{zzz: 1}}")),
    );
    texts.extend(["names: {zzz: 1}", "names: {metrics: {zzz: 1}}"].map(metrics));
    texts.extend(
        ["kubernetes: {zzz: 1}", "kubernetes: {tenants: {zzz: 1}}", "kubernetes: {node_labels: {zzz: 1}}"]
            .map(cluster),
    );
    for text in texts {
        for key in known_keys(&text) {
            let shown = printed.lines().any(|line| {
                line.trim_start().trim_start_matches(['#', '-', ' ']).starts_with(&format!("{key}:"))
            });
            assert!(shown, "`{key}` of {text} is not in\n{printed}");
        }
    }
}

#[test]
fn static_claims_that_contradict_each_other_are_refused() {
    let rules = |rules: &str| {
        let text =
            format!("price_book: [b]\nclusters: [{{name: a, prometheus: {{url: \"http://a\"}}}}]\n{rules}");
        parse(&text, Path::new("")).map(|_| ()).map_err(|told| told.join("\n"))
    };
    let two = "tenancy:\n  static:\n    - {tenant: x, namespaces: [shop-*]}\n    - {tenant: y, namespaces: [\"*-prod\"]}";
    let told = rules(two).unwrap_err();
    assert!(told.contains("`*-prod` for tenant `y` and `shop-*` for tenant `x` (line 5)"), "{told}");
    let apart = "tenancy: {static: [{tenant: x, cluster: eu, namespaces: [s-*]}, {tenant: y, cluster: us, \
                 namespaces: [s-*]}, {tenant: x, cluster: eu, namespaces: [s-a]}]}";
    assert_eq!(rules(apart), Ok(()), "other clusters, or the same tenant");
    let trap = "tenancy: {static: [{tenant: x, namespaces: [\"vcluster-*\"]}]}";
    assert!(rules(trap).unwrap_err().contains("also matches namespaces that `namespace_pattern`"));
    let exception = "tenancy: {static: [{tenant: x, namespaces: [vcluster-old]}]}";
    assert_eq!(rules(exception), Ok(()));
    let off = "tenancy: {namespace_pattern: \"\", static: [{tenant: x, namespaces: [\"vcluster-*\"]}]}";
    assert_eq!(rules(off), Ok(()));
    let reserved = "tenancy: {static: [{tenant: __unassigned__, namespaces: [a]}]}";
    assert!(rules(reserved).unwrap_err().contains("`__unassigned__` is reserved"));
}

#[test]
fn clusters_that_read_one_store_must_be_told_apart() {
    let two = |one: &str, other: &str| {
        let text = format!(
            "price_book: [b]\nclusters:\n  - {{name: a, prometheus: {{url: \"http://store\", {one}}}}}\n  - {{name: b, \
             prometheus: {{url: \"http://store/\", {other}}}}}\n"
        );
        parse(&text, Path::new("")).map(|_| ()).map_err(|told| told.join("\n"))
    };
    let label = |value: &str| format!("cluster_label: {{name: cluster, value: {value}}}");
    for (one, other) in
        [(String::new(), String::new()), (label("x"), String::new()), (label("x"), label("x"))]
    {
        let told = two(&one, &other).unwrap_err();
        assert!(told.contains("4:5: clusters[1]: `b` and `a` (line 3) read one store"), "{told}");
        assert!(told.contains("prometheus.cluster_label"), "{told}");
    }
    for (one, other) in [
        (label("x"), label("y")),
        ("tenant: x".to_owned(), "tenant: y".to_owned()),
        (String::new(), "token_env: TOKEN".to_owned()),
    ] {
        assert_eq!(two(&one, &other), Ok(()), "{one} {other}");
    }
}

#[test]
fn price_book_paths_are_globs_of_file_names_and_must_match() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["b.yaml", "a.yaml", ".hidden.yaml", "c.txt"] {
        std::fs::write(folder.path().join(name), "x").unwrap();
    }
    let names = |paths: &[&str]| {
        let paths: Vec<PathBuf> = paths.iter().map(|path| folder.path().join(path)).collect();
        book::sources(&paths).map(|sources| {
            let file =
                |source: &Source| Path::new(&source.name).file_name().unwrap().to_str().unwrap().to_owned();
            sources.iter().map(file).collect::<Vec<_>>()
        })
    };
    assert_eq!(names(&["*.yaml", "a.yaml"]).unwrap(), ["a.yaml", "b.yaml"]);
    let told = names(&["x.yaml", "*.json", "no/*.yaml"]).unwrap_err();
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(
        told[0].to_string().contains("mend `price_book`") || told[0].to_string().contains("listed"),
        "{told:?}"
    );
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let told = Config::load(Path::new("/nowhere/defray.yaml"), &Environment::empty()).unwrap_err();
    assert!(told[0].to_string().starts_with("/nowhere/defray.yaml: cannot be read:"), "{}", told[0]);
}
