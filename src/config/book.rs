//! Which files make the price book.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use defray_pricing::book::{Pattern, Problem, Source};
use defray_pricing::problem::{Problems, Refused};
use defray_pricing::yaml::Value;

use super::page::Page;
use super::place::Place;
use super::{all_or, whole_file};

/// Larger files are no price book.
const MAX_BYTES: u64 = 8 << 20;

/// Reads the paths; whether there are such files is seen when they are read.
pub(super) fn read(value: &Value<'_>, place: &Place<'_>) -> Result<Vec<PathBuf>, Refused> {
    let paths = value.list(|value| Ok(place.path(&value.string()?)))?;
    if paths.is_empty() {
        return Err(value.refuse("there is no price book", "name at least one file"));
    }
    Ok(paths)
}

pub(super) fn print(paths: &[PathBuf], page: &mut Page) {
    let paths: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    page.words(
        "price_book",
        paths.iter().map(String::as_str),
        "The files of the price book. A file name may hold `*`. Read again whenever they change; if they are wrong \
         the last good book stays in force.",
    );
}

/// The files as they are now, each once, in the order of their names.
pub(super) fn sources(paths: &[PathBuf]) -> Result<Vec<Source>, Vec<Problem>> {
    let problems = Problems::new();
    let mut files = BTreeSet::new();
    for path in paths {
        match matching(path, &problems) {
            Ok(found) if found.is_empty() => {
                let mend = "write a price book there, or mend `price_book` in the configuration";
                problems.add(whole_file(
                    &path.display().to_string(),
                    "there is no such file".to_owned(),
                    mend,
                ));
            }
            Ok(found) => files.extend(found),
            Err(Refused { .. }) => {}
        }
    }
    let sources = files.iter().filter_map(|file| one(file, &problems).ok()).collect();
    all_or(problems)?;
    Ok(sources)
}

fn one(file: &Path, problems: &Problems) -> Result<Source, Refused> {
    let name = file.display().to_string();
    let refuse = |message: String, mend| problems.add(whole_file(&name, message, mend));
    match std::fs::metadata(file) {
        Ok(data) if !data.is_file() => {
            return Err(refuse("is no file".to_owned(), "name a file, or a glob such as prices/*.yaml"));
        }
        Ok(data) if data.len() >= MAX_BYTES => {
            let message = format!("is {} bytes long", data.len());
            return Err(refuse(message, "a price book has at most 8 MiB a file"));
        }
        // What cannot be looked at cannot be read, which is told below.
        Ok(_) | Err(_) => {}
    }
    match std::fs::read_to_string(file) {
        Ok(text) => Ok(Source { name, text }),
        Err(error) => {
            Err(refuse(format!("cannot be read: {error}"), "make it readable for the user defray runs as"))
        }
    }
}

/// The files a path means: itself, or those beside it whose name its glob matches.
fn matching(path: &Path, problems: &Problems) -> Result<Vec<PathBuf>, Refused> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    if !name.contains('*') {
        return Ok(if path.exists() { vec![path.to_owned()] } else { Vec::new() });
    }
    let refuse = |message: String, mend| problems.add(whole_file(&path.display().to_string(), message, mend));
    let pattern: Pattern = name.parse().map_err(|error| refuse(format!("{error}"), "use `*` only"))?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let listed = || -> std::io::Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name();
            // Editors and mounted ConfigMaps keep their own files beside, named with a leading dot.
            let name = name.to_string_lossy();
            // A link to nothing is a file that is gone, and is told when it is read.
            if !name.starts_with('.') && pattern.matches(&name) && !entry.path().is_dir() {
                found.push(entry.path());
            }
        }
        Ok(found)
    };
    listed()
        .map_err(|error| refuse(format!("{} cannot be listed: {error}", folder.display()), "mend the path"))
}
