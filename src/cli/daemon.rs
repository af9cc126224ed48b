//! Asks a running daemon for what only it can do.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use anyhow::Context;

use crate::config::Config;

/// How long the daemon has to answer.
const PATIENCE: Duration = Duration::from_mins(1);
/// What is read of an answer, at most.
const MOST_ANSWER: usize = 64 << 20;

/// What a daemon answered.
#[derive(Debug)]
pub(super) struct Answer {
    /// Where it was found.
    pub(super) address: SocketAddr,
    /// What it said, if it agreed; else everything that is in the way.
    pub(super) said: Result<serde_json::Value, Refusal>,
}

/// Why a daemon did not do what it was asked for.
#[derive(Debug)]
pub(super) struct Refusal {
    /// In a sentence.
    pub(super) detail: String,
    /// One by one: what it is, in words.
    pub(super) parts: Vec<(String, String)>,
}

/// Asks the daemon of a configuration to push now; says where it was found.
pub(super) async fn push(config: &Config) -> anyhow::Result<SocketAddr> {
    let Answer { address, said } = ask(config, "/api/v1/push", &serde_json::json!({})).await?;
    match said {
        Ok(_) => Ok(address),
        Err(refusal) => anyhow::bail!("the daemon at {address} did not agree to push: {}", refusal.detail),
    }
}

/// Whether a daemon of a configuration is there.
pub(super) async fn answers(config: &Config) -> bool {
    let Ok(address) = reachable(config.http.listen) else { return false };
    let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build();
    let Ok(client) = client else { return false };
    client.get(format!("http://{address}/livez")).send().await.is_ok()
}

/// Asks the daemon of a configuration for what is done by sending JSON.
pub(super) async fn ask(config: &Config, path: &str, body: &serde_json::Value) -> anyhow::Result<Answer> {
    let address = reachable(config.http.listen)?;
    // Not over a proxy, and not on to somewhere else: the token is for this address alone.
    let client = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(PATIENCE)
        .build()
        .context("making an HTTP client")?;
    let mut request = client.post(format!("http://{address}{path}")).json(body);
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
    let said = whole(answer).await;
    if status.is_success() {
        return Ok(Answer { address, said: Ok(said.unwrap_or_default()) });
    }
    Ok(Answer { address, said: Err(refusal(status, said.as_ref())) })
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

/// An answer as JSON, if it is that and no longer than any such answer.
async fn whole(mut answer: reqwest::Response) -> Option<serde_json::Value> {
    let mut bytes = Vec::new();
    while let Ok(Some(chunk)) = answer.chunk().await {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > MOST_ANSWER {
            return None;
        }
    }
    serde_json::from_slice(&bytes).ok()
}

/// What a problem says, each text as one line.
fn refusal(status: reqwest::StatusCode, problem: Option<&serde_json::Value>) -> Refusal {
    let line = |text: &serde_json::Value| -> String {
        let text = text.as_str().unwrap_or_default();
        text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
    };
    let null = serde_json::Value::Null;
    let problem = problem.unwrap_or(&null);
    let parts = problem["invalid_params"].as_array().into_iter().flatten();
    let detail = line(&problem["detail"]);
    Refusal {
        detail: if detail.is_empty() { status.to_string() } else { format!("{status}: {detail}") },
        parts: parts.map(|part| (line(&part["name"]), line(&part["reason"]))).collect(),
    }
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
