//! Ties the destinations of the configuration to what pushes.

use crate::config::Config;
use crate::jobs::Shared;
use crate::push::{Pusher, Settings};

/// What pushes to the destinations of a configuration.
pub fn pusher(config: &Config, demo: bool, shared: &Shared) -> anyhow::Result<Pusher> {
    let settings = Settings {
        source: config.billing.report_name.clone(),
        zone: config.billing.zone,
        daily_at: config.push.daily_at,
        demo,
        sinks: config.push.webhooks.iter().map(|webhook| webhook.settings.clone()).collect(),
    };
    let Shared { ledger, guard, clock, metrics, supervisor } = shared.clone();
    Pusher::new(settings, ledger, guard, clock, metrics, supervisor.stopping()).map_err(|problems| {
        let list: Vec<String> = problems.iter().map(ToString::to_string).collect();
        anyhow::anyhow!("push.webhooks: {}", list.join("; "))
    })
}
