//! What the tests of the rules share: a registered client, two APIs, an issuer.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::model::{
    ApplicationType, Client, ClientAuthMethod, ClientKey, GrantType, Resource, ResourceId, SigningAlg, Status,
};

use super::targets::Registry;

pub const ISSUER: &str = "https://id.example.com";
pub const API: &str = "https://api.example.com";
pub const FILES: &str = "https://files.example.com";
pub const CALLBACK: &str = "https://app.example.com/cb";

/// A confidential web application as it is registered by default.
pub fn client() -> Client {
    Client {
        key: ClientKey::from_bytes(&[1; 16]).expect("16 bytes"),
        client_id: "calendar".to_owned(),
        name: "Calendar".to_owned(),
        status: Status::Active,
        application_type: ApplicationType::Web,
        auth_method: ClientAuthMethod::SecretBasic,
        secrets: Vec::new(),
        first_party: false,
        require_mfa: false,
        require_organization: false,
        pkce_required: true,
        require_par: false,
        redirect_uris: vec![CALLBACK.to_owned()],
        post_logout_redirect_uris: Vec::new(),
        grant_types: vec![GrantType::AuthorizationCode, GrantType::RefreshToken],
        scopes: Vec::new(),
        contacts: Vec::new(),
        audiences: Vec::new(),
        default_acr_values: Vec::new(),
        default_max_age: None,
        require_auth_time: false,
        id_token_alg: SigningAlg::Rs256,
        userinfo_alg: None,
        assertion_alg: None,
        assertion_aud_token_endpoint: false,
        jwks: None,
        jwks_uri: None,
        logo_uri: None,
        client_uri: None,
        policy_uri: None,
        tos_uri: None,
        initiate_login_uri: None,
        created_at: Timestamp(0),
        places: Vec::new(),
    }
}

/// Two active APIs that share a scope, and one that is disabled.
pub fn resources() -> Vec<Resource> {
    let resource = |n: u8, identifier: &str, scopes: &[&str], ttl: Option<u64>, status| Resource {
        id: ResourceId::from_bytes(&[n; 16]).expect("16 bytes"),
        identifier: identifier.to_owned(),
        name: identifier.to_owned(),
        status,
        access_ttl: ttl.map(Duration::from_secs),
        scopes: scopes.iter().map(|scope| ((*scope).to_owned(), String::new())).collect(),
    };
    vec![
        resource(1, API, &["api:read", "api:write", "shared"], Some(300), Status::Active),
        resource(2, FILES, &["files:read", "shared"], Some(60), Status::Active),
        resource(3, "https://old.example.com", &["old:read"], None, Status::Disabled),
    ]
}

pub fn registry(resources: &[Resource]) -> Registry<'_> {
    Registry { issuer: ISSUER, resources }
}

pub fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}
