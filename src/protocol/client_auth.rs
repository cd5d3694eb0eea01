//! How a client says who it is: exactly one of Basic, body secret, assertion or nothing (RFC 6749 §2.3,
//! CA-1).
//!
//! This only reads what was presented. Whether the secret or signature is right needs the database and keys.

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

use crate::crypto::Secret;
use crate::model::explanation::{Explanation, Rule};
use crate::model::{Client, ClientAuthMethod};

use super::params::form_decode;
use super::{OAuthError, Params};

/// The only `client_assertion_type` (RFC 7523 §2.2).
pub const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// What a client presented. Nothing of it is proven yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Presented {
    Basic {
        client_id: String,
        secret: Secret,
    },
    Post {
        client_id: String,
        secret: Secret,
    },
    /// The identifier is read from the unverified assertion, to find the keys that verify it.
    Assertion {
        client_id: String,
        jwt: Secret,
    },
    None {
        client_id: String,
    },
}

impl Presented {
    /// Reads the `Authorization` header's value and the form body. A query is never looked at (HL-2).
    pub fn read(authorization: Option<&str>, params: &Params) -> Result<Self, OAuthError> {
        let secret = params.get("client_secret");
        let assertion = params.get("client_assertion").or_else(|| params.get("client_assertion_type"));
        let methods = [authorization.is_some(), secret.is_some(), assertion.is_some()];
        if methods.into_iter().filter(|used| *used).count() > 1 {
            return Err(OAuthError::invalid_request("more than one method of client authentication"));
        }
        let named = params.get("client_id");
        match (authorization, secret, assertion) {
            (Some(header), ..) => basic(header, named),
            (_, Some(secret), _) => Ok(Self::Post {
                client_id: params.require("client_id")?.to_owned(),
                secret: Secret::from_text(secret),
            }),
            (.., Some(_)) => assertion_of(params, named),
            _ => match named {
                Some(client_id) => Ok(Self::None { client_id: client_id.to_owned() }),
                None => Err(OAuthError::invalid_client("client authentication is missing")),
            },
        }
    }

    pub fn client_id(&self) -> &str {
        match self {
            Self::Basic { client_id, .. }
            | Self::Post { client_id, .. }
            | Self::Assertion { client_id, .. }
            | Self::None { client_id } => client_id,
        }
    }

    pub const fn method(&self) -> ClientAuthMethod {
        match self {
            Self::Basic { .. } => ClientAuthMethod::SecretBasic,
            Self::Post { .. } => ClientAuthMethod::SecretPost,
            Self::Assertion { .. } => ClientAuthMethod::PrivateKeyJwt,
            Self::None { .. } => ClientAuthMethod::None,
        }
    }

    /// A client uses the method that it registered and no other (CA-1).
    pub fn check_method(&self, client: &Client) -> Result<(), OAuthError> {
        if client.auth_method == self.method() {
            return Ok(());
        }
        let hint = format!("registered {}, presented {}", client.auth_method, self.method());
        let told = Explanation::of(Rule::ClientMethod)
            .with("registered", client.auth_method)
            .with("presented", self.method());
        Err(OAuthError::invalid_client("client authentication failed").with_hint(hint).because(told))
    }
}

/// `Basic` with form-encoded halves, decoded strictly: what does not decode authenticates nobody (CA-2).
fn basic(header: &str, named: Option<&str>) -> Result<Presented, OAuthError> {
    let (client_id, secret) = basic_credentials(header).ok_or_else(|| {
        OAuthError::invalid_client("the Authorization header is not a valid Basic credential")
    })?;
    if named.is_some_and(|named| named != client_id) {
        return Err(OAuthError::invalid_request("client_id is not the one of the Authorization header"));
    }
    Ok(Presented::Basic { client_id, secret })
}

fn basic_credentials(header: &str) -> Option<(String, Secret)> {
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = zeroize::Zeroizing::new(BASE64_STANDARD.decode(encoded.trim_start_matches(' ')).ok()?);
    let colon = decoded.iter().position(|b| *b == b':')?;
    let client_id = form_decode(&decoded[..colon]).filter(|id| !id.is_empty())?;
    Some((client_id, Secret::from_text(form_decode(&decoded[colon + 1..])?)))
}

/// RFC 7523 §2.2, §3. Every failure is `invalid_client`.
fn assertion_of(params: &Params, named: Option<&str>) -> Result<Presented, OAuthError> {
    let bad = OAuthError::invalid_client;
    if params.get("client_assertion_type") != Some(JWT_BEARER) {
        return Err(bad(format!("client_assertion_type has to be {JWT_BEARER}")));
    }
    let jwt = params.get("client_assertion").ok_or_else(|| bad("client_assertion is missing".into()))?;
    let client_id = unverified_subject(jwt)
        .ok_or_else(|| bad("client_assertion is not a JWT with iss and sub equal to the client_id".into()))?;
    if named.is_some_and(|named| named != client_id) {
        return Err(bad("client_id is not the one of the client_assertion".into()));
    }
    Ok(Presented::Assertion { client_id, jwt: Secret::from_text(jwt) })
}

fn unverified_subject(jwt: &str) -> Option<String> {
    let mut parts = jwt.split('.');
    let (_, payload, _) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let claims: Map<String, Value> =
        serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
    let (issuer, subject) = (claims.get("iss")?.as_str()?, claims.get("sub")?.as_str()?);
    (issuer == subject && !issuer.is_empty()).then(|| subject.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::protocol::ErrorCode;
    use crate::protocol::fixtures::client;

    fn basic_header(text: &str) -> String {
        format!("Basic {}", BASE64_STANDARD.encode(text))
    }

    fn jwt(claims: &Value) -> String {
        format!("e30.{}.c2ln", BASE64_URL_SAFE_NO_PAD.encode(claims.to_string()))
    }

    fn read(authorization: Option<&str>, body: &str) -> Result<Presented, ErrorCode> {
        Presented::read(authorization, &Params::parse(body.as_bytes()).unwrap()).map_err(|error| error.code)
    }

    fn basic(id: &str, secret: &str) -> Result<Presented, ErrorCode> {
        Ok(Presented::Basic { client_id: id.into(), secret: Secret::from_text(secret) })
    }

    #[test]
    fn ca_2_basic_halves_are_form_decoded() {
        assert_eq!(read(Some(&basic_header("app:s3cret")), ""), basic("app", "s3cret"));
        assert_eq!(read(Some(&basic_header("a%3Ab:x+y%2Bz:1")), ""), basic("a:b", "x y+z:1"));
        assert_eq!(
            read(Some(&basic_header("app:s").replace("Basic", "bAsIc")), "client_id=app"),
            basic("app", "s")
        );
        assert_eq!(read(Some(&basic_header("app:")), ""), basic("app", ""));
    }

    #[test]
    fn ca_2_what_does_not_decode_is_invalid_client() {
        let bad = [
            "Basic",
            "Basic ",
            "Basic ???",
            "Basic YXBwOnM",
            "Bearer YXBwOnM=",
            &basic_header("app"),
            &basic_header(":s"),
            &basic_header("app:%"),
            &basic_header("app:%zz"),
            &basic_header("app:%00"),
            &basic_header("app:%ff"),
        ];
        for header in bad {
            assert_eq!(read(Some(header), ""), Err(ErrorCode::InvalidClient), "{header}");
        }
    }

    #[test]
    fn ca_1_exactly_one_method() {
        let header = basic_header("app:s");
        let assertion = format!("client_assertion={}", jwt(&json!({"iss": "app", "sub": "app"})));
        let two = [
            (Some(header.as_str()), "client_id=app&client_secret=s".to_owned()),
            (Some(header.as_str()), assertion.clone()),
            (Some(header.as_str()), format!("client_assertion_type={JWT_BEARER}")),
            (None, format!("client_id=app&client_secret=s&{assertion}")),
        ];
        for (authorization, body) in two {
            assert_eq!(read(authorization, &body), Err(ErrorCode::InvalidRequest), "{body}");
        }
        assert_eq!(read(Some(&header), "client_id=other"), Err(ErrorCode::InvalidRequest));
        assert_eq!(read(None, "client_secret=s"), Err(ErrorCode::InvalidRequest));
        assert_eq!(read(None, ""), Err(ErrorCode::InvalidClient));
        assert_eq!(read(None, "client_id=app"), Ok(Presented::None { client_id: "app".into() }));
        let post = Presented::Post { client_id: "app".into(), secret: Secret::from_text("s") };
        assert_eq!(read(None, "client_id=app&client_secret=s"), Ok(post));
    }

    #[test]
    fn ca_1_only_the_registered_method() {
        let client = client();
        let presented = read(Some(&basic_header("calendar:s")), "").unwrap();
        assert_eq!(presented.check_method(&client), Ok(()));
        for other in ["client_id=calendar&client_secret=s", "client_id=calendar"] {
            let error = read(None, other).unwrap().check_method(&client).unwrap_err();
            assert_eq!(error.code, ErrorCode::InvalidClient);
        }
    }

    #[test]
    fn assertions_name_the_client() {
        let body = |claims: Value, more: &str| {
            format!("client_assertion_type={JWT_BEARER}&client_assertion={}{more}", jwt(&claims))
        };
        let good = json!({"iss": "app", "sub": "app"});
        for more in ["", "&client_id=app"] {
            assert_eq!(read(None, &body(good.clone(), more)).unwrap().client_id(), "app");
        }
        let bad = [
            body(good.clone(), "&client_id=other"),
            body(json!({"iss": "app", "sub": "other"}), ""),
            body(json!({"sub": "app"}), ""),
            body(json!({"iss": "", "sub": ""}), ""),
            body(json!([]), ""),
            format!("client_assertion={}", jwt(&good)),
            format!("client_assertion_type=saml&client_assertion={}", jwt(&good)),
            format!("client_assertion_type={JWT_BEARER}"),
            format!("client_assertion_type={JWT_BEARER}&client_assertion=a.b"),
            format!("client_assertion_type={JWT_BEARER}&client_assertion={}.d.e", jwt(&good)),
        ];
        for body in bad {
            assert_eq!(read(None, &body), Err(ErrorCode::InvalidClient), "{body}");
        }
    }

    proptest! {
        #[test]
        fn no_header_panics(header in ".*", raw in proptest::collection::vec(any::<u8>(), 0..60)) {
            drop(Presented::read(Some(&header), &Params::default()));
            let encoded = format!("Basic {}", BASE64_STANDARD.encode(raw));
            drop(Presented::read(Some(&encoded), &Params::default()));
        }

        #[test]
        fn encoded_credentials_come_back(id in "[^\0]{1,20}", secret in "[^\0]{0,20}") {
            let encode = |text: &str| -> String { url::form_urlencoded::byte_serialize(text.as_bytes()).collect() };
            let header = basic_header(&format!("{}:{}", encode(&id), encode(&secret)));
            let read = Presented::read(Some(&header), &Params::default()).unwrap();
            prop_assert_eq!(read, Presented::Basic { client_id: id, secret: Secret::from_text(secret) });
        }
    }
}
