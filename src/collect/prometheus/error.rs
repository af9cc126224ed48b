//! Why an hour was not measured. Each of these leaves the hour missing, none leaves a zero.

use std::time::Duration;

use chrono::{DateTime, Utc};
use defray_pricing::Overflow;
use defray_pricing::time::Hour;

pub use super::reading::BadReading;

/// Why one query gave no usable answer.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// Nobody answered.
    #[error("cannot reach the server: {0}")]
    Unreachable(String),
    /// The answer took longer than allowed.
    #[error("no whole answer within {} s", .0.as_secs())]
    TimedOut(Duration),
    /// The answer, or what the server must read for it, is larger than allowed.
    #[error("too large: {0}")]
    TooLarge(String),
    /// The server refused.
    #[error("HTTP status {status}: {message}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// What the server said.
        message: String,
    },
    /// The query failed, though the HTTP status says otherwise.
    #[error("the query failed: {error_type}: {message}")]
    Failed {
        /// The server's kind of error.
        error_type: String,
        /// What the server said.
        message: String,
    },
    /// Part of the data is missing.
    #[error("the answer is partial: {}", .0.join("; "))]
    Partial(Vec<String>),
    /// Not the answer to a query.
    #[error("malformed answer: {0}")]
    Malformed(String),
    /// A sample that is no amount.
    #[error("sample `{value}` of series {series} is {why}")]
    BadSample {
        /// The labels of the series.
        series: String,
        /// The value as the server wrote it.
        value: String,
        /// What is wrong with it.
        why: BadReading,
    },
}

/// Why an hour was not measured.
#[derive(Debug, thiserror::Error)]
pub enum MeasureError {
    /// One of the queries gave no usable answer.
    #[error("{feeds}: {source} (query: {query})")]
    Query {
        /// What the query feeds.
        feeds: &'static str,
        /// The query.
        query: String,
        /// What went wrong.
        #[source]
        source: QueryError,
    },
    /// By the server's own clock the hour has not ended, or ended too recently for late samples.
    #[error("{hour} is not settled before {settled}; the server's clock says {server}")]
    Unsettled {
        /// The hour.
        hour: Hour,
        /// When it will be.
        settled: DateTime<Utc>,
        /// The server's time.
        server: DateTime<Utc>,
    },
    /// No exporter had any sample in the hour: nothing can be said about it, least of all zero.
    #[error("no source had data in {0}: the metrics store is empty for that hour, or not this cluster's")]
    NoData(Hour),
    /// A metric is not there without which others would turn into zero.
    #[error("there is no {metric} in {hour}, and without it {feeds} cannot be told")]
    Missing {
        /// The hour.
        hour: Hour,
        /// The metric.
        metric: String,
        /// What it feeds.
        feeds: &'static str,
    },
    /// A metric is not there that nearly every cluster has.
    #[error(
        "there is no {metric} in {hour} though pods ran, and without it {feeds} cannot be told: keep it where it is \
         dropped, or list it under `names.absent` if this cluster has none"
    )]
    Dropped {
        /// The hour.
        hour: Hour,
        /// The metric.
        metric: String,
        /// What it feeds.
        feeds: &'static str,
    },
    /// The whole hour took longer than allowed.
    #[error("{hour} was not measured within {} s", within.as_secs())]
    TimedOut {
        /// The hour.
        hour: Hour,
        /// The deadline.
        within: Duration,
    },
    /// A quantity left the range that is held exactly.
    #[error(transparent)]
    Overflow(#[from] Overflow),
}

impl MeasureError {
    /// Whether trying again later may help; otherwise someone must change something first.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Query { source, .. } => match source {
                QueryError::Unreachable(_) | QueryError::TimedOut(_) | QueryError::Partial(_) => true,
                QueryError::Refused { status, .. } => *status == 429 || *status >= 500,
                QueryError::TooLarge(_)
                | QueryError::Failed { .. }
                | QueryError::Malformed(_)
                | QueryError::BadSample { .. } => false,
            },
            Self::Unsettled { .. }
            | Self::NoData(_)
            | Self::Missing { .. }
            | Self::Dropped { .. }
            | Self::TimedOut { .. } => true,
            Self::Overflow(_) => false,
        }
    }
}
