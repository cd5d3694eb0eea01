//! Client metadata (RFC 7591 §2, OpenID Connect Dynamic Client Registration §2): what may be registered, with which
//! defaults.
//!
//! Nothing that is unsupported is ignored silently: it is refused with the member's name, so that a client is never
//! registered weaker than it asked. Members that nobody knows are ignored, as the RFC demands.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::clock::Timestamp;
use crate::model::{ApplicationType, Client, ClientAuthMethod, ClientKey, GrantType, SigningAlg, Status};

use super::metadata::{ASSERTION_ALGS, OWN_ALGS};
use super::redirect::check_registration;
use super::{ErrorCode, OAuthError, ScopeSet};

/// What a client says about itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
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
            let member = error.path().to_string();
            if member == "." {
                bad(format!("not a JSON object of client metadata: {}", error.inner()))
            } else {
                bad(format!("{member}: {}", error.inner()))
            }
        })?;
        reader.end().map_err(|_| bad("something follows the JSON object"))?;
        Ok(parsed)
    }

    /// The client that this describes, with the defaults of RFC 7591 §2. It has no secret yet, belongs to nobody's
    /// first party (CA-4), and must use PKCE.
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
        self.jwks.as_ref().map(|jwks| check_jwks(jwks).map(|()| jwks.to_string())).transpose()
    }
}

/// Public keys only, and none that is too weak (TK-3).
fn check_jwks(jwks: &Value) -> Result<(), OAuthError> {
    let keys = jwks.get("keys").and_then(Value::as_array).ok_or_else(|| bad("jwks: not a JWK Set"))?;
    if keys.is_empty() || keys.len() > MAX_LIST {
        return Err(bad("jwks: no keys, or too many"));
    }
    keys.iter().try_for_each(check_jwk)
}

fn check_jwk(jwk: &Value) -> Result<(), OAuthError> {
    let text = |member: &str| jwk.get(member).and_then(Value::as_str);
    if ["d", "p", "q", "dp", "dq", "qi", "oth", "k"].iter().any(|member| jwk.get(member).is_some()) {
        return Err(bad("jwks: holds a private or symmetric key, which now has to be replaced"));
    }
    // 2048 bits are 256 bytes, or 342 characters of base64url. A leading zero byte is not allowed there (RFC 7518 §6.3.1.1).
    const MIN_MODULUS: usize = 342;
    match text("kty") {
        Some("RSA") if text("n").is_some_and(|n| n.len() >= MIN_MODULUS) && text("e").is_some() => Ok(()),
        Some("RSA") => Err(bad("jwks: an RSA key needs n of at least 2048 bits, and e")),
        Some("EC") if text("x").is_some() && text("y").is_some() && text("crv").is_some() => Ok(()),
        Some("OKP") if text("x").is_some() && text("crv").is_some() => Ok(()),
        _ => Err(bad("jwks: a key is not a complete RSA, EC or OKP public key")),
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
