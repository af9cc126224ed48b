//! Entity tags: what a reader has already is not sent again.

use axum::extract::Request;
use axum::http::header::{ACCEPT_RANGES, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{Extensions, HeaderMap, HeaderValue, StatusCode, Version};
use axum::middleware::Next;
use axum::response::Response;

/// Stands before the closing quote of a tag whose bytes were compressed.
const GZIP: &str = "-gz\"";

/// Whether the reader says it has this: a list of tags or `*`, compared weakly as `If-None-Match` is, and
/// whatever the encoding it has it in.
pub(super) fn has(request: &HeaderMap, tag: &str) -> bool {
    let plain = |text: &str| {
        let text = text.trim();
        let text = text.strip_prefix("W/").unwrap_or(text);
        text.strip_suffix(GZIP).map_or_else(|| text.to_owned(), |text| format!("{text}\""))
    };
    let lists = request.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    lists.flat_map(|list| list.split(',')).any(|one| one.trim() == "*" || plain(one) == tag)
}

/// Two encodings of one document are different bytes, so a strong tag has to tell them apart.
pub(super) async fn tag_encoding(request: Request, next: Next) -> Response {
    let has_gzip = request
        .headers()
        .get_all(IF_NONE_MATCH)
        .iter()
        .any(|value| value.to_str().is_ok_and(|text| text.contains(GZIP)));
    let mut response = next.run(request).await;
    let compressed = response.headers().contains_key(CONTENT_ENCODING)
        || (response.status() == StatusCode::NOT_MODIFIED && has_gzip);
    if compressed {
        let tag = response.headers().get(ETAG).and_then(|tag| tag.to_str().ok());
        let tag = tag.and_then(|tag| tag.strip_suffix('"')).map(|tag| format!("{tag}{GZIP}"));
        if let Some(tag) = tag.and_then(|tag| HeaderValue::from_str(&tag).ok()) {
            response.headers_mut().insert(ETAG, tag);
        }
        response.headers_mut().remove(ACCEPT_RANGES);
    }
    response
}

/// Text and JSON are; there is nothing else yet.
pub(super) fn worth_compressing(_: StatusCode, _: Version, headers: &HeaderMap, _: &Extensions) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.starts_with("text/") || kind.contains("json") || kind.contains("openmetrics")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_has_what_one_of_its_tags_names() {
        for (given, has_it) in [
            ("\"abc\"", true),
            ("W/\"abc\"", true),
            ("\"x\", \"abc\"", true),
            ("\"abc-gz\"", true),
            ("*", true),
            ("\"abd\"", false),
            ("abc", false),
            ("", false),
        ] {
            let request = [(IF_NONE_MATCH, given.parse().unwrap())].into_iter().collect();
            assert_eq!(has(&request, "\"abc\""), has_it, "{given}");
        }
        assert!(!has(&HeaderMap::new(), "\"abc\""));
    }
}
