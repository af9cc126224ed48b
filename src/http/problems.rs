//! Every refusal as RFC 9457 problem details, with the number under which the log has it.

use axum::Json;
use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use tower_http::request_id::{MakeRequestId as _, MakeRequestUuid};

use super::error::{Parameter, Problem};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// A number from outside is kept if it is no longer than this and plain: it goes into the log.
const MAX_ID: usize = 64;

#[derive(Serialize)]
struct Body9457<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    instance: &'a str,
    request_id: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    invalid_params: &'a [Parameter],
}

/// Gives each request its number, each refusal a body, and each answer the headers all have.
pub(super) async fn tell(request: Request, next: Next) -> Response {
    let id = request_id(&request);
    let path = request.uri().path().to_owned();
    let method = request.method().clone();
    let mut response = next.run(request).await;
    let status = response.status();
    if status.is_client_error() || status.is_server_error() {
        response = refusal(response, &path, &id);
    }
    log(&method, &path, &id, &response);
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    harden(response.headers_mut());
    response
}

fn refusal(response: Response, path: &str, id: &str) -> Response {
    let (mut parts, body) = response.into_parts();
    let problem = parts.extensions.get::<Problem>().cloned();
    // The health checks say in their own words what is wrong.
    if problem.is_none() && parts.headers.get(CONTENT_TYPE).is_some_and(|kind| kind == "application/json") {
        return Response::from_parts(parts, body);
    }
    let title = parts.status.canonical_reason().unwrap_or("Error");
    let body = Body9457 {
        r#type: problem.as_ref().map_or("about:blank".to_owned(), |p| format!("/problems/{}", p.kind)),
        title: problem.as_ref().map_or(title, |problem| problem.title),
        status: parts.status.as_u16(),
        detail: problem.as_ref().and_then(|problem| problem.detail.as_deref()),
        instance: path,
        request_id: id,
        invalid_params: problem.as_ref().map_or(&[], |problem| &problem.parameters),
    };
    let told: Response<Body> = Json(body).into_response();
    parts.headers.remove(CONTENT_LENGTH);
    parts.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    parts.headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Response::from_parts(parts, told.into_body())
}

fn log(method: &axum::http::Method, path: &str, id: &str, response: &Response) {
    let status = response.status();
    let problem = response.extensions().get::<Problem>();
    let internal = problem.and_then(|problem| problem.internal.as_deref());
    if status == StatusCode::SERVICE_UNAVAILABLE && internal.is_none() {
        tracing::debug!(http.method = %method, http.path = path, http.status = 503, http.request_id = id);
    } else if status.is_server_error() {
        tracing::error!(
            http.method = %method,
            http.path = path,
            http.status = status.as_u16(),
            http.request_id = id,
            error = internal,
            "a request failed"
        );
    } else {
        tracing::debug!(
            http.method = %method,
            http.path = path,
            http.status = status.as_u16(),
            http.request_id = id,
            "request"
        );
    }
}

fn request_id(request: &Request) -> String {
    let plain = |text: &&str| {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
        !text.is_empty() && text.len() <= MAX_ID && text.bytes().all(allowed)
    };
    let given = request.headers().get(REQUEST_ID).and_then(|value| value.to_str().ok()).filter(plain);
    let made = || {
        let id = MakeRequestUuid.make_request_id(request)?;
        id.header_value().to_str().ok().map(str::to_owned)
    };
    given.map(str::to_owned).or_else(made).unwrap_or_default()
}

/// What every answer says to browsers: run nothing, embed nothing, guess nothing.
fn harden(headers: &mut HeaderMap) {
    for (name, value) in [
        (
            "content-security-policy",
            "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
    ] {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
}
