//! The reports that are shipped, as files: which there are, what each is called, how it is written.
//!
//! Whoever writes one goes through here, whether it is sent as it is or kept for ever, so that both are the same.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::io::Write;

use defray_ledger::{MonthRecord, RenderedFile};
use defray_pricing::statement::Statement;
use defray_pricing::time::Period;
use defray_reports::{Definitions, Month, Status, WriteError, csv, json};
use url::form_urlencoded;

/// How a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For spreadsheets.
    Csv,
    /// For programs.
    Json,
}

impl Format {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Json => "json",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Every line.
    Statement,
    /// One row for each cost centre and tenant.
    Summary,
}

/// A report of a month: which, of whom, and how it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    kind: Kind,
    format: Format,
    tenants: BTreeSet<String>,
    cost_centers: BTreeSet<String>,
}

impl Report {
    /// Every line of every statement, or of some tenants' or cost centres': empty lists let all pass.
    pub fn statement(
        format: Format,
        tenants: impl IntoIterator<Item = String>,
        cost_centers: impl IntoIterator<Item = String>,
    ) -> Self {
        let (tenants, cost_centers) = (tenants.into_iter().collect(), cost_centers.into_iter().collect());
        Self { kind: Kind::Statement, format, tenants, cost_centers }
    }

    /// One row for each cost centre and tenant.
    pub fn summary() -> Self {
        Self { kind: Kind::Summary, ..Self::statement(Format::Csv, [], []) }
    }

    /// What every version is closed with.
    pub fn always() -> [Self; 3] {
        [Self::statement(Format::Csv, [], []), Self::statement(Format::Json, [], []), Self::summary()]
    }

    /// The report of a name that [`Report::file`] gives; none where it gives no such name.
    pub fn named(name: &str) -> Option<Self> {
        if let Some(known) = Self::always().into_iter().find(|report| report.file() == name) {
            return Some(known);
        }
        let (selection, format) = name.strip_prefix("statement-")?.rsplit_once('.')?;
        let format = [Format::Csv, Format::Json].into_iter().find(|known| known.as_str() == format)?;
        let (mut tenants, mut cost_centers) = (Vec::new(), Vec::new());
        for (key, value) in form_urlencoded::parse(selection.as_bytes()) {
            match key.as_ref() {
                "tenant" => tenants.push(value.into_owned()),
                "cost_center" => cost_centers.push(value.into_owned()),
                _ => return None,
            }
        }
        let report = Self::statement(format, tenants, cost_centers);
        (report.file() == name).then_some(report)
    }

    /// What it is called among the files of a version: one report, one name.
    pub fn file(&self) -> String {
        let what = match self.kind {
            Kind::Statement => "statement",
            Kind::Summary => "summary",
        };
        let format = self.format.as_str();
        if self.takes_all() {
            return format!("{what}.{format}");
        }
        let tenants = self.tenants.iter().map(|name| ("tenant", name));
        let cost_centers = self.cost_centers.iter().map(|name| ("cost_center", name));
        let mut selection = form_urlencoded::Serializer::new(String::new());
        let selection = selection.extend_pairs(tenants.chain(cost_centers)).finish();
        format!("{what}-{selection}.{format}")
    }

    /// Whether no statement is left out.
    pub fn takes_all(&self) -> bool {
        self.tenants.is_empty() && self.cost_centers.is_empty()
    }

    /// Whom it is of, in words.
    pub fn of(&self) -> Vec<&str> {
        self.tenants.iter().chain(&self.cost_centers).map(String::as_str).collect()
    }

    /// Whether it is for spreadsheets: what is saved rather than shown.
    pub fn is_csv(&self) -> bool {
        self.format == Format::Csv
    }

    /// What it is, to a reader.
    pub const fn content_type(&self) -> &'static str {
        match self.format {
            Format::Csv => "text/csv; charset=utf-8; header=present",
            Format::Json => "application/json",
        }
    }

    /// `chargeback_2026-10_open_r1.csv`: what it is, of when, and whether it still moves.
    pub fn download(&self, period: Period, status: Status, version: u32, demo: bool) -> String {
        let demo = if demo { "demo_" } else { "" };
        let what = match (self.kind, self.takes_all()) {
            (Kind::Summary, _) => "chargeback_summary",
            (Kind::Statement, true) => "chargeback",
            (Kind::Statement, false) => "statement",
        };
        let of = self.of();
        let of = if of.is_empty() { String::new() } else { format!("_{}", of.join("_")) };
        format!("{demo}{what}_{period}{of}_{status}_r{version}.{}", self.format.as_str())
    }

    fn passes(&self, statement: &Statement) -> bool {
        let one_of = |names: &BTreeSet<String>, name: &str| names.is_empty() || names.contains(name);
        one_of(&self.tenants, statement.tenant.as_str())
            && one_of(&self.cost_centers, statement.cost_center.as_str())
    }

    /// Whether there is any statement in it.
    pub fn has_any(&self, statements: &[Statement]) -> bool {
        statements.iter().any(|statement| self.passes(statement))
    }

    /// Writes it.
    pub fn write(
        &self,
        definitions: &Definitions,
        month: &Month,
        statements: &[Statement],
        out: &mut dyn Write,
    ) -> Result<(), WriteError<Infallible>> {
        let selected = statements.iter().filter(|statement| self.passes(statement)).map(Ok);
        match (self.kind, self.format) {
            (Kind::Summary, _) => csv::write(&definitions.summary, month, selected, out),
            (Kind::Statement, Format::Csv) => csv::write(&definitions.statement, month, selected, out),
            (Kind::Statement, Format::Json) => json::write(month, selected, out),
        }
    }

    /// Its bytes, to be kept.
    pub fn rendered(
        &self,
        definitions: &Definitions,
        month: &Month,
        record: &MonthRecord,
    ) -> Result<RenderedFile, WriteError<Infallible>> {
        let mut content = Vec::new();
        self.write(definitions, month, &record.statements.statements, &mut content)?;
        Ok(RenderedFile { name: self.file(), content })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_report_has_one_name_and_its_name_is_of_nothing_else() {
        let some = |tenants: &[&str], cost_centers: &[&str]| {
            let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
            Report::statement(Format::Csv, owned(tenants), owned(cost_centers))
        };
        assert_eq!(some(&["b", "a", "b"], &[]), some(&["a", "b"], &[]));
        let reports = [
            some(&[], &[]),
            some(&["a"], &[]),
            some(&[], &["a"]),
            some(&["a&cost_center=b"], &[]),
            some(&["a"], &["b"]),
            some(&["a/b.csv", "=1"], &["ü "]),
            Report::statement(Format::Json, ["a".to_owned()], []),
            Report::summary(),
        ];
        let names: BTreeSet<String> = reports.iter().map(Report::file).collect();
        assert_eq!(names.len(), reports.len());
        assert!(names.iter().all(|name| !name.contains('/')), "{names:?}");
        for report in reports {
            assert_eq!(Report::named(&report.file()), Some(report));
        }
        for name in ["", "x.csv", "statement.xlsx", "statement-.csv", "statement-tenant=b&tenant=a.csv"] {
            assert_eq!(Report::named(name), None, "{name}");
        }
    }
}
