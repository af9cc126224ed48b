//! What was probably meant.

/// The known word that is nearest to what was written, if one is near enough to be a slip of the pen.
pub fn nearest<'k>(written: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let plain = plain(written);
    let allowed = match plain.chars().count() {
        0..=2 => 0,
        3..=5 => 2,
        _ => 3,
    };
    known
        .into_iter()
        .map(|word| (distance(&plain, &self::plain(word)), word))
        .filter(|(distance, word)| *distance <= allowed && *distance < word.chars().count())
        .min()
        .map(|(_, word)| word)
}

/// Case, dashes and underscores are the commonest slips.
fn plain(word: &str) -> String {
    word.chars().filter(|c| !matches!(c, '-' | '_' | ' ')).flat_map(char::to_lowercase).collect()
}

/// Insertions, deletions and replacements that turn one word into the other.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, a) in a.chars().enumerate() {
        let mut next = vec![i.saturating_add(1)];
        for ((j, b), replaced) in b.iter().enumerate().zip(&row) {
            let replace = replaced.saturating_add(usize::from(a != *b));
            let delete = row.get(j.saturating_add(1)).map_or(usize::MAX, |d| d.saturating_add(1));
            let insert = next.last().map_or(usize::MAX, |d| d.saturating_add(1));
            next.push(replace.min(delete).min(insert));
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}
