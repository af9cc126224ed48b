//! Asks a running daemon for what only it can do.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use anyhow::Context;

use crate::config::Config;

/// How long the daemon has to answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// What is read of an answer, at most.
const MOST_ANSWER: usize = 64 * 1024;

/// Asks the daemon of a configuration to push now; says where it was found.
pub(super) async fn push(config: &Config) -> anyhow::Result<SocketAddr> {
    let address = reachable(config.http.listen)?;
    // Not over a proxy, and not on to somewhere else: the token is for this address alone.
    let client = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(PATIENCE)
        .build()
        .context("making an HTTP client")?;
    let mut request = client.post(format!("http://{address}/api/v1/push")).json(&serde_json::json!({}));
    if let Some(token) = &config.http.token {
        request = request.bearer_auth(token.expose());
    }
    let answer = request.send().await.with_context(|| {
        format!(
            "no daemon answers at {address}; run this where the daemon runs, with its configuration, or stop what \
             holds the ledger"
        )
    })?;
    let status = answer.status();
    if status == reqwest::StatusCode::ACCEPTED {
        return Ok(address);
    }
    anyhow::bail!("the daemon at {address} did not agree to push: {status}{}", detail(answer).await)
}

/// Where a daemon that listens there is found from the same machine.
fn reachable(listen: SocketAddr) -> anyhow::Result<SocketAddr> {
    if listen.port() == 0 {
        anyhow::bail!("http.listen names no port, so the daemon cannot be found; give it one");
    }
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    Ok(SocketAddr::new(ip, listen.port()))
}

/// What a problem says in detail, as one line.
async fn detail(mut answer: reqwest::Response) -> String {
    let mut bytes = Vec::new();
    while let Ok(Some(chunk)) = answer.chunk().await {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > MOST_ANSWER {
            return String::new();
        }
    }
    let problem: Option<serde_json::Value> = serde_json::from_slice(&bytes).ok();
    let detail = problem.as_ref().and_then(|problem| problem["detail"].as_str()).unwrap_or_default();
    let line: String = detail.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if line.is_empty() { line } else { format!(": {line}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_daemon_on_every_address_is_found_on_loopback() {
        for (listen, found) in [
            ("0.0.0.0:8080", "127.0.0.1:8080"),
            ("[::]:8080", "[::1]:8080"),
            ("127.0.0.1:9000", "127.0.0.1:9000"),
            ("10.1.2.3:80", "10.1.2.3:80"),
        ] {
            assert_eq!(reachable(listen.parse().unwrap()).unwrap().to_string(), found);
        }
        assert!(reachable("127.0.0.1:0".parse().unwrap()).is_err());
    }
}
