//! Where the servers are: installed by `tests/bench/install`, checked once per test process.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

/// The folder of the installed programs. Installs what is missing; a bench that cannot be had fails the test.
pub(crate) fn programs() -> &'static Path {
    static PROGRAMS: LazyLock<PathBuf> = LazyLock::new(|| {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bench/install");
        let output = Command::new(&script)
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .unwrap_or_else(|error| panic!("{} did not run: {error}", script.display()));
        assert!(output.status.success(), "{} failed: the reason is above", script.display());
        let said = String::from_utf8(output.stdout).expect("the installer speaks UTF-8");
        Path::new(said.trim_end().lines().next_back().expect("the installer names its folder")).join("bin")
    });
    &PROGRAMS
}
