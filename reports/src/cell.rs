//! Text that a spreadsheet will open.
//!
//! A cell that begins like a formula is run by spreadsheets, so a tenant named `=HYPERLINK(…)` would act
//! on the accountant's machine. Such text is preceded by an apostrophe, which spreadsheets take as "this
//! is text". Numbers are written by us and may begin with a minus sign: they do not pass here.

use std::borrow::Cow;

/// What begins a formula: the ASCII signs, their full-width forms, and control characters that some
/// spreadsheets skip before they look.
const DANGEROUS: [char; 12] = ['=', '+', '-', '@', '\t', '\r', '\n', '\0', '＝', '＋', '－', '＠'];

/// `text` as a cell that no spreadsheet runs.
pub(crate) fn text(text: &str) -> Cow<'_, str> {
    // Spreadsheets trim what they open, so blanks in front do not make it safe.
    let shown = text.trim_start_matches([' ', '\u{feff}', '\u{a0}']);
    if shown.starts_with(DANGEROUS) { Cow::Owned(format!("'{text}")) } else { Cow::Borrowed(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_begins_like_a_formula_becomes_text() {
        for attack in [
            "=cmd|' /C calc'!A0",
            "+1+1",
            "-2+3",
            "@SUM(A1)",
            "\t=1",
            "\r=1",
            "\n=1",
            "\0=1",
            "＝1",
            "＋1",
            "－1",
            "＠x",
            " =1",
            "\u{a0}=1",
            "\u{feff}=1",
        ] {
            assert_eq!(text(attack), format!("'{attack}"));
        }
    }

    #[test]
    fn ordinary_names_stay_as_they_are() {
        for name in ["payments", "0042", "team-a", "a=b", "Größe", "(tenant)", "__unassigned__", ""] {
            assert_eq!(text(name), name);
        }
    }
}
