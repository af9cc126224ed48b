//! The one place that maps how a command ended to an exit code.

use std::io::Write;
use std::process::ExitCode;

use defray_pricing::book::Problem;

use super::output;

const WORK_FAILED: u8 = 1;
const USAGE: u8 = 2;

/// How a command fails.
#[derive(Debug)]
pub enum Failure {
    /// What the person gave is wrong; nothing was started. Exit code 2.
    Usage(anyhow::Error),
    /// What the person wrote in files is wrong; nothing was started. Exit code 2.
    Problems(Vec<Problem>),
    /// The work failed. Exit code 1.
    Work(anyhow::Error),
    /// The work failed and has already said how. Exit code 1.
    Reported,
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Work(error)
    }
}

/// The exit code, after saying on the standard error stream what went wrong.
pub(super) fn code_of(ended: Result<(), Failure>) -> ExitCode {
    let (text, code) = match ended {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Failure::Reported) => return ExitCode::from(WORK_FAILED),
        // A reader that has seen enough is no failure of ours.
        Err(Failure::Work(error)) if output::is_broken_pipe(&error) => return ExitCode::SUCCESS,
        Err(Failure::Work(error)) => (format!("error: {error:#}\n"), WORK_FAILED),
        Err(Failure::Usage(error)) => (format!("error: {error:#}\n"), USAGE),
        Err(Failure::Problems(problems)) => (listed(&problems), USAGE),
    };
    say(&text, code)
}

/// Help and version are no failure; a wrong command line is the person's.
pub(super) fn of_usage(refused: &clap::Error) -> ExitCode {
    let code = if refused.use_stderr() { USAGE } else { 0 };
    match refused.print() {
        Ok(()) => ExitCode::from(code),
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::from(code),
        Err(_) => ExitCode::from(WORK_FAILED),
    }
}

fn listed(problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(|problem| format!("error: {problem}\n")).collect();
    let noun = if problems.len() == 1 { "problem" } else { "problems" };
    format!("{}{} {noun}; nothing was started\n", lines.concat(), problems.len())
}

fn say(text: &str, code: u8) -> ExitCode {
    // If not even the error can be said, the code still says that there was one.
    match std::io::stderr().lock().write_all(text.as_bytes()) {
        Ok(()) | Err(_) => ExitCode::from(code),
    }
}
