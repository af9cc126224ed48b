//! What makes the daemon do something.
//!
//! A page from elsewhere can make a browser send such a request too, with the password the browser remembers or to
//! loopback: but not as JSON, unless the daemon agreed to that first, which it never does. So nothing but JSON is
//! taken.

use axum::body::{Body, to_bytes};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use bytes::Bytes;
use serde::de::DeserializeOwned;

use super::Error;

/// More than any such request needs.
const MOST_BYTES: usize = 4096;

/// The JSON that was sent, if it calls itself that.
pub(super) async fn json(headers: &HeaderMap, body: Body) -> Result<Bytes, Error> {
    let said = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = said.split(';').next().unwrap_or_default();
    if !essence.trim().eq_ignore_ascii_case("application/json") {
        return Err(Error::NotJson);
    }
    to_bytes(body, MOST_BYTES)
        .await
        .map_err(|_| Error::Sent(format!("it is longer than {MOST_BYTES} bytes, or ended before its time")))
}

/// What an object says; nothing at all says nothing.
pub(super) fn object<T: Default + DeserializeOwned>(bytes: &[u8], example: &str) -> Result<T, Error> {
    let bytes = bytes.trim_ascii();
    if bytes.is_empty() {
        return Ok(T::default());
    }
    // A list would be taken for the keys in their order.
    if !bytes.starts_with(b"{") {
        return Err(Error::Sent(format!("send an object such as {example}, or {{}}")));
    }
    serde_json::from_slice(bytes).map_err(|error| Error::Sent(error.to_string()))
}
