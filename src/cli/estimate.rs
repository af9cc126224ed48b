//! What a proposed tenant would cost.

use std::path::Path;

use anyhow::Context;
use defray_pricing::book::{PriceBook, Problem};
use defray_pricing::estimate::Proposal;
use defray_reports::estimation;

use super::price::failure;
use super::stored::Stored;
use super::{Estimate, Failure, TextFormat, output};
use crate::config::Config;
use crate::rerate::Wishes;

/// Estimates and writes it.
pub(super) async fn run(arguments: &Estimate, config: Option<&Config>) -> Result<(), Failure> {
    let text = read(&arguments.file)?;
    let stored = Stored::open(&arguments.from, config).await?;
    let result = estimate(arguments, &stored, &text, config).await;
    stored.close(result).await
}

/// The file, whatever is in it.
fn read(file: &Path) -> Result<String, Failure> {
    let name = file.display().to_string();
    let refuse = |message: String, mend: &str| {
        let (file, mend) = (name.clone(), mend.to_owned());
        Failure::Problems(vec![Problem {
            file,
            line: None,
            column: None,
            path: String::new(),
            message,
            mend,
        }])
    };
    let text = std::fs::read_to_string(file)
        .map_err(|error| refuse(format!("cannot be read: {error}"), "name the file that holds the Tenant"))?;
    if text.len() > Proposal::MOST_BYTES {
        let message =
            format!("is {} bytes long, more than the {} of a Tenant", text.len(), Proposal::MOST_BYTES);
        return Err(refuse(message, "give the Tenant alone"));
    }
    Ok(text)
}

async fn estimate(
    arguments: &Estimate,
    stored: &Stored,
    text: &str,
    config: Option<&Config>,
) -> Result<(), Failure> {
    let form = stored.rerate.ground.form(arguments.cluster.as_deref()).map_err(failure)?;
    let proposal = Proposal::parse(&arguments.file.display().to_string(), text, &form)?;
    let in_force = config.map(Config::read_price_book).transpose()?.map(|(book, _)| book);
    show(arguments, stored, proposal, in_force.as_ref()).await
}

async fn show(
    arguments: &Estimate,
    stored: &Stored,
    proposal: Proposal,
    in_force: Option<&PriceBook>,
) -> Result<(), Failure> {
    let wishes = Wishes {
        period: arguments.period,
        cluster: arguments.cluster.clone(),
        pool: arguments.pool.clone(),
        instance_type: arguments.instance_type.clone(),
        shared_pool: arguments.shared_pool.clone(),
        storage_class: arguments.storage_class.clone(),
    };
    let estimate = stored.rerate.estimate(proposal, &wishes, in_force).await.map_err(failure)?;
    output::to_stdout(|out| {
        match arguments.format {
            TextFormat::Text => estimation::text(&estimate, stored.demo, out),
            TextFormat::Json => estimation::json(&estimate, stored.demo, out),
        }
        .context("writing the estimate")
    })?;
    Ok(())
}
