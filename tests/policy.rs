//! Rules of the house that the compiler cannot keep: what we depend on, which room sees which, how source looks.

mod dependencies;
mod licences;
mod rooms;
mod source;

use std::fs;
use std::path::{Path, PathBuf};

/// The top of the checkout.
fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file of the checkout whose name ends so, with its path from the top; builds and hidden folders apart.
fn files(endings: &[&str]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = vec![top().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of the checkout") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            if path.is_dir() {
                if name != "target" && name != ".git" {
                    folders.push(path);
                }
            } else if endings.iter().any(|ending| name.ends_with(ending)) {
                let from_top = path.strip_prefix(top()).expect("below the top").display().to_string();
                found.push((from_top, fs::read_to_string(&path).expect("UTF-8")));
            }
        }
    }
    found.sort();
    assert!(!found.is_empty(), "no file ends in {endings:?}");
    found
}

/// Fails with one line for each break of a rule.
fn nothing(rule: &str, breaks: &[String]) {
    assert!(breaks.is_empty(), "{rule}:\n  {}", breaks.join("\n  "));
}
