//! Where what is remembered lives.

use defray_ledger::Location;
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
    /// Where its address comes from, if it holds a password.
    secret: Option<Secret>,
}

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
    let secret = secret::optional(&mut keys, LOCATION, place);
    let one = keys.at_most_one(&["location", LOCATION.file, LOCATION.env]);
    keys.finish();
    let (written, secret) = (written?, secret?);
    one?;
    let location = match (&secret, written) {
        (Some(secret), _) => parse(value, secret.expose(), place)?,
        (None, Some(location)) => location,
        (None, None) => Location::directory(DEFAULT),
    };
    Ok(LedgerPlace { location, secret })
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
        Self { location, secret: None }
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
            secret::print(
                self.secret.as_ref(),
                LOCATION,
                "A file that holds the whole address, for one with a password.",
                page,
            );
        });
    }
}
