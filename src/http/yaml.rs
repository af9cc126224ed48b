//! What is sent as YAML to be tried.
//!
//! Nothing of it is stored, but a month is rated again, and a page from elsewhere must not make a browser ask
//! for that: so nothing but what calls itself YAML is taken, which a browser does not send unasked.

use axum::body::{Body, to_bytes};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use defray_pricing::problem::Problem;

use super::Error;
use super::error::Parameter;

/// The text that was sent, if it calls itself YAML and is no longer than so many bytes.
pub(super) async fn text(headers: &HeaderMap, body: Body, most: usize) -> Result<String, Error> {
    if !says_yaml(headers) {
        return Err(Error::NotYaml);
    }
    let bytes = to_bytes(body, most)
        .await
        .map_err(|_| Error::Sent(format!("it is longer than {most} bytes, or ended before its time")))?;
    String::from_utf8(bytes.into()).map_err(|error| Error::Sent(error.to_string()))
}

/// Problems of what was sent, by file, line and column.
pub(super) fn told(problems: &[Problem]) -> Vec<Parameter> {
    let one = |problem: &Problem| {
        let numbers = [problem.line, problem.column].into_iter().flatten().map(|number| number.to_string());
        let name = std::iter::once(problem.file.clone()).chain(numbers).collect::<Vec<_>>().join(":");
        let sentences = [problem.message.as_str(), problem.mend.as_str()].into_iter();
        let told = sentences.filter(|words| !words.is_empty()).collect::<Vec<_>>().join("; ");
        let path = if problem.path.is_empty() { String::new() } else { format!("{}: ", problem.path) };
        Parameter { name, reason: format!("{path}{told}") }
    };
    problems.iter().map(one).collect()
}

fn says_yaml(headers: &HeaderMap) -> bool {
    let said = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = said.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    ["application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml"].contains(&essence.as_str())
}
