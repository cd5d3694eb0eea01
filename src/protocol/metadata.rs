//! What the provider says about itself (OpenID Connect Discovery 1.0 §3, RFC 8414 §2), and where its
//! endpoints are.
//!
//! The document tells the truth: it lists what is on and nothing else.

use serde::Serialize;

use crate::model::{ClientAuthMethod, GrantType, SigningAlg};

use super::authorize::Prompt;
use super::claims;
use super::response::ResponseMode;

/// Paths of the endpoints, below the issuer's own path.
pub mod path {
    pub const OPENID_CONFIGURATION: &str = "/.well-known/openid-configuration";
    pub const OAUTH_METADATA: &str = "/.well-known/oauth-authorization-server";
    pub const JWKS: &str = "/.well-known/jwks.json";
    pub const AUTHORIZE: &str = "/oauth2/authorize";
    pub const PAR: &str = "/oauth2/par";
    pub const TOKEN: &str = "/oauth2/token";
    pub const USERINFO: &str = "/oauth2/userinfo";
    pub const INTROSPECT: &str = "/oauth2/introspect";
    pub const REVOKE: &str = "/oauth2/revoke";
    pub const LOGOUT: &str = "/oauth2/logout";
    /// The first status list; further ones are numbered below it.
    pub const REVOCATIONS: &str = "/revocations";
    /// Which status lists there are.
    pub const REVOCATION_LISTS: &str = "/revocations/lists";
}

/// Algorithms of our own signatures that a client may choose from.
pub const OWN_ALGS: [SigningAlg; 3] = [SigningAlg::Rs256, SigningAlg::Es256, SigningAlg::EdDsa];

/// Algorithms of client assertions.
pub const ASSERTION_ALGS: &[SigningAlg] = SigningAlg::ALL;

/// What the document depends on beside the issuer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProtocolSettings {
    /// The standard scopes and those of the resources that are for everybody to know.
    pub scopes: Vec<String>,
    /// The classes that a login can reach here.
    pub acr_values: Vec<String>,
    /// In canonical case, as in `en-GB`.
    pub ui_locales: Vec<String>,
    pub require_par: bool,
}

/// The discovery document.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ProviderMetadata {
    pub issuer: String,
    pub authorization_endpoint: String,
    pub token_endpoint: String,
    pub userinfo_endpoint: String,
    pub jwks_uri: String,
    pub pushed_authorization_request_endpoint: String,
    pub introspection_endpoint: String,
    pub revocation_endpoint: String,
    pub end_session_endpoint: String,
    pub status_list_aggregation_endpoint: String,
    pub scopes_supported: Vec<String>,
    pub claims_supported: Vec<&'static str>,
    pub claim_types_supported: [&'static str; 1],
    pub response_types_supported: [&'static str; 1],
    pub response_modes_supported: Vec<&'static str>,
    pub grant_types_supported: &'static [GrantType],
    pub subject_types_supported: [&'static str; 1],
    pub acr_values_supported: Vec<String>,
    pub prompt_values_supported: Vec<&'static str>,
    pub ui_locales_supported: Vec<String>,
    pub id_token_signing_alg_values_supported: [SigningAlg; 3],
    pub userinfo_signing_alg_values_supported: [SigningAlg; 3],
    pub token_endpoint_auth_methods_supported: &'static [ClientAuthMethod],
    pub token_endpoint_auth_signing_alg_values_supported: &'static [SigningAlg],
    pub revocation_endpoint_auth_methods_supported: &'static [ClientAuthMethod],
    pub revocation_endpoint_auth_signing_alg_values_supported: &'static [SigningAlg],
    pub introspection_endpoint_auth_methods_supported: &'static [ClientAuthMethod],
    pub introspection_endpoint_auth_signing_alg_values_supported: &'static [SigningAlg],
    pub code_challenge_methods_supported: [&'static str; 1],
    pub claims_parameter_supported: bool,
    pub request_parameter_supported: bool,
    /// Said because its default is true (OpenID Connect Discovery §3). References to pushed requests are not
    /// meant.
    pub request_uri_parameter_supported: bool,
    pub require_pushed_authorization_requests: bool,
    pub authorization_response_iss_parameter_supported: bool,
}

/// Introspection is for callers that can keep a secret: a public client proves nothing (IR-1).
const CONFIDENTIAL_METHODS: &[ClientAuthMethod] =
    &[ClientAuthMethod::SecretBasic, ClientAuthMethod::SecretPost, ClientAuthMethod::PrivateKeyJwt];

impl ProviderMetadata {
    pub fn new(issuer: &str, settings: &ProtocolSettings) -> Self {
        let at = |path: &str| format!("{}{path}", issuer.trim_end_matches('/'));
        Self {
            issuer: issuer.to_owned(),
            authorization_endpoint: at(path::AUTHORIZE),
            token_endpoint: at(path::TOKEN),
            userinfo_endpoint: at(path::USERINFO),
            jwks_uri: at(path::JWKS),
            pushed_authorization_request_endpoint: at(path::PAR),
            introspection_endpoint: at(path::INTROSPECT),
            revocation_endpoint: at(path::REVOKE),
            end_session_endpoint: at(path::LOGOUT),
            status_list_aggregation_endpoint: at(path::REVOCATION_LISTS),
            scopes_supported: settings.scopes.clone(),
            claims_supported: claims::supported().collect(),
            claim_types_supported: ["normal"],
            response_types_supported: ["code"],
            response_modes_supported: ResponseMode::ALL.map(ResponseMode::as_str).to_vec(),
            grant_types_supported: GrantType::ALL,
            subject_types_supported: ["public"],
            acr_values_supported: settings.acr_values.clone(),
            prompt_values_supported: Prompt::ALL.map(Prompt::as_str).to_vec(),
            ui_locales_supported: settings.ui_locales.clone(),
            id_token_signing_alg_values_supported: OWN_ALGS,
            userinfo_signing_alg_values_supported: OWN_ALGS,
            token_endpoint_auth_methods_supported: ClientAuthMethod::ALL,
            token_endpoint_auth_signing_alg_values_supported: ASSERTION_ALGS,
            revocation_endpoint_auth_methods_supported: ClientAuthMethod::ALL,
            revocation_endpoint_auth_signing_alg_values_supported: ASSERTION_ALGS,
            introspection_endpoint_auth_methods_supported: CONFIDENTIAL_METHODS,
            introspection_endpoint_auth_signing_alg_values_supported: ASSERTION_ALGS,
            code_challenge_methods_supported: ["S256"],
            claims_parameter_supported: true,
            request_parameter_supported: false,
            request_uri_parameter_supported: false,
            require_pushed_authorization_requests: settings.require_par,
            authorization_response_iss_parameter_supported: true,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_document_tells_the_truth() {
        let settings = ProtocolSettings {
            scopes: vec!["openid".into(), "api:read".into()],
            acr_values: vec!["urn:countersign:acr:1fa".into()],
            ui_locales: vec!["en".into(), "de".into()],
            require_par: false,
        };
        let value =
            serde_json::to_value(ProviderMetadata::new("https://id.example.com/idp", &settings)).unwrap();
        let expected = [
            ("issuer", json!("https://id.example.com/idp")),
            ("token_endpoint", json!("https://id.example.com/idp/oauth2/token")),
            ("status_list_aggregation_endpoint", json!("https://id.example.com/idp/revocations/lists")),
            ("response_types_supported", json!(["code"])),
            ("response_modes_supported", json!(["query", "form_post"])),
            (
                "grant_types_supported",
                json!([
                    "authorization_code",
                    "refresh_token",
                    "client_credentials",
                    "urn:ietf:params:oauth:grant-type:token-exchange"
                ]),
            ),
            ("prompt_values_supported", json!(["none", "login", "consent", "select_account"])),
            ("id_token_signing_alg_values_supported", json!(["RS256", "ES256", "EdDSA"])),
            ("token_endpoint_auth_signing_alg_values_supported", json!(["RS256", "PS256", "ES256", "EdDSA"])),
            ("code_challenge_methods_supported", json!(["S256"])),
            ("request_uri_parameter_supported", json!(false)),
            ("authorization_response_iss_parameter_supported", json!(true)),
            ("scopes_supported", json!(["openid", "api:read"])),
        ];
        for (member, content) in expected {
            assert_eq!(value[member], content, "{member}");
        }
        let text = value.to_string();
        for off in [
            "none_alg",
            "dpop",
            "mtls",
            "device",
            "backchannel",
            "frontchannel",
            "check_session",
            "registration",
        ] {
            assert!(!text.contains(off), "{off} is not on");
        }
    }
}
