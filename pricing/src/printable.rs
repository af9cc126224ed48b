//! What is printed on statements must be fit to print, whoever wrote it.

/// The longest name or address that is taken; longer ones are a mistake or an attack.
pub const LONGEST_TEXT: usize = 253;

/// Refuses control characters, what a spreadsheet would run as a formula, and blanks at the ends that make two
/// names look like one. The reason is a sentence without its subject: `is empty`.
pub fn printable(text: &str) -> Result<(), String> {
    if text.is_empty() {
        return Err("is empty".to_owned());
    }
    if text.len() > LONGEST_TEXT {
        return Err(format!("has {} bytes, more than {LONGEST_TEXT}", text.len()));
    }
    if let Some(bad) = text.chars().find(|letter| letter.is_control() || invisible(*letter)) {
        return Err(format!("contains the character U+{:04X}, which cannot be shown", u32::from(bad)));
    }
    if text.trim() != text {
        return Err(format!("is `{text}`, with blanks around it"));
    }
    if text.starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']) {
        return Err(format!("is `{text}`, which a spreadsheet would run as a formula"));
    }
    Ok(())
}

/// Characters that change how others are shown, or show nothing themselves.
const fn invisible(letter: char) -> bool {
    matches!(letter,
        '\u{00AD}' | '\u{061C}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}'
        | '\u{2060}'..='\u{2069}' | '\u{FEFF}')
}
