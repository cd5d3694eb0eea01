//! `countersign client set`.

use std::path::PathBuf;

use clap::Args;

use super::super::{Failure, split_uris};
use super::Which;
use super::add::{own_alg, read_jwks};
use crate::model::{ClientAuthMethod, GrantType, SigningAlg};
use crate::tenancy::clients::{Change, Keys, Links};

#[derive(Debug, Args)]
pub struct Set {
    #[command(flatten)]
    pub which: Which,
    #[arg(long)]
    name: Option<String>,
    /// Repeat for more, or separate by commas
    #[arg(long = "redirect-uri", value_name = "URI")]
    redirect_uris: Option<Vec<String>>,
    /// Repeat for more, or separate by commas
    #[arg(long = "post-logout-redirect-uri", value_name = "URI")]
    post_logout_redirect_uris: Option<Vec<String>>,
    /// authorization_code, refresh_token, client_credentials
    #[arg(long = "grant", value_name = "GRANT", value_delimiter = ',')]
    grants: Option<Vec<GrantType>>,
    /// Scopes it may ask for
    #[arg(long = "scope", value_name = "SCOPE", value_delimiter = ',')]
    scopes: Option<Vec<String>>,
    /// A resource that it is the server of
    #[arg(long = "audience", value_name = "RESOURCE")]
    audiences: Option<Vec<String>>,
    /// Whether users are spared the question for consent: true or false
    #[arg(long, value_name = "BOOL")]
    first_party: Option<bool>,
    /// Whether its users must show two factors: true or false
    #[arg(long, value_name = "BOOL")]
    require_mfa: Option<bool>,
    /// Whether its users must act for an organisation that they belong to: true or false
    #[arg(long, value_name = "BOOL")]
    require_organization: Option<bool>,
    /// Whether its authorization requests must have PKCE: true or false
    #[arg(long, value_name = "BOOL")]
    pkce: Option<bool>,
    /// Whether its authorization requests must be pushed: true or false
    #[arg(long, value_name = "BOOL")]
    require_par: Option<bool>,
    /// Where a client that has secrets sends them: client_secret_basic or client_secret_post
    #[arg(long, value_name = "METHOD")]
    auth: Option<ClientAuthMethod>,
    /// What signs its ID tokens: RS256, ES256 or EdDSA
    #[arg(long, value_name = "ALG", value_parser = own_alg)]
    id_token_alg: Option<SigningAlg>,
    /// A file with its public keys, a JWK Set
    #[arg(long, value_name = "FILE", conflicts_with = "jwks_uri")]
    jwks: Option<PathBuf>,
    /// Where its public keys are fetched from
    #[arg(long, value_name = "URI")]
    jwks_uri: Option<String>,
    /// A picture of it, shown where people are asked for consent; an empty text takes it away, here and below
    #[arg(long, value_name = "URI")]
    logo_uri: Option<String>,
    /// Its home page
    #[arg(long, value_name = "URI")]
    client_uri: Option<String>,
    /// Its privacy policy
    #[arg(long, value_name = "URI")]
    policy_uri: Option<String>,
    /// Its terms of service
    #[arg(long, value_name = "URI")]
    tos_uri: Option<String>,
    /// Where a sign-in begins at the application
    #[arg(long, value_name = "URI")]
    initiate_login_uri: Option<String>,
}

/// What the arguments change.
pub fn change(set: Set) -> Result<Change, Failure> {
    let keys = match (set.jwks, set.jwks_uri) {
        (Some(path), _) => Some(Keys::These(read_jwks(&path)?)),
        (None, uri) => uri.map(Keys::At),
    };
    Ok(Change {
        name: set.name,
        redirect_uris: set.redirect_uris.map(|uris| split_uris(&uris)),
        post_logout_redirect_uris: set.post_logout_redirect_uris.map(|uris| split_uris(&uris)),
        grant_types: set.grants,
        scopes: set.scopes,
        audiences: set.audiences.map(|audiences| split_uris(&audiences)),
        first_party: set.first_party,
        require_mfa: set.require_mfa,
        require_organization: set.require_organization,
        pkce_required: set.pkce,
        require_par: set.require_par,
        id_token_alg: set.id_token_alg,
        auth_method: set.auth,
        links: Links {
            logo_uri: set.logo_uri,
            client_uri: set.client_uri,
            policy_uri: set.policy_uri,
            tos_uri: set.tos_uri,
            initiate_login_uri: set.initiate_login_uri,
        },
        keys,
    })
}
