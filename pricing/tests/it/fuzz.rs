//! Fuzz targets: whatever bytes come in, nothing panics, everything ends, and what is taken is taken as meant.
//!
//! They run on stable Rust as tests, for a bounded number of inputs: pieces of the corpus (`pricing/fuzz/`,
//! a folder for each target), cut, joined and damaged, and bytes from nowhere. For longer than that:
//! `PROPTEST_CASES=1000000 cargo test -p defray-pricing --release fuzz`. An input that once failed belongs
//! into the corpus, where it is tried first, whole, for ever.

use std::fs;
use std::path::Path;

use defray_pricing::apportion::{equal_part, largest_remainder};
use defray_pricing::book::{PriceBook, Source};
use defray_pricing::decimal::{self, DecimalError};
use defray_pricing::estimate::{Form, GIB, Proposal, kubernetes_quantity};
use defray_pricing::money::{Money, UnitPrice};
use defray_pricing::quantity::Quantity;
use defray_pricing::time::BillingZone;
use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::Signed;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::properties::config;

/// The inputs of a target that are kept.
fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(target);
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let inputs: Vec<Vec<u8>> = files.iter().map(|path| fs::read(path).unwrap()).collect();
    assert!(!inputs.is_empty(), "the corpus of {target} was not found");
    inputs
}

/// What a fuzzer does to an input.
#[derive(Debug, Clone)]
enum Damage {
    /// Bytes are put in.
    Insert(Index, Vec<u8>),
    /// So many bytes are taken out.
    Remove(Index, usize),
    /// A byte is another.
    Replace(Index, u8),
    /// A part of it is there again.
    Repeat(Index, Index, usize),
    /// From here on it is another input.
    Join(Index, Index, Index),
}

fn damage(words: &'static [&'static str]) -> impl Strategy<Value = Damage> {
    let place = any::<Index>;
    let word = select(words).prop_map(|word| word.as_bytes().to_vec());
    let bytes = prop_oneof![3 => word, 1 => vec(any::<u8>(), 1..6)];
    prop_oneof![
        (place(), bytes).prop_map(|(at, bytes)| Damage::Insert(at, bytes)),
        (place(), 1..40_usize).prop_map(|(at, count)| Damage::Remove(at, count)),
        (place(), any::<u8>()).prop_map(|(at, byte)| Damage::Replace(at, byte)),
        (place(), place(), 1..60_usize).prop_map(|(from, to, count)| Damage::Repeat(from, to, count)),
        (place(), place(), place()).prop_map(|(at, which, from)| Damage::Join(at, which, from)),
    ]
}

fn apply(mut input: Vec<u8>, damage: &[Damage], corpus: &[Vec<u8>]) -> Vec<u8> {
    let place = |index: &Index, input: &[u8]| index.index(input.len() + 1);
    for step in damage {
        match step {
            Damage::Insert(at, bytes) => {
                let at = place(at, &input);
                input.splice(at..at, bytes.iter().copied());
            }
            Damage::Remove(at, count) => {
                let at = place(at, &input);
                input.drain(at..(at + count).min(input.len()));
            }
            Damage::Replace(at, byte) => {
                let at = place(at, &input);
                if let Some(old) = input.get_mut(at) {
                    *old = *byte;
                }
            }
            Damage::Repeat(from, to, count) => {
                let (from, to) = (place(from, &input), place(to, &input));
                let part = input[from..(from + count).min(input.len())].to_vec();
                input.splice(to..to, part);
            }
            Damage::Join(at, which, from) => {
                let other = which.get(corpus);
                input.truncate(place(at, &input));
                input.extend(&other[place(from, other)..]);
            }
        }
    }
    input
}

/// Inputs of a target: damaged ones of the corpus, or any bytes.
fn input(target: &str, words: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    let corpus = corpus(target);
    let seed = (select(corpus.clone()), vec(damage(words), 0..8));
    prop_oneof![
        9 => seed.prop_map(move |(seed, damage)| apply(seed, &damage, &corpus)),
        1 => vec(any::<u8>(), 0..200),
    ]
}

const BOOK_WORDS: &[&str] = &[
    "\n",
    "  ",
    "- ",
    ": ",
    "{",
    "}",
    "[",
    "]",
    "\"",
    "'",
    "#",
    "|\n",
    "&a ",
    "*a",
    "<<: ",
    "---\n",
    "!t ",
    "\t",
    "\u{feff}",
    "\u{0}",
    "per_month: 1",
    "per_year: 9",
    "node_hour: \"0.1\"",
    "pool: ",
    "model: rate",
    "model: cost",
    "effective_from: ",
    "2026-10-25T02:30",
    "9999-12-31",
    "-0",
    "1e9",
    "999999999999",
    "0.000000001",
    "100%",
    "__platform__",
    "policy: even",
    "weighted: {a: 1}",
    "cost_centers:\n",
    "overrides: []",
];
const NUMBER_WORDS: &[&str] =
    &["0", "9", ".", "-", "+", "e", " ", "_", ",", "000000000", "999999999999", "\u{664}"];

const TENANT_WORDS: &[&str] = &[
    "\n",
    "  ",
    ": ",
    "{",
    "}",
    "[",
    "]",
    "\"",
    "&a ",
    "*a",
    "<<: ",
    "---\n",
    "~",
    "\u{202e}",
    "=1",
    "kind: Tenant",
    "spec: ",
    "teamName: ",
    "costCenter: ",
    "__unassigned__",
    "services: {x: true}",
    "resourceQuota: ",
    "cpu: 1e9",
    "memory: 9Ei",
    "nodePool: {size: 10000}",
    "apiVersion: platform.financecore.local/v1",
];
const KUBERNETES_WORDS: &[&str] =
    &["0", "9", ".", "-", "+", "e", "E", "i", "Ki", "Gi", "Ei", "n", "u", "m", "k", "P", "e-30", "000000000"];

/// A book is read or refused with reasons; what is read is read the same from other places and formats.
fn a_book(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    let parse = |name: &str, text: &str| {
        let source = Source { name: name.to_owned(), text: text.to_owned() };
        PriceBook::parse(&[source], BillingZone::UTC)
    };
    match parse("book.yaml", text) {
        Err(problems) => {
            assert!(!problems.is_empty());
            assert!(problems.is_sorted() && problems.iter().all(|problem| !problem.message.is_empty()));
        }
        Ok(book) => {
            let tree: serde_json::Value = serde_saphyr::from_str(text).unwrap_or_default();
            let again = parse("again.yaml", text).unwrap();
            assert_eq!(book, again, "the name of the file does not count");
            if let Some(quoted) = quoted(&tree) {
                let canonical = serde_json::to_string(&quoted).unwrap();
                let read = parse("canonical.yaml", &canonical).unwrap();
                assert_eq!(read, book, "{canonical}");
                assert_eq!(read.digest, book.digest);
            }
        }
    }
}

/// One canonical way to write a document; none where numbers were not text, whose digits may be lost.
fn quoted(tree: &serde_json::Value) -> Option<serde_json::Value> {
    use serde_json::Value as Json;
    Some(match tree {
        Json::Number(_) | Json::Bool(_) | Json::Null => return None,
        Json::String(text) => Json::String(text.clone()),
        Json::Array(items) => Json::Array(items.iter().map(quoted).collect::<Option<_>>()?),
        Json::Object(entries) => Json::Object(
            entries.iter().map(|(key, value)| Some((key.clone(), quoted(value)?))).collect::<Option<_>>()?,
        ),
    })
}

/// A decimal is refused, or written in a way that reads the same: for every scale that is in use.
fn a_number(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    for scale in [0, 2, 6, 9, 12, 18] {
        match decimal::parse(text, scale) {
            Ok(value) => {
                assert!(text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-')));
                for least in [0, scale] {
                    let canonical = decimal::format(value, scale, least);
                    assert_eq!(decimal::parse(&canonical, scale), Ok(value), "{text} as {canonical}");
                    assert_eq!(decimal::format(value, scale, least), canonical);
                }
            }
            Err(
                DecimalError::Syntax(told)
                | DecimalError::TooLarge(told)
                | DecimalError::TooPrecise { text: told, .. },
            ) => {
                assert_eq!(told, text);
            }
        }
    }
    if let Ok(quantity) = text.parse::<Quantity>() {
        assert_eq!(quantity.to_string().parse(), Ok(quantity));
        if let Ok(price) = text.parse::<UnitPrice>() {
            assert_eq!(price.to_string().parse(), Ok(price));
            if let Ok(money) = price.times(quantity) {
                assert_eq!(money.to_string().parse(), Ok(money));
            }
        }
    }
    if let Ok(money) = text.parse::<Money>() {
        assert_eq!(money.to_string().parse(), Ok(money));
        if let Ok((units, nanos, attos)) = money.to_parts() {
            assert_eq!(Money::from_parts(units, nanos, attos), Ok(money));
        }
    }
}

/// Sixteen bytes are the whole, every sixteen more a weight: parts add up, or the numbers are said to be too large.
fn a_split(input: &[u8]) {
    let mut numbers = input.chunks(16).map(|chunk| {
        let mut bytes = [0; 16];
        bytes[..chunk.len()].copy_from_slice(chunk);
        u128::from_le_bytes(bytes)
    });
    let Some(whole) = numbers.next().map(u128::cast_signed) else { return };
    let weights: Vec<u128> = numbers.collect();
    match largest_remainder(whole, &weights) {
        Ok(None) => assert!(weights.iter().all(|weight| *weight == 0)),
        Ok(Some(parts)) => {
            assert_eq!(parts.len(), weights.len());
            // Parts of both signs may pass the range on the way to a whole that is inside it.
            assert_eq!(parts.iter().fold(0_i128, |sum, part| sum.wrapping_add(*part)), whole);
            for (part, weight) in parts.iter().zip(&weights) {
                assert!(*weight != 0 || *part == 0, "{part} for nothing");
                assert!(part.signum() * whole.signum() >= 0, "{part} of {whole}");
            }
            let more = largest_remainder(whole, &[weights.as_slice(), &[0]].concat());
            assert_eq!(more.map(|parts| parts.map(|parts| parts[..weights.len()].to_vec())), Ok(Some(parts)));
        }
        Err(_) => assert_eq!(whole, i128::MIN, "nothing else is too large"),
    }
    let count = u32::try_from(weights.len()).unwrap();
    if count > 0 {
        let parts = (0..count).map(|index| equal_part(whole, count, index).unwrap());
        assert_eq!(parts.fold(0_i128, i128::wrapping_add), whole);
    } else {
        assert!(equal_part(whole, 0, 0).is_err());
    }
}

/// A proposal is refused with reasons, or fit to be rated and to be printed, by whatever form it is read.
fn a_tenant(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    let odd =
        Form { kind: "spec".to_owned(), team: vec!["kind".to_owned()], services: None, ..Form::default() };
    for form in [Form::default(), odd] {
        match Proposal::parse("tenant.yaml", text, &form) {
            Err(problems) => {
                assert!(!problems.is_empty());
                assert!(problems.is_sorted() && problems.iter().all(|problem| !problem.message.is_empty()));
            }
            Ok(proposal) => {
                let names = [proposal.tenant.as_str(), proposal.cost_center.as_str()];
                assert!(!proposal.tenant.is_reserved());
                assert!(
                    names
                        .iter()
                        .all(|name| !name.trim().is_empty() && !name.starts_with(['=', '+', '-', '@']))
                );
                let quotas = [proposal.cpu, proposal.memory, proposal.storage];
                assert!(quotas.iter().flatten().all(|quota| *quota >= Quantity::ZERO));
                assert!(proposal.nodes.iter().all(|nodes| nodes.size > 0));
                assert!(proposal.ignored.len() <= 21);
                assert_eq!(Proposal::parse("again.yaml", text, &form), Ok(proposal));
            }
        }
    }
}

/// A Kubernetes quantity is none, or within half a millionth of what its digits say in big rationals.
fn a_kubernetes_quantity(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    for unit in [1, GIB] {
        let Some(quantity) = kubernetes_quantity(text, unit) else { continue };
        let micros = BigRational::from(BigInt::from(quantity.micros()));
        let exact = exactly(text) * BigRational::new(1_000_000.into(), unit.into());
        let off = (&exact - &micros).abs();
        assert!(off <= BigRational::new(1.into(), 2.into()), "{text}: {exact} read as {micros}");
        assert!(quantity >= Quantity::ZERO);
    }
}

/// What is known to be a quantity, by its definition.
fn exactly(text: &str) -> BigRational {
    let end = text.find(|c: char| !c.is_ascii_digit() && !matches!(c, '.' | '+')).unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let (whole, decimals) = number.trim_start_matches('+').split_once('.').unwrap_or((number, ""));
    let digits: BigInt = format!("0{}{decimals}", whole.trim_start_matches('+')).parse().unwrap();
    let power = |base: i64, exponent: i32| BigRational::from(BigInt::from(base)).pow(exponent);
    let times = match suffix {
        "" => power(10, 0),
        "n" => power(10, -9),
        "u" => power(10, -6),
        "m" => power(10, -3),
        "k" => power(10, 3),
        "M" => power(10, 6),
        "G" => power(10, 9),
        "T" => power(10, 12),
        "P" => power(10, 15),
        "E" => power(10, 18),
        "Ki" => power(2, 10),
        "Mi" => power(2, 20),
        "Gi" => power(2, 30),
        "Ti" => power(2, 40),
        "Pi" => power(2, 50),
        "Ei" => power(2, 60),
        exponent => power(10, exponent[1..].parse().unwrap()),
    };
    BigRational::from(digits) * times * power(10, -i32::try_from(decimals.len()).unwrap())
}

#[test]
fn the_corpus_is_taken_whole() {
    for input in corpus("book") {
        a_book(&input);
    }
    for input in corpus("number") {
        a_number(&input);
    }
    for input in corpus("split") {
        a_split(&input);
    }
    for input in corpus("tenant") {
        a_tenant(&input);
    }
    for input in corpus("kubernetes") {
        a_kubernetes_quantity(&input);
    }
}

proptest! {
    #![proptest_config(config(300))]

    #[test]
    fn no_bytes_make_the_book_reader_panic(input in input("book", BOOK_WORDS)) {
        a_book(&input);
    }

    #[test]
    fn no_bytes_make_a_decimal_panic_and_what_is_read_is_written_the_same(input in input("number", NUMBER_WORDS)) {
        a_number(&input);
    }

    #[test]
    fn no_bytes_make_the_reader_of_proposed_tenants_panic(input in input("tenant", TENANT_WORDS)) {
        a_tenant(&input);
    }

    #[test]
    fn a_kubernetes_quantity_is_what_its_digits_say(input in input("kubernetes", KUBERNETES_WORDS)) {
        a_kubernetes_quantity(&input);
    }

    #[test]
    fn no_bytes_make_a_split_panic_or_lose_a_billionth(input in input("split", &["\u{0}", "\u{1}", "\u{7f}"])) {
        a_split(&input);
    }
}
