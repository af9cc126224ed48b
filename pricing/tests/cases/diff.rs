//! Two texts, line by line: what is only in the one, only in the other, and in both.

/// The shortest way from one text to the other: lines begin with `-` (only expected), `+` (only actual) or
/// nothing (in both).
pub(crate) fn lines(expected: &[String], actual: &[String]) -> String {
    // lengths[i][j] is how many lines the rests from i and from j have in common, in order.
    let mut lengths = vec![vec![0_usize; actual.len().saturating_add(1)]; expected.len().saturating_add(1)];
    let at = |lengths: &[Vec<usize>], i: usize, j: usize| {
        lengths.get(i).and_then(|row| row.get(j)).copied().unwrap_or(0)
    };
    for (i, left) in expected.iter().enumerate().rev() {
        for (j, right) in actual.iter().enumerate().rev() {
            let (below, beside) = (i.saturating_add(1), j.saturating_add(1));
            let length = if left == right {
                at(&lengths, below, beside).saturating_add(1)
            } else {
                at(&lengths, below, j).max(at(&lengths, i, beside))
            };
            if let Some(cell) = lengths.get_mut(i).and_then(|row| row.get_mut(j)) {
                *cell = length;
            }
        }
    }
    let (mut i, mut j) = (0_usize, 0_usize);
    let mut text = Vec::new();
    loop {
        let (left, right) = (expected.get(i), actual.get(j));
        let (sign, line, left_moves, right_moves) = match (left, right) {
            (None, None) => return text.join("\n"),
            (Some(left), Some(right)) if left == right => (' ', left, true, true),
            (Some(left), right)
                if right.is_none()
                    || at(&lengths, i.saturating_add(1), j) >= at(&lengths, i, j.saturating_add(1)) =>
            {
                ('-', left, true, false)
            }
            (_, Some(right)) => ('+', right, false, true),
            (Some(left), None) => ('-', left, true, false),
        };
        text.push(format!("  {sign} {line}"));
        i = i.saturating_add(usize::from(left_moves));
        j = j.saturating_add(usize::from(right_moves));
    }
}
