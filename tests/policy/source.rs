//! How source looks: documented, of a size a person can hold, finished, and about itself alone.

use super::rooms::code;
use super::{files, nothing};

const MOST_LINES: usize = 600;

/// Whether the word stands in the text by itself, not as part of a longer one.
fn has_word(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(start, _)| {
        let joins = |c: char| c.is_alphanumeric() || c == '_';
        !text[..start].ends_with(joins) && !text[start + word.len()..].starts_with(joins)
    })
}

#[test]
fn every_file_says_what_it_is_and_fits_in_a_head() {
    let mut breaks = Vec::new();
    for (file, source) in files(&[".rs"]) {
        if !source.starts_with("//!") {
            breaks.push(format!("{file}: does not begin with a //! doc"));
        }
        let lines = source.lines().count();
        if lines > MOST_LINES {
            breaks.push(format!("{file}: {lines} lines, more than {MOST_LINES}"));
        }
        if file.ends_with("/mod.rs") {
            breaks.push(format!("{file}: name it after its module, beside its folder"));
        }
    }
    nothing("files", &breaks);
}

#[test]
fn nothing_is_left_for_later_and_no_lint_is_silenced_without_a_reason() {
    // Written apart, so that this list does not find itself.
    let marks = [["TO", "DO"], ["FIX", "ME"], ["HA", "CK"]].map(|parts| parts.concat());
    let silenced = ["#[", "allow("].concat();
    let mut breaks = Vec::new();
    for (file, source) in
        files(&[".rs", ".toml", ".yaml", ".yml", ".sql", ".md", ".html", "Makefile", "install"])
    {
        breaks.extend(
            marks.iter().filter(|mark| has_word(&source, mark)).map(|mark| format!("{file}: {mark}")),
        );
        if source.contains(&silenced) {
            breaks.push(format!("{file}: {silenced}…) instead of expect with a reason"));
        }
    }
    nothing("unfinished business", &breaks);
}

#[test]
fn money_and_quantities_are_never_floats() {
    let mut breaks = Vec::new();
    for (file, source) in files(&[".rs"]) {
        if file.starts_with("pricing/src/") {
            let code = code(&source);
            breaks.extend(
                ["f32", "f64"]
                    .iter()
                    .filter(|float| has_word(&code, float))
                    .map(|float| format!("{file}: {float}")),
            );
        }
    }
    nothing("floats in pricing", &breaks);
}

#[test]
fn the_checkout_names_no_place_of_anyones_machine() {
    let places = ["/wo", "/ro", "/home/", "/tmp/"];
    let places = [
        format!("{}rk/", places[0]),
        format!("{}ot/", places[1]),
        places[2].to_owned(),
        places[3].to_owned(),
    ];
    let mut breaks = Vec::new();
    let endings = [
        ".rs", ".toml", ".yaml", ".yml", ".sql", ".md", ".json", ".html", ".sh", "Makefile", "install", "run",
    ];
    for (file, text) in files(&endings) {
        for place in &places {
            // A place begins where no path is under way: `https://x/home/` is none.
            let starts = |(at, _): (usize, &str)| {
                !text[..at].ends_with(|c: char| c.is_alphanumeric() || "._-}".contains(c))
            };
            if file != "tests/policy/source.rs" && text.match_indices(place.as_str()).any(starts) {
                breaks.push(format!("{file}: {place}"));
            }
        }
    }
    nothing("absolute paths of a workplace", &breaks);
}
