//! What is inside of the tokens: the claims of access tokens (RFC 9068 §2.2) and ID tokens (OpenID Connect
//! Core §2).
//!
//! Signing and verifying them is done by [`crate::keys`].

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ring::digest;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::clock::Timestamp;
use crate::model::{
    ApiKeyId, AuthMethod, GrantId, OrganisationId, SessionId, SigningAlg, StatusClaim, WorkspaceId,
};

use super::claims::UserClaims;
use super::scope::ScopeSet;

/// The `typ` header of access tokens (RFC 9068 §2.1). No other token has it (TK-4).
pub const ACCESS_TOKEN_TYP: &str = "at+jwt";
/// The `typ` header of refresh tokens that are JWTs because clients expect so. Only we read them.
pub const REFRESH_TOKEN_TYP: &str = "rt+jwt";
/// The `typ` header of ID tokens.
pub const ID_TOKEN_TYP: &str = "JWT";

/// An access token.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AccessClaims {
    pub iss: String,
    /// The user, or the `client_id` where a client acts for itself (RFC 9068 §2.2).
    pub sub: String,
    pub aud: Audience,
    #[serde(with = "numeric_date")]
    pub exp: Timestamp,
    #[serde(with = "numeric_date")]
    pub iat: Timestamp,
    pub jti: String,
    pub client_id: String,
    #[serde(default, skip_serializing_if = "ScopeSet::is_empty")]
    pub scope: ScopeSet,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "numeric_date::option")]
    pub auth_time: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acr: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub amr: Vec<AuthMethod>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<SessionId>,
    /// The grant it was issued under; absent where a client acts for itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gid: Option<GrantId>,
    /// The API key that it was exchanged for; a machine is the subject then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_key: Option<ApiKeyId>,
    /// The one workspace that the key is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<WorkspaceId>,
    /// Where an offline verifier learns whether it was revoked (draft-ietf-oauth-status-list §6.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<StatusClaim>,
    /// Made for what stands behind a proxy, to be shown there: nothing is given for it, changed or ended by it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub passed_on: bool,
    #[serde(flatten)]
    pub organisation: OrganisationClaims,
    /// What a product's API has beside; never one of the above (TK-7).
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// The organisation that a token is about, and what its user may do there. Empty where it is about none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct OrganisationClaims {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub org: Option<OrganisationId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub org_slug: Option<String>,
    /// Keys, the highest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub permissions: Vec<String>,
}

impl OrganisationClaims {
    /// The names of permissions in one token have at most so many bytes together: a token travels in a header.
    const MAX_PERMISSION_BYTES: usize = 2_048;

    /// Too many permissions are left out altogether, not in part: whoever reads the token then sees none, and goes by
    /// the roles or asks the introspection endpoint.
    pub fn new(org: OrganisationId, slug: &str, roles: Vec<String>, permissions: Vec<String>) -> Self {
        let bytes: usize = permissions.iter().map(String::len).sum();
        Self {
            org: Some(org),
            org_slug: Some(slug.to_owned()),
            roles,
            permissions: if bytes > Self::MAX_PERMISSION_BYTES { Vec::new() } else { permissions },
        }
    }
}

/// An ID token.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IdClaims {
    pub iss: String,
    pub sub: String,
    /// The client.
    pub aud: Audience,
    #[serde(with = "numeric_date")]
    pub exp: Timestamp,
    #[serde(with = "numeric_date")]
    pub iat: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "numeric_date::option")]
    pub auth_time: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acr: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub amr: Vec<AuthMethod>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub azp: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<SessionId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_hash: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub c_hash: Option<String>,
    /// If the scope `organizations` was granted.
    #[serde(flatten)]
    pub organisation: OrganisationClaims,
    /// Claims about the user that were asked for by name. [`UserClaims`] cannot hold one of the above (TK-7).
    #[serde(flatten)]
    pub user: UserClaims,
}

/// The `aud` claim: one text, or a list of several (RFC 7519 §4.1.3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "OneOrMany", into = "OneOrMany")]
pub struct Audience(pub Vec<String>);

impl Audience {
    pub fn contains(&self, one: &str) -> bool {
        self.0.iter().any(|aud| aud == one)
    }
}

impl std::fmt::Display for Audience {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.join(" "))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl From<OneOrMany> for Audience {
    fn from(aud: OneOrMany) -> Self {
        match aud {
            OneOrMany::One(one) => Self(vec![one]),
            OneOrMany::Many(many) => Self(many),
        }
    }
}

impl From<Audience> for OneOrMany {
    fn from(mut aud: Audience) -> Self {
        match aud.0.pop() {
            Some(one) if aud.0.is_empty() => Self::One(one),
            last => {
                aud.0.extend(last);
                Self::Many(aud.0)
            }
        }
    }
}

/// `at_hash` and `c_hash`: the left half of the hash that belongs to the signature's algorithm (OpenID
/// Connect Core §3.1.3.6). Ed25519 hashes with SHA-512.
pub fn half_hash(alg: SigningAlg, value: &str) -> String {
    let algorithm = match alg {
        SigningAlg::Rs256 | SigningAlg::Ps256 | SigningAlg::Es256 => &digest::SHA256,
        SigningAlg::EdDsa => &digest::SHA512,
    };
    let hash = digest::digest(algorithm, value.as_bytes());
    BASE64_URL_SAFE_NO_PAD.encode(&hash.as_ref()[..hash.as_ref().len() / 2])
}

/// The single audience that a JWT claims, without any proof: only to find the client by whose name the token is then
/// verified.
pub fn unverified_audience(jwt: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Claims {
        aud: Audience,
    }
    let payload = jwt.split('.').nth(1)?;
    let claims: Claims = serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
    match claims.aud.0.as_slice() {
        [only] => Some(only.clone()),
        _ => None,
    }
}

/// Times as JWTs write them: whole seconds since 1970.
mod numeric_date {
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::clock::Timestamp;

    pub fn serialize<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(at.seconds())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        i64::deserialize(deserializer).map(Timestamp::from_seconds)
    }

    pub mod option {
        use serde::{Deserialize, Deserializer, Serializer};

        use crate::clock::Timestamp;

        pub fn serialize<S: Serializer>(at: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
            match at {
                Some(at) => super::serialize(at, serializer),
                None => serializer.serialize_none(),
            }
        }

        pub fn deserialize<'de, D: Deserializer<'de>>(
            deserializer: D,
        ) -> Result<Option<Timestamp>, D::Error> {
            Ok(Option::<i64>::deserialize(deserializer)?.map(Timestamp::from_seconds))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn id_claims() -> IdClaims {
        IdClaims {
            iss: "https://id.example.com".into(),
            sub: "usr_1".into(),
            aud: Audience(vec!["calendar".into()]),
            exp: Timestamp::from_seconds(100),
            iat: Timestamp::from_micros(40_999_999),
            auth_time: Some(Timestamp::from_seconds(30)),
            nonce: Some("n".into()),
            acr: None,
            amr: vec![AuthMethod::Password],
            azp: None,
            sid: None,
            at_hash: None,
            c_hash: None,
            organisation: OrganisationClaims::default(),
            user: UserClaims::default(),
        }
    }

    #[test]
    fn absent_claims_are_left_out_and_times_are_seconds() {
        assert_eq!(
            serde_json::to_value(id_claims()).unwrap(),
            json!({
                "iss": "https://id.example.com", "sub": "usr_1", "aud": "calendar", "exp": 100, "iat": 40,
                "auth_time": 30, "nonce": "n", "amr": ["pwd"],
            })
        );
    }

    #[test]
    fn tk_7_user_claims_stand_beside_and_override_nothing() {
        let mut claims = id_claims();
        assert!(!claims.user.insert("sub", json!("usr_2")));
        assert!(claims.user.insert("email_verified", json!(true)));
        let value = serde_json::to_value(&claims).unwrap();
        assert_eq!(value["sub"], "usr_1");
        assert_eq!(value["email_verified"], true);
    }

    #[test]
    fn access_claims_are_read_as_they_were_written() {
        let claims = AccessClaims {
            iss: "https://id.example.com".into(),
            sub: "machine".into(),
            aud: Audience(vec!["a".into(), "b".into()]),
            exp: Timestamp::from_seconds(100),
            iat: Timestamp::from_seconds(40),
            jti: "j".into(),
            client_id: "machine".into(),
            scope: ScopeSet::parse("api:read").unwrap(),
            auth_time: None,
            acr: None,
            amr: vec![],
            sid: None,
            gid: None,
            api_key: None,
            workspace: None,
            status: None,
            passed_on: false,
            organisation: OrganisationClaims::default(),
            extra: Map::new(),
        };
        let value = serde_json::to_value(&claims).unwrap();
        assert_eq!(
            value,
            json!({
                "iss": "https://id.example.com", "sub": "machine", "aud": ["a", "b"], "exp": 100, "iat": 40,
                "jti": "j", "client_id": "machine", "scope": "api:read",
            })
        );
        assert_eq!(serde_json::from_value::<AccessClaims>(value).unwrap(), claims);
        assert!(claims.aud.contains("b") && !claims.aud.contains("c"));
    }

    #[test]
    fn permissions_are_all_there_or_none_is() {
        let org = OrganisationId::from_bytes(&[1; 16]).unwrap();
        let claims = |count: usize| {
            let permissions = (0..count).map(|number| format!("{number:064}")).collect();
            OrganisationClaims::new(org, "acme", vec!["admin".into()], permissions)
        };
        assert_eq!(claims(32).permissions.len(), 32);
        let value = serde_json::to_value(claims(33)).unwrap();
        assert_eq!(value, json!({ "org": org, "org_slug": "acme", "roles": ["admin"] }));
        assert_eq!(serde_json::to_value(OrganisationClaims::default()).unwrap(), json!({}));
    }

    #[test]
    fn at_hash_as_in_the_specification() {
        // OpenID Connect Core appendix A.3.
        let token = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y";
        assert_eq!(half_hash(SigningAlg::Rs256, token), "77QmUPtjPfzWtF2AnpK9RQ");
        // Appendix A.4, c_hash.
        let code = "Qcb0Orv1zh30vL1MPRsbm-diHiMwcLyZvn1arpZv-Jxf_11jnpEX3Tgfvk";
        assert_eq!(half_hash(SigningAlg::Es256, code), "LDktKdoQak3Pk0cnXxCltA");
        assert_eq!(half_hash(SigningAlg::EdDsa, token).len(), 43);
    }
}
