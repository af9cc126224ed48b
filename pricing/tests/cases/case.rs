//! A case as it is written.

use std::fmt::Write as _;
use std::path::Path;

use chrono::{DateTime, MappedLocalTime, NaiveDate, NaiveDateTime};
use defray_pricing::book::{PriceBook, Source};
use defray_pricing::names::ClusterName;
use defray_pricing::problem::{Problem, Refused};
use defray_pricing::time::{BillingZone, Hour, HourRange, Period};
use defray_pricing::yaml::{Document, Mapping, Value};

use crate::owners::{self, Owner};
use crate::usage::{self, Usage};

/// The cluster of what names none.
const CLUSTER: &str = "prod";

/// A case: what happened in a month, and what it has to cost.
#[derive(Debug)]
pub(crate) struct Case {
    /// The rule it shows, in a sentence.
    pub(crate) rule: String,
    pub(crate) period: Period,
    pub(crate) book: PriceBook,
    pub(crate) owners: Vec<During<Owner>>,
    pub(crate) usage: Vec<During<Usage>>,
    /// Hours that nobody measured.
    pub(crate) missing: Vec<During<()>>,
    /// The statements, as text.
    pub(crate) expected: String,
}

/// Something that held in one cluster for some hours.
#[derive(Debug)]
pub(crate) struct During<T> {
    pub(crate) cluster: ClusterName,
    pub(crate) hours: HourRange,
    pub(crate) what: T,
}

/// A file of the price book: its path, or its text that stands in the case.
enum Book {
    File(String),
    Text { line: usize, text: String },
}

impl Case {
    /// Reads a case and its book; what is wrong comes back in words.
    pub(crate) fn parse(file: &str, text: &str) -> Result<Self, String> {
        let document = Document::parse(file, text).map_err(|problems| told(&problems))?;
        document.read(read).map_err(|problems| told(&problems))?.finish(file)
    }
}

/// A case whose book is not read yet.
struct Unpriced {
    rule: String,
    period: Period,
    zone: BillingZone,
    book: Vec<Book>,
    owners: Vec<During<Owner>>,
    usage: Vec<During<Usage>>,
    missing: Vec<During<()>>,
    expected: String,
}

impl Unpriced {
    fn finish(self, file: &str) -> Result<Case, String> {
        let read = |book: Book| match book {
            // Told at the line it stands at in the case.
            Book::Text { line, text } => {
                Ok(Source { name: format!("{file} ({line})"), text: format!("{}{text}", "\n".repeat(line)) })
            }
            Book::File(path) => {
                let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
                match std::fs::read_to_string(folder.join(&path)) {
                    Ok(text) => Ok(Source { name: path, text }),
                    Err(error) => Err(format!("{file}: book {path}: {error}")),
                }
            }
        };
        let sources: Vec<Source> = self.book.into_iter().map(read).collect::<Result<_, _>>()?;
        let book = PriceBook::parse(&sources, self.zone).map_err(|problems| told(&problems))?;
        let Self { rule, period, owners, usage, missing, expected, .. } = self;
        Ok(Case { rule, period, book, owners, usage, missing, expected })
    }
}

fn told(problems: &[Problem]) -> String {
    problems.iter().fold(String::new(), |mut text, problem| {
        let _infallible = writeln!(text, "{problem}");
        text
    })
}

fn read(root: &Value<'_>) -> Result<Unpriced, Refused> {
    let mut keys = root.mapping()?;
    let rule = keys.required("rule", Value::string);
    let period = keys.required("period", Value::parsed::<Period>);
    let zone = keys.with_default("zone", BillingZone::UTC, |value| {
        value.parse_with("write a zone such as Europe/Berlin", BillingZone::new)
    });
    let book = keys.required("book", books);
    // Dates mean nothing without the month and its zone.
    let month = match (&period, &zone) {
        (Ok(period), Ok(zone)) => Some(zone.hours(*period)),
        _ => None,
    };
    let month = month.zip(zone.as_ref().ok()).map(|(hours, zone)| Month { zone: *zone, hours, usual: hours });
    let list = |value: &Value<'_>| Ok(value.items()?.len());
    let Some(mut month) = month else {
        keys.has("at");
        for key in ["owners", "usage", "missing"] {
            let _told = keys.with_default(key, 0, list);
        }
        let _told = keys.required("expected", Value::string);
        keys.finish();
        return Err(root.refuse("the month is not known, so nothing else was read", ""));
    };
    let at = keys.optional("at", |value| month.hour(value));
    if let Ok(Some(hour)) = at {
        month.usual = HourRange { from: hour, until: hour.next() };
    }
    let owners = keys.with_default("owners", Vec::new(), |v| v.list(|v| month.during(v, owners::read)));
    let usage = keys.with_default("usage", Vec::new(), |v| v.list(|v| month.during(v, usage::read)));
    let missing = keys.with_default("missing", Vec::new(), |v| v.list(|v| month.during(v, |_| Ok(()))));
    let expected = keys.required("expected", Value::string);
    keys.finish();
    at?;
    Ok(Unpriced {
        rule: rule?,
        period: period?,
        zone: zone?,
        book: book?,
        owners: owners?,
        usage: usage?,
        missing: missing?,
        expected: expected?,
    })
}

fn books(value: &Value<'_>) -> Result<Vec<Book>, Refused> {
    if value.is_list() { value.list(book) } else { book(value).map(|book| vec![book]) }
}

fn book(value: &Value<'_>) -> Result<Book, Refused> {
    let text = value.string()?;
    let line = value.line();
    Ok(if text.contains('\n') { Book::Text { line, text } } else { Book::File(text) })
}

/// The month of a case.
struct Month {
    zone: BillingZone,
    hours: HourRange,
    /// What is meant where no date is given: the month, or the one hour that the case is about.
    usual: HourRange,
}

impl Month {
    /// An entry with `cluster`, `from` and `until` beside what it says.
    fn during<'d, T>(
        &self,
        value: &Value<'d>,
        what: impl FnOnce(&mut Mapping<'d>) -> Result<T, Refused>,
    ) -> Result<During<T>, Refused> {
        let mut keys = value.mapping()?;
        let cluster = keys.with_default("cluster", CLUSTER.to_owned(), Value::string);
        let at = keys.optional("at", |value| self.hour(value));
        let from = keys.with_default("from", self.usual.from, |value| self.hour(value));
        let until = keys.with_default("until", self.usual.until, |value| self.hour(value));
        let several = keys.has("at") && (keys.has("from") || keys.has("until"));
        let what = what(&mut keys);
        keys.finish();
        if several {
            return Err(value.refuse("`at` is one hour: it has no `from` and `until`", "keep one of the two"));
        }
        let hours = match at? {
            Some(hour) => HourRange { from: hour, until: hour.next() },
            None => HourRange { from: from?, until: until? },
        };
        let inside = self.hours.from <= hours.from && hours.until <= self.hours.until;
        if hours.is_empty() || !inside {
            let message =
                format!("the hours from {} until {} are none of the period", hours.from, hours.until);
            return Err(value.refuse(message, "end after the begin, inside the month"));
        }
        Ok(During { cluster: ClusterName::new(cluster?), hours, what: what? })
    }

    /// A local date (its midnight), a local time, or a time with an offset.
    fn hour(&self, value: &Value<'_>) -> Result<Hour, Refused> {
        const MEND: &str = "write 2026-10-14, 2026-10-14T06:00 (local) or 2026-10-14T04:00:00Z";
        let text = value.text()?;
        let instant = if let Ok(instant) = text.parse::<DateTime<chrono::Utc>>() {
            Some(instant)
        } else if let Ok(date) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
            Some(self.zone.midnight(date))
        } else {
            let local = NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M").ok();
            match local.map(|local| self.zone.instants(local)) {
                Some(MappedLocalTime::Single(instant)) => Some(instant),
                Some(MappedLocalTime::Ambiguous(_, _) | MappedLocalTime::None) | None => None,
            }
        };
        let Some(instant) = instant else {
            return Err(value.refuse(format!("`{text}` is not one moment"), MEND));
        };
        let hour = Hour::containing(instant);
        if hour.start() == instant { Ok(hour) } else { Err(value.refuse("inside an hour", MEND)) }
    }
}
