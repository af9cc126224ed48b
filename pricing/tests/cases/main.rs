//! The cases in `pricing/cases/good`: usage, owners and a book in, statements to the cent out.
//!
//! Every file is a test with the file's name, so that one can be run alone:
//! `cargo test -p defray-pricing --test cases -- worked-example`. `pricing/cases/README.md` says how to
//! write one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};

mod case;
mod diff;
mod month;
mod owners;
mod table;
mod usage;

use case::Case;

fn main() -> ExitCode {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/good");
    let trials = match files(&folder) {
        Ok(files) if !files.is_empty() => files.into_iter().map(trial).collect(),
        Ok(_) => vec![broken(format!("{} holds no case", folder.display()))],
        Err(error) => vec![broken(format!("{}: {error}", folder.display()))],
    };
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// Every file of the folder: one that is no case would otherwise be taken for one that holds.
fn files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        files.push(entry?.path());
    }
    files.sort();
    Ok(files)
}

fn broken(message: String) -> Trial {
    Trial::test("the folder of cases", move || Err(Failed::from(message)))
}

fn trial(path: PathBuf) -> Trial {
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    Trial::test(name, move || run(&path).map_err(Failed::from))
}

/// Whether a case comes out as it says; if not, what differs.
fn run(path: &Path) -> Result<(), String> {
    let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    if path.extension().is_none_or(|extension| extension != "yaml") {
        return Err(format!("{file}: cases are YAML files"));
    }
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let case = Case::parse(&file, &text)?;
    let statements = month::statements(&case)?;
    let (expected, actual) = (table::expected(&case.expected), table::of(&statements));
    if expected == actual {
        return Ok(());
    }
    let diff = diff::lines(&expected, &actual);
    Err(format!("{file}: {}\n\n  - what the case says\n  + what the engine says\n\n{diff}", case.rule))
}
