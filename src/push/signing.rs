//! Signatures by Standard Webhooks 1.0.0: HMAC-SHA256 over id, time and the exact bytes.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::zeroize::Zeroizing;
use sha2::Sha256;

/// A secret shared with a receiver: `whsec_` and 24 to 64 bytes in base64.
#[derive(Clone)]
pub struct SigningSecret(Zeroizing<Vec<u8>>);

/// The text is no such secret. It is not repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// It does not begin as one.
    #[error("a signing secret begins with `whsec_`, followed by base64")]
    Prefix,
    /// What follows is no base64.
    #[error("what follows `whsec_` in the signing secret is not base64")]
    Base64,
    /// Too short to be safe, or longer than receivers take.
    #[error("the signing secret holds {0} bytes; receivers take 24 to 64")]
    Length(usize),
}

impl SigningSecret {
    /// Reads the form in which receivers show it.
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        let encoded = text.trim().strip_prefix("whsec_").ok_or(SecretError::Prefix)?;
        let bytes = Zeroizing::new(STANDARD.decode(encoded).map_err(|_| SecretError::Base64)?);
        if (24..=64).contains(&bytes.len()) { Ok(Self(bytes)) } else { Err(SecretError::Length(bytes.len())) }
    }

    /// `v1,<base64>`; none only where the key cannot be used, which no length above is.
    pub(super) fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> Option<String> {
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&self.0).ok()?;
        mac.update(id.as_bytes());
        mac.update(format!(".{timestamp}.").as_bytes());
        mac.update(body);
        Some(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
    }
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningSecret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Verified with the reference library for Python.
    #[test]
    fn signatures_are_those_of_standard_webhooks() {
        let secret = SigningSecret::parse("whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=").unwrap();
        let body = br#"{"type":"cost.report.final","timestamp":"2026-11-01T02:00:00Z","data":{"tenantName":"payments"}}"#;
        let signature = secret.sign("msg_cr_2026-10_payments_r1", 1_793_491_200, body);
        assert_eq!(signature.as_deref(), Some("v1,jpZYn4Pc40Yct7pPRpQImszAnrbc2q4/KZ4cZsqB9KY="));
    }

    #[test]
    fn what_is_no_secret_is_refused_and_never_shown() {
        for (text, error) in [
            ("MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", SecretError::Prefix),
            ("whsec_not base64!", SecretError::Base64),
            ("whsec_c2hvcnQ=", SecretError::Length(5)),
        ] {
            let found = SigningSecret::parse(text).unwrap_err();
            assert_eq!(found, error);
            assert!(!found.to_string().contains("MDEy"));
        }
        let secret = SigningSecret::parse("whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=").unwrap();
        assert!(!format!("{secret:?}").contains("0123"));
    }
}
