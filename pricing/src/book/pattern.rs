//! Names and globs, as a price book and the tenancy rules write them.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A name, or a glob in which `*` stands for any text, none included. The case counts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Pattern(String);

/// The text is neither a name nor a glob.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// White space or control characters: no Kubernetes name has them.
    #[error("`{0}` holds white space, which no name has")]
    WhiteSpace(String),
    /// A character that other globs know and this one does not.
    #[error("`{0}` holds `{1}`: only `*` is special here, and no name has it")]
    OtherGlob(String, char),
}

impl Pattern {
    /// Matches everything: `*`.
    pub fn any() -> Self {
        Self("*".to_owned())
    }

    /// Matches one name only. A `*` in it stays a glob's.
    pub fn exact(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it matches everything.
    pub fn is_any(&self) -> bool {
        !self.0.is_empty() && self.0.bytes().all(|b| b == b'*')
    }

    /// Whether it is a name rather than a glob.
    pub fn is_exact(&self) -> bool {
        !self.0.contains('*')
    }

    /// The one name that it matches; none of a glob.
    pub fn name(&self) -> Option<&str> {
        self.is_exact().then_some(&*self.0)
    }

    /// Whether a name matches.
    pub fn matches(&self, name: &str) -> bool {
        let Some((first, rest)) = self.0.split_once('*') else { return self.0 == name };
        let Some(mut name) = name.strip_prefix(first) else { return false };
        let (middle, last) = rest.rsplit_once('*').unwrap_or(("", rest));
        // The leftmost place for each part leaves the most room for those after it.
        for part in middle.split('*').filter(|part| !part.is_empty()) {
            let Some((_, after)) = name.split_once(part) else { return false };
            name = after;
        }
        name.ends_with(last)
    }

    /// Whether everything that another pattern matches is matched by this one. It never says yes where
    /// that is not so.
    pub fn covers(&self, other: &Self) -> bool {
        // The other's `*` can only be met by one of ours, for no literal of ours is a `*`.
        self.matches(&other.0)
    }

    /// Whether some name matches both.
    pub fn overlaps(&self, other: &Self) -> bool {
        let (a, b): (Vec<char>, Vec<char>) = (self.0.chars().collect(), other.0.chars().collect());
        // reachable[j]: what is left of `a` from here and of `b` from j can match a common name.
        let mut reachable = vec![false; b.len().saturating_add(1)];
        for i in (0..=a.len()).rev() {
            let below = reachable.clone();
            let a_here = a.get(i);
            for j in (0..=b.len()).rev() {
                let b_here = b.get(j);
                let next_j = j.saturating_add(1);
                let skip_a = below.get(j).copied().unwrap_or(false);
                let skip_b = reachable.get(next_j).copied().unwrap_or(false);
                let both = below.get(next_j).copied().unwrap_or(false);
                let answer = match (a_here, b_here) {
                    (None, None) => true,
                    (Some('*'), Some(_)) | (Some(_), Some('*')) => skip_a || skip_b,
                    (Some('*'), None) => skip_a,
                    (None, Some('*')) => skip_b,
                    (Some(x), Some(y)) => x == y && both,
                    (None, Some(_)) | (Some(_), None) => false,
                };
                if let Some(cell) = reachable.get_mut(j) {
                    *cell = answer;
                }
            }
        }
        reachable.first().copied().unwrap_or(false)
    }

    /// The more specific is less: a name before any glob, then the glob with more literal characters.
    /// Patterns that are equal here may still differ.
    pub fn by_specificity(&self, other: &Self) -> Ordering {
        other.rank().cmp(&self.rank())
    }

    fn rank(&self) -> (bool, usize) {
        (self.is_exact(), self.0.chars().filter(|c| *c != '*').count())
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(PatternError::WhiteSpace(text.to_owned()));
        }
        if let Some(c) = text.chars().find(|c| matches!(c, '?' | '[' | ']' | '{' | '}' | '\\' | '!' | '^')) {
            return Err(PatternError::OtherGlob(text.to_owned(), c));
        }
        Ok(Self(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pattern(text: &str) -> Pattern {
        text.parse().unwrap()
    }

    #[test]
    fn a_star_stands_for_any_text() {
        for (glob, name, matches) in [
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("a*", "a", true),
            ("a*", "ab", true),
            ("a*", "ba", false),
            ("*a", "a", true),
            ("a*a", "a", false),
            ("a*a", "aba", true),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "axxcyyb", false),
            ("*bc*bc", "bc", false),
            ("**", "x", true),
            ("(none)", "(none)", true),
            ("A", "a", false),
        ] {
            assert_eq!(pattern(glob).matches(name), matches, "{glob} and {name}");
        }
    }

    #[test]
    fn a_name_is_more_specific_than_a_glob_and_more_letters_than_fewer() {
        let mut sorted = ["*", "a*", "abc*", "ab", "*xyz*"].map(pattern);
        sorted.sort_by(|a, b| a.by_specificity(b).then_with(|| a.cmp(b)));
        assert_eq!(sorted.map(|p| p.to_string()), ["ab", "*xyz*", "abc*", "a*", "*"]);
    }

    #[test]
    fn what_looks_like_another_glob_is_refused() {
        for text in ["a?", "[ab]", "a b", "{a,b}", "a\tb", "!a"] {
            assert!(text.parse::<Pattern>().is_err(), "{text}");
        }
    }

    /// The plain definition, slow and obvious.
    fn matches_slowly(glob: &[u8], name: &[u8]) -> bool {
        match (glob.split_first(), name.split_first()) {
            (None, None) => true,
            (Some((b'*', rest)), None) => matches_slowly(rest, name),
            (Some((b'*', rest)), Some((_, tail))) => matches_slowly(rest, name) || matches_slowly(glob, tail),
            (Some((g, rest)), Some((n, tail))) => g == n && matches_slowly(rest, tail),
            (None, Some(_)) | (Some(_), None) => false,
        }
    }

    /// Every word over two letters up to a length that any two of these short patterns must meet in.
    fn words() -> Vec<String> {
        let mut words = vec![String::new()];
        let mut from = 0;
        for _ in 0..8 {
            let longer: Vec<String> =
                words[from..].iter().flat_map(|w| [format!("{w}a"), format!("{w}b")]).collect();
            from = words.len();
            words.extend(longer);
        }
        words
    }

    proptest! {
        #[test]
        fn matching_overlap_and_cover_agree_with_their_definitions(
            a in "[ab*]{0,4}", b in "[ab*]{0,4}", name in "[ab]{0,6}",
        ) {
            let (a, b) = (pattern(&a), pattern(&b));
            prop_assert_eq!(a.matches(&name), matches_slowly(a.as_str().as_bytes(), name.as_bytes()));
            let words = words();
            let common = words.iter().any(|w| a.matches(w) && b.matches(w));
            prop_assert_eq!(a.overlaps(&b), common);
            prop_assert_eq!(b.overlaps(&a), common);
            if a.covers(&b) {
                prop_assert!(words.iter().all(|w| !b.matches(w) || a.matches(w)));
            }
        }
    }
}
