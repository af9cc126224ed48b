//! Closes a month: by the daemon that holds the ledger, else by itself.

use std::time::Duration;

use anyhow::Context;
use defray_ledger::{ClosedHow, ClosedMonth, Ledger, OpenError, Scope};
use defray_pricing::time::Period;
use serde_json::{Value, json};

use super::{Close, Failure, daemon, output};
use crate::app;
use crate::closing::{Look, Order};
use crate::config::{Config, Environment};
use crate::jobs::CloseKeeper;

/// How long is waited for what goes away by itself, and how long between two looks.
const PATIENCE: Duration = Duration::from_mins(3);
const PAUSE: Duration = Duration::from_secs(3);

/// Closes, or says what is in the way.
pub(super) async fn run(arguments: &Close, config: Config) -> Result<(), Failure> {
    match holder(&config).await? {
        Holder::Daemon(reason) => {
            by_daemon(arguments, &config).await.with_context(|| reason).map_err(Failure::Work)?
        }
        Holder::Nobody(ledger) => {
            app::refuse_demo(&ledger, &config.ledger.location.to_string()).await?;
            let (book, sources) = config.read_price_book()?;
            let keeper = app::keeper(&config, ledger.clone(), book, &sources).await?;
            let result = alone(arguments, &keeper).await;
            ledger.close().await;
            result?
        }
    }
    .say()
}

/// What came of it.
enum Came {
    To(String),
    /// Nothing was written: what is in the way.
    Nothing(Vec<String>),
}

impl Came {
    fn say(self) -> Result<(), Failure> {
        let (text, failed) = match self {
            Self::To(text) => (text, false),
            Self::Nothing(obstacles) if obstacles.is_empty() => ("nothing is in the way\n".to_owned(), false),
            Self::Nothing(obstacles) => {
                let lines: Vec<String> =
                    obstacles.iter().map(|told| format!("in the way: {told}\n")).collect();
                (lines.concat(), true)
            }
        };
        output::to_stdout(|out| Ok(out.write_all(text.as_bytes())?))?;
        if failed { Err(Failure::Reported) } else { Ok(()) }
    }
}

/// Who holds the ledger of a configuration.
pub(super) enum Holder {
    /// Somebody else, most likely the daemon of this configuration; and why that is thought.
    Daemon(String),
    /// Nobody: it is ours to write.
    Nobody(Ledger),
}

/// A ledger in a database is held by nobody but whoever writes it: the daemon is asked first, because taking over
/// would stop it.
pub(super) async fn holder(config: &Config) -> Result<Holder, Failure> {
    let location = &config.ledger.location;
    if location.is_shared() && daemon::answers(config).await {
        return Ok(Holder::Daemon("asking the daemon".to_owned()));
    }
    match Ledger::open_existing(location).await {
        Ok(ledger) => Ok(Holder::Nobody(ledger)),
        Err(locked @ OpenError::Locked { .. }) => Ok(Holder::Daemon(locked.to_string())),
        Err(error) => {
            Err(Failure::Work(anyhow::Error::new(error).context(format!("opening the ledger at {location}"))))
        }
    }
}

/// Who runs this, for what is remembered of it.
pub(super) fn user() -> String {
    let environment = Environment::process();
    let named = ["USER", "LOGNAME"].into_iter().find_map(|name| environment.get(name));
    named.filter(|name| !name.is_empty()).unwrap_or_else(|| {
        let me = std::fs::metadata("/proc/self").ok();
        let uid = me.map(|me| std::os::unix::fs::MetadataExt::uid(&me));
        uid.map_or_else(|| "somebody".to_owned(), |uid| format!("uid {uid}"))
    })
}

async fn by_daemon(arguments: &Close, config: &Config) -> anyhow::Result<Came> {
    let path = format!("/api/v1/periods/{}/close", arguments.period);
    let mut body = json!({ "by": user(), "force": arguments.force });
    if let (Some(reason), Some(body)) = (&arguments.reason, body.as_object_mut()) {
        body.insert("reason".to_owned(), json!(reason));
    }
    let mut looking = body.clone();
    looking["dry_run"] = json!(true);
    let mut waited = Duration::ZERO;
    loop {
        if arguments.dry_run {
            let obstacles = told(config, &path, &looking).await?;
            let obstacles = obstacles.into_iter().map(|(text, _)| text).collect();
            return Ok(Came::Nothing(obstacles));
        }
        let answer = daemon::ask(config, &path, &body).await?;
        let refusal = match answer.said {
            Ok(version) => return Ok(Came::To(in_words(&version))),
            Err(refusal) => refusal,
        };
        if refusal.parts.is_empty() {
            anyhow::bail!("the daemon at {} did not close it: {}", answer.address, refusal.detail);
        }
        let passes = told(config, &path, &looking).await?.iter().all(|(_, passes)| *passes);
        if !passes || waited >= PATIENCE {
            let obstacles = refusal.parts.into_iter().map(|(_, reason)| reason).collect();
            return Ok(Came::Nothing(obstacles));
        }
        tokio::time::sleep(PAUSE).await;
        waited += PAUSE;
    }
}

/// What is in the way, and whether each goes away by itself.
async fn told(config: &Config, path: &str, body: &Value) -> anyhow::Result<Vec<(String, bool)>> {
    let answer = daemon::ask(config, path, body).await?;
    let said = answer.said.map_err(|refusal| {
        anyhow::anyhow!("the daemon at {} did not look: {}", answer.address, refusal.detail)
    })?;
    let obstacles = said["obstacles"].as_array().cloned().unwrap_or_default();
    let told = |told: &Value| {
        (told["detail"].as_str().unwrap_or_default().to_owned(), told["passes"].as_bool() == Some(true))
    };
    Ok(obstacles.iter().map(told).collect())
}

async fn alone(arguments: &Close, keeper: &CloseKeeper) -> Result<Came, Failure> {
    let (closer, period) = (&keeper.closer, arguments.period);
    if arguments.dry_run {
        let Look { obstacles, .. } = closer.look(period).await.map_err(anyhow::Error::from)?;
        let obstacles = obstacles.iter().map(ToString::to_string).collect();
        return Ok(Came::Nothing(obstacles));
    }
    // Nothing is asked of a metrics store for a month that cannot be closed anyway.
    let Look { month, obstacles } = closer.look(period).await.map_err(anyhow::Error::from)?;
    if month.is_some() && obstacles.iter().all(|obstacle| obstacle.passes() || obstacle.can_be_forced()) {
        keeper.measure_again(period).await.context("measuring again what has to be")?;
    }
    let order = Order { by: user(), how: ClosedHow::Hand, forced: arguments.reason.clone() };
    match closer.close(period, order).await {
        Ok(version) => Ok(Came::To(closed_in_words(&closer.rerate.ledger, &version).await?)),
        Err(crate::closing::NotClosed::InTheWay { obstacles, .. }) => {
            let obstacles = obstacles.iter().map(ToString::to_string).collect();
            Ok(Came::Nothing(obstacles))
        }
        Err(error) => Err(Failure::Work(error.into())),
    }
}

/// A version as the interface tells it.
pub(super) fn in_words(version: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let files = version["files"].as_array().into_iter().flatten();
    let files: Vec<(String, String)> =
        files.map(|file| (text(&file["name"]), text(&file["sha256"]))).collect();
    let number = version["version"].as_u64().unwrap_or_default();
    let amount = format!("{} {}", text(&version["amount"]), text(&version["currency"]));
    words((&text(&version["period"]), number), &amount, &text(&version["digest"]), &files)
}

/// The same of what was closed here.
pub(super) async fn closed_in_words(ledger: &Ledger, closed: &ClosedMonth) -> anyhow::Result<String> {
    let everything = Scope::everything();
    let files = ledger.close_files(&everything, closed).await.context("reading the files")?;
    let files: Vec<(String, String)> =
        files.into_iter().map(|file| (file.name, hex::encode(file.sha256))).collect();
    let currency = ledger.month_currency(&everything, closed.period, closed.version).await?;
    let amount = match (closed.total, currency) {
        (Some(total), Some(currency)) => format!("{} {currency}", total.format(currency.exponent())),
        _ => String::new(),
    };
    let period: Period = closed.period;
    Ok(words((&period.to_string(), closed.version.into()), &amount, &closed.digest.to_string(), &files))
}

fn words(version: (&str, u64), amount: &str, digest: &str, files: &[(String, String)]) -> String {
    let (period, number) = version;
    let state = if number == 1 { "closed" } else { "restated" };
    let files: Vec<String> =
        files.iter().map(|(name, sha256)| format!("sha256 {sha256}  {name}\n")).collect();
    format!("{period} is {state}: version {number}, {amount}\ndigest {digest}\n{}", files.concat())
}
