//! What each command does.

use super::{Cli, Command, Failure};

/// Runs a command to its end.
pub(super) fn run(cli: Cli) -> Result<(), Failure> {
    crate::telemetry::log_to_stderr(
        cli.logging.log_format,
        cli.logging.log.as_deref().unwrap_or(crate::telemetry::DEFAULT_LOG_FILTER),
    )
    .map_err(|error| Failure::Usage(error.into()))?;
    match cli.command {
        command => Err(Failure::Work(anyhow::anyhow!("this command is not built yet: {command:?}"))),
    }
}
