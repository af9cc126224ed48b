//! Query parameters, strictly: an unknown one is a typing error that would silently change the answer.

use std::collections::BTreeMap;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use url::form_urlencoded;

use super::Error;
use super::error::Parameter;

/// The parameters of a request that are not read yet.
#[derive(Debug, Default)]
pub(super) struct Query {
    given: BTreeMap<String, Vec<String>>,
    known: Vec<&'static str>,
    problems: Vec<Parameter>,
}

impl<S: Sync> FromRequestParts<S> for Query {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Error> {
        let mut query = Self::default();
        let text = parts.uri.query().unwrap_or_default();
        for (name, value) in form_urlencoded::parse(text.as_bytes()) {
            query.given.entry(name.into_owned()).or_default().push(value.into_owned());
        }
        Ok(query)
    }
}

impl Query {
    /// A parameter that may be given once.
    pub(super) fn one(&mut self, name: &'static str) -> Option<String> {
        self.known.push(name);
        let mut values = self.given.remove(name)?;
        if values.len() > 1 {
            self.refuse(name, "it is given more than once");
        }
        values.pop().filter(|value| {
            if value.is_empty() {
                self.refuse(name, "it is empty; leave it out or give a value");
            }
            !value.is_empty()
        })
    }

    /// A parameter that may be given several times, or as a comma-separated list. Empty items are ignored:
    /// dashboards send them for "all".
    pub(super) fn many(&mut self, name: &'static str) -> Vec<String> {
        self.known.push(name);
        let values = self.given.remove(name).unwrap_or_default();
        let items = values.iter().flat_map(|value| value.split(','));
        items.map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
    }

    /// A parameter that may be given several times; a comma is part of the value, as it may be of a name.
    pub(super) fn each(&mut self, name: &'static str) -> Vec<String> {
        self.known.push(name);
        let values = self.given.remove(name).unwrap_or_default();
        if values.iter().any(String::is_empty) {
            self.refuse(name, "it is empty; leave it out or give a value");
        }
        values
    }

    /// Remembers what is wrong with a parameter.
    pub(super) fn refuse(&mut self, name: &str, reason: impl Into<String>) {
        self.problems.push(Parameter { name: name.to_owned(), reason: reason.into() });
    }

    /// Refuses what nobody asked for, with every other problem.
    pub(super) fn finish(mut self) -> Result<(), Error> {
        let known = self.known.join(", ");
        for name in self.given.into_keys() {
            let reason = if known.is_empty() {
                "unknown parameter; there are none".to_owned()
            } else {
                format!("unknown parameter; there are {known}")
            };
            self.problems.push(Parameter { name, reason });
        }
        if self.problems.is_empty() { Ok(()) } else { Err(Error::Parameters(self.problems)) }
    }
}
