//! The token endpoint's request, parsed once into one of its grants, and its answer (RFC 6749 §4.1.3, §4.4.2,
//! §5.1, §6).

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::crypto::Secret;
use crate::model::explanation::{Explanation, Rule};
use crate::model::{Client, GrantType};

use super::scope::is_standard;
use super::targets::Registry;
use super::{ErrorCode, OAuthError, Params, ScopeSet};

/// What a client asks of the token endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenRequest {
    AuthorizationCode {
        code: Secret,
        /// Required, since every authorization request here has one.
        redirect_uri: String,
        verifier: Option<Secret>,
        resources: Vec<String>,
    },
    RefreshToken {
        token: Secret,
        /// `None` means the whole of what was granted.
        scope: Option<ScopeSet>,
        resources: Vec<String>,
    },
    ClientCredentials {
        scope: Option<ScopeSet>,
        resources: Vec<String>,
    },
    /// RFC 8693.
    TokenExchange {
        /// `None` if the key comes in its own header.
        key: Option<Secret>,
        /// `None` means all that the key allows.
        scope: Option<ScopeSet>,
        resources: Vec<String>,
    },
}

/// The `subject_token_type` of an API key.
pub const API_KEY_TYPE: &str = "urn:countersign:token-type:api-key";
/// What every exchange issues (RFC 8693 §3).
pub const ACCESS_TOKEN_TYPE: &str = "urn:ietf:params:oauth:token-type:access_token";
/// May be asked for as well: our access tokens are JWTs.
const JWT_TYPE: &str = "urn:ietf:params:oauth:token-type:jwt";

impl TokenRequest {
    pub fn parse(params: &Params) -> Result<Self, OAuthError> {
        let grant_type = GrantType::parse(params.require("grant_type")?).ok_or_else(|| {
            OAuthError::new(ErrorCode::UnsupportedGrantType, "grant_type is not one that is supported here")
        })?;
        let resources = params.all("resource").map(str::to_owned).collect();
        Ok(match grant_type {
            GrantType::AuthorizationCode => Self::AuthorizationCode {
                code: Secret::from_text(params.require("code")?),
                redirect_uri: params.require("redirect_uri")?.to_owned(),
                verifier: params.get("code_verifier").map(Secret::from_text),
                resources,
            },
            GrantType::RefreshToken => Self::RefreshToken {
                token: Secret::from_text(params.require("refresh_token")?),
                scope: scope(params)?,
                resources,
            },
            GrantType::ClientCredentials => Self::ClientCredentials { scope: scope(params)?, resources },
            GrantType::TokenExchange => {
                Self::TokenExchange { key: key(params)?, scope: scope(params)?, resources }
            }
        })
    }

    pub const fn grant_type(&self) -> GrantType {
        match self {
            Self::AuthorizationCode { .. } => GrantType::AuthorizationCode,
            Self::RefreshToken { .. } => GrantType::RefreshToken,
            Self::ClientCredentials { .. } => GrantType::ClientCredentials,
            Self::TokenExchange { .. } => GrantType::TokenExchange,
        }
    }
}

/// The scopes of a refreshed token: fewer than granted if so asked, never more (RFC 6749 §6, TE-6).
pub fn refreshed_scope(granted: &ScopeSet, asked: Option<&ScopeSet>) -> Result<ScopeSet, OAuthError> {
    match asked {
        None => Ok(granted.clone()),
        Some(asked) if asked.is_subset_of(granted) => Ok(asked.clone()),
        Some(asked) => Err(OAuthError::new(ErrorCode::InvalidScope, "scope holds more than was granted")
            .because(beyond(asked, granted))),
    }
}

/// The scopes of a client that acts for itself: of APIs only, since the standard ones are about a user, and
/// capped by its registration (TE-9). Without `scope` it gets all that it registered.
pub fn client_scope(
    client: &Client,
    asked: Option<&ScopeSet>,
    registry: &Registry<'_>,
) -> Result<ScopeSet, OAuthError> {
    let registered: ScopeSet = client
        .scopes
        .iter()
        .map(String::as_str)
        .filter(|scope| !is_standard(scope) && registry.knows_scope(scope))
        .collect();
    match asked {
        None => Ok(registered),
        Some(asked) if asked.is_subset_of(&registered) => Ok(asked.clone()),
        Some(asked) => {
            let text = "scope holds what this client is not registered for";
            Err(OAuthError::new(ErrorCode::InvalidScope, text).because(beyond(asked, &registered)))
        }
    }
}

/// The facts for a request of more scopes than there are to be had.
pub fn beyond(asked: &ScopeSet, allowed: &ScopeSet) -> Explanation {
    Explanation::of(Rule::Scope).with("missing", asked.without(allowed)).with("allowed", allowed)
}

/// The subject of an exchange (RFC 8693 §2.1): an API key and nothing else.
fn key(params: &Params) -> Result<Option<Secret>, OAuthError> {
    if params.get("actor_token").or_else(|| params.get("actor_token_type")).is_some() {
        return Err(OAuthError::invalid_request("actor_token is not supported: a key acts for itself"));
    }
    if params.get("audience").is_some() {
        return Err(OAuthError::invalid_request("audience is not supported: name the API by resource"));
    }
    if params.get("requested_token_type").is_some_and(|asked| ![ACCESS_TOKEN_TYPE, JWT_TYPE].contains(&asked))
    {
        return Err(OAuthError::invalid_request("requested_token_type can only be an access token"));
    }
    match (params.get("subject_token"), params.get("subject_token_type")) {
        (None, None) => Ok(None),
        (Some(key), Some(API_KEY_TYPE)) => Ok(Some(Secret::from_text(key))),
        (Some(_), Some(_)) => {
            Err(OAuthError::invalid_request(format!("subject_token_type can only be {API_KEY_TYPE}")))
        }
        _ => Err(OAuthError::invalid_request("subject_token and subject_token_type belong together")),
    }
}

fn scope(params: &Params) -> Result<Option<ScopeSet>, OAuthError> {
    Ok(params.get("scope").map(ScopeSet::parse).transpose()?)
}

/// The tokens, as the client receives them (RFC 6749 §5.1). Its `Debug` prints none of them.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenResponse {
    pub access_token: String,
    /// Of an exchange alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issued_token_type: Option<String>,
    pub token_type: TokenType,
    /// Seconds.
    pub expires_in: u64,
    /// Left out where there is none: a scope has at least one word (RFC 6749 §3.3).
    #[serde(default, skip_serializing_if = "ScopeSet::is_empty")]
    pub scope: ScopeSet,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id_token: Option<String>,
}

/// How the access token is presented.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum TokenType {
    #[default]
    Bearer,
}

impl fmt::Debug for TokenResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenResponse")
            .field("expires_in", &self.expires_in)
            .field("scope", &self.scope)
            .field("has_refresh_token", &self.refresh_token.is_some())
            .field("has_id_token", &self.id_token.is_some())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::fixtures::{client, registry, resources};

    fn parse(body: &str) -> Result<TokenRequest, String> {
        TokenRequest::parse(&Params::parse(body.as_bytes()).unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn each_grant_is_read() {
        let code = parse(
            "grant_type=authorization_code&code=c&redirect_uri=https%3A%2F%2Fa&code_verifier=v&resource=r",
        );
        assert_eq!(
            code,
            Ok(TokenRequest::AuthorizationCode {
                code: Secret::from_text("c"),
                redirect_uri: "https://a".into(),
                verifier: Some(Secret::from_text("v")),
                resources: vec!["r".into()],
            })
        );
        let refresh = parse("grant_type=refresh_token&refresh_token=t&scope=openid+email").unwrap();
        let scope = ScopeSet::parse("openid email").ok();
        let expected = TokenRequest::RefreshToken { token: Secret::from_text("t"), scope, resources: vec![] };
        assert_eq!(refresh, expected);
        assert_eq!(refresh.grant_type(), GrantType::RefreshToken);
        let machine = parse("grant_type=client_credentials");
        assert_eq!(machine, Ok(TokenRequest::ClientCredentials { scope: None, resources: vec![] }));
    }

    #[test]
    fn what_is_missing_is_named() {
        let unsupported = "unsupported_grant_type: grant_type is not one that is supported here";
        let cases = [
            ("", "invalid_request: grant_type is missing"),
            ("grant_type=", "invalid_request: grant_type is missing"),
            ("grant_type=authorization_code&redirect_uri=x", "invalid_request: code is missing"),
            ("grant_type=authorization_code&code=x", "invalid_request: redirect_uri is missing"),
            ("grant_type=refresh_token", "invalid_request: refresh_token is missing"),
            // TE-8: neither the password grant nor assertions of unregistered issuers exist.
            ("grant_type=password&username=a&password=b", unsupported),
            ("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer", unsupported),
        ];
        for (body, error) in cases {
            assert_eq!(parse(body), Err(error.to_owned()), "{body}");
        }
        assert!(parse("grant_type=client_credentials&scope=%22").unwrap_err().starts_with("invalid_scope"));
    }

    #[test]
    fn te_6_a_refresh_narrows_and_never_widens() {
        let granted = ScopeSet::parse("openid email").unwrap();
        let refreshed = |asked: &str| {
            refreshed_scope(&granted, ScopeSet::parse(asked).ok().as_ref()).map(|scope| scope.to_string())
        };
        assert_eq!(refreshed_scope(&granted, None), Ok(granted.clone()));
        assert_eq!(refreshed("email"), Ok("email".to_owned()));
        assert_eq!(refreshed("email phone").unwrap_err().code, ErrorCode::InvalidScope);
    }

    #[test]
    fn te_9_a_client_gets_for_itself_what_it_registered() {
        let resources = resources();
        let mut client = client();
        let scopes = |client: &Client, asked: Option<&str>| {
            let asked = asked.map(|text| ScopeSet::parse(text).unwrap());
            client_scope(client, asked.as_ref(), &registry(&resources)).map(|scope| scope.to_string()).ok()
        };
        assert_eq!(scopes(&client, None).as_deref(), Some(""));
        assert_eq!(scopes(&client, Some("openid")), None);
        client.scopes = ["openid", "api:read", "files:read", "old:read"].map(str::to_owned).to_vec();
        assert_eq!(scopes(&client, None).as_deref(), Some("api:read files:read"));
        assert_eq!(scopes(&client, Some("files:read")).as_deref(), Some("files:read"));
        for beyond in ["openid", "api:write", "old:read", "api:read openid"] {
            assert_eq!(scopes(&client, Some(beyond)), None, "{beyond}");
        }
    }

    #[test]
    fn lo_2_tokens_do_not_print() {
        let request = parse("grant_type=refresh_token&refresh_token=hunter2").unwrap();
        assert!(!format!("{request:?}").contains("hunter2"));
        let response = TokenResponse {
            issued_token_type: None,
            access_token: "hunter2".into(),
            token_type: TokenType::Bearer,
            expires_in: 900,
            scope: ScopeSet::parse("openid").unwrap(),
            refresh_token: Some("hunter2".into()),
            id_token: None,
        };
        assert!(!format!("{response:?}").contains("hunter2"));
        assert_eq!(
            serde_json::to_string(&response).unwrap(),
            r#"{"access_token":"hunter2","token_type":"Bearer","expires_in":900,"scope":"openid","refresh_token":"hunter2"}"#
        );
    }
}
