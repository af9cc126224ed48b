//! Where what is remembered lives.

use defray_ledger::{ArchivePlace, Location};
use defray_pricing::problem::Refused;
use defray_pricing::yaml::Value;

use super::page::Page;
use super::place::Place;
use super::secret::{self, Keys, Secret};

/// Where what is remembered lives.
#[derive(Debug, Clone)]
pub struct LedgerPlace {
    /// The place.
    pub location: Location,
    /// Whether settled days go into an archive, and when.
    pub archive: Option<Archive>,
    /// How many days after its end the rows of an hour are let go of, once its month is closed. None: never.
    pub prune_after_days: Option<u16>,
    /// Where its address comes from, if it holds a password.
    secret: Option<Secret>,
}

/// Where the rows of settled days go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archive {
    /// The place.
    pub place: ArchivePlace,
    /// How many days after its end a day goes there.
    pub after_days: u16,
}

/// Longer than a month and its late data: what is rated again is read from the database.
const AFTER_DAYS: u16 = 40;

/// Nobody means to lose the rows of a month that finance may still ask about.
const LEAST_KEPT: u16 = 90;

const DEFAULT: &str = "/var/lib/defray";
const LOCATION: Keys = Keys { file: "location_file", env: "location_env" };

pub(super) fn read(value: &Value<'_>, place: &Place<'_>) -> Result<LedgerPlace, Refused> {
    let mut keys = value.mapping()?;
    let written = keys.optional("location", |value| {
        let text = value.string()?;
        if text.contains("://") && holds_password(&text) {
            return Err(value.refuse(
                "the address holds a password",
                "write the whole address into a file and name it with `location_file`, or use `location_env`",
            ));
        }
        parse(value, &text, place)
    });
    let archive = keys.optional("archive", |value| archive(value, place));
    let prune = keys.optional("prune_after_days", |value| value.whole_number(LEAST_KEPT..=36_500));
    let secret = secret::optional(&mut keys, LOCATION, place);
    let one = keys.at_most_one(&["location", LOCATION.file, LOCATION.env]);
    keys.finish();
    let (written, secret, archive) = (written?, secret?, archive?);
    let prune_after_days = prune?;
    one?;
    let location = match (&secret, written) {
        (Some(secret), _) => parse(value, secret.expose(), place)?,
        (None, Some(location)) => location,
        (None, None) => Location::directory(DEFAULT),
    };
    let location = match &archive {
        Some(archive) => location.with_archive(archive.place.clone()),
        None => location,
    };
    Ok(LedgerPlace { location, archive, prune_after_days, secret })
}

fn archive(value: &Value<'_>, place: &Place<'_>) -> Result<Archive, Refused> {
    let mut keys = value.mapping()?;
    let url = keys.required("url", |value| {
        let text = value.string()?;
        if text.contains("://") {
            return ArchivePlace::parse(&text).map_err(|error| value.refuse(error.to_string(), ""));
        }
        Ok(ArchivePlace::directory(place.path(&text)))
    });
    let after_days = keys.with_default("after_days", AFTER_DAYS, |value| value.whole_number(2..=3650));
    keys.finish();
    Ok(Archive { place: url?, after_days: after_days? })
}

fn parse(value: &Value<'_>, text: &str, place: &Place<'_>) -> Result<Location, Refused> {
    if text.contains("://") {
        return Location::parse(text).map_err(|error| value.refuse(error.to_string(), ""));
    }
    Ok(Location::directory(place.path(text)))
}

fn holds_password(address: &str) -> bool {
    url::Url::parse(address).is_ok_and(|url| url.password().is_some())
}

impl LedgerPlace {
    /// A place that needs no secret.
    pub const fn at(location: Location) -> Self {
        Self { location, archive: None, prune_after_days: None, secret: None }
    }

    pub(super) fn print(&self, page: &mut Page) {
        page.section("ledger", "Where measured hours, ownership and statements are kept.", |page| {
            if self.secret.is_none() {
                page.key(
                    "location",
                    &self.location.to_string(),
                    "A directory of its own, or postgres://user@host/database. Back it up: past hours cannot be \
                     measured again once the metrics store has forgotten them.",
                );
            }
            print_archive(self.archive.as_ref(), page);
            page.maybe(
                "prune_after_days",
                self.prune_after_days.map(|days| days.to_string()).as_deref(),
                "1100",
                "How many days after its end the rows of an hour are let go of, once its month is closed: it can then \
                 be neither explained nor restated. Statements, digests and coverage stay for good. Without it nothing \
                 is.",
            );
            secret::print(
                self.secret.as_ref(),
                LOCATION,
                "A file that holds the whole address, for one with a password.",
                page,
            );
        });
    }
}

fn print_archive(archive: Option<&Archive>, page: &mut Page) {
    const WHAT: &str = "Where the rows of settled days go, out of the database, and how many days after their end. \
                        Without it they stay there.";
    let Some(archive) = archive else {
        return page.unset("archive", "{url: /var/lib/defray/archive, after_days: 40}", WHAT);
    };
    page.section("archive", WHAT, |page| {
        page.key(
            "url",
            &archive.place.to_string(),
            "A directory, on whatever volume. Back it up with the ledger: those rows are nowhere else.",
        );
        page.raw(
            "after_days",
            &archive.after_days.to_string(),
            "How many days after its end a day goes there; until then it is in the database.",
        );
    });
}
