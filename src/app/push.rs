//! Ties the destinations of the configuration to what pushes.

use std::time::Duration;

use crate::config::Config;
use crate::jobs::Shared;
use crate::push::{Pusher, Settings};

/// What pushes to the destinations of a configuration. `every` is how long a report of an open period stays
/// as it is.
pub fn pusher(config: &Config, every: Duration, demo: bool, shared: &Shared) -> anyhow::Result<Pusher> {
    let settings = Settings {
        source: config.billing.report_name.clone(),
        zone: config.billing.zone,
        open_interval: every,
        demo,
        sinks: config.push.webhooks.iter().map(|webhook| webhook.settings.clone()).collect(),
    };
    let Shared { ledger, guard, clock, metrics, supervisor } = shared.clone();
    Pusher::new(settings, ledger, guard, clock, metrics, supervisor.stopping()).map_err(|problems| {
        let list: Vec<String> = problems.iter().map(ToString::to_string).collect();
        anyhow::anyhow!("push.webhooks: {}", list.join("; "))
    })
}
