//! A receiver of reports that is out of order when each report first comes.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::any;
use serde_json::Value;

#[derive(Debug, Default)]
struct Seen {
    refused: BTreeSet<String>,
    taken: Vec<(String, Value)>,
}

/// What was refused and what was taken, by idempotency key.
#[derive(Debug)]
pub(super) struct Receiver {
    seen: Arc<Mutex<Seen>>,
    url: String,
}

impl Receiver {
    pub(super) async fn start() -> Self {
        let seen: Arc<Mutex<Seen>> = Arc::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/reports", listener.local_addr().expect("an address"));
        let router = Router::new().route("/reports", any(take)).with_state(Arc::clone(&seen));
        #[expect(clippy::disallowed_methods, reason = "ends with the test's runtime")]
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { seen, url }
    }

    /// The keys of the deliveries that were refused.
    pub(super) fn refused(&self) -> BTreeSet<String> {
        self.seen.lock().expect("not poisoned").refused.clone()
    }

    /// The reports that were taken, with their keys.
    pub(super) fn reports(&self) -> Vec<(String, Value)> {
        self.seen.lock().expect("not poisoned").taken.clone()
    }

    /// The section of the daemon's configuration that sends reports here.
    pub(super) fn configuration(&self) -> String {
        format!("push: {{webhooks: [{{name: finops, url: '{}'}}]}}\n", self.url)
    }
}

async fn take(State(seen): State<Arc<Mutex<Seen>>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let key = headers.get("idempotency-key").and_then(|key| key.to_str().ok());
    let (Some(key), Ok(report)) = (key, serde_json::from_slice::<Value>(&body)) else {
        return StatusCode::BAD_REQUEST;
    };
    let mut seen = seen.lock().expect("not poisoned");
    if seen.refused.insert(key.to_owned()) {
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    seen.taken.push((key.to_owned(), report));
    StatusCode::OK
}
