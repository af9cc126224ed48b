//! From the outside world to usage hours and ownership. Floats, `time` and `jiff` end here.

pub mod kubernetes;
pub mod node_labels;
pub mod prometheus;

/// One thing that `check` looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at: a connection, a permission, a metric.
    pub subject: String,
    /// Whether it is as it must be.
    pub ok: bool,
    /// What was found.
    pub message: String,
    /// What a person does about it; none where nothing is to be done.
    pub mend: Option<String>,
}

impl Finding {
    /// Something that is as it must be.
    pub fn fine(subject: impl Into<String>, message: impl Into<String>) -> Self {
        Self { subject: subject.into(), ok: true, message: message.into(), mend: None }
    }

    /// Something that is not, and the way to mend it.
    pub fn wrong(subject: impl Into<String>, message: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { subject: subject.into(), ok: false, message: message.into(), mend: Some(mend.into()) }
    }
}
