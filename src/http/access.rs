//! Who may read what.
//!
//! A bearer token, or the same as the password of basic authentication, which is what browsers can ask
//! for. Without a token the daemon is on loopback, where a page from elsewhere could still make a browser
//! ask it under a name of its own (DNS rebinding): so only requests addressed to loopback are answered.

use axum::extract::{FromRequestParts, Request, State as Extract};
use axum::http::header::{AUTHORIZATION, HOST};
use axum::http::request::Parts;
use axum::http::{HeaderMap, uri::Authority};
use axum::middleware::Next;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use defray_ledger::Scope;
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

use super::{Error, State};

/// How readers prove themselves.
#[derive(Debug)]
pub(super) enum Access {
    /// By this token, kept as its digest: two digests can be compared without telling by the time it takes
    /// how much of a guess was right.
    Token([u8; 32]),
    /// By being on this machine.
    Loopback,
}

impl Access {
    pub(super) fn new(token: Option<&SecretString>) -> Self {
        token.map_or(Self::Loopback, |token| Self::Token(digest(token.expose_secret())))
    }

    /// Who a request that was let through is from.
    const fn by(&self) -> &'static str {
        match self {
            Self::Token(_) => "a holder of the token",
            Self::Loopback => "a user of this machine",
        }
    }

    /// What the sender of a request may see.
    fn scope(&self, headers: &HeaderMap) -> Result<Scope, Error> {
        match self {
            Self::Loopback if addressed_to_loopback(headers) => Ok(Scope::everything()),
            Self::Loopback => Err(Error::NotLoopback),
            Self::Token(expected) => match shown(headers) {
                Some(token) if same(expected, &digest(&token)) => Ok(Scope::everything()),
                _ => Err(Error::Unauthorized),
            },
        }
    }
}

/// Lets a request through with its scope, or refuses it.
pub(super) async fn check(
    Extract(state): Extract<State>,
    mut request: Request,
    next: Next,
) -> Result<Response, Error> {
    let scope = state.0.access.scope(request.headers())?;
    let by = state.0.access.by();
    request.extensions_mut().insert(Reader(scope));
    request.extensions_mut().insert(Principal(by));
    Ok(next.run(request).await)
}

/// Who asks, as far as that was proven, for what is remembered of them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Principal(pub(super) &'static str);

impl<S: Sync> FromRequestParts<S> for Principal {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Error> {
        parts.extensions.get::<Self>().copied().ok_or(Error::Unauthorized)
    }
}

/// Who reads: a handler that takes this cannot be reached without authentication.
#[derive(Debug, Clone)]
pub(super) struct Reader(pub(super) Scope);

impl<S: Sync> FromRequestParts<S> for Reader {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Error> {
        parts.extensions.get::<Self>().cloned().ok_or(Error::Unauthorized)
    }
}

/// The token that a request shows.
fn shown(headers: &HeaderMap) -> Option<String> {
    let (scheme, credentials) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let credentials = credentials.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(credentials.to_owned());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(credentials).ok()?).ok()?;
    decoded.split_once(':').map(|(_, password)| password.to_owned())
}

fn addressed_to_loopback(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(HOST).and_then(|host| host.to_str().ok()) else { return false };
    let Ok(authority) = host.parse::<Authority>() else { return false };
    let name = authority.host().trim_start_matches('[').trim_end_matches(']');
    let address = name.parse::<std::net::IpAddr>();
    name.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

/// Looks at every byte, whatever the ones before said.
fn same(a: &[u8; 32], b: &[u8; 32]) -> bool {
    a.iter().zip(b).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: axum::http::HeaderName, value: &str) -> HeaderMap {
        [(name, value.parse().unwrap())].into_iter().collect()
    }

    #[test]
    fn only_the_whole_token_opens() {
        let access = Access::new(Some(&SecretString::from("s3cret:x".to_owned())));
        let basic = |text: &str| format!("Basic {}", STANDARD.encode(text));
        for (value, opens) in [
            ("Bearer s3cret:x".to_owned(), true),
            ("bearer s3cret:x".to_owned(), true),
            (basic("anyone:s3cret:x"), true),
            ("Bearer s3cret:".to_owned(), false),
            ("Bearer s3cret:xy".to_owned(), false),
            ("Bearer ".to_owned(), false),
            ("s3cret:x".to_owned(), false),
            ("Digest s3cret:x".to_owned(), false),
            (basic("s3cret:x"), false),
            ("Basic !".to_owned(), false),
        ] {
            assert_eq!(access.scope(&headers(AUTHORIZATION, &value)).is_ok(), opens, "{value}");
        }
        assert!(access.scope(&HeaderMap::new()).is_err());
    }

    #[test]
    fn without_a_token_only_what_is_addressed_to_loopback_is_answered() {
        let access = Access::new(None);
        for (host, answered) in [
            ("127.0.0.1:8080", true),
            ("localhost:8080", true),
            ("LOCALHOST", true),
            ("[::1]:8080", true),
            ("127.9.9.9", true),
            ("evil.example", false),
            ("localhost.evil.example:8080", false),
            ("10.0.0.1", false),
            ("", false),
        ] {
            assert_eq!(access.scope(&headers(HOST, host)).is_ok(), answered, "{host}");
        }
        assert!(access.scope(&HeaderMap::new()).is_err());
    }
}
