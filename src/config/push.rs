//! Where cost reports are pushed to, and when.

use std::time::Duration;

use defray_pricing::problem::Refused;
use defray_pricing::yaml::Value;

use super::page::{self, Page};
use super::place::Place;
use super::secret::{self, Keys, Secret, TOKEN};
use crate::push::{DailyAt, SigningSecret, webhook};

/// Where cost reports are pushed to, and when.
#[derive(Debug, Clone)]
pub struct Push {
    /// When a report of an open period is said anew.
    pub daily_at: DailyAt,
    /// The destinations, in the order of the file.
    pub webhooks: Vec<Destination>,
}

/// One destination.
#[derive(Debug, Clone)]
pub struct Destination {
    /// How it is sent to.
    pub settings: webhook::Settings,
    token: Option<Secret>,
    signing: Option<Secret>,
    previous_signing: Option<Secret>,
}

const SIGNING: Keys = Keys { file: "signing_secret_file", env: "signing_secret_env" };
const PREVIOUS: Keys = Keys { file: "previous_signing_secret_file", env: "previous_signing_secret_env" };

pub(super) fn read(value: &Value<'_>, place: &Place<'_>) -> Result<Push, Refused> {
    let mut keys = value.mapping()?;
    let daily_at = keys.with_default("daily_at", DailyAt::default(), |value| {
        value.parse_with("write hours and minutes from 00:00 to 23:59, such as \"06:00\"", str::parse)
    });
    let seen = std::cell::RefCell::new(std::collections::BTreeMap::new());
    let webhooks = keys.with_default("webhooks", Vec::new(), |value| {
        value.list(|value| {
            let read = destination(value, place)?;
            match seen.borrow_mut().insert(read.settings.name.clone(), value.line()) {
                Some(line) => Err(value.refuse(
                    format!("the destination `{}` is already described in line {line}", read.settings.name),
                    "give each a name of its own: idempotency keys hold it",
                )),
                None => Ok(read),
            }
        })
    });
    keys.finish();
    Ok(Push { daily_at: daily_at?, webhooks: webhooks? })
}

fn destination(value: &Value<'_>, place: &Place<'_>) -> Result<Destination, Refused> {
    let mut keys = value.mapping()?;
    let name = keys.required("name", Value::string);
    let url = keys.required("url", |value| value.parse_with("write https://host/path", url::Url::parse));
    let token = secret::optional(&mut keys, TOKEN, place);
    let signing = signing(&mut keys, SIGNING, place, value);
    let previous_signing = self::signing(&mut keys, PREVIOUS, place, value);
    let timeout =
        keys.optional("timeout", |value| value.duration(Duration::from_secs(1)..=Duration::from_mins(5)));
    let plain_http = keys.with_default("plain_http", false, Value::boolean);
    keys.finish();
    let (token, signing, previous_signing) = (token?, signing?, previous_signing?);
    let mut settings = webhook::Settings::new(name?, url?);
    settings.token = token.as_ref().map(|token| match token.path() {
        Some(path) => webhook::Token::File(path.to_owned()),
        None => webhook::Token::Fixed(token.value()),
    });
    let secrets = [&signing, &previous_signing].into_iter().flatten();
    settings.signing = secrets.map(|(_, secret)| secret.clone()).collect();
    settings.timeout = timeout?.unwrap_or(settings.timeout);
    settings.plain_http = plain_http?;
    webhook::Webhook::new(&settings).map_err(|error| value.refuse(error.to_string(), ""))?;
    let (signing, previous_signing) = (signing.map(|s| s.0), previous_signing.map(|s| s.0));
    Ok(Destination { settings, token, signing, previous_signing })
}

fn signing(
    keys: &mut defray_pricing::yaml::Mapping<'_>,
    names: Keys,
    place: &Place<'_>,
    value: &Value<'_>,
) -> Result<Option<(Secret, SigningSecret)>, Refused> {
    let Some(secret) = secret::optional(keys, names, place)? else { return Ok(None) };
    let parsed = SigningSecret::parse(secret.expose())
        .map_err(|error| value.refuse(format!("`{}` or `{}`: {error}", names.file, names.env), ""))?;
    Ok(Some((secret, parsed)))
}

impl Push {
    pub(super) fn print(&self, page: &mut Page) {
        page.section("push", "Where cost reports are pushed to, and when.", |page| {
            page.raw(
                "daily_at",
                &format!("\"{}\"", self.daily_at),
                "The time of day, in billing.time_zone, at which reports of open months that changed are sent anew. \
                 A first report, and whatever changes in a closed month, goes at once.",
            );
            page.list(
                "webhooks",
                "Destinations: name, url, token_file or token_env, signing_secret_file or signing_secret_env \
                 (Standard Webhooks), previous_signing_secret_file or previous_signing_secret_env while it is \
                 exchanged, timeout, plain_http.",
                &self.webhooks,
                print_destination,
            );
        });
    }
}

fn print_destination(destination: &Destination, page: &mut Page) {
    let settings = &destination.settings;
    page.key("name", &settings.name, "Its name. Under another name everything is sent anew.");
    page.key("url", settings.url.as_str(), "Where to.");
    secret::print(
        destination.token.as_ref(),
        TOKEN,
        "The bearer token to send; read again at every try.",
        page,
    );
    secret::print(destination.signing.as_ref(), SIGNING, "What reports are signed with (whsec_…).", page);
    let about = "The one before, while it is exchanged: reports carry both signatures.";
    secret::print(destination.previous_signing.as_ref(), PREVIOUS, about, page);
    page.raw("timeout", &page::duration(settings.timeout), "How long one try may take.");
    let plain = if settings.plain_http { "true" } else { "false" };
    page.raw("plain_http", plain, "Allow http:// to other machines: inside a mesh that encrypts by itself.");
}
