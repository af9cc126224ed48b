//! A server of the bench as a process: started, awaited, shown on failure, and never left behind.

use std::fs::{self, File};
use std::io;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{LazyLock, mpsc};
use std::time::Duration;

/// How long any server may take until it answers; a loaded machine of two cores needs a tenth of it.
const READY_WITHIN: Duration = Duration::from_mins(2);
const ASK_EVERY: Duration = Duration::from_millis(50);
/// How much of a server's log is shown when a test fails.
const LOG_LINES: usize = 40;

/// A running server. Killed on drop, and by the kernel if the test process itself is killed.
#[derive(Debug)]
pub(crate) struct Server {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Server {
    /// Starts one of the installed programs, its output in a log in `folder`.
    pub(crate) fn start(name: &'static str, folder: &Path, arguments: &[String]) -> Self {
        let program = super::install::programs().join(name);
        Self::start_program(name, &program, folder, arguments)
    }

    /// Starts any program the same way: the daemon itself, for one.
    pub(crate) fn start_program(
        name: &'static str,
        program: &Path,
        folder: &Path,
        arguments: &[String],
    ) -> Self {
        let log = folder.join(format!("{name}.log"));
        let output = File::options().create(true).append(true).open(&log).expect("a log file");
        // setpriv, so that the kernel ends the server with us, whatever ends us.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--"]).arg(program).args(arguments).current_dir(folder);
        command.stdin(Stdio::null()).stdout(output.try_clone().expect("a log file")).stderr(output);
        let child = spawn(command).unwrap_or_else(|error| panic!("{name} could not be started: {error}"));
        Self { name, child, log }
    }

    /// Waits until `ready` says so; panics with the log if the server ends or takes too long.
    pub(crate) async fn ready<F: Future<Output = bool>>(&mut self, mut ready: impl FnMut() -> F) {
        let outcome = tokio::time::timeout(READY_WITHIN, async {
            loop {
                if let Some(status) = self.ended() {
                    return Err(status);
                }
                if ready().await {
                    return Ok(());
                }
                tokio::time::sleep(ASK_EVERY).await;
            }
        })
        .await;
        match outcome {
            Ok(Ok(())) => {}
            Ok(Err(status)) => panic!("{} ended at its start ({status}):\n{}", self.name, self.log_tail()),
            Err(late) => {
                panic!("{} was not ready within {READY_WITHIN:?} ({late}):\n{}", self.name, self.log_tail())
            }
        }
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<std::process::ExitStatus> {
        self.child.try_wait().expect("a child of ours")
    }

    /// Ends it at once, as `kill -9` does.
    pub(crate) fn kill(&mut self) {
        // An error says that it has ended already, which is what was asked.
        drop(self.child.kill());
        drop(self.child.wait());
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// All that it has said.
    pub(crate) fn log(&self) -> String {
        fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    fn log_tail(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("--- the last lines of {} ({})\n{}", self.name, self.log.display(), self.log_tail());
        }
    }
}

type Order = (Command, mpsc::Sender<io::Result<Child>>);

/// Starts the process from a thread that lives as long as we do: the kernel's death signal is tied to the *thread* that
/// forked, and a test's thread ends with its test.
fn spawn(command: Command) -> io::Result<Child> {
    static ORDERS: LazyLock<mpsc::Sender<Order>> = LazyLock::new(|| {
        let (orders, inbox) = mpsc::channel::<Order>();
        #[expect(clippy::disallowed_methods, reason = "the bench outlives every runtime of its tests")]
        std::thread::spawn(move || {
            for (mut command, reply) in inbox {
                drop(reply.send(command.spawn()));
            }
        });
        orders
    });
    let (reply, answer) = mpsc::channel();
    ORDERS.send((command, reply)).expect("the spawning thread lives");
    answer.recv().expect("the spawning thread answers")
}

/// A loopback port that nothing listens on. Below the range that the kernel hands to outgoing connections, so that
/// none of those takes it before the server does.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let base = u16::try_from(std::process::id() % 180).expect("below 180") * 100;
    (0..2000)
        .map(|_| 12_000 + (base + NEXT.fetch_add(1, Ordering::Relaxed)) % 18_000)
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("a free loopback port")
}

/// A folder for one server or one stack, removed on drop; folders of test processes that were killed go first.
pub(crate) fn folder() -> tempfile::TempDir {
    static SWEPT: LazyLock<()> = LazyLock::new(|| {
        for entry in fs::read_dir(env!("CARGO_TARGET_TMPDIR")).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let owner = name.strip_prefix("bench-").and_then(|rest| rest.split('-').next());
            if owner.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
                drop(fs::remove_dir_all(entry.path()));
            }
        }
    });
    LazyLock::force(&SWEPT);
    tempfile::Builder::new()
        .prefix(&format!("bench-{}-", std::process::id()))
        .tempdir_in(env!("CARGO_TARGET_TMPDIR"))
        .expect("a folder for the bench")
}
