//! A receiver that keeps to the contract: it asks for a key, applies a key once, and refuses a key that
//! comes with another body. How it answers can be scripted, also not at all after it has applied.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use reqwest::Url;
use serde_json::Value;

/// What happens to the next request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    /// Applied and answered.
    Take,
    /// Not applied; this status, and this `Retry-After`.
    Say(u16, Option<&'static str>),
    /// Not applied, and no answer: the connection is cut.
    CutBefore,
    /// Applied, and the connection is cut before an answer.
    CutAfter,
    /// Applied, and the answer takes longer than anyone waits.
    HangAfter,
}

/// A request as it came.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) key: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Request {
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

#[derive(Debug, Default)]
struct Books {
    script: VecDeque<Act>,
    requests: Vec<Request>,
    /// What a key brought about: once.
    applied: BTreeMap<String, Bytes>,
    /// Breaches of the contract.
    breaches: Vec<String>,
}

/// Serves until it is dropped.
pub(super) struct Receiver {
    address: std::net::SocketAddr,
    books: Arc<Mutex<Books>>,
    server: tokio::task::JoinHandle<()>,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Receiver {
    pub(super) async fn start(script: &[Act]) -> Self {
        let books =
            Arc::new(Mutex::new(Books { script: script.iter().copied().collect(), ..Books::default() }));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/reports", post(take)).with_state(Arc::clone(&books));
        #[expect(clippy::disallowed_methods, reason = "the receiver is not the daemon's")]
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, books, server }
    }

    pub(super) fn url(&self) -> Url {
        format!("http://{}/reports?key=hidden", self.address).parse().unwrap()
    }

    /// From now on.
    pub(super) fn script(&self, script: &[Act]) {
        self.books.lock().unwrap().script = script.iter().copied().collect();
    }

    pub(super) fn requests(&self) -> Vec<Request> {
        self.books.lock().unwrap().requests.clone()
    }

    /// What was applied: by report, the revisions in the order of their number.
    pub(super) fn applied(&self) -> BTreeMap<String, Vec<u64>> {
        let books = self.books.lock().unwrap();
        assert_eq!(books.breaches, Vec::<String>::new());
        let mut reports: BTreeMap<String, Vec<u64>> = BTreeMap::new();
        for body in books.applied.values() {
            let body: Value = serde_json::from_slice(body).unwrap();
            let report = body["ReportId"].as_str().unwrap().to_owned();
            reports.entry(report).or_default().push(body["Revision"].as_u64().unwrap());
        }
        for revisions in reports.values_mut() {
            revisions.sort_unstable();
        }
        reports
    }
}

async fn take(State(books): State<Arc<Mutex<Books>>>, headers: HeaderMap, body: Bytes) -> Response {
    let (act, answer) = {
        let mut books = books.lock().unwrap();
        let key = headers.get("idempotency-key").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let Some(key) = key.strip_prefix('"').and_then(|key| key.strip_suffix('"')).map(str::to_owned) else {
            books.breaches.push("a request without a key in quotes".to_owned());
            return StatusCode::BAD_REQUEST.into_response();
        };
        if headers.get("content-type").is_none_or(|value| value != "application/json") {
            books.breaches.push("another content type".to_owned());
        }
        books.requests.push(Request { key: key.clone(), headers, body: body.clone() });
        // Whether it was applied or not, one key means one body.
        let other = books.requests.iter().any(|earlier| earlier.key == key && earlier.body != body);
        if other {
            books.breaches.push(format!("{key} came with two bodies"));
            return StatusCode::UNPROCESSABLE_ENTITY.into_response();
        }
        let act = books.script.pop_front().unwrap_or(Act::Take);
        if matches!(act, Act::Take | Act::CutAfter | Act::HangAfter) {
            books.applied.insert(key, body);
        }
        (act, StatusCode::CREATED.into_response())
    };
    match act {
        Act::Take => answer,
        Act::Say(status, after) => {
            let status = StatusCode::from_u16(status).unwrap();
            let mut answer = (status, "{\"title\":\"scripted\"}").into_response();
            if let Some(after) = after {
                answer.headers_mut().insert("retry-after", after.parse().unwrap());
            }
            if status.is_redirection() {
                answer.headers_mut().insert("location", "http://127.0.0.1:9/elsewhere".parse().unwrap());
            }
            answer
        }
        Act::HangAfter => {
            tokio::time::sleep(Duration::from_secs(30)).await;
            answer
        }
        // Ends the connection without an answer, and without a message on the terminal.
        Act::CutBefore | Act::CutAfter => std::panic::resume_unwind(Box::new("cut")),
    }
}
