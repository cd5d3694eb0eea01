//! Client metadata (RFC 7591 §2, OpenID Connect Dynamic Client Registration §2): what may be registered, with
//! which defaults.
//!
//! Nothing that is unsupported is ignored silently: it is refused with the member's name, so that a client is
//! never registered weaker than it asked. Members that nobody knows are ignored, as the RFC demands. Whether a
//! registered key is a good one is judged where keys are read: [`crate::keys::check_jwks_registration`].

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::clock::Timestamp;
use crate::model::{ApplicationType, Client, ClientAuthMethod, ClientKey, GrantType, SigningAlg, Status};

use super::metadata::{ASSERTION_ALGS, OWN_ALGS};
use super::redirect::check_registration;
use super::{ErrorCode, OAuthError, ScopeSet};

/// What a client says about itself.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct ClientMetadata {
    pub redirect_uris: Vec<String>,
    pub response_types: Option<Vec<String>>,
    pub grant_types: Option<Vec<String>>,
    pub application_type: Option<String>,
    pub contacts: Vec<String>,
    pub client_name: Option<String>,
    pub logo_uri: Option<String>,
    pub client_uri: Option<String>,
    pub policy_uri: Option<String>,
    pub tos_uri: Option<String>,
    pub jwks_uri: Option<String>,
    pub jwks: Option<Value>,
    pub scope: Option<String>,
    pub id_token_signed_response_alg: Option<String>,
    pub userinfo_signed_response_alg: Option<String>,
    pub token_endpoint_auth_method: Option<String>,
    pub token_endpoint_auth_signing_alg: Option<String>,
    pub default_max_age: Option<i64>,
    pub require_auth_time: bool,
    pub default_acr_values: Vec<String>,
    pub initiate_login_uri: Option<String>,
    pub post_logout_redirect_uris: Vec<String>,
    pub require_pushed_authorization_requests: bool,
    /// Everything else: looked through for what is unsupported, then dropped.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// Members that mean something which does not exist here, and so must not be lost without a word.
const UNSUPPORTED: &[(&str, &str)] = &[
    ("sector_identifier_uri", "pairwise subjects are not supported"),
    ("id_token_encrypted_response_alg", "encryption is not supported"),
    ("id_token_encrypted_response_enc", "encryption is not supported"),
    ("userinfo_encrypted_response_alg", "encryption is not supported"),
    ("userinfo_encrypted_response_enc", "encryption is not supported"),
    ("introspection_encrypted_response_alg", "encryption is not supported"),
    ("introspection_encrypted_response_enc", "encryption is not supported"),
    ("authorization_encrypted_response_alg", "encryption is not supported"),
    ("authorization_encrypted_response_enc", "encryption is not supported"),
    ("request_object_signing_alg", "request objects are not supported"),
    ("request_object_encryption_alg", "request objects are not supported"),
    ("request_object_encryption_enc", "request objects are not supported"),
    ("require_signed_request_object", "request objects are not supported"),
    ("request_uris", "request objects are not supported"),
    ("authorization_signed_response_alg", "signed authorization responses are not supported"),
    ("introspection_signed_response_alg", "signed introspection responses are not supported"),
    ("dpop_bound_access_tokens", "DPoP is not supported"),
    ("tls_client_certificate_bound_access_tokens", "mutual TLS is not supported"),
    ("tls_client_auth_subject_dn", "mutual TLS is not supported"),
    ("tls_client_auth_san_dns", "mutual TLS is not supported"),
    ("tls_client_auth_san_uri", "mutual TLS is not supported"),
    ("tls_client_auth_san_ip", "mutual TLS is not supported"),
    ("tls_client_auth_san_email", "mutual TLS is not supported"),
    ("backchannel_logout_uri", "back-channel logout is not supported"),
    ("backchannel_logout_session_required", "back-channel logout is not supported"),
    ("backchannel_client_notification_endpoint", "CIBA is not supported"),
    ("backchannel_token_delivery_mode", "CIBA is not supported"),
    ("frontchannel_logout_uri", "front-channel logout is not supported"),
    ("frontchannel_logout_session_required", "front-channel logout is not supported"),
    ("software_statement", "software statements are not supported"),
    ("authorization_details_types", "rich authorization requests are not supported"),
];

const MAX_LIST: usize = 50;
const MAX_TEXT: usize = 200;
const MAX_URI: usize = 2048;

impl ClientMetadata {
    /// Reads the JSON of a registration or of a file.
    pub fn parse(json: &[u8]) -> Result<Self, OAuthError> {
        let mut reader = serde_json::Deserializer::from_slice(json);
        let parsed: Self = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
            match error.path().to_string().as_str() {
                "." => bad(format!("not a JSON object of client metadata: {}", error.inner())),
                member => bad(format!("{member}: {}", error.inner())),
            }
        })?;
        reader.end().map_err(|_| bad("something follows the JSON object"))?;
        Ok(parsed)
    }

    /// The client that this describes, with the defaults of RFC 7591 §2. It has no secret yet, belongs to
    /// nobody's first party (CA-4), and must use PKCE.
    pub fn to_client(
        &self,
        key: ClientKey,
        client_id: String,
        created_at: Timestamp,
    ) -> Result<Client, OAuthError> {
        self.refuse_unsupported()?;
        let application_type =
            word(self.application_type.as_deref(), "application_type", ApplicationType::Web)?;
        let grant_types = self.grant_types()?;
        let auth_method = self.auth_method(&grant_types)?;
        self.check_redirects(application_type, &grant_types)?;
        self.check_uris()?;
        let name = match &self.client_name {
            Some(name) => text(name, "client_name")?,
            None => client_id.clone(),
        };
        Ok(Client {
            key,
            client_id,
            name,
            status: Status::Active,
            application_type,
            auth_method,
            secrets: Vec::new(),
            first_party: false,
            require_mfa: false,
            require_organization: false,
            pkce_required: true,
            require_par: self.require_pushed_authorization_requests,
            redirect_uris: distinct(&self.redirect_uris),
            post_logout_redirect_uris: distinct(&self.post_logout_redirect_uris),
            grant_types,
            scopes: self.scopes()?,
            contacts: texts(&self.contacts, "contacts")?,
            audiences: Vec::new(),
            default_acr_values: texts(&self.default_acr_values, "default_acr_values")?,
            default_max_age: self.max_age()?,
            require_auth_time: self.require_auth_time,
            id_token_alg: alg(
                self.id_token_signed_response_alg.as_deref(),
                "id_token_signed_response_alg",
                &OWN_ALGS,
            )?
            .unwrap_or(SigningAlg::Rs256),
            userinfo_alg: alg(
                self.userinfo_signed_response_alg.as_deref(),
                "userinfo_signed_response_alg",
                &OWN_ALGS,
            )?,
            assertion_alg: self.assertion_alg(auth_method)?,
            assertion_aud_token_endpoint: false,
            jwks: self.keys(auth_method)?,
            jwks_uri: self.jwks_uri.clone(),
            logo_uri: self.logo_uri.clone(),
            client_uri: self.client_uri.clone(),
            policy_uri: self.policy_uri.clone(),
            tos_uri: self.tos_uri.clone(),
            initiate_login_uri: self.initiate_login_uri.clone(),
            created_at,
            places: Vec::new(),
        })
    }

    fn refuse_unsupported(&self) -> Result<(), OAuthError> {
        match self.other.get("subject_type").map(Value::as_str) {
            None | Some(Some("public")) => {}
            Some(_) => return Err(bad("subject_type: only public subjects are supported")),
        }
        let asked = |member: &str| match self.other.get(member) {
            None | Some(Value::Null | Value::Bool(false)) => false,
            Some(Value::Array(list)) => !list.is_empty(),
            Some(_) => true,
        };
        match UNSUPPORTED.iter().find(|(member, _)| asked(member)) {
            Some((member, why)) => Err(bad(format!("{member}: {why}"))),
            None => Ok(()),
        }
    }

    fn grant_types(&self) -> Result<Vec<GrantType>, OAuthError> {
        let mut grants = Vec::new();
        for name in self.grant_types.iter().flatten() {
            let grant =
                GrantType::parse(name).ok_or_else(|| bad(format!("grant_types: {name} is not supported")))?;
            if !grants.contains(&grant) {
                grants.push(grant);
            }
        }
        if self.grant_types.is_none() {
            grants.push(GrantType::AuthorizationCode);
        }
        self.check_response_types(&grants)?;
        Ok(grants)
    }

    /// RFC 7591 §2.1: response types and grant types go together.
    fn check_response_types(&self, grants: &[GrantType]) -> Result<(), OAuthError> {
        let with_code = grants.contains(&GrantType::AuthorizationCode);
        if let Some(other) = self.response_types.iter().flatten().find(|name| *name != "code") {
            return Err(bad(format!("response_types: {other} is not supported, only code is")));
        }
        match &self.response_types {
            Some(types) if types.is_empty() == with_code => {
                Err(bad("response_types: code and the grant type authorization_code go together"))
            }
            _ if grants.is_empty() => Err(bad("grant_types: at least one is needed")),
            _ if grants.contains(&GrantType::RefreshToken) && !with_code => {
                Err(bad("grant_types: refresh_token needs authorization_code"))
            }
            _ => Ok(()),
        }
    }

    fn auth_method(&self, grants: &[GrantType]) -> Result<ClientAuthMethod, OAuthError> {
        let member = "token_endpoint_auth_method";
        let method = word(self.token_endpoint_auth_method.as_deref(), member, ClientAuthMethod::SecretBasic)?;
        if method == ClientAuthMethod::None && grants.contains(&GrantType::ClientCredentials) {
            return Err(bad(
                "token_endpoint_auth_method: client_credentials needs a client that authenticates",
            ));
        }
        Ok(method)
    }

    fn assertion_alg(&self, method: ClientAuthMethod) -> Result<Option<SigningAlg>, OAuthError> {
        let member = "token_endpoint_auth_signing_alg";
        let alg = alg(self.token_endpoint_auth_signing_alg.as_deref(), member, ASSERTION_ALGS)?;
        Ok(alg.filter(|_| method == ClientAuthMethod::PrivateKeyJwt))
    }

    fn check_redirects(&self, kind: ApplicationType, grants: &[GrantType]) -> Result<(), OAuthError> {
        let refuse = |member: &str, why: &str| {
            Err(OAuthError::new(ErrorCode::InvalidRedirectUri, format!("{member}: {why}")))
        };
        if self.redirect_uris.is_empty() && grants.contains(&GrantType::AuthorizationCode) {
            return refuse("redirect_uris", "at least one is needed");
        }
        for (member, uris) in [
            ("redirect_uris", &self.redirect_uris),
            ("post_logout_redirect_uris", &self.post_logout_redirect_uris),
        ] {
            if uris.len() > MAX_LIST {
                return refuse(member, "too many");
            }
            for uri in uris {
                if let Err(why) = check_registration(uri, kind) {
                    return refuse(member, &format!("{uri} is refused: {why}"));
                }
            }
        }
        Ok(())
    }

    /// Addresses that a page links to or that the server fetches: https only (CH-6, SS-1).
    fn check_uris(&self) -> Result<(), OAuthError> {
        let members = [
            ("logo_uri", &self.logo_uri),
            ("client_uri", &self.client_uri),
            ("policy_uri", &self.policy_uri),
            ("tos_uri", &self.tos_uri),
            ("initiate_login_uri", &self.initiate_login_uri),
            ("jwks_uri", &self.jwks_uri),
        ];
        for (member, uri) in members {
            if uri.as_deref().is_some_and(|uri| !is_https(uri)) {
                return Err(bad(format!("{member}: an https URL is needed")));
            }
        }
        Ok(())
    }

    fn scopes(&self) -> Result<Vec<String>, OAuthError> {
        let scopes = ScopeSet::parse(self.scope.as_deref().unwrap_or_default())
            .map_err(|error| bad(format!("scope: {error}")))?;
        Ok(scopes.iter().map(str::to_owned).collect())
    }

    fn max_age(&self) -> Result<Option<i64>, OAuthError> {
        match self.default_max_age {
            Some(seconds) if seconds < 0 => Err(bad("default_max_age: not a number of seconds")),
            max_age => Ok(max_age),
        }
    }

    fn keys(&self, method: ClientAuthMethod) -> Result<Option<String>, OAuthError> {
        if self.jwks.is_some() && self.jwks_uri.is_some() {
            return Err(bad("jwks: not together with jwks_uri"));
        }
        if method == ClientAuthMethod::PrivateKeyJwt && self.jwks.is_none() && self.jwks_uri.is_none() {
            return Err(bad("jwks: private_key_jwt needs jwks or jwks_uri"));
        }
        Ok(self.jwks.as_ref().map(Value::to_string))
    }
}

fn is_https(uri: &str) -> bool {
    uri.len() <= MAX_URI
        && uri.chars().all(|c| c.is_ascii_graphic())
        && uri.starts_with("https://")
        && url::Url::parse(uri).is_ok_and(|url| url.username().is_empty() && url.password().is_none())
}

/// One of a closed set of words, or its default.
fn word<T: std::str::FromStr<Err = String>>(
    value: Option<&str>,
    member: &str,
    default: T,
) -> Result<T, OAuthError> {
    value.map_or(Ok(default), |text| text.parse().map_err(|why| bad(format!("{member}: {why}"))))
}

/// `none` and HMAC algorithms are in no list (TK-1).
fn alg(value: Option<&str>, member: &str, known: &[SigningAlg]) -> Result<Option<SigningAlg>, OAuthError> {
    let Some(name) = value else { return Ok(None) };
    SigningAlg::parse(name)
        .filter(|alg| known.contains(alg))
        .map(Some)
        .ok_or_else(|| bad(format!("{member}: {name} is not supported")))
}

fn text(value: &str, member: &str) -> Result<String, OAuthError> {
    let value = value.trim();
    if value.is_empty() || value.chars().count() > MAX_TEXT || value.chars().any(char::is_control) {
        return Err(bad(format!(
            "{member}: empty, longer than {MAX_TEXT} characters, or with control characters"
        )));
    }
    Ok(value.to_owned())
}

fn texts(values: &[String], member: &str) -> Result<Vec<String>, OAuthError> {
    if values.len() > MAX_LIST {
        return Err(bad(format!("{member}: too many")));
    }
    values.iter().map(|value| text(value, member)).collect::<Result<Vec<_>, _>>().map(|list| distinct(&list))
}

fn distinct(values: &[String]) -> Vec<String> {
    let mut list: Vec<String> = Vec::new();
    for value in values {
        if !list.contains(value) {
            list.push(value.clone());
        }
    }
    list
}

fn bad(description: impl AsRef<str>) -> OAuthError {
    OAuthError::new(ErrorCode::InvalidClientMetadata, description)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn register(metadata: &Value) -> Result<Client, String> {
        let key = ClientKey::from_bytes(&[7; 16]).unwrap();
        ClientMetadata::parse(metadata.to_string().as_bytes())
            .and_then(|metadata| metadata.to_client(key, "c1".to_owned(), Timestamp(5)))
            .map_err(|error| error.to_string())
    }

    /// A minimal web client with some members changed.
    fn with(change: Value) -> Value {
        let mut metadata = json!({ "redirect_uris": ["https://app.example.com/cb"] });
        let (Value::Object(members), Value::Object(change)) = (&mut metadata, change) else {
            panic!("objects")
        };
        members.extend(change);
        metadata
    }

    fn rsa_key() -> Value {
        json!({ "keys": [{ "kty": "RSA", "n": "u", "e": "AQAB", "kid": "1" }] })
    }

    #[test]
    fn defaults_are_those_of_rfc_7591() {
        let client = register(&with(json!({}))).unwrap();
        assert_eq!((client.client_id.as_str(), client.name.as_str()), ("c1", "c1"));
        assert_eq!(client.created_at, Timestamp(5));
        assert_eq!(client.application_type, ApplicationType::Web);
        assert_eq!(client.auth_method, ClientAuthMethod::SecretBasic);
        assert_eq!(client.grant_types, [GrantType::AuthorizationCode]);
        assert_eq!(client.id_token_alg, SigningAlg::Rs256);
        assert_eq!((client.userinfo_alg, client.assertion_alg), (None, None));
        assert!(client.pkce_required && client.is_active());
        // CA-4: metadata cannot make a client one of ours.
        let eager = register(&with(json!({ "first_party": true, "pkce_required": false }))).unwrap();
        assert!(!eager.first_party && eager.pkce_required);
    }

    #[test]
    fn what_is_registered_is_kept() {
        let client = register(&json!({
            "client_id": "ignored",
            "client_name": " Calendar ",
            "client_name#de": "Kalender",
            "application_type": "native",
            "redirect_uris": ["com.example.app:/cb", "http://127.0.0.1/cb", "com.example.app:/cb"],
            "post_logout_redirect_uris": ["com.example.app:/bye"],
            "response_types": ["code"],
            "grant_types": ["authorization_code", "refresh_token", "client_credentials"],
            "token_endpoint_auth_method": "private_key_jwt",
            "token_endpoint_auth_signing_alg": "PS256",
            "jwks": rsa_key(),
            "scope": "openid api:read",
            "id_token_signed_response_alg": "EdDSA",
            "userinfo_signed_response_alg": "ES256",
            "contacts": ["ops@example.com"],
            "default_max_age": 60,
            "default_acr_values": ["a"],
            "require_auth_time": true,
            "require_pushed_authorization_requests": true,
            "logo_uri": "https://app.example.com/logo.png",
            "initiate_login_uri": "https://app.example.com/login",
            "subject_type": "public",
            "request_uris": [],
            "dpop_bound_access_tokens": false,
            "software_id": "x",
            "made_up": { "a": [1] },
        }))
        .unwrap();
        assert_eq!(client.name, "Calendar");
        assert_eq!(client.redirect_uris, ["com.example.app:/cb", "http://127.0.0.1/cb"]);
        assert_eq!(client.grant_types.len(), 3);
        assert_eq!(client.scopes, ["openid", "api:read"]);
        assert_eq!(client.assertion_alg, Some(SigningAlg::Ps256));
        assert_eq!((client.id_token_alg, client.userinfo_alg), (SigningAlg::EdDsa, Some(SigningAlg::Es256)));
        assert_eq!(
            (client.default_max_age, client.require_auth_time, client.require_par),
            (Some(60), true, true)
        );
        assert!(client.jwks.is_some_and(|jwks| jwks.contains("AQAB")));
    }

    #[test]
    fn a_machine_needs_no_redirect_uri() {
        let machine = json!({ "grant_types": ["client_credentials"], "response_types": [] });
        assert!(register(&machine).unwrap().redirect_uris.is_empty());
    }

    #[test]
    fn what_cannot_be_honoured_is_refused_by_name() {
        let cases = [
            ("redirect_uris", json!({ "redirect_uris": [] })),
            ("redirect_uris", json!({ "redirect_uris": "https://app.example.com/cb" })),
            ("redirect_uris", json!({ "redirect_uris": ["http://app.example.com/cb"] })),
            ("redirect_uris", json!({ "redirect_uris": ["https://app.example.com/#x"] })),
            ("redirect_uris", json!({ "redirect_uris": ["com.example.app:/cb"] })),
            ("redirect_uris", json!({ "redirect_uris": vec!["https://app.example.com/cb"; 51] })),
            ("post_logout_redirect_uris", json!({ "post_logout_redirect_uris": ["https://*.example.com"] })),
            ("response_types", json!({ "response_types": ["code", "id_token"] })),
            ("response_types", json!({ "response_types": [] })),
            ("response_types", json!({ "grant_types": ["client_credentials"], "response_types": ["code"] })),
            ("grant_types", json!({ "grant_types": ["implicit"] })),
            ("grant_types", json!({ "grant_types": ["password"] })),
            ("grant_types", json!({ "grant_types": [] })),
            ("grant_types", json!({ "grant_types": ["refresh_token"] })),
            ("application_type", json!({ "application_type": "toaster" })),
            ("token_endpoint_auth_method", json!({ "token_endpoint_auth_method": "client_secret_jwt" })),
            ("token_endpoint_auth_method", json!({ "token_endpoint_auth_method": "tls_client_auth" })),
            (
                "token_endpoint_auth_method",
                json!({ "token_endpoint_auth_method": "none", "grant_types": ["client_credentials"] }),
            ),
            ("token_endpoint_auth_signing_alg", json!({ "token_endpoint_auth_signing_alg": "HS256" })),
            ("id_token_signed_response_alg", json!({ "id_token_signed_response_alg": "none" })),
            ("id_token_signed_response_alg", json!({ "id_token_signed_response_alg": "PS256" })),
            ("userinfo_signed_response_alg", json!({ "userinfo_signed_response_alg": "HS256" })),
            ("jwks", json!({ "token_endpoint_auth_method": "private_key_jwt" })),
            ("jwks", json!({ "jwks": rsa_key(), "jwks_uri": "https://app.example.com/jwks" })),
            ("jwks_uri", json!({ "jwks_uri": "http://app.example.com/jwks" })),
            ("logo_uri", json!({ "logo_uri": "javascript:alert(1)" })),
            ("policy_uri", json!({ "policy_uri": "https://user@app.example.com" })),
            ("initiate_login_uri", json!({ "initiate_login_uri": "http://localhost/login" })),
            ("subject_type", json!({ "subject_type": "pairwise" })),
            ("sector_identifier_uri", json!({ "sector_identifier_uri": "https://app.example.com/s" })),
            ("userinfo_encrypted_response_alg", json!({ "userinfo_encrypted_response_alg": "RSA-OAEP" })),
            ("request_object_signing_alg", json!({ "request_object_signing_alg": "RS256" })),
            ("request_uris", json!({ "request_uris": ["https://app.example.com/r"] })),
            ("dpop_bound_access_tokens", json!({ "dpop_bound_access_tokens": true })),
            ("backchannel_logout_uri", json!({ "backchannel_logout_uri": "https://app.example.com/l" })),
            ("frontchannel_logout_uri", json!({ "frontchannel_logout_uri": "https://app.example.com/l" })),
            ("software_statement", json!({ "software_statement": "e30.e30." })),
            ("scope", json!({ "scope": "a\"b" })),
            ("client_name", json!({ "client_name": "a\u{0}b" })),
            ("client_name", json!({ "client_name": "n".repeat(201) })),
            ("default_max_age", json!({ "default_max_age": -1 })),
            ("default_max_age", json!({ "default_max_age": "soon" })),
        ];
        for (member, change) in cases {
            let error = register(&with(change.clone())).expect_err(&change.to_string());
            let named = error
                .strip_prefix("invalid_redirect_uri: ")
                .or(error.strip_prefix("invalid_client_metadata: "));
            assert!(named.is_some_and(|text| text.starts_with(member)), "{change}: {error}");
        }
    }

    #[test]
    fn hl_3_malformed_metadata_is_an_error() {
        for text in ["", "x", "[]", "null", "5", "{\"redirect_uris\":[1]}", "{} {}", "{\"a\":"] {
            let error = ClientMetadata::parse(text.as_bytes()).unwrap_err();
            assert_eq!(error.code, ErrorCode::InvalidClientMetadata, "{text}");
        }
    }
}
