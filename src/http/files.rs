//! Names of downloads.

/// The header of a file that is saved, under a name that no header or file system trips over: an ASCII
/// form for everyone, the real one percent-encoded (RFC 6266, RFC 8187).
pub(super) fn saved(name: &str) -> String {
    named("attachment", name)
}

/// The same for what a browser shows itself.
pub(super) fn shown(name: &str) -> String {
    named("inline", name)
}

fn named(how: &str, name: &str) -> String {
    let plain: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' }).collect();
    format!("{how}; filename=\"{plain}\"; filename*=UTF-8''{}", percent_encoded(name))
}

/// A name as one segment of a path, or as an extended value of a header.
pub(super) fn percent_encoded(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"._-".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push_str(&hex::encode_upper([byte]));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_one_segment_of_the_path() {
        assert_eq!(percent_encoded("a/b ?#ü"), "a%2Fb%20%3F%23%C3%BC");
    }

    #[test]
    fn names_never_leave_their_header() {
        assert_eq!(saved("a.csv"), "attachment; filename=\"a.csv\"; filename*=UTF-8''a.csv");
        let hostile = saved("ä\"\r\nX: y/../.csv");
        assert!(
            hostile
                .starts_with("attachment; filename=\"____X__y_.._.csv\"; filename*=UTF-8''%C3%A4%22%0D%0A")
        );
        assert!(hostile.is_ascii() && !hostile.contains(['\r', '\n']));
    }
}
