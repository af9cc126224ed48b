//! A real PostgreSQL for as long as the tests run.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use tempfile::TempDir;

/// Stops when its standard input closes, so whenever the test process ends, however it ends.
struct Server {
    sockets: PathBuf,
    _directory: TempDir,
    _shell: Child,
}

static SERVER: OnceLock<Server> = OnceLock::new();
static DATABASES: AtomicU32 = AtomicU32::new(0);

/// A new, empty database.
pub(crate) async fn database() -> String {
    let server = SERVER.get_or_init(start);
    let name = format!("ledger_{}", DATABASES.fetch_add(1, Ordering::SeqCst));
    let pool = sqlx::PgPool::connect(&server.address("postgres")).await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&pool).await.unwrap();
    pool.close().await;
    server.address(&name)
}

impl Server {
    fn address(&self, database: &str) -> String {
        let sockets = self.sockets.to_str().unwrap().replace('/', "%2F");
        format!("postgres://ledger@{sockets}/{database}")
    }
}

#[expect(clippy::disallowed_methods, reason = "a program is looked for where a shell would look")]
fn program(name: &str) -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut places: Vec<PathBuf> = versions.map(|version| version.path().join("bin")).collect();
    places.sort();
    places.reverse();
    // Debian keeps the server's programs out of PATH; the test bench puts its own there.
    places.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    let found = places.into_iter().map(|place| place.join(name)).find(|path| path.exists());
    found.unwrap_or_else(|| {
        panic!(
            "`{name}` is not installed, and these tests need a real PostgreSQL: run tests/bench/install and put its \
             bin/ into PATH, as `make test` does, or apt-get install postgresql"
        )
    })
}

#[expect(
    clippy::zombie_processes,
    reason = "it outlives every test, and ends when its standard input closes"
)]
fn start() -> Server {
    let directory = TempDir::new().unwrap();
    std::fs::set_permissions(directory.path(), PermissionsExt::from_mode(0o777)).unwrap();
    let root = std::fs::metadata("/proc/self").is_ok_and(|me| std::os::unix::fs::MetadataExt::uid(&me) == 0);
    // The server refuses to run as root, and the user `postgres` comes with its package only.
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let has_postgres = users.lines().any(|user| user.starts_with("postgres:"));
    let user = if has_postgres { "postgres" } else { "nobody" };
    let become_user = if root { format!("runuser -u {user} --") } else { String::new() };
    let script = format!(
        "set -e; cd {dir}; mkdir data; {chown} \
         {sudo} {initdb} -D {dir}/data -U ledger -A trust -E UTF8 --locale=C -N >{dir}/initdb.log 2>&1; \
         {sudo} {postgres} -D {dir}/data -k {dir} -c listen_addresses= -c max_connections=300 >{dir}/log 2>&1 & \
         pid=$!; echo started; cat >/dev/null; kill -QUIT $(head -n 1 {dir}/data/postmaster.pid); wait $pid || true; rm -rf {dir}",
        dir = directory.path().display(),
        chown = if root { format!("chown {user} data;") } else { String::new() },
        sudo = become_user,
        initdb = program("initdb").display(),
        postgres = program("postgres").display(),
    );
    let mut shell = Command::new("sh")
        .args(["-c", &script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(shell.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let log = |name: &str| std::fs::read_to_string(directory.path().join(name)).unwrap_or_default();
    assert_eq!(line.trim(), "started", "initdb: {}", log("initdb.log"));
    let socket = directory.path().join(".s.PGSQL.5432");
    for _ in 0..300 {
        if socket.exists() && log("log").contains("ready to accept connections") {
            return Server { sockets: directory.path().to_owned(), _directory: directory, _shell: shell };
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    panic!("PostgreSQL did not start: {}", log("log"));
}
