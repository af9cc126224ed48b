//! Why a tenant pays what it pays.

use anyhow::Context;
use defray_reports::{explanation, has_words};

use super::price::failure;
use super::stored::Stored;
use super::{Explain, Failure, TextFormat, output};
use crate::config::Config;
use crate::rerate::Question;

/// Explains and writes it.
pub(super) async fn run(arguments: &Explain, config: Option<&Config>) -> Result<(), Failure> {
    let stored = Stored::open(&arguments.from, config).await?;
    let result = show(arguments, &stored).await;
    stored.close(result).await
}

async fn show(arguments: &Explain, stored: &Stored) -> Result<(), Failure> {
    let month = stored.rerate.stored(arguments.period).await.map_err(failure)?;
    let question = Question {
        tenant: arguments.tenant.as_str().into(),
        cost_center: arguments.cost_center.as_deref().map(Into::into),
        by_hour: arguments.hours,
    };
    let words = arguments.line.as_deref().unwrap_or_default();
    let explanation = stored.rerate.explain(&month, question, |line| has_words(line, words)).await;
    let explanation = explanation.map_err(failure)?;
    if explanation.statements.is_empty() {
        let (tenant, period) = (&arguments.tenant, arguments.period);
        let cost_center = arguments.cost_center.as_deref().unwrap_or_default();
        let why = anyhow::anyhow!("the tenant `{tenant}` has no statement on `{cost_center}` in {period}");
        return Err(Failure::Work(why));
    }
    if let Some(why) = explanation::no_such_line(&explanation, words) {
        return Err(Failure::Work(anyhow::anyhow!(why)));
    }
    let shown = explanation::Explained { explanation, of_stored: month.current, demo: stored.demo };
    output::to_stdout(|out| {
        match arguments.format {
            TextFormat::Text => explanation::text(&shown, out),
            TextFormat::Json => explanation::json(&shown, out),
        }
        .context("writing the explanation")
    })?;
    Ok(())
}
