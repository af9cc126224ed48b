//! Measures past hours by hand, while no daemon does it, and tells how far the daemon is if one does.

use std::collections::BTreeSet;
use std::io::IsTerminal as _;
use std::time::Duration;

use anyhow::Context;
use chrono::TimeDelta;
use clap::Args;
use defray_ledger::{Ledger, OpenError};
use defray_pricing::time::{Hour, HourRange};

use super::{ConfigFile, Failure, daemon, output};
use crate::app::{self, Backfill, Progress, Wanted};
use crate::clock::Clock;
use crate::config::Config;
use crate::jobs::Shared;
use crate::supervise::Supervisor;
use crate::telemetry::Telemetry;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) config: ConfigFile,
    /// The first hour [default: the first that counts]
    #[arg(long, value_name = "HOUR")]
    pub(super) since: Option<Hour>,
    /// The first hour that is not wanted any more [default: now]
    #[arg(long, value_name = "HOUR")]
    pub(super) until: Option<Hour>,
    /// Only this cluster
    #[arg(long, value_name = "NAME")]
    pub(super) cluster: Option<String>,
}

/// How many hours are measured to tell how long all of them will take.
const TRIED: usize = 6;
/// How often it is said how far it is: to a person, and to a log.
const TO_A_PERSON: Duration = Duration::from_secs(1);
const TO_A_LOG: Duration = Duration::from_mins(1);

/// Measures, or tells how far the daemon is.
pub(super) async fn run(arguments: &Arguments, config: &Config) -> Result<(), Failure> {
    let wanted = wanted(arguments, config).map_err(Failure::Usage)?;
    let location = &config.ledger.location;
    // Taking over the right to write would stop a daemon that shares the database.
    if location.is_shared() && daemon::answers(config).await {
        return beside(config, &wanted).await;
    }
    let ledger = match Ledger::open(location).await {
        Ok(ledger) => ledger,
        Err(OpenError::Locked { .. }) => return beside(config, &wanted).await,
        Err(error) => {
            let error = anyhow::Error::new(error).context(format!("opening the ledger at {location}"));
            return Err(Failure::Work(error));
        }
    };
    let done = alone(config, &wanted, &ledger).await;
    ledger.close().await;
    done
}

fn wanted(arguments: &Arguments, config: &Config) -> anyhow::Result<Wanted> {
    let is_named = |name: &str| arguments.cluster.as_deref().is_none_or(|wanted| wanted == name);
    let clusters: Vec<_> = config.clusters.iter().filter(|cluster| is_named(cluster.name.as_str())).collect();
    if let Some(name) = arguments.cluster.as_deref().filter(|_| clusters.is_empty()) {
        anyhow::bail!("the configuration has no cluster {name}");
    }
    if let Some(since) = arguments.since {
        for cluster in &clusters {
            let counts = config.counts(cluster).since;
            anyhow::ensure!(
                counts.is_some_and(|counts| counts <= since),
                "hours of {} count from {} on; for earlier ones set `since: {since}` under `history` in the \
                 configuration, or in the cluster",
                cluster.name,
                counts.map_or("its first observation".to_owned(), |counts| counts.to_string())
            );
        }
    }
    let from = arguments.since.unwrap_or(Hour::from_index(0));
    let until = arguments.until.unwrap_or(Hour::containing(Clock::wall().now()));
    anyhow::ensure!(from < until, "there is no hour from {from} until {until}");
    let clusters: BTreeSet<_> = clusters.into_iter().map(|cluster| cluster.name.clone()).collect();
    Ok(Wanted { clusters, hours: HourRange { from, until } })
}

/// While a daemon holds the ledger it measures, not we.
async fn beside(config: &Config, wanted: &Wanted) -> Result<(), Failure> {
    let location = &config.ledger.location;
    let ledger = Ledger::open_beside(location).await;
    let ledger = ledger.with_context(|| format!("opening the ledger at {location}"))?;
    let progress = app::progress(config, &ledger, &Clock::wall(), wanted).await;
    ledger.close().await;
    let progress = progress?;
    Ok(output::to_stdout(|out| {
        writeln!(out, "a daemon holds the ledger and measures past hours by itself: {}", told(&progress))?;
        writeln!(out, "it begins at `history.since` and spares the metrics store by `history.pause`")?;
        Ok(why(&progress).map_or(Ok(()), |why| writeln!(out, "{why}"))?)
    })?)
}

async fn alone(config: &Config, wanted: &Wanted, ledger: &Ledger) -> Result<(), Failure> {
    app::refuse_demo(ledger, &config.ledger.location.to_string()).await?;
    let guard = ledger.acquire().await.context("taking over the right to write the ledger")?;
    let supervisor = Supervisor::new();
    supervisor.listen_for_signals().context("listening for signals")?;
    let (clock, metrics) = (Clock::wall(), Telemetry::new().metrics);
    let stopping = supervisor.stopping();
    let shared = Shared { ledger: ledger.clone(), guard, clock: clock.clone(), metrics, supervisor };
    let backfill = Backfill::new(config, &shared, wanted)?;
    backfill.prepare().await?;
    let before = app::progress(config, ledger, &clock, wanted).await?;
    tell(&format!("{} to begin with", told(&before)))?;
    if let Some(first) = first(&before) {
        let began = clock.now();
        backfill.measure(first).await?;
        let tried = app::progress(config, ledger, &clock, wanted).await?;
        let each = Rate { done: done(&before, &tried), took: clock.now() - began };
        tell(&format!(
            "{}: {}; it may be stopped at any time, and goes on where it was",
            each,
            each.left(&tried)
        ))?;
        let watching = watch(config, ledger, &clock, wanted, &tried);
        tokio::select! {
            measured = backfill.measure(wanted.hours) => measured?,
            failed = watching => failed?,
        }
        if std::io::stderr().is_terminal() {
            tell("")?;
        }
    }
    let after = app::progress(config, ledger, &clock, wanted).await?;
    output::to_stdout(|out| {
        writeln!(out, "{}", told(&after))?;
        Ok(why(&after).map_or(Ok(()), |why| writeln!(out, "{why}"))?)
    })?;
    if after.missing() > 0 {
        let stopped = if stopping.is_cancelled() { "stopped" } else { "not all could be measured" };
        let mend = "run it again, or let the daemon go on";
        return Err(Failure::Work(anyhow::anyhow!(
            "{stopped}: {} hours are missing; {mend}",
            after.missing()
        )));
    }
    Ok(())
}

/// The oldest hours that are missing, a few.
fn first(progress: &Progress) -> Option<HourRange> {
    let mut missing: Vec<Hour> = progress.missing.values().flatten().copied().collect();
    missing.sort();
    let last = missing.get(TRIED.saturating_sub(1)).or(missing.last())?;
    Some(HourRange { from: *missing.first()?, until: last.next() })
}

/// Says how far it is, again and again.
async fn watch(
    config: &Config,
    ledger: &Ledger,
    clock: &Clock,
    wanted: &Wanted,
    begun: &Progress,
) -> anyhow::Result<()> {
    let (since, is_person) = (clock.now(), std::io::stderr().is_terminal());
    loop {
        tokio::time::sleep(if is_person { TO_A_PERSON } else { TO_A_LOG }).await;
        let progress = app::progress(config, ledger, clock, wanted).await?;
        let rate = Rate { done: done(begun, &progress), took: clock.now() - since };
        let line = format!("{}; {}", told(&progress), rate.left(&progress));
        if is_person {
            // Over the line before it, and what was longer of that is wiped.
            output::to_stderr(&format!("\r\x1b[2K{line}"))?;
        } else {
            tell(&line)?;
        }
    }
}

fn tell(line: &str) -> anyhow::Result<()> {
    output::to_stderr(&format!("{line}\n"))
}

fn told(progress: &Progress) -> String {
    let (recorded, missing, lost) = (progress.recorded, progress.missing(), progress.lost);
    format!("{recorded} hours recorded, {missing} missing, {lost} lost")
}

/// Why the first of the missing hours is missing.
fn why(progress: &Progress) -> Option<String> {
    let note = progress.notes.iter().find(|note| note.lost_since.is_none())?;
    Some(format!("{} of {}: {}; it is tried next at {}", note.hour, note.cluster, note.reason, note.next_try))
}

fn done(before: &Progress, after: &Progress) -> usize {
    before.missing().saturating_sub(after.missing())
}

/// How fast hours are measured.
struct Rate {
    done: usize,
    took: TimeDelta,
}

impl Rate {
    /// How long the missing hours will take.
    fn left(&self, progress: &Progress) -> String {
        let each =
            i64::try_from(self.done).ok().and_then(|done| self.took.num_milliseconds().checked_div(done));
        let all = each.zip(i64::try_from(progress.missing()).ok()).and_then(|(each, n)| each.checked_mul(n));
        match all.and_then(TimeDelta::try_milliseconds) {
            Some(left) => format!("about {} to go", span(left)),
            None => "how long it will take is not known".to_owned(),
        }
    }
}

impl std::fmt::Display for Rate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} hours measured in {}", self.done, span(self.took))
    }
}

fn span(time: TimeDelta) -> String {
    match (time.num_hours(), time.num_minutes() % 60, time.num_seconds() % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_follows_from_what_was_measured() {
        let mut progress = Progress::default();
        let hours = (0..8760).map(Hour::from_index).collect();
        progress.missing.insert("c".into(), hours);
        let rate = |done, seconds| Rate { done, took: TimeDelta::seconds(seconds) };
        assert_eq!(rate(6, 12).left(&progress), "about 4 h 52 min to go");
        assert_eq!(rate(0, 12).left(&progress), "how long it will take is not known");
        assert_eq!(first(&progress).map(HourRange::len), Some(6));
        assert_eq!(first(&Progress::default()), None);
        assert_eq!([5, 65, 7265].map(|s| span(TimeDelta::seconds(s))), ["5 s", "1 min 5 s", "2 h 1 min"]);
    }
}
