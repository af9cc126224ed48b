//! Shows what a restatement would change, and writes just that.

use anyhow::Context;
use defray_ledger::{ClosedHow, LedgerError};
use defray_pricing::digest::Digest;
use defray_pricing::time::Period;
use defray_reports::price_diff;
use serde_json::json;

use super::close::{Holder, closed_in_words, holder, in_words, user};
use super::stored::Stored;
use super::{DiffFormat, Failure, ReportSource, Restate, daemon, output};
use crate::app;
use crate::closing::{NotClosed, Order, Restatement};
use crate::config::Config;

/// Plans, shows, and writes if that is wanted.
pub(super) async fn run(arguments: &Restate, config: Config) -> Result<(), Failure> {
    let (book, sources) = config.read_price_book()?;
    let from = ReportSource { config: Some(arguments.config.config.clone()), data: None };
    let stored = Stored::open(&from, Some(&config)).await?;
    let (rerate, demo) = (stored.rerate.clone(), stored.demo);
    let looked = async {
        let closer = app::onlooker(rerate, book.clone(), demo)?;
        let planned = closer.plan(arguments.period).await.map_err(|error| Failure::Work(error.into()))?;
        show(&planned, arguments, demo)?;
        Ok((planned.plan, planned.diff.statements.iter().all(|statement| statement.lines.is_empty())))
    };
    let result = looked.await;
    let (plan, says_the_same) = stored.close(result).await?;
    if !arguments.yes {
        return Ok(());
    }
    if says_the_same {
        return Err(Failure::Work(LedgerError::NothingToRestate(arguments.period).into()));
    }
    let reason = arguments.reason.clone().unwrap_or_default();
    let said = match holder(&config).await? {
        Holder::Daemon(why) => by_daemon(&config, arguments.period, plan, &reason).await.context(why)?,
        Holder::Nobody(ledger) => {
            app::refuse_demo(&ledger, &config.ledger.location.to_string()).await?;
            let keeper = app::keeper(&config, ledger.clone(), book, &sources).await?;
            let order = Order { by: user(), how: ClosedHow::Hand, forced: None };
            let restated = keeper.closer.restate(arguments.period, plan, &reason, order).await;
            let said = match restated.map_err(told) {
                Ok(restated) => closed_in_words(&ledger, &restated).await,
                Err(error) => Err(error),
            };
            ledger.close().await;
            said?
        }
    };
    Ok(output::to_stdout(|out| Ok(out.write_all(said.as_bytes())?))?)
}

fn told(not: NotClosed) -> anyhow::Error {
    anyhow::Error::from(not)
}

fn show(planned: &Restatement, arguments: &Restate, demo: bool) -> anyhow::Result<()> {
    let shown = planned.shown(demo);
    let next = planned.base.version.saturating_add(1);
    output::to_stdout(|out| {
        let mark = if arguments.format == DiffFormat::Markdown { "**" } else { "" };
        if arguments.format != DiffFormat::Json {
            let period = arguments.period;
            writeln!(
                out,
                "{mark}Restatement of {period}: what version {next} would change in version {}{mark}\n",
                planned.base.version
            )?;
            for waited in &planned.waited {
                writeln!(
                    out,
                    "- waited for it: {} of {}, {}",
                    waited.item_on_statement(),
                    waited.date,
                    waited.amount
                )?;
            }
        }
        match arguments.format {
            DiffFormat::Text => price_diff::text(&shown, out),
            DiffFormat::Markdown => price_diff::markdown(&shown, out),
            DiffFormat::Json => price_diff::json(&shown, out),
        }
        .context("writing the plan")
    })
}

async fn by_daemon(config: &Config, period: Period, plan: Digest, reason: &str) -> anyhow::Result<String> {
    let body = json!({ "plan": plan, "reason": reason, "by": user() });
    let answer = daemon::ask(config, &format!("/api/v1/periods/{period}/restate"), &body).await?;
    let version = answer.said.map_err(|refusal| {
        anyhow::anyhow!("the daemon at {} did not restate it: {}", answer.address, refusal.detail)
    })?;
    Ok(in_words(&version))
}
