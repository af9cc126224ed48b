//! The schema and the reader say the same.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use jsonschema::Validator;
use proptest::prelude::*;
use serde_json::Value as Json;

use super::schema;
use crate::book::{PriceBook, Source};
use crate::time::BillingZone;

const REFERENCE: &str = include_str!("../../../books/reference.yaml");

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn files(name: &str, suffix: &str) -> Vec<PathBuf> {
    let files = fs::read_dir(folder(name)).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = files.filter(|path| path.to_str().unwrap().ends_with(suffix)).collect();
    files.sort();
    assert!(!files.is_empty(), "{name} holds no {suffix}");
    files
}

static VALIDATOR: LazyLock<Validator> =
    LazyLock::new(|| jsonschema::validator_for(&schema().to_value()).unwrap());

/// As an editor sees it; none where it is no YAML, or says a thing twice.
fn json(text: &str) -> Option<Json> {
    serde_saphyr::from_str(text).ok()
}

fn read(text: &str) -> Result<PriceBook, Vec<crate::book::Problem>> {
    let source = Source { name: "book.yaml".to_owned(), text: text.to_owned() };
    PriceBook::parse(&[source], BillingZone::UTC)
}

#[test]
fn the_schema_in_the_books_folder_is_the_one_that_is_printed() {
    let path = folder("books/schema.json");
    let printed = format!("{}\n", serde_json::to_string_pretty(&schema()).unwrap());
    if fs::read_to_string(&path).unwrap_or_default() != printed {
        let fresh = path.with_extension("json.new");
        fs::write(&fresh, printed).unwrap();
        panic!("{} is stale; put {} in its place", path.display(), fresh.display());
    }
}

#[test]
fn every_book_is_what_the_schema_says() {
    for path in files("books", ".yaml") {
        let book = json(&fs::read_to_string(&path).unwrap()).unwrap();
        let problems: Vec<String> =
            VALIDATOR.iter_errors(&book).map(|e| format!("{}: {e}", e.instance_path())).collect();
        assert_eq!(problems, [""; 0], "{}", path.display());
    }
}

/// The books of the cases, good ones, and those bad ones whose fault a single file shows.
#[test]
fn every_case_fares_with_the_schema_as_with_the_reader() {
    for path in files("cases/good", ".yaml") {
        let case = json(&fs::read_to_string(&path).unwrap()).unwrap();
        let texts = match &case["book"] {
            Json::Array(several) => several.clone(),
            one => vec![one.clone()],
        };
        for text in texts.iter().filter_map(Json::as_str).filter(|text| text.contains('\n')) {
            let book = json(text).unwrap();
            let problem = VALIDATOR.iter_errors(&book).next().map(|e| format!("{}: {e}", e.instance_path()));
            assert_eq!(problem, None, "{}", path.display());
        }
    }
    let taken: Vec<String> = files("cases/bad", ".bad.yaml")
        .iter()
        .filter(|path| {
            let text = fs::read_to_string(path).unwrap();
            let mut parts = text.split("# file: ").filter(|part| !part.trim().is_empty());
            parts.all(|part| {
                json(part.split_once(".yaml\n").map_or(part, |(_, rest)| rest))
                    .is_some_and(|b| VALIDATOR.is_valid(&b))
            })
        })
        .map(|path| path.file_name().unwrap().to_str().unwrap().trim_end_matches(".bad.yaml").to_owned())
        .collect();
    assert_eq!(taken, BEYOND);
}

/// Bad books of the right shape: what only the reader sees is how entries, files and dates go together.
const BEYOND: [&str; 13] = [
    "adjustments-alone",
    "ambiguous",
    "currencies-differ",
    "kept-nowhere",
    "no-idle",
    "no-prices",
    "one-model",
    "overrides-without-price",
    "parts-contradict",
    "quota",
    "shared-labels",
    "terms-inside-a-period",
    "tiers-without-price",
];

/// What the reader knows at each place of a book, learned by asking it for a key that nobody has.
fn keys_of_the_reader(book: &Json) -> BTreeMap<String, BTreeSet<String>> {
    let mut keys = BTreeMap::new();
    for pointer in objects(book) {
        let mut asked = book.clone();
        let object = asked.pointer_mut(&pointer).unwrap().as_object_mut().unwrap();
        object.insert("no-such-key".to_owned(), Json::from("x"));
        // Where the writer chooses the keys, this one is as good as any.
        let Err(problems) = read(&serde_json::to_string(&asked).unwrap()) else { continue };
        let mut known = problems.iter().filter(|problem| problem.message == "unknown key `no-such-key`");
        if let Some(list) = known.find_map(|p| p.mend.split_once("known keys: ")) {
            keys.insert(pointer, list.1.split(", ").map(str::to_owned).collect());
        }
    }
    keys
}

/// The places of all mappings in it.
fn objects(book: &Json) -> Vec<String> {
    let mut found = Vec::new();
    let mut waiting = vec![(String::new(), book)];
    while let Some((pointer, value)) = waiting.pop() {
        let at = |key: &str| format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"));
        match value {
            Json::Object(entries) => {
                waiting.extend(entries.iter().map(|(key, value)| (at(key), value)));
                found.push(pointer);
            }
            Json::Array(items) => {
                waiting.extend(items.iter().enumerate().map(|(index, item)| (at(&index.to_string()), item)));
            }
            _ => {}
        }
    }
    found
}

/// Every property that a schema names, wherever a value of it can be: references and choices are followed.
fn keys_of_the_schema(root: &Json, part: &Json, path: &[&str], keys: &mut BTreeSet<String>) {
    let Some(schema) = part.as_object() else { return };
    if let Some(to) = schema.get("$ref").and_then(Json::as_str) {
        keys_of_the_schema(root, root.pointer(to.trim_start_matches('#')).unwrap(), path, keys);
    }
    for choice in ["anyOf", "oneOf", "allOf"] {
        for part in schema.get(choice).and_then(Json::as_array).into_iter().flatten() {
            keys_of_the_schema(root, part, path, keys);
        }
    }
    let named = schema.get("properties").and_then(Json::as_object);
    match path.split_first() {
        None => keys.extend(named.into_iter().flatten().map(|(key, _)| key.clone())),
        Some((step, rest)) => {
            let next = named.and_then(|named| named.get(*step));
            let next = next.or_else(|| schema.get("additionalProperties").filter(|p| p.is_object()));
            let next = if step.parse::<usize>().is_ok() { schema.get("items").or(next) } else { next };
            if let Some(next) = next {
                keys_of_the_schema(root, next, rest, keys);
            }
        }
    }
}

#[test]
fn the_schema_knows_exactly_the_keys_of_the_reader() {
    let root = schema().to_value();
    let book = json(REFERENCE).unwrap();
    let reader = keys_of_the_reader(&book);
    assert!(reader.len() > 20, "the reference book was not read whole: {reader:#?}");
    for (pointer, known) in reader {
        let steps: Vec<String> =
            pointer.split('/').skip(1).map(|step| step.replace("~1", "/").replace("~0", "~")).collect();
        let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
        let mut keys = BTreeSet::new();
        keys_of_the_schema(&root, &root, &steps, &mut keys);
        assert_eq!(keys, known, "at {pointer}");
    }
}

/// Values that are wrong, or at least odd, in most places.
fn damage() -> impl Strategy<Value = Json> {
    let odd = [
        "null",
        "true",
        "-1",
        "0",
        "1",
        "2.5",
        "\"\"",
        "\"x\"",
        "\"*\"",
        "\" x\"",
        "\"-1\"",
        "\"0.5\"",
        "\"1e3\"",
        "\"0.1234567891\"",
        "\"10%\"",
        "\"101%\"",
        "\"-5%\"",
        "\"2026-10-01\"",
        "\"__platform__\"",
        "\"even\"",
        "\"a?\"",
        "\"1000000000000\"",
        "\"-0\"",
        "\"00.10\"",
        "\"7.\"",
        "[]",
        "[1]",
        "{}",
        "{\"x\": 1}",
        "{\"per_month\": 1}",
    ];
    prop::sample::select(odd.map(|text| serde_json::from_str(text).unwrap()).to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Whatever is put in whatever place: what the reader takes, the schema takes.
    #[test]
    fn the_schema_refuses_nothing_that_the_reader_takes(place in any::<prop::sample::Index>(), value in damage()) {
        let mut book = json(REFERENCE).unwrap();
        let places = every_place(&book);
        *book.pointer_mut(place.get(&places).as_str()).unwrap() = value;
        let text = serde_json::to_string(&book).unwrap();
        if read(&text).is_ok() {
                    let problem = VALIDATOR.iter_errors(&book).next().map(|e| format!("{}: {e}", e.instance_path()));
            prop_assert_eq!(problem, None);
        }
    }

    /// A key that nobody knows, or one that is not there: refused by both, or taken by both.
    #[test]
    fn keys_too_many_and_too_few_are_seen_by_both(place in any::<prop::sample::Index>(), add in any::<bool>()) {
        let mut book = json(REFERENCE).unwrap();
        let places = if add { objects(&book) } else { every_place(&book) };
        let pointer = place.get(&places).clone();
        if add {
            let object = book.pointer_mut(&pointer).unwrap().as_object_mut().unwrap();
            object.insert("no-such-key".to_owned(), Json::from("1"));
        } else {
            let (parent, key) = pointer.rsplit_once('/').unwrap();
            let Some(object) = book.pointer_mut(parent).unwrap().as_object_mut() else { return Ok(()) };
            object.remove(&key.replace("~1", "/").replace("~0", "~"));
        }
        let read = read(&serde_json::to_string(&book).unwrap());
        let taken = VALIDATOR.is_valid(&book);
        // What is missing elsewhere, or named elsewhere, is beyond a schema.
        let of_shape = |problem: &crate::book::Problem| {
            let words = ["missing", "an empty selection", "unknown key", "nothing is agreed", "does not say what", "but there is none", "expected a mapping", "not the name of a GPU",
                "is not a billing period"];
            let of_the_edition = ["`idle` is missing", "`version` is missing"].contains(&&*problem.message);
            words.iter().any(|word| problem.message.contains(word)) && !of_the_edition
        };
        let refused = read.err().is_some_and(|problems| problems.iter().any(of_shape));
        prop_assert_eq!(refused, !taken, "{} {}", pointer, if add { "more" } else { "less" });
    }
}

/// The places of all values but the root.
fn every_place(book: &Json) -> Vec<String> {
    let mut places = Vec::new();
    for parent in objects(book) {
        let object = book.pointer(&parent).unwrap().as_object().unwrap();
        places.extend(
            object.keys().map(|key| format!("{parent}/{}", key.replace('~', "~0").replace('/', "~1"))),
        );
    }
    places
}
