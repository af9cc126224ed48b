//! Secrets: named by file or environment variable, never written into the configuration.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use defray_pricing::problem::Refused;
use defray_pricing::yaml::{Mapping, Value};
use secrecy::{ExposeSecret, SecretString};

use super::page::Page;
use super::place::Place;

/// A secret and where it comes from. Neither `Debug` nor `print` shows its value.
#[derive(Clone)]
pub struct Secret {
    from: Origin,
    value: Arc<SecretString>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Origin {
    File(PathBuf),
    Variable(String),
}

impl Secret {
    /// The value, for the one place that sends or compares it.
    pub fn expose(&self) -> &str {
        self.value.expose_secret()
    }

    /// The file it comes from, if it comes from one.
    pub fn path(&self) -> Option<&Path> {
        match &self.from {
            Origin::File(path) => Some(path),
            Origin::Variable(_) => None,
        }
    }

    /// The value in its redacting type.
    pub fn value(&self) -> SecretString {
        SecretString::from(self.expose().to_owned())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret").field("from", &self.from).finish_non_exhaustive()
    }
}

/// The two keys a secret can be given by, for example `token_file` and `token_env`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Keys {
    pub(super) file: &'static str,
    pub(super) env: &'static str,
}

/// A bearer token.
pub(super) const TOKEN: Keys = Keys { file: "token_file", env: "token_env" };

/// Reads a secret that may be given by either key.
pub(super) fn optional(
    keys: &mut Mapping<'_>,
    names: Keys,
    place: &Place<'_>,
) -> Result<Option<Secret>, Refused> {
    let given = keys.at_most_one(&[names.file, names.env]);
    let file = keys.optional(names.file, |value| from_file(value, place));
    let variable = keys.optional(names.env, |value| from_variable(value, place));
    given?;
    Ok(file?.or(variable?))
}

/// Prints where a secret comes from.
pub(super) fn print(secret: Option<&Secret>, names: Keys, comment: &str, page: &mut Page) {
    match secret.map(|secret| &secret.from) {
        Some(Origin::File(path)) => page.key(names.file, &path.display().to_string(), comment),
        Some(Origin::Variable(name)) => page.key(names.env, name, comment),
        None => {
            page.unset(names.file, "/etc/defray/secrets/name", comment);
            page.unset(names.env, "NAME", "The same from an environment variable.");
        }
    }
}

fn from_file(value: &Value<'_>, place: &Place<'_>) -> Result<Secret, Refused> {
    let path = place.path(&value.string()?);
    let text = std::fs::read_to_string(&path).map_err(|error| {
        value.refuse(
            format!("the secret {} cannot be read: {error}", path.display()),
            "create the file, or mount the secret there",
        )
    })?;
    whole(value, Origin::File(path), &text)
}

fn from_variable(value: &Value<'_>, place: &Place<'_>) -> Result<Secret, Refused> {
    let name = value.string()?;
    let Some(text) = place.environment.get(&name) else {
        return Err(value.refuse(
            format!("the environment variable `{name}` is not set"),
            "set it where the daemon is started",
        ));
    };
    whole(value, Origin::Variable(name), &text)
}

/// Files usually end in a line feed that is no part of the secret.
fn whole(value: &Value<'_>, from: Origin, text: &str) -> Result<Secret, Refused> {
    let text = text.trim_end_matches(['\n', '\r']);
    if text.is_empty() {
        return Err(value.refuse("the secret is empty", "write the secret there, or remove the key"));
    }
    if text.contains(char::is_control) {
        return Err(value.refuse("the secret has more than one line", "write one line of text"));
    }
    Ok(Secret { from, value: Arc::new(SecretString::from(text.to_owned())) })
}
