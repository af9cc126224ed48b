//! A place in a document, and the ways to read it.

use std::collections::BTreeMap;

use super::mapping::Mapping;
use super::tree::{Kind, Node, Position};
use crate::problem::{Problem, Problems, Refused};

/// A place in a document.
#[derive(Debug, Clone)]
pub struct Value<'d> {
    pub(super) file: &'d str,
    pub(super) at: Position,
    pub(super) kind: &'d Kind,
    pub(super) path: String,
    pub(super) problems: &'d Problems,
}

/// A key that the writer of the file chose, such as a service's name.
#[derive(Debug, Clone)]
pub struct Key<'d> {
    text: &'d str,
    place: Value<'d>,
}

impl<'d> Key<'d> {
    /// As it was written, quotes removed.
    pub const fn text(&self) -> &'d str {
        self.text
    }

    /// Records a problem with the key itself.
    pub fn refuse(&self, message: impl Into<String>, mend: impl Into<String>) -> Refused {
        self.place.refuse(message, mend)
    }
}

impl<'d> Value<'d> {
    pub(super) fn root(file: &'d str, node: &'d Node, problems: &'d Problems) -> Self {
        Self { file, at: node.at, kind: &node.kind, path: String::new(), problems }
    }

    /// Another place of the same file.
    pub(super) fn place(&self, at: Position, kind: &'d Kind, path: String) -> Self {
        Self { file: self.file, at, kind, path, problems: self.problems }
    }

    /// Where it is in the document, for example `pools[2].node_hour`; empty for the root.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The file.
    pub const fn file(&self) -> &'d str {
        self.file
    }

    /// The line, from 1.
    pub const fn line(&self) -> usize {
        self.at.line
    }

    /// Whether nothing is written here.
    pub fn is_null(&self) -> bool {
        self.kind.is_null()
    }

    /// Whether it is a mapping: for values that may be a word or a mapping.
    pub const fn is_mapping(&self) -> bool {
        matches!(self.kind, Kind::Mapping(_))
    }

    /// Whether it is a list.
    pub const fn is_list(&self) -> bool {
        matches!(self.kind, Kind::List(_))
    }

    /// A problem at this place, not recorded yet: for checks that come after reading.
    pub fn problem(&self, message: impl Into<String>, mend: impl Into<String>) -> Problem {
        Problem {
            file: self.file.to_owned(),
            line: Some(self.at.line),
            column: Some(self.at.column),
            path: self.path.clone(),
            message: message.into(),
            mend: mend.into(),
        }
    }

    /// Records a problem with this value.
    pub fn refuse(&self, message: impl Into<String>, mend: impl Into<String>) -> Refused {
        self.problems.add(self.problem(message, mend))
    }

    /// Refuses the value for not being what was expected. An alias was already told of.
    pub(super) fn expected(&self, what: &str) -> Refused {
        let mend = match (self.is_null(), self.path.is_empty()) {
            (true, true) => "the file is empty",
            (true, false) => "give it a value, or remove the key",
            (false, _) => "",
        };
        self.refuse(format!("expected {what}, found {}", self.kind.describe()), mend)
    }

    /// Its keys.
    pub fn mapping(&self) -> Result<Mapping<'d>, Refused> {
        match self.kind {
            Kind::Mapping(entries) => Ok(Mapping::new(self.clone(), entries)),
            Kind::Scalar { .. } | Kind::List(_) | Kind::Alias => Err(self.expected("a mapping")),
        }
    }

    /// The places of its items.
    pub fn items(&self) -> Result<Vec<Value<'d>>, Refused> {
        let Kind::List(items) = self.kind else { return Err(self.expected("a list")) };
        let place =
            |(index, item): (usize, &'d Node)| self.place(item.at, &item.kind, join_index(&self.path, index));
        Ok(items.iter().enumerate().map(place).collect())
    }

    /// Its items, read. Every item is read, whatever the ones before had.
    pub fn list<T>(&self, reader: impl Fn(&Value<'d>) -> Result<T, Refused>) -> Result<Vec<T>, Refused> {
        let read: Vec<Result<T, Refused>> = self.items()?.iter().map(reader).collect();
        read.into_iter().collect()
    }

    /// The keys that the writer chose and the places of their values.
    pub fn entries(&self) -> Result<Vec<(Key<'d>, Value<'d>)>, Refused> {
        let Kind::Mapping(entries) = self.kind else { return Err(self.expected("a mapping")) };
        let place = |(name, value): &'d (Node, Node)| {
            // Keys that are no names were told of when the file was parsed.
            let Kind::Scalar { text, .. } = &name.kind else { return None };
            let path = join(&self.path, text);
            let key = Key { text, place: self.place(name.at, &name.kind, path.clone()) };
            Some((key, self.place(value.at, &value.kind, path)))
        };
        Ok(entries.iter().filter_map(place).collect())
    }

    /// A mapping whose keys the writer chose, read. Every entry is read, whatever the ones before had.
    pub fn map<K: Ord, T>(
        &self,
        key: impl Fn(&Key<'d>) -> Result<K, Refused>,
        reader: impl Fn(&Value<'d>) -> Result<T, Refused>,
    ) -> Result<BTreeMap<K, T>, Refused> {
        let read: Vec<(Result<K, Refused>, Result<T, Refused>)> =
            self.entries()?.iter().map(|(name, value)| (key(name), reader(value))).collect();
        read.into_iter().map(|(key, value)| Ok((key?, value?))).collect()
    }
}

/// `path.key`, or `path["key"]` where the key is not a plain word.
pub(super) fn join(path: &str, key: &str) -> String {
    let plain = !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'));
    match (plain, path.is_empty()) {
        (true, true) => key.to_owned(),
        (true, false) => format!("{path}.{key}"),
        (false, _) => format!("{path}[\"{key}\"]"),
    }
}

/// `path[index]`.
pub(super) fn join_index(path: &str, index: usize) -> String {
    format!("{path}[{index}]")
}
