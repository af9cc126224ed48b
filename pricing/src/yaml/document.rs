//! A file, read into a tree and checked for what no reader should have to think of.

use std::collections::BTreeMap;

use super::tree::{self, Kind, Node, Position};
use super::value::{Value, join, join_index};
use crate::problem::{Problem, Problems, Refused};

/// A YAML file. Make one with [`Document::parse`], then [`Document::read`] it.
#[derive(Debug)]
pub struct Document {
    file: String,
    root: Node,
    /// Repeated keys, anchors, tags: told together with what the reader finds.
    found: Vec<Problem>,
}

impl Document {
    /// Parses a file. An error means that there is no tree to read at all: everything else, repeated keys
    /// included, is told by [`Document::read`], together with what the reader finds.
    pub fn parse(file: &str, text: &str) -> Result<Self, Vec<Problem>> {
        let problem = |at: Position, message: String, mend: &str| Problem {
            file: file.to_owned(),
            line: Some(at.line),
            column: Some(at.column),
            path: String::new(),
            message,
            mend: mend.to_owned(),
        };
        let mut documents = tree::parse(text)
            .map_err(|no| vec![problem(no.at, no.message, syntax_mend(text, no.at.line))])?
            .into_iter();
        let nothing = Node {
            at: Position { line: 1, column: 1 },
            kind: Kind::Scalar { text: String::new(), plain: true },
            oddity: None,
        };
        let root = documents.next().unwrap_or(nothing);
        let mut found: Vec<Problem> = documents
            .map(|other| {
                let mend = "split it: one file, one document";
                problem(other.at, "a second document begins before here (`---`)".to_owned(), mend)
            })
            .collect();
        find_oddities(file, &root, "", &mut found);
        Ok(Self { file: file.to_owned(), root, found })
    }

    /// Reads the document with a reader of its root; every problem at once, by line.
    pub fn read<T>(&self, reader: impl FnOnce(&Value<'_>) -> Result<T, Refused>) -> Result<T, Vec<Problem>> {
        let problems = Problems::new();
        let result = self.read_into(&problems, reader);
        match result {
            Ok(value) if problems.is_empty() => Ok(value),
            Ok(_) | Err(_) => Err(problems.into_sorted()),
        }
    }

    /// Like [`Document::read`], into a collector that other files share. `Ok` does not yet mean that there
    /// were no problems: the collector knows.
    pub fn read_into<'d, T>(
        &'d self,
        problems: &'d Problems,
        reader: impl FnOnce(&Value<'d>) -> Result<T, Refused>,
    ) -> Result<T, Refused> {
        for problem in &self.found {
            problems.add(problem.clone());
        }
        reader(&Value::root(&self.file, &self.root, problems))
    }
}

/// Parsers say what they expected; people want to know what they did.
fn syntax_mend(text: &str, line: usize) -> &'static str {
    let near = [line, line.saturating_sub(1)];
    let tabbed = near.into_iter().any(|line| {
        text.lines()
            .nth(line.saturating_sub(1))
            .is_some_and(|line| line.chars().take_while(|c| c.is_whitespace()).any(|c| c == '\t'))
    });
    if tabbed { "indent with spaces: YAML allows no tabs there" } else { "" }
}

/// Repeated keys, keys that are not names, anchors, aliases, tags and merges: in the whole tree, before
/// any reader looks. The tree's depth is bounded, so recursion is.
fn find_oddities(file: &str, node: &Node, path: &str, found: &mut Vec<Problem>) {
    let mut tell = |at: Position, path: &str, message: String, mend: &str| {
        found.push(Problem {
            file: file.to_owned(),
            line: Some(at.line),
            column: Some(at.column),
            path: path.to_owned(),
            message,
            mend: mend.to_owned(),
        });
    };
    let write_out = "write the value out where it is used";
    if let Some(oddity) = node.oddity {
        tell(node.at, path, format!("{oddity} are not supported"), write_out);
    }
    match &node.kind {
        Kind::Scalar { .. } => {}
        Kind::Alias => tell(node.at, path, "aliases (`*name`) are not supported".to_owned(), write_out),
        Kind::List(items) => {
            for (index, item) in items.iter().enumerate() {
                find_oddities(file, item, &join_index(path, index), found);
            }
        }
        Kind::Mapping(entries) => {
            let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
            for (key, _) in entries {
                let Kind::Scalar { text, plain } = &key.kind else {
                    let message = format!("{} cannot be a key", key.kind.describe());
                    tell(key.at, path, message, "a key is a name");
                    continue;
                };
                if *plain && text == "<<" {
                    tell(key.at, path, "merging (`<<`) is not supported".to_owned(), write_out);
                } else if let Some(first) = seen.get(text.as_str()) {
                    let message = format!("the key `{text}` is already given in line {first}");
                    tell(key.at, path, message, "keep one of them");
                } else {
                    seen.insert(text, key.at.line);
                }
                if let Some(oddity) = key.oddity {
                    tell(key.at, path, format!("{oddity} are not supported"), write_out);
                }
            }
            for (key, value) in entries {
                if let Kind::Scalar { text, .. } = &key.kind {
                    find_oddities(file, value, &join(path, text), found);
                }
            }
        }
    }
}
