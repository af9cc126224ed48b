//! A YAML file that explains itself.

use std::fmt::Write;
use std::time::Duration;

/// How wide comments are set.
const WIDTH: usize = 100;

/// Lines of YAML, each key below what it means.
#[derive(Debug)]
pub(super) struct Page {
    text: String,
    indent: usize,
    /// The next line begins an item of a list.
    item: bool,
}

impl Page {
    pub(super) fn new() -> Self {
        Self { text: String::new(), indent: 0, item: false }
    }

    pub(super) fn finish(self) -> String {
        self.text
    }

    /// A comment of its own.
    pub(super) fn note(&mut self, comment: &str) {
        let mut line = String::new();
        for word in comment.split_whitespace() {
            if !line.is_empty() && self.indent + line.len() + word.len() > WIDTH {
                self.line(&format!("# {line}"));
                line.clear();
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        if !line.is_empty() {
            self.line(&format!("# {line}"));
        }
    }

    /// A key with a single value.
    pub(super) fn key(&mut self, key: &str, value: &str, comment: &str) {
        self.raw(key, &scalar(value), comment);
    }

    /// A key whose value is a number, a word or a time and needs no quotes.
    pub(super) fn raw(&mut self, key: &str, value: &str, comment: &str) {
        self.commented(comment, &format!("{key}: {value}"));
    }

    /// A key that has no value, with an example.
    pub(super) fn unset(&mut self, key: &str, example: &str, comment: &str) {
        self.commented(comment, &format!("# {key}: {example}"));
    }

    /// A key that may have a value.
    pub(super) fn maybe(&mut self, key: &str, value: Option<&str>, example: &str, comment: &str) {
        match value {
            Some(value) => self.key(key, value, comment),
            None => self.unset(key, example, comment),
        }
    }

    /// A key whose value is a list of single values.
    pub(super) fn words<'a>(&mut self, key: &str, words: impl IntoIterator<Item = &'a str>, comment: &str) {
        let words: Vec<String> = words.into_iter().map(scalar).collect();
        self.commented(comment, &format!("{key}: [{}]", words.join(", ")));
    }

    /// A key whose value is a mapping with names of the writer's.
    pub(super) fn pairs<'a>(
        &mut self,
        key: &str,
        pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
        comment: &str,
    ) {
        let pairs: Vec<String> =
            pairs.into_iter().map(|(name, value)| format!("{}: {}", scalar(name), scalar(value))).collect();
        self.commented(comment, &format!("{key}: {{{}}}", pairs.join(", ")));
    }

    /// A key whose value is a mapping.
    pub(super) fn section(&mut self, key: &str, comment: &str, keys: impl FnOnce(&mut Self)) {
        if self.indent == 0 && !self.text.is_empty() {
            self.text.push('\n');
        }
        self.commented(comment, &format!("{key}:"));
        self.indent += 2;
        keys(self);
        self.indent -= 2;
    }

    /// A key whose value is a list of mappings.
    pub(super) fn list<T>(
        &mut self,
        key: &str,
        comment: &str,
        items: &[T],
        mut keys: impl FnMut(&T, &mut Self),
    ) {
        if items.is_empty() {
            self.commented(comment, &format!("{key}: []"));
            return;
        }
        self.section(key, comment, |page| {
            for item in items {
                page.item = true;
                page.indent += 2;
                keys(item, page);
                page.indent -= 2;
            }
        });
    }

    fn commented(&mut self, comment: &str, line: &str) {
        let item = std::mem::take(&mut self.item);
        if item {
            self.indent -= 2;
            self.note(comment);
            self.line(&format!("- {line}"));
            self.indent += 2;
        } else {
            self.note(comment);
            self.line(line);
        }
    }

    fn line(&mut self, line: &str) {
        // Writing to a String cannot fail.
        let _infallible = writeln!(self.text, "{:indent$}{line}", "", indent = self.indent);
    }
}

/// A length of time as the configuration writes it.
pub(super) fn duration(duration: Duration) -> String {
    let millis = duration.as_millis();
    for (unit, size) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)] {
        if millis > 0 && millis.is_multiple_of(size) {
            return format!("{}{unit}", millis / size);
        }
    }
    if millis == 0 { "0s".to_owned() } else { format!("{millis}ms") }
}

/// Text that YAML reads back as the same text: quoted where plain text would mean something else.
fn scalar(text: &str) -> String {
    let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || "_-./:@+".contains(c))
        && text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '/')
        && !text.ends_with(':')
        && !["null", "true", "false", "yes", "no"].contains(&text);
    // JSON strings are YAML's double-quoted ones.
    if plain { text.to_owned() } else { serde_json::Value::from(text).to_string() }
}
