//! The demo: a made-up platform through the real pipeline.

use super::{Demo, Failure};

/// Runs the demo until it is stopped.
pub(super) async fn run(_arguments: &Demo) -> Result<(), Failure> {
    Err(Failure::Work(anyhow::anyhow!("the demo is not built yet")))
}
