//! A destination that takes signed JSON by POST.
//!
//! Headers: `Idempotency-Key` (a structured string, so in quotes), those of Standard Webhooks where a
//! secret is set, and those of a `CloudEvent` in binary mode, which leave the body as it is.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, Utc};
use defray_ledger::Delivery;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

pub use super::retry::Backoff;
use super::signing::SigningSecret;
use super::{address, retry};
use crate::chain::chain;

/// One destination.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Its name in logs, metrics and idempotency keys. Under another name everything is sent anew.
    pub name: String,
    /// Where to.
    pub url: Url,
    /// Who we are.
    pub token: Option<Token>,
    /// What the receiver knows our signature by; several while a secret is exchanged.
    pub signing: Vec<SigningSecret>,
    /// How long one try may take.
    pub timeout: Duration,
    /// How long to wait between tries.
    pub backoff: Backoff,
    /// Allows `http://` to hosts other than this one: inside a mesh that encrypts by itself.
    pub plain_http: bool,
}

impl Settings {
    /// With a timeout of twenty seconds and nothing optional.
    pub fn new(name: impl Into<String>, url: Url) -> Self {
        Self {
            name: name.into(),
            url,
            token: None,
            signing: Vec::new(),
            timeout: Duration::from_secs(20),
            backoff: Backoff::default(),
            plain_http: false,
        }
    }
}

/// A bearer token.
#[derive(Debug, Clone)]
pub enum Token {
    /// This one.
    Fixed(SecretString),
    /// What the file holds at each try, so that it can be exchanged while we run.
    File(PathBuf),
}

/// Why a destination cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// Two of one name.
    #[error("two destinations are named `{0}`; idempotency keys hold the name: give each its own")]
    Twice(String),
    /// No encryption.
    #[error(
        "{name}: {url} is not https; costs and tokens would cross the network in the clear (plain_http allows it)"
    )]
    Plain {
        /// The destination.
        name: String,
        /// Its address.
        url: String,
    },
    /// A place where credentials are handed out.
    #[error("{name}: {url} is a link-local or metadata address, to which nothing is ever sent")]
    Forbidden {
        /// The destination.
        name: String,
        /// Its address.
        url: String,
    },
    /// A password in the address.
    #[error("{name}: the address of the destination holds a user or password; give a token instead")]
    Credentials {
        /// The destination.
        name: String,
    },
    /// No name, or one that cannot stand in a key.
    #[error("a destination needs a name")]
    Nameless,
    /// The client could not be made.
    #[error("{name}: no client could be made: {reason}")]
    Client {
        /// The destination.
        name: String,
        /// Why.
        reason: String,
    },
}

/// What a try came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// The receiver has it.
    Delivered { status: u16 },
    /// To be tried again; `stop` where the next report would fare no better.
    Retry { reason: String, status: Option<u16>, after: Option<Duration>, stop: bool },
    /// Refused for good.
    Refused { reason: String, status: u16 },
    /// The receiver is no more.
    Gone { reason: String },
}

impl Answer {
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Delivered { .. } => "delivered",
            Self::Retry { .. } => "retry",
            Self::Refused { .. } => "dead",
            Self::Gone { .. } => "gone",
        }
    }
}

/// A destination that can be sent to.
#[derive(Debug)]
pub struct Webhook {
    settings: Settings,
    endpoint: String,
    client: Client,
}

/// Of what a receiver answers, so much is kept.
const MOST_ANSWER: usize = 500;

impl Webhook {
    /// Checks the settings and makes the client: no redirects, no proxies from the environment.
    pub fn new(settings: &Settings) -> Result<Self, SettingsError> {
        let (name, url) = (settings.name.clone(), &settings.url);
        let endpoint = without_secrets(url);
        if name.is_empty() {
            return Err(SettingsError::Nameless);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(SettingsError::Credentials { name });
        }
        let address: Option<IpAddr> =
            url.host_str().and_then(|host| host.trim_matches(['[', ']']).parse().ok());
        if address.is_some_and(address::is_forbidden) {
            return Err(SettingsError::Forbidden { name, url: endpoint });
        }
        let local =
            address.is_some_and(|address| address.is_loopback()) || url.host_str() == Some("localhost");
        let plain = url.scheme() == "http" && (local || settings.plain_http);
        if url.scheme() != "https" && !plain {
            return Err(SettingsError::Plain { name, url: endpoint });
        }
        let client = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .timeout(settings.timeout)
            .connect_timeout(settings.timeout)
            .dns_resolver(address::Guarded)
            .user_agent(concat!("defray/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| SettingsError::Client { name, reason: chain(&error) })?;
        Ok(Self { settings: settings.clone(), endpoint, client })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.settings.name
    }

    /// Its address without query and credentials.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    pub(super) const fn backoff(&self) -> Backoff {
        self.settings.backoff
    }

    /// One try.
    pub(super) async fn send(&self, delivery: &Delivery, now: DateTime<Utc>) -> Answer {
        let headers = match self.headers(delivery, now).await {
            Ok(headers) => headers,
            // Ours to mend: a token that cannot be read fails every report alike.
            Err(reason) => return Answer::Retry { reason, status: None, after: None, stop: true },
        };
        let request =
            self.client.post(self.settings.url.clone()).headers(headers).body(delivery.body.clone());
        match request.send().await {
            Ok(response) => judge(response, now).await,
            Err(error) => {
                let reason = format!("{}: {}", self.endpoint, chain(&error.without_url()));
                Answer::Retry { reason, status: None, after: None, stop: false }
            }
        }
    }

    async fn headers(&self, delivery: &Delivery, now: DateTime<Utc>) -> Result<HeaderMap, String> {
        let key = &delivery.idempotency_key;
        let id = format!("msg_{key}");
        let mut headers = HeaderMap::new();
        let mut set = |name: &'static str, value: &str| {
            let value = HeaderValue::from_str(value).map_err(|_| format!("{name} cannot hold its value"))?;
            headers.insert(HeaderName::from_static(name), value);
            Ok::<(), String>(())
        };
        set("content-type", "application/json")?;
        set("idempotency-key", &format!("\"{key}\""))?;
        for (name, value) in event(delivery, &id)? {
            set(name, &value)?;
        }
        if !self.settings.signing.is_empty() {
            let timestamp = now.timestamp();
            let signatures: Option<Vec<String>> = self
                .settings
                .signing
                .iter()
                .map(|secret| secret.sign(&id, timestamp, &delivery.body))
                .collect();
            set("webhook-id", &id)?;
            set("webhook-timestamp", &timestamp.to_string())?;
            set("webhook-signature", &signatures.ok_or("the body cannot be signed")?.join(" "))?;
        }
        if let Some(token) = self.token().await? {
            let value = format!("Bearer {}", token.expose_secret());
            let mut value =
                HeaderValue::from_str(&value).map_err(|_| "the token holds characters that no header may")?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        Ok(headers)
    }

    async fn token(&self) -> Result<Option<SecretString>, String> {
        match &self.settings.token {
            None => Ok(None),
            Some(Token::Fixed(token)) => Ok(Some(token.clone())),
            Some(Token::File(path)) => match tokio::fs::read_to_string(path).await {
                Ok(text) => Ok(Some(SecretString::from(text.trim().to_owned()))),
                Err(error) => Err(format!("the token file {} cannot be read: {error}", path.display())),
            },
        }
    }
}

/// What of a report the headers repeat.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct About {
    status: String,
    tenant_name: String,
    period: String,
    generated_at: String,
}

/// The attributes of a `CloudEvent`, the same with every try.
fn event(delivery: &Delivery, id: &str) -> Result<[(&'static str, String); 6], String> {
    let about: About = serde_json::from_slice(&delivery.body)
        .map_err(|error| format!("the report {} cannot be described: {error}", delivery.report_id))?;
    let source = delivery.report_id.split('/').next().unwrap_or_default();
    Ok([
        ("ce-specversion", "1.0".to_owned()),
        ("ce-id", id.to_owned()),
        ("ce-source", encoded(&format!("/clusters/{source}/cost-attribution"))),
        ("ce-type", format!("defray.cost.report.{}.v1", encoded(&about.status))),
        ("ce-time", about.generated_at),
        ("ce-subject", encoded(&format!("{}/{}", about.tenant_name, about.period))),
    ])
}

/// As the HTTP binding of `CloudEvents` asks: space, quote, percent sign and all that is not ASCII.
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_graphic() && byte != b'"' && byte != b'%' {
            out.push(char::from(byte));
        } else if write!(out, "%{byte:02X}").is_err() {
            // Writing to a string cannot fail.
            break;
        }
    }
    out
}

/// What an answer means.
async fn judge(mut response: Response, now: DateTime<Utc>) -> Answer {
    let status = response.status();
    if status.is_success() {
        return Answer::Delivered { status: status.as_u16() };
    }
    let asked = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let after = asked.and_then(|text| retry::retry_after(text, now));
    let reason = format!("{status}{}", said(&mut response).await);
    let status_number = Some(status.as_u16());
    match status {
        StatusCode::GONE => Answer::Gone { reason },
        // A token that ran out is mended by a person, and every report waits for it.
        // And so is a URL that nobody serves.
        StatusCode::UNAUTHORIZED
        | StatusCode::FORBIDDEN
        | StatusCode::NOT_FOUND
        | StatusCode::METHOD_NOT_ALLOWED => {
            Answer::Retry { reason, status: status_number, after, stop: true }
        }
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            Answer::Retry { reason, status: status_number, after, stop: after.is_some() }
        }
        // 409: the first of two requests with this key is still under way there.
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::CONFLICT => {
            Answer::Retry { reason, status: status_number, after, stop: false }
        }
        _ if status.is_client_error() => Answer::Refused { reason, status: status.as_u16() },
        _ => Answer::Retry { reason, status: status_number, after, stop: false },
    }
}

/// The beginning of what the receiver said, in one line.
async fn said(response: &mut Response) -> String {
    let mut bytes = Vec::new();
    while bytes.len() < MOST_ANSWER {
        match response.chunk().await {
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            Ok(None) | Err(_) => break,
        }
    }
    bytes.truncate(MOST_ANSWER);
    let text: String =
        String::from_utf8_lossy(&bytes).chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.trim().is_empty() { String::new() } else { format!(": {}", text.trim()) }
}

/// Scheme, host, port and path.
fn without_secrets(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    if url.set_username("").is_err() || url.set_password(None).is_err() {
        return format!("{}:…", url.scheme());
    }
    url.to_string()
}
