//! Whether an SPDX expression can be kept with licences that we accept.

/// The licences that we accept, and why the less common ones are no trouble.
const ACCEPTED: &[&str] = &[
    "MIT",
    "MIT-0",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Zlib",
    "0BSD",
    "Unlicense",
    // Public domain, for code that asks nothing in return.
    "CC0-1.0",
    // Boost: no notice needed in binaries.
    "BSL-1.0",
    // Unicode's data tables: notice only.
    "Unicode-3.0",
    // Data, not code: Mozilla's root certificates.
    "CDLA-Permissive-2.0",
];

/// Whether the expression leaves a way that needs accepted licences only.
pub(super) fn accepted(expression: &str) -> bool {
    // The old way to write OR.
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let mut words = spaced.split_whitespace().peekable();
    let fits = any(&mut words);
    fits == Some(true) && words.next().is_none()
}

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

/// `None` where the expression breaks off.
fn any(words: &mut Words<'_>) -> Option<bool> {
    let mut fits = all(words)?;
    while words.next_if_eq(&"OR").is_some() {
        // Not `||`: the other side has to be read in any case.
        fits |= all(words)?;
    }
    Some(fits)
}

fn all(words: &mut Words<'_>) -> Option<bool> {
    let mut fits = one(words)?;
    while words.next_if_eq(&"AND").is_some() {
        fits &= one(words)?;
    }
    Some(fits)
}

fn one(words: &mut Words<'_>) -> Option<bool> {
    let word = words.next()?;
    if word == "(" {
        let fits = any(words)?;
        return (words.next() == Some(")")).then_some(fits);
    }
    if words.next_if_eq(&"WITH").is_some() {
        let exception = words.next()?;
        return Some(ACCEPTED.contains(&format!("{word} WITH {exception}").as_str()));
    }
    Some(ACCEPTED.contains(&word))
}

#[test]
fn an_expression_is_accepted_when_some_way_through_it_is() {
    for fine in [
        "MIT",
        "MIT/Apache-2.0",
        "GPL-3.0 OR MIT",
        "MIT AND (GPL-2.0 OR ISC)",
        "Apache-2.0 WITH LLVM-exception",
        "(Apache-2.0 OR MIT) AND BSD-3-Clause",
    ] {
        assert!(accepted(fine), "{fine}");
    }
    for not in ["", "GPL-3.0", "MIT AND GPL-3.0", "GPL-3.0 WITH LLVM-exception", "MIT OR", "(MIT", "MIT ISC"]
    {
        assert!(!accepted(not), "{not}");
    }
}
