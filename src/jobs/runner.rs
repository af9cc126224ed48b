//! Runs a job on a tick and on demand, one run at a time, and shows how the last one went.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use defray_ledger::LedgerError;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::{Shared, seconds};
use crate::telemetry::{JobLabel, JobOutcome};

/// How long a run may go on when the daemon stops.
const GRACE: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 5 });

/// How long is waited at most after a run that failed, unless a job runs more seldom anyway.
const RETRY_MOST: Duration = Duration::from_mins(5);

/// Asks for a run now. Ringing it while a run is under way asks for one more after it.
#[derive(Debug, Clone, Default)]
pub struct Bell(Arc<Notify>);

impl Bell {
    /// A bell that nobody has rung.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks for a run.
    pub fn ring(&self) {
        self.0.notify_one();
    }

    /// Waits until somebody asks.
    pub async fn rung(&self) {
        self.0.notified().await;
    }
}

/// When a job runs.
#[derive(Debug, Clone)]
pub struct Job {
    /// Its name in logs and metrics.
    pub name: &'static str,
    /// How long after a run that went well.
    pub every: Duration,
    /// How long after one that failed, whoever asks; longer after each that follows it.
    pub retry: Duration,
    /// On demand.
    pub bell: Bell,
    /// Whether the daemon is not ready while its last run went wrong.
    pub essential: bool,
}

/// How the last run of a job went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastRun {
    /// When it ended.
    pub ended_at: DateTime<Utc>,
    /// What it did, or why it could not.
    pub outcome: Result<String, String>,
    /// When a run last went well.
    pub last_success: Option<DateTime<Utc>>,
}

/// The last result of every job, and which of them have to have gone well before the daemon is ready.
#[derive(Debug, Clone, Default)]
pub struct Board(Arc<watch::Sender<Entries>>);

type Entries = BTreeMap<&'static str, Entry>;

#[derive(Debug, Clone, Default)]
struct Entry {
    essential: bool,
    last: Option<LastRun>,
}

impl Board {
    /// Without jobs.
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on the daemon is not ready until the last run of this job went well.
    pub fn expect(&self, job: &'static str) {
        self.0.send_modify(|jobs| jobs.entry(job).or_default().essential = true);
    }

    /// The last result of each job.
    pub fn all(&self) -> BTreeMap<&'static str, Option<LastRun>> {
        self.0.borrow().iter().map(|(job, entry)| (*job, entry.last.clone())).collect()
    }

    /// Why the daemon is not ready, job by job; empty when it is.
    pub fn not_ready(&self) -> Vec<String> {
        reasons(&self.0.borrow())
    }

    /// The other jobs that went wrong last: the daemon does its work all the same. Only what comes before the
    /// first colon of a reason: readiness is open to everyone, and what follows may quote files and answers.
    pub fn warnings(&self) -> Vec<String> {
        let warning = |(job, entry): (&&'static str, &Entry)| match &entry.last.as_ref()?.outcome {
            Err(reason) if !entry.essential => {
                Some(format!("{job}: {}", reason.split(": ").next().unwrap_or_default()))
            }
            Ok(_) | Err(_) => None,
        };
        self.0.borrow().iter().filter_map(warning).collect()
    }

    /// Waits until the daemon is ready.
    pub async fn ready(&self) {
        let mut jobs = self.0.subscribe();
        // The board holds its own sender, so this cannot end early.
        let _open = jobs.wait_for(|jobs| reasons(jobs).is_empty()).await;
    }

    fn put(&self, job: &'static str, at: DateTime<Utc>, outcome: Result<String, String>) {
        self.0.send_modify(|jobs| {
            let entry = jobs.entry(job).or_default();
            let before = entry.last.as_ref().and_then(|last| last.last_success);
            let last_success = if outcome.is_ok() { Some(at) } else { before };
            entry.last = Some(LastRun { ended_at: at, outcome, last_success });
        });
    }
}

fn reasons(jobs: &Entries) -> Vec<String> {
    let reason = |(job, entry): (&&'static str, &Entry)| match entry.last.as_ref().map(|last| &last.outcome) {
        None => Some(format!("{job}: has not run yet")),
        Some(Err(reason)) => Some(format!("{job}: {reason}")),
        Some(Ok(_)) => None,
    };
    jobs.iter().filter(|(_, entry)| entry.essential).filter_map(reason).collect()
}

/// Runs a job until the daemon stops. A run says what it did, in words.
///
/// An error of a run is shown, counted and followed by another run, except where going on would do harm:
/// when somebody else writes the ledger, or when it is damaged.
pub async fn drive<Run, Doing>(
    job: Job,
    board: Board,
    shared: Shared,
    stop: CancellationToken,
    run: Run,
) -> anyhow::Result<()>
where
    Run: Fn() -> Doing,
    Doing: Future<Output = anyhow::Result<String>>,
{
    if job.essential {
        board.expect(job.name);
    }
    let mut failing: Option<Failing> = None;
    loop {
        let Some(outcome) = to_its_end(run(), &stop).await else { return Ok(()) };
        let ended_at = shared.clock.now();
        count(&shared, job.name, outcome.is_ok(), ended_at);
        let pause = match outcome {
            Ok(done) => {
                if failing.is_some() {
                    tracing::info!(job.name = job.name, "works again: {done}");
                } else {
                    tracing::debug!(job.name = job.name, "{done}");
                }
                failing = None;
                board.put(job.name, ended_at, Ok(done));
                job.every
            }
            Err(error) if is_fatal(&error) => return Err(error),
            Err(error) => {
                let reason = format!("{error:#}");
                let now = Failing::after(failing.as_ref(), reason.clone());
                if failing.is_none_or(|before| gist(&before.reason) != gist(&reason)) {
                    tracing::warn!(job.name = job.name, error = reason, "job failed and will be tried again");
                }
                let pause = now.pause(&job);
                failing = Some(now);
                board.put(job.name, ended_at, Err(reason));
                pause
            }
        };
        shared.metrics.ready.set(i64::from(board.not_ready().is_empty()));
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            // What rings after a failure may be a consequence of it.
            () = job.bell.rung(), if failing.is_none() => {}
            () = stop.cancelled() => return Ok(()),
        }
    }
}

/// A reason without the moments in it: the same reason again is told once, though the clock has moved on.
pub(super) fn gist(reason: &str) -> Vec<&str> {
    let is_moment = |word: &str| {
        let word = word.trim_matches(|sign: char| !sign.is_ascii_alphanumeric());
        word.parse::<DateTime<Utc>>().is_ok()
    };
    reason.split_whitespace().filter(|word| !is_moment(word)).collect()
}

/// Runs that failed in a row.
struct Failing {
    reason: String,
    times: u32,
}

impl Failing {
    fn after(before: Option<&Self>, reason: String) -> Self {
        Self { reason, times: before.map_or(1, |before| before.times.saturating_add(1)) }
    }

    /// Twice as long each time, but no longer than between runs that go well.
    fn pause(&self, job: &Job) -> Duration {
        let factor = 1_u32.checked_shl(self.times.saturating_sub(1)).unwrap_or(u32::MAX);
        job.retry.saturating_mul(factor).min(job.every.min(RETRY_MOST).max(job.retry))
    }
}

/// A run is let go on for a moment when the daemon stops: long enough for a transaction, not for an answer
/// that does not come. Whatever it was doing then is undone, and done by the next start.
async fn to_its_end<T>(run: impl Future<Output = T>, stop: &CancellationToken) -> Option<T> {
    let mut run = std::pin::pin!(run);
    tokio::select! {
        outcome = &mut run => Some(outcome),
        () = stop.cancelled() => tokio::time::timeout(GRACE, run).await.ok(),
    }
}

fn count(shared: &Shared, job: &'static str, success: bool, at: DateTime<Utc>) {
    let outcome = if success { "success" } else { "failure" };
    shared.metrics.job_runs.get_or_create(&JobOutcome { job, outcome }).inc();
    if success {
        shared.metrics.job_last_success.get_or_create(&JobLabel { job }).set(seconds(at));
    }
}

pub(super) fn is_fatal(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        matches!(cause.downcast_ref(), Some(LedgerError::Fenced { .. } | LedgerError::Corrupt(_)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_reason_a_minute_later_is_the_same_reason() {
        let said = |minute: u32| {
            format!(
                "the clock says 2026-10-01T00:{minute:02}:00Z, and 2026-10-01T02:00:00.5Z; wait for cluster c-1"
            )
        };
        assert_eq!(gist(&said(1)), gist(&said(2)));
        assert_ne!(gist("HTTP 500 of c-1"), gist("HTTP 503 of c-1"));
        assert_ne!(gist("cluster c-1"), gist("cluster c-2"));
    }

    #[test]
    fn what_goes_wrong_beside_the_work_is_a_warning_without_what_it_quotes() {
        let board = Board::new();
        board.expect("rate");
        let at = DateTime::UNIX_EPOCH;
        let put = |job, outcome: Result<&str, &str>| {
            board.put(job, at, outcome.map(str::to_owned).map_err(str::to_owned));
        };
        put("rate", Err("the ledger is away"));
        put("book", Err("the book is wrong (a.yaml:3): a.yaml:3:1: `0.42` is no price"));
        put("push", Ok("nothing to push"));
        assert_eq!(board.warnings(), ["book: the book is wrong (a.yaml:3)"]);
        assert_eq!(board.not_ready(), ["rate: the ledger is away"]);
        put("book", Ok("it is in force"));
        assert_eq!(board.warnings(), [""; 0]);
    }

    #[test]
    fn a_job_that_goes_on_failing_is_tried_less_and_less_often() {
        let mut job = Job {
            name: "observe",
            every: Duration::from_hours(1),
            retry: Duration::from_secs(15),
            bell: Bell::new(),
            essential: true,
        };
        let pauses = |job: &Job| -> Vec<u64> {
            [1, 2, 3, 6, 40].map(|times| Failing { reason: String::new(), times }.pause(job).as_secs()).into()
        };
        assert_eq!(pauses(&job), [15, 30, 60, 300, 300]);
        job.every = Duration::from_secs(30);
        assert_eq!(pauses(&job), [15, 30, 30, 30, 30], "no less often than when all goes well");
    }
}
