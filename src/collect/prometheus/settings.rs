//! How a Prometheus-compatible server is reached, and what it is expected to hold.

use std::time::Duration;

use secrecy::SecretString;

use super::envelope::Expected;
use super::names::Names;
use super::queries::is_name;

/// How one cluster's metrics are read.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The base of the API, without `/api/v1`: `http://prometheus:9090`, `https://mimir/prometheus`.
    pub url: String,
    /// Headers sent with every request, such as `Authorization`.
    pub headers: Vec<(String, SecretString)>,
    /// The tenant for Mimir and other multi-tenant stores, sent as `X-Scope-OrgID`.
    pub tenant: Option<String>,
    /// A certificate authority to trust beside the system's, as PEM.
    pub ca_certificate: Option<String>,
    /// Which server it is.
    pub dialect: Dialect,
    /// The label and value that select this cluster where one store holds many.
    pub cluster: Option<(String, String)>,
    /// How long one answer may take.
    pub timeout: Duration,
    /// How long one hour may take.
    pub deadline: Duration,
    /// How large one answer may be, in bytes. More is asked for in parts.
    pub byte_limit: usize,
    /// How many namespaces to ask for at once; all of them where it is not set, until that is too much.
    pub shard_size: Option<usize>,
    /// How long after its end an hour is measured.
    pub settle: Duration,
    /// What metrics and labels are called.
    pub names: Names,
}

/// Servers that speak Prometheus' query API, each with its own way to say "all or nothing".
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Dialect {
    /// Prometheus itself.
    #[default]
    Prometheus,
    /// Thanos: answers in part unless told not to.
    Thanos,
    /// Mimir and Cortex.
    Mimir,
    /// VictoriaMetrics: caches answers and looks back by its own rules unless told otherwise.
    VictoriaMetrics,
}

impl Dialect {
    /// The dialect by its name in the configuration.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "prometheus" => Some(Self::Prometheus),
            "thanos" => Some(Self::Thanos),
            "mimir" => Some(Self::Mimir),
            "victoria-metrics" => Some(Self::VictoriaMetrics),
            _ => None,
        }
    }

    /// Parameters sent with every query.
    ///
    /// The lookback is what makes the 60 marks the same everywhere: a mark has the last sample of the
    /// five minutes before it. Prometheus 2 would include a sample exactly five minutes old, Prometheus 3
    /// and VictoriaMetrics would not; a millisecond less makes them agree.
    pub(super) const fn params(self) -> &'static [(&'static str, &'static str)] {
        const LOOKBACK: (&str, &str) = ("lookback_delta", "299.999");
        match self {
            Self::Prometheus | Self::Mimir => &[LOOKBACK],
            Self::Thanos => &[LOOKBACK, ("partial_response", "false"), ("dedup", "true")],
            Self::VictoriaMetrics => &[("nocache", "1"), ("deny_partial_response", "1")],
        }
    }

    /// A gauge's values at marks. VictoriaMetrics guesses how far to look back unless it is told.
    pub(super) fn at_marks(self, selector: &str) -> String {
        match self {
            Self::Prometheus | Self::Thanos | Self::Mimir => selector.to_owned(),
            Self::VictoriaMetrics => format!("default_rollup({selector}[5m])"),
        }
    }

    /// What raw samples come as.
    pub(super) const fn raw(self) -> Expected {
        match self {
            Self::Prometheus | Self::Thanos | Self::Mimir => Expected::Matrix,
            Self::VictoriaMetrics => Expected::MatrixWithMarks,
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            url: "http://127.0.0.1:9090".to_owned(),
            headers: Vec::new(),
            tenant: None,
            ca_certificate: None,
            dialect: Dialect::default(),
            cluster: None,
            timeout: Duration::from_mins(1),
            deadline: Duration::from_mins(15),
            byte_limit: 64 << 20,
            shard_size: None,
            settle: Duration::from_mins(5),
            names: Names::plain(),
        }
    }
}

/// What is wrong with settings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// The URL.
    #[error("`{url}` is no base URL of a Prometheus API: {why}")]
    Url {
        /// The URL.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// A header.
    #[error("header `{0}` cannot be sent: name or value has characters that HTTP does not allow")]
    Header(String),
    /// The certificate authority.
    #[error("the certificate authority is not readable: {0}")]
    Certificate(String),
    /// A name that would change the query it stands in.
    #[error("`{0}` cannot be the name of a {1}")]
    Name(String, &'static str),
    /// A number that leaves no room to work in.
    #[error("{0} must be more than zero")]
    Zero(&'static str),
    /// The HTTP client.
    #[error("the HTTP client cannot be built: {0}")]
    Client(String),
}

impl Settings {
    /// Everything that is wrong with them, except what only building the client can tell.
    pub(super) fn problems(&self) -> Vec<SettingsError> {
        let mut problems = Vec::new();
        match url::Url::parse(&self.url) {
            Ok(url) if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() => {
                let why = "it must begin with http:// or https:// and name a host".to_owned();
                problems.push(SettingsError::Url { url: self.url.clone(), why });
            }
            Ok(_) => {}
            Err(error) => {
                problems.push(SettingsError::Url { url: self.url.clone(), why: error.to_string() });
            }
        }
        for metric in self.names.all_metrics() {
            if !is_name(metric, true) {
                problems.push(SettingsError::Name(metric.to_owned(), "metric"));
            }
        }
        let cluster = self.cluster.iter().map(|(label, _)| label.as_str());
        for label in self.names.all_labels().into_iter().chain(cluster) {
            if !is_name(label, false) {
                problems.push(SettingsError::Name(label.to_owned(), "label"));
            }
        }
        let zero = [
            ("timeout", self.timeout.is_zero()),
            ("deadline", self.deadline.is_zero()),
            ("byte limit", self.byte_limit == 0),
            ("shard size", self.shard_size == Some(0)),
        ];
        problems.extend(zero.iter().filter(|(_, bad)| *bad).map(|(what, _)| SettingsError::Zero(what)));
        problems
    }
}
