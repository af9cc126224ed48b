//! Numbers that look like chance and are not.

/// Mixes numbers into one that looks unrelated to them (the finaliser of splitmix64, word by word).
pub(super) fn mix(words: &[i64]) -> u64 {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for word in words {
        state = state.wrapping_add(word.cast_unsigned()).wrapping_add(0x9e37_79b9_7f4a_7c15);
        state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        state ^= state >> 31;
    }
    state
}

/// Between `100 - spread` and `100 + spread` per cent.
pub(super) fn around_hundred(spread: u8, words: &[i64]) -> i64 {
    let width = u64::from(spread) * 2 + 1;
    let step = i64::try_from(mix(words) % width).unwrap_or(0);
    100 - i64::from(spread) + step
}
