//! The walker: every problem, at its place.

use std::time::Duration;

use super::{Document, Value};
use crate::problem::Refused;

/// The problems of a text under a reader, as a person sees them.
fn problems<T: std::fmt::Debug>(
    text: &str,
    reader: impl FnOnce(&Value<'_>) -> Result<T, Refused>,
) -> Vec<String> {
    let found = match Document::parse("f.yaml", text) {
        Ok(document) => document.read(reader).expect_err("the text must be refused"),
        Err(found) => found,
    };
    assert!(!found.is_empty(), "refused without a reason");
    found.iter().map(ToString::to_string).collect()
}

fn names(value: &Value<'_>) -> Result<(String, Vec<u8>), Refused> {
    let mut keys = value.mapping()?;
    let name = keys.required("name", Value::string);
    let sizes = keys.with_default("sizes", Vec::new(), |v| v.list(|v| v.whole_number(1..=9_u8)));
    keys.finish();
    Ok((name?, sizes?))
}

#[test]
fn every_problem_is_told_with_its_place() {
    let text = "nam: x\nsizes: [1, 0, two, {a: b}]\nsizes: 3\n";
    assert_eq!(
        problems(text, names),
        [
            "f.yaml:1:1: `name` is missing",
            "f.yaml:1:1: unknown key `nam` (did you mean `name`? known keys: name, sizes)",
            "f.yaml:2:12: sizes[1]: `0` is not a whole number from 1 to 9",
            "f.yaml:2:15: sizes[2]: `two` is not a whole number from 1 to 9",
            "f.yaml:2:20: sizes[3]: expected a single value, found a mapping",
            "f.yaml:3:1: the key `sizes` is already given in line 2 (keep one of them)",
        ]
    );
}

#[test]
fn numbers_stay_the_text_that_was_written() {
    let text = "a: 0.10\nb: \"0.10\"\nc: 1e3\nd: 0x10\ne: 007\n";
    let read = Document::parse("f.yaml", text)
        .unwrap()
        .read(|v| v.map(|key| Ok(key.text().to_owned()), Value::string))
        .unwrap();
    let texts: Vec<&str> = read.values().map(String::as_str).collect();
    assert_eq!(texts, ["0.10", "0.10", "1e3", "0x10", "007"]);
}

#[test]
fn what_yaml_can_do_beyond_plain_data_is_refused() {
    let text = "name: &n x\nother: *n\nbase: {<<: {a: b}}\ntagged: !secret x\n? [k]\n: v\n";
    assert_eq!(
        problems(text, |v| {
            let mut keys = v.mapping()?;
            for key in ["name", "other", "base", "tagged"] {
                keys.has(key);
            }
            keys.finish();
            Ok(())
        }),
        [
            "f.yaml:1:7: name: anchors (`&name`) are not supported (write the value out where it is used)",
            "f.yaml:2:8: other: aliases (`*name`) are not supported (write the value out where it is used)",
            "f.yaml:3:8: base: merging (`<<`) is not supported (write the value out where it is used)",
            "f.yaml:4:9: tagged: tags (`!name`) are not supported (write the value out where it is used)",
            "f.yaml:5:3: a list cannot be a key (a key is a name)",
        ]
    );
}

#[test]
fn tabs_second_documents_and_empty_files_are_named() {
    let tab = problems("a:\n\tb: c\n", names);
    assert!(tab[0].contains("indent with spaces"), "{tab:?}");
    let second = problems("name: x\n---\nname: y\n", names);
    assert_eq!(
        second,
        ["f.yaml:3:1: a second document begins before here (`---`) (split it: one file, one document)"]
    );
    for empty in ["", "# nothing but a comment\n", "---\n", "~"] {
        let found = problems(empty, names);
        assert!(found[0].contains("expected a mapping, found nothing"), "{empty:?}: {found:?}");
    }
    assert!(problems("a: [b", names)[0].contains("not valid YAML"), "an open bracket");
    assert!(problems(&"[".repeat(100), names)[0].contains("nested more than 64 deep"));
    assert!(!problems(&"[".repeat(100_000), names).is_empty(), "and does not overflow the stack");
    assert!(Document::parse("f.yaml", "\u{feff}name: x\r\nsizes: [1]\r\n").unwrap().read(names).is_ok());
}

#[test]
fn an_empty_value_is_no_default() {
    assert_eq!(
        problems("name: x\nsizes:\n", names),
        ["f.yaml:2:6: sizes: expected a list, found nothing (give it a value, or remove the key)"]
    );
}

#[test]
fn a_section_without_keys_has_its_defaults() {
    let inner = |v: &Value<'_>| {
        let mut keys = v.mapping()?;
        let port = keys.with_default("port", 80, |v| v.whole_number(1..=u16::MAX));
        keys.finish();
        port
    };
    for text in ["name: x", "name: x\nhttp:", "name: x\nhttp: {}", "name: x\nhttp: {port: 80}"] {
        let read = Document::parse("f.yaml", text).unwrap().read(|v| {
            let mut keys = v.mapping()?;
            keys.has("name");
            let port = keys.section("http", inner);
            keys.finish();
            port
        });
        assert_eq!(read, Ok(80), "{text}");
    }
}

#[test]
fn durations_have_units_and_limits() {
    let read = |text: &str| {
        Document::parse("f.yaml", text)
            .unwrap()
            .read(|v| v.duration(Duration::ZERO..=Duration::from_hours(2)))
    };
    for (text, seconds) in [("30s", 30), ("5m", 300), ("2h", 7200), ("0s", 0), ("1000ms", 1)] {
        assert_eq!(read(text), Ok(Duration::from_secs(seconds)), "{text}");
    }
    for text in ["30", "s", "5 m", "-5m", "1.5h", "99999999999999999999h"] {
        assert!(read(text).is_err(), "{text}");
    }
    let problems = read("3h").unwrap_err();
    assert_eq!(problems[0].message, "`3h` is not between 0s and 2h");
}

#[test]
fn paths_name_odd_keys_in_quotes() {
    let found = problems("a.b:\n  c: [x]\n", |v| {
        v.map(
            |key| Ok(key.text().to_owned()),
            |v| v.map(|key| Ok(key.text().to_owned()), |v| v.list(Value::boolean)),
        )
    });
    assert_eq!(found, ["f.yaml:2:7: [\"a.b\"].c[0]: unknown value `x` (one of: true, false)"]);
}

proptest::proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "[-a-c:{}\\[\\]\"'&*!|>#?, \t\n<~.0-9]{0,60}") {
        if let Ok(document) = Document::parse("f.yaml", &text) {
            let _read = document.read(names);
        }
    }
}
