//! The strict envelope around every answer. `prometheus-http-query` keeps only `data`, takes an HTTP 500
//! for an empty answer and drops warnings; here anything that is not a whole, clean answer is refused.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::error::QueryError;
use super::reading::{BadReading, Reading};

/// The labels of a series.
pub(super) type Labels = BTreeMap<String, String>;

/// A series and its samples, in order of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Series {
    pub(super) labels: Labels,
    pub(super) samples: Vec<Sample>,
}

impl Series {
    /// The value of a label, empty where the series has none, as in PromQL.
    pub(super) fn label(&self, name: &str) -> &str {
        self.labels.get(name).map_or("", String::as_str)
    }
}

/// One sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sample {
    /// Milliseconds since 1970.
    pub(super) at: i64,
    pub(super) value: Reading,
}

/// What a query must answer with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expected {
    /// One sample a series.
    Vector,
    /// One sample a series, which may be left out: a cAdvisor that does not know when a container started
    /// says that it was in the year 1.
    Hints,
    /// Many samples a series.
    Matrix,
    /// Raw samples from VictoriaMetrics: its raw answers carry staleness marks, written as `NaN`, which
    /// Prometheus leaves out. Its storage takes no other `NaN`, so they are marks and no values.
    MatrixWithMarks,
}

impl Expected {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Vector | Self::Hints => "vector",
            Self::Matrix | Self::MatrixWithMarks => "matrix",
        }
    }
}

#[derive(Deserialize)]
struct Envelope<'a> {
    status: String,
    #[serde(borrow, default)]
    data: Option<Data<'a>>,
    #[serde(flatten)]
    notes: Notes,
}

#[derive(Deserialize)]
struct Data<'a> {
    #[serde(rename = "resultType", borrow)]
    result_type: Cow<'a, str>,
    #[serde(borrow)]
    result: Vec<RawSeries<'a>>,
}

/// What an envelope says besides its data.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Notes {
    #[serde(rename = "errorType")]
    pub(super) error_type: Option<String>,
    pub(super) error: Option<String>,
    pub(super) warnings: Option<Vec<String>>,
    pub(super) infos: Option<Vec<String>>,
    /// VictoriaMetrics' way to say that a storage node did not answer.
    #[serde(rename = "isPartial")]
    pub(super) is_partial: Option<bool>,
}

#[derive(Deserialize)]
struct Outline {
    status: Option<String>,
    data: Option<OutlineData>,
    #[serde(flatten)]
    notes: Notes,
}

#[derive(Deserialize)]
struct OutlineData {
    #[serde(rename = "resultType")]
    result_type: Option<String>,
    #[serde(rename = "result")]
    _result: Option<IgnoredAny>,
}

/// Native histograms and unknown members are refused: what they hold would otherwise be lost unseen.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSeries<'a> {
    metric: Labels,
    #[serde(borrow, default)]
    value: Option<RawSample<'a>>,
    #[serde(borrow, default)]
    values: Option<Vec<RawSample<'a>>>,
}

#[derive(Deserialize)]
struct RawSample<'a>(f64, #[serde(borrow)] Cow<'a, str>);

/// What an error body says, if it is an envelope at all.
pub(super) fn error_notes(body: &[u8]) -> Option<Notes> {
    serde_json::from_slice::<Outline>(body).ok().map(|outline| outline.notes)
}

#[derive(Deserialize)]
struct Names {
    status: String,
    data: Option<Vec<String>>,
    #[serde(flatten)]
    notes: Notes,
}

/// Reads a list of names, as strictly as an answer to a query.
pub(super) fn decode_names(body: &[u8]) -> Result<Vec<String>, QueryError> {
    let names: Names = serde_json::from_slice(body)
        .map_err(|error| QueryError::Malformed(format!("not a list of names: {error}")))?;
    refuse_unclean(Some(&names.status), &names.notes)?;
    names.data.ok_or_else(|| QueryError::Malformed("success without data".to_owned()))
}

/// Reads the body of an answer with a 2xx status: its series in the order of their labels.
pub(super) fn decode(body: &[u8], expected: Expected) -> Result<Vec<Series>, QueryError> {
    let envelope: Envelope<'_> =
        serde_json::from_slice(body).map_err(|error| explain(body, expected, &error))?;
    refuse_unclean(Some(&envelope.status), &envelope.notes)?;
    let data = envelope.data.ok_or_else(|| QueryError::Malformed("success without data".to_owned()))?;
    refuse_other_type(Some(&data.result_type), expected)?;
    let mut seen = BTreeSet::new();
    let mut all = Vec::with_capacity(data.result.len());
    for raw in data.result {
        let series = series(raw, expected)?;
        if !seen.insert(series.labels.clone()) {
            return Err(QueryError::Malformed(format!("series {:?} is there twice", series.labels)));
        }
        all.push(series);
    }
    // A server answers in any order. What is taken from several series alike is taken from the smallest label set.
    all.sort_by(|a, b| a.labels.cmp(&b.labels));
    Ok(all)
}

/// Finds the best words for a body that did not decode.
fn explain(body: &[u8], expected: Expected, error: &serde_json::Error) -> QueryError {
    let Ok(outline) = serde_json::from_slice::<Outline>(body) else {
        return QueryError::Malformed(format!("not a query answer: {error}"));
    };
    if let Err(refusal) = refuse_unclean(outline.status.as_deref(), &outline.notes) {
        return refusal;
    }
    let result_type = outline.data.and_then(|data| data.result_type);
    match refuse_other_type(result_type.as_deref(), expected) {
        Err(refusal) => refusal,
        Ok(()) => QueryError::Malformed(error.to_string()),
    }
}

fn refuse_unclean(status: Option<&str>, notes: &Notes) -> Result<(), QueryError> {
    if status != Some("success") {
        return Err(QueryError::Failed {
            error_type: notes.error_type.clone().unwrap_or_default(),
            message: notes.error.clone().unwrap_or_else(|| format!("status {status:?}")),
        });
    }
    let mut partial: Vec<String> = notes.warnings.clone().unwrap_or_default();
    let tells = |info: &&String| info.to_ascii_lowercase().contains("partial");
    partial.extend(notes.infos.iter().flatten().filter(tells).cloned());
    if notes.is_partial == Some(true) {
        partial.push("isPartial".to_owned());
    }
    if partial.is_empty() { Ok(()) } else { Err(QueryError::Partial(partial)) }
}

fn refuse_other_type(found: Option<&str>, expected: Expected) -> Result<(), QueryError> {
    let found = found.unwrap_or("nothing");
    if found == expected.as_str() {
        return Ok(());
    }
    Err(QueryError::Malformed(format!("resultType is {found}, expected {}", expected.as_str())))
}

fn series(raw: RawSeries<'_>, expected: Expected) -> Result<Series, QueryError> {
    let points = match (expected, raw.value, raw.values) {
        (Expected::Vector | Expected::Hints, Some(point), None) => vec![point],
        (Expected::Matrix | Expected::MatrixWithMarks, None, Some(points)) => points,
        _ => return Err(QueryError::Malformed(format!("series {:?} has no samples", raw.metric))),
    };
    let mut samples = Vec::with_capacity(points.len());
    let mut last = i64::MIN;
    for RawSample(seconds, text) in points {
        let Some(at) = millis(seconds).filter(|at| *at > last) else {
            return Err(QueryError::Malformed(format!(
                "series {:?} has a sample at {seconds}, not after the one before it",
                raw.metric
            )));
        };
        last = at;
        match Reading::parse(&text) {
            Ok(value) => samples.push(Sample { at, value }),
            Err(BadReading::NotANumber) if expected == Expected::MatrixWithMarks => {}
            Err(_) if expected == Expected::Hints => {}
            Err(why) => {
                let series = format!("{:?}", raw.metric);
                return Err(QueryError::BadSample { series, value: text.into_owned(), why });
            }
        }
    }
    Ok(Series { labels: raw.metric, samples })
}

/// Seconds as JSON numbers to milliseconds; doubles hold today's milliseconds exactly enough to round.
fn millis(seconds: f64) -> Option<i64> {
    let millis = (seconds * 1000.0).round();
    if !(millis.is_finite() && millis.abs() < 1e15) {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "whole, and within ±1e15")]
    let millis = millis as i64;
    Some(millis)
}

#[cfg(test)]
mod tests {
    use proptest::strategy::Strategy;

    use super::*;

    fn vector(value: &str, expected: Expected) -> Result<Vec<Series>, QueryError> {
        let result = format!(r#"[{{"metric":{{"pod":"p"}},"value":[1,"{value}"]}}]"#);
        let body = format!(r#"{{"status":"success","data":{{"resultType":"vector","result":{result}}}}}"#);
        decode(body.as_bytes(), expected)
    }

    proptest::proptest! {
        #[test]
        fn series_come_in_the_order_of_their_labels_in_whatever_order_they_were_sent(
            pods in proptest::sample::subsequence(vec!["a", "b", "c", "d", "e"], 0..=5).prop_shuffle(),
        ) {
            let series = |pod: &&str| format!(r#"{{"metric":{{"pod":"{pod}"}},"value":[1,"2"]}}"#);
            let result = pods.iter().map(series).collect::<Vec<_>>().join(",");
            let body = format!(
                r#"{{"status":"success","data":{{"resultType":"vector","result":[{result}]}}}}"#
            );
            let read = decode(body.as_bytes(), Expected::Vector).unwrap();
            let read: Vec<&str> = read.iter().map(|series| series.label("pod")).collect();
            let mut sorted = pods;
            sorted.sort_unstable();
            proptest::prop_assert_eq!(read, sorted);
        }
    }

    #[test]
    fn a_hint_that_is_no_amount_is_left_out_and_a_value_refused() {
        for text in ["-62135596800", "-6.21355968e+10", "NaN", "+Inf", "soon"] {
            let hints = vector(text, Expected::Hints).unwrap();
            assert_eq!(hints.iter().map(|series| series.samples.len()).sum::<usize>(), 0, "{text}");
            assert!(vector(text, Expected::Vector).is_err(), "{text}");
        }
        assert_eq!(vector("7", Expected::Hints).unwrap()[0].samples.len(), 1);
    }
}
