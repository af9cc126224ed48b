//! What the commands about months that close take.

use clap::Args;
use defray_pricing::time::Period;

use super::{ConfigFile, DiffFormat, ReportSource};

#[derive(Debug, Args)]
pub(super) struct Close {
    /// The billing period, such as 2026-10
    #[arg(value_name = "YYYY-MM")]
    pub(super) period: Period,
    #[command(flatten)]
    pub(super) config: ConfigFile,
    /// Only say what is in the way
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Even though hours are missing or could not be measured again
    #[arg(long, requires = "reason")]
    pub(super) force: bool,
    /// Why it is forced: kept with the month
    #[arg(long, value_name = "TEXT", requires = "force")]
    pub(super) reason: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Restate {
    /// The billing period, such as 2026-10
    #[arg(value_name = "YYYY-MM")]
    pub(super) period: Period,
    #[command(flatten)]
    pub(super) config: ConfigFile,
    /// Write what is shown
    #[arg(long, requires = "reason")]
    pub(super) yes: bool,
    /// Why: kept with the version
    #[arg(long, value_name = "TEXT")]
    pub(super) reason: Option<String>,
    /// How the plan is shown
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: DiffFormat,
}

#[derive(Debug, Args)]
pub(super) struct Periods {
    #[command(flatten)]
    pub(super) from: ReportSource,
    /// The billing time zone the ledger was written in, where no configuration says so
    #[arg(long, value_name = "ZONE", default_value = "UTC", conflicts_with = "config")]
    pub(super) time_zone: String,
}
