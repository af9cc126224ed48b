//! Every task has an owner, a fate on error and a fate on shutdown; the only file that may spawn.
//!
//! A daemon that cannot do its work must not go on silently: a task that panics, or an essential one that
//! fails or ends, stops the whole daemon, and [`Supervisor::wait`] then says why.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use tokio::task::JoinError;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long a failing task waits before it is started again, at first.
const RESTART_DELAY_MIN: Duration = Duration::from_millis(if cfg!(test) { 1 } else { 1000 });
/// How long it waits at most; a task that ran this long counts as healthy again.
const RESTART_DELAY_MAX: Duration = Duration::from_mins(1);

/// What becomes of the daemon when a task fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnError {
    /// The daemon stops with a non-zero exit code: without this task it cannot do its work.
    Stop,
    /// The task is started again after a growing delay. A panic stops the daemon all the same.
    Restart,
}

/// Why the daemon ended other than by being asked to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Ended {
    /// An essential task failed.
    #[error("the task `{task}` failed: {reason}")]
    Failed {
        /// The task.
        task: &'static str,
        /// Its error with every cause.
        reason: String,
    },
    /// A task that runs for as long as the daemon does came to an end.
    #[error("the task `{task}` ended by itself")]
    Finished {
        /// The task.
        task: &'static str,
    },
    /// A task panicked, which is a fault in this program.
    #[error("the task `{task}` panicked: {reason}")]
    Panicked {
        /// The task.
        task: &'static str,
        /// What it said.
        reason: String,
    },
    /// Tasks did not stop in time.
    #[error("still running at the deadline of the shutdown: {}", tasks.join(", "))]
    Deadline {
        /// Their names.
        tasks: Vec<&'static str>,
    },
    /// A second signal asked for an end at once.
    #[error("a second signal ended the shutdown before it was complete")]
    Aborted,
}

/// The owner of every task.
#[derive(Debug, Clone, Default)]
pub struct Supervisor(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    stop: CancellationToken,
    abort: CancellationToken,
    tasks: TaskTracker,
    first_failure: Mutex<Option<Ended>>,
    running: Mutex<BTreeMap<u64, &'static str>>,
    next_id: std::sync::atomic::AtomicU64,
}

impl Supervisor {
    /// An owner without tasks.
    pub fn new() -> Self {
        Self::default()
    }

    /// Cancelled when the daemon stops: every long-running task ends when it sees that.
    pub fn stopping(&self) -> CancellationToken {
        self.0.stop.clone()
    }

    /// Asks every task to end.
    pub fn stop(&self) {
        self.0.stop.cancel();
    }

    /// Runs a task for as long as the daemon runs. `start` makes its future, again after each failure
    /// where `on_error` is [`OnError::Restart`]; the future ends when the token is cancelled.
    pub fn spawn<Start, Task>(&self, name: &'static str, on_error: OnError, start: Start)
    where
        Start: Fn(CancellationToken) -> Task + Send + Sync + 'static,
        Task: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let supervisor = self.clone();
        let entry = self.enter(name);
        self.0.tasks.spawn(async move {
            let _entry = entry;
            supervisor.attend(name, on_error, start).await;
        });
    }

    /// Runs work that has an end of its own, such as one connection. The shutdown waits for it; a panic
    /// in it is logged and ends only itself.
    pub fn spawn_brief<Task>(&self, name: &'static str, task: Task)
    where
        Task: Future<Output = ()> + Send + 'static,
    {
        let entry = self.enter(name);
        let work = self.0.tasks.spawn(task);
        self.0.tasks.spawn(async move {
            let _entry = entry;
            if let Err(error) = work.await {
                tracing::error!(task.name = name, error = describe(error), "task panicked");
            }
        });
    }

    /// Runs work that would hold up the other tasks on a thread of its own.
    pub async fn blocking<T, Work>(&self, name: &'static str, work: Work) -> Result<T, Ended>
    where
        T: Send + 'static,
        Work: FnOnce() -> T + Send + 'static,
    {
        let _entry = self.enter(name);
        let work = self.0.tasks.spawn_blocking(work);
        work.await.map_err(|error| Ended::Panicked { task: name, reason: describe(error) })
    }

    /// From now on the first SIGTERM or SIGINT stops the daemon and a second one ends it at once.
    pub fn listen_for_signals(&self) -> std::io::Result<()> {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let inner = Arc::clone(&self.0);
        // Not among the tracked tasks: it has to outlive the shutdown it may cut short.
        #[expect(clippy::disallowed_methods, reason = "this is the supervisor")]
        tokio::spawn(async move {
            for token in [&inner.stop, &inner.abort] {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
                if !inner.stop.is_cancelled() {
                    tracing::info!("asked to stop; a second signal ends at once");
                }
                token.cancel();
            }
        });
        Ok(())
    }

    /// Waits until the daemon is asked to stop or fails, then until every task has ended, at most for
    /// `deadline`.
    pub async fn wait(&self, deadline: Duration) -> Result<(), Ended> {
        self.0.stop.cancelled().await;
        self.0.tasks.close();
        let drained = tokio::select! {
            () = self.0.tasks.wait() => Ok(()),
            () = tokio::time::sleep(deadline) => Err(Ended::Deadline { tasks: self.running() }),
            () = self.0.abort.cancelled() => Err(Ended::Aborted),
        };
        match lock(&self.0.first_failure).take() {
            Some(failure) => Err(failure),
            None => drained,
        }
    }

    /// The names of the tasks that are running now.
    pub fn running(&self) -> Vec<&'static str> {
        lock(&self.0.running).values().copied().collect()
    }

    async fn attend<Start, Task>(&self, name: &'static str, on_error: OnError, start: Start)
    where
        Start: Fn(CancellationToken) -> Task,
        Task: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let mut delays = restart_delays();
        loop {
            let healthy = tokio::time::sleep(RESTART_DELAY_MAX);
            tokio::pin!(healthy);
            // A task of its own, so that a panic is seen here and not only by the runtime.
            #[expect(clippy::disallowed_methods, reason = "this is the supervisor")]
            let task = tokio::spawn(start(self.stopping()));
            let mut task = AbortOnDrop(task);
            let early = tokio::select! {
                ended = &mut task.0 => Some(ended),
                () = &mut healthy => None,
            };
            let ended = if let Some(ended) = early {
                ended
            } else {
                delays = restart_delays();
                (&mut task.0).await
            };
            let failure = match ended {
                Ok(Ok(())) if self.0.stop.is_cancelled() => return,
                Ok(Ok(())) => Ended::Finished { task: name },
                Ok(Err(error)) => Ended::Failed { task: name, reason: format!("{error:#}") },
                Err(error) => return self.fail(Ended::Panicked { task: name, reason: describe(error) }),
            };
            if on_error == OnError::Stop {
                return self.fail(failure);
            }
            let delay = delays.next().unwrap_or(RESTART_DELAY_MAX);
            tracing::warn!(
                task.name = name,
                task.restart_seconds = delay.as_secs_f32(),
                error = %failure,
                "task failed and will be started again"
            );
            tokio::select! {
                () = tokio::time::sleep(delay) => {}
                () = self.0.stop.cancelled() => return,
            }
        }
    }

    fn fail(&self, failure: Ended) {
        tracing::error!(error = %failure, "the daemon stops");
        lock(&self.0.first_failure).get_or_insert(failure);
        self.stop();
    }

    fn enter(&self, name: &'static str) -> Entry {
        let id = self.0.next_id.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        lock(&self.0.running).insert(id, name);
        Entry { owner: Arc::clone(&self.0), id }
    }
}

/// A line in the list of running tasks, for as long as the task lives.
#[derive(Debug)]
struct Entry {
    owner: Arc<Inner>,
    id: u64,
}

impl Drop for Entry {
    fn drop(&mut self) {
        lock(&self.owner.running).remove(&self.id);
    }
}

/// A task that does not outlive whoever waits for it.
struct AbortOnDrop<T>(tokio::task::JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn restart_delays() -> impl Iterator<Item = Duration> {
    ExponentialBuilder::default()
        .with_min_delay(RESTART_DELAY_MIN)
        .with_max_delay(RESTART_DELAY_MAX)
        .with_jitter()
        .without_max_times()
        .build()
}

fn describe(error: JoinError) -> String {
    let Ok(panic) = error.try_into_panic() else { return "it was cancelled".to_owned() };
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "without a message".to_owned())
}

/// What these mutexes guard is whole after every statement, so a panic elsewhere does not spoil it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    const DEADLINE: Duration = Duration::from_secs(5);

    #[tokio::test]
    async fn a_failed_essential_task_stops_the_daemon_and_is_named() {
        let supervisor = Supervisor::new();
        supervisor.spawn("bystander", OnError::Stop, |stop| async move {
            stop.cancelled().await;
            Ok(())
        });
        supervisor.spawn("sampler", OnError::Stop, |_| async { anyhow::bail!("no disk") });
        assert_eq!(
            supervisor.wait(DEADLINE).await,
            Err(Ended::Failed { task: "sampler", reason: "no disk".to_owned() })
        );
    }

    #[tokio::test]
    async fn an_essential_task_that_ends_by_itself_is_a_failure() {
        let supervisor = Supervisor::new();
        supervisor.spawn("sampler", OnError::Stop, |_| async { Ok(()) });
        assert_eq!(supervisor.wait(DEADLINE).await, Err(Ended::Finished { task: "sampler" }));
    }

    #[tokio::test]
    async fn a_panic_stops_the_daemon_even_where_errors_restart() {
        let supervisor = Supervisor::new();
        supervisor.spawn("sampler", OnError::Restart, |_| async { panic!("a fault") });
        assert_eq!(
            supervisor.wait(DEADLINE).await,
            Err(Ended::Panicked { task: "sampler", reason: "a fault".to_owned() })
        );
    }

    #[tokio::test]
    async fn a_restartable_task_is_started_again_until_it_holds() {
        let supervisor = Supervisor::new();
        let starts = Arc::new(AtomicU32::new(0));
        let (counted, stopper) = (Arc::clone(&starts), supervisor.clone());
        supervisor.spawn("watch", OnError::Restart, move |stop| {
            let (counted, stopper) = (Arc::clone(&counted), stopper.clone());
            async move {
                anyhow::ensure!(counted.fetch_add(1, Ordering::SeqCst) >= 2, "not yet");
                stopper.stop();
                stop.cancelled().await;
                Ok(())
            }
        });
        assert_eq!(supervisor.wait(DEADLINE).await, Ok(()));
        assert_eq!(starts.load(Ordering::SeqCst), 3);
    }

    #[tokio::test]
    async fn a_task_that_ignores_the_stop_is_named_at_the_deadline() {
        let supervisor = Supervisor::new();
        supervisor.spawn("deaf", OnError::Stop, |_| std::future::pending());
        supervisor.stop();
        let ended = supervisor.wait(Duration::from_millis(50)).await;
        assert_eq!(ended, Err(Ended::Deadline { tasks: vec!["deaf"] }));
    }

    #[tokio::test]
    async fn brief_work_is_waited_for_and_its_panic_stays_with_it() {
        let supervisor = Supervisor::new();
        let done = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&done);
        supervisor.spawn_brief("request", async { panic!("one request") });
        supervisor.spawn_brief("request", async move {
            tokio::time::sleep(Duration::from_millis(20)).await;
            counted.store(1, Ordering::SeqCst);
        });
        supervisor.stop();
        assert_eq!(supervisor.wait(DEADLINE).await, Ok(()));
        assert_eq!(done.load(Ordering::SeqCst), 1);
        assert!(supervisor.running().is_empty());
    }

    #[tokio::test]
    async fn blocking_work_hands_back_its_result_or_its_panic() {
        let supervisor = Supervisor::new();
        assert_eq!(supervisor.blocking("sum", || 2 + 2).await, Ok(4));
        let panicked: Result<(), Ended> = supervisor.blocking("sum", || panic!("a fault")).await;
        assert!(matches!(panicked, Err(Ended::Panicked { task: "sum", .. })));
    }
}
