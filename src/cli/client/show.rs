//! What `countersign client` shows.

use serde::Serialize;
use serde_json::Value;

use super::super::{Failure, Shell};
use crate::clock::Timestamp;
use crate::model::{
    ApplicationType, Client, ClientAuthMethod, ClientKey, ClientSecretId, GrantType, SigningAlg, Status,
};
use crate::store::clients;
use crate::tenancy::clients::ClientError;

#[derive(Serialize)]
pub struct ClientView {
    client_id: String,
    id: ClientKey,
    client_name: String,
    status: Status,
    application_type: ApplicationType,
    token_endpoint_auth_method: ClientAuthMethod,
    first_party: bool,
    require_mfa: bool,
    require_organization: bool,
    pkce_required: bool,
    require_pushed_authorization_requests: bool,
    grant_types: Vec<GrantType>,
    redirect_uris: Vec<String>,
    post_logout_redirect_uris: Vec<String>,
    scope: String,
    audiences: Vec<String>,
    id_token_signed_response_alg: SigningAlg,
    userinfo_signed_response_alg: Option<SigningAlg>,
    token_endpoint_auth_signing_alg: Option<SigningAlg>,
    jwks: Option<Value>,
    jwks_uri: Option<String>,
    logo_uri: Option<String>,
    client_uri: Option<String>,
    policy_uri: Option<String>,
    tos_uri: Option<String>,
    initiate_login_uri: Option<String>,
    secrets: Vec<SecretView>,
    created_at: String,
}

#[derive(Serialize)]
struct SecretView {
    id: ClientSecretId,
    created_at: String,
    expires_at: Option<String>,
}

impl From<Client> for ClientView {
    fn from(client: Client) -> Self {
        Self {
            client_id: client.client_id,
            id: client.key,
            client_name: client.name,
            status: client.status,
            application_type: client.application_type,
            token_endpoint_auth_method: client.auth_method,
            first_party: client.first_party,
            require_mfa: client.require_mfa,
            require_organization: client.require_organization,
            pkce_required: client.pkce_required,
            require_pushed_authorization_requests: client.require_par,
            grant_types: client.grant_types,
            redirect_uris: client.redirect_uris,
            post_logout_redirect_uris: client.post_logout_redirect_uris,
            scope: client.scopes.join(" "),
            audiences: client.audiences,
            id_token_signed_response_alg: client.id_token_alg,
            userinfo_signed_response_alg: client.userinfo_alg,
            token_endpoint_auth_signing_alg: client.assertion_alg,
            jwks: client.jwks.map(|text| serde_json::from_str(&text).unwrap_or(Value::String(text))),
            jwks_uri: client.jwks_uri,
            logo_uri: client.logo_uri,
            client_uri: client.client_uri,
            policy_uri: client.policy_uri,
            tos_uri: client.tos_uri,
            initiate_login_uri: client.initiate_login_uri,
            secrets: client
                .secrets
                .into_iter()
                .map(|secret| SecretView {
                    id: secret.id,
                    created_at: secret.created_at.rfc3339(),
                    expires_at: secret.expires_at.map(Timestamp::rfc3339),
                })
                .collect(),
            created_at: client.created_at.rfc3339(),
        }
    }
}

pub async fn list(shell: &Shell) -> Result<(), Failure> {
    const PAGE: i64 = 500;
    let app = shell.open().await?;
    let mut views: Vec<ClientView> = Vec::new();
    loop {
        let after = views.last().map(|last| last.id);
        let page = app.db.read(move |db| clients::list(db, after, PAGE)).await?;
        if page.is_empty() {
            break;
        }
        views.extend(page.into_iter().map(ClientView::from));
    }
    let columns = ["CLIENT ID", "NAME", "STATUS", "AUTHENTICATES BY", "GRANTS", "PKCE", "FIRST PARTY"];
    shell.out.list(&views, &columns, |one| {
        vec![
            one.client_id.clone(),
            one.client_name.clone(),
            one.status.to_string(),
            one.token_endpoint_auth_method.to_string(),
            joined(&one.grant_types),
            if one.pkce_required { "required" } else { "EXEMPT" }.to_owned(),
            yes(one.first_party),
        ]
    })
}

pub async fn show(shell: &Shell, client_id: String) -> Result<(), Failure> {
    let app = shell.open().await?;
    let found = app.db.read(move |db| clients::find_by_client_id(db, &client_id)).await?;
    let one = ClientView::from(found.ok_or(ClientError::NoSuchClient)?);
    let mut facts = vec![
        ("client id", one.client_id.clone()),
        ("name", one.client_name.clone()),
        ("status", one.status.to_string()),
        ("type", one.application_type.to_string()),
        ("authenticates by", one.token_endpoint_auth_method.to_string()),
        ("grants", joined(&one.grant_types)),
        ("scopes", if one.scope.is_empty() { "the standard ones" } else { &one.scope }.to_owned()),
        ("first party", yes(one.first_party)),
        ("two factors", if one.require_mfa { "required" } else { "as the user likes" }.to_owned()),
        ("organisation", if one.require_organization { "required" } else { "if there is one" }.to_owned()),
        ("PKCE", if one.pkce_required { "required" } else { "EXEMPT" }.to_owned()),
        (
            "pushed requests",
            if one.require_pushed_authorization_requests { "required" } else { "allowed" }.to_owned(),
        ),
        ("ID tokens", one.id_token_signed_response_alg.to_string()),
        ("created", one.created_at.clone()),
    ];
    facts.extend(one.redirect_uris.iter().map(|uri| ("redirect URI", uri.clone())));
    facts.extend(one.post_logout_redirect_uris.iter().map(|uri| ("after sign-out", uri.clone())));
    facts.extend(one.audiences.iter().map(|audience| ("serves", audience.clone())));
    facts.extend(one.jwks_uri.iter().map(|uri| ("keys from", uri.clone())));
    facts.extend(one.secrets.iter().map(|secret| {
        let until = secret.expires_at.as_deref().unwrap_or("further notice");
        ("secret", format!("{} since {}, until {until}", secret.id, secret.created_at))
    }));
    shell.out.facts(&facts, &one)
}

fn joined(grants: &[GrantType]) -> String {
    grants.iter().map(|grant| grant.as_str()).collect::<Vec<_>>().join(" ")
}

fn yes(fact: bool) -> String {
    if fact { "yes" } else { "no" }.to_owned()
}
