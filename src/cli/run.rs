//! What each command does.

use std::path::Path;

use anyhow::Context;
use defray_pricing::book::{PriceBook, Problem};

use super::{
    Check, Cli, Command, ConfigFile, Failure, Logging, PrintConfig, backfill, close, db, demo, estimate,
    explain, output, periods, price, push, report, restate,
};
use crate::app::{self, App, NotStarted, Setup};
use crate::clock::Clock;
use crate::collect::Finding;
use crate::config::{Config, Environment, LOG_VARIABLE, Log};
use crate::supervise::Ended;
use crate::telemetry::{DEFAULT_LOG_FILTER, LogFormat, log_to_stderr};

impl From<NotStarted> for Failure {
    fn from(not: NotStarted) -> Self {
        match not {
            NotStarted::Problems(problems) => Self::Problems(problems),
            NotStarted::Work(error) => Self::Work(error),
        }
    }
}

impl From<Vec<Problem>> for Failure {
    fn from(problems: Vec<Problem>) -> Self {
        Self::Problems(problems)
    }
}

impl From<Ended> for Failure {
    fn from(ended: Ended) -> Self {
        Self::Work(anyhow::Error::new(ended))
    }
}

/// Runs a command to its end.
pub(super) fn run(cli: Cli) -> Result<(), Failure> {
    let Cli { logging, command } = cli;
    match command {
        Command::Serve(file) => serve(&logging, &file),
        Command::Check(arguments) => check(&logging, &arguments),
        Command::Report(arguments) => {
            let config = arguments.from.config.as_deref().map(load).transpose()?;
            log(&logging, config.as_ref(), "warn")?;
            wait(report::run(&arguments, config.as_ref()))
        }
        Command::Estimate(arguments) => {
            let config = arguments.from.config.as_deref().map(load).transpose()?;
            log(&logging, config.as_ref(), "warn")?;
            wait(estimate::run(&arguments, config.as_ref()))
        }
        Command::Explain(arguments) => {
            let config = arguments.from.config.as_deref().map(load).transpose()?;
            log(&logging, config.as_ref(), "warn")?;
            wait(explain::run(&arguments, config.as_ref()))
        }
        Command::Price(command) => {
            let config = command.config().map(load).transpose()?;
            log(&logging, config.as_ref(), "warn")?;
            wait(price::run(&command, config.as_ref()))
        }
        Command::Db(command) => {
            let config = command.source().config.as_deref().map(load).transpose()?;
            let other = command.other().map(load).transpose()?;
            log(&logging, config.as_ref(), "warn")?;
            wait(db::run(&command, config.as_ref(), other.as_ref()))
        }
        Command::Close(arguments) => {
            let config = load(&arguments.config.config)?;
            log(&logging, Some(&config), "warn")?;
            wait(close::run(&arguments, config))
        }
        Command::Restate(arguments) => {
            let config = load(&arguments.config.config)?;
            log(&logging, Some(&config), "warn")?;
            wait(restate::run(&arguments, config))
        }
        Command::Periods(arguments) => {
            let config = arguments.from.config.as_deref().map(load).transpose()?;
            log(&logging, config.as_ref(), "warn")?;
            wait(periods::run(&arguments, config.as_ref()))
        }
        Command::Push(file) => {
            let config = load(&file.config)?;
            log(&logging, Some(&config), "warn")?;
            wait(push::run(&config))
        }
        Command::Backfill(arguments) => {
            let config = load(&arguments.config.config)?;
            log(&logging, Some(&config), "error")?;
            wait(backfill::run(&arguments, &config))
        }
        Command::PrintConfig(arguments) => print_config(&arguments),
        Command::Demo(arguments) => {
            log(&logging, None, "warn,defray=info")?;
            wait(demo::run(&arguments))
        }
    }
}

fn serve(logging: &Logging, file: &ConfigFile) -> Result<(), Failure> {
    let config = load(&file.config)?;
    log(logging, Some(&config), DEFAULT_LOG_FILTER)?;
    let setup = Setup::of(config).map_err(Failure::Usage)?;
    wait(async {
        let app = App::build(setup).await?;
        let address = app.address()?;
        app.supervisor().listen_for_signals().context("listening for signals")?;
        tracing::info!(http.address = %address, version = env!("CARGO_PKG_VERSION"), "serving");
        Ok(app.run().await?)
    })
}

fn check(logging: &Logging, arguments: &Check) -> Result<(), Failure> {
    let config = load(&arguments.config.config)?;
    log(logging, Some(&config), "warn")?;
    let (book, _) = config.read_price_book()?;
    let written = output::to_stdout(|out| Ok(out.write_all(in_order(&config, &book).as_bytes())?));
    output::after(written, Ok(()))?;
    if arguments.offline {
        return Ok(());
    }
    let findings = wait(async { Ok(app::check(&config, &Clock::wall()).await) })?;
    let written = output::to_stdout(|out| {
        for finding in &findings {
            out.write_all(line(finding).as_bytes())?;
        }
        Ok(())
    });
    let (all, wrong) = (findings.len(), findings.iter().filter(|finding| !finding.ok).count());
    let verdict = match wrong {
        0 => Ok(()),
        _ => Err(Failure::Work(anyhow::anyhow!(
            "{wrong} of {all} things are not as they must be; each says how to mend it"
        ))),
    };
    output::after(written, verdict)
}

/// What the files say, in words.
fn in_order(config: &Config, book: &PriceBook) -> String {
    let editions: Vec<String> = book
        .editions
        .iter()
        .map(|edition| format!("{} from {}", edition.version, edition.effective_from))
        .collect();
    format!(
        "ok    configuration: {} cluster(s), months in {}\nok    price book: {} ({})\n",
        config.clusters.len(),
        config.billing.zone.name(),
        editions.join(", "),
        book.currency
    )
}

fn line(finding: &Finding) -> String {
    let sign = if finding.ok { "ok   " } else { "WRONG" };
    let mend = finding.mend.as_ref().map(|mend| format!("\n      mend: {mend}")).unwrap_or_default();
    format!("{sign} {}: {}{mend}\n", finding.subject, finding.message)
}

fn print_config(arguments: &PrintConfig) -> Result<(), Failure> {
    let config = match &arguments.config {
        Some(path) => load(path)?,
        None => Config::example()?,
    };
    Ok(output::to_stdout(|out| Ok(out.write_all(config.print().as_bytes())?))?)
}

fn load(path: &Path) -> Result<Config, Failure> {
    Ok(Config::load(path, &Environment::process())?)
}

/// The command line goes before the configuration, that before the environment, that before the default.
fn log(logging: &Logging, config: Option<&Config>, default: &str) -> Result<(), Failure> {
    let configured = config.map_or_else(Log::default, |config| config.log.clone());
    let variable = Environment::process().get(LOG_VARIABLE);
    let filter = logging.log.clone().or(configured.filter).or(variable);
    let format = match logging.log_format {
        LogFormat::Auto => configured.format,
        chosen => chosen,
    };
    log_to_stderr(format, filter.as_deref().unwrap_or(default)).map_err(|error| Failure::Usage(error.into()))
}

/// Runs asynchronous work to its end. What still runs on other threads then is left behind, so that a
/// second signal really ends the program at once.
pub(super) fn wait<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("starting the asynchronous runtime")
        .map_err(Failure::Work)?;
    let result = runtime.block_on(work);
    runtime.shutdown_background();
    result
}
