//! What a proposed tenant would cost.

use super::{Site, defray, err, out};

const TENANT: &str = "\
apiVersion: platform.financecore.local/v1alpha1
kind: Tenant
metadata: {name: gamma}
spec:
  teamName: gamma
  ownerEmail: lead@bank.example
  costCenter: CC-3
  resourceQuota: {cpu: \"2\", memory: 10Gi}
  services: {argocd: false, monitoring: false}
";

fn estimate(site: &Site, tenant: &str, more: &[&str]) -> std::process::Output {
    let (file, config) = (site.write("tenant.yaml", tenant).display().to_string(), site.config());
    defray(&[&["estimate", "-f", file.as_str(), "--config", config.as_str()], more].concat())
}

#[tokio::test]
async fn a_proposed_tenant_is_estimated_on_the_newest_month_with_every_assumption() {
    let site = Site::rated().await;
    let daemon = site.ledger().await;
    let output = estimate(&site, TENANT, &[]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    let told = out(&output);
    let words = told.split_whitespace().collect::<Vec<_>>().join(" ");
    // All 744 hours of October: 2 cores at 0.50, 10 GiB at 0.10, and a third of 7440.
    for wanted in [
        "What gamma on CC-3 would cost a month, in EUR",
        "cpu, c 1488 Core-Hours at 0.5 744.00",
        "memory, c 7440 GiB-Hours at 0.1 744.00",
        "shared_cost licence 2480.00",
        "total 3968.00",
        "Made on 2026-10, of which 10 of 744 hours were measured",
        "each of the other 734 is taken to be as one of the 10 that were measured last",
        "in the cluster c, in the namespace vcluster-gamma",
        "traffic and load balancers",
    ] {
        assert!(words.contains(wanted), "`{wanted}` is not in\n{told}");
    }
    assert!(!told.contains("alpha"), "{told}");
    let json = estimate(&site, TENANT, &["--format", "json", "--period", "2026-10"]);
    let json: serde_json::Value = serde_json::from_str(&out(&json)).unwrap();
    assert_eq!((&json["amount"], &json["currency"]), (&"3968.00".into(), &"EUR".into()));
    daemon.close().await;
}

#[tokio::test]
async fn what_cannot_be_estimated_is_refused_with_the_reason() {
    let site = Site::rated().await;
    for (tenant, more, code, told) in [
        (TENANT.replace("gamma", "alpha"), &[][..], 2, "the tenant `alpha` exists already"),
        (TENANT.replace("10Gi", "10GB"), &[], 2, "tenant.yaml:8:"),
        (TENANT.replace("Tenant", "Deployment"), &[], 2, "`Deployment` is no Tenant"),
        (TENANT.to_owned(), &["--cluster", "east"], 2, "there is no cluster `east`; there is c"),
        (TENANT.to_owned(), &["--shared-pool", "none"], 2, "had no shared pool `none`"),
        (format!("{TENANT}  nodePool: {{size: 3}}"), &["--pool", "default"], 2, "is there already"),
        (TENANT.replace("gamma", "no name"), &[], 2, "the namespace `vcluster-no name`"),
        (TENANT.replace("financecore.local", "financecore.io"), &[], 2, "is not of the group"),
        (TENANT.to_owned(), &["--period", "2026-01"], 1, "holds nothing of 2026-01"),
    ] {
        let output = estimate(&site, &tenant, more);
        assert_eq!(output.status.code(), Some(code), "{told}: {}", err(&output));
        assert!(err(&output).contains(told), "{told}: {}", err(&output));
    }
}

/// Ten hours of one node of four cores, three of them used.
const COST: &str = "\
version: \"1\"
currency: EUR
effective_from: 2026-01-01
platform_cost_center: CC-P
idle: keep
pools: [{pool: \"*\", model: cost, node_hour: \"0.40\", weights: {cpu: 1, memory: 0}}]
network: [{class: \"*\", gib: \"2\"}]
";

#[tokio::test]
async fn hours_that_were_not_measured_are_paid_for_as_those_that_were_and_what_does_not_fit_gets_nodes() {
    let site = Site::rated().await;
    site.write("book.yaml", COST);
    for (cores, amount, told) in [
        // 744 hours, not ten, of a core at 0.10.
        ("1", "74.40", "it fits into what was free on default/m5/on-demand"),
        (
            "9",
            "669.60",
            "in 744 of 744 hours it asks for more than was free on default/m5/on-demand: up to 2 such nodes",
        ),
    ] {
        let tenant = TENANT.replace("{cpu: \"2\", memory: 10Gi}", &format!("{{cpu: {cores}}}"));
        let json = estimate(&site, &tenant, &["--format", "json"]);
        let json: serde_json::Value = serde_json::from_str(&out(&json)).unwrap();
        assert_eq!((&json["hours"], &json["hours_known"]), (&744.into(), &10.into()), "{json}");
        assert_eq!(json["amount"], amount, "{json}");
        assert!(json["assumptions"].to_string().contains(told), "{json}");
    }
}

#[tokio::test]
async fn a_tenant_is_read_by_the_paths_of_the_configuration_and_what_is_unknown_is_named() {
    let site = Site::rated().await;
    let typing = TENANT.replace("services:", "service:").replace("memory:", "memroy:");
    let told = out(&estimate(&site, &typing, &[]));
    for field in
        ["`spec.service` (did you mean `services`?)", "`spec.resourceQuota.memroy` (did you mean `memory`?)"]
    {
        assert!(told.contains(&format!("{field}: it is not looked at")), "{field}: {told}");
    }
    let config = std::fs::read_to_string(site.config()).unwrap();
    let tenants = "tenants: {group: idp.example, kind: Project, team: metadata.name, cost_center: spec.code, \
                   resource_quota: spec.limits}";
    site.write("defray.yaml", &config.replace("kubernetes: {", &format!("kubernetes: {{{tenants}, ")));
    let project = "apiVersion: idp.example/v1\nkind: Project\nmetadata: {name: gamma}\n\
                   spec: {code: CC-3, limits: {cpu: 2}}\n";
    let output = estimate(&site, project, &[]);
    assert!(out(&output).contains("What gamma on CC-3 would cost"), "{}", err(&output));
    assert!(err(&estimate(&site, TENANT, &[])).contains("`Tenant` is no Project"));
}

#[test]
fn a_file_that_cannot_be_read_is_not_taken_for_a_price_book() {
    let site = Site::new();
    let config = site.config();
    let output = defray(&["estimate", "-f", "/nowhere/tenant.yaml", "--config", &config]);
    let told = err(&output);
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains("/nowhere/tenant.yaml: cannot be read") && !told.contains("price book"), "{told}");
}
