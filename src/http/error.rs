//! The one place where what went wrong becomes a status: what the reader is told, and what only the log is.

use axum::http::StatusCode;
use axum::http::header::{HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::response::{IntoResponse, Response};
use defray_ledger::LedgerError;
use defray_pricing::Overflow;
use defray_pricing::explain::ExplainError;
use defray_reports::WriteError;
use defray_reports::grafana::GrafanaError;
use serde::Serialize;

use crate::chain::chain;
use crate::closing::{NotClosed, Obstacle};
use crate::rerate::NotAgain;

/// What went wrong with a request.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No route has this path.
    #[error("nothing is served under this path")]
    NoSuchRoute,
    /// No token, or the wrong one.
    #[error("this needs the token, as `Authorization: Bearer …`")]
    Unauthorized,
    /// Without a token only this machine may ask.
    #[error(
        "no token is configured, so only requests addressed to this machine as 127.0.0.1, ::1 or localhost are \
         answered"
    )]
    NotLoopback,
    /// The path names no month.
    #[error("`{0}` is not a billing period such as 2026-10")]
    NotAPeriod(String),
    /// Nothing is known of this month.
    #[error("nothing is recorded for the billing period {0}; /api/v1/periods lists those there are")]
    NoSuchPeriod(String),
    /// The month has hours and no statements yet.
    #[error("the billing period {0} is not rated yet; try again in a minute")]
    NotRated(String),
    /// The month was closed without what was paid for in it.
    #[error(
        "{0} was closed by a release that did not keep what was paid for; its statements stand, and what was recovered \
         is not known"
    )]
    NotKept(String),
    /// The tenant has no statement in this month.
    #[error("{tenant} has no statement in {period}")]
    NoSuchTenant {
        /// The tenant.
        tenant: String,
        /// The period.
        period: String,
    },
    /// The month was not closed so often.
    #[error(
        "{period} has no closed version {version}; /api/v1/periods/{period}/versions lists those there are"
    )]
    NoSuchVersion {
        /// What was asked for.
        version: String,
        /// The period.
        period: String,
    },
    /// No such format.
    #[error("`{name}` is not served; there is {known}")]
    NoSuchFile {
        /// What was asked for.
        name: String,
        /// What there is.
        known: &'static str,
    },
    /// Query parameters are wrong; all of them are told.
    #[error("query parameters are wrong")]
    Parameters(Vec<Parameter>),
    /// What was sent is not JSON, by what it says of itself.
    #[error("send JSON, and say so: `Content-Type: application/json`")]
    NotJson,
    /// What was sent is not YAML, by what it says of itself.
    #[error("send YAML, and say so: `Content-Type: application/yaml`")]
    NotYaml,
    /// The price book that was sent is wrong; every problem of it is told.
    #[error("the price book is wrong")]
    Book(Vec<Parameter>),
    /// The Tenant that was sent is wrong; every problem of it is told.
    #[error("the Tenant is wrong")]
    Tenant(Vec<Parameter>),
    /// What was sent cannot be made sense of.
    #[error("what was sent cannot be used: {0}")]
    Sent(String),
    /// Nothing can be pushed.
    #[error("no destination is configured; describe one in the configuration, under push.webhooks")]
    NoDestination,
    /// The answer would be larger than memory is kept for.
    #[error("{0}")]
    TooLarge(String),
    /// Too many large answers are being written.
    #[error("too much is being written or rated again; try again shortly")]
    Busy,
    /// A month takes longer to rate again than a request may.
    #[error(
        "rating the month again takes longer than a request may; ask on the command line, where it may take its \
         time: `defray explain`, `defray price diff`, `defray estimate`"
    )]
    MonthTooLarge,
    /// A month cannot be closed or restated yet; everything that is in the way is told.
    #[error("{said}")]
    InTheWay {
        /// All of it in a sentence.
        said: String,
        /// One by one.
        obstacles: Vec<Parameter>,
    },
    /// A month is not in the state that this needs.
    #[error("{0}")]
    WrongState(String),
    /// Nothing can be kept before it is sent.
    #[error("nothing can be written here")]
    ReadOnly,
    /// The ledger could not be read.
    #[error("the ledger could not be read")]
    Ledger(#[from] LedgerError),
    /// A fault of this program.
    #[error("the answer could not be made")]
    Internal(String),
}

/// A query parameter and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// What is wrong, and how to mend it.
    pub reason: String,
}

/// What the reader is told, until the request's number is known.
#[derive(Debug, Clone)]
pub(super) struct Problem {
    pub(super) kind: &'static str,
    pub(super) title: &'static str,
    pub(super) detail: Option<String>,
    pub(super) parameters: Vec<Parameter>,
    /// For the log alone.
    pub(super) internal: Option<String>,
}

impl Error {
    fn status(&self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::NoSuchRoute => (StatusCode::NOT_FOUND, "not-found", "No such path"),
            Self::Unauthorized => (StatusCode::UNAUTHORIZED, "unauthorized", "Token needed"),
            Self::NotLoopback => {
                (StatusCode::MISDIRECTED_REQUEST, "not-loopback", "Not addressed to loopback")
            }
            Self::NotAPeriod(_) => (StatusCode::BAD_REQUEST, "invalid-period", "Not a billing period"),
            Self::NoSuchPeriod(_) => (StatusCode::NOT_FOUND, "period-not-found", "No such billing period"),
            Self::NotRated(_) => (StatusCode::NOT_FOUND, "period-not-rated", "Billing period not rated yet"),
            Self::NotKept(_) => (StatusCode::NOT_FOUND, "recovery-not-kept", "Recovery not known"),
            Self::NoSuchTenant { .. } => (StatusCode::NOT_FOUND, "tenant-not-found", "No such statement"),
            Self::NoSuchVersion { .. } => (StatusCode::NOT_FOUND, "version-not-found", "No such version"),
            Self::NoSuchFile { .. } => (StatusCode::NOT_FOUND, "format-not-found", "No such format"),
            Self::Parameters(_) => {
                (StatusCode::BAD_REQUEST, "invalid-parameters", "Invalid query parameters")
            }
            Self::NotJson => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "not-json", "JSON needed"),
            Self::NotYaml => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "not-yaml", "YAML needed"),
            Self::Tenant(_) => (StatusCode::BAD_REQUEST, "invalid-tenant", "Invalid Tenant"),
            Self::Book(_) => (StatusCode::BAD_REQUEST, "invalid-price-book", "Invalid price book"),
            Self::Sent(_) => (StatusCode::BAD_REQUEST, "invalid-body", "Invalid request body"),
            Self::NoDestination => (StatusCode::NOT_FOUND, "no-destination", "No destination configured"),
            Self::TooLarge(_) => (StatusCode::UNPROCESSABLE_ENTITY, "too-large", "Answer too large"),
            Self::Busy => (StatusCode::SERVICE_UNAVAILABLE, "busy", "Busy"),
            Self::MonthTooLarge => {
                (StatusCode::SERVICE_UNAVAILABLE, "month-too-large", "Too large a month for a request")
            }
            Self::InTheWay { .. } => (StatusCode::CONFLICT, "obstacles", "Something is in the way"),
            Self::WrongState(_) => (StatusCode::CONFLICT, "wrong-state", "Not in the state for it"),
            Self::ReadOnly => (StatusCode::SERVICE_UNAVAILABLE, "read-only", "Nothing can be written"),
            Self::Ledger(LedgerError::OutOfScope(_)) => {
                (StatusCode::FORBIDDEN, "forbidden", "Not yours to read")
            }
            Self::Ledger(_) => (StatusCode::SERVICE_UNAVAILABLE, "ledger-unavailable", "Ledger unavailable"),
            Self::Internal(_) => (StatusCode::INTERNAL_SERVER_ERROR, "internal", "Internal error"),
        }
    }

    /// What only the log is told.
    fn internal(&self) -> Option<String> {
        match self {
            Self::Ledger(error) => Some(error.to_string()),
            Self::Internal(text) => Some(text.clone()),
            _ => None,
        }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let (status, kind, title) = self.status();
        let problem = Problem {
            kind,
            title,
            detail: Some(self.to_string()),
            internal: self.internal(),
            parameters: match self {
                Self::Parameters(told)
                | Self::Book(told)
                | Self::Tenant(told)
                | Self::InTheWay { obstacles: told, .. } => told,
                _ => Vec::new(),
            },
        };
        let mut response = status.into_response();
        let header: Option<(HeaderName, &'static str)> = match status {
            StatusCode::UNAUTHORIZED => {
                Some((WWW_AUTHENTICATE, r#"Bearer realm="defray", Basic realm="defray""#))
            }
            StatusCode::SERVICE_UNAVAILABLE => Some((RETRY_AFTER, "5")),
            _ => None,
        };
        if let Some((name, value)) = header {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        response.extensions_mut().insert(problem);
        response
    }
}

impl From<Overflow> for Error {
    fn from(overflow: Overflow) -> Self {
        Self::Internal(overflow.to_string())
    }
}

impl<E: std::error::Error + 'static> From<WriteError<E>> for Error {
    fn from(error: WriteError<E>) -> Self {
        Self::Internal(chain(&error))
    }
}

impl From<NotAgain> for Error {
    fn from(not: NotAgain) -> Self {
        match not {
            NotAgain::NoSuchPeriod(period) => Self::NoSuchPeriod(period.to_string()),
            NotAgain::NotYet(period) => Self::NotRated(period.to_string()),
            NotAgain::NotExplained(ExplainError::NoStatement { tenant, period }) => {
                Self::NoSuchTenant { tenant: tenant.to_string(), period: period.to_string() }
            }
            NotAgain::TooLate { .. } => {
                Self::Sent(format!("{not}; `edition` names an edition to rate the whole month by"))
            }
            NotAgain::Clash(_) | NotAgain::Unclear(_) => Self::Sent(not.to_string()),
            NotAgain::Revised(_) => Self::Busy,
            NotAgain::Ledger(error) => Self::Ledger(error),
            other => Self::Internal(chain(&other)),
        }
    }
}

impl From<NotClosed> for Error {
    fn from(not: NotClosed) -> Self {
        let said = not.to_string();
        match not {
            NotClosed::InTheWay { obstacles, .. } | NotClosed::Worse { obstacles, .. } => {
                let told = |obstacle: &Obstacle| Parameter {
                    name: obstacle.kind().to_owned(),
                    reason: obstacle.to_string(),
                };
                Self::InTheWay { said, obstacles: obstacles.iter().map(told).collect() }
            }
            NotClosed::Already(_)
            | NotClosed::StillOpen(_)
            | NotClosed::AnotherPlan(_)
            | NotClosed::Ledger(
                LedgerError::MovedOn(_)
                | LedgerError::AnotherVersion { .. }
                | LedgerError::NothingToRestate(_)
                | LedgerError::Closed(_),
            ) => Self::WrongState(said),
            NotClosed::NoReason => Self::Sent(said),
            NotClosed::OnlyLooking => Self::ReadOnly,
            NotClosed::NotAgain(not) => not.into(),
            NotClosed::Ledger(error) => Self::Ledger(error),
            NotClosed::Other(_) => Self::Internal(said),
        }
    }
}

impl From<GrafanaError> for Error {
    fn from(error: GrafanaError) -> Self {
        match error {
            GrafanaError::TooManyRows => Self::TooLarge(error.to_string()),
            other => Self::Internal(chain(&other)),
        }
    }
}
