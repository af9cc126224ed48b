//! What is logged, and how.

use defray_pricing::problem::Refused;
use defray_pricing::yaml::Value;

use super::page::Page;
use crate::telemetry::LogFormat;

/// What is logged, and how.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Log {
    /// How lines look.
    pub format: LogFormat,
    /// What is logged; none for the command line's, the environment's or the default.
    pub filter: Option<String>,
}

const FORMATS: [(&str, LogFormat); 3] =
    [("auto", LogFormat::Auto), ("text", LogFormat::Text), ("json", LogFormat::Json)];

pub(super) fn read(value: &Value<'_>) -> Result<Log, Refused> {
    let mut keys = value.mapping()?;
    let format = keys.with_default("format", LogFormat::Auto, |value| value.word(&FORMATS));
    let filter = keys.optional("filter", |value| {
        let text = value.string()?;
        crate::telemetry::check_filter(&text)
            .map(|()| text)
            .map_err(|error| value.refuse(error.to_string(), ""))
    });
    keys.finish();
    Ok(Log { format: format?, filter: filter? })
}

impl Log {
    pub(super) fn print(&self, page: &mut Page) {
        let format =
            FORMATS.iter().find(|(_, format)| *format == self.format).map_or("auto", |(word, _)| word);
        page.section("log", "What is logged, and how. The command line goes before this.", |page| {
            page.raw("format", format, "auto (text on a terminal, JSON otherwise), text or json.");
            page.maybe(
                "filter",
                self.filter.as_deref(),
                "warn,defray=debug",
                "A level, or levels by module. Without it the environment variable DEFRAY_LOG, else info.",
            );
        });
    }
}
