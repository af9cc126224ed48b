//! The keys of a mapping, each asked for by name.

use super::suggest::nearest;
use super::tree::{Kind, Node};
use super::value::{Value, join};
use crate::problem::Refused;

static EMPTY: Kind = Kind::Mapping(Vec::new());

/// A mapping that is being read. Ask for every key it may have, then [`Mapping::finish`].
#[derive(Debug)]
#[must_use = "call `finish` to refuse unknown keys"]
pub struct Mapping<'d> {
    place: Value<'d>,
    entries: &'d [(Node, Node)],
    known: Vec<&'static str>,
}

impl<'d> Mapping<'d> {
    pub(super) fn new(place: Value<'d>, entries: &'d [(Node, Node)]) -> Self {
        Self { place, entries, known: Vec::new() }
    }

    /// The mapping itself, to refuse it as a whole.
    pub const fn value(&self) -> &Value<'d> {
        &self.place
    }

    /// The value of a key, if it is there.
    pub fn get(&mut self, key: &'static str) -> Option<Value<'d>> {
        if !self.known.contains(&key) {
            self.known.push(key);
        }
        self.entries.iter().find_map(|(name, value)| match &name.kind {
            Kind::Scalar { text, .. } if text == key => {
                Some(self.place.place(value.at, &value.kind, join(&self.place.path, key)))
            }
            _ => None,
        })
    }

    /// Whether a key is there.
    pub fn has(&mut self, key: &'static str) -> bool {
        self.get(key).is_some()
    }

    /// A key that must be there.
    pub fn required<T>(
        &mut self,
        key: &'static str,
        reader: impl FnOnce(&Value<'d>) -> Result<T, Refused>,
    ) -> Result<T, Refused> {
        match self.get(key) {
            Some(value) => reader(&value),
            None => Err(self.place.refuse(format!("`{key}` is missing"), "")),
        }
    }

    /// A key that may be there.
    pub fn optional<T>(
        &mut self,
        key: &'static str,
        reader: impl FnOnce(&Value<'d>) -> Result<T, Refused>,
    ) -> Result<Option<T>, Refused> {
        self.get(key).map(|value| reader(&value)).transpose()
    }

    /// A key that has a value when it is not there.
    pub fn with_default<T>(
        &mut self,
        key: &'static str,
        default: T,
        reader: impl FnOnce(&Value<'d>) -> Result<T, Refused>,
    ) -> Result<T, Refused> {
        self.get(key).map_or(Ok(default), |value| reader(&value))
    }

    /// A mapping that is read as an empty one when it is not there, or when nothing is written in it: for
    /// sections in which every key has a default.
    pub fn section<T>(
        &mut self,
        key: &'static str,
        reader: impl FnOnce(&Value<'d>) -> Result<T, Refused>,
    ) -> Result<T, Refused> {
        match self.get(key) {
            Some(value) if !value.is_null() => reader(&value),
            Some(value) => reader(&self.place.place(value.at, &EMPTY, value.path)),
            None => {
                let path = join(&self.place.path, key);
                reader(&self.place.place(self.place.at, &EMPTY, path))
            }
        }
    }

    /// Refuses that several of these keys are given; answers which one is.
    pub fn at_most_one(&mut self, keys: &[&'static str]) -> Result<Option<&'static str>, Refused> {
        let given: Vec<&'static str> = keys.iter().copied().filter(|key| self.has(key)).collect();
        match given.as_slice() {
            [] => Ok(None),
            [one] => Ok(Some(*one)),
            several => {
                let message = format!("only one of {} can be given", quoted(several));
                Err(self.place.refuse(message, "keep the one that is meant"))
            }
        }
    }

    /// Refuses that none or several of these keys are given; answers which one is.
    pub fn exactly_one(&mut self, keys: &[&'static str]) -> Result<&'static str, Refused> {
        match self.at_most_one(keys)? {
            Some(key) => Ok(key),
            None => Err(self.place.refuse(format!("one of {} is missing", quoted(keys)), "")),
        }
    }

    /// Refuses every key that was not asked for.
    pub fn finish(self) {
        for (name, _) in self.entries {
            let Kind::Scalar { text, plain } = &name.kind else { continue };
            if self.known.contains(&text.as_str()) || (*plain && text == "<<") {
                continue;
            }
            let mut known = self.known.clone();
            known.sort_unstable();
            let list = format!("known keys: {}", known.join(", "));
            let mend = match nearest(text, known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`? {list}"),
                None => list,
            };
            let place = self.place.place(name.at, &name.kind, self.place.path.clone());
            place.refuse(format!("unknown key `{text}`"), mend);
        }
    }
}

/// `a`, `b` and `c`.
fn quoted(keys: &[&str]) -> String {
    let mut text = String::new();
    for (index, key) in keys.iter().enumerate() {
        if index > 0 {
            text.push_str(if index.saturating_add(1) == keys.len() { " and " } else { ", " });
        }
        text.push('`');
        text.push_str(key);
        text.push('`');
    }
    text
}
