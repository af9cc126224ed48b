//! What is wrong in a file that people write: where, why, and how to mend it.

use std::cell::RefCell;
use std::fmt;

/// More problems than this are no list that anybody reads.
const MOST: usize = 500;

/// Something wrong in a book or a configuration: what, where, and how to mend it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The file.
    pub file: String,
    /// The line, from 1; none where the whole file or a relation between files is meant.
    pub line: Option<usize>,
    /// The column, from 1.
    pub column: Option<usize>,
    /// The place in the document, for example `pools[2].node_hour`.
    pub path: String,
    /// What is wrong, with the offending value.
    pub message: String,
    /// How to mend it.
    pub mend: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
            if let Some(column) = self.column {
                write!(f, ":{column}")?;
            }
        }
        f.write_str(": ")?;
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)?;
        if !self.mend.is_empty() {
            write!(f, " ({})", self.mend)?;
        }
        Ok(())
    }
}

/// Collects problems from every reader, so that all of them are told at once.
///
/// Shared by reference: a reader that found a problem goes on reading.
#[derive(Debug, Default)]
pub struct Problems(RefCell<Vec<Problem>>);

impl Problems {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Records one more. The answer stands for "this was told", and cannot be made in another way.
    pub fn add(&self, problem: Problem) -> Refused {
        self.0.borrow_mut().push(problem);
        Refused(())
    }

    /// Whether nothing was wrong so far.
    pub fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }

    /// All of them by file, line and column, each once; of very many the first, and how many there are.
    pub fn into_sorted(self) -> Vec<Problem> {
        let mut problems = self.0.into_inner();
        problems.sort();
        problems.dedup();
        let more = problems.split_off(problems.len().min(MOST));
        problems.extend(more.first().map(|first| Problem {
            file: first.file.clone(),
            line: None,
            column: None,
            path: String::new(),
            message: format!("and {} more problems from here on", more.len()),
            mend: "mend those above first".to_owned(),
        }));
        problems
    }
}

/// Something could not be read, and the problem is already recorded: nothing more to say about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("refused; the problem is recorded")]
pub struct Refused(());
