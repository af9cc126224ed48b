//! The environment, read in one place, so that a test needs no real one.

use std::collections::BTreeMap;

/// The variables this program was started with, or a test's.
#[derive(Clone, Default)]
pub struct Environment(Variables);

#[derive(Clone, Default)]
enum Variables {
    /// The process's own.
    #[default]
    Process,
    Given(BTreeMap<String, String>),
}

/// The filter for log lines, where the command line and the configuration say nothing.
pub const LOG_VARIABLE: &str = "DEFRAY_LOG";

impl Environment {
    /// The process's environment.
    pub fn process() -> Self {
        Self::default()
    }

    /// None at all.
    pub fn empty() -> Self {
        Self(Variables::Given(BTreeMap::new()))
    }

    /// These variables.
    pub fn given<const N: usize>(variables: [(&str, &str); N]) -> Self {
        let owned = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self(Variables::Given(owned.into()))
    }

    /// A variable, if it is set and is text.
    pub fn get(&self, name: &str) -> Option<String> {
        match &self.0 {
            #[expect(clippy::disallowed_methods, reason = "this is the config that reads the environment")]
            Variables::Process => std::env::var(name).ok(),
            Variables::Given(variables) => variables.get(name).cloned(),
        }
    }
}

/// Names only: values may be secrets.
impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Variables::Process => f.write_str("Environment(process)"),
            Variables::Given(variables) => f.debug_set().entries(variables.keys()).finish(),
        }
    }
}
