//! The pages: every link leads somewhere, names are shown and never run.

use super::fixture::{FORMULA, Options, Server};

fn links(html: &str) -> Vec<String> {
    html.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()).map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_link_on_every_page_leads_somewhere_on_this_server() {
    let server = Server::start(Options::default()).await;
    for page in ["/", "/periods/2026-09"] {
        let html = server.text(page).await;
        let links = links(&html);
        assert!(links.len() > 8, "{page}: {links:?}");
        let links: Vec<String> =
            links.iter().map(|link| link.replace("&#38;", "&").replace("&amp;", "&")).collect();
        for link in links.iter().filter(|link| !link.starts_with('#')) {
            assert!(link.starts_with('/'), "{page}: {link} leads elsewhere");
            assert_eq!(server.get(link).await.status(), 200, "{page}: {link}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_show_months_tenants_and_totals_without_scripts() {
    let server = Server::start(Options::default()).await;
    let response = server.get("/").await;
    let policy = response.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
    let html = response.text().await.unwrap();
    for part in [
        "October 2026",
        "September 2026",
        "1\u{202f}430.55",
        "99.96",
        "payments",
        "CC-100",
        "2\u{202f}289 JPY",
        "no rate for KWD",
        "lang=\"en\"",
    ] {
        assert!(html.contains(part), "{part}");
    }
    assert!(!html.contains("<script") && !html.contains("style=\""));
    assert!(!html.contains("made up"), "this is no demo");
    assert!(html.contains("&#39;/C calc&#39;") && !html.contains(FORMULA), "names are escaped");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_is_not_ready_says_so_on_its_page() {
    let server = Server::start(Options::default()).await;
    server.not_ready.lock().unwrap().push("sample: Prometheus does not answer".to_owned());
    let html = server.text("/").await;
    assert!(html.contains("Not ready") && html.contains("Prometheus does not answer"));
}
