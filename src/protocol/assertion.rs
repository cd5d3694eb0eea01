//! The claims of a client assertion whose signature was verified (RFC 7523 §3, OpenID Connect Core §9, CA-3).
//!
//! That the `jti` was not used before is decided by one insert in the database (AR-1).

use std::time::Duration;

use serde_json::{Map, Value};

use crate::clock::Timestamp;
use crate::model::Client;
use crate::model::explanation::{Explanation, Rule};

use super::OAuthError;

/// How far ahead an assertion may expire, and how far clocks may differ.
const MAX_LIFE: Duration = Duration::from_secs(5 * 60);
const SKEW_AHEAD: Duration = Duration::from_secs(60);
const SKEW_PAST: Duration = Duration::from_secs(10);
const MAX_JTI: usize = 256;

/// Who an assertion may be addressed to.
#[derive(Clone, Copy, Debug)]
pub struct Audiences<'a> {
    pub issuer: &'a str,
    /// The token endpoint and the endpoint that was called: taken only from a client that is set to send
    /// them.
    pub endpoints: &'a [&'a str],
}

/// What makes the assertion single-use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssertionJti {
    pub jti: String,
    /// From then on the assertion is refused by its age, so that its `jti` need not be remembered longer.
    pub expires_at: Timestamp,
}

/// Checks the claims of a verified assertion.
pub fn check_claims(
    claims: &Map<String, Value>,
    client: &Client,
    audiences: Audiences<'_>,
    now: Timestamp,
) -> Result<AssertionJti, OAuthError> {
    let bad = |why: &str, told: Explanation| {
        let told = told.with("reason", why);
        Err(OAuthError::invalid_client("client_assertion is not valid").with_hint(why).because(told))
    };
    let refuse = |why: &str| bad(why, Rule::AssertionClaims.into());
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    if text("iss") != Some(&client.client_id) || text("sub") != Some(&client.client_id) {
        return refuse("iss and sub are not the client_id");
    }
    if !is_for_us(claims.get("aud"), client, audiences) {
        let told = Explanation::of(Rule::AssertionClaims)
            .with("aud", claims.get("aud").map_or("missing".to_owned(), Value::to_string))
            .with("expected", audiences.issuer);
        return bad("aud is not this provider's issuer as a single text", told);
    }
    let Some(jti) = text("jti").filter(|jti| !jti.is_empty() && jti.len() <= MAX_JTI && !jti.contains('\0'))
    else {
        return refuse("jti is missing or too long");
    };
    let Some(exp) = numeric_date(claims.get("exp")) else {
        return refuse("exp is missing");
    };
    let expires_at = exp.plus(SKEW_PAST);
    if expires_at <= now {
        return bad("exp is past", off("exp", exp, now));
    }
    if expires_at > now.plus(MAX_LIFE + SKEW_AHEAD + SKEW_PAST) {
        return bad("exp is more than five minutes ahead", off("exp", exp, now));
    }
    for name in ["iat", "nbf"] {
        match claims.get(name).map(|value| numeric_date(Some(value))) {
            None => {}
            Some(Some(at)) if at <= now.plus(SKEW_AHEAD) => {}
            Some(Some(at)) => return bad("iat or nbf is no time or lies in the future", off(name, at, now)),
            Some(None) => return refuse("iat or nbf is no time or lies in the future"),
        }
    }
    Ok(AssertionJti { jti: jti.to_owned(), expires_at })
}

/// How far a time of the assertion is from ours: the offset of the client's clock, or a life that is too long.
fn off(claim: &'static str, at: Timestamp, now: Timestamp) -> Explanation {
    Explanation::of(Rule::AssertionTime)
        .with("claim", claim)
        .with("its time", at)
        .with("our time", now)
        .with("seconds ahead of us", at.seconds().saturating_sub(now.seconds()))
}

/// The issuer as a single text; the endpoints, and lists, only where the client is set to send them
/// (CVE-2025-27370).
fn is_for_us(aud: Option<&Value>, client: &Client, audiences: Audiences<'_>) -> bool {
    let lenient = client.assertion_aud_token_endpoint;
    let ours = |value: &Value| {
        value
            .as_str()
            .is_some_and(|aud| aud == audiences.issuer || (lenient && audiences.endpoints.contains(&aud)))
    };
    match aud {
        Some(Value::Array(list)) => lenient && list.iter().any(ours),
        Some(single) => ours(single),
        None => false,
    }
}

/// A NumericDate (RFC 7519 §2), whole or with a fraction.
fn numeric_date(value: Option<&Value>) -> Option<Timestamp> {
    let number = value?.as_number()?;
    match number.as_i64() {
        Some(seconds) => Some(Timestamp::from_seconds(seconds)),
        // A cast of a float saturates; absurd times are refused by the comparisons.
        #[expect(clippy::cast_possible_truncation, reason = "saturates")]
        None => number.as_f64().map(|seconds| Timestamp::from_micros((seconds * 1e6) as i64)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::protocol::ErrorCode;
    use crate::protocol::fixtures::{ISSUER, client};

    const NOW: i64 = 1_800_000_000;
    const TOKEN: &str = "https://id.example.com/oauth2/token";

    fn check(change: &Value, lenient: bool) -> Result<AssertionJti, OAuthError> {
        let mut claims = json!({
            "iss": "calendar", "sub": "calendar", "aud": ISSUER, "jti": "j1", "exp": NOW + 60, "iat": NOW
        });
        let members = claims.as_object_mut().unwrap();
        for (name, value) in change.as_object().unwrap() {
            members.insert(name.clone(), value.clone());
            members.retain(|_, value| !value.is_null());
        }
        let mut client = client();
        client.assertion_aud_token_endpoint = lenient;
        let audiences = Audiences { issuer: ISSUER, endpoints: &[TOKEN] };
        check_claims(members, &client, audiences, Timestamp::from_seconds(NOW))
    }

    #[test]
    fn ca_3_what_is_accepted() {
        let good = [
            json!({}),
            json!({"iat": null}),
            json!({"exp": NOW - 9}),
            json!({"exp": NOW + 360}),
            json!({"exp": f64::from(1_800_000_030) + 0.5}),
            json!({"iat": NOW + 60, "nbf": NOW + 10}),
            json!({"jti": "j".repeat(256)}),
        ];
        for change in good {
            assert!(check(&change, false).is_ok(), "{change}");
        }
        let expected = AssertionJti { jti: "j1".into(), expires_at: Timestamp::from_seconds(NOW + 70) };
        assert_eq!(check(&json!({}), false), Ok(expected));
    }

    #[test]
    fn ca_3_what_is_refused() {
        let bad = [
            json!({"iss": "other"}),
            json!({"sub": "other"}),
            json!({"iss": null}),
            json!({"aud": null}),
            json!({"aud": "https://id.example.com/"}),
            json!({"aud": TOKEN}),
            json!({"aud": [ISSUER]}),
            json!({"aud": []}),
            json!({"aud": 5}),
            json!({"jti": null}),
            json!({"jti": ""}),
            json!({"jti": 7}),
            json!({"jti": "j\u{0}"}),
            json!({"jti": "j".repeat(257)}),
            json!({"exp": null}),
            json!({"exp": "soon"}),
            json!({"exp": NOW - 10}),
            json!({"exp": NOW + 361}),
            json!({"exp": i64::MAX}),
            json!({"exp": i64::MIN}),
            json!({"exp": 1e300}),
            json!({"exp": -1e300}),
            json!({"exp": u64::MAX}),
            json!({"iat": NOW + 61}),
            json!({"nbf": NOW + 61}),
            json!({"iat": "now"}),
        ];
        for change in bad {
            let error = check(&change, false).unwrap_err();
            assert_eq!(error.code, ErrorCode::InvalidClient, "{change}");
            assert_eq!(error.description(), "client_assertion is not valid");
        }
    }

    #[test]
    fn ca_3_a_lenient_client_may_name_the_endpoint() {
        for aud in [json!(TOKEN), json!([TOKEN]), json!([ISSUER, "https://other.example"]), json!(ISSUER)] {
            assert!(check(&json!({ "aud": aud }), true).is_ok(), "{aud}");
        }
        for aud in [json!([]), json!(["https://other.example"]), json!([[ISSUER]])] {
            assert!(check(&json!({ "aud": aud }), true).is_err(), "{aud}");
        }
    }
}
