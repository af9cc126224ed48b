//! The document as a tree of nodes that know where they stand.

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError};

/// Nesting beyond this is no file a person wrote.
const MAX_DEPTH: usize = 64;

/// Where a node begins, both from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) line: usize,
    pub(super) column: usize,
}

impl From<&Marker> for Position {
    fn from(marker: &Marker) -> Self {
        Self { line: marker.line(), column: marker.col().saturating_add(1) }
    }
}

#[derive(Debug)]
pub(super) struct Node {
    pub(super) at: Position,
    pub(super) kind: Kind,
    /// It carries an anchor or a tag, neither of which is supported.
    pub(super) oddity: Option<&'static str>,
}

#[derive(Debug)]
pub(super) enum Kind {
    /// The text as written, quotes removed; `plain` if it had none.
    Scalar {
        text: String,
        plain: bool,
    },
    List(Vec<Node>),
    /// In the order of the file, repeated keys included.
    Mapping(Vec<(Node, Node)>),
    /// An alias (`*name`), which is not supported.
    Alias,
}

impl Kind {
    /// Whether nothing was written, or a plain `null` or `~`.
    pub(super) fn is_null(&self) -> bool {
        matches!(self, Self::Scalar { text, plain: true } if matches!(text.as_str(), "" | "~" | "null"))
    }

    /// In words, for messages.
    pub(super) fn describe(&self) -> String {
        match self {
            kind if kind.is_null() => "nothing".to_owned(),
            Self::Scalar { text, .. } => format!("the value `{text}`"),
            Self::List(_) => "a list".to_owned(),
            Self::Mapping(_) => "a mapping".to_owned(),
            Self::Alias => "an alias".to_owned(),
        }
    }
}

/// Why there is no tree.
#[derive(Debug)]
pub(super) struct NoTree {
    pub(super) at: Position,
    pub(super) message: String,
}

impl From<ScanError> for NoTree {
    fn from(error: ScanError) -> Self {
        Self { at: error.marker().into(), message: format!("not valid YAML: {}", error.info()) }
    }
}

/// The documents of a file, with the position of each.
pub(super) fn parse(text: &str) -> Result<Vec<Node>, NoTree> {
    let mut builder = Builder::default();
    let mut parser = Parser::new_from_str(text);
    // Pulled event by event: the parser's own loader recurses with the nesting of the input.
    while let Some(event) = parser.next_event() {
        let (event, span) = event?;
        builder.take(event, Position::from(&span.start))?;
    }
    Ok(builder.documents)
}

/// Collections that are not closed yet, innermost last.
enum Open {
    List(Position, Option<&'static str>, Vec<Node>),
    Mapping(Position, Option<&'static str>, Vec<(Node, Node)>, Option<Node>),
}

#[derive(Default)]
struct Builder {
    documents: Vec<Node>,
    open: Vec<Open>,
}

impl Builder {
    fn take(&mut self, event: Event<'_>, at: Position) -> Result<(), NoTree> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let kind = Kind::Scalar { text: text.into_owned(), plain: style == ScalarStyle::Plain };
                self.close(Node { at, kind, oddity: oddity(anchor, tag.is_some()) });
            }
            Event::Alias(_) => self.close(Node { at, kind: Kind::Alias, oddity: None }),
            Event::SequenceStart(anchor, tag) => {
                self.descend(Open::List(at, oddity(anchor, tag.is_some()), Vec::new()), at)?;
            }
            Event::MappingStart(anchor, tag) => {
                let open = Open::Mapping(at, oddity(anchor, tag.is_some()), Vec::new(), None);
                self.descend(open, at)?;
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open::List(at, oddity, items)) => {
                    self.close(Node { at, kind: Kind::List(items), oddity });
                }
                Some(Open::Mapping(at, oddity, entries, _)) => {
                    self.close(Node { at, kind: Kind::Mapping(entries), oddity });
                }
                None => {}
            },
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => {}
        }
        Ok(())
    }

    fn descend(&mut self, open: Open, at: Position) -> Result<(), NoTree> {
        if self.open.len() >= MAX_DEPTH {
            return Err(NoTree { at, message: format!("nested more than {MAX_DEPTH} deep") });
        }
        self.open.push(open);
        Ok(())
    }

    /// Puts a finished node where it belongs.
    fn close(&mut self, node: Node) {
        match self.open.last_mut() {
            None => self.documents.push(node),
            Some(Open::List(_, _, items)) => items.push(node),
            Some(Open::Mapping(_, _, entries, key)) => match key.take() {
                None => *key = Some(node),
                Some(key) => entries.push((key, node)),
            },
        }
    }
}

fn oddity(anchor: usize, tagged: bool) -> Option<&'static str> {
    if anchor != 0 {
        Some("anchors (`&name`)")
    } else if tagged {
        Some("tags (`!name`)")
    } else {
        None
    }
}
