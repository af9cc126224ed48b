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
        "the month is 2026-10 as it happened",
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
        (TENANT.to_owned(), &["--period", "2026-01"], 1, "holds nothing of 2026-01"),
    ] {
        let output = estimate(&site, &tenant, more);
        assert_eq!(output.status.code(), Some(code), "{told}: {}", err(&output));
        assert!(err(&output).contains(told), "{told}: {}", err(&output));
    }
}
