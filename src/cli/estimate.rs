//! What a proposed tenant would cost.

use anyhow::Context;
use defray_pricing::book::PriceBook;
use defray_pricing::estimate::Proposal;
use defray_reports::estimation;

use super::price::failure;
use super::stored::Stored;
use super::{Estimate, Failure, TextFormat, output};
use crate::config::{Config, read_sources};
use crate::rerate::Wishes;

/// Estimates and writes it.
pub(super) async fn run(arguments: &Estimate, config: Option<&Config>) -> Result<(), Failure> {
    let sources = read_sources(std::slice::from_ref(&arguments.file))?;
    let [source] = sources.as_slice() else {
        return Err(Failure::Usage(anyhow::anyhow!("name one file with one Tenant")));
    };
    let proposal = Proposal::parse(&source.name, &source.text)?;
    let stored = Stored::open(&arguments.from, config).await?;
    let in_force = config.map(Config::read_price_book).transpose()?.map(|(book, _)| book);
    let result = show(arguments, &stored, proposal, in_force.as_ref()).await;
    stored.close(result).await
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
