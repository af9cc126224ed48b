//! History with known truth: samples written at the times they are said to be from.

use prost::Message;

/// How many samples go in one request.
const SAMPLES_PER_REQUEST: usize = 20_000;

#[derive(Clone, PartialEq, Message)]
struct WriteRequest {
    #[prost(message, repeated, tag = "1")]
    timeseries: Vec<TimeSeries>,
}

#[derive(Clone, PartialEq, Message)]
struct TimeSeries {
    #[prost(message, repeated, tag = "1")]
    labels: Vec<Label>,
    #[prost(message, repeated, tag = "2")]
    samples: Vec<Sample>,
}

#[derive(Clone, PartialEq, Message)]
struct Label {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, PartialEq, Message)]
struct Sample {
    #[prost(double, tag = "1")]
    value: f64,
    #[prost(int64, tag = "2")]
    timestamp: i64,
}

/// One series of history.
#[derive(Debug, Clone)]
pub(crate) struct Series {
    labels: Vec<(String, String)>,
    samples: Vec<(i64, f64)>,
}

impl Series {
    /// A series of that name with those labels, and no samples yet.
    pub(crate) fn new(name: &str, labels: &[(&str, &str)]) -> Self {
        let mut all: Vec<(String, String)> =
            labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        all.push(("__name__".to_owned(), name.to_owned()));
        // The receivers refuse labels out of order.
        all.sort();
        Self { labels: all, samples: Vec::new() }
    }

    /// The same with one more label.
    pub(crate) fn labelled(mut self, name: &str, value: &str) -> Self {
        self.labels.push((name.to_owned(), value.to_owned()));
        self.labels.sort();
        self
    }

    /// One sample, at a Unix time in seconds.
    pub(crate) fn at(mut self, second: i64, value: f64) -> Self {
        self.samples.push((second * 1000, value));
        self
    }

    /// A sample every `step` seconds from `from` to `until`, both included.
    pub(crate) fn every(mut self, step: usize, from: i64, until: i64, value: impl Fn(i64) -> f64) -> Self {
        self.samples.extend((from..=until).step_by(step).map(|second| (second * 1000, value(second))));
        self
    }

    /// Only what it has between these Unix times, both included.
    pub(crate) fn between(mut self, from: i64, until: i64) -> Self {
        self.samples.retain(|(millis, _)| (from * 1000..=until * 1000).contains(millis));
        self
    }

    /// The mark that a scraper leaves when a series is gone.
    pub(crate) fn gone(self, second: i64) -> Self {
        self.at(second, f64::from_bits(0x7ff0_0000_0000_0002))
    }
}

/// Writes series into Prometheus or VictoriaMetrics.
#[derive(Debug, Clone)]
pub(crate) struct RemoteWriter {
    url: String,
    flush: Option<String>,
}

impl RemoteWriter {
    pub(super) const fn new(url: String, flush: Option<String>) -> Self {
        Self { url, flush }
    }

    /// Writes them all; panics unless the store took every sample.
    pub(crate) async fn write(&self, series: &[Series]) {
        let mut request = WriteRequest::default();
        let mut samples = 0;
        for one in series {
            for chunk in one.samples.chunks(SAMPLES_PER_REQUEST) {
                samples += chunk.len();
                request.timeseries.push(one.message(chunk));
                if samples >= SAMPLES_PER_REQUEST {
                    self.send(&std::mem::take(&mut request)).await;
                    samples = 0;
                }
            }
        }
        self.send(&request).await;
        if let Some(flush) = &self.flush {
            assert!(super::answers(flush).await, "{flush} failed");
        }
    }

    async fn send(&self, request: &WriteRequest) {
        let body = snap::raw::Encoder::new().compress_vec(&request.encode_to_vec()).expect("compresses");
        let sent = super::http()
            .post(&self.url)
            .header("content-encoding", "snappy")
            .header("content-type", "application/x-protobuf")
            .header("x-prometheus-remote-write-version", "0.1.0")
            .body(body);
        let answer = sent.send().await.expect("the store answers");
        let status = answer.status();
        let said = answer.text().await.unwrap_or_default();
        assert!(status.is_success(), "remote write to {}: {status}: {said}", self.url);
    }
}

impl Series {
    fn message(&self, samples: &[(i64, f64)]) -> TimeSeries {
        TimeSeries {
            labels: self
                .labels
                .iter()
                .map(|(name, value)| Label { name: name.clone(), value: value.clone() })
                .collect(),
            samples: samples
                .iter()
                .map(|(timestamp, value)| Sample { value: *value, timestamp: *timestamp })
                .collect(),
        }
    }
}
