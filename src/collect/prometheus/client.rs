//! Transport: one request, one whole answer, within a deadline and a byte limit, or a refusal.
//!
//! Of `prometheus-http-query` only the raw responses are used: see [`super::envelope`].

use std::time::Duration;

use defray_pricing::time::Hour;
use prometheus_http_query::Client as Http;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use secrecy::ExposeSecret;

use super::envelope::{Expected, Sample, Series, decode, decode_names, error_notes};
use super::error::{MeasureError, QueryError};
use super::queries::{Query, Shape, Split};
use super::settings::{Dialect, Settings, SettingsError};
use crate::chain::chain;

/// Milliseconds of an hour.
pub(super) const HOUR_MS: i64 = 3_600_000;
/// Milliseconds between marks.
pub(super) const MARK_MS: i64 = 60_000;
/// How much of an error text is kept.
const EXCERPT: usize = 300;
/// In how many parts a too large answer is asked for at first; a part that is still too large is halved.
const PARTS: usize = 16;

/// Sends queries.
#[derive(Clone)]
pub(super) struct Client {
    http: Http,
    dialect: Dialect,
    timeout: Duration,
    byte_limit: usize,
    shard_size: Option<usize>,
}

/// The answer to a query, part by part, so that no more than one part of it is ever held: see
/// [`Client::next`].
pub(super) struct Parts {
    pub(super) query: Query,
    /// What has not been asked for, the next at the end.
    waiting: Vec<Part>,
}

impl Parts {
    pub(super) fn new(query: Query) -> Self {
        Self { query, waiting: vec![Part::All] }
    }
}

enum Part {
    All,
    /// Series that have one of these values under the label of the query's [`Split`].
    Among(Vec<String>),
}

impl Client {
    pub(super) fn new(settings: &Settings) -> Result<Self, SettingsError> {
        let mut headers = HeaderMap::new();
        for (name, value) in &settings.headers {
            let refuse = || SettingsError::Header(name.clone());
            let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| refuse())?;
            let mut value = HeaderValue::from_str(value.expose_secret()).map_err(|_| refuse())?;
            value.set_sensitive(true);
            headers.append(header, value);
        }
        if let Some(tenant) = &settings.tenant {
            let value = HeaderValue::from_str(tenant)
                .map_err(|_| SettingsError::Header("X-Scope-OrgID".to_owned()))?;
            headers.insert(HeaderName::from_static("x-scope-orgid"), value);
        }
        // A redirect would answer with someone's login page, and the environment's proxy is not ours.
        let mut builder = reqwest::Client::builder()
            .default_headers(headers)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .connect_timeout(settings.timeout);
        if let Some(pem) = &settings.ca_certificate {
            let certificate = reqwest::Certificate::from_pem(pem.as_bytes())
                .map_err(|error| SettingsError::Certificate(error.to_string()))?;
            builder = builder.add_root_certificate(certificate);
        }
        let client = builder.build().map_err(|error| SettingsError::Client(error.to_string()))?;
        let http = Http::from(client, &settings.url)
            .map_err(|error| SettingsError::Url { url: settings.url.clone(), why: error.to_string() })?;
        Ok(Self {
            http,
            dialect: settings.dialect,
            timeout: settings.timeout,
            byte_limit: settings.byte_limit,
            shard_size: settings.shard_size,
        })
    }

    /// Runs a query over an hour and holds all of its answer: for what is small however large the cluster.
    pub(super) async fn run(&self, query: &Query, hour: Hour) -> Result<Vec<Series>, MeasureError> {
        let mut parts = Parts::new(query.clone());
        let mut all = Vec::new();
        while let Some(part) = self.next(&mut parts, hour).await? {
            all.extend(part);
        }
        Ok(all)
    }

    /// The next part of an answer: the whole of it, unless that is too large for the server or the limit.
    pub(super) async fn next(
        &self,
        parts: &mut Parts,
        hour: Hour,
    ) -> Result<Option<Vec<Series>>, MeasureError> {
        let eager = self.shard_size.filter(|_| matches!(parts.query.split, Split::Namespace(_)));
        while let Some(part) = parts.waiting.pop() {
            let query = &parts.query;
            if let (Part::All, Some(size)) = (&part, eager) {
                let names = self.names_to_split_by(query, hour).await?;
                parts.waiting = names.chunks(size.max(1)).rev().map(|c| Part::Among(c.to_vec())).collect();
                continue;
            }
            let selector = match &part {
                Part::All => query.selector.clone(),
                Part::Among(names) => query.selector.clone().among(query.split.label(), names),
            };
            let text = query.shape.render(&selector, self.dialect);
            let error = match self.run_part(query, hour, &text).await {
                Ok(series) => return Ok(Some(series)),
                Err(error) => error,
            };
            let (names, size) = match (&error, part) {
                (QueryError::TooLarge(_), Part::All) => {
                    let names = self.names_to_split_by(query, hour).await?;
                    let size = names.len().div_ceil(PARTS);
                    (names, size)
                }
                (QueryError::TooLarge(_), Part::Among(names)) => {
                    let size = names.len().div_ceil(2);
                    (names, size)
                }
                _ => return Err(failed(query, text, error)),
            };
            // What belongs to one name cannot be split. None but the empty one: the server contradicts
            // itself, and nothing is not what was there.
            if names.len() < 2 {
                return Err(failed(query, text, error));
            }
            parts.waiting.extend(names.chunks(size.max(1)).rev().map(|c| Part::Among(c.to_vec())));
        }
        Ok(None)
    }

    /// Every value that the query's series have under the label they are split by, and the empty one for
    /// those that lack it, which no list names. Read from the store's index, and so without the samples
    /// that were too many; of a store that keeps its index by the day it may be more than the hour has.
    async fn names_to_split_by(&self, query: &Query, hour: Hour) -> Result<Vec<String>, MeasureError> {
        let label = query.split.label();
        let series = query.selector.render();
        let names = async {
            let mut url = self.http.base_url().clone();
            let path = format!("{}/api/v1/label/{label}/values", url.path().trim_end_matches('/'));
            url.set_path(&path);
            let start = hour.start().timestamp().saturating_sub(3600);
            url.query_pairs_mut()
                .append_pair("match[]", &series)
                .append_pair("start", &start.to_string())
                .append_pair("end", &hour.end().timestamp().to_string())
                .extend_pairs(self.dialect.params());
            decode_names(&self.get(url).await?)
        };
        let names: Result<Vec<String>, QueryError> = names.await;
        let mut names =
            names.map_err(|error| failed(query, format!("the values of {label} in {series}"), error))?;
        names.push(String::new());
        names.sort();
        names.dedup();
        Ok(names)
    }

    async fn run_part(&self, query: &Query, hour: Hour, text: &str) -> Result<Vec<Series>, QueryError> {
        match query.shape {
            Shape::Marks | Shape::MarksOfOne => self.marks(text, hour).await,
            Shape::Raw => self.instant(text, hour, self.dialect.raw()).await,
            Shape::Least => self.instant(text, hour, Expected::Hints).await,
            Shape::CountBy(_) => self.instant(text, hour, Expected::Vector).await,
        }
    }

    /// An instant query at the last millisecond of the hour: ranges of whole hours then begin just
    /// before an hour's first instant, whether the server includes their left edge or not.
    async fn instant(&self, text: &str, hour: Hour, expected: Expected) -> Result<Vec<Series>, QueryError> {
        let last = hour.end().timestamp().saturating_sub(1);
        let mut request = self.http.query(text).query("time", format!("{last}.999"));
        for (name, value) in self.dialect.params() {
            request = request.query(name, value);
        }
        let body = self.body(request.post_raw()).await?;
        decode(&body, expected)
    }

    /// The server's clock, in milliseconds since 1970.
    pub(super) async fn server_time(&self) -> Result<i64, QueryError> {
        let body = self.body(self.http.query("vector(time())").post_raw()).await?;
        let series = decode(&body, Expected::Vector)?;
        let sample = series.first().and_then(|series| series.samples.first());
        sample
            .map(|sample| sample.value.as_millis())
            .ok_or_else(|| QueryError::Malformed("no answer to vector(time())".to_owned()))
    }

    /// An instant query at an instant, for `check`.
    pub(super) async fn at(&self, text: &str, seconds: i64) -> Result<Vec<Series>, QueryError> {
        let mut request = self.http.query(text).query("time", seconds);
        for (name, value) in self.dialect.params() {
            request = request.query(name, value);
        }
        decode(&self.body(request.post_raw()).await?, Expected::Vector)
    }

    /// The first step of a range at which a query has a value, in milliseconds since 1970.
    pub(super) async fn first(
        &self,
        text: &str,
        start: i64,
        end: i64,
        step: i64,
    ) -> Result<Option<i64>, QueryError> {
        let step = u32::try_from(step).map_err(|_| QueryError::Malformed(format!("a step of {step} s")))?;
        let mut request = self.http.query_range(text, start, end, f64::from(step));
        for (name, value) in self.dialect.params() {
            request = request.query(name, value);
        }
        let series = decode(&self.body(request.post_raw()).await?, Expected::Matrix)?;
        Ok(series.iter().flat_map(|series| &series.samples).map(|sample| sample.at).min())
    }

    /// A status endpoint that may not exist.
    pub(super) async fn status(&self, path: &str) -> Result<serde_json::Value, QueryError> {
        let mut url = self.http.base_url().clone();
        url.set_path(&format!("{}/{path}", url.path().trim_end_matches('/')));
        serde_json::from_slice(&self.get(url).await?)
            .map_err(|error| QueryError::Malformed(error.to_string()))
    }

    async fn get(&self, url: reqwest::Url) -> Result<Vec<u8>, QueryError> {
        let client = self.http.inner().clone();
        let send = async move {
            client.get(url).send().await.map_err(|error| QueryError::Unreachable(chain(&error)))
        };
        self.within(send).await
    }

    async fn marks(&self, text: &str, hour: Hour) -> Result<Vec<Series>, QueryError> {
        let start = hour.start().timestamp();
        let mut request = self.http.query_range(text, start, start.saturating_add(59 * 60), 60.0);
        for (name, value) in self.dialect.params() {
            request = request.query(name, value);
        }
        let series = decode(&self.body(request.post_raw()).await?, Expected::Matrix)?;
        for s in &series {
            if let Some(sample) = s.samples.iter().find(|sample| mark_of(sample, hour).is_none()) {
                return Err(QueryError::Malformed(format!(
                    "series {:?} has a sample at {} ms, which is none of the 60 marks",
                    s.labels, sample.at
                )));
            }
        }
        Ok(series)
    }

    async fn body(
        &self,
        send: impl Future<Output = Result<reqwest::Response, prometheus_http_query::Error>>,
    ) -> Result<Vec<u8>, QueryError> {
        self.within(async { send.await.map_err(|error| QueryError::Unreachable(chain(&error))) }).await
    }

    /// Status, headers and the whole body, before the deadline.
    async fn within(
        &self,
        send: impl Future<Output = Result<reqwest::Response, QueryError>>,
    ) -> Result<Vec<u8>, QueryError> {
        let whole = async { self.read(send.await?).await };
        tokio::time::timeout(self.timeout, whole).await.unwrap_or(Err(QueryError::TimedOut(self.timeout)))
    }

    async fn read(&self, mut response: reqwest::Response) -> Result<Vec<u8>, QueryError> {
        let status = response.status();
        let is_json = response
            .headers()
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .is_some_and(|value| value.to_ascii_lowercase().contains("json"));
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| QueryError::Malformed(chain(&e)))? {
            if body.len().saturating_add(chunk.len()) > self.byte_limit {
                return Err(QueryError::TooLarge(format!("more than {} bytes", self.byte_limit)));
            }
            body.extend_from_slice(&chunk);
        }
        if !status.is_success() {
            return Err(refusal(status.as_u16(), &body));
        }
        if !is_json {
            return Err(QueryError::Malformed(format!("not JSON but: {}", excerpt(&body))));
        }
        Ok(body)
    }
}

/// The mark a sample stands at.
pub(super) fn mark_of(sample: &Sample, hour: Hour) -> Option<u32> {
    let since = sample.at.checked_sub(hour.start().timestamp_millis())?;
    let on_a_mark = (0..HOUR_MS).contains(&since) && since.checked_rem(MARK_MS) == Some(0);
    if on_a_mark { since.checked_div(MARK_MS).and_then(|mark| u32::try_from(mark).ok()) } else { None }
}

fn failed(query: &Query, text: String, source: QueryError) -> MeasureError {
    MeasureError::Query { feeds: query.feeds, query: text, source }
}

/// What a status other than 2xx means.
fn refusal(status: u16, body: &[u8]) -> QueryError {
    let notes = error_notes(body).unwrap_or_default();
    let message = notes.error.unwrap_or_else(|| excerpt(body));
    let lower = message.to_ascii_lowercase();
    let limit = ["too many", "exceed", "limit", "too large", "too long"];
    let over = limit.iter().any(|word| lower.contains(word));
    let slow = status == 503 && notes.error_type.as_deref() == Some("timeout");
    match status {
        413 => QueryError::TooLarge(message),
        400 | 422 | 500 | 503 if over || slow => QueryError::TooLarge(message),
        _ => QueryError::Refused { status, message },
    }
}

fn excerpt(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(EXCERPT).collect();
    text.trim().to_owned()
}
