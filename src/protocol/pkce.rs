//! Proof Key for Code Exchange (RFC 7636), S256 only.
//!
//! Whether a client must use it is decided in [`super::authorize`].

use crate::crypto::{Digest, constant_time_eq};
use crate::model::explanation::{Explanation, Rule};

use super::OAuthError;

/// The challenge of an authorization request, if it is one that can be kept.
///
/// `plain` and a missing method are refused alike: without a method RFC 7636 §4.3 would mean `plain`.
pub fn check_challenge(challenge: Option<&str>, method: Option<&str>) -> Result<Option<String>, OAuthError> {
    let refuse = |text: &str| {
        let told = Explanation::of(Rule::PkceChallenge)
            .with(
                "code_challenge",
                challenge.map_or("missing".to_owned(), |text| format!("{} characters", text.len())),
            )
            .with("code_challenge_method", method.unwrap_or("missing"));
        Err(OAuthError::invalid_request(text).because(told))
    };
    match (challenge, method) {
        (None, None) => Ok(None),
        (None, Some(_)) => refuse("code_challenge is missing beside code_challenge_method"),
        (Some(challenge), Some("S256")) if is_pkce_text(challenge) => Ok(Some(challenge.to_owned())),
        (Some(_), Some("S256")) => refuse("code_challenge is not 43 to 128 unreserved characters"),
        (Some(_), _) => refuse("code_challenge_method has to be S256"),
    }
}

/// Whether the verifier answers the stored challenge (RFC 7636 §4.6).
///
/// A verifier without a challenge is refused like a challenge without a verifier: otherwise an attacker who
/// strips the challenge from the request goes unnoticed (RFC 9700 §4.8.2, TE-2).
pub fn verify(challenge: Option<&str>, verifier: Option<&str>) -> Result<(), OAuthError> {
    let holds = match (challenge, verifier) {
        (None, None) => true,
        (Some(challenge), Some(verifier)) if is_pkce_text(verifier) => {
            let computed = Digest::of(verifier.as_bytes()).base64url();
            constant_time_eq(computed.as_bytes(), challenge.as_bytes())
        }
        _ => false,
    };
    if holds {
        Ok(())
    } else {
        let told = match (challenge, verifier) {
            (Some(_), None) => "missing",
            (None, Some(_)) => "sent, although there was no code_challenge",
            (_, Some(verifier)) if !is_pkce_text(verifier) => "not 43 to 128 unreserved characters",
            _ => "its digest is not the code_challenge",
        };
        let told = Explanation::of(Rule::PkceVerifier).with("code_verifier", told);
        Err(OAuthError::invalid_grant("code_verifier does not fit the code_challenge").because(told))
    }
}

/// `43*128unreserved` (RFC 7636 §4.1, §4.2).
fn is_pkce_text(text: &str) -> bool {
    (43..=128).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~'))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7636 appendix B.
    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    #[test]
    fn te_2_the_verifier_is_demanded_with_a_challenge_and_refused_without() {
        let other = VERIFIER.replace('d', "e");
        let cases = [
            (Some(CHALLENGE), Some(VERIFIER), true),
            (None, None, true),
            (Some(CHALLENGE), None, false),
            (None, Some(VERIFIER), false),
            (Some(CHALLENGE), Some(other.as_str()), false),
            (Some(CHALLENGE), Some(CHALLENGE), false),
            (Some(CHALLENGE), Some(""), false),
            (Some(VERIFIER), Some(VERIFIER), false),
        ];
        for (challenge, verifier, holds) in cases {
            assert_eq!(verify(challenge, verifier).is_ok(), holds, "{challenge:?} {verifier:?}");
        }
    }

    #[test]
    fn az_4_only_s256_challenges_are_taken() {
        let long = "a".repeat(129);
        let cases = [
            (Some(CHALLENGE), Some("S256"), true),
            (None, None, true),
            (Some(CHALLENGE), None, false),
            (Some(CHALLENGE), Some("plain"), false),
            (Some(CHALLENGE), Some("s256"), false),
            (Some(CHALLENGE), Some("S512"), false),
            (None, Some("S256"), false),
            (Some(&CHALLENGE[1..]), Some("S256"), false),
            (Some(long.as_str()), Some("S256"), false),
            (Some("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw+cM"), Some("S256"), false),
        ];
        for (challenge, method, taken) in cases {
            assert_eq!(check_challenge(challenge, method).is_ok(), taken, "{challenge:?} {method:?}");
        }
    }
}
